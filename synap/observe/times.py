"""Durations of calls by row, in the heap beside the other counters; kernels time one call in 16.

    TIMES of a row: number of timed calls, their total in ns, then one count for each power of two of ns

The time is that of the row itself, without parsing its words and writing its reply. Rows that run in Python are
timed at every call.
"""

from dataclasses import dataclass
from typing import Any

from synap.store.memory import layout

BUCKETS = layout.TIMES_SIZE - 2


@dataclass(frozen=True)
class Times:
    """The durations of one row's timed calls: bucket i counts those from 2 ** i to below 2 ** (i + 1) ns.

    The first bucket also counts shorter calls, the last longer ones.
    """

    count: int
    total_ns: int
    buckets: tuple[int, ...]

    @property
    def mean_us(self) -> float:
        return self.total_ns / self.count / 1000 if self.count else 0.0

    def percentile_us(self, share: float) -> float:
        """Return the upper bound, in us, of the bucket that completes `share` percent of the calls."""
        seen = 0
        for i, count in enumerate(self.buckets):
            seen += count
            if seen * 100 >= self.count * share:
                return float(2 << i) / 1000
        return 0.0


def _place(numbers: Any, code: int) -> int:
    row_at = int(numbers[layout.CODES + code])
    return layout.TIMES + layout.TIMES_SIZE * ((row_at - layout.ROWS) // layout.ROW_SIZE)


def of(numbers: Any, code: int) -> Times:
    """Return the durations of the row with this code."""
    at = _place(numbers, code)
    found = [int(numbers[at + i]) for i in range(layout.TIMES_SIZE)]
    return Times(found[0], found[1], tuple(found[2:]))


def note(numbers: Any, code: int, took_ns: int) -> None:
    """Add a call of the row with this code."""
    at = _place(numbers, code)
    numbers[at] += 1
    numbers[at + 1] += took_ns
    numbers[at + 2 + min(max(took_ns.bit_length() - 1, 0), BUCKETS - 1)] += 1


def forget(numbers: Any, code: int) -> None:
    """Reset the durations of the row with this code to zero."""
    at = _place(numbers, code)
    for i in range(layout.TIMES_SIZE):
        numbers[at + i] = 0
