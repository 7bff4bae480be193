"""Timers: one heap of the times at which queues, rooms, topics and consumer groups have something due.

A record has one timer, at the earliest of its due times (the end of a lease or session, a delayed message, an event at
its age limit). No record is examined before that: a thousand idle queues cost nothing. The heap is not part of the
logical state, it follows from it.
"""

from synap.compiler.jit import kernel
from synap.kernels import heaps
from synap.kernels.spans import move
from synap.store.memory import arena, limits
from synap.store.memory.layout import TIMERS, TIMERS_CAPACITY, TIMERS_COUNT, TIMERS_DUE, WORD
from synap.store.records.named_records import KIND, TIMER

NEVER = (1 << 63) - 1
CAPACITY_FIRST = 16


@kernel
def larger(capacity):
    """Return the capacity of a heap that has grown."""
    return max(CAPACITY_FIRST, 2 * capacity)


@kernel
def lacks_memory(words, count, capacity):
    """Return True if a heap of so many entries has no space for one more, and there is no memory for it."""
    return count == capacity and limits.lacks(words, 2 * WORD * larger(capacity))


@kernel
def reserve(words, octets, record):
    """Make sure that `set_timer` finds memory for the timer of a record; return False without memory."""
    if words[record + TIMER]:
        return True
    block, capacity = grow(words, octets, words[TIMERS], words[TIMERS_COUNT], words[TIMERS_CAPACITY])
    if block:
        words[TIMERS] = block
        words[TIMERS_CAPACITY] = capacity
    return block != 0


@kernel
def grow(words, octets, block, count, capacity):
    """Return (a heap's block with space for one more entry, its capacity); the block is 0 without memory.

    `count` and `capacity` are the entries and the capacity of the heap in `block`.
    """
    if count < capacity:
        return block, capacity
    wanted = larger(capacity)
    grown = arena.allocate(words, 2 * wanted)
    if grown == 0:
        return 0, capacity
    if block:
        move(octets, grown * 8, block * 8, 16 * count)
        arena.release(words, block)
    return grown, wanted


@kernel
def set_timer(words, octets, record, due):
    """Set the record's timer to `due` (ms; NEVER: no timer); return False without memory."""
    place = words[record + TIMER]
    count = words[TIMERS_COUNT]
    if place == 0 and due != NEVER:
        if not reserve(words, octets, record):
            return False
        heaps.push(words, words[TIMERS], count, due, record, TIMER, KIND)
        words[TIMERS_COUNT] = count + 1
    elif place and due == NEVER:
        heaps.remove(words, words[TIMERS], count, place - 1, TIMER, KIND)
        words[TIMERS_COUNT] = count - 1
    elif place and words[words[TIMERS] + 2 * (place - 1)] != due:
        heaps.change(words, words[TIMERS], count, place - 1, due, TIMER, KIND)
    words[TIMERS_DUE] = words[words[TIMERS]] if words[TIMERS_COUNT] else NEVER
    return True
