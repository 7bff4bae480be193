"""Several sets."""

from collections.abc import Callable
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, Record, State

Sets = list[set[bytes]]


def _sources(state: State, args: dict[str, Any], now: int) -> Sets:
    records = [state.seen(key, now, set) for key in args["keys"]]
    return [record.value if record else set() for record in records]


def _common(sources: Sets) -> set[bytes]:
    return set.intersection(*sources)


def _all(sources: Sets) -> set[bytes]:
    return set.union(*sources)


def _rest(sources: Sets) -> set[bytes]:
    return sources[0].difference(*sources[1:])


def intersect(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(_common(_sources(state, args, now))), False


def union(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(_all(_sources(state, args, now))), False


def subtract(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(_rest(_sources(state, args, now))), False


def count_common(state: State, args: dict[str, Any], now: int) -> Answer:
    limit = args.get("limit", 0)
    if limit < 0:
        raise Refused("NEGATIVE_LIMIT")
    found = len(_common(_sources(state, args, now)))
    return min(found, limit or found), False


def _store(state: State, args: dict[str, Any], now: int, how: Callable[[Sets], set[bytes]]) -> Answer:
    found = set(how(_sources(state, args, now)))
    was_there = state.drop(args["destination"])
    if found:
        state.records[state.namespace, args["destination"]] = Record(found)
    return len(found), was_there or bool(found)


def store_intersection(state: State, args: dict[str, Any], now: int) -> Answer:
    return _store(state, args, now, _common)


def store_union(state: State, args: dict[str, Any], now: int) -> Answer:
    return _store(state, args, now, _all)


def store_difference(state: State, args: dict[str, Any], now: int) -> Answer:
    return _store(state, args, now, _rest)
