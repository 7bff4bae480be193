"""A session of the product's Python SDK, unmodified: python synap_sdk_session.py HOST PORT."""

import asyncio
import sys
from typing import Any

from synap_sdk import SynapClient, SynapConfig

VALUES: list[Any] = [
    "hello", "", "é🙂", 42, -1.5, 0.1, True, False, {"a": 1}, [1, "x", None, {"b": []}], {"n": {"k": "v: w"}}, [], {},
    2**60,
]  # fmt: skip


def equal(what: str, found: Any, wanted: Any) -> None:
    """Fail with what is not the same, or not of the same type."""
    assert found == wanted and type(found) is type(wanted), f"{what}: wanted {wanted!r}, found {found!r}"


async def keys(client: SynapClient) -> None:
    """Values, counters, scans."""
    for value in VALUES:
        await client.kv.set("k", value, ttl=100)
        equal("kv", await client.kv.get("k"), value)
    equal("incr", await client.kv.incr("n", 5), 5)
    equal("a counter", await client.kv.get("n"), 5)
    equal("scan", sorted(await client.kv.scan("")), ["k", "n"])
    await client.kv.delete("k")
    equal("exists", await client.kv.exists("k"), False)
    assert await client.kv.get("k") is None


async def queues(client: SynapClient) -> None:
    """Publish, consume, ack, nack."""
    await client.queue.create_queue("jobs")
    for value in ("hello", {"a": 1}, 42, [1, 2]):
        await client.queue.publish("jobs", value, priority=5)
        message = await client.queue.consume("jobs", "w")
        equal("queue", message.payload, value)
        await client.queue.nack("jobs", message.id)
        again = await client.queue.consume("jobs", "w")
        equal("a second delivery", again.payload, value)
        await client.queue.ack("jobs", again.id)
    equal("queues", await client.queue.list(), ["jobs"])


async def streams(client: SynapClient) -> None:
    """Events; this SDK gives their data as the octets of its JSON."""
    await client.stream.create_room("room")
    equal("offsets", [await client.stream.publish("room", "e", value) for value in ({"a": 1}, "x")], [0, 1])
    found = await client.stream.read("room")
    equal("events", [bytes(event.data) for event in found], [b'{"a":1}', b'"x"'])
    equal("rooms", await client.stream.list_rooms(), ["room"])


async def topics(client: SynapClient) -> None:
    """Publish to a topic that is subscribed."""
    await client.pubsub.subscribe_topics("me", ["a.b"])
    equal("receivers", await client.pubsub.publish("a.b", {"x": 1}), 1)


async def main(host: str, port: str) -> None:
    """The whole session."""
    async with SynapClient(SynapConfig(f"http://{host}:{port}")) as client:
        for part in (keys, queues, streams, topics):
            await part(client)
    sys.stdout.write("session done\n")


asyncio.run(main(sys.argv[1], sys.argv[2]))
