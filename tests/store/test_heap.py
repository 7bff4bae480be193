"""The heap's mapping: pages that are not needed are given back to the system, and no others."""

import numpy as np
import pytest

from synap.faults import BrokenNode
from synap.store.memory import layout
from synap.store.memory.heap import Heap

PAGE = layout.PAGE_BYTES


def test_pages_that_are_given_back_read_as_zero() -> None:
    heap = Heap(24 << 20)
    start, end = layout.CALL_BLOB * layout.WORD, layout.OUT * layout.WORD
    start += -start % PAGE
    heap.octets[start - 1 : start + 3 * PAGE] = 7
    heap.forget(start, 2 * PAGE, end)
    assert not np.any(heap.octets[start : start + 2 * PAGE])
    assert np.all(heap.octets[start + 2 * PAGE : start + 3 * PAGE] == 7) and heap.octets[start - 1] == 7


@pytest.mark.parametrize("size", [-1, PAGE + 1, 1 << 33, 1 << 62, -(1 << 62)])
def test_nothing_behind_the_end_of_a_region_is_given_back(size: int) -> None:
    heap = Heap(24 << 20)
    start = layout.REPLY * layout.WORD
    heap.octets[start + PAGE : start + 3 * PAGE] = 7
    with pytest.raises(BrokenNode, match=f"at most {PAGE} bytes from byte {start} on, found {size}"):
        heap.forget(start, size, start + PAGE)
    assert np.all(heap.octets[start + PAGE : start + 3 * PAGE] == 7)
