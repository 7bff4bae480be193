"""CRC-32: the kernel is zlib's function, from any place, of any size, in any pieces."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import checksums

TABLE = checksums.crc32_table()


@kernel("int64(uint32[::1], uint8[::1], int64, int64, int64)")
def crc32(table, octets, start, size, crc):
    return checksums.crc32(table, octets, start, size, crc)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    load(name for name in registered() if name.startswith(f"{__name__}:"))


def checksum(text, crc=0, before=b""):
    octets = np.frombuffer(before + text + b"\xff", dtype=np.uint8).copy()
    return crc32(TABLE, octets, len(before), len(text), crc)


def test_table():
    assert TABLE.shape == (16 * 256,) and TABLE.dtype == np.uint32
    assert TABLE[1] == 0x77073096 and TABLE[255] == 0x2D02EF8D


def test_published_check_value():
    assert checksum(b"123456789") == 0xCBF43926


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.binary(max_size=9))
def test_as_zlib(text, crc, before):
    assert checksum(text, crc, before) == zlib.crc32(text, crc)


@given(st.binary(max_size=100), st.integers(0, 100))
def test_in_pieces(text, cut):
    assert checksum(text[cut:], checksum(text[:cut])) == zlib.crc32(text)
