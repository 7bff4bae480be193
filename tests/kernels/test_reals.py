"""Reals: bit for bit what `float` and `repr` give, in the layout of Redis; exact decimal sums."""

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synap.compiler.jit import kernel, load, registered
from synap.kernels import decimals, reals
from tests.naive import reals as naive

SCALED = st.builds(
    lambda digits, power: f"{digits}e{power}".encode(), st.integers(-(10**30), 10**30), st.integers(-36, 270)
)
FLOATS = st.floats(allow_nan=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9)
TEXTS = st.builds(
    lambda sign, digits, cut, exponent: f"{sign}{digits[:cut]}.{digits[cut:]}{exponent}".encode(),
    st.sampled_from(["", "-", "+"]),
    st.text(alphabet="0123456789", min_size=1, max_size=40),
    st.integers(0, 40),
    st.just("") | st.integers(-345, 345).map(lambda e: f"e{e}"),
)
EDGES = [
    b"", b"-", b"+", b".", b"-.", b"e1", b".e1", b"1e", b"1e+", b"1e-", b"1e1.", b"1.2.3", b" 1", b"1 ",
    b"1_0", b"0x10", b"nan", b"inf", b"+Inf", b"-INFINITY", b"infinit", b"infinityy", b"in", b"i\x0ef",
    b"1", b"+1", b"-1", b"01", b"1.", b".5", b"-.5e1", b"0", b"-0", b"0e999999999999999999", b"0.0e-400",
    b"1e308", b"1e309", b"-1e400", b"1e-400", b"4.9e-324", b"2.4703282292062327e-324",
    b"2.4703282292062328e-324", b"1.7976931348623157e308", b"1.7976931348623158e308",
    b"1.7976931348623159e308", b"2.2250738585072011e-308", b"2.2250738585072014e-308",
    b"9007199254740993", b"9007199254740992.999999999999999999999", b"9007199254740993.0000000000000000001",
    b"9223372036854775807", b"18446744073709551615", b"100000000000000000000000", b"1e23", b"8.5e22",
    b"0." + b"0" * 400 + b"1e401", b"1" + b"0" * 400 + b"e-400", b"1e99999999999999999999", b"1E5",
    b"1e-99999999999999999999", b"123456789012345678901234567890e-20", b"6.62607015e-34",
    b"0X1F", b"-0x10", b"+0x1", b"0x", b"0x.", b"0x.8", b"0x1.8", b"0x1.", b"0x1p4", b"0x1P-4", b"0x1p", b"0x1p+",
    b"0xg", b"0x1g", b"0x1.2.3", b"0x0", b"-0x0p9", b"0x123456789abcdef12345", b"0x1.00000000000008", b" 0x1", b"0x1 ",
    b"0x1.000000000000080000000001", b"0x1p1023", b"0x1.fffffffffffff7p1023", b"0x1.fffffffffffff8p1023", b"0x1p1024",
    b"0x1p-1022", b"0x1p-1074", b"0x1p-1075", b"0x3p-1075", b"0x1p99999999999", b"0x0p99999999999", b"0x1p-9999999999",
    b"0x1a7125e13b82ff81p-1091", b"0x1fffffffffffff8p-1076", b"0x3ffffffffffffffp-1077", b"0x1000000000000008p-1082",
]  # fmt: skip
LAYOUTS = [
    (3.0, b"3"), (-3.5, b"-3.5"), (0.1, b"0.1"), (-0.0, b"-0"), (1e21, b"1e+21"), (1e20, b"1e+20"),
    (1e18, b"1000000000000000000"), (2.0**62, b"4611686018427387904"), (5e18, b"5e+18"),
    (4611686018427388928.0, b"4611686018427389000"), (1.5e-7, b"1.5e-7"), (0.000015, b"0.000015"),
    (0.1234567, b"0.1234567"), (1234.5678901, b"1234.5678901"), (1700000000.12345, b"1700000000.12345"),
    (1700000000.1234567, b"1.7000000001234567e+9"), (5e-324, b"5e-324"), (1e23, b"1e+23"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"), (float("inf"), b"inf"), (float("-inf"), b"-inf"),
    (-2.2250738585072014e-308, b"-2.2250738585072014e-308"), (9007199254740993.0, b"9007199254740992"),
    (-1.2345678901234569e23, b"-123456789012345690000000"), (1.5e24, b"1.5e+24"),
]  # fmt: skip
SUMS = [
    (b"0.1", b"0.2", b"0.3"), (b"10.50", b"0.1", b"10.6"), (b"5.0e3", b"2.0e2", b"5200"), (b"3", b"-3", b"0"),
    (b"-0", b"-0", b"0"), (b"1000", b"-999.5", b"0.5"), (b"1", b"-1.25", b"-0.25"), (b"1e-18", b"0", b"0"),
    (b"5e-18", b"0", b"0"), (b"5.1e-18", b"0", b"0.00000000000000001"), (b"1234.1", b"0", b"1234.1"),
    (b"99999.99999999999999999", b"5.1e-18", b"100000"), (b".5", b"5.", b"5.5"),
    (b"0.000000000000000096", b"0.000000000000000099", b"0.0000000000000002"),
    (b"-1e-17", b"1", b"0.99999999999999999"),
    (b"-28.060418460737731405", b"-5.e-49", b"-28.06041846073773141"),
    (b"28.060418460737731405", b"-5.e-49", b"28.0604184607377314"), (b"1e-40", b"-1e-41", b"0"),
    (b"0.000000000000000005", b"1e-900", b"0.00000000000000001"), (b"1", b"-1e-60", b"1"),
    (b"5e-18", b"-" + b"0." + b"0" * 40 + b"1", b"0"), (b"-1e-40", b"3.5e-17", b"0.00000000000000003"),
    (b"1e20", b"1", b"100000000000000000001"), (b"-0.5", b"0.25", b"-0.25"), (b"+1", b"0", b"1"),
]  # fmt: skip


@kernel("Tuple((float64, boolean))(uint8[::1], int64, int64)")
def parse(octets, start, size):
    return reals.parse_real(octets, start, size)


@kernel("int64(uint8[::1], int64, float64)")
def print_(octets, target, value):
    return reals.print_real(octets, target, value)


@kernel("int64(uint8[::1], int64, int64, int64, int64, int64)")
def add(octets, target, a, a_size, b, b_size):
    return decimals.add_decimal(octets, target, a, a_size, b, b_size)


@kernel("boolean(uint8[::1], int64, int64, int64)")
def is_real(octets, work, at, size):
    return decimals.is_real(octets, work, at, size)


@kernel("UniTuple(int64, 2)(int64)")
def five(power):
    return reals.five(power)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    load(name for name in registered() if name.startswith(f"{__name__}:"))


def bits(value):
    return None if value is None else struct.pack("<d", value)


def parsed(text):
    value, ok = parse(np.frombuffer(b"7" + text + b"7", dtype=np.uint8).copy(), 1, len(text))
    return value if ok else None


def printed(value):
    octets = np.full(40, 0xEE, dtype=np.uint8)
    size = print_(octets, 5, value)
    assert size <= reals.REAL_SIZE_MAX
    assert set(octets[:5]) == set(octets[5 + reals.REAL_SIZE_MAX :]) == {0xEE}
    return octets[5 : 5 + size].tobytes()


def real(text):
    octets = np.full(400 + len(text), 0xEE, dtype=np.uint8)
    octets[400:] = np.frombuffer(text, dtype=np.uint8)
    return is_real(octets, 5, 400, len(text))


def added(a, b):
    octets = np.full(400 + len(a) + len(b), 0xEE, dtype=np.uint8)
    octets[380 : 380 + len(a) + len(b)] = np.frombuffer(a + b, dtype=np.uint8)
    size = add(octets, 5, 380, len(a), 380 + len(a), len(b))
    assert set(octets[:5]) == set(octets[5 + decimals.DECIMAL_SIZE_MAX : 380]) == {0xEE}
    if size <= 0:
        assert set(octets[:380]) == {0xEE}
        return size
    return octets[5 : 5 + size].tobytes()


def test_powers_are_exact():
    for power in range(-342, 325):
        scale = 5 ** abs(power)
        whole = scale << 128 if power >= 0 else (1 << 1200) // scale
        whole >>= whole.bit_length() - 128
        high, low = five(power)
        assert (high & 2**64 - 1) << 64 | low & 2**64 - 1 == whole


@pytest.mark.parametrize("text", EDGES)
def test_edges(text):
    assert bits(parsed(text)) == bits(naive.parse_real(text))


@pytest.mark.parametrize(("value", "text"), LAYOUTS)
def test_layouts(value, text):
    assert printed(value) == naive.print_real(value) == text


def test_not_a_number():
    assert printed(float("nan")) == printed(-float("nan")) == b"nan"


@given(FLOATS)
def test_every_float_is_printed_and_read(value):
    text = printed(value)
    assert text == naive.print_real(value)
    assert bits(parsed(text)) == bits(value)
    assert bits(parsed(repr(value).encode())) == bits(value)


@given(TEXTS)
def test_parse_as_float(text):
    assert bits(parsed(text)) == bits(naive.parse_real(text))


@given(st.text(alphabet="0123456789.eE+-infatyINF x_", max_size=12).map(str.encode) | st.binary(max_size=10))
def test_refuses_what_the_twin_refuses(text):
    assert bits(parsed(text)) == bits(naive.parse_real(text))


def midpoint(value, nudge, zeros=0):
    """The exact decimal between `value` and the next float; `nudge` is added to its last digit but one."""
    numerator, denominator = value.as_integer_ratio()
    above, below = math.nextafter(value, math.inf).as_integer_ratio()
    numerator, denominator = numerator * below + above * denominator, denominator * below * 2
    power = denominator.bit_length() - 1
    digits = numerator * 5**power * 10 ** (zeros + 1) + nudge
    return f"{digits}e-{power + zeros + 1}".encode()


@given(st.floats(0, 1.7e308), st.sampled_from([-1, 0, 1]))
@example(0.0, 0)
@example(0.0, 1)
@example(5e-324, 0)
@example(2.2250738585072009e-308, 0)
@example(1.6e308, -1)
def test_midpoints(value, nudge):
    text = midpoint(value, nudge)
    assert bits(parsed(text)) == bits(naive.parse_real(text))


@pytest.mark.parametrize("value", [2.2250738585072009e-308, 4503599627370497.5, 1.7976931348623155e308])
@pytest.mark.parametrize("nudge", [-1, 0, 1])
def test_digits_beyond_the_exact_ones_count(value, nudge):
    text = midpoint(value, nudge, 2000)
    assert bits(parsed(text)) == bits(naive.parse_real(text))


@pytest.mark.parametrize(("a", "b", "expected"), SUMS)
def test_sums(a, b, expected):
    assert added(a, b) == naive.add_decimal(a, b) == expected


@given(DECIMALS, DECIMALS)
def test_sums_are_exact(a, b):
    a, b = f"{a}".encode(), f"{b:E}".encode()
    assert added(a, b) == naive.add_decimal(a, b)


@given(SCALED, SCALED)
def test_sums_of_any_size(a, b):
    assert added(a, b) == naive.add_decimal(a, b)


@given(st.text(alphabet="0123456789.e+-", max_size=8).map(str.encode), DECIMALS)
def test_sums_refuse_what_is_no_decimal(a, b):
    b = f"{b}".encode()
    expected = naive.add_decimal(a, b) if naive.parse_real(a) is not None else 0
    got = added(a, b)
    if got == decimals.OUT_OF_RANGE:
        assert naive.parse_real(a) is None or abs(naive.parse_real(a)) >= 1e306
    elif naive.parse_real(a) is not None or got == decimals.NOT_DECIMAL:
        assert got == (expected or 0)


def test_sums_have_a_limit():
    assert added(b"1e307", b"0") == added(b"0", b"-1e999999999999") == decimals.OUT_OF_RANGE
    assert added(b"9.9e306", b"9.9e306") == b"198" + b"0" * 305
    assert len(added(b"-" + b"9" * 307 + b".99999999999999999", b"-" + b"9" * 307)) < decimals.DECIMAL_SIZE_MAX
    assert added(b"0e999999", b"1") == b"1"
    assert added(b"5e-18", b"1e-999999999999") == b"0.00000000000000001"  # beyond what the twin can add


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
def test_campaign(seed):
    """A million random floats, of all sizes and of everyday ones, and long texts near them."""
    chance = random.Random(seed)
    for n in range(1_000_000):
        if n & 3:
            value = struct.unpack("<d", chance.getrandbits(64).to_bytes(8, "little"))[0]
            if value != value:
                continue
        else:
            value = round(chance.uniform(-1e9, 1e9), chance.randrange(15)) * 10.0 ** chance.randrange(-9, 9)
        text = printed(value)
        assert text == naive.print_real(value), (seed, value)
        assert bits(parsed(text)) == bits(value), (seed, value)
        digits = str(chance.getrandbits(chance.randrange(1, 100)))
        text = f"{digits}e{chance.randrange(-345, 310)}".encode()
        assert bits(parsed(text)) == bits(naive.parse_real(text)), (seed, text)
        if n % 100 == 0 and 0 <= value < 1e308:
            text = midpoint(value, chance.choice([-1, 0, 1]))
            assert bits(parsed(text)) == bits(naive.parse_real(text)), (seed, text)
