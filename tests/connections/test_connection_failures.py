"""Failures of one connection: they are its own, they are told once, and a broken node stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from synap.faults import BrokenNode, Fault
from synap.io.connections.states import Life, Work
from synap.io.feeds.endpoints.queues import QueueEndpoint
from synap.proto.http import Response
from tests.connections.place import Place, open_place, request

pytestmark = pytest.mark.usefixtures("store")
WAIT = request("POST", "/snapshot")
HEALTH = request("GET", "/health")


def run(tale: Callable[[Place], Awaitable[None]]) -> None:
    async def told() -> None:
        async with open_place() as place:
            await tale(place)

    asyncio.run(told())


def waits_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> "asyncio.Future[Response]":
    """Let every request but GET /health wait for a future."""
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    answer = place.server.web.answer
    monkeypatch.setattr(
        place.server.web, "answer",
        lambda caller, asked: answer(caller, asked) if asked.path == b"/health" else future,
    )  # fmt: skip
    return future


@pytest.mark.parametrize(("error", "status", "text"), [
    (RuntimeError("as wanted"), b"500", b"RuntimeError: as wanted"),
    (Fault("LOADING"), b"503", b"Loading"),
])  # fmt: skip
def test_a_request_that_fails_while_it_waits_is_answered_once(
    error: Exception, status: bytes, text: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def tale(place: Place) -> None:
        future = waits_for(place, monkeypatch)
        client = place.http()
        client.send(WAIT + HEALTH)
        await place.turns()
        assert client.protocol.work is Work.WAITING
        with caplog.at_level(logging.ERROR, "synap"):
            future.set_exception(error)
            await place.turns()
        said = client.said()
        assert said.startswith(b"HTTP/1.1 " + status) and text in said
        assert said.count(b"HTTP/1.1 ") == 2 and b"healthy" in said and client.open and not place.errors
        assert len(caplog.records) == (not isinstance(error, Fault))

    run(tale)


def test_a_request_whose_connection_is_killed_takes_nothing() -> None:
    """CLIENT KILL ends the wait of the request at once, before the transport has told that the connection is lost."""

    async def tale(place: Place) -> None:
        client = place.http()
        client.send(request("POST", "/list/blpop", b'{"keys": ["k"], "timeout": 5}'))
        await place.turns()
        caller = client.protocol.caller
        assert caller.parked is not None
        place.other.ask("CLIENT", "KILL", "TYPE", "normal")
        assert caller.parked is None and not client.open
        place.other.ask("RPUSH", "k", "a")
        await place.turns()
        assert place.other.replies() == [1, 1] and await place.ask("LLEN", "k") == 1
        assert client.said() == b"" and client.protocol.life is Life.LOST and not place.errors

    run(tale)


def test_a_broken_node_is_reported_from_a_waiting_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        future = waits_for(place, monkeypatch)
        client = place.http()
        client.send(WAIT)
        await place.turns()
        future.set_exception(BrokenNode("as wanted"))
        await place.turns()
        assert client.said() == b"" and not client.open
        assert [type(context["exception"]) for context in place.errors] == [BrokenNode]

    run(tale)


@pytest.mark.parametrize("surface", ["http", "resp"])
def test_what_goes_on_later_and_fails_closes_its_connection(surface: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        client = place.http() if surface == "http" else place.resp()

        def fail(*_: Any) -> None:
            raise RuntimeError("as wanted")

        if surface == "http":
            future = waits_for(place, monkeypatch)
            client.send(WAIT)
            await place.turns()
            monkeypatch.setattr(client.protocol, "_answer", fail)
            future.set_result(Response(200))
        else:
            client.ask("BLPOP", "k", "0")
            monkeypatch.setattr(client.protocol, "_push", fail)
            place.other.ask("RPUSH", "k", "a")
        await place.turns()
        assert not client.open and client.protocol.life is Life.LOST
        (context,) = place.errors
        assert "as wanted" in str(context["exception"]) and place.other.open

    run(tale)


# WebSockets.


async def subscribed(place: Place, monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """A socket at a queue whose endpoint fails in the method `name`, and one that is well."""
    await place.ask("QUEUE.CREATE", "jobs", 100, 30_000, 3, 5)
    bad = await place.websocket("/queue/jobs/ws/bad?prefetch=1")
    good = await place.websocket("/queue/jobs/ws/good")

    def fail(*_: Any) -> bool:
        raise RuntimeError("as wanted")

    monkeypatch.setattr(bad.protocol.endpoint, name, fail)
    return bad, good


def test_a_feed_that_fails_closes_its_socket_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        bad, good = await subscribed(place, monkeypatch, "_wants_more")
        reply = await place.ask("QUEUE.PUBLISH", "jobs", "x")
        assert isinstance(reply, bytes), "the publisher is answered"
        assert b"\x88\x10\x03\xf3internal error" in bad.said()
        assert b'"type":"message"' in good.said()
        assert not place.errors and bad.protocol.endpoint is None and good.protocol.machine.open
        assert await place.ask("QUEUE.PUBLISH", "jobs", "y") is not None
        assert b'"type":"message"' in good.said()

    run(tale)


def test_a_socket_that_fails_at_the_end_of_a_pause_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        bad, good = await subscribed(place, monkeypatch, "drained")
        await place.ask("QUEUE.PUBLISH", "jobs", "w")
        assert b'"type":"message"' in bad.said() + good.said()
        place.engine.diagnostics.pause(1 << 62, False)
        place.engine.feed(bad.protocol.endpoint.feed.hash, place.server.clock.now())
        assert place.held_count == 2
        assert await place.ask("CLIENT", "UNPAUSE") == b"OK"
        assert b"internal error" in bad.said() and good.protocol.machine.open
        assert not place.errors

    run(tale)


def test_an_endpoint_that_cannot_begin_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def tale(place: Place) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError("as wanted")

        monkeypatch.setattr(place.engine, "attend", fail)
        for path in ("/queue/jobs/ws/w", "/stream/r/ws/s"):
            caplog.clear()
            client = await place.websocket(path)
            assert client.protocol.endpoint is None and not client.protocol.machine.open
            assert [record.message.split()[-1] for record in caplog.records] == ["failed"], "the cause, nothing else"
        assert not place.errors

    run(tale)


def test_only_what_is_broken_passes_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        client = await place.websocket("/queue/jobs/ws/w")

        def broken(*_: Any) -> bool:
            raise BrokenNode("as wanted")

        assert isinstance(client.protocol.endpoint, QueueEndpoint)
        with pytest.raises(BrokenNode):
            client.protocol.protected(broken)
        await place.turns()
        assert not client.open
        assert client.protocol.protected(broken) is None, "a socket that is gone calls nothing"

    run(tale)
