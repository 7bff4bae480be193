"""Topics as they are stored: partitions, each an event log, and the records in them.

    topic      limits of each partition, partitions, routing, place of round-robin, creation (ms), two numbers that are
               only reported, block of partitions, time of the last retention pass, whether and how it is compacted,
               timer, kind, name
    log        words LEFT, LAST and PLANNED: see `plan`; KEYS, LAST_TIME and SWEPT: see compaction.py
    record     an event whose name is: type size | key size + 1 << 32 (0: no key), type, key, headers

All partitions of a topic lie in one block, so adding some copies their heads and no record. A record counts for the
bytes of its type, key, headers and data, and of the topic's name.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.murmur2 import murmur2
from synap.kernels.spans import move
from synap.store.memory import arena
from synap.store.memory.kinds import TOPIC
from synap.store.memory.layout import PRESENT, TOPICS, WORD
from synap.store.memory.tapes import (
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import event_logs, named_records, rings, timers
from synap.store.records.event_logs import (
    AFTER,
    CHUNK_CAPACITY,
    CHUNK_HEAD,
    CHUNK_USED,
    CHUNKS,
    CHUNKS_COUNT,
    EVENT_HEAD,
    EVENT_TIME,
    EVENTS_MAX,
    EXTRA,
    FIRST,
    LOG_WORDS,
)
from synap.store.records.timers import NEVER

# Words of a topic; NAME_SIZE, TIMER and KIND (0, 14, 15) as in named_records.py, the limits as in event_logs.py.
COUNT, ROUTING, NEXT, CREATED, REPLICAS, SEGMENT_BYTES = 4, 5, 6, 7, 8, 9
SAVED = 9  # words from EVENTS_MAX on that a snapshot holds
PARTITIONS, PASSED = 10, 11
LAG_MS, TOMBSTONE_MS = 12, 13  # of a compacted topic; LAG_MS is -1 if it is none
TOPIC_WORDS = 16
LIMITS = 3  # from EVENTS_MAX on, as in a log
LEFT, LAST, PLANNED, KEYS, LAST_TIME, SWEPT = 10, 11, 12, 13, 14, 15  # of a log

ROUTED_BY_MURMUR2, ROUTED_BY_CRC32 = 1, 2
KEY_SHIFT, TYPE_MASK = 32, (1 << 32) - 1
RECORD_ITEMS = 9  # of a record in a reply, with its mark
_CRC32_POLYNOMIAL, _SIGN = 0xEDB88320, 0x7FFFFFFF


@inlined
def open_topic(words, octets, tape, slot):
    """Return (hash, topic) of the name in this slot of a tape; the topic is 0 if none has this name."""
    return named_records.open_record(words, octets, TOPIC, TOPICS, TOPIC_WORDS, tape, slot)


@kernel
def partition_at(words, topic, i):
    """Return the event log of partition `i`."""
    return words[topic + PARTITIONS] + i * LOG_WORDS


@kernel
def add_partitions(words, octets, topic, count, now):
    """Raise the number of partitions of a topic to `count`; return False without memory, and change nothing."""
    block = arena.allocate(words, count * LOG_WORDS)
    if block == 0:
        return False
    old = words[topic + COUNT]
    if old:
        move(octets, block * WORD, words[topic + PARTITIONS] * WORD, old * LOG_WORDS * WORD)
        arena.release(words, words[topic + PARTITIONS])
    words[topic + PARTITIONS] = block
    words[topic + COUNT] = count
    for i in range(old, count):
        log = partition_at(words, topic, i)
        for word in range(LOG_WORDS):
            words[log + word] = 0
        for limit in range(LIMITS):
            words[log + EVENTS_MAX + limit] = words[topic + EVENTS_MAX + limit]
        words[log + event_logs.CREATED] = now
        words[log + EXTRA] = words[topic + named_records.NAME_SIZE] - WORD
    return True


@kernel
def crc32(octets, start, size):
    """Return the CRC-32 (as zlib's) of a short span, bit by bit: a heap has no table for it."""
    rest = TYPE_MASK
    for at in range(start, start + size):
        rest ^= octets[at]
        for _ in range(8):
            rest = rest >> 1 ^ (_CRC32_POLYNOMIAL if rest & 1 else 0)
    return rest ^ TYPE_MASK


@kernel
def routed(words, octets, topic, start, size):
    """Return the partition of the records with this key."""
    if words[topic + ROUTING] == ROUTED_BY_CRC32:
        return crc32(octets, start, size) % words[topic + COUNT]
    return (murmur2(octets, start, size) & _SIGN) % words[topic + COUNT]


@kernel
def begin_plan(words, topic):
    """Prepare `plan` for all partitions: note the words left in the last chunk, its words, and the chunks."""
    for i in range(words[topic + COUNT]):
        log = partition_at(words, topic, i)
        count = words[log + CHUNKS_COUNT]
        words[log + LEFT] = words[log + LAST] = 0
        words[log + PLANNED] = count
        if count:
            chunk = rings.chunk_at(words, log + CHUNKS, count - 1)
            words[log + LAST] = words[chunk + CHUNK_CAPACITY]
            words[log + LEFT] = words[chunk + CHUNK_CAPACITY] - words[chunk + CHUNK_USED]


@kernel
def plan(words, log, size):
    """Return the words that one more record takes, behind those that are planned; `size`: its texts in bytes."""
    needed = event_logs.words_for(WORD, size)
    if needed <= words[log + LEFT]:
        words[log + LEFT] -= needed
        return 0
    chunk = event_logs.chunk_words(words[log + LAST], needed)
    words[log + LAST] = chunk
    words[log + LEFT] = chunk - CHUNK_HEAD - needed
    words[log + PLANNED] += 1
    return chunk + rings.growth(words, log + CHUNKS, words[log + PLANNED] - 1)


@kernel
def append(words, octets, log, tape, type_slot, key_slot, data_slot, headers_slot, now):
    """Append a record with the texts in these slots of a tape; return False without memory.

    A key or headers that are absent have the size 0, and no PRESENT in their mark. `headers_slot` -1: none.
    """
    type_size, size = text_size(words, tape, type_slot), text_size(words, tape, data_slot)
    has_key = text_mark(words, tape, key_slot) & PRESENT != 0
    key_size = text_size(words, tape, key_slot)
    headers_size = text_size(words, tape, headers_slot) if headers_slot >= 0 else 0
    mark = text_mark(words, tape, data_slot) & ~PRESENT
    body = event_logs.append(words, log, WORD + type_size + key_size + headers_size, size, mark, now)
    if body == 0:
        return False
    words[body // WORD] = type_size | ((key_size + 1) << KEY_SHIFT if has_key else 0)
    body += WORD
    move(octets, body, text_at(words, tape, type_slot), type_size)
    body += type_size
    move(octets, body, text_at(words, tape, key_slot), key_size)
    body += key_size
    if headers_size:
        move(octets, body, text_at(words, tape, headers_slot), headers_size)
        body += headers_size
    move(octets, body, text_at(words, tape, data_slot), size)
    return True


@kernel
def set_timer(words, octets, topic):
    """Set the topic's timer to the earliest time at which records have grown too old; return False without memory."""
    due = NEVER
    for i in range(words[topic + COUNT]):
        due = min(due, event_logs.next_due(words, partition_at(words, topic, i)))
    return timers.set_timer(words, octets, topic, due)


@kernel
def key_of(words, event):
    """Return (octet, size) of the key of a record; the size is -1 without one."""
    sizes = words[event + EVENT_HEAD]
    return (event + EVENT_HEAD + 1) * WORD + (sizes & TYPE_MASK), (sizes >> KEY_SHIFT) - 1


@kernel
def offset_at(words, log, time):
    """Return the first offset of this time (ms) or a later one; the next offset if there is none.

    Times do not fall from record to record, so it is found by bisecting the offsets. A gap has the time of its end.
    """
    low, high = words[log + FIRST], words[log + AFTER]
    while low < high:
        middle = (low + high) >> 1
        _, event, _ = event_logs.seek(words, log, middle)
        if words[event + EVENT_TIME] < time:
            low = middle + 1
        else:
            high = middle
    return low
