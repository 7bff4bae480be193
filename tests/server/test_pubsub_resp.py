"""Pub/sub over real sockets: what a Redis client sees, what it costs others when one does not read."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.server.clients import HOST, Gone, Resp, Server
from tests.support import Refusal, command


def drained(client: Resp, size: int) -> bytes:
    """So many bytes, as they come."""
    return client._file.read(size)


def post(node: Server, path: str, body: object) -> dict[str, Any]:
    """What a POST answers, which must be a 200."""
    status, value = node.http("POST", path, body)
    assert status == 200, value
    return value


def test_subscribe_and_publish(node: Server) -> None:
    with node.resp() as one, node.resp() as other:
        one.send("SUBSCRIBE", "a", "b", "a")
        assert [one.read() for _ in range(3)] == [[b"subscribe", b"a", 1], [b"subscribe", b"b", 2],
                                                  [b"subscribe", b"a", 2]]  # fmt: skip
        assert one.ask("PSUBSCRIBE", "?") == [b"psubscribe", b"?", 3]
        assert other.ask("PUBLISH", "a", "hi") == 2 and other.ask("PUBLISH", "c", "ho") == 1
        assert one.read() == [b"message", b"a", b"hi"]
        assert one.read() == [b"pmessage", b"?", b"a", b"hi"]
        assert one.read() == [b"pmessage", b"?", b"c", b"ho"]
        assert other.ask("PUBSUB", "CHANNELS") == [b"a", b"b"] and other.ask("PUBSUB", "NUMPAT") == 1
        assert other.ask("PUBSUB", "NUMSUB", "a", "x") == [b"a", 1, b"x", 0]
        assert one.ask("PING") == [b"pong", b""] and one.ask("PING", "x") == [b"pong", b"x"]
        refused = one.ask("GET", "k")
        assert refused == Refusal("ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                                  "RESET are allowed in this context")  # fmt: skip
        one.send("UNSUBSCRIBE")
        assert sorted(one.read()[1] for _ in range(2)) == [b"a", b"b"]
        assert one.ask("PUNSUBSCRIBE", "?") == [b"punsubscribe", b"?", 0]
        assert one.ask("GET", "k") is None and one.ask("PING") == b"PONG"
        assert other.ask("PUBLISH", "a", "hi") == 0


def test_order_in_one_pipeline(node: Server) -> None:
    """A confirmation comes before the first message, and what one sends to itself before its next reply."""
    with node.resp() as one:
        one.ask("HELLO", "3")
        one.send_bytes(command("SUBSCRIBE", "a") + command("PUBLISH", "a", "1") + command("PING")
                       + command("UNSUBSCRIBE", "a") + command("PUBLISH", "a", "2") + command("PING"))  # fmt: skip
        wanted = (b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
                  b":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n+PONG\r\n"
                  b">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n:0\r\n+PONG\r\n")  # fmt: skip
        assert drained(one, len(wanted)) == wanted


def test_in_a_transaction(node: Server) -> None:
    with node.resp() as one, node.resp() as other:
        assert one.ask_all(["MULTI"], ["SUBSCRIBE", "a"], ["SET", "k", "v"]) == [b"OK", b"QUEUED", b"QUEUED"]
        assert one.ask("EXEC") == [[b"subscribe", b"a", 1], b"OK"]
        other.ask_all(["MULTI"], ["PUBLISH", "a", "1"], ["INCR", "n"], ["PUBLISH", "a", "2"])
        assert other.ask("EXEC") == [1, 1, 1]
        assert [one.read()[2] for _ in range(2)] == [b"1", b"2"]


def test_shards_are_apart(node: Server) -> None:
    with node.resp() as one, node.resp() as other:
        assert one.ask("SSUBSCRIBE", "a") == [b"ssubscribe", b"a", 1]
        assert one.ask("SUBSCRIBE", "a") == [b"subscribe", b"a", 1]
        assert other.ask("SPUBLISH", "a", "x") == 1 and one.read() == [b"smessage", b"a", b"x"]
        assert other.ask("PUBSUB", "SHARDCHANNELS") == [b"a"] and other.ask("PUBSUB", "SHARDNUMSUB", "a") == [b"a", 1]
        assert one.ask("SUNSUBSCRIBE") == [b"sunsubscribe", b"a", 0]


def test_operators_see_subscribers(node: Server) -> None:
    with node.resp() as one, node.resp() as other, node.resp() as third:
        one.ask("SUBSCRIBE", "a")
        one.ask("PSUBSCRIBE", "b*")
        line = other.ask("CLIENT", "LIST", "TYPE", "pubsub").decode()
        assert " sub=1 psub=1 ssub=0 " in line and " flags=P " in line and line.count("\n") == 1
        info = other.ask("INFO", "stats").decode()
        assert "pubsub_channels:1" in info and "pubsub_patterns:1" in info
        assert third.ask("SUBSCRIBE", "a") == [b"subscribe", b"a", 1] and third.ask("RESET") == b"RESET"
        assert other.ask("PUBLISH", "a", "x") == 1
        assert other.ask("CLIENT", "KILL", "TYPE", "pubsub") == 1
        one.read()
        with pytest.raises((Gone, ConnectionError)):
            one.read()
        assert other.ask("PUBLISH", "a", "x") == 0 and other.ask("PUBSUB", "NUMPAT") == 0


def test_over_http(node: Server) -> None:
    with node.resp() as one:
        one.ask("SUBSCRIBE", "news.sport")
        made = post(node, "/pubsub/subscribe", {"topics": ["news.*", "news.sport"]})
        assert made["subscription_count"] == 2 and made["topics"] == ["news.*", "news.sport"]
        sent = post(node, "/pubsub/news.sport/publish", {"payload": {"goal": 1}, "metadata": {"from": "x"}})
        assert sent["subscribers_matched"] == 2 and sent["topic"] == "news.sport" and len(sent["message_id"]) == 36
        assert json.loads(one.read()[2]) == {"goal": 1}
        assert post(node, "/pubsub/publish", {"topic": "news.sport", "message": "hi"})["subscribers_matched"] == 2
        assert one.read() == [b"message", b"news.sport", b"hi"]
        assert post(node, "/pubsub/unsubscribe", {"subscriber_id": made["subscriber_id"]}) == {"unsubscribed": 2}
        assert post(node, "/pubsub/subscribe", {"topics": ["a.#.b"]}) == {
            "error": "Invalid value: # wildcard must be at the end of pattern"}


def test_redis_py(node: Server) -> None:
    for protocol in (2, 3):
        client = redis.Redis(HOST, node.resp_port, protocol=protocol)
        listener = client.pubsub(ignore_subscribe_messages=True)
        listener.subscribe("a")
        listener.psubscribe("b*")
        assert listener.get_message(timeout=1) is None and listener.get_message(timeout=1) is None
        assert client.publish("a", "1") == 1 and client.publish("b2", "2") == 1
        assert [listener.get_message(timeout=5)["data"] for _ in range(2)] == [b"1", b"2"]
        listener.close()
        client.close()


def test_redis_py_asyncio(node: Server) -> None:
    async def talk() -> list[bytes]:
        async with redis.asyncio.Redis(host=HOST, port=node.resp_port) as client, client.pubsub() as listener:
            await listener.subscribe("a")
            assert (await listener.get_message(timeout=5))["type"] == "subscribe"
            for i in range(3):
                await client.publish("a", str(i))
            return [(await listener.get_message(timeout=5))["data"] for _ in range(3)]

    assert asyncio.run(talk()) == [b"0", b"1", b"2"]


def test_messages_wait_for_the_disk_with_replies(serve: Callable[..., Server]) -> None:
    server = serve({"persistence.wal.fsync_mode": "always"}).start()
    with server.resp() as one, server.resp() as other:
        one.ask("SUBSCRIBE", "a")
        for i in range(50):
            assert other.ask_all(["SET", "k", str(i)], ["PUBLISH", "a", str(i)]) == [b"OK", 1]
        assert [one.read()[2] for _ in range(50)] == [str(i).encode() for i in range(50)]


@pytest.mark.timeout(300)
def test_who_does_not_read_is_dropped(node: Server) -> None:
    """1 GB to 100 subscribers that do not read, and one that does."""
    size, count = 1 << 20, 1024
    before = node.rss()
    idle = [node.resp(receive_bytes=4096) for _ in range(100)]
    with node.resp() as reader, node.resp() as publisher:
        for client in [*idle, reader]:
            client.ask("SUBSCRIBE", "big")
        head = len(b"*3\r\n$7\r\nmessage\r\n$3\r\nbig\r\n$1048576\r\n") + size + 2
        most = 0
        for i in range(count):
            publisher.ask("PUBLISH", "big", b"x" * size)
            reader.skip(head)
            if i % 64 == 0:
                most = max(most, node.rss())
        assert publisher.ask("PUBLISH", "big", "end") == 1 and reader.read()[2] == b"end"
        stats = node.http("GET", "/pubsub/stats")[1]
        assert stats["slow_consumers_dropped"] == 100 and stats["messages_dropped"] >= 100
        assert most - before < 256 << 20, f"{most - before} bytes more"
    for client in idle:
        client.close()
