"""Lists: a Python list under a key."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State


def push_right(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.claim(args["key"], now, list)
    record.value.extend(args["values"])
    return len(record.value), True


def push_left(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.claim(args["key"], now, list)
    for value in args["values"]:
        record.value.insert(0, value)
    return len(record.value), True


def _pop(state: State, args: dict[str, Any], now: int, place: int) -> Answer:
    if args.get("count", 0) < 0:
        raise Refused("POSITIVE_COUNT")
    record = state.seen(args["key"], now, list)
    if record is None:
        return None, False
    found = [record.value.pop(place) for _ in range(min(args.get("count", 1), len(record.value)))]
    if not record.value:
        state.drop(args["key"])
    return (found if "count" in args else found[0]), bool(found)


def pop_left(state: State, args: dict[str, Any], now: int) -> Answer:
    return _pop(state, args, now, 0)


def pop_right(state: State, args: dict[str, Any], now: int) -> Answer:
    return _pop(state, args, now, -1)


def _pop_of_many(state: State, args: dict[str, Any], now: int, place: int) -> Answer:
    """An element, or with a count several, of the first list, with its key."""
    for key in args["keys"]:
        if state.seen(key, now, list):
            count = {"count": args["count"]} if "count" in args else {}
            return [key, _pop(state, {"key": key} | count, now, place)[0]], True
    return WAIT, False


def pop_left_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return _pop_of_many(state, args, now, 0)


def pop_right_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return _pop_of_many(state, args, now, -1)


def pop_of_many_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return _pop_of_many(state, {"count": 1} | args, now, 0 if args["where"] == "LEFT" else -1)


def pop_of_many(state: State, args: dict[str, Any], now: int) -> Answer:
    found, changed = pop_of_many_wait(state, args, now)
    return (None if found is WAIT else found), changed


def _push_if_there(state: State, args: dict[str, Any], now: int, push: Any) -> Answer:
    return push(state, args, now) if state.seen(args["key"], now, list) else (0, False)


def push_right_if_there(state: State, args: dict[str, Any], now: int) -> Answer:
    return _push_if_there(state, args, now, push_right)


def push_left_if_there(state: State, args: dict[str, Any], now: int) -> Answer:
    return _push_if_there(state, args, now, push_left)


def length(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    return (len(record.value) if record else 0), False


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    answer = push_right(state, args, -1)
    if not args["more"]:
        state.there(args["key"]).deadline = args["deadline"]
    return answer
