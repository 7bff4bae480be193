"""Rows of toys: TOYADD, TOYSUM, over a chain of blocks with one number each, in the order of their addition.

    root     first block | last block | number of blocks
    block    next block | number
"""

from synap.compiler.jit import kernel
from synap.store.memory import arena
from synap.store.memory.kinds import TOY
from synap.store.memory.layout import BROKEN, CHANGED, NUMBER
from synap.store.memory.refusals import KEY_EXISTS, WRONG_TYPE
from synap.store.memory.tapes import first_item, set_scalar
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.records.pieces import follows, loaded
from synap.store.slots import toys as slots

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
    h = keyspace.hash_text(words, octets, tape, slots.TOY_ADD_KEY)
    ref = key_access.claim(words, octets, tape, slots.TOY_ADD_KEY, h, TOY, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return BROKEN
    root = keyspace.root_of(words, ref)
    at = tape + first_item(words, tape, slot)
    for i in range(words[tape + slot]):
        if not append(words, root, words[at + i]):
            return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, words[root + COUNT])
    return NUMBER | CHANGED


@kernel
def add(words, octets, tape, now, reply):
    """Append numbers (TOYADD)."""
    return add_many(words, octets, tape, now, reply, slots.TOY_ADD_NUMBERS)


@kernel
def total(words, octets, tape, now, reply):
    """Reply with the sum of all numbers (TOYSUM)."""
    set_scalar(words, reply, 0)
    ref = key_access.find(words, octets, tape, slots.TOY_SUM_KEY, TOY, now)
    if ref == MISSING:
        return NUMBER
    if ref == OTHER_KIND:
        return WRONG_TYPE
    block = words[keyspace.root_of(words, ref) + FIRST]
    while block:
        words[reply] += words[block + VALUE]
        block = words[block + NEXT]
    return NUMBER


@kernel
def load(words, octets, tape, now, reply):
    """Load a piece of a toy from a snapshot: key, deadline, more (0: the first piece), numbers."""
    if not follows(words, octets, tape):
        return KEY_EXISTS
    return loaded(words, octets, tape, add_many(words, octets, tape, -1, reply, slots.TOY_LOAD_NUMBERS))
