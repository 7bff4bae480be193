"""What a script returns: the value on top of Lua's stack becomes the items of a reply, as Redis converts it.

    "a"                7.9 (cut to an integer)     true in RESP3, 1; false: false in RESP3, nil
    nil                {ok = "OK"}                 {err = "ERR x"}
    {1, 2, nil, 3}     {double = 1.5}              {big_number = "12"}
    {map = {...}}      {set = {...}}               {verbatim_string = {format = "txt", string = "a"}}

An array ends before its first nil. For JSON (LUA_JSON) less is lost: numbers keep their fractions, booleans are
booleans, `cjson.null` is null, arrays have nulls in their gaps, and a table with names is an object without its
numbered members; functions, and numbers that JSON does not have, are refused.

Texts are copied into CALL_BLOB. Groups nest without recursion: each open one lies
on Lua's stack (a map with the key at hand), with three words in the region WORDS. The mark of a group gets its count
when the group ends.
"""

import math

from synap.compiler.jit import kernel, outlined
from synap.store.calls import calls
from synap.store.memory import tapes
from synap.store.memory.layout import (
    AS_BIG_NUMBER,
    AS_ERROR,
    AS_STATUS,
    AS_VERBATIM,
    CALL_BLOB_REST,
    ITEM_TEXT,
    LUA_BASE,
    LUA_DEADLINE,
    LUA_ENDED,
    LUA_JSON,
    LUA_NAMES,
    LUA_REPLY_MAX,
    LUA_SIZE,
    LUA_TEXT_AT,
    LUA_VERSION,
    MARK_ARRAY,
    MARK_MAP,
    MARK_SET,
    MARK_TRUTH,
    REPLY_ITEMS,
    VERBATIM_HEAD,
    WORDS,
)
from synap.store.memory.refusals import REPLY_TOO_LARGE, SCRIPT_ENDED, SCRIPT_NOT_JSON
from synap.store.scripts import lua
from synap.store.scripts.replies import (
    BIG_NUMBER,
    COLON,
    CR,
    DOUBLE,
    ERR,
    FORMAT,
    IN_ARRAY,
    IN_MAP_KEY,
    IN_MAP_VALUE,
    IN_SET,
    KIND,
    LF,
    MAP,
    NAME_BYTES,
    NAME_SIZES,
    NEST_MAX,
    OK,
    SET,
    SPACE,
    STRING,
    TOO_DEEP,
    VERBATIM,
    name,
)
from synap.store.scripts.script_calls import BY_TIME

MARK, COUNT, MOST, NEST_WORDS = 1, 2, 3, 4  # words of an open group besides KIND: the item with its mark, its members
IN_OBJECT_KEY, IN_OBJECT_VALUE, IN_GAPS = 4, 5, 6  # kinds of groups for JSON: an object, and an array with gaps
ADDED, TOO_LARGE, NOT_JSON = -1, -2, -3
INDEX_MAX = (1 << 31) - 1
STACK_MIN = 12
LEAST, ABOVE = -9223372036854775808.0, 9223372036854775808.0


@kernel
def push_field(words, state, field):
    """Push the field with one of NAMES of the table on top, not asking its metatable; return its type."""
    lua.push_text(state, name(words, field), NAME_SIZES[field])
    lua.replace_key(state, -2)
    return lua.kind(state, -1)


@kernel
def add_string(words, octets, state, reply, style):
    """Add the string on top as a text of this style; return False if it is too large.

    A text of an error or a status is one line, which ends before a zero byte as in Redis.
    """
    source = lua.text(state, -1, words[LUA_BASE] + LUA_SIZE * 8)
    size = words[LUA_SIZE]
    at = words[LUA_TEXT_AT]
    if at + size > CALL_BLOB_REST * 8:
        return False
    lua.copy_in(octets, at, source, size)
    if style:
        for i in range(at, at + size):
            if octets[i] == 0:
                size = i - at
                break
            if octets[i] == CR or octets[i] == LF:
                octets[i] = SPACE
    tapes.add_text(words, reply, at, size, ITEM_TEXT | style)
    words[LUA_TEXT_AT] = at + size
    return True


@kernel
def add_verbatim(words, octets, state, reply):
    """Add the text of the table on top, which has a format and a string, or nothing; return what it did: 1, 0 or -1 if
    the text is too large."""
    if push_field(words, state, FORMAT) != lua.STRING:
        lua.set_top(state, -2)
        return 0
    at = words[LUA_TEXT_AT]
    if at + VERBATIM_HEAD > CALL_BLOB_REST * 8:
        return -1
    source = lua.text(state, -1, words[LUA_BASE] + LUA_SIZE * 8)
    for i in range(VERBATIM_HEAD):
        octets[at + i] = COLON if i == VERBATIM_HEAD - 1 else SPACE
    lua.copy_in(octets, at, source, min(words[LUA_SIZE], VERBATIM_HEAD - 1))
    lua.set_top(state, -2)
    if push_field(words, state, STRING) != lua.STRING:
        lua.set_top(state, -2)
        return 0
    source = lua.text(state, -1, words[LUA_BASE] + LUA_SIZE * 8)
    size = words[LUA_SIZE]
    if at + VERBATIM_HEAD + size > CALL_BLOB_REST * 8:
        return -1
    lua.copy_in(octets, at + VERBATIM_HEAD, source, size)
    tapes.add_text(words, reply, at, VERBATIM_HEAD + size, ITEM_TEXT | AS_VERBATIM)
    words[LUA_TEXT_AT] = at + VERBATIM_HEAD + size
    lua.set_top(state, -2)
    return 1


@kernel
def add_table(words, octets, state, reply):
    """Add the table on top if it stands for one value; return ADDED or TOO_LARGE, or the kind of the group that it is
    else, whose members are on top then. If it is added, the table is still on top."""
    kind = push_field(words, state, ERR)
    if kind == lua.STRING:
        fits = add_string(words, octets, state, reply, AS_ERROR)
        lua.set_top(state, -2)
        return ADDED if fits else TOO_LARGE
    lua.set_top(state, -2)
    if push_field(words, state, OK) == lua.STRING:
        fits = add_string(words, octets, state, reply, AS_STATUS)
        lua.set_top(state, -2)
        return ADDED if fits else TOO_LARGE
    lua.set_top(state, -2)
    if push_field(words, state, DOUBLE) == lua.NUMBER:
        value = lua.number(state, -1)
        lua.set_top(state, -2)
        return add_real(words, reply, value)
    lua.set_top(state, -2)
    if push_field(words, state, MAP) == lua.TABLE:
        return IN_MAP_KEY
    lua.set_top(state, -2)
    if push_field(words, state, SET) == lua.TABLE:
        return IN_SET
    lua.set_top(state, -2)
    if push_field(words, state, BIG_NUMBER) == lua.STRING:
        fits = add_string(words, octets, state, reply, AS_BIG_NUMBER)
        lua.set_top(state, -2)
        return ADDED if fits else TOO_LARGE
    lua.set_top(state, -2)
    if push_field(words, state, VERBATIM) == lua.TABLE:
        added = add_verbatim(words, octets, state, reply)
        lua.set_top(state, -2)
        if added:
            return ADDED if added == 1 else TOO_LARGE
        return IN_ARRAY
    lua.set_top(state, -2)
    return IN_ARRAY


@kernel
def add_real(words, reply, value):
    """Add a number with a fraction; return ADDED, or NOT_JSON if the reply is for JSON, which does not have it."""
    if words[LUA_JSON] and not -math.inf < value < math.inf:
        return NOT_JSON
    tapes.add_real(words, reply, value)
    return ADDED


@kernel
def add_number(words, reply, value):
    """Add a number of Lua: cut to an integer, or for JSON as it is; return what `add_real` returns."""
    whole = int(value) if LEAST <= value < ABOVE else -(1 << 63)
    if words[LUA_JSON] and float(whole) != value:
        return add_real(words, reply, value)
    tapes.add_number(words, reply, whole)
    return ADDED


@kernel
def members_for_json(state):
    """Return (kind, members) of the table on top, as a group for JSON: an object if it has a name, else an array."""
    most = 0
    lua.push_nil(state)
    while lua.next_pair(state, -2):
        lua.set_top(state, -2)
        kind = lua.kind(state, -1)
        if kind == lua.STRING:
            lua.set_top(state, -2)
            return IN_OBJECT_KEY, 0
        if kind == lua.NUMBER:
            place = lua.number(state, -1)
            if 1 <= place <= INDEX_MAX and float(int(place)) == place:
                most = max(most, int(place))
    return IN_GAPS, most


@kernel
def add_too_deep(words, reply):
    """Add the error of a value that nests too deeply."""
    tapes.add_text(words, reply, LUA_NAMES * 8 + NAME_BYTES * TOO_DEEP, NAME_SIZES[TOO_DEEP], ITEM_TEXT | AS_ERROR)


@kernel
def add_value(words, octets, state, reply, depth):
    """Add the value on top and pop it; return ADDED, TOO_LARGE or NOT_JSON, or the kind of the group that it begins,
    whose members are on top then."""
    kind = lua.kind(state, -1)
    told = ADDED
    if kind == lua.STRING:
        told = ADDED if add_string(words, octets, state, reply, 0) else TOO_LARGE
    elif kind == lua.NUMBER:
        told = add_number(words, reply, lua.number(state, -1))
    elif kind == lua.TRUTH:
        true = lua.truth(state, -1)
        if words[LUA_VERSION] == 3 or words[LUA_JSON]:
            tapes.add_mark(words, reply, MARK_TRUTH, true)
        elif true:
            tapes.add_number(words, reply, 1)
        else:
            tapes.add_nil(words, reply)
    elif kind == lua.TABLE:
        if depth > NEST_MAX or not lua.has_stack(state, STACK_MIN):
            add_too_deep(words, reply)
        else:
            told = add_table(words, octets, state, reply)
    elif kind != lua.NIL and kind != lua.POINTER and words[LUA_JSON]:
        told = NOT_JSON
    else:
        tapes.add_nil(words, reply)
    if told == ADDED:
        lua.set_top(state, -2)
    return told


@kernel
def next_named(state):
    """Replace the key on top by the next key that is a text, and its value; return 0, without a key, at the end."""
    while lua.next_pair(state, -2):
        if lua.kind(state, -2) == lua.STRING:
            return 1
        lua.set_top(state, -2)
    return 0


@kernel
def next_member(words, state, reply, nest):
    """Push the next member of the group at `nest`; return False at its end, where the group is popped."""
    kind = words[nest + KIND]
    if kind == IN_MAP_VALUE or kind == IN_OBJECT_VALUE:  # the value lies on top already
        words[nest + KIND] = IN_MAP_KEY if kind == IN_MAP_VALUE else IN_OBJECT_KEY
        return True
    pops = 2  # the members, and the table that has them as a field
    if kind == IN_ARRAY:
        lua.push_index(state, -1, words[nest + COUNT] + 1)
        ended = lua.kind(state, -1) == lua.NIL
    elif kind == IN_GAPS:
        lua.push_index(state, -1, words[nest + COUNT] + 1)
        ended = words[nest + COUNT] == words[nest + MOST]
    elif kind == IN_OBJECT_KEY:
        ended = next_named(state) == 0
        pops = 1
        if not ended:
            words[nest + KIND] = IN_OBJECT_VALUE
            lua.push_copy(state, -2)
    else:
        ended = lua.next_pair(state, -2) == 0
        if not ended:
            if kind == IN_SET:
                lua.set_top(state, -2)
                lua.push_copy(state, -1)
            else:
                words[nest + KIND] = IN_MAP_VALUE
                lua.push_copy(state, -2)
    if ended:
        lua.set_top(state, -1 - pops)
        words[words[nest + MARK]] = words[nest + COUNT]
        return False
    words[nest + COUNT] += 1
    return True


@outlined
def write_reply(words, octets, state, reply):
    """Write the value on top to the reply, behind its items, and pop the value; return 0, or the refusal."""
    depth = 0
    start = words[LUA_TEXT_AT]
    while True:
        items = words[reply + 1]
        if items & 0xFFFF == 0xFFFF and calls.ticks(words) > words[LUA_DEADLINE]:
            words[LUA_ENDED] = BY_TIME
            return SCRIPT_ENDED
        if items >= REPLY_ITEMS or items * tapes.ITEM_OVERHEAD + words[LUA_TEXT_AT] - start > words[LUA_REPLY_MAX]:
            return REPLY_TOO_LARGE
        kind = add_value(words, octets, state, reply, depth + 1)
        if kind == TOO_LARGE:
            return REPLY_TOO_LARGE
        if kind == NOT_JSON:
            return SCRIPT_NOT_JSON
        if kind >= 0:
            most = 0
            if kind == IN_ARRAY and words[LUA_JSON]:
                kind, most = members_for_json(state)
            nest = WORDS + NEST_WORDS * depth
            words[nest + KIND] = kind
            words[nest + MARK] = reply + 2 + 2 * words[reply + 1]
            words[nest + COUNT] = 0
            words[nest + MOST] = most
            arrays = kind == IN_ARRAY or kind == IN_GAPS
            tapes.add_mark(words, reply, MARK_ARRAY if arrays else MARK_SET if kind == IN_SET else MARK_MAP, 0)
            if not arrays:
                lua.push_nil(state)
            depth += 1
        while depth and not next_member(words, state, reply, WORDS + NEST_WORDS * (depth - 1)):
            depth -= 1
        if depth == 0:
            return 0
