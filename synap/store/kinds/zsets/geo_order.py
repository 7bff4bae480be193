"""The order of results of a search: pairs (key, number of the result), sorted by their keys.

Redis sorts all results with a stable sort, and a part of them, if fewer are wanted, with a quicksort that leaves equal
keys in an order of its own. Its exchanges are repeated here, so that results at equal distances come in the same order.
Source: J. L. Bentley, M. D. McIlroy, "Engineering a Sort Function" (1993).
"""

from synap.compiler.jit import kernel, outlined

PAIR = 2  # words of a pair
RUN = 8  # pairs that are sorted by insertion
STACK_WORDS = 2 * 64
_FEW, _MEDIANS, _MANY = 7, 7, 40


@kernel
def copy_pair(words, target, source):
    """Copy a pair."""
    words[target] = words[source]
    words[target + 1] = words[source + 1]


@kernel
def swap(words, pairs, i, j):
    """Exchange two pairs."""
    one, other = pairs + PAIR * i, pairs + PAIR * j
    for at in range(PAIR):
        words[one + at], words[other + at] = words[other + at], words[one + at]


@kernel
def insert_pairs(words, pairs, first, count):
    """Sort `count` pairs from number `first` on by insertion: stable."""
    for i in range(first + 1, first + count):
        at = i
        while at > first and words[pairs + PAIR * (at - 1)] > words[pairs + PAIR * at]:
            swap(words, pairs, at - 1, at)
            at -= 1


@outlined
def sort(words, pairs, spare, count):
    """Sort pairs by merging, stable, with space for as many at `spare`; return where they are then."""
    for first in range(0, count, RUN):
        insert_pairs(words, pairs, first, min(RUN, count - first))
    size = RUN
    while size < count:
        for first in range(0, count, 2 * size):
            left, middle = first, min(first + size, count)
            right, end = middle, min(first + 2 * size, count)
            target = spare + PAIR * first
            while left < middle and right < end:
                if words[pairs + PAIR * right] < words[pairs + PAIR * left]:
                    copy_pair(words, target, pairs + PAIR * right)
                    right += 1
                else:
                    copy_pair(words, target, pairs + PAIR * left)
                    left += 1
                target += PAIR
            for i in range(left, middle):
                copy_pair(words, target, pairs + PAIR * i)
                target += PAIR
            for i in range(right, end):
                copy_pair(words, target, pairs + PAIR * i)
                target += PAIR
        pairs, spare = spare, pairs
        size *= 2
    return pairs


@kernel
def median(words, pairs, a, b, c):
    """Return the number of the pair with the middle key of three."""
    one, two, three = words[pairs + PAIR * a], words[pairs + PAIR * b], words[pairs + PAIR * c]
    if one < two:
        return b if two < three else (c if one < three else a)
    return b if two > three else (a if one < three else c)


@kernel
def pivot_of(words, pairs, first, count):
    """Return the number of the pair by which a part is divided."""
    middle = first + count // 2
    if count <= _MEDIANS:
        return middle
    low, high = first, first + count - 1
    if count > _MANY:
        step = count // 8
        low = median(words, pairs, low, low + step, low + 2 * step)
        middle = median(words, pairs, middle - step, middle, middle + step)
        high = median(words, pairs, high - 2 * step, high - step, high)
    return median(words, pairs, low, middle, high)


@kernel
def divide(words, pairs, first, count):
    """Divide a part: lesser keys, those equal to the pivot, greater keys; return how many are lesser, and greater."""
    swap(words, pairs, first, pivot_of(words, pairs, first, count))
    equal_left = left = first + 1
    equal_right = right = first + count - 1
    while True:
        pivot = words[pairs + PAIR * first]
        while left <= right and words[pairs + PAIR * left] <= pivot:
            if words[pairs + PAIR * left] == pivot:
                swap(words, pairs, equal_left, left)
                equal_left += 1
            left += 1
        while left <= right and words[pairs + PAIR * right] >= pivot:
            if words[pairs + PAIR * right] == pivot:
                swap(words, pairs, right, equal_right)
                equal_right -= 1
            right -= 1
        if left > right:
            break
        swap(words, pairs, left, right)
        left += 1
        right -= 1
    end = first + count
    moved = min(equal_left - first, left - equal_left)
    for i in range(moved):
        swap(words, pairs, first + i, left - moved + i)
    moved = min(equal_right - right, end - equal_right - 1)
    for i in range(moved):
        swap(words, pairs, left + i, end - moved + i)
    return left - equal_left, equal_right - right


@outlined
def sort_first(words, pairs, stack, count, wanted):
    """Sort pairs until the first `wanted` are in order, with STACK_WORDS words at `stack`.

    The larger of two parts waits on the stack, so it holds at most one for each bit of `count`.
    """
    depth = 0
    first = 0
    while True:
        while count >= _FEW:
            lesser, greater = divide(words, pairs, first, count)
            if lesser <= 1:
                lesser = 0
            begin = first + count - greater
            if greater <= 1 or begin >= wanted:
                greater = 0
            if lesser < greater:
                words[stack + depth], words[stack + depth + 1] = begin, greater
                count = lesser
            else:
                words[stack + depth], words[stack + depth + 1] = first, lesser
                first, count = begin, greater
            depth += 2
        insert_pairs(words, pairs, first, count)
        if depth == 0:
            return
        depth -= 2
        first, count = words[stack + depth], words[stack + depth + 1]
