"""Topics: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a topic as a frame for the topic itself, then the records of each partition in pieces of about a
megabyte.

    cursor   INSIDE: the partition to continue with; ENTRY: the offset in it
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.topics import compaction
from synap.store.kinds.topics.partitions import (
    COUNT,
    KEY_SHIFT,
    KEYS,
    LAG_MS,
    PARTITIONS,
    SAVED,
    TOMBSTONE_MS,
    TOPIC_WORDS,
    TYPE_MASK,
    partition_at,
)
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import MARK_BITS, WORD
from synap.store.memory.tapes import set_absent, set_group, set_text
from synap.store.records import event_logs as events
from synap.store.records import rings
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import ENTRY, INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import topics as slots


@kernel
def digest(words, octets, topic):
    """Return the hash of name and settings, and of the offsets and records of each partition in their order."""
    h = text(octets, (topic + TOPIC_WORDS) * WORD, words[topic + NAME_SIZE])
    for i in range(SAVED):
        h = mix(h, words[topic + events.EVENTS_MAX + i])
    if compaction.is_compacted(words, topic):
        h = mix(mix(h, words[topic + LAG_MS]), words[topic + TOMBSTONE_MS])
    for partition in range(words[topic + COUNT]):
        log = partition_at(words, topic, partition)
        for i in range(events.SAVED):
            h = mix(h, words[log + events.EVENTS_MAX + i])
        event, offset = words[log + events.HEAD_AT], words[log + events.FIRST]
        i = np.int64(0)
        while event:
            span = events.span_of(words, event)
            if words[log + KEYS] and compaction.is_spent(words, octets, topic, log, event, offset):
                offset += span
                i, event = events.following(words, log, i, event)
                continue
            offset += span
            h = mix(h, offset) if words[log + KEYS] else h
            h = mix(h, words[event + events.EVENT_TIME])
            size = words[event + events.EVENT_NAME_SIZE] + (words[event + events.EVENT_SIZE] >> MARK_BITS)
            h = mix(h, text(octets, (event + events.EVENT_HEAD) * WORD, size))
            h = mix(h, words[event + events.EVENT_SIZE])
            i, event = events.following(words, log, i, event)
    return h


@kernel
def dump_topic(words, octets, topic, target, seq, now):
    """Write the frame of a topic without its records; return its words."""
    name, count = words[topic + NAME_SIZE], words[topic + COUNT]
    size = slots.TOPIC_LOAD_SLOTS + count * slots.TOPIC_LOAD_PARTITIONS_STRIDE
    blob = frames.head(words, target, codes.TOPIC_LOAD, 0, seq, now, size, name)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.TOPIC_LOAD_TOPIC, 0, name, 0)
    for i in range(SAVED):
        words[tape + slots.TOPIC_LOAD_WORD0 + i] = words[topic + events.EVENTS_MAX + i]
    set_group(words, tape, slots.TOPIC_LOAD_PARTITIONS, count, slots.TOPIC_LOAD_SLOTS)
    item = tape + slots.TOPIC_LOAD_SLOTS
    for i in range(count):
        log = partition_at(words, topic, i)
        words[item + slots.TOPIC_LOAD_PARTITIONS_FIRST] = words[log + events.FIRST]
        words[item + slots.TOPIC_LOAD_PARTITIONS_CREATED] = words[log + events.CREATED]
        item += slots.TOPIC_LOAD_PARTITIONS_STRIDE
    words[tape + slots.TOPIC_LOAD_LAG_MS] = words[topic + LAG_MS] + 1  # 0: not compacted
    words[tape + slots.TOPIC_LOAD_TOMBSTONE_MS] = words[topic + TOMBSTONE_MS]
    move(octets, blob, (topic + TOPIC_WORDS) * WORD, name)
    return words_of(words, target)


@kernel
def dump_records(words, octets, topic, cursor, target, seq, now):
    """Write a frame with records of the partition INSIDE from offset ENTRY on, about a megabyte; return its words."""
    name = words[topic + NAME_SIZE]
    log = partition_at(words, topic, cursor[INSIDE])
    i, event, offset = events.seek(words, log, cursor[ENTRY])
    first_i, first, first_offset = i, event, offset
    count = gap = 0
    total = name
    tape = target + frames.HEAD_WORDS
    item = slots.TOPIC_LOAD_RECORDS_SLOTS
    while event and total < PIECE_BYTES and count < PIECE_ITEMS:
        if words[log + KEYS] and compaction.is_spent(words, octets, topic, log, event, offset):
            gap += events.span_of(words, event)
            offset += events.span_of(words, event)
            i, event = events.following(words, log, i, event)
            continue
        offset += 1
        words[tape + item + slots.TOPIC_LOAD_RECORDS_RECORDS_GAP] = gap
        gap = 0
        sizes = words[event + events.EVENT_HEAD]
        type_size, key_size = sizes & TYPE_MASK, (sizes >> KEY_SHIFT) - 1
        set_absent(words, tape, item + slots.TOPIC_LOAD_RECORDS_RECORDS_KEY)
        if key_size >= 0:
            set_text(words, tape, item + slots.TOPIC_LOAD_RECORDS_RECORDS_KEY, total + type_size, key_size, 0)
        key_size = max(key_size, 0)
        headers_size = words[event + events.EVENT_NAME_SIZE] - WORD - type_size - key_size
        size, mark = words[event + events.EVENT_SIZE] >> MARK_BITS, words[event + events.EVENT_SIZE]
        set_text(words, tape, item + slots.TOPIC_LOAD_RECORDS_RECORDS_TYPE, total, type_size, 0)
        total += type_size + key_size
        set_text(words, tape, item + slots.TOPIC_LOAD_RECORDS_RECORDS_HEADERS, total, headers_size, 0)
        total += headers_size
        set_text(words, tape, item + slots.TOPIC_LOAD_RECORDS_RECORDS_DATA, total, size, mark)
        total += size
        words[tape + item + slots.TOPIC_LOAD_RECORDS_RECORDS_TIME] = words[event + events.EVENT_TIME]
        count += 1
        item += slots.TOPIC_LOAD_RECORDS_RECORDS_STRIDE
        i, event = events.following(words, log, i, event)
    set_text(words, tape, slots.TOPIC_LOAD_RECORDS_TOPIC, 0, name, 0)
    words[tape + slots.TOPIC_LOAD_RECORDS_PARTITION_ID] = cursor[INSIDE]
    set_group(words, tape, slots.TOPIC_LOAD_RECORDS_RECORDS, count, slots.TOPIC_LOAD_RECORDS_SLOTS)
    blob = frames.head(words, target, codes.TOPIC_LOAD_RECORDS, 0, seq, now, item, total)
    move(octets, blob, (topic + TOPIC_WORDS) * WORD, name)
    blob += name
    after = offset - gap
    i, event, offset = first_i, first, first_offset
    while event and offset < after:
        if words[log + KEYS] and compaction.is_spent(words, octets, topic, log, event, offset):
            offset += events.span_of(words, event)
            i, event = events.following(words, log, i, event)
            continue
        offset += 1
        size = words[event + events.EVENT_NAME_SIZE] - WORD + (words[event + events.EVENT_SIZE] >> MARK_BITS)
        move(octets, blob, (event + events.EVENT_HEAD + 1) * WORD, size)
        blob += size
        i, event = events.following(words, log, i, event)
    cursor[ENTRY] = after
    return words_of(words, target)


@kernel
def dump(words, octets, topic, cursor, target, seq, now):
    """Write the next frame of a topic; return its words, 0 if the topic was complete. MORE: another frame follows."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = 0
        cursor[ENTRY] = 0
        return dump_topic(words, octets, topic, target, seq, now)
    while cursor[INSIDE] < words[topic + COUNT]:
        log = partition_at(words, topic, cursor[INSIDE])
        cursor[ENTRY] = max(cursor[ENTRY], words[log + events.FIRST])
        if cursor[ENTRY] < words[log + events.AFTER]:
            return dump_records(words, octets, topic, cursor, target, seq, now)
        cursor[INSIDE] += 1
        cursor[ENTRY] = 0
    cursor[MORE] = 0
    return 0


@kernel
def free_some(words, octets, topic, budget):
    """Free chunks of a deleted topic; return what is left of the budget, more than 0 once only the record is left."""
    while words[topic + COUNT] and budget > 0:
        log = partition_at(words, topic, words[topic + COUNT] - 1)
        budget = compaction.free_keys(words, log, budget)
        if budget > 0:
            budget = rings.free_some(words, log + events.CHUNKS, budget)
        if budget > 0:
            words[topic + COUNT] -= 1
            budget -= 1
    if budget > 0 and words[topic + PARTITIONS]:
        arena.release(words, words[topic + PARTITIONS])
        words[topic + PARTITIONS] = 0
    return budget
