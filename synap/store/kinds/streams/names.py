"""Lists of records with names, in the order of the names: the groups of a stream, the consumers of a group.

    list     three words: ref of the block with the refs of the records, their number, its capacity
    record   the size of its name in its first word, the name behind its words

A record has as many words before its name as its kind says: `head`.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move, order
from synap.store.memory import arena
from synap.store.memory.layout import WORD

REFS, COUNT, CAPACITY, LIST_WORDS = range(4)
NAME_SIZE = 0  # of a record
_CAPACITY_MIN = 2


@kernel
def record_at(words, names, i):
    """Return the i-th record of a list."""
    return words[words[names + REFS] + i]


@kernel
def name_at(record, head):
    """Return the octet at which the name of a record starts."""
    return (record + head) * WORD


@kernel
def find(words, octets, names, head, start, size):
    """Return (place, record) of a name in a list; the record is 0 if none has it, and the place is where it belongs."""
    low = 0
    high = words[names + COUNT]
    while low < high:
        middle = (low + high) >> 1
        record = record_at(words, names, middle)
        which = order(octets, name_at(record, head), words[record + NAME_SIZE], start, size)
        if which == 0:
            return middle, record
        if which < 0:
            low = middle + 1
        else:
            high = middle
    return low, 0


@kernel
def add(words, octets, names, i, head, start, size):
    """Add a record of zeros with a name at place i; return it, or 0 without memory."""
    count = words[names + COUNT]
    if count == words[names + CAPACITY]:
        wanted = max(_CAPACITY_MIN, 2 * count)
        refs = arena.allocate(words, wanted)
        if refs == 0:
            return 0
        if count:
            move(octets, refs * WORD, words[names + REFS] * WORD, count * WORD)
            arena.release(words, words[names + REFS])
        words[names + REFS] = refs
        words[names + CAPACITY] = wanted
    record = arena.allocate(words, head + ((size + WORD - 1) >> 3))
    if record == 0:
        return 0
    for j in range(head):
        words[record + j] = 0
    words[record + NAME_SIZE] = size
    move(octets, name_at(record, head), start, size)
    at = words[names + REFS] + i
    move(octets, (at + 1) * WORD, at * WORD, (count - i) * WORD)
    words[at] = record
    words[names + COUNT] = count + 1
    return record


@kernel
def remove(words, octets, names, i):
    """Free the i-th record of a list, and with the last one the list."""
    arena.release(words, record_at(words, names, i))
    words[names + COUNT] -= 1
    at = words[names + REFS] + i
    move(octets, at * WORD, (at + 1) * WORD, (words[names + COUNT] - i) * WORD)
    if words[names + COUNT] == 0:
        arena.release(words, words[names + REFS])
        words[names + REFS] = words[names + CAPACITY] = 0
