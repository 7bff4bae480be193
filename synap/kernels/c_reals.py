"""Reals as C reads them: the texts that `strtod` takes, with spaces before them and in hexadecimal, up to a NUL.

SORT of Redis reads its scores so. A text fits if `strtod` takes all of it, finds a number that is no NaN, and sets no
ERANGE: a number so large or so small that its double is infinite, zero or below the normal doubles, and not exact.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.hexadecimals import is_hexadecimal, parse_hexadecimal
from synap.kernels.reals import parse_real

_NORMAL_MIN = 2.2250738585072014e-308
_EXACT_DIGITS = 15  # so many decimal digits are an exact float64
_MINUS, _PLUS, _ZERO = 45, 43, 48


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
    if is_hexadecimal(octets, digits, end):
        value, ok, exact = parse_hexadecimal(octets, digits, end)
        return -value if octets[at] == _MINUS else value, ok and exact
    value, ok = parse_real(octets, at, end - at)
    return value, ok and (value == 0.0 or abs(value) >= _NORMAL_MIN)
