"""Payloads of DUMP and FUNCTION DUMP: one value, or libraries of functions; two bytes of version, and the CRC-64 of all
that stands before it.

`pack` writes the oldest form that holds the value, so that every Redis from 5.0 on takes it (one from 7.0 on a stream;
one from 7.4 on, if a field of a hash expires). What that form has no place for, that a text is marked as JSON and when
a consumer of a stream was active, stands behind the value, where Redis does not look.
"""

import struct
from collections.abc import Iterable, Iterator

from synap.compat.rdb import streams
from synap.compat.rdb.crc64 import crc64
from synap.compat.rdb.errors import NoFunction, WrongChecksum
from synap.compat.rdb.reader import Reader
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
from synap.compat.rdb.writer import length, sized

VERSION_WRITTEN, VERSION_FUNCTIONS, VERSION_STREAMS, VERSION_EXPIRING = 9, 10, 10, 12
FOOT = struct.Struct("<HQ")
MARK = b"synap:json\0"
"""Begins the bits, one for each element, that tell which are JSON."""
WRITTEN = {"string": STRING, "list": LIST, "set": SET, "hash": HASH, "zset": ZSET, "stream": streams.LISTPACKS_2}
_VERSIONS = {HASH_EXPIRING: VERSION_EXPIRING, streams.LISTPACKS_2: VERSION_STREAMS}


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
    if value.kind == "stream" and payload.startswith(streams.MARK, reader.at):
        value = Value(value.kind, streams.read_tail(reader, value.items), value.json)
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
    if value.kind == "stream":
        parts += streams.tail(value.items)
    return _sealed(parts, _VERSIONS.get(parts[0], VERSION_WRITTEN))


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
    if value.kind == "stream":
        yield from streams.write(value.items)
        return
    first = min(deadlines, default=0)
    if deadlines:
        yield struct.pack("<q", first)
    yield length(len(value.items))
    for item in value.items:
        if value.kind == "hash":
            field, text, deadline = item
            if deadlines:
                yield length(deadline - first + 1 if deadline else 0)
            yield from sized(field)
            yield from sized(text)
        elif value.kind == "zset":
            yield from sized(item[1])
            yield struct.pack("<d", item[0])
        else:
            yield from sized(item)
