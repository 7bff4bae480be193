"""Rows of one set: SADD, SREM, SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SMOVE, SSCAN, and the loading of snapshots."""

from synap.compiler.jit import kernel
from synap.store.kinds.sets import encodings, members
from synap.store.memory import tables
from synap.store.memory.kinds import SET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEMS,
    MARK_BITS,
    NUMBER,
    REPLY_ITEMS_MAX,
)
from synap.store.memory.refusals import BAD_CURSOR, KEY_EXISTS, SYNTAX, WRONG_TYPE
from synap.store.memory.tapes import add_number, first_item, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace, pieces, scans
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import sets as slots


@kernel
def add_text(words, octets, ref, start, size, mark):
    """Add a member to the set at `ref` and note what its encoding is now; return as `members.add` does."""
    root = keyspace.root_of(words, ref)
    new = members.add(words, octets, root, start, size, mark)
    if new > 0:
        encodings.set_has_grown(words, octets, ref, members.count_of(words, root), start, size)
    return new


@kernel
def add_many(words, octets, tape, now, reply, group):
    """Add the items of the group in this slot to a set; reply with NUMBER: how many were new."""
    h = keyspace.hash_text(words, octets, tape, slots.SET_ADD_KEY)
    ref = key_access.claim(words, octets, tape, slots.SET_ADD_KEY, h, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    count = words[tape + group]
    member = first_item(words, tape, group) + slots.SET_ADD_MEMBERS_MEMBER
    start, size = text_at(words, tape, member), text_size(words, tape, member)
    encodings.set_will_grow(
        words, octets, ref, members.count_of(words, keyspace.root_of(words, ref)), count, start, size
    )
    added = 0
    for _ in range(count):
        start, size = text_at(words, tape, member), text_size(words, tape, member)
        new = add_text(words, octets, ref, start, size, text_mark(words, tape, member))
        if new < 0:
            return BROKEN
        added += new
        member += slots.SET_ADD_MEMBERS_STRIDE
    set_scalar(words, reply, added)
    if added == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def add(words, octets, tape, now, reply):
    """Add members (SADD)."""
    return add_many(words, octets, tape, now, reply, slots.SET_ADD_MEMBERS)


@kernel
def remove(words, octets, tape, now, reply):
    """Remove members; reply with NUMBER: how many were there (SREM). The key is removed with its last member."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.SET_REMOVE_KEY, SET, now)
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    member = first_item(words, tape, slots.SET_REMOVE_MEMBERS) + slots.SET_REMOVE_MEMBERS_MEMBER
    removed = 0
    for _ in range(words[tape + slots.SET_REMOVE_MEMBERS]):
        found = members.find(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))
        if found:
            members.remove(words, octets, root, found, False)
            removed += 1
        member += slots.SET_REMOVE_MEMBERS_STRIDE
    if removed == 0:
        return NUMBER
    words[reply] = removed
    key_access.shrunk(words, octets, h, seat, members.count_of(words, root))
    return NUMBER | CHANGED


@kernel
def has(words, octets, tape, now, reply):
    """Reply with NUMBER 1 if the text is a member, else 0 (SISMEMBER)."""
    ref = key_access.find(words, octets, tape, slots.SET_ISMEMBER_KEY, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    found = 0
    if ref:
        start = text_at(words, tape, slots.SET_ISMEMBER_MEMBER)
        size = text_size(words, tape, slots.SET_ISMEMBER_MEMBER)
        if members.find(words, octets, keyspace.root_of(words, ref), start, size):
            found = 1
    set_scalar(words, reply, found)
    return NUMBER


@kernel
def has_many(words, octets, tape, now, reply):
    """Reply with 1 for each text that is a member, and 0 for each that is none (SMISMEMBER)."""
    ref = key_access.find(words, octets, tape, slots.SET_HAS_MANY_KEY, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    count = words[tape + slots.SET_HAS_MANY_MEMBERS]
    if not fits(words, count, 0):
        return FULL
    set_scalar(words, reply, 0)
    member = first_item(words, tape, slots.SET_HAS_MANY_MEMBERS) + slots.SET_HAS_MANY_MEMBERS_MEMBER
    for _ in range(count):
        found = 0
        if ref:
            root = keyspace.root_of(words, ref)
            found = members.find(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))
        add_number(words, reply, 1 if found else 0)
        member += slots.SET_HAS_MANY_MEMBERS_STRIDE
    return ITEMS


@kernel
def size_of(words, octets, tape, now, reply):
    """Reply with the number of members (SCARD)."""
    ref = key_access.find(words, octets, tape, slots.SET_CARD_KEY, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, members.count_of(words, keyspace.root_of(words, ref)) if ref else 0)
    return NUMBER


@kernel
def put_all(words, octets, root, reply):
    """Reply with every member of a set; return ITEMS or FULL."""
    if not fits(words, members.count_of(words, root), members.bytes_of(words, root)):
        return FULL
    set_scalar(words, reply, 0)
    place, member = members.following(words, octets, root, 0)
    while member:
        members.put(words, octets, root, member, reply)
        place, member = members.following(words, octets, root, place)
    return ITEMS


@kernel
def list_members(words, octets, tape, now, reply):
    """Reply with every member, in no order (SMEMBERS)."""
    ref = key_access.find(words, octets, tape, slots.SET_MEMBERS_KEY, SET, now)
    if ref == MISSING:
        return EMPTY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    return put_all(words, octets, keyspace.root_of(words, ref), reply)


@kernel
def move(words, octets, tape, now, reply):
    """Move a member from one set to another; reply with NUMBER 1 if it was a member of the first (SMOVE)."""
    set_scalar(words, reply, 0)
    h, seat, ref = key_access.open_key(words, octets, tape, slots.SET_MOVE_SOURCE, SET, now)
    if ref == MISSING:
        return NUMBER
    other_h, _, other = key_access.open_key(words, octets, tape, slots.SET_MOVE_DESTINATION, SET, now)
    if ref == OTHER_KIND or other == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    start = text_at(words, tape, slots.SET_MOVE_MEMBER)
    size = text_size(words, tape, slots.SET_MOVE_MEMBER)
    found = members.find(words, octets, root, start, size)
    if found == 0:
        return NUMBER
    words[reply] = 1
    if ref == other:
        return NUMBER
    _, mark = members.text_of(words, octets, root, found)  # it keeps its form, whatever names it
    members.remove(words, octets, root, found, False)
    key_access.shrunk(words, octets, h, seat, members.count_of(words, root))
    other = key_access.claim(words, octets, tape, slots.SET_MOVE_DESTINATION, other_h, SET, now)
    if other == 0:
        return BROKEN
    count = members.count_of(words, keyspace.root_of(words, other))
    encodings.set_will_grow(words, octets, other, count, 1, start, size)
    if add_text(words, octets, other, start, size, mark) < 0:
        return BROKEN
    keyspace.touched(words, octets, other_h)
    return NUMBER | CHANGED


@kernel
def scan(words, octets, tape, now, reply):
    """Reply with one step of a scan: the cursor to continue from, 0 when done, and some members (SSCAN)."""
    cursor, valid = scans.cursor_of(words, octets, tape)
    if not valid:
        return BAD_CURSOR
    ref = key_access.find(words, octets, tape, slots.SET_SCAN_KEY, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    scans.begin_page(words, reply)
    if ref == MISSING:
        return scans.end_page(words, octets, reply, 0)
    left = scans.count_of(words, tape)
    if left < 1:
        return SYNTAX
    root = keyspace.root_of(words, ref)
    if not members.is_table(words, root):
        return scan_small(words, octets, tape, root, reply)
    table = members.table_of(words, root)
    left = min(left, words[REPLY_ITEMS_MAX] >> 1)
    tag = scans.first_tag(cursor)
    total = 0
    while True:
        seat, tag = scans.walk(words, table, tag)
        if seat == 0 or left <= 0:
            return scans.end_page(words, octets, reply, scans.cursor_at(tag))
        before = words[reply + 1]
        while words[seat] and tables.tag_of(words[seat]) == tag:  # members of one tag share a cursor
            left -= 1
            start, mark = members.text_of(words, octets, root, seat)
            if scans.is_asked_for(words, octets, tape, start, mark >> MARK_BITS):
                total += mark >> MARK_BITS
                if not scans.page_takes(words, reply, 1, total):
                    return scans.cut_page(words, octets, reply, before, tag)
                members.put(words, octets, root, seat, reply)
            seat += 1
        tag += 1


@kernel
def scan_small(words, octets, tape, root, reply):
    """Reply with all members of a set in a small form, as the only step of a scan, or with FULL."""
    if not fits(words, members.count_of(words, root) + scans.PAGE_ITEMS, members.bytes_of(words, root)):
        return FULL
    place, member = members.following(words, octets, root, 0)
    while member:
        start, mark = members.text_of(words, octets, root, member)
        if scans.is_asked_for(words, octets, tape, start, mark >> MARK_BITS):
            members.put(words, octets, root, member, reply)
        place, member = members.following(words, octets, root, place)
    return scans.end_page(words, octets, reply, 0)


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a set from a snapshot: key, deadline, more (0: the first piece), members."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    status = add_many(words, octets, tape, -1, reply, slots.SET_LOAD_MEMBERS)
    return pieces.loaded(words, octets, tape, status)
