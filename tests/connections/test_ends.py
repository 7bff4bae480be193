"""Ends of connections: what arrived before is answered, a call of nobody changes nothing, and nothing is left over."""

import asyncio

import pytest

from synap.io.connections.states import Life, Output, Work
from synap.proto.http import Response
from tests.connections.place import Place, frame, request, run
from tests.support import command

pytestmark = pytest.mark.usefixtures("store")
UPGRADE = (
    b"GET /queue/jobs/ws/w1 HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
LARGE = "x" * 1000


def test_a_held_request_of_a_peer_that_is_behind_is_answered_first() -> None:
    async def tale(place: Place) -> None:
        await place.ask("SET", "k", LARGE)
        await place.ask("CLIENT", "PAUSE", "600000", "WRITE")
        client = place.http()
        client.reads = False
        client.send(request("GET", "/kv/get/k") + request("POST", "/kv/set", b'{"key": "a", "value": "1"}'))
        await place.turns()
        assert client.protocol.work is Work.PAUSED and client.protocol.output is Output.BEHIND
        await place.ask("CLIENT", "UNPAUSE")
        client.send(request("GET", "/health"))
        await place.turns()
        client.take()
        await place.turns()
        said = client.said()
        assert said.count(b"HTTP/1.1 200") == 3 and said.index(b"success") < said.index(b"healthy")
        assert await place.ask("GET", "a") == b"1"

    run(tale, limits__output_pause_bytes=1024)


@pytest.mark.parametrize("how", ["leave", "outcome_unknown"])
def test_a_socket_that_has_ended_its_side_can_be_left(how: str) -> None:
    async def tale(place: Place) -> None:
        client = await place.websocket("/pubsub/ws?topics=a")
        client.send(frame(8, b"\x03\xe8"))
        await place.turns()
        assert client.wrote_eof
        getattr(client.protocol, how)()
        await place.turns()
        assert not client.open

    run(tale)


def test_a_pipeline_is_answered_to_its_end_after_the_peer_has_ended_its_side() -> None:
    slow = command("OBJECT", "ENCODING", "k")

    async def tale(place: Place) -> None:
        await place.ask("SET", "k", "v")
        client = place.resp()
        client.protocol.reads_once = True  # as the transport of the epoll rounds
        client.send(slow)
        client.send(slow * 2)  # two replies wait for the first one
        client.send(slow * 2 + command("GET", "k"))  # not run yet
        client.finish()
        await place.turns()
        assert client.replies() == [b"embstr"] * 5 + [b"v"] and not client.open

    run(tale)


def test_what_a_pause_held_does_not_run_once_its_peer_has_ended() -> None:
    async def tale(place: Place) -> None:
        await place.ask("CLIENT", "PAUSE", "600000", "WRITE")
        client = place.resp()
        client.send(command("GET", "a") + command("SET", "a", "1"))
        client.finish()
        await place.ask("CLIENT", "UNPAUSE")
        assert client.replies() == [None] and not client.open
        assert await place.ask("GET", "a") is None

    run(tale)


def test_a_closing_connection_that_takes_half_of_its_output_is_watched() -> None:
    """The stall limit ends it if the peer takes no more."""

    async def tale(place: Place) -> None:
        await place.ask("SET", "k", LARGE)
        client = place.http()
        client.reads = False
        client.send(request("GET", "/kv/get/k").replace(b"host:", b"connection: close\r\nhost:"))
        await place.turns()
        assert client.protocol.life is Life.CLOSING and client.open
        client.take_until(100)
        assert client.protocol in place.server.connections.behind
        client.protocol.behind_at -= 1000
        place.server.connections.drop_stalled()
        await place.turns()
        assert not client.open and len(place.server.connections) == 1

    run(tale, limits__output_pause_bytes=1024)


def test_an_upgrade_of_a_peer_that_has_ended_opens_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tale(place: Place) -> None:
        await place.ask("QUEUE.CREATE", "jobs", 10, 30000, 3, 5)
        await place.ask("QUEUE.PUBLISH", "jobs", "x")
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(place.server.web, "answer", lambda caller, asked: future)
        client = place.http()
        client.send(request("POST", "/snapshot") + UPGRADE)
        client.finish()
        await place.turns()
        future.set_result(Response(200))
        await place.turns()
        assert not client.open and b"message_id" not in client.said()
        stats = await place.ask("QUEUE.STATS", "jobs")
        assert stats[stats.index(b"consumed") + 1] == 0

    run(tale)


def test_a_killed_client_takes_nothing() -> None:
    async def tale(place: Place) -> None:
        client = place.http()
        client.send(request("POST", "/list/blpop", b'{"keys": ["k"], "timeout": 5}'))
        await place.turns()
        place.other.send(command("CLIENT", "KILL", "ADDR", "127.0.0.1:1", "SKIPME", "yes") + command("RPUSH", "k", "a"))
        await place.turns()
        assert place.other.replies() == [1, 1] and not client.open
        assert await place.ask("LRANGE", "k", 0, -1) == [b"a"]

    run(tale)
