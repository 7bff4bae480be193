"""Rows of consumer groups: create, join, leave, heartbeat, assignment, upkeep, and loading from a snapshot.

Groups are in the table GROUPS by their names; group_members.py has the storage. A member that joins under a name of its
own is *static*: if it joins again while its session lasts, it keeps its partitions, and nothing is rebalanced.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import fill, move
from synap.ranges import PARTITIONS_MAX, SESSION_MS_MAX
from synap.store.kinds.memberships import group_members as members
from synap.store.kinds.memberships.group_members import (
    BY_RANGE,
    COUNT,
    CREATED,
    GENERATION,
    GROUP_WORDS,
    IN_TURN,
    MEMBER_SESSION_MS,
    MEMBER_WORDS,
    MEMBERS_CAPACITY,
    MEMBERS_COUNT,
    OFFSET,
    OWNED,
    OWNER,
    PARTITION_WORDS,
    PARTITIONS,
    REBALANCED,
    SAVED,
    SEEN,
    SESSION_MS,
    STRATEGY,
    TOPIC,
    TOPIC_SIZE,
    find_member,
    larger,
    member_at,
    open_group,
    partition_at,
)
from synap.store.kinds.queues.message_ids import ID_TEXT_BYTES, print_id
from synap.store.kinds.queues.publishing import new_id
from synap.store.memory import arena, codes, decided, limits
from synap.store.memory.kinds import GROUP
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED,
    DECIDED_BIT,
    DONE,
    FULL,
    GROUPS,
    ITEM,
    MARK_ARRAY,
    MARK_MAP,
    MARK_NAME,
    NUMBER,
    PRESENT,
    SCRATCH,
    WORD,
)
from synap.store.memory.refusals import (
    BAD_AMOUNT,
    BAD_PARTITIONS,
    CONSUMER_GROUP_EXISTS,
    CONSUMER_GROUP_MISSING,
    KEY_EXISTS,
    MEMBER_MISSING,
    MEMBER_NOT_IN_GROUP,
    OUT_OF_MEMORY,
    STALE_GENERATION,
)
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_number,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import keyspace, named_records, timers
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.timers import NEVER
from synap.store.slots import memberships as slots

SESSION_MS_DEFAULT = 30_000
HEARTBEAT_SHIFT = 4  # a heartbeat is logged once a 16th of the session has passed since the one before
STATS_NAMES = 11
EMPTY_GROUP, STABLE, ROUND_RO, BIN, RANGE, STICKY_WORD = (
    int.from_bytes(text, "little") for text in (b"Empty", b"Stable", b"round_ro", b"bin", b"range", b"sticky")
)
"""Texts of a reply, as words of the heap."""


@kernel
def make_group(words, octets, h, tape, name_slot, topic_slot, count):
    """Create a group with these names and `count` partitions without an owner; return it, or 0 without memory."""
    size = text_size(words, tape, topic_slot)
    partitions = arena.allocate(words, count * PARTITION_WORDS)
    if partitions == 0:
        return 0
    topic = arena.allocate(words, max((size + WORD - 1) >> 3, 1))
    if topic == 0:
        return 0
    group = named_records.make(words, octets, GROUP, GROUPS, GROUP_WORDS, h, tape, name_slot)
    if group == 0:
        return 0
    fill(octets, partitions * WORD, 0, count * PARTITION_WORDS * WORD)
    move(octets, topic * WORD, text_at(words, tape, topic_slot), size)
    words[group + COUNT] = count
    words[group + PARTITIONS] = partitions
    words[group + TOPIC] = topic
    words[group + TOPIC_SIZE] = size
    return group


@kernel
def create(words, octets, tape, now, reply):
    """Create a group for the partitions of a topic, which need not exist yet."""
    h, group = open_group(words, octets, tape, slots.GROUP_CREATE_GROUP)
    if group:
        return CONSUMER_GROUP_EXISTS
    count = words[tape + slots.GROUP_CREATE_PARTITION_COUNT]
    if not 1 <= count <= PARTITIONS_MAX:
        return BAD_PARTITIONS
    session = SESSION_MS_DEFAULT
    if words[tape + slots.GROUP_CREATE_HAS_SESSION]:
        session = words[tape + slots.GROUP_CREATE_SESSION_MS]
    if not 1 <= session <= SESSION_MS_MAX:
        return BAD_AMOUNT
    texts = text_size(words, tape, slots.GROUP_CREATE_GROUP) + text_size(words, tape, slots.GROUP_CREATE_TOPIC)
    if limits.lacks(words, (count * PARTITION_WORDS + GROUP_WORDS + 2) * WORD + texts):
        return OUT_OF_MEMORY
    group = make_group(words, octets, h, tape, slots.GROUP_CREATE_GROUP, slots.GROUP_CREATE_TOPIC, count)
    if group == 0:
        return BROKEN
    words[group + STRATEGY] = max(words[tape + slots.GROUP_CREATE_STRATEGY], IN_TURN)
    words[group + SESSION_MS] = session
    words[group + CREATED] = now
    words[group + REBALANCED] = now
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def lacks_member(words, group, size):
    """Return True if there is no memory for one more member with a name of this size."""
    count = words[group + MEMBERS_COUNT]
    more = MEMBER_WORDS * WORD + size + WORD
    if count == words[group + MEMBERS_CAPACITY]:
        more += larger(count) * WORD
    return limits.lacks(words, more)


@kernel
def enter(words, octets, tape, now, reply):
    """Add a member, or renew the session of one that is there; the row as which `join` is logged."""
    h, group = open_group(words, octets, tape, slots.GROUP_ENTER_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    session = words[tape + slots.GROUP_ENTER_SESSION_MS]
    i = find_member(words, octets, group, tape, slots.GROUP_ENTER_MEMBER_ID)
    if i >= 0:
        member = member_at(words, group, i)
        ended = members.has_ended(words, member, now)
        words[member + SEEN] = now
        words[member + MEMBER_SESSION_MS] = session
        if ended:
            members.remove_ended(words, group, now)
            members.rebalance(words, group, now)
    else:
        size = text_size(words, tape, slots.GROUP_ENTER_MEMBER_ID)
        if lacks_member(words, group, size):
            return OUT_OF_MEMORY
        members.remove_ended(words, group, now)
        if members.add_member(words, octets, group, tape, slots.GROUP_ENTER_MEMBER_ID, now, session) == 0:
            return BROKEN
        members.rebalance(words, group, now)
    if not members.set_timer(words, octets, group):
        return BROKEN
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def join(words, octets, tape, now, reply):
    """Join a group under the name that is given, or a new random one; reply with ITEM: the name."""
    _, group = open_group(words, octets, tape, slots.GROUP_JOIN_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    session = words[group + SESSION_MS]
    if words[tape + slots.GROUP_JOIN_HAS_SESSION]:
        session = words[tape + slots.GROUP_JOIN_SESSION_MS]
    if not 1 <= session <= SESSION_MS_MAX:
        return BAD_AMOUNT
    name = slots.GROUP_JOIN_INSTANCE
    if not fits(words, 1, max(text_size(words, tape, name), ID_TEXT_BYTES)):
        return FULL
    decided.begin(words, codes.GROUP_ENTER, words[tape - 2], slots.GROUP_ENTER_SLOTS)
    decided.put_argument(words, octets, slots.GROUP_ENTER_GROUP, tape, slots.GROUP_JOIN_GROUP)
    decided.put_number(words, slots.GROUP_ENTER_SESSION_MS, session)
    set_scalar(words, reply, 0)
    if text_mark(words, tape, name) & PRESENT:
        decided.put_argument(words, octets, slots.GROUP_ENTER_MEMBER_ID, tape, name)
        add_text(words, reply, text_at(words, tape, name), text_size(words, tape, name), 0)
    else:
        id_a, id_b = new_id(words)
        print_id(octets, SCRATCH * WORD, id_a, id_b)
        decided.put_text(words, octets, slots.GROUP_ENTER_MEMBER_ID, SCRATCH * WORD, ID_TEXT_BYTES, 0)
        add_text(words, reply, SCRATCH * WORD, ID_TEXT_BYTES, 0)
    status = enter(words, octets, DECIDED, now, reply)
    return ITEM | CHANGED | DECIDED_BIT if status & CHANGED else status


@kernel
def leave(words, octets, tape, now, reply):
    """Remove a member from its group, and rebalance."""
    h, group = open_group(words, octets, tape, slots.GROUP_LEAVE_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    i = find_member(words, octets, group, tape, slots.GROUP_LEAVE_MEMBER_ID)
    if i < 0:
        return MEMBER_NOT_IN_GROUP
    members.end_session(words, member_at(words, group, i), now)
    members.remove_ended(words, group, now)
    members.rebalance(words, group, now)
    if not members.set_timer(words, octets, group):
        return BROKEN
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@inlined
def is_stale(words, tape, group, given, generation):
    """Return True if a generation is given that is not the group's."""
    return words[tape + given] and words[tape + generation] != words[group + GENERATION]


@kernel
def heartbeat(words, octets, tape, now, reply):
    """Keep the session of a member alive; reply with NUMBER: the generation, which tells of a rebalance."""
    _, group = open_group(words, octets, tape, slots.GROUP_HEARTBEAT_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    i = find_member(words, octets, group, tape, slots.GROUP_HEARTBEAT_MEMBER_ID)
    if i < 0:
        return MEMBER_NOT_IN_GROUP
    if is_stale(words, tape, group, slots.GROUP_HEARTBEAT_HAS_GENERATION, slots.GROUP_HEARTBEAT_GENERATION):
        return STALE_GENERATION
    set_scalar(words, reply, words[group + GENERATION])
    member = member_at(words, group, i)
    if now - words[member + SEEN] <= words[member + MEMBER_SESSION_MS] >> HEARTBEAT_SHIFT:
        return NUMBER
    words[member + SEEN] = now
    return NUMBER | CHANGED


@kernel
def assignment(words, octets, tape, now, reply):
    """Reply with a map: the generation, and an array of the partitions of a member."""
    _, group = open_group(words, octets, tape, slots.GROUP_ASSIGNMENT_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    i = find_member(words, octets, group, tape, slots.GROUP_ASSIGNMENT_MEMBER_ID)
    if i < 0:
        return MEMBER_MISSING
    member = member_at(words, group, i)
    count = words[member + OWNED]
    if not fits(words, 5 + count, 0):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, 2)
    add_field(words, reply, 0, words[group + GENERATION])
    add_mark(words, reply, MARK_NAME, 1)
    add_mark(words, reply, MARK_ARRAY, count)
    for partition in range(words[group + COUNT]):
        if words[partition_at(words, group, partition) + OWNER] == member:
            add_number(words, reply, partition)
    return ITEM


@kernel
def put_strategy(words, reply, strategy):
    """Add the name of a strategy to the reply."""
    at = SCRATCH + 1
    if strategy == IN_TURN:
        words[at] = ROUND_RO
        words[at + 1] = BIN
        add_text(words, reply, at * WORD, 11, 0)
    elif strategy == BY_RANGE:
        words[at] = RANGE
        add_text(words, reply, at * WORD, 5, 0)
    else:
        words[at] = STICKY_WORD
        add_text(words, reply, at * WORD, 6, 0)


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with a map of the group's settings, members and generation."""
    _, group = open_group(words, octets, tape, slots.GROUP_STATS_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    if not fits(words, 1 + 2 * STATS_NAMES, words[group + NAME_SIZE] + words[group + TOPIC_SIZE]):
        return FULL
    committed = 0
    for i in range(words[group + COUNT]):
        committed += words[partition_at(words, group, i) + OFFSET] != 0
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, STATS_NAMES)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, (group + GROUP_WORDS) * WORD, words[group + NAME_SIZE], 0)
    add_mark(words, reply, MARK_NAME, 1)
    add_text(words, reply, words[group + TOPIC] * WORD, words[group + TOPIC_SIZE], 0)
    add_field(words, reply, 2, words[group + MEMBERS_COUNT])
    add_field(words, reply, 3, words[group + GENERATION])
    add_field(words, reply, 4, words[group + COUNT])
    add_field(words, reply, 5, committed)
    add_field(words, reply, 6, max(now - words[group + REBALANCED], 0) // 1000)
    add_mark(words, reply, MARK_NAME, 7)
    words[SCRATCH] = STABLE if words[group + MEMBERS_COUNT] else EMPTY_GROUP
    add_text(words, reply, SCRATCH * WORD, 6 if words[group + MEMBERS_COUNT] else 5, 0)
    add_mark(words, reply, MARK_NAME, 8)
    put_strategy(words, reply, words[group + STRATEGY])
    add_field(words, reply, 9, words[group + SESSION_MS])
    add_field(words, reply, 10, words[group + CREATED])
    return ITEM


@kernel
def delete(words, octets, tape, now, reply):
    """Remove a group with its members and offsets, which upkeep frees."""
    group = named_records.remove(words, octets, GROUP, GROUPS, GROUP_WORDS, tape, slots.GROUP_DELETE_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    timers.set_timer(words, octets, group, NEVER)
    return DONE | CHANGED


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all groups, in no order."""
    return named_records.names(words, GROUPS, GROUP_WORDS, reply)


@kernel
def sweep(words, octets, tape, now, reply):
    """Remove the members of a group whose session has ended, for upkeep; reply with NUMBER of them.

    All are removed, whatever `most` says: each call is a rebalance.
    """
    h, group = open_group(words, octets, tape, slots.GROUP_SWEEP_GROUP)
    set_scalar(words, reply, 0)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    count = members.remove_ended(words, group, now)
    if count:
        members.rebalance(words, group, now)
        keyspace.touched(words, octets, h)
    if not members.set_timer(words, octets, group):
        return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def load_group(words, octets, tape, now, reply):
    """Load a group from a snapshot: name, topic, SAVED words. Refuse a group that exists."""
    h, group = open_group(words, octets, tape, slots.GROUP_LOAD_GROUP)
    if group:
        return CONSUMER_GROUP_EXISTS
    count = words[tape + slots.GROUP_LOAD_WORD0]
    group = make_group(words, octets, h, tape, slots.GROUP_LOAD_GROUP, slots.GROUP_LOAD_TOPIC, count)
    if group == 0:
        return BROKEN
    for i in range(SAVED):
        words[group + COUNT + i] = words[tape + slots.GROUP_LOAD_WORD0 + i]
    return DONE | CHANGED


@kernel
def load_members(words, octets, tape, now, reply):
    """Load the members of a group from a snapshot, in order: name, last heartbeat, session.

    Refuse a member that exists; those before it stay.
    """
    _, group = open_group(words, octets, tape, slots.GROUP_LOAD_MEMBERS_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    item = first_item(words, tape, slots.GROUP_LOAD_MEMBERS_MEMBERS)
    for _ in range(words[tape + slots.GROUP_LOAD_MEMBERS_MEMBERS]):
        seen = words[tape + item + slots.GROUP_LOAD_MEMBERS_MEMBERS_SEEN]
        session = words[tape + item + slots.GROUP_LOAD_MEMBERS_MEMBERS_SESSION]
        name = item + slots.GROUP_LOAD_MEMBERS_MEMBERS_NAME
        if find_member(words, octets, group, tape, name) >= 0:
            return KEY_EXISTS
        if members.add_member(words, octets, group, tape, name, seen, session) == 0:
            return BROKEN
        item += slots.GROUP_LOAD_MEMBERS_MEMBERS_STRIDE
    return DONE | CHANGED if members.set_timer(words, octets, group) else BROKEN


@kernel
def load_partitions(words, octets, tape, now, reply):
    """Load the partitions of a group from a snapshot: number of the owner + 1, offset committed + 1."""
    _, group = open_group(words, octets, tape, slots.GROUP_LOAD_PARTITIONS_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    item = tape + first_item(words, tape, slots.GROUP_LOAD_PARTITIONS_PARTITIONS)
    for i in range(min(words[tape + slots.GROUP_LOAD_PARTITIONS_PARTITIONS], words[group + COUNT])):
        at = partition_at(words, group, i)
        owner = words[item + slots.GROUP_LOAD_PARTITIONS_PARTITIONS_OWNER] - 1
        if words[at + OWNER] == 0 and 0 <= owner < words[group + MEMBERS_COUNT]:
            members.give(words, group, i, member_at(words, group, owner))
        words[at + OFFSET] = words[item + slots.GROUP_LOAD_PARTITIONS_PARTITIONS_OFFSET]
        item += slots.GROUP_LOAD_PARTITIONS_PARTITIONS_STRIDE
    return DONE | CHANGED
