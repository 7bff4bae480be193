"""Members of consumer groups by both clients: rebalances and their listeners, fenced zombies, take-over, commits."""

import threading
import time
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from synap.client import Client, Fenced, LocalProtocolError
from tests.client.kinds import KINDS, each, got, run, within
from tests.server.clients import Server

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


class Heard:
    """A listener that notes what it is told; an AsyncClient awaits it."""

    def __init__(self, waits: bool = False) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self._waits = waits

    def revoked(self, partitions: list[int]) -> Any:
        return self._tell("revoked", partitions)

    def assigned(self, partitions: list[int]) -> Any:
        return self._tell("assigned", partitions)

    def _tell(self, what: str, partitions: list[int]) -> Any:
        self.told.append((what, sorted(partitions)))
        return anyio.sleep(0) if self._waits else None


async def made(asked: Any, partitions: int, records: int, **options: Any) -> Any:
    """A topic with so many records in each partition, and a group for it."""
    topic, group = asked.topic("orders"), asked.group("billing")
    await got(topic.create(partitions=partitions))
    await got(group.create("orders", partitions, **options))
    for partition in range(partitions):
        async with within(asked.pipeline()) as batch:
            for number in range(records):
                batch.topic("orders").publish("placed", f"{partition} {number}", partition=partition)
    return group


async def committed(group: Any) -> list[Any]:
    return [each[1] for each in await got(group.offsets())]


@pytest.mark.parametrize("kind", KINDS)
def test_one_member_reads_everything_in_order(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        group = await made(asked, 3, 250)
        heard = Heard(kind != "sync")
        reader = group.consume(member="one", limit=100, wait_s=0.1, until_idle=True, listener=heard)
        seen: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
        async with within(reader):
            async for record in each(reader):
                seen[record.partition].append(record.data)
            assert (reader.member, reader.partitions, reader.generation) == ("one", [0, 1, 2], 1)
        assert seen == {p: [b"%d %d" % (p, n) for n in range(250)] for p in range(3)}
        assert await committed(group) == [250, 250, 250] and (await got(group.stats()))["member_count"] == 0
        assert heard.told == [("assigned", [0, 1, 2]), ("revoked", [0, 1, 2])]
        again = group.consume(wait_s=0.1, until_idle=True)
        async with within(again):
            assert [record async for record in each(again)] == [] and again.member

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_that_is_left_commits_what_was_processed(kind: str, node: Server) -> None:
    """The record in whose body the loop was left comes again; so it does without any commit."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 1, 10)
        for auto, expected in ((True, 3), (False, 3)):
            reader = group.consume(wait_s=0.1, auto_commit=auto)
            with pytest.raises(ZeroDivisionError):
                async with within(reader), aclosing(each(reader)) as records:
                    async for record in records:
                        assert record.offset >= (0 if auto else 3)
                        if record.offset == (3 if auto else 8):
                            _ = 1 // 0
            assert await committed(group) == [expected]
        reader = group.consume(wait_s=0.1, auto_commit=False)
        async with within(reader), aclosing(each(reader)) as records:
            async for record in records:
                if record.offset == 5:
                    await got(reader.commit())  # those before, whose bodies have ended
                    assert await committed(group) == [5]
                    await got(reader.commit(record))
                    break
        assert await committed(group) == [6]
        with pytest.raises(LocalProtocolError, match="start"):
            group.consume(start="middle")
        with pytest.raises(LocalProtocolError, match="static"):
            group.consume(static=True)

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_and_go(kind: str, node: Server) -> None:
    """Cooperative: with the sticky strategy a member keeps what it has and only what moves is revoked."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 6, 4, strategy="STICKY")
        first, second = Heard(kind != "sync"), Heard(kind != "sync")
        one = group.consume(member="one", wait_s=0.05, commit_s=0.001, limit=1, listener=first)
        two = group.consume(member="two", wait_s=0.05, commit_s=0.001, limit=1, listener=second)
        seen: list[tuple[int, int]] = []
        async with within(one), aclosing(each(one)) as of_one:
            seen += [(each.partition, each.offset) for each in [await anext(of_one) for _ in range(6)]]
            assert first.told == [("assigned", [0, 1, 2, 3, 4, 5])]
            async with within(two), aclosing(each(two)) as of_two:
                record = await anext(of_two)
                seen.append((record.partition, record.offset))
                record = await anext(of_one)
                seen.append((record.partition, record.offset))
                assert first.told[1:] == [("revoked", two.partitions)] and len(two.partitions) == 3
                assert second.told == [("assigned", two.partitions)] and one.generation == two.generation == 2
                moved = two.partitions
            assert second.told[1:] == [("revoked", moved)]
            wanted = {(p, n) for p in range(6) for n in range(4)}
            while set(seen) != wanted:  # at least once: what was not committed before a rebalance comes again
                record = await anext(of_one)
                seen.append((record.partition, record.offset))
            assert first.told[2:] == [("assigned", moved)] and one.generation == 3
        for partition in set(range(6)) - set(moved):
            assert [offset for each, offset in seen if each == partition] == list(range(4)), "a partition that stays"

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_zombie_is_fenced(kind: str, node: Server) -> None:
    """A member that stopped for longer than its session cannot commit over the one that took over."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 1, 10, session_ms=60_000)
        heard = Heard(kind != "sync")
        zombie = group.consume(member="zombie", wait_s=0.05, commit_s=0.001, auto_commit=False, listener=heard)
        async with within(zombie), aclosing(each(zombie)) as of_zombie:
            first = await anext(of_zombie)
            assert first.offset == 0
            await got(group.leave("zombie"))  # what the end of its session does
            heir = group.consume(member="heir", wait_s=0.05, commit_s=0.001)
            async with within(heir), aclosing(each(heir)) as of_heir:
                for number in range(5):
                    assert (await anext(of_heir)).offset == number
                with pytest.raises(Fenced, match=r"STALE|NOMEMBER"):
                    await got(zombie.commit(first))
            assert await committed(group) == [4]
            assert (await anext(of_zombie)).offset == 4, "it has joined again, and goes on where the heir stopped"
            assert heard.told == [("assigned", [0]), ("revoked", [0]), ("assigned", [0])]

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_dies_is_replaced(kind: str, node: Server) -> None:
    """Its session ends; the other goes on from the committed offsets. A long body keeps its own session meanwhile."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 2, 5, session_ms=700)
        await got(group.join(member="dead"))
        mine = (await got(group.assignment("dead")))["generation"]
        await got(group.commit(0, 2, member="dead", generation=mine))
        seen: list[tuple[int, int]] = []
        reader = group.consume(member="alive", wait_s=0.1)
        async with within(reader), aclosing(each(reader)) as records:
            async for record in records:
                seen.append((record.partition, record.offset))
                if len(seen) == 1:
                    await anyio.sleep(1.6) if kind != "sync" else time.sleep(1.6)
                    assert (await got(group.stats()))["member_count"] == 1
                if len(seen) == 8:
                    break
        assert set(seen) == {*((0, n) for n in range(2, 5)), *((1, n) for n in range(5))}

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stuck_member_leaves(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        group = await made(asked, 1, 5, session_ms=600)
        reader = group.consume(member="stuck", wait_s=0.1, poll_max_s=0.3)
        async with within(reader), aclosing(each(reader)) as records:
            await anext(records)
            for _ in range(100):
                await anyio.sleep(0.02) if kind != "sync" else time.sleep(0.02)
                if (await got(group.stats()))["member_count"] == 0:
                    break
            assert (await got(group.stats()))["member_count"] == 0
            await anyio.sleep(0.1) if kind != "sync" else time.sleep(0.1)
            again = await anext(records)
            assert again.offset == 0, "its work was not committed, and may have been done by another"

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_static_member_comes_back(kind: str, node: Server) -> None:
    """Nothing is rebalanced, and the other keeps its partitions."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 4, 3)
        heard = Heard(kind != "sync")
        other = group.consume(member="other", wait_s=0.05, commit_s=0.001, listener=heard)
        async with within(other), aclosing(each(other)) as records:
            await anext(records)
            before = set()
            for _ in range(2):
                static = group.consume(member="static", static=True, wait_s=0.05, commit_s=0.001)
                async with within(static), aclosing(each(static)) as mine:
                    await anext(mine)
                    before.add((static.generation, *static.partitions))
            assert len(before) == 1
            await anext(records)
            assert (await got(group.stats()))["generation"] == 2
            assert [what for what, _ in heard.told] == ["assigned", "revoked"]

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_over_a_kill_of_the_server(kind: str, node: Server) -> None:
    """The session and the committed offsets are still there; everything is read at least once and in order."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 2, 300)
        seen: dict[int, list[int]] = {0: [], 1: []}
        reader = group.consume(member="one", limit=20, wait_s=0.2)
        async with within(reader), aclosing(each(reader)) as records:
            async for record in records:
                seen[record.partition].append(record.offset)
                total = sum(map(len, seen.values()))
                if total in (100, 400):
                    threading.Thread(target=node.restart).start()
                if total == 600:
                    break
        assert seen == {0: list(range(300)), 1: list(range(300))} and reader.generation == 1

    run(kind, node.resp_port, scenario, attempts=1000, **QUICK)


def test_latest_and_a_topic_that_begins_anew(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        topic, group = asked.topic("orders"), asked.group("late")
        topic.create(partitions=1)
        topic.publish("placed", "old")
        group.create("orders", 1)
        with group.consume(start="latest", wait_s=0.1, until_idle=True) as reader:
            assert list(reader) == []
            topic.publish("placed", "new")
        with group.consume(wait_s=0.1) as reader:
            assert next(reader).data == b"old", "nothing was committed"
        group.commit(0, 7)
        with group.consume(start="earliest", wait_s=0.1, until_idle=True) as reader:
            assert [record.data for record in reader] == [b"old", b"new"], "offset 7 is of an earlier topic"


@pytest.mark.parametrize("kind", KINDS)
def test_a_topic_that_grows(kind: str, node: Server) -> None:
    """The member reads the new partitions as well, and those that it had go on where they were."""

    async def scenario(asked: Any) -> None:
        group = await made(asked, 2, 3, strategy="STICKY")
        heard = Heard(kind != "sync")
        reader = group.consume(member="one", wait_s=0.05, commit_s=0.001, listener=heard)
        async with within(reader), aclosing(each(reader)) as records:
            seen = [await anext(records) for _ in range(6)]
            assert await got(asked.topic("orders").grow(4)) == 4
            await got(asked.topic("orders").publish("placed", "new", partition=3))
            assert (await anext(records)).data == b"new" and reader.partitions == [0, 1, 2, 3]
        assert len({(record.partition, record.offset) for record in seen}) == 6
        assert heard.told == [("assigned", [0, 1]), ("assigned", [2, 3]), ("revoked", [0, 1, 2, 3])]

    run(kind, node.resp_port, scenario)
