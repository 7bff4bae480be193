"""Calls whose repeated arguments are arrays: their tapes, and the items of their replies as arrays.

A row such as HSET has a group of arguments that may come many times. Each argument of the group is a *column* here:
concatenated texts, or float64. A call with many items is cut into pieces, each of which is a call of the row.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synap.arguments import GROUPS, Raw, layout, slots
from synap.command import Command
from synap.derive.binders import Build, binder
from synap.engine.engine import Engine
from synap.engine.outcomes import Outcome
from synap.faults import Fault
from synap.io.embedded.arrays import Found, Integers, Packed, Reals
from synap.store.calls import arrays
from synap.store.memory.layout import (
    CALL,
    CALL_BLOB,
    CALL_BLOB_BYTES,
    EMPTY,
    ITEM_MASK,
    ITEM_NIL,
    MARK_BITS,
    NIL,
    PRESENT,
    REPLY,
    WORD,
)

Column: TypeAlias = "Packed | Reals"

PIECE_ITEMS = 1 << 16
PIECE_BYTES = 1 << 24
"""The most items and bytes of texts of one piece (a single item may be larger)."""


class GroupRow:
    """How calls of one row are made of columns: the row has one group, whose arguments are texts or one real each."""

    def __init__(self, row: Command) -> None:
        self.row = row
        self._build: Build = binder(row, native=True)
        self._slot, self._group = next(
            (place.slot, place.node) for place in layout(row.args) if isinstance(place.node, GROUPS)
        )
        self._places = [(place.slot, place.node) for place in layout(row.args) if place.group is self._group]
        self._stride = sum(slots(node) for node in self._group.inner)

    def head(self, fields: dict[str, Any]) -> tuple[list[int], bytes]:
        """Return the tape of a call without the items of its group, and the blob of its other texts.

        The binder makes them of a call with one item, whose texts are empty. Raises Fault for a wrong field.
        """
        item = [b"" if slots(node) == 2 else 0.0 for _, node in self._places]
        tape, blob = self._build(fields | {self._group.name: [item if len(item) > 1 else item[0]]})
        return tape[: self.row.slots], blob

    def put(
        self, engine: Engine, head: list[int], blob: bytes, given: "Columns", first: int, last: int
    ) -> tuple[int, int]:
        """Put the call with the given items from `first` to before `last` into the region CALL.

        Return the words of its tape and the bytes of its blob.
        """
        words, octets, count = engine.words, engine.octets, last - first
        start = self.row.slots
        words[CALL - 2] = 0
        words[CALL - 1] = CALL_BLOB * WORD
        words[CALL : CALL + start] = head
        words[CALL + self._slot] = count
        words[CALL + self._slot + 1] = start
        size = start + self._stride * count
        items = words[CALL + start : CALL + size].reshape(count, self._stride)
        at = CALL_BLOB * WORD
        octets[at : at + len(blob)] = np.frombuffer(blob, np.uint8)
        used = len(blob)
        for (slot, node), column, offsets in zip(self._places, given.columns, given.offsets, strict=True):
            if not isinstance(column, Packed):
                items[:, slot] = column[first:last].view(np.int64)
                continue
            begin, end = int(offsets[first]), int(offsets[last])
            form = column.form if isinstance(node, Raw) and not node.octets else 0
            items[:, slot] = offsets[first:last] + (used - begin)
            items[:, slot + 1] = column.sizes[first:last] << MARK_BITS | PRESENT | form
            octets[at + used : at + used + end - begin] = column.octets[begin:end]
            used += end - begin
        return size, used


class Columns:
    """Columns of equal length, with the offsets of their texts."""

    def __init__(self, **columns: Column) -> None:
        """Raises ValueError if the columns, which are given by name, differ in length."""
        for (name, one), (other_name, other) in pairwise(columns.items()):
            if len(one) != len(other):
                raise ValueError(f"{len(one)} {name} but {len(other)} {other_name}")
        self.columns = list(columns.values())
        self.offsets = [_offsets(column) for column in self.columns]

    def __len__(self) -> int:
        return len(self.columns[0])

    def pieces(self, head_bytes: int, text_max: int, call_max: int) -> list[tuple[int, int]]:
        """Return (first, last) of the pieces in which the items are sent; `last` is behind the piece.

        `head_bytes` are in the blob of each piece. Raises Fault for a text above `text_max` bytes, or a piece above
        `call_max`.
        """
        for column in self.columns:
            if isinstance(column, Packed) and int(column.sizes.max(initial=0)) > text_max:
                raise Fault("STRING_TOO_LONG")
        ends: Integers = sum(self.offsets[1:], start=self.offsets[0])
        most = min(call_max, CALL_BLOB_BYTES) - head_bytes
        found, first = [], 0
        while first < len(self):
            fits = int(np.searchsorted(ends, ends[first] + min(PIECE_BYTES, most), "right")) - 1
            last = max(min(fits, first + PIECE_ITEMS), first + 1)
            if ends[last] - ends[first] > most:
                raise Fault("QUERY_TOO_LARGE")
            found.append((first, last))
            first = last
        return found


def _offsets(column: Column) -> Integers:
    offsets = np.zeros(len(column) + 1, np.int64)
    if isinstance(column, Packed):
        np.cumsum(column.sizes, out=offsets[1:])
    return offsets


class Items:
    """The items of a reply in the region REPLY; to be read before the call is settled.

    `first` is the first item that is read, and each member has `step` items, which begin with the same mark: (0, 1) for
    a flat array, (1, 2) for a map, (1, 3) for members with their scores.
    """

    def __init__(self, engine: Engine, outcome: Outcome, first: int = 0, step: int = 1) -> None:
        self._words, self._octets = engine.words, engine.octets
        empty = outcome.what in (EMPTY, NIL)
        self._count = 0 if empty else (int(self._words[REPLY + 1]) - first) // step
        self._place = REPLY + 2 + 2 * first
        self._step = 2 * step

    def _column(self, item: int, of: int) -> NDArray[np.int64]:
        """Return word `of` (0: value, 1: mark) of one item of each member, not copied."""
        at = self._place + 2 * item + of
        return self._words[at : at + self._step * self._count : self._step]

    def texts(self, item: int = 0) -> Found:
        """Return one item of each member, texts or nothing."""
        offsets = np.zeros(self._count + 1, np.int64)
        place = self._place + 2 * item
        arrays.measure_items(self._words, place, self._step, offsets)
        target = np.empty(int(offsets[-1]), np.uint8)
        arrays.copy_items(self._words, self._octets, place, self._step, offsets, target)
        return Found(target, offsets, self._column(item, 1) != ITEM_NIL)

    def array(self, dtype: np.dtype[Any], item: int = 0) -> NDArray[Any]:
        """Return one item of each member as `Found.array` does."""
        marks = self._column(item, 1)
        if dtype.kind == "i" and bool(((marks & ITEM_MASK == ITEM_NIL) & (marks >= arrays.DIGITS)).all()):
            return self._column(item, 0).copy()  # they are stored as integers
        return self.texts(item).array(dtype)

    def reals(self, item: int = 0) -> Reals:
        """Return one item of each member, float64 or nothing, which becomes NaN."""
        found = self._column(item, 0).copy().view(np.float64)
        found[self._column(item, 1) & ITEM_MASK == ITEM_NIL] = np.nan
        return found

    def booleans(self) -> NDArray[np.bool_]:
        """Return the integers of a flat array, 0 and 1, as booleans."""
        return self._column(0, 0) != 0


def joined(found: Sequence[Found]) -> Found:
    """Return the values of several pieces as one."""
    if len(found) == 1:
        return found[0]
    sizes = [np.diff(each.offsets) for each in found]
    offsets = np.zeros(sum(map(len, sizes)) + 1, np.int64)
    np.cumsum(np.concatenate([np.empty(0, np.int64), *sizes]), out=offsets[1:])
    return Found(
        np.concatenate([np.empty(0, np.uint8), *(each.octets for each in found)]), offsets,
        np.concatenate([np.empty(0, np.bool_), *(each.there for each in found)]),
    )  # fmt: skip


