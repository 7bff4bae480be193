"""channels_redis: consumers of two processes in groups. A script sends to a group, and knows who has no room left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from sessions import HOST, run

MEMBERS = 40
WAIT = 20


def session(port: int) -> None:
    asyncio.run(work(port))


async def work(port: int) -> None:
    client = redis.Redis(HOST, port)

    def layer(**more: Any) -> RedisChannelLayer:
        return RedisChannelLayer(hosts=[{"address": f"redis://{HOST}:{port}/0"}], **more)

    first, second = layer(), layer()  # as two processes have them
    client.set("mine", 1)
    await one_by_one(first, second, client)
    await groups(first, second, client)
    await no_room(layer, client)
    await as_json(layer, client)
    assert client.keys("asgi*")
    await first.flush()
    await second.flush()
    assert client.keys("*") == [b"mine"]
    await by_subscriptions(port)


async def one_by_one(first: RedisChannelLayer, second: RedisChannelLayer, client: redis.Redis) -> None:
    own = await first.new_channel()
    for n in range(60):
        await first.send("work", {"type": "job", "n": n, "data": b"\x00\xff" * n})
        await second.send(own, {"type": "reply", "text": "ö" * n, "n": n})
    assert client.zcard("asgiwork") == 60 and 0 < client.ttl("asgiwork") <= 60
    async with asyncio.timeout(WAIT):
        got = [await second.receive("work") for _ in range(60)]
        assert got == [{"type": "job", "n": n, "data": b"\x00\xff" * n} for n in range(60)]
        got = [await first.receive(own) for _ in range(60)]
        assert got == [{"type": "reply", "text": "ö" * n, "n": n} for n in range(60)]
        late = asyncio.create_task(second.receive("late"))
        await asyncio.sleep(0.1)
        await first.send("late", {"type": "job"})
        assert await late == {"type": "job"}


async def groups(first: RedisChannelLayer, second: RedisChannelLayer, client: redis.Redis) -> None:
    layers = [first, second]
    channels = [await layers[n % 2].new_channel("socket") for n in range(MEMBERS)]
    for channel in channels:
        await first.group_add("hall", channel)
    for channel in channels[::4]:
        await second.group_add("corner", channel)
    await first.group_add("hall", "everywhere")
    assert client.zcard("asgi:group:hall") == MEMBERS + 1 and 86_000 < client.ttl("asgi:group:hall") <= 86_400

    async def hear(n: int) -> list[int]:
        return [(await layers[n % 2].receive(channels[n]))["n"] for _ in range(20 + 5 * (n % 4 == 0))]

    async with asyncio.timeout(WAIT):
        heard = [asyncio.create_task(hear(n)) for n in range(MEMBERS)]
        for n in range(20):
            await layers[n % 2].group_send("hall", {"type": "said", "n": n})
        for n in range(20, 25):
            await first.group_send("corner", {"type": "said", "n": n})
        for n, got in enumerate(await asyncio.gather(*heard)):
            assert sorted(got) == [*range(25 if n % 4 == 0 else 20)]
        assert [(await second.receive("everywhere"))["n"] for _ in range(20)] == [*range(20)]
        await first.group_discard("hall", channels[0])
        await second.group_discard("hall", "none")
        await second.group_send("hall", {"type": "said", "n": 99})
        await second.group_send("nobody", {"type": "said", "n": 99})
        assert await first.receive(channels[2]) == {"type": "said", "n": 99}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await first.receive(channels[0])


async def no_room(layer: Callable[..., RedisChannelLayer], client: redis.Redis) -> None:
    """A channel takes so many messages, and a group leaves out those that are full."""
    small = layer(capacity=3, channel_capacity={"large*": 10}, prefix="small", expiry=1)
    for n in range(3):
        await small.send("one", {"type": "n", "n": n})
    with pytest.raises(ChannelFull):
        await small.send("one", {"type": "n", "n": 3})
    for channel in ("one", "two", "large-one"):
        await small.group_add("all", channel)
    for n in range(12):
        await small.group_send("all", {"type": "all", "n": n})
    assert [client.zcard(f"small{channel}") for channel in ("one", "two", "large-one")] == [3, 3, 10]
    assert await small.receive("one") == {"type": "n", "n": 0}
    await small.group_send("all", {"type": "all", "n": 12})
    assert [(await small.receive("one"))["n"] for _ in range(3)] == [1, 2, 12]
    async with asyncio.timeout(WAIT):
        while client.exists("smalltwo", "smalllarge-one"):
            await asyncio.sleep(0.05)
    await small.group_send("all", {"type": "all", "n": 13})
    assert (await small.receive("two"))["n"] == 13
    await small.flush()


async def as_json(layer: Callable[..., RedisChannelLayer], client: redis.Redis) -> None:
    told = layer(serializer_format="json", random_prefix_length=0)
    await told.send("told", {"type": "told", "text": "plain"})
    assert client.zrange("asgitold", 0, -1) == [b'{"type": "told", "text": "plain"}']
    assert await told.receive("told") == {"type": "told", "text": "plain"}


async def by_subscriptions(port: int) -> None:
    """The layer of the same package that has no queues."""
    first, second = (RedisPubSubChannelLayer(hosts=[f"redis://{HOST}:{port}/0"]) for _ in range(2))
    channels = [await layer.new_channel() for layer in (first, second)]
    for layer, channel in zip((first, second), channels, strict=True):
        await layer.group_add("hall", channel)
    for n in range(30):
        await first.group_send("hall", {"n": n})
        await second.send(channels[0], {"n": n})
    async with asyncio.timeout(WAIT):
        assert [await second.receive(channels[1]) for _ in range(30)] == [{"n": n} for n in range(30)]
        got = [(await first.receive(channels[0]))["n"] for _ in range(60)]
        assert sorted(got) == sorted([*range(30), *range(30)])
    await first.flush()
    await second.flush()


run(session)
