"""One scenario for both clients: a coroutine that awaits what can be awaited, and takes the rest as it is.

    kind        the client                  run under
    sync        Client                      asyncio, which it blocks
    asyncio     AsyncClient                 asyncio
    trio        AsyncClient                 trio
"""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import anyio

from synap.client import AsyncClient, Client
from tests.server.clients import Server

KINDS = ["sync", "asyncio", "trio"]


def client(kind: str, port: int, **options: Any) -> Any:
    """A client of this kind; nothing is sent."""
    return (Client if kind == "sync" else AsyncClient)("127.0.0.1", port, **options)


async def got(value: Any) -> Any:
    """What a call gives."""
    return await value if inspect.isawaitable(value) else value


async def each(iteration: Any) -> AsyncIterator[Any]:
    """The items of an iteration."""
    if hasattr(iteration, "__anext__"):
        async for item in iteration:
            yield item
    else:
        for item in iteration:
            yield item


@asynccontextmanager
async def within(thing: Any) -> AsyncIterator[Any]:
    """Its block."""
    if hasattr(thing, "__aenter__"):
        async with thing as entered:
            yield entered
    else:
        with thing as entered:
            yield entered


def run(kind: str, port: int, scenario: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a scenario with a client of this kind."""

    async def whole() -> None:
        async with within(client(kind, port, **options)) as made:
            await scenario(made)

    anyio.run(whole, backend="trio" if kind == "trio" else "asyncio")


def run_all(
    serve: Callable[[], Server], scenario: Callable[[Any, Server], Coroutine[Any, Any, None]], **options: Any
) -> None:
    """Run a scenario that waits for seconds with all kinds of clients at once, each with a server of its own."""

    def one(kind: str, server: Server) -> None:
        run(kind, server.resp_port, lambda asked: scenario(asked, server), **options)

    with ThreadPoolExecutor(len(KINDS)) as together:
        runs = {kind: together.submit(one, kind, serve().start()) for kind in KINDS}
    for kind, ended in runs.items():
        try:
            ended.result()
        except BaseException as error:
            error.add_note(f"with the client {kind!r}")
            raise
