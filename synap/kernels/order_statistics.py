"""Order statistics of plain arrays: the k-th smallest value, quantiles, the largest values, ranks, the stable order.

    values     int64 or float64, any number n of them, one behind the other; they are not changed
    work       int64, `work_words(n)` of them or more, which a function may use; reusable
    rank       a position in order, from 0; NaN comes behind all other values, and -0 is 0, as in `numpy.sort`

Nothing is compared: values become 64-bit keys that order as they do, and are selected and sorted by their bytes
(`sorting.py`), as SORT does it. `select` takes linear time for any input, the others that of a radix sort. Source:
Knuth, "The Art of Computer Programming" 3, sections 5.2.5 (radix sorting) and 5.3.3 (selection); quantiles are those
of Hyndman and Fan, "Sample quantiles in statistical packages" (1996), definition 7, which is numpy's `linear`.

All functions raise ValueError for arguments that do not fit, as their docstrings say.
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.sorting import key_of_real, select_key, sort_first, sort_keys, spare_words

_SELECTED = 3  # quantiles up to which selecting them one by one takes less time than sorting


@kernel
def work_words(count):
    """Return the int64 words of `work` that a function needs for `count` values."""
    return 2 * count + spare_words(count)


@kernel
def _key(values, i, work):
    """Return the key of a value: the value itself if it is of the type of `work`."""
    return np.int64(values[i]) if values.dtype == work.dtype else key_of_real(values[i])


@kernel
def _write_keys(values, work, flip):
    """Write the keys of all values to `work`, inverted if `flip` is -1, and their numbers behind them."""
    count = len(values)
    if len(work) < work_words(count):
        raise ValueError("work: wanted as many words as work_words returns for these values")
    for i in range(count):
        work[i] = _key(values, i, work) ^ flip
        work[count + i] = i


@kernel
def select(values, rank, work):
    """Return the index of the first value that has this rank, such as `len(values) // 2` for a median.

    Raise ValueError unless 0 <= rank < n, and for a `work` that is too short.
    """
    count = len(values)
    if rank < 0 or rank >= count:
        raise ValueError("rank: wanted a number from 0 on, below the number of values")
    _write_keys(values, work, 0)
    found = select_key(work, 0, count, rank, count)
    i = 0
    while work[i] != found:
        i += 1
    return i


@kernel
def quantiles(values, probabilities, found, work):
    """Write the quantile for each of m probabilities (float64, 0 to 1) to `found` (float64, m).

    Between two values the quantile is interpolated linearly. It is NaN for each probability if any value is NaN. Raise
    ValueError without values, for a probability outside 0 to 1 or NaN, a `found` of another size than `probabilities`,
    and a `work` that is too short.
    """
    count = len(values)
    if count == 0:
        raise ValueError("values: wanted at least one, found none")
    if len(found) != len(probabilities):
        raise ValueError("found: wanted as many items as there are probabilities")
    for probability in probabilities:
        if not 0.0 <= probability <= 1.0:
            raise ValueError("probabilities: wanted numbers from 0 to 1")
    _write_keys(values, work, 0)
    unknown = False
    for i in range(count):
        unknown |= values[i] != values[i]
    by_sorting = len(probabilities) > _SELECTED
    if by_sorting:
        sort_keys(work, 0, count, count, 2 * count)
    for i in range(len(probabilities)):
        place = probabilities[i] * (count - 1)
        below = min(np.int64(place), count - 1)
        above = min(below + 1, count - 1)
        if unknown:
            found[i] = np.nan
        elif by_sorting:
            found[i] = _between(values[work[count + below]], values[work[count + above]], place - below)
        else:
            lower = _at_rank(values, work, below)
            upper = _at_rank(values, work, above) if place > below else lower
            found[i] = _between(lower, upper, place - below)


@kernel
def _at_rank(values, work, rank):
    """Return the value of this rank, with all keys in `work`."""
    key = select_key(work, 0, len(values), rank, 2 * len(values))
    i = 0
    while work[i] != key:
        i += 1
    return values[i]


@kernel
def _between(lower, upper, part):
    """Return the number that lies at `part` (0 to 1) of the way from one value to another, as numpy computes it."""
    low, high = np.float64(lower), np.float64(upper)
    if part == 0.0 or low == high:
        return low
    if part >= 0.5:
        return high - (high - low) * (1.0 - part)
    return low + (high - low) * part


@kernel
def top(values, indices, work):
    """Write the indices of the k largest values, the largest first, to `indices` (int64, k); equal values by index.

    NaN counts as the largest. Raise ValueError for more indices than values, and for a `work` that is too short.
    """
    count, most = len(values), len(indices)
    if most > count:
        raise ValueError("indices: wanted no more items than there are values")
    _write_keys(values, work, -1)
    sort_first(work, 0, count, count, most, 2 * count)
    for i in range(most):
        indices[i] = work[count + i]


@kernel
def order(values, indices, work):
    """Write the indices of all values in ascending order to `indices` (int64, n); equal values by index.

    Raise ValueError for an `indices` of another size than `values`, and for a `work` that is too short.
    """
    count = len(values)
    if len(indices) != count:
        raise ValueError("indices: wanted as many items as there are values")
    _write_keys(values, work, 0)
    sort_keys(work, 0, count, count, 2 * count)
    for i in range(count):
        indices[i] = work[count + i]


@kernel
def ranks(values, found, work):
    """Write how many values are below each value to `found` (int64, n): equal values have the same rank.

    NaN is above all other values and equal to NaN. Raise ValueError for a `found` of another size than `values`, and
    for a `work` that is too short.
    """
    count = len(values)
    if len(found) != count:
        raise ValueError("found: wanted as many items as there are values")
    _write_keys(values, work, 0)
    sort_keys(work, 0, count, count, 2 * count)
    first = 0
    for i in range(count):
        if work[i] != work[first]:
            first = i
        found[work[count + i]] = first
