"""Producers by both clients: what is gathered, in which order it arrives, and errors of single records."""

import threading
from typing import Any

import anyio
import pytest

from synap.client import ClientError, LocalProtocolError, OutcomeUnknown, Refused
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


@pytest.mark.parametrize("kind", KINDS)
def test_messages_and_records_arrive_in_order(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        queue, topic = asked.queue("jobs"), asked.topic("orders")
        await got(queue.create(max_depth=5000))
        await got(topic.create(partitions=2))
        async with within(queue.producer(batch=64)) as producer, within(topic.producer(batch=64)) as other:
            found = [await got(producer.publish(n, priority=9 if n == 3 else None)) for n in range(1000)]
            placed = [await got(other.publish("made", n, key=f"k{n % 7}")) for n in range(500)]
            await got(producer.flush())
            assert len({later.value for later in found}) == 1000
        assert all(later.value[1] < 500 for later in placed)
        seen = [int(message.payload) async for message in each(queue.consume("me", until_empty=True))]
        assert seen == [3, *range(3), *range(4, 1000)]
        records = await got(topic.read(limit=500))
        assert sorted(int(record.data) for record in records) == list(range(500))
        for key in {record.key for record in records}:
            mine = [int(record.data) for record in records if record.key == key]
            assert mine == sorted(mine)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_several_batches_at_once_and_few_pending(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create())
        async with within(queue.producer(batch=10, in_flight=4, pending_max=20, linger_s=0)) as producer:
            for n in range(1000):
                await got(producer.publish(n))
                assert producer._gathering.made - producer._gathering.done <= 21
        seen = [int(message.payload) async for message in each(queue.consume("me", until_empty=True))]
        assert sorted(seen) == list(range(1000))
        with pytest.raises(ClientError, match="closed"):
            await got(producer.publish("late"))
        for wrong in ({"batch": 0}, {"in_flight": 0}, {"linger_s": -1}, {"pending_max": 5}):
            with pytest.raises(LocalProtocolError, match=next(iter(wrong))):
                queue.producer(**wrong)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_refused(kind: str, node: Server) -> None:
    """The others of its batch are added, and `flush` tells of it once."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(max_depth=3))
        async with within(queue.producer(linger_s=5)) as producer:
            found = [await got(producer.publish(n)) for n in range(5)]
            with pytest.raises(Refused, match="full"):
                await got(producer.flush())
            await got(producer.flush())
            assert [isinstance(later._error, Refused) for later in found] == [False, False, False, True, True]
            with pytest.raises(Refused, match="full"):
                _ = found[4].value
        with pytest.raises(Refused, match="full"):
            async with within(queue.producer()) as producer:
                await got(producer.publish("x"))

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_little_is_sent_after_a_while(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create())
        async with within(queue.producer(linger_s=0.05)) as producer:
            later = await got(producer.publish("x"))
            assert not later.done
            with anyio.fail_after(5):
                while not later.done:
                    await anyio.sleep(0.01)
            assert (await got(queue.stats()))["depth"] == 1

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_connection(kind: str, scripted: Scripted) -> None:
    """Each message of the batch has an unknown outcome, if the producer is not idempotent."""
    scripted.answering(lambda number, words: None)

    async def scenario(asked: Any) -> None:
        producer = asked.queue("jobs").producer(idempotent=False)
        with pytest.raises(OutcomeUnknown):
            async with within(producer):
                found = [await got(producer.publish(n)) for n in range(3)]
        assert [type(later._error) for later in found] == [OutcomeUnknown] * 3

    run(kind, scripted.port, scenario, **QUICK)


@pytest.mark.parametrize("kind", KINDS)
def test_an_idempotent_producer_over_kills(kind: str, node: Server) -> None:
    """Batches are sent again, and every message is there once."""

    async def scenario(asked: Any) -> None:
        queue = asked.queue("jobs")
        await got(queue.create(max_depth=10_000))
        async with within(queue.producer(batch=50, pending_max=200)) as producer:
            for n in range(2000):
                if n in (500, 1500):
                    threading.Thread(target=node.restart).start()
                found = await got(producer.publish(n, dedup="mine" if n == 7 else None))
        assert found.value
        assert await got(queue.publish("again", dedup="mine")) and (await got(queue.stats()))["depth"] == 2000
        seen = [int(message.payload) async for message in each(queue.consume("me", until_empty=True))]
        assert seen == list(range(2000))

    run(kind, node.resp_port, scenario, attempts=1000, **QUICK)
