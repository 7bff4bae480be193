"""Rows of strings as fields of integers: BITFIELD, BITFIELD_RO.

The words of a call are operations, which no grammar tells apart: GET, SET and INCRBY of a field, and OVERFLOW, which
holds for the operations behind it. They are read twice: the first pass finds what is wrong with any of them, and how
long the value must be; the second pass carries them out.
"""

from synap.compiler.jit import kernel
from synap.kernels import bits
from synap.kernels.integers import parse_integer
from synap.store.kinds.strings import bitmaps, uncompressed
from synap.store.kinds.strings.strings import value_at
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import BROKEN, CHANGED, FULL, ITEMS
from synap.store.memory.refusals import (
    BAD_BIT_OFFSET,
    BAD_FIELD_TYPE,
    BAD_OVERFLOW,
    NOT_AN_INTEGER,
    ONLY_GET,
    OUT_OF_MEMORY,
    SYNTAX,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_nil, add_number, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import bitmaps as slots

GET, INCRBY, OVERFLOW = 1, 3, 4  # SET is 2
WRAP, SAT, FAIL = 1, 2, 3
OPERATION_WORDS = (b"GET", b"SET", b"INCRBY", b"OVERFLOW")
OVERFLOW_WORDS = (b"WRAP", b"SAT", b"FAIL")
MOST = (1 << 63) - 1


@kernel
def is_word(octets, at, size, word):
    """Return True if the text at `at` is this word, which is in capitals, in any case."""
    if size != len(word):
        return False
    for i in range(size):
        c = octets[at + i]
        if (c - 32 if 97 <= c <= 122 else c) != word[i]:
            return False
    return True


@kernel
def operation_of(octets, at, size):
    """Return GET, SET, INCRBY or OVERFLOW for its word, 0 for another word."""
    for i in range(4):
        if is_word(octets, at, size, OPERATION_WORDS[i]):
            return i + 1
    return 0


@kernel
def overflow_of(octets, at, size):
    """Return WRAP, SAT or FAIL for its word, 0 for another word."""
    for i in range(3):
        if is_word(octets, at, size, OVERFLOW_WORDS[i]):
            return i + 1
    return 0


@kernel
def type_of(octets, at, size):
    """Return the width of a field's type, negative if it is unsigned (`i16`: 16, `u8`: -8); 0 for another text.

    As in Redis, the text ends at its first zero byte.
    """
    end = at
    while end < at + size and octets[end]:
        end += 1
    if at == end or (octets[at] != 105 and octets[at] != 117):  # i, u
        return 0
    width, valid = parse_integer(octets, at + 1, end - at - 1)
    unsigned = octets[at] == 117
    if not valid or width < 1 or width > 64 - unsigned:
        return 0
    return -width if unsigned else width


@kernel
def offset_of(words, octets, at, size, width):
    """Return the offset of a field in bits, or -1. Behind a `#` it counts fields of this width (and wraps around)."""
    counts = size > 0 and octets[at] == 35  # #
    offset, valid = parse_integer(octets, at + counts, size - counts)
    if counts:
        offset *= width
    return offset if valid and not bitmaps.behind_limit(words, offset) else -1


@kernel
def text_of(words, tape, item):
    """Return (octet, size) of one of the words of BITFIELD."""
    place = item + slots.BITMAP_BITFIELD_OPERATIONS_WORD
    return text_at(words, tape, place), text_size(words, tape, place)


@kernel
def check(words, octets, only_get, tape):
    """Return (status, number of replies, bytes that the value must have; 0: nothing is written) of all operations."""
    stride = slots.BITMAP_BITFIELD_OPERATIONS_STRIDE
    item = first_item(words, tape, slots.BITMAP_BITFIELD_OPERATIONS)
    end = item + words[tape + slots.BITMAP_BITFIELD_OPERATIONS] * stride
    replies = 0
    longest = 0
    while item < end:
        at, size = text_of(words, tape, item)
        operation = operation_of(octets, at, size)
        item += stride
        if operation == 0 or end - item < needed(operation) * stride:
            return SYNTAX, 0, 0
        at, size = text_of(words, tape, item)
        item += stride
        if operation == OVERFLOW:
            if overflow_of(octets, at, size) == 0:
                return BAD_OVERFLOW, 0, 0
            continue
        width = type_of(octets, at, size)
        if width == 0:
            return BAD_FIELD_TYPE, 0, 0
        at, size = text_of(words, tape, item)
        item += stride
        offset = offset_of(words, octets, at, size, abs(width))
        if offset < 0:
            return BAD_BIT_OFFSET, 0, 0
        if operation != GET:
            at, size = text_of(words, tape, item)
            item += stride
            if not parse_integer(octets, at, size)[1]:
                return NOT_AN_INTEGER, 0, 0
            longest = max(longest, ((offset + abs(width) - 1) >> 3) + 1)
        replies += 1
    if longest and only_get:
        return ONLY_GET, 0, 0
    return 0, replies, longest


@kernel
def needed(operation):
    """Return the number of words behind the word of an operation."""
    return 1 if operation == OVERFLOW else 2 if operation == GET else 3


@kernel
def fitted(old, amount, width, overflow):
    """Return (value, overflows) of `old` + `amount` in a field: wrapped, or at the bound that it would pass.

    `width` is negative for an unsigned field. `old` may be any number: SET adds 0 to it.
    """
    size = abs(width)
    if width < 0:
        least, most = 0, MOST >> (63 - size)
    else:
        least, most = -(MOST >> (64 - size)) - 1, MOST >> (64 - size)
    above = old > most or (width < 0 and old < 0)  # an unsigned field takes a negative number for a large one
    below = old < least and not above
    if not above and not below:
        above = amount > 0 and old > most - amount
        below = amount < 0 and (amount < -old if width < 0 else old < least - amount)
    if not above and not below:
        return old + amount, False
    if overflow == SAT:
        return (most if above else least), True
    wrapped = old + amount
    return (wrapped & most if width < 0 else bits.signed(wrapped, size)), True


@kernel
def field_at(octets, at, size, offset, width):
    """Return the number in a field; its bits behind the end of the value are 0."""
    value = bits.read_bits(octets, at, size, offset, abs(width))
    return value if width < 0 else bits.signed(value, width)


@kernel
def carry_out(words, octets, tape, reply, at, size):
    """Carry out all operations on the value at octet `at`, add a reply for each; return True if the value changed."""
    stride = slots.BITMAP_BITFIELD_OPERATIONS_STRIDE
    item = first_item(words, tape, slots.BITMAP_BITFIELD_OPERATIONS)
    end = item + words[tape + slots.BITMAP_BITFIELD_OPERATIONS] * stride
    overflow = WRAP
    changed = False
    while item < end:
        text, text_bytes = text_of(words, tape, item)
        operation = operation_of(octets, text, text_bytes)
        text, text_bytes = text_of(words, tape, item + stride)
        item += 2 * stride
        if operation == OVERFLOW:
            overflow = overflow_of(octets, text, text_bytes)
            continue
        width = type_of(octets, text, text_bytes)
        text, text_bytes = text_of(words, tape, item)
        item += stride
        offset = offset_of(words, octets, text, text_bytes, abs(width))
        old = field_at(octets, at, size, offset, width)
        if operation == GET:
            add_number(words, reply, old)
            continue
        text, text_bytes = text_of(words, tape, item)
        item += stride
        amount, _ = parse_integer(octets, text, text_bytes)
        base, more = (old, amount) if operation == INCRBY else (amount, 0)
        new, overflows = fitted(base, more, width, overflow)
        if overflows and overflow == FAIL:
            add_nil(words, reply)
        else:
            add_number(words, reply, new if operation == INCRBY else old)
            bits.write_bits(octets, at, offset, abs(width), new)
            changed = changed or new != old
    return changed


@kernel
def change(words, octets, tape, now, reply):
    """Read and change fields of integers (BITFIELD); reply with a number for each, or a null for one that FAILs."""
    status, replies, end = check(words, octets, False, tape)
    if status:
        return status
    h, seat, ref = key_access.open_key(words, octets, tape, slots.BITMAP_BITFIELD_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, replies, 0):
        return FULL
    if end == 0:
        return read_only(words, octets, tape, reply, ref)
    if uncompressed.lacks_memory(words, octets, ref, end):
        return OUT_OF_MEMORY
    grows = ref == 0 or end > compressed.full_size(words, octets, ref)
    ref = uncompressed.widen(words, octets, tape, slots.BITMAP_BITFIELD_KEY, h, seat, ref, end)
    if ref == 0:
        return BROKEN
    set_scalar(words, reply, 0)
    changed = carry_out(words, octets, tape, reply, value_at(words, ref), keyspace.value_size(words, ref))
    if not (changed or grows):
        return ITEMS
    keyspace.touched(words, octets, h)
    return ITEMS | CHANGED


@kernel
def read_only(words, octets, tape, reply, ref):
    """Reply with the fields of operations that are all GET; `ref` may be 0."""
    at, size = compressed.open_text(words, octets, ref) if ref else (0, 0)
    if size < 0:
        return OUT_OF_MEMORY
    set_scalar(words, reply, 0)
    carry_out(words, octets, tape, reply, at, size)
    return ITEMS


@kernel
def read(words, octets, tape, now, reply):
    """Read fields of integers (BITFIELD_RO)."""
    status, replies, _ = check(words, octets, True, tape)
    if status:
        return status
    ref = key_access.find(words, octets, tape, slots.BITMAP_BITFIELD_RO_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, replies, 0):
        return FULL
    return read_only(words, octets, tape, reply, max(ref, MISSING))
