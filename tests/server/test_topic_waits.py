"""Reads of topics that wait: who is served, in which order, and what ends a wait without a record."""

import threading
import time
from typing import Any

import pytest

from tests.server.clients import Resp, Server, eventually
from tests.support import Refusal

WAYS = ["alone", "in a transaction", "in a script", "over HTTP", "with others"]


@pytest.fixture
def topic(node: Server) -> Server:
    """A server with a topic `t` of three partitions."""
    with node.resp() as client:
        client.ask("TOPIC.CREATE", "t")
    return node


def parked(node: Server, count: int) -> None:
    """Until so many clients wait."""
    eventually(lambda: node.info("clients")["blocked_clients"] == str(count))


def publish(node: Server, way: str, partition: int, data: str) -> None:
    words = ["TOPIC.PUBLISH", "t", "said", data, "PARTITION", partition]
    with node.resp() as client:
        match way:
            case "in a transaction":
                assert isinstance(client.ask_all(["MULTI"], words, ["SET", "k", 1], ["EXEC"])[-1][0], list)
            case "in a script":
                client.ask("EVAL", "redis.call(unpack(ARGV)) return redis.call('SET', 'k', 'v')", 0, *words)
            case "over HTTP":
                body = {"event_type": "said", "data": data, "partition_id": partition}
                assert node.http("POST", "/topics/t/publish", body)[0] == 200
            case "with others":
                client.ask_all(["SET", "k", 1], words, ["GET", "k"])
            case _:
                assert client.ask(*words)[0] == partition


def brief(records: Any) -> list[tuple[int, int, bytes]]:
    """Partition, offset and data of records."""
    return [(record[0], record[1], record[4]) for record in records]


@pytest.mark.parametrize("way", WAYS)
def test_readers_are_served_when_a_record_comes(topic: Server, way: str) -> None:
    with topic.resp() as one, topic.resp() as other, topic.resp() as several:
        one.send("TOPIC.CONSUME", "t", 1, "WAIT", 0)
        parked(topic, 1)
        other.send("TOPIC.CONSUME", "t", 2, "FROM", 0, "WAIT", 0)
        parked(topic, 2)
        several.send("TOPIC.READ", "t", "WAIT", 0, "OFFSETS", 0, 0, 1, 0)
        parked(topic, 3)
        publish(topic, way, 2, "a")
        assert brief(other.read()) == [(2, 0, b"a")]
        parked(topic, 2)  # a record of another partition is nothing to them
        publish(topic, way, 1, "b")
        assert brief(one.read()) == brief(several.read()) == [(1, 0, b"b")]
        parked(topic, 0)
        assert brief(one.ask("TOPIC.CONSUME", "t", 1, "WAIT", 0)) == [(1, 0, b"b")]  # what is there is read at once
        assert brief(several.ask("TOPIC.READ", "t", "WAIT", 0)) == [(1, 0, b"b"), (2, 0, b"a")]


def test_all_who_wait_get_the_record_in_the_order_in_which_they_began(topic: Server) -> None:
    """Each that has its record publishes its number to a list: it must do so in turn."""
    readers = [topic.resp() for _ in range(12)]
    try:
        for i, reader in enumerate(readers):
            words = ["TOPIC.READ", "t", "WAIT", 0] if i % 2 else ["TOPIC.CONSUME", "t", 0, "WAIT", 0]
            reader.send(*words)
            parked(topic, i + 1)
            reader.send("RPUSH", "order", i)
        publish(topic, "alone", 0, "x")
        for reader in readers:
            assert brief(reader.read()) == [(0, 0, b"x")] and isinstance(reader.read(), int)
        with topic.resp() as client:
            assert client.ask("LRANGE", "order", 0, -1) == [b"%d" % i for i in range(12)]
    finally:
        for reader in readers:
            reader.close()


def test_a_place_beyond_the_next_one_is_waited_for(topic: Server) -> None:
    with topic.resp() as reader:
        assert str(reader.ask("TOPIC.CONSUME", "t", 0, "FROM", 2)).startswith("OFFSETGONE")
        reader.send("TOPIC.CONSUME", "t", 0, "FROM", 2, "WAIT", 0)
        parked(topic, 1)
        for data in "abc":
            publish(topic, "alone", 0, data)
        assert brief(reader.read()) == [(0, 2, b"c")]
        reader.send("TOPIC.READ", "t", "LIMIT", 5, "WAIT", 0, "OFFSETS", 0, 3, 1, 0)
        parked(topic, 1)
        with topic.resp() as client:
            client.ask("TOPIC.MPUBLISH", "t", "said", *["21", "d"] * 7)
        assert [record[1] for record in reader.read()] == [3, 4, 5, 6, 7]


def test_a_topic_that_is_deleted_ends_the_wait(topic: Server) -> None:
    with topic.resp() as one, topic.resp() as other, topic.resp() as client:
        one.send("TOPIC.CONSUME", "t", 0, "WAIT", 0)
        other.send("TOPIC.READ", "t", "WAIT", 0)
        parked(topic, 2)
        client.ask("TOPIC.DELETE", "t")
        assert one.read() == other.read() == Refusal("ERR no such topic")
        one.send("TOPIC.CONSUME", "u", 0, "WAIT", 0)
        assert one.read() == Refusal("ERR no such topic")
        client.ask("TOPIC.CREATE", "t")
        one.send("TOPIC.CONSUME", "t", 0, "WAIT", 0)
        parked(topic, 1)
        client.ask_all(["MULTI"], ["TOPIC.DELETE", "t"], ["TOPIC.CREATE", "t"], ["EXEC"])
        publish(topic, "alone", 0, "new")
        assert brief(one.read()) == [(0, 0, b"new")]


def test_flushing_the_keys_leaves_topics_and_who_waits_for_them(topic: Server) -> None:
    with topic.resp() as one, topic.resp() as client:
        one.send("TOPIC.CONSUME", "t", 0, "WAIT", 0)
        parked(topic, 1)
        assert client.ask("FLUSHALL") == b"OK"
        assert client.ask("TOPIC.LIST") == [b"t"]
        publish(topic, "alone", 0, "x")
        assert brief(one.read()) == [(0, 0, b"x")]


def test_nothing_waits_within_a_transaction_or_a_script(topic: Server) -> None:
    with topic.resp() as client:
        calls = [["TOPIC.CONSUME", "t", 0, "WAIT", 0], ["TOPIC.READ", "t", "WAIT", 0]]
        said = ["TOPIC.PUBLISH", "t", "e", "x", "PARTITION", 0]
        found = client.ask_all(["MULTI"], *calls, said, *calls, ["EXEC"])[-1]
        assert found[:3] == [None, None, [0, 0]] and brief(found[3]) == brief(found[4]) == [(0, 0, b"x")]
        script = "return redis.call('TOPIC.CONSUME', 't', 1, 'WAIT', 0)"
        begun = time.monotonic()
        assert client.ask("EVAL", script, 0) in (None, []) and time.monotonic() - begun < 5


def test_a_time_that_is_up(topic: Server) -> None:
    with topic.resp() as client:
        for words in (["TOPIC.CONSUME", "t", 0, "WAIT", 0.1], ["TOPIC.READ", "t", "WAIT", 0.1]):
            begun = time.monotonic()
            assert client.ask(*words) is None
            assert 0.09 < time.monotonic() - begun < 5
        publish(topic, "alone", 0, "x")
        begun = time.monotonic()
        assert client.ask("TOPIC.CONSUME", "t", 0, "FROM", 1, "WAIT", 0.1) is None and time.monotonic() - begun > 0.09
        assert client.ask("TOPIC.CONSUME", "t", 0, "FROM", 1) == []
        assert client.ask("TOPIC.READ", "t", "LIMIT", 0, "WAIT", 0) == []
        for wrong in (-1, "soon"):
            assert "timeout" in str(client.ask("TOPIC.CONSUME", "t", 0, "WAIT", wrong))
        assert str(client.ask("TOPIC.CONSUME", "t", 9, "WAIT", 0)) == "ERR no such partition"
    assert topic.info("clients")["blocked_clients"] == "0"


def test_http_waits_and_is_answered(topic: Server) -> None:
    found: dict[str, Any] = {}

    def ask(path: str) -> None:
        found[path] = topic.http("POST", path, {"wait": 10})

    paths = ["/topics/t/partitions/0/consume", "/topics/t/consume"]
    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert not found
    publish(topic, "alone", 0, "x")
    for thread in threads:
        thread.join(10)
    for path in paths:
        status, told = found[path]
        assert status == 200 and [event["id"] for event in told["events"]] == ["t:0:0"] and told["count"] == 1
    assert found[paths[0]][1]["next_offset"] == 1


def test_http_waits_in_vain(serve: Any) -> None:
    """The reply says where to go on; null if the call did not say where to begin."""
    node = serve().start()
    node.http("POST", "/topics/t", {"num_partitions": 1, "retention_policy": {"type": "Messages", "max_messages": 1}})
    read = {"topic": "t", "events": [], "count": 0}
    path = "/topics/t/partitions/0/consume"
    empty = read | {"partition_id": 0, "next_offset": 0}
    assert node.http("POST", path, {"wait": 0.05, "from_offset": 0}) == (200, empty)
    assert node.http("POST", path, {"wait": 0.05}) == (200, empty | {"next_offset": None})
    assert node.http("POST", "/topics/t/consume", {"wait": 0.05}) == (200, read)
    for _ in range(3):
        node.http("POST", "/topics/t/publish", {"event_type": "e", "data": 1})
    assert node.http("POST", path, {"wait": 0.05, "from_offset": 3}) == (200, empty | {"next_offset": 3})


def test_a_reader_that_hangs_up_is_forgotten(topic: Server) -> None:
    gone = [topic.resp() for _ in range(3)]
    for reader in gone:
        reader.send("TOPIC.READ", "t", "WAIT", 0)
    parked(topic, 3)
    for reader in gone:
        reader.close()
    parked(topic, 0)
    publish(topic, "alone", 0, "x")
    with Resp(topic.resp_port) as client:
        assert brief(client.ask("TOPIC.READ", "t")) == [(0, 0, b"x")]
