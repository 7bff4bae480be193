"""Random calls of every row with a function in the store, weighted so that what is stored grows and is met again.

    calls = Calls(Random(1), state)      `state` is the naive one: it knows values, members and ids worth naming
    calls.next()                         the words of one call; its first word is a RESP word
    calls.nameless()                     (row name, words) of a row without a RESP word: of JSON surfaces, or of upkeep
"""

from random import Random
from typing import Any

from synap.arguments import Key, Text
from synap.command import Command
from synap.commands import CATALOGUE
from synap.traits import EMPTIES, RUNS_SCRIPT, TRUSTED
from tests.naive.store import State
from tests.strategies import GLOBS, POOL, Strategies, number

__all__ = ["GLOBS", "POOL", "ROWS", "WEIGHTS", "Calls", "number"]

MOOD_CALLS = 700


def _names_something(nodes: Any) -> bool:
    return any(
        isinstance(node, Key) or (isinstance(node, Text) and node.kind) or _names_something(getattr(node, "inner", ()))
        for node in nodes
    )


def weight(row: Command) -> float:
    """How often a row is called. Rows that store come more often than those that remove; rows that empty something, or
    that concern all keys, are rare."""
    if row.traits & EMPTIES:
        return 0.2
    if not _names_something(row.args):
        return 0.4
    return 5 if row.grows else 3 if row.writes else 2


def _iterates(row: Command) -> bool:
    """Whether a call is one step of an iteration, which `Differential.scan` makes as a whole."""
    return any(isinstance(node, Text) and node.cursor for node in row.args)


ROWS = [row for row in CATALOGUE.rows if row.run and not row.traits & (TRUSTED | RUNS_SCRIPT)]
"""What random calls reach. Rows that only a snapshot or the log calls are in `test_twins.py`."""
NAMED = {row.resp: row for row in ROWS if row.resp and not _iterates(row)}
NAMELESS = [row for row in ROWS if not row.resp]
WEIGHTS = {word: weight(row) for word, row in NAMED.items()}


class Calls:
    """A source of calls. `huge` is how often a value is above 1 MiB."""

    def __init__(self, chance: Random, state: State, *, huge: float = 0.0003) -> None:
        self.chance = chance
        self.draw = Strategies(chance, state, huge=huge)
        self.made = 0
        self.weights: dict[str, float] = dict(WEIGHTS)

    @property
    def now(self) -> int:
        return self.draw.now

    @now.setter
    def now(self, value: int) -> None:
        self.draw.now = value

    def next(self) -> list[bytes]:
        """The words of one call."""
        if self.made % MOOD_CALLS == 0:
            self.draw.change_mood()
        self.made += 1
        name = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
        word = name if self.chance.random() < 0.9 else name.lower()
        return [*word.encode().split(b"|"), *self.draw.words(NAMED[name])]

    def nameless(self) -> tuple[str, list[bytes]]:
        """A row without a RESP word."""
        row = self.chance.choice(NAMELESS)
        return row.name, self.draw.words(row)
