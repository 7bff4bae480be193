"""Values as a whole: read from a key, and stored under one, by the load rows of snapshots.

The frames of one value are a group of the log, so after a crash there is all of it or nothing. A large value is stored
in pieces, as in a snapshot.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from synap.arguments import GROUPS, Int, Key
from synap.call import Call
from synap.command import Catalogue
from synap.compat.rdb.values import Value
from synap.derive.outcomes import refused
from synap.derive.packed_calls import call_of
from synap.derive.tape_reader import read
from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.engine.keyspace_events import BEFORE_ALL
from synap.engine.subscribers import Json, with_form
from synap.faults import BrokenNode, Fault
from synap.store.calls import calls
from synap.store.keys import key_info
from synap.store.kinds.streams.stream_parts import GROUP, OF_CONSUMER
from synap.store.kinds.table import KINDS
from synap.store.memory import frames, layout
from synap.store.records.pieces import CURSOR_WORDS, MORE, PIECE_BYTES, PIECE_ITEMS, UNREADABLE
from synap.store.snapshot import key_dump

NAMES = {kind.number: kind.name for kind in KINDS}
LOAD_ROWS = {kind.name: f"{kind.name}.load" for kind in KINDS} | {"stream": "xstream.load"}
"""The row that loads values of a kind (`stream.load` is a row of rooms)."""
ITEM_BYTES = 128
"""The most bytes that an element takes besides its texts: in a table that is growing, and in a frame of the log."""
VALUE_BYTES = 4096
"""The same for a value besides its elements."""
OWNER_BYTES = 1536
"""The same for a group of a stream, or a consumer, more than for other elements: its record, and a leaf of a tree."""


def is_there(engine: Engine, namespace: int, key: bytes, now: int) -> bool:
    """Return whether a key exists at this time."""
    at = layout.CALL_BLOB * layout.WORD
    engine.bytes[at : at + len(key)] = key
    return bool(key_info.visible(engine.words, engine.octets, namespace, at, len(key), now))


def value_of(engine: Engine, ref: int, kind: int, now: int) -> Value | None:
    """Return the value of the record at `ref`, of the kind with this number, or None if all its fields have expired."""
    cursor = np.zeros(CURSOR_WORDS, np.int64)
    items: list[Any] = []
    at = layout.CALL_BLOB
    while True:
        size = key_dump.next_piece(engine.words, engine.octets, cursor, ref, at, now)
        if size == UNREADABLE:
            raise Fault("OUT_OF_MEMORY")
        items += _items(engine, at)
        if size * layout.WORD > layout.LOG_FLUSH_BYTES:
            engine.heap.forget(at * layout.WORD, size * layout.WORD, layout.OUT * layout.WORD)
        if not cursor[MORE]:
            break
    marked = frozenset(
        i for i, item in enumerate(items)
        if isinstance(item, Json) or (isinstance(item, tuple) and any(isinstance(part, Json) for part in item))
    )  # fmt: skip
    return without_expired(Value(NAMES[kind], items, marked), now)


def _items(engine: Engine, at: int) -> Iterator[Any]:
    """Yield the elements of the load row in the frame at word `at`."""
    numbers = engine.numbers
    row = engine.catalogue.by_code[numbers[at] >> frames.CODE_SHIFT & 0xFFFF]
    tape = at + frames.HEAD_WORDS
    numbers[tape - 1] = (tape + (numbers[at + 3] >> frames.STATUS_BITS)) * layout.WORD
    fields = read(row, numbers, engine.bytes, tape, with_form)
    group = row.args[-1]
    if not isinstance(group, GROUPS):
        yield fields["value"]
        return
    for item in fields[group.name]:
        parts = tuple(item.values())
        yield parts if len(parts) > 1 else parts[0]


def without_expired(value: Value, now: int) -> Value | None:
    """Return a value without the fields whose deadline has come; None if no field is left."""
    if value.kind != "hash" or all(item[2] > now or not item[2] for item in value.items):
        return value
    kept = [i for i, item in enumerate(value.items) if item[2] > now or not item[2]]
    marked = frozenset(place for place, i in enumerate(kept) if i in value.json)
    return Value(value.kind, [value.items[i] for i in kept], marked) if kept else None


def memory_of(value: Value) -> int:
    """Return an upper bound of the bytes that a value takes in memory, or in the log."""
    texts = sum(map(size_of, value.items))
    total = VALUE_BYTES + ITEM_BYTES * len(value.items) + texts
    if value.kind == "stream":  # each chunk is a block, of which a fifth may be unused
        total += texts // 4 + OWNER_BYTES * sum(item[0] in (GROUP, OF_CONSUMER) for item in value.items)
    return total


def size_of(item: Any) -> int:
    """Return the bytes of the texts of an element."""
    return sum(len(part) for part in item if isinstance(part, bytes)) if isinstance(item, tuple) else len(item)


def admit(engine: Engine, key: bytes, value: Value, now: int) -> None:
    """Make room for a value, as RESTORE does for a call. Raise Fault without memory, or if an element is too large."""
    if max(map(size_of, value.items)) + len(key) + PIECE_BYTES > layout.CALL_BLOB_BYTES:
        raise Fault("STRING_TOO_LONG")
    needed = memory_of(value)
    row_at = engine.row_at["key.restore"]
    if engine.keyspace_events.on:
        engine.keyspace_events.evict(row_at, 0, needed, now, 0)
    refusal = calls.admit_handler(engine.words, engine.octets, row_at, 0, needed, now, 0)
    if refusal:
        raise Fault(refused(refusal).name)
    if engine.numbers[layout.LOG_TOP] + needed > layout.LOG_BYTES:
        raise Fault("OUT_OF_MEMORY")


def store(
    engine: Engine, caller: Caller, namespace: int, key: bytes, value: Value, deadline: int, now: int
) -> None:
    """Store a value under a key for a caller, in place of what is there. Its memory must have been admitted before.

    All calls are built before the first is made: a value that does not fit its row changes nothing.
    """
    calls_to_make = list(load_calls(engine.catalogue, namespace, key, value, deadline))
    with _group(engine), engine.keyspace_events.held():
        if is_there(engine, namespace, key, BEFORE_ALL):
            remove(engine, namespace, key, now)
        for call in calls_to_make:
            status = engine.run(call, now)
            if not status & layout.CHANGED:
                raise BrokenNode(f"a value could not be stored: status {status}")
            engine.free_deferred()
    if engine.keyspace_events.on:
        engine.keyspace_events.restored(caller, namespace, key, now)


def remove(engine: Engine, namespace: int, key: bytes, now: int) -> None:
    """Remove a key, also one that has expired."""
    engine.run(call_of(engine.catalogue.by_name["key.delete"], namespace, keys=[key]), now)
    engine.free_deferred()


@contextmanager
def _group(engine: Engine) -> Iterator[None]:
    """Make one group of the frames that are written meanwhile, or a part of the group that is being written.

    Whatever is raised meanwhile leaves the change half-done: none of its frames stay, and BrokenNode is raised.
    """
    numbers = engine.numbers
    inside = numbers[layout.IN_GROUP]
    numbers[layout.IN_GROUP] = inside or 1
    try:
        yield
    except BaseException as error:
        if not inside:
            engine.frames.drop_group()
        if isinstance(error, BrokenNode):
            raise
        raise BrokenNode(f"a value was stored in part: {type(error).__name__}: {error}") from error
    finally:
        if not inside:
            numbers[layout.IN_GROUP] = 0


def load_calls(catalogue: Catalogue, namespace: int, key: bytes, value: Value, deadline: int) -> Iterator[Call]:
    """Yield the calls of load rows that store a value under a key that does not exist."""
    row = catalogue.by_name[LOAD_ROWS[value.kind]]
    marks = [layout.FORM_JSON if i in value.json else 0 for i in range(len(value.items))]
    first = 0
    while first < len(value.items):
        last, size = first, 0
        while last < len(value.items) and last - first < PIECE_ITEMS and size < PIECE_BYTES:
            size += size_of(value.items[last])
            last += 1
        tape = _Tape()
        for node in row.args:
            if isinstance(node, Key):
                tape.text(key, 0)
            elif isinstance(node, Int):
                tape.words.append(int(first > 0) if node.name == "more" else deadline)
            else:
                if isinstance(node, GROUPS):
                    tape.words += (last - first, row.slots)
                tape.items(value.items[first:last], marks[first:last])
        yield Call(row.code, namespace, tuple(tape.words), b"".join(tape.parts))
        first = last


class _Tape:
    """The tape and the blob of a load row under construction, slot by slot."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self.parts: list[bytes] = []
        self.size = 0

    def text(self, text: bytes, form: int) -> None:
        self.words += (self.size, len(text) << layout.MARK_BITS | layout.PRESENT | form)
        self.parts.append(text)
        self.size += len(text)

    def items(self, items: list[Any], marks: list[int]) -> None:
        """Put elements; the form of one that has several parts is that of the second."""
        for item, form in zip(items, marks, strict=True):
            if not isinstance(item, tuple):
                self.text(item, form)
                continue
            for i, part in enumerate(item):
                if isinstance(part, bytes):
                    self.text(part, form if i == 1 else 0)
                elif isinstance(part, float):
                    self.words.append(struct.unpack("<q", struct.pack("<d", part))[0])
                else:
                    self.words.append(part)
