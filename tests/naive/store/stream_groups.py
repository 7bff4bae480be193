"""Groups of streams: what was delivered to whom, see streams.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.streams import FIRST, Consumer, Group, Id, Stream, lenient_id, strict_id

# How many entries a group has read.


def has_gaps(stream: Stream, ident: Id) -> bool:
    """Whether entries at or behind an id may have been deleted in the middle."""
    return len(stream) > 0 and stream.removed != FIRST and max(ident, stream.oldest) <= stream.removed


def ever_before(stream: Stream, ident: Id) -> int | None:
    """How many entries were ever added up to an id, if that can be told."""
    if not stream.added:
        return 0
    if not len(stream) and ident <= stream.last:
        return stream.added
    if ident >= stream.last:
        return stream.added if ident == stream.last else None
    if stream.removed == FIRST or stream.removed < stream.oldest:
        if ident < stream.oldest:
            return stream.added - len(stream)
        if ident == stream.oldest:
            return stream.added - len(stream) + 1
    return None


def note_read(stream: Stream, group: Group, ident: Id) -> None:
    """An entry is delivered to a group for the first time since it stands where it does."""
    if group.read is not None and not has_gaps(stream, ident):
        group.read += 1
    elif stream.added:
        group.read = ever_before(stream, ident)
    group.last = ident


# XGROUP.


def _asked(args: dict[str, Any]) -> int | None:
    if args.get("entries_read", -1) < -1:
        raise Refused("BAD_ENTRIES_READ")
    return args["entries_read"] if args.get("entries_read", -1) >= 0 else None


def _stream_of(state: State, args: dict[str, Any], now: int) -> Stream:
    record = state.seen(args["key"], now, Stream)
    if record is None:
        raise Refused("GROUP_NEEDS_KEY")
    return record.value


def _group_of(stream: Stream, args: dict[str, Any]) -> Group:
    if args["group"] not in stream.groups:
        raise Refused("NO_GROUP_OF_KEY", args["group"], args["key"])
    return stream.groups[args["group"]]


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    read = _asked(args)
    record = state.seen(args["key"], now, Stream)
    if record is None and "MKSTREAM" not in args:
        raise Refused("GROUP_NEEDS_KEY")
    stream = record.value if record else Stream()
    ident = stream.last if args["id"] == b"$" else strict_id(args["id"])
    if args["group"] in stream.groups:
        raise Refused("GROUP_EXISTS")
    state.claim(args["key"], now, Stream).value.groups[args["group"]] = Group(ident, read)
    return OK, True


def set_position(state: State, args: dict[str, Any], now: int) -> Answer:
    read = _asked(args)
    stream = _stream_of(state, args, now)
    group = _group_of(stream, args)
    group.last = stream.last if args["id"] == b"$" else lenient_id(args["id"])
    group.read = read
    return OK, True


def destroy(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _stream_of(state, args, now).groups.pop(args["group"], None)
    return int(found is not None), found is not None


def create_consumer(state: State, args: dict[str, Any], now: int) -> Answer:
    group = _group_of(_stream_of(state, args, now), args)
    if args["consumer"] in group.consumers:
        return 0, False
    group.consumers[args["consumer"]] = Consumer(now)
    return 1, True


def delete_consumer(state: State, args: dict[str, Any], now: int) -> Answer:
    group = _group_of(_stream_of(state, args, now), args)
    if group.consumers.pop(args["consumer"], None) is None:
        return 0, False
    gone = [ident for ident, pending in group.pending.items() if pending.consumer == args["consumer"]]
    for ident in gone:
        del group.pending[ident]
    return len(gone), True


# Consumers, and XACK.


def ask(group: Group, name: bytes, now: int) -> bool:
    """A consumer asks for entries; is it new?"""
    new = name not in group.consumers
    group.consumers.setdefault(name, Consumer(now)).seen = now
    return new


def ack(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, Stream)
    group = record.value.groups.get(args["group"]) if record else None
    if group is None:
        return 0, False
    count = sum(group.pending.pop(ident, None) is not None for ident in [strict_id(text) for text in args["ids"]])
    return count, count > 0
