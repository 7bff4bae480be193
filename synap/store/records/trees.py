"""Counted B+-trees: members in order, by (key, bytes of the member).

Large sorted sets lie in one, and what the groups and consumers of streams have pending.

    tree     ROOT | HEIGHT: levels above the leaves | PATH: (node, index) of each level, of the change under way
    leaf     COUNT | NEXT | PREV | keys | refs of the members
    inner    COUNT | -    | -    | keys | refs of the members | children | counts
    member   SCORE | size << 8 | form | bytes

Every node has space for WIDTH entries, column by column. An entry of an inner node stands for a child: the first key
and member below it, and how many members are below it. So a search reads keys only, in a loop over adjacent words
without branches, and follows the ref of a member only where keys are equal; the position of a member is the sum of the
counts to the left of its path.

A full node is cut in the middle, or at its end if the new entry comes behind all others: keys that only rise leave full
nodes behind. After a removal a node with few entries is merged with a neighbour if both together leave some space.
Nothing else is balanced: of two neighbours below one parent, at least one has more than LOW entries.

Keys are integers. `key_of` makes one of a score, in the same order.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import bits_of, move, order
from synap.store.memory import arena
from synap.store.memory.layout import MARK_BITS

SCORE, SIZE, TEXT = range(3)  # words of a member
ROOT, HEIGHT, PATH = range(3)  # words of a tree
HEIGHT_MAX = 10  # with 11 entries in each node, the fewest on average, for 2.6 * 10**10 members
TREE_WORDS = PATH + 2 * HEIGHT_MAX
COUNT, NEXT, PREV, COLUMNS = range(4)  # words of a node
WIDTH = 62
LOW, MERGED_MAX = WIDTH // 3, WIDTH * 3 // 4
KEYS, REFS, CHILDREN, COUNTS = (COLUMNS + i * WIDTH for i in range(4))
OF_LEAF, OF_INNER = 2, 4  # columns
LOWEST, HIGHEST = -1, -2  # in place of a text's size: it comes before, or behind, all texts
_SIGN = (1 << 63) - 1


@kernel
def key_of(score):
    """Return the key of a score (float64, no NaN): keys are in the order of scores, and 0 and -0 have the same."""
    bits = bits_of(score + 0.0)  # -0.0 + 0.0 is 0.0
    return bits ^ ((bits >> 63) & _SIGN)


@kernel
def text_of(words, ref):
    """Return (octet, size) of the bytes of a member."""
    return (ref + TEXT) * 8, words[ref + SIZE] >> MARK_BITS


@kernel
def bisect(words, octets, node, low, high, start, size, equal):
    """Return how many of the first `high` entries come before a text (`equal`: or have it).

    The first `low` entries do; those behind them have equal keys.
    """
    while low < high:
        middle = (low + high) >> 1
        at, found = text_of(words, words[node + REFS + middle])
        if order(octets, at, found, start, size) < equal:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def position(words, octets, node, key, start, size, equal):
    """Return how many entries of a node come before a key and text (`equal`: or have both)."""
    low = high = 0
    for at in range(node + KEYS, node + KEYS + words[node + COUNT]):
        low += words[at] < key
        high += words[at] <= key
    if low == high or size == LOWEST:
        return low
    return high if size == HIGHEST else bisect(words, octets, node, low, high, start, size, equal)


@kernel
def count_left(words, node, i):
    """Return how many members are below the first `i` entries of an inner node."""
    total = 0
    for at in range(node + COUNTS, node + COUNTS + i):
        total += words[at]
    return total


@kernel
def rank(words, octets, tree, key, start, size, equal):
    """Return how many members come before a key and text (`equal`: or have both)."""
    node = words[tree + ROOT]
    total = 0
    for _ in range(words[tree + HEIGHT]):
        i = max(position(words, octets, node, key, start, size, equal) - 1, 0)
        total += count_left(words, node, i)
        node = words[node + CHILDREN + i]
    return total + position(words, octets, node, key, start, size, equal)


@kernel
def seek(words, tree, place):
    """Return (leaf, index) of the member at this position, from 0; it must exist."""
    node = words[tree + ROOT]
    for _ in range(words[tree + HEIGHT]):
        at = node + COUNTS
        while place >= words[at]:
            place -= words[at]
            at += 1
        node = words[at - WIDTH]  # the column of the children lies before the counts
    return node, place


@kernel
def find(words, tree, key):
    """Return (leaf, index) of the first member whose key is at least `key`; the leaf is 0 if there is none."""
    node = words[tree + ROOT]
    for level in range(words[tree + HEIGHT] + 1):
        low = 0
        for at in range(node + KEYS, node + KEYS + words[node + COUNT]):
            low += words[at] < key
        if level < words[tree + HEIGHT]:
            node = words[node + CHILDREN + max(low - 1, 0)]
    if low < words[node + COUNT]:
        return node, low
    return words[node + NEXT], 0


@kernel
def find_text(words, octets, tree, key, start, size):
    """Return (leaf, index) of the first member that does not come before a key and text; the leaf is 0 without one."""
    node = words[tree + ROOT]
    if node == 0:
        return 0, 0
    for _ in range(words[tree + HEIGHT]):
        i = max(position(words, octets, node, key, start, size, 1) - 1, 0)
        node = words[node + CHILDREN + i]
    i = position(words, octets, node, key, start, size, 0)
    if i < words[node + COUNT]:
        return node, i
    return words[node + NEXT], 0


@kernel
def following(words, leaf, i):
    """Return (leaf, index) of the member behind index `i` of a leaf; the leaf is 0 behind the last."""
    i += 1
    if i < words[leaf + COUNT]:
        return leaf, i
    return words[leaf + NEXT], 0


@kernel
def new_node(words, columns):
    """Allocate a node without entries; return its ref, or 0 without memory."""
    node = arena.allocate(words, COLUMNS + columns * WIDTH)
    if node:
        words[node + COUNT] = words[node + NEXT] = words[node + PREV] = 0
    return node


@kernel
def put_entry(words, octets, node, i, columns, key, ref, child, count):
    """Insert an entry into a node that has space, at index `i`; a leaf has neither child nor count."""
    behind = (words[node + COUNT] - i) * 8
    for column in range(node + KEYS + i, node + KEYS + i + columns * WIDTH, WIDTH):
        move(octets, (column + 1) * 8, column * 8, behind)
    words[node + KEYS + i] = key
    words[node + REFS + i] = ref
    if columns == OF_INNER:
        words[node + CHILDREN + i] = child
        words[node + COUNTS + i] = count
    words[node + COUNT] += 1


@kernel
def take_entry(words, octets, node, i, columns):
    """Remove the entry at index `i` of a node."""
    words[node + COUNT] -= 1
    behind = (words[node + COUNT] - i) * 8
    for column in range(node + KEYS + i, node + KEYS + i + columns * WIDTH, WIDTH):
        move(octets, column * 8, (column + 1) * 8, behind)


@kernel
def split(words, octets, node, at, columns):
    """Move the entries from index `at` on to a new node behind `node`; return it, or 0 without memory."""
    new = new_node(words, columns)
    if new == 0:
        return new
    count = words[node + COUNT] - at
    for column in range(KEYS, KEYS + columns * WIDTH, WIDTH):
        move(octets, (new + column) * 8, (node + column + at) * 8, count * 8)
    words[new + COUNT] = count
    words[node + COUNT] = at
    if columns == OF_LEAF:
        after = words[node + NEXT]
        words[new + NEXT] = after
        words[new + PREV] = node
        words[node + NEXT] = new
        if after:
            words[after + PREV] = new
    return new


@kernel
def new_root(words, octets, tree, left, left_count, right, right_count):
    """Put a root above two nodes; return False without memory."""
    root = new_node(words, OF_INNER)
    if root == 0:
        return False
    put_entry(words, octets, root, 0, OF_INNER, words[left + KEYS], words[left + REFS], left, left_count)
    put_entry(words, octets, root, 1, OF_INNER, words[right + KEYS], words[right + REFS], right, right_count)
    words[tree + ROOT] = root
    words[tree + HEIGHT] += 1
    return True


@kernel
def put_upwards(words, octets, tree, node, i, key, ref):
    """Insert an entry at index `i` of a full leaf at the end of PATH: cut nodes up to one that has space.

    Return False without memory.
    """
    level = words[tree + HEIGHT]
    columns = OF_LEAF
    child = below = 0
    while words[node + COUNT] == WIDTH:
        at = WIDTH if i == WIDTH and words[node + NEXT] == 0 else WIDTH >> 1
        new = split(words, octets, node, at, columns)
        if new == 0:
            return False
        if i > at or at == WIDTH:
            put_entry(words, octets, new, i - at, columns, key, ref, child, below)
        else:
            put_entry(words, octets, node, i, columns, key, ref, child, below)
        below = words[new + COUNT] if columns == OF_LEAF else count_left(words, new, words[new + COUNT])
        if level == 0:
            left = words[node + COUNT] if columns == OF_LEAF else count_left(words, node, words[node + COUNT])
            return new_root(words, octets, tree, node, left, new, below)
        level -= 1
        columns = OF_INNER
        child = new
        key = words[new + KEYS]
        ref = words[new + REFS]
        node = words[tree + PATH + 2 * level]
        i = words[tree + PATH + 2 * level + 1] + 1
        words[node + COUNTS + i - 1] -= below
    put_entry(words, octets, node, i, columns, key, ref, child, below)
    return True


@outlined
def insert(words, octets, tree, key, ref):
    """Add a member that is not in the tree; return False without memory. An empty tree consists of zeros."""
    start, size = text_of(words, ref)
    node = words[tree + ROOT]
    if node == 0:
        node = new_node(words, OF_LEAF)
        words[tree + ROOT] = node
        if node == 0:
            return False
    for level in range(words[tree + HEIGHT]):
        i = position(words, octets, node, key, start, size, 0) - 1
        if i < 0:
            i = 0
            words[node + KEYS] = key
            words[node + REFS] = ref
        words[node + COUNTS + i] += 1
        words[tree + PATH + 2 * level] = node
        words[tree + PATH + 2 * level + 1] = i
        node = words[node + CHILDREN + i]
    i = position(words, octets, node, key, start, size, 0)
    if words[node + COUNT] == WIDTH:
        return put_upwards(words, octets, tree, node, i, key, ref)
    put_entry(words, octets, node, i, OF_LEAF, key, ref, 0, 0)
    return True


@kernel
def drop(words, node, columns):
    """Free a node; a leaf leaves the list of leaves."""
    if columns == OF_LEAF:
        if words[node + PREV]:
            words[words[node + PREV] + NEXT] = words[node + NEXT]
        if words[node + NEXT]:
            words[words[node + NEXT] + PREV] = words[node + PREV]
    arena.release(words, node)


@kernel
def merge(words, octets, parent, i, columns):
    """Merge the child at index `i + 1` into the one at index `i`; return False if both together leave no space."""
    if i < 0 or i + 1 >= words[parent + COUNT]:
        return False
    left = words[parent + CHILDREN + i]
    right = words[parent + CHILDREN + i + 1]
    have = words[left + COUNT]
    more = words[right + COUNT]
    if have + more > MERGED_MAX:
        return False
    for column in range(KEYS, KEYS + columns * WIDTH, WIDTH):
        move(octets, (left + column + have) * 8, (right + column) * 8, more * 8)
    words[left + COUNT] = have + more
    words[parent + COUNTS + i] += words[parent + COUNTS + i + 1]
    drop(words, right, columns)
    take_entry(words, octets, parent, i + 1, OF_INNER)
    return True


@kernel
def settle(words, octets, tree):
    """After a removal from the leaf at the end of PATH: note the new first members, drop and merge nodes, up to the
    root."""
    columns = OF_LEAF
    for level in range(words[tree + HEIGHT] - 1, -1, -1):
        node = words[tree + PATH + 2 * level]
        i = words[tree + PATH + 2 * level + 1]
        child = words[node + CHILDREN + i]
        count = words[child + COUNT]
        if count == 0:
            drop(words, child, columns)
            take_entry(words, octets, node, i, OF_INNER)
        else:
            words[node + KEYS + i] = words[child + KEYS]
            words[node + REFS + i] = words[child + REFS]
            if count <= LOW and not merge(words, octets, node, i, columns):
                merge(words, octets, node, i - 1, columns)
        columns = OF_INNER
    root = words[tree + ROOT]
    while words[tree + HEIGHT] and words[root + COUNT] == 1:
        words[tree + ROOT] = words[root + CHILDREN]
        words[tree + HEIGHT] -= 1
        arena.release(words, root)
        root = words[tree + ROOT]
    if words[root + COUNT] == 0:
        arena.release(words, root)
        words[tree + ROOT] = words[tree + HEIGHT] = 0


@outlined
def remove(words, octets, tree, key, ref):
    """Remove a member that is in the tree with this key. Its block is left to the caller."""
    start, size = text_of(words, ref)
    node = words[tree + ROOT]
    for level in range(words[tree + HEIGHT]):
        i = position(words, octets, node, key, start, size, 1) - 1
        words[node + COUNTS + i] -= 1
        words[tree + PATH + 2 * level] = node
        words[tree + PATH + 2 * level + 1] = i
        node = words[node + CHILDREN + i]
    take_entry(words, octets, node, position(words, octets, node, key, start, size, 0), OF_LEAF)
    settle(words, octets, tree)


@outlined
def change(words, octets, tree, old, key, ref):
    """Give a member of the tree another key in place of `old`; return False without memory.

    Most changes are small: a member that stays in its leaf, and is not the first there, moves inside of it.
    """
    start, size = text_of(words, ref)
    node = words[tree + ROOT]
    for _ in range(words[tree + HEIGHT]):
        node = words[node + CHILDREN + position(words, octets, node, old, start, size, 1) - 1]
    i = position(words, octets, node, old, start, size, 0)
    to = position(words, octets, node, key, start, size, 0)
    if i == 0 or to == 0 or to == words[node + COUNT]:
        remove(words, octets, tree, old, ref)
        return insert(words, octets, tree, key, ref)
    if to > i:
        to -= 1
    for column in (node + KEYS, node + REFS):
        if to > i:
            move(octets, (column + i) * 8, (column + i + 1) * 8, (to - i) * 8)
        else:
            move(octets, (column + to + 1) * 8, (column + to) * 8, (i - to) * 8)
    words[node + KEYS + to] = key
    words[node + REFS + to] = ref
    return True


@kernel
def free_some(words, octets, tree, budget, with_members):
    """Free nodes, and `with_members` the members, from the left in a tree that is not used again; return what is left
    of the budget: more than 0 once the tree is empty."""
    while words[tree + ROOT] and budget > 0:
        parent = 0
        node = words[tree + ROOT]
        for _ in range(words[tree + HEIGHT]):
            if words[node + COUNT] == 0:
                break
            parent = node
            node = words[node + CHILDREN]
        if with_members:
            for at in range(node + REFS, node + REFS + words[node + COUNT]):  # none in an inner node that is used up
                arena.release(words, words[at])
            budget -= 4 * words[node + COUNT]
        budget -= 4
        arena.release(words, node)
        if parent:
            take_entry(words, octets, parent, 0, OF_INNER)
        else:
            words[tree + ROOT] = 0
    return budget
