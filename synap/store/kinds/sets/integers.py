"""A set of integers in one block: sorted, all of the same width, found by binary search.

    block   count (32 bits), width in bytes (2, 4 or 8) at bit 32, form of all members at bit 40 | the integers

A text is such an integer if it is its shortest spelling, so the integer stands for the text. All members have one form:
a set with both forms lies in another shape.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load32, load64, move, store32, store64
from synap.store.memory import arena
from synap.store.memory.layout import FORM_MASK

COUNT_MAX = 1 << 15  # integers of a set in this form, whatever the setting allows: each insertion moves those behind
COUNT_MASK, WIDTH_SHIFT, WIDTH_MASK, FORM_SHIFT = (1 << 32) - 1, 32, 0xFF, 40


@kernel
def count_of(words, block):
    """Return the number of integers."""
    return words[block] & COUNT_MASK


@kernel
def width_of(words, block):
    """Return the bytes of each integer."""
    return (words[block] >> WIDTH_SHIFT) & WIDTH_MASK


@kernel
def form_of(words, block):
    """Return the form of all members."""
    return words[block] >> FORM_SHIFT


@kernel
def width_for(value):
    """Return the bytes that an integer needs."""
    if -0x8000 <= value < 0x8000:
        return 2
    return 4 if -0x80000000 <= value < 0x80000000 else 8


@kernel
def block_words(count, width):
    """Return the words of a block for so many integers."""
    return 1 + ((count * width + 7) >> 3)


@kernel
def load(octets, at, width):
    """Return the integer of this width at octet `at`."""
    if width == 2:
        return ((np.int64(octets[at]) | np.int64(octets[at + 1]) << 8) ^ 0x8000) - 0x8000
    if width == 4:
        return (load32(octets, at) ^ 0x80000000) - 0x80000000
    return load64(octets, at)


@kernel
def store(octets, at, width, value):
    """Write an integer of this width at octet `at`."""
    if width == 2:
        octets[at] = value & 0xFF
        octets[at + 1] = (value >> 8) & 0xFF
    elif width == 4:
        store32(octets, at, value)
    else:
        store64(octets, at, value)


@kernel
def at(words, octets, block, index):
    """Return the integer of this index."""
    width = width_of(words, block)
    return load(octets, (block + 1) * 8 + index * width, width)


@kernel
def seek(words, octets, block, value):
    """Return the index of the first integer that is not less than `value`."""
    width = width_of(words, block)
    begin = (block + 1) * 8
    low = 0
    high = count_of(words, block)
    if high and load(octets, begin + (high - 1) * width, width) < value:
        return high
    while low < high:
        middle = (low + high) >> 1
        if load(octets, begin + middle * width, width) < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def holds(words, octets, block, index, value):
    """Return True if the integer of this index is `value`; the index may be the one behind the last."""
    return index < count_of(words, block) and at(words, octets, block, index) == value


@kernel
def new_block(words, octets, value, form):
    """Return a block with one integer, or 0 without memory."""
    width = width_for(value)
    block = arena.allocate(words, block_words(1, width))
    if block:
        words[block] = 1 | width << WIDTH_SHIFT | (form & FORM_MASK) << FORM_SHIFT
        store(octets, (block + 1) * 8, width, value)
    return block


@kernel
def insert(words, octets, block, index, value):
    """Insert an integer in front of the one of this index; return the block, which may have moved, or 0 without
    memory."""
    count = count_of(words, block)
    old = width_of(words, block)
    width = max(old, width_for(value))
    need = block_words(count + 1, width)
    target = block
    if width != old or need > arena.capacity(words, block):
        target = arena.allocate(words, need)
        if target == 0:
            return 0
    begin = (block + 1) * 8
    to = (target + 1) * 8
    if width == old:
        move(octets, to + (index + 1) * width, begin + index * width, (count - index) * width)
        if target != block:
            move(octets, to, begin, index * width)
    else:
        for i in range(count):
            place = i + 1 if i >= index else i
            store(octets, to + place * width, width, load(octets, begin + i * old, old))
    store(octets, to + index * width, width, value)
    words[target] = (count + 1) | width << WIDTH_SHIFT | form_of(words, block) << FORM_SHIFT
    if target != block:
        arena.release(words, block)
    return target


@kernel
def remove(words, octets, block, index):
    """Remove the integer of this index. The block stays where it is."""
    width = width_of(words, block)
    count = count_of(words, block)
    place = (block + 1) * 8 + index * width
    move(octets, place, place + width, (count - index - 1) * width)
    words[block] -= 1
