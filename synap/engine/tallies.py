"""Tallies: how many keys of each kind there are, and how many elements they hold, by a walk over all keys.

A walk takes about 70 ns for each key. A surface that can wait lets it proceed in steps, between which other clients are
served (`io/http/key_walks.py`), and hands the tally over before it makes the call. A call without one walks at once.
"""

from typing import TYPE_CHECKING

import numpy as np

from synap.store.keys import tally
from synap.store.kinds.table import KINDS
from synap.store.records.descriptions import DESCRIPTION_WORDS

if TYPE_CHECKING:
    from synap.engine.engine import Engine

STEP = 4_000
"""Keys that a step looks at, a third of a millisecond."""
_ALL = 1 << 62
_NUMBERS = {kind.name: kind.number for kind in KINDS}


class Tally:
    """One walk over all keys of all namespaces, which estimates each HyperLogLog if that is wanted."""

    def __init__(self, engine: "Engine", with_estimates: bool = False) -> None:
        self._engine, self.with_estimates = engine, with_estimates
        self._found = np.zeros(tally.FOUND_WORDS, np.int64)
        self._described = np.zeros(DESCRIPTION_WORDS, np.int64)
        self._cursor = 0

    def step(self, now: int, budget: int = STEP) -> bool:
        """Look at about `budget` further keys; return whether all have been looked at."""
        if self._cursor >= 0:
            engine = self._engine
            left = tally.tally(
                engine.words, engine.octets, self._cursor, budget, self.with_estimates, now, self._found,
                self._described,
            )  # fmt: skip
            self._cursor = int(left)
        return self._cursor < 0

    def all_at_once(self, now: int) -> "Tally":
        """Look at all keys, and return the tally."""
        self.step(now, _ALL)
        return self

    def of(self, kind: str) -> tuple[int, int, int]:
        """Return (keys, elements, bytes) of a kind of `KINDS`, by its name; of strings only the keys."""
        at = tally.OF_KIND * _NUMBERS[kind]
        keys, elements, held = self._found[at : at + tally.OF_KIND].tolist()
        return keys, elements, held

    @property
    def sketches(self) -> tuple[int, int]:
        """The number of HyperLogLogs, and the sum of their estimates."""
        return int(self._found[tally.SKETCHES]), int(self._found[tally.CARDINALITY])

    @property
    def string_bytes(self) -> int:
        """The bytes of all strings that are no HyperLogLogs."""
        return int(self._found[tally.STRING_BYTES])


class Tallies:
    """The tallies that calls of one engine need."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._handed: Tally | None = None

    def begin(self, with_estimates: bool = False) -> Tally:
        """Return a new tally, whose walk has to be made step by step."""
        return Tally(self._engine, with_estimates)

    def hand_over(self, whole: Tally | None) -> None:
        """Give the next call a tally whose walk has ended just now; None takes it back."""
        self._handed = whole

    def take(self, now: int, with_estimates: bool = False) -> Tally:
        """Return the tally that was handed over, or else walk over all keys at once."""
        handed, self._handed = self._handed, None
        if handed is not None and handed.with_estimates >= with_estimates:
            return handed
        return self.begin(with_estimates).all_at_once(now)
