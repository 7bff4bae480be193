"""Descriptions of streams, see streams.py."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.stream_groups import ever_before, has_gaps
from tests.naive.store.streams import Group, Pending, Stream, told


def _stream_of(state: State, args: dict[str, Any], now: int) -> Stream:
    record = state.seen(args["key"], now, Stream)
    if record is None:
        raise Refused("NO_SUCH_KEY")
    return record.value


def tree_nodes(keys: list[bytes]) -> int:
    """How many nodes a compressed radix tree of these keys, of one size, has: leaves, branches, runs between them."""
    trie: dict[int, Any] = {}
    for key in keys:
        place = trie
        for octet in key:
            place = place.setdefault(octet, {})

    def count(place: dict[int, Any], in_run: bool) -> int:
        alone = len(place) == 1
        return (not (alone and in_run)) + sum(count(below, alone) for below in place.values())

    return count(trie, False)


def lag(stream: Stream, group: Group) -> int | None:
    """How many entries a group has not read yet, if that can be told."""
    if not stream.added:
        return 0
    read = ever_before(stream, group.last) if group.read is None or has_gaps(stream, group.last) else group.read
    return None if read is None else stream.added - read


def _facts(stream: Stream) -> list[Any]:
    keys = [node.first[0].to_bytes(8, "big") + node.first[1].to_bytes(8, "big") for node in stream.nodes]
    return [
        len(stream), len(keys), tree_nodes(keys), told(stream.last), told(stream.removed), stream.added,
        told(stream.oldest),
    ]  # fmt: skip


def _pending(group: Group, most: int | None, consumer: bytes | None = None) -> list[list[Any]]:
    """The first pending entries of a group, or of a consumer of it."""

    def shown(held: Pending) -> list[Any]:
        return [held.consumer, held.time, held.deliveries] if consumer is None else [held.time, held.deliveries]

    found = sorted(group.pending.items())
    return [[told(ident), *shown(held)] for ident, held in found if consumer in (None, held.consumer)][:most]


def _count(group: Group, consumer: bytes) -> int:
    return sum(held.consumer == consumer for held in group.pending.values())


def stream(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _stream_of(state, args, now)
    entries = [entry.reply for entry in found]
    if "FULL" not in args:
        ends = [entries[0], entries[-1]] if entries else [None, None]
        return [*_facts(found), len(found.groups), *ends], False
    most = args.get("count", 10)
    most = 10 if most < 0 else most or None
    groups = []
    for name, group in sorted(found.groups.items()):
        consumers = [
            [each, seen.seen, seen.active, _count(group, each), _pending(group, most, each)]
            for each, seen in sorted(group.consumers.items())
        ]
        groups.append([
            name, told(group.last), group.read, lag(found, group), len(group.pending), _pending(group, most), consumers,
        ])  # fmt: skip
    return [*_facts(found), entries[:most], groups], False


def groups_of(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _stream_of(state, args, now)
    return [
        [name, len(group.consumers), len(group.pending), told(group.last), group.read, lag(found, group)]
        for name, group in sorted(found.groups.items())
    ], False


def consumers_of(state: State, args: dict[str, Any], now: int) -> Answer:
    found = _stream_of(state, args, now)
    if args["group"] not in found.groups:
        raise Refused("NO_GROUP_OF_KEY", args["group"], args["key"])
    group = found.groups[args["group"]]
    return [
        [name, _count(group, name), now - each.seen, -1 if each.active < 0 else now - each.active]
        for name, each in sorted(group.consumers.items())
    ], False
