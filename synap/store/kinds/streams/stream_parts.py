"""Parts of streams, as which snapshots have them, and `xstream.load`. Each is a few numbers and a text:

    CHUNK      ms, seq, live entries, all entries, bytes as a listpack; names and entries as they lie in the chunk
    LAST       ms and seq of the last id, entries ever added
    DELETED    ms and seq of the greatest id that was deleted
    GROUP      ms and seq of the last id delivered, entries read; name
    CONSUMER   seen, active (ms); name              of the group before
    PENDING    ms, seq, time of the last delivery, deliveries, number of the consumer      of the group before

The place of a part is two numbers: that of the chunk, or behind all chunks that of the group; and what of the group.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel, outlined
from synap.kernels.spans import move
from synap.store.kinds.streams import chunks, entries, groups, names
from synap.store.kinds.streams.chunks import CHUNK_WORDS, LISTPACK, LIVE, MS, SEQ, TOTAL, USED
from synap.store.kinds.streams.entries import (
    ADDED,
    DELETED_MS,
    DELETED_SEQ,
    GROUPS,
    GROUPS_COUNT,
    LAST_MS,
    LAST_SEQ,
    LENGTH,
    RING,
    chunk_at,
    count_chunks,
)
from synap.store.kinds.streams.groups import (
    ACTIVE,
    CONSUMER,
    CONSUMER_WORDS,
    CONSUMERS,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    GROUP_PENDING,
    GROUP_PENDING_COUNT,
    GROUP_WORDS,
    READ,
    SEEN,
    TIME,
)
from synap.store.memory import arena
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import BROKEN, CHANGED, NUMBER, WORD
from synap.store.memory.refusals import KEY_EXISTS, WRONG_TYPE
from synap.store.memory.tapes import first_item, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace, pieces, rings, trees
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

CHUNK, LAST, DELETED, GROUP, OF_CONSUMER, PENDING = range(1, 7)

@kernel
def add_chunk(words, octets, root, head_at, strip_at, used):
    """Add a chunk with the words at octet `head_at` and a strip of `used` bytes; return False without memory."""
    chunk = arena.allocate(words, CHUNK_WORDS + ((used + WORD - 1) >> 3))
    if chunk == 0 or not rings.append(words, root + RING, chunk):
        return False
    move(octets, chunk * WORD, head_at, CHUNK_WORDS * WORD)
    words[chunk + USED] = used
    move(octets, chunks.strip_at(chunk), strip_at, used)
    entries.changed_bytes(words, root, 0, chunk)
    words[root + LENGTH] += words[chunk + LIVE]
    return True


@inlined
def part(what, a, b, c, d, e, at, size, inside, entry):
    """Return a part of a stream: what it is, five numbers, its text, and where the next part is."""
    return (
        np.int64(what), np.int64(a), np.int64(b), np.int64(c), np.int64(d), np.int64(e), np.int64(at), np.int64(size),
        np.int64(inside), np.int64(entry),
    )  # fmt: skip


@kernel
def part_at(words, octets, root, inside, entry):
    """Return the part at a place of the cursor, as `part` does; what it is is 0 behind the last."""
    count = count_chunks(words, root)
    if inside < count:
        chunk = chunk_at(words, root, inside)
        return part(
            CHUNK, words[chunk + MS], words[chunk + SEQ], words[chunk + LIVE], words[chunk + TOTAL],
            words[chunk + LISTPACK], chunks.strip_at(chunk), words[chunk + USED], inside + 1, 0,
        )  # fmt: skip
    if inside == count and entry == 0:
        return part(LAST, words[root + LAST_MS], words[root + LAST_SEQ], words[root + ADDED], 0, 0, 0, 0, inside, 1)
    if inside == count and entry == 1:
        return part(DELETED, words[root + DELETED_MS], words[root + DELETED_SEQ], 0, 0, 0, 0, 0, inside + 1, 0)
    number = inside - count - 1
    if number >= words[root + GROUPS_COUNT]:
        return part(0, 0, 0, 0, 0, 0, 0, 0, inside, entry)
    return part_of_group(words, octets, names.record_at(words, root + GROUPS, number), inside, entry)


@kernel
def part_of_group(words, octets, group, inside, entry):
    """Return the part of a group at a place of the cursor, as `part` does."""
    consumers = words[group + CONSUMERS + names.COUNT]
    last = entry == consumers + words[group + GROUP_PENDING_COUNT]
    next_inside, next_entry = (inside + 1, 0) if last else (inside, entry + 1)
    if entry == 0:
        return part(
            GROUP, words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ], words[group + READ], 0, 0,
            names.name_at(group, GROUP_WORDS), words[group + names.NAME_SIZE], next_inside, next_entry,
        )  # fmt: skip
    if entry <= consumers:
        consumer = names.record_at(words, group + CONSUMERS, entry - 1)
        return part(
            OF_CONSUMER, words[consumer + SEEN], words[consumer + ACTIVE], 0, 0, 0,
            names.name_at(consumer, CONSUMER_WORDS), words[consumer + names.NAME_SIZE], next_inside, next_entry,
        )  # fmt: skip
    leaf, i = trees.seek(words, group + GROUP_PENDING, entry - 1 - consumers)
    found = groups.at_leaf(words, leaf, i)
    ms, seq = groups.id_of(words, octets, found)
    consumer = words[found + CONSUMER]
    start, size = names.name_at(consumer, CONSUMER_WORDS), words[consumer + names.NAME_SIZE]
    number, _ = groups.find_consumer(words, octets, group, start, size)
    return part(
        PENDING, ms, seq, words[found + TIME], words[found + DELIVERIES], number, 0, 0, next_inside, next_entry
    )


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a stream from a snapshot: key, deadline, more (0: the first piece), parts."""
    if not pieces.follows(words, octets, tape):
        return KEY_EXISTS
    h = keyspace.hash_text(words, octets, tape, slots.XSTREAM_LOAD_KEY)
    ref = key_access.claim(words, octets, tape, slots.XSTREAM_LOAD_KEY, h, STREAM, -1)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return BROKEN
    root = keyspace.root_of(words, ref)
    item = first_item(words, tape, slots.XSTREAM_LOAD_PARTS)
    for _ in range(words[tape + slots.XSTREAM_LOAD_PARTS]):
        if not load_part(words, octets, root, tape, item):
            return BROKEN
        item += slots.XSTREAM_LOAD_PARTS_STRIDE
    set_scalar(words, reply, words[tape + slots.XSTREAM_LOAD_PARTS])
    keyspace.touched(words, octets, h)
    return pieces.loaded(words, octets, tape, NUMBER | CHANGED)


@outlined
def load_part(words, octets, root, tape, item):
    """Add a part to a stream; return False without memory, or if it does not follow the parts before."""
    what = words[tape + item + slots.XSTREAM_LOAD_PARTS_WHAT]
    a = words[tape + item + slots.XSTREAM_LOAD_PARTS_A]
    b = words[tape + item + slots.XSTREAM_LOAD_PARTS_B]
    c = words[tape + item + slots.XSTREAM_LOAD_PARTS_C]
    start = text_at(words, tape, item + slots.XSTREAM_LOAD_PARTS_TEXT)
    size = text_size(words, tape, item + slots.XSTREAM_LOAD_PARTS_TEXT)
    last_group = words[root + GROUPS_COUNT] - 1
    if what == CHUNK:
        head = (tape + item + slots.XSTREAM_LOAD_PARTS_A) * WORD
        if not add_chunk(words, octets, root, head, start, size):
            return False
        chunk = chunk_at(words, root, count_chunks(words, root) - 1)
        words[chunk + LISTPACK] = words[tape + item + slots.XSTREAM_LOAD_PARTS_E]
    elif what == LAST:
        words[root + LAST_MS], words[root + LAST_SEQ], words[root + ADDED] = a, b, c
    elif what == DELETED:
        words[root + DELETED_MS], words[root + DELETED_SEQ] = a, b
    elif what == GROUP:
        return groups.make_group(words, octets, root, last_group + 1, start, size, a, b, c) != 0
    elif last_group < 0:
        return False
    else:
        group = names.record_at(words, root + GROUPS, last_group)
        count = words[group + CONSUMERS + names.COUNT]
        if what == OF_CONSUMER:
            consumer = groups.make_consumer(words, octets, group, count, start, size, a)
            if consumer == 0:
                return False
            words[consumer + ACTIVE] = b
        else:
            number = words[tape + item + slots.XSTREAM_LOAD_PARTS_E]
            if number >= count:
                return False
            consumer = names.record_at(words, group + CONSUMERS, number)
            deliveries = words[tape + item + slots.XSTREAM_LOAD_PARTS_D]
            return groups.add(words, octets, group, consumer, a, b, c, deliveries) != 0
    return True
