"""limits: who may go on in a fixed, a moving and a sliding window. Scripts decide that."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import limits
import redis
from limits import parse
from limits.aio.storage import RedisStorage as AsyncStorage
from limits.aio.strategies import MovingWindowRateLimiter as AsyncMoving
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from sessions import HOST, run

STRATEGIES = (FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter)


def session(port: int) -> None:
    client = redis.Redis(HOST, port)
    storage = RedisStorage(f"redis://{HOST}:{port}/0")
    assert storage.check()
    for strategy in STRATEGIES:
        decisions(client, strategy(storage))
        assert storage.reset() > 100 and client.dbsize() == 0
        assert storage.reset() == 0
    windows_pass(storage)
    asyncio.run(at_once(f"async+redis://{HOST}:{port}/1"))


def decisions(client: redis.Redis, limiter: limits.strategies.RateLimiter) -> None:
    """Windows that last longer than this session."""
    a_few, many = parse("5/hour"), parse("100 per 2 hours")
    assert limiter.get_window_stats(a_few, "new").remaining == 5
    assert [limiter.hit(a_few, "ada") for _ in range(8)] == [True] * 5 + [False] * 3
    assert not limiter.test(a_few, "ada") and limiter.test(a_few, "bob") and limiter.hit(a_few, "bob", "ö")
    time.sleep(0.01)  # limits takes the end of a sliding window modulo its length: at first that is now
    stats = limiter.get_window_stats(a_few, "ada")
    assert stats.remaining == 0 and 3500 < stats.reset_time - time.time() <= 3601
    assert all(0 < client.ttl(key) <= 7200 for key in client.scan_iter("*"))
    costs = [limiter.hit(many, "ada", cost=cost) for cost in (40, 50, 11, 10, 1, 101)]
    assert costs[:2] == [True, True] and costs[4:] == [False, False]
    if isinstance(limiter, FixedWindowRateLimiter):  # which counts what it refuses
        assert costs[2:4] == [False, False]
    else:
        assert costs[2:4] == [False, True] and limiter.get_window_stats(many, "ada").remaining == 0
    limiter.clear(a_few, "ada")
    assert limiter.get_window_stats(a_few, "ada").remaining == 5 and limiter.hit(a_few, "ada", cost=5)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: limiter.hit(many, "everybody"), range(300))) == 100
    for i in range(120):
        assert limiter.hit(a_few, f"visitor{i}", cost=1 + i % 5)
    assert [limiter.get_window_stats(a_few, f"visitor{i}").remaining for i in range(5)] == [4, 3, 2, 1, 0]


def windows_pass(storage: RedisStorage) -> None:
    """Windows of a second: what has been hit does not count any more when they are over."""
    short = parse("4/second")
    limiters = [strategy(storage) for strategy in STRATEGIES]
    for limiter in limiters:
        name = type(limiter).__name__
        assert [limiter.hit(short, name) for _ in range(5)] == [True] * 4 + [False]
    time.sleep(2.05)  # the sliding window weighs those of the second before
    for limiter in limiters:
        name = type(limiter).__name__
        assert limiter.get_window_stats(short, name).remaining == 4
        assert [limiter.hit(short, name) for _ in range(5)] == [True] * 4 + [False]


async def at_once(url: str) -> None:
    """Many tasks ask the moving window at once."""
    limiter, limit = AsyncMoving(AsyncStorage(url, implementation="redispy")), parse("50/hour")
    asked = await asyncio.gather(*(limiter.hit(limit, "task") for _ in range(80)))
    assert sum(asked) == 50 and not await limiter.test(limit, "task")
    assert (await limiter.get_window_stats(limit, "task")).remaining == 0


run(session)
