"""Timers: which queue or room has something to do next, and when. One heap for all of them.

A record has one timer, which is due at the earliest of whatever it waits for (a lease that runs out, a
delayed message, an event that has grown old). Nothing is looked at before that: a thousand idle queues
cost nothing. The heap is not part of the logical state, it follows from it.
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
    """(a heap's block with room for one more entry, its room); the block is 0 without memory."""
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
    """Let the record's timer be due at `due` (ms; NEVER: it has none). False without memory."""
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
