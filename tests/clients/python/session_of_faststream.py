"""FastStream over Redis: streams with groups, lists in batches, channels, and a reply to a request."""

import asyncio
from typing import Any

import redis.asyncio as redis
from faststream import FastStream
from faststream.redis import ListSub, RedisBroker, StreamSub
from sessions import HOST, run

COUNT = 300


async def talk(port: int) -> None:
    client = redis.Redis(host=HOST, port=port)
    await client.flushall()
    broker = RedisBroker(f"redis://{HOST}:{port}", logger=None)
    squares: list[int] = []
    workers: dict[str, list[int]] = {"one": [], "two": []}
    batches: list[list[int]] = []
    heard: list[str] = []

    @broker.subscriber(stream=StreamSub("numbers", last_id="0"))
    @broker.publisher(stream="squares")
    async def square(number: int) -> int:
        return number * number

    @broker.subscriber(stream=StreamSub("squares", last_id="0", batch=True, max_records=50))
    async def collect(numbers: list[int]) -> None:
        squares.extend(numbers)

    @broker.subscriber(stream=StreamSub("jobs", group="workers", consumer="one", polling_interval=50))
    async def first(number: int) -> None:
        workers["one"].append(number)

    @broker.subscriber(stream=StreamSub("jobs", group="workers", consumer="two", polling_interval=50))
    async def second(number: int) -> None:
        workers["two"].append(number)

    @broker.subscriber(list=ListSub("lots", batch=True, max_records=10, polling_interval=0.05))
    async def take(numbers: list[int]) -> None:
        batches.append(numbers)

    @broker.subscriber(channel="news.{place}")
    async def hear(text: str) -> None:
        heard.append(text)

    @broker.subscriber(stream=StreamSub("questions", last_id="$"))
    async def answer(text: str) -> str:
        return text.upper()

    app = FastStream(broker)
    running = asyncio.create_task(app.run())
    await until(lambda: broker.running)
    await asyncio.sleep(0.2)  # until the subscribers have asked for the first time
    for number in range(COUNT):
        await broker.publish(number, stream="numbers")
        await broker.publish(number, stream="jobs")
    await broker.publish_batch(*range(95), list="lots")
    await broker.publish("3:1", channel="news.sport")
    told = await broker.request("what?", stream="questions", timeout=10)
    assert await told.decode() == "WHAT?"
    await until(lambda: len(squares) == COUNT and sum(map(len, workers.values())) == COUNT)
    await until(lambda: sum(map(len, batches)) == 95 and heard == ["3:1"])
    assert squares == [n * n for n in range(COUNT)]
    assert sorted(workers["one"] + workers["two"]) == list(range(COUNT))
    assert [number for batch in batches for number in batch] == list(range(95)) and len(batches) < 95
    assert (await client.xpending("jobs", "workers"))["pending"] == 0
    app.exit()
    await running
    await client.aclose()


async def until(check: Any, seconds: float = 20.0) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.01)


def session(port: int) -> None:
    asyncio.run(talk(port))


if __name__ == "__main__":
    run(session)
