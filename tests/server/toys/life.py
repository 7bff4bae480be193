"""Toys: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.toys import toys
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import WORD
from synap.store.records import keyspace
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.pieces import INSIDE, MORE, begin_piece, words_of
from synap.store.records.state_hash import mix
from synap.store.slots import toys as slots

CHAIN = 0  # encodings, in the order of the table of kinds
BLOCK_BYTES = 32  # the most bytes that a copied block takes
PIECE_NUMBERS = 1000


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    return words[keyspace.root_of(words, ref) + toys.COUNT] * BLOCK_BYTES


@kernel
def copy(words, octets, source, target):
    """Append every number of a toy to the empty toy of another record; return False without memory."""
    block = words[keyspace.root_of(words, source) + toys.FIRST]
    while block:
        if not toys.append(words, keyspace.root_of(words, target), words[block + toys.VALUE]):
            return False
        block = words[block + toys.NEXT]
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with all numbers mixed in, in their order."""
    block = words[keyspace.root_of(words, ref) + toys.FIRST]
    while block:
        h = mix(h, words[block + toys.VALUE])
        block = words[block + toys.NEXT]
    return h


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a toy; return its words. INSIDE: the block to continue from."""
    block = cursor[INSIDE] if cursor[MORE] else words[keyspace.root_of(words, ref) + toys.FIRST]
    count = 0
    while block and count < PIECE_NUMBERS:
        words[target + frames.HEAD_WORDS + slots.TOY_LOAD_SLOTS + count] = words[block + toys.VALUE]
        count += 1
        block = words[block + toys.NEXT]
    begin_piece(words, octets, ref, target, count, slots.TOY_LOAD_NUMBERS_STRIDE, cursor[MORE])
    name = keyspace.key_size(words, ref)
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.TOY_LOAD, namespace, seq, now, slots.TOY_LOAD_SLOTS + count, name)
    move(octets, blob, keyspace.key_at(words, ref), name)
    cursor[INSIDE] = block
    cursor[MORE] = 1 if block else 0
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a toy: count, bytes of numbers, bytes of blocks, encoding."""
    root = keyspace.root_of(words, ref)
    found[ENCODING] = CHAIN
    found[COUNT] = words[root + toys.COUNT]
    found[SIZE] = words[root + toys.COUNT] * WORD
    found[BYTES] += words[root + toys.COUNT] * toys.BLOCK_WORDS * WORD


@kernel
def free_some(words, octets, ref, budget):
    """Free blocks of a deleted toy; return what is left of the budget, more than 0 once only the record is left."""
    root = ref + 1
    while words[root + toys.FIRST] and budget > 0:
        block = words[root + toys.FIRST]
        words[root + toys.FIRST] = words[block + toys.NEXT]
        arena.release(words, block)
        budget -= 4
    return budget
