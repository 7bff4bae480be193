"""Strings by the piece, and many of them in one call."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, Record, State

BYTES_MAX = 512 << 20


def _value(state: State, key: bytes, now: int) -> bytes:
    record = state.seen(key, now, bytes)
    return record.value if record else b""


def _put(state: State, key: bytes, now: int, value: bytes) -> None:
    """A new value under a key that keeps its deadline."""
    record = state.seen(key, now)
    state.records[state.namespace, key] = Record(value, record.deadline if record else 0)


def length(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(_value(state, args["key"], now)), False


def piece(state: State, args: dict[str, Any], now: int) -> Answer:
    value, start, end = _value(state, args["key"], now), args["start"], args["end"]
    if start < 0 and end < 0 and start > end:
        return b"", False
    start, end = (max(at + len(value), 0) if at < 0 else at for at in (start, end))
    return value[start : end + 1], False


def append(state: State, args: dict[str, Any], now: int) -> Answer:
    value = _value(state, args["key"], now) + args["value"]
    _put(state, args["key"], now, value)
    return len(value), True


def overwrite(state: State, args: dict[str, Any], now: int) -> Answer:
    offset, text = args["offset"], args["value"]
    if offset < 0:
        raise Refused("BAD_OFFSET")
    value = _value(state, args["key"], now)
    if not text:
        return len(value), False
    if offset + len(text) > BYTES_MAX:
        raise Refused("STRING_TOO_LONG")
    value = value.ljust(offset, b"\0")
    value = value[:offset] + text + value[offset + len(text) :]
    _put(state, args["key"], now, value)
    return len(value), True


def add_real(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    numbers = []
    for text in (record.value if record else b"0", args["amount"]):
        shown = text.decode("latin-1")  # whose strip() takes what Decimal would overlook, as \x1e
        if not text or shown.strip() != shown or b"_" in text:
            raise Refused("NOT_A_REAL")
        try:
            numbers.append(Decimal(text.decode("ascii")))
        except (InvalidOperation, UnicodeDecodeError):
            raise Refused("NOT_A_REAL") from None
        if numbers[-1].is_nan():
            raise Refused("NOT_A_REAL")
    if any(number.is_infinite() or (number and number.adjusted() >= 307) for number in numbers):
        raise Refused("NOT_FINITE")
    with localcontext() as context:
        context.prec = 2000
        total = sum(numbers).quantize(Decimal("1e-17"), ROUND_HALF_EVEN)
    text = f"{total:f}".rstrip("0").rstrip(".")
    text = "0" if text in ("-0", "") else text
    _put(state, args["key"], now, text.encode())
    return text.encode(), True


def get_many(state: State, args: dict[str, Any], now: int) -> Answer:
    found = []
    for key in args["keys"]:
        record = state.seen(key, now)
        found.append(record.value if record and record.kind is bytes else None)
    return found, False


def set_many(state: State, args: dict[str, Any], now: int) -> Answer:
    for pair in args["pairs"]:
        state.records[state.namespace, pair["key"]] = Record(pair["value"])
    return OK, True


def set_many_if_missing(state: State, args: dict[str, Any], now: int) -> Answer:
    if any(state.seen(pair["key"], now) for pair in args["pairs"]):
        return 0, False
    set_many(state, args, now)
    return 1, True
