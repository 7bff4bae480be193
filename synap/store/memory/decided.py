"""Decided calls: the call that the log gets instead of the one that was made.

A row whose outcome depends on chance or on this node's settings (SPOP, QUEUE.PUBLISH, STREAM.CREATE) is logged as
another row with the outcome spelled out, so that a replay gives the same state. The row begins that call, puts its
arguments, slot by slot, and returns its status with DECIDED_BIT; `frames.journal` then frames the call in DECIDED.

    begin, put_text, put_argument, put_number        slots and blob of the call
    put_group, then add_item and put_text for each   the items of a group, behind all other slots
"""

from synap.compiler.jit import inlined
from synap.kernels.spans import move
from synap.store.memory.layout import (
    DECIDED,
    DECIDED_BLOB,
    DECIDED_BLOB_SIZE,
    DECIDED_CODE,
    DECIDED_TAPE_SIZE,
    PRESENT,
    WORD,
)
from synap.store.memory.tapes import set_group, set_text, text_at, text_mark, text_size


@inlined
def begin(words, code, namespace, slots):
    """Begin the call of a row with so many slots; all its arguments are absent."""
    words[DECIDED - 2] = namespace
    words[DECIDED - 1] = DECIDED_BLOB * WORD
    for i in range(slots):
        words[DECIDED + i] = 0
    words[DECIDED_CODE] = code
    words[DECIDED_TAPE_SIZE] = slots
    words[DECIDED_BLOB_SIZE] = 0


@inlined
def put_text(words, octets, slot, at, size, mark):
    """Copy the `size` bytes at octet `at` behind the texts before, and put them into a slot; `mark` has their form."""
    start = words[DECIDED_BLOB_SIZE]
    move(octets, DECIDED_BLOB * WORD + start, at, size)
    set_text(words, DECIDED, slot, start, size, mark)
    words[DECIDED_BLOB_SIZE] = start + size


@inlined
def put_argument(words, octets, slot, tape, source):
    """Put the text in slot `source` of another tape, or its absence, into a slot."""
    mark = text_mark(words, tape, source)
    if mark & PRESENT:
        put_text(words, octets, slot, text_at(words, tape, source), text_size(words, tape, source), mark)


@inlined
def put_number(words, slot, number):
    """Put a number into a slot."""
    words[DECIDED + slot] = number


@inlined
def put_group(words, slot):
    """Put an empty group into a slot; its items follow with `add_item`."""
    set_group(words, DECIDED, slot, 0, words[DECIDED_TAPE_SIZE])


@inlined
def add_item(words, slot, stride):
    """Add an item of `stride` slots to the group in a slot; return its first slot, to be put by the caller."""
    item = words[DECIDED_TAPE_SIZE]
    words[DECIDED + slot] += 1
    words[DECIDED_TAPE_SIZE] = item + stride
    return item
