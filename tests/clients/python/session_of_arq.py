"""arq: jobs with retries, delays and ids of their own, a worker that is killed, and results."""

import asyncio
import os
from typing import Any

from arq import Retry, create_pool
from arq.connections import RedisSettings
from arq.jobs import JobStatus
from sessions import HOST, kill, run, worker

JOBS = 200


async def square(context: dict[str, Any], number: int) -> int:
    return number * number


async def later(context: dict[str, Any], number: int) -> int:
    if context["job_try"] < 3:
        raise Retry(defer=0.05)
    return context["job_try"] * number


async def fails(context: dict[str, Any]) -> None:
    raise ValueError("no")


async def waits(context: dict[str, Any]) -> str:
    """Wait until there is a key `go on`: the worker is killed meanwhile."""
    while not await context["redis"].exists("go on"):
        await asyncio.sleep(0.02)
    return "done"


class WorkerSettings:
    """What `arq session_of_arq.WorkerSettings` carries out."""

    functions = [square, later, fails, waits]
    redis_settings = RedisSettings(HOST, int(os.environ.get("PORT", "6379")))
    poll_delay = 0.05
    max_jobs = 20
    max_tries = 5
    job_timeout = 2  # a job of a killed worker is taken again after this, and 10 s


async def talk(port: int) -> None:
    pool = await create_pool(RedisSettings(HOST, port))
    await pool.flushall()
    held = await pool.enqueue_job("waits")
    with worker(port, "arq", "session_of_arq.WorkerSettings") as first:
        while await held.status() != JobStatus.in_progress:
            await asyncio.sleep(0.02)
        kill(first)
    await pool.set("go on", 1)
    jobs = [await pool.enqueue_job("square", n, _job_id=f"square-{n}") for n in range(JOBS)]
    assert await pool.enqueue_job("square", 7, _job_id="square-7") is None, "it is there already"
    tried = await pool.enqueue_job("later", 5)
    failed = await pool.enqueue_job("fails")
    delayed = await pool.enqueue_job("square", 9, _defer_by=0.5)
    assert await delayed.status() == JobStatus.deferred and len(await pool.queued_jobs()) == JOBS + 4
    with worker(port, "arq", "session_of_arq.WorkerSettings"):
        assert [await job.result(timeout=30, poll_delay=0.02) for job in jobs] == [n * n for n in range(JOBS)]
        assert await tried.result(timeout=20, poll_delay=0.02) == 15
        assert await delayed.result(timeout=20, poll_delay=0.02) == 81
        try:
            await failed.result(timeout=20, poll_delay=0.02)
        except ValueError as error:
            assert str(error) == "no"
        else:
            raise AssertionError("a job that fails has a result")
        assert await held.result(timeout=30, poll_delay=0.05) == "done"
    assert len(await pool.all_job_results()) == JOBS + 4
    await pool.aclose()


def session(port: int) -> None:
    asyncio.run(talk(port))


if __name__ == "__main__":
    run(session)
