"""Queues by both clients: what is acked and what comes back, and a server that is killed in the middle."""

import gc
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from synap.client import AsyncClient, Client, LocalProtocolError, OutcomeUnknown, Refused
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, client, each, got, run, run_all, within
from tests.server.clients import Server, eventually

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


@pytest.mark.parametrize("kind", KINDS)
def test_the_calls(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        assert await got(queue.create(max_depth=3, ack_deadline_s=20, max_retries=2, priority=4)) is True
        assert await got(queue.create()) is False
        assert await got(asked.queues()) == ["jobs"]
        first = await got(queue.publish("low", priority=1, max_retries=7, headers={"a": ["\u00e4", 1]}))
        await got(queue.publish(b"\xff", priority=9))
        message = await got(queue.take("me"))
        assert (message.payload, message.priority, message.headers, message.retry_count) == (b"\xff", 9, {}, 0)
        assert message.deadline - message.created_at >= 20_000
        await got(message.ack())
        assert message.settled
        with pytest.raises(Refused, match="LATE"):
            await got(message.ack())
        message = await got(queue.take("me", wait_s=0.1))
        assert (message.id, message.max_retries, message.headers) == (first, 7, {"a": ["\u00e4", 1]})
        await got(message.nack())
        message = await got(queue.take("me"))
        assert message.id == first and message.retry_count == 1
        await got(message.nack(requeue=False))
        assert await got(queue.take("me")) is None and await got(queue.take("me", wait_s=0.05)) is None
        assert [dead.id for dead in await got(queue.dead())] == [first]
        assert await got(queue.revive(first)) == 1 and await got(queue.revive()) == 0
        stats = await got(queue.stats())
        assert (stats["depth"], stats["acked"], stats["published"], stats["max_depth"]) == (1, 1, 2, 3)
        await got(queue.publish("x"))
        await got(queue.publish("x"))
        with pytest.raises(Refused, match="full"):
            await got(queue.publish("x"))
        assert await got(queue.purge()) == 3
        await got(queue.publish('{"a": 1}', delay_s=0.2))
        assert await got(queue.take("me")) is None
        assert (await got(queue.take("me", wait_s=5))).json() == {"a": 1}
        assert await got(queue.delete()) is True and await got(queue.delete()) is False
        with pytest.raises(Refused, match="no such queue"):
            await got(queue.publish("x"))
        assert await got(queue.take("me")) is None  # like an empty one
        assert [message async for message in each(queue.consume("me", until_empty=True))] == []
        with pytest.raises(LocalProtocolError, match="above 0"):
            _ = [message async for message in each(queue.consume("me", wait_s=0))]

    run(kind, node.resp_port, scenario)


def test_retries_that_wait(serve: Callable[..., Server]) -> None:
    """In steps of 0.3 s, up to 0.6 s; what is shown is a message that is not leased."""

    async def scenario(asked: Any, _: Server) -> None:
        queue = asked.queue("slow")
        assert await got(queue.create(max_retries=3, backoff="LINEAR", backoff_ms=300, backoff_max_ms=600, jitter=0))
        name = await got(queue.publish("x", headers={"a": 1}))
        for wait in (300, 600, 600):
            message = await got(queue.take("me", wait_s=5))
            before = time.time() * 1000
            await got(message.nack())
            after = time.time() * 1000
            (shown,) = await got(queue.delayed())
            assert type(shown) is type(message) and (shown.id, shown.payload, shown.headers) == (name, b"x", {"a": 1})
            assert before + wait - 50 <= shown.deadline <= after + wait + 50
            with pytest.raises(LocalProtocolError, match="only shown"):
                await got(shown.ack())
            assert await got(queue.take("me")) is None and not shown.settled
        message = await got(queue.take("me", wait_s=5))
        await got(message.nack())
        (dead,) = await got(queue.dead())
        assert (dead.id, dead.retry_count, dead.receipt) == (name, 4, None) and await got(queue.delayed()) == []
        assert await got(queue.cancel(name)) is False
        later = [await got(queue.publish(f"in {delay}", delay_s=delay)) for delay in (90, 60, 120)]
        assert [each.id for each in await got(queue.delayed())] == [later[1], later[0], later[2]]
        assert [each.payload for each in await got(queue.delayed(1))] == [b"in 60"]
        assert await got(queue.cancel(later[0])) is True and await got(queue.cancel(later[0])) is False
        assert [each.id for each in await got(queue.delayed())] == [later[1], later[2]]
        with pytest.raises(LocalProtocolError, match="BACKOFF"):
            await got(asked.queue("other").create(backoff="FIXED"))
        with pytest.raises(Refused):
            await got(asked.queue("other").create(backoff="FIXED", backoff_ms=5, jitter=101))

    run_all(serve, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_paused_queue(kind: str, node: Server) -> None:
    """Publishing and peeking go on; the pause outlasts a kill, and whoever waits is served after it."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create())
        first = await got(queue.publish("a"))
        assert await got(queue.pause()) is True and await got(queue.pause()) is False
        await got(queue.publish("b", priority=9))
        assert await got(queue.take("me")) is None and await got(queue.take_many("me", 2, wait_s=0.05)) == []
        peeked = await got(queue.peek())
        assert [each.payload for each in peeked] == [b"b", b"a"]
        assert (peeked[1].id, peeked[1].receipt, peeked[1].deadline) == (first, None, 0)
        assert [each.payload for each in await got(queue.peek(1))] == [b"b"]
        node.restart()
        assert await got(queue.take("me", wait_s=0.05)) is None and (await got(queue.stats()))["depth"] == 2

        taken: list[Any] = []

        async def wait() -> None:
            async with within(client("asyncio" if kind == "sync" else kind, node.resp_port)) as other:
                taken.append(await got(other.queue("jobs").take("other", wait_s=10)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            while node.info("clients")["blocked_clients"] != "1":
                await anyio.sleep(0.01)
            assert await got(queue.pause(resume=True)) is True
        assert taken[0].payload == b"b" and (await got(queue.take("me"))).payload == b"a"
        assert await got(queue.pause(resume=True)) is False

    run(kind, node.resp_port, scenario, **QUICK)


def test_retries_after_a_kill(serve: Callable[..., Server]) -> None:
    """The server has the same waits, jitter included, and the next failure is counted on."""

    async def scenario(asked: Any, server: Server) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(backoff="EXPONENTIAL", backoff_ms=2000, jitter=50))
        for i in range(20):
            await got(queue.publish(f"{i}"))
        for message in await got(queue.take_many("me", 20)):
            await got(message.nack())
        before = [(each.id, each.deadline, each.retry_count) for each in await got(queue.delayed())]
        assert len(before) == 20 and max(each[1] for each in before) - min(each[1] for each in before) > 300
        server.restart()
        after = [(each.id, each.deadline, each.retry_count) for each in await got(queue.delayed())]
        assert after == before[-len(after) :], "the first ones may be ready by now"
        message = await got(queue.take("me", wait_s=5))
        assert message.id == before[0][0] and message.retry_count == 1
        await got(message.nack())
        again = [each for each in await got(queue.delayed()) if each.id == message.id]
        assert again[0].retry_count == 2 and again[0].deadline > time.time() * 1000 + 1000

    run_all(serve, scenario, **QUICK)


def test_a_lease_is_renewed(serve: Callable[..., Server]) -> None:
    """It ends when it is renewed no more, and then there is none to renew."""

    async def scenario(asked: Any, _: Server) -> None:
        queue = asked.queue("long")
        await got(queue.create(ack_deadline_s=1.5))
        await got(queue.publish("renewed"))
        await got(queue.publish("left"))
        message, other = await got(queue.take("me")), await got(queue.take("you"))
        first = message.deadline
        for _ in range(4):
            await anyio.sleep(0.4)  # a second less than the deadline, for a busy machine
            assert await got(message.renew()) == message.deadline > first
        again = await got(queue.take("third", wait_s=5))
        assert (again.id, again.retry_count) == (other.id, 1) and message.deadline > again.created_at + 3000
        with pytest.raises(Refused, match="LATE"):
            await got(other.renew())
        await got(message.ack())
        with pytest.raises(Refused, match="LATE"):
            await got(message.renew())

    run_all(serve, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_in_a_pipeline_and_decoded(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.pipeline()) as batch:
            queue = batch.queue("jobs")
            queue.create()
            found = [queue.publish(f"p{i}") for i in range(50)]
        assert len({later.value for later in found}) == 50
        messages = [message async for message in each(asked.queue("jobs").consume("me", until_empty=True))]
        assert [message.payload for message in messages] == [f"p{i}" for i in range(50)]
        assert (await got(asked.queue("jobs").stats()))["acked"] == 50

    run(kind, node.resp_port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_loop_did_decides(kind: str, node: Server) -> None:
    """Done: acked. Settled by hand: left alone. Left by break or an exception: given back."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(max_retries=9))
        for name in ("done", "continued", "dropped", "acked", "broken"):
            await got(queue.publish(name))
        consumer = queue.consume("me", until_empty=True)
        async with within(consumer), aclosing(each(consumer)) as messages:
            async for message in messages:
                if message.payload == b"continued":
                    continue
                if message.payload == b"dropped":
                    await got(message.nack(requeue=False))
                if message.payload == b"acked":
                    await got(message.ack())
                if message.payload == b"broken":
                    break
        assert (consumer.tally.acked, consumer.tally.nacked, consumer.tally.late) == (2, 1, 0)
        stats = await got(queue.stats())
        assert (stats["depth"], stats["pending"], stats["dead"], stats["acked"]) == (1, 0, 1, 3)

        with pytest.raises(ZeroDivisionError):
            async with within(queue.consume("me")) as messages, aclosing(each(messages)) as found:
                async for message in found:
                    assert message.payload == b"broken" and message.retry_count == 1
                    _ = 1 // 0
        stats = await got(queue.stats())
        assert (stats["depth"], stats["pending"]) == (1, 0)

        async with within(queue.consume("me", until_empty=True)) as messages:
            async for message in each(messages):
                await got(message.ack())
                break_after = message.retry_count
        assert break_after == 2 and (await got(queue.stats()))["acked"] == 4

    run(kind, node.resp_port, scenario)


def test_a_plain_loop_gives_back_too(node: Server) -> None:
    with client("sync", node.resp_port) as asked:
        queue = asked.queue("jobs")
        queue.create(max_retries=9)
        queue.publish("x")
        for message in queue.consume("me"):
            assert message.payload == b"x"
            break
        del message
        assert queue.stats()["pending"] == 0

        def fails() -> None:
            for message in queue.consume("me"):
                raise ZeroDivisionError(message.retry_count)

        with pytest.raises(ZeroDivisionError, match="1"):
            fails()
        assert queue.stats()["pending"] == 0 and queue.take("me").retry_count == 2


def test_a_plain_loop_of_a_task_warns(node: Server) -> None:
    async def scenario() -> None:
        async with AsyncClient("127.0.0.1", node.resp_port) as asked:
            queue = asked.queue("jobs")
            await queue.create()
            await queue.publish("x")
            async for _ in queue.consume("me"):
                break
            gc.collect()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        anyio.run(scenario)
    assert any("async with" in str(warning.message) for warning in told)


def test_a_late_ack_is_counted_and_the_loop_goes_on(serve: Callable[..., Server]) -> None:
    async def scenario(asked: Any, _: Server) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(ack_deadline_s=0.1))
        await got(queue.publish("slow"))
        seen = []
        consumer = queue.consume("me", wait_s=0.5)
        async with within(consumer), aclosing(each(consumer)) as messages:
            async for message in messages:
                seen.append(message.retry_count)
                if len(seen) == 2:
                    await got(message.ack())
                    break
                await anyio.sleep(0.4)
        assert seen == [0, 1] and consumer.tally.late == 1

    run_all(serve, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_publisher_does_not_know(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: None)

    async def scenario(asked: Any) -> None:
        with pytest.raises(OutcomeUnknown, match=r"QUEUE\.PUBLISH was sent"):
            await got(asked.queue("jobs").publish("x"))

    run(kind, scripted.port, scenario, **QUICK)
    assert scripted.heard == [[b"QUEUE.PUBLISH", b"jobs", b"x"]]


def leased(number: int) -> bytes:
    """What QUEUE.CONSUME answers."""
    parts = b"$2\r\nm%d\r\n$1\r\np\r\n:5\r\n:0\r\n:3\r\n_\r\n:1\r\n:2\r\n$4\r\nm%d:1\r\n_\r\n_\r\n"
    return b"*11\r\n" + parts % (number, number)


@pytest.mark.parametrize("kind", KINDS)
def test_an_ack_that_broke_is_sent_again_and_is_then_no_news(kind: str, scripted: Scripted) -> None:
    def answers(number: int, words: list[bytes]) -> bytes | None:
        if words[0] == b"QUEUE.ACK":
            return None if number == 1 else b"-LATE The lease of this receipt has ended\r\n"
        return leased(1) if number == 1 else b"_\r\n"

    scripted.answering(answers)

    async def scenario(asked: Any) -> None:
        consumer = asked.queue("jobs").consume("me", until_empty=True)
        assert [message.id async for message in each(consumer)] == ["m1"]
        assert (consumer.tally.acked, consumer.tally.late, consumer.tally.unsure) == (0, 0, 1)

    run(kind, scripted.port, scenario, **QUICK)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_consumers_work(kind: str, node: Server) -> None:
    """The loop goes on over two kills; every message is done at least once, and acked once each."""
    count = 400
    done: list[bytes] = []

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(ack_deadline_s=1.0, max_retries=100))
        async with within(asked.pipeline()) as batch:
            for i in range(count):
                batch.queue("jobs").publish(i)
        kills = iter((50, 150, None))
        at = next(kills)
        consumer = queue.consume("me", wait_s=0.3)
        async with within(consumer), aclosing(each(consumer)) as messages:
            async for message in messages:
                done.append(message.payload)
                if at is not None and len(done) >= at:
                    threading.Thread(target=node.restart).start()  # while acks and leases are on their way
                    at = next(kills)
                if len(set(done)) == count:
                    await got(message.ack())
                    break
        stats = await got(queue.stats())
        assert (stats["acked"] + stats["depth"], stats["dead"]) == (count, 0)
        assert stats["depth"] <= consumer.tally.unsure + consumer.tally.late  # done, and acked too late or in a crash
        assert consumer.tally.acked + consumer.tally.unsure + consumer.tally.late + 1 >= count

    run(kind, node.resp_port, scenario, attempts=50, reconnects=10_000, **QUICK)
    assert sorted(map(int, set(done))) == list(range(count))


def test_workers_share_a_queue(node: Server) -> None:
    """Many threads with one client: every message is done once, since nobody crashes."""
    done: list[int] = []
    with Client("127.0.0.1", node.resp_port) as asked:
        asked.queue("jobs").create()
        with asked.pipeline() as batch:
            for i in range(1000):
                batch.queue("jobs").publish(i)

        def work(name: str) -> None:
            for message in asked.queue("jobs").consume(name, until_empty=True):
                done.extend([int(message.payload)])

        threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == list(range(1000)) and asked.queue("jobs").stats()["acked"] == 1000


def test_a_worker_that_waits_is_woken(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        queue = asked.queue("jobs")
        queue.create()
        found: list[float] = []

        def work() -> None:
            for message in queue.consume("me", wait_s=30):
                found.append(time.monotonic())
                message.ack()
                return

        thread = threading.Thread(target=work)
        thread.start()
        eventually(lambda: not asked._pool._idle)
        time.sleep(0.05)
        before = time.monotonic()
        queue.publish("x")
        thread.join(10)
        assert found and found[0] - before < 2
