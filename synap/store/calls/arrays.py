"""Texts and integers of numpy arrays: made for the arguments of a call, and taken out of its reply.

    octets    uint8: texts, one behind the other
    sizes     int64 for each text: its bytes
    offsets   int64: text i is octets[offsets[i]:offsets[i + 1]]; n texts have n + 1 offsets
    place     the word of the first item of a reply that is taken; the next one lies `step` words behind it
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import integer_size, parse_integer, print_integer
from synap.kernels.spans import bare, copy_out, prefetch
from synap.store.memory.layout import ITEM_MASK, ITEM_NIL, MARK_BITS, MARK_DIGITS, WORD

DIGITS = MARK_DIGITS << MARK_BITS | ITEM_NIL
"""The least mark of an item that is the text of an integer and holds the integer."""
AHEAD = 16


@kernel("int64(uint8[::1], int64, uint8[::1], int64[::1])")
def strip_texts(octets, width, target, sizes):
    """Write texts that lie `width` octets apart into `target` without their trailing zeros; return the octets written.

    `sizes` gets the size of each text, and has their number.
    """
    octets = bare(octets)
    target = bare(target)
    sizes = bare(sizes)
    at = 0
    for i in range(sizes.size):
        start = width * i
        size = width
        while size > 0 and octets[start + size - 1] == 0:
            size -= 1
        copy_out(octets, start, target, at, size)
        sizes[i] = size
        at += size
    return at


@kernel("int64(int64[::1], uint8[::1], int64[::1])")
def print_integers(values, target, sizes):
    """Write each integer in decimal into `target` (20 octets for each must be there); return the octets written."""
    values = bare(values)
    target = bare(target)
    sizes = bare(sizes)
    at = 0
    for i in range(values.size):
        size = print_integer(target, at, values[i])
        sizes[i] = size
        at += size
    return at


@kernel("int64(uint8[::1], int64[::1], int64[::1])")
def parse_integers(octets, offsets, values):
    """Read each text as an integer in its only spelling; return the number of texts before the first that is none."""
    octets = bare(octets)
    offsets = bare(offsets)
    values = bare(values)
    for i in range(values.size):
        value, ok = parse_integer(octets, offsets[i], offsets[i + 1] - offsets[i])
        if not ok:
            return i
        values[i] = value
    return values.size


@kernel("int64(uint8[::1], int64[::1], int64, uint8[::1])")
def spread_texts(octets, offsets, width, target):
    """Copy texts of at most `width` octets into `target`, `width` octets apart.

    Return the number of texts before the first that ends in a zero octet, as such texts are not told apart in `target`.
    """
    octets = bare(octets)
    offsets = bare(offsets)
    target = bare(target)
    count = offsets.size - 1
    for i in range(count):
        start = offsets[i]
        size = offsets[i + 1] - start
        if size > 0 and octets[start + size - 1] == 0:
            return i
        copy_out(octets, start, target, width * i, size)
    return count


@kernel("void(int64[::1], int64, int64, int64[::1])")
def measure_items(words, place, step, offsets):
    """Fill `offsets` for the texts of as many items of a reply; an item without a text counts as an empty one."""
    words = bare(words)
    offsets = bare(offsets)
    at = 0
    offsets[0] = 0
    for i in range(offsets.size - 1):
        mark = words[place + step * i + 1]
        if not mark & ITEM_MASK:
            at += mark >> MARK_BITS
        elif mark >= DIGITS:
            at += integer_size(words[place + step * i])
        offsets[i + 1] = at


@kernel("void(int64[::1], uint8[::1], int64, int64, int64[::1], uint8[::1])")
def copy_items(words, octets, place, step, offsets, target):
    """Copy the texts of items of a reply to their `offsets` in `target`; see `measure_items`."""
    words = bare(words)
    octets = bare(octets)
    offsets = bare(offsets)
    target = bare(target)
    count = offsets.size - 1
    for i in range(count):
        item = place + step * i
        if i + AHEAD < count and not words[item + AHEAD * step + 1] & ITEM_MASK:
            prefetch(words, words[item + AHEAD * step] // WORD)
        mark = words[item + 1]
        if not mark & ITEM_MASK:
            copy_out(octets, words[item], target, offsets[i], mark >> MARK_BITS)
        elif mark >= DIGITS:
            print_integer(target, offsets[i], words[item])
