"""Bits: counts, searches, combinations and fields against numpy's bits and Python's integers, at the ends of arrays."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.digests import CHECKED
from synap.compiler.jit import kernel, load, registered
from synap.kernels import bits, spans

WORD = 1 << 64


@kernel("int64(uint8[::1], int64, int64)")
def count_bits(octets, start, size):
    return bits.count_bits(octets, start, size)


@kernel("int64(uint8[::1], int64, int64, int64)")
def count_between(octets, start, first, last):
    return bits.count_between(octets, start, first, last)


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def first_bit(octets, start, first, last, bit):
    return bits.first_bit(octets, start, first, last, bit)


@kernel("void(uint8[::1], int64, int64, int64, int64)")
def combine(octets, target, source, size, operation):
    bits.combine(octets, target, source, size, operation)


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def read_bits(octets, start, size, offset, width):
    return bits.read_bits(octets, start, size, offset, width)


@kernel("void(uint8[::1], int64, int64, int64, int64)")
def write_bits(octets, start, offset, width, value):
    bits.write_bits(octets, start, offset, width, value)


@kernel("int64(int64, int64)")
def word(what, value):
    if what == 0:
        return spans.ones(value)
    if what == 1:
        return spans.leading_zeros(value)
    return spans.trailing_zeros(value) if what == 2 else spans.mirrored(value)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def some(chance: Random, size: int) -> np.ndarray:
    """Octets that are random, or all alike but for a bit."""
    if size == 0 or chance.random() < 0.4:
        return np.frombuffer(bytearray(chance.randbytes(size)), np.uint8)
    octets = np.full(size, chance.choice((0, 255)), np.uint8)
    octets[chance.randrange(size)] ^= 1 << chance.randrange(8) if chance.random() < 0.7 else 0
    return octets


def test_count_and_find() -> None:
    chance = Random(1)
    for _ in range(6000):
        octets = some(chance, chance.choice((1, 2, 9, 33, 80)))
        start = chance.randrange(len(octets))
        all_bits = np.unpackbits(octets[start:])
        first, last = chance.randrange(len(all_bits)), chance.randrange(len(all_bits))
        assert count_bits(octets, start, len(octets) - start) == all_bits.sum()
        assert count_between(octets, start, first, last) == all_bits[first : last + 1].sum()
        for bit in (0, 1):
            there = np.flatnonzero(all_bits[first : last + 1] == bit)
            assert first_bit(octets, start, first, last, bit) == (first + there[0] if len(there) else -1)


@pytest.mark.parametrize("operation", [bits.AND, bits.OR, bits.XOR, bits.NOT])
def test_combine(operation: int) -> None:
    chance = Random(operation)
    for _ in range(1500):
        size = chance.choice((0, 1, 7, 31, 32, 33, 64, 100))
        octets = some(chance, 2 * size + 5)
        target, source = chance.choice(((0, size), (size + 5, 2), (3, 3)))
        a, b = octets[target : target + size].copy(), octets[source : source + size].copy()
        wanted = octets.copy()
        wanted[target : target + size] = [a & b, a | b, a ^ b, ~b][operation - 1]
        combine(octets, target, source, size, operation)
        assert (octets == wanted).all()


def test_fields() -> None:
    chance = Random(2)
    for _ in range(6000):
        octets = some(chance, chance.randint(1, 20))
        size = len(octets)
        offset, width = chance.randrange(8 * size), chance.randint(1, 64)
        behind = 8 * (size + 9) - offset - width
        whole = int.from_bytes(octets.tobytes() + bytes(9))
        assert read_bits(octets, 0, size, offset, width) % WORD == (whole >> behind) % (1 << width)
        if offset + width <= 8 * size:
            value = chance.getrandbits(64) - WORD // 2
            write_bits(octets, 0, offset, width, value)
            whole += ((value % (1 << width)) - (whole >> behind) % (1 << width)) << behind
            assert int.from_bytes(octets.tobytes() + bytes(9)) == whole


def test_words() -> None:
    chance = Random(3)
    for value in [0, 1, -1, -(2**63), *(chance.getrandbits(64) - 2**63 >> chance.randrange(64) for _ in range(500))]:
        text = f"{value % WORD:064b}"
        assert word(0, value) == text.count("1")
        assert word(1, value) == len(text) - len(text.lstrip("0"))
        assert word(2, value) == len(text) - len(text.rstrip("0"))
        assert word(3, value) % WORD == int.from_bytes((value % WORD).to_bytes(8, "little"))


@pytest.mark.skipif(not CHECKED, reason="needs SYNAP_JIT_CHECKED=1")
def test_outside_of_the_array_is_noticed() -> None:
    octets = np.zeros(64, np.uint8)
    for call in (
        lambda: count_bits(octets, 1, 64), lambda: first_bit(octets, 0, 0, 512, 1),
        lambda: write_bits(octets, 0, 511, 2, 0), lambda: combine(octets, 0, 33, 32, bits.AND),
    ):  # fmt: skip
        with pytest.raises(IndexError):
            call()
