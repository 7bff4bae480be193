"""get_many, set_many, delete_many: every form of input against the naive twin, threads, what is refused."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import synap
from synap.io.embedded.arrays import pack
from synap.store.calls import bulk
from tests.naive.store import State, keys, strings

NOW = 1_000_000


def blob_of(texts: list[bytes]) -> Any:
    return b"".join(texts), np.cumsum([0, *map(len, texts)])


def padded(texts: list[bytes]) -> Any:
    """The same inside a larger blob, whose offsets do not begin at 0, with narrow unsigned offsets."""
    octets = np.frombuffer(b"???" + b"".join(texts) + b"!", np.uint8)
    return octets, (np.cumsum([0, *map(len, texts)]) + 3).astype(np.uint32)


def array_of(texts: list[bytes]) -> Any:
    return np.array(texts, "S") if texts else np.empty(0, "S4")


FORMS = {"list": list, "array": array_of, "blob": blob_of, "padded": padded}


class Twin:
    """The naive store under the calls of `Database`."""

    def __init__(self) -> None:
        self.state = State()

    def set_many(self, names: list[bytes], values: list[bytes]) -> None:
        for name, value in zip(names, values, strict=True):
            strings.set_value(self.state, {"key": name, "value": value}, NOW)

    def get_many(self, names: list[bytes]) -> list[bytes | None]:
        return [strings.get_value(self.state, {"key": name}, NOW)[0] for name in names]

    def delete_many(self, names: list[bytes]) -> int:
        return sum(keys.delete(self.state, {"keys": [name]}, NOW)[0] for name in names)


def some(chance: Random, count: int) -> list[bytes]:
    """Names with repetitions, of many sizes, none of which ends in a zero byte."""
    return [b"k%d" % chance.randrange(900) + b"x" * chance.choice((0, 0, 3, 12, 13, 200)) for _ in range(count)]


@pytest.mark.parametrize("form", FORMS)
def test_as_the_naive_twin(store: Any, tmp_path: Path, form: str) -> None:
    make, chance, twin = FORMS[form], Random(form), Twin()
    with synap.open(tmp_path) as db:
        for _ in range(60):
            names = some(chance, chance.choice((0, 1, 15, 16, 17, 300)))
            draw = chance.random()
            if draw < 0.4:
                values = [bytes(chance.choices(b"abc", k=chance.choice((0, 1, 16, 300, 2000)))) for _ in names]
                db.set_many(make(names), make(values))
                twin.set_many(names, values)
            elif draw < 0.6:
                assert db.delete_many(make(names)) == twin.delete_many(names)
            wanted = twin.get_many(names)
            for threads in (1, 2, 3):
                assert db.get_many(make(names), threads=threads) == wanted
                assert db.get_blob(make(names), threads=threads).tolist() == wanted
                short = db.get_many(make(names), width=5, threads=threads)
                assert short.dtype == "S5" and short.tolist() == [(value or b"")[:5] for value in wanted]
        assert db.dbsize() == len(twin.state.records) > 100
        digest = db.digest()
    with synap.open(tmp_path) as db:  # what was journaled is what has happened
        assert db.digest() == digest
        everything = [key for _, key in twin.state.records]
        assert db.get_many(everything) == twin.get_many(everything)


def test_delete_many_removes_any_kind_and_what_has_expired(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as db:
        db.rpush("l", *("x" * 100 for _ in range(5000)))
        db.sadd("s", "a")
        db.set("gone", "v", px=1)
        db.set("k", "v", ttl=100)
        while db.pttl("gone") != -2:
            pass
        assert db.delete_many([b"l", "s", "gone", "k", "k", "none"]) == 3
        assert db.dbsize() == 0
    with synap.open(tmp_path) as db:
        assert db.dbsize() == 0


def test_delete_many_wakes_no_log_where_nothing_was(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as db:
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert db.delete_many([b"none%d" % i for i in range(100)]) == 0
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == size


def test_a_call_that_waits_is_served_after_many_keys(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys lie where waiting calls are packed: in the middle of the work none of these is served."""
    in_tens = {name: getattr(bulk, name) for name in ("set_many", "delete_many")}
    monkeypatch.setattr(bulk, "set_many", lambda words, octets, at, sizes, value_at, value_sizes, count, *more:
                        in_tens["set_many"](words, octets, at, sizes, value_at, value_sizes, min(count, 10), *more))
    monkeypatch.setattr(bulk, "delete_many", lambda words, octets, at, sizes, count, *more:
                        in_tens["delete_many"](words, octets, at, sizes, min(count, 10), *more))  # fmt: skip
    names = [b"%03d" % i for i in range(100)]
    with synap.open() as db, ThreadPoolExecutor() as threads:
        waiting = threads.submit(db.blpop, "050", timeout=30)
        while not db._engine.interest.parked:
            time.sleep(0.01)
        db.set_many(names, names)
        assert db.get_many(names) == names and db.dbsize() == 100
        assert db.delete_many(names) == 100 and db.dbsize() == 0
        db.rpush("050", "x")
        assert list(waiting.result(30)) == [b"050", b"x"]


def test_other_kinds_are_refused(store: Any) -> None:
    with synap.open() as db:
        db.rpush("l", "x")
        for many in (lambda: db.get_many(["k", "l"]), lambda: db.get_many(["l"], width=4, threads=2)):
            with pytest.raises(synap.Fault) as caught:
                many()
            assert caught.value.row.name == "WRONG_TYPE"
        assert db.get_many(["k"]) == [None]


def test_memory_that_ends(store: Any) -> None:
    settings = synap.Settings().replace({"kv_store.max_memory_mb": 8})
    with synap.open(settings=settings) as db:
        names = [b"%06d" % i for i in range(20_000)]
        values = [Random(i).randbytes(1000) for i in range(20_000)]
        with pytest.raises(synap.Fault) as caught:
            db.set_many(names, values)
        assert caught.value.row.name == "OUT_OF_MEMORY"
        stored = db.dbsize()
        assert 1000 < stored < 10_000
        found = db.get_many(names)
        assert found[:stored] == values[:stored] and found[stored:] == [None] * (20_000 - stored)
        assert db.delete_many(names) == stored  # always possible
        db.set_many(names[:1000], values[:1000])
        assert db.get_many(names[:1000]) == values[:1000]


@pytest.mark.parametrize("texts, error, text", [
    ("one", TypeError, "wanted many texts, found one: str"),
    (b"one", TypeError, "wanted many texts, found one: bytes"),
    ([1, 2], TypeError, "wanted str or bytes, found int"),
    ([b"a", None], TypeError, "wanted str or bytes, found NoneType"),
    (np.arange(4), TypeError, "wanted an array of dtype S, found int64"),
    ((b"abc", np.array([0, 4])), ValueError, "from 0 to 3"),
    ((b"abc", np.array([-1, 3])), ValueError, "from 0 to 3"),
    ((b"abc", np.array([0, 2, 1])), ValueError, "wanted ascending numbers"),
    ((b"abc", np.array([[0, 1]])), ValueError, "one-dimensional"),
    ((b"abc", np.array([], int)), ValueError, "one-dimensional"),
    ((b"abc", np.array([0.0, 1.0])), ValueError, "whole number"),
    ((np.zeros(3), np.array([0, 1])), ValueError, "blob: wanted bytes"),
])
def test_what_are_no_texts(texts: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        pack(texts)


def test_what_else_is_wrong(store: Any) -> None:
    with synap.open() as db:
        with pytest.raises(ValueError, match="2 keys but 1 values"):
            db.set_many(["a", "b"], ["v"])
        with pytest.raises(ValueError, match="threads: wanted a number above 0, found 0"):
            db.get_many(["a"], threads=0)
        with pytest.raises(ValueError, match="width: wanted a number above 0, found -1"):
            db.get_many(["a"], width=-1)
        with pytest.raises(UnicodeEncodeError):
            db.get_many(["\ud800"])
        assert db.dbsize() == 0


def test_texts_with_zero_bytes_in_them(store: Any) -> None:
    with synap.open() as db:
        names = [b"a\0b", b"\0", b"", b"a\0b\0"]
        db.set_many(blob_of(names), names)
        assert db.get_many(names) == names
        assert db.get("a\0b\0") == b"a\0b\0"
        assert db.get_many(np.array([b"a\0b\0"], "S4")) == [b"a\0b"], "numpy's texts end at their trailing zeros"
