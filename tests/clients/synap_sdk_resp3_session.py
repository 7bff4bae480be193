"""The product's Python SDK, unmodified, over RESP3: python synap_sdk_resp3_session.py HOST RESP_PORT HTTP_PORT."""

import asyncio
import sys
from typing import Any

from synap_sdk import SynapClient, SynapConfig
from synap_sdk.exceptions import SynapException


def equal(what: str, found: Any, wanted: Any) -> None:
    """Fail with what is not the same, or not of the same type."""
    assert found == wanted and type(found) is type(wanted), f"{what}: wanted {wanted!r}, found {found!r}"


async def refused(call: Any, text: str) -> None:
    """Fail unless the server refuses this call, saying `text`."""
    try:
        await call
    except SynapException as error:
        assert text in str(error), f"wanted {text!r}, found {error}"
    else:
        raise AssertionError(f"wanted {text!r}, found a success")


async def keys(client: SynapClient) -> None:
    """Redis' words, and the counters of the store."""
    await client.kv.set("k", "hello", ttl=100)
    equal("kv", await client.kv.get("k"), "hello")
    equal("incr", await client.kv.incr("n", 5), 5)
    stats = await client.kv.stats()
    equal("keys", stats["total_keys"], 2)
    equal("gets", stats["operations"]["gets"], 1)


async def queues(client: SynapClient) -> None:
    """Everything that the SDK does with a queue."""
    queue = client.queue
    await queue.create_queue("jobs")
    await queue.create_queue("small", max_size=1, message_ttl=5)
    equal("queues", sorted(await queue.list()), ["jobs", "small"])
    for value in ("hello", "", {"a": 1}, 42, [1, 2]):
        made = await queue.publish("jobs", value, priority=5, max_retries=7)
        message = await queue.consume("jobs", "w")
        equal("id", message.id, made)
        equal("payload", message.payload, value)
        equal("priority", message.priority, 5)
        equal("retries", message.retries, 0)
        await queue.nack("jobs", message.id)
        again = await queue.consume("jobs", "w")
        equal("a second delivery", (again.id, again.payload, again.retries), (made, value, 1))
        await queue.ack("jobs", again.id)
        await refused(queue.ack("jobs", again.id), "no such message")
    equal("nothing", await queue.consume("jobs", "w"), None)
    stats = await queue.stats("jobs")
    equal("acked", (stats["published"], stats["acked"], stats["nacked"]), (5, 5, 5))
    await queue.publish("small", "x")
    await refused(queue.publish("small", "y"), "queue is full")
    equal("depth", (await queue.stats("small"))["max_depth"], 1)
    await client.send_command("queue.purge", {"queue": "small"})
    equal("purged", (await queue.stats("small"))["depth"], 0)
    await queue.delete_queue("small")
    await refused(queue.publish("small", "y"), "no such queue")
    equal("queues", await queue.list(), ["jobs"])


async def rooms(client: SynapClient, http: SynapClient) -> None:
    """Everything that the SDK does with a room; it publishes over HTTP, since SPUBLISH is a word of Redis."""
    stream = client.stream
    await stream.create_room("room")
    await refused(stream.create_room("room"), "already exists")
    equal("made", await stream.get_or_create_room("other"), True)
    equal("made again", await stream.get_or_create_room("other"), False)
    equal("over HTTP", await http.stream.get_or_create_room("third", max_events=5), True)
    equal("over HTTP again", await http.stream.get_or_create_room("third"), False)
    equal("rooms", sorted(await stream.list_rooms()), ["other", "room", "third"])
    for value in ({"a": 1}, "x"):
        await http.stream.publish("room", "e", value)
    await refused(stream.publish("room", "e", "x"), "wrong number of arguments for 'spublish'")
    found = await stream.read("room", offset=0)
    equal("events", [(each.offset, each.event, each.data) for each in found], [(0, "e", '{"a":1}'), (1, "e", "x")])
    assert all(each.timestamp > 1_600_000_000 and each.room == "room" for each in found), found
    equal("from 1", [each.offset for each in await stream.read("room", offset=1)], [1])
    equal("from 2", await stream.read("room", offset=2), [])
    stats = await stream.stats("room")
    equal("stats", (stats["name"], stats["message_count"], stats["max_offset"]), ("room", 2, 1))
    equal("limit", (await stream.stats("third"))["max_events"], 5)
    await stream.delete_room("room")
    await refused(stream.read("room"), "no such room")


async def main(host: str, resp_port: str, http_port: str) -> None:
    """The whole session."""
    http = SynapClient(SynapConfig(f"http://{host}:{http_port}"))
    async with http, SynapClient(SynapConfig(f"resp3://{host}:{resp_port}")) as client:
        await keys(client)
        await queues(client)
        await rooms(client, http)
    sys.stdout.write("session done\n")


asyncio.run(main(*sys.argv[1:4]))
