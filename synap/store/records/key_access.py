"""Beginnings and endings that rows about keys share: open a key, tell whether it fits, end a change.

A row opens the key in a slot of its tape and gets the record, or what stands for one:

    MISSING       there is no such key, or it has expired; an expired record is at its seat until a row removes it
    OTHER_KIND    the key holds a structure of another kind than the row works on

`find` and `look` are for rows that only read and count a keyspace hit or miss, `open_key` and `claim` for rows that
change. All but `look` count a use of the key, as Redis does also where a call is refused or changes nothing.
"""

from synap.compiler.jit import inlined, kernel
from synap.store.memory.layout import KEY_HITS, KEY_MISSES, REPEATED
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import text_at, text_size
from synap.store.records import keyspace

MISSING, OTHER_KIND = 0, -1
ANY_KIND = 0  # for a row that works on every kind


@inlined
def record_at(words, seat, kind, now):
    """Return the record at `seat` (0: none) if it is visible and of this kind, else MISSING or OTHER_KIND."""
    if seat == 0:
        return MISSING
    ref = words[seat] & REF_MASK
    if keyspace.expired(words, ref, now):
        return MISSING
    if kind != ANY_KIND and keyspace.kind_of(words, ref) != kind:
        return OTHER_KIND
    return ref


@inlined
def open_key(words, octets, tape, slot, kind, now):
    """Return (hash, seat, record) of the key in this slot of a tape; the seat is 0 if it has none."""
    h = keyspace.hash_text(words, octets, tape, slot)
    seat = keyspace.locate_text(words, octets, tape, slot, h)
    return h, seat, record_at(words, seat, kind, now)


@kernel
def first_of_kind(words, octets, tape, key, stride, count, kind, now):
    """Return (slot, hash, seat, record) of the first key of a kind among `count` keys, which lie from slot `key` on.

    The record is MISSING without one, and OTHER_KIND if a key of another kind comes first. A call that has waited steps
    over such a key: it goes on waiting for its kind.
    """
    h = 0
    for _ in range(count):
        h, seat, ref = open_key(words, octets, tape, key, kind, now)
        if ref != MISSING and (ref != OTHER_KIND or not words[REPEATED]):
            return key, h, seat, ref
        key += stride
    return key, h, 0, MISSING


@inlined
def find(words, octets, tape, slot, kind, now):
    """Return the record of the key in this slot of a tape, to read it."""
    h = keyspace.hash_text(words, octets, tape, slot)
    return counted(words, keyspace.locate_text(words, octets, tape, slot, h), kind, now)


@inlined
def look(words, octets, tape, slot, now):
    """Return the record of the key in this slot of a tape, to tell something about the key and not its content."""
    h = keyspace.hash_text(words, octets, tape, slot)
    return counted(words, keyspace.locate_quietly(words, octets, tape, slot, h), ANY_KIND, now)


@inlined
def counted(words, seat, kind, now):
    """Return `record_at`, and count a keyspace hit or miss."""
    ref = record_at(words, seat, kind, now)
    if ref == MISSING:
        words[KEY_MISSES] += 1
    else:
        words[KEY_HITS] += 1
    return ref


@kernel
def claim(words, octets, tape, slot, h, kind, now):
    """Return the record of the key in this slot of a tape; create it empty if the key is MISSING.

    Return MISSING without memory, OTHER_KIND if the key holds another kind. The root of a new record is zero.
    """
    seat = keyspace.locate_text(words, octets, tape, slot, h)
    ref = record_at(words, seat, kind, now)
    if ref != MISSING:
        return ref
    if seat:
        keyspace.remove(words, octets, h, seat, False)
    name_at, name_size = text_at(words, tape, slot), text_size(words, tape, slot)
    ref = keyspace.create(words, octets, h, kind, 0, words[tape - 2], name_at, name_size, 0, 0)
    if ref:
        for i in range(keyspace.root_words(words, kind)):
            words[keyspace.root_of(words, ref) + i] = 0
    return ref


@inlined
def shrunk(words, octets, h, seat, left):
    """End a change that removed elements: remove the key if no element is `left`, else note the change."""
    if left == 0:
        keyspace.remove(words, octets, h, seat, False)
    else:
        keyspace.touched(words, octets, h)


@inlined
def change_deadline(words, octets, h, seat, deadline):
    """Set the deadline of the key at `seat` (0: none) and note the change; return the record, or 0 without memory."""
    ref = keyspace.set_deadline(words, octets, seat, deadline)
    if ref:
        keyspace.touched(words, octets, h)
    return ref
