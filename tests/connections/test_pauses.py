"""Connections and CLIENT PAUSE: who is held is not idle, takes nothing once it is gone, and leaves nothing behind."""


import pytest

from synap.command import BATCHES, DIAGNOSTICS
from synap.engine.resp.states import Run
from synap.io.connections.states import Life, Work
from synap.io.server import server_commands
from synap.store.doors import absent
from synap.store.memory import codes, layout
from tests.connections.place import Place, frame, handshake, request, run
from tests.support import command

pytestmark = pytest.mark.usefixtures("store")
PUBLISH = ("QUEUE.PUBLISH", "jobs", "x")
LPOP = request("POST", "/list/blpop", b'{"keys": ["k"], "timeout": 5}')
CLOSE = frame(8, b"\x03\xe8")


def test_a_held_client_is_not_idle_and_its_time_starts_anew() -> None:
    async def tale(place: Place) -> None:
        place.engine.diagnostics.idle_s = 1
        held, idle = place.resp(), place.resp()
        await place.ask("CLIENT", "PAUSE", "600000", "WRITE")
        held.ask("SET", "a", "1")
        begun = place.server.clock.now()
        later = begun + 60_000
        place.server.clock.now = lambda: later  # type: ignore[method-assign]
        place.other.protocol.machine.session.note_seen(later)
        server_commands.upkeep(place.server, later)
        await place.turns()
        assert held.open and not idle.open
        later += 600_000  # the pause ends in this tick
        place.other.protocol.machine.session.note_seen(later)
        server_commands.upkeep(place.server, later)
        assert held.open and held.protocol.machine.state is Run.READY
        await place.turns()
        assert held.replies() == [b"OK"]
        server_commands.upkeep(place.server, later + 900)
        assert held.open
        server_commands.upkeep(place.server, later + 1100)
        assert not held.open, "idle from the end of the pause on"

    run(tale)


def test_an_http_client_that_ends_while_it_is_held_takes_nothing() -> None:
    async def tale(place: Place) -> None:
        await place.ask("RPUSH", "k", "a")
        await place.ask("CLIENT", "PAUSE", "600000", "ALL")
        client, late = place.http(), place.http()
        client.send(LPOP)
        await place.turns()
        assert client.protocol.work is Work.PAUSED
        client.finish()
        late.send(request("GET", "/health") + LPOP[:-1])
        late.finish()  # its request never comes
        await place.turns()
        assert not client.open and client.said() == b""
        assert place.held_count == 0
        place.engine.diagnostics.unpause()
        await place.turns()
        assert await place.ask("LRANGE", "k", "0", "-1") == [b"a"]

    run(tale)


@pytest.mark.parametrize("how", ["go", "finish", "hang_up"])
def test_who_closes_during_a_pause_is_forgotten(how: str) -> None:
    async def tale(place: Place) -> None:
        watcher = await place.websocket("/stream/r/ws/s")
        queue = await place.websocket("/queue/jobs/ws/w")
        http, resp = place.http(), place.resp()
        await place.ask("CLIENT", "PAUSE", "600000", "WRITE")
        http.send(request("POST", "/kv/set", b'{"key": "a", "value": "1"}'))
        resp.ask("SET", "a", "1")
        queue.send(frame(1, b'{"command": "ack", "message_id": "x"}'))
        await place.turns()
        assert place.held_count >= 3 and queue.protocol.work is Work.PAUSED
        for client in (http, resp, queue, watcher):
            if how == "finish":
                client.finish()
            elif how == "go" or client is not resp:
                client.go()
            else:
                client.protocol.hang_up()
        await place.turns()
        assert place.held_count == 0 and all(not client.open for client in (http, resp, queue, watcher))
        assert resp.protocol.machine.state is Run.ENDED
        place.engine.diagnostics.unpause()
        await place.turns()
        assert await place.ask("EXISTS", "a") == 0

    run(tale)


def test_a_websocket_that_closes_while_a_message_is_held_hears_the_peers_close() -> None:
    async def tale(place: Place) -> None:
        client = await place.websocket("/queue/jobs/ws/w")
        await place.ask("CLIENT", "PAUSE", "600000", "WRITE")
        client.send(frame(1, b'{"command": "ack", "message_id": "x"}'))
        socket = client.protocol
        assert socket.held is not None and not client.is_reading()
        socket.close(1000, "enough")
        assert socket.held is None and place.held_count == 0
        await place.turns()
        assert client.said().endswith(b"\x88\x08\x03\xe8enough")
        assert socket.work is Work.READY and client.is_reading() and socket.endpoint is None
        client.send(CLOSE)
        await place.turns()
        assert client.wrote_eof and not socket.machine.awaits_close
        client.finish()
        await place.turns()
        assert socket.life is Life.LOST and not client.open

    run(tale)


def test_a_feed_that_a_pause_holds_back_goes_on_after_it() -> None:
    async def tale(place: Place) -> None:
        await place.ask("QUEUE.CREATE", "jobs", 100, 30_000, 3, 5)
        client = await place.websocket("/queue/jobs/ws/w?prefetch=1")
        place.engine.diagnostics.pause(1 << 62, False)
        place.engine.feed(client.protocol.endpoint.feed.hash, place.server.clock.now())
        assert place.held_count == 1
        assert await place.ask("CLIENT", "UNPAUSE") == b"OK"
        await place.ask(*PUBLISH)
        assert b'"type":"message"' in client.said()

    run(tale)


FAMILIES = frozenset({codes.LIST_LPUSH >> 8, codes.QUEUE_PUBLISH >> 8, BATCHES})
POST = b'{"key": "a", "value": "1"}'
PUSHED = b'{"key": "k", "values": ["a"]}'
WAITING = {
    "RESP": command("RPUSH", "k", "a"),
    "an inline command": b"RPUSH k a\r\n",
    "a handler that calls another family": command("QCREATE", "q", "0", "30"),
    "REST": request("POST", "/list/k/rpush", b'{"values": ["a"]}'),
    "the envelope": request("POST", "/api/v1/command", b'{"command": "list.rpush", "payload": %b}' % PUSHED),
    "a batch": request("POST", "/api/v1/command", b'{"type": "batch", "commands": [{"command": "kv.get", '
                                                  b'"payload": {"key": "k"}}]}'),
    "an operation": request("POST", "/api/stream", b'{"operation": "list.rpush", "target": "k", "data": %b}' % PUSHED),
}  # fmt: skip


@pytest.mark.parametrize("way", WAITING)
def test_a_call_waits_for_its_family(way: str) -> None:
    async def tale(place: Place) -> None:
        place.engine.diagnostics.expect(FAMILIES)
        client = place.http() if b"HTTP/1.1" in WAITING[way] else place.resp()
        client.send(WAITING[way])
        await place.turns()
        assert client.said() == b"", "held back"
        other, web = place.resp(), place.http()
        other.ask("SET", "a", "1")
        other.ask("GET", "a")
        web.send(request("POST", "/kv/set", POST) + request("GET", "/health"))
        await place.turns()
        assert other.replies() == [b"OK", b"1"] and web.said().count(b"200 OK") == 2, "other families are served"
        place.engine.diagnostics.expect(FAMILIES - {codes.LIST_LPUSH >> 8})
        await place.turns()
        first = client.said()
        place.engine.diagnostics.expect(frozenset())
        await place.turns()
        assert (first + client.said()).strip() and place.held_count == 0
        assert bool(first) == (way in ("RESP", "an inline command", "REST", "the envelope", "an operation"))

    run(tale)


def test_a_transaction_waits_where_it_queues() -> None:
    async def tale(place: Place) -> None:
        place.engine.diagnostics.expect(FAMILIES)
        client = place.resp()
        for words in (["MULTI"], ["SET", "a", "1"], ["RPUSH", "k", "a"], ["EXEC"]):
            client.ask(*words)
        await place.turns()
        assert client.replies() == [b"OK", b"QUEUED"]
        place.engine.diagnostics.expect(frozenset())
        await place.turns()
        assert client.replies() == [b"QUEUED", [b"OK", 1]]

    run(tale)


def test_a_websocket_opens_when_all_families_are_there() -> None:
    async def tale(place: Place) -> None:
        place.engine.diagnostics.expect(FAMILIES)
        client = place.http()
        client.send(handshake("/stream/r/ws/s"))
        await place.turns()
        assert client.said() == b"" and place.held_count == 1
        place.engine.diagnostics.expect(frozenset())
        await place.turns()
        assert client.said().startswith(b"HTTP/1.1 101")

    run(tale)


def test_a_door_that_is_not_there_refuses() -> None:
    """No call should reach it; one that does changes nothing and ends nothing."""
    async def tale(place: Place) -> None:
        numbers, at = place.engine.numbers, layout.DOORS + (codes.LIST_LPUSH >> 8)
        there = numbers[at]
        numbers[at] = int(absent.absent_door.address)
        try:
            (refusal,) = [await place.ask("RPUSH", "k", "a")]
            assert str(refusal).startswith("LOADING")
        finally:
            numbers[at] = there
        assert await place.ask("LLEN", "k") == 0

    run(tale)


def test_what_needs_the_kernels_of_diagnostics_waits_for_them() -> None:
    async def tale(place: Place) -> None:
        place.engine.diagnostics.expect(frozenset({DIAGNOSTICS}))
        held = [place.resp() for _ in range(3)]
        for client, words in zip(held, (["WATCH", "a"], ["OBJECT", "ENCODING", "a"], ["DEBUG", "DIGEST"]), strict=True):
            client.ask(*words)
        assert await place.ask("RPUSH", "k", "a") == 1 and await place.ask("PING") == b"PONG"
        assert [client.said() for client in held] == [b""] * 3
        place.engine.diagnostics.expect(frozenset())
        await place.turns()
        assert all(client.said() for client in held)

    run(tale)
