"""Eight threads on one database: each sees what the naive twin says, and together they lose nothing."""

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import synap
from synap.commands import CATALOGUE
from tests.naive.parser import Refused
from tests.naive.store import State

THREADS, CALLS = 8, 1200
Asked = tuple[Callable[[], Any], str, dict[str, Any]]


def twin_of(row: str) -> Callable[..., Any]:
    """The naive twin of a row."""
    module, _, function = CATALOGUE.by_name[row].run.partition(".")
    return getattr(importlib.import_module(f"tests.naive.store.{module}"), function)


def random_call(db: synap.Database, chance: Random, prefix: bytes) -> Asked:
    """(the call on the database, the row, the twin's arguments). Keys are the thread's own."""
    def key() -> bytes:
        return prefix + b"%d" % chance.randrange(12)

    name, other, value, amount = key(), key(), b"%d" % chance.randrange(10**6), chance.randrange(-9, 9)
    values = [b"%d" % chance.randrange(99) for _ in range(chance.randrange(1, 5))]
    return chance.choice((
        (lambda: db.set(name, value), "kv.set", {"key": name, "value": value}),
        (lambda: db.set(name, value, nx=True, get=True), "kv.set", {"key": name, "value": value, "NX": 1, "GET": 1}),
        (lambda: db.get(name), "kv.get", {"key": name}),
        (lambda: db.incr(name, amount), "kv.add", {"key": name, "amount": amount}),
        (lambda: db.lpush(name, *values), "list.lpush", {"key": name, "values": values}),
        (lambda: db.delete(name, other), "key.delete", {"keys": [name, other]}),
        (lambda: db.rpop(name), "list.rpop", {"key": name}),
        (lambda: db.scard(name), "set.card", {"key": name}),
        (lambda: db.rpush(name, *values), "list.rpush", {"key": name, "values": values}),
        (lambda: db.lpop(name, 2), "list.lpop", {"key": name, "count": 2}),
        (lambda: db.lrange(name), "list.range", {"key": name, "start": 0, "stop": -1}),
        (lambda: db.sadd(name, *values), "set.add", {"key": name, "members": values}),
        (lambda: db.srem(name, *values), "set.remove", {"key": name, "members": values}),
        (lambda: sorted(db.smembers(name)), "set.members", {"key": name}),
    ))  # fmt: skip


def work(db: synap.Database, number: int, state: State) -> None:
    """One thread's calls, each compared with the twin."""
    chance, prefix = Random(number), b"thread%d:" % number
    for i in range(CALLS):
        ask, row, args = random_call(db, chance, prefix)
        try:
            wanted, _ = twin_of(row)(state, args, 1000)
        except Refused as refused:
            wanted = refused.args[0]
        try:
            got = ask()
        except synap.Fault as fault:
            got = fault.row.name
        if row == "kv.set" and wanted == b"OK":
            wanted = True
        if isinstance(wanted, bytes) and isinstance(got, int):  # what was counted is a number, not a text
            got = b"%d" % got
        if row == "set.members" and not isinstance(wanted, str):
            wanted = sorted(wanted)
        assert got == wanted, f"thread {number}, call {i}: {row} {args}: got {got!r}, twin {wanted!r}"
        db.incr("shared")
        if i % 100 == 0:
            names = [b"%s%d" % (prefix, 100 + j) for j in range(200)]
            db.set_many(names, names)
            assert db.get_many(names, threads=2) == names
            assert db.delete_many(names) == 200


def test_eight_threads_equal_the_naive_twin(store: Any, tmp_path: Path) -> None:
    states = [State() for _ in range(THREADS)]
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(db, number, states[number])
        except BaseException as failure:
            failures.append(failure)

    with synap.open(tmp_path) as db:
        threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        assert db.get("shared") == THREADS * CALLS
        digest = db.digest()
    records = {key: record for state in states for (_, key), record in state.records.items()}
    with synap.open(tmp_path) as db:
        assert db.digest() == digest
        assert set(db.keys()) == {*records, b"shared"}
        for key, record in records.items():
            match record.value:
                case bytes():
                    assert db.get_many([key]) == [record.value]
                case list():
                    assert db.lrange(key) == record.value
                case _:
                    assert set(db.smembers(key)) == set(record.value)


def test_a_close_in_the_middle_of_everything(store: Any, tmp_path: Path) -> None:
    """Calls end or are refused; nothing that was answered is lost."""
    answered: list[int] = []
    refused: list[str] = []
    begun = threading.Barrier(5)

    def count(number: int) -> None:
        begun.wait()
        try:
            for i in range(10**6):
                db.set(f"{number}:{i}", "v")
                if number == 0:
                    answered.append(i)
        except ValueError as error:
            refused.append(str(error))

    db = synap.open(tmp_path)
    threads = [threading.Thread(target=count, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    while len(answered) < 200:
        pass
    db.close()
    for thread in threads:
        thread.join()
    assert refused == ["the database is closed"] * 4
    with synap.open(tmp_path) as again:
        assert again.exists(*(f"0:{i}" for i in answered)) == len(answered)
