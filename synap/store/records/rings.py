"""Rings: refs of chunks in order, added at one end and removed at the other, as rooms and streams have them.

    ring     four words: ref of the block with the refs, its capacity (a power of two), first place, number of chunks

The i-th chunk stands at (first place + i) & (capacity - 1). Four zeros are an empty ring.
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena

REFS, CAPACITY, HEAD, COUNT, RING_WORDS = range(5)
_CAPACITY_MIN = 4


@kernel
def chunk_at(words, ring, i):
    """Return the i-th chunk of a ring."""
    return words[words[ring + REFS] + ((words[ring + HEAD] + i) & (words[ring + CAPACITY] - 1))]


@kernel
def put(words, ring, i, chunk):
    """Make a block the i-th chunk of a ring, in place of the one that was."""
    words[words[ring + REFS] + ((words[ring + HEAD] + i) & (words[ring + CAPACITY] - 1))] = chunk


@kernel
def growth(words, ring, count):
    """Return the words of the block that a ring needs before a chunk is added to `count` of them, 0 for none.

    `count` may be greater than the number of its chunks now.
    """
    if count < words[ring + CAPACITY] or count & (count - 1) or 0 < count < _CAPACITY_MIN:
        return 0
    return max(_CAPACITY_MIN, 2 * count)


@kernel
def append(words, ring, chunk):
    """Add a last chunk; return False without memory."""
    count = words[ring + COUNT]
    wanted = growth(words, ring, count)
    if wanted:
        refs = arena.allocate(words, wanted)
        if refs == 0:
            return False
        for i in range(count):
            words[refs + i] = chunk_at(words, ring, i)
        if words[ring + REFS]:
            arena.release(words, words[ring + REFS])
        words[ring + REFS] = refs
        words[ring + CAPACITY] = wanted
        words[ring + HEAD] = 0
    words[ring + COUNT] = count + 1
    put(words, ring, count, chunk)
    return True


@kernel
def drop_first(words, ring):
    """Free the first chunk."""
    arena.release(words, chunk_at(words, ring, 0))
    words[ring + HEAD] = (words[ring + HEAD] + 1) & (words[ring + CAPACITY] - 1)
    words[ring + COUNT] -= 1


@kernel
def drop(words, ring, i):
    """Free the i-th chunk; those on its shorter side move up."""
    if i <= words[ring + COUNT] >> 1:
        chunk = chunk_at(words, ring, i)
        for j in range(i, 0, -1):
            put(words, ring, j, chunk_at(words, ring, j - 1))
        put(words, ring, 0, chunk)
        drop_first(words, ring)
        return
    arena.release(words, chunk_at(words, ring, i))
    words[ring + COUNT] -= 1
    for j in range(i, words[ring + COUNT]):
        put(words, ring, j, chunk_at(words, ring, j + 1))


@kernel
def free_some(words, ring, budget):
    """Free chunks of a ring that is not used again, and in the end its block; return what is left of the budget.

    More than 0 is left once nothing of the ring is.
    """
    while words[ring + COUNT] and budget > 0:
        words[ring + COUNT] -= 1
        arena.release(words, chunk_at(words, ring, words[ring + COUNT]))
        budget -= 1
    if budget > 0 and words[ring + REFS]:
        arena.release(words, words[ring + REFS])
        words[ring + REFS] = 0
    return budget
