"""Rows at the ends of lists: LPUSH, RPUSH, LPOP, RPOP, LMPOP and relatives, LLEN, and loading from a snapshot."""

from synap.compiler.jit import inlined, kernel
from synap.store.kinds.lists import encodings
from synap.store.kinds.lists.directory import COUNT, LEFT, RIGHT
from synap.store.kinds.lists.ends import measure, pop, push
from synap.store.memory.kinds import LIST
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    NIL,
    NO_ITEM,
    NOTHING_READY,
    NUMBER,
    WAIT,
)
from synap.store.memory.refusals import KEY_EXISTS, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tapes import add_mark, add_text, first_item, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace, pieces
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import lists as slots


@kernel
def push_all(words, octets, tape, reply, ref, h, side, values):
    """Push the items of the group in slot `values` at one end of a list; reply with NUMBER: the new length."""
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
def push_many(words, octets, tape, now, reply, side, values):
    """Push elements at one end of a list, which is created if it is missing."""
    h = keyspace.hash_text(words, octets, tape, slots.LIST_RPUSH_KEY)
    ref = key_access.claim(words, octets, tape, slots.LIST_RPUSH_KEY, h, LIST, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return BROKEN
    return push_all(words, octets, tape, reply, ref, h, side, values)


@kernel
def push_right(words, octets, tape, now, reply):
    """Push elements at the right end (RPUSH)."""
    return push_many(words, octets, tape, now, reply, RIGHT, slots.LIST_RPUSH_VALUES)


@kernel
def push_left(words, octets, tape, now, reply):
    """Push elements at the left end (LPUSH)."""
    return push_many(words, octets, tape, now, reply, LEFT, slots.LIST_LPUSH_VALUES)


@kernel
def push_if_there(words, octets, tape, now, reply, side, values):
    """Push elements at one end of a list, or reply with 0 if it is missing."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.LIST_RPUSHX_KEY, LIST, now)
    if ref == MISSING:
        set_scalar(words, reply, 0)
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    return push_all(words, octets, tape, reply, ref, h, side, values)


@kernel
def push_right_if_there(words, octets, tape, now, reply):
    """Push elements at the right end of a list that exists (RPUSHX)."""
    return push_if_there(words, octets, tape, now, reply, RIGHT, slots.LIST_RPUSHX_VALUES)


@kernel
def push_left_if_there(words, octets, tape, now, reply):
    """Push elements at the left end of a list that exists (LPUSHX)."""
    return push_if_there(words, octets, tape, now, reply, LEFT, slots.LIST_LPUSHX_VALUES)


@inlined
def popped(words, octets, h, seat, ref):
    """End a row that has removed elements of a list; the key is removed with its last element."""
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
    if not fits(words, wanted, measure(words, octets, root, side, wanted)):
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
def pop_waiting(words, octets, tape, now, reply, keys, side):
    """Pop an element of the first list that has one; reply with key and element, or return WAIT."""
    first = first_item(words, tape, keys) + slots.LIST_BLPOP_KEYS_KEY
    stride = slots.LIST_BLPOP_KEYS_STRIDE
    key, h, seat, ref = key_access.first_of_kind(words, octets, tape, first, stride, words[tape + keys], LIST, now)
    if ref == MISSING:
        return WAIT | NOTHING_READY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    size = text_size(words, tape, key)
    if not fits(words, 2, size + measure(words, octets, root, side, 1)):
        return FULL
    set_scalar(words, reply, 0)
    add_text(words, reply, text_at(words, tape, key), size, 0)
    pop(words, octets, root, side, reply)
    popped(words, octets, h, seat, ref)
    return ITEMS | CHANGED


@kernel
def pop_left_wait(words, octets, tape, now, reply):
    """Pop the first element of the first list that has one, or wait for one (BLPOP)."""
    return pop_waiting(words, octets, tape, now, reply, slots.LIST_BLPOP_KEYS, LEFT)


@kernel
def pop_right_wait(words, octets, tape, now, reply):
    """Pop the last element of the first list that has one, or wait for one (BRPOP)."""
    return pop_waiting(words, octets, tape, now, reply, slots.LIST_BRPOP_KEYS, RIGHT)


@kernel
def pop_several(words, octets, tape, now, reply, keys, side, wanted):
    """Pop up to `wanted` elements of the first list that has some; reply with the key and an array, or return WAIT."""
    first = first_item(words, tape, keys) + slots.LIST_LMPOP_KEYS_KEY
    stride = slots.LIST_LMPOP_KEYS_STRIDE
    key, h, seat, ref = key_access.first_of_kind(words, octets, tape, first, stride, words[tape + keys], LIST, now)
    if ref == MISSING:
        return WAIT | NOTHING_READY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    wanted = min(wanted, words[root + COUNT])
    size = text_size(words, tape, key)
    if not fits(words, wanted + 3, size + measure(words, octets, root, side, wanted)):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 2)
    add_text(words, reply, text_at(words, tape, key), size, 0)
    add_mark(words, reply, MARK_ARRAY, wanted)
    for _ in range(wanted):
        pop(words, octets, root, side, reply)
    popped(words, octets, h, seat, ref)
    return ITEM | CHANGED


@kernel
def pop_of_many(words, octets, tape, now, reply):
    """Pop elements of the first list that has some (LMPOP)."""
    wanted = words[tape + slots.LIST_LMPOP_COUNT] if words[tape + slots.LIST_LMPOP_HOW_MANY] else 1
    side = words[tape + slots.LIST_LMPOP_WHERE] - 1
    status = pop_several(words, octets, tape, now, reply, slots.LIST_LMPOP_KEYS, side, wanted)
    return NIL if status == WAIT | NOTHING_READY else status


@kernel
def pop_of_many_wait(words, octets, tape, now, reply):
    """Pop elements of the first list that has some, or wait for one (BLMPOP)."""
    wanted = words[tape + slots.LIST_BLMPOP_COUNT] if words[tape + slots.LIST_BLMPOP_HOW_MANY] else 1
    side = words[tape + slots.LIST_BLMPOP_WHERE] - 1
    return pop_several(words, octets, tape, now, reply, slots.LIST_BLMPOP_KEYS, side, wanted)


@kernel
def length(words, octets, tape, now, reply):
    """Reply with the number of elements (LLEN)."""
    ref = key_access.find(words, octets, tape, slots.LIST_LEN_KEY, LIST, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + COUNT] if ref else 0)
    return NUMBER


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a list from a snapshot: key, deadline, more (0: the first piece), elements."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    status = push_many(words, octets, tape, -1, reply, RIGHT, slots.LIST_LOAD_VALUES)
    return pieces.loaded(words, octets, tape, status)
