"""The keyspace: 64 hash tables of keys, and the records that they lead to.

A record is one block: a head of one word, optional words, the root of a structure, then the bytes of the key and,
for a string, the bytes of the value right behind them:

    head | [deadline, ms] | [key size, value size] | [root words] | key | value

    bits of the head   0-3 kind   4-5 form   6-8 encoding   9 has a deadline   10 has a sizes word
                       11 spelled   12-15 namespace   16-31 access clock   32-43 key size   44-63 value size

Keys above 4095 bytes or values above 1 MiB keep their sizes in the sizes word. With a slot of 8 bytes in a table that
is 3/5 full, 16 B -> 16 B costs 53 bytes a key, where Redis takes about 120.

The history of a value shows only in OBJECT ENCODING, so digests and snapshots leave it out. A string that APPEND or
SETRANGE has changed is RAW (a bit of the encoding), one that INCRBYFLOAT has made is SPELLED. A list or a set that has
outgrown the small form of Redis is OUTGROWN, a set that has held a member other than an integer is SPELLED.

A record whose deadline has come is invisible, and stays until a row removes it: reads change nothing. Every change of
a key calls `touched`, which notes it for the calls that wait for the key and the sessions that watch it.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import fold, move, same
from synap.store.memory import arena, tables
from synap.store.memory.layout import (
    CHANCE,
    HITS,
    HITS_COUNT,
    HITS_MAX,
    INTEREST,
    INTEREST_ANY,
    KEY_A,
    KEY_B,
    KEYS_COUNT,
    KEYS_EXPIRING,
    NOTE_TIME,
    NOTE_USE,
    NOW,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
    TRACKING,
    USE_DECAY,
    USE_FACTOR,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import text_at, text_size
from synap.store.records import value_cache
from synap.store.records.kind_facts import root_words

KIND_MASK = 15
FORM_SHIFT = 4
MARK_MASK = 0x1F  # form and encoding, as in a text's mark
RAW = 1 << 4  # in a mark, beside form and compression
HAS_DEADLINE, HAS_SIZES, SPELLED = 1 << 9, 1 << 10, 1 << 11
OUTGROWN = RAW << FORM_SHIFT  # in the head of a list or a set
NAMESPACE_SHIFT, CLOCK_SHIFT, KEY_SHIFT, VALUE_SHIFT = 12, 16, 32, 44
KEY_SIZE_MAX, VALUE_SIZE_MAX = (1 << 12) - 1, (1 << 20) - 1
SIZES_SHIFT = 32
SHARD_SHIFT = 58
NAMESPACE_SPREAD = 0x4F2D3A9B1C6E7715
TIME_SHIFT = 10  # ms in a unit of the access clock, as a power of two: it wraps after 18 hours
MINUTE_MS = 60_000
USE_BEGIN = 5
NOTE_MASK = 0xFFFF << CLOCK_SHIFT


@kernel
def kind_of(words, ref):
    """Return the number of the record's kind."""
    return words[ref] & KIND_MASK


@kernel
def extra_words(head):
    """Return the number of words between the head and the root: deadline and sizes."""
    return ((head >> 9) & 1) + ((head >> 10) & 1)


@kernel
def root_of(words, ref):
    """Return the word at which the root of the structure at `ref` starts."""
    return ref + 1 + extra_words(words[ref])


@kernel
def key_at(words, ref):
    """Return the octet at which the record's key starts."""
    head = words[ref]
    return (ref + 1 + extra_words(head) + root_words(words, head & KIND_MASK)) * 8


@kernel
def key_size(words, ref):
    """Return the size of the record's key, in bytes."""
    head = words[ref]
    if head & HAS_SIZES:
        return words[ref + 1 + ((head >> 9) & 1)] & 0xFFFFFFFF
    return (head >> KEY_SHIFT) & KEY_SIZE_MAX


@kernel
def value_size(words, ref):
    """Return the size of a string record's value as stored, in bytes."""
    head = words[ref]
    if head & HAS_SIZES:
        return (words[ref + 1 + ((head >> 9) & 1)] >> SIZES_SHIFT) & 0xFFFFFFFF
    return (head >> VALUE_SHIFT) & VALUE_SIZE_MAX


@kernel
def mark_of(words, ref):
    """Return the form and encoding of a string record's value."""
    return (words[ref] >> FORM_SHIFT) & MARK_MASK


@kernel
def namespace_of(words, ref):
    """Return the namespace of the record's key."""
    return (words[ref] >> NAMESPACE_SHIFT) & 15


@kernel
def deadline_of(words, ref):
    """Return the time at which the record expires (ms of engine time), or 0."""
    if words[ref] & HAS_DEADLINE:
        return words[ref + 1]
    return 0


@kernel
def expired(words, ref, now):
    """Return True if the record's deadline has come."""
    return words[ref] & HAS_DEADLINE != 0 and words[ref + 1] <= now


@kernel
def hash_key(words, octets, namespace, start, size):
    """Return the hash of a key: the top six bits choose the shard, the next 28 are the tag in its table."""
    h = keyed_hash(octets, start, size, words[KEY_A], words[KEY_B])
    if namespace:
        h = fold(h ^ words[KEY_B], namespace * NAMESPACE_SPREAD)
    return h


@kernel
def shard_of(h):
    """Return the shard for this hash."""
    return SHARDS + ((h >> SHARD_SHIFT) & 63) * TABLE_SIZE


@kernel
def home_of(words, h):
    """Return the index in `words` of the home of this hash in its shard's newer slots; used to prefetch."""
    table = shard_of(h)
    return words[table + tables.SLOTS] + ((tables.tag_of_hash(h) * words[table + tables.SIZE]) >> tables.TAG_BITS)


@kernel
def any_seat(words):
    """Return the index in `words` of the slot of a random key, or 0 if the randomly chosen shard is empty."""
    chance = tables.next_chance(words[CHANCE])
    table = SHARDS + (chance & (SHARDS_COUNT - 1)) * TABLE_SIZE
    seat = 0
    if words[table + tables.COUNT]:
        seat, chance = tables.any_slot(words, table, tables.next_chance(chance))
    words[CHANCE] = tables.next_chance(chance)
    return seat


@kernel
def locate(words, octets, namespace, start, size, h):
    """Return the index in `words` of the slot of this key, visible or not, or 0."""
    tag = tables.tag_of_hash(h)
    at = tables.seek_in(words, shard_of(h), tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        ref = slot & REF_MASK
        if (
            key_size(words, ref) == size
            and same(octets, key_at(words, ref), start, size)
            and namespace_of(words, ref) == namespace
        ):
            return at
        at += 1
        slot = words[at]
    return 0


@inlined
def hash_text(words, octets, tape, slot):
    """Return the hash of the key in this slot of a tape."""
    return hash_key(words, octets, words[tape - 2], text_at(words, tape, slot), text_size(words, tape, slot))


@kernel
def first_use(words, now):
    """Return the clock bits of a new record."""
    if words[TRACKING] == NOTE_USE:
        return ((now // MINUTE_MS) & 0xFF) << 8 | USE_BEGIN
    return (now >> TIME_SHIFT) & 0xFFFF


@kernel
def uses(words, ref, now):
    """Return the logarithmic use counter (0 to 255) of a record, reduced by one for each USE_DECAY minutes unused."""
    bits = (words[ref] >> CLOCK_SHIFT) & 0xFFFF
    if words[USE_DECAY] == 0:
        return bits & 0xFF
    return max((bits & 0xFF) - (((now // MINUTE_MS) - (bits >> 8)) & 0xFF) // words[USE_DECAY], 0)


@kernel
def used(words, ref, now):
    """Note in the record that it was used: when (units of 1.024 s), or how often (Redis' LFU)."""
    bits = (words[ref] >> CLOCK_SHIFT) & 0xFFFF
    note = bits
    if words[TRACKING] == NOTE_TIME:
        note = (now >> TIME_SHIFT) & 0xFFFF
    elif words[TRACKING] == NOTE_USE:
        count = uses(words, ref, now)
        chance = tables.next_chance(words[CHANCE])
        words[CHANCE] = chance
        if count < 255 and (chance & 0xFFFF) * (max(count - USE_BEGIN, 0) * words[USE_FACTOR] + 1) < 0x10000:
            count += 1
        note = ((now // MINUTE_MS) & 0xFF) << 8 | count
    if note != bits:
        words[ref] = (words[ref] & ~(0xFFFF << CLOCK_SHIFT)) | note << CLOCK_SHIFT


@kernel
def locate_used(words, octets, namespace, start, size, h):
    """Return `locate`, and count a use of the key; as in Redis also where the call is refused or changes nothing."""
    seat = locate(words, octets, namespace, start, size, h)
    if seat and words[TRACKING]:
        used(words, words[seat] & REF_MASK, words[NOW])
    return seat


@inlined
def locate_text(words, octets, tape, slot, h):
    """Return `locate_used` for the key in this slot of a tape."""
    return locate_used(words, octets, words[tape - 2], text_at(words, tape, slot), text_size(words, tape, slot), h)


@inlined
def locate_quietly(words, octets, tape, slot, h):
    """Return `locate` for the key in this slot of a tape, without counting a use."""
    return locate(words, octets, words[tape - 2], text_at(words, tape, slot), text_size(words, tape, slot), h)


@kernel
def note_of(words, ref):
    """Return the access clock bits that `used` has set in a record."""
    return words[ref] & NOTE_MASK


@kernel
def set_note(words, ref, note):
    """Set the access clock bits of a rewritten record to those it had."""
    words[ref] |= note


@kernel
def touched(words, octets, h):
    """Note in HITS that the key or name with this hash has changed, if there is an interest in it."""
    if words[INTEREST_ANY] and octets[INTEREST * 8 + (h & 0xFFFF)]:
        count = words[HITS_COUNT]
        if count < HITS_MAX:
            words[HITS + count] = h
        words[HITS_COUNT] = count + 1


@kernel
def touched_all(words):
    """Note that all keys have changed."""
    if words[INTEREST_ANY]:
        words[HITS_COUNT] = HITS_MAX + 1


@kernel
def record_words(words, kind, name_size, content_size, deadline):
    """Return the number of words of a record with these sizes."""
    size = 1 + root_words(words, kind) + ((name_size + content_size + 7) >> 3) + (1 if deadline else 0)
    if name_size > KEY_SIZE_MAX or content_size > VALUE_SIZE_MAX:
        size += 1
    return size


@kernel
def write_head(words, ref, kind, mark, namespace, name_size, content_size, deadline):
    """Write head, deadline and sizes of a record; return the octet at which the root (or the key) starts."""
    head = kind | (mark & MARK_MASK) << FORM_SHIFT | namespace << NAMESPACE_SHIFT
    at = ref + 1
    if deadline:
        head |= HAS_DEADLINE
        words[at] = deadline
        at += 1
    if name_size > KEY_SIZE_MAX or content_size > VALUE_SIZE_MAX:
        head |= HAS_SIZES
        words[at] = name_size | content_size << SIZES_SHIFT
        at += 1
    else:
        head |= name_size << KEY_SHIFT | content_size << VALUE_SHIFT
    words[ref] = head
    return at * 8


@kernel
def create(words, octets, h, kind, mark, namespace, start, size, content_size, deadline):
    """Create a record for a key that has none, without root and value; return its ref, or 0 without memory."""
    ref = arena.allocate(words, record_words(words, kind, size, content_size, deadline))
    if ref == 0:
        return 0
    at = write_head(words, ref, kind, mark, namespace, size, content_size, deadline)
    words[ref] |= first_use(words, words[NOW]) << CLOCK_SHIFT
    move(octets, at + root_words(words, kind) * 8, start, size)
    stagger = (h >> SHARD_SHIFT) & 7
    if not tables.insert(words, octets, shard_of(h), tables.tag_of_hash(h), ref, stagger):
        return 0
    words[KEYS_COUNT + namespace] += 1
    if deadline:
        words[KEYS_EXPIRING + namespace] += 1
    return ref


@kernel
def set_deadline(words, octets, seat, deadline):
    """Set the deadline of the record at `seat` (0: none); return its ref, which may be new, or 0 without memory."""
    ref = words[seat] & REF_MASK
    head = words[ref]
    if head & HAS_DEADLINE and deadline:
        words[ref + 1] = deadline
        return ref
    if not head & HAS_DEADLINE and not deadline:
        return ref
    namespace = (head >> NAMESPACE_SHIFT) & 15
    rest_at = key_at(words, ref) - root_words(words, head & KIND_MASK) * 8
    rest_size = root_words(words, head & KIND_MASK) * 8 + key_size(words, ref)
    if root_words(words, head & KIND_MASK) == 0:
        rest_size += value_size(words, ref)
    sizes = words[ref + 1 + ((head >> 9) & 1)]
    target = ref
    grown = 1 + ((head >> 10) & 1) + (1 if deadline else 0) + ((rest_size + 7) >> 3)
    if deadline and arena.capacity(words, ref) < grown:
        target = arena.allocate(words, grown)
        if target == 0:
            return 0
    at = target + 1 + (1 if deadline else 0) + ((head >> 10) & 1)
    move(octets, at * 8, rest_at, rest_size)
    if head & HAS_SIZES:
        words[at - 1] = sizes
    if deadline:
        words[target + 1] = deadline
        words[target] = head | HAS_DEADLINE
        words[KEYS_EXPIRING + namespace] += 1
    else:
        words[target] = head & ~np.int64(HAS_DEADLINE)
        words[KEYS_EXPIRING + namespace] -= 1
    if target != ref:
        words[seat] = (words[seat] & ~np.int64(REF_MASK)) | target
        value_cache.forget(words, ref)
        arena.release(words, ref)
    return target


@kernel
def drop_record(words, ref, later):
    """Free a record: a string at once (`later`: after the reply), any other kind through the lazy-free list."""
    kind = kind_of(words, ref)
    size = root_words(words, kind)
    if size == 0:
        value_cache.forget(words, ref)
        if later:
            arena.release_later(words, ref)
        else:
            arena.release(words, ref)
    else:
        root = root_of(words, ref)
        for i in range(size):  # in the lazy-free list the root stands right behind the head
            words[ref + 1 + i] = words[root + i]
        arena.free_lazily(words, ref, kind)


@kernel
def remove(words, octets, h, seat, later):
    """Remove the key at `seat` from the keyspace and free its record."""
    ref = words[seat] & REF_MASK
    namespace = namespace_of(words, ref)
    words[KEYS_COUNT + namespace] -= 1
    if words[ref] & HAS_DEADLINE:
        words[KEYS_EXPIRING + namespace] -= 1
    tables.remove(words, octets, shard_of(h), seat)
    drop_record(words, ref, later)
    touched(words, octets, h)
