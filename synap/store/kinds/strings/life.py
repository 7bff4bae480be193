"""Strings: copying, digests, snapshots and descriptions, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.integers import is_integer
from synap.kernels.spans import move
from synap.store.memory import codes, frames
from synap.store.memory.layout import FORM_MASK
from synap.store.memory.tapes import set_text
from synap.store.records import compressed, keyspace
from synap.store.records.descriptions import AT, ENCODING, SIZE
from synap.store.records.pieces import UNREADABLE, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import strings as slots

INTEGER, EMBEDDED, RAW = range(3)  # encodings, in the order of the table of kinds
EMBEDDED_MAX = 44  # the most bytes of a string that Redis keeps in one block with its head


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    return keyspace.value_size(words, ref)


@kernel
def copy(words, octets, source, target):
    """Return True: the value has been copied with the record."""
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with form and value mixed in."""
    at, size = compressed.text_aside(words, octets, ref)
    return mix(mix(h, keyspace.mark_of(words, ref) & FORM_MASK), text(octets, at, size))


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the load row of a string; return its words, or UNREADABLE if the value cannot be decompressed."""
    name = keyspace.key_size(words, ref)
    at, size = compressed.text_aside(words, octets, ref)
    if size < 0:
        return UNREADABLE
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.STRING_LOAD, namespace, seq, now, slots.STRING_LOAD_SLOTS, name + size)
    tape = target + frames.HEAD_WORDS
    set_text(words, tape, slots.STRING_LOAD_KEY, 0, name, 0)
    set_text(words, tape, slots.STRING_LOAD_VALUE, name, size, keyspace.mark_of(words, ref))
    words[tape + slots.STRING_LOAD_DEADLINE] = keyspace.deadline_of(words, ref)
    move(octets, blob, keyspace.key_at(words, ref), name)
    move(octets, blob + name, at, size)
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a string: the octet of its text, its size, its encoding."""
    found[AT], length = compressed.open_text(words, octets, ref)
    found[SIZE] = length
    found[ENCODING] = RAW
    if keyspace.mark_of(words, ref) & keyspace.RAW:
        return
    if words[ref] & keyspace.SPELLED == 0 and is_integer(octets, found[AT], length):
        found[ENCODING] = INTEGER
    elif length <= EMBEDDED_MAX:
        found[ENCODING] = EMBEDDED
