"""Queues: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a queue as a frame for the queue itself, then one for each message: chain by chain, then the delayed.

    cursor   REF: the current message   INSIDE: its chain, or DELAYED_FROM + its place among the delayed
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.queues import messages, queue_admin
from synap.store.kinds.queues.message_ids import ID_BYTES
from synap.store.memory import codes, frames, tables
from synap.store.memory.layout import FORM_MASK, MARK_BITS
from synap.store.memory.tapes import set_text
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import INSIDE, MORE, REF, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import queues as slots

DELAYED_FROM = 1 << 20  # greater than the word of any chain


@kernel
def message_digest(words, octets, h, message):
    """Return the hash `h` with the state of one message mixed in."""
    h = mix(h, words[message + messages.ID_A])
    h = mix(h, words[message + messages.ID_B])
    h = mix(h, words[message + messages.STATE])
    h = mix(h, words[message + messages.DEADLINE])
    h = mix(h, words[message + messages.CREATED])
    size = words[message + messages.PAYLOAD] >> 8
    h = mix(h, words[message + messages.PAYLOAD] & FORM_MASK)
    body = (message + messages.MESSAGE_WORDS) * 8
    h = mix(h, text(octets, body, size))
    h = mix(h, text(octets, body + size, messages.headers_size(words, message)))
    h = mix(h, messages.deliveries_of(words, message))
    holder = words[message + messages.HELD_BY]
    if holder:
        h = mix(h, text(octets, (holder + messages.HOLDER_WORDS) * 8, words[holder + messages.HOLDER_NAME_SIZE]))
    return h


@kernel
def digest(words, octets, queue):
    """Return the hash of name, settings and counters, and of the messages in each chain; delayed ones in no order."""
    h = text(octets, (queue + messages.QUEUE_WORDS) * 8, words[queue + messages.NAME_SIZE])
    for i in range(1, messages.STATS):
        h = mix(h, words[queue + i])
    h = mix(h, words[queue + messages.PREFETCH_MAX])
    for i in range(messages.LATER_SAVED):
        h = mix(h, words[queue + messages.BACKOFF + i])
    for chain in range(messages.READY, messages.DEAD + 2, 2):
        order = np.int64(0)
        message = words[queue + chain]
        while message:
            order = message_digest(words, octets, order, message)
            message = words[message + messages.NEXT]
        h = mix(h, order)
    delayed = np.int64(0)
    for i in range(words[queue + messages.DELAYED_COUNT]):
        message = words[words[queue + messages.DELAYED] + 2 * i + 1]
        delayed += message_digest(words, octets, words[message + messages.SERIAL], message)
    return mix(h, delayed)


@kernel
def dump_queue(words, octets, queue, target, seq, now):
    """Write the frame of a queue without its messages; return its words."""
    name = words[queue + NAME_SIZE]
    blob = frames.head(words, target, codes.QUEUE_LOAD, 0, seq, now, slots.QUEUE_LOAD_SLOTS, name)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.QUEUE_LOAD_QUEUE, 0, name, 0)
    for i in range(messages.STATS - 1):
        words[tape + slots.QUEUE_LOAD_WORD0 + i] = words[queue + messages.DEPTH_MAX + i]
    words[tape + slots.QUEUE_LOAD_PREFETCH_LIMIT] = words[queue + messages.PREFETCH_MAX]
    for i in range(messages.LATER_SAVED):
        words[tape + slots.QUEUE_LOAD_LATER0 + i] = words[queue + messages.BACKOFF + i]
    move(octets, blob, (queue + messages.QUEUE_WORDS) * 8, name)
    return words_of(words, target)


@kernel
def dump_message(words, octets, queue, message, target, seq, now):
    """Write the frame of one message; return its words."""
    name = words[queue + NAME_SIZE]
    size = words[message + messages.PAYLOAD] >> MARK_BITS
    headers = messages.headers_size(words, message)
    holder = words[message + messages.HELD_BY]
    holder_name = words[holder + messages.HOLDER_NAME_SIZE] if holder else 0
    name_at = ID_BYTES
    payload_at = name_at + name
    headers_at = payload_at + size
    holder_at = headers_at + headers
    tape_size, blob_size = slots.QUEUE_LOAD_MESSAGE_SLOTS, holder_at + holder_name
    blob = frames.head(words, target, codes.QUEUE_LOAD_MESSAGE, 0, seq, now, tape_size, blob_size)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_QUEUE, name_at, name, 0)
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_PAYLOAD, payload_at, size, words[message + messages.PAYLOAD])
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_ID, 0, ID_BYTES, 0)
    words[tape + slots.QUEUE_LOAD_MESSAGE_STATE] = words[message + messages.STATE]
    words[tape + slots.QUEUE_LOAD_MESSAGE_DEADLINE] = words[message + messages.DEADLINE]
    words[tape + slots.QUEUE_LOAD_MESSAGE_CREATED] = words[message + messages.CREATED]
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_HEADERS, headers_at, headers, 0)
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID, holder_at, holder_name, 0)
    delayed = words[message + messages.STATE] & 0xFF == messages.IS_DELAYED
    words[tape + slots.QUEUE_LOAD_MESSAGE_SERIAL] = words[message + messages.SERIAL] if delayed else 0
    words[tape + slots.QUEUE_LOAD_MESSAGE_DELIVERIES] = messages.deliveries_of(words, message)
    move(octets, blob, (message + messages.ID_A) * 8, ID_BYTES)
    move(octets, blob + name_at, (queue + messages.QUEUE_WORDS) * 8, name)
    move(octets, blob + payload_at, (message + messages.MESSAGE_WORDS) * 8, size + headers)
    if holder:
        move(octets, blob + holder_at, (holder + messages.HOLDER_WORDS) * 8, holder_name)
    return words_of(words, target)


@kernel
def dump(words, octets, queue, cursor, target, seq, now):
    """Write the next frame of a queue; return its words, 0 if the queue was complete. MORE: another frame follows."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = messages.READY
        cursor[REF] = words[queue + messages.READY]
        return dump_queue(words, octets, queue, target, seq, now)
    while cursor[REF] == 0 and cursor[INSIDE] < messages.DEAD:
        cursor[INSIDE] += 2
        cursor[REF] = words[queue + cursor[INSIDE]]
    if cursor[REF]:
        message = cursor[REF]
        cursor[REF] = words[message + messages.NEXT]
        return dump_message(words, octets, queue, message, target, seq, now)
    if cursor[INSIDE] < DELAYED_FROM:
        cursor[INSIDE] = DELAYED_FROM
    i = cursor[INSIDE] - DELAYED_FROM
    if i == words[queue + messages.DELAYED_COUNT]:
        cursor[MORE] = 0
        return 0
    cursor[INSIDE] += 1
    message = words[words[queue + messages.DELAYED] + 2 * i + 1]
    return dump_message(words, octets, queue, message, target, seq, now)


@kernel
def free_some(words, octets, ref, budget):
    """Free messages of a deleted queue; return what is left of the budget, more than 0 once only the record is left."""
    budget = queue_admin.free_some(words, octets, ref, budget)
    return budget if words[ref + messages.MESSAGES + tables.SLOTS] else max(budget, 1)
