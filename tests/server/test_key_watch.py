"""Watched keys: each change arrives in order with the new value, and what is lost is told."""

import json
from collections.abc import Callable
from typing import Any

from tests.server.clients import Server
from tests.server.socket_clients import heard, opened, silent, told

Serve = Callable[..., Server]


def change(key: str, event: str, version: int, **more: Any) -> dict[str, Any]:
    return {"key": key, "event": event, "version": version, **more}


def test_a_socket_hears_what_happens_to_its_keys(node: Server) -> None:
    with node.resp() as client, opened(node, "/kv/ws?keys=a,user:*") as socket:
        welcome = heard(socket)
        assert welcome["type"] == "connected" and welcome["keys"] == ["a", "user:*"]
        assert welcome["subscription_count"] == 2
        steps: list[tuple[tuple[Any, ...], list[dict[str, Any]]]] = [
            (("SET", "a", "x"), [change("a", "set", 1, value="x")]),
            (("APPEND", "a", "y"), [change("a", "append", 2, value="xy")]),
            (("SET", "other", "x"), []),
            (("SET", "user:1", "5", "EX", 100), [change("user:1", "set", 1, value="5"), change("user:1", "expire", 2)]),
            (("INCRBY", "user:1", 3), [change("user:1", "incrby", 3, value="8")]),
            (("PERSIST", "user:1"), [change("user:1", "persist", 4)]),
            (("DEL", "a", "none"), [change("a", "del", 3)]),
            (("SET", "a", "again"), [change("a", "set", 1, value="again")]),
            (("HSET", "user:h", "f", "v"), [change("user:h", "hset", 1)]),
            (("RPUSH", "user:l", "1", "2"), [change("user:l", "rpush", 1)]),
            (("LPOP", "user:l", "2"), [change("user:l", "lpop", 2), change("user:l", "del", 3)]),
            (("SETRANGE", "a", "1", "!"), [change("a", "setrange", 2, value="a!ain")]),
            (("SET", "a", "x" * 70_000), [change("a", "set", 3, truncated=True)]),
            (("RENAME", "a", "user:b"),
             [change("a", "rename_from", 4), change("user:b", "rename_to", 1, truncated=True)]),
            (("MSET", "a", "1", "user:1", "2"),
             [change("a", "set", 1, value="1"), change("user:1", "set", 5, value="2")]),
            (("GETDEL", "a"), [change("a", "del", 2)]),
            (("COPY", "user:1", "a"), [change("a", "copy_to", 1, value="2")]),
        ]  # fmt: skip
        for words, wanted in steps:
            client.ask(*words)
            found = [heard(socket) for _ in wanted]
            assert [frame["payload"] for frame in found] == wanted, words
            assert [frame["topic"] for frame in found] == [f"__watch@0__:{each['key']}" for each in wanted]
        client.ask("MULTI")
        for i in range(3):
            client.ask("SET", "a", f"step{i}")
        client.ask("EXEC")
        assert [heard(socket)["payload"]["value"] for _ in range(3)] == ["step0", "step1", "step2"]
        client.send_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n\xff\r\n")
        assert heard(socket)["payload"] == change("a", "set", 5, truncated=True)
        client.ask("SELECT", 1)
        client.ask("SET", "a", "elsewhere")
        assert silent(socket, 0.05)


def test_changes_by_other_surfaces_and_by_time(node: Server) -> None:
    with opened(node, "/kv/ws?keys=k,n") as socket:
        heard(socket)
        node.http("POST", "/kv/set", {"key": "k", "value": "v"})
        assert heard(socket)["payload"] == change("k", "set", 1, value="v")
        node.http("POST", "/api/v1/command", {"command": "kv.incr", "request_id": "1", "payload": {"key": "n"}})
        assert heard(socket)["payload"] == change("n", "incrby", 1, value="1")
        with node.resp() as client:
            client.ask("SET", "k", "short", "PX", 20)
        assert [heard(socket)["payload"]["event"] for _ in range(3)] == ["set", "expire", "expired"]
        node.http("POST", "/kv/set", {"key": "k", "value": "v"})
        assert heard(socket)["payload"] == change("k", "set", 1, value="v")
        with node.resp() as client:
            client.ask("FLUSHALL")
        found = {heard(socket)["payload"]["key"] for _ in range(2)}
        assert found == {"k", "n"}


def test_an_evicted_key_is_told(serve: Serve) -> None:
    node = serve({"kv_store.max_memory_mb": 16, "kv_store.eviction_policy": "ttl"}).start()
    with node.resp() as client, node.resp() as listener, opened(node, "/kv/ws?keys=first") as socket:
        heard(socket)
        client.ask("CONFIG", "SET", "notify-keyspace-events", "Ee")
        listener.ask("SUBSCRIBE", "__keyevent@0__:evicted")
        client.ask("SET", "first", "v", "EX", 100)
        assert [heard(socket)["payload"]["event"] for _ in range(2)] == ["set", "expire"]
        count = 0
        while client.ask("EXISTS", "first"):
            assert client.ask("SET", f"fill{count}", "x" * 100_000, "EX", 10_000) == b"OK"
            count += 1
        assert heard(socket)["payload"] == change("first", "evicted", 3)
        evicted = int(client.ask("INFO", "stats").split(b"evicted_keys:")[1].split(b"\r\n")[0])
        names = [listener.read()[2] for _ in range(evicted)]
        assert names[-1] == b"first" or b"first" in names
        assert len(set(names)) == evicted and client.ask("DBSIZE") == count + 1 - evicted


def test_the_keys_of_an_open_socket_change(node: Server) -> None:
    with node.resp() as client, opened(node, "/kv/ws?keys=a") as socket:
        heard(socket)
        told(socket, command="subscribe", keys=["b", "c?"])
        assert heard(socket) == {"type": "subscribed", "keys": ["b", "c?"], "subscription_count": 3}
        told(socket, command="unsubscribe", keys=["a"])
        assert heard(socket)["subscription_count"] == 2
        for key in ("a", "b", "c1", "c"):
            client.ask("SET", key, key)
        assert [heard(socket)["payload"]["key"] for _ in range(2)] == ["b", "c1"]
        told(socket, command="publish", topic="b", payload=1)
        assert "wanted subscribe or unsubscribe" in heard(socket)["error"]
        told(socket, command="subscribe", keys=[])
        assert heard(socket)["type"] == "error" and silent(socket, 0.05)


def test_a_slow_reader_is_told_of_the_gap(serve: Serve) -> None:
    node = serve({"pubsub.buffer_messages_max": 100}).start()
    with node.resp() as client, opened(node, "/kv/ws?keys=k", max_queue=1, compression=None) as socket:
        heard(socket)
        for round in range(30):
            for i in range(100):
                client.send("SET", "k", f"{round}-{i}-" + "x" * 60_000)
            for _ in range(100):
                client.read()
        versions, lost = [], 0
        while lost + len(versions) < 3000:
            frame = heard(socket)
            if frame["type"] == "gap":
                lost += frame["lost"]
            else:
                versions.append(frame["payload"]["version"])
        assert lost > 0 and versions == sorted(versions) and len(set(versions)) == len(versions)
        client.ask("SET", "k", "last")
        assert heard(socket)["payload"] == change("k", "set", 3001, value="last")


def test_any_subscriber_may_watch(node: Server) -> None:
    with node.resp() as client, node.resp() as watcher:
        watcher.ask("SUBSCRIBE", "__watch@0__:k")
        client.ask("SET", "k", "v")
        assert json.loads(watcher.read()[2]) == change("k", "set", 1, value="v")
        watcher.ask("UNSUBSCRIBE")
        watcher.ask("PSUBSCRIBE", "__watch@*:k*")
        client.ask("SET", "k2", "v")
        assert json.loads(watcher.read()[3]) == change("k2", "set", 1, value="v")
        client.ask("SELECT", 5)
        client.ask("SET", "k3", "v")
        assert watcher.read()[2] == b"__watch@5__:k3"
        client.ask("FLUSHDB")
        kind, pattern, channel, told = watcher.read()
        assert (kind, pattern, channel) == (b"pmessage", b"__watch@*:k*", b"__watch@*:k*")
        assert json.loads(told) == {"key": "", "event": "flush", "version": 1}
