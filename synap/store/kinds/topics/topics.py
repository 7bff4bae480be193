"""Rows of topics: create, add partitions, publish, delete, upkeep, and loading from a snapshot.

Topics are in the table TOPICS by their names; partitions.py has the storage. The limits of number and size hold at
once for each partition, the age limit a little later (a 64th of it, a minute at most), when the topic's timer is due.
"""

from synap.compiler.jit import inlined, kernel
from synap.ranges import BATCH_MAX, PARTITIONS_MAX, ROOM_LIMIT_MAX
from synap.store.kinds.memberships import group_members
from synap.store.kinds.topics import compaction, partitions
from synap.store.kinds.topics.partitions import (
    COUNT,
    CREATED,
    KEYS,
    LAG_MS,
    NEXT,
    PASSED,
    REPLICAS,
    ROUTED_BY_MURMUR2,
    ROUTING,
    SAVED,
    SEGMENT_BYTES,
    TOMBSTONE_MS,
    TOPIC_WORDS,
    append,
    open_topic,
    partition_at,
)
from synap.store.memory import limits
from synap.store.memory.kinds import TOPIC
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_MAP,
    MARK_NAME,
    NUMBER,
    PRESENT,
    TOPICS,
    WORD,
)
from synap.store.memory.refusals import (
    BAD_AMOUNT,
    BAD_PARTITIONS,
    BAD_POLICY,
    BATCH_TOO_LARGE,
    KEY_WANTED,
    NO_SUCH_TOPIC,
    OUT_OF_MEMORY,
    PARTITION_MISSING,
    TOPIC_EXISTS,
)
from synap.store.memory.tapes import (
    add_field,
    add_mark,
    add_number,
    add_text,
    first_item,
    fits,
    set_absent,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import event_logs, keyspace, named_records, timers
from synap.store.records.event_logs import (
    AFTER,
    BYTES,
    BYTES_MAX,
    EVENTS_MAX,
    FIRST,
    LOG_WORDS,
    RETENTION_MS,
)
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.timers import NEVER
from synap.store.slots import topics as slots

BY_TIME, BY_SIZE, BY_NUMBER, COMBINED, WITHOUT_END, COMPACTED = range(1, 7)  # policies, as the row numbers them
RETENTION_SECS = 3600  # of a topic that is created without a policy
LAG_MS_DEFAULT, TOMBSTONE_MS_DEFAULT = 60_000, 86_400_000
PARTITIONS_DEFAULT, REPLICAS_DEFAULT, SEGMENT_DEFAULT = 3, 1, 100 << 20
PLACE_ITEMS, FIRST_PLACE = 3, 6  # items of a record's place with its mark; word of the first partition in the reply
CREATED_NAMES, STATS_NAMES = 2, 8  # names in the replies of create and stats


@inlined
def given_or(words, tape, given, value, default):
    """Return the number in slot `value` of a tape if slot `given` is 1, else `default`."""
    return words[tape + value] if words[tape + given] else default


@kernel
def policy_fits(policy, has_time, has_size, has_number):
    """Return True if a retention policy has the limits that are given; 0: no policy is named."""
    if policy == COMPACTED:
        return not has_time and not has_size and not has_number
    if policy == BY_TIME:
        return has_time and not has_size and not has_number
    if policy == BY_SIZE:
        return has_size and not has_time and not has_number
    if policy == BY_NUMBER:
        return has_number and not has_time and not has_size
    return policy != WITHOUT_END or not (has_time or has_size or has_number)


@kernel
def create(words, octets, tape, now, reply):
    """Create a topic; reply with a map: partitions, replication factor."""
    h, topic = open_topic(words, octets, tape, slots.TOPIC_CREATE_TOPIC)
    if topic:
        return TOPIC_EXISTS
    count = given_or(
        words, tape, slots.TOPIC_CREATE_HAS_PARTITIONS, slots.TOPIC_CREATE_NUM_PARTITIONS, PARTITIONS_DEFAULT
    )
    if not 1 <= count <= PARTITIONS_MAX:
        return BAD_PARTITIONS
    has_time, has_size = words[tape + slots.TOPIC_CREATE_HAS_RETENTION], words[tape + slots.TOPIC_CREATE_HAS_MAXBYTES]
    has_number = words[tape + slots.TOPIC_CREATE_HAS_MAXMESSAGES]
    policy = words[tape + slots.TOPIC_CREATE_TYPE]
    has_lag, has_tombstone = words[tape + slots.TOPIC_CREATE_HAS_LAG], words[tape + slots.TOPIC_CREATE_HAS_TOMBSTONE]
    if policy == 0 and (has_lag or has_tombstone):
        policy = COMPACTED
    if not policy_fits(policy, has_time, has_size, has_number) or (policy != COMPACTED and (has_lag or has_tombstone)):
        return BAD_POLICY
    age = words[tape + slots.TOPIC_CREATE_RETENTION_SECS]
    if policy == 0 and not has_time and not has_size and not has_number:
        age = RETENTION_SECS
    size, number = words[tape + slots.TOPIC_CREATE_MAX_BYTES], words[tape + slots.TOPIC_CREATE_MAX_MESSAGES]
    replicas = given_or(
        words, tape, slots.TOPIC_CREATE_HAS_REPLICAS, slots.TOPIC_CREATE_REPLICATION_FACTOR, REPLICAS_DEFAULT
    )
    segment = given_or(
        words, tape, slots.TOPIC_CREATE_HAS_SEGMENTBYTES, slots.TOPIC_CREATE_SEGMENT_BYTES, SEGMENT_DEFAULT
    )
    if min(age, size, number, replicas, segment) < 0 or max(age, size, number, replicas, segment) > ROOM_LIMIT_MAX:
        return BAD_AMOUNT
    lag = given_or(words, tape, slots.TOPIC_CREATE_HAS_LAG, slots.TOPIC_CREATE_LAG_MS, LAG_MS_DEFAULT)
    tombstone = given_or(
        words, tape, slots.TOPIC_CREATE_HAS_TOMBSTONE, slots.TOPIC_CREATE_TOMBSTONE_MS, TOMBSTONE_MS_DEFAULT
    )
    if min(lag, tombstone) < 0 or max(lag, tombstone) > ROOM_LIMIT_MAX:
        return BAD_AMOUNT
    name_size = text_size(words, tape, slots.TOPIC_CREATE_TOPIC)
    per_partition = LOG_WORDS + (compaction.KEYS_MADE if policy == COMPACTED else 0)
    if limits.lacks(words, (count * per_partition + TOPIC_WORDS + 1) * WORD + name_size):
        return OUT_OF_MEMORY
    topic = named_records.make(words, octets, TOPIC, TOPICS, TOPIC_WORDS, h, tape, slots.TOPIC_CREATE_TOPIC)
    if topic == 0:
        return BROKEN
    words[topic + EVENTS_MAX] = number
    words[topic + BYTES_MAX] = size
    words[topic + RETENTION_MS] = age * 1000
    words[topic + ROUTING] = max(words[tape + slots.TOPIC_CREATE_ROUTING], ROUTED_BY_MURMUR2)
    words[topic + CREATED] = now
    words[topic + REPLICAS] = replicas
    words[topic + SEGMENT_BYTES] = segment
    words[topic + PASSED] = now
    words[topic + LAG_MS] = lag if policy == COMPACTED else -1
    words[topic + TOMBSTONE_MS] = tombstone if policy == COMPACTED else 0
    if not compaction.add_partitions(words, octets, topic, count, now):
        return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, CREATED_NAMES)
    add_field(words, reply, 0, count)
    add_field(words, reply, 1, replicas)
    return ITEM | CHANGED


@kernel
def grow(words, octets, tape, now, reply):
    """Raise the number of partitions of a topic, and of the groups that have all of them; reply with NUMBER."""
    h, topic = open_topic(words, octets, tape, slots.TOPIC_GROW_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    count = words[tape + slots.TOPIC_GROW_NUM_PARTITIONS]
    if not words[topic + COUNT] <= count <= PARTITIONS_MAX:
        return BAD_PARTITIONS
    set_scalar(words, reply, count)
    if count == words[topic + COUNT]:
        return NUMBER
    per_partition = LOG_WORDS + (compaction.KEYS_MADE if compaction.is_compacted(words, topic) else 0)
    old, start, size = words[topic + COUNT], (topic + TOPIC_WORDS) * WORD, words[topic + NAME_SIZE]
    needed = count * per_partition + group_members.growth(words, octets, start, size, old, count)
    if limits.lacks(words, needed * WORD):
        return OUT_OF_MEMORY
    if not compaction.add_partitions(words, octets, topic, count, now):
        return BROKEN
    if not group_members.grow(words, octets, start, size, old, count, now):
        return BROKEN
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def delete(words, octets, tape, now, reply):
    """Remove a topic with its records, which upkeep frees."""
    topic = named_records.remove(words, octets, TOPIC, TOPICS, TOPIC_WORDS, tape, slots.TOPIC_DELETE_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    timers.set_timer(words, octets, topic, NEVER)
    return DONE | CHANGED


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the names of all topics, in no order."""
    return named_records.names(words, TOPICS, TOPIC_WORDS, reply)


@kernel
def add_one(words, octets, topic, partition, tape, type_slot, key_slot, data_slot, headers_slot, now):
    """Append a record to a partition within the limits; return False without memory."""
    log = partition_at(words, topic, partition)
    if not append(words, octets, log, tape, type_slot, key_slot, data_slot, headers_slot, now):
        return False
    if words[log + KEYS]:
        if not compaction.note(words, octets, log, words[log + AFTER] - 1):
            return False
        compaction.sweep(words, octets, topic, log)
        return True
    event_logs.trim(words, log)
    if words[topic + named_records.TIMER]:
        return True
    return timers.set_timer(words, octets, topic, event_logs.next_due(words, log))


@kernel
def publish(words, octets, tape, now, reply):
    """Append a record to the partition that is given, or that its key selects, or the next one in turn.

    Reply with ITEM: an array of the partition and the offset.
    """
    h, topic = open_topic(words, octets, tape, slots.TOPIC_PUBLISH_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    key = slots.TOPIC_PUBLISH_KEY
    if compaction.is_compacted(words, topic) and text_size(words, tape, key) == 0:
        return KEY_WANTED
    if words[tape + slots.TOPIC_PUBLISH_HAS_PARTITION]:
        partition = words[tape + slots.TOPIC_PUBLISH_PARTITION_ID]
        if not 0 <= partition < words[topic + COUNT]:
            set_scalar(words, reply, partition)
            return PARTITION_MISSING
    elif text_mark(words, tape, key) & PRESENT:
        partition = partitions.routed(words, octets, topic, text_at(words, tape, key), text_size(words, tape, key))
    else:
        partition = words[topic + NEXT] % words[topic + COUNT]
        words[topic + NEXT] = partition + 1
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 2)
    add_number(words, reply, partition)
    add_number(words, reply, words[partition_at(words, topic, partition) + AFTER])
    event_type, data, headers = slots.TOPIC_PUBLISH_EVENT_TYPE, slots.TOPIC_PUBLISH_DATA, slots.TOPIC_PUBLISH_HEADERS
    if not add_one(words, octets, topic, partition, tape, event_type, key, data, headers, now):
        return BROKEN
    keyspace.touched(words, octets, h)
    return ITEM | CHANGED


@kernel
def publish_many(words, octets, tape, now, reply):
    """Append records of one type, each to the partition that its key selects, or in turn if its key is empty.

    Reply with ITEM: an array with an array of partition and offset for each.
    """
    h, topic = open_topic(words, octets, tape, slots.TOPIC_PUBLISH_MANY_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    count = words[tape + slots.TOPIC_PUBLISH_MANY_RECORDS]
    if count > BATCH_MAX:
        return BATCH_TOO_LARGE
    if not fits(words, 1 + PLACE_ITEMS * count, 0):
        return FULL
    event_type = slots.TOPIC_PUBLISH_MANY_EVENT_TYPE
    first = first_item(words, tape, slots.TOPIC_PUBLISH_MANY_RECORDS)
    key, data = first + slots.TOPIC_PUBLISH_MANY_RECORDS_KEY, first + slots.TOPIC_PUBLISH_MANY_RECORDS_DATA
    stride = slots.TOPIC_PUBLISH_MANY_RECORDS_STRIDE
    partitions.begin_plan(words, topic)
    turn, needed, compacted = words[topic + NEXT], 0, compaction.is_compacted(words, topic)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    for i in range(count):
        at, size = text_at(words, tape, key + i * stride), text_size(words, tape, key + i * stride)
        keys_size = size
        if size == 0 and compacted:
            return KEY_WANTED
        if size:
            partition = partitions.routed(words, octets, topic, at, size)
        else:
            partition = turn % words[topic + COUNT]
            turn = partition + 1
        add_mark(words, reply, MARK_ARRAY, PLACE_ITEMS - 1)
        add_number(words, reply, partition)
        add_number(words, reply, 0)
        size += text_size(words, tape, event_type) + text_size(words, tape, data + i * stride)
        needed += partitions.plan(words, partition_at(words, topic, partition), size)
        needed += compaction.KEY_TAKES + (keys_size + 7 >> 3) if compacted else 0
    if limits.lacks(words, needed * WORD):
        return OUT_OF_MEMORY
    words[topic + NEXT] = turn
    place = reply + FIRST_PLACE
    for _ in range(count):
        partition = words[place]
        words[place + 2] = words[partition_at(words, topic, partition) + AFTER]
        if text_size(words, tape, key) == 0:
            set_absent(words, tape, key)  # an empty key counts as none
        if not add_one(words, octets, topic, partition, tape, event_type, key, data, -1, now):
            return BROKEN
        key += stride
        data += stride
        place += 2 * PLACE_ITEMS
    keyspace.touched(words, octets, h)
    return ITEM | CHANGED


@kernel
def stats(words, octets, tape, now, reply):
    """Reply with a map of the topic's settings, and a map for each partition."""
    _, topic = open_topic(words, octets, tape, slots.TOPIC_STATS_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    count, name_size = words[topic + COUNT], words[topic + NAME_SIZE]
    if not fits(words, 20 + 16 * count, (count + 1) * name_size):
        return FULL
    name = (topic + TOPIC_WORDS) * WORD
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, STATS_NAMES)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, name, name_size, 0)
    add_field(words, reply, 1, count)
    add_field(words, reply, 2, words[topic + REPLICAS])
    add_field(words, reply, 3, words[topic + EVENTS_MAX])
    add_field(words, reply, 4, words[topic + BYTES_MAX])
    add_field(words, reply, 5, words[topic + RETENTION_MS] // 1000)
    add_field(words, reply, 6, words[topic + CREATED])
    add_mark(words, reply, MARK_NAME, 7)
    add_mark(words, reply, MARK_ARRAY, count)
    for i in range(count):
        log = partition_at(words, topic, i)
        add_mark(words, reply, MARK_MAP, 7)
        add_field(words, reply, STATS_NAMES, i)
        add_mark(words, reply, MARK_NAME, STATS_NAMES + 1)
        add_text(words, reply, name, name_size, 0)
        add_field(words, reply, STATS_NAMES + 2, compaction.count_of(words, log))
        add_field(words, reply, STATS_NAMES + 3, words[log + BYTES])
        add_field(words, reply, STATS_NAMES + 4, words[log + FIRST])
        add_field(words, reply, STATS_NAMES + 5, max(words[log + AFTER] - 1, 0))
        add_field(words, reply, STATS_NAMES + 6, max(now - words[topic + PASSED], 0) // 1000)
    return ITEM


@kernel
def expire(words, octets, tape, now, reply):
    """Drop the records of a topic that have reached the age limit, for upkeep; reply with NUMBER of them."""
    _, topic = open_topic(words, octets, tape, slots.TOPIC_EXPIRE_TOPIC)
    set_scalar(words, reply, 0)
    if topic == 0:
        return NO_SUCH_TOPIC
    most = words[tape + slots.TOPIC_EXPIRE_MOST]
    count = 0
    for i in range(words[topic + COUNT]):
        count += event_logs.expire(words, partition_at(words, topic, i), now, most - count)
    words[topic + PASSED] = now
    if not partitions.set_timer(words, octets, topic):
        return BROKEN
    words[reply] = count
    return NUMBER | CHANGED if count else NUMBER


@kernel
def load_topic(words, octets, tape, now, reply):
    """Load a topic from a snapshot: name, SAVED words, first offset and creation of each partition.

    Refuse a topic that exists.
    """
    h, topic = open_topic(words, octets, tape, slots.TOPIC_LOAD_TOPIC)
    if topic:
        return TOPIC_EXISTS
    topic = named_records.make(words, octets, TOPIC, TOPICS, TOPIC_WORDS, h, tape, slots.TOPIC_LOAD_TOPIC)
    if topic == 0:
        return BROKEN
    for i in range(SAVED):
        words[topic + EVENTS_MAX + i] = words[tape + slots.TOPIC_LOAD_WORD0 + i]
    words[topic + COUNT] = 0
    words[topic + PASSED] = now
    words[topic + LAG_MS] = words[tape + slots.TOPIC_LOAD_LAG_MS] - 1  # a snapshot without compaction has 0
    words[topic + TOMBSTONE_MS] = words[tape + slots.TOPIC_LOAD_TOMBSTONE_MS]
    if not compaction.add_partitions(words, octets, topic, words[tape + slots.TOPIC_LOAD_PARTITIONS], now):
        return BROKEN
    item = tape + first_item(words, tape, slots.TOPIC_LOAD_PARTITIONS)
    for i in range(words[topic + COUNT]):
        log = partition_at(words, topic, i)
        words[log + FIRST] = words[item + slots.TOPIC_LOAD_PARTITIONS_FIRST]
        words[log + AFTER] = words[item + slots.TOPIC_LOAD_PARTITIONS_FIRST]
        words[log + event_logs.CREATED] = words[item + slots.TOPIC_LOAD_PARTITIONS_CREATED]
        item += slots.TOPIC_LOAD_PARTITIONS_STRIDE
    return DONE | CHANGED


@kernel
def load_records(words, octets, tape, now, reply):
    """Load records of one partition from a snapshot, in order: type, key, data, headers and time of each, and
    how many offsets before it compaction has removed."""
    _, topic = open_topic(words, octets, tape, slots.TOPIC_LOAD_RECORDS_TOPIC)
    if topic == 0:
        return NO_SUCH_TOPIC
    log = partition_at(words, topic, words[tape + slots.TOPIC_LOAD_RECORDS_PARTITION_ID])
    item = first_item(words, tape, slots.TOPIC_LOAD_RECORDS_RECORDS)
    for _ in range(words[tape + slots.TOPIC_LOAD_RECORDS_RECORDS]):
        event_type, key = item + slots.TOPIC_LOAD_RECORDS_RECORDS_TYPE, item + slots.TOPIC_LOAD_RECORDS_RECORDS_KEY
        data, headers = item + slots.TOPIC_LOAD_RECORDS_RECORDS_DATA, item + slots.TOPIC_LOAD_RECORDS_RECORDS_HEADERS
        time = words[tape + item + slots.TOPIC_LOAD_RECORDS_RECORDS_TIME]
        gap = words[tape + item + slots.TOPIC_LOAD_RECORDS_RECORDS_GAP]
        if gap and not event_logs.append_gap(words, log, gap, time):
            return BROKEN
        if not append(words, octets, log, tape, event_type, key, data, headers, time):
            return BROKEN
        if words[log + KEYS] and not compaction.note(words, octets, log, words[log + AFTER] - 1):
            return BROKEN
        item += slots.TOPIC_LOAD_RECORDS_RECORDS_STRIDE
    return DONE | CHANGED if partitions.set_timer(words, octets, topic) else BROKEN
