"""Reading entries of streams, see streams.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State
from tests.naive.store.streams import Stream, end_id, start_id, strict_id


def _range(state: State, args: dict[str, Any], now: int, step: int) -> Answer:
    first, last = start_id(args["start"]), end_id(args["end"])
    record = state.seen(args["key"], now, Stream)
    if record is None:
        return [], False
    if args.get("count", 1) <= 0:
        return None, False
    found = record.value.between(first, last)[::step]
    return [entry.reply for entry in found[: args.get("count")]], False


def span(state: State, args: dict[str, Any], now: int) -> Answer:
    return _range(state, args, now, 1)


def span_backwards(state: State, args: dict[str, Any], now: int) -> Answer:
    return _range(state, args, now, -1)


def most_of(args: dict[str, Any]) -> int | None:
    """How many entries a XREAD wants of each stream; None for any number."""
    return args.get("count") if args.get("count", 0) > 0 else None


def read(state: State, args: dict[str, Any], now: int) -> Answer:
    for item in args["streams"]:
        state.seen(item["key"], now, Stream)
        if item["id"] == b">":
            raise Refused("NEW_ID_IN_READ")
        if item["id"] != b"$":
            strict_id(item["id"])
    found = {}
    for item in args["streams"]:
        record = state.seen(item["key"], now)
        if record and item["id"] != b"$":
            entries = record.value.behind(strict_id(item["id"]))[: most_of(args)]
            if entries:
                found[item["key"]] = [entry.reply for entry in entries]
    if not found:
        return (WAIT if "block" in args else None), False
    return list(found.values()), False
