"""Compaction: a compacted topic keeps the last record of each key.

A record that another of its key has followed is *spent* once the partition's last record is LAG_MS younger. A
tombstone, which is a record without data (or with the JSON value null), is spent once the last record is TOMBSTONE_MS
and LAG_MS younger, and with it its key. The last record of a partition is never spent. Spent records are not read, and
not in digests and snapshots; what is spent follows from the records alone, not from the chunks in which they lie.

    keys       of a partition: a table of keys, the number of those with a value
    key        offset of its last record, bytes that this counts for, whether it is a tombstone, size, the key

Memory is given back chunk by chunk, while records are published: a chunk of which half is spent is written anew, with a
gap in the place of spent records that follow each other. Offsets never change.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import load32, move
from synap.store.kinds.topics import partitions
from synap.store.kinds.topics.partitions import (
    COUNT,
    KEYS,
    LAG_MS,
    LAST_TIME,
    RECORD_ITEMS,
    SWEPT,
    TOMBSTONE_MS,
    TYPE_MASK,
    key_of,
    partition_at,
)
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_JSON, FORM_MASK, HOLDER, MARK_ARRAY, MARK_BITS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_mark, add_nil, add_number, add_text
from synap.store.records import event_logs, keyspace, named_records, rings
from synap.store.records.event_logs import (
    AFTER,
    BYTES,
    CHUNK_CAPACITY,
    CHUNK_COUNT,
    CHUNK_FIRST,
    CHUNK_HEAD,
    CHUNK_SPENT,
    CHUNK_USED,
    CHUNKS,
    CHUNKS_COUNT,
    EVENT_HEAD,
    EVENT_NAME_SIZE,
    EVENT_SIZE,
    EVENT_TIME,
    EXTRA,
    FIRST,
    GAP,
    HEAD_AT,
)

VALUES, FREED = 8, 9  # of the block KEYS, behind the table: keys whose last record is no tombstone; how far it is freed
KEYS_WORDS = 10
KEYS_MADE = KEYS_WORDS + 2 + tables.SIZE_MIN + 8  # words that a partition's block and the slots of its table take
KEY_TAKES = 12  # words that a key takes besides its text: its record, and slots of the table
OFFSET, RECORD_BYTES, IS_TOMBSTONE, KEY_SIZE, KEY_WORDS = range(5)
NULL = int.from_bytes(b"null", "little")


@kernel
def is_compacted(words, topic):
    """Return True if a topic is compacted."""
    return words[topic + LAG_MS] >= 0


@kernel
def is_tombstone(words, octets, event):
    """Return True if a record has no data, or the JSON value null."""
    size = words[event + EVENT_SIZE] >> MARK_BITS
    if size != 4 or words[event + EVENT_SIZE] & FORM_MASK != FORM_JSON:
        return size == 0
    return load32(octets, (event + EVENT_HEAD) * WORD + words[event + EVENT_NAME_SIZE]) == NULL


@kernel
def seek_key(words, octets, log, start, size):
    """Return (tag, index in `words` of the slot of this key, or 0)."""
    h = keyspace.hash_key(words, octets, HOLDER, start, size)
    at = named_records.seek_text(words, octets, words[log + KEYS], h, start, size, KEY_SIZE, KEY_WORDS)
    return tables.tag_of_hash(h), at


@kernel
def add_partitions(words, octets, topic, count, now):
    """Raise the number of partitions of a topic to `count`; return False without memory."""
    old = words[topic + COUNT]
    if not partitions.add_partitions(words, octets, topic, count, now):
        return False
    for i in range(old, count):
        if is_compacted(words, topic) and not open_keys(words, octets, partition_at(words, topic, i)):
            return False
    return True


@kernel
def open_keys(words, octets, log):
    """Prepare a partition of a compacted topic; return False without memory."""
    keys = arena.allocate(words, KEYS_WORDS)
    if keys == 0:
        return False
    for i in range(KEYS_WORDS):
        words[keys + i] = 0
    words[log + KEYS] = keys
    tables.open_table(words, octets, keys, tables.SIZE_MIN)
    return True


@kernel
def note(words, octets, log, offset):
    """Let the record at this offset, the last of its partition, be the last one of its key; return False without
    memory."""
    i, event, _ = event_logs.seek(words, log, offset)
    start, size = key_of(words, event)
    tag, at = seek_key(words, octets, log, start, size)
    tombstone = is_tombstone(words, octets, event)
    bytes_of = words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS) + words[log + EXTRA]
    words[log + LAST_TIME] = words[event + EVENT_TIME]
    if tombstone:
        words[rings.chunk_at(words, log + CHUNKS, i) + CHUNK_SPENT] += 1  # it will be
        words[log + BYTES] -= bytes_of
    key = words[at] & REF_MASK if at else 0
    if key == 0:
        key = arena.allocate(words, KEY_WORDS + ((size + 7) >> 3))
        if key == 0:
            return False
        words[key + KEY_SIZE] = size
        words[key + IS_TOMBSTONE] = 1
        move(octets, (key + KEY_WORDS) * WORD, start, size)
        if not tables.insert(words, octets, words[log + KEYS], tag, key, 0):
            return False
    else:
        j, _, _ = event_logs.seek(words, log, words[key + OFFSET])
        words[rings.chunk_at(words, log + CHUNKS, j) + CHUNK_SPENT] += 1
        if words[key + IS_TOMBSTONE] == 0:
            words[log + BYTES] -= words[key + RECORD_BYTES]
    words[words[log + KEYS] + VALUES] += words[key + IS_TOMBSTONE] - tombstone
    words[key + OFFSET] = offset
    words[key + RECORD_BYTES] = bytes_of
    words[key + IS_TOMBSTONE] = tombstone
    return True


@kernel
def is_spent(words, octets, topic, log, event, offset):
    """Return True if the record at this offset of a compacted topic is a gap, or spent; the last one never is."""
    if words[event + EVENT_SIZE] == GAP:
        return True
    if offset == words[log + AFTER] - 1:
        return False
    age = words[log + LAST_TIME] - words[event + EVENT_TIME]
    start, size = key_of(words, event)
    _, at = seek_key(words, octets, log, start, size)
    key = words[at] & REF_MASK if at else 0
    if key and words[key + OFFSET] == offset:
        return words[key + IS_TOMBSTONE] != 0 and age >= max(words[topic + TOMBSTONE_MS], words[topic + LAG_MS])
    return age >= words[topic + LAG_MS]


@outlined
def sweep(words, octets, topic, log):
    """Look at the next chunk of a partition in turn, but not at the last one, and write it anew if half of it is spent.

    Nothing happens without address space for it.
    """
    count = words[log + CHUNKS_COUNT] - 1
    if count <= 0:
        return
    i = words[log + SWEPT] % count
    words[log + SWEPT] = i + 1
    chunk = rings.chunk_at(words, log + CHUNKS, i)
    if words[log + LAST_TIME] - words[chunk + CHUNK_HEAD + EVENT_TIME] < words[topic + LAG_MS]:
        return  # its first record is too young to be spent, and so are the others
    if 2 * words[chunk + CHUNK_SPENT] >= max(words[chunk + CHUNK_COUNT], 1) or many_spent(words, chunk):
        write_anew(words, octets, topic, log, i)


@kernel
def many_spent(words, chunk):
    """Return True if half of the events of a chunk may be spent: a gap counts as one event."""
    events = 0
    event = chunk + CHUNK_HEAD
    while words[chunk + CHUNK_SPENT] and event < chunk + words[chunk + CHUNK_USED]:
        events += 1
        event += event_logs.event_words(words, event)
    return words[chunk + CHUNK_SPENT] > 0 and 2 * words[chunk + CHUNK_SPENT] >= events


@kernel
def write_anew(words, octets, topic, log, i):
    """Replace the chunk at place `i` of a partition by one without its spent records; give up if none is spent yet."""
    old = rings.chunk_at(words, log + CHUNKS, i)
    end = old + words[old + CHUNK_USED]
    event, offset = old + CHUNK_HEAD, words[old + CHUNK_FIRST]
    needed, gap, spent = CHUNK_HEAD, False, False
    while event < end:
        if is_spent(words, octets, topic, log, event, offset):
            spent = spent or gap or words[event + EVENT_SIZE] != GAP
            needed += 0 if gap else EVENT_HEAD
            gap = True
        else:
            needed += event_logs.event_words(words, event)
            gap = False
        offset += event_logs.span_of(words, event)
        event += event_logs.event_words(words, event)
    chunk = arena.allocate(words, needed) if spent else 0
    if chunk == 0:
        return
    for word in (CHUNK_FIRST, CHUNK_COUNT):
        words[chunk + word] = words[old + word]
    words[chunk + CHUNK_CAPACITY] = needed
    words[chunk + CHUNK_SPENT] = 0
    event, offset, target, gap_at = old + CHUNK_HEAD, words[old + CHUNK_FIRST], chunk + CHUNK_HEAD, 0
    while event < end:
        size, span = event_logs.event_words(words, event), event_logs.span_of(words, event)
        if is_spent(words, octets, topic, log, event, offset):
            if gap_at == 0:
                gap_at = target
                words[gap_at + EVENT_SIZE] = GAP
                words[gap_at + EVENT_NAME_SIZE] = 0
                target += EVENT_HEAD
            words[gap_at + EVENT_NAME_SIZE] += span
            words[gap_at + EVENT_TIME] = words[event + EVENT_TIME]
            forget_key(words, octets, log, event, offset)
        else:
            gap_at = 0
            words[chunk + CHUNK_SPENT] += may_be_spent(words, octets, log, event, offset)
            move(octets, target * WORD, event * WORD, size * WORD)
            target += size
        offset += span
        event += size
    words[chunk + CHUNK_USED] = target - chunk
    rings.put(words, log + CHUNKS, i, chunk)
    if i == 0:
        words[log + HEAD_AT] = chunk + CHUNK_HEAD
    arena.release(words, old)
    join_gaps(words, log, i)


@kernel
def may_be_spent(words, octets, log, event, offset):
    """Return 1 if a record that is kept will be spent with time, as a tombstone or not the last one of its key; else
    0."""
    start, size = key_of(words, event)
    _, at = seek_key(words, octets, log, start, size)
    is_last = at != 0 and words[(words[at] & REF_MASK) + OFFSET] == offset
    return 0 if is_last and not is_tombstone(words, octets, event) else 1


@kernel
def forget_key(words, octets, log, event, offset):
    """Remove the key of a spent tombstone."""
    if words[event + EVENT_SIZE] == GAP:
        return
    start, size = key_of(words, event)
    _, at = seek_key(words, octets, log, start, size)
    if at and words[(words[at] & REF_MASK) + OFFSET] == offset:
        arena.release(words, words[at] & REF_MASK)
        tables.remove(words, octets, words[log + KEYS], at)


@kernel
def is_gap(words, log, i):
    """Return True if the chunk at place `i` is one gap."""
    chunk = rings.chunk_at(words, log + CHUNKS, i)
    return words[chunk + CHUNK_USED] == CHUNK_HEAD + EVENT_HEAD and words[chunk + CHUNK_HEAD + EVENT_SIZE] == GAP


@kernel
def join_gaps(words, log, i):
    """Make one chunk of the one at place `i` and the one before or behind it, if both are nothing but gaps."""
    for first in (i, i - 1):
        if first < 0 or first + 1 >= words[log + CHUNKS_COUNT] - 1:
            continue
        if not is_gap(words, log, first) or not is_gap(words, log, first + 1):
            continue
        chunk, after = rings.chunk_at(words, log + CHUNKS, first), rings.chunk_at(words, log + CHUNKS, first + 1)
        words[chunk + CHUNK_COUNT] += words[after + CHUNK_COUNT]
        words[chunk + CHUNK_HEAD + EVENT_NAME_SIZE] += words[after + CHUNK_HEAD + EVENT_NAME_SIZE]
        words[chunk + CHUNK_HEAD + EVENT_TIME] = words[after + CHUNK_HEAD + EVENT_TIME]
        rings.drop(words, log + CHUNKS, first + 1)


@kernel
def count_of(words, log):
    """Return how many records a partition counts: of a compacted topic those that are the value of a key."""
    if words[log + KEYS]:
        return words[words[log + KEYS] + VALUES]
    return words[log + AFTER] - words[log + FIRST]


@kernel
def free_keys(words, log, budget):
    """Free keys of a partition of a deleted topic; return what is left of the budget. KEYS is 0 once none is left."""
    keys = words[log + KEYS]
    if keys == 0:
        return budget
    place, at = tables.next_entry(words, keys, words[keys + FREED])
    while at and budget > 0:
        arena.release(words, words[at] & REF_MASK)
        words[keys + FREED] = place
        budget -= 1
        place, at = tables.next_entry(words, keys, place)
    if at == 0 and budget > 0:
        tables.close_table(words, keys)
        arena.release(words, keys)
        words[log + KEYS] = 0
    return budget


@kernel
def offset_at(words, octets, topic, log, time):
    """Return the offset of the first record of this time (ms) or a later one; the next offset if there is none."""
    start = partitions.offset_at(words, log, time)
    if words[log + KEYS] == 0 or start == words[log + AFTER]:
        return start
    i, event, offset = event_logs.seek(words, log, start)
    while offset < start or is_spent(words, octets, topic, log, event, offset):
        offset += event_logs.span_of(words, event)
        i, event = event_logs.following(words, log, i, event)
    return offset


@kernel
def measure(words, octets, topic, log, start, most, octets_most):
    """Return (number, bytes, next offset) of the records from offset `start` on: at most `most`, and the first in any
    case. The next offset is the one behind what was looked at.

    More than one record is counted only while they do not exceed `octets_most` bytes.
    """
    count = size = 0
    if start >= words[log + AFTER] or most <= 0:
        return count, size, start
    i, event, offset = event_logs.seek(words, log, start)
    while event and count < most:
        if offset >= start and not (words[log + KEYS] and is_spent(words, octets, topic, log, event, offset)):
            more = words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS)
            if count and size + more > octets_most:
                break
            size += more
            count += 1
        offset += event_logs.span_of(words, event)
        i, event = event_logs.following(words, log, i, event)
    return count, size, offset


@kernel
def put_records(words, octets, topic, log, partition, start, count, reply):
    """Add `count` records from offset `start` on to the reply: an array each.

    Partition, offset, type, key or nil, data, headers, time (ms), bytes that the record counts for.
    """
    if count == 0:
        return
    i, event, offset = event_logs.seek(words, log, start)
    while count > 0:
        if offset >= start and not (words[log + KEYS] and is_spent(words, octets, topic, log, event, offset)):
            put_record(words, log, partition, event, offset, reply)
            count -= 1
        offset += event_logs.span_of(words, event)
        i, event = event_logs.following(words, log, i, event)


@kernel
def put_record(words, log, partition, event, offset, reply):
    """Add one record to the reply."""
    name_size = words[event + EVENT_NAME_SIZE]
    size = words[event + EVENT_SIZE] >> MARK_BITS
    type_size = words[event + EVENT_HEAD] & TYPE_MASK
    key_at, key_size = key_of(words, event)
    add_mark(words, reply, MARK_ARRAY, RECORD_ITEMS - 1)
    add_number(words, reply, partition)
    add_number(words, reply, offset)
    add_text(words, reply, (event + EVENT_HEAD + 1) * WORD, type_size, 0)
    if key_size < 0:
        add_nil(words, reply)
        key_size = 0
    else:
        add_text(words, reply, key_at, key_size, 0)
    at = key_at + key_size
    headers_size = name_size - WORD - type_size - key_size
    add_text(words, reply, at + headers_size, size, words[event + EVENT_SIZE] & 0xFF)
    add_text(words, reply, at, headers_size, 0)
    add_number(words, reply, words[event + EVENT_TIME])
    add_number(words, reply, name_size + size + words[log + EXTRA])
