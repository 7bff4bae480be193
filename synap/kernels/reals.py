"""Reals in text: reads and prints float64 with correct rounding, in the form that Redis writes.

Read. Up to 18 digits are collected in one integer w, so the text is w * 10**q. If w and 10**|q| are exact as floats,
one multiplication or division gives the result (Clinger). Otherwise w times the top 128 bits of 5**q gives the 53 bits
and how to round them (Eisel and Lemire, "Number parsing at a gigabyte per second"; Mushtak and Lemire proved that this
decides every case). A longer text lies between w and w + 1. Where these two round differently, the text is compared
with the midpoint of the two floats as exact integers, which is slow (microseconds) and rare.

Print. The result is the shortest text of digits that reads back as the same float, and of these the closest to it:
Schubfach (Giulietti, "The Schubfach way to render doubles"), three multiplications by the 128 bits of 10**-k.

Powers. Both directions need the top 128 bits of 5**k for k from -342 to 324, exact. A table of them takes 10 KB in
every compiled caller. Here 5**k is 5**(27 n), of which 192 bits are kept (600 bytes for 26 rows), times 5**r with r <
27, which fits in 64 bits. A test of all 667 powers proves that the top 128 bits are exact.

Layout. `print_real` writes what Redis (7.2 and later) puts in replies: whole numbers up to 2**62 as integers, otherwise
the digits as its fpconv lays them out, with d digits, the last of weight 10**k, the first of weight 10**e:

    k >= 0 and e < d + 7                 all digits, then zeros     4611686018427389000
    0 > k > -7, or k < 0 and |e| < 4     a decimal point            0.000015, 1234.5678901
    otherwise                            an exponent                1e+21, 1.5e-7, 1.70000000012345e+9
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.hexadecimals import is_hexadecimal, parse_hexadecimal
from synap.kernels.integers import print_integer
from synap.kernels.spans import fill, load64, move, multiply_high

REAL_SIZE_MAX = 25
"""Bytes that `print_real` may use at its target: the size of -123456789012345690000000."""

_DIGITS_MAX = 18  # 10**18 fits in int64, and 17 digits identify every float
_EXACT_DIGITS = 780  # a midpoint of two floats has at most 767 significant digits
_EXACT_LIMBS = 100  # of 32 bits: 780 digits, or 54 bits times 5**1122, take 2660 bits
_MANTISSA_FULL = 10 ** (_DIGITS_MAX - 1)
_EXPONENT_FULL = 10**12  # above that of any text in memory; larger exponents count as this one
_INFINITE = 0x7FF << 52
_HIDDEN = 1 << 52
_FRACTION = _HIDDEN - 1
_LOWEST_POWER, _STEP = -351, 27
_POWER_MAX, _POWER_MIN = 308, -342  # powers of ten, for 18 digits: above is infinity, below is zero
_PLUS, _MINUS, _POINT, _ZERO, _E = 43, 45, 46, 48, 101
_INFINITY = int.from_bytes(b"infinity", "little")
_SPACES = 0x2020202020202020  # turns ASCII letters into lower case

_TENS = 10.0 ** np.arange(23)  # the powers of ten that are exact floats
_TENS.flags.writeable = False


def _top_bits(power, bits):
    """Return the highest `bits` bits of 5**power, cut off and not rounded."""
    scale = bits + 2 + abs(power) * 3
    value = 5**power << scale if power >= 0 else (1 << scale) // 5**-power
    return value >> value.bit_length() - bits


def _words(value, count):
    """Return `value` as a list of `count` int64 words, the highest first."""
    words = [value >> 64 * n & 2**64 - 1 for n in reversed(range(count))]
    return [word - 2**64 if word >> 63 else word for word in words]


_FIVES = np.array([_words(_top_bits(r, 64), 1)[0] for r in range(_STEP)], dtype=np.int64)
_BASES = np.array(
    [_words(_top_bits(power, 192), 3) for power in range(_LOWEST_POWER, 325, _STEP)], dtype=np.int64
)


@kernel
def _carries(a, b):
    """Return 1 if `a + b`, both taken as unsigned, does not fit in 64 bits, else 0."""
    return np.int64(np.uint64(a + b) < np.uint64(a))


@kernel
def five(power):
    """Return the top 128 bits of 5**power, cut off and not rounded, as `(high, low)`; -342 <= power <= 324."""
    row = (power - _LOWEST_POWER) // _STEP
    factor = _FIVES[power - _LOWEST_POWER - row * _STEP]
    carried = multiply_high(_BASES[row, 2], factor)
    low = _BASES[row, 1] * factor
    middle = multiply_high(_BASES[row, 1], factor) + _carries(low, carried)
    low += carried
    high = multiply_high(_BASES[row, 0], factor)
    carried = _BASES[row, 0] * factor
    high += _carries(carried, middle)
    middle += carried
    if high < 0:
        return high, middle
    return high << 1 | (middle >> 63 & 1), middle << 1 | (low >> 63 & 1)


@kernel
def scan_decimal(octets, start, size):
    """Read `[sign] digits [. digits] [e [sign] digits]`, where the point may be the first or last character.

    Returns `(ok, negative, first, point, last, exponent, mantissa, power, dropped)`: the digits lie from `first` to
    `last`, with the point at `point` (`last` without one), and `exponent` is the written one. The value is also
    `mantissa * 10**power` with up to 18 digits; `dropped` is True if a digit behind them is not 0.
    """
    at = start
    end = start + size
    negative = size > 0 and octets[at] == _MINUS
    if negative or (size > 0 and octets[at] == _PLUS):
        at += 1
    first = at
    point = np.int64(-1)
    exponent = power = mantissa = np.int64(0)
    dropped = False
    while at < end:
        digit = np.int64(octets[at]) - _ZERO
        if digit >= 0 and digit <= 9:
            if mantissa < _MANTISSA_FULL:
                mantissa = mantissa * 10 + digit
                power -= point >= 0
            else:
                dropped |= digit != 0
                power += point < 0
        elif digit == _POINT - _ZERO and point < 0:
            point = at
        else:
            break
        at += 1
    last = at
    ok = last - first > (point >= 0)
    if point < 0:
        point = last
    if ok and at < end:
        ok = octets[at] | 32 == _E
        at += 1
        below = at < end and octets[at] == _MINUS
        if below or (at < end and octets[at] == _PLUS):
            at += 1
        ok &= at < end
        while at < end:
            digit = np.int64(octets[at]) - _ZERO
            if digit < 0 or digit > 9:
                ok = False
                break
            if exponent < _EXPONENT_FULL:
                exponent = exponent * 10 + digit
            at += 1
        if below:
            exponent = -exponent
    return ok, negative, first, point, last, exponent, mantissa, power + exponent, dropped


@kernel
def _nearest(mantissa, power):
    """Return the bits of the float nearest to `mantissa * 10**power`, 0 < mantissa <= 10**18."""
    if power < _POWER_MIN:
        return np.int64(0)
    if power > _POWER_MAX:
        return np.int64(_INFINITE)
    shift = np.int64(1)  # mantissa < 2**63
    word = mantissa << 1
    while word > 0 and word < 1 << 55:
        word <<= 8
        shift += 8
    while word > 0:
        word <<= 1
        shift += 1
    high, low = five(power)
    if power < 0 and power >= -_STEP:  # the proof needs these powers rounded up
        low += 1
        high += low == 0
    top = multiply_high(word, high)
    rest = word * high
    if top & 0x1FF == 0x1FF:
        more = multiply_high(word, low)
        top += _carries(rest, more)
        rest += more
    upper = top >> 63 & 1
    cut = upper + 9  # 64 - 52 - 3, after a product of 127 or 128 bits
    bits = np.int64(np.uint64(top) >> np.uint64(cut))
    exponent = (217706 * power >> 16) + 63 + upper - shift + 1023
    if exponent <= 0:  # below the normal floats
        if exponent < -62:
            return np.int64(0)
        bits >>= 1 - exponent
        return (bits + (bits & 1)) >> 1  # 2**52 is the lowest normal float, without a special case
    if rest >= 0 and rest <= 1 and power >= -4 and power <= 23 and bits & 3 == 1 and bits << cut == top:
        bits -= 1  # exactly between two floats: round to the even one
    bits = (bits + (bits & 1)) >> 1
    return min((exponent << 52) + (bits - _HIDDEN), np.int64(_INFINITE))


@kernel
def _scale(limbs, start, used, factor, addend):
    """Multiply the number in `used` limbs of 32 bits by `factor` < 2**31 and add `addend`; return the limbs used."""
    at = start
    while at < start + used:
        addend += limbs[at] * factor
        limbs[at] = addend & 0xFFFFFFFF
        addend >>= 32
        at += 1
    if addend:
        limbs[at] = addend
        used += 1
    return used


@kernel
def _raise(limbs, start, used, base, power):
    """Multiply the number by `base**power`, where base is 5 or 2; return the number of limbs used."""
    while power > 0:
        factor = np.int64(1)
        while power > 0 and factor < 1 << 28:
            factor *= base
            power -= 1
        used = _scale(limbs, start, used, factor, np.int64(0))
    return used


@outlined(arrays=True)
def _round_long(octets, first, point, last, exponent, bits):
    """Return the bits of the float nearest to a text between the float of `bits` and the next one, compared exactly."""
    limbs = np.empty(2 * _EXACT_LIMBS, dtype=np.int64)  # of the text, then of the midpoint
    used = digits = np.int64(0)
    dropped = False
    power = exponent
    at = first
    while at < last:
        digit = np.int64(octets[at]) - _ZERO
        if at == point:
            pass
        elif digits < _EXACT_DIGITS:
            digits += digits > 0 or digit > 0
            used = _scale(limbs, np.int64(0), used, np.int64(10), digit)
            power -= at > point
        else:
            dropped |= digit != 0
            power += at < point
        at += 1
    odd = (bits & _FRACTION | (_HIDDEN if bits >> 52 else 0)) * 2 + 1
    two = max(bits >> 52, np.int64(1)) - 1076  # the midpoint is odd * 2**two
    limit = np.int64(_EXACT_LIMBS)
    limbs[limit] = odd & 0xFFFFFFFF
    limbs[limit + 1] = odd >> 32
    limit_used = np.int64(1) + (odd >> 32 > 0)
    used = _raise(limbs, np.int64(0), used, np.int64(5), power)
    used = _raise(limbs, np.int64(0), used, np.int64(2), power - two)
    limit_used = _raise(limbs, limit, limit_used, np.int64(5), -power)
    limit_used = _raise(limbs, limit, limit_used, np.int64(2), two - power)
    if used != limit_used:
        return bits + (used > limit_used)
    while used > 0:
        used -= 1
        if limbs[used] != limbs[limit + used]:
            return bits + (limbs[used] > limbs[limit + used])
    return bits + (dropped or bits & 1 == 1)


@outlined
def parse_real(octets, start, size):
    """Parse the span as a float64, rounded to the nearest; return `(value, ok)`.

    Decimals with or without a point and an exponent are accepted, hexadecimal numbers (`hexadecimals.py`), and `inf` or
    `infinity` in any case, all with an optional sign. NaN and spaces are refused, and, as in Redis, a finite number
    that would become infinite and a number other than zero that would become zero.
    """
    ok, negative, first, point, last, exponent, mantissa, power, dropped = scan_decimal(octets, start, size)
    if not ok:
        rest = start + size - first
        if rest == 8:
            ok = load64(octets, first) | _SPACES == _INFINITY
        elif rest == 3:
            ok = octets[first] | 32 == 105 and octets[first + 1] | 32 == 110 and octets[first + 2] | 32 == 102
        value = np.inf if ok else 0.0
        if is_hexadecimal(octets, first, start + size):
            value, ok, exact = parse_hexadecimal(octets, first, start + size)
            ok &= exact or (value > 0.0 and value < np.inf)
    elif mantissa == 0:
        value = 0.0
    elif mantissa <= 1 << 53 and power >= -22 and power <= 22 and not dropped:
        value = mantissa / _TENS[-power] if power < 0 else mantissa * _TENS[power]
    else:
        bits = _nearest(mantissa, power)
        if dropped and bits != _nearest(mantissa + 1, power):
            bits = _round_long(octets, first, point, last, exponent, bits)
        ok = bits > 0 and bits < _INFINITE
        value = np.int64(bits).view(np.float64) if ok else 0.0
    return -value if negative else value, ok


@kernel
def _odd(high, low, word):
    """Return the top 64 bits of a 192-bit product, with the lowest bit set if any bit below them is set."""
    carried = multiply_high(low, word)
    rest = high * word
    top = multiply_high(high, word) + _carries(rest, carried)
    rest += carried
    return top | (rest < 0 or rest > 1)


@kernel
def shortest(bits):
    """Return the shortest digits of a finite float above zero as `(digits, k)`: the value is digits * 10**k.

    `bits` are the 64 bits of the float. The digits may end in zeros.
    """
    fraction = bits & _FRACTION
    field = bits >> 52
    even = fraction & 1 == 0
    c = fraction | (_HIDDEN if field else 0)
    q = max(field, np.int64(1)) - 1075
    closer = fraction == 0 and field > 1  # the float below is at half the distance
    k = (q * 1262611 - (524031 if closer else 0)) >> 22  # floor(log10 of the distance to the next)
    h = q + (-k * 1741647 >> 19) + 1
    high, low = five(-k)
    if k > 0 or k < -55:  # the power is not exact, and the proof needs it rounded up
        low += 1
        high += low == 0
    lower = _odd(high, low, (4 * c - 2 + closer) << h) + (not even)
    v = _odd(high, low, 4 * c << h)
    upper = _odd(high, low, (4 * c + 2) << h) - (not even)
    s = v >> 2
    tens = s // 10
    under = lower <= 40 * tens
    over = 40 * tens + 40 <= upper
    if s >= 10 and under != over:
        return tens + over, k + 1
    under = lower <= 4 * s
    over = 4 * s + 4 <= upper
    if under != over:
        return s + over, k
    return s + (v & 3 == 3 or v & 7 == 6), k


@outlined
def print_real(octets, target, value):
    """Write `value` at `target` in the form of Redis; return the size of the text.

    Bytes behind the text may change as well, up to `REAL_SIZE_MAX` bytes from `target`.
    """
    bits = np.float64(value).view(np.int64)
    if value >= -4611686018427387904.0 and value <= 4611686018427387904.0 and bits << 1 != 0:
        whole = np.int64(value)
        if np.float64(whole) == value:
            return print_integer(octets, target, whole)
    at = target
    if bits < 0:
        octets[at] = _MINUS
        at += 1
        bits &= 0x7FFFFFFFFFFFFFFF
    if bits == 0:
        octets[at] = _ZERO
        return at + 1 - target
    if bits >= _INFINITE:
        if bits > _INFINITE:
            octets[target], octets[target + 1], octets[target + 2] = 110, 97, 110
            return np.int64(3)
        octets[at], octets[at + 1], octets[at + 2] = 105, 110, 102
        return at + 3 - target
    digits, k = shortest(bits)
    size = print_integer(octets, at, digits)
    while octets[at + size - 1] == _ZERO:
        size -= 1
        k += 1
    e = k + size - 1
    if k >= 0 and e < size + 7:
        fill(octets, at + size, _ZERO, k)
        return at + size + k - target
    if k < 0 and (k > -7 or abs(e) < 4):
        before = size + k
        if before > 0:
            move(octets, at + before + 1, at + before, -k)
            octets[at + before] = _POINT
            return at + size + 1 - target
        move(octets, at + 2 - before, at, size)
        fill(octets, at, _ZERO, 2 - before)
        octets[at + 1] = _POINT
        return at + size + 2 - before - target
    if size > 1:
        move(octets, at + 2, at + 1, size - 1)
        octets[at + 1] = _POINT
        size += 1
    at += size
    octets[at] = _E
    octets[at + 1] = _MINUS if e < 0 else _PLUS
    return at + 2 + print_integer(octets, at + 2, abs(e)) - target
