"""Reals with a fixed number of decimals: the digits of Python's own exact formatting, at every size."""

import math
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import fixed
from synap.kernels.fixed import FIXED_SIZE_MAX

AT = 7


@kernel("int64(uint8[::1], int64, float64, int64)")
def print_fixed(octets, target, value, decimals):
    return fixed.print_fixed(octets, target, value, decimals)


@kernel("int64(uint8[::1], int64, float64, int64)")
def print_short(octets, target, value, decimals):
    return fixed.print_short(octets, target, value, decimals)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def printed(write, value: float, decimals: int) -> str:
    """What a kernel writes; it must leave alone what lies around its space."""
    octets = np.full(AT + FIXED_SIZE_MAX + 5, 0xEE, np.uint8)
    size = write(octets, AT, value, decimals)
    assert set(octets[:AT]) == set(octets[AT + FIXED_SIZE_MAX :]) == {0xEE}
    return bytes(octets[AT : AT + size]).decode()


def draw(chance: Random) -> float:
    """A number of some size; ties between two texts are among them."""
    return chance.choice((
        chance.uniform(-180, 180), chance.uniform(-1e-4, 1e-4), chance.uniform(0, 7e7),
        chance.randrange(1 << 40) / 2 ** chance.randrange(60), chance.random() * 10.0 ** chance.randint(-320, 308),
        float(chance.randrange(-(1 << 62), 1 << 62)), math.ldexp(chance.random(), -1060),
    ))  # fmt: skip


def test_digits_are_exact() -> None:
    chance = Random(1)
    for _ in range(20_000):
        value, decimals = draw(chance), chance.choice((1, 4, 4, 6, 17, 17))
        assert printed(print_fixed, value, decimals) == f"{value:.{decimals}f}", value.hex()


def test_short_texts() -> None:
    chance = Random(2)
    for _ in range(5000):
        value, decimals = draw(chance), chance.choice((1, 4, 17))
        wanted = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
        assert printed(print_short, value, decimals) == ("0" if wanted == "-0" else wanted)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0000"), (-0.0, "-0.0000"), (0.00005, "0.0001"), (0.00003, "0.0000"), (2.5, "2.5000"), (0.99999, "1.0000"),
     (9999.99995, "9999.9999"), (0.03125, "0.0312"), (0.09375, "0.0938"), (math.inf, "inf"), (-math.inf, "-inf"),
     (math.nan, "nan"), (-math.nan, "-nan"), (1e22, "10000000000000000000000.0000")],
)  # fmt: skip
def test_four_decimals(value: float, text: str) -> None:
    assert printed(print_fixed, value, 4) == text


def test_the_largest_has_309_digits() -> None:
    largest = -np.finfo(np.float64).max
    assert printed(print_fixed, largest, 17) == f"{largest:.17f}"
