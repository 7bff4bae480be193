"""File formats of the log and of snapshots, byte by byte. All integers are little-endian.

    log-<first seq, 16 hex>.synap        file header | group | group | ... | [group CLEAN_STOP]
    snapshot-<seq, 16 hex>.synap         file header | group | group | ... |  group END

    file header, 64 bytes                       group header, 64 bytes
     0  magic      8 bytes                       0  mark       "SGRP" + crc of the file header
     8  version    u32                           8  crc        u32, of bytes 12.. and the payload
    12  flags      u32  FRESH                   12  prev       u32, crc of the group before
    16  node id    16 bytes                     16  size       u64, payload without its padding
    32  epoch      u64                          24  first seq  u64
    40  seq        u64                          32  count      u32, frames
    48  now        u64  engine ms               36  flags      u32  CLEAN_STOP COMPRESSED END
    56  before     u32  crc of the last group   40  epoch      u64
    60  crc        u32  of bytes 0..60          48  durable    u64, highest seq known to be on disk
                                                56  now        u64, engine ms of its last frame
                                                64  payload, zero-padded to 8

A group is everything that one turn of the event loop produced: one write, one checksum. The mark of a
group holds the checksum of its file's header, which contains the random node id. So the search behind a
torn tail does not take bytes inside a user's value for a group, even if the value is a whole log file,
and no client can make bytes that would pass.

The payload is frames, each 8-byte aligned, opaque to the journal except for five words:

    w0  size in bytes (32) | code (16) | flags (8) | namespace (8)        w1  seq
    w2  now    w3  status (16) | tape words (48)    w4  scalar    then tape, then blob, padded to 8

In a snapshot `seq` counts its frames from 1 and `durable` is 0. A COMPRESSED payload is the unpacked
size (u32) and one LZ4 block. The size is accepted only within two limits: `CHUNK_BYTES_MAX`, and
the best ratio that LZ4 can reach.
"""

import re
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from lz4.block import LZ4BlockError, compress, decompress

from synap.journal.disk_port import Buffer
from synap.journal.errors import Damage

VERSION = 1
LOG_MAGIC = b"SYNAPLOG"
SNAPSHOT_MAGIC = b"SYNAPSNP"
GROUP_MAGIC = int.from_bytes(b"SGRP", "little")

FRESH = 1
"""File flag: the log starts with this segment, on a snapshot or on nothing, and continues no other segment."""

CLEAN_STOP = 1
"""Group flag: the server was stopped cleanly here; everything before is on disk, nothing follows."""
COMPRESSED = 2
"""Group flag: the payload is an LZ4 block."""
END = 4
"""Group flag: the snapshot is complete; `first seq - 1` is its number of frames."""
_LAST = CLEAN_STOP | END
_KNOWN = CLEAN_STOP | COMPRESSED | END

HEADER_BYTES = 64
_FILE = Struct("<8sII16sQQQI")
_CRC = Struct("<I")
GROUP = Struct("<QIIQQIIQQQ")
_GROUP_LEAD = Struct("<QI")
_GROUP_BODY = Struct("<IQQIIQQQ")
FRAME_HEAD = Struct("<QQQQQ")

CHUNK_BYTES = 1 << 20
"""A snapshot's frames are gathered to this size before compression: LZ4 gains nothing above it."""
CHUNK_BYTES_MAX = 64 << 20
"""The largest payload that is compressed, so a hostile size prefix cannot demand more memory."""
_LZ4_RATIO_MAX = 255

_NAME = re.compile(r"(log|snapshot)-([0-9a-f]{16})\.synap")
TEMPORARY = ".tmp"
BROKEN = ".broken"


def log_name(first_seq: int) -> str:
    """Return the name of the segment that starts with `first_seq`."""
    return f"log-{first_seq:016x}.synap"


def snapshot_name(seq: int) -> str:
    """Return the name of the snapshot of the state at `seq`."""
    return f"snapshot-{seq:016x}.synap"


def name_seqs(names: list[str], kind: str) -> list[int]:
    """Return the seqs in the names of one kind, `log` or `snapshot`, in ascending order; skip other names."""
    matches = map(_NAME.fullmatch, names)
    return sorted(int(match[2], 16) for match in matches if match and match[1] == kind)


class FileHeader(NamedTuple):
    """The first 64 bytes of a file."""

    magic: bytes
    flags: int
    node_id: bytes
    epoch: int
    seq: int
    now: int
    before: int
    mark: int
    """The first 8 bytes of every group of this file; not stored, but computed from the header."""


def pack_file_header(
    magic: bytes, flags: int, node_id: bytes, epoch: int, seq: int, now: int, before: int
) -> tuple[bytes, int]:
    """Return the bytes of a file header, and the mark of the groups behind it."""
    assert len(node_id) == 16
    head = _FILE.pack(magic, VERSION, flags, node_id, epoch, seq, now, before)
    crc = crc32(head)
    return head + _CRC.pack(crc), GROUP_MAGIC | crc << 32


def unpack_file_header(name: str, data: bytes, magic: bytes) -> FileHeader:
    """Parse the file header in `data`. Raise `Damage` if the magic, checksum or version is wrong."""
    if len(data) < HEADER_BYTES:
        raise Damage(name, len(data), "the file is shorter than its header")
    found, version, flags, node_id, epoch, seq, now, before = _FILE.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, HEADER_BYTES - 4)
    if found != magic:
        raise Damage(name, 0, "not a file of this kind")
    if crc32(data[: HEADER_BYTES - 4]) != crc:
        raise Damage(name, 0, "the file header does not match its checksum")
    if version != VERSION:
        raise Damage(name, 8, f"format version {version} is not {VERSION}")
    return FileHeader(found, flags, node_id, epoch, seq, now, before, GROUP_MAGIC | crc << 32)


def pack_group(
    mark: int,
    prev: int,
    buffers: Sequence[Buffer],
    size: int,
    first_seq: int,
    count: int,
    flags: int,
    epoch: int,
    durable: int,
    now: int,
) -> tuple[bytes, int]:
    """Return the bytes of a group header and the checksum of the group; `buffers` are the padded payload."""
    body = _GROUP_BODY.pack(prev, size, first_seq, count, flags, epoch, durable, now)
    crc = crc32(body)
    for buffer in buffers:
        crc = crc32(buffer, crc)
    return _GROUP_LEAD.pack(mark, crc) + body, crc


def flags_hold(flags: int, size: int, count: int) -> bool:
    """Return True if these flags (not 0), size and count can occur in a group that Synap wrote."""
    if flags & ~_KNOWN:
        return False
    return not flags & _LAST or (flags in (CLEAN_STOP, END) and size == 0 and count == 0)


def deflate(payload: Buffer) -> bytes | None:
    """Compress a payload into an LZ4 block; return None if it is too large or would not shrink."""
    if len(payload) > CHUNK_BYTES_MAX:
        return None
    packed: bytes = compress(payload, store_size=True)
    return packed if len(packed) < len(payload) else None


def inflate(packed: memoryview) -> memoryview | None:
    """Decompress an LZ4 block; return None if the block or its size is wrong."""
    if len(packed) < 4:
        return None
    (size,) = _CRC.unpack_from(packed)
    if size > CHUNK_BYTES_MAX or size > len(packed) * _LZ4_RATIO_MAX:
        return None
    try:
        payload: bytes = decompress(packed[4:], uncompressed_size=size)
    except (LZ4BlockError, ValueError):
        return None
    return memoryview(payload) if len(payload) == size else None
