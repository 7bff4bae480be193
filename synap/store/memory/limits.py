"""How much memory there is for what is to come: the questions that are asked before a call, or a row, allocates.

    full       beyond max_memory, counted in bytes of blocks; or in pages, half as much again
    overfull   beyond max_memory by a quarter: the limit of rows and transactions under a policy of eviction, and of
               scripts with allow-oom
    crowded    the address space may not have the blocks: no call that grows is admitted
    lacks      what a row asks that needs more than it declares
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.store.memory.arena import LENGTH, PAGE_SHIFT, RUN_MIN, log2
from synap.store.memory.layout import (
    BINS,
    BYTES_MAX,
    EVICT_NOBODY,
    EVICTION,
    GUARD_LOADING,
    LACKED,
    LUA_FLAGS,
    PAGE_BYTES,
    PAGE_TABLE,
    PAGES_ASIDE,
    PAGES_END,
    PAGES_TOP,
    PAGES_USED,
    PAGES_WANTED,
    REFUSE,
    SCRIPT_ABOVE_MAX,
    WORDS_USED,
)

PAGES_SPARE = 16 << 20  # bytes that gaps may take even in the smallest store
PAGES_KEPT = 2048  # for a slab of each class (384 pages), and a strip of `packed.STRIP_MAX` bytes that becomes a table
RUN_KEPT = 512  # of these, pages of the largest extent: the slots of that table
ASIDE_MAX = 1 << 20  # bytes for which a call that only reads is not refused when memory is full


@inlined
def pages_full(words, size):
    """Return True if `size` more bytes would exceed max_memory by half, counted in pages without data in transit."""
    most = words[BYTES_MAX]
    return (words[PAGES_USED] - words[PAGES_ASIDE]) * PAGE_BYTES + size > most + (most >> 1) + PAGES_SPARE


@kernel
def full(words, size):
    """Return True if `size` more bytes would exceed max_memory.

    Blocks in use count: space freed inside a slab can be used again. Pages may exceed the limit by half, since an
    unlucky mix of sizes leaves gaps; there is address space for twice the limit.
    """
    return words[WORDS_USED] * 8 + size > words[BYTES_MAX] or pages_full(words, size)


@kernel
def overfull(words, size):
    """Return True if `size` more bytes would exceed max_memory by a quarter, or in pages by half: a store within these
    limits can be loaded from a snapshot, which lays it out anew."""
    return words[WORDS_USED] * 8 + size > words[BYTES_MAX] + (words[BYTES_MAX] >> 2) or pages_full(words, size)


@outlined
def scattered(words, size):
    """Return True if the free runs do not suffice for all blocks of a call that needs up to `size` bytes.

    A run that is twice as long as all blocks to come is found by `take_run` in any case.
    """
    longest = 2 * (RUN_KEPT + words[PAGES_WANTED]) + (size >> (PAGE_SHIFT + 1))
    for power in range(log2(longest - 1) + 1, 40):
        if words[BINS + power]:
            longest = 0
            break
    wanted = 2 * PAGES_KEPT
    for power in range(log2(RUN_MIN), 40):
        page = words[BINS + power]
        while page and wanted > 0:
            wanted -= words[PAGE_TABLE + 2 * page] >> LENGTH
            page = (words[PAGE_TABLE + 2 * page + 1] >> 32) & 0xFFFFFFFF
    return longest > 0 or wanted > 0


@kernel
def crowded(words, size):
    """Return True if the address space may not have the blocks that a call with up to `size` bytes of them allocates.

    Rows that grow are refused then, so that no allocation fails in the middle of a change. The size counts twice, as
    slabs and free runs are not filled to their end. A call may also need a slab of each class, and slots of a table.
    """
    needed = PAGES_KEPT + words[PAGES_WANTED] + (size >> (PAGE_SHIFT + 2))
    return words[PAGES_END] - words[PAGES_TOP] < needed and scattered(words, size)


@kernel
def rounded(size):
    """Return the most bytes that blocks take which hold `size` bytes: each is at most a quarter larger than asked."""
    return size + (size >> 2)


@inlined
def may_exceed(words):
    """Return True if max_memory may be exceeded by a quarter: under a policy of eviction, or in a script that has the
    flag allow-oom."""
    return words[EVICTION] != EVICT_NOBODY or words[LUA_FLAGS] & SCRIPT_ABOVE_MAX


@kernel
def lacks(words, size):
    """Return True if blocks that hold `size` bytes find no memory: a row that needs more than it declares asks first.

    With a policy of eviction, such a row may exceed max_memory by a quarter, and the next call that grows evicts keys.
    So no key that the row needs is evicted for it, nor any for what it frees again. If the row lacks more, keys are
    evicted for the rest, and it runs again (`calls.run_again`).

    During a replay memory never lacks: what has been done before is done again, whatever the limit is now.
    """
    size = rounded(size)
    if words[REFUSE] & GUARD_LOADING:
        return False
    if crowded(words, size):
        return True
    if not may_exceed(words):
        return full(words, size)
    if not overfull(words, size):
        return False
    words[LACKED] = max(words[WORDS_USED] * 8 + size - (words[BYTES_MAX] >> 2), 1)
    return True


@kernel
def lacks_aside(words, size):
    """Return `lacks` for blocks that are freed with the reply: up to ASIDE_MAX bytes may be beyond max_memory."""
    if rounded(size) > ASIDE_MAX:
        return lacks(words, size)
    return words[REFUSE] & GUARD_LOADING == 0 and crowded(words, rounded(size))
