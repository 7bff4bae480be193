"""Keys under other names and in other namespaces."""

import copy as copies
from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, Record, State

NAMESPACES = range(16)


def _at(state: State, namespace: int, key: bytes, now: int) -> Record | None:
    """The record of a key of any namespace, if it can be seen."""
    record = state.records.get((namespace, key))
    return None if record is None or (record.deadline and record.deadline <= now) else record


def _rename(state: State, args: dict[str, Any], now: int, only_new: bool) -> tuple[int, bool]:
    source, target = args["source"], args["destination"]
    if state.seen(source, now) is None:
        raise Refused("NO_SUCH_KEY")
    if source == target:
        return int(not only_new), False
    if only_new and state.seen(target, now):
        return 0, False
    state.records[state.namespace, target] = state.records.pop((state.namespace, source))
    return 1, True


def rename(state: State, args: dict[str, Any], now: int) -> Answer:
    return OK, _rename(state, args, now, False)[1]


def rename_new(state: State, args: dict[str, Any], now: int) -> Answer:
    return _rename(state, args, now, True)


def is_short(number: int) -> bool:
    return -(2**31) <= number < 2**31


def move_key(state: State, args: dict[str, Any], now: int) -> Answer:
    key, target = args["source"], args["db"]
    if not is_short(target):
        raise Refused("DB_NUMBER")
    if target not in NAMESPACES:
        raise Refused("DB_INDEX")
    if target == state.namespace:
        raise Refused("SAME_OBJECT")
    if state.seen(key, now) is None or _at(state, target, key, now):
        return 0, False
    state.records[target, key] = state.records.pop((state.namespace, key))
    return 1, True


def copy(state: State, args: dict[str, Any], now: int) -> Answer:
    source, target = args["source"], (args.get("db", state.namespace), args["destination"])
    if not is_short(target[0]):
        raise Refused("DB_NUMBER")
    if target[0] not in NAMESPACES:
        raise Refused("DB_INDEX")
    if target == (state.namespace, source):
        raise Refused("SAME_OBJECT")
    record = state.seen(source, now)
    if record is None or (_at(state, *target, now) and "REPLACE" not in args):
        return 0, False
    state.records[target] = copies.deepcopy(record)
    return 1, True


def swap(state: State, args: dict[str, Any], now: int) -> Answer:
    one, two = args["one"], args["two"]
    for number, fault in ((one, "FIRST_DB"), (two, "SECOND_DB")):
        if not is_short(number):
            raise Refused(fault)
    if one not in NAMESPACES or two not in NAMESPACES:
        raise Refused("DB_INDEX")
    other = {one: two, two: one}
    changed = one != two and any(namespace in other for namespace, _ in state.records)
    state.records = {(other.get(name[0], name[0]), name[1]): record for name, record in state.records.items()}
    return OK, changed


def clear_namespace(state: State, args: dict[str, Any], now: int) -> Answer:
    names = [name for name in state.records if name[0] == state.namespace]
    for name in names:
        del state.records[name]
    return OK, bool(names)
