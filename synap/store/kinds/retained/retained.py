"""Rows of retained messages: store the last message of a topic, return it, remove it, list the topics.

    record   NAME_SIZE | TEXTS: ref of a block with payload, metadata and id | their sizes | FORM of the payload |
             TIME (ms) | ... | TIMER | KIND | the topic

Delivery is not done here: engine/pubsub.py publishes a message, and new subscribers ask for what is retained.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.memory import arena
from synap.store.memory.kinds import RETAINED as RETAINED_KIND
from synap.store.memory.layout import (
    CHANGED,
    DONE,
    FULL,
    ITEM,
    MARK_MAP,
    MARK_NAME,
    NIL,
    NUMBER,
    RETAINED,
    WORD,
)
from synap.store.memory.refusals import OUT_OF_MEMORY
from synap.store.memory.tapes import add_field, add_mark, add_nil, add_text, fits, set_scalar, text_at, text_size
from synap.store.records import named_records
from synap.store.slots import retained as slots

TEXTS, PAYLOAD_SIZE, METADATA_SIZE, ID_SIZE, FORM, TIME = range(1, 7)
RETAINED_WORDS = 16
REPLY_NAMES = 4


@kernel
def store(words, octets, tape, now, reply):
    """Store the message that a topic retains, in place of an older one."""
    name = slots.RETAINED_STORE_TOPIC
    payload = text_size(words, tape, slots.RETAINED_STORE_PAYLOAD)
    metadata = text_size(words, tape, slots.RETAINED_STORE_METADATA)
    id_size = text_size(words, tape, slots.RETAINED_STORE_MESSAGE_ID)
    h, record = named_records.open_record(words, octets, RETAINED_KIND, RETAINED, RETAINED_WORDS, tape, name)
    block = arena.allocate(words, max((payload + metadata + id_size + 7) >> 3, 1))
    if block == 0:
        return OUT_OF_MEMORY
    if record == 0:
        record = named_records.make(words, octets, RETAINED_KIND, RETAINED, RETAINED_WORDS, h, tape, name)
        if record == 0:
            arena.release(words, block)
            return OUT_OF_MEMORY
    else:
        arena.release(words, words[record + TEXTS])
    at = block * WORD
    move(octets, at, text_at(words, tape, slots.RETAINED_STORE_PAYLOAD), payload)
    move(octets, at + payload, text_at(words, tape, slots.RETAINED_STORE_METADATA), metadata)
    move(octets, at + payload + metadata, text_at(words, tape, slots.RETAINED_STORE_MESSAGE_ID), id_size)
    words[record + TEXTS] = block
    words[record + PAYLOAD_SIZE] = payload
    words[record + METADATA_SIZE] = metadata
    words[record + ID_SIZE] = id_size
    words[record + FORM] = words[tape + slots.RETAINED_STORE_FORM]
    words[record + TIME] = words[tape + slots.RETAINED_STORE_TIME]
    return DONE | CHANGED


@kernel
def get(words, octets, tape, now, reply):
    """Reply with a map: id, payload, metadata (nil without), time; NIL if the topic retains no message."""
    name = slots.RETAINED_GET_TOPIC
    _, record = named_records.open_record(words, octets, RETAINED_KIND, RETAINED, RETAINED_WORDS, tape, name)
    if record == 0:
        return NIL
    payload, metadata, id_size = words[record + PAYLOAD_SIZE], words[record + METADATA_SIZE], words[record + ID_SIZE]
    if not fits(words, 1 + 2 * REPLY_NAMES, payload + metadata + id_size):
        return FULL
    at = words[record + TEXTS] * WORD
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_MAP, REPLY_NAMES)
    add_mark(words, reply, MARK_NAME, 0)
    add_text(words, reply, at + payload + metadata, id_size, 0)
    add_mark(words, reply, MARK_NAME, 1)
    add_text(words, reply, at, payload, words[record + FORM])
    add_mark(words, reply, MARK_NAME, 2)
    if metadata:
        add_text(words, reply, at + payload, metadata, 0)
    else:
        add_nil(words, reply)
    add_field(words, reply, 3, words[record + TIME])
    return ITEM


@kernel
def delete(words, octets, tape, now, reply):
    """Remove the message that a topic retains; reply with NUMBER: 1, or 0 if there is none."""
    name = slots.RETAINED_DELETE_TOPIC
    record = named_records.remove(words, octets, RETAINED_KIND, RETAINED, RETAINED_WORDS, tape, name)
    set_scalar(words, reply, record != 0)
    return NUMBER | CHANGED if record else NUMBER


@kernel
def list_names(words, octets, tape, now, reply):
    """Reply with the topics that retain a message, in no order."""
    return named_records.names(words, RETAINED, RETAINED_WORDS, reply)
