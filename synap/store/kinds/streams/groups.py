"""Groups of a stream: what was delivered last, consumers, and the entries that are pending.

    group      name size, last delivered id, entries read (UNKNOWN: nobody knows), consumers (names.py), tree of the
               pending, their number, items of the call under way that take new entries | name
    consumer   name size, seen and active (ms), tree of its pending, their number | name
    pending    ms, 8 << 8, seq with the highest byte first, consumer, time of the last delivery (ms), deliveries

A pending entry is in the tree of its group and in that of its consumer, both in the order of the ids. As a member of a
tree (records/trees.py) it has a text of 8 bytes, its seq, and its key is made of the ms.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.spans import load64, mirrored, store64
from synap.store.kinds.streams import entries, ids, names
from synap.store.memory import arena
from synap.store.memory.layout import MARK_BITS, SCRATCH, WORD
from synap.store.records import trees

GROUP_LAST_MS, GROUP_LAST_SEQ, READ, CONSUMERS = 1, 2, 3, 4
GROUP_PENDING = CONSUMERS + names.LIST_WORDS  # a tree
GROUP_PENDING_COUNT = GROUP_PENDING + trees.TREE_WORDS
TAKEN = GROUP_PENDING_COUNT + 1
GROUP_WORDS = TAKEN + 1
SEEN, ACTIVE, CONSUMER_PENDING = 1, 2, 3
CONSUMER_PENDING_COUNT = CONSUMER_PENDING + trees.TREE_WORDS
CONSUMER_WORDS = CONSUMER_PENDING_COUNT + 1
PENDING_MS, PENDING_SIZE, PENDING_SEQ, CONSUMER, TIME, DELIVERIES, PENDING_WORDS = range(7)

PENDING_BYTES = (PENDING_WORDS + 4 * trees.OF_LEAF) * WORD
"""Of one pending entry: its block and its places in two trees whose leaves are half full."""
MOVED_BYTES = 2 * trees.OF_LEAF * WORD  # of one that a consumer gets from another one: its place in a tree
UNKNOWN, NEVER = -1, -1  # entries read; active: the time of a consumer that has got nothing yet
_SIGN = -(1 << 63)
_SEQ_AT = (SCRATCH + 60) * WORD  # octets for the seq that a search is for


@kernel
def key_of(ms):
    """Return the key of an ms in a tree: signed numbers in the order of the unsigned ones."""
    return ms ^ _SIGN


@kernel
def id_of(words, octets, pending):
    """Return the id (ms, seq) of a pending entry."""
    return words[pending + PENDING_MS], mirrored(load64(octets, (pending + PENDING_SEQ) * WORD))


# Groups and consumers.


@kernel
def find_group(words, octets, root, start, size):
    """Return (place, group) of the group with this name; the group is 0 without one."""
    return names.find(words, octets, root + entries.GROUPS, GROUP_WORDS, start, size)


@kernel
def find_consumer(words, octets, group, start, size):
    """Return (place, consumer) of the consumer of a group with this name; the consumer is 0 without one."""
    return names.find(words, octets, group + CONSUMERS, CONSUMER_WORDS, start, size)


@kernel
def make_group(words, octets, root, place, start, size, ms, seq, read):
    """Add a group that has been delivered everything up to an id; return it, or 0 without memory."""
    group = names.add(words, octets, root + entries.GROUPS, place, GROUP_WORDS, start, size)
    if group:
        words[group + GROUP_LAST_MS] = ms
        words[group + GROUP_LAST_SEQ] = seq
        words[group + READ] = read
    return group


@kernel
def make_consumer(words, octets, group, place, start, size, now):
    """Add a consumer; return it, or 0 without memory."""
    consumer = names.add(words, octets, group + CONSUMERS, place, CONSUMER_WORDS, start, size)
    if consumer:
        words[consumer + SEEN] = now
        words[consumer + ACTIVE] = NEVER
    return consumer


@kernel
def group_bytes(words, root):
    """Return about how many bytes the groups take, with their consumers and what is pending."""
    total = 0
    for i in range(words[root + entries.GROUPS_COUNT]):
        group = names.record_at(words, root + entries.GROUPS, i)
        total += arena.capacity(words, group) * WORD
        total += words[group + GROUP_PENDING_COUNT] * (PENDING_WORDS + 2 * trees.OF_LEAF) * WORD
        for j in range(words[group + CONSUMERS + names.COUNT]):
            consumer = names.record_at(words, group + CONSUMERS, j)
            total += arena.capacity(words, consumer) * WORD
            if words[consumer + CONSUMER_PENDING_COUNT]:
                total += trees.WIDTH * trees.OF_LEAF * WORD
    return total


# Pending entries.


@kernel
def seek(words, octets, tree, ms, seq):
    """Return (leaf, index) of the first pending entry of a tree whose id is at least this one; the leaf may be 0."""
    store64(octets, _SEQ_AT, mirrored(seq))
    return trees.find_text(words, octets, tree, key_of(ms), _SEQ_AT, WORD)


@kernel
def at_leaf(words, leaf, i):
    """Return the pending entry at an index of a leaf."""
    return words[leaf + trees.REFS + i]


@kernel
def find(words, octets, group, ms, seq):
    """Return the pending entry of a group with this id, or 0."""
    leaf, i = seek(words, octets, group + GROUP_PENDING, ms, seq)
    if leaf == 0:
        return 0
    pending = at_leaf(words, leaf, i)
    its_ms, its_seq = id_of(words, octets, pending)
    return pending if its_ms == ms and its_seq == seq else 0


@outlined
def add(words, octets, group, consumer, ms, seq, time, deliveries):
    """Add a pending entry; return it, or 0 without memory."""
    pending = arena.allocate(words, PENDING_WORDS)
    if pending == 0:
        return 0
    words[pending + PENDING_MS] = ms
    words[pending + PENDING_SIZE] = WORD << MARK_BITS
    store64(octets, (pending + PENDING_SEQ) * WORD, mirrored(seq))
    words[pending + TIME] = time
    words[pending + DELIVERIES] = deliveries
    if not trees.insert(words, octets, group + GROUP_PENDING, key_of(ms), pending):
        return 0
    words[group + GROUP_PENDING_COUNT] += 1
    return pending if give(words, octets, consumer, pending) else 0


@kernel
def give(words, octets, consumer, pending):
    """Give a pending entry that nobody has to a consumer; return False without memory."""
    words[pending + CONSUMER] = consumer
    words[consumer + CONSUMER_PENDING_COUNT] += 1
    return trees.insert(words, octets, consumer + CONSUMER_PENDING, key_of(words[pending + PENDING_MS]), pending)


@kernel
def take(words, octets, pending):
    """Take a pending entry from its consumer."""
    consumer = words[pending + CONSUMER]
    words[consumer + CONSUMER_PENDING_COUNT] -= 1
    trees.remove(words, octets, consumer + CONSUMER_PENDING, key_of(words[pending + PENDING_MS]), pending)


@kernel
def move(words, octets, pending, consumer):
    """Give a pending entry to another consumer, or leave it with this one; return False without memory."""
    if words[pending + CONSUMER] == consumer:
        return True
    take(words, octets, pending)
    return give(words, octets, consumer, pending)


@outlined
def drop(words, octets, group, pending):
    """Remove a pending entry from its group and its consumer."""
    take(words, octets, pending)
    trees.remove(words, octets, group + GROUP_PENDING, key_of(words[pending + PENDING_MS]), pending)
    words[group + GROUP_PENDING_COUNT] -= 1
    arena.release(words, pending)


@kernel
def first(words, octets, tree):
    """Return (leaf, index) of the first pending entry of a tree; the leaf is 0 in an empty one."""
    return seek(words, octets, tree, 0, 0)


@kernel
def last_id(words, octets, tree):
    """Return the id (ms, seq) of the last pending entry of a tree that is not empty."""
    node = words[tree + trees.ROOT]
    for _ in range(words[tree + trees.HEIGHT]):
        node = words[node + trees.CHILDREN + words[node + trees.COUNT] - 1]
    return id_of(words, octets, at_leaf(words, node, words[node + trees.COUNT] - 1))


# Removal.


@kernel
def drop_consumer(words, octets, group, place):
    """Remove the consumer at a place of a group's list with all that it has pending."""
    consumer = names.record_at(words, group + CONSUMERS, place)
    while words[consumer + CONSUMER_PENDING_COUNT]:
        leaf, i = first(words, octets, consumer + CONSUMER_PENDING)
        drop(words, octets, group, at_leaf(words, leaf, i))
    names.remove(words, octets, group + CONSUMERS, place)


@kernel
def free_group_some(words, octets, group, budget):
    """Free parts of a group that is not used again; return what is left of the budget: more than 0 once only the record
    of the group is left."""
    while words[group + CONSUMERS + names.COUNT] and budget > 0:
        i = words[group + CONSUMERS + names.COUNT] - 1
        consumer = names.record_at(words, group + CONSUMERS, i)
        budget = trees.free_some(words, octets, consumer + CONSUMER_PENDING, budget, False)
        if budget > 0:
            names.remove(words, octets, group + CONSUMERS, i)
            budget -= 1
    if budget > 0:
        budget = trees.free_some(words, octets, group + GROUP_PENDING, budget, True)
    return budget


@kernel
def free_some(words, octets, root, budget):
    """Free groups of a deleted stream; return what is left of the budget, more than 0 once there are none."""
    while words[root + entries.GROUPS_COUNT] and budget > 0:
        i = words[root + entries.GROUPS_COUNT] - 1
        budget = free_group_some(words, octets, names.record_at(words, root + entries.GROUPS, i), budget)
        if budget > 0:
            names.remove(words, octets, root + entries.GROUPS, i)
            budget -= 1
    return budget


# How many entries of its stream a group has read.


@inlined
def has_deletions_from(words, octets, root, ms, seq):
    """Return True if entries at or behind an id may have been deleted in the middle of the stream."""
    deleted_ms, deleted_seq = words[root + entries.DELETED_MS], words[root + entries.DELETED_SEQ]
    if words[root + entries.LENGTH] == 0 or (deleted_ms == 0 and deleted_seq == 0):
        return False
    first_ms, first_seq = entries.first_id(words, octets, root)
    if ids.compare(first_ms, first_seq, deleted_ms, deleted_seq) > 0:
        return False
    return ids.compare(ms, seq, deleted_ms, deleted_seq) <= 0


@outlined
def entries_before(words, octets, root, ms, seq):
    """Return how many entries were ever added up to an id, or UNKNOWN."""
    added = words[root + entries.ADDED]
    length = words[root + entries.LENGTH]
    if added == 0:
        return 0
    from_last = ids.compare(ms, seq, words[root + entries.LAST_MS], words[root + entries.LAST_SEQ])
    if length == 0 and from_last <= 0:
        return added
    if from_last >= 0:
        return added if from_last == 0 else UNKNOWN
    deleted_ms, deleted_seq = words[root + entries.DELETED_MS], words[root + entries.DELETED_SEQ]
    first_ms, first_seq = entries.first_id(words, octets, root)
    if (deleted_ms == 0 and deleted_seq == 0) or ids.compare(deleted_ms, deleted_seq, first_ms, first_seq) < 0:
        from_first = ids.compare(ms, seq, first_ms, first_seq)
        if from_first < 0:
            return added - length
        if from_first == 0:
            return added - length + 1
    return UNKNOWN


@kernel
def lag_of(words, octets, root, group):
    """Return (is known, how many entries a group has not read yet); below 0 if it was told to have read too many."""
    added = words[root + entries.ADDED]
    if added == 0:
        return True, added
    ms, seq = words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ]
    if words[group + READ] != UNKNOWN and not has_deletions_from(words, octets, root, ms, seq):
        return True, added - words[group + READ]
    read = entries_before(words, octets, root, ms, seq)
    return read != UNKNOWN, added - read


@kernel
def delivered(words, octets, root, group, ms, seq):
    """Note that an entry behind all that were delivered to a group is delivered to it."""
    if words[group + READ] != UNKNOWN and not has_deletions_from(words, octets, root, ms, seq):
        words[group + READ] += 1
    elif words[root + entries.ADDED]:
        words[group + READ] = entries_before(words, octets, root, ms, seq)
    words[group + GROUP_LAST_MS] = ms
    words[group + GROUP_LAST_SEQ] = seq
