"""Strings: bytes under a key."""

from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, Record, State

SECONDS_MAX = 2**62 // 1000


def _moment(args: dict[str, Any], now: int, kept: int) -> int:
    """The deadline that the options of a SET ask for, 0 for none."""
    if "KEEPTTL" in args:
        return kept
    for name, scale, base in (("ttl", 1000, now), ("px", 1, now), ("exat", 1000, 0), ("pxat", 1, 0)):
        if name in args:
            most = SECONDS_MAX if scale == 1000 else 2**62 if base else 2**63 - 1
            if not 0 < args[name] <= most:
                raise Refused("BAD_EXPIRE")
            return args[name] * scale + base
    return 0


def set_value(state: State, args: dict[str, Any], now: int) -> Answer:
    key = args["key"]
    bytes_wanted = "GET" in args or "ifeq" in args or "ifne" in args
    old = state.seen(key, now, bytes if bytes_wanted else None)
    deadline = _moment(args, now, old.deadline if old else 0)
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


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.there(args["key"]):
        raise Refused("KEY_EXISTS")
    state.records[state.namespace, args["key"]] = Record(args["value"], args["deadline"])
    return OK, True
