"""The tables of moves: every line of every table is taken by connections, and a request answered at once takes none."""

import ast
import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import pytest

from synap.engine.resp.states import RUN, Run
from synap.io.connections.states import LIFE, OUTPUT, WORK, Life, LifeEvent, Output, Work
from synap.moves import Moves
from synap.proto import http, http_phases, websocket
from tests.connections.place import Place, frame, open_place, request
from tests.support import Bench, command
from tests.tidiness import Source, sources

TABLES: dict[str, tuple[Moves[Any, Any], type[Enum]]] = {
    "LIFE": (LIFE, Life), "OUTPUT": (OUTPUT, Output), "WORK": (WORK, Work), "RUN": (RUN, Run),
    "http": (http_phases.PHASES, http_phases.Phase), "websocket": (websocket.PHASES, websocket.Phase),
}  # fmt: skip
KIB = 1 << 10
BLPOP = b'{"keys": ["k"], "timeout": 5}'
GET = request("GET", "/kv/get/v")
Taken = set[tuple[int, Enum, Enum]]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """The lines that were taken: table, state, event."""
    found: Taken = set()
    after = Moves.after

    def recorded(self: Moves[Any, Any], state: Enum, event: Enum) -> Enum:
        found.add((id(self), state, event))
        return after(self, state, event)

    monkeypatch.setattr(Moves, "after", recorded)
    return found


# What connections live through.


async def http_that_waits_and_goes(place: Place) -> None:
    client = place.http()
    client.send(request("POST", "/list/blpop", BLPOP))
    await place.turns()
    assert client.protocol.work is Work.WAITING and client.said() == b""
    await place.ask("RPUSH", "k", "a")
    assert client.protocol.work is Work.READY and client.said().endswith(b'{"values":["k","a"]}')
    client.finish()
    assert client.protocol.life is Life.CLOSING
    await place.turns()
    assert client.protocol.life is Life.LOST


async def http_that_is_held(place: Place) -> None:
    client = place.http()
    await place.ask("CLIENT", "PAUSE", "100000", "WRITE")
    client.send(request("POST", "/kv/set", b'{"key": "a", "value": "1"}') + GET)
    assert client.protocol.work is Work.PAUSED
    await place.turns()
    assert client.said() == b""
    await place.ask("CLIENT", "UNPAUSE")
    assert client.said().count(b"HTTP/1.1 200") == 2 and client.protocol.work is Work.READY


async def http_that_does_not_read(place: Place) -> None:
    await place.ask("SET", "v", b"x" * 8 * KIB)
    client = place.http()
    client.send(20 * GET)
    assert client.protocol.work is Work.HELD_BACK, "the rest waits for the replies of the first slice"
    await place.turns(100)
    assert client.said().count(b"HTTP/1.1 200") == 20
    client.reads = False
    client.send(20 * GET)
    await place.turns()
    assert client.protocol.output is Output.BEHIND and client.protocol.work is Work.HELD_BACK
    client.send(GET)  # one run is granted
    await place.turns()
    assert client.protocol.output is Output.BEHIND
    client.take()
    await place.turns(100)
    assert client.said().count(b"HTTP/1.1 200") == 21 and client.protocol.work is Work.READY
    assert client.protocol.output is Output.TAKEN


async def resp_with_much_to_do(place: Place) -> None:
    client = place.resp()
    client.protocol.reads_once = True  # as over a RespTransport
    client.send(4050 * command("DBSIZE"))
    machine = client.protocol.machine
    assert machine.state is Run.MORE and client.protocol.work is Work.SCHEDULED
    client.send(command("BLPOP", "k", "0"))  # before its turn
    await place.turns()
    assert len(client.replies()) == 4050 and machine.state is Run.WAITING
    assert client.protocol.work is Work.READY, "a call that waits schedules nothing"
    await place.ask("RPUSH", "k", "a")
    assert client.replies() == [[b"k", b"a"]] and client.protocol.kernel_may_serve
    client.send(4050 * command("DBSIZE"))
    client.protocol.hang_up()
    client.protocol.hang_up()
    assert machine.state is Run.ENDED
    await place.turns()


async def resp_that_does_not_read(place: Place) -> None:
    await place.ask("SET", "v", b"x" * 200 * KIB)
    client = place.resp()
    client.reads = False
    client.ask("GET", "v")
    await place.turns()
    assert client.protocol.output is Output.BEHIND
    client.ask("PING")
    await place.turns()
    assert client.protocol.output is Output.BEHIND
    client.ask("GET", "large")
    client.take()
    await place.turns()
    await place.ask("RPUSH", "large", *[b"x" * 100 * KIB] * 30)
    client.said()
    client.reads, client.protocol.reads_once = False, True  # as over a RespTransport
    client.ask("LRANGE", "large", "0", "-1")  # more than the out region holds
    await place.turns()
    client.ask("PING")
    client.ask("PING")
    assert client.protocol.output is Output.GRANTED
    client.take()
    await place.turns(100)
    assert len(client.said()) > 30 * 100 * KIB


async def resp_that_is_held(place: Place) -> None:
    client, gone = place.resp(), place.resp()
    await place.ask("CLIENT", "PAUSE", "100000", "WRITE")
    client.ask("SET", "a", "1")
    gone.ask("SET", "a", "2")
    assert client.protocol.machine.state is Run.HELD
    gone.go()
    await place.turns()
    await place.ask("CLIENT", "UNPAUSE")
    assert client.replies() == [b"OK"] and gone.protocol.machine.state is Run.ENDED


async def resp_that_waits_and_goes(place: Place) -> None:
    for half in (True, False):
        client = place.resp()
        client.ask("BLPOP", "k", "0")
        assert client.protocol.machine.state is Run.WAITING
        if half:
            client.finish()
        else:
            client.go()
        await place.turns()
        assert client.protocol.life is Life.LOST and not client.open


async def resp_that_goes_with_output(place: Place) -> None:
    await place.ask("SET", "v", b"x" * 200 * KIB)
    client = place.resp()
    client.reads = False
    client.send(command("GET", "v") * 40)
    client.finish()
    assert client.protocol.life is Life.HALF_CLOSED
    client.go()
    await place.turns()
    client = place.resp()
    client.ask("QUIT")
    client.finish()
    assert client.protocol.life is Life.CLOSING
    await place.turns()
    assert client.replies() == [b"OK"] and client.protocol.life is Life.LOST


async def websocket_that_does_not_read(place: Place) -> None:
    count = 6000  # more than one slice of time takes, however fast the machine is at the moment
    client = await place.websocket("/pubsub/ws?topics=t")
    client.reads = False
    client.send(frame(1, b"[" + b"1" * 40) * count)  # each is refused in words
    await place.turns(30)
    assert client.protocol.output is Output.BEHIND and client.protocol.work is Work.HELD_BACK
    client.take()
    await place.turns(count)
    assert client.said().count(b"Invalid request") == count and client.protocol.work is Work.READY


async def websocket_put_off(place: Place) -> None:
    client = await place.websocket("/pubsub/ws?topics=t")
    socket = client.protocol
    client.reads = False
    socket.work = Work.HELD_BACK  # as after a slice of time
    socket._soon()
    client.write(b"x" * 200 * KIB)
    await place.turns()
    assert socket.work is Work.HELD_BACK
    client.take()
    await place.turns()
    assert socket.work is Work.READY and client.is_reading()
    socket.drop()
    await place.turns()
    assert socket not in place.server.connections


async def handshakes(place: Place) -> None:
    machine = websocket.Machine()
    machine.close()
    machine.receive_data(frame(8, b""))
    machine.next_event()
    assert machine.close() == b"" and not machine.open and not machine.awaits_close
    machine = websocket.Machine()
    machine.receive_data(frame(8, b""))
    machine.next_event()
    assert machine.close() and machine.close() == b""


async def requests(place: Place) -> None:
    """Requests that the reference machine reads, with every end that each phase may have."""
    post = request("POST", "/", b"{}")
    upgrade = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    last = b"GET / HTTP/1.0\r\nhost: a\r\n\r\n"
    for parts, close in (
        ([post, upgrade, last], False), ([upgrade], True), ([post[:-1]], True), ([b"nonsense\r\n\r\n"], True),
        ([b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"], True), ([], False),
    ):  # fmt: skip
        machine = http.Machine()
        for data in parts:
            machine.receive_data(data)
            try:
                machine.next_event()
            except http.RemoteProtocolError:
                assert close
            plain = http.Response(200, b"", b"text/plain", close=close)
            assert machine.send(plain).startswith(b"HTTP/1.1 200")
        machine.receive_eof()
        assert machine.next_event() is http.CLOSED


TALES: list[Callable[[Place], Awaitable[None]]] = [
    http_that_waits_and_goes, http_that_is_held, http_that_does_not_read, resp_with_much_to_do, resp_that_does_not_read,
    resp_that_is_held, resp_that_waits_and_goes, resp_that_goes_with_output, websocket_that_does_not_read,
    websocket_put_off, requests, handshakes,
]  # fmt: skip


async def told(tales: list[Callable[[Place], Awaitable[None]]]) -> None:
    async with open_place(limits__output_pause_bytes=64 * KIB) as place:
        for tale in tales:
            await tale(place)
            assert not place.errors, tale.__name__
            assert place.held_count == 0


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_a_tale(store: type[Bench], tale: Callable[[Place], Awaitable[None]]) -> None:
    asyncio.run(told([tale]))


def test_every_line_of_every_table_is_taken(store: type[Bench], taken: Taken) -> None:
    asyncio.run(told(TALES))
    missing = [
        f"{name}: {state.name} at {event.name}"
        for name, (table, _) in TABLES.items() for state, line in table.lines.items() for event in line
        if (id(table), state, event) not in taken
    ]  # fmt: skip
    assert not missing


def test_what_is_answered_at_once_makes_no_move(store: type[Bench], taken: Taken) -> None:
    async def ask() -> None:
        async with open_place() as place:
            client = place.http()
            client.send(GET)
            place.other.ask("PING")
            await place.turns()
            assert client.said().startswith(b"HTTP/1.1 200") and place.other.replies() == [b"PONG"]

    asyncio.run(ask())
    assert not taken


# The tables themselves.


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_each_state_and_leads_to_it(name: str) -> None:
    table, states = TABLES[name]
    assert set(table.lines) == set(states)
    reached = {after for line in table.lines.values() for after in line.values()}
    assert reached | {next(iter(states))} == set(states)
    assert all(isinstance(word.value, str) for states in (states, *map(type, _events(table))) for word in states)


def _events(table: Moves[Any, Any]) -> list[Any]:
    return [event for line in table.lines.values() for event in line]


def test_an_event_without_a_line_is_named() -> None:
    with pytest.raises(AssertionError, match=r"no move from Life\.LOST at LifeEvent\.CLOSE"):
        LIFE.after(Life.LOST, LifeEvent.CLOSE)


# Who may change what.

PLACES = ("synap.io.connections.", "synap.io.http.", "synap.io.resp.", "synap.io.feeds.", "synap.engine.resp.",
          "synap.proto.websocket")  # fmt: skip
STATES = ("life", "output", "work", "state", "_life", "_phase")


def changes(source: Source) -> list[ast.Assign]:
    """The assignments to a state outside of `__init__`."""
    begun = {
        node for maker in ast.walk(source.tree) if isinstance(maker, ast.FunctionDef) and maker.name == "__init__"
        for node in ast.walk(maker)
    }  # fmt: skip
    return [
        node for node in ast.walk(source.tree)
        if isinstance(node, ast.Assign) and node not in begun
        and any(isinstance(target, ast.Attribute) and target.attr in STATES for target in node.targets)
    ]  # fmt: skip


def test_a_state_changes_only_by_its_table() -> None:
    found = [(source, node) for source in sources() if source.module.startswith(PLACES) for node in changes(source)]
    assert len(found) > 30
    for source, node in found:
        by = node.value.func if isinstance(node.value, ast.Call) else node.value
        assert isinstance(by, ast.Attribute) and by.attr == "after", f"{source.path}:{node.lineno}"


def test_reading_is_switched_in_one_place() -> None:
    switching = re.compile(r"\.(pause|resume)_reading\(")
    assert [source.module for source in sources() if switching.search(source.text)] == [
        "synap.io.connections.connection"
    ]
