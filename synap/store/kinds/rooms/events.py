"""Events of rooms: how they are stored, in chunks that are filled at one end of a ring and freed at the other.

    room       limits, offsets, counters, ring of chunks, table of subscribers, name
    chunk      offset of its first event, events, words used, words, then the events one behind the other
    event      data size << 8 | mark, name size, time (ms), name, data (padded to a word)

Offsets are dense, so an event is found by bisecting the ring and stepping through one chunk. Chunks grow from half a
KiB to 16 KiB with the contents of the room: an empty room takes 300 bytes. A room drops single events, oldest first,
and frees a chunk once all its events are dropped; HEAD_AT is the word of the first event that is still held.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.memory import arena, tables
from synap.store.memory.layout import MARK_BITS
from synap.store.records import rings, timers
from synap.store.records.timers import NEVER

# Words of a room; NAME_SIZE, TIMER and KIND (14, 15) as in named_records.py.
EVENTS_MAX, BYTES_MAX, RETENTION_MS = 1, 2, 3  # limits; 0: none
FIRST, AFTER, CREATED, BYTES, CONSUMED = 4, 5, 6, 7, 8  # first offset held, next offset, ms, bytes held, statistics
CHUNKS = 16  # a ring
CHUNKS_COUNT, HEAD_AT = CHUNKS + rings.COUNT, CHUNKS + rings.RING_WORDS
SUBSCRIBERS = 24  # a table of the tags of all readers since the start
ROOM_WORDS = 32
SAVED = 7  # words from EVENTS_MAX on that a snapshot holds

CHUNK_FIRST, CHUNK_COUNT, CHUNK_USED, CHUNK_CAPACITY, CHUNK_HEAD = range(5)
EVENT_SIZE, EVENT_NAME_SIZE, EVENT_TIME, EVENT_HEAD = range(4)
CHUNK_WORDS_MIN, CHUNK_WORDS_MAX = 64, 2048
SLACK_SHIFT, SLACK_MS_MAX, SLACK_MS_MIN = 6, 60_000, 20  # events are dropped by age at most so many ms late


@kernel
def event_words(words, event):
    """Return the words of an event."""
    return EVENT_HEAD + ((words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS) + 7) >> 3)


@kernel
def add_chunk(words, room, needed):
    """Add a last chunk with space for an event of `needed` words; return it, or 0 without memory."""
    ring = room + CHUNKS
    count = words[ring + rings.COUNT]
    size = CHUNK_WORDS_MIN
    if count:
        size = min(2 * words[rings.chunk_at(words, ring, count - 1) + CHUNK_CAPACITY], CHUNK_WORDS_MAX)
    size = max(size, CHUNK_HEAD + needed)
    chunk = arena.allocate(words, size)
    if chunk == 0 or not rings.append(words, ring, chunk):
        return 0
    words[chunk + CHUNK_FIRST] = words[room + AFTER]
    words[chunk + CHUNK_COUNT] = 0
    words[chunk + CHUNK_USED] = CHUNK_HEAD
    words[chunk + CHUNK_CAPACITY] = size
    if count == 0:
        words[room + HEAD_AT] = chunk + CHUNK_HEAD
    return chunk


@kernel
def append(words, octets, room, name_at, name_size, data_at, size, mark, now):
    """Append an event; return False without memory."""
    needed = EVENT_HEAD + ((name_size + size + 7) >> 3)
    count = words[room + CHUNKS_COUNT]
    chunk = rings.chunk_at(words, room + CHUNKS, count - 1) if count else 0
    if chunk == 0 or words[chunk + CHUNK_USED] + needed > words[chunk + CHUNK_CAPACITY]:
        chunk = add_chunk(words, room, needed)
        if chunk == 0:
            return False
    event = chunk + words[chunk + CHUNK_USED]
    words[event + EVENT_SIZE] = size << MARK_BITS | mark
    words[event + EVENT_NAME_SIZE] = name_size
    words[event + EVENT_TIME] = now
    body = (event + EVENT_HEAD) * 8
    move(octets, body, name_at, name_size)
    move(octets, body + name_size, data_at, size)
    words[chunk + CHUNK_USED] += needed
    words[chunk + CHUNK_COUNT] += 1
    words[room + AFTER] += 1
    words[room + BYTES] += name_size + size
    return True


@kernel
def drop_first(words, room):
    """Drop the oldest event of a room that has one."""
    event = words[room + HEAD_AT]
    chunk = rings.chunk_at(words, room + CHUNKS, 0)
    words[room + BYTES] -= words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS)
    words[room + FIRST] += 1
    if words[room + FIRST] < words[chunk + CHUNK_FIRST] + words[chunk + CHUNK_COUNT]:
        words[room + HEAD_AT] = event + event_words(words, event)
        return
    rings.drop_first(words, room + CHUNKS)
    words[room + HEAD_AT] = rings.chunk_at(words, room + CHUNKS, 0) + CHUNK_HEAD if words[room + CHUNKS_COUNT] else 0


@kernel
def trim(words, room):
    """Drop the events above the limits of number and size; the last event always stays."""
    while words[room + EVENTS_MAX] and words[room + AFTER] - words[room + FIRST] > words[room + EVENTS_MAX]:
        drop_first(words, room)
    while (
        words[room + BYTES_MAX]
        and words[room + BYTES] > words[room + BYTES_MAX]
        and words[room + AFTER] - words[room + FIRST] > 1
    ):
        drop_first(words, room)


@kernel
def expire(words, room, now, most):
    """Drop at most `most` events that have reached the room's age limit; return how many."""
    count = 0
    if words[room + RETENTION_MS] == 0:
        return count
    while (
        count < most
        and words[room + CHUNKS_COUNT]
        and words[words[room + HEAD_AT] + EVENT_TIME] + words[room + RETENTION_MS] <= now
    ):
        drop_first(words, room)
        count += 1
    return count


@kernel
def set_timer(words, octets, room):
    """Set the room's timer to shortly after its first event reaches the age limit; return False without memory."""
    due = NEVER
    if words[room + RETENTION_MS] and words[room + CHUNKS_COUNT]:
        slack = max(min(words[room + RETENTION_MS] >> SLACK_SHIFT, SLACK_MS_MAX), SLACK_MS_MIN)
        due = words[words[room + HEAD_AT] + EVENT_TIME] + words[room + RETENTION_MS] + slack
    return timers.set_timer(words, octets, room, due)


@kernel
def seek(words, room, offset):
    """Return (number of the chunk, word at which the event starts) of an offset that is held."""
    low = 0
    high = words[room + CHUNKS_COUNT] - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if words[rings.chunk_at(words, room + CHUNKS, middle) + CHUNK_FIRST] <= offset:
            low = middle
        else:
            high = middle - 1
    chunk = rings.chunk_at(words, room + CHUNKS, low)
    event = chunk + CHUNK_HEAD
    at = words[chunk + CHUNK_FIRST]
    if low == 0:
        event = words[room + HEAD_AT]
        at = words[room + FIRST]
    while at < offset:
        event += event_words(words, event)
        at += 1
    return low, event


@kernel
def following(words, room, i, event):
    """Return (number of the chunk, word) of the event after this one of chunk i; the word is 0 after the last."""
    chunk = rings.chunk_at(words, room + CHUNKS, i)
    event += event_words(words, event)
    if event < chunk + words[chunk + CHUNK_USED]:
        return i, event
    i += 1
    if i == words[room + CHUNKS_COUNT]:
        return i, 0
    return i, rings.chunk_at(words, room + CHUNKS, i) + CHUNK_HEAD


@kernel
def free_some(words, room, budget):
    """Free parts of a deleted room; return what is left of the budget (blocks).

    SUBSCRIBERS has no slots once only the record is left.
    """
    budget = rings.free_some(words, room + CHUNKS, budget)
    if budget > 0:
        tables.close_table(words, room + SUBSCRIBERS)
        words[room + SUBSCRIBERS + tables.SLOTS] = 0
    return budget
