"""Order statistics against numpy, over integers and reals of many shapes."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import order_statistics
from tests.support import Bench

SIZES = (1, 2, 3, 10, 24, 25, 100, 999, 5000)


@kernel("int64(int64)")
def work_words(count):
    return order_statistics.work_words(count)


@kernel("int64(int64[::1], int64, int64[::1])")
def select_integer(values, rank, work):
    return order_statistics.select(values, rank, work)


@kernel("int64(float64[::1], int64, int64[::1])")
def select_real(values, rank, work):
    return order_statistics.select(values, rank, work)


@kernel("void(int64[::1], float64[::1], float64[::1], int64[::1])")
def quantiles_of_integers(values, probabilities, found, work):
    order_statistics.quantiles(values, probabilities, found, work)


@kernel("void(float64[::1], float64[::1], float64[::1], int64[::1])")
def quantiles_of_reals(values, probabilities, found, work):
    order_statistics.quantiles(values, probabilities, found, work)


@kernel("void(int64[::1], int64[::1], int64[::1])")
def top_integers(values, indices, work):
    order_statistics.top(values, indices, work)


@kernel("void(float64[::1], int64[::1], int64[::1])")
def top_reals(values, indices, work):
    order_statistics.top(values, indices, work)


@kernel("void(int64[::1], int64[::1], int64[::1])")
def order_of_integers(values, indices, work):
    order_statistics.order(values, indices, work)


@kernel("void(float64[::1], int64[::1], int64[::1])")
def order_of_reals(values, indices, work):
    order_statistics.order(values, indices, work)


@kernel("void(int64[::1], int64[::1], int64[::1])")
def ranks_of_integers(values, found, work):
    order_statistics.ranks(values, found, work)


@kernel("void(float64[::1], int64[::1], int64[::1])")
def ranks_of_reals(values, found, work):
    order_statistics.ranks(values, found, work)


@pytest.fixture(scope="module", autouse=True)
def compiled(store: type[Bench]) -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def arrays(seed: int) -> Iterator[tuple[bool, Any]]:
    """(are they reals?, values): spread, with many equal ones, sorted, with the ends of the range; reals with NaN."""
    rng = np.random.default_rng(seed)
    for size in SIZES:
        ends = rng.choice(np.array([-(2**63), 2**63 - 1, 0, -1, 1]), size)
        for values in (rng.integers(-(2**63), 2**63 - 1, size), rng.integers(0, 7, size), np.arange(size), ends):
            yield False, values.astype(np.int64)
        odd = rng.choice(np.array([-np.inf, np.inf, 0.0, -0.0, 5e-324, -1.5, 1e300]), size)
        for reals in (rng.normal(size=size), rng.integers(0, 7, size) / 4, -np.arange(float(size)), odd):
            yield True, reals.astype(np.float64)
        yield True, np.where(rng.random(size) < 0.3, np.nan, rng.normal(size=size))


def work_for(values: Any) -> Any:
    return np.full(work_words(len(values)), 7, np.int64)


def test_order_and_ranks() -> None:
    for is_real, values in arrays(1):
        kept, found = values.copy(), np.empty(len(values), np.int64)
        (order_of_reals if is_real else order_of_integers)(values, found, work_for(values))
        assert np.array_equal(found, np.argsort(values, kind="stable"))
        (ranks_of_reals if is_real else ranks_of_integers)(values, found, work_for(values))
        known = np.sort(values)
        assert np.array_equal(found, np.searchsorted(known, values, side="left"))
        assert np.array_equal(values, kept, equal_nan=is_real)


def test_selected_values() -> None:
    chance = Random(2)
    for is_real, values in arrays(2):
        select = select_real if is_real else select_integer
        for rank in {0, len(values) - 1, len(values) // 2, chance.randrange(len(values))}:
            at = select(values, rank, work_for(values))
            expected = np.partition(values, rank)[rank]
            assert np.array_equal(values[at], expected, equal_nan=is_real)
            assert at == np.flatnonzero((values == expected) | ((values != values) & (expected != expected)))[0]


def test_quantiles() -> None:
    rng = np.random.default_rng(3)
    for is_real, values in arrays(3):
        if is_real and not np.isfinite(values[values == values]).all():
            continue  # numpy computes inf - inf
        for count in (0, 1, 2, 3, 4, 9):
            chosen = rng.choice(np.array([0.0, 1.0, 0.5, 0.25, 0.999, rng.random()]), count)
            found = np.empty(count)
            (quantiles_of_reals if is_real else quantiles_of_integers)(values, chosen, found, work_for(values))
            expected = np.quantile(values.astype(np.float64), chosen) if count else np.empty(0)
            assert np.allclose(found, expected, rtol=1e-12, atol=0, equal_nan=True)


def test_infinite_quantiles() -> None:
    values, found = np.array([-np.inf, 1.0, np.inf, np.inf]), np.empty(4)
    quantiles_of_reals(values, np.array([0.0, 1 / 3, 0.9, 1.0]), found, work_for(values))
    assert found.tolist() == [-np.inf, 1.0, np.inf, np.inf]


def test_largest_values() -> None:
    for is_real, values in arrays(4):
        whole = np.sort(values)[::-1]
        for most in {0, 1, min(3, len(values)), len(values) // 10, len(values)}:
            indices = np.empty(most, np.int64)
            (top_reals if is_real else top_integers)(values, indices, work_for(values))
            assert np.array_equal(values[indices], whole[:most], equal_nan=is_real)
            same = [(a, b) for a, b in pairwise(indices) if values[a] == values[b]]
            assert all(a < b for a, b in same) and len(set(indices.tolist())) == most
            if most and not np.isnan(whole[most - 1]):  # of equal values the first ones are chosen
                last = np.flatnonzero(values == whole[most - 1])
                chosen = int((values[indices] == whole[most - 1]).sum())
                assert set(last[:chosen].tolist()) <= set(indices.tolist())


def test_wrong_arguments() -> None:
    values, work = np.array([3, 1, 2]), np.empty(work_words(3), np.int64)
    few, three, found = work[:-1].copy(), np.empty(3, np.int64), np.empty(1)
    for call in (
        lambda: select_integer(values, -1, work), lambda: select_integer(values, 3, work),
        lambda: select_integer(values[:0].copy(), 0, work), lambda: select_integer(values, 0, few),
        lambda: quantiles_of_integers(values, np.array([1.5]), found, work),
        lambda: quantiles_of_integers(values, np.array([np.nan]), found, work),
        lambda: quantiles_of_integers(values, np.array([0.5, 0.5]), found, work),
        lambda: quantiles_of_integers(values, np.array([0.5]), found, few),
        lambda: quantiles_of_integers(values[:0].copy(), np.array([0.5]), found, work),
        lambda: top_integers(values, np.empty(4, np.int64), work), lambda: top_integers(values, three, few),
        lambda: order_of_integers(values, three[:2].copy(), work), lambda: order_of_integers(values, three, few),
        lambda: ranks_of_integers(values, three[:2].copy(), work), lambda: ranks_of_integers(values, three, few),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="wanted"):
            call()
