"""Digests of the logical state: hashes that are equal for equal states, wherever the records lie.

Each key, queue, message and room is hashed with fixed keys (not the node's own) together with all its logical
properties: namespace, kind, form, deadline, content. Within a list or a chain the order counts. The hashes of members
of a set and of keys of the keyspace are added up, so their order does not count.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.memory import tables
from synap.store.memory.layout import (
    KIND_DOORS,
    KINDS_COUNT,
    NAMED_FIRST,
    NAMED_TABLES,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace, named_records
from synap.store.records.state_hash import mix, text


@kernel
def record_digest(words, octets, ref):
    """Return the hash of one key: its name, namespace, kind, deadline and content."""
    kind = keyspace.kind_of(words, ref)
    h = text(octets, keyspace.key_at(words, ref), keyspace.key_size(words, ref))
    h = mix(h, kind | keyspace.namespace_of(words, ref) << 8)
    h = mix(h, keyspace.deadline_of(words, ref))
    return dispatch.digest(kind, words, octets, ref, h)


@kernel("void(int64[::1], uint8[::1], int64[::1])")
def digest(words, octets, found):
    """Write the digests of all kinds into `found` (KINDS_COUNT words), each at the number of its kind."""
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
    for kind in range(NAMED_FIRST, KINDS_COUNT):
        if words[KIND_DOORS + kind] == 0:
            continue
        table = NAMED_TABLES + (kind - NAMED_FIRST) * TABLE_SIZE
        at = named_records.following(words, table, 0)
        while at:
            found[kind] += dispatch.digest_named(kind, words, octets, words[at] & REF_MASK)
            at = named_records.following(words, table, at)
