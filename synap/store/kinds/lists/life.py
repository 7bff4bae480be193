"""Lists: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists import chunks, directory, edits, ends, entries
from synap.store.kinds.lists.directory import RIGHT, TOP, chunk_at, drop_place, places, seek
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import MARK_BITS, WORD
from synap.store.records import keyspace
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.pieces import (
    ENTRY,
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

LISTPACK, QUICKLIST = range(2)  # encodings, in the order of the table of kinds
ELEMENT_OVERHEAD = 32  # the most bytes that a copied element takes besides its own
BUDGET_OF_CHUNK = BUDGET_OF_BOX = 4


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    root = keyspace.root_of(words, ref)
    size = words[root + directory.BYTES]
    size += size >> 3  # with the quarter that `limits.rounded` adds: chunks of long entries are three quarters full
    return size + words[root + directory.COUNT] * ELEMENT_OVERHEAD + chunks.CHUNK_WORDS_MAX * WORD


@kernel
def copy(words, octets, source, target):
    """Push every element of a list to the empty list of another record; return False without memory."""
    held, root = keyspace.root_of(words, source), keyspace.root_of(words, target)
    place = 0
    at = edits.first_entry(words, held, place)
    while at:
        start, size, mark = entries.element(words, octets, at)
        if not ends.push(words, octets, root, RIGHT, start, size, mark):
            return False
        place, at = edits.next_entry(words, octets, held, place, at)
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with the elements mixed in, in their order."""
    root = keyspace.root_of(words, ref)
    order = words[root + directory.COUNT]
    place = 0
    at = edits.first_entry(words, root, place)
    while at:
        start, size, mark = entries.element(words, octets, at)
        order = mix(order, text(octets, start, size) + mark)
        place, at = edits.next_entry(words, octets, root, place, at)
    return mix(h, order)


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a list; return its words. INSIDE and ENTRY: the place and the entry to continue from."""
    root = keyspace.root_of(words, ref)
    name = keyspace.key_size(words, ref)
    first = cursor[INSIDE] if cursor[MORE] else 0
    first_at = cursor[ENTRY] if cursor[MORE] else edits.first_entry(words, root, 0)
    count = 0
    total = 0
    place = first
    at = first_at
    while at and total < PIECE_BYTES and count < PIECE_ITEMS:
        _, size, mark = entries.element(words, octets, at)
        put_element(words, target + frames.HEAD_WORDS, count, name + total, size, mark)
        total += size
        count += 1
        place, at = edits.next_entry(words, octets, root, place, at)
    tape_size = begin_piece(words, octets, ref, target, count, TEXT_STRIDE, cursor[MORE])
    blob = frames.head(
        words, target, codes.LIST_LOAD, keyspace.namespace_of(words, ref), seq, now, tape_size, name + total
    )
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    cursor[INSIDE] = place
    cursor[ENTRY] = at
    cursor[MORE] = 1 if at else 0
    place = first
    at = first_at
    for _ in range(count):
        start, size, _ = entries.element(words, octets, at)
        move(octets, blob, start, size)
        blob += size
        place, at = edits.next_entry(words, octets, root, place, at)
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a list: count, bytes of entries and boxes, bytes of blocks, encoding."""
    root = keyspace.root_of(words, ref)
    found[ENCODING] = QUICKLIST if words[ref] & keyspace.OUTGROWN else LISTPACK
    found[COUNT] = words[root + directory.COUNT]
    found[SIZE] = words[root + directory.BYTES]
    if words[root + TOP] < 0:
        found[BYTES] += arena.capacity(words, -words[root + TOP]) * WORD
    for place in range(places(words, root)):
        chunk = chunk_at(words, root, place)
        found[BYTES] += arena.capacity(words, chunk) * WORD
        if words[chunk] & chunks.BOXES:
            found[BYTES] += boxes_of(words, octets, chunk)


@kernel
def boxes_of(words, octets, chunk):
    """Return the bytes of the boxes of a chunk."""
    total = 0
    at, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    while at < end:
        box = entries.box_of(octets, at)
        if box:
            total += arena.capacity(words, box) * WORD
        at += entries.size_at(octets, at)
    return total


@kernel
def free_some(words, octets, ref, budget):
    """Free chunks of a deleted list; return what is left of the budget, more than 0 once only the record is left."""
    root = ref + 1
    while words[root + TOP] and budget > 0:
        place = places(words, root) - 1
        chunk = chunk_at(words, root, place)
        budget -= BUDGET_OF_CHUNK
        if words[chunk] & chunks.BOXES:
            budget -= chunks.count_of(words, chunk) + BUDGET_OF_BOX * chunks.free_boxes(words, octets, chunk)
        drop_place(words, octets, root, place)
        arena.release(words, chunk)
    return budget


@kernel
def elements(words, octets, ref, first, most, target):
    """Write up to `most` elements, from index `first` on, as items at word `target`; return the number of all."""
    root = keyspace.root_of(words, ref)
    count = words[root + directory.COUNT]
    left = min(most, count - first)
    if left <= 0:
        return count
    place, chunk, inside = seek(words, root, first)
    at = chunks.entry_in(words, octets, chunk, inside)
    end = chunks.end_of(words, chunk)
    for _ in range(left):
        if at >= end:
            place += 1
            chunk = chunk_at(words, root, place)
            at, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
        words[target], size, mark = entries.element(words, octets, at)
        words[target + 1] = size << MARK_BITS | mark
        target += 2
        at += entries.size_at(octets, at)
    return count
