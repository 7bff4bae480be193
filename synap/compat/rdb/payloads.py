"""Payloads of DUMP and FUNCTION DUMP: one value, or libraries of functions; two bytes of version, and the CRC-64 of all
that stands before it.

`pack` writes the oldest form that holds the value, so that every Redis from 5.0 on takes it (one from 7.4 on, if a
field of a hash expires). What Redis has no place for, that a text is marked as JSON, stands behind the value, where
Redis does not look.
"""

import struct
from collections.abc import Iterable, Iterator

from synap.compat.rdb.crc64 import crc64
from synap.compat.rdb.errors import NoFunction, WrongChecksum
from synap.compat.rdb.reader import LENGTH_14, LENGTH_32, LENGTH_64, Reader
from synap.compat.rdb.values import (
    FUNCTION,
    HASH,
    HASH_EXPIRING,
    LIST,
    SET,
    STRING,
    VERSION_MAX,
    ZSET,
    Value,
    read_value,
)

VERSION_WRITTEN, VERSION_FUNCTIONS, VERSION_EXPIRING = 9, 10, 12
FOOT = struct.Struct("<HQ")
MARK = b"synap:json\0"
"""Begins the bits, one for each element, that tell which are JSON."""
WRITTEN = {"string": STRING, "list": LIST, "set": SET, "hash": HASH, "zset": ZSET}
_LENGTHS = [bytes((size,)) for size in range(LENGTH_14)]


def unpack(payload: bytes, room: int) -> Value:
    """Return the value of a payload, which takes at most about `room` bytes of memory. Raise RdbError."""
    end = _end(payload)
    if end < 1:
        raise WrongChecksum("too short for a value")
    reader = Reader(payload, 1, end, room)
    value = read_value(reader, payload[0])
    if payload.startswith(MARK, reader.at):
        reader.take(len(MARK))
        count = len(value.items)
        bits = reader.take((count + 7) // 8)
        marked = frozenset(8 * i + bit for i, octet in enumerate(bits) for bit in range(8) if octet >> bit & 1)
        if marked and max(marked) >= count:
            raise reader.bad("marks of more elements than there are")
        value = Value(value.kind, value.items, marked)
    if reader.at != end:
        raise reader.bad(f"{end - reader.at} bytes behind the value")
    return value


def pack(value: Value) -> bytes:
    """Return the payload of a value."""
    parts = b"".join(_parts(value))
    if value.json:
        bits = bytearray((len(value.items) + 7) // 8)
        for i in value.json:
            bits[i // 8] |= 1 << i % 8
        parts += MARK + bits
    return _sealed(parts, VERSION_EXPIRING if parts[0] == HASH_EXPIRING else VERSION_WRITTEN)


def unpack_libraries(payload: bytes, room: int) -> list[bytes]:
    """Return the texts of libraries in a payload, which take at most about `room` bytes of memory. Raise RdbError."""
    end = _end(payload)
    reader, texts = Reader(payload, 0, end, room), []
    while reader.at < end:
        if reader.byte() != FUNCTION:
            raise NoFunction("wanted libraries of functions")
        texts.append(reader.text())
    return texts


def pack_libraries(texts: Iterable[bytes]) -> bytes:
    """Return the payload of libraries with these texts."""
    parts = b"".join(part for text in texts for part in (bytes((FUNCTION,)), *sized(text)))
    return _sealed(parts, VERSION_FUNCTIONS)


def _end(payload: bytes) -> int:
    """Return where the version of a payload begins. Raise WrongChecksum."""
    end = len(payload) - FOOT.size
    if end < 0:
        raise WrongChecksum("too short for a payload")
    version, checksum = FOOT.unpack_from(payload, end)
    if version > VERSION_MAX or crc64(payload[: end + 2]) != checksum:
        raise WrongChecksum(f"version {version}")
    return end


def _sealed(parts: bytes, version: int) -> bytes:
    """Return a payload of these bytes."""
    parts += version.to_bytes(2, "little")
    return parts + crc64(parts).to_bytes(8, "little")


def _parts(value: Value) -> Iterator[bytes]:
    """Yield the parts of type and value."""
    deadlines = [item[2] for item in value.items if item[2]] if value.kind == "hash" else []
    yield bytes((HASH_EXPIRING if deadlines else WRITTEN[value.kind],))
    if value.kind == "string":
        yield from sized(value.items[0])
        return
    first = min(deadlines, default=0)
    if deadlines:
        yield struct.pack("<q", first)
    yield _length(len(value.items))
    for item in value.items:
        if value.kind == "hash":
            field, text, deadline = item
            if deadlines:
                yield _length(deadline - first + 1 if deadline else 0)
            yield from sized(field)
            yield from sized(text)
        elif value.kind == "zset":
            yield from sized(item[1])
            yield struct.pack("<d", item[0])
        else:
            yield from sized(item)


def sized(text: bytes) -> tuple[bytes, bytes]:
    """Return the parts of a text: its length and its bytes."""
    return _length(len(text)), text


def _length(size: int) -> bytes:
    if size < LENGTH_14:
        return _LENGTHS[size]
    if size < 1 << 14:
        return (size | LENGTH_14 << 8).to_bytes(2, "big")
    if size < 1 << 32:
        return bytes((LENGTH_32,)) + size.to_bytes(4, "big")
    return bytes((LENGTH_64,)) + size.to_bytes(8, "big")
