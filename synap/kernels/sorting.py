"""Sorting of keys and of texts in one array of int64: by their bytes, stably, and no further than it is asked for.

Keys are int64. A float64 becomes a key that orders as it does (`key_of_real`), and so do eight bytes of a text
(`key_of_text`). Keys are sorted by their bytes, the lowest byte first (radix sort, Knuth 5.2.5): each pass that does
not find the same byte everywhere moves every key once. 100,000 keys take 0.4 to 2 ms; comparing them would take 8.

Texts are sorted by their first eight bytes, those with the same eight bytes by the next eight, and so on (Bentley and
Sedgewick, "Fast algorithms for sorting and searching strings", 1997). Texts that end together are ordered by size. So
the order is that of `memcmp`, a prefix first.

Everything lies in one array, at indices that the caller gives: keys, values that move with them, space for the work.
"""

import numpy as np

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import bits_of, load64, mirrored, order, prefetch, real_of

SIZE_SHIFT = 8
"""A text is two words: the octet at which it starts, and its size << SIZE_SHIFT | 8 bits that do not count."""

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
_FEW = 24  # up to so many keys are sorted by insertion
_FEW_TEXTS = 8
_DIGITS, _RADIX = 8, 256
_PRUNED = 4  # sorting fewer than one of so many begins with leaving out what comes behind them
_AHEAD = 16  # texts between a prefetch and its use
_SEGMENT = 3  # words on the stack for texts that still have to be sorted: first, last, depth


@kernel
def spare_words(count):
    """Return the words that sorting `count` keys needs for its work."""
    return 2 * count + _DIGITS * _RADIX


@kernel
def spare_words_of_texts(count):
    """Return the words that sorting `count` texts needs for its work."""
    return count + spare_words(count) + _SEGMENT * ((count >> 1) + 1)


@kernel
def key_of_real(value):
    """Return the key of a float64: -0 has that of 0, NaN one above all others."""
    if value != value:
        return HIGHEST
    bits = bits_of(value + 0.0)
    return bits ^ (HIGHEST if bits < 0 else 0)


@kernel
def real_of_key(key):
    """Return the float64 that has this key."""
    return real_of(key ^ (HIGHEST if key < 0 else 0))


@kernel
def key_of_text(octets, at, size, depth):
    """Return the key of the eight bytes of a text behind its first `depth` ones; bytes behind its end count as 0."""
    left = size - depth
    if left >= 8:
        return mirrored(load64(octets, at + depth)) ^ LOWEST
    key = np.int64(0)
    for i in range(max(left, 0)):
        key |= np.int64(octets[at + depth + i]) << (56 - 8 * i)
    return key ^ LOWEST


@kernel
def _insert(words, keys, values, count):
    """Sort a few keys, with their values, by insertion."""
    for i in range(1, count):
        key, value = words[keys + i], words[values + i]
        at = i
        while at > 0 and words[keys + at - 1] > key:
            words[keys + at] = words[keys + at - 1]
            words[values + at] = words[values + at - 1]
            at -= 1
        words[keys + at] = key
        words[values + at] = value


@kernel
def _count_bytes(words, keys, count, counters):
    """Count the keys with each byte at each of their eight places; return True if the keys are in order already."""
    for i in range(_DIGITS * _RADIX):
        words[counters + i] = 0
    last = LOWEST
    in_order = True
    for i in range(count):
        key = words[keys + i]
        in_order &= key >= last
        last = key
        key ^= LOWEST
        for digit in range(_DIGITS):
            words[counters + digit * _RADIX + ((key >> 8 * digit) & 0xFF)] += 1
    return in_order


@outlined
def sort_keys(words, keys, values, count, spare):
    """Sort `count` keys at index `keys`, lowest first, and move the values at index `values` with them, stably.

    `spare` is the index of `spare_words(count)` words for the work.
    """
    if count <= _FEW:
        _insert(words, keys, values, count)
        return
    counters = spare + 2 * count
    if _count_bytes(words, keys, count, counters):
        return
    some = words[keys] ^ LOWEST
    keys_at, values_at, keys_to, values_to = keys, values, spare, spare + count
    for digit in range(_DIGITS):
        base = counters + digit * _RADIX
        shift = 8 * digit
        if words[base + ((some >> shift) & 0xFF)] == count:
            continue  # all have the same byte here
        total = 0
        for i in range(_RADIX):
            here = words[base + i]
            words[base + i] = total
            total += here
        for i in range(count):
            key = words[keys_at + i]
            counter = base + (((key ^ LOWEST) >> shift) & 0xFF)
            place = words[counter]
            words[counter] = place + 1
            words[keys_to + place] = key
            words[values_to + place] = words[values_at + i]
        keys_at, keys_to = keys_to, keys_at
        values_at, values_to = values_to, values_at
    if keys_at != keys:
        for i in range(count):
            words[keys + i] = words[keys_at + i]
            words[values + i] = words[values_at + i]


@outlined
def select_key(words, keys, count, rank, spare):
    """Return the key that would be at index `rank`, from 0, if `count` keys at index `keys` were sorted.

    The keys stay as they are. `spare` is the index of `spare_words(count)` words for the work. The time is linear: the
    highest byte of the key is found first, then the next one among the keys that have it.
    """
    counters = spare + 2 * count
    at, left = keys, count
    for digit in range(_DIGITS - 1, -1, -1):
        shift = 8 * digit
        for i in range(_RADIX):
            words[counters + i] = 0
        for i in range(left):
            words[counters + (((words[at + i] ^ LOWEST) >> shift) & 0xFF)] += 1
        byte = 0
        while rank >= words[counters + byte]:
            rank -= words[counters + byte]
            byte += 1
        here = words[counters + byte]
        if here < left:
            kept = 0
            for i in range(left):
                key = words[at + i]
                if ((key ^ LOWEST) >> shift) & 0xFF == byte:
                    words[spare + kept] = key
                    kept += 1
            at, left = spare, here
        if left == 1:
            break
    return words[at]


@outlined
def sort_first(words, keys, values, count, wanted, spare):
    """Sort as `sort_keys` does, but no further than that the first `wanted` keys are in their places."""
    if 0 < wanted * _PRUNED < count and count > _FEW:
        limit = select_key(words, keys, count, wanted - 1, spare)
        kept = 0
        for i in range(count):  # those that are wanted move to the front, in their order
            if words[keys + i] <= limit:
                words[keys + kept], words[keys + i] = words[keys + i], words[keys + kept]
                words[values + kept], words[values + i] = words[values + i], words[values + kept]
                kept += 1
        count = kept
    if wanted > 0:
        sort_keys(words, keys, values, count, spare)


@outlined
def sort_texts(words, octets, texts, numbers, count, flip, start, stop, spare):
    """Sort the `count` numbers at index `numbers` by the texts that they stand for, stably.

    texts          index of the texts of all numbers, see SIZE_SHIFT; a text of size -1 comes before the empty one
    flip           0: lowest first, -1: highest first
    start, stop    the places that must be right: what comes before or behind them may stay out of order
    spare          index of `spare_words_of_texts(count)` words for the work
    """
    inner = spare + count
    stack = inner + spare_words(count)
    words[stack], words[stack + 1], words[stack + 2] = 0, count, 0
    top = stack + _SEGMENT
    while top > stack:
        top -= _SEGMENT
        first, last, depth = words[top], words[top + 1], words[top + 2]
        if last - first <= _FEW_TEXTS:
            _insert_texts(words, octets, texts, numbers + first, last - first, flip)
            continue
        depth = _sort_by_eight(words, octets, texts, numbers + first, last - first, depth, flip, stop - first, spare)
        if depth < 0:
            continue
        begin = first
        while begin < last and begin < stop:
            end = begin + 1
            key = words[spare + begin - first]
            while end < last and words[spare + end - first] == key:
                end += 1
            if end - begin > 1 and end > start:
                words[top], words[top + 1], words[top + 2] = begin, end, depth
                top += _SEGMENT
            begin = end


@kernel
def _insert_texts(words, octets, texts, numbers, count, flip):
    """Sort a few numbers by their texts, by insertion."""
    wrong = -1 if flip else 1
    for i in range(1, count):
        number = words[numbers + i]
        start, size = words[texts + 2 * number], words[texts + 2 * number + 1] >> SIZE_SHIFT
        at = i
        while at > 0:
            other = texts + 2 * words[numbers + at - 1]
            if order(octets, words[other], words[other + 1] >> SIZE_SHIFT, start, size) != wrong:
                break
            words[numbers + at] = words[numbers + at - 1]
            at -= 1
        words[numbers + at] = number


@kernel
def _sort_by_eight(words, octets, texts, numbers, count, depth, flip, wanted, spare):
    """Sort texts that begin alike by the first eight bytes, behind the first `depth` ones, in which they differ.

    Return the bytes of a text that have been looked at, or -1 if the texts are in order. The keys are left in `spare`.
    """
    while True:
        lowest, highest = HIGHEST, LOWEST
        longest = 0
        for i in range(count):
            if i + _AHEAD < count:
                prefetch(octets, words[texts + 2 * words[numbers + i + _AHEAD]] + depth)
            text = texts + 2 * words[numbers + i]
            size = words[text + 1] >> SIZE_SHIFT
            key = key_of_text(octets, words[text], size, depth) ^ flip
            words[spare + i] = key
            lowest, highest = min(lowest, key), max(highest, key)
            longest = max(longest, size)
        depth += 8
        if lowest != highest:
            sort_first(words, spare, numbers, count, min(wanted, count), spare + count)
            return depth
        if longest <= depth:  # no bytes are left: the shorter text comes first
            for i in range(count):
                words[spare + i] = (words[texts + 2 * words[numbers + i] + 1] >> SIZE_SHIFT) ^ flip
            sort_first(words, spare, numbers, count, min(wanted, count), spare + count)
            return -1
