"""`blpop` in-process: threads that wait, those that serve them, and a close in between."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import synap
from synap.journal import LogFailed


@pytest.fixture
def db(store: Any, tmp_path: Path) -> Iterator[synap.Database]:
    with synap.open(tmp_path) as opened:
        yield opened


class Aside(threading.Thread):
    """A call in a thread of its own; `answer` waits for what it gave or raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call
        self._given: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._given = self._call()
        except Exception as error:
            self._given = error

    def answer(self) -> Any:
        self.join(10)
        assert not self.is_alive(), "it still waits"
        return self._given


def waiting(db: synap.Database, count: int) -> None:
    """Until so many calls wait."""
    end = time.monotonic() + 10
    while len(db._waiters) != count:
        assert time.monotonic() < end, len(db._waiters)
        time.sleep(0.001)


def test_what_is_there_is_taken_at_once(db: synap.Database) -> None:
    db.rpush("b", "x", {"a": 1})
    assert db.blpop("a", "b", timeout=1) == (b"b", b"x") and db.blpop("b") == (b"b", {"a": 1})
    assert db.call("list.blpop", keys=["b"], timeout=5) is None  # `call` alone never waits
    db.set("text", "v")
    with pytest.raises(synap.Fault, check=lambda fault: fault.row.name == "WRONG_TYPE"):
        db.blpop("text", timeout=1)
    with pytest.raises(synap.Fault, check=lambda fault: "'timeout': wanted a number from 0" in str(fault)):
        db.blpop("b", timeout=-1)


def test_a_time_that_is_up(db: synap.Database) -> None:
    begun = time.monotonic()
    assert db.blpop("none", timeout=0.15) is None
    assert 0.14 < time.monotonic() - begun < 5
    db.rpush("none", "x")  # nobody waits any more
    assert db.llen("none") == 1 and not db._waiters


def test_those_who_wait_are_served_in_turn(db: synap.Database) -> None:
    threads = []
    for i in range(3):
        threads.append(Aside(lambda: db.blpop("l", "m")))
        waiting(db, i + 1)
    assert db.get("other") is None  # the others go on
    db.rpush("m", "first")
    assert threads[0].answer() == (b"m", b"first")
    assert db.rpush("l", "second", "third", "fourth") == 3
    assert [thread.answer() for thread in threads[1:]] == [(b"l", b"second"), (b"l", b"third")]
    assert db.lrange("l") == [b"fourth"]


def test_eight_threads_hand_over_everything_once(db: synap.Database, tmp_path: Path) -> None:
    taken: list[bytes] = []

    def take() -> None:
        while (found := db.blpop("work", timeout=10)) is not None and found[1] != b"end":
            taken.append(found[1])

    takers = [Aside(take) for _ in range(4)]
    makers = [Aside(lambda i=i: [db.rpush("work", f"{i}:{j}") for j in range(300)]) for i in range(4)]
    for maker in makers:
        assert len(maker.answer()) == 300
    db.rpush("work", *["end"] * 4)
    assert [taker.answer() for taker in takers] == [None] * 4
    assert sorted(taken) == sorted(b"%d:%d" % (i, j) for i in range(4) for j in range(300))
    db.close()
    with synap.open(tmp_path) as again:
        assert again.exists("work") == 0


def test_a_close_ends_those_who_wait(store: Any, tmp_path: Path) -> None:
    db = synap.open(tmp_path)
    thread = Aside(lambda: db.blpop("l"))
    waiting(db, 1)
    db.close()
    assert str(thread.answer()) == "the database is closed"
    with synap.open(tmp_path) as again:
        assert again.rpush("l", "x") == 1


def test_what_was_handed_over_and_not_written_is_in_doubt(db: synap.Database) -> None:
    """The push and the pop that it brings about are one write: both hear that it failed."""
    thread = Aside(lambda: db.blpop("l"))
    waiting(db, 1)
    log = db._node.log
    assert log is not None

    def refuse(*_: Any) -> None:
        raise OSError("no room")

    log._write = refuse  # type: ignore[method-assign]
    with pytest.raises(synap.Fault, check=lambda fault: fault.row.name == "UNKNOWN_OUTCOME"):
        db.rpush("l", "x")
    told = thread.answer()
    assert isinstance(told, synap.Fault) and told.row.name == "UNKNOWN_OUTCOME"
    assert isinstance(log.failed, LogFailed)
    del log._write  # type: ignore[attr-defined]
    with pytest.raises(synap.Fault, check=lambda fault: fault.row.name == "LOG_FAILED"):
        db.set("k", "v")
    assert db.get("k") is None
    db.snapshot()
    assert db.set("k", "v") is True
