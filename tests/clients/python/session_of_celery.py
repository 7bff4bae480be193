"""Celery over kombu: a worker dies amid its tasks, and another does the rest.

The workers import this file as their program.
"""

import os
import time
from typing import Any

import redis
from celery import Celery, Task, chain, chord, current_app, group, shared_task
from sessions import HOST, eventually, kill, run, worker

TASKS = int(os.environ.get("TASKS", "300"))
UNSEEN_SECONDS = 1
"""How long a worker may hold a task, before others get it."""


def program(port: int | str) -> Celery:
    url = f"redis://{HOST}:{port}"
    made = Celery("work", broker=f"{url}/0", backend=f"{url}/1")
    made.conf.update(
        task_acks_late=True, worker_prefetch_multiplier=2, result_expires=600, broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False, task_routes={"refuse_twice": "other"}, result_chord_ordered=True,
        broker_transport_options={
            "visibility_timeout": UNSEEN_SECONDS, "unacked_restore_interval": 1, "unacked_restore_throttle": 1,
        },
    )  # fmt: skip
    return made


@shared_task(name="square")
def square(n: int) -> int:
    """From 100 on, none is done before there is a key `go on`."""
    if n >= 100:
        client = current_app.backend.client
        eventually(lambda: client.exists("go on"))
    return n * n


@shared_task(name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@shared_task(name="refuse_twice", bind=True, max_retries=3)
def refuse_twice(self: Task, text: str) -> dict[str, Any]:
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return {"text": text, "retries": self.request.retries}


@shared_task(name="fail")
def fail(text: str) -> None:
    raise ValueError(text)


def session(port: int) -> None:
    broker, results = redis.Redis(HOST, port), redis.Redis(HOST, port, db=1)
    app = program(port)
    tasks = app.tasks
    asked = [tasks["square"].delay(n) for n in range(TASKS)]
    assert broker.llen("celery") == TASKS
    words = ["celery", "-A", "session_of_celery", "worker", "-Q", "celery,other", "--without-gossip",
             "--without-mingle", "-l", "WARNING"]  # fmt: skip
    with worker(port, *words, "--pool", "threads", "-c", "2", "-n", "first@here") as first:
        eventually(lambda: results.dbsize() == 100 and broker.hlen("unacked") == 4)
        kill(first)
    assert broker.zcard("unacked_index") == 4 and broker.llen("celery") == TASKS - 104
    results.set("go on", 1)
    time.sleep(UNSEEN_SECONDS)  # the second worker looks for such tasks as it begins
    with worker(port, *words, "--pool", "solo", "-n", "second@here"):
        assert [one.get(timeout=20) for one in asked] == [n * n for n in range(TASKS)]
        eventually(lambda: not broker.exists("celery", "unacked", "unacked_index"))
        several_steps(app)
        assert app.control.ping(timeout=0.5) == [{"second@here": {"ok": "pong"}}]
    assert 500 < results.ttl(f"celery-task-meta-{asked[0].id}") <= 600
    for one in asked:
        one.forget()
    eventually(lambda: not results.exists(*(f"celery-task-meta-{one.id}" for one in asked)))


def several_steps(app: Celery) -> None:
    """Chains, groups and chords, whose counts are kept by a script; tasks that begin late, try again, or fail."""
    tasks = app.tasks
    one, total = tasks["square"].s, tasks["total"].s
    started = time.monotonic()
    late = tasks["square"].apply_async((9,), countdown=0.5)
    tried = tasks["refuse_twice"].delay("ö" * 1000)
    failed = tasks["fail"].delay("no")
    after = chain(one(2), one(), one())()
    beside = group(one(n) for n in range(30))()
    both = [chord((one(n) for n in range(size)), total())() for size in (1, 5, 40)]
    assert after.get(timeout=20) == 256 and after.parent.get() == 16
    assert beside.get(timeout=20) == [n * n for n in range(30)]
    assert [each.get(timeout=20) for each in both] == [0, 30, 20540]
    assert tried.get(timeout=20) == {"text": "ö" * 1000, "retries": 2}
    error = failed.get(timeout=20, propagate=False)
    assert (type(error), str(error), failed.state) == (ValueError, "no", "FAILURE")
    assert late.get(timeout=20) == 81 and time.monotonic() >= started + 0.5


if __name__ == "__main__":
    run(session)
else:
    app = program(os.environ["PORT"])
