"""dramatiq: messages that are late, tried again, or given up, and those of a worker that dies. Its broker is a script.

The worker that dies imports this file as its program.
"""

import logging
import os
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as LimitsBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from sessions import HOST, eventually, kill, run, worker


class Program:
    """Actors, and what they need."""

    def __init__(self, port: int) -> None:
        self.client = client = redis.Redis(HOST, port)
        # Each command also looks for messages of workers that are silent.
        self.broker = RedisBroker(
            client=client, maintenance_chance=1_000_000, heartbeat_timeout=1500, dead_message_ttl=60_000,
            middleware=[dramatiq.middleware.AgeLimit(), dramatiq.middleware.Retries(), dramatiq.middleware.Pipelines(),
                        dramatiq.middleware.GroupCallbacks(LimitsBackend(client=client)),
                        Results(backend=RedisBackend(client=client), store_results=True)],
        )  # fmt: skip
        dramatiq.set_broker(self.broker)
        places = ConcurrentRateLimiter(LimitsBackend(client=client), "places", limit=2)

        @dramatiq.actor
        def square(n: int) -> int:
            client.hincrby("runs", n)
            return n * n

        @dramatiq.actor(max_retries=5, min_backoff=20, max_backoff=50)
        def refuse_twice(text: str) -> str:
            if client.hincrby("tries", text) < 3:
                raise ValueError(text)
            return text.upper()

        @dramatiq.actor(max_retries=2, min_backoff=10, max_backoff=20, store_results=False)
        def fail(text: str) -> None:
            client.hincrby("tries", text)
            raise ValueError(text)

        @dramatiq.actor(max_retries=1000, min_backoff=5, max_backoff=20)
        def narrow(n: int) -> int:
            with places.acquire():
                assert client.incr("inside") <= 2
                time.sleep(0.005)
                client.decr("inside")
            return n

        @dramatiq.actor(queue_name="held", store_results=False)
        def hold(n: int) -> None:
            """Wait for a key `go on`, and note `n`."""
            eventually(lambda: client.exists("go on"))
            client.sadd("held", n)

        @dramatiq.actor(store_results=False)
        def after_all() -> None:
            client.incr("after all")

        self.square, self.refuse_twice, self.fail, self.narrow = square, refuse_twice, fail, narrow
        self.hold, self.after_all = hold, after_all


def session(port: int) -> None:
    logging.disable()
    program = Program(port)
    a_worker_dies(program, port)
    at_work = dramatiq.Worker(program.broker, worker_threads=4, worker_timeout=50)
    at_work.start()
    try:
        messages(program)
        the_dead_ones_messages(program)
    finally:
        at_work.stop()
    limits(program.client)
    program.broker.flush_all()


def a_worker_dies(program: Program, port: int) -> None:
    for n in range(40):
        program.hold.send(n)
    assert program.broker.do_qsize("held") == 40
    with worker(port, "dramatiq", "session_of_dramatiq", "-p", "1", "-t", "2", "-Q", "held") as first:
        held = eventually(lambda: next(program.client.scan_iter("dramatiq:__acks__.*.held"), None))
        eventually(lambda: program.client.scard(held) >= 2)
        kill(first)
    assert program.client.scard(held) >= 2 and program.client.hlen("dramatiq:held.msgs") == 40
    program.client.set("go on", 1)


def the_dead_ones_messages(program: Program) -> None:
    eventually(lambda: program.client.scard("held") == 40)
    eventually(lambda: program.client.hlen("dramatiq:held.msgs") == 0)


def messages(program: Program) -> None:
    client, broker, square = program.client, program.broker, program.square
    begun = time.monotonic()
    late = [square.send_with_options(args=(1000 + n,), delay=300 + 10 * n) for n in range(20)]
    asked = [square.send(n) for n in range(180)]
    tried = [program.refuse_twice.send(f"ä{n}") for n in range(20)]
    narrowed = [program.narrow.send(n) for n in range(20)]
    for n in range(5):
        program.fail.send(f"fail{n}")
    chained = (square.message(2) | square.message() | square.message()).run()
    beside = dramatiq.group([square.message(2000 + n) for n in range(20)])
    beside.add_completion_callback(program.after_all.message())
    beside.run()
    assert [one.get_result(block=True, timeout=20_000) for one in asked] == [n * n for n in range(180)]
    assert [*beside.get_results(block=True, timeout=20_000)] == [(2000 + n) ** 2 for n in range(20)]
    assert chained.get_result(block=True, timeout=20_000) == 256
    assert [one.get_result(block=True, timeout=20_000) for one in narrowed] == [*range(20)]
    assert [one.get_result(block=True, timeout=20_000) for one in tried] == [f"Ä{n}" for n in range(20)]
    assert [one.get_result(block=True, timeout=20_000) for one in late] == [(1000 + n) ** 2 for n in range(20)]
    assert time.monotonic() >= begun + 0.49
    eventually(lambda: client.zcard("dramatiq:default.XQ") == client.hlen("dramatiq:default.XQ.msgs") == 5)
    assert {client.hget("tries", f"fail{n}") for n in range(5)} == {b"3"}
    assert {client.hget("tries", f"ä{n}") for n in range(20)} == {b"3"}
    assert {client.hget("runs", n) for n in [*range(5, 16), *range(17, 180), 1019, 2007]} == {b"1"}
    eventually(lambda: client.get("after all") == b"1")
    eventually(lambda: broker.do_qsize("default") == 0)


def limits(client: redis.Redis) -> None:
    window = WindowRateLimiter(LimitsBackend(client=client), "window", limit=3, window=60)
    found = []
    for _ in range(5):
        with window.acquire(raise_on_failure=False) as taken:
            found.append(taken)
    assert found == [True] * 3 + [False] * 2


if __name__ == "__main__":
    run(session)
else:
    Program(int(os.environ["PORT"]))
