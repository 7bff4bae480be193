"""Event logs: numbered events with limits on their number, size and age; a room has one, a topic one a partition.

    log        limits, first and next offset, counters, ring of chunks
    chunk      offset of its first event, events, words used, words, then the events one behind the other
    event      data size << 8 | mark, name size, time (ms), name, data (padded to a word)
    gap        GAP, number of offsets, time of the last of them: events that the owner has removed (compacted topics)

Offsets are dense, so an event is found by bisecting the ring and stepping through one chunk. Chunks grow from half a
KiB to 16 KiB with the contents of the log. A log drops single events, oldest first, and frees a chunk once all its
events are dropped; HEAD_AT is the word of the first event that is still held. What the name of an event consists of is
the business of the log's owner.
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena
from synap.store.memory.layout import MARK_BITS
from synap.store.records import rings
from synap.store.records.timers import NEVER

# Words of a log. Word 0 and the words from 10 to 15 are free for the log's owner.
EVENTS_MAX, BYTES_MAX, RETENTION_MS = 1, 2, 3  # limits; 0: none
FIRST, AFTER, CREATED, BYTES, CONSUMED = 4, 5, 6, 7, 8  # first offset held, next offset, ms, bytes held, statistics
EXTRA = 9  # bytes that each event counts for besides its name and data: the log's owner sets it, once
CHUNKS = 16  # a ring
CHUNKS_COUNT, HEAD_AT = CHUNKS + rings.COUNT, CHUNKS + rings.RING_WORDS
LOG_WORDS = HEAD_AT + 1
SAVED = 7  # words from EVENTS_MAX on that a snapshot holds

CHUNK_FIRST, CHUNK_COUNT, CHUNK_USED, CHUNK_CAPACITY, CHUNK_SPENT, CHUNK_HEAD = range(6)
"""Of a chunk: first offset, number of offsets, words used, words, events that its owner may remove."""
EVENT_SIZE, EVENT_NAME_SIZE, EVENT_TIME, EVENT_HEAD = range(4)
CHUNK_WORDS_MIN, CHUNK_WORDS_MAX = 64, 2048
GAP = -1
SLACK_SHIFT, SLACK_MS_MAX, SLACK_MS_MIN = 6, 60_000, 20  # events are dropped by age at most so many ms late


@kernel
def words_for(name_size, size):
    """Return the words of an event whose name and data have these sizes."""
    return EVENT_HEAD + ((name_size + size + 7) >> 3)


@kernel
def event_words(words, event):
    """Return the words of an event, or of a gap."""
    if words[event + EVENT_SIZE] == GAP:
        return EVENT_HEAD
    return words_for(words[event + EVENT_NAME_SIZE], words[event + EVENT_SIZE] >> MARK_BITS)


@kernel
def span_of(words, event):
    """Return the number of offsets for which an event stands: 1, or those of a gap."""
    return words[event + EVENT_NAME_SIZE] if words[event + EVENT_SIZE] == GAP else 1


@kernel
def chunk_words(last, needed):
    """Return the words of a chunk behind one of `last` words (0: the first), with an event of `needed` words."""
    return max(min(max(2 * last, CHUNK_WORDS_MIN), CHUNK_WORDS_MAX), CHUNK_HEAD + needed)


@kernel
def add_chunk(words, log, needed):
    """Add a last chunk with space for an event of `needed` words; return it, or 0 without memory."""
    ring = log + CHUNKS
    count = words[ring + rings.COUNT]
    last = words[rings.chunk_at(words, ring, count - 1) + CHUNK_CAPACITY] if count else 0
    size = chunk_words(last, needed)
    chunk = arena.allocate(words, size)
    if chunk == 0 or not rings.append(words, ring, chunk):
        return 0
    words[chunk + CHUNK_FIRST] = words[log + AFTER]
    words[chunk + CHUNK_COUNT] = 0
    words[chunk + CHUNK_SPENT] = 0
    words[chunk + CHUNK_USED] = CHUNK_HEAD
    words[chunk + CHUNK_CAPACITY] = size
    if count == 0:
        words[log + HEAD_AT] = chunk + CHUNK_HEAD
    return chunk


@kernel
def append(words, log, name_size, size, mark, now):
    """Append an event; return the octet at which the caller writes the name, and the data behind it.

    0: there is no memory.
    """
    event = append_event(words, log, size << MARK_BITS | mark, name_size, words_for(name_size, size), 1, now)
    if event == 0:
        return 0
    words[log + BYTES] += name_size + size + words[log + EXTRA]
    return (event + EVENT_HEAD) * 8


@kernel
def append_event(words, log, marked_size, name_size, needed, span, time):
    """Append an event, or a gap, of `needed` words for `span` offsets; return it, or 0 without memory."""
    count = words[log + CHUNKS_COUNT]
    chunk = rings.chunk_at(words, log + CHUNKS, count - 1) if count else 0
    if chunk == 0 or words[chunk + CHUNK_USED] + needed > words[chunk + CHUNK_CAPACITY]:
        chunk = add_chunk(words, log, needed)
        if chunk == 0:
            return 0
    event = chunk + words[chunk + CHUNK_USED]
    words[event + EVENT_SIZE] = marked_size
    words[event + EVENT_NAME_SIZE] = name_size
    words[event + EVENT_TIME] = time
    words[chunk + CHUNK_USED] += needed
    words[chunk + CHUNK_COUNT] += span
    words[log + AFTER] += span
    return event


@kernel
def append_gap(words, log, span, time):
    """Append a gap of so many offsets; return False without memory."""
    return append_event(words, log, GAP, span, EVENT_HEAD, span, time) != 0


@kernel
def drop_first(words, log):
    """Drop the oldest event of a log that has one."""
    event = words[log + HEAD_AT]
    chunk = rings.chunk_at(words, log + CHUNKS, 0)
    size = words[event + EVENT_NAME_SIZE] + (words[event + EVENT_SIZE] >> MARK_BITS)
    words[log + BYTES] -= size + words[log + EXTRA]
    words[log + FIRST] += 1
    if words[log + FIRST] < words[chunk + CHUNK_FIRST] + words[chunk + CHUNK_COUNT]:
        words[log + HEAD_AT] = event + event_words(words, event)
        return
    rings.drop_first(words, log + CHUNKS)
    words[log + HEAD_AT] = rings.chunk_at(words, log + CHUNKS, 0) + CHUNK_HEAD if words[log + CHUNKS_COUNT] else 0


@kernel
def trim(words, log):
    """Drop the events above the limits of number and size; the last event always stays."""
    while words[log + EVENTS_MAX] and words[log + AFTER] - words[log + FIRST] > words[log + EVENTS_MAX]:
        drop_first(words, log)
    while (
        words[log + BYTES_MAX]
        and words[log + BYTES] > words[log + BYTES_MAX]
        and words[log + AFTER] - words[log + FIRST] > 1
    ):
        drop_first(words, log)


@kernel
def expire(words, log, now, most):
    """Drop at most `most` events that have reached the log's age limit; return how many."""
    count = 0
    if words[log + RETENTION_MS] == 0:
        return count
    while (
        count < most
        and words[log + CHUNKS_COUNT]
        and words[words[log + HEAD_AT] + EVENT_TIME] + words[log + RETENTION_MS] <= now
    ):
        drop_first(words, log)
        count += 1
    return count


@kernel
def next_due(words, log):
    """Return the time (ms) shortly after the first event reaches the age limit; NEVER if none will."""
    if words[log + RETENTION_MS] == 0 or words[log + CHUNKS_COUNT] == 0:
        return NEVER
    slack = max(min(words[log + RETENTION_MS] >> SLACK_SHIFT, SLACK_MS_MAX), SLACK_MS_MIN)
    return words[words[log + HEAD_AT] + EVENT_TIME] + words[log + RETENTION_MS] + slack


@kernel
def seek(words, log, offset):
    """Return (number of the chunk, word at which the event starts, its offset) of an offset that is held.

    The event may be a gap, which begins at the offset or before it.
    """
    low = 0
    high = words[log + CHUNKS_COUNT] - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if words[rings.chunk_at(words, log + CHUNKS, middle) + CHUNK_FIRST] <= offset:
            low = middle
        else:
            high = middle - 1
    chunk = rings.chunk_at(words, log + CHUNKS, low)
    event = chunk + CHUNK_HEAD
    at = words[chunk + CHUNK_FIRST]
    if low == 0:
        event = words[log + HEAD_AT]
        at = words[log + FIRST]
    while at + span_of(words, event) <= offset:
        at += span_of(words, event)
        event += event_words(words, event)
    return low, event, at


@kernel
def following(words, log, i, event):
    """Return (number of the chunk, word) of the event after this one of chunk i; the word is 0 after the last."""
    chunk = rings.chunk_at(words, log + CHUNKS, i)
    event += event_words(words, event)
    if event < chunk + words[chunk + CHUNK_USED]:
        return i, event
    i += 1
    if i == words[log + CHUNKS_COUNT]:
        return i, 0
    return i, rings.chunk_at(words, log + CHUNKS, i) + CHUNK_HEAD
