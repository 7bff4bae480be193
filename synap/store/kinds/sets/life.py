"""Sets: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.sets import integers, members, table_form, walks
from synap.store.memory import arena, codes, frames, tables
from synap.store.memory.layout import FORM_MASK, ITEM_NIL, MARK_BITS, MARK_DIGITS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace, packed
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.packed import INTEGERS, TABLE, block_of, root_word, shape_of
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
    if members.is_table(words, source):
        return copy_table(words, octets, members.table_of(words, source), root)
    block = block_of(words[source])
    size = arena.capacity(words, block)
    made = arena.allocate(words, size)
    if made == 0:
        return False
    move(octets, made * WORD, block * WORD, size * WORD)
    words[root] = root_word(made, shape_of(words[source]))
    return True


@kernel
def copy_table(words, octets, source, root):
    """Give an empty set a table with the members of another one; return False without memory."""
    table = table_form.new_table(words, octets, table_form.fitting_size(words[source + tables.COUNT]))
    if table == 0:
        return False
    words[root] = root_word(table, TABLE)
    place, seat = tables.next_entry(words, source, 0)
    while seat:
        ref = words[seat] & REF_MASK
        size = words[ref] >> MARK_BITS
        tag = tables.tag_of(words[seat])
        if not table_form.add_new(words, octets, table, tag, (ref + 1) * WORD, size, words[ref]):
            return False
        place, seat = tables.next_entry(words, source, place)
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with all members mixed in; their order does not count."""
    root = keyspace.root_of(words, ref)
    total = np.int64(0)
    place, member = members.following(words, octets, root, 0)
    while member:
        start, mark = members.text_of(words, octets, root, member)
        total += mix(text(octets, start, mark >> MARK_BITS), mark & FORM_MASK)
        place, member = members.following(words, octets, root, place)
    return mix(h, total)


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a set; return its words. INSIDE: the place among the members to continue from."""
    root = keyspace.root_of(words, ref)
    first = done = cursor[INSIDE] if cursor[MORE] else 0
    count = total = 0
    name = keyspace.key_size(words, ref)
    tape = target + frames.HEAD_WORDS
    place, member = members.following(words, octets, root, first)
    while member and (count == 0 or (total < PIECE_BYTES and count < PIECE_ITEMS)):
        _, mark = members.text_of(words, octets, root, member)
        put_element(words, tape, count, name + total, mark >> MARK_BITS, mark)
        total += mark >> MARK_BITS
        count += 1
        done = place
        place, member = members.following(words, octets, root, place)
    tape_size = begin_piece(words, octets, ref, target, count, TEXT_STRIDE, cursor[MORE])
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.SET_LOAD, namespace, seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    used = name
    place = first
    for _ in range(count):
        place, each = members.following(words, octets, root, place)
        start, mark = members.text_of(words, octets, root, each)
        move(octets, blob + used, start, mark >> MARK_BITS)
        used += mark >> MARK_BITS
    cursor[INSIDE] = done
    cursor[MORE] = 1 if member else 0
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a set: count, bytes of members, bytes of slots and members from `samples` members (0: all), encoding."""
    root = keyspace.root_of(words, ref)
    small = LISTPACK if words[ref] & keyspace.SPELLED else INTSET
    found[ENCODING] = HASHTABLE if words[ref] & keyspace.OUTGROWN else small
    found[COUNT] = members.count_of(words, root)
    block = block_of(words[root])
    found[BYTES] += arena.capacity(words, block) * WORD
    if members.is_table(words, root):
        found[SIZE] = members.bytes_of(words, root)
        describe_table(words, block, samples, found)
        return
    place, member = members.following(words, octets, root, 0)
    while member:
        _, mark = members.text_of(words, octets, root, member)
        found[SIZE] += mark >> MARK_BITS
        place, member = members.following(words, octets, root, place)


@kernel
def describe_table(words, table, samples, found):
    """Add the bytes of the slots and members of a table, the latter from `samples` members (0: all)."""
    found[BYTES] += arena.capacity(words, words[table + tables.SLOTS]) * WORD
    if words[table + tables.OLD]:
        found[BYTES] += arena.capacity(words, words[table + tables.OLD]) * WORD
    count = words[table + tables.COUNT]
    most = count if samples == 0 or samples > count else samples
    looked = blocks = place = 0
    while looked < most:
        place, seat = tables.next_entry(words, table, place)
        if seat == 0:
            break
        blocks += arena.capacity(words, words[seat] & REF_MASK) * WORD
        looked += 1
    if most:
        found[BYTES] += blocks * count // most


@kernel
def free_some(words, octets, ref, budget):
    """Free members of a deleted set; return what is left of the budget, more than 0 once all are freed."""
    root = ref + 1
    if members.is_table(words, root):
        return packed.free_table(words, root, table_form.BYTES, budget)
    if words[root]:
        arena.release(words, block_of(words[root]))
        words[root] = 0
        budget -= 1
    return budget


@kernel
def elements(words, octets, ref, first, most, target):
    """Write up to `most` members, from the one numbered `first` on, as items at word `target`; return the number of
    all. An integer of a set of integers is written as such."""
    root = keyspace.root_of(words, ref)
    block = block_of(words[root])
    if shape_of(words[root]) == INTEGERS:
        mark = (MARK_DIGITS + integers.form_of(words, block)) << MARK_BITS | ITEM_NIL
        for index in range(first, min(first + most, integers.count_of(words, block))):
            words[target] = integers.at(words, octets, block, index)
            words[target + 1] = mark
            target += 2
        return integers.count_of(words, block)
    number = place = 0
    is_table = members.is_table(words, root)
    while number < first + most:
        if is_table:
            walks.look_ahead(words, block, place + walks.AHEAD, 0)
        place, member = members.following(words, octets, root, place)
        if member == 0:
            break
        if number >= first:
            words[target], mark = members.text_of(words, octets, root, member)
            words[target + 1] = mark & ~0xFF | mark & FORM_MASK
            target += 2
        number += 1
    return members.count_of(words, root)
