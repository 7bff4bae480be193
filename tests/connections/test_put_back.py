"""Elements that were popped for a client that has gone before its reply was written are put back."""

from collections.abc import Callable
from typing import Any

import pytest

from synap.io.connections.connection import Connection
from tests.connections.place import Client, Place, request, run

pytestmark = pytest.mark.usefixtures("store")
HELD = [b"a", b"b", b'{"c": 1}', b"x" * 2000]
CALLS = {
    "BLPOP": (("BLPOP", "none", "k", "0"), b"/list/blpop", b'{"keys": ["none", "k"], "timeout": 0}'),
    "BRPOP": (("BRPOP", "k", "0"), b"/list/brpop", b'{"keys": ["k"], "timeout": 0}'),
    "BLMPOP LEFT": (
        ("BLMPOP", "0", "1", "k", "LEFT", "COUNT", "3"), b"/list/blmpop",
        b'{"keys": ["k"], "where": "LEFT", "count": 3, "timeout": 0}',
    ),
    "BLMPOP RIGHT": (
        ("BLMPOP", "0", "2", "none", "k", "RIGHT", "COUNT", "9"), b"/list/blmpop",
        b'{"keys": ["none", "k"], "where": "RIGHT", "count": 9, "timeout": 0}',
    ),
}  # fmt: skip


def waiting(place: Place, name: str, web: bool) -> Client:
    """A client whose call waits."""
    words, path, body = CALLS[name]
    client = place.http() if web else place.resp()
    if web:
        client.send(request("POST", path.decode(), body))
    else:
        client.ask(*words)
    return client


async def pushed(place: Place) -> None:
    """All elements arrive in one command; the turn in which they do has not ended."""
    place.resp().ask("RPUSH", "k", *HELD)


WAYS: dict[str, Callable[[Client], None]] = {"gone": Client.go, "ended": Client.finish}


@pytest.mark.parametrize("web", [False, True], ids=["resp", "http"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
def test_a_client_goes_before_its_reply_is_written(name: str, way: str, web: bool) -> None:
    async def tale(place: Place) -> None:
        client = waiting(place, name, web)
        await place.turns()
        await pushed(place)
        WAYS[way](client)
        await place.turns()
        assert await place.ask("LRANGE", "k", 0, -1) == HELD and not client.said()
        other = place.resp()
        assert await place.ask("LLEN", "k") == len(HELD) and other.open

    run(tale)


@pytest.mark.parametrize("name", CALLS)
def test_the_system_knows_before_the_loop_that_a_client_has_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the pop and the end of the turn: the reply is not written, and the next call gets the elements."""
    gone: list[Any] = []
    monkeypatch.setattr(Connection, "gone", lambda self: self in gone)

    async def tale(place: Place) -> None:
        first, second = waiting(place, name, False), place.resp()
        await place.turns()
        await pushed(place)
        gone.append(first.protocol)
        second.ask("BLPOP", "k", "0")
        await place.turns()
        assert not first.said()
        (reply,) = second.replies()
        assert sorted([reply[1], *await place.ask("LRANGE", "k", 0, -1)]) == sorted(HELD)

    run(tale)


@pytest.mark.parametrize("web", [False, True], ids=["resp", "http"])
@pytest.mark.parametrize("name", CALLS)
def test_what_was_written_is_not_put_back(name: str, web: bool) -> None:
    async def tale(place: Place) -> None:
        client = waiting(place, name, web)
        await place.turns()
        await pushed(place)
        await place.turns()
        client.go()
        await place.turns()
        left = {"BLPOP": HELD[1:], "BRPOP": HELD[:-1], "BLMPOP LEFT": HELD[3:], "BLMPOP RIGHT": []}[name]
        assert client.said() and await place.ask("LRANGE", "k", 0, -1) == left

    run(tale)
