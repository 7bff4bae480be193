"""The durability of a client's calls, over one pool of connections."""

from collections.abc import Callable
from typing import Any

import pytest

from synap.client import Client, LocalProtocolError, OutcomeUnknown, Refused
from synap.client.options import from_address
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, got, run
from tests.server.clients import Server

OK = b"+OK\r\n"
SET = [b"SET", b"a", b"1"]


def level(name: bytes) -> list[bytes]:
    return [b"CLIENT", b"DURABILITY", name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_level_of_a_connection_follows_its_calls(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: OK)

    async def scenario(asked: Any) -> None:
        safe = asked.with_durability("fsync")
        for each in (asked, safe, safe.idempotent, asked, asked.with_durability("default")):
            await got(each.set("a", "1"))

    run(kind, scripted.port, scenario)
    assert scripted.heard == [SET, level(b"fsync"), SET, SET, level(b"default"), SET, SET]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_reached_is_not_carried_out(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: OK if words[0] != b"CLIENT" else b"-ERR no log\r\n")

    async def scenario(asked: Any) -> None:
        with pytest.raises(Refused, match="no log"):
            await got(asked.with_durability("os").set("a", "1"))
        await got(asked.set("a", "1"))

    run(kind, scripted.port, scenario)
    assert scripted.heard == [level(b"os"), SET]


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_breaks(kind: str, scripted: Scripted) -> None:
    """Before the level was set nothing has been sent, so the call is tried again; afterwards it is in doubt."""
    scripted.answering(lambda number, words: OK if number > 1 and words[0] == b"CLIENT" else None)

    async def scenario(asked: Any) -> None:
        with pytest.raises(OutcomeUnknown):
            await got(asked.with_durability("fsync").set("a", "1"))

    run(kind, scripted.port, scenario, backoff=0.001)
    assert scripted.heard == [level(b"fsync"), level(b"fsync"), SET]


def test_on_a_server(serve: Callable[..., Server]) -> None:
    server = serve({"persistence.wal.fsync_mode": "never"}).start()

    def unsynced() -> int:
        return int(server.info("persistence")["log_unsynced_changes"])

    with Client("127.0.0.1", server.resp_port) as client:
        safe = client.with_durability("fsync")
        assert client.durability() == {"asked": "default", "reached": "os"}
        assert safe.durability() == {"asked": "fsync", "reached": "fsync"}
        client.set("a", "1")
        assert unsynced() == 1
        safe.set("a", "2")
        assert unsynced() == 0
        with safe.pipeline() as pipeline:
            pipeline.incr("a")
        with safe.transaction(watch=["a"]) as transaction:
            transaction.incr("a")
        queue = safe.queue("q")
        queue.create()
        assert unsynced() == 0
        queue.publish("job")
        for message in queue.consume("worker", until_empty=True):
            assert message.payload == b"job" and unsynced() == 0
        assert unsynced() == 0
        with pytest.raises(LocalProtocolError, match="with_durability"):
            client.execute("CLIENT", "DURABILITY", "os")
    with pytest.raises(LocalProtocolError, match="durability: wanted memory, os, fsync, default, found 'disk'"):
        from_address("synap://127.0.0.1?durability=disk")
    assert from_address("synap://127.0.0.1?durability=fsync").durability == "fsync"
