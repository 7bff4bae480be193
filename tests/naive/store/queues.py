"""Queues: messages by id, and lists of ids: ready by priority, leased, dead; delayed ones by when they are ready."""

import struct
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.naive.hashing import mix
from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State

NEVER = 2**63 - 1
LIMIT_MASK = 2**20 - 1
COUNTERS = ("published", "consumed", "acked", "nacked", "dead_lettered")


@dataclass
class Message:
    """One message; its deadline is 0 unless it is leased (by `holder`) or delayed."""

    payload: bytes
    priority: int
    limit: int
    headers: bytes
    created: int
    failures: int = 0
    deadline: int = 0
    holder: bytes = b""
    deliveries: int = 0


@dataclass
class Queue:
    """One queue."""

    depth_max: int
    ack_deadline_ms: int
    retries: int
    priority: int
    prefetch: int = 0
    backoff: str = ""
    backoff_ms: int = 0
    backoff_max: int = 0
    jitter: int = 0
    paused: bool = False
    delays: int = 0
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    messages: dict[bytes, Message] = field(default_factory=dict)
    ready: dict[int, list[bytes]] = field(default_factory=lambda: {priority: [] for priority in range(10)})
    leased: list[bytes] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)
    delayed: list[tuple[int, int, bytes]] = field(default_factory=list)  # (ready when, number among all, id)

    @property
    def depth(self) -> int:
        return sum(map(len, self.ready.values()))

    @property
    def holders(self) -> list[bytes]:
        return [self.messages[name].holder for name in self.leased]

    @property
    def due(self) -> int:
        """When something is to be done."""
        times = [self.messages[name].deadline for name in self.leased[:1]]
        return min([*times, *(due for due, _, _ in self.delayed)], default=NEVER)

    def wait_after(self, name: bytes, failures: int) -> int:
        """The ms that a message waits after so many failures."""
        if not self.backoff:
            return 0
        wait = self.backoff_ms
        if self.backoff == "LINEAR":
            wait = min(wait * min(failures, 1 << 20), 1 << 40)
        elif self.backoff == "EXPONENTIAL":
            wait = min(wait << min(failures - 1, 40), 1 << 40) if failures > 1 else wait
        wait = min(wait, self.backoff_max) if self.backoff_max else wait
        low, high = struct.unpack("<2q", UUID(name.decode()).bytes)
        return wait - (wait * self.jitter // 100 * (mix(mix(low, high), failures) & 0xFFFF) >> 16)

    def delay(self, name: bytes, due: int) -> None:
        self.delays += 1
        self.messages[name].deadline = due
        self.delayed.append((due, self.delays, name))

    def fail(self, name: bytes, again: bool, now: int) -> None:
        """A delivery has failed."""
        message = self.messages[name]
        self.leased.remove(name)
        message.failures += 1
        message.deadline, message.holder = 0, b""
        self.counters["nacked"] += 1
        if again and message.failures <= message.limit:
            wait = self.wait_after(name, message.failures)
            if wait > 0:
                self.delay(name, now + wait)
            else:
                self.ready[message.priority].append(name)
        else:
            self.dead.append(name)
            self.counters["dead_lettered"] += 1

    def end_delays(self, now: int, most: int) -> int:
        """Let those be ready whose time has come; how many."""
        over = sorted(each for each in self.delayed if each[0] <= now)[:most]
        for each in over:
            self.delayed.remove(each)
            self.messages[each[2]].deadline = 0
            self.ready[self.messages[each[2]].priority].append(each[2])
        return len(over)

    def parts(self, name: bytes) -> list[Any]:
        """What is told of a message."""
        message = self.messages[name]
        return [
            name, message.payload, message.priority, message.failures, message.limit, message.headers,
            message.created, message.deadline, b"%b:%d" % (name, message.deliveries) if name in self.leased else None,
        ]  # fmt: skip


def queue_of(state: State, args: dict[str, Any]) -> Queue:
    if args["queue"] not in state.queues:
        raise Refused("QUEUE_MISSING")
    return state.queues[args["queue"]]


def create(state: State, args: dict[str, Any], now: int) -> Answer:
    if args["queue"] in state.queues:
        return 0, False
    if not 0 <= args["default_priority"] <= 9:
        raise Refused("BAD_PRIORITY")
    if args["max_depth"] < 1 or not 1 <= args["ack_deadline_ms"] <= 1 << 40:
        raise Refused("BAD_AMOUNT")
    if args["default_max_retries"] < 0 or args.get("prefetch_limit", 0) < 0:
        raise Refused("POSITIVE_COUNT")
    if args["default_max_retries"] > LIMIT_MASK:
        raise Refused("BAD_AMOUNT")
    if not all(0 <= args.get(name, 0) <= 1 << 40 for name in ("backoff_ms", "backoff_max_ms")):
        raise Refused("BAD_BACKOFF")
    if not 0 <= args.get("jitter", 0) <= 100:
        raise Refused("BAD_BACKOFF")
    state.queues[args["queue"]] = Queue(
        args["max_depth"], args["ack_deadline_ms"], args["default_max_retries"], args["default_priority"],
        args.get("prefetch_limit", 0), args.get("backoff", ""), args.get("backoff_ms", 0),
        args.get("backoff_max_ms", 0), args.get("jitter", 0),
    )  # fmt: skip
    return 1, True


def add(queue: Queue, args: dict[str, Any], now: int, name: bytes, due: int) -> Answer:
    priority = min(args.get("priority", queue.priority), 9)
    limit = min(args.get("max_retries", queue.retries), LIMIT_MASK)
    queue.messages[name] = Message(args["payload"], priority, limit, args.get("headers", b""), now)
    queue.counters["published"] += 1
    if due > now:
        queue.delay(name, due)
    else:
        queue.ready[priority].append(name)
    return name, True


def check_limits(args: dict[str, Any]) -> None:
    """Refuse a priority or a retry limit."""
    if not 0 <= args.get("priority", 0) <= 9:
        raise Refused("BAD_PRIORITY")
    if args.get("max_retries", 0) < 0:
        raise Refused("POSITIVE_COUNT")
    if args.get("max_retries", 0) > LIMIT_MASK:
        raise Refused("BAD_AMOUNT")


def publish(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    check_limits(args)
    if queue.depth + len(queue.delayed) >= queue.depth_max:
        raise Refused("QUEUE_FULL")
    name = UUID(state.chosen.decode())
    assert name.version == 4 and str(name).encode() == state.chosen and state.chosen not in queue.messages
    return add(queue, args, now, state.chosen, now + args["delay"] if "delay" in args else 0)


def put(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = queue_of(state, args)
    name = str(UUID(bytes=args["id"])).encode()
    if name in queue.messages:
        raise Refused("KEY_EXISTS")
    return add(queue, args, now, name, args["due"])


def consume(state: State, args: dict[str, Any], now: int) -> Answer:
    queue = state.queues.get(args["queue"])
    holder = args.get("consumer_id", b"")
    nothing = (WAIT if "wait" in args else None), False
    if queue is None or not queue.depth or queue.paused:
        return nothing
    if queue.prefetch and queue.holders.count(holder) >= queue.prefetch:
        return nothing
    priority = max(priority for priority, names in queue.ready.items() if names)
    name = queue.ready[priority].pop(0)
    queue.leased.append(name)
    message = queue.messages[name]
    message.deadline, message.holder = now + queue.ack_deadline_ms, holder
    message.deliveries += 1
    queue.counters["consumed"] += 1
    return queue.parts(name), True
