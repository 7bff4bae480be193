"""LZ4: what we write the official library reads, and the other way round; damage is refused within bounds."""

from random import Random

import lz4.block
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import lz4 as kernels

CAPACITY = 1 << 20
GUARD = 0xA5


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def compress(octets, target, source, size, most):
    return kernels.compress(octets, target, source, size, most)


@kernel("int64(uint8[::1], int64, int64, int64, int64)")
def expand(octets, target, capacity, source, size):
    return kernels.expand(octets, target, capacity, source, size)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    load(name for name in registered() if name.startswith(f"{__name__}:"))


def packed(text: bytes, most: int | None = None) -> bytes | None:
    """The text compressed by the kernel; None if it is above `most`."""
    most = len(text) + len(text) // 255 + 16 if most is None else most
    octets = np.full(len(text) + most + 64, GUARD, np.uint8)
    octets[: len(text)] = np.frombuffer(text, np.uint8)
    size = compress(octets, len(text), 0, len(text), most)
    assert (octets[len(text) + most + 16 :] == GUARD).all()
    return bytes(octets[len(text) : len(text) + size]) if size else None


def unpacked(block: bytes, capacity: int) -> bytes | None:
    """The block expanded by the kernel into exactly `capacity` octets; None if it was refused."""
    octets = np.full(len(block) + capacity + 64, GUARD, np.uint8)
    octets[: len(block)] = np.frombuffer(block, np.uint8)
    size = expand(octets, len(block), capacity, 0, len(block))
    assert (octets[len(block) + capacity :] == GUARD).all(), "written beyond the capacity"
    return bytes(octets[len(block) : len(block) + size]) if size >= 0 else None


def texts(chance: Random) -> bytes:
    """A text with runs, repeats and noise."""
    parts, words = [], [chance.randbytes(chance.randrange(1, 30)) for _ in range(8)]
    for _ in range(chance.randrange(1, 40)):
        kind = chance.randrange(4)
        if kind == 0:
            parts.append(chance.randbytes(chance.randrange(40)))
        elif kind == 1:
            parts.append(bytes([chance.randrange(256)]) * chance.randrange(1000))
        else:
            parts.append(chance.choice(words) * chance.randrange(1, 20))
    return b"".join(parts)


@given(st.integers(0, 2**32))
def test_both_ways(seed: int) -> None:
    text = texts(Random(seed))
    block = packed(text)
    assert block is not None
    assert lz4.block.decompress(block, uncompressed_size=len(text)) == text
    assert unpacked(block, len(text)) == text
    assert unpacked(lz4.block.compress(text, store_size=False), len(text)) == text


@pytest.mark.parametrize("size", [*range(40), 254, 255, 256, 269, 270, 271, 65535, 65536, 200_000])
def test_sizes(size: int) -> None:
    for text in (b"a" * size, bytes(range(256)) * (size // 256 + 1), Random(size).randbytes(size)):
        text = text[:size]
        block = packed(text)
        assert block is not None and unpacked(block, size) == text
        assert lz4.block.decompress(block, uncompressed_size=size) == text


def test_what_gains_nothing_is_refused() -> None:
    assert packed(Random(1).randbytes(5000), 4900) is None
    block = packed(b"the quick brown fox " * 500, 2000)
    assert block is not None and len(block) < 200


@given(st.integers(0, 2**32))
def test_damage_stays_within_bounds(seed: int) -> None:
    """Whatever stands in a block, nothing outside of the two spans is touched."""
    chance = Random(seed)
    text = texts(chance)
    block = bytearray(packed(text) or b"")
    for _ in range(chance.randrange(1, 5)):
        if block:
            block[chance.randrange(len(block))] = chance.randrange(256)
    found = unpacked(bytes(block[: chance.randrange(len(block) + 1)]), chance.choice([0, len(text), len(text) // 2]))
    assert found is None or len(found) <= len(text)
