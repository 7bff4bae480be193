"""Sorting of keys and texts against Python's own; reals as C's `strtod` reads them against the C library."""

import ctypes
import ctypes.util
import math
import struct
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import c_reals, sorting
from tests.cases import check_all
from tests.support import Bench

MANY = (0, 1, 2, 3, 9, 24, 25, 26, 100, 1000, 3000)
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1


@kernel("void(int64[::1], int64, int64)")
def sort_first(words, count, wanted):
    sorting.sort_first(words, 0, count, count, wanted, 2 * count)


@kernel("int64(int64[::1], int64, int64)")
def select_key(words, count, rank):
    return sorting.select_key(words, 0, count, rank, count)


@kernel("void(int64[::1], uint8[::1], int64, int64, int64, int64)")
def sort_texts(words, octets, count, flip, start, stop):
    sorting.sort_texts(words, octets, 0, 2 * count, count, flip, start, stop, 3 * count)


@kernel("float64(uint8[::1], int64, int64)")
def parse_c_real(octets, start, size):
    value, ok = c_reals.parse_c_real(octets, start, size)
    return value if ok else np.nan


@kernel("int64(float64)")
def key_of_real(value):
    return sorting.key_of_real(value)


@kernel("float64(int64)")
def real_of_key(key):
    return sorting.real_of_key(key)


@pytest.fixture(scope="module", autouse=True)
def compiled(store: type[Bench]) -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def some_keys(chance: Random, count: int) -> list[int]:
    """Keys of one shape: spread, few, with one byte that differs, in order, or backwards."""
    match chance.randrange(6):
        case 0:
            return [chance.choice((LOWEST, HIGHEST, 0, -1, chance.getrandbits(64) - 2**63)) for _ in range(count)]
        case 1:
            return [chance.randrange(5) for _ in range(count)]
        case 2:
            shift = chance.randrange(56)
            return [chance.randrange(256) << shift for _ in range(count)]
        case 3:
            return sorted(chance.randrange(-1000, 1000) for _ in range(count))
        case 4:
            return sorted((chance.randrange(-1000, 1000) for _ in range(count)), reverse=True)
    return [key_of_real(chance.gauss(0, 10) ** chance.choice((1, 3, 50))) for _ in range(count)]


def test_keys() -> None:
    chance = Random(2)
    for count in MANY * 6:
        keys = some_keys(chance, count)
        expected = sorted(range(count), key=keys.__getitem__)
        for wanted in {count, min(count, 1), count // 5, count // 2}:
            words = np.array([*keys, *range(count), *[7] * (2 * count + 2048)], np.int64)
            sort_first(words, count, wanted)
            assert words[:wanted].tolist() == [keys[i] for i in expected[:wanted]]
            assert words[count : count + wanted].tolist() == expected[:wanted]
            assert sorted(words[count : 2 * count].tolist()) == list(range(count))
            assert all(keys[i] == key for i, key in zip(words[count : 2 * count], words[:count], strict=True))


def test_selected_keys() -> None:
    chance = Random(3)
    for count in MANY[1:] * 4:
        keys = some_keys(chance, count)
        words = np.array([*keys, *[7] * (2 * count + 2048)], np.int64)
        for rank in (0, count - 1, chance.randrange(count)):
            assert select_key(words, count, rank) == sorted(keys)[rank]
        assert words[:count].tolist() == keys


def some_texts(chance: Random, count: int) -> list[bytes]:
    """Texts of one shape: with a long beginning in common, of few letters, with many NULs, equal, or any."""
    before = chance.choice((b"", b"user:", b"x" * 8, b"x" * 15, b"\xff" * 40))
    match chance.randrange(4):
        case 0:
            return [before + b"%d" % chance.randrange(10 ** chance.choice((1, 3, 9))) for _ in range(count)]
        case 1:
            return [before + bytes(chance.choices(b"\0\0\0a", k=chance.randrange(20))) for _ in range(count)]
        case 2:
            return [before[: chance.randrange(len(before) + 1)] for _ in range(count)]
    return [before + chance.randbytes(chance.randrange(30)) for _ in range(count)]


def test_texts() -> None:
    chance = Random(4)
    for count in MANY * 6:
        found: list[bytes | None] = list(some_texts(chance, count))
        if chance.random() < 0.3:
            found = [None if chance.random() < 0.2 else text for text in found]
        octets = np.frombuffer(b"".join(text or b"" for text in found) or b"-", np.uint8).copy()
        words = np.full(3 * count + 3 * count + 2048 + 3 * (count // 2 + 1), 9, np.int64)
        at = 0
        for i, text in enumerate(found):
            words[2 * i : 2 * i + 2] = (at, len(text) << 8 | 33 if text is not None else -1)
            at += len(text or b"")
        for flip in (0, -1):
            order = sorted(range(count), key=lambda i: (found[i] is not None, found[i] or b""), reverse=bool(flip))
            if flip:  # Python keeps the order of equals when it reverses, as we do
                assert order == sorted(order, key=lambda i: (found[i] is not None, found[i] or b""), reverse=True)
            start = chance.choice((0, 0, count // 3))
            stop = chance.choice((count, count, count // 2, min(count, 2)))
            words[2 * count : 3 * count] = range(count)
            sort_texts(words, octets, count, flip, start, stop)
            assert words[2 * count + start : 2 * count + stop].tolist() == order[start:stop]
            assert sorted(words[2 * count : 3 * count].tolist()) == list(range(count))


def test_keys_of_reals() -> None:
    reals = [-math.inf, -1e300, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1.5, 1e300, math.inf]
    keys = [key_of_real(value) for value in reals]
    assert keys == sorted(set(keys)) and [real_of_key(key) for key in keys] == reals
    assert key_of_real(-0.0) == key_of_real(0.0)
    assert key_of_real(math.nan) == key_of_real(-math.nan) == HIGHEST > keys[-1]


libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
libc.strtod.argtypes, libc.strtod.restype = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)], ctypes.c_double


def by_c(text: bytes) -> float | None:
    """What Redis' SORT makes of a text: the number that strtod finds if nothing is left behind it, and no error."""
    held = ctypes.create_string_buffer(text)
    end = ctypes.c_void_p()
    ctypes.set_errno(0)
    value = libc.strtod(ctypes.cast(held, ctypes.c_char_p), ctypes.byref(end))
    rest = ctypes.string_at(end.value or 0)
    return None if rest or ctypes.get_errno() or math.isnan(value) else value


TEXTS = (
    b"", b"0", b"-0", b"+0", b"1", b"-1", b"+1", b"12345678901234", b"123456789012345", b"1234567890123456",
    b"9223372036854775807", b"9007199254740993", b"1.5", b".5", b"5.", b".", b"-", b"+", b" 1", b"\t\n\v\f\r 1", b"1 ",
    b"  ", b"- 1", b"1e5", b"1E5", b"1e", b"1e+", b"1e400", b"-1e400", b"1e-400", b"1e-310", b"2.2250738585072014e-308",
    b"inf", b"-inf", b"INFINITY", b"infinit", b"nan", b"-nan", b"nan(1)", b"0x10", b"0X1F", b"-0x10", b"+0x1", b"0x",
    b"0x.", b"0x.8", b"0x1.8", b"0x1p4", b"0x1p-4", b"0x1p", b"0x1p+", b"0x1P+3", b"0x1pz", b"0xg", b"0x1g", b"0x1.2.3",
    b"0x123456789abcdef12345", b"0x1.00000000000008", b"0x1.000000000000080000000001", b"0x1p1023", b"0x1p1024",
    b"0x1p-1022", b"0x1p-1074", b"0x1p-1075", b"0x3p-1075", b"0x1p99999999999", b"0x0p99999999999", b"0x1p-99999999999",
    b"1\x00x", b"\x00", b"\x00x", b"12\x00", b"x", b"1x", b"abc", b"1,5", b"0b1", b"1_0", b"--1", b"+-1", b"1" * 400,
    b"0" * 50 + b"7", b"\xff", b"1e-5 ", b" 0x10", b" -0x1p1",
)  # fmt: skip


def test_reals_of_c() -> None:
    check_all(is_as_in_c, TEXTS)


def is_as_in_c(text: bytes) -> None:
    found = parse_c_real(np.frombuffer(b"9" + text + b"9", np.uint8).copy(), 1, len(text))
    expected = by_c(text)
    assert math.isnan(found) if expected is None else pack(found) == pack(expected), (found, expected)


def test_random_reals_of_c() -> None:
    chance = Random(5)
    wrong = []
    for _ in range(20_000):
        text = bytes(chance.choices(b"0123456789.-+exXpinfa \0", k=chance.randrange(9)))
        if chance.random() < 0.3:
            number = chance.getrandbits(chance.choice((3, 20, 60, 90)))
            text = chance.choice((b"", b"-", b" ")) + chance.choice((b"%d", b"0x%x", b"%d.5", b"%de3")) % number
        found = parse_c_real(np.frombuffer(b"9" + text + b"9", np.uint8).copy(), 1, len(text))
        expected = by_c(text)
        if not (math.isnan(found) if expected is None else pack(found) == pack(expected)):
            wrong.append((text, found, expected))
    assert not wrong


def pack(value: float) -> bytes:
    return struct.pack("<d", value)
