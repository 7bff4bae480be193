"""The naive twin of `synap.kernels.reals`: Python's own float and decimal."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

_DECIMAL = rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_HEXADECIMAL = rb"[+-]?0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(p[+-]?[0-9]+)?"
_INFINITE = rb"[+-]?inf(inity)?"


def parse_real(text: bytes) -> float | None:
    """The float that `text` spells, or None."""
    if re.fullmatch(_INFINITE, text, re.IGNORECASE):
        return float(text)
    if re.fullmatch(_HEXADECIMAL, text, re.IGNORECASE):
        return _hexadecimal(text.decode())
    if not re.fullmatch(_DECIMAL, text):
        return None
    value = float(text)
    digits = re.split(rb"[eE]", text)[0]
    vanished = value == 0 and re.search(rb"[1-9]", digits) is not None
    return None if vanished or value in (float("inf"), float("-inf")) else value


def _hexadecimal(text: str) -> float | None:
    digits, _, power = text.lower().partition("p")
    if not re.search("[1-9a-f]", digits.partition("x")[2]):
        return -0.0 if text[0] == "-" else 0.0
    if abs(int(power or 0)) > 10_000:
        return None
    try:
        return float.fromhex(text) or None
    except OverflowError:
        return None


def print_real(value: float) -> bytes:
    """What Redis 7.2 prints: whole numbers as integers, other ones as its fpconv lays digits out."""
    if value != value or value in (float("inf"), float("-inf")):
        return repr(value).encode()
    if value == 0:
        return repr(value)[:-2].encode()
    if abs(value) <= 2**62 and value == int(value):
        return str(int(value)).encode()
    sign, parts, k = Decimal(repr(value)).as_tuple()
    assert isinstance(k, int)
    digits = "".join(str(part) for part in parts)
    stripped = digits.rstrip("0")
    k += len(digits) - len(stripped)
    digits = stripped
    d = len(digits)
    e = k + d - 1
    if k >= 0 and e < d + 7:
        text = digits + "0" * k
    elif k < 0 and (k > -7 or abs(e) < 4):
        padded = digits.rjust(1 - k, "0")
        text = padded[:k] + "." + padded[k:]
    else:
        text = digits[0] + ("." + digits[1:] if d > 1 else "") + f"e{'-' if e < 0 else '+'}{abs(e)}"
    return ("-" * sign + text).encode()


def add_decimal(a: bytes, b: bytes) -> bytes | None:
    """The exact sum rounded to 17 decimals, without an exponent; None if a text is no decimal number."""
    if not (re.fullmatch(_DECIMAL, a) and re.fullmatch(_DECIMAL, b)):
        return None
    context = Context(prec=2000, rounding=ROUND_HALF_EVEN)
    total = context.add(Decimal(a.decode()), Decimal(b.decode()))
    text = f"{context.quantize(total, Decimal('1e-17')):f}".rstrip("0").rstrip(".")
    return b"0" if text in ("-0", "") else text.encode()
