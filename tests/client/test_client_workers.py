"""Workers of a queue by both clients: renewal, concurrency, failures, a graceful stop, and messages leased ahead."""

import os
import signal
import threading
import time
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from synap.client import Client, LocalProtocolError, Refused
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server, eventually

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


async def until(check: Any, seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    with anyio.fail_after(seconds):
        while not check():
            await anyio.sleep(0.01)


def working(kind: str, body: Any) -> Any:
    """A body for this kind of client, made of one that is a coroutine function or a function."""
    if kind == "sync":
        return body

    async def awaited(message: Any) -> None:
        body(message)
        await anyio.sleep(0)

    return awaited


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_does_everything_once(kind: str, node: Server) -> None:
    """What fails comes again, what the body settles is left alone."""
    done: list[bytes] = []

    def body(message: Any) -> None:
        if message.payload == b"7" and message.retry_count < 2:
            raise ValueError("not yet")
        if message.payload == b"8":
            message.settled = True  # as an ack or a nack does it
        done.append(message.payload)

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(ack_deadline_s=30))
        await got(queue.publish_many(range(500)))
        worker = queue.worker(working(kind, body), "me", concurrency=4, prefetch=50, wait_s=0.2)
        async with within(worker):
            await until(lambda: len(done) == 500)
        assert sorted(map(int, done)) == list(range(500))
        stats = await got(queue.stats())
        assert (stats["acked"], stats["pending"], stats["nacked"], stats["depth"]) == (499, 1, 2, 0)
        assert (worker.tally.acked, worker.tally.nacked, worker.tally.late) == (499, 2, 0)
        await got(queue.publish("7", max_retries=0))
        async with within(queue.worker(working(kind, body), "me", wait_s=0.1)) as worker:
            await until(lambda: worker.tally.nacked == 1)
        (dead,) = await got(queue.dead())
        assert dead.history[-1].reason == "ValueError: not yet"

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_lease_is_renewed_while_the_body_runs(kind: str, node: Server) -> None:
    """Also that of a message which waits for a body. Nobody else gets one, and none fails."""
    seen: list[int] = []

    def slow(message: Any) -> None:
        time.sleep(1.2)
        seen.append(message.retry_count)

    async def slow_too(message: Any) -> None:
        await anyio.sleep(1.2)
        seen.append(message.retry_count)

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(ack_deadline_s=0.6, max_retries=0))
        await got(queue.publish_many("abc"))
        worker = queue.worker(slow if kind == "sync" else slow_too, "me", concurrency=2, prefetch=5, wait_s=0.2)
        async with within(worker):
            await until(lambda: len(seen) == 3)
        stats = await got(queue.stats())
        assert seen == [0, 0, 0] and (stats["acked"], stats["dead"], worker.tally.late) == (3, 0, 0)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_ends_what_runs_and_gives_the_rest_back(kind: str, node: Server) -> None:
    """Uncounted: with no retries left, a failure would make a dead letter."""
    begun: list[bytes] = []
    done: list[bytes] = []

    async def body(message: Any) -> None:
        begun.append(message.payload)
        await anyio.sleep(0.5)
        done.append(message.payload)

    def blocking(message: Any) -> None:
        begun.append(message.payload)
        time.sleep(0.5)
        done.append(message.payload)

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(max_retries=0))
        await got(queue.publish_many(range(40)))
        worker = queue.worker(blocking if kind == "sync" else body, "me", concurrency=3, prefetch=20, wait_s=0.2)
        async with within(worker):
            await until(lambda: len(begun) == 3)
            assert (await got(queue.stats()))["pending"] > 10
        stats = await got(queue.stats())
        assert sorted(done) == sorted(begun) and len(done) == 3
        assert (stats["acked"], stats["depth"], stats["pending"], stats["dead"]) == (3, 37, 0, 0)
        assert worker.tally.given_back == 20
        rest = [message.payload async for message in each(queue.consume("other", until_empty=True))]
        assert [int(payload) for payload in rest] == list(range(3, 40)), "in the order in which they were published"

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_worker_that_is_cut_off_for_too_long(kind: str, node: Server) -> None:
    """A killed server ends no lease; a body that outlasts its lease meanwhile is late, and its ack fenced."""
    seen: list[int] = []

    def body(message: Any) -> None:
        seen.append(message.retry_count)
        if message.retry_count == 0:
            node.kill9()
            time.sleep(1.2)
            node.start()

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(ack_deadline_s=0.6))
        await got(queue.publish("x"))
        worker = queue.worker(working(kind, body), "me", wait_s=0.2)
        async with within(worker):
            await until(lambda: len(seen) == 2)
        assert seen == [0, 1] and (worker.tally.late, worker.tally.acked) == (1, 1)

    run(kind, node.resp_port, scenario, attempts=1000, **QUICK)


def test_a_worker_runs_until_it_is_told_to_stop(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        queue = asked.queue("jobs")
        queue.create()
        queue.publish_many("ab")
        done: list[bytes] = []
        worker = queue.worker(lambda message: done.append(message.payload), "me", wait_s=0.2)
        before = signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        try:
            threading.Thread(target=lambda: (eventually(lambda: len(done) == 2), os.kill(os.getpid(), 15))).start()
            worker.run()
        finally:
            signal.signal(signal.SIGTERM, before)
        assert done == [b"a", b"b"] and queue.stats()["acked"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_told(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        for wrong in ({"concurrency": 0}, {"prefetch": -1}, {"wait_s": 0}):
            with pytest.raises(LocalProtocolError, match=next(iter(wrong))):
                queue.worker(print, "me", **wrong)
        with pytest.raises(LocalProtocolError, match="prefetch"):
            _ = [message async for message in each(queue.consume("me", prefetch=0))]

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_ends_a_worker(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: b"-ERR no such thing\r\n")

    async def scenario(asked: Any) -> None:
        with pytest.raises(Refused, match="no such thing"):
            await got(asked.queue("jobs").worker(print, "me", concurrency=3).run())

    run(kind, scripted.port, scenario)


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_cancelled_worker_gives_back(kind: str, node: Server) -> None:
    begun: list[bytes] = []

    async def body(message: Any) -> None:
        begun.append(message.payload)
        await anyio.sleep(60)

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await queue.create(max_retries=3)
        await queue.publish_many("abcdef")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.worker(body, "me", concurrency=2, prefetch=2).run)
            await until(lambda: len(begun) == 2)
            tasks.cancel_scope.cancel()
        stats = await queue.stats()
        assert (stats["pending"], stats["depth"], stats["nacked"]) == (0, 6, 2)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_an_iterator_leases_ahead_and_gives_back(kind: str, node: Server) -> None:
    """A fast body takes many at a time; what the loop did not reach has not failed."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(max_retries=0, ack_deadline_s=1))
        await got(queue.publish_many(range(300)))
        consumer = queue.consume("me", prefetch=64)
        async with within(consumer), aclosing(each(consumer)) as messages:
            seen = [int((await anext(messages)).payload) for _ in range(200)]
            assert (await got(queue.stats()))["pending"] > 1
        tally, stats = consumer.tally, await got(queue.stats())
        assert seen == list(range(200)) and tally.given_back > 0
        assert (stats["acked"], stats["dead"], stats["pending"], stats["depth"]) == (199, 1, 0, 100)

        consumer = queue.consume("me", until_empty=True, prefetch=64)
        seen = []
        async for message in each(consumer):
            seen.append(int(message.payload))
            if len(seen) == 20:
                await anyio.sleep(0.4)  # more than a third of a lease: those that wait are renewed
        assert seen == list(range(200, 300)) and consumer.tally.acked == 100 and consumer.tally.lapsed == 0

        await got(queue.publish_many(range(40)))
        consumer = queue.consume("me", until_empty=True, prefetch=64)
        seen = []
        async for message in each(consumer):
            seen.append(int(message.payload))
            if len(seen) == 20:
                await anyio.sleep(1.2)  # longer than a lease
        assert seen == list(range(20)) and consumer.tally.lapsed + consumer.tally.late >= 1

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_acks_of_an_iterator_have_the_durability_of_its_client(kind: str, node: Server) -> None:
    """Also those that are under way while the body runs."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create())
        await got(queue.publish_many(range(300)))
        consumer = asked.with_durability("fsync").queue("jobs").consume("me", until_empty=True, prefetch=64)
        async with within(consumer):
            seen = [int(message.payload) async for message in each(consumer)]
            assert consumer._runner.own.durability == "fsync"
        assert seen == list(range(300)) and consumer.tally.acked == 300
        worker = asked.with_durability("fsync").queue("jobs").worker(print, "me")
        assert worker._runners()._durability == "fsync"

    run(kind, node.resp_port, scenario)
