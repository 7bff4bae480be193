"""The entries of a stream, over all of its chunks: append, find, walk, delete and trim.

    root     ring of chunks, live entries, last id, greatest id that was deleted, entries ever added,
             groups (names.py), bytes of the chunks

A *place* is where an entry lies: the number of its chunk in the ring and the octet of the entry. The octet is 0 where
there is no entry. A walk backwards keeps the octets of the entries of its chunk in a block, as an entry does not tell
where the one before it begins.

The ids of live entries rise. That of a deleted one may be above those behind it: XSETID may set the last id of a stream
back to the last live one.
"""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.streams import chunks, ids
from synap.store.kinds.streams.chunks import DELETED, LIVE, MS, SEQ, read_head
from synap.store.memory import arena
from synap.store.memory.layout import STREAM_BYTES_MAX, STREAM_ENTRIES_MAX, WORD
from synap.store.records import rings

# Words of the root.
RING = 0
LENGTH, LAST_MS, LAST_SEQ, DELETED_MS, DELETED_SEQ, ADDED = range(RING + rings.RING_WORDS, RING + rings.RING_WORDS + 6)
GROUPS, GROUPS_COUNT, GROUPS_CAPACITY, BYTES, ROOT_WORDS = range(ADDED + 1, ADDED + 6)
BYTES_NO_LIMIT = 1 << 30


@kernel
def count_chunks(words, root):
    """Return the number of chunks."""
    return words[root + RING + rings.COUNT]


@kernel
def chunk_at(words, root, i):
    """Return the i-th chunk."""
    return rings.chunk_at(words, root + RING, i)


@kernel
def changed_bytes(words, root, before, after):
    """Note that a chunk (0: none) was replaced by another (0: none, which is freed before this call)."""
    if before:
        words[root + BYTES] -= before
    if after:
        words[root + BYTES] += arena.capacity(words, after) * WORD


@outlined
def append(words, octets, root, ms, seq, tape, item, stride, count, value):
    """Add an entry whose id is behind all others; return False without memory.

    Its fields are `count` items of a tape from slot `item` on; the value of an item is `value` slots behind its name.
    """
    more = chunks.texts_size(words, tape, item, stride, count, value)
    i = count_chunks(words, root) - 1
    last = chunk_at(words, root, i) if i >= 0 else 0
    bytes_max = words[STREAM_BYTES_MAX] if words[STREAM_BYTES_MAX] else BYTES_NO_LIMIT
    if last and chunks.is_full(words, last, more, bytes_max, words[STREAM_ENTRIES_MAX]):
        had = arena.capacity(words, last) * WORD
        full = chunks.trimmed(words, octets, last)
        rings.put(words, root + RING, i, full)
        changed_bytes(words, root, had, full)
        last = 0
    if last == 0:
        last = chunks.new_chunk(words, octets, ms, seq, tape, item, stride, count, more)
        if last == 0 or not rings.append(words, root + RING, last):
            return False
        changed_bytes(words, root, 0, last)
        i += 1
    had = arena.capacity(words, last) * WORD
    chunk = chunks.append(words, octets, last, ms, seq, tape, item, stride, count, value)
    if chunk == 0:
        return False
    if chunk != last:
        rings.put(words, root + RING, i, chunk)
        changed_bytes(words, root, had, chunk)
    words[root + LENGTH] += 1
    words[root + ADDED] += 1
    words[root + LAST_MS] = ms
    words[root + LAST_SEQ] = seq
    return True


# Walks.


@kernel
def chunk_of(words, root, ms, seq):
    """Return the number of the last chunk that begins at or before an id; 0 if none does."""
    low = 0
    high = count_chunks(words, root) - 1
    while low < high:
        middle = (low + high + 1) >> 1
        chunk = chunk_at(words, root, middle)
        if ids.compare(words[chunk + MS], words[chunk + SEQ], ms, seq) <= 0:
            low = middle
        else:
            high = middle - 1
    return low


@kernel
def live_from(words, octets, root, i, at, ms, seq):
    """Return (chunk number, octet) of the first live entry at or behind a place whose id is at least this one."""
    while i < count_chunks(words, root):
        chunk = chunk_at(words, root, i)
        names, _, first = chunks.names_of(octets, chunk)
        if at == 0:
            at = first
        end = chunks.end_of(words, chunk)
        while at < end:
            flags, its_ms, its_seq, behind = read_head(words, octets, chunk, at)
            if not flags & DELETED and ids.compare(its_ms, its_seq, ms, seq) >= 0:
                return i, at
            at = chunks.skip_fields(octets, flags, behind, names)
        at = 0
        i += 1
    return i, 0


@kernel
def seek(words, octets, root, ms, seq):
    """Return (chunk number, octet) of the first live entry whose id is at least this one."""
    return live_from(words, octets, root, chunk_of(words, root, ms, seq), 0, ms, seq)


@kernel
def id_at(words, octets, root, i, at):
    """Return the id (ms, seq) of the entry at a place."""
    _, ms, seq, _ = read_head(words, octets, chunk_at(words, root, i), at)
    return ms, seq


@kernel
def following(words, octets, root, i, at):
    """Return (chunk number, octet) of the live entry behind the one at a place."""
    chunk = chunk_at(words, root, i)
    flags, _, _, behind = read_head(words, octets, chunk, at)
    at = chunks.skip_fields(octets, flags, behind, chunks.names_of(octets, chunk)[0])
    if at >= chunks.end_of(words, chunk):
        i += 1
        at = 0
    return live_from(words, octets, root, i, at, 0, 0)


@kernel
def find(words, octets, root, ms, seq):
    """Return (chunk number, octet) of the live entry with this id."""
    i, at = seek(words, octets, root, ms, seq)
    if at:
        its_ms, its_seq = id_at(words, octets, root, i, at)
        if its_ms != ms or its_seq != seq:
            return i, 0
    return i, at


@kernel
def first_id(words, octets, root):
    """Return the id (ms, seq) of the first live entry; 0-0 without one."""
    i, at = live_from(words, octets, root, 0, 0, 0, 0)
    if at == 0:
        return 0, 0
    return id_at(words, octets, root, i, at)


@kernel
def live_places(words, octets, root, i, ms, seq, places):
    """Write the octets of the live entries of a chunk, up to an id, into the block `places`; return how many.

    The block has a word for each entry of the chunk.
    """
    chunk = chunk_at(words, root, i)
    names, _, at = chunks.names_of(octets, chunk)
    end = chunks.end_of(words, chunk)
    count = 0
    while at < end:
        flags, its_ms, its_seq, behind = read_head(words, octets, chunk, at)
        if not flags & DELETED:
            if ids.compare(its_ms, its_seq, ms, seq) > 0:
                break
            words[places + count] = at
            count += 1
        at = chunks.skip_fields(octets, flags, behind, names)
    return count


@kernel
def last_at(words, octets, root, ms, seq):
    """Return (chunk number, octet) of the last live entry whose id is at most this one."""
    i = chunk_of(words, root, ms, seq)
    found = 0
    while i >= 0 and count_chunks(words, root):
        chunk = chunk_at(words, root, i)
        names, _, at = chunks.names_of(octets, chunk)
        end = chunks.end_of(words, chunk)
        while at < end:
            flags, its_ms, its_seq, behind = read_head(words, octets, chunk, at)
            if not flags & DELETED:
                if ids.compare(its_ms, its_seq, ms, seq) > 0:
                    break
                found = at
            at = chunks.skip_fields(octets, flags, behind, names)
        if found:
            break
        i -= 1
    return i, found


# Removal.


@kernel
def drop_chunk(words, root, i):
    """Free the i-th chunk with all its entries."""
    chunk = chunk_at(words, root, i)
    words[root + BYTES] -= arena.capacity(words, chunk) * WORD
    words[root + LENGTH] -= words[chunk + LIVE]
    rings.drop(words, root + RING, i)


@kernel
def delete_at(words, octets, root, i, at):
    """Delete the entry at a place."""
    chunk = chunk_at(words, root, i)
    if words[chunk + LIVE] == 1:
        drop_chunk(words, root, i)
        return
    chunks.delete(words, octets, chunk, at)
    words[root + LENGTH] -= 1


@kernel
def last_id_of(words, octets, chunk):
    """Return the id (ms, seq) of the last entry of a chunk, deleted or not."""
    names, _, at = chunks.names_of(octets, chunk)
    end = chunks.end_of(words, chunk)
    ms = seq = 0
    while at < end:
        flags, ms, seq, behind = read_head(words, octets, chunk, at)
        at = chunks.skip_fields(octets, flags, behind, names)
    return ms, seq


@outlined
def trim(words, octets, root, by_length, length, ms, seq, whole, most):
    """Remove the first entries: until at most `length` are left (`by_length`), or those below an id; return how many.

    `whole`: only chunks that can go as a whole, and no chunk by which there would be more than `most` (0: no limit).
    As in Redis, a chunk stays if its last entry is not below the id, even if that is deleted and so no entry is left.
    """
    before = words[root + LENGTH]
    left = before
    while count_chunks(words, root):
        if by_length and left <= length:
            break
        chunk = chunk_at(words, root, 0)
        live = words[chunk + LIVE]
        if most and before - left + live > most:
            break
        if by_length:
            goes = left - live >= length
        else:
            last_ms, last_seq = last_id_of(words, octets, chunk)
            goes = ids.compare(last_ms, last_seq, ms, seq) < 0
        if not goes:
            if not whole:
                trim_chunk(words, octets, root, chunk, left - length if by_length else live, ms, seq, by_length)
            break
        drop_chunk(words, root, 0)
        left -= live
    return before - words[root + LENGTH]


@kernel
def trim_chunk(words, octets, root, chunk, count, ms, seq, by_length):
    """Delete up to `count` first live entries of a chunk in which some stay; unless `by_length` those below an id."""
    names, _, at = chunks.names_of(octets, chunk)
    while count > 0:
        flags, its_ms, its_seq, behind = read_head(words, octets, chunk, at)
        if not flags & DELETED:
            if not by_length and ids.compare(its_ms, its_seq, ms, seq) >= 0:
                return
            chunks.delete(words, octets, chunk, at)
            words[root + LENGTH] -= 1
            count -= 1
        at = chunks.skip_fields(octets, flags, behind, names)


@kernel
def free_some(words, root, budget):
    """Free chunks of a deleted stream; return what is left of the budget, more than 0 once there are none."""
    return rings.free_some(words, root + RING, budget)
