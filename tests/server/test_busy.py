"""While a script is long: other clients are told BUSY, and may end it."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis

import synap.client
from tests.server.clients import Gone, Resp, Server, eventually
from tests.server.zygote import Zygote
from tests.support import Refusal

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
OF_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
KILLED = "ERR Script killed by user with SCRIPT KILL."
FOR_EVER = "while true do end"
LIBRARY = "#!lua name=lib\nredis.register_function('loops', function() while true do end end)"
BUSY_MS = 200


@pytest.fixture
def server(zygote: Zygote, tmp_path: Path) -> Iterator[Server]:
    server = Server(zygote, tmp_path, {"scripts.busy_ms": BUSY_MS, "scripts.time_ms_max": 20_000})
    server.start()
    yield server
    server.end()


class Running:
    """A script that a client runs meanwhile; `told` is what it was answered, once `ended`."""

    def __init__(self, server: Server, *words: str) -> None:
        self.client = server.resp()
        self.client.send(*words)
        self.told: Any = None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self.told = self.client.read()

    def is_long(self, other: Resp, told: str = BUSY) -> "Running":
        """Wait until another client is told."""
        eventually(lambda: other.ask("PING") == Refusal(told))
        return self

    def end(self) -> Any:
        self._thread.join(10)
        self.client.close()
        return self.told


def test_others_are_told_and_may_end_it(server: Server) -> None:
    """Those that were there before and new ones, also in the middle of a pipeline and of a command."""
    with server.resp() as before, server.resp() as third, server.resp() as halfway:
        third.ask("HELLO", 3)
        halfway.send_bytes(b"*1\r\n$4\r\nPI")
        assert before.ask("PING") == b"PONG"
        begun = monotonic()
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(before)
        assert BUSY_MS / 1000 < monotonic() - begun < 3
        assert before.ask_all(["GET", "a"], ["SET", "a", "1"], ["NOSUCH"]) == [Refusal(BUSY)] * 3
        assert third.ask("GET", "a") == Refusal(BUSY)
        with server.resp() as fresh:
            assert fresh.ask("PING") == Refusal(BUSY) and fresh.ask("FUNCTION", "KILL") == Refusal(BUSY)
            halfway.send_bytes(b"NG\r\n")
            told = fresh.ask("HELLO", 3, "AUTH", "default", "x", "SETNAME", "fresh")
            assert told[b"server"] == b"synap" and told[b"proto"] == 3 and fresh.ask("AUTH", "default", "x") == b"OK"
            assert str(fresh.ask("HELLO", 3, "WHAT")).startswith("ERR") and fresh.ask("HELLO", 9) == Refusal(
                "NOPROTO unsupported protocol version"
            )
            assert str(fresh.ask("HELLO", "x")).startswith("ERR Protocol version") and fresh.ask("HELLO")[b"proto"] == 3
            fresh.send_bytes(b"PING\r\n")
            assert fresh.read() == Refusal(BUSY)
            fresh.send("WATCH", "a")  # waits
            with server.resp() as killer:
                assert killer.ask("SCRIPT", "KILL") == b"OK"
                assert script.end() == Refusal(KILLED)
                assert killer.ask("PING") == b"PONG"  # on a connection that was made meanwhile
            assert fresh.read() == b"OK" and fresh.ask("PING") == b"PONG"
            assert fresh.ask("CLIENT", "GETNAME") == b"fresh" and fresh.ask("CLIENT", "ID") == told[b"id"]
        assert halfway.read() == b"PONG" and before.ask("GET", "a") is None


def test_a_transaction_is_broken(server: Server) -> None:
    with server.resp() as client:
        assert client.ask_all(["MULTI"], ["SET", "a", "1"]) == [b"OK", b"QUEUED"]
        with server.resp() as killer:
            script = Running(server, "EVAL", FOR_EVER, "0").is_long(killer)
            assert client.ask("SET", "b", "1") == Refusal(BUSY)
            assert killer.ask("SCRIPT", "KILL") == b"OK"
        script.end()
        assert str(client.ask("EXEC")).startswith("EXECABORT")


def test_a_script_that_has_written_goes_on_until_a_shutdown(server: Server) -> None:
    """Which leaves nothing of it: of a script all effects last, or none, as after a crash."""
    with server.resp() as client, server.resp() as caller:
        assert client.ask("SET", "before", "1") == b"OK"
        caller.send("EVAL", f"redis.call('SET', 'a', 1) redis.call('DEL', 'before') {FOR_EVER}", "0")
        eventually(lambda: client.ask("PING") == Refusal(BUSY))
        assert str(client.ask("SCRIPT", "KILL")).startswith("UNKILLABLE")
        assert server.http("POST", "/script/kill", {})[0] == 409
        client.send("SHUTDOWN", "NOSAVE")
        with pytest.raises(Gone):
            caller.read()
    assert server.reap() == 0
    server.start()
    with server.resp() as client:
        assert client.ask("MGET", "before", "a") == [b"1", None]


def test_a_shutdown_ends_a_script_that_has_not_written(server: Server) -> None:
    with server.resp() as client:
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(client)
        client.send("SHUTDOWN", "NOSAVE")
    assert isinstance(script.end(), Refusal)
    assert server.reap() == 0


def test_functions(server: Server) -> None:
    with server.resp() as client:
        assert client.ask("FUNCTION", "LOAD", LIBRARY) == b"lib"
        script = Running(server, "FCALL", "loops", "0").is_long(client, OF_FUNCTION)
        assert client.ask("SCRIPT", "KILL") == Refusal(OF_FUNCTION)
        running = client.ask("FUNCTION", "STATS")[1]
        assert running[:4] == [b"name", b"loops", b"command", [b"FCALL", b"loops"]] and running[5] >= BUSY_MS
        assert client.ask("FUNCTION", "KILL") == b"OK"
        assert script.end() == Refusal(KILLED) and client.ask("PING") == b"PONG"


def test_http(server: Server) -> None:
    """Connections that are kept are told, too; the health of a busy node is good."""
    kept = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=10)
    kept.request("GET", "/health")
    assert kept.getresponse().read()
    with server.resp() as client:
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(client)
    kept.request("POST", "/kv/set", json.dumps({"key": "a", "value": "1"}), {"content-type": "application/json"})
    response = kept.getresponse()
    assert response.status == 503 and "A script is running" in json.loads(response.read())["error"]
    assert server.http("GET", "/health")[0] == 200
    assert server.http("GET", "/kv/get/a")[0] == 503
    assert server.http("POST", "/script/kill", {}) == (200, {"terminated": True})
    assert script.end() == Refusal(KILLED)
    kept.request("GET", "/health")
    assert kept.getresponse().status == 200
    kept.close()


@pytest.mark.parametrize("head", ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1\r\n"])
def test_http_connections_that_end(server: Server, head: str) -> None:
    with server.resp() as client:
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(client)
    for request, told in (("GET /health", b" 200 "), ("GET /kv/get/a", b" 503 "), ("POST /script/kill", b" 200 ")):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=10) as peer:
            peer.sendall(f"{request} {head}\r\n".encode())
            reply = b"".join(iter(lambda: peer.recv(65536), b""))
        assert told in reply.partition(b"\r\n")[0], reply
    assert script.end() == Refusal(KILLED)
    assert server.http("GET", "/health")[0] == 200


def test_a_beginning_in_a_transaction_waits(server: Server) -> None:
    with server.resp() as client, server.resp() as other:
        assert client.ask("MULTI") == b"OK"
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(other)
        client.send("AUTH", "default", "x")
        assert other.ask("SCRIPT", "KILL") == b"OK" and script.end() == Refusal(KILLED)
        assert client.read() == b"QUEUED" and client.ask("EXEC") == [b"OK"]


async def _killed_by_a_task(port: int) -> None:
    async with await synap.client.connect_async(f"synap://127.0.0.1:{port}") as db:
        assert await db.execute("SCRIPT", "KILL") in (b"OK", "OK", True)


@pytest.mark.parametrize("how", ["redis-py", "redis-py of RESP2", "Synap's client", "Synap's client for tasks"])
def test_a_new_client_of_a_library_ends_it(server: Server, how: str) -> None:
    with server.resp() as client:
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(client)
    if how == "Synap's client":
        with synap.client.connect(f"synap://127.0.0.1:{server.resp_port}") as db:
            assert db.execute("SCRIPT", "KILL") in (b"OK", "OK", True)
    elif how == "Synap's client for tasks":
        asyncio.run(_killed_by_a_task(server.resp_port))
    else:
        protocol = 3 if how == "redis-py" else 2
        peer = redis.Redis(port=server.resp_port, protocol=protocol, username="default", password="x")
        assert peer.script_kill()
        peer.close()
    assert script.end() == Refusal(KILLED)


def test_scripts_over_http_have_a_time_of_their_own(server: Server) -> None:
    body = {"script": FOR_EVER, "timeout_ms": 300}
    begun = monotonic()
    assert server.http("POST", "/script/eval", body)[0] == 408
    assert 0.3 <= monotonic() - begun < 1
    body = {"script": f"redis.call('SET','a',1) {FOR_EVER}", "timeout_ms": 1}
    status, told = server.http("POST", "/script/eval", body)
    assert status == 408 and "stays" in told["error"]
    assert server.http("GET", "/kv/get/a")[0] == 200
    assert server.http("POST", "/script/eval", {"script": "return 1", "timeout_ms": 0})[0] == 422
    with server.resp() as client:
        assert client.ask("CONFIG", "GET", "lua-time-limit") == [b"lua-time-limit", b"%d" % BUSY_MS]
        client.ask("CONFIG", "SET", "busy-reply-threshold", 50)
        script = Running(server, "EVAL", FOR_EVER, "0").is_long(client)
        assert client.ask("SCRIPT", "KILL") == b"OK"
        script.end()


def test_many_clients(server: Server) -> None:
    clients = [server.resp() for _ in range(300)]
    for client in clients:
        assert client.ask("PING") == b"PONG"
    script = Running(server, "EVAL", FOR_EVER, "0").is_long(clients[0])
    for client in clients:
        client.send("GET", "a")
    for client in clients:
        assert client.read() == Refusal(BUSY)
    assert clients[0].ask("SCRIPT", "KILL") == b"OK"
    script.end()
    for client in clients:
        assert client.ask("PING") == b"PONG"
        client.close()
