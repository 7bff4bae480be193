"""Fields of integers within strings, by the words of their operations."""

from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.bitmaps import bits_of
from tests.naive.store.substrings import BYTES_MAX, _put, _value

WORDS = {b"GET": 2, b"SET": 3, b"INCRBY": 3, b"OVERFLOW": 1}
Step = tuple[bytes, bool, int, int, int, bytes]  # operation, signed, width, offset, amount, overflow


def whole(word: bytes, fault: str) -> int:
    number = parse_integer(word)
    if number is None:
        raise Refused(fault)
    return number


def type_of(word: bytes) -> tuple[bool, int]:
    word = word.partition(b"\0")[0]
    width = whole(word[1:], "BAD_FIELD_TYPE") if word[:1] in (b"i", b"u") else 0
    if not 1 <= width <= (64 if word[:1] == b"i" else 63):
        raise Refused("BAD_FIELD_TYPE")
    return word[:1] == b"i", width


def offset_of(word: bytes, width: int) -> int:
    fields = word[:1] == b"#"
    offset = whole(word[fields:], "BAD_BIT_OFFSET") * (width if fields else 1)
    offset = (offset + 2**63) % 2**64 - 2**63
    if not 0 <= offset < 8 * BYTES_MAX:
        raise Refused("BAD_BIT_OFFSET")
    return offset


def steps_of(words: list[bytes]) -> list[Step]:
    found, overflow = [], b"WRAP"
    words = list(words)
    while words:
        operation = words.pop(0).upper()
        more = WORDS.get(operation, len(words) + 1)
        if more > len(words):
            raise Refused("SYNTAX")
        given, words = words[:more], words[more:]
        if operation == b"OVERFLOW":
            overflow = given[0].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise Refused("BAD_OVERFLOW")
            continue
        signed, width = type_of(given[0])
        offset = offset_of(given[1], width)
        amount = whole(given[2], "NOT_AN_INTEGER") if more == 3 else 0
        found.append((operation, signed, width, offset, amount, overflow))
    return found


def carried_out(octets: bytearray, step: Step) -> int | None:
    """The reply to one operation, which may change the octets."""
    operation, signed, width, offset, amount, overflow = step
    least, most = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    whole_text = bits_of(bytes(octets))
    text = whole_text[offset : offset + width].ljust(width, "0")
    old = int(text, 2)
    old -= (1 << width) * (old > most)
    if operation == b"GET":
        return old
    if operation == b"SET":
        new = amount if signed or amount >= 0 else amount + 2**64
    else:
        new = old + amount
    if not least <= new <= most:
        if overflow == b"FAIL":
            return None
        new = new % (1 << width) if overflow == b"WRAP" else most if new > most else least
        new -= (1 << width) * (new > most)
    size = len(octets)
    changed = whole_text[:offset] + f"{new % (1 << width):0{width}b}" + whole_text[offset + width :]
    octets[:] = int(changed, 2).to_bytes(size)
    return old if operation == b"SET" else new


def change(state: State, args: dict[str, Any], now: int) -> Answer:
    steps = steps_of(args["operations"])
    record = state.seen(args["key"], now, bytes)
    before = record.value if record else b""
    ends = [(offset + width - 1) // 8 + 1 for operation, _, width, offset, _, _ in steps if operation != b"GET"]
    octets = bytearray(before.ljust(max(ends, default=0), b"\0"))
    replies = [carried_out(octets, step) for step in steps]
    # SET back and forth within one call is a change, too
    if not ends or (bytes(octets) == before and not told_apart(before, steps)):
        return replies, False
    _put(state, args["key"], now, bytes(octets))
    return replies, True


def told_apart(before: bytes, steps: list[Step]) -> bool:
    """Did any operation change the value, if only until a later one changed it back?"""
    octets = bytearray(before)
    for step in steps:
        held = bytes(octets)
        carried_out(octets, step)
        if octets != held:
            return True
    return False


def read(state: State, args: dict[str, Any], now: int) -> Answer:
    steps = steps_of(args["operations"])
    if any(operation != b"GET" for operation, *_ in steps):
        raise Refused("ONLY_GET")
    octets = bytearray(_value(state, args["key"], now))
    return [carried_out(octets, step) for step in steps], False
