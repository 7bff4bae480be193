"""Durability by connection, request and command: who waits for the disk, who does not, and what clients are told.

Syncs of the thread do not end while there is a file `sync_stuck` (faulty.py), so whoever waits for one is seen to wait.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.cases import check_all
from tests.server.clients import HOST, Resp, Server, eventually, one_turn
from tests.server.sockets import RawSocket
from tests.support import Refusal, command

Serve = Callable[..., Server]
PAUSE_S = 0.1  # silence for which somebody is taken to wait


@pytest.fixture
def peers() -> Iterator[Callable[[Server, int], list[Resp]]]:
    """Makes RESP clients that are closed at the end."""
    with ExitStack() as stack:
        yield lambda server, count: [stack.enter_context(server.resp()) for _ in range(count)]


def serving(serve: Serve, mode: str, before: str = "stuck_sync") -> Server:
    server = serve({"persistence.wal.fsync_mode": mode}, before=f"tests.server.faulty:{before}").start()
    with server.resp() as client:  # from its first sync on the server knows that syncs are slow, and uses a thread
        client.ask_all(["CLIENT", "DURABILITY", "fsync"], ["SET", "first", "x"])
    return server


@contextmanager
def no_sync(server: Server) -> Iterator[None]:
    """No sync ends within."""
    stuck = server.data.parent / "sync_stuck"
    stuck.touch()
    try:
        yield
    finally:
        stuck.unlink()


def waits(client: Resp) -> bool:
    """Return whether no reply comes for a while."""
    client.socket.settimeout(PAUSE_S)
    try:
        client.socket.recv(1, socket.MSG_PEEK)
        return False
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(30)


def unsynced(server: Server) -> int:
    return int(server.info("persistence")["log_unsynced_changes"])


def told(asked: str, reached: str) -> list[bytes]:
    return [b"asked", asked.encode(), b"reached", reached.encode()]


@pytest.mark.parametrize("mode", ["never", "periodic", "always"])
def test_levels(serve: Serve, mode: str) -> None:
    server = serve({"persistence.wal.fsync_mode": mode, "persistence.wal.fsync_interval_ms": 60_000}).start()
    default = "fsync" if mode == "always" else "os"
    with server.resp() as client:
        assert client.ask("CLIENT", "DURABILITY") == told("default", default)
        assert client.ask("CLIENT", "DURABILITY", "Memory") == told("memory", "os")
        assert client.ask("SET", "a", 1) == b"OK" and unsynced(server) == 1
        assert client.ask("CLIENT", "DURABILITY", "FSYNC") == told("fsync", "fsync")
        assert unsynced(server) == 0  # its own change before that was made for less, and is safe all the same
        assert client.ask("INCR", "a") == 2 and unsynced(server) == 0
        assert client.ask("CLIENT", "DURABILITY", "os") == told("os", "os")
        assert client.ask("INCR", "a") == 3 and unsynced(server) == 1
        refused = client.ask("CLIENT", "DURABILITY", "disk")
        assert refused == Refusal("ERR durability 'disk': wanted memory, os, fsync or default")
        client.ask("CLIENT", "DURABILITY", "fsync")
        assert client.ask("RESET") == b"RESET"
        assert client.ask("CLIENT", "DURABILITY") == told("default", default)
        assert client.ask_all(["MULTI"], ["CLIENT", "DURABILITY", "fsync"], ["INCR", "a"], ["EXEC"])[-1] == [
            told("fsync", "fsync"), 4]  # fmt: skip
        assert unsynced(server) == 0
        assert client.ask("EVAL", "redis.call('INCR', 'a')", 0) is None and unsynced(server) == 0


def test_without_a_log(serve: Serve) -> None:
    server = serve({"persistence.enabled": "false"}).start()
    with server.resp() as client:
        assert client.ask("CLIENT", "DURABILITY") == told("default", "memory")
        assert client.ask("CLIENT", "DURABILITY", "memory") == told("memory", "memory")
        needs = "durability fsync needs a log: see persistence.wal.enabled"
        assert client.ask("CLIENT", "DURABILITY", "fsync") == Refusal(f"ERR {needs}")
        assert client.ask("WAITAOF", 0, 0, 0) == [0, 0]
        assert client.ask("WAITAOF", 1, 0, 0) == Refusal(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")  # fmt: skip
    body = {"key": "k", "value": "v"}
    assert server.http("POST", "/kv/set", body, {"Durability": "fsync"}) == (400, {"error": needs, "code": 400})
    one = {"command": "kv.set", "request_id": "1", "payload": body, "durability": "os"}
    assert server.http("POST", "/api/v1/command", one)[1] == {
        "success": False, "request_id": "1", "payload": None, "durability": "memory",
        "error": "durability os needs a log: see persistence.wal.enabled"}  # fmt: skip


@pytest.mark.parametrize("mode", ["never", "always"])
def test_who_waits_for_the_disk(serve: Serve, mode: str, peers: Any) -> None:
    server = serving(serve, mode)
    strict, free, lowered, popper = peers(server, 4)
    strict.ask("CLIENT", "DURABILITY", "fsync")
    free.ask("CLIENT", "DURABILITY", "os")
    popper.ask("CLIENT", "DURABILITY", "fsync")
    popper.send("BLPOP", "list", 0)
    with no_sync(server):
        strict.send("SET", "a", 1)
        assert waits(strict)
        assert [free.ask("INCR", "a") for _ in range(3)] == [2, 3, 4]
        with one_turn(server):  # in one turn: replies of all sorts, and a level that is lowered behind a change
            lowered.send_bytes(command("CLIENT", "DURABILITY", "fsync") + command("INCR", "b")
                               + command("CLIENT", "DURABILITY", "os") + command("INCR", "b"))  # fmt: skip
            free.send_bytes(command("INCR", "a") * 50)
        assert [free.read() for _ in range(50)] == list(range(5, 55))
        assert waits(lowered)
        lowered.send("INCR", "b")  # at `os`, and behind what waits
        assert waits(lowered)
        assert free.ask("RPUSH", "list", "x") == 1
        assert waits(popper) and waits(strict)
    assert strict.read() == b"OK" and popper.read() == [b"list", b"x"]
    assert [lowered.read() for _ in range(5)] == [told("fsync", "fsync"), 1, told("os", "os"), 2, 3]
    with no_sync(server):
        assert lowered.ask("INCR", "b") == 4


@pytest.mark.parametrize("level", ["os", "memory"])
def test_a_killed_process_loses_nothing(serve: Serve, level: str) -> None:
    server = serving(serve, "always")
    with no_sync(server), server.resp() as client:
        assert client.ask("CLIENT", "DURABILITY", level) == told(level, "os")
        for i in range(100):
            assert client.ask("SET", f"k{i}", i) == b"OK"
        server.kill9()
    server.start()
    with server.resp() as client:
        assert [client.ask("GET", f"k{i}") for i in range(100)] == [b"%d" % i for i in range(100)]


def test_waitaof(serve: Serve, peers: Any) -> None:
    server = serving(serve, "never")
    one, other = peers(server, 2)
    one.ask("SET", "a", 1)
    assert unsynced(server) == 1
    assert one.ask("WAITAOF", 0, 0, 0) == [0, 0] and one.ask("WAITAOF", 1, 0, 0) == [1, 0]
    assert unsynced(server) == 0 and one.ask("WAITAOF", 1, 0, 0) == [1, 0]
    assert one.ask("WAITAOF", 1, 1, 20) == [1, 0]  # no replica, until the timeout
    assert one.ask("WAIT", 0, 0) == 0 and one.ask("WAIT", 1, 20) == 0
    with no_sync(server):
        one.ask("SET", "a", 2)
        assert one.ask("WAITAOF", 1, 0, 20) == [0, 0]
        assert one.ask_all(["MULTI"], ["WAITAOF", 1, 0, 0], ["WAIT", 1, 0], ["EXEC"])[-1] == [[0, 0], 0]
        assert one.ask("EVAL", "return redis.call('WAITAOF', 1, 0, 0)", 0) == [0, 0]
        assert one.ask("EVAL", "return redis.call('WAIT', 1, 0)", 0) == 0
        number = one.ask("CLIENT", "ID")
        for how, answer in (("TIMEOUT", [0, 0]), ("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK")):
            one.send("WAITAOF", 1, 0, 0)
            eventually(lambda: server.info("clients")["blocked_clients"] == "1")
            assert other.ask("CLIENT", "UNBLOCK", number, how) == 1
            assert one.read() == (Refusal(answer) if isinstance(answer, str) else answer)
        one.send_bytes(command("WAITAOF", 1, 0, 0) + command("GET", "a"))
        assert waits(one)
    assert one.read() == [1, 0] and one.read() == b"2"
    def refuses(case: tuple[tuple[Any, ...], str]) -> None:
        assert one.ask(*case[0]) == Refusal(case[1])

    check_all(refuses, [
        (("WAITAOF", 2, 0, 0), "ERR value is out of range, value must between 0 and 1"),
        (("WAITAOF", -1, 0, 0), "ERR value is out of range, value must between 0 and 1"),
        (("WAITAOF", 1, -1, 0), "ERR value is out of range, must be positive"),
        (("WAITAOF", "x", 0, 0), "ERR value is not an integer or out of range"),
        (("WAITAOF", 1, 0, "x"), "ERR timeout is not an integer or out of range"),
        (("WAITAOF", 1, 0, -1), "ERR timeout is negative"),
        (("WAITAOF", 1, 0, (1 << 63) - 1), "ERR timeout is out of range"),
        (("WAIT", 1, -1), "ERR timeout is negative"),
        (("WAITAOF", 1, 0), "ERR wrong number of arguments for 'waitaof' command"),
    ])  # fmt: skip


@pytest.mark.parametrize("mode", ["periodic", "never"])
def test_a_sync_that_fails(serve: Serve, mode: str, peers: Any) -> None:
    server = serving(serve, mode, "failing_slow_sync")
    strict, free = peers(server, 2)
    strict.ask("CLIENT", "DURABILITY", "fsync")
    (server.data.parent / "sync_fails").touch()
    strict.send("SET", "a", 1)
    assert "outcome unknown" in str(strict.read())
    eventually(lambda: str(free.ask("SET", "b", 1)).startswith("MISCONF"))


def test_http(serve: Serve) -> None:
    server = serving(serve, "never")
    body = json.dumps({"key": "k", "value": "v"}).encode()

    def request(level: str) -> bytes:
        head = f"POST /kv/set HTTP/1.1\r\nHost: a\r\n{level}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    with socket.create_connection((HOST, server.http_port)) as client, no_sync(server):
        client.settimeout(10)
        client.sendall(request("Durability: OS\r\n"))
        assert b"\r\ndurability: os\r\n" in client.recv(65536)
        client.sendall(request("Durability: fsync\r\n") + request(""))
        client.settimeout(PAUSE_S)
        with pytest.raises(TimeoutError):
            client.recv(65536)
        assert server.http("POST", "/kv/set", {"key": "k", "value": "v"})[0] == 200
        client.settimeout(10)
        (server.data.parent / "sync_stuck").unlink()
        found = b""
        while found.count(b"HTTP/1.1 200") < 2:
            found += client.recv(65536)
        (server.data.parent / "sync_stuck").touch()
        assert found.count(b"\r\ndurability: fsync\r\n") == 1
    status, refused = server.http("POST", "/kv/set", {"key": "k", "value": "v"}, {"Durability": "now"})
    assert (status, refused["error"]) == (400, "durability 'now': wanted memory, os, fsync or default")
    with socket.create_connection((HOST, server.http_port)) as client:
        client.settimeout(10)
        client.sendall(request("Durability: memory\r\nDurability: fsync\r\n"))
        found = client.recv(65536)
        assert b" 422 " in found.split(b"\r\n")[0] and b"'durability': wanted one header, found 2" in found


def test_envelopes(serve: Serve) -> None:
    server = serve({"persistence.wal.fsync_mode": "never"}).start()

    def one(number: int, **more: Any) -> dict[str, Any]:
        return {"command": "kv.set", "request_id": str(number), "payload": {"key": "k", "value": "v"}, **more}

    def post(what: Any) -> Any:
        return server.http("POST", "/api/v1/command", what)[1]

    assert "durability" not in post(one(1)) and unsynced(server) == 1
    assert post(one(2, durability="os"))["durability"] == "os" and unsynced(server) == 2
    assert post(one(3, durability="fsync"))["durability"] == "fsync" and unsynced(server) == 0
    many = post({"commands": [one(4), one(5, durability="os"), one(6), one(7, durability="soon")]})["responses"]
    assert [found.get("durability") for found in many] == [None, "os", None, "os"] and unsynced(server) == 3
    assert many[3]["error"] == "durability 'soon': wanted memory, os, fsync or default"
    many = post({"commands": [one(8), one(9, durability="fsync"), one(10)]})["responses"]
    assert [found.get("durability") for found in many] == [None, "fsync", None] and unsynced(server) == 0
    assert all(found["success"] for found in many)


def test_websocket(serve: Serve) -> None:
    server = serving(serve, "never")
    server.http("POST", "/queue/q", {})
    path = "/queue/q/ws/worker?prefetch=1"
    with RawSocket(server.http_port, path + "&durability=fsync") as strict, RawSocket(server.http_port, path) as free:
        assert strict.headers["durability"] == "fsync" and "durability" not in free.headers
        for each in (strict, free):
            assert b"connected" in each.read()[1]
        with no_sync(server):
            for _ in range(2):  # each gets one: a lease is a change
                server.http("POST", "/queue/q/publish", {"payload": "job"})
            assert b"message_id" in free.read()[1]
            strict.socket.settimeout(PAUSE_S)
            with pytest.raises(TimeoutError):
                strict.read()
        strict.socket.settimeout(10)
        assert b"message_id" in strict.read()[1]
    with RawSocket(server.http_port, path, headers="Durability: never\r\n") as refused:
        assert refused.status == 400
