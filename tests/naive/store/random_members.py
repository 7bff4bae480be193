"""Members of sets drawn at random: what the store has drawn must be possible."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State


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


def pick(state: State, args: dict[str, Any], now: int) -> Answer:
    count = args.get("count", 1)
    if count == -(1 << 63):
        raise Refused("BAD_RANDOM_COUNT")
    record = state.seen(args["key"], now, set)
    if record is None:
        return ([] if "count" in args else None), False
    drawn = state.chosen if "count" in args else [state.chosen]
    assert set(drawn) <= record.value
    if count < 0:
        assert len(drawn) == -count
    else:
        assert len(drawn) == len(set(drawn)) == min(count, len(record.value))
    return state.chosen, False
