"""Entries in replies: an array of the id and the array of fields and values.

A reply is written as the entries are walked over. The first result of `put_id` and `put_entry` is the octet for the
text of the next id; or it is below 0, FULL_REPLY or NO_MEMORY, and the reply is not complete.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.varints import get_varint
from synap.store.kinds.streams import chunks, entries, ids
from synap.store.memory.layout import FULL, MARK_ARRAY, REPLY_ITEMS_MAX
from synap.store.memory.refusals import OUT_OF_MEMORY
from synap.store.memory.tapes import add_mark, add_text

NO_MEMORY, FULL_REPLY = -2, -1
ENTRY_ITEMS = 3  # of an entry, besides those of its fields: two arrays, the id


@kernel
def refusal_of(text_at):
    """Return the status of a row whose reply could not be written."""
    return FULL if text_at == FULL_REPLY else OUT_OF_MEMORY


@kernel
def put_id(words, octets, reply, ms, seq, text_at, text_end, total):
    """Add an id; return (octet and end of the space for the next one, bytes of the texts so far)."""
    text_at, text_end = ids.room_for_text(words, reply, text_at, text_end)
    if text_at == 0:
        return NO_MEMORY, text_end, total
    start = text_at
    text_at = ids.add_id(words, octets, reply, text_at, ms, seq)
    return text_at, text_end, total + text_at - start


@outlined
def put_entry(words, octets, reply, chunk, at, text_at, text_end, total):
    """Add the entry at an octet of a chunk; return as `put_id` does."""
    flags, ms, seq, behind = chunks.read_head(words, octets, chunk, at)
    count, name, value = chunks.fields_of(octets, chunk, flags, behind)
    if words[reply + 1] + ENTRY_ITEMS + 2 * count > words[REPLY_ITEMS_MAX]:
        return FULL_REPLY, text_end, total
    add_mark(words, reply, MARK_ARRAY, 2)
    text_at, text_end, total = put_id(words, octets, reply, ms, seq, text_at, text_end, total)
    if text_at < 0:
        return text_at, text_end, total
    add_mark(words, reply, MARK_ARRAY, 2 * count)
    apart = name != value
    for _ in range(count):
        size, name = get_varint(octets, name)
        add_text(words, reply, name, size, 0)
        name += size
        total += size
        if not apart:
            value = name
        size, value = get_varint(octets, value)
        add_text(words, reply, value, size, 0)
        value += size
        total += size
        if not apart:
            name = value
    return text_at, text_end, total


@kernel
def put_from(words, octets, reply, root, i, at, last_ms, last_seq, most, text_at, text_end, total):
    """Add the entries from a place on, up to an id and at most `most` (0: any number); return (their number, then as
    `put_id` does)."""
    count = 0
    while at:
        ms, seq = entries.id_at(words, octets, root, i, at)
        if ids.compare(ms, seq, last_ms, last_seq) > 0:
            break
        chunk = entries.chunk_at(words, root, i)
        text_at, text_end, total = put_entry(words, octets, reply, chunk, at, text_at, text_end, total)
        if text_at < 0:
            break
        count += 1
        if count == most:
            break
        i, at = entries.following(words, octets, root, i, at)
    return count, text_at, text_end, total
