"""Rows that move an element from one list to another: LMOVE, RPOPLPUSH, and the forms that wait."""

from synap.compiler.jit import kernel
from synap.store.kinds.lists import encodings, ends, entries
from synap.store.kinds.lists.directory import COUNT, LEFT, RIGHT
from synap.store.kinds.lists.lists import popped
from synap.store.memory.kinds import LIST
from synap.store.memory.layout import BROKEN, CHANGED, FULL, IN_GROUP, ITEM, NIL, NO_ITEM, NOTHING_READY, REPEATED, WAIT
from synap.store.memory.refusals import WRONG_TYPE
from synap.store.memory.tapes import add_text, fits, set_scalar
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import lists as slots


@kernel
def carry(words, octets, root, source_side, target, target_side):
    """Move an element from one end of a list to one of a list that may be the same; return False without memory."""
    _, size, mark = entries.element(words, octets, ends.end_entry(words, octets, root, source_side))
    if ends.ensure_capacity(words, octets, target, target_side, entries.bytes_of(size, mark)) == 0:
        return False  # else nothing of the source moves any more while the element is pushed
    at = ends.end_entry(words, octets, root, source_side)
    box = entries.box_of(octets, at)
    if box:
        pushed = ends.push_box(words, octets, target, target_side, box)
    else:
        start, size, mark = entries.element(words, octets, at)
        pushed = ends.push(words, octets, target, target_side, start, size, mark)
    if pushed:
        ends.drop_end(words, octets, root, source_side)
    return pushed


@kernel
def move_element(words, octets, tape, now, reply, source_side, target_side):
    """Move an element between the lists of the first two slots, and reply with it; return NIL without a source."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.LIST_LMOVE_SOURCE, LIST, now)
    set_scalar(words, reply, 0)
    if ref == MISSING or (ref == OTHER_KIND and words[REPEATED]):
        return NIL
    if ref == OTHER_KIND:
        return WRONG_TYPE
    other = keyspace.hash_text(words, octets, tape, slots.LIST_LMOVE_DESTINATION)
    there = keyspace.locate_quietly(words, octets, tape, slots.LIST_LMOVE_DESTINATION, other)
    if key_access.record_at(words, there, LIST, now) == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    size = entries.element(words, octets, ends.end_entry(words, octets, root, source_side))[1]
    if not fits(words, 1, size):
        return FULL
    into = key_access.claim(words, octets, tape, slots.LIST_LMOVE_DESTINATION, other, LIST, now)
    if into == MISSING:
        return BROKEN
    target = keyspace.root_of(words, into)
    moves = into != ref or (source_side != target_side and words[root + COUNT] > 1)
    if moves and not carry(words, octets, root, source_side, target, target_side):
        return BROKEN
    at, size, mark = entries.element(words, octets, ends.end_entry(words, octets, target, target_side))
    add_text(words, reply, at, size, mark)
    keyspace.touched(words, octets, other)
    if into != ref:
        encodings.list_has_grown(words, into, target)
        seat = keyspace.locate_quietly(words, octets, tape, slots.LIST_LMOVE_SOURCE, h)  # a new key may move others
        popped(words, octets, h, seat, ref)
    return ITEM | CHANGED


@kernel
def waiting(words, status):
    """Return the status of a row that waits where another one replies with NIL; within MULTI it does not wait."""
    if status != NIL:
        return status
    return NO_ITEM if words[IN_GROUP] else WAIT | NOTHING_READY


@kernel
def move(words, octets, tape, now, reply):
    """Move an element from an end of one list to an end of another (LMOVE)."""
    source_side = words[tape + slots.LIST_LMOVE_WHEREFROM] - 1
    return move_element(words, octets, tape, now, reply, source_side, words[tape + slots.LIST_LMOVE_WHERETO] - 1)


@kernel
def move_wait(words, octets, tape, now, reply):
    """Move an element from an end of one list to an end of another, or wait for one (BLMOVE)."""
    source_side = words[tape + slots.LIST_BLMOVE_WHEREFROM] - 1
    target_side = words[tape + slots.LIST_BLMOVE_WHERETO] - 1
    return waiting(words, move_element(words, octets, tape, now, reply, source_side, target_side))


@kernel
def rotate(words, octets, tape, now, reply):
    """Move the last element of one list to the front of another (RPOPLPUSH)."""
    return move_element(words, octets, tape, now, reply, RIGHT, LEFT)


@kernel
def rotate_wait(words, octets, tape, now, reply):
    """Move the last element of one list to the front of another, or wait for one (BRPOPLPUSH)."""
    return waiting(words, move_element(words, octets, tape, now, reply, RIGHT, LEFT))
