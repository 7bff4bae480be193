"""CRC-64 with the polynomial of Jones, as Redis computes it: reflected, from 0, without a final XOR.

A long text is cut into LANES parts, whose checksums numpy computes side by side, eight bytes at a time; then they are
joined: the checksum of `a + b` is that of `a`, moved on by the length of `b`, XOR that of `b`. To move a checksum on is
linear, so it is a table lookup for each of its eight bytes.
"""

from functools import cache

import numpy as np

POLYNOMIAL = 0x95AC9329AC4BC9B5  # 0xAD93D23594C935A9 with its bits reversed
LANES = 2048
VECTOR_MIN = 1 << 16  # shorter texts are not worth the lanes

Tables = list[list[int]]
"""The image of each value of each of the eight bytes of a checksum, under a linear map."""


def _byte_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _byte_table()


def crc64(data: bytes, before: int = 0) -> int:
    """Return the checksum of `data`, continued from the checksum of what stands before it."""
    if len(data) < VECTOR_MIN:
        return _bytewise(data, before)
    part = len(data) // LANES & ~7
    rows = np.frombuffer(data, np.uint64, LANES * part // 8).reshape(LANES, part // 8)
    sums = np.zeros(LANES, np.uint64)
    sums[0] = before
    tables, shifts = _slices()
    for column in range(part // 8):
        sums ^= rows[:, column]
        found = tables[0][sums & 0xFF]
        for table, shift in zip(tables[1:], shifts, strict=True):
            found ^= table[sums >> shift & 0xFF]
        sums = found
    total, move = 0, _moved_by(part)
    for each in sums.tolist():
        total = _apply(move, total) ^ each
    return _bytewise(data[LANES * part :], total)


def _bytewise(data: bytes, crc: int) -> int:
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


@cache
def _slices() -> tuple[list["np.ndarray[tuple[int], np.dtype[np.uint64]]"], list[np.uint64]]:
    """Return for each byte of a word the table of its part in the checksum of the word, and the shifts of all but the
    first."""
    tables = [np.array(each, np.uint64) for each in _moved_by(8)]
    return tables, [np.uint64(8 * i) for i in range(1, 8)]


@cache
def _moved_by(size: int) -> Tables:
    """Return the tables that move a checksum on by `size` zero bytes."""
    if size == 1:
        return [_TABLE, *([[byte << 8 * i >> 8 for byte in range(256)] for i in range(1, 8)])]
    half = _moved_by(size // 2)
    moved = _composed(half, half)
    return _composed(moved, _moved_by(1)) if size & 1 else moved


def _composed(first: Tables, second: Tables) -> Tables:
    return [[_apply(second, value) for value in table] for table in first]


def _apply(tables: Tables, value: int) -> int:
    a, b, c, d, e, f, g, h = tables
    return (
        a[value & 0xFF] ^ b[value >> 8 & 0xFF] ^ c[value >> 16 & 0xFF] ^ d[value >> 24 & 0xFF]
        ^ e[value >> 32 & 0xFF] ^ f[value >> 40 & 0xFF] ^ g[value >> 48 & 0xFF] ^ h[value >> 56]
    )  # fmt: skip
