"""huey: tasks that are late, tried again, limited or taken back, and tasks by their priority.

What is due, and who may run beside others, is decided by scripts.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from huey import Huey, PriorityRedisExpireHuey, PriorityRedisHuey, RedisHuey
from huey.api import Result, Task, chord
from huey.contrib.helpers import RedisSemaphore, lock_task_semaphore
from huey.exceptions import ResultTimeout, TaskException
from sessions import HOST, eventually, run


def session(port: int) -> None:
    logging.disable()
    client = redis.Redis(HOST, port)
    many_tasks(RedisHuey("plain", host=HOST, port=port, notify_result=True))
    for n, kind in enumerate((PriorityRedisHuey, PriorityRedisExpireHuey)):
        by_priority(kind(f"urgent{n}", host=HOST, port=port))
    semaphore(RedisHuey("slots", host=HOST, port=port))
    assert all(client.ttl(key) > 0 for key in client.scan_iter("huey.r.*"))


def at_last(result: Result) -> Any:
    """The value of a task that fails some times before: each time is a result, too."""
    while True:
        try:
            return result.get(blocking=True, timeout=20)
        except (TaskException, ResultTimeout):  # it is told of each, and waits no longer
            result.reset()


@contextmanager
def consumer(huey: Huey, workers: int) -> Iterator[None]:
    made = huey.create_consumer(workers=workers, periodic=False, initial_delay=0.01, max_delay=0.1)
    made.start()
    yield
    made.stop(graceful=True)


def many_tasks(huey: Huey) -> None:
    beside: list[int] = []
    most: list[int] = []
    line: list[int] = []

    @huey.task()
    def square(n: int) -> int:
        return n * n

    @huey.task()
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @huey.task(retries=3, retry_delay=0, context=True)
    def refuse_twice(text: str, task: Task) -> tuple[str, int]:
        if task.retries > 1:
            raise ValueError(text)
        return text, task.retries

    @huey.task()
    def fail(text: str) -> None:
        raise ValueError(text)

    @huey.task(retries=1000, retry_delay=0)
    @lock_task_semaphore(huey, "narrow", 2)
    def narrow(n: int) -> int:
        beside.append(n)
        most.append(len(beside))
        time.sleep(0.01)
        beside.remove(n)
        return n

    @huey.task(retries=1000, retry_delay=0)
    @huey.lock_task("one")
    def alone(n: int) -> int:
        line.append(n)
        time.sleep(0.01)
        return line.pop()

    results = square.map(range(120))
    late = [square.schedule((n,), delay=0.3 + n / 50) for n in range(20)]
    taken_back, far = square(1), square.schedule((2,), delay=3600)
    taken_back.revoke()
    assert huey.pending_count() == 142 and huey.scheduled_count() == 0 and taken_back.is_revoked()
    assert [task.args[0] for task in huey.pending(3)] == [0, 1, 2]
    begun = time.time()
    with consumer(huey, 4):
        assert results.get(blocking=True, timeout=20) == [n * n for n in range(120)]
        tried = [refuse_twice(f"ö{n}") for n in range(10)]
        narrowed, locked = [narrow(n) for n in range(10)], [alone(n) for n in range(5)]
        failed = fail("no")
        chained = huey.enqueue(square.s(2).then(square).then(square))
        whole = huey.enqueue(chord([square.s(n) for n in range(30)], total.s()))
        assert [at_last(one) for one in tried] == [(f"ö{n}", 1) for n in range(10)]
        assert [at_last(one) for one in narrowed] == [*range(10)] and max(most) <= 2
        assert [at_last(one) for one in locked] == [*range(5)]
        assert chained.get(blocking=True, timeout=20) == [4, 16, 256]
        assert whole.callback.get(blocking=True, timeout=20) == sum(n * n for n in range(30))
        with pytest.raises(TaskException, match="no"):
            failed.get(blocking=True, timeout=20)
        assert [one.get(blocking=True, timeout=20) for one in late] == [n * n for n in range(20)]
        assert time.time() >= begun + 0.3 and huey.scheduled_count() == 1 and huey.pending_count() == 0
    assert taken_back.get() is None and far.get() is None
    huey.flush()
    assert huey.result_count() == huey.scheduled_count() == 0


def by_priority(huey: Huey) -> None:
    done: list[int] = []

    @huey.task()
    def note(n: int, priority: int) -> int:
        done.append(n)
        return n

    asked = [note(n, n % 5, priority=n % 5) for n in range(25)]
    with consumer(huey, 1):
        assert [one.get(blocking=True, timeout=20) for one in asked] == [*range(25)]
    assert done == sorted(range(25), key=lambda n: (-(n % 5), n))


def semaphore(huey: Huey) -> None:
    """Threads that want one of three places at once, and places whose time is up."""
    made = RedisSemaphore(huey, "places", 3, timeout=100)
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(made.acquire())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [name for name in found if name]
    assert len(found) == 8 and len(held) == 3 and made.acquire() is None and made.acquire(held[0]) == held[0]
    assert made.renew(held[1]) and made.release(held[1]) == 1 and not made.renew(held[1]) and made.acquire("mine")
    brief = RedisSemaphore(huey, "brief", 1, timeout=0.1)
    assert brief.acquire("first") and brief.acquire("second") is None
    assert eventually(lambda: brief.acquire("second")) == "second"


run(session)
