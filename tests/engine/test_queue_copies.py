"""Queues with all policies under random calls: copies follow the log of the original, and nobody waits in vain.

In the test of copies upkeep stops after few messages, so that what it does next depends on the order in which things
are due, in the original as in a copy that was loaded from a snapshot.
"""

from random import Random
from typing import Any

import pytest

from synap.commands import CATALOGUE
from synap.derive.packed_calls import call_of
from synap.store.memory import layout
from tests.engine.engines import Client, House
from tests.engine.test_queue_retries import fields
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import digest
from tests.support import Bench

REQUEUE = CATALOGUE.by_name["queue.requeue"]
POLICIES = {
    b"plain": "", b"backoff": "BACKOFF EXPONENTIAL 40 JITTER 30 TTL 900 EXPIRED DEAD OVERFLOW DEAD",
    b"single": "SINGLE TTL 1500 OVERFLOW DROP DEDUPMS 300 DEDUPKEYS 4",
    b"ageing": "AGEING 60 PREFETCH 5 BACKOFF FIXED 90",
}  # fmt: skip
SPAN_MS = 400  # of the times that calls give


class Story:
    """Random calls on queues."""

    def __init__(self, store: type[Bench], seed: int) -> None:
        self.house, self.chance = House(store), Random(seed)
        self.client: Client = self.house.client()
        self.held: list[tuple[bytes, bytes]] = []  # queue, receipt
        for name, policies in POLICIES.items():
            words = ["QUEUE.CREATE", name, 12, 500, 2, 5, *policies.split()]
            assert self.client.one(words) == 1

    def call(self) -> None:
        """One call, or some upkeep."""
        chance, house = self.chance, self.house
        house.now += chance.choice((0, 0, 1, 7, 40, SPAN_MS // 3))
        queue = chance.choice(list(POLICIES))
        draw = chance.random()
        if draw < 0.2:
            for name in POLICIES:
                call = call_of(REQUEUE, queue=name, most=chance.choice((1, 1, 2, 5, 1000)))
                house.engine.run(call, house.now)
                house.engine.settle(house.now)
        elif draw < 0.5:
            self.publish(queue)
        elif draw < 0.7:
            found = self.client.one(["QUEUE.MCONSUME", queue, f"w{chance.randrange(3)}", chance.choice((1, 1, 3, 9))])
            self.held += [(queue, fields(each)["receipt"]) for each in found]
        elif draw < 0.9 and self.held:
            self.settle(*self.held.pop(chance.randrange(len(self.held))))
        else:
            self.rare(queue)

    def publish(self, queue: bytes) -> None:
        chance = self.chance
        options: list[Any] = ["PRIORITY", chance.randrange(4)]
        options += ["GROUP", f"g{chance.randrange(4)}"] if chance.random() < 0.5 else []
        options += ["DELAY", chance.randrange(SPAN_MS) / 1000] if chance.random() < 0.3 else []
        options += ["TTL", chance.randrange(SPAN_MS) / 1000] if chance.random() < 0.5 else []
        if chance.random() < 0.5:
            options += ["DEDUP", f"k{chance.randrange(9)}"] if chance.random() < 0.5 else []
            self.client.ask(["QUEUE.PUBLISH", queue, "m" * chance.randrange(90), *options])
        else:
            keyed = [word for _ in range(chance.randrange(1, 6)) for word in (f"k{chance.randrange(9)}", "m")]
            self.client.ask(["QUEUE.MPUBLISH", queue, *options, "KEYED", *keyed])

    def settle(self, queue: bytes, receipt: bytes) -> None:
        others = [each for name, each in self.held if name == queue]
        self.client.ask(self.chance.choice((
            ["QUEUE.ACK", queue, receipt], ["QUEUE.NACK", queue, receipt, "REASON", "no"],
            ["QUEUE.NACK", queue, receipt, "DROP"], ["QUEUE.RETURN", queue, receipt, receipt],
            ["QUEUE.RENEW", queue, receipt], ["QUEUE.RETURN", queue, receipt, *others],
        )))  # fmt: skip

    def rare(self, queue: bytes) -> None:
        chance, other = self.chance, self.chance.choice(list(POLICIES))
        delayed = self.client.one(["QUEUE.DELAYED", queue])
        one = fields(delayed[0])["message_id"] if delayed else b"none"
        self.client.ask(chance.choice((
            ["QUEUE.MOVE", queue, other], ["QUEUE.MOVE", queue, other, "COUNT", 2], ["QUEUE.CANCEL", queue, one],
            ["QUEUE.REDRIVE", queue, "TO", other, "RATE", chance.choice((1, 20, 1000))], ["QUEUE.REDRIVE", queue],
            ["QUEUE.REVIVE", queue], ["QUEUE.PAUSE", queue], ["QUEUE.PAUSE", queue, "RESUME"], ["QUEUE.PURGE", other],
            ["QUEUE.REDRIVE", queue, "STOP"],
        )))  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 58])
def test_a_copy_follows(store: type[Bench], seed: int) -> None:
    story = Story(store, seed)
    house = story.house
    copies: list[Bench] = []
    for stage in range(6):
        for _ in range(70):
            story.call()
        house.flush()
        known = digest(house.bench)
        for i, copy in enumerate(copies):
            assert digest(replayed(copy, house.frames)) == known, f"copy {i} differs in stage {stage}"
        house.frames.clear()
        copies.append(loaded(fresh(store, stage + 5), dumped(house.bench, 3000), house.bench[layout.SEQ]))
        assert digest(copies[-1]) == known


@pytest.mark.parametrize("seed", [0, 11, 70])
def test_nobody_waits_for_a_message_that_is_ready(store: type[Bench], seed: int) -> None:
    """After each call, whoever still waits would get nothing if it asked again."""
    story, served = Story(store, seed), 0
    house, chance = story.house, story.chance
    waiting: list[tuple[Client, bytes, str]] = []
    for _ in range(400):
        story.call()
        house.upkeep()
        if len(waiting) < 6 and chance.random() < 0.4:
            client, queue, name = house.client(), chance.choice(list(POLICIES)), f"w{chance.randrange(3)}"
            found = client.ask(["QUEUE.CONSUME", queue, name, "WAIT", 0])
            story.held += [(queue, fields(each)["receipt"]) for each in found]
            waiting += [] if found else [(client, queue, name)]
        for waiter in list(waiting):
            client, queue, name = waiter
            if found := client.heard:
                waiting.remove(waiter)
                story.held.append((queue, fields(found[0])["receipt"]))
                served += 1
        for _, queue, name in waiting:
            assert story.client.one(["QUEUE.CONSUME", queue, name]) is None, f"{name} waits for {queue!r} in vain"
    assert served > 20
