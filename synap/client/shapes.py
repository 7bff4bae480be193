"""Shapes: arrays whose members are all alike (messages of a queue, records of a topic) are read by regular expressions.

A reply of 100 messages holds 2,000 values, and reading value by value takes a Python program longer than all else that
it does with a message. So once the first member of an array is read, its *shape* (which names, where a number and where
a text) becomes an expression, which reads each of the next members in one go. A member that does not match, such as a
text with a carriage return in it, or one that has not wholly arrived, is read value by value as ever, so a shape never
changes what is read: the expression takes only what RESP3 writes in one way.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

WINDOW_BYTES = 64 * 1024  # looked at in one go, which bounds the cost of a try
MISSES_MAX = 3  # tries in a row without a match, after which an array is read value by value
MEMBERS_MIN = 4  # values of a member for which a shape pays
READ = """
def read(data, most, found):
    at = 0
    for _ in range(most):
        matched = match(data, at)
        if matched is None:
            break
        {groups}, = matched.groups()
        if {wrong}:
            break
        at = matched.end()
        found.append({member})
    return at
"""
NUMBER, TEXT = rb":(-?\d{1,18})\r\n", rb"(?:\$(\d{1,9})\r\n([^\r]*)|_)\r\n"
NUMBERS = re.compile(rb"(?::-?\d{1,18}\r\n)+")


class Shape:
    """How the members of an array are written: the names of each map (None: the members are arrays), and which values
    are numbers.

    `read(data, most, found)` adds at most so many members at the beginning of `data` to `found`, and returns how many
    bytes they take. It is compiled for the shape, as a loop over the values would take half as long again. Only names
    come into its source from a server, as literals.
    """

    def __init__(self, names: tuple[bytes, ...] | None, numbers: tuple[bool, ...]) -> None:
        parts = [b"%%%d\r\n" % len(numbers) if names is not None else rb"\*%d\r\n" % len(numbers)]
        groups, checks, values = [], [], []
        for i, number in enumerate(numbers):
            if names is not None:
                parts.append(re.escape(b"$%d\r\n%b\r\n" % (len(names[i]), names[i])))
            parts.append(NUMBER if number else TEXT)
            groups += [f"v{i}"] if number else [f"s{i}", f"v{i}"]
            checks += [] if number else [f"s{i} is not None and len(v{i}) != int(s{i})"]
            values.append(f"int(v{i})" if number else f"v{i}")
        if names is not None:
            values = [f"{name!r}: {value}" for name, value in zip(names, values, strict=True)]
        member = ", ".join(values)
        source = READ.format(
            groups=", ".join(groups), wrong=" or ".join(checks) or "False",
            member=f"[{member}]" if names is None else f"{{{member}}}",
        )  # fmt: skip
        made: dict[str, Any] = {"match": re.compile(b"".join(parts)).match}
        exec(source, made)
        self.read: Callable[[bytes, int, list[Any]], int] = made["read"]
        self.values = len(numbers) * (1 if names is None else 2)


def read_numbers(data: bytes, most: int, found: list[Any]) -> int:
    """Add at most so many numbers at the beginning of `data` to `found`; return how many bytes they take."""
    matched = NUMBERS.match(data)
    if matched is None:
        return 0
    digits = matched[0][1:-2].split(b"\r\n:")[:most]
    found += map(int, digits)
    return sum(map(len, digits)) + 3 * len(digits)


@lru_cache(64)
def _shape(names: tuple[bytes, ...] | None, numbers: tuple[bool, ...]) -> Shape:
    return Shape(names, numbers)


def shape_of(member: Any) -> Shape | None:
    """Return the shape of an array's members, None if they have none that an expression reads."""
    if type(member) is dict:
        names, values = tuple(member), list(member.values())
        if not all(type(name) is bytes for name in names):
            return None
    elif type(member) is list:
        names, values = None, member
    else:
        return None
    if len(values) < MEMBERS_MIN or not all(value is None or type(value) in (int, bytes) for value in values):
        return None
    return _shape(names, tuple(type(value) is int for value in values))
