"""aiocache: its cache and decorators; scripts end its locks, and compare before they set."""

import asyncio
from typing import Any

import pytest
from aiocache import Cache, cached, cached_stampede, multi_cached
from aiocache.lock import OptimisticLock, OptimisticLockError, RedLock
from aiocache.serializers import JsonSerializer, PickleSerializer
from sessions import HOST, run


def session(port: int) -> None:
    async def work() -> None:
        async with Cache(
            Cache.REDIS, endpoint=HOST, port=port, namespace="app", serializer=PickleSerializer(), ttl=50
        ) as cache:
            assert await cache.set("k", {"a": (1, 2)}) and await cache.get("k") == {"a": (1, 2)}
            assert await cache.add("new", 1) and await cache.exists("new") and not await cache.exists("none")
            with pytest.raises(ValueError, match="already exists"):
                await cache.add("k", 2)
            assert await cache.multi_set([(f"k{i}", i) for i in range(100)], ttl=30)
            assert await cache.multi_get(["k0", "none", "k99"]) == [0, None, 99]
            assert await cache.expire("k", 5) and 0 < await cache.raw("ttl", "app:k") <= 5
            assert await cache.delete("k") == 1 and await cache.get("k", 7) == 7
            assert all(await asyncio.gather(*(cache.set(f"many{i}", "x" * i) for i in range(100))))
            assert await asyncio.gather(*(cache.get(f"many{i}") for i in range(100))) == ["x" * i for i in range(100)]
            assert await cache.clear(namespace="app") and await cache.get("k5") is None
        async with Cache(Cache.REDIS, endpoint=HOST, port=port, serializer=JsonSerializer()) as cache:
            assert await cache.increment("n") == 1 and await cache.increment("n", 41) == 42
        calls: list[Any] = []
        at = {"cache": Cache.REDIS, "endpoint": HOST, "port": port, "serializer": JsonSerializer(), "ttl": 10}

        @cached(key_builder=lambda function, n: f"square:{n}", **at)
        async def square(n: int) -> int:
            calls.append(n)
            return n * n

        @multi_cached("names", **at)
        async def names(names: list[str]) -> dict[str, str]:
            calls.append(names)
            return {name: name.upper() for name in names}

        assert [await square(3), await square(3)] == [9, 9]
        assert await names(names=["a", "b"]) == {"a": "A", "b": "B"}
        assert await names(names=["b", "c"]) == {"b": "B", "c": "C"} and calls == [3, ["a", "b"], ["c"]]

        @cached_stampede(lease=20, key_builder=lambda function, n: f"slow:{n}", **at)
        async def slow(n: int) -> int:
            calls.append(n)
            await asyncio.sleep(0.05)
            return n

        # aiocache lets a caller in who finds the lock before its owner has heard that the lock is taken: so the owners
        # of the three locks go first.
        calls.clear()
        owners = [asyncio.create_task(slow(n)) for n in range(3)]
        while len(calls) < 3:
            await asyncio.sleep(0.001)
        assert await asyncio.gather(*owners, *(slow(n % 3) for n in range(27))) == [n % 3 for n in range(30)]
        assert sorted(calls) == [0, 1, 2]
        async with Cache(Cache.REDIS, endpoint=HOST, port=port) as cache:
            await locks(cache)
        for function in (square, names, slow):
            await function.cache.close()

    asyncio.run(work())


async def locks(cache: Any) -> None:
    inside: list[int] = []

    async def step(n: int) -> None:
        async with RedLock(cache, "step", lease=20):
            inside.append(n)

    await asyncio.gather(*(step(n) for n in range(10)))
    assert sorted(inside) == [*range(10)] and not await cache.exists("step-lock")
    async with RedLock(cache, "step", lease=20):
        assert 0 < await cache.raw("ttl", "step-lock") <= 20
        await cache.raw("set", "step-lock", "somebody else's")
    assert await cache.raw("get", "step-lock") == "somebody else's"
    await cache.set("page", "old")
    async with OptimisticLock(cache, "page") as lock:
        assert await lock.cas("new", ttl=30) and await cache.get("page") == "new"
    assert 0 < await cache.raw("ttl", "page") <= 30
    with pytest.raises(OptimisticLockError):
        async with OptimisticLock(cache, "page") as lock:
            await cache.set("page", "newer")
            await lock.cas("mine")
    assert await cache.get("page") == "newer"


run(session)
