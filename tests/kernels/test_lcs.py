"""LCS: the kernel against its definition, and its ranges against the texts that they are of."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import lcs
from tests.naive import lcs as naive

TEXTS = st.text(alphabet="abc", max_size=24).map(str.encode)


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1])")
def fill(octets, first, first_size, second, second_size, table):
    return lcs.fill(octets, first, first_size, second, second_size, table)


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1], uint8[::1], int64[::1], int64)")
def trace(octets, first, first_size, second, second_size, table, text, ranges, least):
    return lcs.trace(octets, first, first_size, second, second_size, table, text, ranges, least)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


@given(TEXTS, TEXTS, st.integers(0, 4))
def test_it_is_common_and_the_longest(first: bytes, second: bytes, least: int) -> None:
    octets = np.frombuffer(first + second + b"*", np.uint8).copy()
    spans = (0, len(first), len(first), len(second))
    table = np.empty((len(first) + 1) * (len(second) + 1), np.uint32)
    size = fill(octets, *spans, table)
    assert size == naive.length(first, second)
    text, ranges = np.zeros(max(size, 1), np.uint8), np.zeros(4 * max(size, 1), np.int64)
    count = trace(octets, *spans, table, text, ranges, 0)
    found = text[:size].tobytes()
    assert naive.within(found, first) and naive.within(found, second)
    matches = ranges[: 4 * count].reshape(-1, 4).tolist()
    assert b"".join(first[a : b + 1] for a, b, _, _ in reversed(matches)) == found
    assert b"".join(second[c : d + 1] for _, _, c, d in reversed(matches)) == found
    fewer = trace(octets, *spans, table, text, ranges, least)
    kept = [match for match in matches if match[1] - match[0] + 1 >= least]
    assert ranges[: 4 * fewer].reshape(-1, 4).tolist() == kept
