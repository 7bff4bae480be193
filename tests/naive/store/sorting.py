"""SORT: Python's own sort, over the elements of a list, a set or a sorted set."""

import re
from typing import Any

from tests.naive.parser import Refused
from tests.naive.reals import parse_real
from tests.naive.store import Answer, Record, State
from tests.naive.store.hashes import visible
from tests.naive.store.zsets import ZSet

HEXADECIMAL = re.compile(rb"[+-]?0x([0-9a-f]*)(\.[0-9a-f]*)?(p[+-]?[0-9]+)?", re.IGNORECASE)
SMALLEST = 2.2250738585072014e-308


def _score(text: bytes | None) -> float:
    """The number that C's strtod reads."""
    held = (text or b"").partition(b"\0")[0]
    if not held:
        return 0.0
    spelled = held.lstrip(b" \t\n\v\f\r")
    found = HEXADECIMAL.fullmatch(spelled)
    if found and (found[1] or (found[2] or b".") != b"."):
        try:
            value: float | None = float.fromhex(spelled.decode())
        except OverflowError:
            value = None
        if value is not None and abs(value) < SMALLEST:
            digits = found[1] + (found[2] or b"")
            if value == 0 and digits.strip(b"0."):
                value = None
    else:
        value = parse_real(spelled)
        if value is not None and 0 < abs(value) < SMALLEST:
            value = None
    if value is None:
        raise Refused("SCORE_NOT_REAL")
    return value


def _look_up(state: State, pattern: bytes, element: bytes, now: int) -> bytes | None:
    """What a pattern names for an element."""
    known = pattern.partition(b"\0")[0]
    if known == b"#":
        return element
    before, star, _ = known.partition(b"*")
    if not star:
        return None
    arrow = known.find(b"->", len(before) + 1)
    field = None
    rest = pattern[len(before) + 1 :]
    if arrow >= 0 and arrow + 2 < len(known):
        rest, field = pattern[len(before) + 1 : arrow], pattern[arrow + 2 :]
    record = state.seen(before + element + rest, now)
    if record is None or record.kind is not (bytes if field is None else dict):
        return None
    return bytes(record.value) if field is None else visible(record, now).get(field, (None, 0))[0]


def _listed(record: Record) -> list[bytes]:
    """The elements in the order that they have; of a set, integers by their value and then the others."""
    if isinstance(record.value, set):
        return sorted(record.value, key=lambda each: (0, int(each), each) if _is_integer(each) else (1, 0, each))
    return [member for member, _ in record.value.order()] if isinstance(record.value, ZSet) else list(record.value)


def _is_integer(text: bytes) -> bool:
    return re.fullmatch(rb"0|-?[1-9][0-9]*", text) is not None and -(2**63) <= int(text) < 2**63


def _sorted(state: State, args: dict[str, Any], now: int) -> list[bytes | None]:
    record = state.seen(args["key"], now)
    if record is not None and record.kind not in (list, set, ZSet):
        raise Refused("WRONG_TYPE")
    found = _listed(record) if record else []
    down, alpha, by = "DESC" in args, "ALPHA" in args, args.get("by")
    if by is not None and b"*" not in by.partition(b"\0")[0]:
        if record and record.kind is set:
            found = sorted(found, reverse=down) if "store" in args else found
        elif down:
            found.reverse()
    elif alpha:
        texts = {each: _look_up(state, by, each, now) if by is not None else each for each in found}
        found.sort(key=lambda each: (texts[each] is not None, texts[each] or b""), reverse=down)
    else:
        scores = {each: _score(_look_up(state, by, each, now) if by is not None else each) for each in found}
        found.sort(key=lambda each: (scores[each], each), reverse=down)
    first = min(max(args.get("offset", 0), 0), len(found))
    most = args.get("count", -1)
    found = found[first : first + most] if most >= 0 else found[first:]
    patterns = args["get"] or [b"#"]
    return [_look_up(state, pattern, each, now) for each in found for pattern in patterns]


def sort(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _sorted(state, args, now)
    if "store" not in args:
        return found, False
    was_there = state.drop(args["store"])
    if found:
        state.records[state.namespace, args["store"]] = Record([each or b"" for each in found])
    return len(found), was_there or bool(found)


def sort_read_only(state: State, args: dict[str, Any], now: int) -> Answer:
    return _sorted(state, args, now), False
