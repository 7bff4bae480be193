"""The members of a sorted set, in both of its forms: find, add, change and remove them, and walk over them in order.

    root     one word, see records/packed.py: PACKED or TABLE
    PACKED   a strip of members in order, each with its score behind it as a text of 8 bytes
    TABLE    a block: a table of the members (tables.py; its last word holds the bytes of all of them), and a tree

A score of -0 is stored as 0: Redis does so in its listpacks, and the forms shall not differ.

A *spot* is where a member was found: the octet of its entry in a strip, the index in `words` of its slot in a table.
A walk goes on from a leaf and an index in it; in a strip the leaf is 0, and the index an octet.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import bits_of, fill, load64, move, order, real_of, same, store64
from synap.store.memory import arena, tables
from synap.store.memory.layout import FORM_MASK, KEY_A, KEY_B, MARK_BITS, ZSET_ENTRIES_MAX, ZSET_VALUE_MAX
from synap.store.memory.tables import REF_MASK
from synap.store.records import packed, trees
from synap.store.records.packed import PACKED, TABLE
from synap.store.records.trees import HIGHEST, LOWEST, SCORE, SIZE, TEXT, key_of

BYTES, TREE = 7, 8  # words of the block of a table
TABLE_WORDS = TREE + trees.TREE_WORDS
SCORE_BYTES = 9  # of a score in a strip, with its head
SCORE_HEAD = 8 << packed.SIZE_SHIFT
STAGGER = 0
OVERHEAD = 80  # the most bytes that a member takes besides its own: head, end of a word, slots, half of a leaf


@kernel
def is_packed(words, root):
    """Return True if the members lie in a strip, or there are none yet."""
    return packed.shape_of(words[root]) != TABLE


@kernel
def block_of(words, root):
    """Return the ref of the block with the strip, or with the table."""
    return packed.block_of(words[root])


@kernel
def count_of(words, root):
    """Return the number of members."""
    block = block_of(words, root)
    if block == 0:
        return 0
    return packed.count_of(words, block) >> 1 if is_packed(words, root) else words[block + tables.COUNT]


@kernel
def bytes_of(words, root):
    """Return the bytes of all members, in a strip a few more."""
    block = block_of(words, root)
    if block == 0:
        return 0
    return packed.used_of(words, block) if is_packed(words, root) else words[block + BYTES]


@kernel
def hash_member(words, octets, start, size):
    """Return the hash of a member's bytes."""
    return keyed_hash(octets, start, size, words[KEY_A], words[KEY_B])


@kernel
def locate_in_table(words, octets, block, start, size):
    """Return the index in `words` of the slot of a member in a table, or 0."""
    tag = tables.tag_of_hash(hash_member(words, octets, start, size))
    at = tables.seek_in(words, block, tag)
    slot = words[at]
    while slot != 0 and tables.tag_of(slot) == tag:
        ref = slot & REF_MASK
        if words[ref + SIZE] >> MARK_BITS == size and same(octets, (ref + TEXT) * 8, start, size):
            return at
        at += 1
        slot = words[at]
    return 0


@outlined
def locate(words, octets, root, start, size):
    """Return the spot of a member, or 0."""
    block = block_of(words, root)
    if block == 0:
        return 0
    if is_packed(words, root):
        place = packed.find(words, octets, block, start, size, 2)
        return packed.strip_at(block) + place if place >= 0 else 0
    return locate_in_table(words, octets, block, start, size)


@kernel
def score_at(words, octets, root, spot):
    """Return the score of the member at a spot."""
    if is_packed(words, root):
        return real_of(load64(octets, packed.behind(octets, spot) + 1))
    return real_of(words[(words[spot] & REF_MASK) + SCORE])


@kernel
def place_in_strip(words, octets, block, score, start, size, equal):
    """Return (place, number) of the members of a strip that come before a score and text (`equal`: or have both)."""
    begin = packed.strip_at(block)
    end = begin + packed.used_of(words, block)
    at = begin
    number = 0
    while at < end:
        place, length, _ = packed.read(octets, at)
        found = real_of(load64(octets, place + length + 1))
        if found > score or (found == score and size == LOWEST):
            break
        if found == score and size != HIGHEST and order(octets, place, length, start, size) >= equal:
            break
        at = place + length + SCORE_BYTES
        number += 1
    return at - begin, number


@outlined
def rank(words, octets, root, score, start, size, equal):
    """Return how many members come before a score and text (`equal`: or have both).

    The size LOWEST (HIGHEST) stands for a text before (behind) all others.
    """
    block = block_of(words, root)
    if is_packed(words, root):
        return place_in_strip(words, octets, block, score, start, size, equal)[1]
    return trees.rank(words, octets, block + TREE, key_of(score), start, size, equal)


@outlined
def seek(words, octets, root, place):
    """Return (leaf, index) of the member at this position, from 0; it must exist."""
    block = block_of(words, root)
    if is_packed(words, root):
        return 0, packed.strip_at(block) + packed.place_of(words, octets, block, 2 * place)
    return trees.seek(words, block + TREE, place)


@kernel
def of_block(words, ref):
    """Return (octet, size, form, score) of the member in a block."""
    mark = words[ref + SIZE]
    return (ref + TEXT) * 8, mark >> MARK_BITS, mark & FORM_MASK, real_of(words[ref + SCORE])


@kernel
def read(words, octets, leaf, i):
    """Return (octet, size, form, score) of the member at a leaf and index."""
    if leaf == 0:
        start, size, form = packed.read(octets, i)
        return start, size, form, real_of(load64(octets, start + size + 1))
    return of_block(words, words[leaf + trees.REFS + i])


@kernel
def rank_of_text(words, octets, root, start, size, equal):
    """Return how many members come before a text (`equal`: or have it), if all scores are equal.

    With several scores, which Redis leaves open, the text is looked up among the members with the lowest.
    """
    if size == LOWEST or size == HIGHEST:
        return count_of(words, root) if size == HIGHEST else 0
    score = read(words, octets, *seek(words, octets, root, 0))[3]
    return rank(words, octets, root, score, start, size, equal)


@kernel
def following(words, octets, leaf, i):
    """Return (leaf, index) of the member behind the one at a leaf and index; it must exist."""
    if leaf == 0:
        return leaf, packed.behind(octets, i) + SCORE_BYTES
    return trees.following(words, leaf, i)


@kernel
def open_table(words, octets, root, size):
    """Begin a sorted set as a table of `size` slots; return False without memory."""
    block = arena.allocate(words, TABLE_WORDS)
    if block == 0:
        return False
    fill(octets, block * 8, 0, TABLE_WORDS * 8)
    if not tables.open_table(words, octets, block, max(size, tables.SIZE_MIN)):
        arena.release(words, block)
        return False
    words[root] = packed.root_word(block, TABLE)
    return True


@kernel
def copied_bytes(words, root):
    """Return an upper bound of the bytes that blocks for the members of another sorted set in a table hold."""
    return bytes_of(words, root) + count_of(words, root) * OVERHEAD + TABLE_WORDS * 8


@outlined
def add_unordered(words, octets, block, start, size, mark, score):
    """Add a member that is not there to a table, not to its tree; return the ref of its block, or 0 without memory."""
    ref = arena.allocate(words, TEXT + ((size + 7) >> 3))
    if ref == 0:
        return 0
    words[ref + SCORE] = bits_of(score + 0.0)
    words[ref + SIZE] = size << MARK_BITS | (mark & FORM_MASK)
    move(octets, (ref + TEXT) * 8, start, size)
    words[block + BYTES] += size
    tag = tables.tag_of_hash(hash_member(words, octets, start, size))
    return ref if tables.insert(words, octets, block, tag, ref, STAGGER) else 0


@kernel
def add_to_table(words, octets, block, start, size, mark, score):
    """Add a member that is not there to a table; return False without memory."""
    ref = add_unordered(words, octets, block, start, size, mark, score)
    return ref != 0 and trees.insert(words, octets, block + TREE, key_of(score), ref)


@outlined
def put_in_order(words, octets, block):
    """Build the tree of a table without one; return (longest member, True), or (0, False) without memory."""
    place = longest = 0
    while True:
        place, seat = tables.next_entry(words, block, place)
        if seat == 0:
            return longest, True
        ref = words[seat] & REF_MASK
        longest = max(longest, words[ref + SIZE] >> MARK_BITS)
        if not trees.insert(words, octets, block + TREE, key_of(real_of(words[ref + SCORE])), ref):
            return 0, False


@outlined
def pack(words, octets, root):
    """Turn a table into a strip; return False without memory."""
    table = block_of(words, root)
    count = words[table + tables.COUNT]
    strip = packed.new_block(words, words[table + BYTES] + count * (packed.head_bytes(1 << 16) + SCORE_BYTES))
    if strip == 0:
        return False
    leaf, i = seek(words, octets, root, 0)
    words[root] = packed.root_word(strip, PACKED)
    for _ in range(count):
        start, size, form, score = read(words, octets, leaf, i)
        used = packed.used_of(words, block_of(words, root))
        if not put_in_strip(words, octets, root, used, start, size, form, score):
            return False
        leaf, i = following(words, octets, leaf, i)
    free_table(words, octets, table, 1 << 40)
    return True


@outlined
def outgrow(words, octets, root, size):
    """Turn a strip into a table of `size` slots; return False without memory."""
    strip = block_of(words, root)
    if not open_table(words, octets, root, size):
        return False
    if strip == 0:
        return True
    at = packed.strip_at(strip)
    end = at + packed.used_of(words, strip)
    block = block_of(words, root)
    while at < end:
        start, length, form, score = read(words, octets, 0, at)
        if not add_to_table(words, octets, block, start, length, form, score):
            return False
        at = start + length + SCORE_BYTES
    arena.release(words, strip)
    return True


@kernel
def expect(words, octets, root, count, size):
    """Prepare for a call that brings `count` members, of which the first has `size` bytes; False without memory.

    As in Redis 7.2 a sorted set becomes a table if the call brings more members than a strip may have, be they new or
    not.
    """
    if not is_packed(words, root):
        return True
    if count > words[ZSET_ENTRIES_MAX] or (words[root] == 0 and size > words[ZSET_VALUE_MAX]):
        return outgrow(words, octets, root, 2 * (count_of(words, root) + count))
    return True


@kernel
def put_in_strip(words, octets, root, place, start, size, mark, score):
    """Insert a member at a place of a strip; return False without memory."""
    block = block_of(words, root)
    block = packed.make_room(words, octets, block, place, 0, packed.entry_bytes(size) + SCORE_BYTES)
    if block == 0:
        return False
    at = packed.strip_at(block) + place
    packed.write(octets, at, start, size, mark)
    at += packed.entry_bytes(size)
    octets[at] = SCORE_HEAD
    store64(octets, at + 1, bits_of(score + 0.0))
    words[block] += 2
    words[root] = packed.root_word(block, PACKED)
    return True


@outlined
def add(words, octets, root, start, size, mark, score):
    """Add a member that is not there; return False without memory."""
    if is_packed(words, root):
        count = count_of(words, root)
        small = count < words[ZSET_ENTRIES_MAX] and size <= words[ZSET_VALUE_MAX]
        if small and packed.takes(words, block_of(words, root), size + SCORE_BYTES):
            if words[root] == 0:
                block = packed.new_block(words, packed.entry_bytes(size) + SCORE_BYTES)
                if block == 0:
                    return False
                words[root] = packed.root_word(block, PACKED)
            place, _ = place_in_strip(words, octets, block_of(words, root), score, start, size, 0)
            return put_in_strip(words, octets, root, place, start, size, mark, score)
        if not outgrow(words, octets, root, 2 * count):
            return False
    return add_to_table(words, octets, block_of(words, root), start, size, mark, score)


@outlined
def rescore(words, octets, root, spot, start, size, score):
    """Give the member at a spot, whose text also lies at octet `start`, another score; return False without memory."""
    block = block_of(words, root)
    if not is_packed(words, root):
        ref = words[spot] & REF_MASK
        old = key_of(real_of(words[ref + SCORE]))
        words[ref + SCORE] = bits_of(score + 0.0)
        return old == key_of(score) or trees.change(words, octets, block + TREE, old, key_of(score), ref)
    _, _, form = packed.read(octets, spot)
    entry = packed.entry_bytes(size) + SCORE_BYTES
    old = spot - packed.strip_at(block)
    place, _ = place_in_strip(words, octets, block, score, start, size, 0)
    if place == old or place == old + entry:
        store64(octets, spot + entry - SCORE_BYTES + 1, bits_of(score + 0.0))
        return True
    packed.remove(words, octets, block, old, 2)
    return put_in_strip(words, octets, root, place - entry if place > old else place, start, size, form, score)


@outlined
def drop(words, octets, root, spot, later):
    """Remove the member at a spot; free its block at once, or after the reply (`later`).

    A strip is changed in place: a row that replies with what it removes forks it first.
    """
    block = block_of(words, root)
    if is_packed(words, root):
        packed.remove(words, octets, block, spot - packed.strip_at(block), 2)
        return
    ref = words[spot] & REF_MASK
    trees.remove(words, octets, block + TREE, key_of(real_of(words[ref + SCORE])), ref)
    words[block + BYTES] -= words[ref + SIZE] >> MARK_BITS
    tables.remove(words, octets, block, spot)
    if later:
        arena.release_later(words, ref)
    else:
        arena.release(words, ref)


@outlined
def drop_range(words, octets, root, place, count, later):
    """Remove `count` members from a position on; return False without memory. `later`: a reply has their texts."""
    block = block_of(words, root)
    if is_packed(words, root):
        if later:
            block = packed.fork(words, octets, block)
            if block == 0:
                return False
            words[root] = packed.root_word(block, PACKED)
        packed.remove(words, octets, block, packed.place_of(words, octets, block, 2 * place), 2 * count)
        return True
    for _ in range(count):
        leaf, i = trees.seek(words, block + TREE, place)
        start, size = trees.text_of(words, words[leaf + trees.REFS + i])
        drop(words, octets, root, locate(words, octets, root, start, size), later)
    return True


@kernel
def free_table(words, octets, block, budget):
    """Free members of a table, at last the table; return what is left of the budget: above 0 at the end."""
    budget = trees.free_some(words, octets, block + TREE, budget, True)
    if budget > 0:
        tables.close_table(words, block)
        arena.release(words, block)
    return budget


@kernel
def free_some(words, octets, root, budget):
    """Free members of a sorted set that is not used again; return what is left of the budget: above 0 at the end."""
    block = block_of(words, root)
    if is_packed(words, root):
        if block:
            arena.release(words, block)
    else:
        budget = free_table(words, octets, block, budget)
        if budget <= 0:
            return budget
    words[root] = 0
    return budget
