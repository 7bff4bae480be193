"""Rows of toys: TOYADD, TOYSUM, over a chain of blocks with one number each, in the order of their addition.

    root     first block | last block | number of blocks
    block    next block | number
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena
from synap.store.memory.kinds import TOY
from synap.store.memory.layout import BROKEN, CHANGED, NUMBER
from synap.store.memory.refusals import KEY_EXISTS, WRONG_TYPE
from synap.store.memory.tapes import set_scalar
from synap.store.records import keyspace

FIRST, LAST, COUNT = range(3)
NEXT, VALUE = range(2)
BLOCK_WORDS = 2


@kernel
def append(words, root, number):
    """Append a number to the chain of this root; return False without memory."""
    block = arena.allocate(words, BLOCK_WORDS)
    if block == 0:
        return False
    words[block + NEXT] = 0
    words[block + VALUE] = number
    if words[root + COUNT]:
        words[words[root + LAST] + NEXT] = block
    else:
        words[root + FIRST] = block
    words[root + LAST] = block
    words[root + COUNT] += 1
    return True


@kernel
def add_many(words, octets, tape, now, reply, slot):
    """Append the numbers of the Many in this slot; reply with NUMBER: how many the toy holds."""
    h = keyspace.hash_text(words, octets, tape, 0)
    ref = keyspace.claim(words, octets, tape, 0, h, TOY, now)
    if ref == -1:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    at = tape + words[tape + slot + 1]
    for i in range(words[tape + slot]):
        if not append(words, root, words[at + i]):
            return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, words[root + COUNT])
    return NUMBER | CHANGED


@kernel
def add(words, octets, tape, now, reply):
    """Append numbers (TOYADD)."""
    return add_many(words, octets, tape, now, reply, 2)


@kernel
def total(words, octets, tape, now, reply):
    """Reply with the sum of all numbers (TOYSUM)."""
    set_scalar(words, reply, 0)
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref == 0:
        return NUMBER
    if keyspace.kind_of(words, ref) != TOY:
        return WRONG_TYPE
    block = words[keyspace.root_of(words, ref) + FIRST]
    while block:
        words[reply] += words[block + VALUE]
        block = words[block + NEXT]
    return NUMBER


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a toy from a snapshot: key, deadline, more (0: the first piece), numbers."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if (seat != 0) != (words[tape + 3] != 0):
        return KEY_EXISTS
    status = add_many(words, octets, tape, -1, reply, 4)
    if status == NUMBER | CHANGED and words[tape + 2] and not words[tape + 3]:
        seat = keyspace.locate_text(words, octets, tape, 0, h)
        if keyspace.set_deadline(words, octets, seat, words[tape + 2]) == 0:
            return BROKEN
    return status
