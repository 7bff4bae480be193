"""Integers in text: reads and prints int64 in the strict form of counters, list indices and expiry times.

A text is an integer if printing the number gives the same text again: an optional `-`, no `+`, no leading zeros, no
`-0`, no spaces, within int64. So a value can be stored as a number without any visible difference. Eight digits are
read or printed at once inside one word (the digits are combined pairwise by three multiplications). Nothing outside the
given span is read or written.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64, store32, store64

INTEGER_SIZE_MAX = 20
"""Bytes of the longest integer, -9223372036854775808."""

_PLUS = 43
_MINUS = 45
_ZERO = 48
_LARGEST = (1 << 63) - 1
_HEAD_MAX, _TAIL_MAX = divmod((1 << 64) - 1, 100)
_EIGHT = np.uint64(10**8)
_HIGH_NIBBLES = -0x0F0F0F0F0F0F0F10  # 0xF0F0... as int64
_LOW_NIBBLES = 0x0F0F0F0F0F0F0F0F
_SIXES = 0x0606060606060606  # '9' + 6 stays below 0x40, ':' + 6 does not
_ZEROS = 0x3030303030303030


@kernel
def parse_integer(octets, start, size):
    """Parse the span as an integer; return `(value, ok)`, where `ok` is False if the span is no integer in int64."""
    at = start
    end = start + size
    negative = size > 0 and octets[start] == _MINUS
    if negative:
        at += 1
    if end - at < 1 or end - at > 19:
        return np.int64(0), False
    value = np.int64(octets[at]) - _ZERO
    if value == 0:
        return value, size == 1
    if value < 0 or value > 9:
        return np.int64(0), False
    at += 1
    while at + 8 <= end:
        word = load64(octets, at)
        if (word & _HIGH_NIBBLES) | (((word + _SIXES) & _HIGH_NIBBLES) >> 4) != 0x3333333333333333:
            return np.int64(0), False
        word = ((word & _LOW_NIBBLES) * 2561) >> 8
        word = ((word & 0x00FF00FF00FF00FF) * 6553601) >> 16
        word = ((word & 0x0000FFFF0000FFFF) * 42949672960001) >> 32
        value = value * 100000000 + word
        at += 8
    while at < end:
        digit = np.int64(octets[at]) - _ZERO
        if digit < 0 or digit > 9:
            return np.int64(0), False
        value = value * 10 + digit
        at += 1
    # 19 digits stay below 2**64, so a sum that does not fit in int64 is negative here.
    if negative:
        value = -value
        return value, value < 0
    return value, value >= 0


@kernel
def integer_size(value):
    """Return the number of bytes that `print_integer` writes for `value`: 1 to `INTEGER_SIZE_MAX`."""
    size = np.int64(1)
    if value < 0:
        size = np.int64(2)
        value = -value
        if value < 0:
            return np.int64(INTEGER_SIZE_MAX)
    while value >= 10000:
        value //= 10000
        size += 4
    if value >= 1000:
        return size + 3
    if value >= 100:
        return size + 2
    return size + (value >= 10)


@kernel
def eight_digits(value):
    """Return the eight digits of `value` < 10**8 as text in one word, the first digit in the lowest byte."""
    high = (value * 109951163) >> 40  # value // 10000
    word = high | (value - high * 10000) << 32
    high = ((word * 10486) >> 20) & 0x0000007F0000007F
    word = high | (word - high * 100) << 16
    high = ((word * 103) >> 10) & 0x000F000F000F000F
    word = high | (word - high * 10) << 8
    return word | _ZEROS


@kernel
def print_integer(octets, target, value):
    """Write `value` in decimal at `target`, and return the number of bytes written."""
    at = target
    if value < 0:
        octets[at] = _MINUS
        at += 1
        value = -value  # -2**63 does not change, and is read as an unsigned 2**63 below
    head = value
    middle = low = np.int64(-1)
    if head < 0 or head >= 100000000:
        head = np.int64(np.uint64(value) // _EIGHT)
        low = value - head * 100000000
        if head >= 100000000:
            middle = head
            head //= 100000000
            middle -= head * 100000000
    word = eight_digits(head)
    if head >= 1000:
        size = 4 + (head >= 10000) + (head >= 100000) + (head >= 1000000) + (head >= 10000000)
        store32(octets, at, word >> ((8 - size) << 3))
        store32(octets, at + size - 4, word >> 32)
        at += size
    else:
        if head >= 100:
            octets[at] = (word >> 40) & 255
            at += 1
        if head >= 10:
            octets[at] = (word >> 48) & 255
            at += 1
        octets[at] = (word >> 56) & 255
        at += 1
    if middle >= 0:
        store64(octets, at, eight_digits(middle))
        at += 8
    if low >= 0:
        store64(octets, at, eight_digits(low))
        at += 8
    return at - target


@kernel
def add_overflows(a, b):
    """Return True if `a + b` is outside int64."""
    total = a + b
    return ((a ^ total) & (b ^ total)) < 0


@kernel
def parse_cursor(octets, start, size):
    """Parse the span as a cursor of SCAN, as Redis does; return `(value, ok)`.

    A cursor consists of digits with an optional sign. A number below 0 or above the largest int64 becomes the largest
    int64, which is behind all keys. A number above 2**64 - 1 is no cursor: `ok` is False.
    """
    at = start
    end = start + size
    negative = size > 0 and octets[start] == _MINUS
    if negative or (size > 0 and octets[start] == _PLUS):
        at += 1
        if at == end:
            return np.int64(0), False
    while at < end and octets[at] == _ZERO:
        at += 1
    head = np.int64(0)  # the first 18 digits
    tail = np.int64(0)  # the digits behind the first 18
    for i in range(at, end):
        digit = np.int64(octets[i]) - _ZERO
        if digit < 0 or digit > 9 or i - at > 19:
            return np.int64(0), False
        if i - at < 18:
            head = head * 10 + digit
        else:
            tail = tail * 10 + digit
    if end - at < 19:
        return (_LARGEST if negative and head else head), True
    if end - at == 19:
        beyond = negative or head > _LARGEST // 10 or (head == _LARGEST // 10 and tail > _LARGEST % 10)
        return (_LARGEST if beyond else head * 10 + tail), True
    return _LARGEST, head < _HEAD_MAX or (head == _HEAD_MAX and tail <= _TAIL_MAX)


@kernel
def is_integer(octets, start, size):
    """Return True if this text is the shortest spelling of a 64-bit integer."""
    _, valid = parse_integer(octets, start, min(size, 21))
    return valid
