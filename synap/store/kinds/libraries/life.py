"""Libraries: digests, snapshots and freeing, as `kinds/table.py` requires.

A snapshot holds a library as the frame of the call that stores it.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.libraries.libraries import LIBRARY_WORDS, TEXT, TEXT_SIZE
from synap.store.memory import arena, codes, frames
from synap.store.memory.tapes import set_text
from synap.store.records.named_records import NAME_SIZE
from synap.store.records.pieces import MORE, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import libraries as slots


@kernel
def digest(words, octets, record):
    """Return the hash of name and text."""
    h = text(octets, (record + LIBRARY_WORDS) * 8, words[record + NAME_SIZE])
    return mix(h, text(octets, words[record + TEXT] * 8, words[record + TEXT_SIZE]))


@kernel
def dump(words, octets, record, cursor, target, seq, now):
    """Write the frame of a library; return its words, 0 if the library was complete. MORE: another frame follows."""
    if cursor[MORE]:
        cursor[MORE] = 0
        return 0
    cursor[MORE] = 1
    name, size = words[record + NAME_SIZE], words[record + TEXT_SIZE]
    blob = frames.head(words, target, codes.FUNCTION_STORE, 0, seq, now, slots.FUNCTION_STORE_SLOTS, name + size)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.FUNCTION_STORE_LIBRARY, 0, name, 0)
    set_text(words, tape, slots.FUNCTION_STORE_CODE, name, size, 0)
    move(octets, blob, (record + LIBRARY_WORDS) * 8, name)
    move(octets, blob + name, words[record + TEXT] * 8, size)
    return words_of(words, target)


@kernel
def free_some(words, octets, ref, budget):
    """Free the text of a deleted library; return what is left of the budget, more than 0: only the record is left."""
    arena.release(words, words[ref + TEXT])
    return max(budget - 1, 1)
