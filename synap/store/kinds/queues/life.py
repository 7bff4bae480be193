"""Queues: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a queue as a frame for the queue itself, then one for each message: chain by chain, then the delayed,
then the blocked group by group; then one for each dedup key.

    cursor   REF: the current message or key   INSIDE: its chain, or DELAYED_FROM + its place among the delayed, or
             BLOCKED_FROM + the place behind its group in the table of groups, or KEYS_FROM
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.queues import extras, fifo_groups, messages, publish_keys, queue_views
from synap.store.kinds.queues import queue_layout as layout
from synap.store.kinds.queues.message_ids import ID_BYTES
from synap.store.memory import arena, codes, frames, tables
from synap.store.memory.layout import FORM_MASK, MARK_BITS
from synap.store.memory.tapes import set_group, set_text
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import INSIDE, MORE, REF, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import queues as slots

DELAYED_FROM, BLOCKED_FROM, KEYS_FROM = 1 << 20, 1 << 50, 1 << 60  # the first is greater than the word of any chain


@kernel
def message_digest(words, octets, h, message):
    """Return the hash `h` with the state of one message mixed in."""
    h = mix(h, words[message + layout.ID_A])
    h = mix(h, words[message + layout.ID_B])
    h = mix(h, words[message + layout.STATE])
    h = mix(h, words[message + layout.DEADLINE])
    h = mix(h, words[message + layout.CREATED])
    size = words[message + layout.PAYLOAD] >> 8
    h = mix(h, words[message + layout.PAYLOAD] & FORM_MASK)
    body = (message + layout.MESSAGE_WORDS) * 8
    h = mix(h, text(octets, body, size))
    h = mix(h, text(octets, body + size, messages.headers_size(words, message)))
    h = mix(h, messages.deliveries_of(words, message))
    holder = words[message + layout.HELD_BY]
    if holder:
        h = mix(h, text(octets, (holder + layout.HOLDER_WORDS) * 8, words[holder + layout.HOLDER_NAME_SIZE]))
    return extras_digest(words, octets, h, message) if words[message + layout.EXTRAS] else h


@kernel
def extras_digest(words, octets, h, message):
    """Return the hash `h` with the extras of a message mixed in."""
    block = words[message + layout.EXTRAS]
    if words[block + layout.EXPIRES]:
        h = mix(mix(h, words[block + layout.EXPIRES]), words[block + layout.EXPIRY_SERIAL])
    group = words[block + layout.GROUP]
    if group:
        h = mix(h, text(octets, fifo_groups.name_at(group), words[group + layout.GROUP_NAME_SIZE]))
        h = mix(h, words[group + layout.TURN] == message)
    entry = words[block + layout.FAILURE_FIRST]
    while entry:
        h = mix(mix(h, words[entry + layout.FAILED_AT]), words[entry + layout.CAUSE])
        sizes = words[entry + layout.FAILURE_SIZES]
        h = mix(mix(h, sizes), text(octets, (entry + layout.FAILURE_WORDS) * 8, (sizes >> 32) + (sizes & 0xFFFFFFFF)))
        entry = words[entry + layout.FAILURE_NEXT]
    return h


@kernel
def chain_digest(words, octets, first):
    """Return the hash of the messages of a chain, in order."""
    order = np.int64(0)
    message = first
    while message:
        order = message_digest(words, octets, order, message)
        message = words[message + layout.NEXT]
    return order


@kernel
def block_digest(words, octets, h, block):
    """Return the hash `h` with the name in a block mixed in, if there is one."""
    return mix(h, text(octets, (block + layout.BLOCK_NAME) * 8, words[block])) if block else h


@kernel
def digest(words, octets, queue):
    """Return the hash of name, settings and counters, of the messages in each chain and of the dedup keys, in
    order; the delayed ones and the groups count in no order."""
    h = text(octets, (queue + layout.QUEUE_WORDS) * 8, words[queue + layout.NAME_SIZE])
    for i in range(1, layout.STATS):
        h = mix(h, words[queue + i])
    h = mix(h, words[queue + layout.PREFETCH_MAX])
    for i in range(layout.LATER_SAVED):
        h = mix(h, words[queue + layout.BACKOFF + i])
    for i in range(layout.MORE_SAVED):
        h = mix(h, words[queue + layout.EXPIRIES + i])
    h = block_digest(words, octets, h, words[queue + layout.ACTIVE])
    h = block_digest(words, octets, h, words[queue + layout.REDRIVE_TO])
    for chain in range(layout.READY, layout.DEAD + 2, 2):
        h = mix(h, chain_digest(words, octets, words[queue + chain]))
    delayed = np.int64(0)
    for i in range(words[queue + layout.DELAYED_COUNT]):
        message = words[words[queue + layout.DELAYED] + 2 * i + 1]
        delayed += message_digest(words, octets, words[message + layout.SERIAL], message)
    place, at = next_group(words, queue, 0)
    while at:
        delayed += chain_digest(words, octets, words[(words[at] & tables.REF_MASK) + layout.BLOCKED])
        place, at = next_group(words, queue, place)
    h = mix(h, delayed)
    key = words[queue + layout.DEDUP_FIRST]
    while key:
        h = mix(mix(h, words[key + layout.DEDUP_ID_A]), words[key + layout.DEDUP_EXPIRES])
        h = mix(h, text(octets, publish_keys.name_at(key), words[key + layout.DEDUP_SIZE]))
        key = words[key + layout.DEDUP_NEXT]
    return h


@kernel
def next_group(words, queue, place):
    """Return (place to continue from, index of the slot of the next FIFO group, or 0)."""
    if words[queue + layout.GROUPS + tables.SLOTS] == 0:
        return place, 0
    return tables.next_entry(words, queue + layout.GROUPS, place)


@kernel
def put_part(words, octets, tape, slot, blob, at, source, size):
    """Put a text into a slot of a frame, behind the `at` bytes that its blob has; return how many it has then."""
    set_text(words, tape, slot, at, size, 0)
    move(octets, blob + at, source, size)
    return at + size


@kernel
def dump_queue(words, octets, queue, target, seq, now):
    """Write the frame of a queue without its messages; return its words."""
    name = words[queue + NAME_SIZE]
    active, other = words[queue + layout.ACTIVE], words[queue + layout.REDRIVE_TO]
    size = name + (words[active] if active else 0) + (words[other] if other else 0)
    blob = frames.head(words, target, codes.QUEUE_LOAD, 0, seq, now, slots.QUEUE_LOAD_SLOTS, size)
    tape = target + frames.HEAD_WORDS
    for i in range(layout.STATS - 1):
        words[tape + slots.QUEUE_LOAD_WORD0 + i] = words[queue + layout.DEPTH_MAX + i]
    words[tape + slots.QUEUE_LOAD_PREFETCH_LIMIT] = words[queue + layout.PREFETCH_MAX]
    for i in range(layout.LATER_SAVED):
        words[tape + slots.QUEUE_LOAD_LATER0 + i] = words[queue + layout.BACKOFF + i]
    for i in range(layout.MORE_SAVED):
        words[tape + slots.QUEUE_LOAD_MORE0 + i] = words[queue + layout.EXPIRIES + i]
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_QUEUE, blob, 0, (queue + layout.QUEUE_WORDS) * 8, name)
    for slot, block in ((slots.QUEUE_LOAD_ACTIVE, active), (slots.QUEUE_LOAD_REDRIVE_TO, other)):
        size = words[block] if block else 0
        at = put_part(words, octets, tape, slot, blob, at, (block + layout.BLOCK_NAME) * 8, size)
    return words_of(words, target)


@kernel
def dump_message(words, octets, queue, message, target, seq, now):
    """Write the frame of one message; return its words."""
    name = words[queue + NAME_SIZE]
    size = words[message + layout.PAYLOAD] >> MARK_BITS
    headers = messages.headers_size(words, message)
    holder = words[message + layout.HELD_BY]
    holder_name = words[holder + layout.HOLDER_NAME_SIZE] if holder else 0
    group = fifo_groups.group_of(words, message)
    group_name = words[group + layout.GROUP_NAME_SIZE] if group else 0
    block = words[message + layout.EXTRAS]
    history, texts = queue_views.history_count(words, message), queue_views.history_size(words, message)
    tape_size = slots.QUEUE_LOAD_MESSAGE_SLOTS + history * slots.QUEUE_LOAD_MESSAGE_HISTORY_STRIDE
    blob_size = ID_BYTES + name + size + headers + holder_name + group_name + texts - 8 * history
    blob = frames.head(words, target, codes.QUEUE_LOAD_MESSAGE, 0, seq, now, tape_size, blob_size)
    tape = target + frames.HEAD_WORDS
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_ID, blob, 0, (message + layout.ID_A) * 8, ID_BYTES)
    start = (queue + layout.QUEUE_WORDS) * 8
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_QUEUE, blob, at, start, name)
    body = (message + layout.MESSAGE_WORDS) * 8
    set_text(words, tape, slots.QUEUE_LOAD_MESSAGE_PAYLOAD, at, size, words[message + layout.PAYLOAD])
    move(octets, blob + at, body, size)
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_HEADERS, blob, at + size, body + size, headers)
    start = (holder + layout.HOLDER_WORDS) * 8
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_CONSUMER_ID, blob, at, start, holder_name)
    words[tape + slots.QUEUE_LOAD_MESSAGE_STATE] = words[message + layout.STATE]
    words[tape + slots.QUEUE_LOAD_MESSAGE_DEADLINE] = words[message + layout.DEADLINE]
    words[tape + slots.QUEUE_LOAD_MESSAGE_CREATED] = words[message + layout.CREATED]
    delayed = words[message + layout.STATE] & 0xFF == layout.IS_DELAYED
    words[tape + slots.QUEUE_LOAD_MESSAGE_SERIAL] = words[message + layout.SERIAL] if delayed else 0
    words[tape + slots.QUEUE_LOAD_MESSAGE_DELIVERIES] = messages.deliveries_of(words, message)
    words[tape + slots.QUEUE_LOAD_MESSAGE_EXPIRES] = extras.expires_at(words, message)
    words[tape + slots.QUEUE_LOAD_MESSAGE_EXPIRY_SERIAL] = words[block + layout.EXPIRY_SERIAL] if block else 0
    words[tape + slots.QUEUE_LOAD_MESSAGE_TURN] = 1 if group and words[group + layout.TURN] == message else 0
    start = fifo_groups.name_at(group)
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_MESSAGE_GROUP, blob, at, start, group_name)
    item = slots.QUEUE_LOAD_MESSAGE_SLOTS
    set_group(words, tape, slots.QUEUE_LOAD_MESSAGE_HISTORY, history, item)
    entry = words[block + layout.FAILURE_FIRST] if history else 0
    while entry:
        words[tape + item + slots.QUEUE_LOAD_MESSAGE_HISTORY_AT] = words[entry + layout.FAILED_AT]
        words[tape + item + slots.QUEUE_LOAD_MESSAGE_HISTORY_CAUSE] = words[entry + layout.CAUSE]
        start, sizes = (entry + layout.FAILURE_WORDS) * 8, words[entry + layout.FAILURE_SIZES]
        who = sizes >> 32
        at = put_part(words, octets, tape, item + slots.QUEUE_LOAD_MESSAGE_HISTORY_CONSUMER, blob, at, start, who)
        start += who
        why = sizes & 0xFFFFFFFF
        at = put_part(words, octets, tape, item + slots.QUEUE_LOAD_MESSAGE_HISTORY_REASON, blob, at, start, why)
        item += slots.QUEUE_LOAD_MESSAGE_HISTORY_STRIDE
        entry = words[entry + layout.FAILURE_NEXT]
    return words_of(words, target)


@kernel
def dump_key(words, octets, queue, key, target, seq, now):
    """Write the frame of one dedup key; return its words."""
    name, size = words[queue + NAME_SIZE], words[key + layout.DEDUP_SIZE]
    blob_size = name + ID_BYTES + size
    blob = frames.head(words, target, codes.QUEUE_LOAD_KEY, 0, seq, now, slots.QUEUE_LOAD_KEY_SLOTS, blob_size)
    tape = target + frames.HEAD_WORDS
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_KEY_QUEUE, blob, 0, (queue + layout.QUEUE_WORDS) * 8, name)
    at = put_part(words, octets, tape, slots.QUEUE_LOAD_KEY_DEDUP, blob, at, publish_keys.name_at(key), size)
    put_part(words, octets, tape, slots.QUEUE_LOAD_KEY_ID, blob, at, (key + layout.DEDUP_ID_A) * 8, ID_BYTES)
    words[tape + slots.QUEUE_LOAD_KEY_EXPIRES] = words[key + layout.DEDUP_EXPIRES]
    return words_of(words, target)


@kernel
def dump(words, octets, queue, cursor, target, seq, now):
    """Write the next frame of a queue; return its words, 0 if the queue was complete. MORE: another frame follows."""
    if cursor[MORE] == 0:
        cursor[MORE] = 1
        cursor[INSIDE] = layout.READY
        cursor[REF] = words[queue + layout.READY]
        return dump_queue(words, octets, queue, target, seq, now)
    while cursor[REF] == 0 and cursor[INSIDE] < layout.DEAD:
        cursor[INSIDE] += 2
        cursor[REF] = words[queue + cursor[INSIDE]]
    if cursor[REF] == 0 and cursor[INSIDE] < DELAYED_FROM:
        cursor[INSIDE] = DELAYED_FROM
    if DELAYED_FROM <= cursor[INSIDE] < BLOCKED_FROM:
        i = cursor[INSIDE] - DELAYED_FROM
        if i < words[queue + layout.DELAYED_COUNT]:
            cursor[INSIDE] += 1
            message = words[words[queue + layout.DELAYED] + 2 * i + 1]
            return dump_message(words, octets, queue, message, target, seq, now)
        cursor[INSIDE] = BLOCKED_FROM
    while cursor[REF] == 0 and cursor[INSIDE] < KEYS_FROM:
        place, at = next_group(words, queue, cursor[INSIDE] - BLOCKED_FROM)
        cursor[INSIDE] = BLOCKED_FROM + place if at else KEYS_FROM
        cursor[REF] = words[(words[at] & tables.REF_MASK) + layout.BLOCKED] if at else words[queue + layout.DEDUP_FIRST]
    if cursor[REF] == 0:
        cursor[MORE] = 0
        return 0
    ref = cursor[REF]
    if cursor[INSIDE] == KEYS_FROM:
        cursor[REF] = words[ref + layout.DEDUP_NEXT]
        return dump_key(words, octets, queue, ref, target, seq, now)
    cursor[REF] = words[ref + layout.NEXT]
    return dump_message(words, octets, queue, ref, target, seq, now)


@kernel
def free_message(words, message):
    """Free a message of a deleted queue."""
    extras.release(words, message)
    arena.release(words, message)


@kernel
def free_chain(words, chain, budget):
    """Free messages of a chain; return what is left of the budget."""
    while words[chain] and budget > 0:
        message = words[chain]
        words[chain] = words[message + layout.NEXT]
        free_message(words, message)
        budget -= 1
    return budget


@kernel
def free_groups(words, queue, budget):
    """Free FIFO groups of a deleted queue with their messages; return what is left of the budget."""
    place, at = next_group(words, queue, words[queue + layout.GROUPS_FREED])
    while at and budget > 0:
        group = words[at] & tables.REF_MASK
        budget = free_chain(words, group + layout.BLOCKED, budget)
        if words[group + layout.BLOCKED] == 0 and budget > 0:
            arena.release(words, group)
            budget -= 1
            words[queue + layout.GROUPS_FREED] = place
            place, at = next_group(words, queue, place)
    return budget


@kernel
def free_some(words, octets, ref, budget):
    """Free parts of a deleted queue; return what is left of the budget, more than 0 once only the record is left.

    MESSAGES has no slots then.
    """
    queue = ref
    for chain in range(layout.READY, layout.DEAD + 2, 2):
        budget = free_chain(words, queue + chain, budget)
    while words[queue + layout.DELAYED_COUNT] and budget > 0:
        words[queue + layout.DELAYED_COUNT] -= 1
        free_message(words, words[words[queue + layout.DELAYED] + 2 * words[queue + layout.DELAYED_COUNT] + 1])
        budget -= 1
    budget = free_groups(words, queue, budget)
    while words[queue + layout.DEDUP_FIRST] and budget > 0:
        key = words[queue + layout.DEDUP_FIRST]
        words[queue + layout.DEDUP_FIRST] = words[key + layout.DEDUP_NEXT]
        arena.release(words, key)
        budget -= 1
    if budget > 0 and words[queue + layout.MESSAGES + tables.SLOTS]:
        place, at = tables.next_entry(words, queue + layout.HOLDERS, 0)
        while at:
            arena.release(words, words[at] & tables.REF_MASK)
            budget -= 1
            place, at = tables.next_entry(words, queue + layout.HOLDERS, place)
        for table in (layout.MESSAGES, layout.HOLDERS, layout.GROUPS, layout.DEDUP):
            if words[queue + table + tables.SLOTS]:
                tables.close_table(words, queue + table)
                words[queue + table + tables.SLOTS] = 0
        for block in (layout.DELAYED, layout.EXPIRING, layout.ACTIVE, layout.REDRIVE_TO):
            if words[queue + block]:
                arena.release(words, words[queue + block])
                words[queue + block] = 0
    return budget if words[queue + layout.MESSAGES + tables.SLOTS] else max(budget, 1)
