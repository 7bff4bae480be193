"""Hashes: a dict under a key, of fields with (value, deadline)."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, Record, State

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


def visible(record: Record | None, now: int) -> dict[bytes, tuple[bytes, int]]:
    """The fields that have not expired."""
    if record is None:
        return {}
    return {name: found for name, found in record.value.items() if not 0 < found[1] <= now}


def end(state: State, key: bytes) -> None:
    """Remove a key whose last field is gone."""
    record = state.there(key)
    if record is not None and not record.value:
        state.drop(key)


def put(state: State, key: bytes, now: int, pairs: list[tuple[bytes, bytes]]) -> int:
    record = state.claim(key, now, dict)
    added = 0
    for name, value in pairs:
        added += name not in visible(record, now)
        record.value[name] = (value, 0)
    return added


def set_one(state: State, args: dict[str, Any], now: int) -> Answer:
    return put(state, args["key"], now, [(args["field"], args["value"])]), True


def set_many(state: State, args: dict[str, Any], now: int) -> Answer:
    return put(state, args["key"], now, [(item["field"], item["value"]) for item in args["fields"]]), True


def set_all(state: State, args: dict[str, Any], now: int) -> Answer:
    return OK, set_many(state, args, now)[1]


def set_if_missing(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["field"] in visible(state.seen(args["key"], now, dict), now):
        return 0, False
    return set_one(state, args, now)


def remove(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, dict)
    there = [name for name in dict.fromkeys(args["fields"]) if name in visible(record, now)]
    for name in there:
        del record.value[name]
    if there:
        end(state, args["key"])
    return len(there), bool(there)


def take(state: State, args: dict[str, Any], now: int) -> Answer:
    if not args.get("fields"):
        raise Refused("NO_FIELDS")
    record, found = state.seen(args["key"], now, dict), []
    for name in args["fields"]:
        found.append(visible(record, now).get(name, (None,))[0])
        if found[-1] is not None:
            del record.value[name]
    changed = any(value is not None for value in found)
    if changed:
        end(state, args["key"])
    return found, changed


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    text, deadline = visible(state.seen(args["key"], now, dict), now).get(args["field"], (b"0", 0))
    number = parse_integer(text)
    if number is None:
        raise Refused("HASH_NOT_AN_INTEGER")
    total = number + args["increment"]
    if not INT_MIN <= total <= INT_MAX:
        raise Refused("INTEGER_OVERFLOW")
    state.claim(args["key"], now, dict).value[args["field"]] = (b"%d" % total, deadline)
    return total, True


def decimal(text: bytes, refusal: str) -> Decimal:
    """A decimal number, or an infinity."""
    shown = text.decode("latin-1")
    if not text or shown.strip() != shown or b"_" in text:
        raise Refused(refusal)
    try:
        found = Decimal(text.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        raise Refused(refusal) from None
    if found.is_nan():
        raise Refused(refusal)
    return found


def add_real(state: State, args: dict[str, Any], now: int) -> Answer:
    numbers = [decimal(args["increment"], "NOT_A_REAL")]
    if numbers[0].is_infinite():
        raise Refused("INCREMENT_NOT_FINITE")
    text, deadline = visible(state.seen(args["key"], now, dict), now).get(args["field"], (b"0", 0))
    numbers.append(decimal(text, "HASH_NOT_A_REAL"))
    if any(number.is_infinite() or (number and number.adjusted() >= 307) for number in numbers):
        raise Refused("NOT_FINITE")
    with localcontext() as context:
        context.prec = 2000
        total = sum(numbers).quantize(Decimal("1e-17"), ROUND_HALF_EVEN)
    shown = f"{total:f}".rstrip("0").rstrip(".")
    shown = "0" if shown in ("-0", "") else shown
    state.claim(args["key"], now, dict).value[args["field"]] = (shown.encode(), deadline)
    return shown.encode(), True


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    record = state.claim(args["key"], -1, dict)
    for item in args["fields"]:
        record.value[item["field"]] = (item["value"], item["expires"])
    if not args["more"]:
        record.deadline = args["deadline"]
    return len(record.value), True
