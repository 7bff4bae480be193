"""The offsets of consumer groups."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.memberships import group_of


def commit(state: State, args: dict[str, Any], now: int) -> Answer:
    group, number, offset = group_of(state, args), args["partition_id"], args["offset"]
    if not 0 <= number < len(group.owners):
        raise Refused("PARTITION_MISSING", number)
    if not 0 <= offset < 2**63 - 1:
        raise Refused("POSITIVE_COUNT")
    if args.get("generation", group.generation) != group.generation:
        raise Refused("STALE_GENERATION")
    if "member_id" in args:
        if args["member_id"] not in group.members:
            raise Refused("MEMBER_NOT_IN_GROUP")
        if group.owners[number] != args["member_id"]:
            raise Refused("STALE_MEMBER")
    group.offsets[number] = offset
    return OK, True


def offset(state: State, args: dict[str, Any], now: int) -> Answer:
    group, number = group_of(state, args), args["partition_id"]
    return group.offsets[number] if 0 <= number < len(group.offsets) else None, False


def offsets(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    topic = state.topics.get(group.topic)
    found = []
    for number, committed in enumerate(group.offsets):
        after = lag = None
        if topic is not None and number < len(topic.partitions):
            partition = topic.partitions[number]
            after = partition.after
            lag = max(after - max(partition.first, committed or 0), 0)
        found.append([number, committed, after, lag])
    return found, False


def reset(state: State, args: dict[str, Any], now: int) -> Answer:
    group = group_of(state, args)
    topic = state.topics.get(group.topic)
    if topic is None:
        raise Refused("NO_SUCH_TOPIC")
    numbers = range(min(len(group.owners), len(topic.partitions)))
    if "partition_id" in args:
        if args["partition_id"] not in numbers:
            raise Refused("PARTITION_MISSING", args["partition_id"])
        numbers = range(args["partition_id"], args["partition_id"] + 1)
    for number in numbers:
        partition = topic.partitions[number]
        wanted = partition.first
        if "LATEST" in args:
            wanted = partition.after
        elif "OFFSET" in args:
            wanted = min(max(args["offset"], partition.first), partition.after)
        elif "TIMESTAMP" in args:
            times = [each.time for each in partition.records]
            wanted += next((i for i, time in enumerate(times) if time >= args["timestamp_ms"]), len(times))
        group.offsets[number] = wanted
    return len(numbers), True
