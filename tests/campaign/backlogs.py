"""Queues, rooms and topics judged reply by reply, with `kill -9` in between.

    python -m tests.campaign.backlogs --steps 1000000 --timing 2000 --consumers 50 --messages 1000000

One connection sends pipelines of random commands; a model says what each must answer (queue_model, backlog_models).
Now and then the server is killed while a pipeline is under way. Then some first part of it was carried out, at least
what was answered: the server's counters must agree with the model after just so many commands, and everything that
follows is judged by that one. `--timing N` checks delays and leases by the clock, `--consumers 50 --messages 1000000`
that many consumers at once get each message once.
"""

import argparse
import random
import selectors
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.campaign.backlog_models import RoomModel, TopicModel
from tests.campaign.queue_model import PREFETCH, QueueModel
from tests.server.clients import Gone, Resp, Server
from tests.server.zygote import Zygote
from tests.support import command

PIPELINE = 40
CRASH_EVERY = 60  # pipelines, on average
LATE_MS_MAX = 50
Model = QueueModel | RoomModel | TopicModel
EVERY = ("queues", "rooms", "topics")


@dataclass
class Found:
    """What a run has seen."""

    steps: int = 0
    crashes: int = 0
    cut: int = 0  # commands that a crash left open
    wrong: list[str] = field(default_factory=list)


def models(kind: str) -> list[Model]:
    """Those of one run."""
    if kind == "queues":
        return [QueueModel(b"q%d" % i, PREFETCH if i == 2 else 0) for i in range(3)]
    if kind == "topics":
        return [
            TopicModel(b"t0", 3, 50, 0), TopicModel(b"t1", 1, 0, 20_000), TopicModel(b"topic", 7, 400, 60_000),
            TopicModel(b"compact", 2, 0, 0, compacted=True),
        ]  # fmt: skip
    return [RoomModel(b"r0", 50, 0), RoomModel(b"r1", 0, 20_000), RoomModel(b"r2", 400, 60_000)]


def run(zygote: Zygote, directory: Path, kind: str, steps: int, seed: int, mode: str = "always") -> Found:
    """Judge `steps` commands of `kind`, one of EVERY."""
    chance, found = random.Random(f"{kind} {seed}"), Found()
    server = Server(zygote, directory, {
        "persistence.wal.fsync_mode": mode, "persistence.wal.segment_bytes_max": 4 << 20,
        "persistence.snapshot.operation_threshold": 20_000, "persistence.snapshot.interval_secs": 1,
    }).start()  # fmt: skip
    known = models(kind)
    try:
        client = server.resp()
        for model in known:
            client.ask(*model.prepare())
        while found.steps < steps and not found.wrong:
            crash = chance.random() < 1 / CRASH_EVERY
            client = _pipeline(server, client, known, chance, found, crash)
        _compare(client, known, found)
        client.close()
        if server.stop():
            found.wrong.append("a clean stop did not end with 0")
    finally:
        server.end()
    return found


def _pipeline(
    server: Server, client: Resp, known: list[Model], chance: random.Random, found: Found, crash: bool
) -> Resp:
    """Send one pipeline and judge it; after a crash, the connection to go on with."""
    calls: list[tuple[int, list[Any]]] = []
    before = [model.copy() for model in known] if crash else []
    judges = []
    for _ in range(chance.randint(1, PIPELINE)):
        at = chance.randrange(len(known))
        words = known[at].call(chance)
        calls.append((at, words))
        judges.append(known[at].expect(words))
    client.send_bytes(b"".join(command(*words) for _, words in calls))
    replies: list[Any] = []
    if crash:
        time.sleep(chance.choice((0, 0, 0.0002, 0.001)))
        server.kill9()
    try:
        for (_, words), judge in zip(calls, judges, strict=True):
            reply = client.read()
            replies.append(reply)
            found.steps += 1
            if not judge(reply):
                found.wrong.append(f"{words!r:.200} answered {reply!r:.300}")
    except (Gone, ConnectionError):
        if not crash:
            raise
    if not crash:
        return client
    client.close()
    found.crashes += 1
    client = server.start().resp()
    _after_crash(client, before, known, calls, replies, found)
    return client


def _after_crash(
    client: Resp, before: list[Model], known: list[Model], calls: list[tuple[int, list[Any]]], replies: list[Any],
    found: Found,
) -> None:
    """Find out how much of the pipeline was carried out, and go on from there."""
    told = [_stats(client, model) for model in before]
    for (at, words), reply in zip(calls[: len(replies)], replies, strict=True):
        if not before[at].expect(words)(reply):
            found.wrong.append(f"{words!r:.200} answered {reply!r:.300}")
    for at, words in [*calls[len(replies) :], (-1, [])]:
        if [model.stats() for model in before] == told:
            for after, ahead in zip(before, known, strict=True):
                after.made = ahead.made
            known[:] = before
            return
        if at >= 0:
            found.cut += 1
            before[at].expect(words)
    wanted = [model.stats() for model in before]
    found.wrong.append(f"after a crash: {told}, no part of the pipeline ends there; all of it in {wanted}")


def _stats(client: Resp, model: Model) -> dict[bytes, Any]:
    told = client.ask(*model.asked())
    return model.told(told) if isinstance(told, list) else {b"refused": 1}


def _compare(client: Resp, known: list[Model], found: Found) -> None:
    for model in known:
        told = _stats(client, model)
        if told != model.stats():
            found.wrong.append(f"{model.name!r}: {told}, wanted {model.stats()}")


# By the clock.


def timing(server: Server, count: int, seed: int) -> tuple[int, int]:
    """`count` delayed messages and as many leases that run out: the least and the most ms that one came late.

    About 600 fall due in a second, the first when all have been published: one consumer that waits keeps up with
    them, so what is late is the server's doing.
    """
    chance = random.Random(seed)
    name = "timing"
    lates: list[int] = []
    with server.resp() as client, server.resp() as waiting:
        client.ask("QUEUE.CREATE", name, 1_000_000, 120, 1, 5)
        delays = {b"%d" % i: chance.randint(count, 300 + 4 * count) for i in range(count)}
        begun = time.monotonic()
        for payload, delay in delays.items():
            client.ask("QUEUE.PUBLISH", name, payload, "DELAY", delay / 1000)
        first: dict[bytes, int] = {}
        while len(lates) < 2 * count:
            reply = waiting.ask("QUEUE.CONSUME", name, "w", "WAIT", 5)
            assert reply is not None, "a delayed message did not come"
            payload, failures, created, deadline = reply[3], reply[7], reply[13], reply[15]
            if failures == 0:
                lates.append(deadline - 120 - created - delays[payload])
                first[payload] = deadline
            else:
                lates.append(deadline - 120 - first[payload])
                client.ask("QUEUE.ACK", name, reply[1])
        assert time.monotonic() - begun < 30 + count / 50
    return min(lates), max(lates)


# Many consumers.


def crowd(server: Server, consumers: int, messages: int) -> tuple[int, int, float]:
    """(delivered twice, missing, messages a second) of so many consumers at once, nobody crashing."""
    name, depth = "crowd", 8
    with server.resp() as client:
        client.ask("QUEUE.CREATE", name, messages + 1, 3_600_000, 3, 5)
        for start in range(0, messages, 1000):
            part = range(start, min(start + 1000, messages))
            client.ask_all(*(["QUEUE.PUBLISH", name, b"%d" % i, "PRIORITY", i % 10] for i in part))
    selector = selectors.DefaultSelector()
    clients = [server.resp() for _ in range(consumers)]
    for i, client in enumerate(clients):
        selector.register(client.socket, selectors.EVENT_READ, (client, b"c%d" % i))
        client.send_bytes(command("QUEUE.CONSUME", name, b"c%d" % i) * depth)
    seen = bytearray(messages)
    twice = 0
    begun = time.monotonic()
    left = set(range(consumers))
    while left:
        for key, _ in selector.select(5):
            client, who = key.data
            replies = [client.read() for _ in range(depth)]
            told = [reply for reply in replies if reply is not None]
            for reply in told:
                twice += seen[int(reply[3])]
                seen[int(reply[3])] = 1
            if not told:
                selector.unregister(client.socket)
                left.discard(int(who[1:]))
                continue
            for answer in client.ask_all(*(["QUEUE.ACK", name, reply[1]] for reply in told)):
                assert answer == b"OK", answer
            client.send_bytes(command("QUEUE.CONSUME", name, who) * depth)
    seconds = time.monotonic() - begun
    for client in clients:
        client.close()
    return twice, messages - sum(seen), messages / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--kind", choices=EVERY, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("always", "periodic", "never"), default="always")
    parser.add_argument("--timing", type=int, default=0)
    parser.add_argument("--consumers", type=int, default=50)
    parser.add_argument("--messages", type=int, default=0)
    given = parser.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory() as folder, closing(Zygote()) as zygote:
        for kind in (given.kind or EVERY) if given.steps else ():
            begun = time.monotonic()
            found = run(zygote, Path(folder) / kind, kind, given.steps, given.seed, given.mode)
            print(f"{kind}: {found.steps} steps, {found.crashes} crashes, {found.cut} carried out without an answer, "
                  f"{len(found.wrong)} wrong, {time.monotonic() - begun:.0f} s", flush=True)  # fmt: skip
            print(*found.wrong[:5], sep="\n")
            wrong = wrong or bool(found.wrong)
        if given.timing or given.messages:
            server = Server(zygote, Path(folder) / "clock", {}).start()
            try:
                if given.timing:
                    early, late = timing(server, given.timing, given.seed)
                    print(f"timing: {given.timing} delays and leases, {early} to {late} ms late")
                    wrong = wrong or early < 0 or late > LATE_MS_MAX
                if given.messages:
                    twice, missing, rate = crowd(server, given.consumers, given.messages)
                    print(f"{given.consumers} consumers: {given.messages} messages, {twice} twice, {missing} missing,"
                          f" {rate:,.0f} a second")  # fmt: skip
                    wrong = wrong or bool(twice or missing)
            finally:
                server.end()
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())


