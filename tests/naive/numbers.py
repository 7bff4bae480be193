"""The naive twin of `synap.kernels.integers`."""

import re

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def parse_integer(text: bytes) -> int | None:
    """The integer that `text` spells in its one canonical form, or None."""
    if not re.fullmatch(rb"0|-?[1-9][0-9]*", text):
        return None
    value = int(text)
    return value if _LOWEST <= value <= _HIGHEST else None


def print_integer(value: int) -> bytes:
    """The canonical text of `value`."""
    return str(value).encode()


def add_overflows(a: int, b: int) -> bool:
    """Is the sum outside int64?"""
    return not _LOWEST <= a + b <= _HIGHEST


def parse_cursor(text):
    """The cursor that a text spells, as C's strtoul reads it, cut off at int64; None for none."""
    if not re.fullmatch(rb"[+-]?[0-9]+|", text):
        return None
    value = int(text or b"0")
    if abs(value) >= 2**64:
        return None
    return value if 0 <= value < 2**63 else 2**63 - 1
