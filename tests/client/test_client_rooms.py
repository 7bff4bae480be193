"""Rooms by both clients: offsets without a gap or a double whatever happens, and gaps that are told."""

import threading
from contextlib import aclosing
from typing import Any

import pytest

from synap.client import Client, ConnectionLost, Event, LocalProtocolError, OffsetGone, OutcomeUnknown, Refused
from tests.client.conftest import Scripted
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server, eventually

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


@pytest.mark.parametrize("kind", KINDS)
def test_the_calls(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        room = asked.room("chat")
        await got(room.create(max_events=100, max_bytes=10_000, retention_s=60))
        with pytest.raises(Refused, match="already exists"):
            await got(room.create())
        assert await got(asked.rooms()) == ["chat"]
        assert await got(room.publish("message", "hello")) == 0
        assert await got(room.publish_many("blob", [b"\xff", b"", 3])) == 1
        events = await got(room.read())
        assert [(event.offset, event.event, event.data) for event in events] == [
            (0, "message", b"hello"), (1, "blob", b"\xff"), (2, "blob", b""), (3, "blob", b"3"),
        ]  # fmt: skip
        assert all(isinstance(event, Event) and event.timestamp_ms > 10**12 for event in events)
        assert [event.offset for event in await got(room.read(2, limit=1, subscriber="me"))] == [2]
        assert await got(room.read(4)) == []
        stats = await got(room.stats())
        assert (stats["message_count"], stats["max_events"], stats["max_bytes"]) == (4, 100, 10_000)
        for wrong in ([], "text", b"octets"):
            with pytest.raises(LocalProtocolError, match="a list"):
                await got(room.publish_many("x", wrong))
        for wrong in ({"on_gap": "no"}, {"wait_s": 0}, {"limit": 0}):
            with pytest.raises(LocalProtocolError):
                _ = [event async for event in each(room.events(**wrong))]
        async with within(asked.pipeline()) as batch:
            later = batch.room("chat").publish("message", "from a batch")
        assert later.value == 4
        assert await got(room.delete()) is True
        with pytest.raises(Refused, match="no such room"):
            await got(room.publish("message", "x"))
        with pytest.raises(Refused, match="no such room"):
            _ = [event async for event in each(room.events())]

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_events_until_idle(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        room = asked.room("chat")
        await got(room.create())
        await got(room.publish_many("n", list(range(250))))
        events = room.events(until_idle=True, wait_s=0.1, limit=40)
        assert [event.data async for event in each(events)] == [str(i) for i in range(250)]
        assert events.place.offset == 250 and events.place.skipped == 0
        events = room.events(from_offset=248, until_idle=True, wait_s=0.1)
        assert [event.offset async for event in each(events)] == [248, 249]

    run(kind, node.resp_port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_gaps(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        room = asked.room("chat")
        await got(room.create(max_events=10))
        await got(room.publish_many("n", list(range(25))))
        with pytest.raises(OffsetGone, match="earliest is 15") as told:
            _ = [event async for event in each(room.events(from_offset=3))]
        assert (told.value.wanted, told.value.earliest) == (3, 15)
        events = room.events(from_offset=3, on_gap="skip", until_idle=True, wait_s=0.1)
        assert [event.offset async for event in each(events)] == list(range(15, 25))
        assert events.place.skipped == 12

        # A room of that name that begins again is a gap as well, and not a wait without end.
        await got(room.delete())
        await got(room.create())
        await got(room.publish("n", "new"))
        with pytest.raises(OffsetGone, match="the earliest is 0, the next is 1") as told:
            _ = [event async for event in each(room.events(from_offset=25, wait_s=0.05))]
        assert told.value.earliest == 0
        events = room.events(from_offset=25, wait_s=0.05, on_gap="skip", until_idle=True)
        assert [event.data async for event in each(events)] == [b"new"]

    run(kind, node.resp_port, scenario)


def event(offset: int) -> bytes:
    """One event of STREAM.CONSUME."""
    return b"*4\r\n:%d\r\n$1\r\nn\r\n$1\r\nx\r\n:1\r\n" % offset


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_twice_or_left_out_is_noticed(kind: str, scripted: Scripted) -> None:
    """A server that answers from below the offset asked for, and then from above it."""
    replies = [[0, 1], [0, 1, 2], [5, 6]]

    def answers(number: int, words: list[bytes]) -> bytes:
        offsets = replies.pop(0)
        return b"*%d\r\n" % len(offsets) + b"".join(map(event, offsets))

    scripted.answering(answers)

    async def scenario(asked: Any) -> None:
        found = []
        with pytest.raises(OffsetGone) as told:
            async for item in each(asked.room("chat").events(0)):
                found += [item.offset]
        assert found == [0, 1, 2] and (told.value.wanted, told.value.earliest) == (3, 5)

    run(kind, scripted.port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_resumes_at_its_offset(kind: str, scripted: Scripted) -> None:
    def answers(number: int, words: list[bytes]) -> bytes | None:
        at = int(words[words.index(b"FROM") + 1]) if b"FROM" in words else 0
        return None if number % 2 else b"*2\r\n" + event(at) + event(at + 1)

    scripted.answering(answers)

    async def scenario(asked: Any) -> None:
        found = []
        async with within(asked.room("chat").events()) as events, aclosing(each(events)) as items:
            async for item in items:
                found.append(item.offset)
                if len(found) == 10:
                    break
        assert found == list(range(10))

    run(kind, scripted.port, scenario, **QUICK)


@pytest.mark.parametrize("kind", KINDS)
def test_a_publisher_that_is_cut_does_not_know(kind: str, scripted: Scripted) -> None:
    scripted.answering(lambda number, words: None)

    async def scenario(asked: Any) -> None:
        with pytest.raises(OutcomeUnknown) as told:
            await got(asked.room("chat").publish("n", "x"))
        assert isinstance(told.value.__cause__, ConnectionLost)

    run(kind, scripted.port, scenario, **QUICK)
    assert len(scripted.heard) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_killed_while_events_stream(kind: str, node: Server) -> None:
    """A publisher and a reader over two kills: the reader gets what the room holds, each offset once and in order."""
    published: list[int] = []
    unknown = [0]
    stop = threading.Event()
    found: list[tuple[int, int]] = []

    def publish() -> None:
        with Client("127.0.0.1", node.resp_port, attempts=200, **QUICK) as asked:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    asked.room("chat").publish("n", number)
                    published.append(number)
                except OutcomeUnknown:
                    unknown[0] += 1

    async def scenario(asked: Any) -> None:
        await got(asked.room("chat").create())
        publisher = threading.Thread(target=publish)
        publisher.start()
        killers = []
        try:
            async with within(asked.room("chat").events(wait_s=0.5)) as events, aclosing(each(events)) as items:
                async for item in items:
                    found.append((item.offset, int(item.data)))
                    if len(found) in (300, 600):
                        killers.append(threading.Thread(target=node.restart))
                        killers[-1].start()
                    if len(found) >= 1200:
                        break
        finally:
            stop.set()
            publisher.join()
            for killer in killers:
                killer.join()
        held = await got(asked.room("chat").read(0, limit=1200))
        assert [(item.offset, int(item.data)) for item in held] == found[: len(held)]

    run(kind, node.resp_port, scenario, attempts=200, reconnects=10_000, **QUICK)
    assert [offset for offset, _ in found] == list(range(1200)) and unknown[0] <= 2
    numbers = [number for _, number in found]
    assert numbers == sorted(set(numbers))
    assert {number for number in published if number <= numbers[-1]} <= set(numbers)  # nothing acknowledged is missing


def test_a_reader_that_waits_is_woken(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        asked.room("chat").create()
        found: list[bytes] = []
        thread = threading.Thread(
            target=lambda: found.extend(item.data for item in _first(asked.room("chat").events(wait_s=30)))
        )
        thread.start()
        eventually(lambda: not asked._pool._idle)
        asked.room("chat").publish("n", "x")
        thread.join(10)
        assert found == [b"x"]


def _first(events: Any) -> list[Any]:
    with events:
        return [next(events)]
