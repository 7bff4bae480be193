"""Rows that move messages to other queues: ready ones at once, dead letters at a rate.

A moved message keeps its id, priority, headers, group, time of expiry and history; its failures count from 0 again. It
goes behind the others of its priority, and its new queue must have a place for it.
"""

from synap.compiler.jit import kernel
from synap.ranges import REDRIVE_RATE_MAX
from synap.store.kinds.queues import extras, fifo_groups
from synap.store.kinds.queues.chains import detach, state_of
from synap.store.kinds.queues.holders import set_name
from synap.store.kinds.queues.message_ids import parse_id
from synap.store.kinds.queues.messages import hash_id, locate_message, open_queue, set_timer
from synap.store.kinds.queues.publishing import free_places
from synap.store.kinds.queues.queue_layout import (
    BLOCK_NAME,
    DEAD,
    DEAD_COUNT,
    DEADLINE,
    DEDUP_WORDS,
    EXPIRING_CAPACITY,
    FAILURES_MASK,
    FAILURES_SHIFT,
    GROUP_NAME_SIZE,
    GROUP_WORDS,
    GROUPS,
    ID_A,
    ID_B,
    IS_READY,
    MESSAGES,
    QUEUE_WORDS,
    READY_COUNT,
    REDRIVE_DONE,
    REDRIVE_FROM,
    REDRIVE_LEFT,
    REDRIVE_RATE,
    REDRIVE_TO,
    STATE,
)
from synap.store.kinds.queues.queues import begin_walk, first_ready, next_ready
from synap.store.memory import limits, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import BROKEN, CHANGED, NUMBER, PRESENT, QUEUES, SCRATCH, WORD
from synap.store.memory.refusals import (
    BAD_RATE,
    MESSAGE_MISSING,
    OUT_OF_MEMORY,
    POSITIVE_COUNT,
    QUEUE_MISSING,
    SAME_OBJECT,
    TARGET_MISSING,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import set_scalar, text_at, text_mark, text_size
from synap.store.records import keyspace, named_records, timers
from synap.store.slots import queues as slots

FULL_MS = 1000  # after so long dead letters are tried again that found no place in their new queue
_MOVED_BYTES = 16 * DEDUP_WORDS  # the most that a moved message takes: a slot of a table, a place in a heap, a group


@kernel
def change_queue(words, octets, source, target, message):
    """Move a message that is in no chain to the ready ones of another queue, or of its own; return False without
    memory."""
    words[message + STATE] &= ~(FAILURES_MASK << FAILURES_SHIFT)
    words[message + DEADLINE] = 0
    if source != target:
        tables.remove(
            words, octets, source + MESSAGES,
            locate_message(words, octets, source, words[message + ID_A], words[message + ID_B]),
        )  # fmt: skip
        expires = extras.expires_at(words, message)
        extras.leave_expiring(words, source, message)
        if not fifo_groups.change_queue(words, octets, source, target, message):
            return False
        tag = tables.tag_of_hash(hash_id(words, octets, (message + ID_A) * WORD))
        if not tables.insert(words, octets, target + MESSAGES, tag, message, 0):
            return False
        if expires and not extras.expire_at(words, octets, target, message, expires):
            return False
    fifo_groups.make_ready(words, target, message)
    return True


@kernel
def move(words, octets, tape, now, reply):
    """Move ready messages to another queue, in the order of their delivery; reply with NUMBER of them (QUEUE.MOVE).

    Without an id or a number all are moved, as far as the other queue has places.
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_MOVE_QUEUE)
    h, target = open_queue(words, octets, tape, slots.QUEUE_MOVE_TARGET)
    if queue == 0:
        return QUEUE_MISSING
    if target == 0:
        return TARGET_MISSING
    if queue == target:
        return SAME_OBJECT
    set_scalar(words, reply, 0)
    which = words[tape + slots.QUEUE_MOVE_WHICH]
    wanted = words[queue + READY_COUNT]
    if which == slots.QUEUE_MOVE_WHICH_IS_COUNT:
        wanted = words[tape + slots.QUEUE_MOVE_COUNT]
    if wanted < 0:
        return POSITIVE_COUNT
    chosen = 0
    if which == slots.QUEUE_MOVE_WHICH_IS_ID:
        start = text_at(words, tape, slots.QUEUE_MOVE_MESSAGE_ID)
        id_a, id_b, valid = parse_id(octets, start, text_size(words, tape, slots.QUEUE_MOVE_MESSAGE_ID))
        seat = locate_message(words, octets, queue, id_a, id_b) if valid else 0
        chosen = words[seat] & REF_MASK if seat else 0
        if chosen == 0 or state_of(words, chosen) != IS_READY:
            return MESSAGE_MISSING
        wanted = 1
    wanted = min(wanted, words[queue + READY_COUNT], max(free_places(words, target), 0))
    if wanted == 0:
        return NUMBER
    names = names_size(words, queue, chosen, wanted, now)
    if limits.lacks(words, wanted * _MOVED_BYTES + names + words[target + EXPIRING_CAPACITY] * 4 * WORD):
        return OUT_OF_MEMORY
    if not timers.reserve(words, octets, queue) or not timers.reserve(words, octets, target):
        return OUT_OF_MEMORY
    moved = 0
    while moved < wanted:
        message = chosen if chosen else first_ready(words, queue, now)
        if message == 0:
            break
        detach(words, queue, message)
        if not change_queue(words, octets, queue, target, message):
            return BROKEN
        moved += 1
    if not set_timer(words, octets, queue) or not set_timer(words, octets, target):
        return BROKEN
    if moved == 0:
        return NUMBER
    words[reply] = moved
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def names_size(words, queue, chosen, count, now):
    """Return the bytes that the groups of `count` messages take in another queue: of the message `chosen` if it is not
    0, else of those that are delivered first. Messages that become ready meanwhile are of the same groups."""
    if words[queue + GROUPS + tables.SLOTS] == 0:
        return 0
    size = 0
    begin_walk(words, queue, SCRATCH)
    for _ in range(count):
        message = chosen if chosen else next_ready(words, queue, SCRATCH, now)
        if message == 0:
            break
        group = fifo_groups.group_of(words, message)
        size += words[group + GROUP_NAME_SIZE] + (GROUP_WORDS + 1) * WORD if group else 0
    return size


@kernel
def redrive(words, octets, tape, now, reply):
    """Begin to move dead letters to a queue, at a rate, in place of what was begun before; or with STOP end it.

    Reply with NUMBER of those that are to be moved, or were left. Upkeep moves them (`redrive_due`).
    """
    _, queue = open_queue(words, octets, tape, slots.QUEUE_REDRIVE_QUEUE)
    if queue == 0:
        return QUEUE_MISSING
    left = words[queue + REDRIVE_LEFT]
    if words[tape + slots.QUEUE_REDRIVE_STOP]:
        set_scalar(words, reply, left)
        return end_redrive(words, octets, queue) if left else NUMBER
    name = slots.QUEUE_REDRIVE_QUEUE
    if text_mark(words, tape, slots.QUEUE_REDRIVE_TARGET) & PRESENT:
        name = slots.QUEUE_REDRIVE_TARGET
    _, target = open_queue(words, octets, tape, name)
    if target == 0:
        return TARGET_MISSING
    count = words[queue + DEAD_COUNT]
    if words[tape + slots.QUEUE_REDRIVE_HAS_COUNT]:
        count = min(count, words[tape + slots.QUEUE_REDRIVE_COUNT])
    rate = words[tape + slots.QUEUE_REDRIVE_RATE]
    if count < 0:
        return POSITIVE_COUNT
    if rate < words[tape + slots.QUEUE_REDRIVE_HAS_RATE] or rate > REDRIVE_RATE_MAX:
        return BAD_RATE
    set_scalar(words, reply, count)
    if count == 0:
        return end_redrive(words, octets, queue) if left else NUMBER
    if not timers.reserve(words, octets, queue):
        return OUT_OF_MEMORY
    if not set_name(words, octets, queue, REDRIVE_TO, text_at(words, tape, name), text_size(words, tape, name)):
        return OUT_OF_MEMORY
    words[queue + REDRIVE_LEFT] = count
    words[queue + REDRIVE_RATE] = rate
    words[queue + REDRIVE_FROM] = now
    words[queue + REDRIVE_DONE] = 0
    return NUMBER | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def end_redrive(words, octets, queue):
    """Move no more dead letters of a queue; return the status of the row."""
    for word in (REDRIVE_LEFT, REDRIVE_RATE, REDRIVE_FROM, REDRIVE_DONE):
        words[queue + word] = 0
    set_name(words, octets, queue, REDRIVE_TO, 0, -1)
    return NUMBER | CHANGED if set_timer(words, octets, queue) else BROKEN


@kernel
def redrive_due(words, octets, queue, most, now):
    """Move up to `most` dead letters whose time has come; return how many, 1 if only what is left has changed, -1
    without memory.

    If the other queue has no place, it is tried again after FULL_MS; if it is gone, nothing more is moved.
    """
    block = words[queue + REDRIVE_TO]
    if words[queue + REDRIVE_LEFT] == 0 or block == 0 or words[queue + REDRIVE_FROM] > now or most <= 0:
        return 0
    h = keyspace.hash_key(words, octets, QUEUE, (block + BLOCK_NAME) * WORD, words[block])
    seat = named_records.locate(words, octets, QUEUES, QUEUE_WORDS, h, (block + BLOCK_NAME) * WORD, words[block])
    target = words[seat] & REF_MASK if seat else 0
    rate = words[queue + REDRIVE_RATE]
    wanted = min(words[queue + REDRIVE_LEFT], most)
    if rate:
        wanted = min(wanted, (now - words[queue + REDRIVE_FROM]) * rate // 1000 + 1 - words[queue + REDRIVE_DONE])
    if wanted <= 0:
        return 0
    moved = 0
    while target and moved < wanted and words[queue + DEAD] and (target == queue or free_places(words, target) > 0):
        message = words[queue + DEAD]
        detach(words, queue, message)
        if not change_queue(words, octets, queue, target, message):
            return -1
        moved += 1
    words[queue + REDRIVE_LEFT] -= moved
    words[queue + REDRIVE_DONE] += moved
    if moved:
        if not set_timer(words, octets, target):
            return -1
        keyspace.touched(words, octets, h)
    if words[queue + REDRIVE_LEFT] == 0 or words[queue + DEAD] == 0 or target == 0:
        if end_redrive(words, octets, queue) == BROKEN:
            return -1
    elif moved < wanted:
        words[queue + REDRIVE_FROM] = now + FULL_MS
        words[queue + REDRIVE_DONE] = 0
    return max(moved, 1)
