"""Ids of entries: `ms-seq`, two unsigned numbers of 64 bits, which stand in int64 by their bits.

Redis reads each number as C's strtoull does: white space and a plus before it, and zeros, count for nothing.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.integers import print_integer
from synap.store.memory import arena
from synap.store.memory.tapes import add_text, text_at, text_size

LAST = -1  # the bits of the largest unsigned number
ID_TEXT_MAX = 41  # bytes of the longest id as text
TEXT_MAX = 127  # bytes of the longest text that Redis reads as an id
_SIGN = np.int64(-(1 << 63))
_TEN = np.uint64(10)
_MINUS, _PLUS, _STAR, _ZERO, _SPACE = 45, 43, 42, 48, 32
_HEAD_MAX, _DIGIT_MAX = np.uint64(1844674407370955161), 5  # the largest number without its last digit, and that digit
_TEXTS_FIRST, _TEXTS_MOST = 8, 1024  # ids of which the first block of texts has room, and the largest

WRONG, GIVEN, WHOLE, NEXT_SEQ = 0, 1, 2, 3
"""What a text is: no id, `ms`, `ms-seq`, `ms-*`."""


@kernel
def below(a, b):
    """Return True if one unsigned number is less than another."""
    return (a ^ _SIGN) < (b ^ _SIGN)


@kernel
def compare(a_ms, a_seq, b_ms, b_seq):
    """Return -1, 0 or 1: an id is before another, equal to it, or behind it."""
    if a_ms != b_ms:
        return -1 if below(a_ms, b_ms) else 1
    if a_seq != b_seq:
        return -1 if below(a_seq, b_seq) else 1
    return 0


@kernel
def following(ms, seq):
    """Return the id behind another one; 0-0 behind the last."""
    seq += 1
    return (ms + 1 if seq == 0 else ms), seq


@kernel
def preceding(ms, seq):
    """Return the id before another one; the last before 0-0."""
    return (ms - 1 if seq == 0 else ms), seq - 1


@kernel
def _number(octets, at, end):
    """Return (number, is one) of a text of digits."""
    while at < end and (octets[at] == _SPACE or 9 <= octets[at] <= 13):
        at += 1
    if at < end and octets[at] == _PLUS:
        at += 1
    if at == end:
        return np.int64(0), False
    value = np.uint64(0)
    for i in range(at, end):
        digit = np.int64(octets[i]) - _ZERO
        if digit < 0 or digit > 9 or value > _HEAD_MAX or (value == _HEAD_MAX and digit > _DIGIT_MAX):
            return np.int64(0), False
        value = value * _TEN + np.uint64(digit)
    return np.int64(value), True


@outlined
def parse(octets, at, size, missing):
    """Return (WRONG, GIVEN, WHOLE or NEXT_SEQ; ms; seq) of a text; `missing` is the seq of an id without one."""
    if size > TEXT_MAX:
        return WRONG, np.int64(0), np.int64(0)
    end = dash = at
    while end < at + size and octets[end]:  # as for C, a zero ends the text
        end += 1
    while dash < end and octets[dash] != _MINUS:
        dash += 1
    ms, good = _number(octets, at, dash)
    if not good:
        return WRONG, ms, np.int64(0)
    if dash == end:
        return GIVEN, ms, np.int64(missing)
    if end - dash == 2 and octets[dash + 1] == _STAR:
        return NEXT_SEQ, ms, np.int64(0)
    seq, good = _number(octets, dash + 1, end)
    return (WHOLE if good else WRONG), ms, seq


@kernel
def is_sign(octets, at, size, sign):
    """Return True if a text is this one character."""
    return size == 1 and octets[at] == sign


@kernel
def strict(words, octets, tape, slot, missing):
    """Return (is an id, ms, seq) of the text in this slot of a tape, which is no `-`, `+` or `ms-*`."""
    what, ms, seq = parse(octets, text_at(words, tape, slot), text_size(words, tape, slot), missing)
    return what == GIVEN or what == WHOLE, ms, seq


@kernel
def lenient(octets, at, size, missing):
    """Return (is an id, ms, seq) of a text, for which `-` and `+` are the first and the last id."""
    if is_sign(octets, at, size, _MINUS):
        return True, np.int64(0), np.int64(0)
    if is_sign(octets, at, size, _PLUS):
        return True, np.int64(LAST), np.int64(LAST)
    what, ms, seq = parse(octets, at, size, missing)
    return what == GIVEN or what == WHOLE, ms, seq


@kernel
def bound(words, octets, tape, slot, missing, edge):
    """Return (is a bound, ms, seq) of an end of a range in this slot of a tape.

    Behind a `(` stands the id next to it: `edge` is 1 for the start of the range, -1 for its end. Redis refuses as such
    an id the last one as a start, and the first one as an end: then the first result is -1 or -2.
    """
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    if size == 0 or octets[at] != 40:
        good, ms, seq = lenient(octets, at, size, missing)
        return (1 if good else 0), ms, seq
    what, ms, seq = parse(octets, at + 1, size - 1, missing)
    if what != GIVEN and what != WHOLE:
        return 0, ms, seq
    if edge > 0:
        if ms == LAST and seq == LAST:
            return -1, ms, seq
        ms, seq = following(ms, seq)
        return 1, ms, seq
    if ms == 0 and seq == 0:
        return -2, ms, seq
    ms, seq = preceding(ms, seq)
    return 1, ms, seq


@kernel
def print_unsigned(octets, target, value):
    """Write an unsigned number in decimal; return the octet behind it."""
    if value >= 0:
        return target + print_integer(octets, target, value)
    head = np.int64(np.uint64(value) // _TEN)
    target += print_integer(octets, target, head)
    octets[target] = _ZERO + value - head * 10
    return target + 1


@kernel
def print_id(octets, target, ms, seq):
    """Write an id as text; return its size."""
    at = print_unsigned(octets, target, ms)
    octets[at] = _MINUS
    return print_unsigned(octets, at + 1, seq) - target


@kernel
def room_for_text(words, reply, at, end):
    """Return (octet, end) of space for the text of one more id of a reply: at `at`, or in a new block.

    The blocks are freed with the reply, and grow with it. The first call gets (0, 0); the octet is 0 without memory.
    """
    if at + ID_TEXT_MAX <= end:
        return at, end
    wanted = min(max(words[reply + 1], _TEXTS_FIRST), _TEXTS_MOST) * ID_TEXT_MAX
    block = arena.allocate(words, (wanted + 7) >> 3)
    if block == 0:
        return np.int64(0), np.int64(0)
    arena.release_later(words, block)
    return block * 8, block * 8 + wanted


@kernel
def add_id(words, octets, reply, at, ms, seq):
    """Add an id to the reply, whose text is written at octet `at`; return the octet behind it."""
    size = print_id(octets, at, ms, seq)
    add_text(words, reply, at, size, 0)
    return at + size
