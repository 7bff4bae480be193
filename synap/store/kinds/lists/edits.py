"""Changes inside a list: each touches the chunk of the element, and a neighbour where a chunk is split or merged.

A full chunk is split in two. Chunks that lose entries are merged with a neighbour if both together fill at most half a
chunk, so a list never degrades into many small ones.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists import chunks, ends, entries
from synap.store.kinds.lists.directory import (
    BYTES,
    COUNT,
    LEFT,
    RIGHT,
    TOP,
    add_place,
    chunk_at,
    drop_place,
    last_place,
    note_count,
    places,
    set_place,
)
from synap.store.memory import arena

MERGED_MAX = chunks.STRIP_MAX // 2
FIT_MIN = 128


@kernel
def next_entry(words, octets, root, place, at):
    """Return (place, octet) of the entry behind the one at `at`; the octet is 0 behind the last."""
    chunk = chunk_at(words, root, place)
    at += entries.size_at(octets, at)
    if at < chunks.end_of(words, chunk):
        return place, at
    place += 1
    return place, first_entry(words, root, place)


@kernel
def first_entry(words, root, place):
    """Return the octet of the first entry at a place; 0 behind the last place."""
    return chunks.begin_of(words, chunk_at(words, root, place)) if place < places(words, root) else 0


@kernel
def gap_within(words, octets, root, place, at, need):
    """Make a gap of `need` bytes before the entry at `at`, in a chunk whose entries stay below STRIP_MAX with it.

    Return the octet of the gap, or 0 without memory.
    """
    chunk = chunk_at(words, root, place)
    begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    before = at - begin
    if end - begin + need > chunks.capacity_of(words, chunk):
        chunk = ends.refitted(words, octets, root, place, need)
        if chunk == 0:
            return 0
        begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
        at = begin + before
    left, right = ends.space_at(words, chunk, LEFT), ends.space_at(words, chunk, RIGHT)
    if left >= need and (right < need or before < end - at):
        move(octets, begin - need, begin, before)
        begin -= need
    elif right >= need:
        move(octets, at + need, at, end - at)
        end += need
    else:  # only the space on both sides is enough
        move(octets, begin - left, begin, before)
        move(octets, begin - left + before + need, at, end - at)
        begin, end = begin - left, end - left + need
    chunks.set_span(words, chunk, begin, end)
    return begin + before


@kernel
def split(words, octets, root, place):
    """Move the entries behind the middle of a full chunk to a new chunk behind it; return False without memory.

    The cut is the boundary of entries nearest to the middle, so that both halves have room for the longest entry.
    """
    chunk = chunk_at(words, root, place)
    begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    at, count = begin, 0
    while count == 0 or at - begin + (entries.size_at(octets, at) >> 1) <= (end - begin) >> 1:
        at += entries.size_at(octets, at)
        count += 1
    other = chunks.new_chunk(words, chunks.STRIP_MAX)
    if other == 0:
        return False
    chunks.take_over(words, octets, other, chunk, at, end)
    words[other] += (chunks.count_of(words, chunk) - count) << chunks.NUMBER
    words[chunk] -= (chunks.count_of(words, chunk) - count) << chunks.NUMBER
    chunks.set_span(words, chunk, begin, at)
    if not add_place(words, octets, root, place + 1, other):
        return False
    note_count(words, root, place)
    return True


@kernel
def insert(words, octets, root, place, at, source, size, mark):
    """Insert an element before the entry at `at` of the chunk at a place (or behind its last); return False without
    memory."""
    need = entries.bytes_of(size, mark)
    chunk = chunk_at(words, root, place)
    if chunks.used_of(words, chunk) + need > chunks.STRIP_MAX:
        if not split(words, octets, root, place):
            return False
        end = chunks.end_of(words, chunk)
        if at > end:
            place += 1
            chunk = chunk_at(words, root, place)
            at = chunks.begin_of(words, chunk) + at - end
    at = gap_within(words, octets, root, place, at, need)
    if at == 0:
        return False
    chunk = chunk_at(words, root, place)
    words[chunk] += chunks.ONE
    note_count(words, root, place)
    words[root + COUNT] += 1
    words[root + BYTES] += need
    if size > entries.INLINE_MAX:
        words[chunk] |= chunks.BOXES
        words[root + BYTES] += size
    return entries.write(words, octets, at, source, size, mark)


@kernel
def forget(words, octets, root, chunk, at):
    """Take the entry at `at` out of all counts, and free its box; its bytes are still in the strip."""
    words[chunk] -= chunks.ONE
    words[root + COUNT] -= 1
    words[root + BYTES] -= entries.size_at(octets, at)
    box = entries.box_of(octets, at)
    if box:
        words[root + BYTES] -= entries.element(words, octets, at)[1]
        arena.release(words, box)


@kernel
def cut(words, octets, root, place, at):
    """Remove the entry at `at` of the chunk at a place, which may be left empty; return the octet of the one behind."""
    chunk = chunk_at(words, root, place)
    begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    forget(words, octets, root, chunk, at)
    size = entries.size_at(octets, at)
    if at - begin < end - at - size:
        move(octets, begin + size, begin, at - begin)
        begin += size
        at += size
    else:
        move(octets, at, at + size, end - at - size)
        end -= size
    chunks.set_span(words, chunk, begin, end)
    note_count(words, root, place)
    return at


@kernel
def replace(words, octets, root, place, at, source, size, mark):
    """Put another element in the place of the one at `at`; return False without memory."""
    at = cut(words, octets, root, place, at)
    if not insert(words, octets, root, place, at, source, size, mark):
        return False
    tidy(words, octets, root, place, RIGHT)
    tidy(words, octets, root, place, LEFT)
    return True


@kernel
def tidy(words, octets, root, place, side):
    """Remove the chunk at a place if it is empty; merge it with its neighbour on this side if both are small.

    Return True if the place is gone: then it has the chunk that was behind it, or with RIGHT the merged one.
    """
    chunk = chunk_at(words, root, place)
    if chunks.count_of(words, chunk) == 0:
        drop_place(words, octets, root, place)
        arena.release(words, chunk)
        return True
    left = place - 1 if side == LEFT else place
    if left < 0 or left + 1 >= places(words, root):
        return False
    first, second = chunk_at(words, root, left), chunk_at(words, root, left + 1)
    if chunks.used_of(words, first) + chunks.used_of(words, second) > MERGED_MAX:
        return False
    if chunks.capacity_of(words, first) >= MERGED_MAX:
        ends.slide(words, octets, first, RIGHT)
    else:
        first = ends.refitted(words, octets, root, left, chunks.used_of(words, second))
        if first == 0:
            return False
    begin, end = chunks.begin_of(words, second), chunks.end_of(words, second)
    chunks.take_over(words, octets, first, second, begin, end)
    words[first] += chunks.count_of(words, second) << chunks.NUMBER
    drop_place(words, octets, root, left + 1)
    set_place(words, root, left, first)
    arena.release(words, second)
    return True


@kernel
def purge(words, octets, root, chunk, start, size, most, side):
    """Remove up to `most` elements equal to a text from a chunk, from this side on; return how many there were."""
    begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    found = 0
    if side == LEFT:
        at = target = begin
        while at < end and found < most:
            entry = entries.size_at(octets, at)
            if entries.equals(words, octets, at, start, size):
                forget(words, octets, root, chunk, at)
                found += 1
            else:
                if target != at:
                    move(octets, target, at, entry)
                target += entry
            at += entry
        if found:
            move(octets, target, at, end - at)
            chunks.set_span(words, chunk, begin, target + end - at)
        return found
    at = target = end
    while at > begin and found < most:
        entry = entries.size_before(octets, at)
        at -= entry
        if entries.equals(words, octets, at, start, size):
            forget(words, octets, root, chunk, at)
            found += 1
        else:
            target -= entry
            if target != at:
                move(octets, target, at, entry)
    if found:
        move(octets, target - (at - begin), begin, at - begin)
        chunks.set_span(words, chunk, target - (at - begin), end)
    return found


@kernel
def remove_equal(words, octets, root, start, size, most, side):
    """Remove up to `most` elements equal to a text, from one end on; return how many there were."""
    found = 0
    place = last_place(words, root, side)
    while found < most and 0 <= place < places(words, root):
        chunk = chunk_at(words, root, place)
        here = purge(words, octets, root, chunk, start, size, most - found, side)
        gone = False
        if here:
            found += here
            note_count(words, root, place)
            gone = tidy(words, octets, root, place, side)
        if side == RIGHT:
            place -= 1
        elif not gone:
            place += 1
    return found


@kernel
def trim(words, octets, root, side, count):
    """Remove `count` elements at one end, which must not be all of them."""
    while count:
        place = last_place(words, root, side)
        chunk = chunk_at(words, root, place)
        inside = chunks.count_of(words, chunk)
        if inside > count:
            trim_chunk(words, octets, root, chunk, side, count)
            tidy(words, octets, root, place, RIGHT if side == LEFT else LEFT)
            return
        words[root + COUNT] -= inside
        words[root + BYTES] -= chunks.weight_of(words, octets, chunk)
        chunks.free_boxes(words, octets, chunk)
        drop_place(words, octets, root, place)
        arena.release(words, chunk)
        count -= inside


@kernel
def trim_chunk(words, octets, root, chunk, side, count):
    """Remove `count` entries at one side of a chunk, which must not be all of them."""
    begin, end = chunks.begin_of(words, chunk), chunks.end_of(words, chunk)
    for _ in range(count):
        if side == LEFT:
            at = begin
            begin += entries.size_at(octets, at)
        else:
            end -= entries.size_before(octets, end)
            at = end
        forget(words, octets, root, chunk, at)
    chunks.set_span(words, chunk, begin, end)


@kernel
def fit(words, octets, root):
    """Put the only chunk of a list into a smaller block if a quarter of it would do."""
    chunk = words[root + TOP]
    if chunk > 0 and chunks.capacity_of(words, chunk) > max(FIT_MIN, 4 * chunks.used_of(words, chunk)):
        ends.refitted(words, octets, root, 0, 0)
