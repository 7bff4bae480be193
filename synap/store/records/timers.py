"""Timers: one heap of the times at which queues and rooms have something due.

A record has one timer, at the earliest of its due times (a lease that ends, a delayed message, an event that reaches
its age limit). No record is examined before that: a thousand idle queues cost nothing. The heap is not part of the
logical state, it follows from it.
"""

from synap.compiler.jit import kernel
from synap.kernels import heaps
from synap.kernels.spans import move
from synap.store.memory import arena
from synap.store.memory.layout import TIMERS, TIMERS_COUNT, TIMERS_DUE, TIMERS_ROOM
from synap.store.records.named_records import KIND, TIMER

NEVER = (1 << 63) - 1
ROOM_FIRST = 16


@kernel
def grow(words, octets, block, count, room):
    """Return (a heap's block with space for one more entry, its capacity); the block is 0 without memory.

    `count` and `room` are the entries and the capacity of the heap in `block`.
    """
    if count < room:
        return block, room
    wanted = max(ROOM_FIRST, 2 * room)
    grown = arena.allocate(words, 2 * wanted)
    if grown == 0:
        return 0, room
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
        block, room = grow(words, octets, words[TIMERS], count, words[TIMERS_ROOM])
        if block == 0:
            return False
        words[TIMERS] = block
        words[TIMERS_ROOM] = room
        heaps.push(words, block, count, due, record, TIMER, KIND)
        words[TIMERS_COUNT] = count + 1
    elif place and due == NEVER:
        heaps.remove(words, words[TIMERS], count, place - 1, TIMER, KIND)
        words[TIMERS_COUNT] = count - 1
    elif place and words[words[TIMERS] + 2 * (place - 1)] != due:
        heaps.change(words, words[TIMERS], count, place - 1, due, TIMER, KIND)
    words[TIMERS_DUE] = words[words[TIMERS]] if words[TIMERS_COUNT] else NEVER
    return True
