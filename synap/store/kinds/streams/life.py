"""Streams: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires.

A snapshot holds the parts of a stream, see stream_parts.py. INSIDE and ENTRY of the cursor are the place of the next.

How the entries lie in chunks depends on settings, so digests leave it out; and they leave out when a consumer was seen,
since a read that finds nothing is not logged.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import move
from synap.kernels.varints import get_varint
from synap.store.kinds.streams import chunks, entries, groups, names
from synap.store.kinds.streams.chunks import USED
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
    CONSUMER_WORDS,
    CONSUMERS,
    DELIVERIES,
    GROUP_LAST_MS,
    GROUP_LAST_SEQ,
    GROUP_WORDS,
    READ,
    SEEN,
    TIME,
)
from synap.store.kinds.streams.stream_parts import add_chunk, part_at
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import WORD
from synap.store.memory.tapes import set_text
from synap.store.records import keyspace, rings, trees
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.pieces import ENTRY, INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, begin_piece, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import streams as slots

ENCODING_STREAM = 0
_COPY_SLACK = 1 << 16


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    root = keyspace.root_of(words, ref)
    size = words[root + entries.BYTES] + 2 * groups.group_bytes(words, root)
    return size + (size >> 3) + 2 * count_chunks(words, root) * WORD + _COPY_SLACK


@kernel
def copy(words, octets, source, target):
    """Copy the chunks and groups of a stream to the empty one of another record; return False without memory."""
    held, root = keyspace.root_of(words, source), keyspace.root_of(words, target)
    for i in range(count_chunks(words, held)):
        chunk = chunk_at(words, held, i)
        if not add_chunk(words, octets, root, chunk * WORD, chunks.strip_at(chunk), words[chunk + USED]):
            return False
    for word in (LAST_MS, LAST_SEQ, DELETED_MS, DELETED_SEQ, ADDED):
        words[root + word] = words[held + word]
    for i in range(words[held + GROUPS_COUNT]):
        if not copy_group(words, octets, root, names.record_at(words, held + GROUPS, i), i):
            return False
    return True


@outlined
def copy_group(words, octets, root, group, place):
    """Copy a group with its consumers and what is pending, as the last group; return False without memory."""
    start, size = names.name_at(group, GROUP_WORDS), words[group + names.NAME_SIZE]
    ms, seq = words[group + GROUP_LAST_MS], words[group + GROUP_LAST_SEQ]
    made = groups.make_group(words, octets, root, place, start, size, ms, seq, words[group + READ])
    if made == 0:
        return False
    for i in range(words[group + CONSUMERS + names.COUNT]):
        consumer = names.record_at(words, group + CONSUMERS, i)
        start, size = names.name_at(consumer, CONSUMER_WORDS), words[consumer + names.NAME_SIZE]
        copied = groups.make_consumer(words, octets, made, i, start, size, words[consumer + SEEN])
        if copied == 0:
            return False
        words[copied + ACTIVE] = words[consumer + ACTIVE]
        leaf, j = groups.first(words, octets, consumer + groups.CONSUMER_PENDING)
        while leaf:
            found = groups.at_leaf(words, leaf, j)
            ms, seq = groups.id_of(words, octets, found)
            if groups.add(words, octets, made, copied, ms, seq, words[found + TIME], words[found + DELIVERIES]) == 0:
                return False
            leaf, j = trees.following(words, leaf, j)
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with the entries, the ids and counts of the stream, and its groups mixed in."""
    root = keyspace.root_of(words, ref)
    order = words[root + LENGTH]
    for word in (LAST_MS, LAST_SEQ, DELETED_MS, DELETED_SEQ, ADDED):
        order = mix(order, words[root + word])
    i, at = entries.live_from(words, octets, root, 0, 0, 0, 0)
    while at:
        order = mix_entry(words, octets, order, chunk_at(words, root, i), at)
        i, at = entries.following(words, octets, root, i, at)
    for j in range(words[root + GROUPS_COUNT]):
        order = mix_group(words, octets, order, names.record_at(words, root + GROUPS, j))
    return mix(h, order)


@kernel
def mix_entry(words, octets, h, chunk, at):
    """Return the hash `h` with an entry mixed in."""
    flags, ms, seq, behind = chunks.read_head(words, octets, chunk, at)
    h = mix(mix(h, ms), seq)
    count, name, value = chunks.fields_of(octets, chunk, flags, behind)
    apart = name != value
    for _ in range(count):
        size, name = get_varint(octets, name)
        h = mix(h, text(octets, name, size))
        name += size
        if not apart:
            value = name
        size, value = get_varint(octets, value)
        h = mix(h, text(octets, value, size))
        value += size
        if not apart:
            name = value
    return h


@kernel
def mix_group(words, octets, h, group):
    """Return the hash `h` with a group mixed in."""
    h = mix(h, text(octets, names.name_at(group, GROUP_WORDS), words[group + names.NAME_SIZE]))
    for word in (GROUP_LAST_MS, GROUP_LAST_SEQ, READ):
        h = mix(h, words[group + word])
    for i in range(words[group + CONSUMERS + names.COUNT]):
        consumer = names.record_at(words, group + CONSUMERS, i)
        h = mix(h, text(octets, names.name_at(consumer, CONSUMER_WORDS), words[consumer + names.NAME_SIZE]))
        h = mix(h, words[consumer + ACTIVE])
        leaf, j = groups.first(words, octets, consumer + groups.CONSUMER_PENDING)
        while leaf:
            found = groups.at_leaf(words, leaf, j)
            ms, seq = groups.id_of(words, octets, found)
            h = mix(mix(h, ms), seq)
            h = mix(mix(h, words[found + TIME]), words[found + DELIVERIES])
            leaf, j = trees.following(words, leaf, j)
    return h


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a stream; return its words. INSIDE and ENTRY: the part to continue from."""
    root = keyspace.root_of(words, ref)
    name = keyspace.key_size(words, ref)
    first = cursor[INSIDE] if cursor[MORE] else 0
    first_entry = cursor[ENTRY] if cursor[MORE] else 0
    inside, entry = first, first_entry
    count = total = 0
    tape = target + frames.HEAD_WORDS
    what, a, b, c, d, e, at, size, next_inside, next_entry = part_at(words, octets, root, inside, entry)
    while what and total < PIECE_BYTES and count < PIECE_ITEMS:
        item = slots.XSTREAM_LOAD_SLOTS + slots.XSTREAM_LOAD_PARTS_STRIDE * count
        words[tape + item + slots.XSTREAM_LOAD_PARTS_WHAT] = what
        words[tape + item + slots.XSTREAM_LOAD_PARTS_A] = a
        words[tape + item + slots.XSTREAM_LOAD_PARTS_B] = b
        words[tape + item + slots.XSTREAM_LOAD_PARTS_C] = c
        words[tape + item + slots.XSTREAM_LOAD_PARTS_D] = d
        words[tape + item + slots.XSTREAM_LOAD_PARTS_E] = e
        set_text(words, tape, item + slots.XSTREAM_LOAD_PARTS_TEXT, name + total, size, 0)
        total += size
        count += 1
        inside, entry = next_inside, next_entry
        what, a, b, c, d, e, at, size, next_inside, next_entry = part_at(words, octets, root, inside, entry)
    tape_size = begin_piece(words, octets, ref, target, count, slots.XSTREAM_LOAD_PARTS_STRIDE, cursor[MORE])
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.XSTREAM_LOAD, namespace, seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    cursor[INSIDE], cursor[ENTRY] = inside, entry
    cursor[MORE] = 1 if what else 0
    inside, entry = first, first_entry
    for _ in range(count):
        what, a, b, c, d, e, at, size, inside, entry = part_at(words, octets, root, inside, entry)
        move(octets, blob, at, size)
        blob += size
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a stream: entries, bytes of chunks and groups, bytes of all blocks; those of groups are estimated."""
    root = keyspace.root_of(words, ref)
    found[ENCODING] = ENCODING_STREAM
    found[COUNT] = words[root + LENGTH]
    found[SIZE] = words[root + entries.BYTES] + groups.group_bytes(words, root)
    found[BYTES] += found[SIZE]
    if words[root + RING + rings.REFS]:
        found[BYTES] += arena.capacity(words, words[root + RING + rings.REFS]) * WORD


@kernel
def free_some(words, octets, ref, budget):
    """Free parts of a deleted stream; return what is left of the budget, more than 0 once only the record is left."""
    root = ref + 1
    budget = groups.free_some(words, octets, root, budget)
    if budget > 0:
        budget = entries.free_some(words, root, budget)
    return budget
