"""Topics, as they are read."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State
from tests.naive.store.topics import Topic, topic_of


def records(topic: Topic, number: int, start: int, most: int) -> list[list[Any]]:
    partition = topic.partitions[number]
    if topic.compacted:
        live = partition.live(topic.lag, topic.tombstone)
        found = [(offset, each) for offset, each in live if offset >= start][:most]
    else:
        found = list(enumerate(partition.records[max(start - partition.first, 0) :][:most], start))
    return [
        [number, offset, each.event_type, each.key, each.data, each.headers, each.time, each.size]
        for offset, each in found
    ]


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, number = topic_of(state, args), args["partition_id"]
    if not 0 <= number < len(topic.partitions):
        raise Refused("PARTITION_MISSING", number)
    partition = topic.partitions[number]
    start, most = args.get("from_offset", partition.first), args.get("limit", 100)
    if start < 0 or most < 0:
        raise Refused("POSITIVE_COUNT")
    if start < partition.first or (start > partition.after and "wait" not in args):
        raise Refused("OFFSET_GONE", partition.first, partition.after)
    if start >= partition.after and "wait" in args:
        return WAIT, False
    return records(topic, number, start, most), False


def read(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, most = topic_of(state, args), args.get("limit", 100)
    if most < 0:
        raise Refused("POSITIVE_COUNT")
    offsets = [(number, -1) for number in range(len(topic.partitions))]
    if "offsets" in args:
        offsets = [(each["partition_id"], each["offset"]) for each in args["offsets"]]
    found: list[list[Any]] = []
    for number, offset in offsets:
        if not 0 <= number < len(topic.partitions):
            raise Refused("PARTITION_MISSING", number)
        found += records(topic, number, max(offset, topic.partitions[number].first), most)
    if not found and most and "wait" in args:
        return WAIT, False
    return found, False


def offsets(state: State, args: dict[str, Any], now: int) -> Answer:
    topic, time = topic_of(state, args), args.get("timestamp_ms")
    found = []
    for number, each in enumerate(topic.partitions):
        offset = each.first
        if time is not None:
            live = list(enumerate(each.records, each.first))
            if topic.compacted:
                live = each.live(topic.lag, topic.tombstone)
            offset = next((at for at, one in live if one.time >= time), each.after)
        found.append([number, offset, each.first, each.after])
    return found, False
