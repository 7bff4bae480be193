"""Rows of libraries: store a text under a name, remove it, and read all.

The state of a library is its text. Lua gets the functions from it (engine/scripts/libraries.py), also on another node
and after a restart: LIBRARIES_CHANGES tells Lua that a text was stored or removed.

    record   NAME_SIZE | TEXT: ref of a block with the text | TEXT_SIZE in bytes | ... | TIMER | KIND | the name
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.memory import arena, tables
from synap.store.memory.kinds import LIBRARY
from synap.store.memory.layout import CHANGED, DONE, FULL, ITEMS, LIBRARIES, LIBRARIES_CHANGES, NIL
from synap.store.memory.refusals import OUT_OF_MEMORY
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_size
from synap.store.records import named_records
from synap.store.records.named_records import NAME_SIZE
from synap.store.slots import libraries as slots

TEXT, TEXT_SIZE = 1, 2
LIBRARY_WORDS = 16


@kernel
def store(words, octets, tape, now, reply):
    """Store the text of a library, in place of an older one."""
    name = slots.FUNCTION_STORE_LIBRARY
    size = text_size(words, tape, slots.FUNCTION_STORE_CODE)
    h, library = named_records.open_record(words, octets, LIBRARY, LIBRARIES, LIBRARY_WORDS, tape, name)
    block = arena.allocate(words, max((size + 7) >> 3, 1))
    if block == 0:
        return OUT_OF_MEMORY
    if library == 0:
        library = named_records.make(words, octets, LIBRARY, LIBRARIES, LIBRARY_WORDS, h, tape, name)
        if library == 0:
            arena.release(words, block)
            return OUT_OF_MEMORY
    else:
        arena.release(words, words[library + TEXT])
    move(octets, block * 8, text_at(words, tape, slots.FUNCTION_STORE_CODE), size)
    words[library + TEXT] = block
    words[library + TEXT_SIZE] = size
    words[LIBRARIES_CHANGES] += 1
    return DONE | CHANGED


@kernel
def remove(words, octets, tape, now, reply):
    """Remove a library; NIL if there is none with this name."""
    name = slots.FUNCTION_REMOVE_LIBRARY
    if named_records.remove(words, octets, LIBRARY, LIBRARIES, LIBRARY_WORDS, tape, name) == 0:
        return NIL
    words[LIBRARIES_CHANGES] += 1
    return DONE | CHANGED


@kernel
def texts(words, octets, tape, now, reply):
    """Reply with the name and the text of each library, in no order."""
    count = 0
    size = 0
    at = named_records.following(words, LIBRARIES, 0)
    while at:
        library = words[at] & tables.REF_MASK
        count += 2
        size += words[library + NAME_SIZE] + words[library + TEXT_SIZE]
        at = named_records.following(words, LIBRARIES, at)
    if not fits(words, count, size):
        return FULL
    set_scalar(words, reply, count)
    at = named_records.following(words, LIBRARIES, 0)
    while at:
        library = words[at] & tables.REF_MASK
        add_text(words, reply, (library + LIBRARY_WORDS) * 8, words[library + NAME_SIZE], 0)
        add_text(words, reply, words[library + TEXT] * 8, words[library + TEXT_SIZE], 0)
        at = named_records.following(words, LIBRARIES, at)
    return ITEMS
