"""Rows of strings as bitmaps: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP."""

from synap.compiler.jit import inlined, kernel
from synap.kernels import bits
from synap.kernels.spans import fill, move
from synap.store.kinds.strings import substrings, uncompressed
from synap.store.kinds.strings.strings import value_at
from synap.store.memory import arena, limits
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import BROKEN, CHANGED, DECIDED, KEYS_EXPIRING, LIMIT_WORD, NUMBER
from synap.store.memory.refusals import (
    BAD_BIT,
    BAD_BIT_OFFSET,
    NOT_A_BIT,
    NOT_OF_ONE_KEY,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import first_item, set_scalar, text_at, text_size
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.key_access import ANY_KIND, MISSING, OTHER_KIND
from synap.store.slots import bitmaps as slots

SOURCES = DECIDED  # octet and size of each source of BITOP; the row decides no call, so the region is free
CHUNK = 16384  # bytes of a result that are combined from all sources before the next: they stay in the first cache
BIT = slots.BITMAP_BITCOUNT_UNIT_IS_BIT


@kernel
def behind_limit(words, offset):
    """Return True if no string may be so long that it has a bit of this number."""
    return offset < 0 or offset >> 3 >= words[LIMIT_WORD]


@kernel
def set_bit(words, octets, tape, now, reply):
    """Set or clear a bit, after zeros if the value is shorter; reply with the old bit (SETBIT)."""
    offset = words[tape + slots.BITMAP_SETBIT_OFFSET]
    bit = words[tape + slots.BITMAP_SETBIT_VALUE]
    if behind_limit(words, offset):
        return BAD_BIT_OFFSET
    if bit & ~1:
        return BAD_BIT
    h, seat, ref = key_access.open_key(words, octets, tape, slots.BITMAP_SETBIT_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    end = (offset >> 3) + 1
    if uncompressed.lacks_memory(words, octets, ref, end):
        return OUT_OF_MEMORY
    grows = ref == 0 or end > compressed.full_size(words, octets, ref)
    ref = uncompressed.widen(words, octets, tape, slots.BITMAP_SETBIT_KEY, h, seat, ref, end)
    if ref == 0:
        return BROKEN
    at = value_at(words, ref) + end - 1
    mask = 0x80 >> (offset & 7)
    old = 1 if octets[at] & mask else 0
    set_scalar(words, reply, old)
    if old == bit and not grows:
        return NUMBER
    octets[at] = octets[at] ^ mask if old != bit else octets[at]
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def get_bit(words, octets, tape, now, reply):
    """Reply with a bit, 0 behind the end (GETBIT)."""
    offset = words[tape + slots.BITMAP_GETBIT_OFFSET]
    if behind_limit(words, offset):
        return BAD_BIT_OFFSET
    ref = key_access.find(words, octets, tape, slots.BITMAP_GETBIT_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING or offset >> 3 >= compressed.full_size(words, octets, ref):
        return NUMBER
    at, size = compressed.open_text(words, octets, ref)
    if size < 0:
        return OUT_OF_MEMORY
    words[reply] = (octets[at + (offset >> 3)] >> (7 - (offset & 7))) & 1
    return NUMBER


@inlined
def bit_range(size, start, stop, by_bit):
    """Return (first, last) of the bits between two positions, both included, in a value of `size` bytes.

    Positions count bits (`by_bit`) or bytes, negative ones from the end. `last` is before `first` if there are none.
    """
    total = size << 3 if by_bit else size
    start = max(start + total, 0) if start < 0 else start
    stop = max(stop + total, 0) if stop < 0 else stop
    stop = min(stop, total - 1)
    if start > stop:
        return 0, -1
    return (start, stop) if by_bit else (start << 3, (stop << 3) + 7)


@kernel
def count(words, octets, tape, now, reply):
    """Reply with the number of bits that are set, in all of the value or in a part (BITCOUNT)."""
    ref = key_access.find(words, octets, tape, slots.BITMAP_BITCOUNT_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    start = words[tape + slots.BITMAP_BITCOUNT_START]
    stop = words[tape + slots.BITMAP_BITCOUNT_END]
    part = words[tape + slots.BITMAP_BITCOUNT_HAS_START]
    if ref == MISSING or (part and start < 0 and stop < 0 and start > stop):
        return NUMBER
    at, size = compressed.open_text(words, octets, ref)
    if size < 0:
        return OUT_OF_MEMORY
    if part:
        first, last = bit_range(size, start, stop, words[tape + slots.BITMAP_BITCOUNT_UNIT] == BIT)
        words[reply] = bits.count_between(octets, at, first, last)
    else:
        words[reply] = bits.count_bits(octets, at, size)
    return NUMBER


@kernel
def position(words, octets, tape, now, reply):
    """Reply with the position of the first bit that is set or clear, -1 if there is none (BITPOS).

    Zeros follow a value whose end was not named, so that a clear bit is found behind it.
    """
    bit = words[tape + slots.BITMAP_BITPOS_VALUE]
    if bit & ~1:
        return NOT_A_BIT
    ref = key_access.find(words, octets, tape, slots.BITMAP_BITPOS_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, -bit)
    if ref == MISSING:
        return NUMBER
    at, size = compressed.open_text(words, octets, ref)
    if size < 0:
        return OUT_OF_MEMORY
    has_end = words[tape + slots.BITMAP_BITPOS_HAS_END]
    start = words[tape + slots.BITMAP_BITPOS_START]
    stop = words[tape + slots.BITMAP_BITPOS_END] if has_end else -1
    first, last = bit_range(size, start, stop, words[tape + slots.BITMAP_BITPOS_UNIT] == BIT)
    found = bits.first_bit(octets, at, first, last, bit)
    words[reply] = last + 1 if found < 0 and bit == 0 and last >= first and not has_end else found
    return NUMBER


@kernel
def open_sources(words, octets, tape, now):
    """Write (octet, size) of the value of each source of BITOP to SOURCES; return (longest, status).

    A key that is missing has 0 bytes. The status is 0 or a refusal.
    """
    longest = 0
    key = first_item(words, tape, slots.BITMAP_BITOP_SOURCE_KEYS) + slots.BITMAP_BITOP_SOURCE_KEYS_SOURCE_KEY
    number = words[tape + slots.BITMAP_BITOP_SOURCE_KEYS]
    for i in range(number):
        _, _, ref = key_access.open_key(words, octets, tape, key, STRING, now)
        if ref == OTHER_KIND:
            return 0, WRONG_TYPE
        words[SOURCES + 2 * i] = ref
        key += slots.BITMAP_BITOP_SOURCE_KEYS_STRIDE
    for i in range(number):
        ref = words[SOURCES + 2 * i]
        at, size = compressed.open_text(words, octets, ref) if ref else (0, 0)
        if size < 0:
            return 0, OUT_OF_MEMORY
        words[SOURCES + 2 * i] = at
        words[SOURCES + 2 * i + 1] = size
        longest = max(longest, size)
    return longest, 0


@kernel
def times_a_source(words, number, at):
    """Return how many of the sources have their value at octet `at`."""
    found = 0
    for i in range(number):
        found += words[SOURCES + 2 * i] == at
    return found


@kernel
def combine_into(words, octets, target, size, number, operation, begun):
    """Write the combination of all sources at octet `target`, chunk by chunk.

    `begun`: one of the sources, and no other, lies there itself.
    """
    done = 0
    while done < size:
        part = min(size - done, CHUNK)
        first = not begun
        for i in range(number):
            at = words[SOURCES + 2 * i]
            held = max(min(words[SOURCES + 2 * i + 1] - done, part), 0)
            if begun and at == target and operation != bits.NOT:
                continue
            if operation == bits.NOT:
                bits.combine(octets, target + done, at + done, held, bits.NOT)
            elif first:
                move(octets, target + done, at + done, held)
            else:
                bits.combine(octets, target + done, at + done, held, operation)
            if held < part and (first or operation == bits.AND):
                fill(octets, target + done + held, 0, part - held)
            first = False
        done += part


@kernel
def overlays(words, ref, size):
    """Return True if the record is an uncompressed string of exactly this size."""
    return (
        keyspace.kind_of(words, ref) == STRING
        and not compressed.is_packed(words, ref)
        and keyspace.value_size(words, ref) == size
    )


@kernel
def make_space(words, octets, tape, h, seat, size):
    """Return (record, old): a new record for `size` bytes under the destination of BITOP, and the record that it
    replaces, which is still to be dropped (0: none). The record is 0 without memory."""
    namespace = words[tape - 2]
    name_at = text_at(words, tape, slots.BITMAP_BITOP_DESTINATION)
    name_size = text_size(words, tape, slots.BITMAP_BITOP_DESTINATION)
    if seat == 0:
        return keyspace.create(words, octets, h, STRING, keyspace.RAW, namespace, name_at, name_size, size, 0), 0
    ref = arena.allocate(words, keyspace.record_words(words, STRING, name_size, size, 0))
    if ref == 0:
        return 0, 0
    at = keyspace.write_head(words, ref, STRING, keyspace.RAW, namespace, name_size, size, 0)
    move(octets, at, name_at, name_size)
    old = words[seat] & REF_MASK
    keyspace.set_note(words, ref, keyspace.note_of(words, old))
    words[KEYS_EXPIRING + namespace] -= 1 if keyspace.deadline_of(words, old) else 0
    words[seat] = (words[seat] & ~REF_MASK) | ref
    return ref, old


@kernel
def combine(words, octets, tape, now, reply):
    """Store the combination of strings (BITOP); reply with its size. An empty one removes the destination.

    A destination of the same size is overwritten in place, unless it is several of the sources.
    """
    operation = words[tape + slots.BITMAP_BITOP_OPERATION]
    number = words[tape + slots.BITMAP_BITOP_SOURCE_KEYS]
    if operation == bits.NOT and number != 1:
        return NOT_OF_ONE_KEY
    size, refusal = open_sources(words, octets, tape, now)
    if refusal:
        return refusal
    h, seat, ref = key_access.open_key(words, octets, tape, slots.BITMAP_BITOP_DESTINATION, ANY_KIND, now)
    set_scalar(words, reply, size)
    if size == 0:
        if ref == MISSING:
            return NUMBER
        keyspace.remove(words, octets, h, seat, False)
        return NUMBER | CHANGED
    old = 0
    itself = 0
    if ref and overlays(words, ref, size):
        itself = times_a_source(words, number, value_at(words, ref))
    if ref == MISSING or itself > 1 or not overlays(words, ref, size):
        if limits.lacks(words, size):
            return OUT_OF_MEMORY
        itself = 0
        ref, old = make_space(words, octets, tape, h, seat, size)
        if ref == 0:
            return BROKEN
    combine_into(words, octets, value_at(words, ref), size, number, operation, itself == 1)
    if old:
        keyspace.drop_record(words, old, False)
    elif keyspace.deadline_of(words, ref):
        ref = keyspace.set_deadline(words, octets, seat, 0)
    substrings.plain(words, ref)
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED
