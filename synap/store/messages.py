"""Messages: the blocks of a queue, and the chain that each of them is in.

    queue      settings, counters, chains, table of messages by id, name
    message    chain links, id (16 octets), state, deadline, created, payload, headers

A message is in one chain of its queue: *ready* (one chain for each priority, the highest first),
*leased* (in order of deadline: a queue has one ack deadline and engine time does not go back, so new
leases belong at the end) or *dead*.
"""

import numpy as np

from synap.kernels.hashing import keyed_hash
from synap.kernels.jit import kernel
from synap.kernels.spans import move
from synap.store import arena, tables
from synap.store.layout import (
    KEY_A,
    KEY_B,
    MARK_BITS,
    PRESENT,
    SCRATCH,
)
from synap.store.tables import REF_MASK
from synap.store.tapes import text_at, text_mark, text_size

# Words of a queue.
NAME_SIZE, DEPTH_MAX, ACK_DEADLINE_MS, RETRIES_MAX, PRIORITY = range(5)
READY_COUNT, LEASED_COUNT, DEAD_COUNT = 5, 6, 7
PUBLISHED, CONSUMED, ACKED, NACKED, DEAD_LETTERED, CONSUMERS = range(8, 14)
READY, LEASED, DEAD = 16, 36, 38  # chains: (first, last) each; READY is ten of them
MESSAGES = 40
QUEUE_WORDS = 48
STATS = 14  # words from NAME_SIZE + 1 to CONSUMERS: what a snapshot carries

# Words of a message.
NEXT, PREV, ID_A, ID_B, STATE, DEADLINE, CREATED, PAYLOAD, HEADERS, MESSAGE_WORDS = range(10)
IS_READY, IS_LEASED, IS_DEAD = 0, 1, 2
PRIORITY_SHIFT, FAILURES_SHIFT, LIMIT_SHIFT = 8, 16, 40
FAILURES_MASK = (1 << 24) - 1
LIMIT_MASK = (1 << 20) - 1
PRIORITY_MAX = 9
PUT_CODE = 0x0803
ID_BYTES, ID_TEXT_BYTES = 16, 36
NEVER = (1 << 63) - 1

# Slots of queue.publish and queue.put (see synap/commands/queues.py).
PUBLISH_PRIORITY, PUBLISH_RETRIES, PUBLISH_HEADERS = 4, 6, 9
PUT_ID, PUT_SIZE = 11, 13


@kernel
def hash_name(words, octets, start, size):
    """The hash of a queue's name or of a message's id."""
    return keyed_hash(octets, start, size, words[KEY_A], words[KEY_B])


@kernel
def locate_message(words, octets, queue, id_a, id_b):
    """Index in `words` of the slot of the message with this id, or 0."""
    words[SCRATCH] = id_a
    words[SCRATCH + 1] = id_b
    tag = tables.tag_of_hash(hash_name(words, octets, SCRATCH * 8, ID_BYTES))
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
    """The chain that a message in its state belongs to."""
    state = words[message + STATE] & 0xFF
    if state == IS_LEASED:
        return queue + LEASED
    if state == IS_DEAD:
        return queue + DEAD
    return queue + READY + 2 * ((words[message + STATE] >> PRIORITY_SHIFT) & 0xFF)


@kernel
def append(words, queue, message):
    """Put a message at the end of the chain of its state."""
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
    """Take a message out of the chain of its state."""
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
    """Move a message to the end of another chain."""
    detach(words, queue, message)
    words[message + STATE] = (words[message + STATE] & ~np.int64(0xFF)) | state
    append(words, queue, message)


@kernel
def forget(words, octets, queue, message, later):
    """Remove a message from its queue for good."""
    detach(words, queue, message)
    seat = locate_message(words, octets, queue, words[message + ID_A], words[message + ID_B])
    tables.remove(words, octets, queue + MESSAGES, seat)
    if later:
        arena.release_later(words, message)
    else:
        arena.release(words, message)


@kernel
def add_message(words, octets, tape, queue, id_a, id_b, now):
    """A ready message from the slots of a publish; its ref, or 0 without memory."""
    size = text_size(words, tape, 2)
    headers_size = text_size(words, tape, PUBLISH_HEADERS)
    message = arena.allocate(words, MESSAGE_WORDS + ((size + headers_size + 7) >> 3))
    if message == 0:
        return 0
    priority = words[tape + PUBLISH_PRIORITY + 1]
    if not words[tape + PUBLISH_PRIORITY]:
        priority = words[queue + PRIORITY]
    limit = words[tape + PUBLISH_RETRIES + 1]
    if not words[tape + PUBLISH_RETRIES]:
        limit = words[queue + RETRIES_MAX]
    words[message + ID_A] = id_a
    words[message + ID_B] = id_b
    words[message + STATE] = (
        IS_READY | min(priority, PRIORITY_MAX) << PRIORITY_SHIFT | min(limit, LIMIT_MASK) << LIMIT_SHIFT
    )
    words[message + DEADLINE] = 0
    words[message + CREATED] = now
    words[message + PAYLOAD] = size << MARK_BITS | (text_mark(words, tape, 2) & ~PRESENT)
    words[message + HEADERS] = headers_size
    body = (message + MESSAGE_WORDS) * 8
    move(octets, body, text_at(words, tape, 2), size)
    move(octets, body + size, text_at(words, tape, PUBLISH_HEADERS), headers_size)
    words[SCRATCH] = id_a
    words[SCRATCH + 1] = id_b
    tag = tables.tag_of_hash(hash_name(words, octets, SCRATCH * 8, ID_BYTES))
    if not tables.insert(words, octets, queue + MESSAGES, tag, message, 0):
        return 0
    append(words, queue, message)
    return message


@kernel
def print_id(octets, target, id_a, id_b):
    """Write an id as the 36 characters of a UUID."""
    for i in range(ID_BYTES):
        value = id_a if i < 8 else id_b
        byte = (value >> (8 * (i & 7))) & 0xFF
        if i == 4 or i == 6 or i == 8 or i == 10:
            octets[target] = 45
            target += 1
        for digit in (byte >> 4, byte & 15):
            octets[target] = digit + (48 if digit < 10 else 87)
            target += 1


@kernel
def parse_id(octets, start, size):
    """(id_a, id_b, ok) of a UUID's 36 characters."""
    id_a = np.int64(0)
    id_b = np.int64(0)
    if size != ID_TEXT_BYTES:
        return id_a, id_b, False
    digits = 0
    for i in range(ID_TEXT_BYTES):
        c = np.int64(octets[start + i])
        if i == 8 or i == 13 or i == 18 or i == 23:
            if c != 45:
                return id_a, id_b, False
            continue
        if 48 <= c <= 57:
            c -= 48
        elif 97 <= c <= 102:
            c -= 87
        elif 65 <= c <= 70:
            c -= 55
        else:
            return id_a, id_b, False
        shift = 8 * ((digits >> 1) & 7) + (0 if digits & 1 else 4)
        if digits < 16:
            id_a |= c << shift
        else:
            id_b |= c << shift
        digits += 1
    return id_a, id_b, True


@kernel
def fail(words, queue, message, again):
    """One delivery has failed: back behind the others of its priority, or among the dead."""
    words[message + STATE] += 1 << FAILURES_SHIFT
    words[queue + NACKED] += 1
    failures = (words[message + STATE] >> FAILURES_SHIFT) & FAILURES_MASK
    words[message + DEADLINE] = 0
    if not again or failures > (words[message + STATE] >> LIMIT_SHIFT) & LIMIT_MASK:
        set_state(words, queue, message, IS_DEAD)
        words[queue + DEAD_LETTERED] += 1
    else:
        set_state(words, queue, message, IS_READY)
