"""The packed form: a short sequence of texts in one block, in which small hashes, sets and sorted sets lie.

    block   how many texts (32 bits), bytes of the strip in use (32 bits) | the strip
    strip   entries, one behind the other
    entry   head | bytes
    head    one byte: form (2 bits), size (6 bits); sizes from 60 on are 60, 61 or 62 there, and 1, 2 or 4 bytes follow

A *place* is a distance from the start of the strip, so it stays right when the block moves. A text of 16 bytes takes
17; Redis' listpack takes 18. Entries are found by comparing all of them, so the callers keep strips short: by Redis'
settings, and, as these may be anything, within STRIP_MAX and TEXTS_MAX (`takes`).

The root of a structure that has several forms is one word, which says in which form it lies, and where:

    ref << 2 | PACKED (a strip), TABLE (a block that begins with the words of a table), INTEGERS (of the sets)

It is 0 until the structure gets its first element.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import load32, move, same, store32
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_MASK

PACKED, TABLE, INTEGERS = 1, 2, 3
SHAPE_BITS, SHAPE_MASK = 2, 3
COUNT_MASK, USED_SHIFT = (1 << 32) - 1, 32
STRIP_MAX, TEXTS_MAX = 1 << 20, 1 << 14  # bytes and texts of a strip: a structure beyond them is a table in any case
SIZE_SHIFT = 2  # in a head
LONG_8, LONG_16, LONG_32 = 60, 61, 62


@kernel
def shape_of(root):
    """Return in which form the structure with this root word lies: PACKED, TABLE, INTEGERS, or 0 without elements."""
    return root & SHAPE_MASK


@kernel
def block_of(root):
    """Return the ref of the block that this root word leads to."""
    return root >> SHAPE_BITS


@kernel
def root_word(block, shape):
    """Return the root word of a structure in this form."""
    return block << SHAPE_BITS | shape


@kernel
def head_bytes(size):
    """Return the bytes of the head of a text of this size."""
    if size < LONG_8:
        return 1
    if size < 1 << 8:
        return 2
    if size < 1 << 16:
        return 3
    return 5


@kernel
def entry_bytes(size):
    """Return the bytes that a text of this size takes in a strip."""
    return head_bytes(size) + size


@kernel
def strip_at(block):
    """Return the octet at which the strip of a block starts."""
    return (block + 1) * 8


@kernel
def count_of(words, block):
    """Return the number of texts in a block."""
    return words[block] & COUNT_MASK


@kernel
def used_of(words, block):
    """Return the bytes of the strip that entries take: the place behind the last one."""
    return words[block] >> USED_SHIFT


@kernel
def block_words(used):
    """Return the words of a block whose strip has so many bytes."""
    return 1 + ((used + 7) >> 3)


@kernel
def takes(words, block, size):
    """Return True if a strip (block 0: an empty one) may get one or two more texts that have `size` bytes together."""
    if size > STRIP_MAX:
        return False
    return block == 0 or (used_of(words, block) + size <= STRIP_MAX and count_of(words, block) < TEXTS_MAX)


@kernel
def new_block(words, need):
    """Allocate a block without texts, whose strip has room for `need` bytes; return its ref, or 0 without memory."""
    block = arena.allocate(words, block_words(need))
    if block:
        words[block] = 0
    return block


@kernel
def read(octets, at):
    """Return (octet, size, form) of the text whose entry starts at octet `at`; the next entry starts behind it."""
    head = np.int64(octets[at])
    size = head >> SIZE_SHIFT
    at += 1
    if size >= LONG_8:
        if size == LONG_8:
            size = np.int64(octets[at])
            at += 1
        elif size == LONG_16:
            size = np.int64(octets[at]) | np.int64(octets[at + 1]) << 8
            at += 2
        else:
            size = load32(octets, at)
            at += 4
    return at, size, head & FORM_MASK


@kernel
def behind(octets, at):
    """Return the octet behind the entry that starts at octet `at`."""
    start, size, _ = read(octets, at)
    return start + size


@kernel
def write(octets, at, source, size, mark):
    """Write the entry of a text (`size` bytes from octet `source`) at octet `at`."""
    form = mark & FORM_MASK
    if size < LONG_8:
        octets[at] = size << SIZE_SHIFT | form
        at += 1
    elif size < 1 << 8:
        octets[at] = LONG_8 << SIZE_SHIFT | form
        octets[at + 1] = size
        at += 2
    elif size < 1 << 16:
        octets[at] = LONG_16 << SIZE_SHIFT | form
        octets[at + 1] = size & 0xFF
        octets[at + 2] = size >> 8
        at += 3
    else:
        octets[at] = LONG_32 << SIZE_SHIFT | form
        store32(octets, at + 1, size)
        at += 5
    move(octets, at, source, size)


@kernel
def find(words, octets, block, start, size, step):
    """Return the place of the first entry with these bytes among every `step`-th one, from the first on; -1: none."""
    begin = strip_at(block)
    at = begin
    end = begin + used_of(words, block)
    while at < end:
        place, length, _ = read(octets, at)
        if length == size and same(octets, place, start, size):
            return at - begin
        at = place + length
        for _ in range(step - 1):
            at = behind(octets, at)
    return -1


@kernel
def place_of(words, octets, block, index):
    """Return the place of the entry of this index, counted from 0."""
    begin = strip_at(block)
    at = begin
    for _ in range(index):
        at = behind(octets, at)
    return at - begin


@kernel
def make_room(words, octets, block, place, old, new):
    """Make room for `new` bytes in place of the `old` bytes at `place`, and free the old block if it moves.

    Return the block that holds the strip now, or 0 without memory. The number of texts is left to the caller.
    """
    used = used_of(words, block)
    grown = used + new - old
    target = block
    if block_words(grown) > arena.capacity(words, block):
        target = arena.allocate(words, block_words(grown))
        if target == 0:
            return 0
        move(octets, strip_at(target), strip_at(block), place)
    move(octets, strip_at(target) + place + new, strip_at(block) + place + old, used - place - old)
    words[target] = count_of(words, block) | grown << USED_SHIFT
    if target != block:
        arena.release(words, block)
    return target


@kernel
def insert(words, octets, block, place, start, size, mark):
    """Insert a text at `place`; return the block, which may have moved, or 0 without memory."""
    block = make_room(words, octets, block, place, 0, entry_bytes(size))
    if block:
        write(octets, strip_at(block) + place, start, size, mark)
        words[block] += 1
    return block


@kernel
def append(words, octets, block, start, size, mark):
    """Add a text behind the last one; return the block, which may have moved, or 0 without memory."""
    return insert(words, octets, block, used_of(words, block), start, size, mark)


@kernel
def replace(words, octets, block, place, start, size, mark):
    """Put a text in place of the one at `place`; return the block, which may have moved, or 0 without memory."""
    at = strip_at(block) + place
    old = behind(octets, at) - at
    if old != entry_bytes(size):
        block = make_room(words, octets, block, place, old, entry_bytes(size))
        if block == 0:
            return 0
    write(octets, strip_at(block) + place, start, size, mark)
    return block


@kernel
def remove(words, octets, block, place, count):
    """Remove `count` texts from `place` on. The block stays where it is."""
    begin = strip_at(block) + place
    end = begin
    for _ in range(count):
        end = behind(octets, end)
    used = used_of(words, block)
    move(octets, begin, end, strip_at(block) + used - end)
    words[block] = (count_of(words, block) - count) | (used - (end - begin)) << USED_SHIFT


@kernel
def copy_block(words, octets, block):
    """Return the ref of a copy of a block, or 0 without memory."""
    target = arena.allocate(words, block_words(used_of(words, block)))
    if target:
        words[target] = words[block]
        move(octets, strip_at(target), strip_at(block), used_of(words, block))
    return target


@kernel
def fork(words, octets, block):
    """Copy a block, and free the old one after the reply; return the copy, or 0 without memory.

    A row that removes texts and replies with them changes the copy: the reply points into the old block.
    """
    target = copy_block(words, octets, block)
    if target:
        arena.release_later(words, block)
    return target


@kernel
def free_table(words, root, progress, budget):
    """Free the entries, the slots and the block of a deleted structure in a table; return what is left of the budget.

    Each entry is one block. Word `progress` of the table keeps the place in the slots, and must not be in use any more.
    """
    table = block_of(words[root])
    if words[table + tables.COUNT] >= 0:  # the first step
        words[table + tables.COUNT] = -1
        words[table + progress] = 0
    while words[table + tables.SLOTS] and budget > 0:
        slots = words[table + tables.SLOTS]
        size = words[table + tables.SIZE]
        end = slots + size + tables.slack(size)
        at = slots + words[table + progress]
        while at < end and budget > 0:
            if words[at]:
                arena.release(words, words[at] & tables.REF_MASK)
                budget -= 4
            budget -= 1
            at += 1
        words[table + progress] = at - slots
        if at == end:
            arena.release(words, slots)
            words[table + tables.SLOTS] = words[table + tables.OLD]
            words[table + tables.SIZE] = words[table + tables.OLD_SIZE]
            words[table + tables.OLD] = 0
            words[table + progress] = 0
    if words[table + tables.SLOTS] == 0:
        arena.release(words, table)
        words[root] = 0
        budget -= 1
    return budget
