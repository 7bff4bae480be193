"""The chunks of a list in their order: one chunk, or a directory of several.

    root        top | count | bytes                    top: 0, a chunk, or a directory (its ref, negative)
    directory   first | places << 32, capacity | an entry for each place, from `first` on
    entry       ref of the chunk | elements in it << 36

An element is found by its index without touching the chunks before it: the counts lie side by side, 200 elements
to a word. The counts of the chunks at both ends are not kept here, so pushing and popping do not touch the directory.
There is free space at either side of the entries; a new place moves the entries on its shorter side.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.lists.chunks import count_of
from synap.store.memory import arena
from synap.store.memory.layout import WORD
from synap.store.memory.tables import REF_BITS, REF_MASK

TOP, COUNT, BYTES = range(3)
SPAN, CAPACITY, ENTRIES = range(3)
HALF, HALF_MASK = 32, (1 << 32) - 1
PLACES_MIN = 6
LEFT, RIGHT = 0, 1


@kernel
def places(words, root):
    """Return the number of chunks of a list."""
    top = words[root + TOP]
    if top < 0:
        return words[-top + SPAN] >> HALF
    return 1 if top else 0


@kernel
def entry_of(words, directory, place):
    """Return the word of a directory that holds the entry of a place."""
    return directory + ENTRIES + (words[directory + SPAN] & HALF_MASK) + place


@kernel
def chunk_at(words, root, place):
    """Return the chunk at a place, counted from 0."""
    top = words[root + TOP]
    return top if top >= 0 else words[entry_of(words, -top, place)] & REF_MASK


@kernel
def last_place(words, root, side):
    """Return the place of the chunk at one end."""
    return 0 if side == LEFT else places(words, root) - 1


@kernel
def end_chunk(words, root, side):
    """Return the chunk at one end, 0 if there is none."""
    top = words[root + TOP]
    return top if top >= 0 else words[entry_of(words, -top, last_place(words, root, side))] & REF_MASK


@kernel
def set_place(words, root, place, chunk):
    """Put another chunk at a place, with the count that it has now."""
    top = words[root + TOP]
    if top < 0:
        words[entry_of(words, -top, place)] = chunk | count_of(words, chunk) << REF_BITS
    else:
        words[root + TOP] = chunk


@kernel
def note_count(words, root, place):
    """Write down how many elements the chunk at a place has now."""
    set_place(words, root, place, chunk_at(words, root, place))


@kernel
def resized(words, octets, directory, capacity, first):
    """Return a directory of another capacity with the same entries, which begin at `first`; 0 without memory."""
    target = arena.allocate(words, ENTRIES + capacity)
    if target:
        count = words[directory + SPAN] >> HALF
        words[target + SPAN] = first | count << HALF
        words[target + CAPACITY] = arena.capacity(words, target) - ENTRIES
        move(octets, entry_of(words, target, 0) * WORD, entry_of(words, directory, 0) * WORD, count * WORD)
        arena.release(words, directory)
    return target


@kernel
def with_space(words, octets, directory, side):
    """Return the directory, or a larger one in its place, with free space at this side; 0 without memory.

    A queue that grows at one end and shrinks at the other slides through its directory: as long as a quarter is free,
    all entries are moved to the other side, which costs a constant for each place that was added.
    """
    count = words[directory + SPAN] >> HALF
    capacity = words[directory + CAPACITY]
    if capacity - count < (count >> 2) + 1:
        larger = capacity + (capacity >> 1) + 1
        return resized(words, octets, directory, larger, larger - count if side == LEFT else 0)
    first = capacity - count if side == LEFT else 0
    target = directory + ENTRIES + first
    move(octets, target * WORD, entry_of(words, directory, 0) * WORD, count * WORD)
    words[directory + SPAN] = first | count << HALF
    return directory


@kernel
def add_place(words, octets, root, place, chunk):
    """Add a chunk, which gets the number `place`; return False without memory."""
    top = words[root + TOP]
    if top == 0:
        words[root + TOP] = chunk
        return True
    if top > 0:
        directory = arena.allocate(words, ENTRIES + PLACES_MIN)
        if directory == 0:
            return False
        words[directory + SPAN] = PLACES_MIN >> 1 | 1 << HALF
        words[directory + CAPACITY] = arena.capacity(words, directory) - ENTRIES
        words[root + TOP] = -directory
        set_place(words, root, 0, top)
    directory = -words[root + TOP]
    count = words[directory + SPAN] >> HALF
    first = words[directory + SPAN] & HALF_MASK
    side = LEFT if place * 2 < count else RIGHT
    space = first if side == LEFT else words[directory + CAPACITY] - first - count
    if space == 0:
        directory = with_space(words, octets, directory, side)
        if directory == 0:
            return False
        words[root + TOP] = -directory
        first = words[directory + SPAN] & HALF_MASK
    start = (directory + ENTRIES + first) * WORD
    if side == LEFT:
        first -= 1
        move(octets, start - WORD, start, place * WORD)
    else:
        move(octets, start + (place + 1) * WORD, start + place * WORD, (count - place) * WORD)
    words[directory + SPAN] = first | (count + 1) << HALF
    set_place(words, root, place, chunk)
    if place == 0:
        note_count(words, root, 1)  # of the chunk that was at the end until now
    elif place == count:
        note_count(words, root, place - 1)
    return True


@kernel
def drop_place(words, octets, root, place):
    """Remove a place; its chunk is left to the caller."""
    top = words[root + TOP]
    if top >= 0:
        words[root + TOP] = 0
        return
    directory = -top
    count = (words[directory + SPAN] >> HALF) - 1
    first = words[directory + SPAN] & HALF_MASK
    start = (directory + ENTRIES + first) * WORD
    if place * 2 < count:
        move(octets, start + WORD, start, place * WORD)
        first += 1
    else:
        move(octets, start + place * WORD, start + (place + 1) * WORD, (count - place) * WORD)
    words[directory + SPAN] = first | count << HALF
    capacity = words[directory + CAPACITY]
    if count == 1:
        words[root + TOP] = words[entry_of(words, directory, 0)] & REF_MASK
        arena.release(words, directory)
    elif capacity > PLACES_MIN * 4 and count < capacity >> 2:
        smaller = resized(words, octets, directory, capacity >> 1, ((capacity >> 1) - count) >> 1)
        if smaller:
            words[root + TOP] = -smaller


@kernel
def seek(words, root, index):
    """Return (place, chunk, index within the chunk) of the element at `index`, from 0 to the count less 1."""
    top = words[root + TOP]
    if top >= 0:
        return 0, top, index
    first = entry_of(words, -top, 0)
    last = first + (words[-top + SPAN] >> HALF) - 1
    chunk = words[first] & REF_MASK
    count = count_of(words, chunk)
    if index < count:
        return 0, chunk, index
    chunk = words[last] & REF_MASK
    behind = words[root + COUNT] - index  # elements from this one to the last
    if behind <= count_of(words, chunk):
        return last - first, chunk, count_of(words, chunk) - behind
    if index * 2 < words[root + COUNT]:
        at = first + 1
        index -= count
        while index >= words[at] >> REF_BITS:
            index -= words[at] >> REF_BITS
            at += 1
    else:
        at = last - 1
        behind -= count_of(words, chunk)
        while behind > words[at] >> REF_BITS:
            behind -= words[at] >> REF_BITS
            at -= 1
        index = (words[at] >> REF_BITS) - behind
    return at - first, words[at] & REF_MASK, index
