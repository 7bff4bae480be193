"""Reads a tape back into named arguments, and finds the keys and other names in a tape."""

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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


_placed: dict[int, tuple[tuple[Argument, ...], list[tuple[Argument, int]], int]] = {}
# By the id of some arguments: these arguments, which keeps the id theirs; each with its slot; the number of all slots.


def _places(args: tuple[Argument, ...]) -> tuple[tuple[Argument, ...], list[tuple[Argument, int]], int]:
    """Return the slots of arguments behind each other. What was found is kept, since `slots` walks the grammar."""
    found = _placed.get(id(args))
    if found is None:
        pairs, at = [], 0
        for node in args:
            pairs.append((node, at))
            at += slots(node)
        found = _placed[id(args)] = args, pairs, at
    return found


class _Reader:
    """A reader of one tape."""

    def __init__(self, numbers: Sequence[int], octets: Octets, tape: int, spell: Spell) -> None:
        self.numbers, self.octets, self.tape, self.spell = numbers, octets, tape, spell

    def read(self, args: tuple[Argument, ...], at: int, found: dict[str, Any]) -> None:
        """Read the arguments `args`, whose slots begin at word `at`, into `found`."""
        for node, place in _places(args)[1]:
            self.one(node, at + place, found)

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
            found[node.name] = number if node.whole_ms else seconds(number)
        else:
            assert isinstance(node, Int), f"no such kind of argument: {node!r}"
            found[node.name] = number

    def chosen(self, node: OneOf, at: int, found: dict[str, Any]) -> None:
        """Read the chosen alternative of a OneOf, if any, into `found`."""
        number = self.numbers[at]
        if not 0 < number <= len(node.inner):
            return
        chosen = node.inner[number - 1]
        if isinstance(chosen, Flag):
            found[chosen.name or chosen.word.lower()] = True
        else:
            before = _places(node.inner)[1][number - 1][1] - (number - 1)  # a Flag has no slot of its own here
            self.read(chosen.inner, at + 1 + before, found)

    def item(self, node: Group, start: int, i: int) -> dict[str, Any]:
        """Return item `i` of a group whose items start at word `start`."""
        item: dict[str, Any] = {}
        self.read(node.inner, start + i * _places(node.inner)[2], item)
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


@dataclass(frozen=True)
class KeyPlace:
    """Where the tapes of a row hold the name of a key: at `slot`, or there in each item of a group.

    `step` is the number of slots of an item, 0 for a key that is in no group. `group` is the slot with the number of
    items; the next one holds the start of the items.
    """

    slot: int
    awaited: bool
    group: int = 0
    step: int = 0


@dataclass(frozen=True)
class Names:
    """Where the tapes of a row hold names: of keys, groups of words with keys behind some of them (group, slot), the
    queue or room (kind, slot) that a call waits for; and its Timeout, -1 without one."""

    keys: tuple[KeyPlace, ...]
    behind: tuple[tuple[Many, int], ...]
    records: tuple[tuple[int, int], ...]
    timeout: int


_names: dict[str, tuple[tuple[Argument, ...], Names]] = {}  # by row, beside the arguments that they were found in


def names_of(row: Command) -> Names:
    """Return where the tapes of a row hold names. What was found is kept: the layout of a row takes 200 us."""
    known = _names.get(row.name)
    if known is not None and known[0] is row.args:
        return known[1]
    places = list(layout(row.args))
    keys = []
    for place in places:
        if isinstance(place.node, Key) and place.group is None:
            keys.append(KeyPlace(place.slot, place.node.awaited))
        elif isinstance(place.node, Key) and place.group is not None:
            group = next(p for p in places if p.node is place.group)
            step = sum(slots(inner) for inner in place.group.inner)
            keys.append(KeyPlace(place.slot, place.node.awaited, group.slot, step))
    behind = tuple((p.node, p.slot) for p in places if isinstance(p.node, Many) and p.node.keys_behind)
    records = tuple((p.node.kind, p.slot) for p in places if isinstance(p.node, Text) and p.node.kind)
    timeout = next((p.slot for p in places if isinstance(p.node, Timeout)), -1)
    found = Names(tuple(keys), behind, records, timeout)
    _names[row.name] = row.args, found
    return found


def keys(
    row: Command, numbers: Sequence[int], octets: Octets, tape: int, awaited: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield (octet, size) of every key among the arguments of a call, or of those that it may wait for."""
    names = names_of(row)
    for place in names.keys:
        if awaited and not place.awaited:
            continue
        if not place.step:
            at = tape + place.slot
            if numbers[at + 1]:
                yield numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS
        else:
            first = tape + numbers[tape + place.group + 1] + place.slot
            for at in range(first, first + numbers[tape + place.group] * place.step, place.step):
                yield numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS
    for group, slot in names.behind:
        yield from _behind(group, slot, numbers, octets, tape)


def _behind(
    group: Many, slot: int, numbers: Sequence[int], octets: Octets, tape: int
) -> Iterator[tuple[int, int]]:
    """Yield (octet, size) of the key that a group of words names behind one of `keys_behind`, if any."""
    first = tape + numbers[tape + slot + 1]
    spans = [(numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS)
             for at in range(first, first + 2 * numbers[tape + slot], 2)]  # fmt: skip
    words = [bytes(octets[start : start + size]).upper().decode("latin-1") for start, size in spans]
    at, found = 0, -1
    while at + 1 < len(words):
        if words[at] in group.keys_behind:
            at += 1  # the key, which may be called as a keyword is
            found = at
        at += 1
    if found >= 0:
        yield spans[found]


def awaited(row: Command, numbers: Sequence[int], octets: Octets, tape: int) -> Iterator[tuple[int, int, int]]:
    """Yield (namespace, octet, size) of every name that a call may wait for: its keys, or its queue or room."""
    for start, size in keys(row, numbers, octets, tape, True):
        yield numbers[tape - 2], start, size
    for kind, slot in names_of(row).records:
        at = tape + slot
        yield kind, numbers[tape - 1] + numbers[at], numbers[at + 1] >> MARK_BITS


def timeout_slot(row: Command) -> int:
    """Return the tape slot of the row's Timeout, or -1."""
    return names_of(row).timeout
