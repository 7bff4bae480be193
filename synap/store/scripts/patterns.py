"""The matcher for patterns of Lua that can be interrupted.

It looks at the clock as the hook does (`script_calls.goes_on`); `pattern_calls.py` says which patterns it gets. Where
an item of the pattern leaves a choice, an entry on a stack in the region WORDS notes how to go on, so no recursion is
needed, and no pattern is too deep:

    MAX      start, count, item, behind it    the item matched `count` times, and may match fewer times
    MIN      start, item, behind it           the item may match once more
    OTHER    start, behind it                 the item may match not at all
    OPENED                                    a capture was opened: it is none
    CLOSED   number                           a capture was closed: it is open

Source: Lua 5.1 Reference Manual, section 5.4.1.
"""

from synap.compiler.jit import kernel, outlined
from synap.store.memory.layout import WORDS
from synap.store.scripts.script_calls import goes_on

STEPS = 1 << 16  # between two looks at the clock

ESCAPE, OPEN, CLOSE, SET, SET_END, ANY, STAR, PLUS, MINUS, MAYBE, CARET, DOLLAR = b"%()[].*+-?^$"
SMALL_A, SMALL_B, SMALL_C, SMALL_D, SMALL_F, SMALL_L, SMALL_P, SMALL_S, SMALL_U, SMALL_W, SMALL_X, SMALL_Z = (
    b"abcdflpsuwxz"
)
ZERO, NINE = b"09"

# Faults, as the negative numbers that `search` returns to Lua.
(
    ENDS_WITH_ESCAPE, NO_SET_END, NO_CAPTURE, NO_INDEX, UNBALANCED, NO_FRONTIER, CAPTURES, TOO_LARGE,
) = range(-1, -9, -1)  # fmt: skip
"""The order of the texts in `patterns.lua`."""
FAILED = -100

CAPTURES_MAX = 32
IS_OPEN, IS_PLACE = -1, -2  # lengths of a capture that is not closed, or only a place
STARTS, LENGTHS = WORDS, WORDS + CAPTURES_MAX
LEVEL, TOP, COUNTED = WORDS + 2 * CAPTURES_MAX, WORDS + 2 * CAPTURES_MAX + 1, WORDS + 2 * CAPTURES_MAX + 2
STACK = WORDS + 2 * CAPTURES_MAX + 4
MAX, MIN, OTHER, OPENED, CLOSED, ENTRY = 1, 2, 3, 4, 5, 5


@kernel
def is_in_class(c, letter):
    """Return whether a byte is in the class of a letter, as `%a`; a letter that names no class stands for itself."""
    low = letter | 32
    alpha = 97 <= c | 32 <= 122
    digit = 48 <= c <= 57
    if low == SMALL_A:
        found = alpha
    elif low == SMALL_C:
        found = c < 32 or c == 127
    elif low == SMALL_D:
        found = digit
    elif low == SMALL_L:
        found = 97 <= c <= 122
    elif low == SMALL_P:
        found = 33 <= c <= 126 and not alpha and not digit
    elif low == SMALL_S:
        found = c == 32 or 9 <= c <= 13
    elif low == SMALL_U:
        found = 65 <= c <= 90
    elif low == SMALL_W:
        found = alpha or digit
    elif low == SMALL_X:
        found = digit or 97 <= c | 32 <= 102
    elif low == SMALL_Z:
        found = c == 0
    else:
        return letter == c
    return found != (65 <= letter <= 90)


@kernel
def item_end(p, size, at):
    """Return the place behind the single-character item at `at` of the pattern, or a fault."""
    c = p[at]
    at += 1
    if c == ESCAPE:
        return at + 1 if at < size else ENDS_WITH_ESCAPE
    if c != SET:
        return at
    if at < size and p[at] == CARET:
        at += 1
    while True:  # look for the end; the first byte is never it
        if at >= size:
            return NO_SET_END
        c = p[at]
        at += 1
        if c == ESCAPE and at < size:
            at += 1
        if at < size and p[at] == SET_END:
            return at + 1


@kernel
def is_in_set(c, p, at, end):
    """Return whether a byte is in the set that begins at `at` of the pattern and whose `]` is at `end`."""
    wanted = True
    if p[at + 1] == CARET:
        wanted = False
        at += 1
    at += 1
    while at < end:
        if p[at] == ESCAPE:
            at += 1
            if is_in_class(c, p[at]):
                return wanted
        elif p[at + 1] == MINUS and at + 2 < end:
            if p[at] <= c <= p[at + 2]:
                return wanted
            at += 2
        elif p[at] == c:
            return wanted
        at += 1
    return not wanted


@kernel
def matches_one(s, place, end, p, at, behind):
    """Return whether the byte at `place` of the text matches the item from `at` to `behind` of the pattern."""
    if place >= end:
        return False
    c = s[place]
    first = p[at]
    if first == ANY:
        return True
    if first == ESCAPE:
        return is_in_class(c, p[at + 1])
    if first == SET:
        return is_in_set(c, p, at, behind - 1)
    return first == c


@kernel
def push_choice(words, kind, start, count, item, behind):
    """Push an entry of the stack."""
    top = words[TOP]
    words[top] = kind
    words[top + 1] = start
    words[top + 2] = count
    words[top + 3] = item
    words[top + 4] = behind
    words[TOP] = top + ENTRY


@kernel
def next_choice(words, s, end, p):
    """Take back to the last choice; return (place in the text, in the pattern) to go on from, or (-1, -1)."""
    while words[TOP] > STACK:
        top = words[TOP] - ENTRY
        kind = words[top]
        start = words[top + 1]
        behind = words[top + 4]
        if kind == MAX and words[top + 2]:
            words[top + 2] -= 1
            return start + words[top + 2], behind + 1
        if kind == MIN:
            words[COUNTED] += behind - words[top + 3]
        if kind == MIN and matches_one(s, start, end, p, words[top + 3], behind):
            words[top + 1] = start + 1
            return start + 1, behind + 1
        words[TOP] = top
        if kind == OTHER:
            return start, behind
        if kind == OPENED:
            words[LEVEL] -= 1
        elif kind == CLOSED:
            words[LENGTHS + start] = IS_OPEN
    return -1, -1


@kernel
def tick(words, state, steps):
    """Count steps, and look at the clock now and then; return False if the script has to end."""
    words[COUNTED] += steps
    if words[COUNTED] < STEPS:
        return True
    words[COUNTED] = 0
    return goes_on(words, state)


@kernel
def balanced_end(words, s, place, end, opening, closing):
    """Return the place behind the text from `place` on with as many of one byte as of another, or FAILED."""
    if place >= end or s[place] != opening:
        return FAILED
    depth = 1
    while True:
        place += 1
        words[COUNTED] += 1
        if place >= end:
            return FAILED
        if s[place] == closing:
            depth -= 1
            if depth == 0:
                return place + 1
        elif s[place] == opening:
            depth += 1


@kernel
def same_as_capture(words, s, place, end, number):
    """Return the place behind a repetition of a capture, FAILED, or a fault."""
    if number < 0 or number >= words[LEVEL] or words[LENGTHS + number] == IS_OPEN:
        return NO_INDEX
    size = words[LENGTHS + number]
    start = words[STARTS + number]
    if size < 0 or end - place < size:
        return FAILED
    for i in range(size):
        if s[start + i] != s[place + i]:
            return FAILED
    return place + size


@kernel
def step(words, state, s, place, end, p, size, at):
    """Match the item at `at` of the pattern; return (place in the text, in the pattern) behind it.

    The place is FAILED, or a fault, if it does not match.
    """
    c = p[at]
    if c == OPEN:
        level = words[LEVEL]
        if level == CAPTURES_MAX:
            return CAPTURES, at
        only_place = at + 1 < size and p[at + 1] == CLOSE
        words[STARTS + level] = place
        words[LENGTHS + level] = IS_PLACE if only_place else IS_OPEN
        words[LEVEL] = level + 1
        push_choice(words, OPENED, 0, 0, 0, 0)
        return place, at + 2 if only_place else at + 1
    if c == CLOSE:
        number = words[LEVEL] - 1
        while number >= 0 and words[LENGTHS + number] != IS_OPEN:
            number -= 1
        if number < 0:
            return NO_CAPTURE, at
        words[LENGTHS + number] = place - words[STARTS + number]
        push_choice(words, CLOSED, number, 0, 0, 0)
        return place, at + 1
    if c == DOLLAR and at + 1 == size:
        return place if place == end else FAILED, at + 1
    if c == ESCAPE and at + 1 < size:
        letter = p[at + 1]
        if letter == SMALL_B:
            if at + 3 >= size:
                return UNBALANCED, at
            return balanced_end(words, s, place, end, p[at + 2], p[at + 3]), at + 4
        if letter == SMALL_F:
            at += 2
            if at >= size or p[at] != SET:
                return NO_FRONTIER, at
            behind = item_end(p, size, at)
            if behind < 0:
                return behind, at
            before = s[place - 1] if place > 0 else 0
            here = s[place] if place < end else 0
            fits = not is_in_set(before, p, at, behind - 1) and is_in_set(here, p, at, behind - 1)
            return place if fits else FAILED, behind
        if ZERO <= letter <= NINE:
            return same_as_capture(words, s, place, end, int(letter) - ZERO - 1), at + 2
    behind = item_end(p, size, at)
    if behind < 0:
        return behind, at
    one = matches_one(s, place, end, p, at, behind)
    words[COUNTED] += (behind - at) >> 2
    how = p[behind] if behind < size else 0
    if how == MAYBE:
        if one:
            push_choice(words, OTHER, place, 0, 0, behind + 1)
            return place + 1, behind + 1
        return place, behind + 1
    if how == STAR or how == PLUS:
        if how == PLUS:
            if not one:
                return FAILED, at
            place += 1
        count = 0
        while matches_one(s, place + count, end, p, at, behind):
            count += 1
            if count & 0xFFF == 0 and not tick(words, state, (behind - at) << 12):
                return TOO_LARGE, at
        push_choice(words, MAX, place, count, at, behind)
        return place + count, behind + 1
    if how == MINUS:
        push_choice(words, MIN, place, 0, at, behind)
        return place, behind + 1
    return place + 1 if one else FAILED, behind


@outlined
def match_at(words, state, s, start, end, p, size, at):
    """Match the pattern from `at` on at one place of the text; return the place behind the match, FAILED, or a fault.
    """
    words[LEVEL] = 0
    words[TOP] = STACK
    place = start
    while at < size:
        if not tick(words, state, 1):
            return TOO_LARGE
        place, at = step(words, state, s, place, end, p, size, at)
        if place == FAILED:
            place, at = next_choice(words, s, end, p)
            if place < 0:
                return FAILED
        elif place < 0:
            return place
    return place


@kernel
def plain_at(words, state, s, start, end, p, size):
    """Return the place of the text `p` from `start` on, or FAILED."""
    while start + size <= end:
        i = 0
        while i < size and s[start + i] == p[i]:
            i += 1
        if i == size:
            return start
        if not tick(words, state, i + 1):
            return FAILED
        start += 1
    return FAILED
