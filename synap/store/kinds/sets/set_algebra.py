"""Rows on several sets: SINTER, SUNION, SDIFF, the forms that store their result, and SINTERCARD.

The slots of all tables are sorted by the same hash. So a walk of one table meets the slots of another one in order,
too: no member is hashed, and both arrays of slots are read from left to right. Only blocks of members lie anywhere, so
they are prefetched some slots ahead.

A result that is stored, and each union, is built as a set without a name first. All checks and allocations have been
made when it replaces the destination, which may be one of the sources.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import prefetch
from synap.store.kinds.sets import encodings, members, sets
from synap.store.memory import arena, tables
from synap.store.memory.kinds import SET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    GUARD_LOADING,
    ITEMS,
    MARK_BITS,
    NUMBER,
    REFUSE,
)
from synap.store.memory.refusals import NEGATIVE_LIMIT, OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import OTHER_KIND
from synap.store.slots import sets as slots

COUNTED, REPLIED, STORED = range(3)
"""What becomes of the members that `sift` finds: they are only counted, added to a reply, or to a set."""
ALL = 1 << 62
AHEAD = 24  # slots between a prefetch and its use


@kernel
def gather(words, octets, tape, group, first, stride, now):
    """Return a block with the root of each set of the group in this slot, 0 for a missing key; return 0 without memory.

    `first` is the slot of the first key. Return OTHER_KIND if a key holds something else. The caller frees the block.
    """
    count = words[tape + group]
    found = arena.allocate(words, count + 1)
    for i in range(count if found else 0):
        ref = key_access.find(words, octets, tape, first, SET, now)
        if ref == OTHER_KIND:
            arena.release(words, found)
            return OTHER_KIND
        words[found + i] = keyspace.root_of(words, ref) if ref else 0
        first += stride
    return found


@kernel
def smallest(words, sources, count):
    """Return the index of the set with the fewest members, -1 if there is no set or a key is missing."""
    best = -1
    for i in range(count):
        if words[sources + i] == 0:
            return -1
        if best < 0 or members.count_of(words, words[sources + i]) < members.count_of(words, words[sources + best]):
            best = i
    return best


@kernel
def look_ahead(words, base, place, other):
    """Prefetch the member at a place of the table `base`, and the member of the table `other` that may be equal."""
    slot = members.slot_at(words, base, place)
    if slot:
        prefetch(words, slot & REF_MASK)
        if other:
            found = words[tables.seek_in(words, other, tables.tag_of(slot))]
            if found and tables.tag_of(found) == tables.tag_of(slot):
                prefetch(words, found & REF_MASK)


@kernel
def is_kept(words, octets, sources, count, base, tag, start, size, wanted):
    """Return True if a member of the set of index `base` is in all other sets, or (not `wanted`) in none."""
    for i in range(count):
        root = words[sources + i]
        if i != base and root and members.is_member(words, octets, root, tag, start, size) != wanted:
            return False
    return True


@kernel
def first_table(words, sources, count, base):
    """Return the table of the first set beside that of index `base` that lies in one, or 0."""
    for i in range(count):
        if i != base and words[sources + i] and members.is_table(words, words[sources + i]):
            return members.table_of(words, words[sources + i])
    return 0


@kernel
def sift(words, octets, sources, count, base, wanted, limit, what, target):
    """Find the members of the set of index `base` that are in all other sets, or (not `wanted`) in none.

    By `what`, only count them, add them to the reply at `target`, or to the set whose root is `target`; stop at
    `limit`. Return (how many, bytes of all), a negative number without memory.
    """
    root = words[sources + base]
    other = first_table(words, sources, count, base)
    is_table = members.is_table(words, root)
    table = members.table_of(words, root)
    ends = members.places_of(words, root)
    found = total = place = 0
    while found < limit:
        if is_table:
            while place < ends and members.slot_at(words, table, place) == 0:
                if place + AHEAD < ends:
                    look_ahead(words, table, place + AHEAD, other)
                place += 1
            if place >= ends:
                break
            if place + AHEAD < ends:
                look_ahead(words, table, place + AHEAD, other)
        following, member = members.following(words, octets, root, place)
        if member == 0:
            break
        place = following
        start, mark = members.text_of(words, octets, root, member)
        size = mark >> MARK_BITS
        tag = tables.tag_of(words[member]) if is_table else members.tag_for(words, octets, other, start, size)
        if not is_kept(words, octets, sources, count, base, tag, start, size, wanted):
            continue
        if what == REPLIED:
            members.put(words, octets, root, member, target)
        elif what == STORED:
            known = tag if is_table else -1
            if not members.add_unseen(words, octets, target, known, start, size, mark):
                return -1, 0
        found += 1
        total += size
    return found, total


@kernel
def reply_sifted(words, octets, sources, count, base, wanted, reply):
    """Reply with what `sift` finds; return ITEMS or FULL."""
    root = words[sources + base]
    if not fits(words, reply, members.count_of(words, root), members.bytes_of(words, root)):  # more than may be found
        found, total = sift(words, octets, sources, count, base, wanted, ALL, COUNTED, 0)
        if not fits(words, reply, found, total):
            return FULL
    set_scalar(words, reply, 0)
    sift(words, octets, sources, count, base, wanted, ALL, REPLIED, reply)
    return ITEMS


@kernel
def new_set(words, octets, most):
    """Return the ref of a set without a name that has space for `most` members, or 0 without memory."""
    made = arena.allocate(words, 1 + keyspace.root_words(words, SET))
    if made:
        words[made] = SET
        for i in range(keyspace.root_words(words, SET)):
            words[made + 1 + i] = 0
        if not members.open_for(words, octets, made + 1, most):
            discard(words, made)
            return 0
    return made


@kernel
def discard(words, made):
    """Leave a set without a name to upkeep, which frees it after the reply."""
    keyspace.drop_record(words, made, False)


@kernel
def unite(words, octets, sources, count):
    """Return the ref of a new set with the members of all sets, or 0 without memory."""
    most = 0
    for i in range(count):
        if words[sources + i]:
            most += members.count_of(words, words[sources + i])
    made = new_set(words, octets, most)
    for i in range(count if made else 0):
        if words[sources + i] and not add_all(words, octets, made + 1, words[sources + i]):
            discard(words, made)
            return 0
    if made and not members.settle(words, octets, made + 1):
        discard(words, made)
        return 0
    return made


@kernel
def add_all(words, octets, target, root):
    """Add the members of a set to another one; return False without memory."""
    if not (members.is_table(words, root) and members.is_table(words, target)):
        place, member = members.following(words, octets, root, 0)
        while member:
            start, mark = members.text_of(words, octets, root, member)
            if members.add(words, octets, target, start, mark >> MARK_BITS, mark) < 0:
                return False
            place, member = members.following(words, octets, root, place)
        return True
    table = members.table_of(words, root)
    other = members.table_of(words, target)
    ends = members.places_of(words, root)
    for place in range(ends):
        if place + AHEAD < ends:
            look_ahead(words, table, place + AHEAD, 0)
        slot = members.slot_at(words, table, place)
        if slot:
            ref = slot & REF_MASK
            tag = tables.tag_of(slot)
            size = words[ref] >> MARK_BITS
            if members.locate(words, octets, other, tag, (ref + 1) * 8, size) == 0:
                if not members.add_new(words, octets, other, tag, (ref + 1) * 8, size, words[ref]):
                    return False
    return True


@kernel
def sifted_set(words, octets, sources, count, base, wanted):
    """Return the ref of a new set with what `sift` finds, or 0 without memory."""
    made = new_set(words, octets, members.count_of(words, words[sources + base]))
    if made == 0:
        return 0
    found, _ = sift(words, octets, sources, count, base, wanted, ALL, STORED, made + 1)
    if found < 0 or not members.settle(words, octets, made + 1):
        discard(words, made)
        return 0
    return made


@kernel
def put_under_destination(words, octets, tape, made, bits, reply):
    """Replace the destination by the set at `made` (0: an empty one); reply with the number of its members.

    `bits` are those of the encoding that Redis would use.
    """
    h = keyspace.hash_text(words, octets, tape, slots.SET_INTERSTORE_DESTINATION)
    seat = keyspace.locate_text(words, octets, tape, slots.SET_INTERSTORE_DESTINATION, h)
    count = members.count_of(words, made + 1) if made else 0
    set_scalar(words, reply, count)
    if seat:
        keyspace.remove(words, octets, h, seat, False)
    if count:
        name_at = text_at(words, tape, slots.SET_INTERSTORE_DESTINATION)
        name_size = text_size(words, tape, slots.SET_INTERSTORE_DESTINATION)
        ref = keyspace.create(words, octets, h, SET, 0, words[tape - 2], name_at, name_size, 0, 0)
        if ref == 0:
            return BROKEN
        for i in range(keyspace.root_words(words, SET)):
            words[keyspace.root_of(words, ref) + i] = words[made + 1 + i]
        words[ref] |= bits
        arena.release(words, made)
        keyspace.touched(words, octets, h)
    elif made:
        discard(words, made)
    return NUMBER | CHANGED if seat or count else NUMBER


@kernel
def lacks_memory(words, size):
    """Return True if `size` more bytes exceed max_memory; a replay repeats what was done before, whatever that is."""
    return words[REFUSE] & GUARD_LOADING == 0 and arena.full(words, size)


@kernel
def taken_bytes(words, sources, first, last):
    """Return an upper bound of the bytes that copies of the sets of these indices take."""
    size = 0
    for i in range(first, last):
        if words[sources + i]:
            size += members.copied_bytes(words, words[sources + i])
    return size


@kernel
def intersect(words, octets, tape, now, reply):
    """Reply with the members that are in all of the sets (SINTER)."""
    count = words[tape + slots.SET_INTER_KEYS]
    key = first_item(words, tape, slots.SET_INTER_KEYS) + slots.SET_INTER_KEYS_KEY
    sources = gather(words, octets, tape, slots.SET_INTER_KEYS, key, slots.SET_INTER_KEYS_STRIDE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    base = smallest(words, sources, count)
    status = EMPTY
    if base >= 0:
        status = reply_sifted(words, octets, sources, count, base, True, reply)
    arena.release(words, sources)
    return status


@kernel
def subtract(words, octets, tape, now, reply):
    """Reply with the members of the first set that are in none of the others (SDIFF)."""
    count = words[tape + slots.SET_DIFF_KEYS]
    key = first_item(words, tape, slots.SET_DIFF_KEYS) + slots.SET_DIFF_KEYS_KEY
    sources = gather(words, octets, tape, slots.SET_DIFF_KEYS, key, slots.SET_DIFF_KEYS_STRIDE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    status = EMPTY
    if count and words[sources]:
        status = reply_sifted(words, octets, sources, count, 0, False, reply)
    arena.release(words, sources)
    return status


@kernel
def union(words, octets, tape, now, reply):
    """Reply with the members of all sets (SUNION)."""
    count = words[tape + slots.SET_UNION_KEYS]
    key = first_item(words, tape, slots.SET_UNION_KEYS) + slots.SET_UNION_KEYS_KEY
    sources = gather(words, octets, tape, slots.SET_UNION_KEYS, key, slots.SET_UNION_KEYS_STRIDE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    made = unite(words, octets, sources, count)
    arena.release(words, sources)
    if made == 0:
        return OUT_OF_MEMORY
    status = sets.put_all(words, octets, made + 1, reply)
    discard(words, made)
    return status


@kernel
def count_common(words, octets, tape, now, reply):
    """Reply with how many members are in all of the sets, at most with a limit that is not 0 (SINTERCARD)."""
    limit = words[tape + slots.SET_INTERCARD_LIMIT]
    if limit < 0:
        return NEGATIVE_LIMIT
    count = words[tape + slots.SET_INTERCARD_KEYS]
    key = first_item(words, tape, slots.SET_INTERCARD_KEYS) + slots.SET_INTERCARD_KEYS_KEY
    sources = gather(words, octets, tape, slots.SET_INTERCARD_KEYS, key, slots.SET_INTERCARD_KEYS_STRIDE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    base = smallest(words, sources, count)
    found = 0
    if base >= 0:
        found, _ = sift(words, octets, sources, count, base, True, limit if limit else ALL, COUNTED, 0)
    arena.release(words, sources)
    set_scalar(words, reply, found)
    return NUMBER


@kernel
def stored_sources(words, octets, tape, now):
    """Return `gather` for a row that stores its result."""
    key = first_item(words, tape, slots.SET_INTERSTORE_KEYS) + slots.SET_INTERSTORE_KEYS_KEY
    return gather(words, octets, tape, slots.SET_INTERSTORE_KEYS, key, slots.SET_INTERSTORE_KEYS_STRIDE, now)


@kernel
def store_sifted(words, octets, tape, sources, base, wanted, reply):
    """Store what `sift` finds under the destination; free the block of the sources."""
    count = words[tape + slots.SET_INTERSTORE_KEYS]
    made = bits = 0
    if base >= 0:
        full = lacks_memory(words, taken_bytes(words, sources, base, base + 1))
        made = 0 if full else sifted_set(words, octets, sources, count, base, wanted)
        if made == 0:
            arena.release(words, sources)
            return OUT_OF_MEMORY
        bits = encodings.bits_for(words, octets, made + 1, 0)
        if not wanted and removes_from_copy(words, sources, count):
            bits |= encodings.bits_for(words, octets, words[sources], 0)
    arena.release(words, sources)
    return put_under_destination(words, octets, tape, made, bits, reply)


@kernel
def removes_from_copy(words, sources, count):
    """Return True if Redis copies the first set and removes the members of the others from the copy for SDIFFSTORE.

    The copy then keeps the encoding of the whole set. Redis does so if that takes fewer steps.
    """
    one = two = 0
    for i in range(count):
        if words[sources + i]:
            one += members.count_of(words, words[sources])
            two += members.count_of(words, words[sources + i])
    return one // 2 > two


@kernel
def store_intersection(words, octets, tape, now, reply):
    """Store the members that are in all of the sets; reply with NUMBER: how many (SINTERSTORE)."""
    sources = stored_sources(words, octets, tape, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    base = smallest(words, sources, words[tape + slots.SET_INTERSTORE_KEYS])
    return store_sifted(words, octets, tape, sources, base, True, reply)


@kernel
def store_difference(words, octets, tape, now, reply):
    """Store the members of the first set that are in none of the others; reply with NUMBER: how many (SDIFFSTORE)."""
    sources = stored_sources(words, octets, tape, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    return store_sifted(words, octets, tape, sources, 0 if words[sources] else -1, False, reply)


@kernel
def store_union(words, octets, tape, now, reply):
    """Store the members of all sets; reply with NUMBER: how many (SUNIONSTORE)."""
    sources = stored_sources(words, octets, tape, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    count = words[tape + slots.SET_INTERSTORE_KEYS]
    full = lacks_memory(words, taken_bytes(words, sources, 0, count))
    made = 0 if full else unite(words, octets, sources, count)
    arena.release(words, sources)
    if made == 0:
        return OUT_OF_MEMORY
    return put_under_destination(words, octets, tape, made, encodings.bits_for(words, octets, made + 1, 0), reply)
