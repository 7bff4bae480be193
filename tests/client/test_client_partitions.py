"""Partitioned topics by both clients: every method, order within a key, and what is left after a server is killed."""

import threading
import time
from typing import Any

import pytest

from synap.client import Client, ConnectionLost, LocalProtocolError, OutcomeUnknown, Refused
from synap.client.topic_calls import Offsets, Record
from tests.client.kinds import KINDS, got, run, within
from tests.naive.murmur2 import murmur2
from tests.server.clients import Server, eventually

QUICK: dict[str, Any] = {"backoff": 0.01, "backoff_max": 0.05}


def partition_of(key: bytes, count: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % count


@pytest.mark.parametrize("kind", KINDS)
def test_the_calls(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        topic = asked.topic("orders")
        await got(topic.create(partitions=4, max_messages=3, max_bytes=10_000, retention_s=60))
        with pytest.raises(Refused, match="already exists"):
            await got(topic.create())
        assert await got(asked.topics()) == ["orders"]
        assert await got(topic.publish("posted", "hello", key="21")) == (partition_of(b"21", 4), 0)
        assert await got(topic.publish("posted", b"\xff", partition=2, headers={"a": ["ä", 1]})) == (2, 0)
        assert [await got(topic.publish("posted", i)) for i in range(2)] == [(0, 1), (1, 0)]
        places = await got(topic.publish_many("sent", [("21", "x"), (None, b"y"), ("", "z"), (b"\xff", "")]))
        assert places == [(0, 2), (2, 1), (3, 0), (partition_of(b"\xff", 4), 1)]
        first = (await got(topic.consume(2, limit=1)))[0]
        assert isinstance(first, Record) and first.timestamp_ms > 10**12
        assert (first.partition, first.offset, first.event_type, first.key, first.data, first.headers) == (
            2, 0, "posted", None, b"\xff", {"a": ["ä", 1]},
        )  # fmt: skip
        held = await got(topic.consume(0))
        assert [(each.offset, each.key, each.data, each.headers) for each in held[:3]] == [
            (0, b"21", b"hello", {}), (1, None, b"0", {}), (2, b"21", b"x", {}),
        ]  # fmt: skip
        assert await got(topic.consume(1, 1)) == []
        read = await got(topic.read({2: 1, 3: 0}, limit=1))
        assert [(each.partition, each.offset, each.data) for each in read] == [(2, 1, b"y"), (3, 0, b"z")]
        assert len(await got(topic.read())) == 8 and await got(topic.read({0: 50})) == []
        assert (await got(topic.offsets()))[2] == Offsets(0, 0, 2)
        assert (await got(topic.offsets(1)))[2].offset == 0 and (await got(topic.offsets(1 << 50)))[2].offset == 2
        stats = await got(topic.stats())
        assert (stats["num_partitions"], stats["max_messages"], stats["retention_secs"]) == (4, 3, 60)
        assert [each["message_count"] for each in stats["partitions"]] == [3, 1, 2, 2]
        assert [each["topic"] for each in stats["partitions"]] == ["orders"] * 4
        for i in range(5):
            await got(topic.publish("posted", i, partition=3))
        with pytest.raises(Refused, match=r"OFFSETGONE .* earliest is 4, the next is 7"):
            await got(topic.consume(3, 0))
        assert [each.offset for each in await got(topic.read({3: 0}))] == [4, 5, 6]
        assert await got(topic.grow(6)) == 6 and await got(topic.publish("posted", 1, partition=5)) == (5, 0)
        with pytest.raises(Refused, match="only grow"):
            await got(topic.grow(5))
        with pytest.raises(Refused, match="no such partition"):
            await got(topic.publish("posted", 1, partition=6))
        for wrong in (lambda: topic.publish_many("e", []), lambda: topic.read({})):
            with pytest.raises(LocalProtocolError, match="at least one"):
                await got(wrong())
        assert await got(topic.delete()) is True
        with pytest.raises(Refused, match="no such topic"):
            await got(topic.publish("posted", "x"))

    run(kind, node.resp_port, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_options_of_create(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        await got(asked.topic("c").create(partitions=7, routing="crc32", policy="infinite"))
        stats = await got(asked.topic("c").stats())
        assert (stats["retention_secs"], stats["max_messages"], stats["max_bytes"]) == (0, 0, 0)
        assert await got(asked.topic("c").publish("e", "x", key="123456789")) == (0xCBF43926 % 7, 0)
        await got(asked.topic("d").create())
        stats = await got(asked.topic("d").stats())
        assert (stats["num_partitions"], stats["retention_secs"]) == (3, 3600)
        for wrong in ({"partitions": 0}, {"partitions": 4097}, {"routing": "random"}, {"policy": "never"},
                      {"policy": "time"}, {"policy": "infinite", "max_bytes": 1}, {"retention_s": -1}):  # fmt: skip
            with pytest.raises(Refused):
                await got(asked.topic("e").create(**wrong))
        assert sorted(await got(asked.topics())) == ["c", "d"]

    run(kind, node.resp_port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_pipelines_and_transactions(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        async with within(asked.pipeline()) as batch:
            topic = batch.topic("t")
            topic.create(partitions=2)
            places = [topic.publish("e", i, key="21") for i in range(50)]
            many = topic.publish_many("e", [("21", "x"), ("21", "y")])
            read = topic.consume(partition_of(b"21", 2), 48)
        assert [place.value for place in places] == [(partition_of(b"21", 2), i) for i in range(50)]
        assert [offset for _, offset in many.value] == [50, 51]
        assert [each.data for each in read.value] == ["48", "49", "x", "y"]
        async with within(asked.transaction()) as batch:
            first = batch.topic("t").publish("e", "in", partition=0)
            batch.set("k", "v")
            read = batch.topic("t").read(limit=1000)
            offsets = batch.topic("t").offsets()
        assert first.value[0] == 0 and len(read.value) == 53
        assert sum(each.next for each in offsets.value.values()) == 53 and await got(asked.get("k")) == "v"

    run(kind, node.resp_port, scenario, decode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_waiting(kind: str, node: Server) -> None:
    async def scenario(asked: Any) -> None:
        topic = asked.topic("t")
        await got(topic.create(partitions=2))
        for wait in (lambda: topic.consume(0, wait_s=0.05), lambda: topic.read(wait_s=0.05)):
            begun = time.monotonic()
            assert await got(wait()) == [] and time.monotonic() - begun >= 0.05

        def later() -> None:
            with Client("127.0.0.1", node.resp_port) as other:
                eventually(lambda: node.info("clients")["blocked_clients"] == "1")
                other.topic("t").publish("e", "x", partition=1)
                eventually(lambda: node.info("clients")["blocked_clients"] == "1")
                other.topic("t").publish("e", "y", partition=1)

        thread = threading.Thread(target=later)
        thread.start()
        assert [each.data for each in await got(topic.consume(1, wait_s=20))] == [b"x"]
        assert [each.data for each in await got(topic.read({0: 0, 1: 1}, wait_s=20))] == [b"y"]
        thread.join()

    run(kind, node.resp_port, scenario)


def test_records_of_a_key_keep_their_order(node: Server) -> None:
    """Eight threads publish with keys of their own, and several at once with a common one."""
    with Client("127.0.0.1", node.resp_port) as asked:
        topic = asked.topic("t")
        topic.create(partitions=5)

        def work(number: int) -> None:
            for i in range(100):
                topic.publish("e", f"{number}:{i}", key=f"key-{number}")
                topic.publish_many("e", [("common", f"{number}:{i}"), (f"key-{number}", f"{number}:{i}b")])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = topic.read(limit=10_000)
        for partition in range(5):
            offsets = [each.offset for each in records if each.partition == partition]
            assert offsets == list(range(len(offsets)))
        for number in range(8):
            mine = [each for each in records if each.key == b"key-%d" % number]
            assert {each.partition for each in mine} == {partition_of(b"key-%d" % number, 5)}
            assert [each.data.decode() for each in mine] == [f"{number}:{i}{b}" for i in range(100) for b in ("", "b")]
            common = [each.data for each in records if each.key == b"common" and each.data.startswith(b"%d:" % number)]
            assert common == [b"%d:%d" % (number, i) for i in range(100)]


def publish_until_killed(node: Server, life: int, threads: int, seconds: float) -> dict[tuple[int, int], bytes]:
    """What was acknowledged, by place, while `threads` publish and the server is killed."""
    acked: dict[tuple[int, int], bytes] = {}
    twice: list[Any] = []

    def work(number: int) -> None:
        made = 0
        with Client("127.0.0.1", node.resp_port, attempts=1) as asked:
            topic = asked.topic("t")
            while True:
                items = [b"%d:%d:%d:%b" % (life, number, made + i, b"x" * (made % 700)) for i in range(1 + made % 3)]
                made += len(items)
                try:
                    if len(items) == 1:
                        key = None if made % 2 else f"k{number}"
                        places = [topic.publish("e", items[0], key=key, headers={"n": 1})]
                    else:
                        places = topic.publish_many("e", [(f"k{number}", item) for item in items])
                except (OutcomeUnknown, ConnectionLost, OSError):
                    return
                for place, item in zip(places, items, strict=True):
                    if place in acked:
                        twice.append(place)
                    acked[place] = item

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    node.kill9()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert not twice
    return acked


def everything(topic: Any, partition: int) -> list[Record[bytes]]:
    """The records of a partition, however many bytes they have."""
    found: list[Record[bytes]] = []
    while more := topic.consume(partition, len(found), limit=5000):
        found += more
    return found


def check(node: Server, acked: dict[tuple[int, int], bytes]) -> None:
    """Every acknowledged record is where it was, there is no gap, and no record is there twice."""
    with Client("127.0.0.1", node.resp_port) as asked:
        topic = asked.topic("t")
        records = [record for partition in range(4) for record in everything(topic, partition)]
        found = {(each.partition, each.offset): each.data for each in records}
        assert len(found) == len(records) == len({each.data for each in records})
        assert {place: found.get(place) for place in acked} == acked
        for partition, offsets in topic.offsets().items():
            held = [offset for number, offset in sorted(found) if number == partition]
            assert held == list(range(offsets.next)) and (offsets.offset, offsets.earliest) == (0, 0)


@pytest.mark.parametrize("snapshots", [False, True])
def test_every_acknowledged_record_outlives_a_kill(node: Server, snapshots: bool) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        asked.topic("t").create(partitions=4, policy="infinite")
    acked: dict[tuple[int, int], bytes] = {}
    for life in range(4):
        if snapshots:
            with node.resp() as client:
                assert client.ask("SAVE" if life % 2 else "BGSAVE") != b""
        more = publish_until_killed(node, life, threads=4, seconds=0.3)
        assert more and not acked.keys() & more.keys()
        acked |= more
        node.start()
        check(node, acked)
    assert len(acked) > 200


def test_a_snapshot_holds_everything(node: Server) -> None:
    with Client("127.0.0.1", node.resp_port) as asked:
        topic = asked.topic("t")
        topic.create(partitions=3, routing="crc32", max_messages=200, retention_s=5000)
        topic.publish("e", b"", key="", headers={"a": None})
        topic.publish("e", b"x" * 3_000_000, partition=1)
        topic.publish("größe", "x", partition=2)
        topic.publish_many("e", [("k" if i % 3 else None, f"{i}" * (i % 50)) for i in range(700)])
        before = topic.read(limit=1000), topic.offsets(), topic.stats()
        asked.topic("gone").create()
        asked.topic("gone").publish("e", 1)
        asked.topic("gone").delete()
    with node.resp() as client:
        assert client.ask("SAVE") == b"OK"
        digest = client.ask("DEBUG", "DIGEST")
    node.restart()
    with Client("127.0.0.1", node.resp_port) as asked, node.resp() as client:
        topic = asked.topic("t")
        read, offsets, stats = topic.read(limit=1000), topic.offsets(), topic.stats()
        assert (read, offsets) == before[:2] and client.ask("DEBUG", "DIGEST") == digest
        for each in (*stats["partitions"], *before[2]["partitions"]):
            each.pop("last_compaction")
        assert stats == before[2] and asked.topics() == ["t"]
        assert any(len(each.data) == 3_000_000 for each in read) or offsets[1].earliest > 0
        turn = [topic.publish("e", i)[0] for i in range(3)]
        assert sorted(turn) == [0, 1, 2] and topic.publish("e", "x", key="123456789")[0] == 0xCBF43926 % 3
