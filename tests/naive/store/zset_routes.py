"""Sorted sets as the JSON surfaces ask for them."""

import math
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store import zsets as naive
from tests.naive.store.zset_pops import popped
from tests.naive.store.zsets import ZSet, dropped, held

Entries = list[tuple[bytes, float]]


def _told(entries: Entries) -> list[list[Any]]:
    return [[member, score] for member, score in entries]


def add_one(state: State, args: dict[str, Any], now: int) -> Answer:
    pair = {"member": args["member"], "score": args["score"]}
    record = state.seen(args["key"], now)
    before = dict(record.value) if record and record.kind is ZSet else {}
    naive.add(state, args | {"pairs": [pair]}, now)
    record = state.seen(args["key"], now)
    after = record.value if record else {}
    added = args["member"] in after and args["member"] not in before
    changed = added or before.get(args["member"]) != after.get(args["member"])
    return [int(added and not args.get("CH")), int(changed and bool(args.get("CH")))], changed


def _by_rank(found: ZSet, args: dict[str, Any], backwards: bool) -> Entries:
    order = found.order()[::-1] if backwards else found.order()
    start, stop = (each + len(order) if each < 0 else each for each in (args["start"], args["stop"]))
    return order[max(start, 0) : max(stop + 1, 0)]


def _by_score(found: ZSet, args: dict[str, Any]) -> Entries:
    low, high = args.get("min", -math.inf), args.get("max", math.inf)
    return [entry for entry in found.order() if low <= entry[1] <= high]


def span(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_by_rank(held(state, args, now), args, False)), False


def span_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_by_rank(held(state, args, now), args, True)), False


def by_score(state: State, args: dict[str, Any], now: int) -> Answer:
    return _told(_by_score(held(state, args, now), args)), False


def count_by_score(state: State, args: dict[str, Any], now: int) -> Answer:
    return len(_by_score(held(state, args, now), args)), False


def _taken(state: State, args: dict[str, Any], now: int, backwards: bool) -> Answer:
    if args["count"] < 0:
        raise Refused("POSITIVE_COUNT")
    taken, changed = popped(state, args, now, backwards)
    return _told(list(taken)), changed


def pop_min(state: State, args: dict[str, Any], now: int) -> Answer:
    return _taken(state, args, now, False)


def pop_max(state: State, args: dict[str, Any], now: int) -> Answer:
    return _taken(state, args, now, True)


def _removed(state: State, args: dict[str, Any], now: int, entries: Entries) -> Answer:
    if entries:
        dropped(state, args["key"], held(state, args, now), [member for member, _ in entries])
    return len(entries), bool(entries)


def remove_ranks(state: State, args: dict[str, Any], now: int) -> Answer:
    return _removed(state, args, now, _by_rank(held(state, args, now), args, False))


def remove_scores(state: State, args: dict[str, Any], now: int) -> Answer:
    return _removed(state, args, now, _by_score(held(state, args, now), args))
