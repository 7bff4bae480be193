"""Rows of strings: STRLEN, GETRANGE, SETRANGE, APPEND, INCRBYFLOAT, and MGET, MSET, MSETNX."""

from synap.compiler.jit import kernel
from synap.kernels.decimals import DECIMAL_SIZE_MAX, NOT_DECIMAL, OUT_OF_RANGE, add_decimal, is_real
from synap.kernels.spans import fill, move
from synap.store.kinds.strings import strings
from synap.store.kinds.strings.strings import value_at
from synap.store.memory import arena, limits
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DONE,
    FORM_JSON,
    FORM_MASK,
    FULL,
    ITEM,
    ITEMS,
    KEY_HITS,
    KEY_MISSES,
    LIMIT_WORD,
    NUMBER,
    SCRATCH,
)
from synap.store.memory.refusals import (
    BAD_OFFSET,
    NOT_A_REAL,
    NOT_FINITE,
    OUT_OF_MEMORY,
    STRING_TOO_LONG,
    WRONG_TYPE,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_nil, add_text, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.key_access import ANY_KIND, OTHER_KIND
from synap.store.slots import substrings as slots

SPARE_SHIFT = 3  # a value that grows gets an eighth more than it needs
DECIMALS = SCRATCH * 8  # the octet at which sums are written


@kernel
def length(words, octets, tape, now, reply):
    """Reply with the bytes of the value, 0 without a key (STRLEN)."""
    ref = key_access.find(words, octets, tape, slots.KV_STRLEN_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, compressed.full_size(words, octets, ref) if ref else 0)
    return NUMBER


@kernel
def piece(words, octets, tape, now, reply):
    """Reply with the bytes from one index to another, both included; negative ones count from the end (GETRANGE)."""
    ref = key_access.find(words, octets, tape, slots.KV_GETRANGE_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    size = compressed.full_size(words, octets, ref) if ref else 0
    start = words[tape + slots.KV_GETRANGE_START]
    stop = words[tape + slots.KV_GETRANGE_END]
    backwards = start < 0 and stop < 0 and start > stop
    start = max(start + size, 0) if start < 0 else start
    stop = max(stop + size, 0) if stop < 0 else min(stop, size - 1)
    count = 0 if backwards or size == 0 else max(stop - start + 1, 0)
    if not fits(words, 1, count):
        return FULL
    at = 0
    if count:
        at, size = compressed.open_text(words, octets, ref)
        if size < 0:
            return OUT_OF_MEMORY
    set_scalar(words, reply, 0)
    add_text(words, reply, at + start, count, 0)
    return ITEM


@kernel
def grown(size):
    """Return the bytes of a value of this size that has moved in `grow`."""
    return size + (size >> SPARE_SHIFT)


@kernel
def grow(words, octets, namespace, seat, ref, size):
    """Enlarge the value of a record to `size` bytes (never less); return the record, or 0 without memory.

    The new bytes are not cleared. Values above 1 KiB that move get an eighth more than they need, so that repeated
    appending copies each byte a few times and not once for each append.
    """
    name_size = keyspace.key_size(words, ref)
    old_size = keyspace.value_size(words, ref)
    deadline = keyspace.deadline_of(words, ref)
    wanted = keyspace.record_words(words, STRING, name_size, size, deadline)
    old_at = value_at(words, ref)
    mark = keyspace.mark_of(words, ref)
    note = keyspace.note_of(words, ref)
    target = ref
    if arena.capacity(words, ref) < wanted:
        target = arena.allocate(words, wanted + (wanted >> SPARE_SHIFT) if wanted > 128 else wanted)
        if target == 0:
            return 0
    wide = keyspace.VALUE_SIZE_MAX
    if target == ref and old_size <= wide < size and name_size <= keyspace.KEY_SIZE_MAX:
        # The sizes need a word of their own: key and value move up by one word.
        move(octets, keyspace.key_at(words, ref) + 8, keyspace.key_at(words, ref), name_size + old_size)
        keyspace.write_head(words, ref, STRING, mark, namespace, name_size, size, deadline)
        keyspace.set_note(words, ref, note)
        return ref
    if target != ref:
        name_at = keyspace.key_at(words, ref)
        at = keyspace.write_head(words, target, STRING, mark, namespace, name_size, size, deadline)
        keyspace.set_note(words, target, note)
        move(octets, at, name_at, name_size)
        move(octets, at + name_size, old_at, old_size)
        words[seat] = (words[seat] & ~REF_MASK) | target
        arena.release(words, ref)
        return target
    keyspace.write_head(words, ref, STRING, mark, namespace, name_size, size, deadline)
    keyspace.set_note(words, ref, note)
    return ref


@kernel
def plain(words, ref):
    """Mark the value as plain text, and as raw for OBJECT ENCODING: it has been changed in part."""
    words[ref] = (words[ref] & ~(keyspace.MARK_MASK << keyspace.FORM_SHIFT)) | keyspace.RAW << keyspace.FORM_SHIFT


@kernel
def change_packed(words, octets, tape, key, h, seat, ref, offset, source, more):
    """Write bytes into a compressed value from `offset` on and store it anew; return DONE, a refusal, or BROKEN."""
    if offset + more > compressed.PACKED_MAX:
        return STRING_TOO_LONG
    at, size = compressed.text_aside(words, octets, ref)
    if size < 0:
        return OUT_OF_MEMORY
    if offset > size:
        fill(octets, at + size, 0, offset - size)
    move(octets, at + offset, source, more)
    size = max(size, offset + more)
    deadline = keyspace.deadline_of(words, ref)
    return DONE if strings.write(words, octets, tape, key, h, seat, at, size, 0, deadline, False) else BROKEN


@kernel
def append(words, octets, tape, now, reply):
    """Append to the value; reply with the new length (APPEND)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_APPEND_KEY, STRING, now)
    source = text_at(words, tape, slots.KV_APPEND_VALUE)
    more = text_size(words, tape, slots.KV_APPEND_VALUE)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == 0:
        if not strings.write_argument(
            words, octets, tape, slots.KV_APPEND_KEY, slots.KV_APPEND_VALUE, h, seat, 0, False
        ):
            return BROKEN
        set_scalar(words, reply, more)
        return NUMBER | CHANGED
    size = compressed.full_size(words, octets, ref)
    if size + more > words[LIMIT_WORD]:
        return STRING_TOO_LONG
    set_scalar(words, reply, size + more)
    if more == 0:  # counts as a change, as in Redis
        words[ref] |= keyspace.RAW << keyspace.FORM_SHIFT
        keyspace.touched(words, octets, h)
        return NUMBER | CHANGED
    if limits.lacks(words, grown(size + more)):
        return OUT_OF_MEMORY
    if compressed.is_packed(words, ref):
        status = change_packed(words, octets, tape, slots.KV_APPEND_KEY, h, seat, ref, size, source, more)
        return NUMBER | CHANGED if status == DONE else status
    ref = grow(words, octets, words[tape - 2], seat, ref, size + more)
    if ref == 0:
        return BROKEN
    move(octets, value_at(words, ref) + size, source, more)
    plain(words, ref)
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def overwrite(words, octets, tape, now, reply):
    """Write bytes from an offset on, after zeros if the value is shorter; reply with the new length (SETRANGE)."""
    offset = words[tape + slots.KV_SETRANGE_OFFSET]
    source = text_at(words, tape, slots.KV_SETRANGE_VALUE)
    more = text_size(words, tape, slots.KV_SETRANGE_VALUE)
    if offset < 0:
        return BAD_OFFSET
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_SETRANGE_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    size = compressed.full_size(words, octets, ref) if ref else 0
    set_scalar(words, reply, size)
    if more == 0:
        return NUMBER
    if offset > words[LIMIT_WORD] or offset + more > words[LIMIT_WORD]:
        return STRING_TOO_LONG
    end = max(size, offset + more)
    if end > size and limits.lacks(words, grown(end)):
        return OUT_OF_MEMORY
    if ref and compressed.is_packed(words, ref):
        words[reply] = end
        status = change_packed(words, octets, tape, slots.KV_SETRANGE_KEY, h, seat, ref, offset, source, more)
        return NUMBER | CHANGED if status == DONE else status
    if ref == 0:
        if not strings.write(words, octets, tape, slots.KV_SETRANGE_KEY, h, seat, source, 0, 0, 0, False):
            return BROKEN
        seat = keyspace.locate_quietly(words, octets, tape, slots.KV_SETRANGE_KEY, h)
        ref = words[seat] & REF_MASK
    ref = grow(words, octets, words[tape - 2], seat, ref, end)
    if ref == 0:
        return BROKEN
    at = value_at(words, ref)
    if offset > size:
        fill(octets, at + size, 0, offset - size)
    move(octets, at + offset, source, more)
    plain(words, ref)
    keyspace.touched(words, octets, h)
    words[reply] = end
    return NUMBER | CHANGED


@kernel
def add_real(words, octets, tape, now, reply):
    """Add decimals exactly (`kernels/decimals.py`); reply with the sum as text (INCRBYFLOAT)."""
    h, seat, ref = key_access.open_key(words, octets, tape, slots.KV_INCRBYFLOAT_KEY, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if not fits(words, 1, DECIMAL_SIZE_MAX):
        return FULL
    source = text_at(words, tape, slots.KV_INCRBYFLOAT_AMOUNT)
    amount_size = text_size(words, tape, slots.KV_INCRBYFLOAT_AMOUNT)
    deadline = 0
    mark = FORM_JSON
    if ref:
        deadline = keyspace.deadline_of(words, ref)
        mark = keyspace.mark_of(words, ref) & FORM_MASK
        at, found = compressed.open_text(words, octets, ref)
        if found < 0:
            return OUT_OF_MEMORY
        size = add_decimal(octets, DECIMALS, at, found, source, amount_size)
    else:
        octets[DECIMALS + DECIMAL_SIZE_MAX] = 48
        size = add_decimal(octets, DECIMALS, DECIMALS + DECIMAL_SIZE_MAX, 1, source, amount_size)
    if size == NOT_DECIMAL:
        if ref and not is_real(octets, DECIMALS, at, max(found, 0)):
            return NOT_A_REAL
        return NOT_FINITE if is_real(octets, DECIMALS, source, amount_size) else NOT_A_REAL
    if size == OUT_OF_RANGE:
        return NOT_FINITE
    key = slots.KV_INCRBYFLOAT_KEY
    if not strings.write(words, octets, tape, key, h, seat, DECIMALS, size, mark, deadline, False):
        return BROKEN
    seat = keyspace.locate_quietly(words, octets, tape, key, h)
    words[words[seat] & REF_MASK] |= keyspace.SPELLED
    set_scalar(words, reply, 0)
    add_text(words, reply, DECIMALS, size, mark)
    return ITEM | CHANGED


@kernel
def get_many(words, octets, tape, now, reply):
    """Reply with the value of each key, or a null where there is no string (MGET)."""
    count = words[tape + slots.KV_MGET_KEYS]
    total = 0
    for again in range(2):  # the first pass measures the reply
        key = first_item(words, tape, slots.KV_MGET_KEYS) + slots.KV_MGET_KEYS_KEY
        for _ in range(count):
            h = keyspace.hash_text(words, octets, tape, key)
            if again == 0:
                seat = keyspace.locate_text(words, octets, tape, key, h)
            else:
                seat = keyspace.locate_quietly(words, octets, tape, key, h)
            ref = max(key_access.record_at(words, seat, STRING, now), 0)
            if again == 0:
                words[KEY_HITS if ref else KEY_MISSES] += 1
                total += compressed.full_size(words, octets, ref) if ref else 0
            elif ref:
                start, size = compressed.open_text(words, octets, ref)
                if size < 0:
                    return OUT_OF_MEMORY
                add_text(words, reply, start, size, keyspace.mark_of(words, ref) & FORM_MASK)
            else:
                add_nil(words, reply)
            key += slots.KV_MGET_KEYS_STRIDE
        if again == 0:
            if not fits(words, count, total):
                return FULL
            set_scalar(words, reply, 0)
    return ITEMS


@kernel
def write_pairs(words, octets, tape):
    """Store every pair of MSET or MSETNX; return False without memory."""
    pair = first_item(words, tape, slots.KV_MSET_PAIRS)
    for _ in range(words[tape + slots.KV_MSET_PAIRS]):
        key = pair + slots.KV_MSET_PAIRS_KEY
        h = keyspace.hash_text(words, octets, tape, key)
        seat = keyspace.locate_text(words, octets, tape, key, h)
        if not strings.write_argument(words, octets, tape, key, pair + slots.KV_MSET_PAIRS_VALUE, h, seat, 0, False):
            return False
        pair += slots.KV_MSET_PAIRS_STRIDE
    return True


@kernel
def set_many(words, octets, tape, now, reply):
    """Store pairs of keys and values (MSET). No pairs, possible with named fields only, change nothing."""
    if words[tape + slots.KV_MSET_PAIRS] == 0:
        return DONE
    return DONE | CHANGED if write_pairs(words, octets, tape) else BROKEN


@kernel
def set_many_if_missing(words, octets, tape, now, reply):
    """Store all pairs if none of the keys exists; reply with NUMBER 1 if so (MSETNX)."""
    count = words[tape + slots.KV_MSETNX_PAIRS]
    key = first_item(words, tape, slots.KV_MSETNX_PAIRS) + slots.KV_MSETNX_PAIRS_KEY
    set_scalar(words, reply, 0)
    for _ in range(count):
        _, _, ref = key_access.open_key(words, octets, tape, key, ANY_KIND, now)
        if ref:
            return NUMBER
        key += slots.KV_MSETNX_PAIRS_STRIDE
    words[reply] = 1
    if count == 0:
        return NUMBER
    return NUMBER | CHANGED if write_pairs(words, octets, tape) else BROKEN
