"""Streams in RDB, as the parts of which the load row makes one (`store/kinds/streams/stream_parts.py`), and back.

    listpacks    how many, then of each the id with which it begins (16 bytes) and its bytes
    ids          entries; last id, first id, greatest id deleted, entries ever added (type 15: entries and last id)
    groups       how many, then of each: name, last id, entries read (not in type 15)
        pending      how many, then of each: id (16 bytes), time of the last delivery (8), deliveries
        consumers    how many, then of each: name, seen (8), active (8, only in type 21), ids of what it has pending

    listpack     live entries, deleted entries, names: how many, and each; 0; then the entries
    entry        flags | ms and seq, less those of the listpack | unless SAME_NAMES: how many fields, and before each
                 value its name | values | number of elements of this entry

A chunk holds what a listpack does, and its entries have the same flags. What is read is checked as a whole: ids rise
from live entry to live entry, the counts are right, and whatever is pending belongs to one consumer. Deleted entries
may be above the last id, and above entries behind them, as XSETID sets it back. Listpacks in which no entry lives,
which XTRIM of Redis leaves behind, are left out.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias

from synap.compat.rdb import packed
from synap.compat.rdb.reader import Reader
from synap.compat.rdb.writer import length, sized
from synap.store.kinds.streams.chunks import DELETED, SAME_NAMES
from synap.store.kinds.streams.groups import UNKNOWN
from synap.store.kinds.streams.stream_parts import CHUNK, GROUP, LAST, OF_CONSUMER, PENDING
from synap.store.kinds.streams.stream_parts import DELETED as DELETED_ID

LISTPACKS, LISTPACKS_2, LISTPACKS_3 = 15, 19, 21
"""The types of a stream: those of Redis 5.0, 7.0 and 7.2."""
MARK = b"synap:active\0"
"""Begins the times at which the consumers were active, for which type 19 has no place; see `tail`."""

ID, TIME = struct.Struct(">QQ"), struct.Struct("<q")
MASK, INT_MAX = (1 << 64) - 1, (1 << 63) - 1
ENTRY_PIECES, ENTRY_PIECES_WITH_NAMES = 3, 4  # elements of an entry besides its texts; its last one does not count
HEAD_ELEMENTS = 3  # of a listpack, besides the names and how many they are: each is taken to be of one byte
LEAST_LISTPACK, LEAST_GROUP, LEAST_CONSUMER, LEAST_PENDING = 18, 5, 10, 25  # bytes

Id: TypeAlias = tuple[int, int]
Part: TypeAlias = tuple[int, int, int, int, int, int, bytes]
"""What it is, five numbers, which are signed ones, and a text."""
NO_ID: Id = (-1, 0)
"""Comes before every id."""


def signed(number: int) -> int:
    """Return the number of 64 bits with these bits, which is above INT_MAX, or not, as a signed one."""
    number &= MASK
    return number - (1 << 64) if number > INT_MAX else number


# Reading.


def reader_of(type_number: int) -> Callable[[Reader], list[Any]]:
    """Return the function that reads streams of a type."""

    def read(reader: Reader) -> list[Any]:
        parts, first, last = _chunks(reader)
        live = reader.length()
        if live != sum(part[3] for part in parts):
            raise reader.bad(f"a stream of {live} entries instead of {sum(part[3] for part in parts)}")
        last_id = _lengths_of_id(reader)
        deleted, added = (0, 0), live
        if type_number != LISTPACKS:
            _lengths_of_id(reader)  # the first id, which is that of the first entry
            deleted, added = _lengths_of_id(reader), reader.length()
        if last > last_id or not live <= added <= INT_MAX:
            raise reader.bad("a stream with a last id, or a number of entries, that is too low")
        parts.append((LAST, signed(last_id[0]), signed(last_id[1]), added, 0, 0, b""))
        parts.append((DELETED_ID, signed(deleted[0]), signed(deleted[1]), 0, 0, 0, b""))
        groups: dict[bytes, list[Part]] = {}
        for _ in range(reader.count(LEAST_GROUP)):
            group = _group(reader, type_number, added, first, last_id)
            if group[0][-1] in groups:
                raise reader.bad("a group that is there twice")
            groups[group[0][-1]] = group
        return parts + [part for name in sorted(groups) for part in groups[name]]

    return read


def _chunks(reader: Reader) -> tuple[list[Part], Id | None, Id]:
    """Return the chunks of the listpacks at the reader's place, the ids of the first and of the last live entry."""
    parts: list[Part] = []
    first: Id | None = None
    last = NO_ID
    for _ in range(reader.count(LEAST_LISTPACK)):
        master = _id(reader, reader.text())
        if master <= last:
            raise reader.bad("a listpack whose ids do not rise")
        room, at = reader.room, reader.at
        elements = reader.counted(packed.listpack(reader.text(), at))
        part, its_first, its_last = _chunk(_Elements(reader, elements), master)
        reader.room = room
        if its_first is None:
            continue
        last = its_last
        reader.spend(len(part[-1]))
        parts.append(part)
        first = first or its_first
    return parts, first, max(last, (0, 0))


class _Elements:
    """The elements of a listpack, taken one by one or a few at once."""

    __slots__ = ("at", "reader", "texts")

    def __init__(self, reader: Reader, texts: list[bytes]) -> None:
        self.reader, self.texts, self.at = reader, texts, 0

    def bad(self, what: str) -> NoReturn:
        raise self.reader.bad(f"a listpack of a stream with {what}")

    def take(self, count: int) -> list[bytes]:
        start = self.at
        if not 0 <= count <= len(self.texts) - start:
            self.bad("a wrong number of elements")
        self.at = start + count
        return self.texts[start : self.at]

    def number(self) -> int:
        (text,) = self.take(1)
        if not packed.INTEGER.fullmatch(text):
            self.bad("a text in place of a number")
        return int(text)

    def count(self) -> int:
        """Return the number of fields that follow, which is not 0."""
        count = self.number()
        if not 0 < count <= len(self.texts):
            self.bad("a wrong number of fields")
        return count


def _chunk(elements: _Elements, master: Id) -> tuple[Part, Id | None, Id]:
    """Return the chunk with the entries of a listpack, and the ids of its first and of its last live entry."""
    live, deleted, width = elements.number(), elements.number(), elements.count()
    names = elements.take(width)
    if elements.number() != 0:
        elements.bad("names without an end")
    entries: list[tuple[Id, int, bytes, int]] = []
    first, last = None, NO_ID
    while elements.at < len(elements.texts):
        found, flags, _, _ = entry = _entry(elements, master, width)
        entries.append(entry)
        if flags & DELETED:
            continue
        if found <= last:
            elements.bad("ids that do not rise")
        first = first or found
        last = found
    if live != sum(not entry[1] & DELETED for entry in entries) or live + deleted != len(entries):
        elements.bad("other numbers of entries")
    strip = b"".join((_varint(width), *map(_text, names), *(entry[2] for entry in entries)))
    size = packed.LISTPACK_HEAD + 1 + HEAD_ELEMENTS * len(packed.integer_element(0))
    size += len(packed.integer_element(width)) + _packed_size(names) + sum(entry[3] for entry in entries)
    part = (CHUNK, signed(master[0]), signed(master[1]), live, len(entries), size, strip)
    return part, first, last


def _entry(elements: _Elements, master: Id, width: int) -> tuple[Id, int, bytes, int]:
    """Return the id and the flags of the next entry, its bytes in a chunk, and the bytes it takes in a listpack."""
    flags, away, behind = elements.number(), elements.number(), elements.number()
    ms, seq = (master[0] + away) & MASK, (master[1] + behind) & MASK
    if flags & ~(DELETED | SAME_NAMES) or (ms, seq) < master:
        elements.bad("an entry of no form")
    count = width if flags & SAME_NAMES else elements.count()
    texts = elements.take(count if flags & SAME_NAMES else 2 * count)
    pieces = len(texts) + (ENTRY_PIECES if flags & SAME_NAMES else ENTRY_PIECES_WITH_NAMES)
    if elements.number() != pieces:
        elements.bad("an entry of another size")
    numbers = [flags, signed(away), signed(behind), pieces]
    parts = [bytes((flags,)), _varint(ms - master[0]), _varint(seq - master[1] if ms == master[0] else seq)]
    if not flags & SAME_NAMES:
        numbers.append(count)
        parts.append(_varint(count))
    size = sum(len(packed.integer_element(number)) for number in numbers) + _packed_size(texts)
    return (ms, seq), flags, b"".join((*parts, *map(_text, texts))), size


def _packed_size(texts: list[bytes]) -> int:
    return sum(len(packed.element(text)) for text in texts)


def _varint(number: int) -> bytes:
    """Return an unsigned number as in kernels/varints.py."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _text(text: bytes) -> bytes:
    return _varint(len(text)) + text


def _id(reader: Reader, octets: bytes) -> Id:
    if len(octets) != ID.size:
        raise reader.bad("an id of another size")
    ms, seq = ID.unpack(octets)
    return ms, seq


def _lengths_of_id(reader: Reader) -> Id:
    return reader.length(), reader.length()


def _group(reader: Reader, type_number: int, added: int, first: Id | None, last: Id) -> list[Part]:
    """Return the part of a group, those of its consumers by their names, and those of what is pending by its id."""
    name, at = reader.text(), _lengths_of_id(reader)
    read = _entries_read(at, added, first, last) if type_number == LISTPACKS else signed(reader.length())
    if read < UNKNOWN:
        raise reader.bad(f"a group that has read {read} entries")
    pending: dict[Id, tuple[int, int]] = {}
    for _ in range(reader.count(LEAST_PENDING)):
        found = _id(reader, reader.take(ID.size))
        if found in pending:
            raise reader.bad("an entry that is pending twice")
        reader.spend(0)
        pending[found] = reader.signed(TIME.size), signed(reader.length())
    consumers: dict[bytes, tuple[int, int]] = {}
    owners: dict[Id, bytes] = {}
    for _ in range(reader.count(LEAST_CONSUMER)):
        consumer, seen = reader.text(), reader.signed(TIME.size)
        if consumer in consumers:
            raise reader.bad("a consumer that is there twice")
        consumers[consumer] = seen, reader.signed(TIME.size) if type_number == LISTPACKS_3 else seen
        for _ in range(reader.count(ID.size)):
            found = _id(reader, reader.take(ID.size))
            if found not in pending or found in owners:
                raise reader.bad("an entry pending for a consumer, but not for its group, or for two consumers")
            owners[found] = consumer
    if len(owners) != len(pending):
        raise reader.bad("an entry that is pending for no consumer")
    ordered = sorted(consumers)
    place = {consumer: i for i, consumer in enumerate(ordered)}
    return [
        (GROUP, signed(at[0]), signed(at[1]), read, 0, 0, name),
        *((OF_CONSUMER, *consumers[consumer], 0, 0, 0, consumer) for consumer in ordered),
        *((PENDING, signed(found[0]), signed(found[1]), *pending[found], place[owners[found]], b"")
          for found in sorted(pending)),
    ]  # fmt: skip


def _entries_read(at: Id, added: int, first: Id | None, last: Id) -> int:
    """Return how many entries a group has read that was delivered all up to an id, as Redis 7 guesses for type 15."""
    if first is None:
        return 0
    if at >= last:
        return added if at == last else UNKNOWN
    if at > first:
        return UNKNOWN
    return int(at == first)


def read_tail(reader: Reader, items: list[Any]) -> list[Any]:
    """Return the parts of a stream with the times that stand in its tail, at the reader's place."""
    reader.take(len(MARK))
    found = []
    for part in items:
        if part[0] == OF_CONSUMER:
            part = (*part[:2], reader.signed(TIME.size), *part[3:])
        found.append(part)
    return found


# Writing.


def write(items: list[Any]) -> Iterator[bytes]:
    """Yield the parts of a stream of type 19, without the number of the type.

    Redis 7.0 is the first that knows which entries a group has read, and the last that does not know when a consumer
    was active. The payload can be restored by both it and Redis 7.2, for which a consumer was active when it was seen.
    """
    chunks = [part for part in items if part[0] == CHUNK]
    yield length(len(chunks))
    first = None
    for part in chunks:
        block, its_first = _listpack(part)
        yield from sized(ID.pack(part[1] & MASK, part[2] & MASK))
        yield from sized(block)
        first = first or its_first
    last, deleted = (next(part for part in items if part[0] == what) for what in (LAST, DELETED_ID))
    yield length(sum(part[3] for part in chunks))
    yield from _lengths(*last[1:3], *(first or (0, 0)), *deleted[1:3], last[3])
    at = [i for i, part in enumerate(items) if part[0] == GROUP]
    yield length(len(at))
    for start, end in zip(at, [*at[1:], len(items)], strict=False):
        yield from _write_group(items[start], items[start + 1 : end])


def _write_group(group: Part, parts: list[Part]) -> Iterator[bytes]:
    consumers = [part for part in parts if part[0] == OF_CONSUMER]
    pending = [part for part in parts if part[0] == PENDING]
    owned: list[list[bytes]] = [[] for _ in consumers]
    yield from sized(group[-1])
    yield from _lengths(*group[1:4], len(pending))
    for _, ms, seq, time, deliveries, consumer, _ in pending:
        octets = ID.pack(ms & MASK, seq & MASK)
        owned[consumer].append(octets)
        yield octets
        yield TIME.pack(time)
        yield length(deliveries & MASK)
    yield length(len(consumers))
    for part, ids in zip(consumers, owned, strict=True):
        yield from sized(part[-1])
        yield TIME.pack(part[1])
        yield length(len(ids))
        yield from ids


def tail(items: list[Any]) -> bytes:
    """Return what stands behind a stream: when its consumers were active, unless that is when they were seen."""
    consumers = [part for part in items if part[0] == OF_CONSUMER]
    if all(part[1] == part[2] for part in consumers):
        return b""
    return MARK + b"".join(TIME.pack(part[2]) for part in consumers)


def _lengths(*numbers: int) -> Iterator[bytes]:
    return (length(number & MASK) for number in numbers)


def _listpack(part: Part) -> tuple[bytes, Id | None]:
    """Return the listpack of a chunk, and the id of its first live entry."""
    _, its_ms, its_seq, live, total, _, strip = part
    first = None
    width, at = _varint_at(strip, 0)
    names, at = _texts_at(strip, at, width)
    found = [*_integers(live, total - live, width), *map(packed.element, names), *_integers(0)]
    while at < len(strip):
        flags = strip[at]
        away, at = _varint_at(strip, at + 1)
        seq, at = _varint_at(strip, at)
        if away == 0:
            seq += its_seq
        found += _integers(flags, signed(away), signed(seq - its_seq))
        if flags & SAME_NAMES:
            texts, at = _texts_at(strip, at, width)
            pieces = len(texts) + ENTRY_PIECES
        else:
            count, at = _varint_at(strip, at)
            texts, at = _texts_at(strip, at, 2 * count)
            pieces = len(texts) + ENTRY_PIECES_WITH_NAMES
            found += _integers(count)
        found += map(packed.element, texts)
        found += _integers(pieces)
        if first is None and not flags & DELETED:
            first = (its_ms + away) & MASK, seq & MASK
    return packed.pack_listpack(found), first


def _integers(*numbers: int) -> Iterator[bytes]:
    return map(packed.integer_element, numbers)


def _varint_at(strip: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it."""
    number = shift = 0
    while strip[at] > 0x7F:
        number |= (strip[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | strip[at] << shift, at + 1


def _texts_at(strip: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Return so many texts from a place on, and the place behind them."""
    texts = []
    for _ in range(count):
        size, at = _varint_at(strip, at)
        texts.append(strip[at : at + size])
        at += size
    return texts, at
