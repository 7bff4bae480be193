"""Rows on several sets: SINTER, SUNION, SDIFF, the forms that store their result, and SINTERCARD.

A result that is stored, and each union, is built as a set without a name first. All checks and allocations have been
made when it replaces the destination, which may be one of the sources.
"""

from synap.compiler.jit import kernel
from synap.store.kinds.sets import encodings, members, sets, walks
from synap.store.memory import arena, limits
from synap.store.memory.kinds import SET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    ITEMS,
    NUMBER,
)
from synap.store.memory.refusals import NEGATIVE_LIMIT, OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tapes import first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import OTHER_KIND
from synap.store.slots import sets as slots


@kernel
def gather(words, octets, tape, group, first, stride, now):
    """Return a block with the root of each set of the group in this slot, 0 for a missing key; return 0 without memory.

    Behind the roots it has a word for each set, which `walks.meet` uses. `first` is the slot of the first key. Return
    OTHER_KIND if a key holds something else.
    """
    count = words[tape + group]
    found = arena.allocate(words, 2 * count + 1)
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
def reply_sifted(words, octets, sources, count, base, wanted, reply):
    """Reply with what `walks.sift` finds; return ITEMS or FULL."""
    root = words[sources + base]
    if not fits(words, members.count_of(words, root), members.bytes_of(words, root)):  # more than may be found
        found, total = walks.sift(words, octets, sources, count, base, wanted, walks.ALL, walks.COUNTED, 0)
        if not fits(words, found, total):
            return FULL
    set_scalar(words, reply, 0)
    walks.sift(words, octets, sources, count, base, wanted, walks.ALL, walks.REPLIED, reply)
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
        if words[sources + i] and not walks.add_all(words, octets, made + 1, words[sources + i]):
            discard(words, made)
            return 0
    if made and not members.settle(words, octets, made + 1):
        discard(words, made)
        return 0
    return made


@kernel
def sifted_set(words, octets, sources, count, base, wanted):
    """Return the ref of a new set with what `walks.sift` finds, or 0 without memory."""
    made = new_set(words, octets, members.count_of(words, words[sources + base]))
    if made == 0:
        return 0
    found, _ = walks.sift(words, octets, sources, count, base, wanted, walks.ALL, walks.STORED, made + 1)
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
    full = limits.lacks_aside(words, taken_bytes(words, sources, 0, count))
    made = 0 if full else unite(words, octets, sources, count)
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
        most = limit if limit else walks.ALL
        found, _ = walks.sift(words, octets, sources, count, base, True, most, walks.COUNTED, 0)
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
    """Store what `walks.sift` finds under the destination; free the block of the sources."""
    count = words[tape + slots.SET_INTERSTORE_KEYS]
    made = bits = 0
    if base >= 0:
        full = limits.lacks(words, taken_bytes(words, sources, base, base + 1))
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
    full = limits.lacks(words, taken_bytes(words, sources, 0, count))
    made = 0 if full else unite(words, octets, sources, count)
    arena.release(words, sources)
    if made == 0:
        return OUT_OF_MEMORY
    return put_under_destination(words, octets, tape, made, encodings.bits_for(words, octets, made + 1, 0), reply)
