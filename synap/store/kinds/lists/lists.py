"""Rows of lists: LPUSH, RPUSH, LPOP, RPOP, BLPOP, LLEN, LRANGE, and loading from a snapshot."""

from synap.compiler.jit import inlined, kernel
from synap.store.kinds.lists import encodings
from synap.store.kinds.lists.chunks import (
    BYTES,
    COUNT,
    ENTRY_SIZE_MASK,
    FIRST,
    HALF_MASK,
    HEAD_BYTES,
    LAST,
    LEFT,
    NEXT,
    PREV,
    RIGHT,
    SIZES,
    SPAN,
    element,
    measure,
    pop,
    push,
    read_head,
    strip_at,
)
from synap.store.memory.kinds import LIST
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    NIL,
    NO_ITEM,
    NUMBER,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.memory.refusals import KEY_EXISTS, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tapes import add_text, first_item, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace, pieces
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import lists as slots


@kernel
def push_many(words, octets, tape, now, reply, side, values):
    """Push the items of the group in slot `values` at one end of a list; reply with NUMBER: the new length."""
    h = keyspace.hash_text(words, octets, tape, slots.LIST_RPUSH_KEY)
    ref = key_access.claim(words, octets, tape, slots.LIST_RPUSH_KEY, h, LIST, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    value = first_item(words, tape, values) + slots.LIST_RPUSH_VALUES_VALUE
    for _ in range(words[tape + values]):
        start = text_at(words, tape, value)
        if not push(words, octets, root, side, start, text_size(words, tape, value), text_mark(words, tape, value)):
            return BROKEN
        value += slots.LIST_RPUSH_VALUES_STRIDE
    encodings.list_has_grown(words, ref, root)
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, words[root + COUNT])
    return NUMBER | CHANGED


@kernel
def push_right(words, octets, tape, now, reply):
    """Push elements at the right end (RPUSH)."""
    return push_many(words, octets, tape, now, reply, RIGHT, slots.LIST_RPUSH_VALUES)


@kernel
def push_left(words, octets, tape, now, reply):
    """Push elements at the left end (LPUSH)."""
    return push_many(words, octets, tape, now, reply, LEFT, slots.LIST_LPUSH_VALUES)


@inlined
def popped(words, octets, h, seat, ref):
    """End a row that has popped elements of a list; the key is removed with its last element."""
    root = keyspace.root_of(words, ref)
    if words[root + COUNT]:
        encodings.list_has_shrunk(words, ref, root)
    key_access.shrunk(words, octets, h, seat, words[root + COUNT])


@kernel
def pop_some(words, octets, tape, now, reply, side):
    """Pop one element, or up to a count if there is one (LPOP, RPOP)."""
    has_count = words[tape + slots.LIST_LPOP_HAS_COUNT]
    wanted = words[tape + slots.LIST_LPOP_COUNT] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    h, seat, ref = key_access.open_key(words, octets, tape, slots.LIST_LPOP_KEY, LIST, now)
    if ref == MISSING:
        return NIL if has_count else NO_ITEM
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    wanted = min(wanted, words[root + COUNT])
    if not fits(words, reply, wanted, measure(words, octets, root, side, wanted)):
        return FULL
    set_scalar(words, reply, 0)
    if wanted == 0:
        return EMPTY
    for _ in range(wanted):
        pop(words, octets, root, side, reply)
    popped(words, octets, h, seat, ref)
    return (ITEMS if has_count else ITEM) | CHANGED


@kernel
def pop_left(words, octets, tape, now, reply):
    """Pop elements from the left end (LPOP)."""
    return pop_some(words, octets, tape, now, reply, LEFT)


@kernel
def pop_right(words, octets, tape, now, reply):
    """Pop elements from the right end (RPOP)."""
    return pop_some(words, octets, tape, now, reply, RIGHT)


@kernel
def pop_left_wait(words, octets, tape, now, reply):
    """Pop the first element of the first list that has one; reply with key and element, or return WAIT (BLPOP)."""
    key = first_item(words, tape, slots.LIST_BLPOP_KEYS) + slots.LIST_BLPOP_KEYS_KEY
    for _ in range(words[tape + slots.LIST_BLPOP_KEYS]):
        h, seat, ref = key_access.open_key(words, octets, tape, key, LIST, now)
        if ref == OTHER_KIND:
            return WRONG_TYPE
        if ref:
            root = keyspace.root_of(words, ref)
            size = text_size(words, tape, key)
            if not fits(words, reply, 2, size + measure(words, octets, root, LEFT, 1)):
                return FULL
            set_scalar(words, reply, 0)
            add_text(words, reply, text_at(words, tape, key), size, 0)
            pop(words, octets, root, LEFT, reply)
            popped(words, octets, h, seat, ref)
            return ITEMS | CHANGED
        key += slots.LIST_BLPOP_KEYS_STRIDE
    return WAIT


@kernel
def length(words, octets, tape, now, reply):
    """Reply with the number of elements (LLEN)."""
    ref = key_access.find(words, octets, tape, slots.LIST_LEN_KEY, LIST, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + COUNT] if ref else 0)
    return NUMBER


@kernel
def span(words, octets, tape, now, reply):
    """Reply with the elements from one index to another, both included; negative ones count from the end (LRANGE)."""
    ref = key_access.find(words, octets, tape, slots.LIST_RANGE_KEY, LIST, now)
    if ref == MISSING:
        return EMPTY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = words[root + COUNT]
    start = words[tape + slots.LIST_RANGE_START]
    stop = words[tape + slots.LIST_RANGE_STOP]
    if start < 0:
        start = max(start + count, 0)
    if stop < 0:
        stop += count
    stop = min(stop, count - 1)
    if start > stop:
        return EMPTY
    wanted = stop - start + 1
    if wanted > words[REPLY_ITEMS_MAX]:
        fits(words, reply, wanted, words[root + BYTES])
        return FULL
    if start <= count - 1 - start:
        chunk = words[root + FIRST]
        skip = start
        while skip >= words[chunk + SIZES] & HALF_MASK:
            skip -= words[chunk + SIZES] & HALF_MASK
            chunk = words[chunk + NEXT]
    else:
        chunk = words[root + LAST]
        behind = count - start
        while behind > words[chunk + SIZES] & HALF_MASK:
            behind -= words[chunk + SIZES] & HALF_MASK
            chunk = words[chunk + PREV]
        skip = (words[chunk + SIZES] & HALF_MASK) - behind
    at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
    for _ in range(skip):
        at += 2 * HEAD_BYTES + (read_head(octets, at) & ENTRY_SIZE_MASK)
    left = (words[chunk + SIZES] & HALF_MASK) - skip
    set_scalar(words, reply, 0)
    total = 0
    for _ in range(wanted):
        if left == 0:
            chunk = words[chunk + NEXT]
            left = words[chunk + SIZES] & HALF_MASK
            at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        place, size, mark, _ = element(words, octets, at)
        add_text(words, reply, place, size, mark)
        total += size
        at += 2 * HEAD_BYTES + (read_head(octets, at) & ENTRY_SIZE_MASK)
        left -= 1
    if not fits(words, reply, wanted, total):
        return FULL
    return ITEMS


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a list from a snapshot: key, deadline, more (0: the first piece), elements."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    status = push_many(words, octets, tape, -1, reply, RIGHT, slots.LIST_LOAD_VALUES)
    return pieces.loaded(words, octets, tape, status)
