"""Streams through the client, blocking and asynchronous, and in-process: the same calls give the same values."""

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

import synap
from synap.client import Client, LocalProtocolError, Refused
from tests.client.kinds import KINDS, got, run
from tests.server.clients import Server

DECODED = {b"f": b"v"}


async def entries(asked: Any) -> None:
    """Entries are added, read in both directions, trimmed and deleted."""
    first = await got(asked.xadd("s", {"f": "v", "n": 1}, id="1-1"))
    assert first == "1-1" and await got(asked.xadd("s", [("f", "w")], id="1-2")) == "1-2"
    assert await got(asked.xadd("none", {"f": "v"}, nomkstream=True)) is None
    assert await got(asked.xlen("s")) == 2
    assert await got(asked.xrange("s")) == [("1-1", {b"f": b"v", b"n": b"1"}), ("1-2", {b"f": b"w"})]
    assert await got(asked.xrevrange("s", count=1)) == [("1-2", {b"f": b"w"})]
    assert await got(asked.xrange("s", "(1-1", "+")) == [("1-2", {b"f": b"w"})] and await got(asked.xrange("x")) == []
    assert await got(asked.xread({"s": "1-1", "x": "0"})) == {b"s": [("1-2", {b"f": b"w"})]}
    assert await got(asked.xread({"s": "$"})) == {} and await got(asked.xread({"s": "$"}, block=20)) == {}
    assert await got(asked.xinfo_stream("s")) | {"radix-tree-nodes": 2} == {
        "length": 2, "radix-tree-keys": 1, "radix-tree-nodes": 2, "last-generated-id": "1-2",
        "max-deleted-entry-id": "0-0", "entries-added": 2, "recorded-first-entry-id": "1-1", "groups": 0,
        "first-entry": ("1-1", {b"f": b"v", b"n": b"1"}), "last-entry": ("1-2", {b"f": b"w"}),
    }  # fmt: skip
    assert await got(asked.xdel("s", "1-1", "9-9")) == 1
    await got(asked.xsetid("s", "5-0"))
    later = await got(asked.xadd("s", {"f": "v"}, maxlen=1))
    assert await got(asked.xlen("s")) == 1 and int(later.partition("-")[0]) > 5
    assert await got(asked.xtrim("s", minid="1")) == 0 and await got(asked.xtrim("s", maxlen=0, approximate=True)) == 1


async def groups(asked: Any) -> None:
    """Entries are delivered to consumers of a group, claimed by others, and acknowledged."""
    await got(asked.xgroup_create("g", "workers", "$", mkstream=True))
    assert await got(asked.xgroup_createconsumer("g", "workers", "idle")) is True
    for i in range(1, 5):
        await got(asked.xadd("g", {"f": "v"}, id=f"{i}-0"))
    taken = await got(asked.xreadgroup("workers", "one", {"g": ">"}, count=3))
    assert taken == {b"g": [(f"{i}-0", DECODED) for i in (1, 2, 3)]}
    assert await got(asked.xreadgroup("workers", "two", [("g", ">")], noack=True)) == {b"g": [("4-0", DECODED)]}
    assert await got(asked.xreadgroup("workers", "two", {"g": ">"}, block=20)) == {}
    assert await got(asked.xpending("g", "workers")) == {
        "count": 3, "first": "1-0", "last": "3-0", "consumers": {"one": 3}}  # fmt: skip
    (pending,) = await got(asked.xpending_range("g", "workers", count=1, consumer="one"))
    assert (pending["id"], pending["consumer"], pending["deliveries"]) == ("1-0", "one", 1)
    assert await got(asked.xpending_range("g", "workers", idle=60_000)) == []
    assert await got(asked.xdel("g", "2-0")) == 1
    assert await got(asked.xclaim("g", "workers", "two", 0, ["1-0"], retrycount=7)) == [("1-0", DECODED)]
    assert await got(asked.xautoclaim("g", "workers", "three", 0, count=2)) == ("3-0", [("1-0", DECODED)], ["2-0"])
    history = await got(asked.xreadgroup("workers", "one", {"g": "0"}))
    assert history == {b"g": [("3-0", DECODED)]}
    assert await got(asked.xack("g", "workers", "1-0", "3-0")) == 2
    (group,) = await got(asked.xinfo_groups("g"))
    assert (group["name"], group["consumers"], group["pending"], group["lag"]) == ("workers", 4, 0, 0)
    names = [each["name"] for each in await got(asked.xinfo_consumers("g", "workers"))]
    assert names == ["idle", "one", "three", "two"]
    assert await got(asked.xgroup_delconsumer("g", "workers", "idle")) == 0
    assert await got(asked.xgroup_destroy("g", "workers")) is True


@pytest.mark.parametrize("kind", KINDS)
def test_entries_and_groups(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        await entries(asked)
        await groups(asked)
        with pytest.raises(Refused, match="NOGROUP"):
            await got(asked.xreadgroup("none", "me", {"g": ">"}))
        with pytest.raises(LocalProtocolError, match="block: wanted milliseconds"):
            await got(asked.xread({"s": "$"}, block=-1))

    run(kind, node.resp_port, scenario)


def test_in_process(store: Any, tmp_path: Path) -> None:
    with synap.open(str(tmp_path / "d")) as db:
        anyio.run(entries, db)
        anyio.run(groups, db)
        kept = db.xadd("kept", {"f": {"a": 1}, "t": "x"})
    with synap.open(str(tmp_path / "d")) as db:
        assert [each[0] for each in db.xrange("kept")] == [kept] and db.exists("g")


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_waits_for_an_entry(kind: str, node: Server) -> None:
    """It gets what is added after its call, and texts as str if the client decodes."""

    def add() -> None:
        with Client(port=node.resp_port) as other:
            other.xadd("w", {"f": "v"}, id="7-7")

    async def scenario(asked: Any) -> None:
        later = threading.Timer(0.2, add)
        later.start()
        assert await got(asked.xread({"w": "$"}, block=10_000)) == {"w": [("7-7", {"f": "v"})]}
        later.join()

    run(kind, node.resp_port, scenario, decode=True)
