"""Eviction: chooses and removes keys by policy when memory is used up, by sampling as in Redis.

A few keys are drawn at random and the worst of them is removed: the one unused for longest (LRU), used least (LFU),
with the nearest deadline (TTL), or the first drawn. The volatile policies draw only keys with a deadline. Expired keys
are removed first. Each removal is framed as a DEL, so the log and every replica get the removal and not the choice.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.store.memory import codes, decided, frames, limits, tables
from synap.store.memory.layout import (
    BYTES_MAX,
    CHANCE,
    CHANGED,
    DECIDED,
    DECIDED_TAPE_SIZE,
    EVICT_LFU,
    EVICT_LRU,
    EVICT_NOBODY,
    EVICT_RANDOM,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_TTL,
    EVICTED,
    EVICTION,
    EVICTION_SAMPLES,
    KEYS_EXPIRING,
    LAZYFREE,
    NAMESPACES,
    NUMBER,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace
from synap.store.slots import keys as slots
from synap.store.upkeep import upkeep

DELETE_TAPE = slots.KEY_DELETE_SLOTS + slots.KEY_DELETE_KEYS_STRIDE  # words of the tape of a DEL with one key
DRAWS = 32  # draws for each sample; if all find no key that may go, all keys are walked
LAZYFREE_BLOCKS = 10_000  # blocks of deleted structures that are freed at once


@kernel
def may_evict(words, ref, policy, now):
    """Return True if the policy may choose this record."""
    return policy <= EVICT_RANDOM or keyspace.deadline_of(words, ref) != 0


@kernel
def eviction_score(words, ref, policy, now):
    """Return a number for this record: among the sampled keys, the one with the largest is removed."""
    if keyspace.expired(words, ref, now):
        return 1 << 62
    if policy == EVICT_LRU or policy == EVICT_VOLATILE_LRU:
        bits = (words[ref] >> keyspace.CLOCK_SHIFT) & 0xFFFF
        return ((now >> keyspace.TIME_SHIFT) - bits) & 0xFFFF
    if policy == EVICT_LFU or policy == EVICT_VOLATILE_LFU:
        return 255 - keyspace.uses(words, ref, now)
    if policy == EVICT_VOLATILE_TTL:
        return (1 << 61) - keyspace.deadline_of(words, ref)
    return 0


@kernel
def draw(words, policy, now):
    """Return the slot (its index in `words`) of a random key that may be evicted; 0 if DRAWS draws found none."""
    for _ in range(DRAWS):
        seat = keyspace.any_seat(words)
        if seat and may_evict(words, words[seat] & REF_MASK, policy, now):
            return seat
    return 0


@kernel
def walk(words, policy, now):
    """Return the first slot, from a random shard on, of a key that may be evicted; 0 if there is none."""
    if policy > EVICT_RANDOM:
        total = 0
        for namespace in range(NAMESPACES):
            total += words[KEYS_EXPIRING + namespace]
        if total == 0:
            return 0
    first = words[CHANCE] & (SHARDS_COUNT - 1)
    for i in range(SHARDS_COUNT):
        table = SHARDS + ((first + i) & (SHARDS_COUNT - 1)) * TABLE_SIZE
        place = 0
        seat = 1
        while seat:
            place, seat = tables.next_entry(words, table, place)
            if seat and may_evict(words, words[seat] & REF_MASK, policy, now):
                return seat
    return 0


@kernel
def choose(words, now):
    """Return the slot of the key to evict next, or 0 if there is none."""
    policy = words[EVICTION]
    best = 0
    worst = -1
    for _ in range(max(words[EVICTION_SAMPLES], 1)):
        seat = draw(words, policy, now)
        if seat:
            bad = eviction_score(words, words[seat] & REF_MASK, policy, now)
            if bad > worst:
                worst = bad
                best = seat
    return best if best else walk(words, policy, now)


@kernel
def evict(words, octets, seat, now):
    """Remove the key at `seat`, and frame the removal."""
    ref = words[seat] & REF_MASK
    key_at = keyspace.key_at(words, ref)
    size = keyspace.key_size(words, ref)
    namespace = keyspace.namespace_of(words, ref)
    structure = keyspace.root_words(words, keyspace.kind_of(words, ref)) != 0
    decided.begin(words, codes.KEY_DELETE, namespace, slots.KEY_DELETE_SLOTS)
    decided.put_group(words, slots.KEY_DELETE_KEYS)
    item = decided.add_item(words, slots.KEY_DELETE_KEYS, slots.KEY_DELETE_KEYS_STRIDE)
    decided.put_text(words, octets, item + slots.KEY_DELETE_KEYS_KEY, key_at, size, 0)
    h = keyspace.hash_key(words, octets, namespace, key_at, size)
    keyspace.remove(words, octets, h, seat, False)
    if structure:
        upkeep.lazyfree_some(words, octets, LAZYFREE_BLOCKS)
    frames.journal(
        words, octets, codes.KEY_DELETE, now, NUMBER | CHANGED, 1, DECIDED, words[DECIDED_TAPE_SIZE], size
    )
    words[EVICTED] += 1


@inlined
def has_memory(words, octets, now, size):
    """Return True if there is memory for a call that needs up to `size` bytes, perhaps after an eviction."""
    if limits.full(words, size) and not ensure_memory(words, octets, now, size):
        return False
    return not limits.crowded(words, size)


@outlined
def ensure_memory(words, octets, now, size):
    """Remove keys until `size` more bytes fit; return False if the policy finds no key, or the log has no space.

    What is deleted and not freed yet goes first.
    For a `size` above half of the memory nothing is removed: one value is not worth all that others have stored.
    """
    if words[EVICTION] == EVICT_NOBODY or size > words[BYTES_MAX] >> 1:
        return False
    while limits.full(words, size):
        if words[LAZYFREE]:
            upkeep.lazyfree_some(words, octets, LAZYFREE_BLOCKS)
            continue
        seat = choose(words, now)
        if seat == 0:
            return False
        if not frames.log_has_space(words, DELETE_TAPE, keyspace.key_size(words, words[seat] & REF_MASK)):
            return False
        evict(words, octets, seat, now)
    return True
