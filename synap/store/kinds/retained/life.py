"""Retained messages: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a message as the frame of the call that stores it.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.retained.retained import (
    FORM,
    ID_SIZE,
    METADATA_SIZE,
    PAYLOAD_SIZE,
    RETAINED_WORDS,
    TEXTS,
    TIME,
)
from synap.store.memory import arena, codes, frames
from synap.store.memory.layout import WORD
from synap.store.memory.tapes import set_text
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import MORE, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import retained as slots


@kernel
def digest(words, octets, record):
    """Return the hash of topic, texts, their sizes, form and time."""
    h = text(octets, (record + RETAINED_WORDS) * WORD, words[record + NAME_SIZE])
    size = words[record + PAYLOAD_SIZE] + words[record + METADATA_SIZE] + words[record + ID_SIZE]
    h = mix(h, text(octets, words[record + TEXTS] * WORD, size))
    for i in range(PAYLOAD_SIZE, TIME + 1):
        h = mix(h, words[record + i])
    return h


@kernel
def dump(words, octets, record, cursor, target, seq, now):
    """Write the frame of a message; return its words, 0 if the message was complete. MORE: another frame follows."""
    if cursor[MORE]:
        cursor[MORE] = 0
        return 0
    cursor[MORE] = 1
    name, payload = words[record + NAME_SIZE], words[record + PAYLOAD_SIZE]
    metadata, id_size = words[record + METADATA_SIZE], words[record + ID_SIZE]
    size = name + payload + metadata + id_size
    blob = frames.head(words, target, codes.RETAINED_STORE, 0, seq, now, slots.RETAINED_STORE_SLOTS, size)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.RETAINED_STORE_TOPIC, 0, name, 0)
    set_text(words, tape, slots.RETAINED_STORE_PAYLOAD, name, payload, 0)
    set_text(words, tape, slots.RETAINED_STORE_METADATA, name + payload, metadata, 0)
    set_text(words, tape, slots.RETAINED_STORE_MESSAGE_ID, name + payload + metadata, id_size, 0)
    words[tape + slots.RETAINED_STORE_FORM] = words[record + FORM]
    words[tape + slots.RETAINED_STORE_TIME] = words[record + TIME]
    move(octets, blob, (record + RETAINED_WORDS) * WORD, name)
    move(octets, blob + name, words[record + TEXTS] * WORD, payload + metadata + id_size)
    return words_of(words, target)


@kernel
def free_some(words, octets, ref, budget):
    """Free the texts of a deleted message; return what is left of the budget, more than 0: only the record is left."""
    arena.release(words, words[ref + TEXTS])
    return max(budget - 1, 1)
