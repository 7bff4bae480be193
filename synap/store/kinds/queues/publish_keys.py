"""Dedup keys of a queue: a publish with a key that is known publishes nothing, and gets the id of the first message.

A queue knows the last keys, oldest first in a chain, for DEDUP_MS each and at most DEDUP_MAX of them. Keys that are too
old are removed when a key is added.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.queues.queue_layout import (
    DEDUP,
    DEDUP_COUNT,
    DEDUP_EXPIRES,
    DEDUP_FIRST,
    DEDUP_ID_A,
    DEDUP_ID_B,
    DEDUP_LAST,
    DEDUP_MAX,
    DEDUP_MAX_DEFAULT,
    DEDUP_MS,
    DEDUP_MS_DEFAULT,
    DEDUP_NEXT,
    DEDUP_SIZE,
    DEDUP_WORDS,
)
from synap.store.memory import arena, tables
from synap.store.memory.layout import HOLDER, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import text_at, text_size
from synap.store.records import keyspace, named_records


@kernel
def name_at(record):
    """Return the octet of a key."""
    return (record + DEDUP_WORDS) * WORD


@kernel
def seek_key(words, octets, queue, start, size):
    """Return (tag, index in `words` of the slot of this key, or 0)."""
    h = keyspace.hash_key(words, octets, HOLDER, start, size)
    at = 0
    if words[queue + DEDUP + tables.SLOTS]:
        at = named_records.seek_text(words, octets, queue + DEDUP, h, start, size, DEDUP_SIZE, DEDUP_WORDS)
    return tables.tag_of_hash(h), at


@kernel
def known(words, octets, queue, start, size, now):
    """Return the record of this key, or 0 if the queue does not know it any more."""
    _, at = seek_key(words, octets, queue, start, size)
    record = words[at] & REF_MASK if at else 0
    return record if record and words[record + DEDUP_EXPIRES] > now else 0


@kernel
def known_in(words, octets, tape, slot, queue, now):
    """Return the record of the key in this slot of a tape, or 0 if it is empty, or not known."""
    size = text_size(words, tape, slot)
    return known(words, octets, queue, text_at(words, tape, slot), size, now) if size else 0


@kernel
def drop_oldest_key(words, octets, queue):
    """Remove the oldest key of a queue."""
    record = words[queue + DEDUP_FIRST]
    words[queue + DEDUP_FIRST] = words[record + DEDUP_NEXT]
    if words[queue + DEDUP_FIRST] == 0:
        words[queue + DEDUP_LAST] = 0
    _, at = seek_key(words, octets, queue, name_at(record), words[record + DEDUP_SIZE])
    tables.remove(words, octets, queue + DEDUP, at)
    arena.release(words, record)
    words[queue + DEDUP_COUNT] -= 1


@kernel
def add_key(words, octets, queue, start, size, id_a, id_b, now):
    """Remember the key of a message that is published now, and forget those that are too old or too many; return False
    without memory."""
    most = words[queue + DEDUP_MAX] if words[queue + DEDUP_MAX] else DEDUP_MAX_DEFAULT
    while words[queue + DEDUP_FIRST] and (
        words[words[queue + DEDUP_FIRST] + DEDUP_EXPIRES] <= now or words[queue + DEDUP_COUNT] >= most
    ):
        drop_oldest_key(words, octets, queue)
    expires = now + (words[queue + DEDUP_MS] if words[queue + DEDUP_MS] else DEDUP_MS_DEFAULT)
    return remember(words, octets, queue, start, size, id_a, id_b, expires)


@kernel
def remember(words, octets, queue, start, size, id_a, id_b, expires):
    """Add a key as the newest of a queue; return False without memory."""
    if words[queue + DEDUP + tables.SLOTS] == 0:
        tables.open_table(words, octets, queue + DEDUP, tables.SIZE_MIN)
    tag, _ = seek_key(words, octets, queue, start, size)
    record = arena.allocate(words, DEDUP_WORDS + ((size + 7) >> 3))
    if record == 0:
        return False
    words[record + DEDUP_NEXT] = 0
    words[record + DEDUP_EXPIRES] = expires
    words[record + DEDUP_ID_A] = id_a
    words[record + DEDUP_ID_B] = id_b
    words[record + DEDUP_SIZE] = size
    move(octets, name_at(record), start, size)
    last = words[queue + DEDUP_LAST]
    if last:
        words[last + DEDUP_NEXT] = record
    else:
        words[queue + DEDUP_FIRST] = record
    words[queue + DEDUP_LAST] = record
    words[queue + DEDUP_COUNT] += 1
    return tables.insert(words, octets, queue + DEDUP, tag, record, 0)
