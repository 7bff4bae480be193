"""Settings that CONFIG SET changes in a running server: what changes for its connections and its log lines."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.server.clients import Gone, Resp, Server

LARGE = 3 << 20


@pytest.fixture
def peer() -> Iterator[Callable[[Server], Resp]]:
    """Connects to a server, as often as a test wants."""
    made: list[Resp] = []

    def connect(server: Server) -> Resp:
        made.append(Resp(server.resp_port))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def test_maxclients(node: Server, peer: Callable[[Server], Resp]) -> None:
    first, second = peer(node), peer(node)
    assert first.ask("CONFIG", "SET", "maxclients", "2") == b"OK"
    assert "\r\nmaxclients:2\r\n" in first.ask("INFO", "clients").decode()
    with pytest.raises((Gone, OSError)):
        assert "max number of clients reached" in str(peer(node).ask("PING"))
        raise Gone
    assert second.ask("PING") == b"PONG"
    assert "try with" in str(first.ask("CONFIG", "SET", "maxclients", "4294967295"))
    assert first.ask("CONFIG", "SET", "maxclients", "3") == b"OK"
    assert peer(node).ask("PING") == b"PONG"


def test_the_largest_command(node: Server, peer: Callable[[Server], Resp]) -> None:
    client = peer(node)
    assert client.ask("SET", "k", "x" * LARGE) == b"OK"
    assert client.ask("CONFIG", "SET", "client-query-buffer-limit", "1mb") == b"OK"
    for each in (client, peer(node)):
        with pytest.raises((Gone, OSError)):
            assert "larger than limits.query_bytes_max" in str(each.ask("SET", "k", "x" * LARGE))
            each.ask("PING")
    again = peer(node)
    assert again.ask("CONFIG", "SET", "client-query-buffer-limit", "1gb") == b"OK"
    assert again.ask("SET", "k", "y" * LARGE) == b"OK" and again.ask("STRLEN", "k") == LARGE


def test_unread_messages(node: Server, peer: Callable[[Server], Resp]) -> None:
    slow, client = peer(node), peer(node)
    limits = "normal 2mb 0 0 pubsub 1mb 0 0 slave 1 2 3"
    assert client.ask("CONFIG", "SET", "client-output-buffer-limit", limits) == b"OK"
    shown = client.ask("CONFIG", "GET", "client-output-buffer-limit")[1]
    assert shown == b"normal 2097152 0 0 slave 1 2 3 pubsub 1048576 0 0"
    assert "no soft limit" in str(client.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 1mb 60"))
    slow.ask("SUBSCRIBE", "news")
    deadline = time.monotonic() + 20
    while client.ask("PUBLISH", "news", "x" * 200_000):
        assert time.monotonic() < deadline, "the subscriber that does not read was not closed"


def test_log_level(serve: Callable[..., Server], peer: Callable[[Server], Resp]) -> None:
    server = serve().start()
    client = peer(server)
    for level, written in [("warning", False), ("notice", True), ("warning", False), ("debug", True)]:
        assert client.ask("CONFIG", "SET", "loglevel", level) == b"OK"
        assert client.ask("CONFIG", "GET", "loglevel") == [b"loglevel", level.encode()]
        before = server.said().count("SIGHUP")
        os.kill(server.pid, signal.SIGHUP)
        assert client.ask("PING") == b"PONG"
        deadline = time.monotonic() + (20 if written else 0.3)
        while server.said().count("SIGHUP") == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (server.said().count("SIGHUP") > before) == written, level


def test_values_of_the_file_outside_the_bounds_of_config_set(
    serve: Callable[..., Server], peer: Callable[[Server], Resp]
) -> None:
    """Several settings change together or not at all, also if CONFIG SET would not take what the file has."""
    node = serve({"limits.bulk_bytes_max": 65536, "limits.timeout": 1 << 31}).start()
    client = peer(node)

    def shown() -> list[bytes]:
        return [client.ask("CONFIG", "GET", name)[1] for name in ("proto-max-bulk-len", "timeout", "maxclients")]

    before = shown()
    assert before[:2] == [b"65536", b"2147483648"]
    wanted = ["proto-max-bulk-len", "2mb", "timeout", "100"]
    assert "try with" in str(client.ask("CONFIG", "SET", *wanted, "maxclients", "4294967295"))
    assert shown() == before
    assert client.ask("CONFIG", "SET", *wanted) == b"OK"
    assert shown()[:2] == [b"2097152", b"100"]
