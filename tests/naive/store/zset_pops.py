"""What is popped off sorted sets."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State
from tests.naive.store.zsets import Scored, ZSet, dropped


def popped(state: State, args: dict[str, Any], now: int, backwards: bool) -> Answer:
    count = args.get("count", 1)
    if count < 0:
        raise Refused("POSITIVE_COUNT")
    record = state.seen(args["key"], now, ZSet)
    if record is None:
        return [], False
    order = record.value.order()
    taken = (order[::-1] if backwards else order)[:count]
    dropped(state, args["key"], record.value, [member for member, _ in taken])
    return Scored(taken), bool(taken)


def pop_min(state: State, args: dict[str, Any], now: int) -> Answer:
    return popped(state, args, now, False)


def pop_max(state: State, args: dict[str, Any], now: int) -> Answer:
    return popped(state, args, now, True)


def _first(state: State, args: dict[str, Any], now: int) -> tuple[bytes, ZSet] | None:
    """The first sorted set of several keys."""
    for key in args["keys"]:
        record = state.seen(key, now, ZSet)
        if record is not None:
            return key, record.value
    return None


def _wait(state: State, args: dict[str, Any], now: int, backwards: bool) -> Answer:
    found = _first(state, args, now)
    if found is None:
        return WAIT, False
    key, value = found
    member, score = value.order()[-1 if backwards else 0]
    dropped(state, key, value, [member])
    return [key, member, score], True


def pop_min_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return _wait(state, args, now, False)


def pop_max_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return _wait(state, args, now, True)


def pop_of_many(state: State, args: dict[str, Any], now: int, missing: Any = None) -> Answer:
    count = args.get("count", 1)
    if count < 1:
        raise Refused("COUNT_BELOW_ONE")
    found = _first(state, args, now)
    if found is None:
        return missing, False
    key, value = found
    order = value.order()
    taken = (order[::-1] if args["end"] == "MAX" else order)[:count]
    dropped(state, key, value, [member for member, _ in taken])
    return [key, [[member, score] for member, score in taken]], True


def pop_of_many_wait(state: State, args: dict[str, Any], now: int) -> Answer:
    return pop_of_many(state, args, now, WAIT)
