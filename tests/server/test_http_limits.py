"""Clients that let the server wait: each is ended in its time, and nobody else notices."""

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server.clients import HOST, Server
from tests.server.test_http_pages import ask

SLOW = {"limits.http_head_s": 1, "limits.http_request_s": 2, "limits.http_idle_s": 3}
HEAD = b"POST /kv/set HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
WHOLE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def ended_after(server: Server, data: bytes, drip: bytes = b"") -> tuple[float, bytes]:
    """(seconds until the server hangs up, what it said), `drip` being sent again and again meanwhile."""
    begun = time.monotonic()
    said = b""
    with socket.create_connection((HOST, server.http_port)) as client:
        client.sendall(data)
        client.settimeout(0.2)
        while time.monotonic() - begun < 15:
            try:
                piece = client.recv(65536)
            except TimeoutError:
                with contextlib.suppress(OSError):
                    client.sendall(drip)
                continue
            except ConnectionError:
                break
            if not piece:
                break
            said += piece
    return time.monotonic() - begun, said


def test_a_request_that_does_not_arrive_is_ended(serve: Callable[..., Server]) -> None:
    server = serve(SLOW).start()
    cases = (
        (b"", b"", 1, 3, b"408"),  # nothing at all
        (b"GET /hea", b"", 1, 3, b"408"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n", 1, 3, b"408"),  # a line now and then
        (HEAD, b"", 2, 4, b"408"),
        (HEAD, b" ", 2, 4, b"408"),
        (WHOLE, b"", 3, 5, b"200"),  # idle after a reply
    )
    with ThreadPoolExecutor(len(cases)) as together:
        ends = list(together.map(lambda case: ended_after(server, case[0], case[1]), cases))
    for (data, _, least, most, status), (took, said) in zip(cases, ends, strict=True):
        assert least <= took < most + 1, (data, took)
        assert said.startswith(b"HTTP/1.1 " + status) and said.count(b"HTTP/1.1") == 1, (data, said)
        assert status != b"408" or b"connection: close" in said


def test_who_goes_on_asking_stays(serve: Callable[..., Server]) -> None:
    server = serve({**SLOW, "limits.http_idle_s": 1}).start()
    with socket.create_connection((HOST, server.http_port)) as client:
        client.settimeout(10)
        for _ in range(6):
            client.sendall(WHOLE[:20])
            time.sleep(0.3)
            client.sendall(WHOLE[20:])
            assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_call_that_waits_is_not_ended(serve: Callable[..., Server]) -> None:
    server = serve({"limits.http_head_s": 1, "limits.http_request_s": 1, "limits.http_idle_s": 1}).start()
    begun = time.monotonic()
    reply = ask(server, "POST", "/list/blpop", {"keys": ["none"], "timeout": 2})
    assert reply.status == 200 and reply.value == {"values": None} and time.monotonic() - begun > 1.9


def test_connections_of_one_address(serve: Callable[..., Server]) -> None:
    server = serve({"server.connections_per_address_max": 3}).start()
    clients = [socket.create_connection((HOST, server.http_port)) for _ in range(3)]
    for client in clients:
        client.sendall(WHOLE)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    with socket.create_connection((HOST, server.http_port), timeout=5) as more:
        assert more.recv(100) == b""
    clients.pop().close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the server may hear of the end a moment later
        with contextlib.suppress(ConnectionError):
            if ask(server, "GET", "/health").status == 200:
                break
    else:
        raise AssertionError("there is room again, and nobody comes in")
    text = ask(server, "GET", "/metrics").body.decode()
    assert "synap_connections_refused_total" in text and "synap_connections_refused_total 0.0" not in text
    for client in clients:
        client.close()


def test_two_thousand_half_open_requests(serve: Callable[..., Server]) -> None:
    """Slow loris: all connections send a part of a head, and a new client is answered within 100 ms all the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    server = serve({"limits.http_head_s": 5}).start()
    half_open: list[socket.socket] = []
    try:
        for _ in range(2000):
            client = socket.create_connection((HOST, server.http_port), timeout=10)
            client.sendall(b"GET / HTTP/1.1\r\nHost: local")
            half_open.append(client)
        took = []
        for i in range(50):
            begun = server.clock()
            assert ask(server, "GET", "/health").status == 200
            took.append(server.clock() - begun)
            half_open[i].sendall(b"h")
        took.sort()
        assert took[-5] <= 0.1, took  # the few above are the machine's, which others use, too
        end = time.monotonic() + 6.5
        for client in half_open[:100] + half_open[-100:]:
            client.settimeout(max(0.001, end - time.monotonic()))
            assert client.recv(1000).startswith(b"HTTP/1.1 408")
    finally:
        for client in half_open:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_small_requests_for_large_replies(node: Server) -> None:
    """A read of 25 KB may ask for 600 MiB: they are made as the client takes them, and nobody else waits."""
    size, count = 1 << 20, 600
    assert ask(node, "POST", "/kv/set", {"key": "k", "value": "x" * size}).status == 200
    before = resident_bytes(node)
    with socket.create_connection((HOST, node.http_port), timeout=20) as client:
        client.sendall(b"GET /kv/get/k HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
        client.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        begun = node.clock()
        assert ask(node, "GET", "/health").status == 200
        assert node.clock() - begun < 1
        assert resident_bytes(node) - before < 64 << 20
        taken, head = 0, client.recv(16)
        while piece := client.recv(1 << 20):
            taken += len(piece)
        assert head.startswith(b"HTTP/1.1 200") and taken + len(head) > count * size
    assert resident_bytes(node) - before < 64 << 20


def test_long_work_of_one_client_is_cut(node: Server) -> None:
    """Requests that walk all keys and answer little: others are served between them."""
    commands = [{"command": "kv.set", "payload": {"key": f"key:{i}", "value": 1}} for i in range(10_000)]
    for _ in range(3):
        ask(node, "POST", "/api/v1/command", {"type": "batch", "commands": commands})
        for one in commands:
            one["payload"]["key"] += "x"  # type: ignore[index]
    count = 600
    with socket.create_connection((HOST, node.http_port), timeout=60) as client:
        client.sendall(b"GET /kv/scan?prefix=none HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
        time.sleep(0.05)
        begun = node.clock()
        assert ask(node, "GET", "/health").status == 200
        other = node.clock() - begun
        said = b""
        while said.count(b"HTTP/1.1 200") < count:
            piece = client.recv(1 << 20)
            assert piece
            said += piece
        took = node.clock() - begun
    assert other < max(0.1, took / 4), (other, took)


def resident_bytes(server: Server) -> int:
    """The memory of a server."""
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_the_replies_to_a_batch_have_a_limit(serve: Callable[..., Server]) -> None:
    """A batch of small commands may ask for all memory: behind the limit nothing is carried out, and it says so."""
    node = serve({"limits.reply_bytes_max": 1 << 20}).start()
    assert ask(node, "POST", "/kv/set", {"key": "k", "value": "x" * 300_000}).status == 200
    for odd in ({}, {"odd": [1]}):  # by kernels, and by Python alone
        reads = [{"command": "kv.get", "request_id": str(i), "payload": {"key": "k"}, **odd} for i in range(10)]
        write = {"command": "kv.incr", "request_id": "last", "payload": {"key": "n"}}
        posted = {"type": "batch", "commands": [*reads, write]}
        replies = ask(node, "POST", "/api/v1/command", posted | odd).value["responses"]
        assert [reply["success"] for reply in replies] == [True] * 4 + [False] * 7
        assert [reply["request_id"] for reply in replies] == [*map(str, range(10)), "last"]
        assert all("limits.reply_bytes_max" in reply["error"] for reply in replies[4:])
    assert ask(node, "GET", "/kv/get/n").value == {"error": "Key not found"}


def test_a_body_with_many_fields_costs_its_length(node: Server) -> None:
    """Sixty thousand fields that no row has: looked for one by one in the body they would take 45 s."""
    fields = {"key": "k", "value": 1} | {f"f{i}": i for i in range(60_000)}
    begun = time.monotonic()
    assert ask(node, "POST", "/kv/set", fields).value == {"success": True, "key": "k", "written": True}
    twice = json.dumps(fields)[:-1].encode() + b',"value":2}'
    assert ask(node, "POST", "/kv/set", twice).status == 422
    assert time.monotonic() - begun < 5
