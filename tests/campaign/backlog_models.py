"""What a queue and a room must answer, kept by hand: exact, so that every reply can be judged.

    model.call(chance)   words of one command that makes sense now
    model.expect(words)  what it answers, or a function that judges it; the model goes on as if it was carried out
    model.stats()        what the server must say of the whole

A model is copied before commands whose fate is open: of a pipeline that a crash cut, some first part was carried out,
and the copy that has gone on just as far is the one that the server agrees with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support import Refusal

LONG_MS = 86_400_000  # leases of the exact part do not run out
PREFETCH = 4
CONSUMERS = [b"w%d" % i for i in range(6)]
GONE = Refusal("ERR no such message is pending")
Judge = Callable[[Any], bool]


@dataclass
class Message:
    """One message, known by its payload; its id is learnt from a reply."""

    payload: bytes
    priority: int
    limit: int
    failures: int = 0
    holder: bytes = b""


@dataclass
class QueueModel:
    """One queue and what is in it, oldest first."""

    name: bytes
    prefetch: int
    ready: dict[int, list[Message]] = field(default_factory=lambda: {i: [] for i in range(10)})
    leased: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    counts: dict[bytes, int] = field(default_factory=lambda: dict.fromkeys(
        (b"published", b"consumed", b"acked", b"nacked", b"dead_lettered"), 0))  # fmt: skip
    names: dict[bytes, bytes] = field(default_factory=dict)  # payload -> id
    made: int = 0

    def copy(self) -> "QueueModel":
        """One that goes on by itself."""
        twin = QueueModel(self.name, self.prefetch, made=self.made)
        known: dict[int, Message] = {}

        def again(line: list[Message]) -> list[Message]:
            for each in line:
                known[id(each)] = Message(each.payload, each.priority, each.limit, each.failures, each.holder)
            return [known[id(each)] for each in line]

        twin.ready = {priority: again(line) for priority, line in self.ready.items()}
        twin.leased, twin.dead = again(self.leased), again(self.dead)
        twin.counts, twin.names = dict(self.counts), dict(self.names)
        return twin

    @property
    def depth(self) -> int:
        return sum(map(len, self.ready.values()))

    def stats(self) -> dict[bytes, int]:
        """QUEUE.STATS, but for the limits."""
        return {
            b"depth": self.depth, b"pending": len(self.leased), b"dead": len(self.dead), **self.counts,
            b"consumers": len({message.holder for message in self.leased}), b"delayed": 0,
        }  # fmt: skip

    def prepare(self) -> list[Any]:
        return ["QUEUE.CREATE", self.name, 100_000, LONG_MS, 3, 5, "PREFETCH", self.prefetch]

    def call(self, chance: Random) -> list[Any]:
        draw = chance.random()
        if draw < (0.45 if self.depth < 60 else 0.2):
            self.made += 1
            words = ["QUEUE.PUBLISH", self.name, b"%b:%d" % (self.name, self.made)]
            words += ["PRIORITY", chance.randrange(10), "RETRIES", chance.choice((0, 1, 1, 3))]
            return words
        if draw < 0.7:
            return ["QUEUE.CONSUME", self.name, chance.choice(CONSUMERS)]
        known = [message for message in self.leased if message.payload in self.names]
        if draw < 0.97 and known:
            name = self.names[chance.choice(known[:10]).payload]
            if draw < 0.88:
                return ["QUEUE.ACK", self.name, name]
            return ["QUEUE.NACK", self.name, name, *(["DROP"] if chance.random() < 0.2 else [])]
        if draw < 0.985:
            return ["QUEUE.DEAD", self.name]
        return chance.choice((
            ["QUEUE.REVIVE", self.name], ["QUEUE.PURGE", self.name, "DEAD"], ["QUEUE.PURGE", self.name],
            ["QUEUE.ACK", self.name, b"0" * 8],
        ))  # fmt: skip

    def expect(self, words: list[Any]) -> Judge:
        found: Judge = getattr(self, "_" + words[0].partition(".")[2].lower())(*words[2:])
        return found

    def _publish(self, payload: bytes, _: str, priority: int, __: str, retries: int) -> Judge:
        self.ready[priority].append(Message(payload, priority, retries))
        self.counts[b"published"] += 1
        return lambda reply: isinstance(reply, bytes) and len(reply) == 36 and self._named(payload, reply)

    def _named(self, payload: bytes, name: bytes) -> bool:
        return self.names.setdefault(payload, name) == name

    def _consume(self, consumer: bytes) -> Judge:
        held = sum(message.holder == consumer for message in self.leased)
        if not self.depth or (self.prefetch and held >= self.prefetch):
            return lambda reply: reply is None
        message = self.ready[max(priority for priority, line in self.ready.items() if line)].pop(0)
        message.holder = consumer
        self.leased.append(message)
        self.counts[b"consumed"] += 1
        told = (message.payload, message.priority, message.failures, message.limit)
        return lambda reply: tuple(reply[3:10:2]) == told and self._named(message.payload, reply[1])

    def _of(self, name: bytes) -> Message | None:
        return next((message for message in self.leased if self.names.get(message.payload) == name), None)

    def _ack(self, name: bytes) -> Judge:
        message = self._of(name)
        if message is None:
            return lambda reply: reply == GONE
        self.leased.remove(message)
        self.counts[b"acked"] += 1
        return lambda reply: reply == b"OK"

    def _nack(self, name: bytes, drop: str = "") -> Judge:
        message = self._of(name)
        if message is None:
            return lambda reply: reply == GONE
        self.leased.remove(message)
        message.failures, message.holder = message.failures + 1, b""
        self.counts[b"nacked"] += 1
        if drop or message.failures > message.limit:
            self.dead.append(message)
            self.counts[b"dead_lettered"] += 1
        else:
            self.ready[message.priority].append(message)
        return lambda reply: reply == b"OK"

    def _dead(self) -> Judge:
        told = [(message.payload, message.failures) for message in self.dead[:100]]
        return lambda reply: [(each[3], each[7]) for each in reply] == told

    def _revive(self) -> Judge:
        revived, self.dead = self.dead, []
        for message in revived:
            message.failures = 0
            self.ready[message.priority].append(message)
        return lambda reply: reply == len(revived)

    def _purge(self, dead: str = "") -> Judge:
        if dead:
            count, self.dead = len(self.dead), []
        else:
            count, self.ready = self.depth, {i: [] for i in range(10)}
        return lambda reply: reply == count


@dataclass
class RoomModel:
    """One room: its events, and the offset of the first."""

    name: bytes
    events_max: int
    bytes_max: int
    first: int = 0
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    made: int = 0
    size: int = 0

    def copy(self) -> "RoomModel":
        """One that goes on by itself."""
        limits = self.events_max, self.bytes_max
        return RoomModel(self.name, *limits, self.first, list(self.events), self.made, self.size)

    @property
    def after(self) -> int:
        return self.first + len(self.events)

    def stats(self) -> dict[bytes, int]:
        """STREAM.STATS, but for what counts readers."""
        return {
            b"message_count": len(self.events), b"min_offset": self.first, b"max_offset": max(self.after - 1, 0),
            b"total_published": self.after, b"bytes": self.size,
        }  # fmt: skip

    def prepare(self) -> list[Any]:
        return ["STREAM.CREATE", self.name, "MAXEVENTS", self.events_max, "MAXBYTES", self.bytes_max, "RETENTION", 0]

    def call(self, chance: Random) -> list[Any]:
        if chance.random() < 0.5:
            items = []
            for _ in range(chance.choice((1, 1, 1, 5, 20))):
                self.made += 1
                items.append(b"%d:" % self.made + b"x" * chance.choice((0, 10, 100, 1000)))
            return ["STREAM.PUBLISH", self.name, chance.choice((b"said", b"left")), *items]
        words = ["STREAM.CONSUME", self.name, chance.choice(CONSUMERS)]
        offsets = (self.first, self.first - 1, self.after, self.after + 5, chance.randint(0, self.after))
        if chance.random() < 0.9:
            words += ["FROM", max(chance.choice(offsets), 0)]
        return words + (["LIMIT", chance.choice((1, 7, 1000))] if chance.random() < 0.7 else [])

    def expect(self, words: list[Any]) -> Judge:
        if words[0] == "STREAM.PUBLISH":
            offset = self.after
            for data in words[3:]:
                self._append(words[2], data)
            return lambda reply: reply == offset
        options = dict(zip(words[3::2], words[4::2], strict=True))
        start, most = options.get("FROM", self.first), options.get("LIMIT", 100)
        if start < self.first or start > self.after:
            text = f"OFFSETGONE the offset is not held, the earliest is {self.first}, the next is {self.after}"
            return lambda reply: reply == Refusal(text)
        told = [[start + i, *event] for i, event in enumerate(self.events[start - self.first :][:most])]
        return lambda reply: [each[:3] for each in reply] == told

    def _append(self, event: bytes, data: bytes) -> None:
        self.events.append((event, data))
        self.size += len(event) + len(data)
        drop = 0
        while len(self.events) - drop > 1 and (
            (self.events_max and len(self.events) - drop > self.events_max)
            or (self.bytes_max and self.size > self.bytes_max)
        ):
            self.size -= sum(map(len, self.events[drop]))
            drop += 1
        del self.events[:drop]
        self.first += drop
