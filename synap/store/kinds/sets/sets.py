"""Rows of sets: SADD, SREM, SISMEMBER, SCARD, SMEMBERS, SPOP, over a hash table of member blocks.

    root     the words of the table (tables.py); the last one holds the bytes of all members
    member   size << 8 | form | bytes

Members are equal if their bytes are equal, whatever their form. SPOP draws with equal odds from the table's slots. The
log has it as a removal with the members spelled out, since random draws cannot be repeated.
"""

from synap.compiler.jit import kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move, same
from synap.store.kinds.sets import encodings
from synap.store.memory import arena, codes, decided, tables
from synap.store.memory.kinds import SET
from synap.store.memory.layout import (
    BROKEN,
    CHANCE,
    CHANGED,
    DECIDED_BIT,
    EMPTY,
    FORM_MASK,
    FULL,
    ITEM,
    ITEMS,
    KEY_A,
    KEY_B,
    MARK_BITS,
    NO_ITEM,
    NUMBER,
)
from synap.store.memory.refusals import KEY_EXISTS, POSITIVE_COUNT, WRONG_TYPE
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, first_item, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import key_access, keyspace, pieces
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import sets as slots

BYTES = 7
STAGGER = 0


@kernel
def hash_member(words, octets, start, size):
    """Return the hash of a member's bytes."""
    return keyed_hash(octets, start, size, words[KEY_A], words[KEY_B])


@kernel
def locate(words, octets, root, start, size, h):
    """Return the index in `words` of the slot of this member, or 0."""
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, root, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        ref = slot & REF_MASK
        if words[ref] >> MARK_BITS == size and same(octets, (ref + 1) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def add_member(words, octets, root, start, size, mark):
    """Add a member; return 1 if it is new, 0 if it was there, -1 without memory."""
    h = hash_member(words, octets, start, size)
    if locate(words, octets, root, start, size, h):
        return 0
    ref = arena.allocate(words, 1 + ((size + 7) >> 3))
    if ref == 0:
        return -1
    words[ref] = size << MARK_BITS | (mark & FORM_MASK)
    move(octets, (ref + 1) * 8, start, size)
    if not tables.insert(words, octets, root, tables.tag_of_hash(h), ref, STAGGER):
        return -1
    words[root + BYTES] += size
    return 1


@kernel
def remove_at(words, octets, root, seat, later):
    """Remove the member at `seat`; free its block at once, or after the reply (`later`)."""
    ref = words[seat] & REF_MASK
    words[root + BYTES] -= words[ref] >> MARK_BITS
    tables.remove(words, octets, root, seat)
    if later:
        arena.release_later(words, ref)
    else:
        arena.release(words, ref)


@kernel
def add_many(words, octets, tape, now, reply, members):
    """Add the items of the group in slot `members` to a set; reply with NUMBER: how many were new."""
    h = keyspace.hash_text(words, octets, tape, slots.SET_ADD_KEY)
    ref = key_access.claim(words, octets, tape, slots.SET_ADD_KEY, h, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    if words[root + tables.SLOTS] == 0:
        tables.open_table(words, octets, root, tables.SIZE_MIN)
    count = words[tape + members]
    member = first_item(words, tape, members) + slots.SET_ADD_MEMBERS_MEMBER
    added = 0
    for i in range(count):
        start = text_at(words, tape, member)
        size = text_size(words, tape, member)
        if i == 0:
            encodings.set_will_grow(words, octets, ref, words[root + tables.COUNT], count, start, size)
        new = add_member(words, octets, root, start, size, text_mark(words, tape, member))
        if new < 0:
            return BROKEN
        if new:
            encodings.set_has_grown(words, octets, ref, words[root + tables.COUNT], start, size)
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
        start = text_at(words, tape, member)
        size = text_size(words, tape, member)
        place = locate(words, octets, root, start, size, hash_member(words, octets, start, size))
        if place:
            remove_at(words, octets, root, place, False)
            removed += 1
        member += slots.SET_REMOVE_MEMBERS_STRIDE
    if removed == 0:
        return NUMBER
    words[reply] = removed
    key_access.shrunk(words, octets, h, seat, words[root + tables.COUNT])
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
        h = hash_member(words, octets, start, size)
        if locate(words, octets, keyspace.root_of(words, ref), start, size, h):
            found = 1
    set_scalar(words, reply, found)
    return NUMBER


@kernel
def size_of(words, octets, tape, now, reply):
    """Reply with the number of members (SCARD)."""
    ref = key_access.find(words, octets, tape, slots.SET_CARD_KEY, SET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + tables.COUNT] if ref else 0)
    return NUMBER


@kernel
def members(words, octets, tape, now, reply):
    """Reply with every member, in no order (SMEMBERS)."""
    ref = key_access.find(words, octets, tape, slots.SET_MEMBERS_KEY, SET, now)
    if ref == MISSING:
        return EMPTY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    if not fits(words, reply, words[root + tables.COUNT], words[root + BYTES]):
        return FULL
    set_scalar(words, reply, 0)
    for side in range(2):
        entries = words[root + (tables.OLD if side else tables.SLOTS)]
        if entries == 0:
            continue
        size = words[root + (tables.OLD_SIZE if side else tables.SIZE)]
        for at in range(entries, entries + size + tables.slack(size)):
            if words[at]:
                block = words[at] & REF_MASK
                add_text(words, reply, (block + 1) * 8, words[block] >> MARK_BITS, words[block] & FORM_MASK)
    return ITEMS


@kernel
def pop(words, octets, tape, now, reply):
    """Remove and return a member drawn with equal odds, or up to a count if there is one (SPOP)."""
    has_count = words[tape + slots.SET_POP_HAS_COUNT]
    wanted = words[tape + slots.SET_POP_COUNT] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    h, seat, ref = key_access.open_key(words, octets, tape, slots.SET_POP_KEY, SET, now)
    if ref == MISSING:
        return EMPTY if has_count else NO_ITEM
    if ref == OTHER_KIND:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    wanted = min(wanted, words[root + tables.COUNT])
    if not fits(words, reply, wanted, words[root + BYTES]):
        return FULL
    set_scalar(words, reply, 0)
    if wanted == 0:
        return EMPTY
    decided.begin(words, codes.SET_REMOVE, words[tape - 2], slots.SET_REMOVE_SLOTS)
    decided.put_argument(words, octets, slots.SET_REMOVE_KEY, tape, slots.SET_POP_KEY)
    decided.put_group(words, slots.SET_REMOVE_MEMBERS)
    for _ in range(wanted):
        place, chance = tables.any_slot(words, root, tables.next_chance(words[CHANCE]))
        words[CHANCE] = chance
        block = words[place] & REF_MASK
        size = words[block] >> MARK_BITS
        add_text(words, reply, (block + 1) * 8, size, words[block] & FORM_MASK)
        item = decided.add_item(words, slots.SET_REMOVE_MEMBERS, slots.SET_REMOVE_MEMBERS_STRIDE)
        decided.put_text(words, octets, item + slots.SET_REMOVE_MEMBERS_MEMBER, (block + 1) * 8, size, 0)
        remove_at(words, octets, root, place, True)
    key_access.shrunk(words, octets, h, seat, words[root + tables.COUNT])
    return (ITEMS if has_count else ITEM) | CHANGED | DECIDED_BIT


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a set from a snapshot: key, deadline, more (0: the first piece), members."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    status = add_many(words, octets, tape, -1, reply, slots.SET_LOAD_MEMBERS)
    return pieces.loaded(words, octets, tape, status)


@kernel
def free_some(words, octets, ref, budget):
    """Free members of a deleted set from the left; return what is left of the budget.

    The last word of the root holds the progress in the current slots; the old slots, if there are any, come second.
    """
    root = ref + 1
    while words[root + tables.SLOTS] and budget > 0:
        entries = words[root + tables.SLOTS]
        size = words[root + tables.SIZE]
        end = entries + size + tables.slack(size)
        at = entries + words[root + BYTES]
        while at < end and budget > 0:
            if words[at]:
                arena.release(words, words[at] & REF_MASK)
                budget -= 4
            budget -= 1
            at += 1
        words[root + BYTES] = at - entries
        if at == end:
            arena.release(words, entries)
            words[root + tables.SLOTS] = words[root + tables.OLD]
            words[root + tables.SIZE] = words[root + tables.OLD_SIZE]
            words[root + tables.OLD] = 0
            words[root + BYTES] = 0
    return budget
