"""Binary heaps in plain arrays: the entry with the smallest key comes first, changes take O(log n).

    entry i     two words of `array` at base + 2 * i: the key, and its owner
    order       entry 0 has the smallest key; the parent of entry i is (i - 1) // 2
    owner       an index of the same array: array[owner + back] holds the number of its entry + 1 (0 without an
                entry), array[owner + tie] decides between equal keys

As each owner holds the number of its entry, any entry can be moved or removed, not only the first. All functions take
`array` (int64), the index `base` of entry 0 and the number of entries. Where an entry is added, the array must have
space for one more. Source: Williams, "Algorithm 232: Heapsort", CACM 7 (1964).
"""

from synap.compiler.jit import kernel


@kernel
def before(array, base, i, key, owner, tie):
    """Return True if (key, owner) comes before entry i."""
    at = base + 2 * i
    return key < array[at] or (key == array[at] and array[owner + tie] < array[array[at + 1] + tie])


@kernel
def lay(array, base, i, key, owner, back):
    """Write entry i, and its number into its owner."""
    array[base + 2 * i] = key
    array[base + 2 * i + 1] = owner
    array[owner + back] = i + 1


@kernel
def settle(array, base, count, i, key, owner, back, tie):
    """Put (key, owner) into its place among `count` entries, of which entry i is a gap."""
    while i > 0 and before(array, base, (i - 1) >> 1, key, owner, tie):
        above = base + 2 * ((i - 1) >> 1)
        lay(array, base, i, array[above], array[above + 1], back)
        i = (i - 1) >> 1
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        right = base + 2 * (child + 1)
        if child + 1 < count and before(array, base, child, array[right], array[right + 1], tie):
            child += 1
        if before(array, base, child, key, owner, tie):
            break
        at = base + 2 * child
        lay(array, base, i, array[at], array[at + 1], back)
        i = child
    lay(array, base, i, key, owner, back)


@kernel
def push(array, base, count, key, owner, back, tie):
    """Add an entry to `count` others."""
    settle(array, base, count + 1, count, key, owner, back, tie)


@kernel
def change(array, base, count, i, key, back, tie):
    """Give entry i another key, and move it to its place."""
    settle(array, base, count, i, key, array[base + 2 * i + 1], back, tie)


@kernel
def remove(array, base, count, i, back, tie):
    """Remove entry i of `count`, and set its owner's entry number to 0."""
    array[array[base + 2 * i + 1] + back] = 0
    last = base + 2 * (count - 1)
    if i < count - 1:
        settle(array, base, count - 1, i, array[last], array[last + 1], back, tie)
