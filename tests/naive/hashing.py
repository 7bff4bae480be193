"""The naive twin of `synap.kernels.hashing`: the same definition over Python's integers."""

from tests.naive.spans import signed

MASK = (1 << 64) - 1
MIX = 0x2545F4914F6CDD1D
SPREAD, MULTIPLIER = 0x2D358DCCAA6C78A5, 0x4B33A62ED433D4A3


def fold(a: int, b: int) -> int:
    """Both halves of the product, combined."""
    product = a * b
    return (product ^ product >> 64) & MASK


def mix(h: int, value: int) -> int:
    """The hash `h` with one more number mixed in, as store/records/state_hash.py does it."""
    return fold(((h ^ value) + MIX) & MASK, (MIX ^ value) & MASK)


def word(text: bytes) -> int:
    return int.from_bytes(text, "little")


def last(text: bytes) -> tuple[int, int]:
    """The two words that stand for up to 16 bytes: they overlap, or there are gaps of none."""
    size = len(text)
    if size >= 8:
        return word(text[:8]), word(text[-8:])
    if size >= 4:
        return word(text[:4]), word(text[-4:])
    if size:
        return text[0] << 16 | text[size // 2] << 8 | text[-1], 0
    return 0, 0


def keyed_hash(text: bytes, key_a: int, key_b: int) -> int:
    """All but the last 1 to 16 bytes in pairs of words, then the last 16 bytes there are, then size and key."""
    key_a, key_b = key_a & MASK, key_b & MASK
    h = key_a ^ SPREAD
    if len(text) > 16:
        for at in range(0, len(text) - 16, 16):
            h = fold(word(text[at : at + 8]) ^ key_b, word(text[at + 8 : at + 16]) ^ h)
        a, b = last(text[-16:])
    else:
        a, b = last(text)
    h = fold(a ^ key_b, b ^ h)
    return signed(fold(h ^ len(text) ^ key_a, MULTIPLIER))
