"""Sets: a Python set under a key."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.claim(args["key"], now, set)
    before = len(record.value)
    record.value.update(args["members"])
    return len(record.value) - before, len(record.value) > before


def remove(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    if record is None:
        return 0, False
    before = len(record.value)
    record.value.difference_update(args["members"])
    removed = before - len(record.value)
    if not record.value:
        state.drop(args["key"])
    return removed, removed > 0


def pop(state: State, args: dict[str, Any], now: int) -> Answer:
    if args.get("count", 0) < 0:
        raise Refused("POSITIVE_COUNT")
    record = state.seen(args["key"], now, set)
    if record is None:
        return ([] if "count" in args else None), False
    drawn = state.chosen if "count" in args else [state.chosen]
    assert len(drawn) == len(set(drawn)) == min(args.get("count", 1), len(record.value))
    assert set(drawn) <= record.value
    record.value.difference_update(drawn)
    if not record.value:
        state.drop(args["key"])
    return state.chosen, bool(drawn)


def members(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return (sorted(record.value) if record else []), False


def has(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return int(record is not None and args["member"] in record.value), False


def size_of(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return (len(record.value) if record else 0), False


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    answer = add(state, args, -1)
    if not args["more"]:
        state.there(args["key"]).deadline = args["deadline"]
    return answer
