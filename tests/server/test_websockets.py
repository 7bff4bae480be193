"""Sockets on a real server: the handshake, what an endpoint may do, peers that do not read or go without a word."""

import asyncio
import http.client
import json
import os
import signal
import socket
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import websockets

from synap.io.feeds import websocket_connection
from tests.server.clients import HOST, Server
from tests.server.sockets import (
    CLOSE,
    CONTINUATION,
    PATH,
    PING,
    PONG,
    TEXT,
    Hung,
    RawSocket,
    closing,
    descriptors,
    frame,
    resident,
    wait_until,
)

INSTALL = "tests.server.sockets:install"
MIB = 1 << 20


@pytest.fixture
def echo(serve: Callable[..., Server]) -> Server:
    return serve(before=INSTALL).start()


def asked(server: Server, method: str = "GET", path: str = PATH, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of a request whose headers are all given here, `_` for `-`."""
    connection = http.client.HTTPConnection(HOST, server.http_port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        reply = connection.getresponse()
        body = b"" if reply.status == 101 else reply.read()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, body
    finally:
        connection.close()


GOOD = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip


# The handshake.


def test_the_example_of_the_rfc(echo: Server) -> None:
    status, headers, _ = asked(echo, **GOOD)
    assert status == 101
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
    assert "sec-websocket-protocol" not in headers and "sec-websocket-extensions" not in headers


@pytest.mark.parametrize(("changes", "path", "status", "text"), [
    ({"Sec_WebSocket_Version": "12"}, PATH, 426, "wanted 13, found 12"),
    ({"Sec_WebSocket_Version": ""}, PATH, 426, "wanted 13"),
    ({"Sec_WebSocket_Version": None}, PATH, 426, "found none"),
    ({"Sec_WebSocket_Key": None}, PATH, 400, "Sec-WebSocket-Key"),
    ({"Sec_WebSocket_Key": "short"}, PATH, 400, "Sec-WebSocket-Key"),
    ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZ!=="}, PATH, 400, "Sec-WebSocket-Key"),
    ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQAA"}, PATH, 400, "Sec-WebSocket-Key"),
    ({"Sec_WebSocket_Extensions": "permessage-deflate; =1"}, PATH, 400, "Sec-WebSocket-Extensions"),
    ({"Sec_WebSocket_Extensions": 'a; b="x'}, PATH, 400, "Sec-WebSocket-Extensions"),
    ({"Sec_WebSocket_Extensions": ", ".join(["a"] * 33)}, PATH, 400, "Sec-WebSocket-Extensions"),
    ({"Origin": "http://evil.example"}, PATH, 403, "another origin"),
    ({"Sec_Fetch_Site": "cross-site"}, PATH, 403, "another site"),
    ({"Host": "evil.example"}, PATH, 403, "this Host"),
    ({}, "/picky/ws", 400, "wanted 'keys'"),
    ({}, "/health", 426, "not a WebSocket"),
    ({}, "/none/ws", 426, "not a WebSocket"),
    ({"Upgrade": None}, PATH, 426, "wanted Upgrade"),
    ({"Connection": "keep-alive"}, PATH, 426, "wanted Upgrade"),
])  # fmt: skip
def test_refused(echo: Server, changes: dict[str, str | None], path: str, status: int, text: str) -> None:
    given = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    found, headers, body = asked(echo, "GET", path, **given)
    assert (found, json.loads(body)["code"]) == (status, status)
    assert text in json.loads(body)["error"]
    if "wanted" in text and status == 426:
        assert (headers["upgrade"], headers["sec-websocket-version"]) == ("websocket", "13")


def test_other_methods(echo: Server) -> None:
    assert asked(echo, "POST")[:1] == (405,)
    assert asked(echo, "POST")[1]["allow"] == "GET, OPTIONS"
    assert asked(echo, "OPTIONS")[0] == 204
    assert asked(echo, "GET")[0] == 426


def test_a_page_of_ours_and_of_an_allowed_origin_may_come_in(serve: Callable[..., Server]) -> None:
    server = serve({"server.cors_origins": "http://friend.example"}, before=INSTALL).start()
    assert asked(server, **GOOD, Origin="http://friend.example")[0] == 101
    assert asked(server, **GOOD, Origin=f"http://{HOST}:{server.http_port}")[0] == 101
    assert asked(server, **GOOD, Origin="http://evil.example")[0] == 403


def test_http_goes_on_after_a_refusal(echo: Server) -> None:
    connection = http.client.HTTPConnection(HOST, echo.http_port, timeout=10)
    for _ in range(3):
        connection.request("GET", "/picky/ws", headers={name.replace("_", "-"): text for name, text in GOOD.items()})
        assert connection.getresponse().read().startswith(b"{")
        connection.request("GET", "/health")
        assert json.loads(connection.getresponse().read())["status"] == "healthy"
    connection.close()


def test_requests_before_and_frames_behind_the_handshake_in_one_write(echo: Server) -> None:
    with socket.create_connection((HOST, echo.http_port)) as client:
        client.settimeout(10)
        before = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in GOOD.items())
        client.sendall(before + f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode()
                       + frame(TEXT, b"early") + closing())  # fmt: skip
        said = b""
        while piece := client.recv(65536):
            said += piece
    first, second = said.index(b"HTTP/1.1 200"), said.index(b"HTTP/1.1 101")
    assert first < second
    assert said.endswith(b"\r\n\r\n\x81\x05early\x88\x02\x03\xe8")


def test_path_and_query_are_parameters(echo: Server) -> None:
    with RawSocket(echo.http_port, "/room/caf%C3%A9%2Fx/ws/b?from=3&x=a%20b") as client:
        wanted = [("from", "3"), ("room", "café/x"), ("who", "b"), ("x", "a b")]
        assert client.read() == (TEXT, repr(wanted).encode())


# Talks.


def test_a_talk_that_fails_costs_its_socket_alone(echo: Server) -> None:
    with RawSocket(echo.http_port) as other, RawSocket(echo.http_port) as client:
        client.send(frame(TEXT, b"!raise"))
        opcode, payload = client.read()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1011))
        client.send(closing(1011))
        assert client.ended()
        assert other.ask(b"still there") == b"still there"
        wait_until(lambda: other.ask(b"!ended") == b"1")
    with RawSocket(echo.http_port, "/broken/ws") as client:
        assert client.read()[1][:2] == struct.pack("!H", 1011)
    assert "as the test wants it" in echo.said()


def test_a_close_of_ours_waits_for_the_peers(serve: Callable[..., Server]) -> None:
    assert websocket_connection.CLOSE_WAIT_S == 5
    echo = serve(before=f"{INSTALL}_hasty").start()
    with RawSocket(echo.http_port) as client:
        client.send(frame(TEXT, b"!close") + frame(TEXT, b"not heard") + frame(PING, b"nor this"))
        assert client.read() == (CLOSE, struct.pack("!H", 3000) + b"as asked")
        client.send(closing(3000))
        assert client.ended()
    with RawSocket(echo.http_port) as client:  # and not without end
        client.send(frame(TEXT, b"!close"))
        assert client.read()[0] == CLOSE
        begun = time.monotonic()
        try:
            assert client.socket.recv(1) == b""
        except ConnectionResetError:
            pass
        assert 0.9 < time.monotonic() - begun < 4


def test_each_talk_ends_once(echo: Server) -> None:
    with RawSocket(echo.http_port) as watch:
        for how in ("close", "eof", "reset", "fault"):
            client = RawSocket(echo.http_port)
            assert client.ask(b"hi") == b"hi"
            if how == "close":
                client.send(closing())
                assert client.read()[0] == CLOSE and client.ended()
            elif how == "eof":
                client.socket.shutdown(socket.SHUT_WR)
                assert client.ended()
            elif how == "reset":
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                client.send(frame(TEXT, b"\xff"))
                assert client.read()[1][:2] == struct.pack("!H", 1007)
            client.socket.close()
        wait_until(lambda: watch.ask(b"!ended") == b"4")
        time.sleep(0.2)
        assert watch.ask(b"!ended") == b"4"


def test_a_stop_says_goodbye(serve: Callable[..., Server]) -> None:
    server = serve(before=INSTALL).start()
    with RawSocket(server.http_port) as client:
        assert client.ask(b"hi") == b"hi"
        os.kill(server.pid, signal.SIGTERM)
        opcode, payload = client.read()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1001))
    assert server.reap() == 0


def test_clients_are_listed_and_killed(echo: Server) -> None:
    with RawSocket(echo.http_port) as client, echo.resp() as resp:
        assert client.ask(b"hi") == b"hi"
        listed = resp.ask("CLIENT", "LIST").decode()
        own = str(resp.ask("CLIENT", "ID"))
        others = [part[3:] for part in listed.split() if part.startswith("id=") and part[3:] != own]
        assert len(others) == 1
        assert resp.ask("CLIENT", "KILL", "ID", others[0]) == 1
        with pytest.raises((Hung, ConnectionError)):
            client.read()


# Time.


def test_a_silent_peer_is_asked_and_dropped(serve: Callable[..., Server]) -> None:
    server = serve({"server.websocket_ping_s": 1}, before=INSTALL).start()
    with RawSocket(server.http_port) as answers, RawSocket(server.http_port) as silent:
        pings = 0
        while True:
            opcode, payload = silent.read()
            if opcode == CLOSE:
                break
            assert opcode == PING
            pings += 1
            assert answers.read() == (PING, b"")
            answers.send(frame(PONG))
        assert pings == 3
        assert payload[:2] == struct.pack("!H", 1008)
        answers.send(frame(TEXT, b"here"))
        while (said := answers.read()) == (PING, b""):
            answers.send(frame(PONG))
        assert said == (TEXT, b"here")


# Memory.


def deflated_bomb(size: int) -> bytes:
    """Zeros, compressed twice as much as one stream can: octets that inflate to `size`."""
    made = zlib.compressobj(9, zlib.DEFLATED, -12)
    block = b"\0" * MIB
    data = b"".join(made.compress(block) for _ in range(size // MIB))
    return (data + made.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_bomb_ends_at_the_limit(echo: Server) -> None:
    bomb = deflated_bomb(512 * MIB)
    assert len(bomb) < 1 * MIB
    before = resident(echo.pid)
    for _ in range(5):
        with RawSocket(echo.http_port, offer="permessage-deflate") as client:
            client.send(frame(TEXT, bomb[:1024], rsv=4, fin=False))
            try:
                client.send(frame(CONTINUATION, bomb[1024:]))
            except ConnectionError:
                pass
            opcode, payload = client.read()
            assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1009))
            assert resident(echo.pid) - before < 24 * MIB
    with RawSocket(echo.http_port) as client:
        assert client.ask(b"hi") == b"hi"


def test_lengths_that_lie_take_nothing(serve: Callable[..., Server]) -> None:
    server = serve({"limits.websocket_message_bytes_max": 1 << 30}, before=INSTALL).start()
    before = resident(server.pid)
    clients = [RawSocket(server.http_port) for _ in range(100)]
    for client in clients:
        client.send(frame(TEXT, b"", announced=1 << 30) + b"x" * 100)
    with RawSocket(server.http_port) as client:
        assert client.ask(b"hi") == b"hi"
    assert resident(server.pid) - before < 100 * MIB
    for client in clients:
        client.socket.close()


def test_who_does_not_read_costs_what_the_limits_say(serve: Callable[..., Server]) -> None:
    """100 peers ask for 64 MiB each: those whose endpoint looks wait, those whose endpoint does not are dropped."""
    limits = {"limits.output_pause_bytes": 256 * 1024, "limits.feed_output_bytes_max": MIB}
    server = serve(limits, before=INSTALL).start()
    before = resident(server.pid)
    waiting = [RawSocket(server.http_port, receive_bytes=4096) for _ in range(100)]
    for client in waiting:
        client.send(frame(TEXT, b"!flood 1000"))
    with RawSocket(server.http_port) as other:
        for _ in range(20):
            assert other.ask(b"served") == b"served"
            time.sleep(0.02)
        assert resident(server.pid) - before < 100 * MIB
        pushed = RawSocket(server.http_port, receive_bytes=4096)
        pushed.send(frame(TEXT, b"!push 1000"))
        with pytest.raises((Hung, ConnectionError)):
            while True:
                pushed.read()
        assert other.ask(b"served") == b"served"
        read = 0
        while read < 1000:  # who reads on gets all
            opcode, payload = waiting[0].read()
            assert (opcode, len(payload)) == (TEXT, 65536)
            read += 1
    for client in (*waiting, pushed):
        client.socket.close()


def test_a_peer_that_takes_nothing_is_dropped_in_time(serve: Callable[..., Server]) -> None:
    server = serve({"limits.output_stall_s": 1, "limits.output_pause_bytes": 65536}, before=INSTALL).start()
    with RawSocket(server.http_port, receive_bytes=4096) as client, RawSocket(server.http_port) as watch:
        client.send(frame(TEXT, b"!flood 1000"))
        wait_until(lambda: watch.ask(b"!ended") == b"1")


def test_pings_without_reading_are_bounded(serve: Callable[..., Server]) -> None:
    server = serve({"limits.output_pause_bytes": 65536}, before=INSTALL).start()
    before = resident(server.pid)
    with RawSocket(server.http_port, receive_bytes=4096) as client, RawSocket(server.http_port) as other:
        client.socket.settimeout(1)
        flood = frame(PING, b"x" * 125) * 5000
        with pytest.raises(TimeoutError):
            for _ in range(200):
                client.socket.sendall(flood)
        assert resident(server.pid) - before < 16 * MIB
        assert other.ask(b"served") == b"served"


def test_opened_and_dropped_without_goodbye(echo: Server) -> None:
    with RawSocket(echo.http_port) as watch:
        assert watch.ask(b"hi") == b"hi"
        before = descriptors(echo.pid)

        def one(number: int) -> None:
            client = RawSocket(echo.http_port)
            if number % 2:
                client.send(frame(TEXT, b"half", fin=False))
            if number % 3 == 0:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(2000)))
        wait_until(lambda: watch.ask(b"!ended") == b"2000")
        assert descriptors(echo.pid) <= before


# The log.


ALWAYS = {"persistence.wal.fsync_mode": "always"}


def test_frames_wait_for_the_disk_with_everything_else(serve: Callable[..., Server]) -> None:
    server = serve(ALWAYS, before=f"{INSTALL}_stuck").start()
    stuck = server.data.parent / "sync_stuck"
    with RawSocket(server.http_port) as client, RawSocket(server.http_port) as other:
        assert client.ask(b"!set 1") == client.ask(b"!set 2") == b'{"success":true,"key":"k","written":true}'
        stuck.touch()
        client.send(frame(TEXT, b"!set 3"))
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.read()
        stuck.unlink()
        client.socket.settimeout(10)
        assert client.read() == (TEXT, b'{"success":true,"key":"k","written":true}')
        assert other.ask(b"hi") == b"hi"


def test_a_log_that_fails_leaves_the_outcome_unknown(serve: Callable[..., Server]) -> None:
    server = serve(ALWAYS, before=f"{INSTALL}_failing").start()
    with RawSocket(server.http_port) as client, RawSocket(server.http_port) as other:
        assert client.ask(b"!set 1") == b'{"success":true,"key":"k","written":true}'
        (server.data.parent / "sync_fails").touch()
        client.send(frame(TEXT, b"!set 2"))
        opcode, payload = client.read()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1011)) and b"unknown" in payload
        assert other.ask(b"hi") == b"hi"


def test_a_broken_node_stops(serve: Callable[..., Server]) -> None:
    server = serve(before=INSTALL).start()
    with RawSocket(server.http_port) as client:
        client.send(frame(TEXT, b"!broken"))
        with pytest.raises((Hung, ConnectionError)):
            client.read()
        assert server.reap() != 0


# A client of others.


def test_websockets_as_client(echo: Server) -> None:
    async def talk() -> None:
        url = f"ws://{HOST}:{echo.http_port}{PATH}"
        for compression in ("deflate", None):
            async with websockets.connect(url, compression=compression, max_size=None) as client:
                for text in ("", "hi", "κόσμε" * 1000, "x" * (MIB - 1)):
                    await client.send(text)
                    assert await client.recv() == text
                await client.send(["in ", "three ", "parts"])
                assert await client.recv() == "in three parts"
                await (await client.ping(b"there?"))
            assert client.close_code == 1000
        async with websockets.connect(url) as client:
            await client.send("x" * (MIB + 1))
            with pytest.raises(websockets.ConnectionClosedError) as caught:
                await client.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
        many: list[Any] = [await websockets.connect(url) for _ in range(50)]
        for number, client in enumerate(many):
            await client.send(str(number))
        assert [await client.recv() for client in many] == [str(number) for number in range(50)]
        for client in many:
            await client.close()

    asyncio.run(talk())
