"""Sets: a Python set under a key."""

from typing import Any

from tests.naive.globs import matches
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


def list_members(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return (sorted(record.value) if record else []), False


def has(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return int(record is not None and args["member"] in record.value), False


def size_of(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return (len(record.value) if record else 0), False


def has_many(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, set)
    return [int(record is not None and member in record.value) for member in args["members"]], False


def move(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.seen(args["source"], now) is None:
        return 0, False
    record = state.seen(args["source"], now, set)
    other = state.seen(args["destination"], now, set)
    if args["member"] not in record.value:
        return 0, False
    if record is other:
        return 1, False
    record.value.discard(args["member"])
    if not record.value:
        state.drop(args["source"])
    state.claim(args["destination"], now, set).value.add(args["member"])
    return 1, True


def scan(state: State, args: dict[str, Any], now: int) -> Answer:
    """What a whole iteration must have found."""
    found = list_members(state, args, now)[0]
    return [member for member in found if "pattern" not in args or matches(args["pattern"], member)], False


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    answer = add(state, args, -1)
    if not args["more"]:
        state.there(args["key"]).deadline = args["deadline"]
    return answer
