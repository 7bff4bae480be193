"""aiocache: its cache and decorators, without its locks, which use Lua scripts."""

import asyncio
from typing import Any

import pytest
from aiocache import Cache, cached, multi_cached
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
        for function in (square, names):
            await function.cache.close()

    asyncio.run(work())


run(session)
