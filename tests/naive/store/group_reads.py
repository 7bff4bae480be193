"""XREADGROUP: one stream after the other, as if each were a call of its own, see streams.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State
from tests.naive.store.stream_groups import ask, note_read
from tests.naive.store.stream_reads import most_of
from tests.naive.store.streams import Group, Id, Pending, Stream, strict_id, told

LAST = (2**64 - 1, 2**64 - 1)


def _wants_new(text: bytes) -> bool:
    return text == b">" or strict_id(text) == LAST


def _history(stream: Stream, group: Group, args: dict[str, Any], ident: Id, now: int) -> tuple[list[Any], int]:
    """What is told of the ids behind this one that a consumer has pending, and how many were delivered again."""
    mine = [each for each, held in group.pending.items() if held.consumer == args["consumer"] and each > ident]
    entries = {entry.id: entry.reply for entry in stream}
    found, again = sorted(mine)[: most_of(args)], 0
    for each in found:
        if each in entries:
            group.pending[each].time = now
            group.pending[each].deliveries += 1
            again += 1
    return [entries.get(each, [told(each), None]) for each in found], again


def _deliver(stream: Stream, group: Group, args: dict[str, Any], now: int) -> list[Any]:
    entries = stream.behind(group.last)[: most_of(args)]
    for entry in entries:
        note_read(stream, group, entry.id)
        if "NOACK" not in args:
            group.pending[entry.id] = Pending(args["consumer"], now)
            group.consumers[args["consumer"]].active = now
    return [entry.reply for entry in entries]


def read_group(state: State, args: dict[str, Any], now: int) -> Answer:
    if "group" not in args:
        raise Refused("NO_GROUP_GIVEN")
    serves = False
    for item in args["streams"]:
        record = state.seen(item["key"], now, Stream)
        if record is None or args["group"] not in record.value.groups:
            raise Refused("NO_GROUP_IN_READ", item["key"], args["group"])
        if item["id"] == b"$":
            raise Refused("NEWEST_IN_GROUP")
        group = record.value.groups[args["group"]]
        serves |= not _wants_new(item["id"]) or bool(record.value.behind(group.last))
    if not serves and "block" in args:
        return WAIT, False
    reply: dict[bytes, list[Any]] = {}
    changes = 0
    for item in args["streams"]:
        stream = state.there(item["key"]).value
        group = stream.groups[args["group"]]
        changes += ask(group, args["consumer"], now)
        if not _wants_new(item["id"]):
            reply[item["key"]], again = _history(stream, group, args, strict_id(item["id"]), now)
            changes += again
        elif found := _deliver(stream, group, args, now):
            reply[item["key"]] = found
            changes += len(found)
    return list(reply.values()) or None, changes > 0
