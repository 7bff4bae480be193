"""Reads a tape back into named arguments, and finds the keys and other names in a tape."""

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from synap.arguments import (
    GROUPS,
    TEXTS,
    AnyOrder,
    Argument,
    Choice,
    Flag,
    Group,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Place,
    Real,
    Text,
    Timeout,
    Token,
    layout,
    slots,
)
from synap.command import Command
from synap.store.memory.layout import FORM_MASK, MARK_BITS

Spell = Callable[[bytes, int], Any]
Octets: TypeAlias = bytes | memoryview


def as_bytes(text: bytes, form: int) -> bytes:
    """Return a text unchanged; `form` is ignored."""
    return text


def read(
    row: Command, numbers: Sequence[int], octets: Octets, tape: int, spell: Spell = as_bytes
) -> dict[str, Any]:
    """Return the named arguments of the call whose tape starts at word `tape`.

    `numbers` are the words of the heap and `octets` its bytes. Missing arguments are left out. Texts are returned
    as `spell` makes them from their bytes and form, a Timeout in seconds, a group as a list of dictionaries (a
    binder takes plain values for groups with one member).
    """
    found: dict[str, Any] = {}
    _Reader(numbers, octets, tape, spell).read(row.args, tape, found)
    return found


class _Reader:
    """A reader of one tape."""

    def __init__(self, numbers: Sequence[int], octets: Octets, tape: int, spell: Spell) -> None:
        self.numbers, self.octets, self.tape, self.spell = numbers, octets, tape, spell

    def read(self, args: tuple[Argument, ...], at: int, found: dict[str, Any]) -> None:
        """Read the arguments `args`, whose slots begin at word `at`, into `found`."""
        for node in args:
            self.one(node, at, found)
            at += slots(node)

    def one(self, node: Argument, at: int, found: dict[str, Any]) -> None:
        """Read one argument into `found`."""
        number = self.numbers[at]
        if isinstance(node, AnyOrder):
            self.read(node.inner, at, found)
        elif isinstance(node, Token | Optional):
            if number:
                self.read(node.inner, at + 1, found)
        elif isinstance(node, OneOf):
            self.chosen(node, at, found)
        elif isinstance(node, GROUPS):
            found[node.name] = [self.item(node, self.tape + self.numbers[at + 1], i) for i in range(number)]
        elif isinstance(node, TEXTS):
            if self.numbers[at + 1]:
                found[node.name] = self.text(number, self.numbers[at + 1])
        elif isinstance(node, Flag):
            if number:
                found[node.name or node.word.lower()] = True
        elif isinstance(node, Choice):
            if number:
                found[node.name] = node.words[number - 1]
        elif isinstance(node, Real):
            found[node.name] = struct.unpack("<d", struct.pack("<q", number))[0]
        elif isinstance(node, Timeout):
            found[node.name] = seconds(number)
        else:
            assert isinstance(node, Int), f"no such kind of argument: {node!r}"
            found[node.name] = number

    def chosen(self, node: OneOf, at: int, found: dict[str, Any]) -> None:
        """Read the chosen alternative of a OneOf, if any, into `found`."""
        inside = at + 1
        for number, inner in enumerate(node.inner, 1):
            if number == self.numbers[at]:
                if isinstance(inner, Flag):
                    found[inner.name or inner.word.lower()] = True
                else:
                    self.read(inner.inner, inside, found)
            inside += slots(inner) - 1

    def item(self, node: Group, start: int, i: int) -> dict[str, Any]:
        """Return item `i` of a group whose items start at word `start`."""
        item: dict[str, Any] = {}
        self.read(node.inner, start + i * sum(slots(inner) for inner in node.inner), item)
        return item

    def text(self, at: int, mark: int) -> Any:
        start = self.numbers[self.tape - 1] + at
        return self.spell(bytes(self.octets[start : start + (mark >> MARK_BITS)]), mark & FORM_MASK)


def seconds(milliseconds: int) -> float:
    """Return seconds from which a binder, which rounds up, makes exactly these milliseconds."""
    near = milliseconds / 1000
    for value in (near, math.nextafter(near, 0), math.nextafter(near, math.inf)):
        if math.ceil(value * 1000) == milliseconds:
            return value
    return near


def keys(
    row: Command, numbers: Sequence[int], octets: Octets, tape: int, awaited: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield (octet, size) of every key among the arguments of a call, or of those that it may wait for."""
    for place in layout(row.args):
        if isinstance(place.node, Many) and place.node.keys_behind:
            yield from _behind(place, numbers, octets, tape)
        if not isinstance(place.node, Key) or (awaited and not place.node.awaited):
            continue
        if place.group is None:
            at = tape + place.slot
            if numbers[at + 1]:
                yield numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS
        else:
            group = next(p for p in layout(row.args) if p.node is place.group)
            size = sum(slots(inner) for inner in place.group.inner)
            first = tape + numbers[tape + group.slot + 1]
            for i in range(numbers[tape + group.slot]):
                at = first + i * size + place.slot
                yield numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS


def _behind(place: Place, numbers: Sequence[int], octets: Octets, tape: int) -> Iterator[tuple[int, int]]:
    """Yield (octet, size) of the key that a group of words names behind one of `keys_behind`, if any."""
    assert isinstance(place.node, Many)
    first = tape + numbers[tape + place.slot + 1]
    spans = [(numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS)
             for at in range(first, first + 2 * numbers[tape + place.slot], 2)]  # fmt: skip
    words = [bytes(octets[start : start + size]).upper().decode("latin-1") for start, size in spans]
    yield from [spans[i + 1] for i in range(len(words) - 1) if words[i] in place.node.keys_behind][-1:]


def awaited(
    row: Command, numbers: Sequence[int], octets: Octets, tape: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (namespace, octet, size) of every name that a call may wait for: its keys, or its queue or room."""
    for start, size in keys(row, numbers, octets, tape, True):
        yield numbers[tape - 2], start, size
    for place in layout(row.args):
        if isinstance(place.node, Text) and place.node.kind:
            at = tape + place.slot
            yield place.node.kind, numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS


def timeout_slot(row: Command) -> int:
    """Return the tape slot of the row's Timeout, or -1."""
    return next((place.slot for place in layout(row.args) if isinstance(place.node, Timeout)), -1)
