"""The ledger of a queue: published, leased, acknowledged, and what a crash may do to each."""

import time
from typing import Any

from tests.campaign.ledgers import Found, Ledger
from tests.server.clients import Resp
from tests.support import Refusal

DEADLINE_MS = 86_400_000
"""Longer than a campaign: a lease that ends by itself would change the state between two looks at it."""
RETRIES = 1_000_000


class Messages(Ledger):
    """One publisher, two consumers that acknowledge, give back, or keep a lease for later."""

    threads = 3

    def __init__(self, name: str, found: Found, seed: int) -> None:
        super().__init__(name, found, seed)
        self.ids: dict[bytes, bytes] = {}  # message id -> payload, of acknowledged publishes
        self.publishing: set[bytes] = set()
        self.unsure: set[bytes] = set()  # payloads of publishes that were in flight in a crash
        self.leased: dict[bytes, bytes] = {}
        self.acking: set[bytes] = set()
        self.done: set[bytes] = set()  # payloads that were acknowledged by a consumer, and the reply came
        self.consuming = 0
        self.hidden_max = 0  # leases that nobody may know of
        self.next = 0

    def prepare(self, client: Resp) -> None:
        client.ask("QUEUE.CREATE", self.name, 100_000, DEADLINE_MS, RETRIES, 5)

    def work(self, client: Resp, number: int) -> None:
        while True:
            if number == 0:
                self._publish(client)
            else:
                self._consume(client)

    def _publish(self, client: Resp) -> None:
        count = self.chance.choice((1, 1, 4, 16))
        payloads = [b"p%d" % (self.next + i) for i in range(count)]
        self.next += count
        with self.lock:
            self.publishing.update(payloads)
        for payload, name in zip(payloads, self._ask(client, payloads), strict=True):
            with self.lock:
                self.ids[name] = payload
                self.publishing.discard(payload)
                self.acked += 1
        if self.next - len(self.done) > 400:  # the consumers have fallen behind
            time.sleep(0.002)

    def _ask(self, client: Resp, payloads: list[bytes]) -> Any:
        calls = [["QUEUE.PUBLISH", self.name, payload, "PRIORITY", self.next % 10] for payload in payloads]
        return client.ask_all(*calls)

    def _consume(self, client: Resp) -> None:
        with self.lock:
            self.consuming += 1
        message = client.ask("QUEUE.CONSUME", self.name, "w")
        with self.lock:
            self.consuming -= 1
            if message is None:
                return
            name, payload = message[1], message[3]
            self.acked += 1
            self._judge(name, payload)
            self.leased[name] = payload
        what = self.chance.randrange(10)
        if what == 0:
            return  # keep it: some later life of the server is told
        if what == 1:
            with self.lock:  # from here on it may be delivered again
                self.leased.pop(name)
                self.hidden_max += 1
            client.ask("QUEUE.NACK", self.name, name)
            with self.lock:
                self.hidden_max -= 1
                self.acked += 1
            return
        self._acknowledge(client, name, payload)

    def _judge(self, name: bytes, payload: bytes) -> None:
        if payload in self.done:
            self.found.say("resurrected", f"{payload!r} was delivered after its acknowledgement")
        if name in self.leased:
            self.found.say("resurrected", f"{payload!r} was delivered within somebody's lease")
        if self.ids.get(name, payload) != payload:
            self.found.say("torn", f"{name!r} carries {payload!r}, not {self.ids[name]!r}")

    def _acknowledge(self, client: Resp, name: bytes, payload: bytes) -> None:
        with self.lock:
            self.acking.add(name)
        reply = client.ask("QUEUE.ACK", self.name, name)
        with self.lock:
            self.acking.discard(name)
            del self.leased[name]
            if reply != b"OK":
                self.found.say("lost", f"the lease of {payload!r}: {reply}")
            self.done.add(payload)
            self.acked += 1

    def check(self, client: Resp) -> None:
        stats = client.ask("QUEUE.STATS", self.name)
        if isinstance(stats, Refusal):
            self.found.say("lost", f"the queue: {stats}")
            return
        report = dict(zip(stats[::2], stats[1::2], strict=True))
        self.found.in_flight += len(self.publishing) + self.consuming + len(self.acking)
        self.hidden_max += self.consuming
        self.consuming = 0
        for name in list(self.acking):  # in flight: it may have been carried out, or not
            payload = self.leased.pop(name)
            reply = client.ask("QUEUE.ACK", self.name, name)
            if reply != b"OK" and not isinstance(reply, Refusal):
                self.found.say("wrong_replies", f"ack: {reply!r}")
            self.done.add(payload)
        unsure_acks = len(self.acking)
        self.acking.clear()
        for name in list(self.leased)[:20]:
            self._acknowledge(client, name, self.leased[name])
        self.unsure |= self.publishing
        self.publishing.clear()
        total = report[b"depth"] + report[b"pending"]
        held = len(self.ids) - sum(1 for payload in self.ids.values() if payload in self.done)
        least = held - unsure_acks
        most = held + len(self.leased) + unsure_acks + 20 + len(self.unsure) + self.hidden_max
        if total < least:
            self.found.say("lost", f"{total} messages, at least {least} were published and not acknowledged")
        if total > most:
            self.found.say("resurrected", f"{total} messages, at most {most} can be there")
        if report[b"dead"]:
            self.found.say("torn", f"{report[b'dead']} dead letters")

    def end(self, client: Resp) -> None:
        """Take everything out: each message that was published is accounted for."""
        drained: set[bytes] = set()
        while (message := client.ask("QUEUE.CONSUME", self.name, "last")) is not None:
            self._judge(message[1], message[3])
            if message[3] in drained:
                self.found.say("resurrected", f"{message[3]!r} was delivered twice")
            drained.add(message[3])
        for name in list(self.leased):
            self._acknowledge(client, name, self.leased[name])
        missing = set(self.ids.values()) - self.done - drained
        if len(missing) > self.hidden_max:
            self.found.say("lost", f"{len(missing)} messages, {self.hidden_max} leases may be hidden")
        if strange := drained - set(self.ids.values()) - self.unsure:
            self.found.say("torn", f"never published: {sorted(strange)[:5]}")
