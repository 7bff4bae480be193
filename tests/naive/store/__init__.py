"""The naive twin of the store: dicts and lists, one function for each row, of the same name.

    twin(state, args, now) -> (reply, changed), or raises Refused with the name of the refusal

`args` are the row's arguments by name; what is absent is left out. A reply is None, an int, bytes, or a list.
What chance decides in the store (the members an SPOP draws, the id of a message) stands in `state.chosen`: the
twin checks that it may be so and goes on with it.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

from synap.arguments import (
    AnyOrder,
    Choice,
    Clash,
    Counted,
    Flag,
    Glob,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
)
from tests.naive.parser import UNREADABLE, Refused, needed, parse, width, widths

OK = b"OK"
WAIT = "wait"
Answer = tuple[Any, bool]


@dataclass
class Record:
    """A key: its value is bytes (a string), a list, a set, a dict (a hash), a ZSet or a Stream."""

    value: Any
    deadline: int = 0

    @property
    def kind(self) -> type:
        return type(self.value)


@dataclass
class State:
    """Everything: keys by (namespace, key), queues, rooms, topics, groups, libraries, retained messages by name."""

    records: dict[tuple[int, bytes], Record] = field(default_factory=dict)
    queues: dict[bytes, Any] = field(default_factory=dict)
    rooms: dict[bytes, Any] = field(default_factory=dict)
    topics: dict[bytes, Any] = field(default_factory=dict)
    groups: dict[bytes, Any] = field(default_factory=dict)
    libraries: dict[bytes, bytes] = field(default_factory=dict)
    retained: dict[bytes, Any] = field(default_factory=dict)
    namespace: int = 0
    chosen: Any = None

    def there(self, key: bytes) -> Record | None:
        """The record of a key, expired or not."""
        return self.records.get((self.namespace, key))

    def seen(self, key: bytes, now: int, kind: type | None = None) -> Record | None:
        """The record of a key if its deadline has not come; it must be of this kind, if one is given."""
        record = self.there(key)
        if record is None or (record.deadline and record.deadline <= now):
            return None
        if kind is not None and record.kind is not kind:
            raise Refused("WRONG_TYPE")
        return record

    def drop(self, key: bytes) -> bool:
        """Remove a key, expired or not; was it there?"""
        return self.records.pop((self.namespace, key), None) is not None

    def claim(self, key: bytes, now: int, kind: type) -> Record:
        """The record of this kind under a key, made empty if it cannot be seen."""
        record = self.seen(key, now, kind)
        if record is None:
            record = self.records[self.namespace, key] = Record(kind())
        return record


def arguments(row: Any, words: list[bytes]) -> dict[str, Any]:
    """The arguments of a row by name that the words make."""
    return named(row.args, parse(row.args, words, stray=row.stray), 0)


def named(nodes: Any, tape: list[Any], at: int) -> dict[str, Any]:
    """The arguments by name that stand on a naive tape from slot `at` on."""
    found: dict[str, Any] = {}
    for node in nodes:
        match node:
            case Many() | Counted() | Halves():
                size = widths(node.inner)
                items = [named(node.inner, tape, tape[at + 1] + i * size) for i in range(tape[at])]
                found[node.name] = [next(iter(item.values())) for item in items] if len(node.inner) == 1 else items
            case Key() | Raw() | Text() | Glob():
                if tape[at + 1]:
                    found[node.name] = tape[at]
            case Int() | Timeout():
                found[node.name] = tape[at]
            case Real():
                (found[node.name],) = struct.unpack("<d", struct.pack("<q", tape[at]))
            case Choice():
                if tape[at]:
                    found[node.name] = node.words[tape[at] - 1]
            case Flag():
                if tape[at]:
                    found[node.word] = True
            case Token() | Optional():
                if tape[at]:
                    found |= named(node.inner, tape, at + 1)
                    if isinstance(node, Token) and not needed(node.inner):
                        found[node.word] = True
            case AnyOrder():
                found |= named(node.inner, tape, at)
            case OneOf():
                place = at + 1
                if tape[at] & UNREADABLE:
                    found["unreadable"] = True
                chosen = tape[at] % UNREADABLE
                for i, inner in enumerate(node.inner, 1):
                    if i == chosen or (node.clash is Clash.BOTH and i & chosen):
                        found[inner.word] = True
                        found |= named(getattr(inner, "inner", ()), tape, place)
                    place += widths(getattr(inner, "inner", ()))
            case _:
                raise AssertionError(node)
        at += width(node)
    return found
