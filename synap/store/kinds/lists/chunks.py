"""Chunks: the blocks that hold a list's elements, linked into a chain that can be read from both ends.

    root     first chunk | last chunk | count | bytes of all elements
    chunk    next | prev | begin, end (octets in the strip) | entries, strip size | the strip
    entry    head | bytes | head again               head: size (11 bits), mark (2), boxed (1)

The strip of a chunk is its space for entries. A chunk has up to 4 KiB and starts small, growing by doubling, so a short
list costs little and a long one 4 bytes an element. An element above 1 KiB lies in a box, a block of its own, and its
entry holds the box's ref. Pushing and popping at either end touch one chunk; an element in the middle is found by
skipping chunks by their counts from the nearer end.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import load64, move, store64
from synap.store.memory import arena
from synap.store.memory.layout import (
    FORM_MASK,
    MARK_BITS,
)
from synap.store.memory.tapes import add_text

FIRST, LAST, COUNT, BYTES = range(4)
NEXT, PREV, SPAN, SIZES, STRIP = range(5)
HALF = 32
HALF_MASK = (1 << 32) - 1
CHUNK_WORDS_MAX = 512
CHUNK_WORDS_MIN = 8
ENTRY_SIZE_MAX = 1024
ENTRY_SIZE_MASK = (1 << 11) - 1
ENTRY_MARK, ENTRY_BOXED = 11, 1 << 13
HEAD_BYTES = 2
LEFT, RIGHT = 0, 1


@kernel
def read_head(octets, at):
    """Return the two bytes of an entry's head as a number."""
    return int(octets[at]) | int(octets[at + 1]) << 8


@kernel
def write_entry(words, octets, at, source, size, mark):
    """Write an entry (head, bytes or ref, head) at `at`, and the box of a long element; return False without memory."""
    if size > ENTRY_SIZE_MAX:
        box = arena.allocate(words, 1 + ((size + 7) >> 3))
        if box == 0:
            return False
        words[box] = size << MARK_BITS | (mark & FORM_MASK)
        move(octets, (box + 1) * 8, source, size)
        head = 8 | ENTRY_BOXED
        store64(octets, at + HEAD_BYTES, box)
        size = 8
    else:
        head = size | (mark & FORM_MASK) << ENTRY_MARK
        move(octets, at + HEAD_BYTES, source, size)
    octets[at] = head & 0xFF
    octets[at + 1] = head >> 8
    octets[at + HEAD_BYTES + size] = head & 0xFF
    octets[at + HEAD_BYTES + size + 1] = head >> 8
    return True


@kernel
def entry_bytes(size):
    """Return the bytes that an element of this size takes in a strip."""
    return 2 * HEAD_BYTES + (8 if size > ENTRY_SIZE_MAX else size)


@kernel
def element(words, octets, at):
    """Return (octet, size, mark, box) of the element whose entry starts at `at`; box is 0 if it lies inline."""
    head = read_head(octets, at)
    size = head & ENTRY_SIZE_MASK
    if head & ENTRY_BOXED:
        box = load64(octets, at + HEAD_BYTES)
        return (box + 1) * 8, words[box] >> MARK_BITS, words[box] & FORM_MASK, box
    return at + HEAD_BYTES, size, (head >> ENTRY_MARK) & FORM_MASK, 0


@kernel
def new_chunk(words, strip_bytes):
    """Allocate an empty chunk with a strip of at least this many bytes; return its ref, or 0 without memory."""
    size = STRIP + max((strip_bytes + 7) >> 3, CHUNK_WORDS_MIN - STRIP)
    chunk = arena.allocate(words, size)
    if chunk:
        words[chunk + NEXT] = 0
        words[chunk + PREV] = 0
        words[chunk + SPAN] = 0
        words[chunk + SIZES] = ((arena.capacity(words, chunk) - STRIP) * 8) << HALF
    return chunk


@kernel
def strip_at(chunk):
    """Return the octet at which a chunk's strip starts."""
    return (chunk + STRIP) * 8


@kernel
def ensure_capacity(words, octets, root, side, need):
    """Return a chunk at this end of the list with `need` bytes free on that side; 0 without memory.

    Tried in this order: the end chunk as it is; shifting its entries (only if half of it is free, so that the pushes
    before pay for the work); a chunk twice as large in its place; a further chunk.
    """
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    if chunk:
        begin = words[chunk + SPAN] & HALF_MASK
        end = words[chunk + SPAN] >> HALF
        capacity = words[chunk + SIZES] >> HALF
        free = begin if side == LEFT else capacity - end
        if free >= need:
            return chunk
        used = end - begin
        if used + need <= capacity and used * 2 <= capacity:
            target = capacity - used if side == LEFT else 0
            move(octets, strip_at(chunk) + target, strip_at(chunk) + begin, used)
            words[chunk + SPAN] = target | (target + used) << HALF
            return chunk
        if capacity < (CHUNK_WORDS_MAX - STRIP) * 8 and used + need <= (CHUNK_WORDS_MAX - STRIP) * 8:
            larger = new_chunk(words, min(max(capacity * 2, used + need), (CHUNK_WORDS_MAX - STRIP) * 8))
            if larger == 0:
                return 0
            target = (words[larger + SIZES] >> HALF) - used if side == LEFT else 0
            move(octets, strip_at(larger) + target, strip_at(chunk) + begin, used)
            words[larger + SPAN] = target | (target + used) << HALF
            words[larger + SIZES] |= words[chunk + SIZES] & HALF_MASK
            link(words, root, larger, words[chunk + PREV], words[chunk + NEXT])
            arena.release(words, chunk)
            return larger
    further = new_chunk(words, (CHUNK_WORDS_MAX - STRIP) * 8 if chunk else need)
    if further == 0:
        return 0
    if side == LEFT:
        capacity = words[further + SIZES] >> HALF
        words[further + SPAN] = capacity | capacity << HALF
        link(words, root, further, 0, chunk)
    else:
        link(words, root, further, chunk, 0)
    return further


@kernel
def link(words, root, chunk, before, after):
    """Link a chunk between two neighbours (0: the end of the list)."""
    words[chunk + PREV] = before
    words[chunk + NEXT] = after
    if before:
        words[before + NEXT] = chunk
    else:
        words[root + FIRST] = chunk
    if after:
        words[after + PREV] = chunk
    else:
        words[root + LAST] = chunk


@kernel
def unlink(words, root, chunk):
    """Remove a chunk from the chain."""
    before = words[chunk + PREV]
    after = words[chunk + NEXT]
    if before:
        words[before + NEXT] = after
    else:
        words[root + FIRST] = after
    if after:
        words[after + PREV] = before
    else:
        words[root + LAST] = before


@kernel
def push(words, octets, root, side, source, size, mark):
    """Add an element at an end; return False without memory."""
    need = entry_bytes(size)
    chunk = ensure_capacity(words, octets, root, side, need)
    if chunk == 0:
        return False
    begin = words[chunk + SPAN] & HALF_MASK
    end = words[chunk + SPAN] >> HALF
    if side == LEFT:
        begin -= need
        at = begin
    else:
        at = end
        end += need
    if not write_entry(words, octets, strip_at(chunk) + at, source, size, mark):
        return False
    words[chunk + SPAN] = begin | end << HALF
    words[chunk + SIZES] += 1
    words[root + COUNT] += 1
    words[root + BYTES] += size
    return True


@kernel
def end_entry(words, octets, chunk, side):
    """Return the octet at which the entry at this end of a chunk starts."""
    if side == LEFT:
        return strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
    end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
    size = read_head(octets, end - HEAD_BYTES) & ENTRY_SIZE_MASK
    return end - 2 * HEAD_BYTES - size


@kernel
def pop(words, octets, root, side, reply):
    """Move the element at one end into the reply; its bytes are freed after the reply is written."""
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    entry = end_entry(words, octets, chunk, side)
    at, size, mark, box = element(words, octets, entry)
    add_text(words, reply, at, size, mark)
    if box:
        arena.release_later(words, box)
    need = entry_bytes(size)
    if side == LEFT:
        words[chunk + SPAN] += need
    else:
        words[chunk + SPAN] -= need << HALF
    words[chunk + SIZES] -= 1
    words[root + COUNT] -= 1
    words[root + BYTES] -= size
    if words[chunk + SIZES] & HALF_MASK == 0:
        unlink(words, root, chunk)
        arena.release_later(words, chunk)


@kernel
def measure(words, octets, root, side, count):
    """Return the bytes of the `count` elements at one end."""
    if count >= words[root + COUNT]:
        return words[root + BYTES]
    total = 0
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    while count > 0:
        inside = words[chunk + SIZES] & HALF_MASK
        begin = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
        for _ in range(min(inside, count)):
            if side == LEFT:
                entry = begin
                begin += 2 * HEAD_BYTES + (read_head(octets, entry) & ENTRY_SIZE_MASK)
            else:
                end -= 2 * HEAD_BYTES + (read_head(octets, end - HEAD_BYTES) & ENTRY_SIZE_MASK)
                entry = end
            _, size, _, _ = element(words, octets, entry)
            total += size
        count -= inside
        chunk = words[chunk + (NEXT if side == LEFT else PREV)]
    return total


@kernel
def free_some(words, octets, ref, budget):
    """Free chunks of a deleted list; return what is left of the budget. The caller frees the record."""
    root = ref + 1
    chunk = words[root + FIRST]
    while chunk and budget > 0:
        after = words[chunk + NEXT]
        at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
        count = words[chunk + SIZES] & HALF_MASK
        if words[root + BYTES] > ENTRY_SIZE_MAX:  # there may be boxes
            while at < end:
                head = read_head(octets, at)
                if head & ENTRY_BOXED:
                    arena.release(words, load64(octets, at + HEAD_BYTES))
                    budget -= 4
                at += 2 * HEAD_BYTES + (head & ENTRY_SIZE_MASK)
            budget -= count
        arena.release(words, chunk)
        budget -= 4
        chunk = after
    words[root + FIRST] = chunk
    return budget
