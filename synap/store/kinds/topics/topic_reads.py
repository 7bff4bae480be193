"""Rows of topics that read: one partition, several partitions, and offsets by time."""

from synap.compiler.jit import kernel
from synap.store.kinds.topics.compaction import measure, offset_at, put_records
from synap.store.kinds.topics.partitions import (
    COUNT,
    RECORD_ITEMS,
    open_topic,
    partition_at,
)
from synap.store.memory.layout import EMPTY, FULL, ITEM, MARK_ARRAY, SECOND_NUMBER, WAIT
from synap.store.memory.refusals import NO_SUCH_TOPIC, OFFSET_GONE, PARTITION_MISSING, POSITIVE_COUNT
from synap.store.memory.tapes import add_mark, add_number, first_item, fits, set_scalar
from synap.store.records.event_logs import AFTER, FIRST
from synap.store.slots import topics as slots

BATCH_BYTES = 8 << 20  # names and data in one reply; a single record may be larger
RECORDS_DEFAULT = 100  # records of a partition in a reply to a call without a limit
OFFSETS_ITEMS = 5  # items of the reply for one partition, with the mark


@kernel
def consume(words, octets, tape, now, reply):
    """Reply with records of a partition from an offset on (default: the earliest); scalar: the next offset.

    There are fewer records than the limit if no more exist, or if they exceed BATCH_BYTES. EMPTY (or WAIT) if none
    exists yet. Refused if the offset is no longer held, or is greater than the next offset and the call does not wait.
    The reply to a refused call is the earliest offset held, then the next one.
    """
    _, topic = open_topic(words, octets, tape, slots.TOPIC_CONSUME_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    partition = words[tape + slots.TOPIC_CONSUME_PARTITION_ID]
    if not 0 <= partition < words[topic + COUNT]:
        set_scalar(words, reply, partition)
        return PARTITION_MISSING
    log = partition_at(words, topic, partition)
    start = words[log + FIRST]
    if words[tape + slots.TOPIC_CONSUME_HAS_FROM]:
        start = words[tape + slots.TOPIC_CONSUME_FROM_OFFSET]
    most = words[tape + slots.TOPIC_CONSUME_LIMIT] if words[tape + slots.TOPIC_CONSUME_HAS_LIMIT] else RECORDS_DEFAULT
    waits = words[tape + slots.TOPIC_CONSUME_HAS_WAIT] != 0
    if most < 0 or start < 0:
        return POSITIVE_COUNT
    if start < words[log + FIRST] or (start > words[log + AFTER] and not waits):
        set_scalar(words, reply, words[log + FIRST])
        words[reply + SECOND_NUMBER] = words[log + AFTER]
        return OFFSET_GONE
    count, size, after = measure(words, octets, topic, log, start, most, BATCH_BYTES)
    if not fits(words, 1 + RECORD_ITEMS * count, size):
        return FULL
    if count == 0 and waits and start >= words[log + AFTER]:
        return WAIT
    set_scalar(words, reply, after)
    if count == 0:
        return EMPTY
    add_mark(words, reply, MARK_ARRAY, count)
    put_records(words, octets, topic, log, partition, start, count, reply)
    return ITEM


@kernel
def given_offset(words, tape, topic, i):
    """Return (partition, offset) to read from: the i-th pair of `topic.read`, or partition `i` without any.

    An offset that is no longer held, or none (a negative one), is the earliest one held. It is -1 if the topic has no
    such partition.
    """
    partition, offset = i, -1
    if words[tape + slots.TOPIC_READ_HAS_OFFSETS]:
        item = tape + first_item(words, tape, slots.TOPIC_READ_OFFSETS) + i * slots.TOPIC_READ_OFFSETS_STRIDE
        partition = words[item + slots.TOPIC_READ_OFFSETS_PARTITION_ID]
        offset = words[item + slots.TOPIC_READ_OFFSETS_OFFSET]
        if not 0 <= partition < words[topic + COUNT]:
            return partition, -1
    return partition, max(offset, words[partition_at(words, topic, partition) + FIRST])


@kernel
def read(words, octets, tape, now, reply):
    """Reply with records of several partitions (default: all), each from its offset on, partition by partition.

    The limit is one for each partition, and each may fill its part of BATCH_BYTES. EMPTY (or WAIT) if there is none.
    """
    _, topic = open_topic(words, octets, tape, slots.TOPIC_READ_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    most = words[tape + slots.TOPIC_READ_LIMIT] if words[tape + slots.TOPIC_READ_HAS_LIMIT] else RECORDS_DEFAULT
    if most < 0:
        return POSITIVE_COUNT
    parts = words[topic + COUNT]
    if words[tape + slots.TOPIC_READ_HAS_OFFSETS]:
        parts = words[tape + slots.TOPIC_READ_OFFSETS]
    part_bytes = BATCH_BYTES // max(parts, 1)
    total = size = 0
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    for i in range(parts):
        partition, start = given_offset(words, tape, topic, i)
        if start < 0:
            set_scalar(words, reply, partition)
            return PARTITION_MISSING
        log = partition_at(words, topic, partition)
        count, more, _ = measure(words, octets, topic, log, start, most, part_bytes)
        total += count
        size += more
        if not fits(words, 1 + RECORD_ITEMS * total, size):
            return FULL
        put_records(words, octets, topic, log, partition, start, count, reply)
    if total == 0:
        if words[tape + slots.TOPIC_READ_HAS_WAIT] and most:
            return WAIT
        set_scalar(words, reply, 0)
        return EMPTY
    words[reply + 2] = total
    return ITEM


@kernel
def offsets(words, octets, tape, now, reply):
    """Reply with an array for each partition: its number, the offset for the time, the earliest and the next offset.

    The offset for the time is that of the first record of this time (ms) or later; the earliest without a time.
    """
    _, topic = open_topic(words, octets, tape, slots.TOPIC_OFFSETS_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    count = words[topic + COUNT]
    if not fits(words, 1 + OFFSETS_ITEMS * count, 0):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    for i in range(count):
        log = partition_at(words, topic, i)
        offset = words[log + FIRST]
        if words[tape + slots.TOPIC_OFFSETS_HAS_TIMESTAMP]:
            offset = offset_at(words, octets, topic, log, words[tape + slots.TOPIC_OFFSETS_TIMESTAMP_MS])
        add_mark(words, reply, MARK_ARRAY, OFFSETS_ITEMS - 1)
        add_number(words, reply, i)
        add_number(words, reply, offset)
        add_number(words, reply, words[log + FIRST])
        add_number(words, reply, words[log + AFTER])
    return ITEM
