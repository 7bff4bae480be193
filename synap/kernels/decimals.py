"""Exact sums of decimal texts, for INCRBYFLOAT.

INCRBYFLOAT in Redis adds x87 long doubles and prints 17 decimals, so that 0.1 + 0.2 is 0.3. `add_decimal` adds the two
texts as decimals, exactly, and rounds once to 17 decimals (half to even). The results differ where 64 bits of mantissa
cannot hold 17 decimals, which is from about 128 on; there Redis shows its rounding: 1234.1 + 0 is
1234.09999999999999998 in Redis and 1234.1 here; 1e300 + 1 is 1000...0001 here, and the binary neighbour of 1e300 in
Redis. Read as float64 both results are equal, unless several roundings have added up in Redis. The result here is the
same on every machine.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.reals import scan_decimal
from synap.kernels.spans import move

DECIMAL_SIZE_MAX = 328
"""Bytes that `add_decimal` may use at its target: a sign, 309 digits, a point, 17 decimals."""

NOT_DECIMAL = 0
"""Returned by `add_decimal` if one of the texts is not a decimal number."""

OUT_OF_RANGE = -1
"""Returned by `add_decimal` if one of the numbers is 1e307 or more, so that the sum might not fit in a float64."""

_DECIMALS = 17  # Redis prints so many of a long double
_DEEPEST = -36  # digits of a summand below this weight are not added one by one; they can only break a tie
_NOWHERE = -(1 << 62)
_TOP = 306  # highest weight of a digit of a summand
_MINUS, _PLUS, _POINT, _ZERO = 45, 43, 46, 48
_INFINITY = b"infinity"


@kernel
def _digit(octets, first, point, last, place):
    """Return the digit of weight 10**place (the exponent not counted), 0 outside of the written digits."""
    at = point - 1 - place if place >= 0 else point - place
    return np.int64(octets[at]) - _ZERO if at >= first and at < last else np.int64(0)


@kernel
def _ends(octets, first, point, last, exponent):
    """Return the weights of the first digit that is not 0 and of the last digit; (`_DEEPEST`, 0) for zero."""
    at = first
    while at < last and (octets[at] == _ZERO or at == point):
        at += 1
    if at == last:
        return np.int64(_DEEPEST), np.int64(0)
    top = point - at - (at < point)
    low = min(point - last + 1, np.int64(0))
    return top + exponent, low + exponent


@kernel
def _tail(octets, first, point, last, exponent):
    """Return the weight of the first digit below `_DEEPEST` that is not 0, `_NOWHERE` if there is none."""
    for at in range(first, last):
        place = point - at - (at < point) + exponent
        if place < _DEEPEST and at != point and octets[at] != _ZERO:
            return place
    return np.int64(_NOWHERE)


@kernel
def add_decimal(octets, target, a, a_size, b, b_size):
    """Write the sum of two decimal texts at `target`, rounded to 17 decimals; return its size.

    The form is that of INCRBYFLOAT in Redis: no exponent, no trailing zeros, no `-0`. A result of `NOT_DECIMAL` or
    `OUT_OF_RANGE` instead of a size is a refusal, with nothing written. `DECIMAL_SIZE_MAX` bytes at the target are used
    for work; the two texts must lie outside of them.
    """
    a_ok, a_negative, a_first, a_point, a_last, a_exponent, _, _, _ = scan_decimal(octets, a, a_size)
    b_ok, b_negative, b_first, b_point, b_last, b_exponent, _, _, _ = scan_decimal(octets, b, b_size)
    if not (a_ok and b_ok):
        return np.int64(NOT_DECIMAL)
    a_top, a_low = _ends(octets, a_first, a_point, a_last, a_exponent)
    b_top, b_low = _ends(octets, b_first, b_point, b_last, b_exponent)
    top = max(a_top, b_top, np.int64(0)) + 1
    if top > _TOP + 1:
        return np.int64(OUT_OF_RANGE)
    low = max(min(a_low, b_low, np.int64(0)), np.int64(_DEEPEST))

    # If the signs differ, the larger summand counts +1 and the other -1, so that the top digit never borrows.
    negative = a_negative
    same = a_negative == b_negative
    a_sign = b_sign = np.int64(1)
    if a_negative != b_negative:
        b_sign = np.int64(-1)
        for place in range(top, low - 1, -1):
            ahead = _digit(octets, a_first, a_point, a_last, place - a_exponent)
            ahead -= _digit(octets, b_first, b_point, b_last, place - b_exponent)
            if ahead:
                if ahead < 0:
                    a_sign, b_sign, negative = b_sign, a_sign, b_negative
                same = True  # the summands differ, so one is larger
                break

    # The digits below `_DEEPEST` add up to a positive or a negative rest; a negative one borrows 1.
    carry = half = np.int64(0)
    rest = False
    place = np.int64(_NOWHERE)
    if same and min(a_low, b_low) < _DEEPEST:  # else the rest is below 1e-36 and cannot change the result
        place = max(
            _tail(octets, a_first, a_point, a_last, a_exponent), _tail(octets, b_first, b_point, b_last, b_exponent)
        )
    while place > _NOWHERE and place >= min(a_low, b_low):
        deep = a_sign * _digit(octets, a_first, a_point, a_last, place - a_exponent)
        deep += b_sign * _digit(octets, b_first, b_point, b_last, place - b_exponent)
        if deep:
            rest = True
            carry -= deep < 0
            break
        place -= 1

    units = target + 1 + top  # behind the place of a sign
    for place in range(low, top + 1):
        digit = carry + a_sign * _digit(octets, a_first, a_point, a_last, place - a_exponent)
        digit += b_sign * _digit(octets, b_first, b_point, b_last, place - b_exponent)
        if place == -_DECIMALS:
            digit += half > 5 or (half == 5 and (rest or digit & 1 == 1))
        carry = np.int64(digit > 9) + np.int64(digit > 19) - np.int64(digit < 0)
        digit -= 10 * carry
        if place >= -_DECIMALS:
            octets[units - place + (place < 0)] = _ZERO + digit
        else:
            rest |= half != 0
            half = digit
    end = units + 1
    if low < 0:
        octets[end] = _POINT
        end = units + 2 - max(low, np.int64(-_DECIMALS))
        while octets[end - 1] == _ZERO:
            end -= 1
        end -= octets[end - 1] == _POINT
    at = target + 1
    while at < units and octets[at] == _ZERO:
        at += 1
    if negative and (end - at > 1 or octets[at] != _ZERO):
        at -= 1
        octets[at] = _MINUS
    move(octets, target, at, end - at)
    return end - at


@kernel
def is_real(octets, work, at, size):
    """Return True if the text is a decimal or an infinity in any spelling, including decimals that are out of range.

    `DECIMAL_SIZE_MAX` + 1 bytes from `work` on are used; the text must lie outside of them.
    """
    zero = work + DECIMAL_SIZE_MAX
    octets[zero] = _ZERO
    if add_decimal(octets, work, zero, 1, at, size) != NOT_DECIMAL:
        return True
    if size > 0 and (octets[at] == _PLUS or octets[at] == _MINUS):
        at += 1
        size -= 1
    if size != 3 and size != 8:
        return False
    for i in range(size):
        if (octets[at + i] | 32) != _INFINITY[i]:
            return False
    return True
