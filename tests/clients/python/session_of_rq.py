"""RQ: jobs with retries, dependencies, delays and results; workers that fork, and one that is killed."""

import time
from datetime import timedelta
from typing import Any

import redis
import rq
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from sessions import HOST, eventually, kill, run, worker

JOBS = 60


def square(number: int) -> int:
    return number * number


def total(*names: str) -> int:
    job = rq.get_current_job()
    assert job is not None
    return sum(each.return_value() for each in job.fetch_dependencies())


def refuse(key: str, times: int) -> int:
    job = rq.get_current_job()
    assert job is not None and job.connection is not None
    tried = int(job.connection.incr(key))
    if tried <= times:
        raise ValueError(f"no {tried}")
    return tried


def wait_for_long() -> None:
    time.sleep(60)


def session(port: int) -> None:
    client: Any = redis.Redis(HOST, port)
    client.flushall()
    high, low = rq.Queue("high", client), rq.Queue("low", client)
    jobs = low.enqueue_many([rq.Queue.prepare_data("session_of_rq.square", (n,), result_ttl=300) for n in range(JOBS)])
    urgent = high.enqueue("session_of_rq.square", 99)
    sum_of_all = low.enqueue("session_of_rq.total", depends_on=jobs[:20])
    tried = high.enqueue("session_of_rq.refuse", "tries", 2, retry=rq.Retry(max=3))
    failed = high.enqueue("session_of_rq.refuse", "fails", 9)
    later = high.enqueue_in(timedelta(seconds=1), "session_of_rq.square", 9)
    assert (len(low), len(high), sum_of_all.get_status()) == (JOBS, 3, rq.job.JobStatus.DEFERRED)
    assert ScheduledJobRegistry(queue=high).get_job_ids() == [later.id]
    words = ("rq.cli", "worker", "-u", f"redis://{HOST}:{port}", "-q", "high", "low")
    with worker(port, *words, "--with-scheduler"), worker(port, *words):
        eventually(lambda: all(job.get_status(refresh=True) == "finished" for job in [*jobs, urgent, tried]), 40)
        assert [job.return_value() for job in jobs] == [n * n for n in range(JOBS)]
        assert urgent.return_value() == 99 * 99 and tried.return_value() == 3
        eventually(lambda: sum_of_all.get_status(refresh=True) == "finished", 30)
        assert sum_of_all.return_value() == sum(n * n for n in range(20))
        eventually(lambda: later.get_status(refresh=True) == "finished", 30)
    assert FailedJobRegistry(queue=high).get_job_ids() == [failed.id]
    result = failed.latest_result()
    assert result is not None and "no 1" in str(result.exc_string)
    assert len(FinishedJobRegistry(queue=low)) == JOBS + 1

    held = low.enqueue("session_of_rq.wait_for_long", job_timeout=100)
    with worker(port, *words) as lost:
        eventually(lambda: held.get_status(refresh=True) == "started")
        kill(lost)
    started = StartedJobRegistry(queue=low)
    assert held.id in started.get_job_ids(cleanup=False)
    assert rq.job.Job.fetch(held.id, client).get_status() == "started"
    failed.requeue()
    assert high.count == 1 and high.empty() == 1
    for queue in (high, low):
        queue.delete(delete_jobs=True)
    assert rq.Queue.all(client) == []


if __name__ == "__main__":
    run(session)
