"""Integers: parse and print against Python's own, and nothing written outside the span."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import integers
from tests.naive import numbers as naive

INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000)
EDGES = [b"", b"-", b"+1", b"0", b"-0", b"00", b"-01", b" 1", b"1 ", b"1a", b"12345678", b"123456789",
         b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809",
         b"9999999999999999999", b"-9999999999999999999", b"18446744073709551616", b"10000000000000000000",
         b"1234567:", b"12345678:", b"1/345678", b"12345\xff78", b"1\xb2345678\xb9"]  # fmt: skip


@kernel("Tuple((int64, boolean))(uint8[::1], int64, int64)")
def parse(octets, start, size):
    return integers.parse_integer(octets, start, size)


@kernel("boolean(uint8[::1], int64, int64)")
def spells(octets, start, size):
    return integers.is_integer(octets, start, size)


@kernel("int64(uint8[::1], int64, int64)")
def print_(octets, target, value):
    return integers.print_integer(octets, target, value)


@kernel("int64(int64)")
def size_of(value):
    return integers.integer_size(value)


@kernel("boolean(int64, int64)")
def overflows(a, b):
    return integers.add_overflows(a, b)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    load(name for name in registered() if name.startswith(f"{__name__}:"))


def parsed(text):
    value, ok = parse(np.frombuffer(b"7" + text + b"7", dtype=np.uint8).copy(), 1, len(text))
    return value if ok else None


def is_one(text):
    return spells(np.frombuffer(b"7" + text + b"7", dtype=np.uint8).copy(), 1, len(text))


def printed(value):
    octets = np.full(32, 0xEE, dtype=np.uint8)
    size = print_(octets, 5, value)
    assert size == size_of(value)
    assert set(octets[:5]) == set(octets[5 + size :]) == {0xEE}
    return octets[5 : 5 + size].tobytes()


@pytest.mark.parametrize("text", EDGES)
def test_edges(text):
    assert parsed(text) == naive.parse_integer(text)


@given(INT64)
def test_every_integer_is_read_and_printed(value):
    text = naive.print_integer(value)
    assert printed(value) == text
    assert parsed(text) == value


@pytest.mark.parametrize("power", range(19))
def test_around_powers_of_ten(power):
    for value in (10**power - 1, 10**power, 10**power + 1):
        for signed in (value, -value):
            assert printed(signed) == naive.print_integer(signed)
            assert parsed(naive.print_integer(signed)) == signed


@given(st.text(alphabet="0123456789-+ .:/", max_size=22).map(str.encode) | st.binary(max_size=22))
def test_refuses_what_the_twin_refuses(text):
    assert parsed(text) == naive.parse_integer(text)


@given(INT64, st.integers(0, 19), st.integers(0, 255))
def test_one_wrong_byte(value, place, byte):
    text = bytearray(naive.print_integer(value))
    text[place % len(text)] = byte
    assert parsed(bytes(text)) == naive.parse_integer(bytes(text))


@given(INT64, INT64)
@example(2**63 - 1, 1)
@example(-(2**63), -1)
@example(-(2**63), -(2**63))
def test_add_overflows(a, b):
    assert overflows(a, b) == naive.add_overflows(a, b)
