"""Sets: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.sets import members
from synap.store.memory import arena, codes, frames, tables
from synap.store.memory.layout import FORM_MASK, MARK_BITS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.pieces import (
    INSIDE,
    MORE,
    PIECE_BYTES,
    PIECE_ITEMS,
    TEXT_STRIDE,
    begin_piece,
    put_element,
    words_of,
)
from synap.store.records.state_hash import mix, text

LISTPACK, INTSET, HASHTABLE = range(3)  # encodings, in the order of the table of kinds


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    return members.copied_bytes(words, keyspace.root_of(words, ref))


@kernel
def copy(words, octets, source, target):
    """Add every member of a set to the empty set of another record; return False without memory."""
    root = keyspace.root_of(words, target)
    source = keyspace.root_of(words, source)
    tables.open_table(words, octets, root, max(words[source + tables.COUNT] * 2, tables.SIZE_MIN))
    words[root + members.BYTES] = 0
    place = 0
    while True:
        place, seat = tables.next_entry(words, source, place)
        if seat == 0:
            return True
        ref = words[seat] & REF_MASK
        if members.add(words, octets, root, (ref + 1) * 8, words[ref] >> MARK_BITS, words[ref] & 0xFF) < 0:
            return False


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with all members mixed in; their order does not count."""
    root = keyspace.root_of(words, ref)
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
    return mix(h, total)


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a set; return its words. INSIDE: the place in the slots to continue from."""
    root = keyspace.root_of(words, ref)
    place = cursor[INSIDE] if cursor[MORE] else 0
    count = 0
    total = 0
    name = keyspace.key_size(words, ref)
    tape = target + frames.HEAD_WORDS
    spans = words[root + tables.SIZE] + tables.slack(words[root + tables.SIZE])
    both = spans
    if words[root + tables.OLD]:
        both += words[root + tables.OLD_SIZE] + tables.slack(words[root + tables.OLD_SIZE])
    at = place
    while at < both and (count == 0 or (total < PIECE_BYTES and count < PIECE_ITEMS)):
        slot = words[words[root + tables.SLOTS] + at] if at < spans else words[words[root + tables.OLD] + at - spans]
        if slot:
            block = slot & REF_MASK
            size = words[block] >> MARK_BITS
            put_element(words, tape, count, name + total, size, words[block])
            total += size
            count += 1
        at += 1
    tape_size = begin_piece(words, octets, ref, target, count, TEXT_STRIDE, cursor[MORE])
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.SET_LOAD, namespace, seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    used = name
    for i in range(place, at):
        slot = words[words[root + tables.SLOTS] + i] if i < spans else words[words[root + tables.OLD] + i - spans]
        if slot:
            block = slot & REF_MASK
            move(octets, blob + used, (block + 1) * 8, words[block] >> MARK_BITS)
            used += words[block] >> MARK_BITS
    while at < both:  # is there anything left?
        slot = words[words[root + tables.SLOTS] + at] if at < spans else words[words[root + tables.OLD] + at - spans]
        if slot:
            break
        at += 1
    cursor[INSIDE] = at
    cursor[MORE] = 1 if at < both else 0
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a set: count, bytes of members, bytes of slots and members from `samples` members (0: all), encoding."""
    root = keyspace.root_of(words, ref)
    small = LISTPACK if words[ref] & keyspace.SPELLED else INTSET
    found[ENCODING] = HASHTABLE if words[ref] & keyspace.OUTGROWN else small
    count = words[root + tables.COUNT]
    found[COUNT] = count
    found[SIZE] = words[root + members.BYTES]
    if words[root + tables.SLOTS]:
        found[BYTES] += arena.capacity(words, words[root + tables.SLOTS]) * WORD
    if words[root + tables.OLD]:
        found[BYTES] += arena.capacity(words, words[root + tables.OLD]) * WORD
    most = count if samples == 0 or samples > count else samples
    looked = blocks = place = 0
    while looked < most:
        place, seat = tables.next_entry(words, root, place)
        if seat == 0:
            break
        member = words[seat] & REF_MASK
        blocks += arena.capacity(words, member) * WORD
        looked += 1
    if most:
        found[BYTES] += blocks * count // most


@kernel
def free_some(words, octets, ref, budget):
    """Free members of a deleted set from the left; return what is left of the budget, more than 0 once all are freed.

    The last word of the root holds the progress in the current slots; the old slots, if there are any, come second.
    """
    root = ref + 1
    while words[root + tables.SLOTS] and budget > 0:
        entries = words[root + tables.SLOTS]
        size = words[root + tables.SIZE]
        end = entries + size + tables.slack(size)
        at = entries + words[root + members.BYTES]
        while at < end and budget > 0:
            if words[at]:
                arena.release(words, words[at] & REF_MASK)
                budget -= 4
            budget -= 1
            at += 1
        words[root + members.BYTES] = at - entries
        if at == end:
            arena.release(words, entries)
            words[root + tables.SLOTS] = words[root + tables.OLD]
            words[root + tables.SIZE] = words[root + tables.OLD_SIZE]
            words[root + tables.OLD] = 0
            words[root + members.BYTES] = 0
    return budget
