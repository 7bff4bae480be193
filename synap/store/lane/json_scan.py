"""Scanner of plain JSON: printable ASCII without escapes, small integers, true and false.

The functions recognise the usual spelling with certainty, and return 0 or False for everything else, which is left to
the JSON library.
"""

from synap.compiler.jit import kernel
from synap.kernels.integers import parse_integer
from synap.kernels.spans import load32

SHORT_LITERAL = 18  # digits that are sure to fit an int64
QUOTE, COMMA, COLON, BACKSLASH = 34, 44, 58, 92
OPEN, CLOSE, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93
TRUE, FALS, NULL = 0x65757274, 0x736C6166, 0x6C6C756E  # four octets in one word


@kernel
def skip_space(octets, at, end):
    """Return the first octet from `at` on that is not JSON white space, or `end`."""
    while at < end and (octets[at] == 32 or octets[at] == 10 or octets[at] == 9 or octets[at] == 13):
        at += 1
    return at


@kernel
def plain_string(octets, at, end):
    """Return the octet behind the string that begins at `at`, or 0 if there is no string or not a plain one."""
    if at >= end or octets[at] != QUOTE:
        return 0
    at += 1
    while at < end:
        c = octets[at]
        if c == QUOTE:
            return at + 1
        if c < 32 or c > 126 or c == BACKSLASH:
            return 0
        at += 1
    return 0


@kernel
def skip_element(octets, at, end):
    """Return the octet behind the object or array at `at`, or 0 if it does not end; brackets in strings are ignored."""
    depth = 0
    while at < end:
        c = octets[at]
        if c == QUOTE:
            at += 1
            while at < end and octets[at] != QUOTE:
                at += 2 if octets[at] == BACKSLASH else 1
        elif c == OPEN or c == OPEN_ARRAY:
            depth += 1
        elif c == CLOSE or c == CLOSE_ARRAY:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return 0


@kernel
def literal_end(octets, at, end):
    """Return the octet behind an integer of at most SHORT_LITERAL characters, `true` or `false`, or 0."""
    if octets[at] == 116 and at + 4 <= end and load32(octets, at) == TRUE:
        return at + 4
    if octets[at] == 102 and at + 5 <= end and load32(octets, at) == FALS and octets[at + 4] == 101:
        return at + 5
    start = at
    if octets[at] == 45:
        at += 1
    while at < end and 48 <= octets[at] <= 57:
        at += 1
    size = at - start
    if size > SHORT_LITERAL:
        return 0
    _, valid = parse_integer(octets, start, size)
    return at if valid else 0


@kernel
def reads_as_itself(octets, at, size):
    """Return True if JSON writes this text without escapes, and no JSON value but a string begins like it."""
    if size == 0:
        return False
    c = int(octets[at])
    if c == 32 or c == 45 or 48 <= c <= 57 or c == 91 or c == 123:
        return False
    if c == 102 or c == 110 or c == 116:  # false, null, true
        first = load32(octets, at)
        if size == 4 or (size > 4 and (octets[at + 4] == 32 or octets[at + 4] == 101)):
            if first == TRUE or first == NULL or first == FALS:
                return False
    for i in range(size):
        c = int(octets[at + i])
        if c < 32 or c > 126 or c == QUOTE or c == BACKSLASH:
            return False
    return True
