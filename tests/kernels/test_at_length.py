"""Every kernel a million times against its twin: `pytest -m campaign tests/kernels`, best with SYNAP_JIT_CHECKED=1.

Each text stands at the end of an array of its own, so that with bounds checks a read behind it raises.
"""

import ast
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import lz4.block
import numpy as np
import pytest

from synap.compiler import jit
from synap.compiler.jit import kernel
from synap.kernels import heaps, varints
from synap.kernels import integers as kernels
from tests.kernels import test_checksums, test_globs, test_hashing, test_integers, test_lcs, test_lz4, test_reals
from tests.naive import globs, hashing, lcs, numbers, reals

KERNELS = Path(heaps.__file__).parent
COUNT = 1_000_000
INFINITE = (b"inf", b"INF", b"Infinity", b"infinit", b"in", b"nan", b"infinityy")
INTEGER_BYTES, REAL_BYTES = b"0123456789-+ :/", b"0123456789012345678901234567.eE+-infaty x"


@kernel("Tuple((int64, boolean))(uint8[::1], int64, int64)")
def parse_cursor(octets, start, size):
    return kernels.parse_cursor(octets, start, size)


def some_of(chance: Random, alphabet: bytes, most: int) -> bytes:
    return bytes(chance.choices(alphabet, k=chance.randrange(most + 1)))


def word(chance: Random) -> int:
    """An int64 of any size."""
    return (chance.getrandbits(64) - 2**63) >> chance.randrange(64)


def integers(chance: Random) -> None:
    value, other = word(chance), word(chance)
    text = numbers.print_integer(value)
    assert test_integers.printed(value) == text and test_integers.parsed(text) == value
    assert test_integers.overflows(value, other) == numbers.add_overflows(value, other), (value, other)
    spoilt = bytearray(text)
    spoilt[chance.randrange(len(text))] = chance.randrange(256)
    for wrong in (bytes(spoilt), some_of(chance, INTEGER_BYTES, 22)):
        assert test_integers.parsed(wrong) == numbers.parse_integer(wrong), wrong
        for text in (wrong, wrong + b"0" * chance.randrange(20)):
            assert test_integers.is_one(text) == (numbers.parse_integer(text) is not None), text


def cursors(chance: Random) -> None:
    edge = chance.choice((0, 2**63, 2**64, 10**18, 10**19, chance.getrandbits(70)))
    sign, zeros = chance.choice((b"", b"", b"-", b"+")), b"0" * chance.choice((0, 0, 9))
    text = b"%b%b%d" % (sign, zeros, edge + chance.randrange(9))
    if chance.random() < 0.3:
        text = some_of(chance, INTEGER_BYTES, 22)
    value, ok = parse_cursor(np.frombuffer(b"7" + text, np.uint8).copy(), 1, len(text))
    assert (value if ok else None) == numbers.parse_cursor(text), text


def matching(chance: Random) -> None:
    if chance.random() < 0.2:
        pattern, text = chance.randbytes(chance.randrange(8)), chance.randbytes(chance.randrange(12))
    else:
        pattern, text = some_of(chance, b"ab*?[]^-\\Bz", 12), some_of(chance, b"abBz]-^\\*", 14)
    nocase = chance.random() < 0.5
    assert test_globs.matches(pattern, text, nocase) == globs.matches(pattern, text, nocase), (pattern, text, nocase)


def sums_of_bytes(chance: Random) -> None:
    text, crc, before = chance.randbytes(chance.randrange(90)), chance.getrandbits(32), bytes(chance.randrange(9))
    assert test_checksums.checksum(text, crc, before) == zlib.crc32(text, crc), (text, crc)


def hashes(chance: Random) -> None:
    text, keys = chance.randbytes(chance.randrange(70)), (word(chance), word(chance))
    assert test_hashing.hashed(text, *keys, chance.randrange(9)) == hashing.keyed_hash(text, *keys), (text, keys)


def decimal(chance: Random) -> bytes:
    """A decimal text, mostly of a size that adds up to something."""
    digits = str(chance.getrandbits(chance.randrange(1, 90)))
    cut = chance.randrange(len(digits) + 1)
    text = f"{chance.choice(('', '', '-', '+'))}{digits[:cut]}.{digits[cut:]}"
    return (text + (f"e{chance.randrange(-60, 280)}" if chance.random() < 0.4 else "")).encode()


def near_a_tie(chance: Random) -> tuple[bytes, bytes]:
    """Two decimals whose sum lies between two texts of 17 decimals, but for digits far below, which may cancel."""
    tails = [f"{'0' * chance.randrange(30)}{chance.getrandbits(chance.randrange(1, 40))}" for _ in range(2)]
    if chance.random() < 0.3:
        tails[1] = tails[0] + chance.choice(("", "0", "1"))
    signs, cut = chance.choices(("", "-"), k=2), chance.choice((0, 9))
    a = f"{signs[0]}{chance.randrange(10**cut)}.{chance.randrange(10**17):017}5{'0' * chance.randrange(25)}{tails[0]}"
    return a.encode(), f"{signs[1]}0.{'0' * (len(a.partition('.')[2]) - len(tails[0]))}{tails[1]}".encode()


def sums_of_decimals(chance: Random) -> None:
    a, b = near_a_tie(chance) if chance.random() < 0.3 else (decimal(chance), decimal(chance))
    assert test_reals.added(a, b) == reals.add_decimal(a, b), (a, b)
    for text in (a, some_of(chance, REAL_BYTES, 9), chance.choice((b"", b"-", b"+")) + chance.choice(INFINITE)):
        infinite = re.fullmatch(rb"[+-]?(inf|infinity)", text, re.IGNORECASE) is not None
        decimal_text = re.fullmatch(reals._DECIMAL, text) is not None
        assert test_reals.real(text) == (infinite or decimal_text), text


def floats(chance: Random) -> None:
    (value,) = struct.unpack("<d", chance.randbytes(8))
    if value == value:
        text = test_reals.printed(value)
        assert text == reals.print_real(value), value
        assert test_reals.bits(test_reals.parsed(text)) == test_reals.bits(value), text
    text = decimal(chance) if chance.random() < 0.6 else some_of(chance, REAL_BYTES, 16)
    assert test_reals.bits(test_reals.parsed(text)) == test_reals.bits(reals.parse_real(text)), text


def small_text(chance: Random) -> bytes:
    """Runs, repeats and noise, a few hundred bytes of them."""
    parts = [chance.randbytes(chance.randrange(1, 12)) * chance.choice((1, 1, 2, 9, 30)) for _ in range(5)]
    return b"".join(chance.choices(parts, k=chance.randrange(7)))


def blocks(chance: Random) -> None:
    text = small_text(chance)
    block = test_lz4.packed(text)
    assert block is not None and lz4.block.decompress(block, uncompressed_size=len(text)) == text
    assert test_lz4.unpacked(block, len(text)) == text
    theirs = lz4.block.compress(text, store_size=False)
    assert test_lz4.unpacked(theirs, len(text)) == text
    spoilt = bytearray(theirs)
    for _ in range(chance.randrange(1, 4)):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    cut = bytes(spoilt[: chance.randrange(len(spoilt) + 1)])
    capacity = chance.choice((0, len(text), len(text) // 2))
    found = test_lz4.unpacked(cut, capacity)  # which looks at the bytes behind the capacity
    try:
        wanted = lz4.block.decompress(cut, uncompressed_size=capacity)
    except lz4.block.LZ4BlockError:
        return
    assert found is None or found == wanted, (cut, capacity)


def subsequences(chance: Random) -> None:
    first, second = some_of(chance, b"abc", 9), some_of(chance, b"abc", 9)
    octets = np.frombuffer(first + second, np.uint8).copy() if first + second else np.zeros(0, np.uint8)
    spans = (0, len(first), len(first), len(second))
    table = np.empty((len(first) + 1) * (len(second) + 1), np.uint32)
    size = test_lcs.fill(octets, *spans, table)
    assert size == lcs.length(first, second), (first, second)
    text, ranges = np.zeros(size, np.uint8), np.zeros(4 * size, np.int64)
    count = test_lcs.trace(octets, *spans, table, text, ranges, 0)
    matches = ranges[: 4 * count].reshape(-1, 4).tolist()
    found = text.tobytes()
    assert b"".join(first[a : b + 1] for a, b, _, _ in reversed(matches)) == found, (first, second)
    assert b"".join(second[c : d + 1] for _, _, c, d in reversed(matches)) == found, (first, second)


@kernel("void(int64[::1], int64, int64, int64, int64)")
def push(array, base, count, key, owner):
    heaps.push(array, base, count, key, owner, 0, 1)


@kernel("void(int64[::1], int64, int64, int64, int64)")
def change(array, base, count, i, key):
    heaps.change(array, base, count, i, key, 0, 1)


@kernel("void(int64[::1], int64, int64, int64)")
def remove(array, base, count, i):
    heaps.remove(array, base, count, i, 0, 1)


HEAP_OWNERS, HEAP_AT = 20, 50  # each owner has two words: its place + 1, and what decides between equal keys


def heaps_of_owners(chance: Random) -> None:
    array = np.zeros(HEAP_AT + 2 * HEAP_OWNERS, np.int64)
    owners = chance.sample(range(3, HEAP_AT - 1, 2), HEAP_OWNERS)
    for tie, owner in enumerate(owners):
        array[owner + 1] = tie
    keys: dict[int, int] = {}
    for _ in range(30):
        key, draw = chance.randrange(-5, 9), chance.random()
        free = [owner for owner in owners if owner not in keys]
        if free and (draw < 0.6 or not keys):
            owner = chance.choice(free)
            push(array, HEAP_AT, len(keys), key, owner)
            keys[owner] = key
        else:
            owner = chance.choice(list(keys)) if draw < 0.9 else int(array[HEAP_AT + 1])
            if draw < 0.7:
                change(array, HEAP_AT, len(keys), array[owner] - 1, key)
                keys[owner] = key
            else:
                remove(array, HEAP_AT, len(keys), array[owner] - 1)
                del keys[owner]
                assert array[owner] == 0
        for owner, known in keys.items():
            place = HEAP_AT + 2 * (int(array[owner]) - 1)
            assert (array[place], array[place + 1]) == (known, owner)
        if keys:
            assert array[HEAP_AT + 1] == min(keys, key=lambda owner: (keys[owner], owners.index(owner)))


@kernel("int64(uint8[::1], int64, int64)")
def put_varint(octets, at, value):
    return varints.put_varint(octets, at, value)


@kernel("void(uint8[::1], int64, int64[::1])")
def get_varint(octets, at, found):
    found[0], found[1] = varints.get_varint(octets, at)


@kernel("int64(int64)")
def varint_size(value):
    return varints.varint_size(value)


def varints_of_all_sizes(chance: Random) -> None:
    value, at = chance.getrandbits(chance.randrange(65)), chance.randrange(9)
    octets = np.zeros(32, np.uint8)
    signed = value - (1 << 64) if value >> 63 else value
    size = max(1, -(-value.bit_length() // 7))
    assert varint_size(signed) == size and put_varint(octets, at, signed) == at + size
    read = np.zeros(2, np.int64)
    get_varint(octets, at, read)
    assert read.tolist() == [signed, at + size]
    found = octets[at : at + size].tolist()
    assert sum((byte & 127) << 7 * i for i, byte in enumerate(found)) == value
    assert all(byte >> 7 for byte in found[:-1]) and found[-1] < 128 and not octets[at + size :].any()


STORIES: dict[Callable[[Random], None], tuple[str, ...]] = {
    integers: ("integers.parse_integer", "integers.print_integer", "integers.integer_size", "integers.add_overflows",
               "integers.eight_digits", "integers.is_integer"),
    cursors: ("integers.parse_cursor",),
    matching: ("globs.matches",),
    sums_of_bytes: ("checksums.crc32",),
    hashes: ("hashing.keyed_hash",),
    sums_of_decimals: ("decimals.add_decimal", "decimals.is_real"),
    floats: ("reals.parse_real", "reals.print_real", "reals.scan_decimal", "reals.shortest", "reals.five"),
    blocks: ("lz4.compress", "lz4.expand", "lz4.put_length", "lz4.put_literals", "lz4.length"),
    heaps_of_owners: ("heaps.push", "heaps.change", "heaps.remove", "heaps.settle", "heaps.before", "heaps.lay"),
    varints_of_all_sizes: ("varints.varint_size", "varints.put_varint", "varints.get_varint"),
    subsequences: ("lcs.fill", "lcs.trace", "lcs.put"),
}  # fmt: skip
ELSEWHERE = {name: f"test_{name}.py" for name in (
    "spans", "bits", "hyperloglog", "geohash", "fixed", "sorting", "order_statistics", "murmur2",
)} | dict.fromkeys(("c_reals", "hexadecimals"), "test_sorting.py")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    jit.load(name for name in jit.registered() if name.startswith("tests.kernels."))
    yield


def test_every_kernel_has_a_story() -> None:
    """Whatever is decorated as a kernel in kernels/, and is not private, is named above."""
    found = set()
    for path in KERNELS.glob("*.py"):
        if path.stem in ELSEWHERE:
            assert (Path(__file__).parent / ELSEWHERE[path.stem]).is_file()
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            decorators = " ".join(map(ast.dump, getattr(node, "decorator_list", [])))
            if isinstance(node, ast.FunctionDef) and re.search("kernel|outlined", decorators):
                found.add(f"{path.stem}.{node.name}")
    named = {name for names in STORIES.values() for name in names}
    assert {name for name in found if not name.partition(".")[2].startswith("_")} == named


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_some_times(story: Callable[[Random], None]) -> None:
    chance = Random(story.__name__)
    for _ in range(1000):
        story(chance)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_million_times(story: Callable[[Random], None]) -> None:
    chance = Random(f"long {story.__name__}")
    for _ in range(COUNT):
        story(chance)
