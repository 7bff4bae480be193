"""Arena: allocates blocks of any size from one range of pages that never moves.

    page       8 KiB; two words in PAGE_TABLE: its state, and a word for its owner
    free run   adjacent free pages; merged with its free neighbours when freed
    slab       8 pages cut into blocks of one size class
    extent     a run of pages that is one block, above 32 KiB

Up to 16 words there is a size class for every number of words; above that, four classes for each doubling: at
most 1/5 of a block is unused. The head of a slab lies in the page table (the owner's words of its eight pages), not
in the slab: no space is lost to headers, and an empty slab can be given back without being touched.

    page of a slab  0       1        2      3      4      5..7
    owner's word    class   free     next   prev   carved -        (+ blocks in use, above class)

Free runs are listed in bins by the power of two of their length. A run is found in O(1), unless the bin of the
wanted length holds only shorter runs: eight are looked at before a run of a larger bin is cut. Freed pages are
marked dirty; upkeep, in Python, gives them back to the system (`clean`).
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import bare
from synap.store.memory.layout import (
    BINS,
    BLOCK_WORDS_MAX,
    CLASSES,
    DEFERRED,
    DEFERRED_COUNT,
    DEFERRED_MAX,
    LAZYFREE,
    LAZYFREE_COUNT,
    PAGE_TABLE,
    PAGE_WORDS,
    PAGES_ASIDE,
    PAGES_DIRTY,
    PAGES_END,
    PAGES_TOP,
    PAGES_USED,
    SLAB_PAGES,
    WORDS_USED,
)

FREE, FREE_END, SLAB, EXTENT = 1, 2, 3, 4  # low 3 bits of a page's first word
DIRTY = 8
LENGTH = 8  # shift: run length in pages, or first page of the slab
PAGE_SHIFT = 10
SLAB_WORDS = SLAB_PAGES * PAGE_WORDS
BIN_LOOKS = 8
RUN_MIN = 2 * SLAB_PAGES


@kernel
def log2(n):
    """Return the exponent of the greatest power of two that is at most `n`; n >= 1."""
    power = 0
    if n >> 32:
        power += 32
        n >>= 32
    if n >> 16:
        power += 16
        n >>= 16
    if n >> 8:
        power += 8
        n >>= 8
    if n >> 4:
        power += 4
        n >>= 4
    if n >> 2:
        power += 2
        n >>= 2
    return power + (n >> 1)


@kernel
def class_of(size):
    """Return the size class for `size` words (1 to BLOCK_WORDS_MAX)."""
    if size <= 16:
        return size - 1
    power = log2(size - 1)
    return 16 + (power - 4) * 4 + ((size - 1 - (1 << power)) >> (power - 2))


@kernel
def class_words(index):
    """Return the words in a block of this class."""
    if index < 16:
        return index + 1
    power = 4 + ((index - 16) >> 2)
    return (1 << power) + ((((index - 16) & 3) + 1) << (power - 2))


@kernel
def link_run(words, page, length, dirty):
    """Add a free run to its bin and mark its first and last page. `dirty` is DIRTY or 0."""
    entry = PAGE_TABLE + 2 * page
    last = PAGE_TABLE + 2 * (page + length - 1)
    words[last] = FREE_END | length << LENGTH
    words[entry] = FREE | dirty | length << LENGTH
    head = BINS + log2(length)
    first = words[head]
    words[entry + 1] = first << 32  # (next, prev) of the list
    if first:
        words[PAGE_TABLE + 2 * first + 1] |= page
    words[head] = page


@kernel
def unlink_run(words, page):
    """Remove a free run from its bin; return its length in pages."""
    entry = PAGE_TABLE + 2 * page
    length = words[entry] >> LENGTH
    after = (words[entry + 1] >> 32) & 0xFFFFFFFF
    before = words[entry + 1] & 0xFFFFFFFF
    if before:
        other = PAGE_TABLE + 2 * before + 1
        words[other] = after << 32 | (words[other] & 0xFFFFFFFF)
    else:
        words[BINS + log2(length)] = after
    if after:
        other = PAGE_TABLE + 2 * after + 1
        words[other] = (words[other] & ~np.int64(0xFFFFFFFF)) | before
    return length


@outlined
def take_run(words, length):
    """Take `length` adjacent pages; return the first, or 0 if the address space is used up."""
    power = log2(length)
    page = words[BINS + power]
    for _ in range(BIN_LOOKS):
        if page == 0 or words[PAGE_TABLE + 2 * page] >> LENGTH >= length:
            break
        page = (words[PAGE_TABLE + 2 * page + 1] >> 32) & 0xFFFFFFFF
    if page and words[PAGE_TABLE + 2 * page] >> LENGTH < length:
        page = 0
    while page == 0 and power < 39:
        power += 1
        page = words[BINS + power]
    if page == 0:
        page = words[PAGES_TOP]
        if page + length > words[PAGES_END]:
            return 0
        words[PAGES_TOP] = page + length
    else:
        dirty = words[PAGE_TABLE + 2 * page] & DIRTY
        found = unlink_run(words, page)
        if dirty:
            words[PAGES_DIRTY] -= length
        if found > length:
            link_run(words, page + length, found - length, dirty)
    words[PAGES_USED] += length
    return page


@outlined
def free_run(words, page, length):
    """Free `length` pages from `page` on, and merge them with free neighbours."""
    words[PAGES_USED] -= length
    words[PAGES_DIRTY] += length
    first = page
    if words[PAGE_TABLE + 2 * (page - 1)] & 7 == FREE_END or words[PAGE_TABLE + 2 * (page - 1)] & 7 == FREE:
        before = words[PAGE_TABLE + 2 * (page - 1)] >> LENGTH
        first = page - before
        if not words[PAGE_TABLE + 2 * first] & DIRTY:
            words[PAGES_DIRTY] += before
        length += unlink_run(words, first)
    after = first + length
    if after < words[PAGES_TOP] and words[PAGE_TABLE + 2 * after] & 7 == FREE:
        if not words[PAGE_TABLE + 2 * after] & DIRTY:
            words[PAGES_DIRTY] += words[PAGE_TABLE + 2 * after] >> LENGTH
        length += unlink_run(words, after)
    link_run(words, first, length, DIRTY)


@kernel
def link_slab(words, page, index):
    """Add a slab that has free blocks at the head of the list of its class."""
    entry = PAGE_TABLE + 2 * page
    first = words[CLASSES + index]
    words[entry + 5] = first
    words[entry + 7] = 0
    if first:
        words[PAGE_TABLE + 2 * first + 7] = page
    words[CLASSES + index] = page


@kernel
def unlink_slab(words, page, index):
    """Remove a slab from the list of its class."""
    entry = PAGE_TABLE + 2 * page
    after = words[entry + 5]
    before = words[entry + 7]
    if before:
        words[PAGE_TABLE + 2 * before + 5] = after
    else:
        words[CLASSES + index] = after
    if after:
        words[PAGE_TABLE + 2 * after + 7] = before


@outlined
def new_slab(words, index):
    """Make a slab of this class, all blocks free; return its first page, or 0 if the address space is used up."""
    page = take_run(words, SLAB_PAGES)
    if page:
        entry = PAGE_TABLE + 2 * page
        for i in range(SLAB_PAGES):
            words[entry + 2 * i] = SLAB | page << LENGTH
        words[entry + 1] = index
        words[entry + 3] = 0
        words[entry + 9] = 0
        link_slab(words, page, index)
    return page


@kernel
def allocate(words, size):
    """Allocate a block of at least `size` words, not cleared; return its ref, or 0 if the address space is used up."""
    if size > BLOCK_WORDS_MAX:
        length = (size + PAGE_WORDS - 1) >> PAGE_SHIFT
        page = take_run(words, length)
        if page:
            words[PAGE_TABLE + 2 * page] = EXTENT | length << LENGTH
            words[PAGE_TABLE + 2 * (page + length - 1)] = EXTENT | length << LENGTH
            words[WORDS_USED] += length << PAGE_SHIFT
        return page << PAGE_SHIFT
    index = class_of(size)
    page = words[CLASSES + index]
    if page == 0:
        page = new_slab(words, index)
        if page == 0:
            return 0
    entry = PAGE_TABLE + 2 * page
    block = class_words(index)
    ref = words[entry + 3]
    if ref:
        words[entry + 3] = words[ref]
    else:
        ref = (page << PAGE_SHIFT) + words[entry + 9]
        words[entry + 9] += block
    words[entry + 1] += 1 << 8
    words[WORDS_USED] += block
    if words[entry + 3] == 0 and words[entry + 9] + block > SLAB_WORDS:
        unlink_slab(words, page, index)
    return ref


@kernel
def release(words, ref):
    """Free a block at once; its bytes may be overwritten from now on."""
    page = ref >> PAGE_SHIFT
    what = words[PAGE_TABLE + 2 * page]
    if what & 7 == EXTENT:
        words[WORDS_USED] -= (what >> LENGTH) << PAGE_SHIFT
        free_run(words, page, what >> LENGTH)
        return
    page = what >> LENGTH
    entry = PAGE_TABLE + 2 * page
    index = words[entry + 1] & 0xFF
    block = class_words(index)
    words[WORDS_USED] -= block
    was_full = words[entry + 3] == 0 and words[entry + 9] + block > SLAB_WORDS
    words[ref] = words[entry + 3]
    words[entry + 3] = ref
    words[entry + 1] -= 1 << 8
    if was_full:
        link_slab(words, page, index)
    if words[entry + 1] >> 8 == 0 and (words[entry + 5] or words[entry + 7]):
        unlink_slab(words, page, index)  # the last slab of a class stays: it would be needed again
        free_run(words, page, SLAB_PAGES)


@kernel
def capacity(words, ref):
    """Return the words in the block at `ref`, rounding included."""
    page = ref >> PAGE_SHIFT
    what = words[PAGE_TABLE + 2 * page]
    if what & 7 == EXTENT:
        return (what >> LENGTH) << PAGE_SHIFT
    return class_words(words[PAGE_TABLE + 2 * (what >> LENGTH) + 1] & 0xFF)


@kernel
def pages_of(words, ref):
    """Return the pages of a block that has pages of its own; 0 for one in a slab."""
    what = words[PAGE_TABLE + 2 * (ref >> PAGE_SHIFT)]
    return what >> LENGTH if what & 7 == EXTENT else 0


@kernel
def release_later(words, ref):
    """Put a block into the deferred list: it is freed after the reply, which may point into it, has been written."""
    count = words[DEFERRED_COUNT]
    if count < DEFERRED_MAX:  # always, see layout.py; a lost block would be better than one that is freed too early
        words[DEFERRED + count] = ref
        words[DEFERRED_COUNT] = count + 1


@kernel
def free_deferred(words):
    """Free the blocks that the last call put into the deferred list."""
    for i in range(words[DEFERRED_COUNT]):
        release(words, words[DEFERRED + i])
    words[DEFERRED_COUNT] = 0


@kernel
def free_lazily(words, ref, kind):
    """Add a deleted structure to the lazy-free list, to be freed by upkeep. The head of its record becomes the link."""
    words[ref] = kind | words[LAZYFREE] << 8
    words[LAZYFREE] = ref
    words[LAZYFREE_COUNT] += 1


@kernel("int64(int64[::1], int64, int64[::1])")
def clean(words, most, found):
    """Mark up to `most` dirty free runs as clean, and return how many; `found` gets (first page, pages) of each.

    The caller then tells the system that the contents of these pages are not needed.
    """
    words = bare(words)
    count = 0
    for power in range(40):
        page = words[BINS + power]
        while page and count < most:
            entry = PAGE_TABLE + 2 * page
            if words[entry] & DIRTY:
                length = words[entry] >> LENGTH
                words[entry] &= ~np.int64(DIRTY)
                words[PAGES_DIRTY] -= length
                found[2 * count] = page
                found[2 * count + 1] = length
                count += 1
            page = (words[entry + 1] >> 32) & 0xFFFFFFFF
    return count


@kernel("int64(int64[::1], uint8[::1], int64)")
def allocate_block(words, octets, size):
    """Allocate a block of `size` words for data in transit, called by Python; it does not count as stored data."""
    words = bare(words)
    octets = bare(octets)
    ref = allocate(words, size)
    if ref:
        words[WORDS_USED] -= capacity(words, ref)
        words[PAGES_ASIDE] += pages_of(words, ref)
    return ref


@kernel("void(int64[::1], uint8[::1], int64)")
def release_block(words, octets, ref):
    """Free a block that `allocate_block` returned; called by Python."""
    words = bare(words)
    octets = bare(octets)
    words[WORDS_USED] += capacity(words, ref)
    words[PAGES_ASIDE] -= pages_of(words, ref)
    release(words, ref)
