"""Keys of any kind."""

from typing import Any

from tests.naive.globs import matches
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.strings import SECONDS_MAX


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    removed, changed = 0, False
    for key in args["keys"]:
        removed += state.seen(key, now) is not None
        changed = state.drop(key) or changed
    return removed, changed


def expire(state: State, args: dict[str, Any], now: int) -> Answer:
    if "NX" in args and ("GT" in args or "LT" in args):
        raise Refused("BAD_CONDITIONS")
    if abs(args["ttl"]) > SECONDS_MAX:
        raise Refused("BAD_EXPIRE")
    deadline = now + args["ttl"] * 1000
    record = state.seen(args["key"], now)
    if record is None:
        return 0, False
    old = record.deadline or float("inf")
    refused = (
        ("NX" in args and record.deadline)
        or ("XX" in args and not record.deadline)
        or ("GT" in args and deadline <= old)
        or ("LT" in args and deadline >= old)
    )
    if refused:
        return 0, False
    if deadline <= now:
        state.drop(args["key"])
    else:
        record.deadline = deadline
    return 1, True


def expire_key(state: State, args: dict[str, Any], now: int) -> Answer:
    if state.there(args["key"]) and not state.seen(args["key"], now):
        state.drop(args["key"])
        return 1, True
    return 0, False


def remaining(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    if record is None:
        return -2, False
    return (record.deadline - now if record.deadline else -1), False


def scan(state: State, args: dict[str, Any], now: int) -> Answer:
    """What a whole iteration must have found."""
    names = [key for namespace, key in state.records if namespace == state.namespace and state.seen(key, now)]
    return sorted(key for key in names if "pattern" not in args or matches(args["pattern"], key)), False


def count(state: State, args: dict[str, Any], now: int) -> Answer:
    return sum(namespace == state.namespace for namespace, _ in state.records), False


def flush(state: State, args: dict[str, Any], now: int) -> Answer:
    changed = bool(state.records)
    state.records.clear()
    return OK, changed
