"""Bits of bytes: count them, find the first, combine spans, read and write integers of any width.

The bits of a span are numbered as Redis numbers them: bit 0 is the highest bit of the first byte, bit 8 the highest of
the second. Spans lie in one `uint8` array. `start`, `target` and `source` are the bytes at which they begin, `size`
counts bytes; `first`, `last` and `offset` are bits from the beginning of a span, and `last` is included. Nothing is
checked, except in code compiled with bounds checks.

All of these work on words of 64 bits. `count_bits` and `combine` take four words a turn: LLVM makes vectors of them
although both spans lie in one array, as all four are read before the first is written.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import leading_zeros, load64, mirrored, ones, store64

AND, OR, XOR, NOT = 1, 2, 3, 4
_TURN = 32  # bytes


@kernel
def count_bits(octets, start, size):
    """Return how many bits of a span are set."""
    total = 0
    at = start
    end = start + size
    while at + _TURN <= end:
        total += ones(load64(octets, at)) + ones(load64(octets, at + 8))
        total += ones(load64(octets, at + 16)) + ones(load64(octets, at + 24))
        at += _TURN
    while at < end:
        total += ones(np.int64(octets[at]))
        at += 1
    return total


@kernel
def count_between(octets, start, first, last):
    """Return how many bits from `first` to `last` are set; none if `last` is before `first`."""
    if last < first:
        return 0
    low = first >> 3
    high = last >> 3
    total = count_bits(octets, start + low, high - low + 1)
    before = np.int64(octets[start + low]) >> (8 - (first & 7))
    behind = np.int64(octets[start + high]) & ((1 << (7 - (last & 7))) - 1)
    return total - ones(before) - ones(behind)


@kernel
def first_bit(octets, start, first, last, bit):
    """Return the number of the first bit from `first` to `last` that is `bit` (0 or 1), or -1 if there is none."""
    if last < first:
        return -1
    skip = 0 if bit else -1  # a word without such a bit
    end = start + (last >> 3) + 1
    at = start + (first >> 3)
    mask = 0xFF >> (first & 7)  # of the first byte, without the bits before `first`
    found = (np.int64(octets[at]) ^ (skip & 0xFF)) & mask
    if found == 0:
        at += 1
        while at + 8 <= end and load64(octets, at) == skip:
            at += 8
        if at + 8 <= end:
            return _within((at - start) * 8 + leading_zeros(mirrored(load64(octets, at) ^ skip)), last)
        while at < end and octets[at] == skip & 0xFF:
            at += 1
        if at == end:
            return -1
        found = np.int64(octets[at]) ^ (skip & 0xFF)
    return _within((at - start) * 8 + leading_zeros(found) - 56, last)


@inlined
def _within(place, last):
    """Return `place` if it is not behind `last`, else -1."""
    return place if place <= last else -1


@inlined
def combined(a, b, operation):
    """Return the words `a` and `b` combined by AND, OR or XOR; for NOT, the opposite of `b`."""
    if operation == AND:
        return a & b
    if operation == OR:
        return a | b
    return a ^ b if operation == XOR else ~b


@inlined
def _combine(octets, target, source, size, operation):
    """Combine as `combine` does; with a constant operation this is one loop of vectors."""
    i = 0
    while i + _TURN <= size:
        a = combined(load64(octets, target + i), load64(octets, source + i), operation)
        b = combined(load64(octets, target + i + 8), load64(octets, source + i + 8), operation)
        c = combined(load64(octets, target + i + 16), load64(octets, source + i + 16), operation)
        d = combined(load64(octets, target + i + 24), load64(octets, source + i + 24), operation)
        store64(octets, target + i, a)
        store64(octets, target + i + 8, b)
        store64(octets, target + i + 16, c)
        store64(octets, target + i + 24, d)
        i += _TURN
    while i < size:
        octets[target + i] = combined(np.int64(octets[target + i]), np.int64(octets[source + i]), operation) & 0xFF
        i += 1


@kernel
def combine(octets, target, source, size, operation):
    """Combine `size` bytes of `source` into those at `target` (AND, OR, XOR; NOT writes the opposite of `source`).

    The spans may be one, but may not overlap in part.
    """
    if operation == AND:
        _combine(octets, target, source, size, AND)
    elif operation == OR:
        _combine(octets, target, source, size, OR)
    elif operation == XOR:
        _combine(octets, target, source, size, XOR)
    else:
        _combine(octets, target, source, size, NOT)


@kernel
def read_bits(octets, start, size, offset, width):
    """Return the `width` bits (1 to 64) from `offset` on as an int64, the first bit highest.

    Bits behind the `size` bytes of the span count as 0.
    """
    at = offset >> 3
    inside = offset & 7
    value = np.int64(0)
    left = width
    while left > 0:
        octet = np.int64(octets[start + at]) if at < size else np.int64(0)
        taken = min(8 - inside, left)
        piece = (octet >> (8 - inside - taken)) & ((1 << taken) - 1)
        value = value << taken | piece
        left -= taken
        inside = 0
        at += 1
    return value


@kernel
def write_bits(octets, start, offset, width, value):
    """Write the lowest `width` bits (1 to 64) of an int64 from `offset` on, the highest of them first."""
    at = start + (offset >> 3)
    inside = offset & 7
    left = width
    while left > 0:
        taken = min(8 - inside, left)
        shift = 8 - inside - taken
        mask = ((1 << taken) - 1) << shift
        piece = ((value >> (left - taken)) << shift) & mask
        octets[at] = (np.int64(octets[at]) & ~mask) | piece
        left -= taken
        inside = 0
        at += 1


@kernel
def signed(value, width):
    """Return the lowest `width` bits (1 to 64) of an int64 as a number in two's complement."""
    return (value << (64 - width)) >> (64 - width)
