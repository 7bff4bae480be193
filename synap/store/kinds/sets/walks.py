"""Walks over several sets: which members of one are in all others, or in none, and the addition of all to a set.

The slots of all tables are sorted by the same hash. So a walk of one table meets the slots of another one in order,
too: no member is hashed, and both arrays of slots are read from left to right. Only blocks of members lie anywhere, so
they are prefetched some slots ahead. Sets of sorted integers are merged.

    sources   a block with the root of each set, 0 for a missing key, and a word for each (`set_algebra.gather`)
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import prefetch
from synap.store.kinds.sets import integers, members, table_form
from synap.store.memory import tables
from synap.store.memory.layout import MARK_BITS
from synap.store.memory.tables import REF_MASK
from synap.store.records.packed import INTEGERS, block_of, shape_of

COUNTED, REPLIED, STORED = range(3)
"""What becomes of the members that `sift` finds: they are only counted, added to a reply, or to a set."""
ALL = 1 << 62
AHEAD = 24  # slots between a prefetch and its use


@kernel
def look_ahead(words, base, place, other):
    """Prefetch the member at a place of the table `base`, and the member of the table `other` that may be equal."""
    slot = table_form.slot_at(words, base, place)
    if slot:
        prefetch(words, slot & REF_MASK)
        if other:
            found = words[tables.seek_in(words, other, tables.tag_of(slot))]
            if found and tables.tag_of(found) == tables.tag_of(slot):
                prefetch(words, found & REF_MASK)


@kernel
def is_kept(words, octets, sources, count, base, tag, start, size, wanted):
    """Return True if a member of the set of index `base` is in all other sets, or (not `wanted`) in none."""
    for i in range(count):
        root = words[sources + i]
        if i != base and root and members.is_member(words, octets, root, tag, start, size) != wanted:
            return False
    return True


@kernel
def first_table(words, sources, count, base):
    """Return the table of the first set beside that of index `base` that lies in one, or 0."""
    for i in range(count):
        if i != base and words[sources + i] and members.is_table(words, words[sources + i]):
            return members.table_of(words, words[sources + i])
    return 0


@kernel
def are_integers(words, sources, count):
    """Return True if all sets are sorted integers, or missing."""
    for i in range(count):
        if words[sources + i] and shape_of(words[words[sources + i]]) != INTEGERS:
            return False
    return True


@kernel
def meet(words, octets, sources, count, base, value, wanted):
    """Return `is_kept` for an integer, where all sets are sorted integers and the calls are in ascending order.

    A word for each set, 0 at first, has the index up to which its integers have been passed.
    """
    for i in range(count):
        if i != base and words[sources + i]:
            block = block_of(words[words[sources + i]])
            index = words[sources + count + i]
            size = integers.count_of(words, block)
            while index < size and integers.at(words, octets, block, index) < value:
                index += 1
            words[sources + count + i] = index
            if integers.holds(words, octets, block, index, value) != wanted:
                return False
    return True


@kernel
def sift(words, octets, sources, count, base, wanted, limit, what, target):
    """Find the members of the set of index `base` that are in all other sets, or (not `wanted`) in none.

    By `what`, only count them, add them to the reply at `target`, or to the set whose root is `target`; stop at
    `limit`. Return (how many, bytes of all), a negative number without memory.
    """
    root = words[sources + base]
    other = first_table(words, sources, count, base)
    is_table = members.is_table(words, root)
    table = members.table_of(words, root)
    ends = table_form.places_of(words, table) if is_table else 0
    merged = are_integers(words, sources, count)
    for i in range(count if merged else 0):
        words[sources + count + i] = 0
    found = total = place = 0
    while found < limit:
        if is_table:
            while place < ends and table_form.slot_at(words, table, place) == 0:
                if place + AHEAD < ends:
                    look_ahead(words, table, place + AHEAD, other)
                place += 1
            if place >= ends:
                break
            if place + AHEAD < ends:
                look_ahead(words, table, place + AHEAD, other)
        following, member = members.following(words, octets, root, place)
        if member == 0:
            break
        place = following
        if merged:
            value = integers.at(words, octets, block_of(words[root]), member - 1)
            if not meet(words, octets, sources, count, base, value, wanted):
                continue
        start, mark = members.text_of(words, octets, root, member)
        size = mark >> MARK_BITS
        tag = tables.tag_of(words[member]) if is_table else members.tag_for(words, octets, other, start, size)
        if not merged and not is_kept(words, octets, sources, count, base, tag, start, size, wanted):
            continue
        if what == REPLIED:
            members.put(words, octets, root, member, target)
        elif what == STORED:
            known = tag if is_table else -1
            if not members.add_unseen(words, octets, target, known, start, size, mark):
                return -1, 0
        found += 1
        total += size
    return found, total


@kernel
def add_all(words, octets, target, root):
    """Add the members of a set to another one; return False without memory."""
    if not (members.is_table(words, root) and members.is_table(words, target)):
        place, member = members.following(words, octets, root, 0)
        while member:
            start, mark = members.text_of(words, octets, root, member)
            if members.add(words, octets, target, start, mark >> MARK_BITS, mark) < 0:
                return False
            place, member = members.following(words, octets, root, place)
        return True
    table = members.table_of(words, root)
    other = members.table_of(words, target)
    ends = table_form.places_of(words, table)
    for place in range(ends):
        if place + AHEAD < ends:
            look_ahead(words, table, place + AHEAD, 0)
        slot = table_form.slot_at(words, table, place)
        if slot:
            ref = slot & REF_MASK
            tag = tables.tag_of(slot)
            size = words[ref] >> MARK_BITS
            if table_form.locate(words, octets, other, tag, (ref + 1) * 8, size) == 0:
                if not table_form.add_new(words, octets, other, tag, (ref + 1) * 8, size, words[ref]):
                    return False
    return True
