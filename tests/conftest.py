"""Fixtures for everything that needs the compiled store, and servers for tests: forked in milliseconds, ended in any
case."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synap.commands import FAMILIES
from synap.compiler import jit
from synap.store import entry_points
from tests.server.clients import Server
from tests.server.zygote import Zygote
from tests.support import Bench

# The tests start a hundred processes: each would compile the text of all modules again, half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def prepare() -> None:
    """Compile what the cache does not hold (about 100 s from nothing), load the rest."""
    everything = jit.missing
    with pytest.MonkeyPatch.context() as patch:  # the workers do not know the border functions of test modules
        patch.setattr(jit, "missing", lambda: [name for name in everything() if name.startswith("synap.")])
        entry_points.prepare(FAMILIES, 2, lambda done, total, name: print(f"compiled {done}/{total} {name}"))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let `-n 2` give each worker one half of the tests in their order, and what is left to whoever is free.

    By default neighbours go to different workers, so that each of them makes every server and file of a module.
    """
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


FIRST = (
    "tests/compiler/test_wheel.py", "tests/test_new_command.py", "tests/server/test_new_kind.py",
    "tests/server/test_http_described.py", "tests/embedded/test_typed.py",
)  # fmt: skip
"""Tests of many seconds: at the end of a run one worker would wait for the other that carries one of them out."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the workers begin with the long tests."""
    if hasattr(config, "workerinput"):
        first = [config.rootpath / name for name in FIRST]
        items.sort(key=lambda item: item.path not in first)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile before the first test that needs it, since that test's timeout is not meant for it."""
    wanted = any("store" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        prepare()
    set_aside()


def set_aside() -> None:
    """Let collections of garbage look at what tests make, and not at the thousands of tests and all modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def store() -> type[Bench]:
    """The kernels are ready: call it for a store of your own."""
    prepare()
    return Bench


@pytest.fixture
def bench(store: type[Bench]) -> Bench:
    """An empty store."""
    return store()


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
