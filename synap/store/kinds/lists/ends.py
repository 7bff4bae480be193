"""Both ends of a list: adding, reading and removing elements there touches one chunk."""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists import chunks, entries
from synap.store.kinds.lists.directory import (
    BYTES,
    COUNT,
    LEFT,
    add_place,
    chunk_at,
    drop_place,
    end_chunk,
    last_place,
    places,
    set_place,
)
from synap.store.memory import arena
from synap.store.memory.layout import MARK_BITS
from synap.store.memory.tapes import add_text


@kernel
def slide(words, octets, chunk, side):
    """Move a chunk's entries to the other end of its strip, so that all free space is at this side."""
    used = chunks.used_of(words, chunk)
    target = chunks.strip_at(chunk) + (chunks.capacity_of(words, chunk) - used if side == LEFT else 0)
    move(octets, target, chunks.begin_of(words, chunk), used)
    chunks.set_span(words, chunk, target, target + used)


@kernel
def space_at(words, chunk, side):
    """Return the free bytes at one side of a chunk's entries."""
    if side == LEFT:
        return words[chunk] & chunks.PART
    return chunks.capacity_of(words, chunk) - ((words[chunk] >> chunks.END) & chunks.PART)


@kernel
def ensure_capacity(words, octets, root, side, need):
    """Return a chunk at this end of the list with `need` bytes free on that side; 0 without memory.

    Tried in this order: the end chunk as it is; moving its entries (only if half of it is free, so that the pushes
    before pay for the work); a larger chunk in its place; a further chunk.
    """
    chunk = end_chunk(words, root, side)
    if chunk:
        if space_at(words, chunk, side) >= need:
            return chunk
        used = chunks.used_of(words, chunk)
        capacity = chunks.capacity_of(words, chunk)
        if used + need <= capacity and used * 2 <= capacity:
            slide(words, octets, chunk, side)
            return chunk
        if capacity < chunks.STRIP_MAX and used + need <= chunks.STRIP_MAX:
            larger = refitted(words, octets, root, last_place(words, root, side), need)
            if larger and side == LEFT:
                slide(words, octets, larger, LEFT)
            return larger
    further = chunks.new_chunk(words, chunks.STRIP_MAX if chunk else need)
    if further == 0:
        return 0
    if side == LEFT:
        end = chunks.strip_at(further) + chunks.capacity_of(words, further)
        chunks.set_span(words, further, end, end)
    if not add_place(words, octets, root, 0 if side == LEFT else places(words, root), further):
        return 0
    return further


@kernel
def refitted(words, octets, root, place, need):
    """Put the chunk at a place into a block for its entries and `need` bytes behind them; return it, or 0 without
    memory."""
    chunk = chunk_at(words, root, place)
    larger = chunks.new_chunk(words, chunks.grown(chunks.used_of(words, chunk), need))
    if larger:
        chunks.take_over(words, octets, larger, chunk, chunks.begin_of(words, chunk), chunks.end_of(words, chunk))
        words[larger] += chunks.count_of(words, chunk) << chunks.NUMBER
        set_place(words, root, place, larger)
        arena.release(words, chunk)
    return larger


@kernel
def claim_entry(words, root, chunk, side, need):
    """Extend a chunk's entries by `need` bytes at one side, for one more element; return the octet of its entry."""
    words[root + COUNT] += 1
    words[root + BYTES] += need
    if side == LEFT:
        words[chunk] += chunks.ONE - need
        return chunks.begin_of(words, chunk)
    words[chunk] += chunks.ONE + (need << chunks.END)
    return chunks.end_of(words, chunk) - need


@kernel
def push(words, octets, root, side, source, size, mark):
    """Add an element at an end; return False without memory."""
    need = entries.bytes_of(size, mark)
    chunk = ensure_capacity(words, octets, root, side, need)
    if chunk == 0:
        return False
    at = claim_entry(words, root, chunk, side, need)
    if size > entries.INLINE_MAX:
        words[chunk] |= chunks.BOXES
        words[root + BYTES] += size
    return entries.write(words, octets, at, source, size, mark)


@kernel
def push_box(words, octets, root, side, box):
    """Add an element that lies in a box already at an end; return False without memory."""
    size = words[box] >> MARK_BITS
    need = entries.bytes_of(size, 0)
    chunk = ensure_capacity(words, octets, root, side, need)
    if chunk == 0:
        return False
    entries.write_boxed(octets, claim_entry(words, root, chunk, side, need), box)
    words[chunk] |= chunks.BOXES
    words[root + BYTES] += size
    return True


@kernel
def end_entry(words, octets, root, side):
    """Return the octet at which the entry at this end of a list starts."""
    chunk = end_chunk(words, root, side)
    if side == LEFT:
        return chunks.begin_of(words, chunk)
    end = chunks.end_of(words, chunk)
    return end - entries.size_before(octets, end)


@kernel
def drop_end(words, octets, root, side):
    """Remove the entry at one end; its chunk, if it is empty now, is freed after the reply. A box is left alone."""
    chunk = end_chunk(words, root, side)
    if side == LEFT:
        at = chunks.begin_of(words, chunk)
        need = entries.size_at(octets, at)
        words[chunk] += need - chunks.ONE
    else:
        end = chunks.end_of(words, chunk)
        need = entries.size_before(octets, end)
        at = end - need
        words[chunk] -= (need << chunks.END) + chunks.ONE
    words[root + COUNT] -= 1
    words[root + BYTES] -= need
    box = entries.box_of(octets, at)
    if box:
        words[root + BYTES] -= words[box] >> MARK_BITS
    if chunks.count_of(words, chunk) == 0:
        drop_place(words, octets, root, last_place(words, root, side))
        arena.release_later(words, chunk)


@kernel
def pop(words, octets, root, side, reply):
    """Move the element at one end into the reply; its bytes are freed after the reply is written."""
    entry = end_entry(words, octets, root, side)
    at, size, mark = entries.element(words, octets, entry)
    add_text(words, reply, at, size, mark)
    box = entries.box_of(octets, entry)
    if box:
        arena.release_later(words, box)
    drop_end(words, octets, root, side)


@kernel
def measure(words, octets, root, side, count):
    """Return the bytes of the `count` elements at one end, or a little more."""
    if count >= words[root + COUNT]:
        return words[root + BYTES]
    total = 0
    place = last_place(words, root, side)
    while count > 0:
        chunk = chunk_at(words, root, place)
        begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
        inside = chunks.count_of(words, chunk)
        for _ in range(min(inside, count)):
            if side == LEFT:
                entry = begin
                begin += entries.size_at(octets, entry)
            else:
                end -= entries.size_before(octets, end)
                entry = end
            total += entries.element(words, octets, entry)[1]
        count -= inside
        place += 1 if side == LEFT else -1
    return total
