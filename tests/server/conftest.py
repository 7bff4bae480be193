"""Servers for tests: forked in milliseconds, ended in any case."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.clients import Server
from tests.server.zygote import Zygote


@pytest.fixture(scope="session")
def zygote(store: Any) -> Iterator[Zygote]:
    """The process that servers are forked from."""
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def serve(zygote: Zygote, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers that have not been started: `serve({"a.b": value})`, each with a directory of its own."""
    servers: list[Server] = []

    def make(settings: dict[str, Any] | None = None, directory: str = "", before: str = "") -> Server:
        server = Server(zygote, tmp_path / (directory or f"data{len(servers)}"), settings or {}, before)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.end()


@pytest.fixture
def node(serve: Callable[..., Server]) -> Server:
    """A running server with the default settings."""
    return serve().start()


