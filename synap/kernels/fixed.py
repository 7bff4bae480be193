"""Reals with a fixed number of decimals in text, as `%.4f` prints them in C: exact, rounded half to even.

The fraction of a float64 times a power of ten is a product of 53 and 57 bits. It is made in full, as 128 bits, and then
rounded once, so the digits are those of the exact value of the float64, as glibc prints them.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.integers import print_integer
from synap.kernels.spans import bits_of, move, multiply_high

FIXED_SIZE_MAX = 330
"""Bytes that `print_fixed` may use at its target: a sign, 309 digits, a point, 17 decimals; 40 below 2**62."""

_HIDDEN = 1 << 52
_FRACTION = _HIDDEN - 1
_EXPONENT = 0x7FF
_BIAS = 1075  # of the exponent, for a mantissa that is an integer
_SPARE = 9  # bits that a mantissa leaves in an int64
_MINUS, _POINT, _ZERO = 45, 46, 48


@kernel
def _tens(decimals):
    """Return 10**decimals, decimals from 0 to 18."""
    power = np.int64(1)
    for _ in range(decimals):
        power *= 10
    return power


@kernel
def _scaled(fraction, shift, power):
    """Return fraction * power / 2**shift, rounded half to even; fraction < 2**53, power < 2**57, shift > 0."""
    high = multiply_high(fraction, power)
    low = fraction * power
    if shift > 114:  # less than a quarter
        return np.int64(0)
    if shift > 64:
        whole = high >> (shift - 64)
        rest, half = high & ((np.int64(1) << (shift - 64)) - 1), np.int64(1) << (shift - 65)
        above, exact = rest > half or (rest == half and low != 0), rest == half and low == 0
    elif shift == 64:
        whole = high
        above, exact = low < 0 and low << 1 != 0, low < 0 and low << 1 == 0
    else:
        whole = high << (64 - shift) | np.int64(np.uint64(low) >> np.uint64(shift))
        rest, half = low & ((np.int64(1) << shift) - 1), np.int64(1) << (shift - 1)
        above, exact = rest > half, rest == half
    return whole + (above or (exact and whole & 1 == 1))


@kernel
def _print_whole(octets, target, mantissa, doublings):
    """Write mantissa * 2**doublings at `target`, doubling its digits one by one; return their number."""
    size = print_integer(octets, target, mantissa)
    for _ in range(doublings):
        carry = 0
        for at in range(target + size - 1, target - 1, -1):
            digit = 2 * (np.int64(octets[at]) - _ZERO) + carry
            carry = digit >= 10
            octets[at] = _ZERO + digit - 10 * carry
        if carry:
            move(octets, target + 1, target, size)
            octets[target] = _ZERO + 1
            size += 1
    return size


@outlined
def print_fixed(octets, target, value, decimals):
    """Write a float64 with `decimals` (1 to 17) decimals at `target`; return the size of the text.

    Infinity and NaN are written as in C: `inf`, `nan`, `-nan`. Bytes behind the text may change as well, up to
    FIXED_SIZE_MAX bytes from `target`.
    """
    bits = bits_of(value)
    at = target
    if bits < 0:
        octets[at] = _MINUS
        at += 1
    exponent = bits >> 52 & _EXPONENT
    fraction = bits & _FRACTION
    if exponent == _EXPONENT:
        octets[at], octets[at + 1], octets[at + 2] = 105, 110, 102  # inf
        if fraction:
            octets[at], octets[at + 1], octets[at + 2] = 110, 97, 110
        return at + 3 - target
    if exponent:
        fraction |= _HIDDEN
    shift = _BIAS - max(exponent, np.int64(1))
    whole = rest = np.int64(0)
    power = _tens(decimals)
    if shift <= 0:
        whole = fraction << min(-shift, _SPARE)
    else:
        if shift < 53:
            whole = fraction >> shift
            fraction &= (np.int64(1) << shift) - 1
        rest = _scaled(fraction, shift, power)
        if rest == power:
            rest = np.int64(0)
            whole += 1
    at += _print_whole(octets, at, whole, max(-shift - _SPARE, 0))
    octets[at] = _POINT
    for i in range(decimals, 0, -1):
        octets[at + i] = _ZERO + rest % 10
        rest //= 10
    return at + 1 + decimals - target


@outlined
def print_short(octets, target, value, decimals):
    """Write what `print_fixed` writes, without zeros at the end; return the size of the text. -0 is written as 0."""
    size = print_fixed(octets, target, value, decimals)
    if octets[target + size - 1] > _ZERO + 9:  # inf, nan
        return size
    while octets[target + size - 1] == _ZERO:
        size -= 1
    if octets[target + size - 1] == _POINT:
        size -= 1
    if size == 2 and octets[target] == _MINUS and octets[target + 1] == _ZERO:
        octets[target] = _ZERO
        size = 1
    return size
