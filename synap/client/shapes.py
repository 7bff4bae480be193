"""Shapes: arrays whose members are all alike (messages of a queue, records of a topic) are read by regular expressions.

A reply of 100 messages holds 2,000 values, and reading value by value takes a Python program longer than all else that
it does with a message. So once the first member of an array is read, its *shape* (which names, where a number and where
a text) becomes an expression, which reads each of the next members in one go. A member that does not match, such as a
text with a carriage return in it, or one that has not wholly arrived, is read value by value as ever, so a shape never
changes what is read: the expression takes only what RESP3 writes in one way.
"""

import re
from functools import lru_cache
from typing import Any

WINDOW_BYTES = 64 * 1024  # looked at in one go, which bounds the cost of a try
MISSES_MAX = 3  # tries in a row without a match, after which an array is read value by value
MEMBERS_MIN = 4  # values of a member for which a shape pays
NUMBER, TEXT = rb":(-?\d{1,18})\r\n", rb"(?:\$(\d{1,9})\r\n([^\r]*)|_)\r\n"


class Shape:
    """How the members of an array are written: the names of each map (None: the members are arrays), and which values
    are numbers."""

    def __init__(self, names: tuple[bytes, ...] | None, numbers: tuple[bool, ...]) -> None:
        self._names = names
        parts = [b"%%%d\r\n" % len(numbers) if names is not None else rb"\*%d\r\n" % len(numbers)]
        for i, number in enumerate(numbers):
            if names is not None:
                parts.append(re.escape(b"$%d\r\n%b\r\n" % (len(names[i]), names[i])))
            parts.append(NUMBER if number else TEXT)
        self._match = re.compile(b"".join(parts)).match
        self._numbers = numbers
        self.values = len(numbers) * (1 if names is None else 2)

    def read(self, data: bytes, most: int, found: list[Any]) -> int:
        """Add at most so many members at the beginning of `data` to `found`; return how many bytes they take."""
        at, match, names, numbers = 0, self._match, self._names, self._numbers
        for _ in range(most):
            matched = match(data, at)
            if matched is None:
                break
            groups = iter(matched.groups())
            values: list[Any] = []
            for number in numbers:
                first = next(groups)
                if number:
                    values.append(int(first))
                    continue
                text = next(groups)
                if first is not None and len(text) != int(first):
                    return at
                values.append(text)
            at = matched.end()
            found.append(values if names is None else dict(zip(names, values, strict=True)))
        return at


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
