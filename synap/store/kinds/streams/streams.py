"""Rows of streams that change entries: XADD, XDEL, XTRIM, XSETID; XLEN; and loading from a snapshot.

XADD and XTRIM with `~` remove whole chunks. How the entries lie in chunks depends on settings of this node, so these
calls are logged with the exact length that they leave (`decide_length`). The other calls give the same result again
when they are replayed: an id for `*` is made of the time of the call.
"""

from synap.compiler.jit import inlined, kernel, outlined
from synap.store.kinds.streams import entries, ids
from synap.store.kinds.streams.entries import (
    ADDED,
    DELETED_MS,
    DELETED_SEQ,
    LAST_MS,
    LAST_SEQ,
    LENGTH,
)
from synap.store.memory import codes, decided
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED_BIT,
    DONE,
    ITEM,
    NIL,
    NUMBER,
    SCRATCH,
    STREAM_ENTRIES_MAX,
    WORD,
)
from synap.store.memory.refusals import (
    BAD_ENTRY_ID,
    ENTRIES_ADDED_BELOW_LENGTH,
    ENTRY_ID_NOT_ABOVE,
    ENTRY_ID_ZERO,
    LIMIT_WITHOUT_APPROXIMATION,
    LIMIT_WITHOUT_TRIM,
    NEGATIVE_ENTRIES_ADDED,
    NEGATIVE_MAXLEN_OF_STREAM,
    NEGATIVE_TRIM_LIMIT,
    NO_SUCH_KEY,
    NO_TRIM,
    SET_ID_BELOW_DELETED,
    SET_ID_BELOW_LAST,
    SET_ID_BELOW_OWN_DELETED,
    STREAM_EXHAUSTED,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_text, first_item, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

BY_LENGTH, BY_ID = 1, 2  # the alternatives of a trim
APPROXIMATE = 2  # the second of the words before its limit: `=`, `~`
_WORK_CHUNKS, _WORK_DEFAULT, _WORK_MAX = 100, 10_000, 1_000_000  # entries that a trim with `~` removes, at most
_STAR, _ZERO_ID = 42, 0


@inlined
def open_stream(words, octets, tape, slot, now):
    """Return (hash, seat, record) of the stream in this slot of a tape, see key_access.py."""
    return key_access.open_key(words, octets, tape, slot, STREAM, now)


@kernel
def new_stream(words, octets, tape, slot, h, now):
    """Return the record of the stream in this slot of a tape, created empty if the key is MISSING; 0 without memory."""
    return key_access.claim(words, octets, tape, slot, h, STREAM, now)


# Trims. XADD and XTRIM have the same slots for the key and the trim.


@kernel
def approximates(words, tape):
    """Return True if the trim of a tape has a `~`."""
    if words[tape + slots.XSTREAM_TRIM_TRIM] == BY_LENGTH:
        return words[tape + slots.XSTREAM_TRIM_MAXLEN_HOW] == APPROXIMATE
    return words[tape + slots.XSTREAM_TRIM_TRIM] == BY_ID and words[tape + slots.XSTREAM_TRIM_MINID_HOW] == APPROXIMATE


@kernel
def least_id(words, octets, tape):
    """Return (is an id, ms, seq) of the id below which a trim removes."""
    return ids.strict(words, octets, tape, slots.XSTREAM_TRIM_MINID, 0)


@kernel
def refused_trim(words, octets, tape):
    """Return the refusal of the numbers and the id of a trim, or 0."""
    how = words[tape + slots.XSTREAM_TRIM_TRIM]
    if how == BY_LENGTH and words[tape + slots.XSTREAM_TRIM_MAXLEN] < 0:
        return NEGATIVE_MAXLEN_OF_STREAM
    if how == BY_ID and not least_id(words, octets, tape)[0]:
        return BAD_ENTRY_ID
    if words[tape + slots.XSTREAM_TRIM_HAS_LIMIT] and words[tape + slots.XSTREAM_TRIM_LIMIT] < 0:
        return NEGATIVE_TRIM_LIMIT
    return 0


@kernel
def refused_limit(words, tape):
    """Return the refusal of a LIMIT that the trim does not fit, or 0."""
    if words[tape + slots.XSTREAM_TRIM_TRIM] == 0 and words[tape + slots.XSTREAM_TRIM_LIMIT]:
        return LIMIT_WITHOUT_TRIM
    if words[tape + slots.XSTREAM_TRIM_HAS_LIMIT] and not approximates(words, tape):
        return LIMIT_WITHOUT_APPROXIMATION
    return 0


@kernel
def carry_out_trim(words, octets, root, tape):
    """Trim a stream as a tape says; return how many entries were removed."""
    if words[tape + slots.XSTREAM_TRIM_TRIM] == 0:
        return 0
    whole = approximates(words, tape)
    most = 0
    if whole:
        most = _WORK_CHUNKS * words[STREAM_ENTRIES_MAX]
        most = min(most, _WORK_MAX) if most > 0 else _WORK_DEFAULT
        if words[tape + slots.XSTREAM_TRIM_HAS_LIMIT]:
            most = words[tape + slots.XSTREAM_TRIM_LIMIT]
    by_length = words[tape + slots.XSTREAM_TRIM_TRIM] == BY_LENGTH
    ms = seq = 0
    if not by_length:
        _, ms, seq = least_id(words, octets, tape)
    return entries.trim(words, octets, root, by_length, words[tape + slots.XSTREAM_TRIM_MAXLEN], ms, seq, whole, most)


@kernel
def decide_length(words, length):
    """Let the call that the log gets trim the stream to exactly this length."""
    decided.put_number(words, slots.XSTREAM_TRIM_TRIM, BY_LENGTH)
    decided.put_number(words, slots.XSTREAM_TRIM_MAXLEN, length)


@outlined
def decide_add(words, octets, tape, length):
    """Let the log have this XADD with the length that its trim leaves."""
    fields = slots.XSTREAM_ADD_FIELDS
    decided.begin(words, codes.XSTREAM_ADD, words[tape - 2], slots.XSTREAM_ADD_SLOTS)
    decided.put_argument(words, octets, slots.XSTREAM_ADD_KEY, tape, slots.XSTREAM_ADD_KEY)
    decided.put_argument(words, octets, slots.XSTREAM_ADD_ID, tape, slots.XSTREAM_ADD_ID)
    decide_length(words, length)
    decided.put_group(words, fields)
    source = first_item(words, tape, fields)
    for _ in range(words[tape + fields]):
        item = decided.add_item(words, fields, slots.XSTREAM_ADD_FIELDS_STRIDE)
        for text in (slots.XSTREAM_ADD_FIELDS_FIELD, slots.XSTREAM_ADD_FIELDS_VALUE):
            start, size = text_at(words, tape, source + text), text_size(words, tape, source + text)
            decided.put_text(words, octets, item + text, start, size, 0)
        source += slots.XSTREAM_ADD_FIELDS_STRIDE


@kernel
def next_id(words, root, what, ms, seq, now):
    """Return (refusal or 0, ms, seq) of the id of a new entry; `what`, ms and seq say what the call asks for."""
    last_ms, last_seq = words[root + LAST_MS], words[root + LAST_SEQ]
    if last_ms == ids.LAST and last_seq == ids.LAST:
        return STREAM_EXHAUSTED, ms, seq
    if what == ids.WRONG:  # `*`
        if ids.below(last_ms, now):
            return 0, now, 0
        ms, seq = ids.following(last_ms, last_seq)
        return 0, ms, seq
    if what == ids.NEXT_SEQ:
        if ms == last_ms:
            if last_seq == ids.LAST:
                return ENTRY_ID_NOT_ABOVE, ms, seq
            return 0, ms, last_seq + 1
        seq = 0
    if ids.compare(ms, seq, last_ms, last_seq) <= 0:
        return ENTRY_ID_NOT_ABOVE, ms, seq
    return 0, ms, seq


@kernel
def add(words, octets, tape, now, reply):
    """Append an entry; reply with ITEM: its id, or NIL if the stream is missing and must not be created (XADD)."""
    refusal = refused_trim(words, octets, tape)
    if refusal:
        return refusal
    at, size = text_at(words, tape, slots.XSTREAM_ADD_ID), text_size(words, tape, slots.XSTREAM_ADD_ID)
    automatic = ids.is_sign(octets, at, size, _STAR)
    what, ms, seq = ids.parse(octets, at, size, 0)
    if what == ids.WRONG and not automatic:
        return BAD_ENTRY_ID
    refusal = refused_limit(words, tape)
    if refusal:
        return refusal
    if ms == 0 and seq == 0 and (what == ids.GIVEN or what == ids.WHOLE):
        return ENTRY_ID_ZERO
    h, _, ref = open_stream(words, octets, tape, slots.XSTREAM_ADD_KEY, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        if words[tape + slots.XSTREAM_ADD_NOMKSTREAM]:
            return NIL
        ref = new_stream(words, octets, tape, slots.XSTREAM_ADD_KEY, h, now)
        if ref == 0:
            return BROKEN
    root = keyspace.root_of(words, ref)
    refusal, ms, seq = next_id(words, root, what, ms, seq, now)
    if refusal:
        return refusal
    item, count = first_item(words, tape, slots.XSTREAM_ADD_FIELDS), words[tape + slots.XSTREAM_ADD_FIELDS]
    stride, value = slots.XSTREAM_ADD_FIELDS_STRIDE, slots.XSTREAM_ADD_FIELDS_VALUE
    if not entries.append(words, octets, root, ms, seq, tape, item, stride, count, value):
        return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * WORD, ids.print_id(octets, SCRATCH * WORD, ms, seq), 0)
    words[reply] = carry_out_trim(words, octets, root, tape)
    if not approximates(words, tape):
        return ITEM | CHANGED
    decide_add(words, octets, tape, words[root + LENGTH])
    return ITEM | CHANGED | DECIDED_BIT


@kernel
def length(words, octets, tape, now, reply):
    """Reply with NUMBER of entries (XLEN)."""
    ref = key_access.find(words, octets, tape, slots.XSTREAM_LEN_KEY, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + LENGTH] if ref else 0)
    return NUMBER


@kernel
def trim(words, octets, tape, now, reply):
    """Remove the first entries; reply with NUMBER of them (XTRIM)."""
    refusal = refused_trim(words, octets, tape)
    if refusal:
        return refusal
    if words[tape + slots.XSTREAM_TRIM_TRIM] == 0:
        return LIMIT_WITHOUT_TRIM if words[tape + slots.XSTREAM_TRIM_LIMIT] else NO_TRIM
    refusal = refused_limit(words, tape)
    if refusal:
        return refusal
    h, _, ref = open_stream(words, octets, tape, slots.XSTREAM_TRIM_KEY, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    root = keyspace.root_of(words, ref)
    words[reply] = carry_out_trim(words, octets, root, tape)
    if words[reply] == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    if not approximates(words, tape):
        return NUMBER | CHANGED
    decided.begin(words, codes.XSTREAM_TRIM, words[tape - 2], slots.XSTREAM_TRIM_SLOTS)
    decided.put_argument(words, octets, slots.XSTREAM_TRIM_KEY, tape, slots.XSTREAM_TRIM_KEY)
    decide_length(words, words[root + LENGTH])
    return NUMBER | CHANGED | DECIDED_BIT


@kernel
def delete(words, octets, tape, now, reply):
    """Delete entries by their ids; reply with NUMBER of them (XDEL)."""
    h, _, ref = open_stream(words, octets, tape, slots.XSTREAM_DEL_KEY, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING:
        return NUMBER
    first, count = first_item(words, tape, slots.XSTREAM_DEL_IDS), words[tape + slots.XSTREAM_DEL_IDS]
    stride = slots.XSTREAM_DEL_IDS_STRIDE
    for slot in range(first, first + count * stride, stride):
        if not ids.strict(words, octets, tape, slot, 0)[0]:
            return BAD_ENTRY_ID
    root = keyspace.root_of(words, ref)
    for slot in range(first, first + count * stride, stride):
        _, ms, seq = ids.strict(words, octets, tape, slot, 0)
        i, at = entries.find(words, octets, root, ms, seq)
        if at:
            entries.delete_at(words, octets, root, i, at)
            words[reply] += 1
            if ids.compare(ms, seq, words[root + DELETED_MS], words[root + DELETED_SEQ]) > 0:
                words[root + DELETED_MS] = ms
                words[root + DELETED_SEQ] = seq
    if words[reply] == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def set_id(words, octets, tape, now, reply):
    """Set the last id of a stream, and how many entries it ever had, and the greatest id deleted (XSETID)."""
    good, ms, seq = ids.strict(words, octets, tape, slots.XSTREAM_SETID_ID, 0)
    if not good:
        return BAD_ENTRY_ID
    added = words[tape + slots.XSTREAM_SETID_ENTRIES_ADDED]
    if words[tape + slots.XSTREAM_SETID_HAS_ENTRIESADDED] and added < 0:
        return NEGATIVE_ENTRIES_ADDED
    deleted_ms = deleted_seq = 0
    if words[tape + slots.XSTREAM_SETID_HAS_MAXDELETEDID]:
        good, deleted_ms, deleted_seq = ids.strict(words, octets, tape, slots.XSTREAM_SETID_MAX_DELETED_ID, 0)
        if not good:
            return BAD_ENTRY_ID
        if ids.compare(ms, seq, deleted_ms, deleted_seq) < 0:
            return SET_ID_BELOW_DELETED
    h, _, ref = open_stream(words, octets, tape, slots.XSTREAM_SETID_KEY, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return NO_SUCH_KEY
    root = keyspace.root_of(words, ref)
    if ids.compare(ms, seq, words[root + DELETED_MS], words[root + DELETED_SEQ]) < 0:
        return SET_ID_BELOW_OWN_DELETED
    if words[root + LENGTH]:
        i, at = entries.last_at(words, octets, root, ids.LAST, ids.LAST)
        last_ms, last_seq = entries.id_at(words, octets, root, i, at)
        if ids.compare(ms, seq, last_ms, last_seq) < 0:
            return SET_ID_BELOW_LAST
        if words[tape + slots.XSTREAM_SETID_HAS_ENTRIESADDED] and added < words[root + LENGTH]:
            return ENTRIES_ADDED_BELOW_LENGTH
    words[root + LAST_MS] = ms
    words[root + LAST_SEQ] = seq
    if words[tape + slots.XSTREAM_SETID_HAS_ENTRIESADDED]:
        words[root + ADDED] = added
    if deleted_ms or deleted_seq:
        words[root + DELETED_MS] = deleted_ms
        words[root + DELETED_SEQ] = deleted_seq
    keyspace.touched(words, octets, h)
    return DONE | CHANGED


@kernel
def last(words, octets, tape, now, reply):
    """Reply with ITEM: the last id of a stream, 0-0 without one. What a `$` stands for when a call begins to wait."""
    _, _, ref = open_stream(words, octets, tape, slots.XSTREAM_LAST_KEY, now)
    ms = seq = _ZERO_ID
    if ref != MISSING and ref != OTHER_KIND:
        root = keyspace.root_of(words, ref)
        ms, seq = words[root + LAST_MS], words[root + LAST_SEQ]
    set_scalar(words, reply, 0)
    add_text(words, reply, SCRATCH * WORD, ids.print_id(octets, SCRATCH * WORD, ms, seq), 0)
    return ITEM
