"""Chunks of a stream: some entries one behind the other, in the order of their ids.

    chunk     id of the first entry that it got (ms, seq), entries that live, entries with those deleted, bytes in use,
              bytes of a listpack with the same content and small counts | names | entries
    names     how many, then each with its size: the names of the fields of the first entry
    entry     flags (one byte) | ms, less that of the chunk | seq, less that of the chunk if the ms is the same
              | unless SAME_NAMES: how many fields | for each field its name, unless SAME_NAMES, and its value
    text      size | bytes

All numbers are varints. A deleted entry keeps its place, and is passed over. Redis has the same entries in a listpack;
a chunk is full when that listpack is, so that XTRIM with `~`, which removes whole chunks, removes what Redis does.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.integers import parse_integer
from synap.kernels.spans import move, same
from synap.kernels.varints import VARINT_MAX, get_varint, put_varint, varint_size
from synap.store.memory import arena
from synap.store.memory.layout import WORD
from synap.store.memory.tapes import text_at, text_size

MS, SEQ, LIVE, TOTAL, USED, LISTPACK, CHUNK_WORDS = range(7)
DELETED, SAME_NAMES = 1, 2  # flags of an entry
HEAD_MAX = 1 + 3 * VARINT_MAX  # bytes of an entry before its fields
_EMPTY_LISTPACK = 7
_GROWTH_MAX = 4096  # a chunk doubles until it has these bytes, then it gets what it needs
_SHORT_INTEGER, _INTEGER_TEXT_MAX = 2, 20


@kernel
def strip_at(chunk):
    """Return the octet at which the names of a chunk start."""
    return (chunk + CHUNK_WORDS) * WORD


@kernel
def end_of(words, chunk):
    """Return the octet behind the last entry of a chunk."""
    return strip_at(chunk) + words[chunk + USED]


@kernel
def space_in(words, chunk):
    """Return the bytes that a chunk has for names and entries."""
    return (arena.capacity(words, chunk) - CHUNK_WORDS) * WORD


# Sizes in a listpack of Redis.


@kernel
def listpack_integer(value):
    """Return the bytes that an integer takes in a listpack."""
    if 0 <= value <= 127:
        return _SHORT_INTEGER
    if -4096 <= value <= 4095:
        return 3
    if -(1 << 15) <= value < 1 << 15:
        return 4
    if -(1 << 23) <= value < 1 << 23:
        return 5
    return 6 if -(1 << 31) <= value < 1 << 31 else 10


@kernel
def listpack_text(octets, at, size):
    """Return the bytes that a text takes in a listpack."""
    if size <= _INTEGER_TEXT_MAX:
        value, good = parse_integer(octets, at, size)
        if good:
            return listpack_integer(value)
    size += 1 if size < 64 else 2 if size < 4096 else 5
    last = size + 1  # Redis takes one byte more than it has to for the largest sizes
    return size + (1 if size < 128 else 2 if last < 1 << 14 else 3 if last < 1 << 21 else 4 if last < 1 << 28 else 5)


# Reading.


@inlined
def read_head(words, octets, chunk, at):
    """Return (flags, ms, seq, octet behind) of the entry at octet `at` of a chunk."""
    flags = octets[at]
    ms, at = get_varint(octets, at + 1)
    seq, at = get_varint(octets, at)
    if ms == 0:
        seq += words[chunk + SEQ]
    return flags, ms + words[chunk + MS], seq, at


@kernel
def skip_texts(octets, at, count):
    """Return the octet behind so many texts."""
    for _ in range(count):
        size, at = get_varint(octets, at)
        at += size
    return at


@kernel
def names_of(octets, chunk):
    """Return (number of names, octet of the first one, octet behind the last) of a chunk."""
    count, first = get_varint(octets, strip_at(chunk))
    return count, first, skip_texts(octets, first, count)


@inlined
def skip_fields(octets, flags, at, names):
    """Return the octet behind an entry whose head ends at octet `at`; its chunk has so many names."""
    if flags & SAME_NAMES:
        return skip_texts(octets, at, names)
    count, at = get_varint(octets, at)
    return skip_texts(octets, at, 2 * count)


@kernel
def fields_of(octets, chunk, flags, at):
    """Return (fields, octet of the first name, octet of the first value) of an entry whose head ends at octet `at`.

    The two octets are the same if names and values alternate.
    """
    if flags & SAME_NAMES:
        count, name = get_varint(octets, strip_at(chunk))
        return count, name, at
    count, at = get_varint(octets, at)
    return count, at, at


@kernel
def delete(words, octets, chunk, at):
    """Mark the entry at octet `at` as deleted."""
    octets[at] |= DELETED
    words[chunk + LIVE] -= 1


# Writing. The fields of a new entry are `count` items of a tape from slot `item` on, each a name and a value.


@kernel
def texts_size(words, tape, item, stride, count, value):
    """Return the bytes of all texts of the fields."""
    total = 0
    for _ in range(count):
        total += text_size(words, tape, item) + text_size(words, tape, item + value)
        item += stride
    return total


@kernel
def is_full(words, chunk, more, bytes_max, entries_max):
    """Return True if an entry with texts of `more` bytes belongs into a new chunk; 0 entries are no limit."""
    live, total = words[chunk + LIVE], words[chunk + TOTAL]
    counts = listpack_integer(live) + listpack_integer(total - live) - 2 * _SHORT_INTEGER
    return words[chunk + LISTPACK] + counts + more >= bytes_max or (entries_max > 0 and total >= entries_max)


@kernel
def has_names(words, octets, chunk, tape, item, stride, count):
    """Return True if the names of the fields are those of a chunk."""
    names, at = get_varint(octets, strip_at(chunk))
    if names != count:
        return False
    for _ in range(count):
        size, at = get_varint(octets, at)
        if size != text_size(words, tape, item) or not same(octets, at, text_at(words, tape, item), size):
            return False
        at += size
        item += stride
    return True


@kernel
def new_chunk(words, octets, ms, seq, tape, item, stride, count, more):
    """Allocate a chunk without entries for fields with texts of `more` bytes; return its ref, or 0 without memory."""
    size = CHUNK_WORDS + ((VARINT_MAX + HEAD_MAX + 2 * count * VARINT_MAX + more + WORD - 1) >> 3)
    chunk = arena.allocate(words, size)
    if chunk == 0:
        return 0
    words[chunk + MS] = ms
    words[chunk + SEQ] = seq
    words[chunk + LIVE] = words[chunk + TOTAL] = 0
    at = put_varint(octets, strip_at(chunk), count)
    packed = _EMPTY_LISTPACK + 3 * _SHORT_INTEGER + listpack_integer(count)
    for _ in range(count):
        start, size = text_at(words, tape, item), text_size(words, tape, item)
        at = put_text(octets, at, start, size)
        packed += listpack_text(octets, start, size)
        item += stride
    words[chunk + USED] = at - strip_at(chunk)
    words[chunk + LISTPACK] = packed
    return chunk


@inlined
def put_text(octets, at, start, size):
    """Write a text with its size at octet `at`; return the octet behind it."""
    at = put_varint(octets, at, size)
    move(octets, at, start, size)
    return at + size


@kernel
def entry_size(words, octets, chunk, ms, seq, tape, item, stride, count, value, shares):
    """Return (bytes, bytes in a listpack) of a new entry; `shares`: it has the names of the chunk."""
    away = ms - words[chunk + MS]
    behind = seq - words[chunk + SEQ]
    size = 1 + varint_size(away) + varint_size(behind if away == 0 else seq)
    pieces = count + 3 if shares else 2 * count + 4
    packed = _SHORT_INTEGER + listpack_integer(away) + listpack_integer(behind) + listpack_integer(pieces)
    if not shares:
        size += varint_size(count)
        packed += listpack_integer(count)
    for _ in range(count):
        if not shares:
            length = text_size(words, tape, item)
            size += varint_size(length) + length
            packed += listpack_text(octets, text_at(words, tape, item), length)
        length = text_size(words, tape, item + value)
        size += varint_size(length) + length
        packed += listpack_text(octets, text_at(words, tape, item + value), length)
        item += stride
    return size, packed


@kernel
def with_space(words, octets, chunk, size):
    """Return the chunk, or a larger copy of it, with space for an entry of `size` bytes; 0 without memory."""
    used = words[chunk + USED]
    if used + size <= space_in(words, chunk):
        return chunk
    wanted = max(used + size, min(2 * used, _GROWTH_MAX))
    larger = arena.allocate(words, CHUNK_WORDS + ((wanted + WORD - 1) >> 3))
    if larger == 0:
        return 0
    move(octets, larger * WORD, chunk * WORD, CHUNK_WORDS * WORD + used)
    arena.release(words, chunk)
    return larger


@outlined
def append(words, octets, chunk, ms, seq, tape, item, stride, count, value):
    """Add an entry behind all others of a chunk; return the chunk, which may be a new block, or 0 without memory."""
    shares = has_names(words, octets, chunk, tape, item, stride, count)
    size, packed = entry_size(words, octets, chunk, ms, seq, tape, item, stride, count, value, shares)
    chunk = with_space(words, octets, chunk, size)
    if chunk == 0:
        return 0
    at = end_of(words, chunk)
    octets[at] = SAME_NAMES if shares else 0
    away = ms - words[chunk + MS]
    at = put_varint(octets, at + 1, away)
    at = put_varint(octets, at, seq - words[chunk + SEQ] if away == 0 else seq)
    if not shares:
        at = put_varint(octets, at, count)
    for _ in range(count):
        if not shares:
            at = put_text(octets, at, text_at(words, tape, item), text_size(words, tape, item))
        at = put_text(octets, at, text_at(words, tape, item + value), text_size(words, tape, item + value))
        item += stride
    words[chunk + USED] += size
    words[chunk + LISTPACK] += packed
    words[chunk + LIVE] += 1
    words[chunk + TOTAL] += 1
    return chunk


@kernel
def trimmed(words, octets, chunk):
    """Return a copy of a full chunk without free space, or the chunk itself if it has little or there is no memory."""
    wanted = CHUNK_WORDS + ((words[chunk + USED] + WORD - 1) >> 3)
    capacity = arena.capacity(words, chunk)
    if capacity - wanted <= capacity >> 3:
        return chunk
    smaller = arena.allocate(words, wanted)
    if smaller == 0:
        return chunk
    move(octets, smaller * WORD, chunk * WORD, wanted * WORD)
    arena.release(words, chunk)
    return smaller
