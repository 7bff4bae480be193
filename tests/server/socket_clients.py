"""WebSockets for tests, with the `websockets` library as client."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.server.clients import HOST, Server


@contextmanager
def opened(server: Server, path: str, **options: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://{HOST}:{server.http_port}{path}", **options) as socket:
        yield socket


def heard(socket: ClientConnection, seconds: float = 10) -> dict[str, Any]:
    return dict(json.loads(socket.recv(timeout=seconds)))


def told(socket: ClientConnection, **frame: Any) -> None:
    socket.send(json.dumps(frame))


def silent(socket: ClientConnection, seconds: float = 0.2) -> bool:
    try:
        socket.recv(timeout=seconds)
    except TimeoutError:
        return True
    return False
