"""Clients that have said all and still listen: `printf 'SET a 1\r\n' | nc host port` closes its half and reads on."""

import os
import socket
import time
from collections.abc import Callable

import pytest

from tests.server.clients import HOST, Server, eventually
from tests.support import command

Serve = Callable[..., Server]
MODES = [("never", ""), ("periodic", ""), ("always", ""), ("always", "tests.server.faulty:slow_sync")]
HEAD = b"HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture(params=MODES, ids=["never", "periodic", "always", "always-slow"])
def each(serve: Serve, request: pytest.FixtureRequest) -> Server:
    """A server of each mode; the last has syncs that take long enough for the thread."""
    mode, before = request.param
    server = serve({"persistence.wal.fsync_mode": mode}, before=before).start()
    with server.resp() as client:  # the first sync says how long they take
        assert client.ask("SET", "warm", "x") == b"OK"
    return server


def said_all(port: int, *pieces: bytes, wait: float = 0.0) -> bytes:
    """Send the pieces, close our half, and read until the other is closed."""
    with socket.create_connection((HOST, port), 10) as one:
        for piece in pieces:
            one.sendall(piece)
        time.sleep(wait)
        one.shutdown(socket.SHUT_WR)
        found = []
        while data := one.recv(1 << 20):
            found.append(data)
        return b"".join(found)


def post(path: bytes, body: bytes) -> bytes:
    return b"POST %b %bcontent-length: %d\r\n\r\n%b" % (path, HEAD, len(body), body)


def sockets(server: Server) -> int:
    """How many sockets it has open."""
    folder = f"/proc/{server.pid}/fd"
    names = [os.path.join(folder, name) for name in os.listdir(folder)]
    return sum(os.path.lexists(name) and os.readlink(name).startswith("socket:") for name in names)


@pytest.mark.parametrize("wait", [0.0, 0.005])
def test_resp_is_answered(each: Server, wait: float) -> None:
    port = each.resp_port
    for i in range(20):
        assert said_all(port, b"SET a %d\r\nGET a\r\n" % i, wait=wait) == b"+OK\r\n$%d\r\n%d\r\n" % (len(str(i)), i)
    assert said_all(port, b"PING\r\n", wait=wait) == b"+PONG\r\n"
    assert said_all(port, command("SET", "b", 1), command("INCR", "b")[:-3], wait=wait) == b"+OK\r\n"
    assert said_all(port, b"SET c 1\r\nQUIT\r\nSET c 2\r\n", wait=wait) == b"+OK\r\n+OK\r\n"
    assert said_all(port, wait=wait) == b""
    with each.resp() as client:
        assert client.ask_all(["GET", "a"], ["GET", "b"], ["GET", "c"]) == [b"19", b"1", b"1"]
    eventually(lambda: each.info("clients")["connected_clients"] == "1")


def test_resp_large_and_many(each: Server) -> None:
    """More than one slice in, more than one budget of calls, and replies that leave in pieces."""
    port, size = each.resp_port, 3 << 20
    assert said_all(port, command("SET", "big", b"x" * size)) == b"+OK\r\n"
    value = b"$%d\r\n%b\r\n" % (size, b"x" * size)
    ask = command("GET", "big") + command("INCR", "n")
    assert said_all(port, ask * 3) == b"".join(value + b":%d\r\n" % (i + 1) for i in range(3))
    assert said_all(port, command("INCR", "m") * 20_000) == b"".join(b":%d\r\n" % (i + 1) for i in range(20_000))
    group = command("MULTI") + ask + command("EXEC")
    assert said_all(port, group) == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + value + b":4\r\n"
    eventually(lambda: each.info("clients")["connected_clients"] == "1")


def test_resp_that_waits_is_dropped_and_takes_nothing(each: Server) -> None:
    """A peer that went away looks the same, and what it waits for must go to somebody else."""
    assert said_all(each.resp_port, b"SET a 1\r\nBLPOP k 0\r\nSET a 2\r\n") == b"+OK\r\n"
    assert said_all(each.resp_port, b"SET a 1\r\nBLPOP k 0\r\nSET a 2\r\n", wait=0.05) == b"+OK\r\n"
    with each.resp() as client:
        assert client.ask_all(["RPUSH", "k", "v"], ["LLEN", "k"], ["GET", "a"]) == [1, 1, b"1"]
    eventually(lambda: each.info("clients")["connected_clients"] == "1")


def test_http_is_answered(each: Server) -> None:
    port = each.http_port
    time.sleep(0.05)
    before = sockets(each)  # of those who listen, and of the loop
    for i in range(10):
        one = post(b"/kv/set", b'{"key":"a","value":"%d"}' % i)
        found = said_all(port, one)
        assert found.startswith(b"HTTP/1.1 200") and found.endswith(b'{"success":true,"key":"a","written":true}'), found
        two = said_all(port, post(b"/kv/n/incr", b"{}") + post(b"/kv/n/incr", b"{}"))
        assert two.count(b"HTTP/1.1 200") == 2 and two.endswith(b'{"value":%d}' % (2 * i + 2)), two
        assert said_all(port, b"GET /kv/get/a " + HEAD + b"\r\n", wait=0.002).startswith(b"HTTP/1.1 200")
    found = said_all(port, post(b"/snapshot", b"{}"))
    assert found.startswith(b"HTTP/1.1 200") and b"Snapshot triggered" in found
    assert said_all(port) == b""
    eventually(lambda: sockets(each) <= before)


def test_http_that_is_wrong_is_told(each: Server) -> None:
    port = each.http_port
    assert said_all(port, b"no http at all\r\n\r\n").startswith(b"HTTP/1.1 400")
    short = post(b"/kv/set", b'{"key":"a","value":"b"}')[:-3]
    assert said_all(port, post(b"/kv/n/incr", b"{}") + short).startswith(b"HTTP/1.1 200")
    with each.resp() as client:
        assert client.ask_all(["GET", "a"], ["GET", "n"]) == [None, b"1"]


def test_http_that_waits_is_dropped_and_takes_nothing(each: Server) -> None:
    waits = post(b"/list/blpop", b'{"keys":["k"],"timeout":30}')
    begun = time.monotonic()
    for wait in (0.0, 0.05):
        found = said_all(each.http_port, post(b"/kv/n/incr", b"{}") + waits, wait=wait)
        assert found.count(b"HTTP/1.1 200") == 1 and found.endswith(b"}"), found
    assert time.monotonic() - begun < 5
    with each.resp() as client:
        assert client.ask_all(["RPUSH", "k", "v"], ["LLEN", "k"]) == [1, 1]
