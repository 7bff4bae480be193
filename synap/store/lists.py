"""Lists: a chain of chunks, each a strip of entries that can be read from both ends.

    root     first chunk | last chunk | count | bytes of all elements
    chunk    next | prev | begin, end (octets in the strip) | entries, strip size | the strip
    entry    head | bytes | head again               head: size (11 bits), mark (2), boxed (1)

A chunk holds up to 4 KiB and starts small, growing by doubling, so a short list costs little and a
long one 4 bytes an element. An element above 1 KiB lies in a box, a block of its own, and the entry
holds its ref. Pushing and popping at either end touch one chunk; the middle is found by skipping
chunks by their counts from the nearer end.
"""

from synap.kernels.jit import kernel
from synap.kernels.spans import load64, move, store64
from synap.store import arena, keyspace
from synap.store.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FORM_MASK,
    FULL,
    ITEM,
    ITEMS,
    LIST,
    MARK_BITS,
    NIL,
    NUMBER,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.refusals import KEY_EXISTS, POSITIVE_COUNT, WRONG_TYPE
from synap.store.tables import REF_MASK
from synap.store.tapes import add_text, fits, set_scalar

FIRST, LAST, COUNT, BYTES = range(4)
NEXT, PREV, SPAN, SIZES, STRIP = range(5)
HALF = 32
HALF_MASK = (1 << 32) - 1
CHUNK_WORDS_MAX = 512
CHUNK_WORDS_MIN = 8
ENTRY_SIZE_MAX = 1024
ENTRY_SIZE_MASK = (1 << 11) - 1
ENTRY_MARK, ENTRY_BOXED = 11, 1 << 13
HEAD_BYTES = 2
LEFT, RIGHT = 0, 1


@kernel
def read_head(octets, at):
    """The two bytes of an entry's head."""
    return int(octets[at]) | int(octets[at + 1]) << 8


@kernel
def write_entry(words, octets, at, source, size, mark):
    """Write an entry (head, bytes or ref, head) at `at`; the box of a long element is made here."""
    if size > ENTRY_SIZE_MAX:
        box = arena.allocate(words, 1 + ((size + 7) >> 3))
        if box == 0:
            return False
        words[box] = size << MARK_BITS | (mark & FORM_MASK)
        move(octets, (box + 1) * 8, source, size)
        head = 8 | ENTRY_BOXED
        store64(octets, at + HEAD_BYTES, box)
        size = 8
    else:
        head = size | (mark & FORM_MASK) << ENTRY_MARK
        move(octets, at + HEAD_BYTES, source, size)
    octets[at] = head & 0xFF
    octets[at + 1] = head >> 8
    octets[at + HEAD_BYTES + size] = head & 0xFF
    octets[at + HEAD_BYTES + size + 1] = head >> 8
    return True


@kernel
def entry_bytes(size):
    """Bytes that an element of this size takes in a strip."""
    return 2 * HEAD_BYTES + (8 if size > ENTRY_SIZE_MAX else size)


@kernel
def element(words, octets, at):
    """(octet, size, mark, box) of the element whose entry starts at `at`; box is 0 if it lies inline."""
    head = read_head(octets, at)
    size = head & ENTRY_SIZE_MASK
    if head & ENTRY_BOXED:
        box = load64(octets, at + HEAD_BYTES)
        return (box + 1) * 8, words[box] >> MARK_BITS, words[box] & FORM_MASK, box
    return at + HEAD_BYTES, size, (head >> ENTRY_MARK) & FORM_MASK, 0


@kernel
def new_chunk(words, strip_bytes):
    """An empty chunk with at least this much strip."""
    size = STRIP + max((strip_bytes + 7) >> 3, CHUNK_WORDS_MIN - STRIP)
    chunk = arena.allocate(words, size)
    if chunk:
        words[chunk + NEXT] = 0
        words[chunk + PREV] = 0
        words[chunk + SPAN] = 0
        words[chunk + SIZES] = ((arena.capacity(words, chunk) - STRIP) * 8) << HALF
    return chunk


@kernel
def strip_at(chunk):
    """The octet where a chunk's strip starts."""
    return (chunk + STRIP) * 8


@kernel
def make_room(words, octets, root, side, need):
    """A chunk at this end of the list with `need` bytes free on that side; 0 without memory.

    Tried in this order: the end chunk as it is; shifting what it holds (only if half of it is free, so
    that the work is paid by the pushes before it); a chunk twice as large; a further chunk.
    """
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    if chunk:
        begin = words[chunk + SPAN] & HALF_MASK
        end = words[chunk + SPAN] >> HALF
        room = words[chunk + SIZES] >> HALF
        free = begin if side == LEFT else room - end
        if free >= need:
            return chunk
        used = end - begin
        if used + need <= room and used * 2 <= room:
            target = room - used if side == LEFT else 0
            move(octets, strip_at(chunk) + target, strip_at(chunk) + begin, used)
            words[chunk + SPAN] = target | (target + used) << HALF
            return chunk
        if room < (CHUNK_WORDS_MAX - STRIP) * 8 and used + need <= (CHUNK_WORDS_MAX - STRIP) * 8:
            larger = new_chunk(words, min(max(room * 2, used + need), (CHUNK_WORDS_MAX - STRIP) * 8))
            if larger == 0:
                return 0
            target = (words[larger + SIZES] >> HALF) - used if side == LEFT else 0
            move(octets, strip_at(larger) + target, strip_at(chunk) + begin, used)
            words[larger + SPAN] = target | (target + used) << HALF
            words[larger + SIZES] |= words[chunk + SIZES] & HALF_MASK
            link(words, root, larger, words[chunk + PREV], words[chunk + NEXT])
            arena.release(words, chunk)
            return larger
    further = new_chunk(words, (CHUNK_WORDS_MAX - STRIP) * 8 if chunk else need)
    if further == 0:
        return 0
    if side == LEFT:
        room = words[further + SIZES] >> HALF
        words[further + SPAN] = room | room << HALF
        link(words, root, further, 0, chunk)
    else:
        link(words, root, further, chunk, 0)
    return further


@kernel
def link(words, root, chunk, before, after):
    """Put a chunk between two neighbours (0: the end of the list)."""
    words[chunk + PREV] = before
    words[chunk + NEXT] = after
    if before:
        words[before + NEXT] = chunk
    else:
        words[root + FIRST] = chunk
    if after:
        words[after + PREV] = chunk
    else:
        words[root + LAST] = chunk


@kernel
def unlink(words, root, chunk):
    """Take a chunk out of the chain."""
    before = words[chunk + PREV]
    after = words[chunk + NEXT]
    if before:
        words[before + NEXT] = after
    else:
        words[root + FIRST] = after
    if after:
        words[after + PREV] = before
    else:
        words[root + LAST] = before


@kernel
def push(words, octets, root, side, source, size, mark):
    """Add one element at an end; False without memory."""
    need = entry_bytes(size)
    chunk = make_room(words, octets, root, side, need)
    if chunk == 0:
        return False
    begin = words[chunk + SPAN] & HALF_MASK
    end = words[chunk + SPAN] >> HALF
    if side == LEFT:
        begin -= need
        at = begin
    else:
        at = end
        end += need
    if not write_entry(words, octets, strip_at(chunk) + at, source, size, mark):
        return False
    words[chunk + SPAN] = begin | end << HALF
    words[chunk + SIZES] += 1
    words[root + COUNT] += 1
    words[root + BYTES] += size
    return True


@kernel
def end_entry(words, octets, chunk, side):
    """The octet where the entry at this end of a chunk starts."""
    if side == LEFT:
        return strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
    end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
    size = read_head(octets, end - HEAD_BYTES) & ENTRY_SIZE_MASK
    return end - 2 * HEAD_BYTES - size


@kernel
def pop(words, octets, root, side, reply):
    """Move the element at one end into the reply; its bytes are freed after the reply is written."""
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    entry = end_entry(words, octets, chunk, side)
    at, size, mark, box = element(words, octets, entry)
    add_text(words, reply, at, size, mark)
    if box:
        arena.release_later(words, box)
    need = entry_bytes(size)
    if side == LEFT:
        words[chunk + SPAN] += need
    else:
        words[chunk + SPAN] -= need << HALF
    words[chunk + SIZES] -= 1
    words[root + COUNT] -= 1
    words[root + BYTES] -= size
    if words[chunk + SIZES] & HALF_MASK == 0:
        unlink(words, root, chunk)
        arena.release_later(words, chunk)


@kernel
def push_many(words, octets, tape, now, reply, side, first_slot):
    """Push the items of a Many at one end of the list at slot 0; NUMBER: the new length."""
    h = keyspace.hash_text(words, octets, tape, 0)
    ref = keyspace.claim(words, octets, tape, 0, h, LIST, now)
    if ref == -1:
        return WRONG_TYPE
    if ref == 0:
        return BROKEN
    root = keyspace.root_of(words, ref)
    count = words[tape + first_slot]
    at = tape + words[tape + first_slot + 1]
    for i in range(count):
        start = words[tape - 1] + words[at + 2 * i]
        mark = words[at + 2 * i + 1]
        if not push(words, octets, root, side, start, mark >> MARK_BITS, mark & 0xFF):
            return BROKEN
    keyspace.touched(words, octets, h)
    set_scalar(words, reply, words[root + COUNT])
    return NUMBER | CHANGED


@kernel
def push_right(words, octets, tape, now, reply):
    """RPUSH."""
    return push_many(words, octets, tape, now, reply, RIGHT, 2)


@kernel
def push_left(words, octets, tape, now, reply):
    """LPUSH."""
    return push_many(words, octets, tape, now, reply, LEFT, 2)


@kernel
def measure(words, octets, root, side, count):
    """Bytes of the `count` elements at one end."""
    if count >= words[root + COUNT]:
        return words[root + BYTES]
    total = 0
    chunk = words[root + (FIRST if side == LEFT else LAST)]
    while count > 0:
        inside = words[chunk + SIZES] & HALF_MASK
        begin = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
        for _ in range(min(inside, count)):
            if side == LEFT:
                entry = begin
                begin += 2 * HEAD_BYTES + (read_head(octets, entry) & ENTRY_SIZE_MASK)
            else:
                end -= 2 * HEAD_BYTES + (read_head(octets, end - HEAD_BYTES) & ENTRY_SIZE_MASK)
                entry = end
            _, size, _, _ = element(words, octets, entry)
            total += size
        count -= inside
        chunk = words[chunk + (NEXT if side == LEFT else PREV)]
    return total


@kernel
def pop_some(words, octets, tape, now, reply, side):
    """LPOP and RPOP: one element, or up to the count in slot 3 if slot 2 says that there is one."""
    has_count = words[tape + 2]
    wanted = words[tape + 3] if has_count else 1
    if wanted < 0:
        return POSITIVE_COUNT
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return NIL
    ref = words[seat] & REF_MASK
    if keyspace.kind_of(words, ref) != LIST:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    wanted = min(wanted, words[root + COUNT])
    if not fits(words, reply, wanted, measure(words, octets, root, side, wanted)):
        return FULL
    set_scalar(words, reply, 0)
    if wanted == 0:
        return EMPTY
    for _ in range(wanted):
        pop(words, octets, root, side, reply)
    if words[root + COUNT] == 0:
        keyspace.remove(words, octets, h, seat, False)
    else:
        keyspace.touched(words, octets, h)
    return (ITEMS if has_count else ITEM) | CHANGED


@kernel
def pop_left(words, octets, tape, now, reply):
    """LPOP."""
    return pop_some(words, octets, tape, now, reply, LEFT)


@kernel
def pop_right(words, octets, tape, now, reply):
    """RPOP."""
    return pop_some(words, octets, tape, now, reply, RIGHT)


@kernel
def pop_left_wait(words, octets, tape, now, reply):
    """BLPOP: the first element of the first list that has one, with its key; WAIT if there is none.

    Slots: how many keys, where they start, the timeout.
    """
    count = words[tape]
    at = tape + words[tape + 1]
    for i in range(count):
        start = words[tape - 1] + words[at + 2 * i]
        size = words[at + 2 * i + 1] >> MARK_BITS
        h = keyspace.hash_key(words, octets, words[tape - 2], start, size)
        seat = keyspace.locate(words, octets, words[tape - 2], start, size, h)
        if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
            continue
        ref = words[seat] & REF_MASK
        if keyspace.kind_of(words, ref) != LIST:
            return WRONG_TYPE
        root = keyspace.root_of(words, ref)
        if not fits(words, reply, 2, size + measure(words, octets, root, LEFT, 1)):
            return FULL
        set_scalar(words, reply, 0)
        add_text(words, reply, start, size, 0)
        pop(words, octets, root, LEFT, reply)
        if words[root + COUNT] == 0:
            keyspace.remove(words, octets, h, seat, False)
        else:
            keyspace.touched(words, octets, h)
        return ITEMS | CHANGED
    return WAIT


@kernel
def length(words, octets, tape, now, reply):
    """LLEN."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref and keyspace.kind_of(words, ref) != LIST:
        return WRONG_TYPE
    set_scalar(words, reply, words[keyspace.root_of(words, ref) + COUNT] if ref else 0)
    return NUMBER


@kernel
def span(words, octets, tape, now, reply):
    """LRANGE: the elements from slot 2 to slot 3, both counted, negative from the end."""
    ref = keyspace.find(words, octets, tape, 0, now)
    if ref == 0:
        return EMPTY
    if keyspace.kind_of(words, ref) != LIST:
        return WRONG_TYPE
    root = keyspace.root_of(words, ref)
    count = words[root + COUNT]
    start = words[tape + 2]
    stop = words[tape + 3]
    if start < 0:
        start = max(start + count, 0)
    if stop < 0:
        stop += count
    stop = min(stop, count - 1)
    if start > stop:
        return EMPTY
    wanted = stop - start + 1
    if wanted > words[REPLY_ITEMS_MAX]:
        fits(words, reply, wanted, words[root + BYTES])
        return FULL
    if start <= count - 1 - start:
        chunk = words[root + FIRST]
        skip = start
        while skip >= words[chunk + SIZES] & HALF_MASK:
            skip -= words[chunk + SIZES] & HALF_MASK
            chunk = words[chunk + NEXT]
    else:
        chunk = words[root + LAST]
        behind = count - start
        while behind > words[chunk + SIZES] & HALF_MASK:
            behind -= words[chunk + SIZES] & HALF_MASK
            chunk = words[chunk + PREV]
        skip = (words[chunk + SIZES] & HALF_MASK) - behind
    at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
    for _ in range(skip):
        at += 2 * HEAD_BYTES + (read_head(octets, at) & ENTRY_SIZE_MASK)
    left = (words[chunk + SIZES] & HALF_MASK) - skip
    set_scalar(words, reply, 0)
    total = 0
    for _ in range(wanted):
        if left == 0:
            chunk = words[chunk + NEXT]
            left = words[chunk + SIZES] & HALF_MASK
            at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        place, size, mark, _ = element(words, octets, at)
        add_text(words, reply, place, size, mark)
        total += size
        at += 2 * HEAD_BYTES + (read_head(octets, at) & ENTRY_SIZE_MASK)
        left -= 1
    if not fits(words, reply, wanted, total):
        return FULL
    return ITEMS


@kernel
def load(words, octets, tape, now, reply):
    """A piece of a list out of a snapshot: key, deadline, more (0: the first piece), elements."""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    if (seat != 0) != (words[tape + 3] != 0):
        return KEY_EXISTS
    status = push_many(words, octets, tape, -1, reply, RIGHT, 4)
    if status == NUMBER | CHANGED and words[tape + 2] and not words[tape + 3]:
        seat = keyspace.locate_text(words, octets, tape, 0, h)
        if keyspace.set_deadline(words, octets, seat, words[tape + 2]) == 0:
            return BROKEN
    return status


@kernel
def reap(words, octets, ref, budget):
    """Free chunks of a buried list; what is left of the budget. The record goes with the last chunk."""
    root = ref + 1
    chunk = words[root + FIRST]
    while chunk and budget > 0:
        after = words[chunk + NEXT]
        at = strip_at(chunk) + (words[chunk + SPAN] & HALF_MASK)
        end = strip_at(chunk) + (words[chunk + SPAN] >> HALF)
        count = words[chunk + SIZES] & HALF_MASK
        if words[root + BYTES] > ENTRY_SIZE_MAX:  # there may be boxes
            while at < end:
                head = read_head(octets, at)
                if head & ENTRY_BOXED:
                    arena.release(words, load64(octets, at + HEAD_BYTES))
                    budget -= 4
                at += 2 * HEAD_BYTES + (head & ENTRY_SIZE_MASK)
            budget -= count
        arena.release(words, chunk)
        budget -= 4
        chunk = after
    words[root + FIRST] = chunk
    return budget
