"""The state as frames that make it again: what a snapshot consists of.

`dump` walks the tables in the order of hashes and writes load rows into LOG until about a megabyte
is there. A list or a set comes in pieces, the first of which makes the key. All frames carry the seq
at which the snapshot stands.

    cursor   place in the tables | structure at hand | progress inside it | ...   (kept by the caller)

The keyspace comes first, then the queues, then the rooms (`backlog_dumps`).
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare, move
from synap.store.kinds.lists import chunks
from synap.store.memory import frames, tables
from synap.store.memory.layout import (
    FORM_MASK,
    LIST,
    LOG,
    MARK_BITS,
    PRESENT,
    QUEUES,
    ROOMS,
    SHARDS,
    SHARDS_COUNT,
    STRING,
    TABLE_SIZE,
)
from synap.store.memory.tables import REF_MASK, TAG_BITS, TAG_MASK
from synap.store.records import compressed, keyspace
from synap.store.snapshot import named_dumps
from synap.store.snapshot.named_dumps import (
    CHAIN,
    CURSOR_SIZE,
    ENTRY,
    INSIDE,
    MORE,
    PIECE_BYTES,
    PIECE_ITEMS,
    PLACE,
    REF,
)

STRING_LOAD, LIST_LOAD, SET_LOAD = 0x01F0, 0x04F0, 0x05F0
LOAD_SLOTS = 6
CURSOR_WORDS = 8
PLACES = SHARDS_COUNT << TAG_BITS
ROOM_PLACES = PLACES + TAG_MASK + 1
UNREADABLE = -1


@kernel
def dump_string(words, octets, ref, target, seq, now):
    """One string; the words written, or UNREADABLE."""
    name = keyspace.key_size(words, ref)
    at, size = compressed.text_aside(words, octets, ref)
    if size < 0:
        return UNREADABLE
    blob = frames.head(words, target, STRING_LOAD, keyspace.namespace_of(words, ref), seq, now, 5, name + size)
    tape = target + frames.HEAD_WORDS
    words[tape] = 0
    words[tape + 1] = name << MARK_BITS | PRESENT
    words[tape + 2] = name
    words[tape + 3] = size << MARK_BITS | PRESENT | (keyspace.mark_of(words, ref) & FORM_MASK)
    words[tape + 4] = keyspace.deadline_of(words, ref)
    move(octets, blob, keyspace.key_at(words, ref), name)
    move(octets, blob + name, at, size)
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def begin_piece(words, octets, ref, target, count, more):
    """The tape of a list or set piece; the words of its tape. Its blob begins with the key."""
    tape = target + frames.HEAD_WORDS
    words[tape] = 0
    words[tape + 1] = keyspace.key_size(words, ref) << MARK_BITS | PRESENT
    words[tape + 2] = keyspace.deadline_of(words, ref)
    words[tape + 3] = more
    words[tape + 4] = count
    words[tape + 5] = LOAD_SLOTS
    return LOAD_SLOTS + 2 * count


@kernel
def put_element(words, tape, i, start, size, mark):
    """The slots of one element of a piece."""
    words[tape + LOAD_SLOTS + 2 * i] = start
    words[tape + LOAD_SLOTS + 2 * i + 1] = size << MARK_BITS | PRESENT | (mark & FORM_MASK)


@kernel
def first_entry(words, chunk):
    """The octet where the first entry of a chunk starts."""
    return chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)


@kernel
def next_element(words, octets, chunk, at):
    """(chunk, octet) of the entry behind the one at `at`; the chunk is 0 behind the last."""
    at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
    if at < chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] >> chunks.HALF):
        return chunk, at
    chunk = words[chunk + chunks.NEXT]
    return chunk, first_entry(words, chunk) if chunk else at


@kernel
def dump_list(words, octets, ref, cursor, target, seq, now):
    """The next piece of a list (INSIDE, ENTRY: the chunk and the entry to go on with); the words written."""
    root = keyspace.root_of(words, ref)
    name = keyspace.key_size(words, ref)
    first = cursor[INSIDE]
    first_at = cursor[ENTRY]
    if cursor[MORE] == 0:
        first = words[root + chunks.FIRST]
        first_at = first_entry(words, first)
    count = 0
    total = 0
    chunk = first
    at = first_at
    while chunk and total < PIECE_BYTES and count < PIECE_ITEMS:
        _, size, mark, _ = chunks.element(words, octets, at)
        put_element(words, target + frames.HEAD_WORDS, count, name + total, size, mark)
        total += size
        count += 1
        chunk, at = next_element(words, octets, chunk, at)
    tape_size = begin_piece(words, octets, ref, target, count, cursor[MORE])
    blob = frames.head(
        words, target, LIST_LOAD, keyspace.namespace_of(words, ref), seq, now, tape_size, name + total
    )
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    cursor[INSIDE] = chunk
    cursor[ENTRY] = at
    cursor[MORE] = 1 if chunk else 0
    chunk = first
    at = first_at
    for _ in range(count):
        place, size, _, _ = chunks.element(words, octets, at)
        move(octets, blob, place, size)
        blob += size
        chunk, at = next_element(words, octets, chunk, at)
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def dump_set(words, octets, ref, cursor, target, seq, now):
    """The next piece of a set (INSIDE: the place in its slots to go on with); the words written."""
    root = keyspace.root_of(words, ref)
    place = cursor[INSIDE] if cursor[MORE] else 0
    count = 0
    total = 0
    name = keyspace.key_size(words, ref)
    tape = target + frames.HEAD_WORDS
    spans = words[root + tables.SIZE] + tables.slack(words[root + tables.SIZE])
    both = spans
    if words[root + tables.OLD]:
        both += words[root + tables.OLD_SIZE] + tables.slack(words[root + tables.OLD_SIZE])
    at = place
    while at < both and (count == 0 or (total < PIECE_BYTES and count < PIECE_ITEMS)):
        slot = words[words[root + tables.SLOTS] + at] if at < spans else words[words[root + tables.OLD] + at - spans]
        if slot:
            block = slot & REF_MASK
            size = words[block] >> MARK_BITS
            put_element(words, tape, count, name + total, size, words[block])
            total += size
            count += 1
        at += 1
    tape_size = begin_piece(words, octets, ref, target, count, cursor[MORE])
    blob = frames.head(words, target, SET_LOAD, keyspace.namespace_of(words, ref), seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    used = name
    for i in range(place, at):
        slot = words[words[root + tables.SLOTS] + i] if i < spans else words[words[root + tables.OLD] + i - spans]
        if slot:
            block = slot & REF_MASK
            move(octets, blob + used, (block + 1) * 8, words[block] >> MARK_BITS)
            used += words[block] >> MARK_BITS
    while at < both:  # is there anything left?
        slot = words[words[root + tables.SLOTS] + at] if at < spans else words[words[root + tables.OLD] + at - spans]
        if slot:
            break
        at += 1
    cursor[INSIDE] = at
    cursor[MORE] = 1 if at < both else 0
    return (words[target] & 0xFFFFFFFF) >> 3


@kernel
def next_entry(words, place):
    """(ref, place behind it) of the first entry at or behind a place of the keyspace; ref 0 at its end.

    Entries with one tag share a place; the cursor's CHAIN counts them off.
    """
    shard = place >> TAG_BITS
    tag = place & TAG_MASK
    while shard < SHARDS_COUNT:
        seat = tables.window(words, SHARDS + shard * TABLE_SIZE, tag, TAG_MASK)
        if seat:
            return seat, shard << TAG_BITS | tables.tag_of(words[seat])
        shard += 1
        tag = 0
    return 0, PLACES


@kernel("int64(int64[::1], uint8[::1], int64[::1], int64, int64, int64)")
def dump(words, octets, cursor, seq, now, most):
    """Write load frames into LOG from its start; how many, and `cursor[5]` gets their size in octets.

    At least one frame, then on until `most` octets are there. 0: everything has been written. UNREADABLE: a
    compressed string cannot be expanded, so there can be no whole snapshot.
    """
    words = bare(words)
    octets = bare(octets)
    target = LOG
    end = LOG + (most >> 3)
    done = 0
    while target < end:
        if cursor[PLACE] < PLACES:
            if cursor[MORE]:
                ref = cursor[REF]
            else:
                seat, place = next_entry(words, cursor[PLACE])
                cursor[PLACE] = place
                if seat == 0:
                    cursor[REF] = 0
                    continue
                for _ in range(cursor[CHAIN]):
                    seat += 1
                ref = words[seat] & REF_MASK
                cursor[REF] = ref
            kind = keyspace.kind_of(words, ref)
            if kind == STRING:
                size = dump_string(words, octets, ref, target, seq, now)
                if size == UNREADABLE:
                    return UNREADABLE
                target += size
            elif kind == LIST:
                target += dump_list(words, octets, ref, cursor, target, seq, now)
            else:
                target += dump_set(words, octets, ref, cursor, target, seq, now)
            done += 1
            if cursor[MORE] == 0:
                step(words, cursor, SHARDS + (cursor[PLACE] >> TAG_BITS) * TABLE_SIZE)
        else:
            base = PLACES if cursor[PLACE] < ROOM_PLACES else ROOM_PLACES
            table = QUEUES if base == PLACES else ROOMS
            seat = 0
            if cursor[PLACE] - base <= TAG_MASK:
                seat = tables.window(words, table, cursor[PLACE] - base, TAG_MASK)
            if seat == 0 and base == ROOM_PLACES:
                break
            if seat == 0:
                cursor[PLACE] = ROOM_PLACES
                continue
            cursor[PLACE] = base + tables.tag_of(words[seat])
            for _ in range(cursor[CHAIN]):
                seat += 1
            record = words[seat] & REF_MASK
            if base == PLACES:
                size = named_dumps.dump_queue_entry(words, octets, record, cursor, target, seq, now)
            else:
                size = named_dumps.dump_room_entry(words, octets, record, cursor, target, seq, now)
            target += size
            done += size != 0
            if cursor[MORE] == 0:
                step(words, cursor, table)
    cursor[CURSOR_SIZE] = (target - LOG) * 8
    return done


@kernel
def step(words, cursor, table):
    """Go on to the next entry of a table: the next with the same tag, or the next place."""
    base = cursor[PLACE] - PLACES if cursor[PLACE] >= PLACES else cursor[PLACE]
    tag = base & TAG_MASK
    seat = tables.window(words, table, tag, tag)
    for _ in range(cursor[CHAIN] + 1):
        seat += 1
    if words[seat] and tables.tag_of(words[seat]) == tag:
        cursor[CHAIN] += 1
    else:
        cursor[CHAIN] = 0
        cursor[PLACE] += 1
