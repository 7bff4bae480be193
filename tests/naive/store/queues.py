"""Queues: messages by id, and lists of ids: ready by priority, leased, dead, blocked; delayed and expiring ones by
their times."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.naive.hashing import mix
from tests.naive.parser import Refused
from tests.naive.store import WAIT, Answer, State

NEVER = 2**63 - 1
LIMIT_MASK = 2**20 - 1
COUNTERS = ("published", "consumed", "acked", "nacked", "dead_lettered")
WINDOW = 10_000


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
    group: bytes | None = None
    expires: int = 0
    history: list[list[Any]] = field(default_factory=list)


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
    ttl: int = 0
    expired_dead: bool = False
    overflow: str = "REJECT"
    ageing: int = 0
    dedup_ms: int = 300_000
    dedup_keys: int = 100_000
    single: bool = False
    expired: int = 0
    dropped: int = 0
    active: bytes | None = None
    active_until: int = 0
    redrive: tuple[bytes, int, int, int, int] | None = None  # where to, how many, a second, since when, done
    expiries: int = 0
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    messages: dict[bytes, Message] = field(default_factory=dict)
    ready: dict[int, list[bytes]] = field(default_factory=lambda: {priority: [] for priority in range(10)})
    leased: list[bytes] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)
    blocked: dict[bytes, list[bytes]] = field(default_factory=dict)  # by group
    turns: dict[bytes, bytes] = field(default_factory=dict)  # by group
    delayed: list[tuple[int, int, bytes]] = field(default_factory=list)  # (ready when, number among all, id)
    expiring: list[tuple[int, int, bytes]] = field(default_factory=list)
    keys: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)  # id, forgotten when
    windows: list[tuple[int, list[int]]] = field(default_factory=list)  # of rates: begun when, counters then

    @property
    def depth(self) -> int:
        return sum(map(len, self.ready.values()))

    @property
    def held_back(self) -> int:
        return sum(map(len, self.blocked.values()))

    @property
    def free(self) -> int:
        return self.depth_max - self.depth - len(self.delayed) - self.held_back

    @property
    def holders(self) -> list[bytes]:
        return [self.messages[name].holder for name in self.leased]

    @property
    def times(self) -> list[int]:
        """When something is to be done."""
        times = [self.messages[name].deadline for name in self.leased[:1]]
        times += [each[0] for each in (*self.delayed, *self.expiring)]
        if self.redrive:
            _, _, rate, since, done = self.redrive
            times.append(since + (-(-done * 1000 // rate) if rate else 0))
        if self.single and self.active is not None and self.depth and not self.leased:
            times.append(self.active_until)
        return times

    @property
    def due(self) -> int:
        return min(self.times, default=NEVER)

    # Rates.

    def _counted(self) -> list[int]:
        return [self.counters[name] for name in COUNTERS[:3]]

    def roll(self, now: int) -> None:
        """Something is going to be counted."""
        if not self.windows:
            self.windows = [(now, self._counted()), (now, self._counted())]
        elif now - self.windows[1][0] >= 2 * WINDOW:
            self.windows = [(now - WINDOW, self._counted()), (now, self._counted())]
        elif now - self.windows[1][0] >= WINDOW:
            self.windows = [self.windows[1], (now, self._counted())]

    def rates(self, now: int) -> list[float]:
        if not self.windows or now - self.windows[1][0] >= 2 * WINDOW:
            return [0.0] * 3
        begun, counted = self.windows[0]
        return [
            (one - other) * 1000.0 / max(now - begun, 1000)
            for one, other in zip(self._counted(), counted, strict=True)
        ]

    # Where a message is.

    def make_ready(self, name: bytes) -> None:
        """At the end of its priority, or behind its group."""
        message = self.messages[name]
        if message.group is not None:
            if self.turns.setdefault(message.group, name) != name:
                self.blocked.setdefault(message.group, []).append(name)
                return
        self.ready[message.priority].append(name)

    def end_turn(self, name: bytes) -> None:
        group = self.messages[name].group
        if group is None or self.turns.get(group) != name:
            return
        del self.turns[group]
        if self.blocked.get(group):
            self.make_ready(self.blocked[group].pop(0))

    def take_out(self, name: bytes) -> None:
        for names in (*self.ready.values(), self.leased, self.dead, *self.blocked.values()):
            if name in names:
                names.remove(name)
        self.delayed = [each for each in self.delayed if each[2] != name]

    def forget(self, name: bytes) -> None:
        """Remove a message that is nowhere any more."""
        self.expiring = [each for each in self.expiring if each[2] != name]
        self.end_turn(name)
        del self.messages[name]

    def expire_at(self, name: bytes, due: int) -> None:
        self.expiries += 1
        self.messages[name].expires = due
        self.expiring.append((due, self.expiries, name))

    # What becomes of it.

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

    def note(self, name: bytes, now: int, cause: bytes, who: bytes = b"", why: bytes = b"") -> None:
        history = self.messages[name].history
        history.append([now, cause, who or None, why or None])
        del history[:-10]

    def die(self, name: bytes) -> None:
        self.expiring = [each for each in self.expiring if each[2] != name]
        self.messages[name].expires = 0
        self.dead.append(name)
        self.counters["dead_lettered"] += 1
        self.end_turn(name)

    def expire(self, name: bytes, now: int) -> None:
        self.expired += 1
        self.messages[name].deadline = 0
        if self.expired_dead:
            self.note(name, now, b"expired")
            self.die(name)
        else:
            self.forget(name)

    def is_expired(self, name: bytes, now: int) -> bool:
        return 0 < self.messages[name].expires <= now

    def fail(self, name: bytes, again: bool, now: int, cause: bytes, why: bytes = b"") -> None:
        """A delivery has failed."""
        message = self.messages[name]
        who = message.holder if len(message.holder) <= 1024 else message.holder[:1024].decode(errors="ignore").encode()
        self.note(name, now, cause, who, why)
        self.leased.remove(name)
        message.failures += 1
        message.deadline, message.holder = 0, b""
        self.counters["nacked"] += 1
        if not again or message.failures > message.limit:
            self.die(name)
        elif self.is_expired(name, now):
            self.expire(name, now)
        elif (wait := self.wait_after(name, message.failures)) > 0:
            self.delay(name, now + wait)
        else:
            self.ready[message.priority].append(name)

    def end_delays(self, now: int, most: int) -> int:
        """Let those be ready whose time has come; how many."""
        over = sorted(each for each in self.delayed if each[0] <= now)[:most]
        for each in over:
            self.delayed.remove(each)
            self.messages[each[2]].deadline = 0
            self.make_ready(each[2])
        return len(over)

    def end_lives(self, now: int, most: int) -> int:
        """Let those expire whose time has come; how many were looked at."""
        count = 0
        while count < most and self.expiring and min(self.expiring)[0] <= now:
            first = min(self.expiring)
            self.expiring.remove(first)
            if first[2] not in self.leased:
                self.take_out(first[2])
                self.expire(first[2], now)
            count += 1
        return count

    def order(self, now: int) -> Iterator[bytes]:
        """The messages in the order in which they are delivered."""
        lines = {
            priority: [name for name in names if not self.is_expired(name, now)]
            for priority, names in self.ready.items()
        }
        while any(lines.values()):
            heads = []
            for priority, names in lines.items():
                if names:
                    aged = max(now - self.messages[names[0]].created, 0) // self.ageing if self.ageing else 0
                    heads.append((priority + aged, priority))
            yield lines[max(heads)[1]].pop(0)

    def first(self, now: int) -> bytes | None:
        """The message that is delivered next."""
        return next(self.order(now), None)

    def may_take(self, holder: bytes, now: int) -> int:
        """How many messages a consumer may get."""
        if self.single and self.active not in (None, holder) and (self.leased or now < self.active_until):
            return 0
        return self.prefetch - self.holders.count(holder) if self.prefetch else self.depth

    def parts(self, name: bytes) -> list[Any]:
        """What is told of a message."""
        message = self.messages[name]
        return [
            name, message.payload, message.priority, message.failures, message.limit, message.headers,
            message.created, message.deadline, b"%b:%d" % (name, message.deliveries) if name in self.leased else None,
            message.group, message.expires or None,
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
    if not all(0 <= args.get(name, 0) <= 1 << 40 for name in ("ttl_ms", "ageing_ms")):
        raise Refused("BAD_QUEUE_TIMES")
    if not 1 <= args.get("dedup_ms", 1) <= 1 << 40 or not 1 <= args.get("dedup_keys", 1) <= 10_000_000:
        raise Refused("BAD_QUEUE_TIMES")
    state.queues[args["queue"]] = Queue(
        args["max_depth"], args["ack_deadline_ms"], args["default_max_retries"], args["default_priority"],
        args.get("prefetch_limit", 0), args.get("backoff", ""), args.get("backoff_ms", 0),
        args.get("backoff_max_ms", 0), args.get("jitter", 0), ttl=args.get("ttl_ms", 0),
        expired_dead=args.get("expired") == "DEAD", overflow=args.get("overflow", "REJECT"),
        ageing=args.get("ageing_ms", 0), dedup_ms=args.get("dedup_ms", 300_000),
        dedup_keys=args.get("dedup_keys", 100_000), single="SINGLE" in args,
    )  # fmt: skip
    return 1, True


def add(queue: Queue, args: dict[str, Any], now: int, name: bytes, due: int, expires: int = 0) -> Answer:
    priority = min(args.get("priority", queue.priority), 9)
    limit = min(args.get("max_retries", queue.retries), LIMIT_MASK)
    queue.messages[name] = Message(
        args["payload"], priority, limit, args.get("headers", b""), now, group=args.get("group") or None
    )
    queue.roll(now)
    queue.counters["published"] += 1
    if expires:
        queue.expire_at(name, expires)
    if due > now:
        queue.delay(name, due)
    else:
        queue.make_ready(name)
    if args.get("dedup"):
        remember(queue, args["dedup"], name, now)
    return name, True


def make_place(queue: Queue, now: int) -> None:
    """Drop the oldest message of the lowest priority, if that is what a full queue does."""
    if queue.free > 0 or queue.overflow == "REJECT" or not queue.depth:
        return
    name = next(names for _, names in sorted(queue.ready.items()) if names)[0]
    queue.take_out(name)
    queue.dropped += 1
    if queue.overflow == "DEAD":
        queue.note(name, now, b"overflow")
        queue.die(name)
    else:
        queue.forget(name)


def remember(queue: Queue, key: bytes, name: bytes, now: int) -> None:
    while queue.keys:
        oldest = next(iter(queue.keys))
        if queue.keys[oldest][1] > now and len(queue.keys) < queue.dedup_keys:
            break
        del queue.keys[oldest]
    queue.keys[key] = name, now + queue.dedup_ms


def known(queue: Queue, args: dict[str, Any], now: int) -> bytes | None:
    name, expires = queue.keys.get(args["dedup"], (b"", 0)) if args.get("dedup") else (b"", 0)
    return name if expires > now else None


def may_get(queue: Queue) -> bool:
    return queue.free > 0 or (queue.overflow != "REJECT" and queue.depth > 0)


def expiry(queue: Queue, args: dict[str, Any], now: int) -> int:
    ttl = int(args.get("ttl", queue.ttl))
    return now + ttl if ttl else 0


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
    if (earlier := known(queue, args, now)) is not None:
        return earlier, False
    if not may_get(queue):
        raise Refused("QUEUE_FULL")
    name = UUID(state.chosen.decode())
    assert name.version == 4 and str(name).encode() == state.chosen and state.chosen not in queue.messages
    due = now + args["delay"] if "delay" in args else 0
    make_place(queue, now)
    return add(queue, args, now, state.chosen, due, expiry(queue, args, now))


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
    name = queue.first(now) if queue and not queue.paused else None
    if queue is None or name is None or queue.may_take(holder, now) <= 0:
        return nothing
    if queue.single:
        queue.active, queue.active_until = holder, now + queue.ack_deadline_ms
    queue.roll(now)
    queue.take_out(name)
    queue.leased.append(name)
    message = queue.messages[name]
    message.deadline, message.holder = now + queue.ack_deadline_ms, holder
    message.deliveries += 1
    queue.counters["consumed"] += 1
    return queue.parts(name), True
