"""Entries: how an element lies in the strip of a chunk, readable from both ends.

    entry    head | bytes | head, its bytes in reverse order
    head     one byte: size << 1 | form                  of at most 63 bytes in form 0 or 1
             two bytes: 128 | boxed << 6 | form << 4 | size >> 8, and size & 255

An element above 1 KiB lies in a box, a block of its own: one word with size and mark, then the bytes. Its entry holds
the ref of the box.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64, move, same, store64
from synap.store.memory import arena
from synap.store.memory.layout import FORM_MASK, MARK_BITS

INLINE_MAX = 1024
SHORT_MAX, SHORT_FORM_MAX = 63, 1
LONG, BOXED, FORM_SHIFT, SIZE_HIGH = 128, 64, 4, 15
REF_BYTES = 8


@kernel
def bytes_of(size, mark):
    """Return the bytes that an element of this size takes in a strip."""
    if size <= SHORT_MAX and mark & FORM_MASK <= SHORT_FORM_MAX:
        return 2 + size
    return 4 + (REF_BYTES if size > INLINE_MAX else size)


@kernel
def size_at(octets, at):
    """Return the bytes of the entry that starts at `at`."""
    head = np.int64(octets[at])
    if head < LONG:
        return 2 + (head >> 1)
    return 4 + ((head & SIZE_HIGH) << 8 | np.int64(octets[at + 1]))


@kernel
def size_before(octets, end):
    """Return the bytes of the entry that ends before the octet `end`."""
    head = np.int64(octets[end - 1])
    if head < LONG:
        return 2 + (head >> 1)
    return 4 + ((head & SIZE_HIGH) << 8 | np.int64(octets[end - 2]))


@kernel
def box_of(octets, at):
    """Return the ref of the box of the entry at `at`, or 0 if the element lies in the strip."""
    head = np.int64(octets[at])
    return load64(octets, at + 2) if head >= LONG and head & BOXED else 0


@kernel
def element(words, octets, at):
    """Return (octet, size, mark) of the element whose entry starts at `at`."""
    head = np.int64(octets[at])
    if head < LONG:
        return at + 1, head >> 1, head & SHORT_FORM_MAX
    if head & BOXED:
        box = load64(octets, at + 2)
        return (box + 1) * 8, words[box] >> MARK_BITS, words[box] & FORM_MASK
    return at + 2, (head & SIZE_HIGH) << 8 | np.int64(octets[at + 1]), (head >> FORM_SHIFT) & FORM_MASK


@kernel
def equals(words, octets, at, start, size):
    """Return True if the element whose entry starts at `at` has the `size` bytes at `start`; forms do not count."""
    place, found, _ = element(words, octets, at)
    return found == size and same(octets, place, start, size)


@kernel
def write_head(octets, at, size, bits):
    """Write both heads of an entry of two-byte heads, with `size` bytes between them."""
    first = LONG | bits | size >> 8
    octets[at] = first
    octets[at + 1] = size & 0xFF
    octets[at + 2 + size] = size & 0xFF
    octets[at + 3 + size] = first


@kernel
def write_boxed(octets, at, box):
    """Write the entry of an element that lies in a box."""
    store64(octets, at + 2, box)
    write_head(octets, at, REF_BYTES, BOXED)


@kernel
def write(words, octets, at, source, size, mark):
    """Write the entry of an element at `at`, and the box of a long one; return False without memory."""
    form = mark & FORM_MASK
    if size <= SHORT_MAX and form <= SHORT_FORM_MAX:
        octets[at] = size << 1 | form
        move(octets, at + 1, source, size)
        octets[at + 1 + size] = size << 1 | form
    elif size <= INLINE_MAX:
        move(octets, at + 2, source, size)
        write_head(octets, at, size, form << FORM_SHIFT)
    else:
        box = arena.allocate(words, 1 + ((size + 7) >> 3))
        if box == 0:
            return False
        words[box] = size << MARK_BITS | form
        move(octets, (box + 1) * 8, source, size)
        write_boxed(octets, at, box)
    return True
