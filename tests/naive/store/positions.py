"""Lists by index or value: a Python list under a key."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State


def at_index(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        return None, False
    if args.get("unreadable"):
        raise Refused("NOT_AN_INTEGER")
    there = -len(record.value) <= args["index"] < len(record.value)
    return (record.value[args["index"]] if there else None), False


def set_index(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        raise Refused("NO_SUCH_KEY")
    if args.get("unreadable"):
        raise Refused("NOT_AN_INTEGER")
    if not -len(record.value) <= args["index"] < len(record.value):
        raise Refused("OUT_OF_RANGE")
    record.value[args["index"]] = args["value"]
    return OK, True


def span(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        return [], False
    size = len(record.value)
    start, stop = (place + size if place < 0 else place for place in (args["start"], args["stop"]))
    return record.value[max(start, 0) : max(stop + 1, 0)], False


def trim(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        return OK, False
    record.value[:] = span(state, args, now)[0]
    if not record.value:
        state.drop(args["key"])
    return OK, True


def insert(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        return 0, False
    if args["pivot"] not in record.value:
        return -1, False
    place = record.value.index(args["pivot"])
    record.value.insert(place + (args["position"] == "AFTER"), args["value"])
    return len(record.value), True


def remove(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, list)
    if record is None:
        return 0, False
    count = args["count"]
    equal = [i for i, value in enumerate(record.value) if value == args["value"]]
    gone = set(equal[count:] if count < 0 else equal[:count] if count else equal)
    record.value[:] = [value for i, value in enumerate(record.value) if i not in gone]
    if not record.value:
        state.drop(args["key"])
    return len(gone), bool(gone)


def find(state: State, args: dict[str, Any], now: int) -> Answer:
    rank, count, most = args.get("rank", 1), args.get("count", 1), args.get("maxlen", 0)
    if rank == -(2**63):
        raise Refused("NOT_SYMMETRIC")
    if rank == 0:
        raise Refused("ZERO_RANK")
    record = state.seen(args["key"], now, list)
    places = list(range(len(record.value) if record else 0))[:: 1 if rank > 0 else -1][: most or None]
    found = [i for i in places if record and record.value[i] == args["value"]][abs(rank) - 1 :][: count or None]
    return (found if "count" in args else found[0] if found else None), False
