"""Compressed values: long strings are stored as LZ4 or Zstandard, and decompressed when they are read.

    value of a record with the mark LZ4       uncompressed size (8 octets) | block (see `kernels/lz4.py`)
    value of a record with the mark ZSTD      uncompressed size (8 octets) | frame of Zstandard (see `zstd.py`)

A value is compressed when it is stored, if it has COMPRESS_MIN bytes or more and shrinks by an eighth. Readers call
`open_text`, which decompresses a value into a block of its own; the latest of these blocks stay in a small cache
(`value_cache.py`). Frames of the log and of snapshots hold values uncompressed.
"""

from synap.compiler.jit import kernel
from synap.kernels import lz4
from synap.kernels.spans import call_codec, load64, store64
from synap.store.memory import arena
from synap.store.memory.layout import (
    COMPRESS_MIN,
    COMPRESSED_FROM,
    COMPRESSED_TO,
    DECIDED_BLOB,
    HOT_HITS,
    HOT_MAX,
    HOT_MISSES,
    WORD,
    ZSTD_OPEN,
    ZSTD_PACK,
)
from synap.store.records import keyspace, value_cache

LZ4, ZSTD = 1 << 2, 1 << 3  # in a mark, beside the form
HEAD = 8
ATTEMPTS = 3
ASIDE = DECIDED_BLOB * WORD  # buffer for values that are compressed or decompressed
ASIDE_IN_FULL = ASIDE + (1 << 30)
PACKED_MAX = (1 << 30) - (1 << 20)  # bytes of a value that fit into the buffer


@kernel
def pack(words, octets, source, size):
    """Return (octet, size, mark) of a value as it is to be stored: compressed if that is on and saves an eighth."""
    if words[COMPRESS_MIN] == 0 or size < words[COMPRESS_MIN] or size > PACKED_MAX:
        return source, size, 0
    capacity = size - (size >> 3) - HEAD
    mark = LZ4
    if words[ZSTD_PACK]:
        mark = ZSTD
        packed = call_codec(words[ZSTD_PACK], octets, source, size, ASIDE + HEAD, capacity)
    else:
        packed = lz4.compress(octets, ASIDE + HEAD, source, size, capacity)
    if packed <= 0:
        return source, size, 0
    store64(octets, ASIDE, size)
    words[COMPRESSED_FROM] += size
    words[COMPRESSED_TO] += packed + HEAD
    return ASIDE, packed + HEAD, mark


@kernel
def is_packed(words, ref):
    """Return True if this string record holds its value compressed."""
    return keyspace.mark_of(words, ref) & (LZ4 | ZSTD) != 0


@kernel
def stored_at(words, ref):
    """Return the octet at which the stored bytes of a string record's value start."""
    return keyspace.key_at(words, ref) + keyspace.key_size(words, ref)


@kernel
def full_size(words, octets, ref):
    """Return the uncompressed size of a string record's value, in bytes."""
    if is_packed(words, ref):
        return load64(octets, stored_at(words, ref))
    return keyspace.value_size(words, ref)


@kernel
def expand_to(words, octets, ref, target):
    """Decompress a value to octet `target`; return its size, or -1 if it cannot be decompressed.

    The C function behind ZSTD_OPEN runs Python code, which a signal may interrupt; it is then called again.
    """
    at = stored_at(words, ref)
    size = load64(octets, at)
    packed = keyspace.value_size(words, ref) - HEAD
    if keyspace.mark_of(words, ref) & ZSTD:
        for _ in range(ATTEMPTS):
            if call_codec(words[ZSTD_OPEN], octets, at + HEAD, packed, target, size) == size:
                return size
        return -1
    return size if lz4.expand(octets, target, size, at + HEAD, packed) == size else -1


@kernel
def text_aside(words, octets, ref):
    """Return (octet, size) of a value uncompressed, valid until the next call. The cache is not used."""
    if not is_packed(words, ref):
        return stored_at(words, ref), keyspace.value_size(words, ref)
    return ASIDE_IN_FULL, expand_to(words, octets, ref, ASIDE_IN_FULL)


@kernel
def open_text(words, octets, ref):
    """Return (octet, size) of a value uncompressed, valid until the reply is written; the size is -1 without memory."""
    if not is_packed(words, ref):
        return stored_at(words, ref), keyspace.value_size(words, ref)
    seat = value_cache.seat_of(ref)
    if words[seat] == ref:
        words[HOT_HITS] += 1
        return words[seat + 1] * WORD, words[seat + 2]
    words[HOT_MISSES] += 1
    size = full_size(words, octets, ref)
    block = arena.allocate(words, max((size + 7) >> 3, 1))
    if block == 0:
        return 0, -1
    if expand_to(words, octets, ref, block * WORD) != size:
        arena.release(words, block)
        return 0, -1
    if size > words[HOT_MAX] >> 2:
        arena.release_later(words, block)
        return block * WORD, size
    value_cache.keep(words, seat, ref, block, size)
    return block * WORD, size
