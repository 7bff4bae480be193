"""Clients that write all of a pipeline before they read: answered, as long as the memory for slow readers allows it."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import redis

from tests.server.clients import HOST, Server, eventually
from tests.support import command

MIB = 1 << 20
Serve = Callable[..., Server]


@pytest.mark.parametrize(
    ("count", "size"), [(10_000, 1000), (2000, 10_000), (300, 300_000), (40, 2 * MIB), (6, 20 * MIB)]
)
def test_redis_py(serve: Serve, count: int, size: int) -> None:
    server = serve({"persistence.wal.fsync_mode": "never"}).start()
    with redis.Redis(HOST, server.resp_port, socket_timeout=30) as client:
        pipeline = client.pipeline(transaction=False)
        for i in range(count):
            pipeline.set(f"k{i % 7}", b"%07d" % i * (size // 7))
            pipeline.get(f"k{i % 7}")
        told = pipeline.execute()
        assert told[::2] == [True] * count
        assert all(value == b"%07d" % i * (size // 7) for i, value in enumerate(told[1::2]))


def write_all(link: socket.socket, data: bytes) -> None:
    """As a client does that reads nothing until it has written all."""
    link.settimeout(20)
    link.sendall(data)


def read_all(link: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = link.recv(1 << 20)
        if not piece:
            break
        found += piece
    return bytes(found)


def test_a_long_pipeline_of_small_ones(node: Server) -> None:
    count = 300_000
    with socket.create_connection((HOST, node.resp_port)) as link:
        write_all(link, command("SET", "k", "0123456789") + command("GET", "k") * count)
        assert read_all(link, 5 + 17 * count) == b"+OK\r\n" + b"$10\r\n0123456789\r\n" * count


def test_many_answers_to_few_bytes_and_then_more(node: Server) -> None:
    """One read asks for far more than is made at once; what comes after it has to be read all the same."""
    big, count = b"x" * 100_000, 800
    with socket.create_connection((HOST, node.resp_port)) as link:
        write_all(link, command("SET", "k", big) + command("GET", "k") * count + command("SET", "m", b"y" * 30 * MIB))
        link.sendall(command("STRLEN", "m"))
        reply = b"$100000\r\n" + big + b"\r\n"
        tail = b"+OK\r\n:%d\r\n" % (30 * MIB)
        found = read_all(link, 5 + len(reply) * count + len(tail))
        assert found == b"+OK\r\n" + reply * count + tail


def test_http(node: Server) -> None:
    count, value = 3000, "v" * 10_000
    assert node.http("POST", "/kv/set", {"key": "k", "value": value})[0] == 200
    one = b"GET /kv/get/k HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + b"f" * 10_000 + b"\r\n\r\n"
    with socket.create_connection((HOST, node.http_port)) as link:
        write_all(link, one * (count - 1) + one.replace(b"\r\nX-", b"\r\nConnection: close\r\nX-"))
        found = read_all(link, 1 << 40)
        assert found.count(b"HTTP/1.1 200") == count and found.count(value.encode()) == count


def test_the_memory_of_all_is_the_limit(serve: Serve) -> None:
    """Those who never read are read on from until it is used up, and are hung up on; others do not notice."""
    server = serve({"limits.output_total_bytes_max": 32 * MIB, "limits.output_stall_s": 3}).start()
    with server.resp() as client, ExitStack() as stack:
        assert client.ask("SET", "k", b"x" * 1000) == b"OK"
        before = server.rss()
        pair = command("SET", "m", b"x" * 1000) + command("GET", "k")
        links = [stack.enter_context(socket.create_connection((HOST, server.resp_port))) for _ in range(10)]
        for link in links:
            link.setblocking(False)
        most, begun = 0, time.monotonic()
        while time.monotonic() - begun < 2.5:
            for link in links:
                try:
                    link.send(pair * 500)
                except (BlockingIOError, ConnectionError):
                    pass
            most = max(most, server.rss())
            assert client.ask("GET", "k") == b"x" * 1000
        assert most - before < 32 * MIB + 10 * 4 * MIB, (most - before) / MIB
        eventually(lambda: int(server.info("clients")["connected_clients"]) <= 2, 10, 0.1)
        with pytest.raises(ConnectionError):
            for link in links:
                link.setblocking(True)
                while link.recv(1 << 20):
                    pass
                raise ConnectionError


