"""Queues: messages by id, and lists of ids: ready by priority, leased, dead."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State

NEVER = 2**63 - 1
LIMIT_MASK = 2**20 - 1
COUNTERS = ("published", "consumed", "acked", "nacked", "dead_lettered", "consumers")


@dataclass
class Message:
    """One message; its deadline is 0 unless it is leased."""

    payload: bytes
    priority: int
    limit: int
    headers: bytes
    created: int
    failures: int = 0
    deadline: int = 0


@dataclass
class Queue:
    """One queue."""

    depth_max: int
    ack_deadline_ms: int
    retries: int
    priority: int
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    messages: dict[bytes, Message] = field(default_factory=dict)
    ready: dict[int, list[bytes]] = field(default_factory=lambda: {priority: [] for priority in range(10)})
    leased: list[bytes] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return sum(map(len, self.ready.values()))

    def fail(self, name: bytes, again: bool) -> None:
        """A delivery has failed."""
        message = self.messages[name]
        self.leased.remove(name)
        message.failures += 1
        message.deadline = 0
        self.counters["nacked"] += 1
        if again and message.failures <= message.limit:
            self.ready[message.priority].append(name)
        else:
            self.dead.append(name)
            self.counters["dead_lettered"] += 1


def _queue(state: State, args: dict[str, Any]) -> Queue:
    if args["queue"] not in state.queues:
        raise Refused("QUEUE_MISSING")
    return state.queues[args["queue"]]


def _leased(queue: Queue, args: dict[str, Any]) -> bytes:
    name = args["message_id"].lower()
    if name not in queue.leased:
        raise Refused("MESSAGE_MISSING")
    return name


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["queue"] in state.queues:
        return 0, False
    if not 0 <= args["default_priority"] <= 9:
        raise Refused("BAD_PRIORITY")
    state.queues[args["queue"]] = Queue(
        args["max_depth"], args["ack_deadline_ms"], args["default_max_retries"], args["default_priority"]
    )
    return 1, True


def _add(queue: Queue, args: dict[str, Any], now: int, name: bytes) -> Answer:
    priority = min(args.get("priority", queue.priority), 9)
    limit = min(args.get("max_retries", queue.retries), LIMIT_MASK)
    queue.messages[name] = Message(args["payload"], priority, limit, args.get("headers", b""), now)
    queue.ready[priority].append(name)
    queue.counters["published"] += 1
    return name, True


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    if args.get("priority", 0) < 0:
        raise Refused("BAD_PRIORITY")
    if queue.depth >= queue.depth_max:
        raise Refused("QUEUE_FULL")
    name = UUID(state.chosen.decode())
    assert name.version == 4 and str(name).encode() == state.chosen and state.chosen not in queue.messages
    return _add(queue, args, now, state.chosen)


def put(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    name = str(UUID(bytes=args["id"])).encode()
    if name in queue.messages:
        raise Refused("KEY_EXISTS")
    return _add(queue, args, now, name)


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = state.queues.get(args["queue"])
    if queue is None or not queue.depth:
        return None, False
    priority = max(priority for priority, names in queue.ready.items() if names)
    name = queue.ready[priority].pop(0)
    queue.leased.append(name)
    message = queue.messages[name]
    message.deadline = now + queue.ack_deadline_ms
    queue.counters["consumed"] += 1
    queue.counters["consumers"] = 1
    return [
        name, message.payload, priority, message.failures, message.limit, message.headers, message.created,
        message.deadline,
    ], True  # fmt: skip


def ack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    name = _leased(queue, args)
    queue.leased.remove(name)
    del queue.messages[name]
    queue.counters["acked"] += 1
    return OK, True


def nack(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    queue.fail(_leased(queue, args), "DROP" not in args)
    return OK, True


def requeue(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    count = 0
    while queue.leased and queue.messages[queue.leased[0]].deadline <= now and count < args["most"]:
        queue.fail(queue.leased[0], True)
        count += 1
    return count, count > 0


def stats(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    return [queue.depth, len(queue.leased), len(queue.dead), *queue.counters.values(), queue.depth_max], False


def next_due(state: State, args: dict[str, Any], now: int) -> Answer:
    first = {name: q.messages[q.leased[0]].deadline for name, q in state.queues.items() if q.leased}
    due = [name for name, deadline in first.items() if deadline <= now]
    if due:
        assert state.chosen in due
        return state.chosen, False
    return min(first.values(), default=NEVER), False


def load_queue(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["queue"] in state.queues:
        raise Refused("KEY_EXISTS")
    words = [args[f"word{i}"] for i in range(13)]
    queue = state.queues[args["queue"]] = Queue(*words[:4])
    queue.counters = dict(zip(COUNTERS, words[7:], strict=True))
    return OK, True


def load_message(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = _queue(state, args)
    name = str(UUID(bytes=args["id"])).encode()
    if name in queue.messages:
        raise Refused("KEY_EXISTS")
    bits = args["state"]
    queue.messages[name] = Message(
        args["payload"], bits >> 8 & 0xFF, bits >> 40 & LIMIT_MASK, args["headers"], args["created"],
        bits >> 16 & 0xFFFFFF, args["deadline"],
    )  # fmt: skip
    (queue.ready[bits >> 8 & 0xFF], queue.leased, queue.dead)[bits & 0xFF].append(name)
    return OK, True
