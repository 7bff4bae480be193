"""Searches for places in a sorted set: the members in a circle or a box, in the order of Redis.

The scores of a sorted set of places are geohashes. Redis looks through up to nine cells around the centre, in a fixed
order, and in each through all members by their scores; so results without an order come. Here the same cells are
walked in the same order, but inside of a cell only the scores in the box of degrees around the circle are looked at:
behind a leaf of the tree that ends outside of the box, the walk goes on at the next score inside. A leaf has the scores
of its members as keys, so a member is touched only once it is a result.

A result takes RESULT_WORDS words: the distance and the score as their bits, and the ref of the member's block (in a
strip the octet of its entry).
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels import geohash
from synap.kernels.spans import bits_of, move, prefetch, real_of
from synap.store.kinds.zsets import geo_order, geo_query, members, zset_algebra
from synap.store.kinds.zsets.geo_query import (
    ANY,
    ASCENDING,
    CAPACITY,
    CIRCLE,
    COUNT,
    DESCENDING,
    FOUND,
    HEIGHT,
    LATITUDE,
    LIMIT,
    LONGITUDE,
    METRES,
    ORDER,
    RADIUS,
    REACH,
    SHAPE,
    STORE,
    STORES_DISTANCES,
    USED,
    WITH_DISTANCE,
    WITH_HASH,
    WITH_PLACE,
    hash_of,
    whole_of,
)
from synap.store.memory import arena, limits
from synap.store.memory.layout import EMPTY, FULL, ITEM, ITEMS, MARK_ARRAY
from synap.store.memory.refusals import OUT_OF_MEMORY
from synap.store.memory.tapes import (
    add_degrees,
    add_distance,
    add_mark,
    add_nil,
    add_number,
    add_text,
    fits,
    set_scalar,
)
from synap.store.records import trees

DISTANCE, SCORE, MEMBER, RESULT_WORDS = range(4)
FIRST_CAPACITY = 64
MEMBER_BYTES = 100  # the most bytes that a stored result takes besides its text


@outlined
def grow(words, octets, query):
    """Double the space for results; return False without memory."""
    capacity = max(FIRST_CAPACITY, 2 * words[query + CAPACITY])
    size = capacity * RESULT_WORDS
    if limits.lacks_aside(words, size * 8):
        return False
    block = arena.allocate(words, size)
    if block == 0:
        return False
    old = words[query + FOUND]
    if old:
        move(octets, block * 8, old * 8, words[query + USED] * RESULT_WORDS * 8)
        arena.release(words, old)
    words[query + FOUND] = block
    words[query + CAPACITY] = capacity
    return True


@kernel
def take(words, octets, query, score, member):
    """Add a member to the results if its place lies in the circle or box; return False without memory."""
    longitude, latitude = real_of(words[query + LONGITUDE]), real_of(words[query + LATITUDE])
    x, y = geohash.decode(hash_of(score))
    if words[query + SHAPE] == CIRCLE:
        metres = geohash.distance(longitude, latitude, x, y)
        if metres > real_of(words[query + REACH]):
            return True
    else:
        unit = real_of(words[query + METRES])
        width, height = real_of(words[query + RADIUS]) * unit, real_of(words[query + HEIGHT]) * unit
        if not geohash.in_box(width, height, longitude, latitude, x, y):
            return True
        metres = geohash.distance(longitude, latitude, x, y)
    if words[query + USED] == words[query + CAPACITY] and not grow(words, octets, query):
        return False
    result = words[query + FOUND] + words[query + USED] * RESULT_WORDS
    words[result + DISTANCE] = bits_of(metres)
    words[result + SCORE] = bits_of(score)
    words[result + MEMBER] = member
    words[query + USED] += 1
    return True


@kernel
def is_enough(words, query):
    """Return True if a search for any results has found as many as it wants."""
    return words[query + LIMIT] > 0 and words[query + USED] >= words[query + LIMIT]


@outlined
def walk_strip(words, octets, root, query, least, behind):
    """Take results with a score from `least` on and less than `behind` in a strip; return False without memory."""
    leaf, i = members.seek(words, octets, root, 0)
    for _ in range(members.count_of(words, root)):
        score = members.read(words, octets, leaf, i)[3]
        if score >= behind or is_enough(words, query):
            return True
        if score >= least and not take(words, octets, query, score, i):
            return False
        leaf, i = members.following(words, octets, leaf, i)
    return True


@outlined
def walk_tree(words, octets, root, query, lowest, highest):
    """Take results between two hashes that are the corners of a box, in a tree; return False without memory."""
    top = members.block_of(words, root) + members.TREE
    leaf, i = trees.find(words, top, trees.key_of(float(lowest)))
    while leaf:
        inside = True
        found = lowest
        for at in range(leaf + trees.KEYS + i, leaf + trees.KEYS + words[leaf + trees.COUNT]):
            score = real_of(words[at])  # no key here is negative
            found = int(score) if score < 1e18 else highest + 1
            if found > highest:
                return True
            inside = geohash.is_between(found, lowest, highest)
            if inside:
                ref = words[at - trees.KEYS + trees.REFS]
                prefetch(words, ref)
                if not take(words, octets, query, score, ref):
                    return False
                if is_enough(words, query):
                    return True
        leaf, i = words[leaf + trees.NEXT], 0
        if leaf and not inside:
            key = trees.key_of(float(geohash.next_between(found, lowest, highest)))
            if words[leaf + trees.KEYS + words[leaf + trees.COUNT] - 1] < key:
                leaf, i = trees.find(words, top, key)
    return True


@outlined
def search(words, octets, root, query):
    """Find the results of a query in a sorted set; return False without memory."""
    longitude, latitude = real_of(words[query + LONGITUDE]), real_of(words[query + LATITUDE])
    width, height, reach = geo_query.half_sizes(words, query)
    words[query + REACH] = bits_of(reach)
    words[query + LIMIT] = words[query + COUNT] if words[query + ANY] else 0
    step, middle, counting = geohash.cells_around(longitude, latitude, width, height, reach)
    is_circle = words[query + SHAPE] == CIRCLE
    west, south, east, north = geohash.box_of(longitude, latitude, width, height, is_circle)
    shift = geohash.HASH_BITS - 2 * step
    last = -1
    for i in range(geohash.CELLS):
        cell = geohash.cell_around(step, middle, i)
        if not counting >> i & 1 or cell == last:
            continue
        if is_enough(words, query):
            break
        if members.is_packed(words, root):
            done = walk_strip(words, octets, root, query, float(cell << shift), float((cell + 1) << shift))
        else:
            lowest, highest = geohash.common_part(step, cell, west, south, east, north)
            done = lowest > highest or walk_tree(words, octets, root, query, lowest, highest)
        if not done:
            return False
        if i:
            last = cell
    return True


@outlined
def ordered(words, query, wanted):
    """Return a block with the first `wanted` results in their order, as pairs (key, number); 0 without memory.

    A key is the bits of a distance, which are in the order of distances; turned over if the furthest comes first.
    """
    count = words[query + USED]
    block = arena.allocate(words, 2 * geo_order.PAIR * count + geo_order.STACK_WORDS)
    if block == 0:
        return 0, 0
    for i in range(count):
        key = words[words[query + FOUND] + i * RESULT_WORDS + DISTANCE]
        words[block + geo_order.PAIR * i] = ~key if words[query + ORDER] == DESCENDING else key
        words[block + geo_order.PAIR * i + 1] = i
    spare = block + geo_order.PAIR * count
    if wanted < count:
        geo_order.sort_first(words, block, spare, count, wanted)
        return block, block
    return block, geo_order.sort(words, block, spare, count)


@kernel
def result_at(words, query, pairs, i):
    """Return the word at which the result number `i` lies, in the order of `pairs` (0: as they were found)."""
    number = words[pairs + geo_order.PAIR * i + 1] if pairs else i
    return words[query + FOUND] + number * RESULT_WORDS


@kernel
def text_of(words, octets, root, result):
    """Return (octet, size, form) of the member that is a result."""
    if members.is_packed(words, root):
        start, size, form, _ = members.read(words, octets, 0, words[result + MEMBER])
        return start, size, form
    start, size, form, _ = members.of_block(words, words[result + MEMBER])
    return start, size, form


@outlined
def put_results(words, octets, reply, root, query, pairs, wanted, whole):
    """Make `wanted` results the reply; return the status. `whole`: all facts of each, null where one is not asked for.

    Without `whole` a result without facts is the member alone.
    """
    if wanted == 0:
        return EMPTY
    facts = words[query + WITH_DISTANCE] + words[query + WITH_HASH] + words[query + WITH_PLACE]
    items = wanted
    if facts or whole:
        items = 1 + wanted * (2 + (5 if whole else facts + 2 * words[query + WITH_PLACE]))
    total = 0
    for i in range(wanted):
        total += text_of(words, octets, root, result_at(words, query, pairs, i))[1]
    if not fits(words, items, total):
        return FULL
    set_scalar(words, reply, 0)
    if facts or whole:
        add_mark(words, reply, MARK_ARRAY, wanted)
    for i in range(wanted):
        result = result_at(words, query, pairs, i)
        start, size, form = text_of(words, octets, root, result)
        if facts or whole:
            add_mark(words, reply, MARK_ARRAY, 4 if whole else 1 + facts)
        add_text(words, reply, start, size, form)
        put_facts(words, reply, query, result, whole)
    return ITEM if facts or whole else ITEMS


@kernel
def put_facts(words, reply, query, result, whole):
    """Add what the reply tells of a result behind its member."""
    score = real_of(words[result + SCORE])
    if words[query + WITH_DISTANCE]:
        add_distance(words, reply, real_of(words[result + DISTANCE]) / real_of(words[query + METRES]))
    elif whole:
        add_nil(words, reply)
    if words[query + WITH_HASH]:
        add_number(words, reply, whole_of(score))
    elif whole:
        add_nil(words, reply)
    if words[query + WITH_PLACE]:
        longitude, latitude = geohash.decode(hash_of(score))
        add_mark(words, reply, MARK_ARRAY, 2)
        add_degrees(words, reply, longitude)
        add_degrees(words, reply, latitude)
    elif whole:
        add_nil(words, reply)


@outlined
def store_results(words, octets, tape, reply, root, query, pairs, wanted):
    """Store `wanted` results under the key of a query; reply with their number; return the status."""
    size = 0
    for i in range(wanted):
        size += text_of(words, octets, root, result_at(words, query, pairs, i))[1] + MEMBER_BYTES
    if limits.lacks(words, size):
        return OUT_OF_MEMORY
    made = zset_algebra.new_result(words, octets, wanted)
    if made == 0:
        return OUT_OF_MEMORY
    table = members.block_of(words, made + zset_algebra.ROOT_AT)
    done = True
    for i in range(wanted):
        result = result_at(words, query, pairs, i)
        start, size, form = text_of(words, octets, root, result)
        score = real_of(words[result + SCORE])
        if words[query + STORES_DISTANCES]:
            score = real_of(words[result + DISTANCE]) / real_of(words[query + METRES])
        if members.add_unordered(words, octets, table, start, size, form, score) == 0:
            done = False
            break
    made = zset_algebra.finished(words, octets, made, done)
    if made == 0:
        return OUT_OF_MEMORY
    return zset_algebra.put_under_destination(words, octets, tape, words[query + STORE] - 1, made, reply)


@outlined
def answer(words, octets, tape, reply, root, query, whole):
    """Carry out a query on a sorted set (root 0: on none): reply with its results, or store them; return the status."""
    if root and not search(words, octets, root, query):
        return OUT_OF_MEMORY
    count, wanted = words[query + USED], words[query + COUNT]
    if wanted and words[query + ORDER] == 0 and not words[query + ANY]:
        words[query + ORDER] = ASCENDING
    wanted = min(wanted, count) if wanted else count
    block = pairs = 0
    if words[query + ORDER] and count:
        if limits.lacks_aside(words, count * 4 * 8):
            return OUT_OF_MEMORY
        block, pairs = ordered(words, query, wanted)
        if block == 0:
            return OUT_OF_MEMORY
    if words[query + STORE]:
        status = store_results(words, octets, tape, reply, root, query, pairs, wanted)
    else:
        status = put_results(words, octets, reply, root, query, pairs, wanted, whole)
    if block:
        arena.release(words, block)
    return status
