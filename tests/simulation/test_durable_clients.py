"""Clients that ask for a durability of their own, in a simulated world where power is lost: what was acknowledged at
`fsync` is there again in every mode, and what was acknowledged at `os` after a kill."""

from typing import Any

import pytest

from synap import durability
from tests.simulation.actors import Actor, Script
from tests.simulation.story import Story, tell

MODES = ("never", "periodic", "always")
SEEDS = (1003, 1005, 1006, 1008, 1011, 1028)  # of all modes, most of those that promise less; power is lost, or a kill


class Counting(Actor):
    """A counter that only this client writes, and looks for whenever it connects."""

    level = b""
    sent = 0
    acked = 0
    checked = 0  # starts of a server after which something had to be there

    def script(self) -> Script:
        key = b"of " + self.level
        _, found = yield [("CLIENT", "DURABILITY", self.level), ("GET", key)]
        value = int(found or 0)
        assert self.acked <= value <= self.sent, f"{self.acked} was acknowledged at {self.level!r}, found {value}"
        self.checked += self.acked > 0
        while True:
            self.sent += 1
            (reply,) = yield [("SET", key, self.sent)]
            if reply == b"OK":
                self.acked = self.sent
            yield self.think()


class Strict(Counting):
    level = b"fsync"


class Quick(Counting):
    level = b"os"


class Mixed(Story):
    """A story with one client at each level; the mode follows from the seed."""

    counted = 0

    def __init__(self, seed: int, clients: int) -> None:
        super().__init__(seed, clients)
        self.mode = self.told.mode = self.settings["persistence.wal.fsync_mode"] = MODES[seed % len(MODES)]
        self.strict, self.quick = self._actor(Strict, 50), self._actor(Quick, 51)
        self.actors += [self.strict, self.quick]

    def _leave(self, life: Any, ending: str) -> None:
        super()._leave(life, ending)
        if ending in ("power", "torn write"):
            self.quick.acked = 0  # not promised

    def _judge(self) -> None:
        super()._judge()
        Mixed.counted += self.strict.checked


def test_what_was_acknowledged_is_there(store: Any) -> None:
    Mixed.counted = 0
    for seed in SEEDS:
        tell(seed, 2, Mixed)
    assert Mixed.counted > len(SEEDS)


def test_a_reply_that_does_not_wait_is_noticed(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "FSYNC", "nothing")  # the turn finds no connection that waits
    with pytest.raises(AssertionError, match="was acknowledged at b'fsync'"):
        for seed in SEEDS:
            tell(seed, 2, Mixed)
