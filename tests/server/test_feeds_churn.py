"""Feeds of large messages to clients that never read, one client after another: what they cost is given back."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.server.clients import Server, eventually
from tests.server.sockets import RawSocket
from tests.support import command

MIB = 1 << 20
CLIENTS, MESSAGES = 12, 40
LIMIT = 8 * MIB  # limits.feed_output_bytes_max
Serve = Callable[..., Server]


def socket_at(path: str) -> Callable[[Server], AbstractContextManager[Any]]:
    return lambda server: RawSocket(server.http_port, path, receive_bytes=4096)


def subscriber(*words: str) -> Callable[[Server], AbstractContextManager[Any]]:
    def connect(server: Server) -> AbstractContextManager[Any]:
        client = server.resp(receive_bytes=4096)
        client.send(*words)
        client.read()
        return client

    return connect


FEEDS: dict[str, tuple[Callable[[Server], AbstractContextManager[Any]], tuple[str, ...], tuple[str, ...]]] = {
    "websocket of topics": (socket_at("/pubsub/ws?topics=t"), ("PUBLISH", "t"), ()),
    "websocket of a pattern": (socket_at("/pubsub/ws?topics=*"), ("PUBLISH", "t"), ()),
    "subscriber": (subscriber("SUBSCRIBE", "t"), ("PUBLISH", "t"), ()),
    "subscriber of a pattern": (subscriber("PSUBSCRIBE", "t*"), ("PUBLISH", "t"), ()),
    "websocket of a queue": (socket_at("/queue/q/ws/c"), ("QUEUE.PUBLISH", "q"), ("QUEUE.PURGE", "q")),
    "websocket of a room": (socket_at("/stream/r/ws/s"), ("STREAM.PUBLISH", "r", "e"), ("STREAM.DELETE", "r")),
}


@pytest.mark.parametrize("name", FEEDS)
def test_memory_comes_back(serve: Serve, name: str) -> None:
    connect, publish, clear = FEEDS[name]
    server = serve({"persistence.enabled": "false"}).start()
    with server.resp() as client:

        def make() -> None:
            if clear:
                client.ask(publish[0].split(".")[0] + ".CREATE", publish[1])

        def round_() -> int:
            make()
            most = 0
            with connect(server):
                for _ in range(MESSAGES):
                    client.ask(*publish, b"m" * MIB)
                    most = max(most, server.rss())
                held = int(server.info("memory")["mem_clients_normal"])
                assert held <= LIMIT + 2 * MIB, held
            if clear:
                client.ask(*clear)
            return most

        round_()
        before = eventually(lambda: quiet(server), 10)
        for _ in range(CLIENTS):
            most = round_()
            if not clear:
                assert most < before + 5 * LIMIT, (most - before) / MIB
        eventually(lambda: server.rss() < before + 2 * LIMIT, 10, 0.1)  # the allocator may keep one client's share
        memory = server.info("memory")
        assert memory["mem_clients_output"] == memory["mem_subscribers"] == "0"


def quiet(server: Server) -> int:
    """The resident memory, once nothing waits for anybody."""
    memory = server.info("memory")
    return server.rss() if memory["mem_clients_normal"] == "0" else 0


def test_what_is_held_has_a_name(serve: Serve) -> None:
    """INFO memory says who holds it: output that is not taken, messages that wait, input that is not whole."""
    server = serve({"persistence.enabled": "false"}).start()
    with server.resp() as client, server.resp() as writer, server.resp(receive_bytes=4096) as slow:
        assert client.ask("SET", "k", b"x" * MIB) == b"OK"
        slow.send_bytes(command("GET", "k") * 3)
        writer.send_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nm\r\n$4000000\r\n" + b"y" * 3_000_000)
        with RawSocket(server.http_port, "/pubsub/ws?topics=t", receive_bytes=4096):
            for _ in range(6):
                client.ask("PUBLISH", "t", b"m" * MIB)

            def named() -> bool:
                memory = {name: int(value) for name, value in server.info("memory").items() if name.startswith("mem_cl")
                          or name == "mem_subscribers"}  # fmt: skip
                return (
                    memory["mem_clients_output"] > MIB and memory["mem_clients_input"] >= 3_000_000
                    and memory["mem_subscribers"] > 2 * MIB
                )  # fmt: skip

            eventually(named, 5)
