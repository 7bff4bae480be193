"""HyperLogLogs: hashes and registers against the naive twin, errors of estimates, and sketches that nobody made."""

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import hyperloglog
from synap.store.calls import sketches
from tests.naive.parser import Refused
from tests.naive.store import hyperloglog as naive
from tests.support import Bench

REGISTERS = hyperloglog.REGISTERS
STANDARD_ERROR = 0.0081


@kernel("int64(uint8[::1], int64, int64)")
def hash_text(octets, start, size):
    return hyperloglog.hash_text(octets, start, size)


@kernel("int64(int64)")
def hash_word(word):
    return hyperloglog.hash_word(word)


@kernel("void(uint8[::1], int64, int64)")
def dense_expand(octets, target, source):
    hyperloglog.dense_expand(octets, target, source)


@kernel("int64(uint8[::1], int64, int64, int64)")
def dense_raise(octets, start, index, rank):
    return np.int64(hyperloglog.dense_raise(octets, start, index, rank))


@pytest.fixture(scope="module", autouse=True)
def compiled(store: type[Bench]) -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def counted(work: np.ndarray) -> int:
    return int(sketches.estimate(work, np.zeros(hyperloglog.COUNTS, np.int64)))


def listed(registers: dict[int, int]) -> list[int]:
    return [registers.get(index, 0) for index in range(REGISTERS)]


def test_hashes() -> None:
    chance = Random(1)
    for _ in range(2000):
        text = chance.randbytes(chance.randrange(40))
        octets = np.frombuffer(b"xyz" + text + b"!", np.uint8).copy()
        assert hash_text(octets, 3, len(text)) % naive.WORD == naive.hash_of(text)
        word = chance.getrandbits(64) - 2**63
        assert hash_word(word) % naive.WORD == naive.hash_of((word % naive.WORD).to_bytes(8, "little"))


def test_words_and_texts_are_the_same_elements() -> None:
    values = np.random.default_rng(1).integers(-(1 << 63), 1 << 63, 3000)
    work = np.zeros(sketches.SIZE, np.uint8)
    sketches.add_words(work, values)
    wanted = np.zeros(REGISTERS, np.uint8)
    for text in values.view("V8").tolist():
        index, rank = naive.place_of(bytes(text))
        wanted[index] = max(wanted[index], rank)
    assert (work[:REGISTERS] == wanted).all()


def test_dense_registers() -> None:
    chance = np.random.default_rng(2)
    for _ in range(20):
        registers = chance.integers(0, 64, REGISTERS).astype(np.uint8)
        work = np.zeros(sketches.SIZE, np.uint8)
        work[:REGISTERS] = registers
        sketches.write(work)
        text = work[REGISTERS:].tobytes()
        assert listed(naive.Sketch(text).registers) == registers.tolist()
        work[:REGISTERS] = other = chance.integers(0, 64, REGISTERS).astype(np.uint8)
        assert sketches.read(work, len(text)) == 0
        assert (work[:REGISTERS] == np.maximum(registers, other)).all()
        both = np.concatenate([np.zeros(REGISTERS, np.uint8), work[REGISTERS + 16 : sketches.SIZE]])
        dense_expand(both, 0, REGISTERS)
        assert (both[:REGISTERS] == registers).all()
        for index in [0, 1, 2, 3, REGISTERS - 1, *chance.integers(0, REGISTERS, 50).tolist()]:
            rank = int(chance.integers(0, 64))
            assert dense_raise(both, REGISTERS, index, rank) == (registers[index] < rank)
            registers[index] = max(registers[index], rank)
        dense_expand(both, 0, REGISTERS)
        assert (both[:REGISTERS] == registers).all()


def test_merge() -> None:
    chance = np.random.default_rng(3)
    work = chance.integers(0, 64, 6 * REGISTERS).astype(np.uint8)
    wanted = work.reshape(6, REGISTERS).max(axis=0)
    sketches.merge(work, 5)
    assert (work[:REGISTERS] == wanted).all()


def test_estimates_are_those_of_the_twin() -> None:
    chance = np.random.default_rng(4)
    for size in (0, 1, 7, 300, 20_000, 300_000):
        work = np.zeros(REGISTERS, np.uint8)
        sketches.add_words(work, chance.integers(-(1 << 63), 1 << 63, size))
        assert counted(work) == naive.estimate(dict(enumerate(work.tolist())))
    for rank in (51, 63):  # no elements leave such registers
        full = np.full(REGISTERS, rank, np.uint8)
        assert counted(full) == naive.estimate(dict(enumerate(full.tolist())))


@pytest.mark.parametrize("size", [1, 10, 100, 1000, 10_000, 40_000, 100_000, 400_000])
def test_the_standard_error(size: int) -> None:
    chance = np.random.default_rng(size)
    errors = []
    for _ in range(100):
        work = np.zeros(REGISTERS, np.uint8)
        sketches.add_words(work, chance.integers(-(1 << 63), 1 << 63, size))
        errors.append(counted(work) / size - 1)
    assert np.sqrt(np.mean(np.square(errors))) <= STANDARD_ERROR * 1.15  # of 100 draws: two sigma


@pytest.mark.parametrize("size", [10**6, 10**7, 10**8, 10**12])
def test_the_standard_error_of_many(size: int) -> None:
    """Registers drawn as so many elements would leave them: each the highest rank of its share."""
    chance = np.random.default_rng(size)
    errors = []
    for _ in range(100):
        share = chance.poisson(size / REGISTERS, REGISTERS)
        ranks = np.ceil(-np.log2(-np.expm1(np.log(chance.random(REGISTERS)) / np.maximum(share, 1))))
        work = np.where(share, np.clip(ranks, 1, 51), 0).astype(np.uint8)
        errors.append(counted(work) / size - 1)
    assert np.sqrt(np.mean(np.square(errors))) <= STANDARD_ERROR * 1.15
    assert abs(np.mean(errors)) <= STANDARD_ERROR * 3 / np.sqrt(100)


@pytest.mark.campaign
@pytest.mark.parametrize("size", [10**7, 10**8])
def test_the_error_of_many_elements(size: int) -> None:
    work = np.zeros(REGISTERS, np.uint8)
    for part in range(size // 10**6):
        sketches.add_words(work, np.arange(part * 10**6, (part + 1) * 10**6))
    assert abs(counted(work) / size - 1) <= 3 * STANDARD_ERROR


def test_sketches_that_nobody_made() -> None:
    """What the twin refuses is refused, and nothing else; with bounds checks, nothing outside is read."""
    chance = Random(5)
    seen = set()
    for _ in range(600):
        sketch = naive.Sketch(naive.EMPTY)
        for _ in range(chance.randrange(30)):
            sketch.raise_one(*naive.place_of(chance.randbytes(5)))
        text = bytearray(sketch.text())
        for _ in range(chance.randrange(3)):
            at = chance.choice((4, 16, len(text) - 1, chance.randrange(len(text))))
            text[at] = chance.choice((0, 1, 64, 127, 128, 255, chance.randrange(256)))
        if chance.random() < 0.3:
            text = text[: chance.randrange(len(text) + 1)]
        work = np.zeros(REGISTERS + len(text), np.uint8)
        work[REGISTERS:] = np.frombuffer(bytes(text), np.uint8)
        told = sketches.read(work, len(text)) != 0
        try:
            wanted = listed(naive.Sketch(bytes(text)).all())
        except Refused:
            wanted = None
        assert told == (wanted is None), bytes(text)
        assert wanted is None or wanted == work[:REGISTERS].tolist()
        seen.add(told)
    assert seen == {0, 1}
