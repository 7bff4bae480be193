"""RDB's lengths and texts as bytes. Texts are written as they are: neither as integers nor compressed."""

from synap.compat.rdb.reader import LENGTH_14, LENGTH_32, LENGTH_64

_LENGTHS = [bytes((size,)) for size in range(LENGTH_14)]


def length(size: int) -> bytes:
    """Return a length, in its shortest form."""
    if size < LENGTH_14:
        return _LENGTHS[size]
    if size < 1 << 14:
        return (size | LENGTH_14 << 8).to_bytes(2, "big")
    if size < 1 << 32:
        return bytes((LENGTH_32,)) + size.to_bytes(4, "big")
    return bytes((LENGTH_64,)) + size.to_bytes(8, "big")


def sized(text: bytes) -> tuple[bytes, bytes]:
    """Return the parts of a text: its length and its bytes."""
    return length(len(text)), text
