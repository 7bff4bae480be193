"""Strings by the bit: Python's integers of any size, and texts of 0 and 1."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.substrings import BYTES_MAX, _put, _value


def bits_of(value: bytes) -> str:
    """The bits as a text of 0 and 1."""
    return f"{int.from_bytes(value):0{8 * len(value)}b}" if value else ""


def checked(offset: int) -> int:
    if not 0 <= offset < 8 * BYTES_MAX:
        raise Refused("BAD_BIT_OFFSET")
    return offset


def set_bit(state: State, args: dict[str, Any], now: int) -> Answer:
    offset, bit = checked(args["offset"]), args["value"]
    if bit not in (0, 1):
        raise Refused("BAD_BIT")
    there = state.seen(args["key"], now, bytes)
    before = there.value if there else b""
    octets = bytearray(before.ljust(offset // 8 + 1, b"\0"))
    old = octets[offset // 8] >> (7 - offset % 8) & 1
    octets[offset // 8] += (bit - old) << (7 - offset % 8)
    if bytes(octets) == before:
        return old, False
    _put(state, args["key"], now, bytes(octets))
    return old, True


def get_bit(state: State, args: dict[str, Any], now: int) -> Answer:
    offset = checked(args["offset"])
    return int(bits_of(_value(state, args["key"], now))[offset : offset + 1] or 0), False


def part(value: bytes, start: int, end: int, unit: str) -> slice:
    """The bits between two positions in bytes or bits."""
    scale = 1 if unit == "BIT" else 8
    total = 8 * len(value) // scale
    start, end = (max(at + total, 0) if at < 0 else at for at in (start, end))
    return slice(start * scale, (min(end, total - 1) + 1) * scale)


def count(state: State, args: dict[str, Any], now: int) -> Answer:
    value = _value(state, args["key"], now)
    if "start" not in args:
        return bits_of(value).count("1"), False
    start, end = args["start"], args["end"]
    if start < 0 and end < 0 and start > end:
        return 0, False
    return bits_of(value)[part(value, start, end, args.get("unit", "BYTE"))].count("1"), False


def position(state: State, args: dict[str, Any], now: int) -> Answer:
    bit = args["value"]
    if bit not in (0, 1):
        raise Refused("NOT_A_BIT")
    record = state.seen(args["key"], now, bytes)
    if record is None:
        return -bit, False
    place = part(record.value, args.get("start", 0), args.get("end", -1), args.get("unit", "BYTE"))
    looked = bits_of(record.value)[place]
    found = looked.find(str(bit))
    if found >= 0:
        return place.start + found, False
    return place.stop if looked and not bit and "end" not in args else -1, False


def combine(state: State, args: dict[str, Any], now: int) -> Answer:
    operation, keys = args["operation"], args["source_keys"]
    if operation == "NOT" and len(keys) != 1:
        raise Refused("NOT_OF_ONE_KEY")
    values = [record.value if (record := state.seen(key, now, bytes)) else b"" for key in keys]
    size = max(map(len, values))
    numbers = [int.from_bytes(value.ljust(size, b"\0")) for value in values]
    found = numbers[0]
    for number in numbers[1:]:
        found = found & number if operation == "AND" else found | number if operation == "OR" else found ^ number
    if operation == "NOT":
        found = (1 << 8 * size) - 1 - found
    key = args["destination"]
    if not size:
        return 0, state.seen(key, now) is not None and state.drop(key)
    state.drop(key)
    _put(state, key, now, found.to_bytes(size))
    return size, True
