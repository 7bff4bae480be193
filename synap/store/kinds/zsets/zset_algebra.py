"""Rows on several sorted sets: ZUNION, ZINTER, ZDIFF, the forms that store their result, ZINTERCARD, ZRANGESTORE.

The sources are read by `sources.py`. The members of a result are gathered in a table first, where their scores are
combined, and get their order at the end. A result is a sorted set without a name, in a block of two words: the head of
a record, and a root. All checks and allocations have been made when it replaces the destination, which may be one of
the sources.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import bits_of, real_of
from synap.store.kinds.zsets import members
from synap.store.kinds.zsets.sources import (
    SOURCE_WORDS,
    first_of,
    found_in,
    gather,
    source_bytes,
    source_count,
    take,
    weighted,
)
from synap.store.kinds.zsets.zset_ranges import BY_RANK, BY_SCORE, limited, opened, put_range
from synap.store.memory import arena, limits
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    NUMBER,
    ZSET_ENTRIES_MAX,
    ZSET_VALUE_MAX,
)
from synap.store.memory.refusals import LIMIT_OF_RANKS, NEGATIVE_LIMIT, OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import first_item, set_scalar, text_at, text_size
from synap.store.records import keyspace
from synap.store.records.key_access import MISSING
from synap.store.records.packed import STRIP_MAX, TEXTS_MAX
from synap.store.records.trees import SCORE
from synap.store.slots import zsets as slots

UNION, INTERSECTION, DIFFERENCE = range(3)
SUM, MIN, MAX = 1, 2, 3  # in the slot of AGGREGATE
ROOT_AT = 1  # word of a result
ALL = 1 << 62


@kernel
def new_result(words, octets, most):
    """Return the ref of a result that has space for `most` members, 0 without memory."""
    made = arena.allocate(words, 2)
    if made == 0:
        return 0
    words[made] = ZSET
    words[made + ROOT_AT] = 0
    if not members.open_table(words, octets, made + ROOT_AT, most + (most >> 1)):
        arena.release(words, made)
        return 0
    return made


@kernel
def discard(words, made):
    """Leave a result to upkeep, which frees it after the reply."""
    keyspace.drop_record(words, made, False)


@kernel
def combined(one, other, aggregate):
    """Return what AGGREGATE makes of two scores; the sum of two infinities of different signs is 0."""
    if aggregate == MIN:
        return min(one, other)
    if aggregate == MAX:
        return max(one, other)
    total = one + other
    return total if total == total else 0.0


@outlined
def unite(words, octets, sources, count, aggregate, table):
    """Gather the members of all sources in a table; return False without memory."""
    for source in range(sources, sources + count * SOURCE_WORDS, SOURCE_WORDS):
        leaf, i = first_of(words, octets, source)
        for _ in range(source_count(words, source)):
            start, size, form, score, leaf, i = take(words, octets, source, leaf, i)
            score = weighted(words, source, score)
            seat = members.locate_in_table(words, octets, table, start, size)
            if seat:
                ref = words[seat] & REF_MASK
                words[ref + SCORE] = bits_of(combined(real_of(words[ref + SCORE]), score, aggregate) + 0.0)
            elif members.add_unordered(words, octets, table, start, size, form, score) == 0:
                return False
    return True


@outlined
def sift(words, octets, sources, count, what, aggregate, limit, table):
    """Gather the members of the first source that are in all others (or, for a DIFFERENCE, in none) in a table.

    With table 0, only count them; stop at `limit`. Return how many there are, -1 without memory.
    """
    found = 0
    leaf, i = first_of(words, octets, sources)
    for _ in range(source_count(words, sources)):
        if found == limit:
            break
        start, size, form, score, leaf, i = take(words, octets, sources, leaf, i)
        score = weighted(words, sources, score)
        kept = True
        for source in range(sources + SOURCE_WORDS, sources + count * SOURCE_WORDS, SOURCE_WORDS):
            there, other = found_in(words, octets, source, start, size)
            if there == (what == DIFFERENCE):
                kept = False
                break
            if there:
                score = combined(score, weighted(words, source, other), aggregate)
        if kept:
            if table and members.add_unordered(words, octets, table, start, size, form, score) == 0:
                return -1
            found += 1
    return found


@kernel
def settle(words, octets, made):
    """Give the members of a result their order, and the form that suits them; return False without memory."""
    root = made + ROOT_AT
    longest, done = members.put_in_order(words, octets, members.block_of(words, root))
    if not done:
        return False
    count = members.count_of(words, root)
    if count == 0 or count > words[ZSET_ENTRIES_MAX] or longest > words[ZSET_VALUE_MAX]:
        return True
    if 2 * count > TEXTS_MAX or members.copied_bytes(words, root) > STRIP_MAX:
        return True
    return members.pack(words, octets, root)


@outlined
def evaluate(words, octets, sources, count, what, aggregate):
    """Return the ref of a result, or 0 without memory."""
    most = 0
    for i in range(count if what == UNION else 1):
        most += source_count(words, sources + i * SOURCE_WORDS)
    made = new_result(words, octets, most)
    if made == 0:
        return 0
    table = members.block_of(words, made + ROOT_AT)
    if what == UNION:
        done = unite(words, octets, sources, count, aggregate, table)
    else:
        done = sift(words, octets, sources, count, what, aggregate, ALL, table) >= 0
    return finished(words, octets, made, done)


@kernel
def finished(words, octets, made, done):
    """Return a result once all its members are there, or discard it and return 0 if there was no memory for them."""
    if done and settle(words, octets, made):
        return made
    discard(words, made)
    return 0


@kernel
def result_bytes(words, sources, count, what):
    """Return an upper bound of the bytes of a result: the members of a union may come from all of the sources, those
    of an intersection or a difference only from the first."""
    size = 0
    for i in range(count if what == UNION else 1):
        size += source_bytes(words, sources + i * SOURCE_WORDS)
    return size


@kernel
def replied(words, octets, tape, now, reply, keys, what, weight, aggregate, with_scores):
    """Reply with the result of an operation on the sorted sets in slot `keys`; see `gather` for `weight`."""
    sources = gather(words, octets, tape, keys, weight, what == DIFFERENCE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    count = words[tape + keys]
    full = limits.lacks_aside(words, result_bytes(words, sources, count, what))
    made = 0 if full else evaluate(words, octets, sources, count, what, aggregate)
    arena.release(words, sources)
    if made == 0:
        return OUT_OF_MEMORY
    root = made + ROOT_AT
    count = members.count_of(words, root)
    status = put_range(words, octets, reply, root, 0, count, False, with_scores) if count else EMPTY
    discard(words, made)
    return status


@kernel
def replied_with_weights(words, octets, tape, now, reply, what):
    """Reply with a union or an intersection."""
    has_weights = words[tape + slots.ZSET_UNION_HAS_WEIGHTS]
    return replied(
        words, octets, tape, now, reply, slots.ZSET_UNION_KEYS, what,
        first_item(words, tape, slots.ZSET_UNION_WEIGHTS) if has_weights else 0,
        words[tape + slots.ZSET_UNION_AGGREGATE], words[tape + slots.ZSET_UNION_WITHSCORES],
    )  # fmt: skip


@kernel
def union(words, octets, tape, now, reply):
    """Reply with the members of all sorted sets (ZUNION)."""
    return replied_with_weights(words, octets, tape, now, reply, UNION)


@kernel
def intersect(words, octets, tape, now, reply):
    """Reply with the members that are in all of the sorted sets (ZINTER)."""
    return replied_with_weights(words, octets, tape, now, reply, INTERSECTION)


@kernel
def subtract(words, octets, tape, now, reply):
    """Reply with the members of the first sorted set that are in none of the others (ZDIFF)."""
    with_scores = words[tape + slots.ZSET_DIFF_WITHSCORES]
    return replied(words, octets, tape, now, reply, slots.ZSET_DIFF_KEYS, DIFFERENCE, 0, SUM, with_scores)


@kernel
def put_under_destination(words, octets, tape, destination, made, reply):
    """Replace the key in slot `destination` by a result; reply with the number of its members."""
    h = keyspace.hash_text(words, octets, tape, destination)
    seat = keyspace.locate_text(words, octets, tape, destination, h)
    count = members.count_of(words, made + ROOT_AT)
    set_scalar(words, reply, count)
    if seat:
        keyspace.remove(words, octets, h, seat, False)
    if count == 0:
        discard(words, made)
        return NUMBER | CHANGED if seat else NUMBER
    name_at, name_size = text_at(words, tape, destination), text_size(words, tape, destination)
    ref = keyspace.create(words, octets, h, ZSET, 0, words[tape - 2], name_at, name_size, 0, 0)
    if ref == 0:
        return BROKEN
    words[keyspace.root_of(words, ref)] = words[made + ROOT_AT]
    arena.release(words, made)
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def stored(words, octets, tape, now, reply, what, weight, aggregate):
    """Store the result of an operation on sorted sets under a key; reply with the number of its members."""
    keys = slots.ZSET_DIFFSTORE_KEYS
    sources = gather(words, octets, tape, keys, weight, what == DIFFERENCE, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    count = words[tape + keys]
    full = limits.lacks(words, result_bytes(words, sources, count, what))
    made = 0 if full else evaluate(words, octets, sources, count, what, aggregate)
    arena.release(words, sources)
    if made == 0:
        return OUT_OF_MEMORY
    return put_under_destination(words, octets, tape, slots.ZSET_DIFFSTORE_DESTINATION, made, reply)


@kernel
def stored_with_weights(words, octets, tape, now, reply, what):
    """Store a union or an intersection."""
    has_weights = words[tape + slots.ZSET_UNIONSTORE_HAS_WEIGHTS]
    weight = first_item(words, tape, slots.ZSET_UNIONSTORE_WEIGHTS) if has_weights else 0
    return stored(words, octets, tape, now, reply, what, weight, words[tape + slots.ZSET_UNIONSTORE_AGGREGATE])


@kernel
def store_union(words, octets, tape, now, reply):
    """Store the members of all sorted sets (ZUNIONSTORE)."""
    return stored_with_weights(words, octets, tape, now, reply, UNION)


@kernel
def store_intersection(words, octets, tape, now, reply):
    """Store the members that are in all of the sorted sets (ZINTERSTORE)."""
    return stored_with_weights(words, octets, tape, now, reply, INTERSECTION)


@kernel
def store_difference(words, octets, tape, now, reply):
    """Store the members of the first sorted set that are in none of the others (ZDIFFSTORE)."""
    return stored(words, octets, tape, now, reply, DIFFERENCE, 0, SUM)


@kernel
def count_common(words, octets, tape, now, reply):
    """Reply with how many members are in all of the sorted sets, at most with a limit that is not 0 (ZINTERCARD)."""
    limit = words[tape + slots.ZSET_INTERCARD_LIMIT] if words[tape + slots.ZSET_INTERCARD_HAS_LIMIT] else 0
    if limit < 0:
        return NEGATIVE_LIMIT
    keys = slots.ZSET_INTERCARD_KEYS
    sources = gather(words, octets, tape, keys, 0, False, now)
    if sources <= 0:
        return WRONG_TYPE if sources else OUT_OF_MEMORY
    found = sift(words, octets, sources, words[tape + keys], INTERSECTION, SUM, limit if limit else ALL, 0)
    arena.release(words, sources)
    set_scalar(words, reply, found)
    return NUMBER


@kernel
def store_range(words, octets, tape, now, reply):
    """Store the members of a range under another key (ZRANGESTORE); reply with how many there are."""
    by = words[tape + slots.ZSET_RANGESTORE_BY]
    backwards = words[tape + slots.ZSET_RANGESTORE_DIRECTION]
    has_limit = words[tape + slots.ZSET_RANGESTORE_HAS_LIMIT]
    limit = words[tape + slots.ZSET_RANGESTORE_COUNT]
    if has_limit and limit != -1 and by == BY_RANK:
        return LIMIT_OF_RANKS
    low, high = slots.ZSET_RANGESTORE_START, slots.ZSET_RANGESTORE_STOP
    if backwards and by >= BY_SCORE:
        low, high = high, low
    refusal, _, _, ref, first, count = opened(
        words, octets, tape, slots.ZSET_RANGESTORE_SOURCE, low, high, by, now, True
    )  # fmt: skip
    if refusal:
        return refusal
    root = keyspace.root_of(words, ref)
    if ref == MISSING:
        count = 0
    elif backwards and by == BY_RANK:
        first = members.count_of(words, root) - first - count
    elif has_limit and by != BY_RANK:
        first, count = limited(first, count, backwards, words[tape + slots.ZSET_RANGESTORE_OFFSET], limit)
    made = 0 if lacks_range(words, octets, root, first, count) else new_result(words, octets, count)
    if made:
        done = copy_range(words, octets, root, first, count, members.block_of(words, made + ROOT_AT))
        made = finished(words, octets, made, done)
    if made == 0:
        return OUT_OF_MEMORY
    return put_under_destination(words, octets, tape, slots.ZSET_RANGESTORE_DESTINATION, made, reply)


@kernel
def lacks_range(words, octets, root, first, count):
    """Return True if there is no memory for a copy of `count` members from a position on.

    If memory might not suffice for all members, the texts of those in the range are added up.
    """
    if count == 0 or not limits.lacks(words, members.copied_bytes(words, root)):
        return False
    total = 0
    leaf, i = members.seek(words, octets, root, first)
    for _ in range(count):
        _, size, _, _ = members.read(words, octets, leaf, i)
        total += size
        leaf, i = members.following(words, octets, leaf, i)
    return limits.lacks(words, total + count * members.OVERHEAD)


@kernel
def copy_range(words, octets, root, first, count, table):
    """Add `count` members from a position on to a table without a tree; return False without memory."""
    if count == 0:
        return True
    leaf, i = members.seek(words, octets, root, first)
    for _ in range(count):
        start, size, form, score = members.read(words, octets, leaf, i)
        if members.add_unordered(words, octets, table, start, size, form, score) == 0:
            return False
        leaf, i = members.following(words, octets, leaf, i)
    return True
