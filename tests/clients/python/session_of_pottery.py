"""pottery: dictionaries, sets, lists, counters, deques and HyperLogLogs; its locks and numbers are scripts."""

import asyncio
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from pottery import (
    AIORedlock,
    HyperLogLog,
    NextID,
    RedisCounter,
    RedisDeque,
    RedisDict,
    RedisList,
    RedisSet,
    Redlock,
    ReleaseUnlockedLock,
    synchronize,
)
from sessions import HOST, run


def session(port: int) -> None:
    warnings.simplefilter("ignore")  # pottery says of many calls that they take a while
    client = redis.Redis(HOST, port)
    told = RedisDict({"hobby": "music", "n": [1, None]}, redis=client, key="told")
    told.update(vegetarian=True, **{f"k{i}": i for i in range(300)})
    assert told["hobby"] == "music" and told["n"] == [1, None] and len(told) == 303 and "none" not in told
    assert told.pop("vegetarian") is True and {**told}["k299"] == 299 and told.setdefault("k0", 5) == 0
    del told["hobby"]
    with pytest.raises(KeyError):
        told["hobby"]
    assert RedisDict(redis=client, key="told") == told.to_dict()
    edges = RedisSet({"a", "b", 3}, redis=client, key="edges")
    edges.update({"b", "c"}, range(2))
    assert edges == {"a", "b", "c", 0, 1, 3} and "c" in edges and 9 not in edges and len(edges) == 6
    edges.discard(9)
    edges.remove(3)
    other = RedisSet("bcd", redis=client, key="other")
    assert edges.union(other) == {*"abcd", 0, 1} and list(edges.contains_many("a", "z")) == [True, False]
    assert edges.isdisjoint({"z"}) and not edges.isdisjoint(other) and edges.issuperset({"a", 1})
    edges.difference_update(other)
    assert edges.to_set() == {"a", 0, 1} and edges.pop() in {"a", 0, 1} and len(edges) == 2
    squares = RedisList([1, 4, 9, 16, 25], redis=client, key="squares")
    assert squares[-3:] == [9, 16, 25] and squares[1] == 4 and [*squares][4] == 25
    squares.append(36)
    squares.extend([49, 64])
    squares.insert(0, "first")
    squares[1:3] = ["one", "four"]
    assert squares == ["first", "one", "four", 9, 16, 25, 36, 49, 64] and squares.index(25) == 5
    squares.remove("first")
    assert squares.pop() == 64 and squares.pop(0) == "one" and squares.count(9) == 1
    del squares[0]
    squares.reverse()
    assert squares.to_list() == [49, 36, 25, 16, 9]
    words = RedisCounter("abracadabra", redis=client, key="words")
    words["b"] += 1
    words["z"] = 6
    del words["d"]
    assert words.to_counter() == {"a": 5, "b": 3, "r": 2, "c": 1, "z": 6}
    assert words.most_common(2) == [("z", 6), ("a", 5)] and sorted(words.elements())[:5] == ["a"] * 5
    assert (words + RedisCounter("zz", redis=client, key="more"))["z"] == 8
    line = RedisDeque("ghi", redis=client, key="line", maxlen=4)
    line.append("j")
    line.appendleft("f")
    line.rotate(1)
    assert len(line) == 4 and line.pop() is not None
    seen = HyperLogLog((str(i) for i in range(500)), redis=client, key="seen")
    assert 485 < len(seen) < 515 and "3" in seen
    told.clear()
    assert len(told) == 0 and not client.exists("told")
    by_scripts(client)
    asyncio.run(at_once(port))


def by_scripts(client: redis.Redis) -> None:
    lock, other = (Redlock(key="door", masters={client}, auto_release_time=20) for _ in range(2))
    assert lock.acquire() and 15 < lock.locked() <= 20 and not other.acquire(blocking=False) and other.locked() == 0
    lock.extend()
    lock.release()
    with pytest.raises(ReleaseUnlockedLock):
        lock.release()
    brief = Redlock(key="door", masters={client}, auto_release_time=0.2)
    assert brief.acquire() and other.acquire(timeout=10) and not brief.locked()
    other.release()
    inside: list[int] = []

    @synchronize(key="step", masters={client}, auto_release_time=20)
    def step(n: int) -> int:
        inside.append(n)
        time.sleep(0.002)
        assert inside == [n]
        return inside.pop()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(step, range(8))) == [*range(8)]
    numbers = NextID(key="tweets", masters={client})
    assert [next(numbers) for _ in range(40)] == [*range(1, 41)]
    assert next(NextID(key="tweets", masters={client})) == 41


async def at_once(port: int) -> None:
    client = redis.asyncio.Redis(host=HOST, port=port)
    inside: list[int] = []

    async def step(n: int) -> None:
        async with AIORedlock(key="gate", masters={client}, auto_release_time=20):
            inside.append(n)
            await asyncio.sleep(0.002)
            assert inside == [n]
            inside.remove(n)

    await asyncio.gather(*(step(n) for n in range(4)))
    await client.aclose()


run(session)
