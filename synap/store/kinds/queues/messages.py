"""Messages of queues: their blocks, the chain or heap that each is in, and the consumers that hold them.

    queue      settings, counters, chains, table of messages by id, table of holders, heap of the delayed, name
    message    chain links, id (16 octets), state, deadline, created, payload, size of the headers with the number of
               deliveries above it, holder
    holder     a consumer that holds messages: their number, its name

A message is in one chain of its queue: *ready* (one chain for each priority), *leased* (in order of deadline: a queue
has one ack deadline and engine time does not go back, so new leases belong at the end) or *dead*; or it is
*delayed*, in a heap by the time at which it will be ready. The timer of a queue is due when its first lease ends or
its first delayed message becomes ready.

Each delivery of a message has a *receipt*: the id, a colon, and the number of the delivery. An ack, nack or renewal by
a receipt concerns this delivery and no later one.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels import heaps
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import move, same
from synap.ranges import MESSAGE_RETRIES_MAX, PRIORITY_MAX
from synap.store.kinds.queues.message_ids import ID_BYTES, ID_TEXT_BYTES
from synap.store.memory import arena, tables
from synap.store.memory.kinds import QUEUE
from synap.store.memory.layout import HOLDER, KEY_A, KEY_B, MARK_BITS, MARK_MAP, MARK_NAME, PRESENT, QUEUES, SCRATCH
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_field, add_mark, add_nil, add_text, text_at, text_mark, text_size
from synap.store.records import keyspace, named_records, timers
from synap.store.records.state_hash import mix
from synap.store.records.timers import NEVER

# Words of a queue; NAME_SIZE, TIMER and KIND (14, 15) as in named_records.py.
NAME_SIZE, DEPTH_MAX, ACK_DEADLINE_MS, RETRIES_MAX, PRIORITY = range(5)
READY_COUNT, LEASED_COUNT, DEAD_COUNT = 5, 6, 7
PUBLISHED, CONSUMED, ACKED, NACKED, DEAD_LETTERED, CONSUMERS = range(8, 14)
READY, LEASED, DEAD = 16, 36, 38  # chains: (first, last) each; READY is ten of them
MESSAGES, HOLDERS = 40, 48  # tables
DELAYED, DELAYED_COUNT, DELAYED_CAPACITY = 56, 57, 58  # a heap of messages by DEADLINE, then SERIAL
PREFETCH_MAX = 59  # messages that one consumer may hold; 0: no limit
BACKOFF, BACKOFF_MS, BACKOFF_MAX_MS, JITTER = 60, 61, 62, 63  # how long a failed message waits; see `backoff_of`
PAUSED = 64  # 1: nothing is delivered
DELAYS = 65  # the greatest number of a delayed message
QUEUE_WORDS = 66
LATER_SAVED = 6  # words from BACKOFF on that a snapshot holds, besides PREFETCH_MAX and STATS
STATS = 14  # words up to CONSUMERS; a snapshot holds those behind NAME_SIZE

# Words of a message.
NEXT, PREV, ID_A, ID_B, STATE, DEADLINE, CREATED, PAYLOAD, HEADERS, HELD_BY, MESSAGE_WORDS = range(11)
PLACE, SERIAL = NEXT, PREV  # of a delayed message: its entry in the heap + 1, its number among the published
IS_READY, IS_LEASED, IS_DEAD, IS_DELAYED = 0, 1, 2, 3
HOLDING, HOLDER_NAME_SIZE, HOLDER_WORDS = range(3)
PRIORITY_SHIFT, FAILURES_SHIFT, LIMIT_SHIFT = 8, 16, 40
FAILURES_MASK = (1 << 24) - 1
DELIVERIES_SHIFT, HEADERS_MASK = 32, (1 << 32) - 1  # in the word HEADERS
LINEAR, EXPONENTIAL = 2, 3  # in BACKOFF; 1: always the same, 0: no back-off
LINEAR_MAX, DOUBLED_MAX, BACKOFF_LONGEST_MS = 1 << 20, 40, 1 << 40
MESSAGE_ITEMS = 19  # items of the reply for one message: the mark of a map, nine names and values


@inlined
def open_queue(words, octets, tape, slot):
    """Return (hash, queue) of the name in this slot of a tape; the queue is 0 if none has this name."""
    return named_records.open_record(words, octets, QUEUE, QUEUES, QUEUE_WORDS, tape, slot)


@kernel
def make_queue(words, octets, h, tape, slot):
    """Create an empty queue with the name in this slot of a tape; return it, or 0 without memory."""
    queue = named_records.make(words, octets, QUEUE, QUEUES, QUEUE_WORDS, h, tape, slot)
    if queue:
        tables.open_table(words, octets, queue + MESSAGES, tables.SIZE_MIN)
        tables.open_table(words, octets, queue + HOLDERS, tables.SIZE_MIN)
    return queue


@kernel
def hash_id(words, octets, start):
    """Return the hash of a message's id."""
    return keyed_hash(octets, start, ID_BYTES, words[KEY_A], words[KEY_B])


@kernel
def locate_message(words, octets, queue, id_a, id_b):
    """Return the index in `words` of the slot of the message with this id, or 0."""
    words[SCRATCH] = id_a
    words[SCRATCH + 1] = id_b
    tag = tables.tag_of_hash(hash_id(words, octets, SCRATCH * 8))
    at = tables.seek_in(words, queue + MESSAGES, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        message = slot & REF_MASK
        if words[message + ID_A] == id_a and words[message + ID_B] == id_b:
            return at
        at += 1
        slot = words[at]
    return 0


@kernel
def chain_of(words, queue, message):
    """Return the chain for a message in its state."""
    state = words[message + STATE] & 0xFF
    if state == IS_LEASED:
        return queue + LEASED
    if state == IS_DEAD:
        return queue + DEAD
    return queue + READY + 2 * ((words[message + STATE] >> PRIORITY_SHIFT) & 0xFF)


@kernel
def append(words, queue, message):
    """Add a message at the end of the chain of its state."""
    chain = chain_of(words, queue, message)
    last = words[chain + 1]
    words[message + NEXT] = 0
    words[message + PREV] = last
    if last:
        words[last + NEXT] = message
    else:
        words[chain] = message
    words[chain + 1] = message
    words[queue + READY_COUNT + (words[message + STATE] & 0xFF)] += 1


@kernel
def detach(words, queue, message):
    """Remove a message from the chain of its state."""
    chain = chain_of(words, queue, message)
    before = words[message + PREV]
    after = words[message + NEXT]
    if before:
        words[before + NEXT] = after
    else:
        words[chain] = after
    if after:
        words[after + PREV] = before
    else:
        words[chain + 1] = before
    words[queue + READY_COUNT + (words[message + STATE] & 0xFF)] -= 1


@kernel
def set_state(words, queue, message, state):
    """Move a message to the end of the chain of another state."""
    detach(words, queue, message)
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | state
    append(words, queue, message)


@kernel
def hold(words, octets, queue, message, start, size):
    """Record the consumer to which a message is leased; return False without memory."""
    h = keyspace.hash_key(words, octets, HOLDER, start, size)
    tag = tables.tag_of_hash(h)
    holder = find_holder(words, octets, queue, tag, start, size)
    if holder == 0:
        holder = arena.allocate(words, HOLDER_WORDS + ((size + 7) >> 3))
        if holder == 0:
            return False
        words[holder + HOLDING] = 0
        words[holder + HOLDER_NAME_SIZE] = size
        move(octets, (holder + HOLDER_WORDS) * 8, start, size)
        if not tables.insert(words, octets, queue + HOLDERS, tag, holder, 0):
            arena.release(words, holder)
            return False
        words[queue + CONSUMERS] += 1
    words[holder + HOLDING] += 1
    words[message + HELD_BY] = holder
    return True


@kernel
def find_holder(words, octets, queue, tag, start, size):
    """Return the holder with this name, or 0."""
    at = tables.seek_in(words, queue + HOLDERS, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        holder = slot & REF_MASK
        if words[holder + HOLDER_NAME_SIZE] == size and same(octets, (holder + HOLDER_WORDS) * 8, start, size):
            return holder
        at += 1
        slot = words[at]
    return 0


@kernel
def end_hold(words, octets, queue, message):
    """End the hold of a consumer on a message; remove the holder when it holds no other."""
    holder = words[message + HELD_BY]
    words[message + HELD_BY] = 0
    words[holder + HOLDING] -= 1
    if words[holder + HOLDING]:
        return
    name = (holder + HOLDER_WORDS) * 8
    tag = tables.tag_of_hash(keyspace.hash_key(words, octets, HOLDER, name, words[holder + HOLDER_NAME_SIZE]))
    at = tables.seek_in(words, queue + HOLDERS, tag)
    while words[at] & REF_MASK != holder:
        at += 1
    tables.remove(words, octets, queue + HOLDERS, at)
    arena.release(words, holder)
    words[queue + CONSUMERS] -= 1


@kernel
def has_place_for_delay(words, octets, queue):
    """Make sure that all leased messages of a queue with a back-off, and one more, may be delayed; return False without
    memory."""
    wanted = words[queue + DELAYED_COUNT] + words[queue + LEASED_COUNT] + 1
    while words[queue + BACKOFF] and words[queue + DELAYED_CAPACITY] < wanted:
        capacity = words[queue + DELAYED_CAPACITY]
        block, capacity = timers.grow(words, octets, words[queue + DELAYED], capacity, capacity)
        if block == 0:
            return False
        words[queue + DELAYED] = block
        words[queue + DELAYED_CAPACITY] = capacity
    return True


@kernel
def lacks_place_for_delay(words, queue):
    """Return True if one more message may not be delayed: the heap has to grow, and there is no memory."""
    taken = words[queue + DELAYED_COUNT]
    if words[queue + BACKOFF]:
        taken += words[queue + LEASED_COUNT]
    return timers.lacks_memory(words, taken, words[queue + DELAYED_CAPACITY])


@kernel
def delay(words, octets, queue, message, due):
    """Put a message that is in no chain into the heap of delayed ones until `due`; return False without memory.

    Of those with the same time, the one that was delayed first is ready first.
    """
    words[queue + DELAYS] += 1
    words[message + SERIAL] = words[queue + DELAYS]
    return delay_as(words, octets, queue, message, due)


@kernel
def delay_as(words, octets, queue, message, due):
    """Put a message with its SERIAL into the heap of delayed ones until `due`; return False without memory.

    The places of the messages that are leased, see `has_place_for_delay`, stay free.
    """
    if not has_place_for_delay(words, octets, queue):
        return False
    block, capacity = timers.grow(words, octets, words[queue + DELAYED], words[queue + DELAYED_COUNT],
                              words[queue + DELAYED_CAPACITY])  # fmt: skip
    if block == 0:
        return False
    words[queue + DELAYED] = block
    words[queue + DELAYED_CAPACITY] = capacity
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | IS_DELAYED
    words[message + DEADLINE] = due
    heaps.push(words, block, words[queue + DELAYED_COUNT], due, message, PLACE, SERIAL)
    words[queue + DELAYED_COUNT] += 1
    return True


@kernel
def end_delay(words, queue, message):
    """Make a delayed message ready."""
    heaps.remove(words, words[queue + DELAYED], words[queue + DELAYED_COUNT], words[message + PLACE] - 1, PLACE, SERIAL)
    words[queue + DELAYED_COUNT] -= 1
    words[message + STATE] &= ~np.int64(0xFF)
    words[message + DEADLINE] = 0
    append(words, queue, message)


@kernel
def set_timer(words, octets, queue):
    """Set the queue's timer to its first due lease or delayed message; return False without memory."""
    due = np.int64(NEVER)
    if words[queue + LEASED]:
        due = words[words[queue + LEASED] + DEADLINE]
    if words[queue + DELAYED_COUNT]:
        due = min(due, words[words[queue + DELAYED]])
    return timers.set_timer(words, octets, queue, due)


@kernel
def headers_size(words, message):
    """Return the bytes of a message's headers."""
    return words[message + HEADERS] & HEADERS_MASK


@kernel
def deliveries_of(words, message):
    """Return how often a message was delivered."""
    return words[message + HEADERS] >> DELIVERIES_SHIFT


@kernel
def add_parts(words, reply, message, id_at, receipt):
    """Add a message to the reply: MESSAGE_ITEMS items. At octet `id_at` lies its id as text, or its receipt, which has
    so many bytes (0: it has none)."""
    size = words[message + PAYLOAD] >> MARK_BITS
    body = (message + MESSAGE_WORDS) * 8
    state = words[message + STATE]
    add_mark(words, reply, MARK_MAP, 9)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, id_at, ID_TEXT_BYTES, 0)
    add_mark(words, reply, MARK_NAME, 1)
    add_text(words, reply, body, size, words[message + PAYLOAD] & 0xFF)
    add_field(words, reply, 2, (state >> PRIORITY_SHIFT) & 0xFF)
    add_field(words, reply, 3, (state >> FAILURES_SHIFT) & FAILURES_MASK)
    add_field(words, reply, 4, (state >> LIMIT_SHIFT) & MESSAGE_RETRIES_MAX)
    add_mark(words, reply, MARK_NAME, 5)
    add_text(words, reply, body + size, headers_size(words, message), 1)
    add_field(words, reply, 6, words[message + CREATED])
    add_field(words, reply, 7, words[message + DEADLINE])
    add_mark(words, reply, MARK_NAME, 8)
    if receipt:
        add_text(words, reply, id_at, receipt, 0)
    else:
        add_nil(words, reply)


@kernel
def forget(words, octets, queue, message, later):
    """Remove a message that is in a chain from its queue; free it at once, or after the reply (`later`)."""
    detach(words, queue, message)
    seat = locate_message(words, octets, queue, words[message + ID_A], words[message + ID_B])
    tables.remove(words, octets, queue + MESSAGES, seat)
    if later:
        arena.release_later(words, message)
    else:
        arena.release(words, message)


@inlined
def make_message(words, octets, tape, payload, headers, queue, id_a, id_b):
    """Create a message with the texts in these two slots of a tape, and add it to the table of its queue.

    Return its ref, or 0 without memory. The caller sets its state and puts it into a chain or among the delayed.
    """
    size = text_size(words, tape, payload)
    headers_size = text_size(words, tape, headers)
    message = arena.allocate(words, MESSAGE_WORDS + ((size + headers_size + 7) >> 3))
    if message == 0:
        return 0
    words[message + ID_A] = id_a
    words[message + ID_B] = id_b
    words[message + DEADLINE] = 0
    words[message + PAYLOAD] = size << MARK_BITS | (text_mark(words, tape, payload) & ~PRESENT)
    words[message + HEADERS] = headers_size
    words[message + HELD_BY] = 0
    body = (message + MESSAGE_WORDS) * 8
    move(octets, body, text_at(words, tape, payload), size)
    move(octets, body + size, text_at(words, tape, headers), headers_size)
    tag = tables.tag_of_hash(hash_id(words, octets, (message + ID_A) * 8))
    return message if tables.insert(words, octets, queue + MESSAGES, tag, message, 0) else 0


@kernel
def add_message(words, octets, tape, payload, headers, queue, id_a, id_b, priority, limit, due, now):
    """Add a message with the texts in two slots of a tape, ready at `due` (0: now); return it, or 0 without memory.

    A priority or retry limit above the greatest is set to the greatest: publishing refuses it today, but older logs
    have it.
    """
    message = make_message(words, octets, tape, payload, headers, queue, id_a, id_b)
    if message == 0:
        return 0
    words[message + STATE] = (
        IS_READY | min(priority, PRIORITY_MAX) << PRIORITY_SHIFT | min(limit, MESSAGE_RETRIES_MAX) << LIMIT_SHIFT
    )
    words[message + CREATED] = now
    words[queue + PUBLISHED] += 1
    if due > now:
        if not delay(words, octets, queue, message, due):
            return 0
    else:
        append(words, queue, message)
    return message


@kernel
def backoff_of(words, queue, message, failures):
    """Return the ms that a message waits after so many failures: BACKOFF_MS, so many times as much (LINEAR), or twice
    as much after each (EXPONENTIAL); at most BACKOFF_MAX_MS, less a share of up to JITTER percent.

    The share is a hash of the id and the number, so that a replay finds the same.
    """
    wait = words[queue + BACKOFF_MS]
    if words[queue + BACKOFF] == LINEAR:
        wait = min(wait * min(failures, LINEAR_MAX), BACKOFF_LONGEST_MS)
    elif words[queue + BACKOFF] == EXPONENTIAL:
        for _ in range(min(failures - 1, DOUBLED_MAX)):
            wait = min(2 * wait, BACKOFF_LONGEST_MS)
    if words[queue + BACKOFF_MAX_MS]:
        wait = min(wait, words[queue + BACKOFF_MAX_MS])
    share = mix(mix(words[message + ID_A], words[message + ID_B]), failures) & 0xFFFF
    return wait - (wait * words[queue + JITTER] // 100 * share >> 16)


@kernel
def fail(words, octets, queue, message, again, now):
    """Count a failed delivery: move the message to the end of its priority, or to the dead letters, or delay it.

    It becomes a dead letter if `again` is False, or if it has failed more often than its retry limit. It is delayed in
    a queue with a back-off, for which `has_place_for_delay` has made sure that there is memory.
    """
    end_hold(words, octets, queue, message)
    words[message + STATE] += 1 << FAILURES_SHIFT
    words[queue + NACKED] += 1
    failures = (words[message + STATE] >> FAILURES_SHIFT) & FAILURES_MASK
    words[message + DEADLINE] = 0
    if not again or failures > (words[message + STATE] >> LIMIT_SHIFT) & MESSAGE_RETRIES_MAX:
        set_state(words, queue, message, IS_DEAD)
        words[queue + DEAD_LETTERED] += 1
        return
    wait = backoff_of(words, queue, message, failures) if words[queue + BACKOFF] else 0
    if wait <= 0:
        set_state(words, queue, message, IS_READY)
        return
    detach(words, queue, message)
    delay(words, octets, queue, message, now + wait)
