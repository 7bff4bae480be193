"""Hashes: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.hashes import fields
from synap.store.memory import arena, codes, frames, tables
from synap.store.memory.layout import FORM_MASK, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import set_text
from synap.store.records import keyspace, packed
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.packed import PACKED, TABLE
from synap.store.records.pieces import INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, begin_piece, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import hashes as slots

LISTPACK, HASHTABLE = range(2)  # encodings, in the order of the table of kinds
FIELD_OVERHEAD = 48  # the most bytes that a copied field takes besides its texts
STRIDE = slots.HASH_LOAD_FIELDS_STRIDE


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    root = keyspace.root_of(words, ref)
    return fields.bytes_of(words, root) + fields.count(words, root) * FIELD_OVERHEAD + fields.TABLE_WORDS * WORD


@kernel
def copy(words, octets, source, target):
    """Copy every field to the empty hash of another record; return False without memory."""
    old = keyspace.root_of(words, source)
    root = keyspace.root_of(words, target)
    words[root] = 0
    if packed.shape_of(words[old]) == PACKED:
        block = packed.copy_block(words, octets, packed.block_of(words[old]))
        words[root] = packed.root_word(block, PACKED)
        return block != 0
    if not fields.new_table(words, octets, root, fields.count(words, old)):
        return False
    place, seat = fields.next_field(words, octets, old, 0)
    while seat:
        name, size = fields.name_of(words, octets, old, seat)
        value, length, form = fields.value_of(words, octets, old, seat)
        deadline = fields.deadline_of(words, old, seat)
        fields.note_deadline(words, target, root, deadline)
        if not fields.add_to_table(words, octets, root, name, size, value, length, form, deadline):
            return False
        place, seat = fields.next_field(words, octets, old, place)
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with all fields mixed in; neither their order nor the form counts."""
    root = keyspace.root_of(words, ref)
    total = 0
    place, seat = fields.next_field(words, octets, root, 0)
    while seat:
        name, size = fields.name_of(words, octets, root, seat)
        value, length, form = fields.value_of(words, octets, root, seat)
        field = mix(mix(text(octets, name, size), text(octets, value, length)), form & FORM_MASK)
        total += mix(field, fields.deadline_of(words, root, seat))
        place, seat = fields.next_field(words, octets, root, place)
    return mix(h, total)


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a hash; return its words. INSIDE: the place in the hash to continue from."""
    root = keyspace.root_of(words, ref)
    first = cursor[INSIDE] if cursor[MORE] else 0
    name = keyspace.key_size(words, ref)
    count = 0
    total = 0
    end = first
    place, seat = fields.next_field(words, octets, root, first)
    while seat and (count == 0 or (total < PIECE_BYTES and count < PIECE_ITEMS)):
        _, size = fields.name_of(words, octets, root, seat)
        _, length, form = fields.value_of(words, octets, root, seat)
        tape = target + frames.HEAD_WORDS
        item = slots.HASH_LOAD_SLOTS + count * STRIDE
        set_text(words, tape, item + slots.HASH_LOAD_FIELDS_FIELD, name + total, size, 0)
        set_text(words, tape, item + slots.HASH_LOAD_FIELDS_VALUE, name + total + size, length, form)
        words[tape + item + slots.HASH_LOAD_FIELDS_EXPIRES] = fields.deadline_of(words, root, seat)
        total += size + length
        count += 1
        end = place
        place, seat = fields.next_field(words, octets, root, place)
    tape_size = begin_piece(words, octets, ref, target, count, STRIDE, cursor[MORE])
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.HASH_LOAD, namespace, seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    place, seat = fields.next_field(words, octets, root, first)
    for _ in range(count):
        start, size = fields.name_of(words, octets, root, seat)
        move(octets, blob, start, size)
        value, length, _ = fields.value_of(words, octets, root, seat)
        move(octets, blob + size, value, length)
        blob += size + length
        place, seat = fields.next_field(words, octets, root, place)
    cursor[INSIDE] = end
    cursor[MORE] = 1 if seat else 0
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a hash: fields, bytes of its texts, bytes of its blocks from `samples` fields (0: all), encoding."""
    root = keyspace.root_of(words, ref)
    found[ENCODING] = HASHTABLE if words[ref] & keyspace.OUTGROWN else LISTPACK
    count = fields.count(words, root)
    found[COUNT] = count
    found[SIZE] = fields.bytes_of(words, root)
    if count == 0:
        return
    table = packed.block_of(words[root])
    found[BYTES] += arena.capacity(words, table) * WORD
    if packed.shape_of(words[root]) != TABLE:
        return
    found[BYTES] += arena.capacity(words, words[table + tables.SLOTS]) * WORD
    if words[table + tables.OLD]:
        found[BYTES] += arena.capacity(words, words[table + tables.OLD]) * WORD
    most = count if samples == 0 or samples > count else samples
    looked = blocks = place = 0
    while looked < most:
        place, seat = tables.next_entry(words, table, place)
        if seat == 0:
            break
        blocks += arena.capacity(words, words[seat] & REF_MASK) * WORD
        looked += 1
    found[BYTES] += blocks * count // most


@kernel
def free_some(words, octets, ref, budget):
    """Free fields of a deleted hash; return what is left of the budget, more than 0 once only the record is left."""
    root = ref + 1
    if packed.shape_of(words[root]) == PACKED:
        arena.release(words, packed.block_of(words[root]))
        budget -= 2
        words[root] = 0
    elif packed.shape_of(words[root]) == TABLE:
        budget = packed.free_table(words, root, fields.SWEPT, budget)
    return budget
