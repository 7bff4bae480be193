"""RESP2 and RESP3 in kernels: scans commands in the receive region, writes replies into the out region.

Only arrays of bulk strings are scanned, as client libraries send them. Inline commands (a line of words, as typed into
telnet) begin with another byte and are left to Python.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.fixed import print_fixed, print_short
from synap.kernels.integers import print_integer
from synap.kernels.reals import print_real
from synap.kernels.spans import bare, move, real_of
from synap.store.memory.layout import (
    AS_BIG_NUMBER,
    AS_ERROR,
    AS_STATUS,
    AS_VERBATIM,
    DONE,
    EMPTY,
    FAULT_FILLED,
    FAULTS,
    ITEM,
    ITEM_INTEGER,
    ITEM_MASK,
    ITEM_NIL,
    ITEM_REAL,
    ITEM_TEXT,
    LIMIT_WORD,
    LIMIT_WORDS,
    MARK_ARRAY,
    MARK_BITS,
    MARK_BY_NAME,
    MARK_DEGREES,
    MARK_DIGITS,
    MARK_DISTANCE,
    MARK_MAP,
    MARK_NAME,
    MARK_NAMED,
    MARK_NO_ARRAY,
    MARK_PAIR,
    MARK_PAIRS,
    MARK_SET,
    MARK_TRUTH,
    NIL,
    NO_ITEM,
    NUMBER,
    REFUSALS,
    REFUSED,
    REFUSED_SHIFT,
    REPLY_GROUP,
    REPLY_SET,
    REPLY_WORD,
    ROW_NAME,
    ROW_NAME_SIZE,
    ROW_NAMES,
    ROW_REPLY,
    SECOND_NUMBER,
    STATUS_MASK,
    STYLE_MASK,
    VERBATIM_HEAD,
    WORDS,
)

INCOMPLETE, INLINE, BAD_COUNT_LINE, BAD_SIZE_LINE, NOT_A_BULK, TOO_LONG = 0, -1, -2, -3, -4, -5
CR, LF, STAR, DOLLAR, MINUS = 13, 10, 42, 36, 45
NAME_MARK, NUMBER_MARK, SECOND_MARK, TYPED_MARK, REAL_MARK, SECOND_REAL_MARK = 1, 2, 3, 4, 5, 6
FIRST_TEXT_MARK, SECOND_TEXT_MARK = 7, 8
SPACE = 32
"""Bytes in the text of a refusal: the places of the command's name, of numbers, of the name as the client has typed it,
of numbers that are reals."""
REAL_DECIMALS, DISTANCE_DECIMALS, DEGREES_DECIMALS = 6, 4, 17
LINE_MAX = 32
UNCOUNTED = (1 << 22) - 1  # words left for `skim` while the count line is incomplete
SHORT_REPLY = 1024  # bytes that a reply may take without a check of the space left
PLUS, COLON, PERCENT, TILDE, COMMA, EQUALS, PAREN, HASH, SMALL_T, SMALL_F = b"+:%~,=(#tf"


@kernel
def line_number(octets, at, end, most):
    """Read the digits up to CR LF; return (value, octet behind the line).

    The octet is 0 if the line is incomplete, and -1 if it is no number, too long, or a number above `most`.
    """
    value = 0
    start = at
    negative = at < end and octets[at] == MINUS
    if negative:
        at += 1
    while at < end:
        digit = np.int64(octets[at]) - 48
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        at += 1
        if value > most or at - start > LINE_MAX:
            return value, np.int64(-1)
    if at + 1 >= end:
        if at < end and octets[at] != CR:
            return value, np.int64(-1)
        return value, np.int64(0)
    if at == start + negative or octets[at] != CR or octets[at + 1] != LF:
        return value, np.int64(-1)
    return -value if negative else value, at + 2


@kernel
def scan(words, octets, at, end):
    """Scan the command at `at`; return (octet behind it, number of words), with each word in WORDS as (start, size).

    The octet is INCOMPLETE if bytes are missing, INLINE for a line of words, another negative fault if the input is not
    RESP; with NOT_A_BULK, the second number is the octet at fault. A command without words (`*0`) has 0 words.
    """
    if octets[at] != STAR:
        return np.int64(INLINE), 0
    count, at = line_number(octets, at + 1, end, words[LIMIT_WORDS])
    if at <= 0:
        return np.int64(BAD_COUNT_LINE) if at < 0 else np.int64(INCOMPLETE), 0
    for i in range(count):
        if at >= end:
            return np.int64(INCOMPLETE), 0
        if octets[at] != DOLLAR:
            return np.int64(NOT_A_BULK), at
        size, at = line_number(octets, at + 1, end, words[LIMIT_WORD])
        if at <= 0:
            return np.int64(BAD_SIZE_LINE) if at < 0 else np.int64(INCOMPLETE), 0
        if size < 0:
            return np.int64(BAD_SIZE_LINE), 0
        words[WORDS + 2 * i] = at
        words[WORDS + 2 * i + 1] = size
        at += size
        if at + 2 > end:
            return np.int64(INCOMPLETE), 0
        if octets[at] != CR or octets[at + 1] != LF:
            return np.int64(BAD_SIZE_LINE), 0
        at += 2
    return at, max(count, 0)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def skim(words, octets, at, left, end):
    """Step over complete words from octet `at`, to find out whether a command is complete; return left << 40 | octet.

    `left` is the number of words still to come, UNCOUNTED before the count line. A negative result is a fault of
    `scan`. A connection that collects a command calls again with the octet and `left` of the result, so the cost is
    linear in the size of the command, however it is cut.
    """
    words = bare(words)
    octets = bare(octets)
    if left == UNCOUNTED:
        count, after = line_number(octets, at + 1, end, words[LIMIT_WORDS])
        if after < 0:
            return BAD_COUNT_LINE
        if after == 0:
            return UNCOUNTED << 40 | at
        at = after
        left = max(count, 0)
    while left > 0:
        if at >= end:
            break
        if octets[at] != DOLLAR:
            return NOT_A_BULK
        size, after = line_number(octets, at + 1, end, words[LIMIT_WORD])
        if after < 0 or size < 0:
            return BAD_SIZE_LINE
        if after == 0 or after + size + 2 > end:
            break
        at = after + size + 2
        left -= 1
    return left << 40 | at


@kernel
def put_line(octets, at, kind, value):
    """Write a type byte, a number and CR LF; return the octet behind them."""
    octets[at] = kind
    at += 1
    at += print_integer(octets, at, value)
    octets[at] = CR
    octets[at + 1] = LF
    return at + 2


@kernel
def put_bulk(octets, at, source, size):
    """Write a bulk string; return the octet behind it."""
    at = put_line(octets, at, DOLLAR, size)
    move(octets, at, source, size)
    at += size
    octets[at] = CR
    octets[at + 1] = LF
    return at + 2


@kernel
def put_nil(octets, at, version, array):
    """Write nil: `_` in RESP3, a null bulk string or null array in RESP2; return the octet behind it."""
    if version == 3:
        octets[at] = 95
        octets[at + 1] = CR
        octets[at + 2] = LF
        return at + 3
    return put_line(octets, at, STAR if array else DOLLAR, -1)


@kernel
def put_real(octets, at, value, version):
    """Write a double: in RESP3 as such, in RESP2 as a bulk string; return the octet behind it."""
    size = print_real(octets, at + 32, value)
    if version == 3:
        octets[at] = COMMA
        move(octets, at + 1, at + 32, size)
        octets[at + 1 + size] = CR
        octets[at + 2 + size] = LF
        return at + 3 + size
    move(octets, at + 64, at + 32, size)
    return put_bulk(octets, at, at + 64, size)


@outlined
def put_decimals(octets, at, mark, value, version):
    """Write a distance, or a coordinate, whose bits are `value`; return the octet behind it."""
    if mark == MARK_DISTANCE:
        return put_bulk(octets, at, at + 64, print_fixed(octets, at + 64, real_of(value), DISTANCE_DECIMALS))
    size = print_short(octets, at + 64, real_of(value), DEGREES_DECIMALS)
    if version != 3:
        return put_bulk(octets, at, at + 64, size)
    octets[at] = COMMA
    move(octets, at + 1, at + 64, size)
    octets[at + 1 + size] = CR
    octets[at + 2 + size] = LF
    return at + 3 + size


@kernel
def put_mark(words, octets, at, row, mark, value, version):
    """Write what a mark stands for: the head of a group, a name, or an integer as text; return the octet behind it.

    The members follow as items of their own, so the loop over the items needs no stack, however deep groups nest.
    """
    if mark == MARK_NAME:
        name = words[row + ROW_NAMES] + 2 * value
        return put_bulk(octets, at, words[name], words[name + 1])
    if mark == MARK_NO_ARRAY:
        return put_nil(octets, at, version, True)
    if mark == MARK_DISTANCE or mark == MARK_DEGREES:
        return put_decimals(octets, at, mark, value, version)
    if mark == MARK_TRUTH:
        if version != 3:
            return put_line(octets, at, COLON, value)
        octets[at] = HASH
        octets[at + 1] = SMALL_T if value else SMALL_F
        octets[at + 2] = CR
        octets[at + 3] = LF
        return at + 4
    if mark == MARK_BY_NAME:
        return put_line(octets, at, PERCENT if version == 3 else STAR, value)
    if mark == MARK_NAMED:
        return at if version == 3 else put_line(octets, at, STAR, value)
    if mark >= MARK_DIGITS:
        return put_bulk(octets, at, at + 32, print_integer(octets, at + 32, value))
    if mark == MARK_ARRAY:
        return put_line(octets, at, STAR, value)
    if version == 3:
        return put_line(octets, at, PERCENT if mark == MARK_MAP else TILDE if mark == MARK_SET else STAR, value)
    if mark == MARK_PAIR:  # its members are those of the array around it
        return at
    return put_line(octets, at, STAR, 2 * value if mark == MARK_MAP or mark == MARK_PAIRS else value)


@outlined
def put_styled(octets, at, source, size, style, version):
    """Write a text that is a status, an error, a big number, or has a format; return the octet behind it."""
    if style == AS_VERBATIM and version == 3:
        at = put_line(octets, at, EQUALS, size)
        move(octets, at, source, size)
    elif style == AS_VERBATIM:
        return put_bulk(octets, at, source + VERBATIM_HEAD, size - VERBATIM_HEAD)
    elif style == AS_BIG_NUMBER and version != 3:
        return put_bulk(octets, at, source, size)
    else:
        octets[at] = PLUS if style == AS_STATUS else MINUS if style == AS_ERROR else PAREN
        at += 1
        move(octets, at, source, size)
    octets[at + size] = CR
    octets[at + size + 1] = LF
    return at + size + 2


@kernel
def put_item(words, octets, at, row, place, version):
    """Write one item of a reply; return the octet behind it."""
    size = words[place + 1]
    what = size & ITEM_MASK
    if what == ITEM_TEXT:
        if size & STYLE_MASK:
            return put_styled(octets, at, words[place], size >> MARK_BITS, size & STYLE_MASK, version)
        return put_bulk(octets, at, words[place], size >> MARK_BITS)
    if what == ITEM_INTEGER:
        return put_line(octets, at, COLON, words[place])
    if what == ITEM_REAL:
        return put_real(octets, at, real_of(words[place]), version)
    if size == ITEM_NIL:
        return put_nil(octets, at, version, False)
    return put_mark(words, octets, at, row, size >> MARK_BITS, words[place], version)


@kernel
def put_typed(words, octets, at, row):
    """Write the name of a command as the client has typed it, in capitals if it is not the first of WORDS (in an EXEC);
    return the octet behind it."""
    name = words[row + ROW_NAME]
    size = words[row + ROW_NAME_SIZE]
    typed = words[WORDS]
    same = words[WORDS + 1] == size
    for i in range(size if same else 0):
        same = same and octets[typed + i] | 32 == octets[name + i] | 32
    for i in range(size):
        c = octets[name + i]
        octets[at + i] = octets[typed + i] if same else c - 32 if 97 <= c <= 122 else c
    return at + size


@kernel
def put_line_text(octets, at, source, size):
    """Write a text that is a part of a line: with spaces in place of its line ends; return the octet behind it."""
    for i in range(size):
        c = octets[source + i]
        octets[at + i] = SPACE if c == CR or c == LF else c
    return at + size


@kernel
def put_refusal(words, octets, at, row, number, reply):
    """Write the text of a refusal, with the command's name and numbers or texts of the reply inserted, and count the
    refusal. `reply` is 0 if there is none, and the text names nothing of it.

    Return the octet behind the text.
    """
    value, second = words[reply], words[reply + SECOND_NUMBER]
    fault = (number >> REFUSED_SHIFT) - 1
    words[REFUSALS + fault] += 1
    octets[at] = MINUS
    at += 1
    place = FAULTS + 2 * fault
    source = words[place]
    for i in range(words[place + 1] & ~FAULT_FILLED):
        c = octets[source + i]
        if c == NAME_MARK:
            size = words[row + ROW_NAME_SIZE]
            move(octets, at, words[row + ROW_NAME], size)
            at += size
        elif c == NUMBER_MARK:
            at += print_integer(octets, at, value)
        elif c == SECOND_MARK:
            at += print_integer(octets, at, second)
        elif c == TYPED_MARK:
            at = put_typed(words, octets, at, row)
        elif c == FIRST_TEXT_MARK or c == SECOND_TEXT_MARK:
            place = reply + 2 + 2 * (c - FIRST_TEXT_MARK)
            at = put_line_text(octets, at, words[place], words[place + 1] >> MARK_BITS)
        elif c == REAL_MARK:
            at += print_fixed(octets, at, real_of(value), REAL_DECIMALS)
        elif c == SECOND_REAL_MARK:
            at += print_fixed(octets, at, real_of(second), REAL_DECIMALS)
        else:
            octets[at] = c
            at += 1
    octets[at] = CR
    octets[at + 1] = LF
    return at + 2


@kernel
def put_reply(words, octets, at, row, status, reply, version):
    """Write the reply of a row; return the octet behind it. The caller has checked the space (see `tapes.fits`)."""
    status &= STATUS_MASK
    if status == NUMBER:
        if words[row + ROW_REPLY] & REPLY_WORD:
            name = words[row + ROW_NAMES] + 2 * words[reply]
            octets[at] = PLUS
            move(octets, at + 1, words[name], words[name + 1])
            at += 1 + words[name + 1]
            octets[at] = CR
            octets[at + 1] = LF
            return at + 2
        return put_line(octets, at, COLON, words[reply])
    if status == DONE:
        octets[at] = PLUS
        octets[at + 1] = 79
        octets[at + 2] = 75
        octets[at + 3] = CR
        octets[at + 4] = LF
        return at + 5
    kind = words[row + ROW_REPLY]
    if status == NIL or status == NO_ITEM:
        return put_nil(octets, at, version, kind & REPLY_GROUP and status == NIL)
    if status >= REFUSED:
        return put_refusal(words, octets, at, row, status, reply)
    count = words[reply + 1]
    if status != ITEM:
        head = TILDE if kind & REPLY_SET and version == 3 else STAR
        if status == EMPTY:
            return put_line(octets, at, head, 0)
        at = put_line(octets, at, head, count)
    for i in range(count):
        at = put_item(words, octets, at, row, reply + 2 + 2 * i, version)
    return at
