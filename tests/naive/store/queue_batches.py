"""Many messages of a queue at once: as many calls of one, but for places and refusals."""

from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, WAIT, Answer, State, queue_leases
from tests.naive.store import queues as single
from tests.naive.store.queues import queue_of


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    single.check_limits(args)
    if len(args["messages"]) > 10_000:
        raise Refused("BATCH_TOO_LARGE")
    due = now + args["delay"] if "delay" in args else 0
    free = max(queue.depth_max - queue.depth - len(queue.delayed), 0)
    names = []
    for payload, name in zip(args["messages"], state.chosen, strict=True):
        if len(names) >= free:
            assert name is None
            names.append(None)
            continue
        assert UUID(name.decode()).version == 4 and name not in queue.messages
        names.append(single.add(queue, args | {"payload": payload}, now, name, due)[0])
    return names, free > 0


def put(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    names = [str(UUID(bytes=each["id"])).encode() for each in args["puts"]]
    if any(name in queue.messages for name in names):
        raise Refused("KEY_EXISTS")
    for name, each in zip(names, args["puts"], strict=True):
        single.add(queue, args | {"payload": each["payload"]}, now, name, args["due"])
    return OK, True


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["count"] < 1:
        raise Refused("COUNT_BELOW_ONE")
    one = {"queue": args["queue"], "consumer_id": args["consumer_id"]}
    found = []
    while len(found) < min(args["count"], 10_000) and (message := single.consume(state, one, now)[0]) is not None:
        found.append(message)
    if not found:
        return (WAIT if "wait" in args else []), False
    return found, True


def ack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue_of(state, args)
    done = []
    for name in args["message_ids"]:
        try:
            queue_leases.ack(state, {"queue": args["queue"], "message_id": name}, now)
            done.append(1)
        except Refused:
            done.append(0)
    return done, 1 in done
