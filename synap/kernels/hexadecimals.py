"""Reals in hexadecimal, as C spells them: `0x1.8p3` is 12.

Digits and a point are followed by `p` and the power of two by which they are multiplied, in decimal.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import real_of

_LEAST = -1074  # the power of two of the least float
_MANTISSA_FULL = 1 << 58  # another hexadecimal digit still fits
_EXPONENT_FULL = 1 << 40
_STEP = 1000  # of a power of two that is a normal float64
_MINUS, _PLUS, _POINT, _ZERO, _X = 45, 43, 46, 48, 120


@kernel
def is_hexadecimal(octets, at, end):
    """Return True if the text from `at` to `end`, behind a sign, begins as a hexadecimal one."""
    return end - at > 2 and octets[at] == _ZERO and octets[at + 1] | 32 == _X


@kernel
def _hexadecimal_digit(octet):
    """Return the value of a hexadecimal digit, -1 for any other octet."""
    digit = np.int64(octet) - _ZERO
    if 0 <= digit <= 9:
        return digit
    digit = (np.int64(octet) | 32) - 87
    return digit if 10 <= digit <= 15 else np.int64(-1)


@kernel
def _scaled(mantissa, power):
    """Return (`mantissa * 2**power` rounded to the nearest float, whether it is exact); 0 < mantissa < 2**62."""
    lost = _LEAST - power  # bits of the mantissa below those that a float so small has
    if lost > 62:
        return 0.0, False
    if lost > 0 and mantissa >> lost < 1 << 53:
        kept = mantissa >> lost
        rest = mantissa & ((1 << lost) - 1)
        half = 1 << (lost - 1)
        kept += rest > half or (rest == half and kept & 1)
        return real_of(kept), rest == 0 or kept >= 1 << 52  # the bits of such a float are its multiple of 2**-1074
    value = np.float64(mantissa)
    while power > _STEP:
        value *= real_of((_STEP + 1023) << 52)
        power -= _STEP
    while power < -_STEP:
        value *= real_of((1023 - _STEP) << 52)
        power += _STEP
    return value * real_of((power + 1023) << 52), True


@outlined
def parse_hexadecimal(octets, at, end):
    """Parse `0x digits [. digits] [p [sign] digits]` from `at` to `end`; return `(value, ok, exact)`.

    `exact` is False for an infinite value, for one that is 0 without being written so, and for one below the normal
    floats that is rounded: where C sets ERANGE.
    """
    at += 2
    mantissa = power = digits = np.int64(0)
    point = False
    while at < end:
        digit = _hexadecimal_digit(octets[at])
        if digit >= 0:
            digits += 1
            if mantissa < _MANTISSA_FULL:
                mantissa = mantissa << 4 | digit
                power -= 4 * point
            else:
                mantissa |= digit != 0  # far below the bits that a float64 keeps
                power += 4 * (not point)
        elif octets[at] == _POINT and not point:
            point = True
        else:
            break
        at += 1
    if digits == 0:
        return 0.0, False, False
    if at < end:
        if octets[at] | 32 != 112:
            return 0.0, False, False
        at += 1
        below = at < end and octets[at] == _MINUS
        if below or (at < end and octets[at] == _PLUS):
            at += 1
        if at == end:
            return 0.0, False, False
        exponent = np.int64(0)
        while at < end:
            digit = np.int64(octets[at]) - _ZERO
            if digit < 0 or digit > 9:
                return 0.0, False, False
            exponent = min(exponent * 10 + digit, np.int64(_EXPONENT_FULL))
            at += 1
        power += -exponent if below else exponent
    if mantissa == 0:
        return 0.0, True, True
    power = min(max(power, np.int64(-4 * _STEP)), np.int64(4 * _STEP))
    value, exact = _scaled(mantissa, power)
    return value, True, exact and value < np.inf
