"""Words of a command: how the parameters of a method become the words behind the command's name."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synap.client.errors import LocalProtocolError
from synap.client.machine import Word

Words = tuple[Word, ...]


def when(word: str, wanted: bool) -> Words:
    """Return a word if it is wanted."""
    return (word,) if wanted else ()


def option(word: str, *values: Word | None) -> Words:
    """Return a word and the values behind it, or nothing if no value is given."""
    given = tuple(value for value in values if value is not None)
    if given and len(given) < len(values):
        raise LocalProtocolError(f"{word}: wanted {len(values)} values, found {len(given)}")
    return (word, *given) if given else ()


def listed(word: str, values: Sequence[Word] | None) -> Words:
    """Return a word and the values of a list behind it, or nothing if no list is given."""
    return () if values is None else (word, *values)


def repeated(word: str, values: Sequence[Word] | None) -> Words:
    """Return each value of a list with the word before it, or nothing if no list is given."""
    return tuple(each for value in values or () for each in (word, value))


def optional(*values: Word | None) -> Words:
    """Return the values that are given."""
    return tuple(value for value in values if value is not None)


def up_to_last(*pairs: tuple[Word | None, int | None]) -> Words:
    """Return (value, default) pairs up to the last value that is given: a missing value before it is its default."""
    count = max((i + 1 for i, (value, _) in enumerate(pairs) if value is not None), default=0)
    return tuple(word for value, default in pairs[:count] for word in [default if value is None else value]
                 if word is not None)  # fmt: skip


def counted(values: Sequence[Word]) -> Words:
    """Return the number of values, and the values."""
    return (len(values), *values)


def counted_pairs(pairs: Mapping[Any, Word] | Iterable[tuple[Word, ...]]) -> Words:
    """Return the number of pairs, and their words, one pair behind the other."""
    found = list(pairs.items() if isinstance(pairs, Mapping) else pairs)
    return (len(found), *(word for pair in found for word in pair))


def flat(pairs: Mapping[Any, Word] | Iterable[tuple[Word, ...]], turned: bool = False) -> Words:
    """Return the words of pairs, one pair behind the other; `turned`: a mapping names the second of each pair first."""
    found = pairs.items() if isinstance(pairs, Mapping) else pairs
    if turned and isinstance(pairs, Mapping):
        return tuple(word for second, first in pairs.items() for word in (first, second))
    return tuple(word for pair in found for word in pair)


def stepwise(*words: Word | None, match: Word | None, count: int) -> tuple[Word | None, ...]:
    """Return the words of a scan; None in `words` is the place of the cursor, which each step fills anew."""
    return (*words, "COUNT", count, *option("MATCH", match))


def halves(pairs: Mapping[Any, Word] | Iterable[tuple[Word, Word]]) -> Words:
    """Return the first words of all pairs, then the second ones."""
    found = list(pairs.items() if isinstance(pairs, Mapping) else pairs)
    return (*(first for first, _ in found), *(second for _, second in found))


def waiting(**named: float) -> float:
    """Return the one number of seconds that a command itself waits, infinity for 0. Raise LocalProtocolError if it is
    no such number."""
    ((name, found),) = named.items()
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise LocalProtocolError(f"{name}: wanted seconds, 0 for no limit, found {found!r}")
    return found or math.inf


def silence(timeout: float | None, patience: float) -> float | None:
    """Return the longest silence on a connection whose command itself waits `patience` seconds; None: for ever."""
    return None if timeout is None or patience == math.inf else timeout + patience


def durability_command(level: str) -> tuple[str, ...]:
    """Return the command that sets the durability of a connection's replies."""
    return "CLIENT", "DURABILITY", level


def between(name: str, found: object, least: int, most: int) -> None:
    """Raise LocalProtocolError unless an argument is an integer within bounds."""
    if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
        raise LocalProtocolError(f"{name}: wanted a whole number from {least} to {most}, found {found!r}")
