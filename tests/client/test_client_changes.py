"""Changes by both clients: each once and in order whatever happens to the server, and told when some are gone."""

import threading
from contextlib import aclosing
from typing import Any

import pytest

import synap
from synap.client import Change, ChangesGone, Client, ClientError, LocalProtocolError, Refused
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05, "reconnects": 500}


async def take(feed: Any, count: int) -> list[Any]:
    """The next items of a feed."""
    found: list[Any] = []
    async with aclosing(each(feed)) as items:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_changes_and_filters(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        await got(asked.set("a", "1"))
        await got(asked.hset("h", {"f": b"\xff"}))
        async with within(asked.transaction()) as batch:
            batch.set("b", 2)
            batch.delete("a")
        feed = asked.changes(1, values=True, until_idle=True, wait_s=0.05)
        found = [change async for change in each(feed)]
        first, second, *others = found
        assert first == Change(
            1, first.time_ms, 0, "kv.set", [b"a"], None, {"key": b"a", "value": b"1"}, "ok", None, [None],
        ) and second.arguments == {"key": b"h", "fields": [{"field": b"f", "value": b"\xff"}]}  # fmt: skip
        assert second.values == [{b"f": b"\xff"}] and second.outcome == 1 and feed.place.seq == 5
        assert [(change.seq, change.transaction) for change in others] == [(3, 3), (4, 3)]
        feed = asked.changes(1, families=["hash"], match="h*", until_idle=True, wait_s=0.05)
        assert [change.seq async for change in each(feed)] == [2] and feed.place.seq == 5
        with synap.open() as mirror:
            pieces = asked.change_frames(2, until_idle=True, wait_s=0.05)
            with pytest.raises(ValueError, match="wanted those from seq 1 on"):
                mirror.apply_frames((await take(pieces, 1))[0].data)
            await got(pieces.close())
            async for piece in each(asked.change_frames(1, until_idle=True, wait_s=0.05)):
                assert (piece.first, piece.count) == (1, 4) and mirror.apply_frames(piece.data) == 4
            assert mirror.get("b") == b"2"
        with pytest.raises(LocalProtocolError, match="a list of names"):
            asked.changes(families="kv")
        with pytest.raises(Refused, match="no family"):
            await take(asked.changes(1, families=["what"]), 1)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_named_feed_goes_on(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        idle: dict[str, Any] = {"feed": "f", "until_idle": True, "wait_s": 0.05}
        assert [change async for change in each(asked.changes(**idle))] == []
        for value in range(3):
            await got(asked.set("a", value))
        feed = asked.changes(feed="f")
        assert [change.seq for change in await take(feed, 2)] == [1, 2]  # and the next request does not come
        await got(feed.close())
        assert [change.seq async for change in each(asked.changes(**idle))] == [1, 2, 3]
        assert [change.seq async for change in each(asked.changes(**idle))] == []

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_servers_lose_and_repeat_nothing(kind: str, node: Server) -> None:
    """A reader sees every change that was acknowledged once and in order, over three lives of its server."""
    acknowledged: list[int] = []
    ending = threading.Event()

    def write() -> None:
        with Client("127.0.0.1", node.resp_port, **QUICK) as writer:
            while not ending.is_set():
                try:
                    acknowledged.append(writer.incr("n"))
                except ClientError:
                    continue

    def kill() -> None:
        for _ in range(2):
            ending.wait(0.3)
            node.restart()
        ending.wait(0.3)
        ending.set()

    threads = [threading.Thread(target=each) for each in (write, kill)]
    seen: list[Any] = []

    async def scenario(asked: Any) -> None:
        for thread in threads:
            thread.start()
        async with within(asked.changes(1, wait_s=0.2)) as feed:
            async with aclosing(each(feed)) as changes:
                async for change in changes:
                    seen.append(change)
                    if ending.is_set() and len(seen) >= len(acknowledged) and change.outcome == last():
                        break

    def last() -> int:
        for thread in threads:
            thread.join()
        with Client("127.0.0.1", node.resp_port) as client:
            return int(client.get("n") or 0)

    run(kind, node.resp_port, scenario, **QUICK)
    assert [change.outcome for change in seen] == list(range(1, len(seen) + 1))
    assert set(acknowledged) <= {change.outcome for change in seen} and len(acknowledged) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_changes_that_are_gone(kind: str, serve: Any) -> None:
    node = serve({"persistence.enabled": "false"}).start()

    async def scenario(asked: Any) -> None:
        await got(asked.set("a", 1))
        feed = asked.changes(until_idle=True, wait_s=0.05)
        await got(asked.set("a", 2))
        assert [change async for change in each(feed)] == []  # it begins with the first request
        with pytest.raises(ChangesGone, match="not all there") as gone:
            await take(asked.changes(1), 1)
        assert (gone.value.wanted, gone.value.first) == (1, 3)

    run(kind, node.resp_port, scenario)
