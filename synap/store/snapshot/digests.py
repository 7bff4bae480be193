"""A hash of the logical state that does not depend on where things lie: equal states, equal digests.

Each key, queue, message and room is hashed with fixed keys (not the node's own) together with everything
that is true of it: namespace, kind, form, deadline, content. Within a list or a chain the order counts;
members of a set and keys of the keyspace are added up, so theirs does not.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import bare, fold
from synap.store.kinds.lists import chunks
from synap.store.kinds.queues import messages
from synap.store.kinds.rooms import events
from synap.store.memory import tables
from synap.store.memory.layout import FORM_MASK, LIST, QUEUES, ROOM, ROOMS, SHARDS, SHARDS_COUNT, STRING, TABLE_SIZE
from synap.store.memory.tables import REF_MASK
from synap.store.records import compressed, keyspace, named_records
from synap.store.records.named_records import NAME_SIZE

FIXED_A, FIXED_B = 0x243F6A8885A308D3, 0x13198A2E03707344
MIX = 0x2545F4914F6CDD1D


@kernel
def mix(h, value):
    """One number more into a hash, in order."""
    return fold((h ^ value) + MIX, MIX ^ value)


@kernel
def text(octets, start, size):
    """The hash of some bytes under fixed keys."""
    return keyed_hash(octets, start, size, FIXED_A, FIXED_B)


@kernel
def list_digest(words, octets, root):
    """Elements in order."""
    h = words[root + chunks.COUNT]
    chunk = words[root + chunks.FIRST]
    while chunk:
        at = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)
        for _ in range(words[chunk + chunks.SIZES] & chunks.HALF_MASK):
            place, size, mark, _ = chunks.element(words, octets, at)
            h = mix(h, text(octets, place, size) + mark)
            at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
        chunk = words[chunk + chunks.NEXT]
    return h


@kernel
def set_digest(words, octets, root):
    """Members in no order."""
    total = np.int64(0)
    for side in range(2):
        slots = words[root + (tables.OLD if side else tables.SLOTS)]
        if slots == 0:
            continue
        size = words[root + (tables.OLD_SIZE if side else tables.SIZE)]
        for at in range(slots, slots + size + tables.slack(size)):
            if words[at]:
                block = words[at] & REF_MASK
                member = text(octets, (block + 1) * 8, words[block] >> 8)
                total += mix(member, words[block] & FORM_MASK)
    return total


@kernel
def message_digest(words, octets, h, message):
    """Everything that is true of one message, into a hash."""
    h = mix(h, words[message + messages.ID_A])
    h = mix(h, words[message + messages.ID_B])
    h = mix(h, words[message + messages.STATE])
    h = mix(h, words[message + messages.DEADLINE])
    h = mix(h, words[message + messages.CREATED])
    size = words[message + messages.PAYLOAD] >> 8
    h = mix(h, words[message + messages.PAYLOAD] & FORM_MASK)
    body = (message + messages.MESSAGE_WORDS) * 8
    h = mix(h, text(octets, body, size))
    h = mix(h, text(octets, body + size, words[message + messages.HEADERS]))
    holder = words[message + messages.HELD_BY]
    if holder:
        h = mix(h, text(octets, (holder + messages.HOLDER_WORDS) * 8, words[holder + messages.HOLDER_NAME_SIZE]))
    return h


@kernel
def queue_digest(words, octets, queue):
    """Name, settings and counters, messages in the order of their chains; delayed ones in no order."""
    h = text(octets, (queue + messages.QUEUE_WORDS) * 8, words[queue + messages.NAME_SIZE])
    for i in range(1, messages.STATS):
        h = mix(h, words[queue + i])
    h = mix(h, words[queue + messages.PREFETCH_MAX])
    for chain in range(messages.READY, messages.DEAD + 2, 2):
        order = np.int64(0)
        message = words[queue + chain]
        while message:
            order = message_digest(words, octets, order, message)
            message = words[message + messages.NEXT]
        h = mix(h, order)
    delayed = np.int64(0)
    for i in range(words[queue + messages.DELAYED_COUNT]):
        message = words[words[queue + messages.DELAYED] + 2 * i + 1]
        delayed += message_digest(words, octets, words[message + messages.SERIAL], message)
    return mix(h, delayed)


@kernel
def room_digest(words, octets, room):
    """Name, limits and offsets, events in order."""
    h = text(octets, (room + events.ROOM_WORDS) * 8, words[room + NAME_SIZE])
    for i in range(events.SAVED):
        h = mix(h, words[room + events.EVENTS_MAX + i])
    event = words[room + events.HEAD_AT]
    i = np.int64(0)
    while event:
        name_size = words[event + events.EVENT_NAME_SIZE]
        body = (event + events.EVENT_HEAD) * 8
        h = mix(h, words[event + events.EVENT_TIME])
        h = mix(h, text(octets, body, name_size))
        h = mix(h, words[event + events.EVENT_SIZE])
        h = mix(h, text(octets, body + name_size, words[event + events.EVENT_SIZE] >> 8))
        i, event = events.following(words, room, i, event)
    return h


@kernel
def record_digest(words, octets, ref):
    """Everything that is true of one key."""
    kind = keyspace.kind_of(words, ref)
    h = text(octets, keyspace.key_at(words, ref), keyspace.key_size(words, ref))
    h = mix(h, kind | keyspace.namespace_of(words, ref) << 8)
    h = mix(h, keyspace.deadline_of(words, ref))
    if kind == STRING:
        h = mix(h, keyspace.mark_of(words, ref) & FORM_MASK)
        at, size = compressed.text_aside(words, octets, ref)
        return mix(h, text(octets, at, size))
    root = keyspace.root_of(words, ref)
    if kind == LIST:
        return mix(h, list_digest(words, octets, root))
    return mix(h, set_digest(words, octets, root))


@kernel("void(int64[::1], uint8[::1], int64[::1])")
def digest(words, octets, found):
    """Digests of strings, lists, sets, queues and rooms into `found` (by kind; queues at 0)."""
    words = bare(words)
    octets = bare(octets)
    for i in range(found.size):
        found[i] = 0
    for shard in range(SHARDS_COUNT):
        table = SHARDS + shard * TABLE_SIZE
        for side in range(2):
            slots = words[table + (tables.OLD if side else tables.SLOTS)]
            if slots == 0:
                continue
            size = words[table + (tables.OLD_SIZE if side else tables.SIZE)]
            for at in range(slots, slots + size + tables.slack(size)):
                if words[at]:
                    ref = words[at] & REF_MASK
                    found[keyspace.kind_of(words, ref)] += record_digest(words, octets, ref)
    at = named_records.following(words, QUEUES, 0)
    while at:
        found[0] += queue_digest(words, octets, words[at] & REF_MASK)
        at = named_records.following(words, QUEUES, at)
    at = named_records.following(words, ROOMS, 0)
    while at:
        found[ROOM] += room_digest(words, octets, words[at] & REF_MASK)
        at = named_records.following(words, ROOMS, at)
