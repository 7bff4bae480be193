"""Rows by index or value: LINDEX, LSET, LRANGE, LTRIM, LINSERT, LREM, LPOS."""

from synap.compiler.jit import kernel
from synap.store.kinds.lists import chunks, edits, encodings, entries
from synap.store.kinds.lists.directory import BYTES, COUNT, LEFT, RIGHT, chunk_at, last_place, seek
from synap.store.kinds.lists.lists import popped
from synap.store.memory.kinds import LIST
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    EMPTY,
    FULL,
    ITEM,
    ITEMS,
    NIL,
    NO_ITEM,
    NUMBER,
    REPLY_ITEMS_MAX,
    UNREADABLE,
)
from synap.store.memory.refusals import (
    NO_SUCH_KEY,
    NOT_AN_INTEGER,
    NOT_SYMMETRIC,
    OUT_OF_RANGE,
    WRONG_TYPE,
    ZERO_RANK,
)
from synap.store.memory.tapes import add_number, add_text, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import lists as slots

LEAST = -(1 << 63)
ALL = (1 << 63) - 1
OUTSIDE = 1  # the number of a reply that is NIL since the index is out of range


@kernel
def span_of(count, start, stop):
    """Return (first, last) of the indices in a list that a range names; negative ones count from the end."""
    if start < 0:
        start = max(start + count, 0)
    if stop < 0:
        stop += count
    return start, min(stop, count - 1)


@kernel
def at_index(words, octets, tape, now, reply):
    """Reply with the element at an index; a negative one counts from the end (LINDEX)."""
    set_scalar(words, reply, 0)
    ref = key_access.find(words, octets, tape, slots.LIST_INDEX_KEY, LIST, now)
    if ref == MISSING:
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if words[tape + slots.LIST_INDEX_SPELLING] & UNREADABLE:
        return NOT_AN_INTEGER
    root = keyspace.root_of(words, ref)
    index = words[tape + slots.LIST_INDEX_INDEX]
    index += words[root + COUNT] if index < 0 else 0
    if not 0 <= index < words[root + COUNT]:
        words[reply] = OUTSIDE
        return NIL
    _, chunk, inside = seek(words, root, index)
    at, size, mark = entries.element(words, octets, chunks.entry_in(words, octets, chunk, inside))
    if not fits(words, 1, size):
        return FULL
    add_text(words, reply, at, size, mark)
    return ITEM


@kernel
def set_index(words, octets, tape, now, reply):
    """Replace the element at an index (LSET)."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.LIST_SET_KEY, LIST, now)
    if ref == MISSING:
        return NO_SUCH_KEY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if words[tape + slots.LIST_SET_SPELLING] & UNREADABLE:
        return NOT_AN_INTEGER
    root = keyspace.root_of(words, ref)
    index = words[tape + slots.LIST_SET_INDEX]
    index += words[root + COUNT] if index < 0 else 0
    if not 0 <= index < words[root + COUNT]:
        return OUT_OF_RANGE
    place, chunk, inside = seek(words, root, index)
    at = chunks.entry_in(words, octets, chunk, inside)
    start, size = text_at(words, tape, slots.LIST_SET_VALUE), text_size(words, tape, slots.LIST_SET_VALUE)
    mark = text_mark(words, tape, slots.LIST_SET_VALUE)
    if not edits.replace(words, octets, root, place, at, start, size, mark):
        return BROKEN
    encodings.list_has_grown(words, ref, root)
    encodings.list_has_shrunk(words, ref, root)
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def span(words, octets, tape, now, reply):
    """Reply with the elements from one index to another, both included (LRANGE)."""
    ref = key_access.find(words, octets, tape, slots.LIST_RANGE_KEY, LIST, now)
    if ref == MISSING:
        return EMPTY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    start, stop = span_of(
        words[root + COUNT], words[tape + slots.LIST_RANGE_START], words[tape + slots.LIST_RANGE_STOP]
    )
    if start > stop:
        return EMPTY
    wanted = stop - start + 1
    if wanted > words[REPLY_ITEMS_MAX]:
        fits(words, wanted, words[root + BYTES])
        return FULL
    place, chunk, inside = seek(words, root, start)
    at = chunks.entry_in(words, octets, chunk, inside)
    left = chunks.count_of(words, chunk) - inside
    set_scalar(words, reply, 0)
    total = 0
    for _ in range(wanted):
        if left == 0:
            place += 1
            chunk = chunk_at(words, root, place)
            left = chunks.count_of(words, chunk)
            at = chunks.begin_of(words, chunk)
        octet, size, mark = entries.element(words, octets, at)
        add_text(words, reply, octet, size, mark)
        total += size
        at += entries.size_at(octets, at)
        left -= 1
    return ITEMS if fits(words, wanted, total) else FULL


@kernel
def trim(words, octets, tape, now, reply):
    """Remove all elements but those from one index to another (LTRIM)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.LIST_TRIM_KEY, LIST, now)
    if ref == MISSING:
        return DONE
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = words[root + COUNT]
    start, stop = span_of(count, words[tape + slots.LIST_TRIM_START], words[tape + slots.LIST_TRIM_STOP])
    if start > stop:
        keyspace.remove(words, octets, h, seat, False)
        return DONE | CHANGED
    edits.trim(words, octets, root, RIGHT, count - 1 - stop)
    edits.trim(words, octets, root, LEFT, start)
    edits.fit(words, octets, root)
    popped(words, octets, h, seat, ref)
    return DONE | CHANGED


@kernel
def insert(words, octets, tape, now, reply):
    """Insert an element before or behind the first one that equals a pivot; reply with the length, or -1 (LINSERT)."""
    h, _, ref = key_access.open_key(words, octets, tape, slots.LIST_INSERT_KEY, LIST, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    pivot, pivot_size = text_at(words, tape, slots.LIST_INSERT_PIVOT), text_size(words, tape, slots.LIST_INSERT_PIVOT)
    place = 0
    at = edits.first_entry(words, root, place)
    while at and not entries.equals(words, octets, at, pivot, pivot_size):
        place, at = edits.next_entry(words, octets, root, place, at)
    if at == 0:
        words[reply] = -1
        return NUMBER
    if words[tape + slots.LIST_INSERT_POSITION] == 2:  # AFTER
        at += entries.size_at(octets, at)
    start, size = text_at(words, tape, slots.LIST_INSERT_VALUE), text_size(words, tape, slots.LIST_INSERT_VALUE)
    if not edits.insert(words, octets, root, place, at, start, size, text_mark(words, tape, slots.LIST_INSERT_VALUE)):
        return BROKEN
    encodings.list_has_grown(words, ref, root)
    keyspace.touched(words, octets, h)
    words[reply] = words[root + COUNT]
    return NUMBER | CHANGED


@kernel
def remove(words, octets, tape, now, reply):
    """Remove elements equal to a value: `count` from the left, -`count` from the right, or all; reply with their number
    (LREM)."""
    count = words[tape + slots.LIST_REM_COUNT]
    h, seat, ref = key_access.open_key(words, octets, tape, slots.LIST_REM_KEY, LIST, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    start, size = text_at(words, tape, slots.LIST_REM_VALUE), text_size(words, tape, slots.LIST_REM_VALUE)
    side = RIGHT if count < 0 else LEFT
    most = ALL if count == 0 or count == LEAST else abs(count)
    found = edits.remove_equal(words, octets, root, start, size, most, side)
    if found == 0:
        return NUMBER
    edits.fit(words, octets, root)
    popped(words, octets, h, seat, ref)
    words[reply] = found
    return NUMBER | CHANGED


@kernel
def positions(words, octets, tape, reply, root, rank, most, looks):
    """Add the indices of up to `most` elements that equal the value to the reply, from the match number `rank` on.

    A negative rank counts from the right end. At most `looks` elements are compared. Return how many indices there are;
    those that the caller cannot take are counted but not added.
    """
    start, size = text_at(words, tape, slots.LIST_POS_VALUE), text_size(words, tape, slots.LIST_POS_VALUE)
    side = LEFT if rank > 0 else RIGHT
    skip = abs(rank) - 1
    left = min(looks, words[root + COUNT])
    index = 0 if side == LEFT else words[root + COUNT] - 1
    step = 1 if side == LEFT else -1
    found = 0
    place = last_place(words, root, side)
    while left and found < most:
        chunk = chunk_at(words, root, place)
        at = chunks.begin_of(words, chunk) if side == LEFT else chunks.end_of(words, chunk)
        for _ in range(min(left, chunks.count_of(words, chunk))):
            if side == RIGHT:
                at -= entries.size_before(octets, at)
            if entries.equals(words, octets, at, start, size):
                if skip:
                    skip -= 1
                else:
                    if found < words[REPLY_ITEMS_MAX]:
                        add_number(words, reply, index)
                    found += 1
                    if found == most:
                        return found
            if side == LEFT:
                at += entries.size_at(octets, at)
            index += step
            left -= 1
        place += step
    return found


@kernel
def find(words, octets, tape, now, reply):
    """Reply with the index of an element that equals a value, or with COUNT an array of them (LPOS)."""
    has_count = words[tape + slots.LIST_POS_HAS_COUNT]
    most = words[tape + slots.LIST_POS_COUNT] if has_count else 1
    rank = words[tape + slots.LIST_POS_RANK] if words[tape + slots.LIST_POS_HAS_RANK] else 1
    looks = words[tape + slots.LIST_POS_MAXLEN]
    if rank == LEAST:
        return NOT_SYMMETRIC
    if rank == 0:
        return ZERO_RANK
    ref = key_access.find(words, octets, tape, slots.LIST_POS_KEY, LIST, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    found = 0
    if ref:
        root = keyspace.root_of(words, ref)
        found = positions(words, octets, tape, reply, root, rank, most if most else ALL, looks if looks else ALL)
    if not fits(words, found, 0):
        return FULL
    if has_count:
        return ITEMS if found else EMPTY
    if found == 0:
        return NO_ITEM
    set_scalar(words, reply, words[reply + 2])
    return NUMBER
