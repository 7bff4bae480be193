"""Grammar of arguments: one machine that fills the tape of any row from the RESP words of a command.

The grammar of `synap/arguments.py` is compiled (`synap/derive/heap_image.py`) into instructions of six int64 that lie
in the heap; `fill` carries them out. No command has parsing code of its own. The machine jumps instead of recursing:
numba compiles a recursive walk once for every constant that it is called with (measured: 73 s instead of 1 s for this
file).

    op  slot  a  b  c  refusal

    TEXT INT REAL TIMEOUT   read one word into `slot`; an INT with b = 1 must be at least `a`,
                a TIMEOUT with b = 1 is an integer in ms
    CHOICE      read one word, one of the `b` texts at `a` (pairs of octet, size): its number goes into `slot`
    IF_TOKEN    if the next word is the text (a, b), skip it; else go to c
    IF_LEFT     go to c unless more than `a` words are left, and at most `b` if it is not 0
    IF_CHOICE   go to c unless the next word is one of the `b` texts at `a`
    NEED        refuse unless at least `a` words are left
    SET         slot = a
    CLEAR       `a` slots = 0: a Token is repeated and may bring fewer words than before
    CHOOSE      slot = a; refuse if another alternative was chosen (b = 1: if any was chosen, b = 2: never,
                b = 3: never, and the number keeps the bits of the earlier choice)
    REQUIRE     refuse if the slot is 0
    JUMP        go to c
    TEXTS       read all words but the last `a` as a group of single texts, at least b
    GROUP       begin a group of items, counted in `slot`. If an item has `a` words, refuse unless the
                words before the last `b` are a whole number of items, at least `c`
    LIKE        begin a group of as many items (of at least `b` words) as the group of slot a has
    COUNTED     begin a group whose count is the next word: at least `b` items of `c` words; `a` is the
                refusal of a word that is no number, and, shifted by PAIR_SHIFT, of a count above the words left
    ITEM        begin an item of `a` slots, or go to c if no more than `b` words are left (or all items are
                read); the slots of the instructions that follow are those of the item
    END         end the group: refuse if it has fewer than `b` items
    AGAIN       begin an item of `a` slots in a group that other options may interrupt
    OUTSIDE     slots are those of the row again
    SKIP        skip the next word, which belongs to the name of the row
    HALVES      read 2 n words, up to the end, as n items: first all words of kind a (op, slot), then all of kind b
    JUDGED      INT (REAL if b is 1) that may be no number: then slot a of the row is marked UNREADABLE, and the row
                decides on the refusal; the INT is 0, the REAL is NaN
    CURSOR      TEXT that must be a valid cursor
    LAST        TIMEOUT whose refusal counts only if no other word is refused
    ALL         refuse if words are left

When the machine refuses a word, CURSOR_TOP is set to the number of that word, which some refusals name.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels.integers import parse_cursor, parse_integer
from synap.kernels.reals import parse_real
from synap.kernels.spans import bits_of
from synap.ranges import TAPE_WORDS_MAX, TIMEOUT_MS_MAX
from synap.store.memory.layout import CURSOR_TOP, MARK_BITS, PRESENT, UNREADABLE, WORDS
from synap.store.memory.refusals import NEGATIVE_TIMEOUT, SYNTAX, TOO_MANY_WORDS

TEXT, INT, REAL, TIMEOUT, CHOICE = 1, 2, 3, 4, 5
IF_TOKEN, IF_LEFT, IF_CHOICE, SET, CHOOSE, REQUIRE, JUMP = 6, 7, 8, 9, 10, 11, 12
TEXTS, GROUP, COUNTED, ITEM, END, AGAIN, OUTSIDE, HALVES = 13, 14, 15, 16, 17, 18, 19, 20
CLEAR, LIKE, SKIP, NEED, JUDGED, CURSOR, ALL, LAST = 21, 22, 23, 24, 25, 26, 27, 28
ANY, NONE, BOTH = 1, 2, 3  # earlier choices that CHOOSE refuses (its b); 0: others than the one chosen
SIMPLE_LAST = CHOICE
OP, SLOT, A, B, C, FAULT, SIZE = range(7)
NOT_A_NUMBER = 0x7FF8 << 48  # the bits of a NaN
PAIR_SHIFT, PAIR_MASK = 32, (1 << 32) - 1  # two numbers in one: op | slot << 32, refusal | refusal << 32


@kernel
def equals(octets, at, size, word, word_size):
    """Return True if the text at `at` equals `word` in any case; `word` is stored in capitals."""
    if size != word_size:
        return False
    for i in range(size):
        c = octets[at + i]
        if 97 <= c <= 122:
            c -= 32
        if c != octets[word + i]:
            return False
    return True


@kernel
def choose(words, octets, start, size, texts, count):
    """Return the number (from 1) of the text in `texts` that equals the word, or 0."""
    for i in range(count):
        if equals(octets, start, size, words[texts + 2 * i], words[texts + 2 * i + 1]):
            return i + 1
    return 0


@inlined
def take(words, octets, op, start, size, tape, slot, texts, count, refusal):
    """Read one word as a simple kind into `slot`; return 0 or the refusal."""
    if op == TEXT:
        words[tape + slot] = start - words[tape - 1]
        words[tape + slot + 1] = size << MARK_BITS | PRESENT
        return np.int64(0)
    if op == INT:
        value, valid = parse_integer(octets, start, size)
        if not valid or (count and value < texts):
            return refusal
        words[tape + slot] = value
        return np.int64(0)
    if op == CHOICE:
        number = choose(words, octets, start, size, texts, count)
        words[tape + slot] = number
        return refusal if number == 0 else np.int64(0)
    if op == TIMEOUT and count:
        value, valid = parse_integer(octets, start, size)
        if not valid or value >= TIMEOUT_MS_MAX:
            return refusal
        words[tape + slot] = value
        return np.int64(NEGATIVE_TIMEOUT if value < 0 else 0)
    real, valid = parse_real(octets, start, size)
    if not valid:
        return refusal
    if op == REAL:
        words[tape + slot] = bits_of(real)
        return np.int64(0)
    if real < 0:
        return np.int64(NEGATIVE_TIMEOUT)
    if not real * 1000.0 < TIMEOUT_MS_MAX:
        return refusal
    words[tape + slot] = np.int64(np.ceil(real * 1000.0))
    return np.int64(0)


@kernel
def stopped(words, word, refusal):
    """Note the number of the word that is refused; return the refusal."""
    words[CURSOR_TOP] = word
    return refusal


@kernel
def clear(words, tape, count):
    """Set `count` slots to 0."""
    for i in range(count):
        words[tape + i] = 0


@kernel
def fill(words, octets, schema, schema_end, slots, count, tape):
    """Fill the tape of a row from the words 1 to `count` - 1 in WORDS; return 0 or the refusal.

    The blob of the tape starts at word 1. On success CURSOR_TOP is set to the size of the tape in words.
    """
    top = slots
    word = 1
    base = 0  # first slot of the current item, 0 outside of items
    wanted = np.int64(-1)  # items still to come in a counted group
    late = np.int64(0)  # the refusal of LAST
    words[tape - 1] = words[WORDS + 2] if count > 1 else 0
    clear(words, tape, slots)
    at = schema
    while at < schema_end:
        op = words[at + OP]
        slot = base + words[at + SLOT]
        place = WORDS + 2 * word
        following = at + SIZE
        if op <= SIMPLE_LAST:
            if word >= count:
                return np.int64(SYNTAX)
            refusal = take(
                words, octets, op, words[place], words[place + 1], tape, slot,
                words[at + A], words[at + B], words[at + FAULT],
            )  # fmt: skip
            if refusal:
                return stopped(words, word, refusal)
            word += 1
        elif op == IF_TOKEN:
            if word < count and equals(octets, words[place], words[place + 1], words[at + A], words[at + B]):
                word += 1
            else:
                following = words[at + C]
        elif op == IF_LEFT:
            most = words[at + B]
            if count - word <= words[at + A] or (most and count - word > most):
                following = words[at + C]
        elif op == IF_CHOICE:
            if word >= count or not choose(
                words, octets, words[place], words[place + 1], words[at + A], words[at + B]
            ):
                following = words[at + C]
        elif op == SET:
            words[tape + slot] = words[at + A]
        elif op == CHOOSE:
            chosen = words[tape + slot]
            clash = words[at + B]
            if clash == BOTH:
                words[tape + slot] |= words[at + A]
            elif chosen and clash != NONE and ((chosen & ~UNREADABLE) != words[at + A] or clash == ANY):
                return stopped(words, word, words[at + FAULT])
            else:
                words[tape + slot] = words[at + A]
        elif op == CLEAR:
            clear(words, tape + slot, words[at + A])
        elif op == REQUIRE:
            if words[tape + slot] == 0:
                return words[at + FAULT]
        elif op == JUMP:
            following = words[at + C]
        elif op == TEXTS:
            number = count - word - words[at + A]
            if number < words[at + B]:
                return words[at + FAULT]
            if top + 2 * number > TAPE_WORDS_MAX:
                return np.int64(TOO_MANY_WORDS)
            words[tape + slot] = number
            words[tape + slot + 1] = top
            start = words[tape - 1]
            for i in range(number):
                words[tape + top] = words[place + 2 * i] - start
                words[tape + top + 1] = words[place + 2 * i + 1] << MARK_BITS | PRESENT
                top += 2
            word += number
        elif op == GROUP:
            wanted = np.int64(-1)
            words[tape + slot + 1] = top
            size = words[at + A]
            if size:
                left = count - word - words[at + B]
                if left % size or left < words[at + C] * size:
                    return words[at + FAULT]
        elif op == LIKE:
            words[tape + slot + 1] = top
            wanted = words[tape + words[at + A]]
            if wanted * words[at + B] > count - word:
                return words[at + FAULT]
        elif op == COUNTED:
            words[tape + slot + 1] = top
            if word >= count:
                return np.int64(SYNTAX)
            wanted, valid = parse_integer(octets, words[place], words[place + 1])
            if not valid:
                return words[at + A] & PAIR_MASK
            if wanted < words[at + B]:
                return words[at + FAULT]
            word += 1
            if wanted > (count - word) // words[at + C]:
                return words[at + A] >> PAIR_SHIFT
        elif op == ITEM:
            slot = words[at + SLOT]
            if wanted == 0 or (wanted < 0 and count - word <= words[at + B]):
                following = words[at + C]
            else:
                if top + words[at + A] > TAPE_WORDS_MAX:
                    return np.int64(TOO_MANY_WORDS)
                wanted -= 1 if wanted > 0 else 0
                base = top
                clear(words, tape + top, words[at + A])
                top += words[at + A]
                words[tape + slot] += 1
        elif op == END:
            base = 0
            if words[tape + words[at + SLOT]] < words[at + B]:
                return words[at + FAULT]
        elif op == AGAIN:
            slot = words[at + SLOT]
            size = words[at + A]
            number = words[tape + slot]
            if top + (number + 1) * size > TAPE_WORDS_MAX:
                return np.int64(TOO_MANY_WORDS)
            start = words[tape + slot + 1]
            if number == 0 or start + number * size != top:  # another group lies behind this one: move it to the top
                for i in range(number * size):
                    words[tape + top + i] = words[tape + start + i]
                words[tape + slot + 1] = top
                top += number * size
            base = top
            clear(words, tape + top, size)
            top += size
            words[tape + slot] = number + 1
        elif op == OUTSIDE:
            base = 0
        elif op == SKIP:
            word += 1
        elif op == NEED:
            if count - word < words[at + A]:
                return words[at + FAULT]
        elif op == JUDGED:
            if word >= count:
                return np.int64(SYNTAX)
            if words[at + B]:
                real, valid = parse_real(octets, words[place], words[place + 1])
                number = bits_of(real)
            else:
                number, valid = parse_integer(octets, words[place], words[place + 1])
            words[tape + slot] = number if valid else words[at + B] * NOT_A_NUMBER
            if not valid:
                words[tape + words[at + A]] |= UNREADABLE
            word += 1
        elif op == CURSOR:
            if not parse_cursor(octets, words[place], words[place + 1])[1]:
                return words[at + FAULT]
            take(words, octets, TEXT, words[place], words[place + 1], tape, slot, 0, 0, 0)
            word += 1
        elif op == LAST:
            if word >= count:
                return np.int64(SYNTAX)
            late = take(words, octets, TIMEOUT, words[place], words[place + 1], tape, slot, 0, 0, words[at + FAULT])
            word += 1
        elif op == ALL:
            if word < count:
                return stopped(words, word, words[at + FAULT])
        else:  # HALVES
            left = count - word
            size = words[at + C]
            if left < 2 or left & 1:
                return words[at + FAULT]
            if top + (left >> 1) * size > TAPE_WORDS_MAX:
                return np.int64(TOO_MANY_WORDS)
            words[tape + slot] = left >> 1
            words[tape + slot + 1] = top
            clear(words, tape + top, (left >> 1) * size)
            for i in range(left):
                what = words[at + A] if i < left >> 1 else words[at + B]
                refusal = take(
                    words, octets, what & PAIR_MASK, words[place + 2 * i], words[place + 2 * i + 1], tape,
                    top + (i % (left >> 1)) * size + (what >> PAIR_SHIFT), 0, 0, words[at + FAULT],
                )  # fmt: skip
                if refusal:
                    return refusal
            word += left
            top += (left >> 1) * size
        at = following
    words[CURSOR_TOP] = top
    return np.int64(SYNTAX) if word < count else late
