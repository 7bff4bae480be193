"""The operations of `kernels/spans.py` by Python's own integers and slices.

Each takes the same four numbers, whether it needs them or not, and answers an int64.
"""

WORD = 1 << 64


def signed(value: int) -> int:
    """The int64 with the low 64 bits of `value`."""
    value %= WORD
    return value - WORD if value >= WORD // 2 else value


class Spans:
    """Two arrays of bytes, and what can be done to them."""

    def __init__(self, octets: bytearray, other: bytearray) -> None:
        self.octets, self.other = octets, other

    def move(self, a: int, b: int, size: int, value: int) -> int:
        self.octets[a : a + size] = self.octets[b : b + size]
        return 0

    def copy_out(self, a: int, b: int, size: int, value: int) -> int:
        self.other[b : b + size] = self.octets[a : a + size]
        return 0

    def fill(self, a: int, b: int, size: int, value: int) -> int:
        self.octets[a : a + size] = bytes([value & 255]) * size
        return 0

    def load64(self, a: int, b: int, size: int, value: int) -> int:
        return int.from_bytes(self.octets[a : a + 8], "little", signed=True)

    def store64(self, a: int, b: int, size: int, value: int) -> int:
        self.octets[a : a + 8] = value.to_bytes(8, "little", signed=True)
        return 0

    def load32(self, a: int, b: int, size: int, value: int) -> int:
        return int.from_bytes(self.octets[a : a + 4], "little")

    def store32(self, a: int, b: int, size: int, value: int) -> int:
        self.octets[a : a + 4] = (value % (1 << 32)).to_bytes(4, "little")
        return 0

    def same(self, a: int, b: int, size: int, value: int) -> int:
        return int(self.octets[a : a + size] == self.octets[b : b + size])

    def order(self, a: int, b: int, size: int, value: int) -> int:
        """`value` is the size of the second span."""
        first, second = self.octets[a : a + size], self.octets[b : b + value]
        return (first > second) - (first < second)

    def fold(self, a: int, b: int, size: int, value: int) -> int:
        product = (a % WORD) * (b % WORD)
        return signed(product ^ product >> 64)

    def multiply_high(self, a: int, b: int, size: int, value: int) -> int:
        return signed((a % WORD) * (b % WORD) >> 64)

    def bits_of(self, a: int, b: int, size: int, value: int) -> int:
        return a

    def bare(self, a: int, b: int, size: int, value: int) -> int:
        return self.octets[a] + len(self.octets)
