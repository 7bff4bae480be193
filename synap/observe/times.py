"""How long calls took, by row: kept in the heap beside the other counters, where kernels note one call in 16.

    TIMES of a row: calls that were timed, ns of all of them, then one count for each power of two of ns

What is timed is the row itself: neither the reading of its words nor the writing of its reply. Rows that run in
Python are timed at every call.
"""

from dataclasses import dataclass
from typing import Any

from synap.store.memory import layout

BUCKETS = layout.TIMES_SIZE - 2


@dataclass(frozen=True)
class Times:
    """Calls of one row: bucket i counts those of less than 2 ** (i + 1) ns that are in no bucket before."""

    count: int
    total_ns: int
    buckets: tuple[int, ...]

    @property
    def mean_us(self) -> float:
        return self.total_ns / self.count / 1000 if self.count else 0.0

    def percentile_us(self, share: float) -> float:
        """The upper end of the bucket that `share` percent of the calls lie below, in us."""
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
    """What is known of the row with this code."""
    at = _place(numbers, code)
    found = [int(numbers[at + i]) for i in range(layout.TIMES_SIZE)]
    return Times(found[0], found[1], tuple(found[2:]))


def note(numbers: Any, code: int, took_ns: int) -> None:
    """A call of this row took so long."""
    at = _place(numbers, code)
    numbers[at] += 1
    numbers[at + 1] += took_ns
    numbers[at + 2 + min(max(took_ns.bit_length() - 1, 0), BUCKETS - 1)] += 1


def forget(numbers: Any, code: int) -> None:
    """Begin anew."""
    at = _place(numbers, code)
    for i in range(layout.TIMES_SIZE):
        numbers[at + i] = 0
