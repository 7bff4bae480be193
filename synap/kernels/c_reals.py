"""Reals as C reads them: the texts that `strtod` takes, with spaces before them and in hexadecimal, up to a NUL.

SORT of Redis reads its scores so. A text fits if `strtod` takes all of it, finds a number that is no NaN, and sets no
ERANGE: a number so large or so small that its double is infinite, zero or below the normal doubles, and not exact.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.reals import parse_real
from synap.kernels.spans import real_of

_NORMAL_MIN = 2.2250738585072014e-308
_EXACT_DIGITS = 15  # so many decimal digits are an exact float64
_MANTISSA_FULL = 1 << 58  # another hexadecimal digit still fits
_EXPONENT_FULL = 1 << 40
_STEP = 1000  # of a power of two that is a normal float64
_MINUS, _PLUS, _POINT, _ZERO = 45, 43, 46, 48


@kernel
def parse_c_real(octets, start, size):
    """Parse the span as `strtod` does; return `(value, ok)`. An empty text is 0."""
    at = start
    end = start + size
    negative = size > 0 and octets[at] == _MINUS
    at += negative
    if 0 < end - at <= _EXACT_DIGITS:
        value = np.int64(0)
        while at < end:
            digit = np.int64(octets[at]) - _ZERO
            if digit < 0 or digit > 9:
                break
            value = value * 10 + digit
            at += 1
        if at == end:
            return -np.float64(value) if negative else np.float64(value), True
    return _parse_any(octets, start, size)


@outlined
def _parse_any(octets, start, size):
    """Parse a span that need not consist of a few digits."""
    end = start
    while end < start + size and octets[end]:
        end += 1
    if end == start:
        return 0.0, True
    at = start
    while at < end and (octets[at] == 32 or 9 <= octets[at] <= 13):
        at += 1
    digits = at
    if digits < end and (octets[digits] == _MINUS or octets[digits] == _PLUS):
        digits += 1
    if end - digits > 2 and octets[digits] == _ZERO and octets[digits + 1] | 32 == 120:
        value, ok = _parse_hexadecimal(octets, digits + 2, end)
        return -value if octets[at] == _MINUS else value, ok
    value, ok = parse_real(octets, at, end - at)
    return value, ok and (value == 0.0 or abs(value) >= _NORMAL_MIN)


@kernel
def _hexadecimal_digit(octet):
    """Return the value of a hexadecimal digit, -1 for any other octet."""
    digit = np.int64(octet) - _ZERO
    if 0 <= digit <= 9:
        return digit
    digit = (np.int64(octet) | 32) - 87
    return digit if 10 <= digit <= 15 else np.int64(-1)


@kernel
def _scaled(value, power):
    """Return `value * 2**power`, rounded once if it is below the normal floats."""
    while power > _STEP:
        value *= real_of((_STEP + 1023) << 52)
        power -= _STEP
    while power < -_STEP:
        value *= real_of((1023 - _STEP) << 52)
        power += _STEP
    return value * real_of((power + 1023) << 52)


@kernel
def _parse_hexadecimal(octets, at, end):
    """Parse `digits [. digits] [p [sign] digits]` behind `0x`; return `(value, ok)`."""
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
        return 0.0, False
    if at < end:
        if octets[at] | 32 != 112:
            return 0.0, False
        at += 1
        below = at < end and octets[at] == _MINUS
        if below or (at < end and octets[at] == _PLUS):
            at += 1
        if at == end:
            return 0.0, False
        exponent = np.int64(0)
        while at < end:
            digit = np.int64(octets[at]) - _ZERO
            if digit < 0 or digit > 9:
                return 0.0, False
            exponent = min(exponent * 10 + digit, np.int64(_EXPONENT_FULL))
            at += 1
        power += -exponent if below else exponent
    if mantissa == 0:
        return 0.0, True
    power = min(max(power, np.int64(-4 * _STEP)), np.int64(4 * _STEP))
    whole = np.float64(mantissa)
    value = _scaled(whole, power)
    exact = value >= _NORMAL_MIN or (value > 0.0 and _scaled(value, -power) == whole)
    return value, exact and value < np.inf
