r"""Glob patterns over bytes, with the meaning of Redis' `stringmatchlen`.

    *        any bytes, also none         [abc]  one of these     [^abc]  none of these
    ?        one byte                     [a-z]  a range, its ends in any order
    \x       the byte x                   [\]]   an escaped byte in a class

A class without its `]` reaches to the end of the pattern. A `\` at the end of the pattern stands for itself. A `-` with
two bytes around it is a range, even if the right one is `]` (so `[a-]` is an open class). `nocase` folds ASCII letters,
but not an escaped byte in a class; the ends of a range are put in order first and folded afterwards. Ranges compare
unsigned bytes on every machine.

The algorithm: every element but `*` matches exactly one byte, so when a match fails, it is enough that the last `*`
takes one byte more; the elements before that `*` have matched as early as they can. No recursion and no stack is
needed. The cost is at most the size of the text times the longest run of elements between two stars (Redis stops at
1000 nested stars instead). The byte after a `*` is searched for eight bytes at a time.

One difference to Redis, whose loop is not entered for an empty text: `*` matches the empty text.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load64

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _RANGE, _ESCAPE = 42, 63, 91, 93, 94, 45, 92
_ONES = 0x0101010101010101
_HIGHS = -0x7F7F7F7F7F7F7F80  # 0x8080... as int64


@kernel
def _lower(byte, nocase):
    if nocase and byte >= 65 and byte <= 90:
        return byte + 32
    return byte


@kernel
def _in_class(octets, at, end, byte, nocase):
    """Return (whether `byte` is in the class whose `[` lies before `at`, index behind the class)."""
    negated = at < end and octets[at] == _NOT
    if negated:
        at += 1
    folded = _lower(byte, nocase)
    found = False
    while at < end:
        first = np.int64(octets[at])
        if first == _ESCAPE and at + 1 < end:
            found |= octets[at + 1] == byte
            at += 2
        elif first == _CLOSE:
            return found != negated, at + 1
        elif at + 2 < end and octets[at + 1] == _RANGE:
            last = np.int64(octets[at + 2])
            low = _lower(min(first, last), nocase)
            high = _lower(max(first, last), nocase)
            found |= low <= folded and folded <= high
            at += 3
        else:
            found |= _lower(first, nocase) == folded
            at += 1
    return found != negated, at


@kernel
def _seek(octets, wanted, at, end, nocase):
    """Return the first index from `at` on where the pattern's element at `wanted` can match, or `end`."""
    byte = np.int64(octets[wanted])
    if nocase or byte == _ANY or byte == _OPEN or byte == _ESCAPE or byte == _STAR:
        return at
    spread = byte * _ONES
    while at + 8 <= end:
        word = load64(octets, at) ^ spread
        if (word - _ONES) & ~word & _HIGHS:
            break
        at += 8
    while at < end and octets[at] != byte:
        at += 1
    return at


@kernel
def matches(octets, pattern, pattern_size, text, text_size, nocase):
    """Return True if the whole text matches the pattern. Both are spans of `octets`."""
    pattern_end = pattern + pattern_size
    text_end = text + text_size
    resume = np.int64(-1)  # index in the pattern behind the last star, once there was one
    retry = text  # index in the text behind the bytes that this star has matched
    while True:
        wanted = np.int64(octets[pattern]) if pattern < pattern_end else np.int64(-1)
        if wanted == _STAR:
            pattern += 1
            if pattern == pattern_end:
                return True
            resume = pattern
            text = retry = _seek(octets, resume, text, text_end, nocase)
            continue
        if text == text_end:
            return wanted < 0
        byte = np.int64(octets[text])
        pattern += 1
        if wanted == _OPEN:
            matched, pattern = _in_class(octets, pattern, pattern_end, byte, nocase)
        elif wanted == _ANY:
            matched = True
        else:
            if wanted == _ESCAPE and pattern < pattern_end:
                wanted = np.int64(octets[pattern])
                pattern += 1
            matched = _lower(wanted, nocase) == _lower(byte, nocase)
        if matched:
            text += 1
        elif resume < 0:
            return False
        else:
            pattern = resume
            text = retry = _seek(octets, resume, retry + 1, text_end, nocase)
