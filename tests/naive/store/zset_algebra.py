"""Several sorted sets, or sets whose members count as having the score 1."""

from collections.abc import Callable
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, Record, State
from tests.naive.store.zset_ranges import ranged
from tests.naive.store.zsets import Scored, ZSet, held

Source = tuple[dict[bytes, float], float]
Combine = Callable[[float, float], float]


def _sources(state: State, args: dict[str, Any], now: int, ordered: bool) -> list[Source]:
    found: list[Source] = []
    for key, weight in zip(args["keys"], args.get("weights") or [1.0] * len(args["keys"]), strict=True):
        record = state.seen(key, now)
        if record is not None and record.kind not in (ZSet, set):
            raise Refused("WRONG_TYPE")
        value = record.value if record else {}
        found.append((dict.fromkeys(value, 1.0) if isinstance(value, set) else value, weight))
    return sorted(found, key=lambda source: len(source[0])) if ordered else found


def _without_nan(score: float) -> float:
    return score if score == score else 0.0


def _combine(args: dict[str, Any]) -> Combine:
    known: dict[str, Combine] = {"MIN": min, "MAX": max}
    return known.get(args.get("aggregate", "SUM"), lambda one, other: _without_nan(one + other))


def _union(state: State, args: dict[str, Any], now: int) -> ZSet:
    found, combine = ZSet(), _combine(args)
    for source, weight in _sources(state, args, now, True):
        for member, score in source.items():
            score = _without_nan(score * weight)
            found[member] = combine(found[member], score) if member in found else score
    return found


def _inter(state: State, args: dict[str, Any], now: int) -> ZSet:
    found, combine = ZSet(), _combine(args)
    (first, factor), *others = _sources(state, args, now, True)
    for member, score in first.items():
        if all(member in other for other, _ in others):
            total = _without_nan(score * factor)
            for other, weight in others:
                total = combine(total, _without_nan(other[member] * weight))
            found[member] = total
    return found


def _diff(state: State, args: dict[str, Any], now: int) -> ZSet:
    (first, _), *others = _sources(state, args, now, False)
    return ZSet({member: score for member, score in first.items() if not any(member in other for other, _ in others)})


def _told(found: ZSet, args: dict[str, Any]) -> Answer:
    return (Scored(found.order()) if args.get("WITHSCORES") else [member for member, _ in found.order()]), False


def _stored(state: State, args: dict[str, Any], found: ZSet) -> Answer:
    there = state.drop(args["destination"])
    if found:
        state.records[state.namespace, args["destination"]] = Record(found)
    return len(found), there or bool(found)


def union(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_union(state, args, now), args)


def intersect(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_inter(state, args, now), args)


def subtract(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_diff(state, args, now), args)


def store_union(state: State, args: dict[str, Any], now: int) -> Answer:
    return _stored(state, args, _union(state, args, now))


def store_intersection(state: State, args: dict[str, Any], now: int) -> Answer:
    return _stored(state, args, _inter(state, args, now))


def store_difference(state: State, args: dict[str, Any], now: int) -> Answer:
    return _stored(state, args, _diff(state, args, now))


def count_common(state: State, args: dict[str, Any], now: int) -> Answer:
    limit = args.get("limit", 0)
    if limit < 0:
        raise Refused("NEGATIVE_LIMIT")
    found = len(_inter(state, args, now))
    return (min(found, limit) if limit else found), False


def store_range(state: State, args: dict[str, Any], now: int) -> Answer:
    by = "score" if args.get("BYSCORE") else "text" if args.get("BYLEX") else "rank"
    asked = args | {"key": args["source"]}
    entries = ranged(state, asked, now, by, "REV" in args)
    held(state, asked, now)
    return _stored(state, args, ZSet(entries))
