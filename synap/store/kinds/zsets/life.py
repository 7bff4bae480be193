"""Sorted sets: copying, digests, snapshots, descriptions and freeing, as `kinds/table.py` requires."""

from synap.compiler.jit import kernel
from synap.kernels.spans import bits_of, move, prefetch
from synap.store.kinds.zsets import members
from synap.store.memory import arena, codes, frames, tables
from synap.store.memory.layout import MARK_BITS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import set_text
from synap.store.records import keyspace, packed, trees
from synap.store.records.descriptions import BYTES, COUNT, ENCODING, SIZE
from synap.store.records.pieces import INSIDE, MORE, PIECE_BYTES, PIECE_ITEMS, begin_piece, words_of
from synap.store.records.state_hash import mix, text
from synap.store.slots import zsets as slots

LISTPACK, SKIPLIST = range(2)  # encodings, in the order of the table of kinds
LEAVES = 40  # below an inner node, about
AHEAD = 12  # members between a prefetch and its use


@kernel
def copied_bytes(words, ref):
    """Return an upper bound of the bytes that a copy takes."""
    return members.copied_bytes(words, keyspace.root_of(words, ref))


@kernel
def copy(words, octets, source, target):
    """Copy every member of a sorted set to the empty one of another record; return False without memory."""
    root = keyspace.root_of(words, target)
    source = keyspace.root_of(words, source)
    if members.is_packed(words, source):
        strip = members.block_of(words, source)
        used = packed.used_of(words, strip)
        block = packed.new_block(words, used)
        if block == 0:
            return False
        words[block] = words[strip]
        move(octets, packed.strip_at(block), packed.strip_at(strip), used)
        words[root] = packed.root_word(block, packed.PACKED)
        return True
    count = members.count_of(words, source)
    if not members.open_table(words, octets, root, 2 * count):
        return False
    leaf, i = members.seek(words, octets, source, 0)
    for _ in range(count):
        start, size, form, score = members.read(words, octets, leaf, i)
        if not members.add_to_table(words, octets, members.block_of(words, root), start, size, form, score):
            return False
        leaf, i = members.following(words, octets, leaf, i)
    return True


@kernel
def digest(words, octets, ref, h):
    """Return the hash `h` with all members and scores mixed in, in their order."""
    root = keyspace.root_of(words, ref)
    count = members.count_of(words, root)
    order = count
    leaf, i = members.seek(words, octets, root, 0)
    for _ in range(count):
        start, size, form, score = members.read(words, octets, leaf, i)
        order = mix(mix(order, text(octets, start, size) + form), bits_of(score))
        leaf, i = members.following(words, octets, leaf, i)
    return mix(h, order)


@kernel
def dump(words, octets, ref, cursor, target, seq, now):
    """Write the next piece of a sorted set; return its words. INSIDE: the position to continue from."""
    root = keyspace.root_of(words, ref)
    all_of_them = members.count_of(words, root)
    place = cursor[INSIDE] if cursor[MORE] else 0
    name = keyspace.key_size(words, ref)
    tape = target + frames.HEAD_WORDS
    count = total = 0
    leaf, i = members.seek(words, octets, root, place)
    while place + count < all_of_them and total < PIECE_BYTES and count < PIECE_ITEMS:
        _, size, form, score = members.read(words, octets, leaf, i)
        pair = slots.ZSET_LOAD_SLOTS + slots.ZSET_LOAD_PAIRS_STRIDE * count
        words[tape + pair + slots.ZSET_LOAD_PAIRS_SCORE] = bits_of(score)
        set_text(words, tape, pair + slots.ZSET_LOAD_PAIRS_MEMBER, name + total, size, form)
        total += size
        count += 1
        leaf, i = members.following(words, octets, leaf, i)
    tape_size = begin_piece(words, octets, ref, target, count, slots.ZSET_LOAD_PAIRS_STRIDE, cursor[MORE])
    namespace = keyspace.namespace_of(words, ref)
    blob = frames.head(words, target, codes.ZSET_LOAD, namespace, seq, now, tape_size, name + total)
    move(octets, blob, keyspace.key_at(words, ref), name)
    blob += name
    leaf, i = members.seek(words, octets, root, place)
    for _ in range(count):
        start, size, _, _ = members.read(words, octets, leaf, i)
        move(octets, blob, start, size)
        blob += size
        leaf, i = members.following(words, octets, leaf, i)
    cursor[INSIDE] = place + count
    cursor[MORE] = 1 if place + count < all_of_them else 0
    return words_of(words, target)


@kernel
def describe(words, octets, ref, samples, found):
    """Describe a sorted set: count, bytes of members, bytes of its blocks, those of members and inner nodes estimated
    from `samples` members (0: all) and the number of leaves; encoding."""
    root = keyspace.root_of(words, ref)
    block = members.block_of(words, root)
    count = members.count_of(words, root)
    found[COUNT] = count
    found[SIZE] = members.bytes_of(words, root)
    found[BYTES] += arena.capacity(words, block) * WORD
    if members.is_packed(words, root):
        found[ENCODING] = LISTPACK
        return
    found[ENCODING] = SKIPLIST
    found[BYTES] += arena.capacity(words, words[block + tables.SLOTS]) * WORD
    if words[block + tables.OLD]:
        found[BYTES] += arena.capacity(words, words[block + tables.OLD]) * WORD
    leaf, _ = members.seek(words, octets, root, 0)
    leaves = 0
    while leaf:
        leaves += 1
        leaf = words[leaf + trees.NEXT]
    found[BYTES] += (leaves * trees.OF_LEAF + leaves // LEAVES * trees.OF_INNER) * trees.WIDTH * WORD
    most = count if samples == 0 or samples > count else samples
    looked = blocks = place = 0
    while looked < most:
        place, seat = tables.next_entry(words, block, place)
        if seat == 0:
            break
        blocks += arena.capacity(words, words[seat] & REF_MASK) * WORD
        looked += 1
    if looked:
        found[BYTES] += blocks * count // looked


@kernel
def free_some(words, octets, ref, budget):
    """Free members of a deleted sorted set; return what is left of the budget, more than 0 once only the record is
    left."""
    return members.free_some(words, octets, ref + 1, budget)


@kernel
def elements(words, octets, ref, first, most, target):
    """Write up to `most` members, from position `first` on, as items at word `target`; return the number of all."""
    root = keyspace.root_of(words, ref)
    count = members.count_of(words, root)
    left = min(most, count - first)
    if left <= 0:
        return count
    leaf, i = members.seek(words, octets, root, first)
    for _ in range(left):
        if leaf:  # behind the last ref of the leaf lies another number, which does no harm
            prefetch(words, words[leaf + trees.REFS + i + AHEAD])
        words[target], size, form, _ = members.read(words, octets, leaf, i)
        words[target + 1] = size << MARK_BITS | form
        target += 2
        leaf, i = members.following(words, octets, leaf, i)
    return count
