"""Consumer groups as they are stored: members in the order in which they joined, and a place for each partition.

    group       partitions, strategy, session, generation, creation (ms), last rebalance (ms); block of members, their
                number and capacity, blocks of partitions and of the topic's name; timer, kind, name
    member      name size, last heartbeat (ms), session (ms), partitions owned, a spare word, then the name
    partition   ref of the member that owns it, offset committed + 1 (0: none)

A rebalance is one step: it removes members whose session has ended, raises the generation, and gives each partition to
one member. A group has few members, so one is found by comparing names.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import fill, move, same
from synap.store.memory import arena
from synap.store.memory.kinds import GROUP
from synap.store.memory.layout import GROUPS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import text_at, text_size
from synap.store.records import keyspace, named_records, timers
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.timers import NEVER

# Words of a group; NAME_SIZE, TIMER and KIND (0, 14, 15) as in named_records.py.
COUNT, STRATEGY, SESSION_MS, GENERATION, CREATED, REBALANCED = 1, 2, 3, 4, 5, 6
SAVED = 6  # words from COUNT on that a snapshot holds
MEMBERS, MEMBERS_COUNT, MEMBERS_CAPACITY, PARTITIONS, TOPIC, TOPIC_SIZE = 7, 8, 9, 10, 11, 12
GROUP_WORDS = 16

MEMBER_NAME_SIZE, SEEN, MEMBER_SESSION_MS, OWNED, SPARE, MEMBER_WORDS = range(6)
OWNER, OFFSET, PARTITION_WORDS = range(3)
QUOTA = SPARE  # in a rebalance: how many partitions the member is to own
CAPACITY_FIRST = 4
IN_TURN, BY_RANGE, STICKY = 1, 2, 3  # the strategies, as the row numbers them


@inlined
def open_group(words, octets, tape, slot):
    """Return (hash, group) of the name in this slot of a tape; the group is 0 if none has this name."""
    return named_records.open_record(words, octets, GROUP, GROUPS, GROUP_WORDS, tape, slot)


@kernel
def partition_at(words, group, i):
    """Return the words of partition `i`."""
    return words[group + PARTITIONS] + i * PARTITION_WORDS


@kernel
def member_at(words, group, i):
    """Return the member that is the i-th to have joined."""
    return words[words[group + MEMBERS] + i]


@kernel
def find_member(words, octets, group, tape, slot):
    """Return the number of the member with the name in this slot of a tape, or -1."""
    start, size = text_at(words, tape, slot), text_size(words, tape, slot)
    for i in range(words[group + MEMBERS_COUNT]):
        member = member_at(words, group, i)
        if words[member + MEMBER_NAME_SIZE] == size and same(octets, (member + MEMBER_WORDS) * WORD, start, size):
            return i
    return -1


@kernel
def larger(capacity):
    """Return the capacity of a list of members that has grown."""
    return max(CAPACITY_FIRST, 2 * capacity)


@kernel
def add_member(words, octets, group, tape, slot, seen, session):
    """Add a last member with the name in this slot of a tape; return it, or 0 without memory."""
    count, size = words[group + MEMBERS_COUNT], text_size(words, tape, slot)
    if count == words[group + MEMBERS_CAPACITY]:
        wanted = larger(count)
        block = arena.allocate(words, wanted)
        if block == 0:
            return 0
        if count:
            move(octets, block * WORD, words[group + MEMBERS] * WORD, count * WORD)
            arena.release(words, words[group + MEMBERS])
        words[group + MEMBERS] = block
        words[group + MEMBERS_CAPACITY] = wanted
    member = arena.allocate(words, MEMBER_WORDS + ((size + WORD - 1) >> 3))
    if member == 0:
        return 0
    words[member + MEMBER_NAME_SIZE] = size
    words[member + SEEN] = seen
    words[member + MEMBER_SESSION_MS] = session
    words[member + OWNED] = 0
    words[member + SPARE] = 0
    move(octets, (member + MEMBER_WORDS) * WORD, text_at(words, tape, slot), size)
    words[words[group + MEMBERS] + count] = member
    words[group + MEMBERS_COUNT] = count + 1
    return member


@kernel
def end_session(words, member, now):
    """Let the session of a member end now."""
    words[member + SEEN] = now - words[member + MEMBER_SESSION_MS]


@kernel
def has_ended(words, member, now):
    """Return True if the session of a member has ended."""
    return words[member + SEEN] + words[member + MEMBER_SESSION_MS] <= now


@kernel
def remove_ended(words, group, now):
    """Remove the members whose session has ended, so that their partitions have no owner; return how many."""
    count = words[group + MEMBERS_COUNT]
    kept = 0
    for i in range(count):
        kept += not has_ended(words, member_at(words, group, i), now)
    if kept == count:
        return 0
    for partition in range(words[group + COUNT]):
        at = partition_at(words, group, partition)
        if words[at + OWNER] and has_ended(words, words[at + OWNER], now):
            words[at + OWNER] = 0
    kept = 0
    for i in range(count):
        member = member_at(words, group, i)
        if has_ended(words, member, now):
            arena.release(words, member)
        else:
            words[words[group + MEMBERS] + kept] = member
            kept += 1
    words[group + MEMBERS_COUNT] = kept
    return count - kept


@kernel
def give(words, group, partition, member):
    """Make a member the owner of a partition that has none."""
    words[partition_at(words, group, partition) + OWNER] = member
    words[member + OWNED] += 1


@kernel
def free_partitions(words, group):
    """Leave all partitions without an owner."""
    for partition in range(words[group + COUNT]):
        words[partition_at(words, group, partition) + OWNER] = 0
    for i in range(words[group + MEMBERS_COUNT]):
        words[member_at(words, group, i) + OWNED] = 0


@kernel
def share_sticky(words, group):
    """Leave partitions where they are, but for those above an even share, which go to members below one.

    Members that own more than others keep one of the partitions by which a share may be larger, in the order of
    joining; so no partition moves that need not.
    """
    members, count = words[group + MEMBERS_COUNT], words[group + COUNT]
    share, larger_shares = count // members, count % members
    for turn in range(2):  # first members that fill a larger share already, then the others
        for i in range(members):
            member = member_at(words, group, i)
            if turn == 0:
                words[member + QUOTA] = share
            if larger_shares and (turn == 1 or words[member + OWNED] > share) and words[member + QUOTA] == share:
                words[member + QUOTA] += 1
                larger_shares -= 1
    for partition in range(count - 1, -1, -1):
        at = partition_at(words, group, partition)
        owner = words[at + OWNER]
        if owner and words[owner + OWNED] > words[owner + QUOTA]:
            words[owner + OWNED] -= 1
            words[at + OWNER] = 0
    i = 0
    for partition in range(count):
        if words[partition_at(words, group, partition) + OWNER]:
            continue
        while words[member_at(words, group, i) + OWNED] >= words[member_at(words, group, i) + QUOTA]:
            i += 1
        give(words, group, partition, member_at(words, group, i))


@kernel
def rebalance(words, group, now):
    """Raise the generation, and give each partition to one member as the strategy says."""
    words[group + GENERATION] += 1
    words[group + REBALANCED] = now
    members, count = words[group + MEMBERS_COUNT], words[group + COUNT]
    if members == 0:
        return
    if words[group + STRATEGY] == STICKY:
        share_sticky(words, group)
        return
    free_partitions(words, group)
    share, larger_shares = count // members, count % members
    for partition in range(count):
        if words[group + STRATEGY] == IN_TURN:
            i = partition % members
        elif partition < larger_shares * (share + 1):
            i = partition // (share + 1)
        else:
            i = larger_shares + (partition - larger_shares * (share + 1)) // share
        give(words, group, partition, member_at(words, group, i))


@kernel
def set_timer(words, octets, group):
    """Set the group's timer to the first end of a session; return False without memory."""
    due = NEVER
    for i in range(words[group + MEMBERS_COUNT]):
        member = member_at(words, group, i)
        due = min(due, words[member + SEEN] + words[member + MEMBER_SESSION_MS])
    return timers.set_timer(words, octets, group, due)


@kernel
def follows(words, octets, group, start, size, old):
    """Return True if a group is one of the topic with this name, and has all of its `old` partitions and no more."""
    if words[group + COUNT] != old or words[group + TOPIC_SIZE] != size:
        return False
    return same(octets, words[group + TOPIC] * WORD, start, size)


@kernel
def growth(words, octets, start, size, old, count):
    """Return the words that the groups of a topic need to grow with it from `old` to `count` partitions."""
    needed = 0
    at = named_records.following(words, GROUPS, 0)
    while at:
        if follows(words, octets, words[at] & REF_MASK, start, size, old):
            needed += count * PARTITION_WORDS
        at = named_records.following(words, GROUPS, at)
    return needed


@kernel
def grow(words, octets, start, size, old, count, now):
    """Let the groups of a topic have as many partitions as the topic has, and rebalance them; return False without
    memory."""
    at = named_records.following(words, GROUPS, 0)
    while at:
        group = words[at] & REF_MASK
        at = named_records.following(words, GROUPS, at)
        if not follows(words, octets, group, start, size, old):
            continue
        block = arena.allocate(words, count * PARTITION_WORDS)
        if block == 0:
            return False
        move(octets, block * WORD, words[group + PARTITIONS] * WORD, old * PARTITION_WORDS * WORD)
        fill(octets, (block + old * PARTITION_WORDS) * WORD, 0, (count - old) * PARTITION_WORDS * WORD)
        arena.release(words, words[group + PARTITIONS])
        words[group + PARTITIONS] = block
        words[group + COUNT] = count
        remove_ended(words, group, now)
        rebalance(words, group, now)
        if not set_timer(words, octets, group):
            return False
        name = (group + GROUP_WORDS) * WORD
        keyspace.touched(words, octets, keyspace.hash_key(words, octets, GROUP, name, words[group + NAME_SIZE]))
    return True
