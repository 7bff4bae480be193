"""Values of strings that are changed in place, by the bit or by the register, and stored uncompressed for it.

The next change of a few bits would have to decompress a compressed value again. It is compressed by the next snapshot
that is loaded, until its first change after that.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import fill, move
from synap.store.kinds.strings import strings, substrings
from synap.store.kinds.strings.strings import value_at
from synap.store.memory import arena, limits
from synap.store.memory.kinds import STRING
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import text_at
from synap.store.records import compressed, keyspace, value_cache


@kernel
def unpacked(words, octets, seat, ref):
    """Store the value of a record uncompressed; return the record, which is new, or 0 without memory."""
    size = compressed.full_size(words, octets, ref)
    name_size = keyspace.key_size(words, ref)
    deadline = keyspace.deadline_of(words, ref)
    target = arena.allocate(words, keyspace.record_words(words, STRING, name_size, size, deadline))
    if target == 0:
        return 0
    at = keyspace.write_head(
        words, target, STRING, keyspace.RAW, keyspace.namespace_of(words, ref), name_size, size, deadline
    )
    keyspace.set_note(words, target, keyspace.note_of(words, ref))
    move(octets, at, keyspace.key_at(words, ref), name_size)
    if compressed.expand_to(words, octets, ref, at + name_size) != size:
        arena.release(words, target)
        return 0
    words[seat] = (words[seat] & ~REF_MASK) | target
    value_cache.forget(words, ref)
    arena.release(words, ref)
    return target


@kernel
def lacks_memory(words, octets, ref, end):
    """Return True if memory does not suffice for the value of a record (0: a new one) of `end` bytes or more."""
    if ref == 0:
        return limits.lacks(words, substrings.grown(end))
    size = compressed.full_size(words, octets, ref)
    return (end > size or compressed.is_packed(words, ref)) and limits.lacks(words, substrings.grown(max(end, size)))


@kernel
def widen(words, octets, tape, key, h, seat, ref, end):
    """Return a record with the value of `ref` (0: none), uncompressed and at least `end` bytes long; 0 without memory.

    The new bytes are zero. The record is raw for OBJECT ENCODING from now on, as in Redis.
    """
    if ref == 0:
        if not strings.write(words, octets, tape, key, h, seat, text_at(words, tape, key), 0, 0, 0, False):
            return 0
        seat = keyspace.locate_quietly(words, octets, tape, key, h)
        ref = words[seat] & REF_MASK
    elif compressed.is_packed(words, ref):
        ref = unpacked(words, octets, seat, ref)
        if ref == 0:
            return 0
    size = keyspace.value_size(words, ref)
    if end > size:
        ref = substrings.grow(words, octets, words[tape - 2], seat, ref, end)
        if ref == 0:
            return 0
        fill(octets, value_at(words, ref) + size, 0, end - size)
    substrings.plain(words, ref)
    return ref


@kernel
def shrink(words, ref, size):
    """Cut an uncompressed value of at most 1 MiB to `size` bytes; its block stays as large as it is."""
    if size < keyspace.value_size(words, ref):
        note = keyspace.note_of(words, ref)
        keyspace.write_head(
            words, ref, STRING, keyspace.mark_of(words, ref), keyspace.namespace_of(words, ref),
            keyspace.key_size(words, ref), size, keyspace.deadline_of(words, ref),
        )  # fmt: skip
        keyspace.set_note(words, ref, note)
