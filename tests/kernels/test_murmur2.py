"""MurmurHash2 against values that Kafka publishes with its source (UtilsTest), and against a plain twin."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import murmur2 as kernels
from tests.naive.murmur2 import murmur2

PUBLISHED = {
    b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829, b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}  # fmt: skip


@kernel("int64(uint8[::1], int64, int64)")
def hashed(octets, start, size):
    return kernels.murmur2(octets, start, size)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name == f"{__name__}.hashed")
    yield


def found(key: bytes, before: int = 0) -> int:
    octets = np.frombuffer(bytes(before) + key, np.uint8).copy()
    return int(hashed(octets, before, len(key)))


@pytest.mark.parametrize("key", PUBLISHED, ids=bytes.decode)
def test_published_values(key: bytes) -> None:
    assert found(key) == murmur2(key) == PUBLISHED[key] % (1 << 32)


def test_every_length_and_place() -> None:
    chance = Random(5)
    for size in range(70):
        for before in range(9):
            key = chance.randbytes(size)
            assert found(key, before) == murmur2(key)
