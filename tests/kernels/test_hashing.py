"""Hashing: the kernel against its definition, and what tables need of it: bits that are even and depend on the key."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import hashing
from tests.naive import hashing as naive

WORDS = st.integers(-(2**63), 2**63 - 1)


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def run(octets, start, size, key_a, key_b):
    return hashing.keyed_hash(octets, start, size, key_a, key_b)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def hashed(text: bytes, key_a: int, key_b: int, before: int = 0) -> int:
    """The kernel's answer for a text that ends where its array ends."""
    octets = np.frombuffer(bytes(before) + text, np.uint8).copy()
    return int(run(octets, before, len(text), key_a, key_b))


@given(st.binary(max_size=80), WORDS, WORDS, st.integers(0, 9))
def test_as_the_twin(text: bytes, key_a: int, key_b: int, before: int) -> None:
    assert hashed(text, key_a, key_b, before) == naive.keyed_hash(text, key_a, key_b)


def test_every_size() -> None:
    chance = Random(1)
    for size in range(200):
        text, keys = chance.randbytes(size), (chance.getrandbits(64) - 2**63, chance.getrandbits(64) - 2**63)
        assert hashed(text, *keys) == naive.keyed_hash(text, *keys)


def test_one_bit_changes_half_of_the_bits() -> None:
    """Of the text, of either key, at every size that takes another way."""
    chance, changed, flips = Random(2), [0] * 64, 0
    for size in (1, 3, 4, 7, 8, 15, 16, 17, 32, 33, 100):
        for _ in range(120):
            text, keys = bytearray(chance.randbytes(size)), [chance.getrandbits(63), chance.getrandbits(63)]
            before = hashed(bytes(text), *keys)
            where = chance.randrange(3)
            if where == 2:
                text[chance.randrange(size)] ^= 1 << chance.randrange(8)
            else:
                keys[where] ^= 1 << chance.randrange(62)
            difference = before ^ hashed(bytes(text), *keys)
            if size == 3 or difference:
                flips += 1
                for bit in range(64):
                    changed[bit] += difference >> bit & 1
    assert flips > 1300
    assert all(0.43 < count / flips < 0.57 for count in changed), changed
