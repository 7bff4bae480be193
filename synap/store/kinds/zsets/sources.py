"""Sources of ZUNION and similar rows: sorted sets, or sets, whose members have the score 1.

A block has SOURCE_WORDS words for each: the index of its root (0: a missing key), the weight of its scores as the bits
of a real, whether it is a set, and its place in the call.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import bits_of, real_of
from synap.store.kinds.sets import members as set_members
from synap.store.kinds.zsets import members
from synap.store.memory import arena
from synap.store.memory.kinds import SET, ZSET
from synap.store.memory.layout import MARK_BITS
from synap.store.memory.tapes import first_item
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import OTHER_KIND
from synap.store.slots import zsets as slots

ROOT, WEIGHT, IS_SET, PLACE, SOURCE_WORDS = range(5)  # words of a source


@kernel
def source_count(words, source):
    """Return the number of members of a source."""
    root = words[source + ROOT]
    if root == 0:
        return 0
    return set_members.count_of(words, root) if words[source + IS_SET] else members.count_of(words, root)


@kernel
def source_bytes(words, source):
    """Return an upper bound of the bytes that blocks for the members of a source in a result hold."""
    root = words[source + ROOT]
    if root == 0:
        return 0
    if words[source + IS_SET]:
        return set_members.bytes_of(words, root) + set_members.count_of(words, root) * members.OVERHEAD
    return members.copied_bytes(words, root)


@kernel
def swap(words, one, other):
    """Exchange two sources."""
    for i in range(SOURCE_WORDS):
        words[one + i], words[other + i] = words[other + i], words[one + i]


@kernel
def sort_sources(words, sources, count):
    """Order sources by their number of members, equal ones by their place (Shell's sort): scores are added in this
    order, as in Redis."""
    gap = count >> 1
    while gap > 0:
        for i in range(gap, count):
            at = i
            while at >= gap:
                one = sources + (at - gap) * SOURCE_WORDS
                other = sources + at * SOURCE_WORDS
                more = source_count(words, one) - source_count(words, other)
                if more < 0 or (more == 0 and words[one + PLACE] < words[other + PLACE]):
                    break
                swap(words, one, other)
                at -= gap
        gap >>= 1


@outlined
def gather(words, octets, tape, keys, weight, in_order, now):
    """Return a block with the sources in the group in slot `keys`, 0 without memory.

    `weight` is the slot of the first weight; with 0, all weights are 1. Return OTHER_KIND if a key holds neither a
    sorted set nor a set. The caller frees the block. `in_order`: leave them in the order of the call.
    """
    count = words[tape + keys]
    key = first_item(words, tape, keys) + slots.ZSET_INTERCARD_KEYS_KEY
    block = arena.allocate(words, count * SOURCE_WORDS + 1)
    source = block
    for place in range(count if block else 0):
        words[source + PLACE] = place
        ref = key_access.find(words, octets, tape, key, ZSET, now)
        words[source + IS_SET] = 0
        if ref == OTHER_KIND:
            _, _, ref = key_access.open_key(words, octets, tape, key, SET, now)
            words[source + IS_SET] = 1
            if ref == OTHER_KIND:
                arena.release(words, block)
                return OTHER_KIND
        words[source + ROOT] = keyspace.root_of(words, ref) if ref else 0
        words[source + WEIGHT] = words[tape + weight] if weight else bits_of(1.0)
        weight += 1 if weight else 0  # a number takes one slot
        key += slots.ZSET_INTERCARD_KEYS_STRIDE
        source += SOURCE_WORDS
    if block and not in_order:
        sort_sources(words, block, count)
    return block


@kernel
def first_of(words, octets, source):
    """Return the state of a walk over the members of a source: (place or leaf, index)."""
    root = words[source + ROOT]
    if root == 0 or words[source + IS_SET]:
        return 0, 0
    return members.seek(words, octets, root, 0)


@kernel
def take(words, octets, source, leaf, i):
    """Return (octet, size, form, score, place or leaf to go on from, index) of the next member of a walk."""
    root = words[source + ROOT]
    if words[source + IS_SET]:
        place, member = set_members.following(words, octets, root, leaf)
        start, mark = set_members.text_of(words, octets, root, member)
        return start, mark >> MARK_BITS, mark & 0xFF, 1.0, place, i
    start, size, form, score = members.read(words, octets, leaf, i)
    leaf, i = members.following(words, octets, leaf, i)
    return start, size, form, score, leaf, i


@kernel
def weighted(words, source, score):
    """Return a score times the weight of its source, 0 in place of NaN."""
    score *= real_of(words[source + WEIGHT])
    return score if score == score else 0.0


@kernel
def found_in(words, octets, source, start, size):
    """Return (whether a text is a member of a source, its score there)."""
    root = words[source + ROOT]
    if root == 0:
        return False, 0.0
    if words[source + IS_SET]:
        return set_members.find(words, octets, root, start, size) != 0, 1.0
    spot = members.locate(words, octets, root, start, size)
    return spot != 0, members.score_at(words, octets, root, spot) if spot else 0.0
