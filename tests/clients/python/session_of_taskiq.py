"""taskiq over Redis: brokers over streams and over lists, results, schedules, and a worker that is killed.

The workers import this file as their program.
"""

import asyncio
import datetime
import os
from typing import Any

import redis.asyncio as redis
from sessions import HOST, kill, run, worker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisScheduleSource, RedisStreamBroker

TASKS = 200


def programs(port: int | str) -> dict[str, Any]:
    url = f"redis://{HOST}:{port}"
    stream = RedisStreamBroker(url, queue_name="stream", idle_timeout=500, xread_block=100)
    made = {"stream": stream, "list": ListQueueBroker(url, queue_name="list")}
    for name, broker in made.items():
        broker.with_result_backend(RedisAsyncResultBackend(url, result_ex_time=60, prefix_str=name))
        broker.register_task(square, task_name="square")
        broker.register_task(waits, task_name="waits")
        broker.register_task(fails, task_name="fails")
    return made


async def square(number: int) -> int:
    return number * number


async def fails() -> None:
    raise ValueError("no")


async def waits() -> str:
    client = redis.Redis(host=HOST, port=int(os.environ["PORT"]))
    while not await client.exists("go on"):
        await asyncio.sleep(0.02)
    await client.aclose()
    return "done"


async def talk(port: int) -> None:
    client = redis.Redis(host=HOST, port=port)
    await client.flushall()
    for name, broker in programs(port).items():
        words = ("taskiq", "worker", f"session_of_taskiq:{name}", "-w", "1", "--log-level", "ERROR")
        await broker.startup()
        ask = {task: broker.find_task(task) for task in ("square", "waits", "fails")}
        held = None
        if name == "stream":  # only this broker knows of acks
            held = await ask["waits"].kiq()
            with worker(port, *words) as first:
                while not (await client.xpending("stream", "taskiq"))["pending"]:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)  # a worker that is killed while it claims leaves a lock for ever
                kill(first)
        await client.set("go on", 1)
        asked = [await ask["square"].kiq(n) for n in range(TASKS)]
        failed = await ask["fails"].kiq()
        with worker(port, *words):
            results = [await one.wait_result(timeout=30, check_interval=0.02) for one in asked]
            assert [each.return_value for each in results] == [n * n for n in range(TASKS)]
            told = await failed.wait_result(timeout=20, check_interval=0.02)
            assert told.is_err and str(told.error) == "no"
            if held is not None:
                assert (await held.wait_result(timeout=30, check_interval=0.02)).return_value == "done"
                while (await client.xpending("stream", "taskiq"))["pending"]:
                    await asyncio.sleep(0.02)
        source = RedisScheduleSource(f"redis://{HOST}:{port}", prefix=f"schedules-{name}")
        at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        made = [await ask["square"].schedule_by_time(source, at, n) for n in range(20)]
        assert {each.schedule_id for each in await source.get_schedules()} == {each.schedule_id for each in made}
        for each in made:
            await each.unschedule()
        assert await source.get_schedules() == []
        await source.shutdown()
        await broker.shutdown()
    await client.aclose()


def session(port: int) -> None:
    asyncio.run(talk(port))


if __name__ == "__main__":
    run(session)
else:
    made = programs(os.environ["PORT"])
    stream, list = made["stream"], made["list"]
