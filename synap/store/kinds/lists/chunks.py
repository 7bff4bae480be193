"""Chunks: blocks that hold elements of a list, in a strip of entries with free space at either end.

    chunk     head | the strip
    head      begin, end of the entries (octets in the strip), their number, capacity of the strip: 16 bits each
              (12 for the capacity; the bit BOXES above it: a box may belong to one of the entries)

A chunk has up to 4 KiB. The first of a list starts as small as its first element allows and grows by quarters, so a
short list takes 2 bytes an element besides its bytes, and at most a quarter in free space.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists import entries
from synap.store.memory import arena
from synap.store.memory.layout import WORD

END, NUMBER, CAPACITY = 16, 32, 48  # shifts
PART = 0xFFFF
SPAN_MASK = (1 << NUMBER) - 1
CAPACITY_MASK = 0xFFF
BOXES = 1 << 60
ONE = 1 << NUMBER
CHUNK_WORDS_MIN, CHUNK_WORDS_MAX = 4, 512
STRIP_MAX = (CHUNK_WORDS_MAX - 1) * WORD


@kernel
def strip_at(chunk):
    """Return the octet at which a chunk's strip starts."""
    return (chunk + 1) * WORD


@kernel
def begin_of(words, chunk):
    """Return the octet at which the first entry of a chunk starts."""
    return strip_at(chunk) + (words[chunk] & PART)


@kernel
def end_of(words, chunk):
    """Return the octet behind the last entry of a chunk."""
    return strip_at(chunk) + ((words[chunk] >> END) & PART)


@kernel
def used_of(words, chunk):
    """Return the bytes of a chunk's entries."""
    return ((words[chunk] >> END) & PART) - (words[chunk] & PART)


@kernel
def count_of(words, chunk):
    """Return the number of a chunk's entries."""
    return (words[chunk] >> NUMBER) & PART


@kernel
def capacity_of(words, chunk):
    """Return the bytes of a chunk's strip."""
    return (words[chunk] >> CAPACITY) & CAPACITY_MASK


@kernel
def set_span(words, chunk, begin, end):
    """Set the octets at which a chunk's entries begin and end."""
    start = strip_at(chunk)
    words[chunk] = (words[chunk] & ~SPAN_MASK) | (end - start) << END | (begin - start)


@kernel
def new_chunk(words, size):
    """Allocate an empty chunk with a strip of at least `size` bytes; return its ref, or 0 without memory."""
    chunk = arena.allocate(words, max(1 + ((size + 7) >> 3), CHUNK_WORDS_MIN))
    if chunk:
        words[chunk] = ((arena.capacity(words, chunk) - 1) * WORD) << CAPACITY
    return chunk


@kernel
def grown(used, need):
    """Return the bytes of the strip of a chunk that has `used` bytes of entries and gets `need` more."""
    return min(used + need + (used >> 2), STRIP_MAX)


@kernel
def entry_in(words, octets, chunk, index):
    """Return the octet of the entry with this index in a chunk, found from the nearer end."""
    count = count_of(words, chunk)
    if index * 2 <= count:
        at = begin_of(words, chunk)
        for _ in range(index):
            at += entries.size_at(octets, at)
        return at
    at = end_of(words, chunk)
    for _ in range(count - index):
        at -= entries.size_before(octets, at)
    return at


@kernel
def weight_of(words, octets, chunk):
    """Return the bytes of a chunk's entries and of their elements in boxes."""
    total = used_of(words, chunk)
    if words[chunk] & BOXES:
        at, end = begin_of(words, chunk), end_of(words, chunk)
        while at < end:
            if entries.box_of(octets, at):
                total += entries.element(words, octets, at)[1]
            at += entries.size_at(octets, at)
    return total


@kernel
def free_boxes(words, octets, chunk):
    """Free the boxes of a chunk; return how many there were."""
    found = 0
    if words[chunk] & BOXES:
        at, end = begin_of(words, chunk), end_of(words, chunk)
        while at < end:
            box = entries.box_of(octets, at)
            if box:
                arena.release(words, box)
                found += 1
            at += entries.size_at(octets, at)
    return found


@kernel
def take_over(words, octets, target, source, at, end):
    """Append the entries from `at` to `end` of the chunk `source` to another, which has the space; leave them there."""
    place = end_of(words, target)
    move(octets, place, at, end - at)
    set_span(words, target, begin_of(words, target), place + end - at)
    words[target] |= words[source] & BOXES
