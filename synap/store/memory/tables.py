"""Hash tables whose slots are sorted by hash: open addressing with linear probing, resized in steps.

    slot       tag (28 bits) | ref (36 bits); 0 is empty
    home       (tag * size) >> 28: where a tag would lie in a table of `size` slots
    order      linear probing that keeps slots sorted by tag: a search ends at the first greater tag

A table is thus a sorted list with gaps, and growing, shrinking and scanning are walks from left to right that
read only slots. The size need not be a power of two: tables grow by half, and are between 1/2 and 3/4 full (about 13
bytes a key; doubling would waste a third more). There is no wrap at the end: some slack slots lie behind the last
home.

Growing takes steps. The table keeps its old slots and moves whole clusters (up to an empty slot) from the left;
tags below the *frontier* are in the new slots, the others still in the old ones. Each insert moves a few entries,
so the last entry is moved long before the next growth.

    word of a table  0      1     2      3          4         5         6
                     slots  size  count  old slots  old size  frontier  moved

Used for the 64 shards of the keyspace, the members of a set, queues and rooms by name, the messages and holders of
a queue, and the readers of a room.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import fill
from synap.store.memory import arena
from synap.store.memory.layout import PAGES_WANTED

TAG_BITS, REF_BITS = 28, 36
TAG_MASK = (1 << TAG_BITS) - 1
REF_MASK = (1 << REF_BITS) - 1
SLOTS, SIZE, COUNT, OLD, OLD_SIZE, FRONTIER, MOVED = range(7)
SIZE_MIN = 4
SLACK_MAX = 256  # at 3/4 full a longer overhang has odds below 1e-4; the table is then rebuilt at once
SPREAD_MAX = 64  # slots for each entry at which `rebuild` gives up; only hundreds of equal tags need so many
STEP = 8  # entries moved by one insert: growth ends after size / 8 inserts


@kernel
def slack(size):
    """Return the number of slots behind the last home: SLACK_MAX, in a smaller table `size`."""
    return min(size, SLACK_MAX)


@kernel
def tag_of_hash(h):
    """Return the 28 bits of a hash that a slot keeps; the six bits above them choose the shard."""
    return (h >> 30) & TAG_MASK


@kernel
def tag_of(slot):
    """Return the tag of a slot that is not empty."""
    return (slot >> REF_BITS) & TAG_MASK


@kernel
def seek(words, slots, size, tag):
    """Return the index in `words` of the first slot, from the home of `tag` on, that is empty or has a tag >= `tag`."""
    at = slots + ((tag * size) >> TAG_BITS)
    slot = words[at]
    while slot != 0 and tag_of(slot) < tag:
        at += 1
        slot = words[at]
    return at


@kernel
def seek_in(words, table, tag):
    """Return the result of `seek` in whichever of the two slot arrays holds this tag now."""
    if words[table + OLD] != 0 and tag >= words[table + FRONTIER]:
        return seek(words, words[table + OLD], words[table + OLD_SIZE], tag)
    return seek(words, words[table + SLOTS], words[table + SIZE], tag)


@kernel
def new_slots(words, octets, size):
    """Allocate cleared slots for a table of this size; return their ref, or 0 without memory."""
    capacity = size + slack(size) + 1  # the last one stays empty: every probe ends
    slots = arena.allocate(words, capacity)
    if slots:
        fill(octets, slots * 8, 0, capacity * 8)
    return slots


@kernel
def place(words, slots, size, slot):
    """Put a slot where its tag belongs, moving greater ones up; return False if the slack is used up."""
    at = seek(words, slots, size, tag_of(slot))
    end = slots + size + slack(size)
    last = at
    while words[last] != 0:
        last += 1
    if last >= end:
        return False
    while last > at:
        words[last] = words[last - 1]
        last -= 1
    words[at] = slot
    return True


@kernel
def open_table(words, octets, table, size):
    """Make an empty table of `size` slots at `table`; return False without memory."""
    for i in range(8):
        words[table + i] = 0
    words[table + SLOTS] = new_slots(words, octets, size)
    words[table + SIZE] = size
    return words[table + SLOTS] != 0


@kernel
def clear_table(words, octets, table):
    """Remove all entries, which are left to the caller. Without memory for small slots the present ones stay."""
    if words[table + OLD]:
        arena.release(words, words[table + OLD])
    slots, size = words[table + SLOTS], words[table + SIZE]
    if open_table(words, octets, table, SIZE_MIN):
        arena.release(words, slots)
    else:
        words[table + SLOTS] = slots
        words[table + SIZE] = size
        fill(octets, slots * 8, 0, (size + slack(size)) * 8)


@kernel
def close_table(words, table):
    """Free the slots. The entries are left to the caller."""
    arena.release(words, words[table + SLOTS])
    if words[table + OLD]:
        arena.release(words, words[table + OLD])
        words[table + OLD] = 0


@outlined
def move_some(words, table, budget):
    """Move `budget` entries (and the rest of their cluster) to the new slots; return False if the slack is used up."""
    old = words[table + OLD]
    size = words[table + OLD_SIZE]
    end = size + slack(size)
    at = words[table + MOVED]
    while at < end:
        slot = words[old + at]
        if slot:
            if not place(words, words[table + SLOTS], words[table + SIZE], slot):
                return False
            words[old + at] = 0
            budget -= 1
        elif budget <= 0:
            break
        at += 1
    words[table + MOVED] = at
    if at >= end:
        arena.release(words, old)
        words[table + OLD] = 0
    else:  # the first tag whose home is at or behind `at`
        words[table + FRONTIER] = ((at << TAG_BITS) + size - 1) // size
    return True


@outlined
def resize(words, octets, table, size):
    """Begin to move to `size` slots, at least SIZE_MIN, finishing a move under way first; return False without memory
    or slack."""
    size = max(size, SIZE_MIN)  # from fewer, no share of the size leads to more
    if words[table + OLD] and not move_some(words, table, words[table + COUNT] + 1):
        return False
    slots = new_slots(words, octets, size)
    if slots == 0:
        return False
    words[table + OLD] = words[table + SLOTS]
    words[table + OLD_SIZE] = words[table + SIZE]
    words[table + SLOTS] = slots
    words[table + SIZE] = size
    words[table + MOVED] = 0
    words[table + FRONTIER] = 0
    return True


@kernel
def grow(words, octets, table):
    """Begin to move to slots for half as many entries more. Without memory the table becomes fuller than it should be.

    No row that grows is admitted then (`limits.crowded`) until there is memory for these slots.
    """
    size = words[table + SIZE]
    size += size >> 1
    done = resize(words, octets, table, size)
    words[PAGES_WANTED] = 0 if done else 2 + (size + SLACK_MAX >> arena.PAGE_SHIFT)


@kernel
def take_over(words, slots, size, old, old_size):
    """Copy the entries of old slots into other slots; return False if the slack is used up."""
    for at in range(old, old + old_size + slack(old_size)):
        if words[at] and not place(words, slots, size, words[at]):
            return False
    return True


@outlined
def rebuild(words, octets, table):
    """Move all entries into larger slots at once, for an overhang that the slack cannot take.

    Random tags do not need it (see SLACK_MAX); a run of equal tags may, also in the middle of a move.
    Return False without memory, or if no size up to SPREAD_MAX slots for each entry suffices.
    """
    size = words[table + SIZE]
    size += size >> 1
    if words[table + OLD]:
        size = max(size, words[table + OLD_SIZE])  # the old slots held all entries that are still in them
    most = max(size, SPREAD_MAX * (words[table + COUNT] + SLACK_MAX))
    done = False
    slots = 0
    while not done:
        if size > most:
            return False
        slots = new_slots(words, octets, size)
        if slots == 0:
            return False
        done = take_over(words, slots, size, words[table + SLOTS], words[table + SIZE])
        if done and words[table + OLD]:
            done = take_over(words, slots, size, words[table + OLD], words[table + OLD_SIZE])
        if not done:
            arena.release(words, slots)
            size += size >> 1
    close_table(words, table)
    words[table + SLOTS] = slots
    words[table + SIZE] = size
    return True


@kernel
def insert(words, octets, table, tag, ref, stagger):
    """Add an entry that is not in the table; return False if all slots are taken and there is no memory for others.

    `stagger` (0 to 7) shifts the fill at which the table grows, so that the shards of the keyspace do not all grow at
    the same moment.
    """
    size = words[table + SIZE]
    count = words[table + COUNT]
    if words[table + OLD]:
        if not move_some(words, table, STEP) and not rebuild(words, octets, table):
            return False
    elif count * 64 >= size * (48 - stagger):
        grow(words, octets, table)
    slot = tag << REF_BITS | ref
    if words[table + OLD] and tag >= words[table + FRONTIER]:
        done = place(words, words[table + OLD], words[table + OLD_SIZE], slot)
    else:
        done = place(words, words[table + SLOTS], words[table + SIZE], slot)
    while not done:  # an overhang longer than the slack
        if not rebuild(words, octets, table):
            return False
        done = place(words, words[table + SLOTS], words[table + SIZE], slot)
    words[table + COUNT] = count + 1
    return True


@kernel
def remove(words, octets, table, seat):
    """Remove the slot at `seat` (an index in `words`), and move back the slots behind it that are not at their home."""
    old = words[table + OLD]
    if old != 0 and seat >= old and seat <= old + words[table + OLD_SIZE] + slack(words[table + OLD_SIZE]):
        slots = old
        size = words[table + OLD_SIZE]
    else:
        slots = words[table + SLOTS]
        size = words[table + SIZE]
    at = seat
    while True:
        slot = words[at + 1]
        if slot == 0 or slots + ((tag_of(slot) * size) >> TAG_BITS) > at:
            break
        words[at] = slot
        at += 1
    words[at] = 0
    count = words[table + COUNT] - 1
    words[table + COUNT] = count
    if words[table + OLD]:
        if not move_some(words, table, STEP):
            rebuild(words, octets, table)
    elif count * 8 < words[table + SIZE] and words[table + SIZE] > SIZE_MIN:
        resize(words, octets, table, max(count * 2, SIZE_MIN))


@kernel
def window(words, table, tag, last):
    """Return the index in `words` of the first slot with a tag from `tag` to `last`, or 0; for walks in tag order."""
    if words[table + OLD] and tag < words[table + FRONTIER]:
        at = seek(words, words[table + SLOTS], words[table + SIZE], tag)
        found = next_slot(words, words[table + SLOTS], words[table + SIZE], at)
        if found and tag_of(words[found]) < min(words[table + FRONTIER], last + 1):
            return found
        tag = words[table + FRONTIER]
    if words[table + OLD]:
        at = seek(words, words[table + OLD], words[table + OLD_SIZE], tag)
        found = next_slot(words, words[table + OLD], words[table + OLD_SIZE], at)
    else:
        at = seek(words, words[table + SLOTS], words[table + SIZE], tag)
        found = next_slot(words, words[table + SLOTS], words[table + SIZE], at)
    if found and tag_of(words[found]) <= last:
        return found
    return 0


@kernel
def next_slot(words, slots, size, at):
    """Return the index of the first slot from `at` on that is not empty, or 0."""
    end = slots + size + slack(size)
    while at < end:
        if words[at]:
            return at
        at += 1
    return 0


@kernel
def next_entry(words, table, place):
    """Return (place to continue from, index of the first slot from `place` on that is not empty, or 0).

    Places count from 0 through the newer slots and then through the older ones.
    """
    size = words[table + SIZE] + slack(words[table + SIZE])
    while place < size:
        if words[words[table + SLOTS] + place]:
            return place + 1, words[table + SLOTS] + place
        place += 1
    if words[table + OLD]:
        end = size + words[table + OLD_SIZE] + slack(words[table + OLD_SIZE])
        while place < end:
            if words[words[table + OLD] + place - size]:
                return place + 1, words[table + OLD] + place - size
            place += 1
    return place, 0


@kernel
def any_slot(words, table, chance):
    """Return (index of a slot drawn with equal odds, last random bits used), from 64 random bits `chance`.

    The table must not be empty.
    """
    size = words[table + SIZE] + slack(words[table + SIZE])
    both = size
    if words[table + OLD]:
        both += words[table + OLD_SIZE] + slack(words[table + OLD_SIZE])
    while True:
        at = np.int64((np.uint64(chance) >> np.uint64(1)) % np.uint64(both))
        index = words[table + SLOTS] + at if at < size else words[table + OLD] + at - size
        if words[index]:
            return index, chance
        chance = next_chance(chance)


@kernel
def next_chance(state):
    """Return the next state of a 64-bit generator (the output function of splitmix64)."""
    z = np.uint64(state) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(z ^ (z >> np.uint64(31)))
