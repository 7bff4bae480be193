"""A hash of the logical state that does not depend on where things lie: equal states, equal digests.

Each key, queue and message is hashed with fixed keys (not the node's own) together with everything
that is true of it: namespace, kind, form, deadline, content. Within a list or a chain the order counts;
members of a set and keys of the keyspace are added up, so theirs does not.
"""

import numpy as np

from synap.kernels.hashing import keyed_hash
from synap.kernels.jit import kernel
from synap.kernels.spans import bare, fold
from synap.store import chunks, compressed, keyspace, messages, tables
from synap.store.layout import FORM_MASK, LIST, QUEUES, SHARDS, SHARDS_COUNT, STRING, TABLE_SIZE
from synap.store.tables import REF_MASK

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
def chain_digest(words, octets, first):
    """Messages of a chain in order."""
    h = np.int64(0)
    message = first
    while message:
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
        message = words[message + messages.NEXT]
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
    """Digests of strings, lists, sets and queues into `found` (by kind; queues at 0)."""
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
    for side in range(2):
        slots = words[QUEUES + (tables.OLD if side else tables.SLOTS)]
        if slots == 0:
            continue
        size = words[QUEUES + (tables.OLD_SIZE if side else tables.SIZE)]
        for at in range(slots, slots + size + tables.slack(size)):
            if words[at]:
                queue = words[at] & REF_MASK
                h = text(octets, (queue + messages.QUEUE_WORDS) * 8, words[queue + messages.NAME_SIZE])
                for i in range(1, messages.STATS):
                    h = mix(h, words[queue + i])
                for chain in range(messages.READY, messages.DEAD + 2, 2):
                    h = mix(h, chain_digest(words, octets, words[queue + chain]))
                found[0] += h
