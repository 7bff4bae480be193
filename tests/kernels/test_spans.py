"""Spans: every operation of `kernels/spans.py` against Python's own, at the very ends of its array."""

import struct
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.digests import CHECKED
from synap.compiler.jit import kernel, load, registered
from synap.kernels import spans
from tests.naive import spans as naive

SIZE = 96


@kernel("int64(uint8[::1], uint8[::1], int64, int64, int64, int64, int64)")
def act(octets, other, what, a, b, size, value):
    """One operation by its number in OPERATIONS."""
    if what == 0:
        spans.move(octets, a, b, size)
    elif what == 1:
        spans.copy_out(octets, a, other, b, size)
    elif what == 2:
        spans.fill(octets, a, value, size)
    elif what == 3:
        return spans.load64(octets, a)
    elif what == 4:
        spans.store64(octets, a, value)
    elif what == 5:
        return spans.load32(octets, a)
    elif what == 6:
        spans.store32(octets, a, value)
    elif what == 7:
        return np.int64(spans.same(octets, a, b, size))
    elif what == 8:
        return np.int64(spans.order(octets, a, size, b, value))
    elif what == 9:
        return spans.fold(a, b)
    elif what == 10:
        return spans.multiply_high(a, b)
    elif what == 11:
        return spans.bits_of(spans.real_of(a))
    elif what == 12:
        view = spans.bare(octets)
        return np.int64(view[a]) + view.size
    return np.int64(0)


@kernel("int64(int64[::1], int64)")
def ask_ahead(words, index):
    spans.prefetch(words, index)
    return words[0]


OPERATIONS = (
    "move", "copy_out", "fill", "load64", "store64", "load32", "store32", "same", "order", "fold", "multiply_high",
    "bits_of", "bare",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def word(chance: Random) -> int:
    """An int64, often one of the ends of the range."""
    return chance.choice((0, 1, -1, 2**63 - 1, -(2**63), chance.getrandbits(64) - 2**63, chance.randrange(300)))


def agree(chance: Random, name: str, count: int) -> None:
    """So many operations with random arguments, over bytes that often repeat; both arrays are compared each time."""
    octets, other = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    twin = naive.Spans(bytearray(SIZE), bytearray(SIZE))
    what = OPERATIONS.index(name)
    for i in range(count):
        if i % 50 == 0:
            text = (chance.randbytes(chance.choice((1, 3, 8, SIZE))) * SIZE)[:SIZE]
            octets[:] = other[:] = np.frombuffer(text, np.uint8)
            twin.octets[:] = twin.other[:] = text
        if name in ("fold", "multiply_high", "bits_of"):
            a, b, size, value = word(chance), word(chance), 0, 0
            if name == "bits_of":  # a signalling NaN may become a quiet one on its way
                (a,) = struct.unpack("<q", struct.pack("<d", chance.uniform(-1e9, 1e9)))
        else:
            size = {"load64": 8, "store64": 8, "load32": 4, "store32": 4, "bare": 1}.get(name, chance.randrange(SIZE))
            a, b = (chance.choice((0, SIZE - size, chance.randint(0, SIZE - size))) for _ in range(2))
            value = chance.randint(0, SIZE - b) if name == "order" else word(chance)
            if name in ("same", "order") and chance.random() < 0.7:  # two spans that begin alike
                size = min(size, SIZE - max(a, b), value if name == "order" else SIZE)
                for place in (octets, twin.octets):
                    place[b : b + size] = place[a : a + size]
        told = act(octets, other, what, a, b, size, value)
        wanted = getattr(twin, name)(a, b, size, value)
        assert told == wanted, (name, a, b, size, value)
        assert octets.tobytes() == bytes(twin.octets) and other.tobytes() == bytes(twin.other), (name, a, b, size)


@pytest.mark.parametrize("name", OPERATIONS)
def test_as_the_twin(name: str) -> None:
    agree(Random(name), name, 3000)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OPERATIONS)
def test_as_the_twin_a_million_times(name: str) -> None:
    agree(Random(f"long {name}"), name, 1_000_000)


def test_asking_ahead_never_faults() -> None:
    words = np.arange(9, 19)
    for index in (0, 9, 10, -1, 1 << 40, -(1 << 40)):
        assert ask_ahead(words, index) == 9


@pytest.mark.skipif(not CHECKED, reason="needs SYNAP_JIT_CHECKED=1")
@pytest.mark.parametrize("name", OPERATIONS[:9])
def test_outside_of_the_array_is_noticed(name: str) -> None:
    """One octet beyond either end, and a size that is negative."""
    octets, other, what = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8), OPERATIONS.index(name)
    width = {"load64": 8, "store64": 8, "load32": 4, "store32": 4}.get(name, 16)
    for a, b, size in ((SIZE - width + 1, 0, width), (-1, 0, width), (SIZE, 0, width), (0, SIZE - width + 1, width)):
        if b and name in ("fill", "load64", "store64", "load32", "store32"):
            continue
        with pytest.raises(IndexError):
            act(octets, other, what, a, b, size, size if name == "order" else 0)
    if width == 16:  # nothing at all may be anywhere
        for place in (0, SIZE):
            assert act(octets, other, what, place, place, 0, 0) in (0, 1)
    if name in ("move", "copy_out", "fill"):
        with pytest.raises(IndexError):
            act(octets, other, what, 0, 0, -1, 0)
