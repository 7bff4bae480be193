"""Clients of queues, and the last client of a story, which takes out what all the others have put in."""

from dataclasses import dataclass, field

from tests.simulation.actors import DRIFT, SLACK_NS, UNKNOWN_OUTCOME, Actor, Script
from tests.simulation.world import MS
from tests.support import Refusal


@dataclass
class Messages:
    """What is known of one queue's messages, by payload."""

    sure: set[bytes] = field(default_factory=set)  # published, and the reply came
    done: set[bytes] = field(default_factory=set)  # acknowledged, or perhaps
    certain: set[bytes] = field(default_factory=set)  # acknowledged for certain
    leased: dict[bytes, int] = field(default_factory=dict)  # by ns: it was not delivered before
    ahead: int = 0  # how far the wall clock had been set forward by the last start


class Queues(Actor):
    """Publishes and consumes; some messages are acknowledged, some given back, some left to their deadlines."""

    ledgers: dict[int, Messages]  # by generation
    DEADLINE_MS = 250

    def script(self) -> Script:
        chance, records = self.chance, self.records
        generation = records.generation
        queue, ledger = f"q.{generation}", self.ledgers.setdefault(generation, Messages())
        yield [("QUEUE.CREATE", queue, 1000, self.DEADLINE_MS, 1_000_000, 5)]
        while True:
            yield self.think()
            if chance.random() < 0.5:
                payload = records.fresh()
                (name,) = yield [("QUEUE.PUBLISH", queue, payload, "PRIORITY", chance.randrange(3))]
                if isinstance(name, bytes):
                    ledger.sure.add(payload)
                continue
            yield from self.consume(queue, ledger, chance.random())

    def consume(self, queue: str, ledger: Messages, what: float) -> Script:
        """Take one message, if there is one; acknowledge it, give it back, or leave it."""
        world = self.world
        asked = world.now
        (message,) = yield [("QUEUE.CONSUME", queue, self.name)]
        if not isinstance(message, list):
            return
        name, payload = message[1], message[3]
        assert payload not in ledger.certain, f"{payload!r} was delivered after its acknowledgement"
        passed = world.now - ledger.leased.get(payload, -(1 << 62))
        assert passed >= self.DEADLINE_MS * MS * DRIFT // (DRIFT + 1) - SLACK_NS or ledger.ahead, (
            f"{payload!r} was delivered again after at most {passed / 1e6} ms"
        )
        ledger.leased[payload] = asked
        if what > 0.9:
            return
        if what > 0.8:
            del ledger.leased[payload]  # from here on it may be delivered again
            yield [("QUEUE.NACK", queue, name)]
            return
        ledger.done.add(payload)
        (reply,) = yield [("QUEUE.ACK", queue, name)]
        if reply == b"OK":
            ledger.certain.add(payload)
        elif isinstance(reply, Refusal) and not reply.args[0].startswith(UNKNOWN_OUTCOME):
            ledger.done.discard(payload)


class Final(Queues):
    """The last client: reads everything, and takes every message that is left."""

    finished = False
    lists: dict[str, list[bytes]]

    def script(self) -> Script:
        records, key = self.records, self.records.key
        for name, word in (*((f"r{i}", "GET") for i in range(3)), *((f"c{i}", "GET") for i in range(2)),
                           *((f"l{i}", "LRANGE") for i in range(2)), ("s0", "SMEMBERS")):  # fmt: skip
            op = records.begin(self.name, key(name), word)
            (found,) = yield [(word, key(name), *((0, -1) if word == "LRANGE" else ()))]
            records.end(key(name), op, sorted(found) if word == "SMEMBERS" else found)
        self.lists = {}
        for i in range(3):
            (self.lists[key(f"t{i}")],) = yield [("LRANGE", key(f"t{i}"), 0, -1)]
        ledger = self.ledgers.setdefault(records.generation, Messages())
        yield 2 * self.DEADLINE_MS * MS
        queue = f"q.{records.generation}"
        for _ in range(2000):
            if not ledger.sure - ledger.done:
                break
            taken = len(ledger.done)
            yield from self.consume(queue, ledger, 0.0)
            if len(ledger.done) == taken:
                (stats,) = yield [("QUEUE.STATS", queue)]
                if not isinstance(stats, list) or stats[1] + stats[3] == 0:
                    break
                yield 20 * MS
        missing = ledger.sure - ledger.done
        assert not missing, f"messages are lost: {sorted(missing)[:5]}"
        self.finished = True
