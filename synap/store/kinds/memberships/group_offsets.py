"""Rows of the offsets of consumer groups: commit, read, lag, and reset."""

from synap.compiler.jit import kernel
from synap.store.kinds.memberships.group_members import (
    COUNT,
    OFFSET,
    OWNER,
    TOPIC,
    TOPIC_SIZE,
    find_member,
    member_at,
    open_group,
    partition_at,
)
from synap.store.kinds.memberships.memberships import is_stale
from synap.store.kinds.topics import partitions
from synap.store.memory.kinds import TOPIC as TOPIC_KIND
from synap.store.memory.layout import CHANGED, DONE, FULL, ITEM, MARK_ARRAY, NIL, NUMBER, PRESENT, TOPICS, WORD
from synap.store.memory.refusals import (
    CONSUMER_GROUP_MISSING,
    MEMBER_NOT_IN_GROUP,
    NO_SUCH_TOPIC,
    PARTITION_MISSING,
    POSITIVE_COUNT,
    STALE_GENERATION,
    STALE_MEMBER,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_mark, add_nil, add_number, fits, set_scalar, text_mark
from synap.store.records import keyspace, named_records
from synap.store.records.event_logs import AFTER, FIRST
from synap.store.slots import memberships as slots

OFFSETS_ITEMS = 5  # items of the reply for one partition, with the mark
TO_LATEST, TO_OFFSET, TO_TIMESTAMP = 2, 3, 4  # the alternatives of a reset


@kernel
def set_offset(words, group, partition, offset):
    """Store the committed offset of a partition."""
    words[partition_at(words, group, partition) + OFFSET] = offset + 1


@kernel
def topic_of(words, octets, group):
    """Return the topic of a group; 0 if there is none with this name."""
    start, size = words[group + TOPIC] * WORD, words[group + TOPIC_SIZE]
    h = keyspace.hash_key(words, octets, TOPIC_KIND, start, size)
    seat = named_records.locate(words, octets, TOPICS, partitions.TOPIC_WORDS, h, start, size)
    return words[seat] & REF_MASK if seat else 0


@kernel
def commit(words, octets, tape, now, reply):
    """Store the offset at which a partition is to be read on; the last call counts.

    A call that names a member is refused unless this member owns the partition, one with a generation unless it is the
    group's.
    """
    _, group = open_group(words, octets, tape, slots.GROUP_COMMIT_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    partition, offset = words[tape + slots.GROUP_COMMIT_PARTITION_ID], words[tape + slots.GROUP_COMMIT_OFFSET]
    if not 0 <= partition < words[group + COUNT]:
        set_scalar(words, reply, partition)
        return PARTITION_MISSING
    if offset < 0 or offset + 1 < 0:
        return POSITIVE_COUNT
    if is_stale(words, tape, group, slots.GROUP_COMMIT_HAS_GENERATION, slots.GROUP_COMMIT_GENERATION):
        return STALE_GENERATION
    if text_mark(words, tape, slots.GROUP_COMMIT_MEMBER_ID) & PRESENT:
        i = find_member(words, octets, group, tape, slots.GROUP_COMMIT_MEMBER_ID)
        if i < 0:
            return MEMBER_NOT_IN_GROUP
        if words[partition_at(words, group, partition) + OWNER] != member_at(words, group, i):
            return STALE_MEMBER
    set_offset(words, group, partition, offset)
    return DONE | CHANGED


@kernel
def offset(words, octets, tape, now, reply):
    """Reply with NUMBER: the committed offset of a partition; NIL if there is none."""
    _, group = open_group(words, octets, tape, slots.GROUP_OFFSET_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    partition = words[tape + slots.GROUP_OFFSET_PARTITION_ID]
    found = 0
    if 0 <= partition < words[group + COUNT]:
        found = words[partition_at(words, group, partition) + OFFSET]
    if found == 0:
        return NIL
    set_scalar(words, reply, found - 1)
    return NUMBER


@kernel
def offsets(words, octets, tape, now, reply):
    """Reply with an array for each partition: number, committed offset, next offset of the topic, lag.

    The lag counts the records from the committed offset on, of those that are held; nil where there is nothing.
    """
    _, group = open_group(words, octets, tape, slots.GROUP_OFFSETS_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    count = words[group + COUNT]
    if not fits(words, 1 + OFFSETS_ITEMS * count, 0):
        return FULL
    topic = topic_of(words, octets, group)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    for i in range(count):
        add_mark(words, reply, MARK_ARRAY, OFFSETS_ITEMS - 1)
        add_number(words, reply, i)
        committed = words[partition_at(words, group, i) + OFFSET] - 1
        if committed < 0:
            add_nil(words, reply)
        else:
            add_number(words, reply, committed)
        if topic and i < words[topic + partitions.COUNT]:
            log = partitions.partition_at(words, topic, i)
            add_number(words, reply, words[log + AFTER])
            add_number(words, reply, max(words[log + AFTER] - max(committed, words[log + FIRST]), 0))
        else:
            add_nil(words, reply)
            add_nil(words, reply)
    return ITEM


@kernel
def reset(words, octets, tape, now, reply):
    """Commit for all partitions, or one, the earliest or latest offset, one that is given, or that of a time.

    Reply with NUMBER of partitions. An offset that the topic does not hold becomes the nearest one that it has.
    """
    _, group = open_group(words, octets, tape, slots.GROUP_RESET_GROUP)
    if group == 0:
        return CONSUMER_GROUP_MISSING
    topic = topic_of(words, octets, group)
    if topic == 0:
        return NO_SUCH_TOPIC
    first, behind = 0, min(words[group + COUNT], words[topic + partitions.COUNT])
    if words[tape + slots.GROUP_RESET_HAS_PARTITION]:
        first = words[tape + slots.GROUP_RESET_PARTITION_ID]
        if not 0 <= first < behind:
            set_scalar(words, reply, first)
            return PARTITION_MISSING
        behind = first + 1
    to = words[tape + slots.GROUP_RESET_TO]
    for i in range(first, behind):
        log = partitions.partition_at(words, topic, i)
        wanted = words[log + FIRST]
        if to == TO_LATEST:
            wanted = words[log + AFTER]
        elif to == TO_OFFSET:
            wanted = min(max(words[tape + slots.GROUP_RESET_OFFSET], words[log + FIRST]), words[log + AFTER])
        elif to == TO_TIMESTAMP:
            wanted = partitions.offset_at(words, log, words[tape + slots.GROUP_RESET_TIMESTAMP_MS])
        set_offset(words, group, i, wanted)
    set_scalar(words, reply, behind - first)
    return NUMBER | CHANGED
