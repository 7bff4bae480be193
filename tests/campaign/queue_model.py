"""What a queue must answer, kept by hand; backlog_models.py says what a model is.

Messages have priorities, retry limits, FIFO groups and dedup keys. Some have a time to live that is longer than a run:
no model can tell which commands of a pipeline come before its end.
"""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.campaign.backlog_models import CONSUMERS, Judge, picked
from tests.support import Refusal

LONG_MS = 86_400_000  # leases of the exact part do not run out
PREFETCH = 4
KEYS_KEPT = 20  # dedup keys of a queue
GROUPS = [b"g%d" % i for i in range(8)]
GONE = Refusal("ERR no such message is pending")


@dataclass
class Message:
    """One message, known by its payload; its id is learnt from a reply."""

    payload: bytes
    priority: int
    limit: int
    group: bytes = b""
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
    turns: dict[bytes, Message] = field(default_factory=dict)  # FIFO group -> the message whose turn it is
    blocked: dict[bytes, list[Message]] = field(default_factory=dict)  # FIFO group -> those behind it
    keys: dict[bytes, bytes] = field(default_factory=dict)  # dedup key -> payload, the oldest key first
    made: int = 0

    def copy(self) -> "QueueModel":
        """One that goes on by itself."""
        twin = QueueModel(self.name, self.prefetch, made=self.made)
        known: dict[int, Message] = {}

        def again(line: list[Message]) -> list[Message]:
            for each in line:
                known[id(each)] = replace(each)
            return [known[id(each)] for each in line]

        twin.ready = {priority: again(line) for priority, line in self.ready.items()}
        twin.leased, twin.dead = again(self.leased), again(self.dead)
        twin.blocked = {group: again(line) for group, line in self.blocked.items()}
        twin.turns = {group: known[id(each)] for group, each in self.turns.items()}
        twin.counts, twin.names, twin.keys = dict(self.counts), dict(self.names), dict(self.keys)
        return twin

    @property
    def depth(self) -> int:
        return sum(map(len, self.ready.values()))

    def asked(self) -> list[Any]:
        return ["QUEUE.STATS", self.name]

    def told(self, reply: list[Any]) -> dict[bytes, Any]:
        return picked(reply, self.stats())

    def stats(self) -> dict[bytes, int]:
        """QUEUE.STATS, but for the limits."""
        return {
            b"depth": self.depth, b"pending": len(self.leased), b"dead": len(self.dead), **self.counts,
            b"consumers": len({message.holder for message in self.leased}), b"delayed": 0,
            b"blocked": sum(map(len, self.blocked.values())), b"expired": 0,
        }  # fmt: skip

    def prepare(self) -> list[Any]:
        return ["QUEUE.CREATE", self.name, 100_000, LONG_MS, 3, 5, "PREFETCH", self.prefetch,
                "DEDUPMS", LONG_MS, "DEDUPKEYS", KEYS_KEPT]

    def call(self, chance: Random) -> list[Any]:
        draw = chance.random()
        if draw < (0.45 if self.depth < 60 else 0.2):
            self.made += 1
            words = ["QUEUE.PUBLISH", self.name, b"%b:%d" % (self.name, self.made)]
            if chance.random() < 0.1:
                return self._call_many(chance)
            words += ["PRIORITY", chance.randrange(10), "RETRIES", chance.choice((0, 1, 1, 3))]
            words += ["GROUP", chance.choice(GROUPS)] if chance.random() < 0.3 else []
            words += ["DEDUP", self._key(chance)] if chance.random() < 0.2 else []
            return words + (["TTL", LONG_MS // 1000] if chance.random() < 0.2 else [])
        if draw < 0.68:
            return ["QUEUE.CONSUME", self.name, chance.choice(CONSUMERS)]
        if draw < 0.7:
            return ["QUEUE.MCONSUME", self.name, chance.choice(CONSUMERS), chance.choice((1, 3, 9))]
        known = [message for message in self.leased if message.payload in self.names]
        if draw < 0.97 and known:
            name = self.names[chance.choice(known[:10]).payload]
            if draw < 0.86:
                return ["QUEUE.ACK", self.name, name]
            if draw < 0.89:
                names = [self.names[chance.choice(known).payload] for _ in range(chance.choice((1, 3)))]
                return ["QUEUE.RETURN", self.name, *names, b"unknown"]
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

    def _key(self, chance: Random) -> bytes:
        """A dedup key, which the queue may know, or may have forgotten."""
        return b"key %d" % (self.made - chance.choice((0, 1, 5, 20, 60, 200)))

    def _call_many(self, chance: Random) -> list[Any]:
        words = ["QUEUE.MPUBLISH", self.name, "PRIORITY", 5, "RETRIES", 1, "GROUP", chance.choice(GROUPS), "KEYED"]
        for _ in range(chance.choice((1, 4))):
            self.made += 1
            words += [chance.choice((b"", self._key(chance))), b"%b:%d" % (self.name, self.made)]
        return words

    def _publish(self, payload: bytes, *options: Any) -> Judge:
        given = dict(zip(options[::2], options[1::2], strict=True))
        payload = self._add(payload, given["PRIORITY"], given["RETRIES"], given.get("GROUP", b""), given.get("DEDUP"))
        return lambda reply: self._is_id(payload, reply)

    def _mpublish(self, *words: Any) -> Judge:
        given = dict(zip(words[:6:2], words[1:6:2], strict=True))
        payloads = [
            self._add(payload, given["PRIORITY"], given["RETRIES"], given["GROUP"], key)
            for key, payload in zip(words[7::2], words[8::2], strict=True)
        ]
        return lambda reply: all(map(self._is_id, payloads, reply)) and len(reply) == len(payloads)

    def _add(self, payload: bytes, priority: int, retries: int, group: bytes, key: bytes | None) -> bytes:
        """Add a message; return its payload, or that of the first with the key."""
        if key and key in self.keys:
            return self.keys[key]
        if key:
            for old in list(self.keys)[: max(len(self.keys) - KEYS_KEPT + 1, 0)]:
                del self.keys[old]
            self.keys[key] = payload
        self._make_ready(Message(payload, priority, retries, group))
        self.counts[b"published"] += 1
        return payload

    def _make_ready(self, message: Message) -> None:
        group = message.group
        if group and self.turns.setdefault(group, message) is not message:
            self.blocked.setdefault(group, []).append(message)
        else:
            self.ready[message.priority].append(message)

    def _end_turn(self, message: Message) -> None:
        if message.group and self.turns.get(message.group) is message:
            del self.turns[message.group]
            if self.blocked.get(message.group):
                self._make_ready(self.blocked[message.group].pop(0))

    def _is_id(self, payload: bytes, reply: Any) -> bool:
        return isinstance(reply, bytes) and len(reply) == 36 and self._named(payload, reply)

    def _named(self, payload: bytes, name: bytes) -> bool:
        return self.names.setdefault(payload, name) == name

    def _consume(self, consumer: bytes) -> Judge:
        held = sum(message.holder == consumer for message in self.leased)
        if not self.depth or (self.prefetch and held >= self.prefetch):
            return lambda reply: reply is None
        told = self._lease(consumer)
        return lambda reply: self._is_delivery(told, reply)

    def _mconsume(self, consumer: bytes, count: int) -> Judge:
        held = sum(message.holder == consumer for message in self.leased)
        count = min(count, self.depth, max(self.prefetch - held, 0) if self.prefetch else count)
        all_told = [self._lease(consumer) for _ in range(count)]
        return lambda reply: len(reply) == count and all(map(self._is_delivery, all_told, reply))

    def _is_delivery(self, told: tuple[Any, ...], reply: list[Any]) -> bool:
        return tuple(reply[3:10:2]) == told and self._named(told[0], reply[1])

    def _lease(self, consumer: bytes) -> tuple[Any, ...]:
        """Lease the next message; return what is told of it."""
        message = self.ready[max(priority for priority, line in self.ready.items() if line)].pop(0)
        message.holder = consumer
        self.leased.append(message)
        self.counts[b"consumed"] += 1
        return message.payload, message.priority, message.failures, message.limit

    def _return(self, *names: bytes) -> Judge:
        told, returned = [], []
        for name in names:
            message = self._of(name)
            told.append(int(message is not None))
            if message is not None:
                self.leased.remove(message)
                message.holder = b""
                returned.append(message)
        for message in reversed(returned):
            self.ready[message.priority].insert(0, message)
        return lambda reply: reply == told

    def _of(self, name: bytes) -> Message | None:
        return next((message for message in self.leased if self.names.get(message.payload) == name), None)

    def _ack(self, name: bytes) -> Judge:
        message = self._of(name)
        if message is None:
            return lambda reply: reply == GONE
        self.leased.remove(message)
        self._end_turn(message)
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
            self._end_turn(message)
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
            self._make_ready(message)
        return lambda reply: reply == len(revived)

    def _purge(self, dead: str = "") -> Judge:
        if dead:
            count, self.dead = len(self.dead), []
        else:
            count = self.depth + sum(map(len, self.blocked.values()))
            self.ready, self.blocked = {i: [] for i in range(10)}, {}
            self.turns = {message.group: message for message in self.leased if message.group}
        return lambda reply: reply == count
