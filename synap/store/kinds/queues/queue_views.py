"""Rows that show messages of a queue and lease none: dead letters, delayed ones, and those that are ready next."""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.queues.extras import cause_size
from synap.store.kinds.queues.message_ids import ID_TEXT_BYTES, print_id
from synap.store.kinds.queues.messages import add_parts, open_queue, texts_size
from synap.store.kinds.queues.queue_layout import (
    CAUSE,
    DEAD,
    DEAD_COUNT,
    DELAYED,
    DELAYED_COUNT,
    EXTRAS,
    FAILED_AT,
    FAILURE_COUNT,
    FAILURE_FIRST,
    FAILURE_ITEMS,
    FAILURE_NEXT,
    FAILURE_SIZES,
    FAILURE_WORDS,
    ID_A,
    ID_B,
    MESSAGE_ITEMS,
    NEXT,
    READY,
    READY_COUNT,
    SERIAL,
)
from synap.store.kinds.queues.queues import NAMES, begin_walk, next_ready
from synap.store.memory import arena
from synap.store.memory.layout import EMPTY, FULL, ITEM, MARK_ARRAY, MARK_MAP, MARK_NAME, SCRATCH, WORD
from synap.store.memory.refusals import OUT_OF_MEMORY, POSITIVE_COUNT, QUEUE_MISSING
from synap.store.memory.tapes import add_mark, add_nil, add_number, add_text, fits, set_scalar
from synap.store.slots import queues as slots

SHOWN = 100  # messages in a reply to a call without a limit
DELAYED_SHOWN_MAX = 1000  # delayed messages in one reply: each is found among those before it


@kernel
def wanted(words, tape):
    """Return how many messages a call wants; -1 if it asks for fewer than none. The rows have the same slots."""
    most = words[tape + slots.QUEUE_DEAD_COUNT] if words[tape + slots.QUEUE_DEAD_HAS_COUNT] else SHOWN
    return max(most, -1)


@kernel
def history_count(words, message):
    """Return how many failures the history of a message has."""
    return words[words[message + EXTRAS] + FAILURE_COUNT] if words[message + EXTRAS] else 0


@kernel
def history_size(words, message):
    """Return the bytes of the texts of a message's history in a reply."""
    size = 0
    entry = words[words[message + EXTRAS] + FAILURE_FIRST] if words[message + EXTRAS] else 0
    while entry:
        size += WORD + (words[entry + FAILURE_SIZES] >> 32) + (words[entry + FAILURE_SIZES] & 0xFFFFFFFF)
        entry = words[entry + FAILURE_NEXT]
    return size


@kernel
def add_text_or_nil(words, reply, at, size):
    """Add a text to the reply, or nil in place of an empty one."""
    if size:
        add_text(words, reply, at, size, 0)
    else:
        add_nil(words, reply)


@kernel
def add_history(words, reply, message):
    """Add the history of a message to the reply, oldest failure first: time, cause, consumer, reason."""
    add_mark(words, reply, MARK_NAME, NAMES)
    add_mark(words, reply, MARK_ARRAY, history_count(words, message))
    entry = words[words[message + EXTRAS] + FAILURE_FIRST] if words[message + EXTRAS] else 0
    while entry:
        who, why = words[entry + FAILURE_SIZES] >> 32, words[entry + FAILURE_SIZES] & 0xFFFFFFFF
        text = (entry + FAILURE_WORDS) * WORD
        add_mark(words, reply, MARK_MAP, 4)
        add_mark(words, reply, MARK_NAME, NAMES + 1)
        add_number(words, reply, words[entry + FAILED_AT])
        add_mark(words, reply, MARK_NAME, NAMES + 2)
        add_text(words, reply, (entry + CAUSE) * WORD, cause_size(words[entry + CAUSE]), 0)
        add_mark(words, reply, MARK_NAME, NAMES + 3)
        add_text_or_nil(words, reply, text, who)
        add_mark(words, reply, MARK_NAME, NAMES + 4)
        add_text_or_nil(words, reply, text + who, why)
        entry = words[entry + FAILURE_NEXT]


@outlined
def show(words, octets, reply, chosen, count, dead):
    """Reply with the messages whose refs are the first words of a block, as `consume` does; without any with EMPTY.

    Dead letters have their history, too.
    """
    if count == 0:
        return EMPTY
    size, items = 0, 1
    for i in range(count):
        size += texts_size(words, words[chosen + i]) + ID_TEXT_BYTES
        items += MESSAGE_ITEMS
        if dead:
            size += history_size(words, words[chosen + i])
            items += 2 + FAILURE_ITEMS * history_count(words, words[chosen + i])
    if not fits(words, items, size):
        return FULL
    block = arena.allocate(words, (count * ID_TEXT_BYTES + 7) >> 3)  # the texts of the ids, until they are written
    if block == 0:
        return OUT_OF_MEMORY
    arena.release_later(words, block)
    set_scalar(words, reply, count)
    add_mark(words, reply, MARK_ARRAY, count)
    at = block * 8
    for i in range(count):
        message = words[chosen + i]
        print_id(octets, at, words[message + ID_A], words[message + ID_B])
        add_parts(words, reply, message, at, 0, NAMES + dead)
        if dead:
            add_history(words, reply, message)
        at += ID_TEXT_BYTES
    return ITEM


@kernel
def list_chain(words, queue, chain, chosen, count, most):
    """Append the first messages of a chain to the `count` that are chosen, up to `most`; return their number."""
    message = words[queue + chain]
    while message and count < most:
        words[chosen + count] = message
        count += 1
        message = words[message + NEXT]
    return count


@kernel
def dead(words, octets, tape, now, reply):
    """Reply with the first dead letters (QUEUE.DEAD)."""
    return shown(words, octets, tape, now, reply, slots.QUEUE_DEAD_QUEUE, DEAD)


@kernel
def peek(words, octets, tape, now, reply):
    """Reply with the messages that are ready next, and leave them where they are (QUEUE.PEEK)."""
    return shown(words, octets, tape, now, reply, slots.QUEUE_PEEK_QUEUE, READY)


@kernel
def delayed(words, octets, tape, now, reply):
    """Reply with the delayed messages that will be ready first (QUEUE.DELAYED)."""
    return shown(words, octets, tape, now, reply, slots.QUEUE_DELAYED_QUEUE, DELAYED)


@outlined
def shown(words, octets, tape, now, reply, slot, which):
    """Reply with the first messages that a queue has in a chain, in those of all priorities (READY), or DELAYED."""
    _, queue = open_queue(words, octets, tape, slot)
    if queue == 0:
        return QUEUE_MISSING
    most = wanted(words, tape)
    if most < 0:
        return POSITIVE_COUNT
    held = words[queue + DELAYED_COUNT] if which == DELAYED else held_in(words, queue, which)
    most = min(most, held)
    if which == DELAYED:
        most = min(most, DELAYED_SHOWN_MAX)
    set_scalar(words, reply, 0)
    if most == 0:
        return EMPTY
    chosen = arena.allocate(words, 2 * most + 2)
    if chosen == 0:
        return OUT_OF_MEMORY
    count = 0
    if which == DELAYED:
        count = first_delayed(words, queue, chosen, most)
    elif which == DEAD:
        count = list_chain(words, queue, DEAD, chosen, count, most)
    else:
        count = first_delivered(words, queue, chosen, most, now)
    status = show(words, octets, reply, chosen, count, 1 if which == DEAD else 0)
    arena.release(words, chosen)
    return status


@kernel
def first_delivered(words, queue, chosen, most, now):
    """Write the refs of the ready messages that are delivered first, up to `most`, to `chosen`; return their number."""
    begin_walk(words, queue, SCRATCH)
    count = 0
    while count < most:
        message = next_ready(words, queue, SCRATCH, now)
        if message == 0:
            break
        words[chosen + count] = message
        count += 1
    return count


@kernel
def held_in(words, queue, which):
    """Return the number of messages that are ready, or dead letters."""
    return words[queue + DEAD_COUNT] if which == DEAD else words[queue + READY_COUNT]


@kernel
def comes_before(words, heap, i, j):
    """Return True if entry i of the heap of delayed messages comes before entry j."""
    a, b = heap + 2 * i, heap + 2 * j
    if words[a] != words[b]:
        return words[a] < words[b]
    return words[words[a + 1] + SERIAL] < words[words[b + 1] + SERIAL]


@kernel
def first_delayed(words, queue, chosen, most):
    """Write the refs of the first delayed messages in their order to `chosen`; return their number.

    Of a heap, the entry behind those that are found is a child of one of them. These candidates stand in order behind
    the place of the refs; there are at most `most` + 1.
    """
    heap = words[queue + DELAYED]
    frontier = chosen + most
    words[frontier] = 0
    candidates = 1
    for found in range(most):
        first = words[frontier]
        words[chosen + found] = words[heap + 2 * first + 1]
        candidates -= 1
        for i in range(candidates):
            words[frontier + i] = words[frontier + i + 1]
        for child in (2 * first + 1, 2 * first + 2):
            if child >= words[queue + DELAYED_COUNT]:
                continue
            i = candidates
            while i > 0 and comes_before(words, heap, child, words[frontier + i - 1]):
                words[frontier + i] = words[frontier + i - 1]
                i -= 1
            words[frontier + i] = child
            candidates += 1
    return most
