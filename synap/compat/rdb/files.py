"""Whole RDB files, as redis-server writes them: a head, then keys with what belongs to them, then a checksum."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from synap.compat.rdb.crc64 import crc64
from synap.compat.rdb.errors import BadData, EmptyValue, NotSupported, TooLarge
from synap.compat.rdb.reader import Octets, Reader
from synap.compat.rdb.values import FUNCTION, REFUSED, TYPES, VERSION_MAX, Value, read_value

HEAD = re.compile(rb"REDIS(\d{4})")
HEAD_SIZE = 9
CHECKSUM_SIZE, CHECKSUM_SINCE = 8, 5  # in bytes; the version of the format that brought it
CHUNK = 64 << 20
(
    OLD_FUNCTION, MODULE, IDLE, FREQUENCY, AUXILIARY, SIZES, DEADLINE_MS, DEADLINE_S, DATABASE, END,
) = range(246, 256)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a file: its database, its value, its deadline (ms since 1970, 0: none), and the offset of both."""

    database: int
    key: bytes
    value: Value
    deadline: int
    at: int


@dataclass
class Besides:
    """What was found in a file besides its keys: the texts of libraries of functions, and what has no place here."""

    libraries: list[bytes] = field(default_factory=list)
    empty: list[tuple[int, bytes]] = field(default_factory=list)  # (database, key) of values without elements


def is_rdb(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an RDB file."""
    return HEAD.match(head) is not None


def entries(data: Octets, room: int, besides: Besides) -> Iterator[Entry]:
    """Yield the keys of a file, in its order; at its end check its checksum. Raise RdbError.

    One value may take at most about `room` bytes of memory.
    """
    head = HEAD.match(data[:HEAD_SIZE])
    if head is None or not 1 <= int(head[1]) <= VERSION_MAX:
        raise BadData(f"no head of an RDB file up to version {VERSION_MAX}", 0)
    reader = Reader(data, HEAD_SIZE, len(data), room)
    database, deadline = 0, 0
    while True:
        at = reader.at
        code = reader.byte()
        if code == END:
            break
        if code == DATABASE:
            database = reader.length()
        elif code == SIZES:
            reader.length()
            reader.length()
        elif code == DEADLINE_MS:
            deadline = max(reader.signed(8), 1)
        elif code == DEADLINE_S:
            deadline = max(reader.signed(4) * 1000, 1)
        elif code == IDLE:  # how a key was used is not kept
            reader.length()
        elif code == FREQUENCY:
            reader.byte()
        elif code in _ASIDE:
            _ASIDE[code](reader, besides)
        elif code not in TYPES and code not in REFUSED:
            raise BadData(f"the unknown type {code}", at)
        else:
            reader.room = room
            entry = _entry(reader, code, database, besides)
            if entry is not None:
                yield Entry(database, *entry, deadline, at)
            deadline = 0
    _check(reader, int(head[1]))


def _entry(reader: Reader, code: int, database: int, besides: Besides) -> tuple[bytes, Value] | None:
    """Return the key and value at the reader's place, or None if the value is empty."""
    at = reader.at
    key = reader.text()
    try:
        return key, read_value(reader, code)
    except EmptyValue:
        besides.empty.append((database, key))
        return None
    except NotSupported as fault:
        raise NotSupported(f"{fault.what}, as the key {_shown(key)} in database {database},", at) from None
    except TooLarge:
        raise BadData(f"the key {_shown(key)} in database {database}, which is too large,", at) from None


def _shown(key: bytes) -> str:
    return repr(key[:60].decode("utf-8", "backslashreplace"))


def _auxiliary(reader: Reader, besides: Besides) -> None:
    """Skip a note about the server that wrote the file."""
    for _ in range(2):
        reader.room = len(reader.data) + (1 << 20)
        reader.text()


def _function(reader: Reader, besides: Besides) -> None:
    reader.room = len(reader.data) + (1 << 20)
    besides.libraries.append(reader.text())


def _refuse(what: str) -> Callable[[Reader, Besides], None]:
    def run(reader: Reader, besides: Besides) -> None:
        raise NotSupported(what, reader.at)

    return run


_ASIDE: dict[int, Callable[[Reader, Besides], None]] = {
    AUXILIARY: _auxiliary,
    FUNCTION: _function,
    OLD_FUNCTION: _refuse("functions of a preview of Redis 7.0"),
    MODULE: _refuse("data of modules"),
}


def _check(reader: Reader, version: int) -> None:
    """Check the end of a file: a checksum, 0 where Redis was told to write none, and nothing behind it."""
    at, data = reader.at, reader.data
    wanted = int.from_bytes(reader.take(CHECKSUM_SIZE), "little") if version >= CHECKSUM_SINCE else 0
    if reader.at != len(data):
        raise reader.bad("bytes behind the end of the file")
    if not wanted:
        return
    found = 0
    for start in range(0, at, CHUNK):
        found = crc64(data[start : min(start + CHUNK, at)], found)
    if found != wanted:
        raise BadData(f"a checksum that is not that of the file ({found:016x})", at)
