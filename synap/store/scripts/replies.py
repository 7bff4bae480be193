"""Replies for Lua: RESP text in the heap becomes a value on Lua's stack, as Redis converts it.

    +OK       {ok = "OK"}        :7       7
    -ERR x    {err = "ERR x"}    $1 a     "a"
    *2 ...    {..., ...}         $-1 *-1  false
    _         nil                #t       true
    ,1.5      {double = 1.5}     %1 k v   {map = {[k] = v}}
    ~1 m      {set = {m = true}} (12      {big_number = "12"}
    =7 txt:a  {verbatim_string = {format = "txt", string = "a"}}

Groups nest without recursion: the table of each open group lies on Lua's stack, with three words in the region WORDS,
which nothing else needs meanwhile.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.reals import parse_real
from synap.store.memory.layout import LUA_BASE, LUA_NAMES, WORDS
from synap.store.scripts import lua

NAMES = (
    "ok", "err", "double", "map", "set", "big_number", "verbatim_string", "format", "string",
    "ignore_error_stats_update", "ERR reached lua stack limit", "not enough memory",
)  # fmt: skip
OK, ERR, DOUBLE, MAP, SET, BIG_NUMBER, VERBATIM, FORMAT, STRING, NOT_COUNTED, TOO_DEEP, NO_MEMORY = range(len(NAMES))
NAME_SIZES = tuple(len(text) for text in NAMES)
NAME_BYTES = 32

PLUS, MINUS, COLON, DOLLAR, STAR, UNDERSCORE, HASH, COMMA, PERCENT, TILDE, PAREN, EQUALS = b"+-:$*_#,%~(="
CR, LF, SPACE, SMALL_T = b"\r\n t"
IN_ARRAY, IN_MAP_KEY, IN_MAP_VALUE, IN_SET = range(4)
KIND, LEFT, INDEX, NEST_WORDS = range(4)
NEST_MAX = 64


@kernel
def name(words, index):
    """Return the address of one of NAMES as a C string."""
    return words[LUA_BASE] + (LUA_NAMES * 8 + NAME_BYTES * index)


@kernel
def line_end(octets, at):
    """Return the octet of the CR that ends the line at `at`."""
    while octets[at] != CR:
        at += 1
    return at


@kernel
def line_integer(octets, at, end):
    """Return the integer whose digits lie from `at` to `end`."""
    negative = octets[at] == MINUS
    if negative:
        at += 1
    value = 0
    while at < end:
        value = value * 10 + (int(octets[at]) - 48)
        at += 1
    return -value if negative else value


@kernel
def push_in_table(words, state, field, at, size):
    """Push a table whose field of this name is a text."""
    lua.push_table(state, 0, 1)
    lua.push_text(state, words[LUA_BASE] + at, size)
    lua.set_field(state, -2, name(words, field))


@kernel
def push_leaf(words, octets, state, at):
    """Push the value at `at`, which is no group with members; return the octet behind it."""
    what = octets[at]
    end = line_end(octets, at + 1)
    start = at + 1
    base = words[LUA_BASE]
    if what == DOLLAR or what == EQUALS:
        size = line_integer(octets, start, end)
        if size < 0:
            lua.push_truth(state, 0)
            return end + 2
        if what == DOLLAR:
            lua.push_text(state, base + end + 2, size)
        else:
            lua.push_table(state, 0, 1)
            lua.push_table(state, 0, 2)
            lua.push_text(state, base + end + 2, 3)
            lua.set_field(state, -2, name(words, FORMAT))
            lua.push_text(state, base + end + 6, size - 4)
            lua.set_field(state, -2, name(words, STRING))
            lua.set_field(state, -2, name(words, VERBATIM))
        return end + 4 + size
    if what == COLON:
        lua.push_number(state, float(line_integer(octets, start, end)))
    elif what == PLUS:
        push_in_table(words, state, OK, start, end - start)
    elif what == MINUS:
        push_in_table(words, state, ERR, start, end - start)
    elif what == UNDERSCORE:
        lua.push_nil(state)
    elif what == HASH:
        lua.push_truth(state, 1 if octets[start] == SMALL_T else 0)
    elif what == COMMA:
        lua.push_table(state, 0, 1)
        value, _ = parse_real(octets, start, end - start)
        lua.push_number(state, value)
        lua.set_field(state, -2, name(words, DOUBLE))
    elif what == PAREN:
        push_in_table(words, state, BIG_NUMBER, start, end - start)
    else:  # an array that is missing
        lua.push_truth(state, 0)
    return end + 2


@kernel
def open_group(words, octets, state, at, depth):
    """Push the table of the group at `at` and note what it waits for; return the octet behind its head."""
    what = octets[at]
    end = line_end(octets, at + 1)
    count = line_integer(octets, at + 1, end)
    nest = WORDS + NEST_WORDS * depth
    words[nest + LEFT] = count
    words[nest + INDEX] = 0
    if what == STAR:
        words[nest + KIND] = IN_ARRAY
        lua.push_table(state, count, 0)
    else:
        words[nest + KIND] = IN_SET if what == TILDE else IN_MAP_KEY
        lua.push_table(state, 0, 1)
        lua.push_table(state, 0, count)
    return end + 2


@kernel
def attach(words, state, nest):
    """Put the value on top into the group at `nest`, or leave it there as a key whose value comes next."""
    kind = words[nest + KIND]
    if kind == IN_MAP_KEY:
        words[nest + KIND] = IN_MAP_VALUE
        return
    words[nest + LEFT] -= 1
    if kind == IN_ARRAY:
        words[nest + INDEX] += 1
        lua.set_index(state, -2, words[nest + INDEX])
    else:
        if kind == IN_SET:
            lua.push_truth(state, 1)
        else:
            words[nest + KIND] = IN_MAP_KEY
        if lua.kind(state, -2) == lua.NIL:  # which would be an error of Lua
            lua.set_top(state, -3)
        else:
            lua.set_pair(state, -3)


@outlined
def push_reply(words, octets, state, at):
    """Push the value whose RESP begins at octet `at`; return the octet behind it, or 0 if it nests too deeply."""
    depth = 0
    while True:
        what = octets[at]
        if (what == STAR and octets[at + 1] != MINUS) or what == PERCENT or what == TILDE:
            if depth == NEST_MAX or not lua.has_stack(state, 8):
                return 0
            at = open_group(words, octets, state, at, depth)
            depth += 1
        else:
            at = push_leaf(words, octets, state, at)
            if depth == 0:
                return at
            attach(words, state, WORDS + NEST_WORDS * (depth - 1))
        while depth and words[WORDS + NEST_WORDS * (depth - 1) + LEFT] == 0:
            depth -= 1
            kind = words[WORDS + NEST_WORDS * depth + KIND]
            if kind != IN_ARRAY:
                lua.set_field(state, -2, name(words, SET if kind == IN_SET else MAP))
            if depth == 0:
                return at
            attach(words, state, WORDS + NEST_WORDS * (depth - 1))
