"""Rows of lists: LPUSH, RPUSH, LPOP, RPOP, BLPOP, LLEN, LRANGE, and loading from a snapshot."""

from synap.compiler.jit import kernel
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
    MARK_BITS,
    NIL,
    NO_ITEM,
    NUMBER,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.memory.refusals import KEY_EXISTS, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar
from synap.store.records import keyspace


@kernel
def push_many(words, octets, tape, now, reply, side, first_slot):
    """Push the items of a Many at one end of the list at slot 0; reply with NUMBER: the new length."""
    h = keyspace.hash_text(words, octets, tape, 0)
    ref = keyspace.claim(words, octets, tape, 0, h, LIST, now)
    if ref == -1:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    count = words[tape + first_slot]
    at = tape + words[tape + first_slot + 1]
    for i in range(count):
        start = words[tape - 1] + words[at + 2 * i]
        mark = words[at + 2 * i + 1]
        if not push(words, octets, root, side, start, mark >> MARK_BITS, mark & 0xFF):
            return BROKEN
    encodings.list_has_grown(words, ref, root)
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, words[root + COUNT])
    return NUMBER | CHANGED


@kernel
def push_right(words, octets, tape, now, reply):
    """Push elements at the right end (RPUSH)."""
    return push_many(words, octets, tape, now, reply, RIGHT, 2)


@kernel
def push_left(words, octets, tape, now, reply):
    """Push elements at the left end (LPUSH)."""
    return push_many(words, octets, tape, now, reply, LEFT, 2)


@kernel
def pop_some(words, octets, tape, now, reply, side):
    """Pop one element, or up to the count in slot 3 if slot 2 is set (LPOP, RPOP)."""
    has_count = words[tape + 2]
    wanted = words[tape + 3] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NIL if has_count else NO_ITEM
    ref = words[seat] & REF_MASK
    if keyspace.kind_of(words, ref) != LIST:
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
    if words[root + COUNT] == 0:
        keyspace.remove(words, octets, h, seat, False)
    else:
        encodings.list_has_shrunk(words, ref, root)
        keyspace.touched(words, octets, h)
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
    """Pop the first element of the first list that has one; reply with key and element, or return WAIT (BLPOP).

    Slots: the number of keys, where they start, the timeout.
    """
    count = words[tape]
    at = tape + words[tape + 1]
    for i in range(count):
        start = words[tape - 1] + words[at + 2 * i]
        size = words[at + 2 * i + 1] >> MARK_BITS
        h = keyspace.hash_key(words, octets, words[tape - 2], start, size)
        seat = keyspace.locate_used(words, octets, words[tape - 2], start, size, h)
        if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
            continue
        ref = words[seat] & REF_MASK
        if keyspace.kind_of(words, ref) != LIST:
            return WRONG_TYPE
        root = keyspace.root_of(words, ref)
        if not fits(words, reply, 2, size + measure(words, octets, root, LEFT, 1)):
            return FULL
        set_scalar(words, reply, 0)
        add_text(words, reply, start, size, 0)
        pop(words, octets, root, LEFT, reply)
        if words[root + COUNT] == 0:
            keyspace.remove(words, octets, h, seat, False)
        else:
            encodings.list_has_shrunk(words, ref, root)
            keyspace.touched(words, octets, h)
        return ITEMS | CHANGED
    return WAIT


@kernel
def length(words, octets, tape, now, reply):
    """Reply with the number of elements (LLEN)."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref and keyspace.kind_of(words, ref) != LIST:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + COUNT] if ref else 0)
    return NUMBER


@kernel
def span(words, octets, tape, now, reply):
    """Reply with the elements from index slot 2 to slot 3, both included; negative ones count from the end (LRANGE)."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref == 0:
        return EMPTY
    if keyspace.kind_of(words, ref) != LIST:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = words[root + COUNT]
    start = words[tape + 2]
    stop = words[tape + 3]
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
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if (seat != 0) != (words[tape + 3] != 0):
        return KEY_EXISTS
    status = push_many(words, octets, tape, -1, reply, RIGHT, 4)
    if status == NUMBER | CHANGED and words[tape + 2] and not words[tape + 3]:
        seat = keyspace.locate_text(words, octets, tape, 0, h)
        if keyspace.set_deadline(words, octets, seat, words[tape + 2]) == 0:
            return BROKEN
    return status


