"""What clients of the HTTP API rely on, row by row: status and body of each call; and connections, as operators see
them.

The calls of a table share one server and follow each other. `...` stands for anything, a name in a set for a field that
must be there.
"""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.clients import HOST, Resp, Server
from tests.server.test_http_pages import ask

MISSING = {"error": "Key not found"}
NO_PIECE = {"error": "Key not found or range empty"}
Row = tuple[str, str, Any, int, Any]


def refused(code: int, text: str) -> dict[str, Any]:
    return {"error": text, "code": code}


REST: list[Row] = [
    ("POST", "/kv/set", {"key": "k", "value": "hello", "ttl": 60}, 200, {"success": True, "key": "k", "written": True}),
    ("GET", "/kv/get/k", None, 200, "hello"),
    ("GET", "/kv/get/k?type=bytes", None, 200, list(b"hello")),
    ("POST", "/kv/set", {"key": "o", "value": {"b": [1, None]}}, 200, {"success": True, "key": "o", "written": True}),
    ("GET", "/kv/get/o", None, 200, '{"b":[1,null]}'),
    ("GET", "/kv/get/none", None, 200, MISSING),
    ("POST", "/kv/set", {"key": "k"}, 422, refused(422, "Invalid request: Missing 'value' field")),
    ("POST", "/kv/set", b"", 400, refused(400, "Invalid request: Missing 'key' field")),
    ("POST", "/kv/set", b"{", 400, {"error", "code"}),
    ("POST", "/kv/set", {"key": "k", "value": 1, "ttl": 1.5}, 422, {"error", "code"}),
    ("GET", "/kv/stats", None, 200, {"total_keys", "total_memory_bytes", "operations", "hit_rate"}),
    ("DELETE", "/kv/del/o", None, 200, {"deleted": True, "key": "o"}),
    ("DELETE", "/kv/del/o", None, 200, {"deleted": False, "key": "o"}),
    ("POST", "/kv/s/append", {"value": "abcd"}, 200, {"length": 4}),
    ("GET", "/kv/s/getrange?start=0&end=1", None, 200, "ab"),
    ("GET", "/kv/s/getrange?start=-2&end=-1", None, 200, "cd"),
    ("GET", "/kv/s/getrange?end=1", None, 400, refused(400, "Invalid request: start parameter required")),
    ("GET", "/kv/s/getrange?start=0", None, 400, refused(400, "Invalid request: end parameter required")),
    ("GET", "/kv/s/getrange?start=x&end=1", None, 400, {"error", "code"}),
    ("GET", "/kv/s/getrange?start=0&end=y", None, 400, {"error", "code"}),
    ("GET", "/kv/s/getrange?start=9&end=10", None, 200, NO_PIECE),
    ("GET", "/kv/none/getrange?start=0&end=1", None, 200, NO_PIECE),
    ("POST", "/kv/s/setrange", {"offset": 6, "value": "z"}, 200, {"length": 7}),
    ("POST", "/kv/s/setrange", {"offset": -1, "value": "z"}, 422, {"error", "code"}),
    ("POST", "/kv/s/setrange", {"offset": 1 << 40, "value": "z"}, 400, {"error", "code"}),
    ("GET", "/kv/s/strlen", None, 200, {"length": 7}),
    ("GET", "/kv/none/strlen", None, 200, {"length": 0}),
    ("POST", "/kv/g/getset", {"value": 1}, 200, None),
    ("POST", "/kv/g/getset", {"value": 2}, 200, "1"),
    ("POST", "/kv/g/incrby", {"delta": 5}, 200, {"value": 7}),
    ("POST", "/kv/msetnx", {"pairs": [["a", 1], ["b", "x"]]}, 200, {"success": True}),
    ("POST", "/kv/msetnx", {"pairs": [["b", 1], ["c", 1]]}, 200, {"success": False}),
    ("POST", "/kv/msetnx", {"pairs": []}, 200, {"success": True}),
    ("POST", "/kv/mset", {"pairs": []}, 200, {"success": True}),
    ("POST", "/kv/msetnx", {}, 422, refused(422, "Invalid request: Missing 'pairs' array")),
    ("POST", "/list/l/rpush", {"values": []}, 422, {"error", "code"}),
    ("POST", "/kv/set", {"key": "over", "value": 1, "ttl": 0}, 200, {"success": True, "key": "over", "written": True}),
    ("GET", "/kv/get/over", None, 200, MISSING),
    ("POST", "/kv/set", {"key": "k", "value": 1, "ttl": -1}, 422, {"error", "code"}),
    ("POST", "/kv/set", {"key": "k", "value": 1, "ttl": 0, "px": 9}, 400, {"error", "code"}),
    ("POST", "/kv/g/incrby", {"delta": 0, "amount": 0}, 200, {"value": 7}),
    ("POST", "/kv/g/incrby", {"delta": 5, "amount": 6}, 422, {"error", "code"}),
    ("POST", "/kv/g/incrby", {"delta": [], "amount": 6}, 422, {"error", "code"}),
    ("POST", "/key/a/copy", {"destination": "a"}, 200, {"success": True, "source": "a", "destination": "a"}),
    ("POST", "/key/none/copy", {"destination": "none"}, 404, refused(404, "Key not found: none")),
    ("GET", "/key/s/type", None, 200, {"key": "s", "type": "string"}),
    ("GET", "/key/none/type", None, 200, {"key": "none", "type": "none"}),
    ("GET", "/key/none/exists", None, 200, {"key": "none", "exists": False}),
    ("POST", "/key/a/copy", {"destination": "b"}, 400,
     refused(400, "Invalid request: Destination key already exists and replace=false")),
    ("POST", "/key/none/copy", {"destination": "b"}, 404, refused(404, "Key not found: none")),
    ("POST", "/key/a/copy", {"destination": "b", "replace": True}, 200,
     {"success": True, "source": "a", "destination": "b"}),
    ("POST", "/key/a/renamenx", {"destination": "b"}, 400,
     refused(400, "Invalid request: Destination key already exists")),
    ("POST", "/key/none/renamenx", {"destination": "b"}, 404, refused(404, "Key not found: none")),
    ("POST", "/key/a/rename", {"destination": "b"}, 200, {"success": True, "source": "a", "destination": "b"}),
    ("POST", "/key/a/rename", {"destination": "b"}, 404, refused(404, "Key not found: a")),
    ("GET", "/key/randomkey", None, 200, {"key"}),
    ("POST", "/list/l/rpush", {"values": [1]}, 200, {"length": 1, "key": "l"}),
    ("GET", "/kv/get/l", None, 409, {"error", "code"}),
    ("GET", "/list/none/range", None, 404, refused(404, "Not found")),
    ("GET", "/list/none/len", None, 404, refused(404, "Not found")),
    ("POST", "/list/none/trim", None, 404, refused(404, "Not found")),
    ("POST", "/list/none/rem", {"count": 0, "value": 1}, 404, refused(404, "Not found")),
    ("GET", "/list/l/range?start=7", None, 200, {"values": [], "key": "l"}),
    ("POST", "/list/l/rem", {"count": 0, "value": 7}, 200, {"removed": 0, "key": "l"}),
    ("POST", "/list/l/trim", None, 200, {"success": True, "key": "l"}),
    ("POST", "/list/l/trim?start=9", None, 200, {"success": True, "key": "l"}),
    ("GET", "/list/l/len", None, 404, refused(404, "Not found")),
    ("POST", "/list/l/rpush", {"values": [1]}, 200, {"length": 1, "key": "l"}),
    ("GET", "/set/none/members", None, 404, refused(404, "Not found")),
    ("GET", "/set/none/card", None, 404, refused(404, "Not found")),
    ("POST", "/set/none/rem", {"members": [1]}, 404, refused(404, "Not found")),
    ("POST", "/set/none/ismember", {"member": 1}, 404, refused(404, "Not found")),
    ("POST", "/set/none/move/t", {"member": 1}, 404, refused(404, "Not found")),
    ("POST", "/set/t/add", {"members": [1]}, 200, {"added": 1, "key": "t"}),
    ("POST", "/set/t/ismember", {"member": 2}, 200, {"is_member": False, "key": "t"}),
    ("POST", "/set/t/rem", {"members": [2]}, 200, {"removed": 0, "key": "t"}),
    ("POST", "/set/t/move/u", {"member": 2}, 200, {"moved": False, "source": "t", "destination": "u"}),
    ("POST", "/set/t/rem", {"members": [1]}, 200, {"removed": 1, "key": "t"}),
    ("GET", "/list/t/range", None, 404, refused(404, "Not found")),
    ("GET", "/set/l/card", None, 409, {"error", "code"}),
    ("POST", "/sortedset/z/zadd", {"member": 7, "score": 3}, 200, {"added": 1, "key": "z"}),
    ("GET", "/sortedset/z/zrange", None, 200, {"members": [{"member": "7", "score": 3.0}], "key": "z"}),
    ("GET", "/sortedset/z/7/zscore", None, 200, {"score": 3.0, "key": "z", "member": "7"}),
    ("POST", "/sortedset/z/zpopmin", None, 200,
     {"members": [{"member": "7", "score": 3.0}], "count": 1, "key": "z"}),
    ("GET", "/health", None, 200, {"status", "service", "version"}),
    ("GET", "/health/replication", None, 200, {"role", "status"}),
    ("POST", "/snapshot", None, 200, {"success", "message"}),
    ("GET", "/info?section=MEMORY", None, 200, {"memory"}),
    ("GET", "/info?section=other", None, 200, {"server", "memory", "stats", "replication", "keyspace"}),
    ("GET", "/slowlog", None, 200, {"entries", "total"}),
    ("GET", "/slowlog?count=x", None, 400, {"error", "code"}),
    ("POST", "/slowlog/reset", None, 200, {"success", "cleared"}),
    ("GET", "/memory/s/usage", None, 200, {"key", "bytes", "human"}),
    ("GET", "/memory/none/usage", None, 404, refused(404, "Key not found: none")),
    ("GET", "/nothing", None, 404, refused(404, "Not found")),
    ("GET", "/kv/get/k/", None, 404, refused(404, "Not found")),
    ("GET", "/kv/get/%ff", None, 400, {"error", "code"}),
    ("GET", "/kv/set", None, 405, {"error", "code"}),
    ("POST", "/kv/get/x", None, 405, {"error", "code"}),
    ("POST", "/key/flush", None, 200, {"flushed": 5}),
    ("GET", "/key/randomkey", None, 200, {"key": None}),
]  # fmt: skip

ENVELOPE: list[tuple[str, dict[str, Any], Any]] = [
    ("kv.set", {"key": "a", "value": "b", "ttl": 60}, {"success": True}),
    ("kv.ttl", {"key": "a"}, {"ttl": 60}),
    ("kv.ttl", {"key": "none"}, "Key not found: none"),
    ("kv.expire", {"key": "a", "seconds": 50}, {"result": True}),
    ("kv.ttl", {"key": "a"}, {"ttl": 50}),
    ("kv.persist", {"key": "a"}, {"result": True}),
    ("kv.ttl", {"key": "a"}, {"ttl": None}),
    ("kv.get", {"key": "none"}, None),
    ("kv.get", {}, "Invalid request: Missing 'key' field"),
    ("kv.exists", {"key": "a"}, {"exists": True}),
    ("kv.getrange", {"key": "a", "start": 0, "end": 0}, "=b"),
    ("kv.getrange", {"key": "none", "start": 0, "end": 0}, None),
    ("kv.incr", {"key": "n"}, {"value": 1}),
    ("kv.incr", {"key": "n", "delta": 2}, {"value": 3}),
    ("kv.incrby", {"key": "n", "increment": 3}, {"value": 6}),
    ("kv.incr", {"key": "n", "amount": 4, "delta": 4}, {"value": 10}),
    ("kv.incr", {"key": "n", "amount": 4, "delta": 9},
     "Invalid request: 'delta': wanted what 'amount' says, found something else"),
    ("kv.decr", {"key": "n", "delta": 5}, {"value": 5}),
    ("kv.decrby", {"key": "n", "amount": 5}, {"value": 0}),
    ("kv.incr", {"key": "a"}, "Invalid value: Value is not a valid integer"),
    ("kv.mset", {"pairs": [{"key": "m1", "value": 1}, {"key": "m2", "value": "x"}]}, {"success": True}),
    ("kv.mget", {"keys": ["m1", "none", "m2"]}, {"values": [1, None, "x"]}),
    ("kv.mget", {}, "Invalid request: Missing 'keys' array"),
    ("kv.mdel", {"keys": ["m1", "m2", "none"]}, {"deleted": 2}),
    ("kv.del", {"key": "a"}, {"deleted": True}),
    ("kv.delete", {"key": "a"}, {"deleted": False}),
    ("kv.nothing", {}, "Unknown command: kv.nothing"),
    ("key.copy", {"source": "none", "destination": "n"}, "Key not found: none"),
    ("key.copy", {"source": "none", "destination": "none"}, "Key not found: none"),
    ("kv.mget", {"keys": []}, {"values": []}),
    ("kv.mdel", {"keys": []}, {"deleted": 0}),
    ("kv.mset", {"pairs": []}, {"success": True}),
    ("kv.msetnx", {"pairs": []}, {"success": True}),
    ("kv.set", {"key": "over", "value": 1, "ttl": 0}, {"success": True}),
    ("kv.get", {"key": "over"}, None),
    ("kv.dbsize", {}, {"size": 1}),
    ("kv.flushdb", {}, {"flushed": 1}),
    ("kv.set", {"key": "a", "value": 1}, {"success": True}),
    ("kv.flushall", {}, {"flushed": 1}),
    ("kv.flushall", {}, {"flushed": 0}),
    ("slowlog.reset", {}, {"success": True, "cleared": 0}),
    ("memory.usage", {"key": "none"}, "Key not found: none"),
]  # fmt: skip


def test_rest_row_by_row(serve: Callable[..., Server]) -> None:
    server = serve({"kv_store.allow_flush_commands": "true"}).start()
    for method, path, body, status, wanted in REST:
        reply = ask(server, method, path, body)
        where = f"{method} {path} {body}: {reply.status} {reply.body!r}"
        assert reply.status == status, where
        if isinstance(wanted, set):
            assert wanted <= set(reply.value), where
        else:
            assert reply.value == wanted, where


@pytest.mark.parametrize("together", [False, True])
def test_enveloped_commands_row_by_row(serve: Callable[..., Server], together: bool) -> None:
    server = serve({"kv_store.allow_flush_commands": "true"}).start()
    posted = [{"command": name, "request_id": str(i), "payload": payload}
              for i, (name, payload, _) in enumerate(ENVELOPE)]  # fmt: skip
    if together:
        replies = ask(server, "POST", "/api/v1/command", {"type": "batch", "commands": posted}).value["responses"]
    else:
        replies = [ask(server, "POST", "/api/v1/command", one).value for one in posted]
    for i, (reply, (name, payload, wanted)) in enumerate(zip(replies, ENVELOPE, strict=True)):
        failed = isinstance(wanted, str) and not wanted.startswith("=")
        value = wanted[1:] if isinstance(wanted, str) and not failed else wanted
        right = {"success": not failed, "request_id": str(i), "payload": None if failed else value,
                 "error": wanted if failed else None}  # fmt: skip
        assert reply == right, (name, payload)


def test_http_connections_are_clients(node: Server) -> None:
    with socket.create_connection((HOST, node.http_port), timeout=20) as idle, Resp(node.resp_port) as resp:
        address = "{}:{}".format(*idle.getsockname())
        found = ask(node, "GET", "/clients").value
        assert found["count"] == len(found["clients"]) == 3
        one = next(each for each in found["clients"] if each["addr"] == address)
        assert (one["resp"], one["lib-name"], one["cmd"]) == (0, "http", "NULL")
        assert sorted(each["resp"] for each in found["clients"]) == [0, 0, 2]
        assert len({each["id"] for each in found["clients"]}) == 3
        assert f"id={one['id']} addr={address} " in resp.ask("CLIENT", "LIST").decode()
        assert resp.ask("CLIENT", "KILL", "ID", str(one["id"])) == 1
        assert idle.recv(1) == b""
        deadline = time.monotonic() + 10
        while address in resp.ask("CLIENT", "LIST").decode():
            assert time.monotonic() < deadline
        with socket.create_connection((HOST, node.http_port), timeout=20):
            while "connected_clients:2" not in resp.ask("INFO", "clients").decode():
                assert time.monotonic() < deadline


@pytest.mark.parametrize(("mode", "held", "free"), [
    ("WRITE", ("POST", "/kv/set", {"key": "k", "value": "new"}), ("GET", "/kv/get/k", None)),
    ("WRITE", ("POST", "/api/v1/command", {"command": "kv.set", "payload": {"key": "k", "value": "new"}}),
     ("POST", "/api/v1/command", {"command": "kv.get", "payload": {"key": "k"}})),
    ("ALL", ("GET", "/kv/get/k", None), ("GET", "/health", None)),
])  # fmt: skip
def test_a_pause_holds_http_back(node: Server, mode: str, held: Any, free: Any) -> None:
    ask(node, "POST", "/kv/set", {"key": "k", "value": "old"})
    answered = threading.Event()

    def late() -> None:
        assert ask(node, *held).status == 200
        answered.set()

    with Resp(node.resp_port) as resp:
        assert resp.ask("CLIENT", "PAUSE", "1000", mode) == b"OK"
        waiting = threading.Thread(target=late)
        waiting.start()
        assert ask(node, *free).status == 200
        assert not answered.wait(0.5)
        assert answered.wait(20)
        waiting.join()
