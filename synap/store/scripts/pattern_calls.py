"""The functions of `string` that take patterns: which of two matchers a call of a script gets.

Lua's own matcher cannot be interrupted, and a pattern with three or four `.-` takes hours on a text of some thousand
bytes. So a call whose cost may exceed LUA_COST_MAX goes to functions of `patterns.lua`, which search by the matcher of
`patterns.py`. All other calls go to Lua's own functions.
"""

from synap.compiler.jit import c_function, kernel
from synap.kernels.spans import view
from synap.store.memory.layout import LUA_BASE, LUA_COST_MAX, LUA_GUARDS, LUA_SIZE
from synap.store.scripts import lua
from synap.store.scripts.library_calls import CALL_FUNCTION, call_own_value
from synap.store.scripts.patterns import (
    CAPTURES_MAX,
    CARET,
    CLOSE,
    COUNTED,
    ESCAPE,
    FAILED,
    IS_OPEN,
    IS_PLACE,
    LENGTHS,
    LEVEL,
    MAYBE,
    MINUS,
    NINE,
    OPEN,
    PLUS,
    SMALL_B,
    STAR,
    STARTS,
    TOO_LARGE,
    ZERO,
    item_end,
    match_at,
    plain_at,
)
from synap.store.scripts.script_calls import call_c, goes_on, may_work

PLAIN_MORE = 7  # more digits of the bytes that a plain search may compare, which takes less time than a step
PATTERN_MAX = 10_000  # bytes of a pattern that `search` takes
HERE, LITERAL_CARET, PLAIN = 1, 2, 3
"""How to search, as Lua says it: else at each place, with `^` as the first place."""


@kernel
def push_captures(words, state, text_at):
    """Push the captures; false for one that is open."""
    for i in range(words[LEVEL]):
        size = words[LENGTHS + i]
        if size == IS_OPEN:
            lua.push_truth(state, 0)
        elif size == IS_PLACE:
            lua.push_number(state, float(words[STARTS + i] + 1))
        else:
            lua.push_text(state, text_at + words[STARTS + i], size)


@kernel
def text_of(words, state, place):
    """Return (address, size) of the text on the stack."""
    at = lua.text(state, place, words[LUA_BASE] + LUA_SIZE * 8)
    return at, words[LUA_SIZE]


@kernel
def pattern_size(p, size):
    """Return the bytes of a pattern: as in Lua it ends before a zero byte."""
    for i in range(size):
        if p[i] == 0:
            return i
    return size


@c_function(CALL_FUNCTION)
def search(state):
    """Search for a pattern: text, pattern, where to begin (from 0), and one of SEARCH, HERE, LITERAL_CARET, PLAIN are
    on the stack. Return to Lua nil, or the first and last place of the match and its captures, or a fault as a number.
    """
    words = view(lua.heap_of(state), 1 << 58)
    text_at, end = text_of(words, state, 1)
    pattern_at, size = text_of(words, state, 2)
    start = int(lua.number(state, 3))
    how = int(lua.number(state, 4))
    s = view(lua.octets_at(lua.as_words(text_at)), 1 << 58)
    p = view(lua.octets_at(lua.as_words(pattern_at)), 1 << 58)
    words[COUNTED] = 0
    words[LEVEL] = 0
    lua.has_stack(state, CAPTURES_MAX + 4)
    if how == PLAIN:
        found = plain_at(words, state, s, start, end, p, size)
        behind = found + size
        if found == FAILED:
            behind = FAILED
    else:
        size = pattern_size(p, size)
        at = 0
        if how != LITERAL_CARET and size and p[0] == CARET:
            at = 1
            how = HERE
        found = start
        behind = match_at(words, state, s, found, end, p, size, at) if size <= PATTERN_MAX else TOO_LARGE
        while behind == FAILED and how != HERE and found < end:
            found += 1
            behind = match_at(words, state, s, found, end, p, size, at)
    if not goes_on(words, state):
        lua.push_nil(state)
        lua.raise_error(state)
    if behind == FAILED:
        lua.push_nil(state)
        return 1
    if behind < 0:
        lua.push_number(state, float(behind))
        return 1
    lua.push_number(state, float(found + 1))
    lua.push_number(state, float(behind))
    push_captures(words, state, text_at)
    return 2 + words[LEVEL]


@kernel
def bits_in(number):
    """Return the binary digits of a number."""
    bits = 0
    while number:
        number >>= 1
        bits += 1
    return bits


@kernel
def cost_of(p, size, length, anchors):
    """Return log2 of the most steps that matching this pattern may take in a text of so many bytes.

    `anchors`: a `^` at the beginning means the beginning of the text.
    """
    at = 0
    loops = 1  # the starts in the text
    choices = 0
    if anchors and size and p[0] == CARET:
        at = 1
        loops = 0
    while at < size:
        c = p[at]
        if c == OPEN or c == CLOSE:
            at += 1
            continue
        if c == ESCAPE and at + 1 < size and p[at + 1] == SMALL_B:
            loops += 1
            at += 4
            continue
        if c == ESCAPE and at + 1 < size and ZERO <= p[at + 1] <= NINE:
            loops += 1
            at += 2
            continue
        behind = item_end(p, size, at)
        if behind < 0:
            break
        how = p[behind] if behind < size else 0
        if how == STAR or how == PLUS or how == MINUS:
            loops += 1
        elif how == MAYBE:
            choices += 1
        at = behind
    return loops * bits_in(length) + choices + bits_in(size >> 6)


@kernel
def may_take_long(words, state, anchors):
    """Return whether the call of a pattern function on the stack has to be made by `patterns.lua`. If not, count its
    steps, and end the script if its time is over."""
    for place in range(1, 3):
        kind = lua.kind(state, place)
        if kind != lua.STRING and kind != lua.NUMBER:
            return False
    _, length = text_of(words, state, 1)
    pattern_at, size = text_of(words, state, 2)
    p = view(lua.octets_at(lua.as_words(pattern_at)), 1 << 58)
    if bits_in(length) + bits_in(size) > words[LUA_COST_MAX] + PLAIN_MORE:
        return True
    cost = cost_of(p, pattern_size(p, size), length, anchors)
    if cost > words[LUA_COST_MAX]:
        return True
    if not may_work(words, state, 1 << max(cost, 0)):
        lua.push_nil(state)
        lua.raise_error(state)
    return False


@kernel
def by_either(state, anchors):
    """Carry out a function: by Lua's own one, whose address is the second own value, or if that could take too long by
    the function of `patterns.lua` that is the first."""
    words = view(lua.heap_of(state), 1 << 58)
    if may_take_long(words, state, anchors):
        return call_own_value(state)
    return call_c(lua.pointer(state, lua.OWN_VALUE - 1), state, 0)


@c_function(CALL_FUNCTION)
def guarded(state):
    """Carry out `string.find`, `match` or `gsub`."""
    return by_either(state, True)


@c_function(CALL_FUNCTION)
def guarded_each(state):
    """Carry out `string.gmatch`, for which `^` is a byte like any other."""
    return by_either(state, False)


@c_function(CALL_FUNCTION)
def repeated(state):
    """Carry out `string.rep`, by Lua's own function, whose address is the second own value; but an empty text stays
    empty without a loop."""
    words = view(lua.heap_of(state), 1 << 58)
    if lua.kind(state, 1) == lua.STRING and lua.number(state, 2) > 0:
        _, size = text_of(words, state, 1)
        if size == 0:
            lua.set_top(state, 1)
            return 1
    return call_c(lua.pointer(state, lua.OWN_VALUE - 1), state, 0)


@c_function(CALL_FUNCTION)
def guard(state):
    """Return to Lua a C function that guards one of its own. On the stack are which one (its place in LUA_GUARDS), its
    first own value, and Lua's own function, whose address is its second one."""
    words = view(lua.heap_of(state), 1 << 58)
    address = lua.function_address(state, 3)
    which = int(lua.number(state, 1))
    lua.push_copy(state, 2)
    lua.push_pointer(state, address)
    lua.push_function(state, words[LUA_GUARDS + which], 2)
    return 1


@c_function(CALL_FUNCTION)
def charge(state):
    """Count work that a function of a library is about to do in one call of Lua; end the script if its time is over."""
    words = view(lua.heap_of(state), 1 << 58)
    if not may_work(words, state, max(int(lua.number(state, 1)), 0)):
        lua.push_nil(state)
        lua.raise_error(state)
    return 0
