"""Lists: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists import chunks
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import WORD
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


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    root = keyspace.root_of(words, ref)
    return words[root + chunks.BYTES] + words[root + chunks.COUNT] * ELEMENT_OVERHEAD


@kernel
def copy(words, octets, source, target):
    """Push every element of a list to the empty list of another record; return False without memory."""
    root = keyspace.root_of(words, target)
    chunk = words[keyspace.root_of(words, source) + chunks.FIRST]
    while chunk:
        at = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)
        end = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] >> chunks.HALF)
        while at < end:
            start, size, mark, _ = chunks.element(words, octets, at)
            if not chunks.push(words, octets, root, chunks.RIGHT, start, size, mark):
                return False
            at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
        chunk = words[chunk + chunks.NEXT]
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with the elements mixed in, in their order."""
    root = keyspace.root_of(words, ref)
    order = words[root + chunks.COUNT]
    chunk = words[root + chunks.FIRST]
    while chunk:
        at = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)
        for _ in range(words[chunk + chunks.SIZES] & chunks.HALF_MASK):
            place, size, mark, _ = chunks.element(words, octets, at)
            order = mix(order, text(octets, place, size) + mark)
            at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
        chunk = words[chunk + chunks.NEXT]
    return mix(h, order)


@kernel
def first_entry(words, chunk):
    """Return the octet at which the first entry of a chunk starts."""
    return chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)


@kernel
def next_element(words, octets, chunk, at):
    """Return (chunk, octet) of the entry after the one at `at`; the chunk is 0 after the last."""
    at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
    if at < chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] >> chunks.HALF):
        return chunk, at
    chunk = words[chunk + chunks.NEXT]
    return chunk, first_entry(words, chunk) if chunk else at


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a list; return its words. INSIDE and ENTRY: the chunk and the entry to continue from."""
    root = keyspace.root_of(words, ref)
    name = keyspace.key_size(words, ref)
    first = cursor[INSIDE]
    first_at = cursor[ENTRY]
    if cursor[MORE] == 0:
        first = words[root + chunks.FIRST]
        first_at = first_entry(words, first)
    count = 0
    total = 0
    chunk = first
    at = first_at
    while chunk and total < PIECE_BYTES and count < PIECE_ITEMS:
        _, size, mark, _ = chunks.element(words, octets, at)
        put_element(words, target + frames.HEAD_WORDS, count, name + total, size, mark)
        total += size
        count += 1
        chunk, at = next_element(words, octets, chunk, at)
    tape_size = begin_piece(words, octets, ref, target, count, TEXT_STRIDE, cursor[MORE])
    blob = frames.head(
        words, target, codes.LIST_LOAD, keyspace.namespace_of(words, ref), seq, now, tape_size, name + total
    )
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    cursor[INSIDE] = chunk
    cursor[ENTRY] = at
    cursor[MORE] = 1 if chunk else 0
    chunk = first
    at = first_at
    for _ in range(count):
        place, size, _, _ = chunks.element(words, octets, at)
        move(octets, blob, place, size)
        blob += size
        chunk, at = next_element(words, octets, chunk, at)
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a list: count, bytes of elements, bytes of chunks and boxes, encoding."""
    root = keyspace.root_of(words, ref)
    found[ENCODING] = QUICKLIST if words[ref] & keyspace.OUTGROWN else LISTPACK
    found[COUNT] = words[root + chunks.COUNT]
    found[SIZE] = words[root + chunks.BYTES]
    chunk = words[root + chunks.FIRST]
    while chunk:
        found[BYTES] += arena.capacity(words, chunk) * WORD
        at = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)
        for _ in range(words[chunk + chunks.SIZES] & chunks.HALF_MASK):
            _, _, _, box = chunks.element(words, octets, at)
            if box:
                found[BYTES] += arena.capacity(words, box) * WORD
            at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
        chunk = words[chunk + chunks.NEXT]


@kernel
def free_some(words, octets, ref, budget):
    """Free chunks of a deleted list; return what is left of the budget, more than 0 once only the record is left."""
    return chunks.free_some(words, octets, ref, budget)
