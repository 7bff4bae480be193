"""From a tape back to named arguments, and to the keys among them."""

import struct
from collections.abc import Callable, Iterator
from typing import Any

from synap.command import (
    GROUPS,
    TEXTS,
    Choice,
    Command,
    Flag,
    Key,
    OneOf,
    Optional,
    Real,
    Timeout,
    Token,
    layout,
    slots,
)
from synap.store.layout import FORM_MASK, MARK_BITS

Spell = Callable[[bytes, int], Any]


def as_bytes(text: bytes, form: int) -> bytes:
    """A text as it lies there."""
    return text


def read(row: Command, numbers: Any, octets: Any, tape: int, spell: Spell = as_bytes) -> dict[str, Any]:
    """The arguments of the call whose tape starts at word `tape`; what is missing is left out.

    `numbers` are the words of the heap and `octets` its bytes. Texts come as `spell` makes them of their
    bytes and their form, tokens as True.
    """
    found: dict[str, Any] = {}
    _Reader(numbers, octets, tape, spell).read(row.args, tape, found)
    return found


class _Reader:
    """One tape being read."""

    def __init__(self, numbers: Any, octets: Any, tape: int, spell: Spell) -> None:
        self.numbers, self.octets, self.tape, self.spell = numbers, octets, tape, spell

    def text(self, at: int) -> Any:
        mark = self.numbers[at + 1]
        if not mark:
            return None
        start = self.numbers[self.tape - 1] + self.numbers[at]
        return self.spell(bytes(self.octets[start : start + (mark >> MARK_BITS)]), mark & FORM_MASK)

    def read(self, args: tuple[Any, ...], base: int, found: dict[str, Any]) -> None:
        numbers = self.numbers
        absent: set[int] = set()
        for place in layout(args):
            if place.group is not None or any(id(outer) in absent for outer in place.path):
                continue
            node, at = place.node, base + place.slot
            if isinstance(node, GROUPS):
                size = sum(slots(inner) for inner in node.inner)
                items: list[Any] = []
                for i in range(numbers[at]):
                    item: dict[str, Any] = {}
                    self.read(node.inner, self.tape + numbers[at + 1] + i * size, item)
                    items.append(item)
                found[node.name] = items
            elif isinstance(node, TEXTS):
                text = self.text(at)
                if text is not None:
                    found[node.name] = text
            elif isinstance(node, Flag):
                outer = place.path[-1] if place.path else None
                on = numbers[at] == outer.inner.index(node) + 1 if isinstance(outer, OneOf) else numbers[at] == 1
                if on:
                    found[node.name or node.word.lower()] = True
            elif isinstance(node, Token | Optional):
                outer = place.path[-1] if place.path else None
                on = numbers[at] == outer.inner.index(node) + 1 if isinstance(outer, OneOf) else numbers[at] == 1
                if not on:
                    absent.add(id(node))
            elif isinstance(node, Choice):
                if numbers[at]:
                    found[node.name] = node.words[numbers[at] - 1]
            elif isinstance(node, Real):
                found[node.name] = struct.unpack("<d", struct.pack("<q", numbers[at]))[0]
            elif not isinstance(node, OneOf) and hasattr(node, "name"):
                found[node.name] = numbers[at]


def keys(row: Command, numbers: Any, tape: int) -> Iterator[tuple[int, int]]:
    """(octet, size) of every key among the arguments of a call."""
    for place in layout(row.args):
        if not isinstance(place.node, Key):
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


def timeout_slot(row: Command) -> int:
    """The tape slot of the row's Timeout, or -1."""
    return next((place.slot for place in layout(row.args) if isinstance(place.node, Timeout)), -1)
