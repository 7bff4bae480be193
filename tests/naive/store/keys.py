"""Keys of any kind."""

from typing import Any

from tests.naive.globs import matches
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.streams import Stream
from tests.naive.store.strings import MS_MAX
from tests.naive.store.zsets import ZSet


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    removed, changed = 0, False
    for key in args["keys"]:
        removed += state.seen(key, now) is not None
        changed = state.drop(key) or changed
    return removed, changed


def _expire_at(state: State, args: dict[str, Any], now: int, deadline: int) -> Answer:
    """A deadline under the conditions NX XX GT LT."""
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


def _moment(args: dict[str, Any], name: str, scale: int, base: int) -> int:
    """The deadline of an EXPIRE and its like, if it is one that may be."""
    if "NX" in args and ("XX" in args or "GT" in args or "LT" in args):
        raise Refused("BAD_CONDITIONS")
    if "GT" in args and "LT" in args:
        raise Refused("BAD_COMPARISONS")
    if "unreadable" in args:
        raise Refused("NOT_AN_INTEGER")
    if (scale > 1 and abs(args[name]) > MS_MAX // scale) or args[name] * scale > MS_MAX - base:
        raise Refused("BAD_EXPIRE")
    return base + args[name] * scale


def expire(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire_at(state, args, now, _moment(args, "ttl", 1000, now))


def expire_ms(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire_at(state, args, now, _moment(args, "px", 1, now))


def expire_at(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire_at(state, args, now, _moment(args, "exat", 1000, 0))


def expire_at_ms(state: State, args: dict[str, Any], now: int) -> Answer:
    return _expire_at(state, args, now, _moment(args, "pxat", 1, 0))


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


def _rounded(answer: Answer) -> Answer:
    ms, changed = answer
    return (ms if ms < 0 else (ms + 500) // 1000), changed


def remaining_seconds(state: State, args: dict[str, Any], now: int) -> Answer:
    return _rounded(remaining(state, args, now))


def deadline(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    if record is None:
        return -2, False
    return record.deadline or -1, False


def deadline_seconds(state: State, args: dict[str, Any], now: int) -> Answer:
    return _rounded(deadline(state, args, now))


def persist(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    if record is None or not record.deadline:
        return 0, False
    record.deadline = 0
    return 1, True


def exists(state: State, args: dict[str, Any], now: int) -> Answer:
    return sum(state.seen(key, now) is not None for key in args["keys"]), False


def touch(state: State, args: dict[str, Any], now: int) -> Answer:
    return exists(state, args, now)


def kind(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    named = {bytes: b"string", list: b"list", set: b"set", dict: b"hash", ZSet: b"zset", Stream: b"stream"}
    return named[record.kind] if record else b"none", False


def scan(state: State, args: dict[str, Any], now: int) -> Answer:
    """What a whole iteration must have found."""
    names = [key for namespace, key in state.records if namespace == state.namespace and state.seen(key, now)]
    if "type" in args:
        known = {b"string": bytes, b"list": list, b"set": set, b"hash": dict, b"zset": ZSet, b"stream": Stream}
        kind = known.get(args["type"].lower())
        names = [key for key in names if state.records[state.namespace, key].kind is kind]
    return sorted(key for key in names if "pattern" not in args or matches(args["pattern"], key)), False


def count(state: State, args: dict[str, Any], now: int) -> Answer:
    return sum(namespace == state.namespace for namespace, _ in state.records), False


def flush(state: State, args: dict[str, Any], now: int) -> Answer:
    changed = bool(state.records)
    state.records.clear()
    return OK, changed
