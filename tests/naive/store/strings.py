"""Strings: bytes under a key."""

from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, Record, State

MS_MAX = 2**63 - 1
SECONDS_MAX = MS_MAX // 1000


def _moment(args: dict[str, Any], now: int, kept: int) -> int:
    """The deadline that the options of a SET ask for, 0 for none."""
    if "unreadable" in args:
        raise Refused("NOT_AN_INTEGER")
    if "KEEPTTL" in args:
        return kept
    for name, scale, base in (("ttl", 1000, now), ("px", 1, now), ("exat", 1000, 0), ("pxat", 1, 0)):
        if name in args:
            if not 0 < args[name] <= MS_MAX // scale or args[name] * scale > MS_MAX - base:
                raise Refused("BAD_EXPIRE")
            return args[name] * scale + base
    return 0


def set_value(state: State, args: dict[str, Any], now: int) -> Answer:
    key = args["key"]
    bytes_wanted = "GET" in args or "ifeq" in args or "ifne" in args
    old = state.seen(key, now)
    deadline = _moment(args, now, old.deadline if old else 0)
    state.seen(key, now, bytes if bytes_wanted else None)
    holds = not (
        ("NX" in args and old)
        or ("XX" in args and not old)
        or ("ifeq" in args and (not old or old.value != args["ifeq"]))
        or ("ifne" in args and old and old.value == args["ifne"])
    )
    before = old.value if old and bytes_wanted else None
    reply = before if "GET" in args else OK if holds else None
    if not holds:
        return reply, False
    if deadline and deadline <= now:
        return reply, state.drop(key)
    state.records[state.namespace, key] = Record(args["value"], deadline)
    return reply, True


def get_value(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    return (record.value if record else None), False


def increment_by(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    value = parse_integer(record.value) if record else 0
    if value is None:
        raise Refused("NOT_AN_INTEGER")
    value += args["amount"]
    if not -(2**63) <= value < 2**63:
        raise Refused("INTEGER_OVERFLOW")
    state.records[state.namespace, args["key"]] = Record(b"%d" % value, record.deadline if record else 0)
    return value, True


def increment(state: State, args: dict[str, Any], now: int) -> Answer:
    return increment_by(state, {**args, "amount": 1}, now)


def decrement_by(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["amount"] == -(2**63):
        state.seen(args["key"], now)
        raise Refused("DECREMENT_OVERFLOW")
    return increment_by(state, {**args, "amount": -args["amount"]}, now)


def decrement(state: State, args: dict[str, Any], now: int) -> Answer:
    return increment_by(state, {**args, "amount": -1}, now)


def swap_value(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    state.records[state.namespace, args["key"]] = Record(args["value"])
    return (record.value if record else None), True


def take_value(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    if record is None:
        return None, False
    state.drop(args["key"])
    return record.value, True


def get_and_expire(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, bytes)
    if record is None:
        return None, False
    deadline = 0 if "PERSIST" in args else _moment(args, now, 0)
    if ("PERSIST" not in args and not deadline) or deadline == record.deadline:
        return record.value, False
    if deadline and deadline <= now:
        state.drop(args["key"])
    else:
        record.deadline = deadline
    return record.value, True


def set_if_missing(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.seen(args["key"], now):
        return 0, False
    state.records[state.namespace, args["key"]] = Record(args["value"])
    return 1, True


def set_for_seconds(state: State, args: dict[str, Any], now: int) -> Answer:
    state.records[state.namespace, args["key"]] = Record(args["value"], _moment({"ttl": args["ttl"]}, now, 0))
    return OK, True


def set_for_ms(state: State, args: dict[str, Any], now: int) -> Answer:
    state.records[state.namespace, args["key"]] = Record(args["value"], _moment({"px": args["px"]}, now, 0))
    return OK, True


def delete_if(state: State, args: dict[str, Any], now: int) -> Answer:
    conditional = "ifeq" in args or "ifne" in args
    record = state.seen(args["key"], now, bytes if conditional else None)
    if record is None:
        return 0, False
    if ("ifeq" in args and record.value != args["ifeq"]) or ("ifne" in args and record.value == args["ifne"]):
        return 0, False
    state.drop(args["key"])
    return 1, True


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.there(args["key"]):
        raise Refused("KEY_EXISTS")
    state.records[state.namespace, args["key"]] = Record(args["value"], args["deadline"])
    return OK, True
