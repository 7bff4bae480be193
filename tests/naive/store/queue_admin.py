"""What is done to a queue as a whole, see queues.py."""

from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State
from tests.naive.store.queues import COUNTERS, LIMIT_MASK, NEVER, Message, Queue, queue_of


def requeue(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    count = 0
    while queue.leased and queue.messages[queue.leased[0]].deadline <= now and count < args["most"]:
        queue.fail(queue.leased[0], True, now)
        count += 1
    count += queue.end_delays(now, max(args["most"] - count, 0))
    return count, count > 0


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    return [
        queue.depth, len(queue.leased), len(queue.dead), *queue.counters.values(), len(set(queue.holders)),
        queue.depth_max, len(queue.delayed),
    ], False  # fmt: skip


def list_names(state: State, args: dict[str, Any], now: int) -> Answer:
    return sorted(state.queues), False


def purge(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    if "DEAD" in args:
        gone, queue.dead = queue.dead, []
    else:
        gone = [name for names in queue.ready.values() for name in names] + [name for _, _, name in queue.delayed]
        queue.ready = {priority: [] for priority in range(10)}
        queue.delayed = []
    for name in gone:
        del queue.messages[name]
    return len(gone), bool(gone)


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    found = state.queues.pop(args["queue"], None)
    return int(found is not None), found is not None


def cancel(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = args["message_id"].lower()
    found = [each for each in queue.delayed if each[2] == name]
    for each in found:
        queue.delayed.remove(each)
        del queue.messages[name]
    return len(found), bool(found)


def pause(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    paused = "RESUME" not in args
    changed, queue.paused = queue.paused is not paused, paused
    return int(changed), changed


def revive(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    names = list(queue.dead)
    if "message_id" in args:
        names = [args["message_id"].lower()]
        if names[0] not in queue.dead:
            raise Refused("MESSAGE_MISSING")
    for name in names:
        queue.dead.remove(name)
        queue.messages[name].failures = 0
        queue.ready[queue.messages[name].priority].append(name)
    return len(names), bool(names)


def next_due(state: State, args: dict[str, Any], now: int) -> Answer:
    times = [(queue.due, name) for name, queue in state.queues.items()]
    times += [(room.timer, name) for name, room in state.rooms.items()]
    times += [(topic.timer, name) for name, topic in state.topics.items()]
    times += [(group.timer, name) for name, group in state.groups.items()]
    first = min((due for due, _ in times), default=NEVER)
    if first <= now:
        assert (first, state.chosen) in times
        return state.chosen, False
    return (state.chosen if first == NEVER and state.chosen >= 1 << 62 else first), False  # before the first timer


def load_queue(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["queue"] in state.queues:
        raise Refused("KEY_EXISTS")
    words = [args[f"word{i}"] for i in range(13)]
    later = [args[f"later{i}"] for i in range(6)]
    backoff = ("", "FIXED", "LINEAR", "EXPONENTIAL")[later[0]]
    queue = state.queues[args["queue"]] = Queue(
        *words[:4], args["prefetch_limit"], backoff, *later[1:4], bool(later[4]), later[5]
    )
    queue.counters = dict(zip(COUNTERS, words[7:12], strict=True))
    return OK, True


def load_message(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = str(UUID(bytes=args["id"])).encode()
    if name in queue.messages:
        raise Refused("KEY_EXISTS")
    bits = args["state"]
    queue.messages[name] = Message(
        args["payload"], bits >> 8 & 0xFF, bits >> 40 & LIMIT_MASK, args["headers"], args["created"],
        bits >> 16 & 0xFFFFFF, args["deadline"], args["consumer_id"], args["deliveries"],
    )  # fmt: skip
    match bits & 0xFF:
        case 0:
            queue.ready[bits >> 8 & 0xFF].append(name)
        case 3:
            queue.delayed.append((args["deadline"], args["serial"], name))
            queue.delays = max(queue.delays, args["serial"])
        case where:
            (queue.leased, queue.dead)[where - 1].append(name)
    return OK, True
