"""Topics by the methods of `synap.open()`."""

import threading
from pathlib import Path
from typing import Any

import pytest

import synap
from tests.embedded.test_methods import refused
from tests.embedded.test_waits import Aside, db, waiting  # noqa: F401


def test_every_method(db: synap.Database) -> None:  # noqa: F811
    db.topic_create("t", partitions=2, max_messages=3)
    with refused("TOPIC_EXISTS"):
        db.topic_create("t")
    assert db.topic_list() == ["t"]
    assert db.topic_publish("t", "said", b"\x00\xff", partition=1, headers={"a": ["ä"]}) == (1, 0)
    assert [db.topic_publish("t", "said", data) for data in (7, {"a": [1]}, None)] == [(0, 0), (1, 1), (0, 1)]
    assert db.topic_publish("t", "größe", "ü", key="21") == (0, 2)
    first, second = db.topic_consume("t", 1)
    assert first["timestamp"] <= second["timestamp"] and first["timestamp"] > 10**12
    first["timestamp"] = 0
    assert first == {
        "partition": 1, "offset": 0, "event_type": "said", "key": None, "data": b"\x00\xff", "headers": {"a": ["ä"]},
        "timestamp": 0, "size_bytes": len("t" "said") + 2 + len('{"a":["ä"]}'.encode()),
    }  # fmt: skip
    assert second["data"] == {"a": [1]} and second["headers"] == {}
    (last,) = db.topic_consume("t", 0, 2)
    assert (last["event_type"], last["key"], last["data"]) == ("größe", b"21", "ü".encode())
    assert [each["data"] for each in db.topic_consume("t", 0, 0, limit=2)] == [7, None]
    assert db.topic_publish_many("t", "e", [("21", 1), (None, "x"), (b"", [2]), (b"21", "y")]) == [
        (0, 3), (1, 2), (0, 4), (0, 5),
    ]  # fmt: skip
    with pytest.raises(synap.Fault, match="the earliest is 3, the next is 6") as gone:
        db.topic_consume("t", 0, 0)
    assert gone.value.row.name == "OFFSET_GONE"
    assert [(each["partition"], each["offset"]) for each in db.topic_read("t", {1: 1, 0: 0}, limit=2)] == [
        (1, 1), (1, 2), (0, 3), (0, 4),
    ]  # fmt: skip
    assert len(db.topic_read("t")) == 6 and db.topic_read("t", {0: 6, 1: 3}) == []
    assert db.topic_offsets("t") == {0: (3, 3, 6), 1: (0, 0, 3)}
    assert db.topic_offsets("t", 1 << 50) == {0: (6, 3, 6), 1: (3, 0, 3)}
    assert db.topic_offsets("t", second["timestamp"])[0][0] == 3
    assert db.topic_grow("t", 4) == 4 and db.topic_publish("t", "e", 1, partition=3) == (3, 0)
    stats = db.topic_stats("t")
    assert (stats["topic"], stats["num_partitions"], stats["max_messages"], stats["retention_secs"]) == ("t", 4, 3, 0)
    assert [each["message_count"] for each in stats["partitions"]] == [3, 3, 0, 1]
    assert {each["topic"] for each in stats["partitions"]} == {"t"}
    db.topic_delete("t")
    for call in (lambda: db.topic_delete("t"), lambda: db.topic_publish("t", "e", 1), lambda: db.topic_stats("t"),
                 lambda: db.topic_consume("t", 0), lambda: db.topic_read("t"), lambda: db.topic_offsets("t"),
                 lambda: db.topic_grow("t", 9), lambda: db.topic_publish_many("t", "e", [("k", 1)])):  # fmt: skip
        with refused("NO_SUCH_TOPIC"):
            call()
    assert db.topic_list() == []


def test_what_is_refused(db: synap.Database) -> None:  # noqa: F811
    for wrong in ({"partitions": 0}, {"partitions": 4097}, {"policy": "never"}, {"routing": "random"},
                  {"policy": "time"}, {"policy": "infinite", "retention_s": 1}, {"max_bytes": -1}):  # fmt: skip
        with pytest.raises(synap.Fault):
            db.topic_create("t", **wrong)  # type: ignore[arg-type]
    assert db.topic_list() == []
    db.topic_create("t", policy="infinite", routing="CRC32")
    assert db.topic_publish("t", "e", 1, key="123456789") == (0xCBF43926 % 3, 0)
    for call in (lambda: db.topic_publish("t", "e", 1, partition=3), lambda: db.topic_consume("t", 5),
                 lambda: db.topic_read("t", {0: 0, -1: 0})):  # fmt: skip
        with refused("PARTITION_MISSING"):
            call()
    with pytest.raises(synap.Fault, match="Partition 7 not found"):
        db.topic_publish("t", "e", 1, partition=7)
    with refused("BAD_PARTITIONS"):
        db.topic_grow("t", 2)
    for nothing in (lambda: db.topic_publish_many("t", "e", []), lambda: db.topic_read("t", {})):
        with refused("WRONG_FIELD"):
            nothing()


def test_waiting(db: synap.Database) -> None:  # noqa: F811
    db.topic_create("t", partitions=2)
    assert db.topic_consume("t", 0, wait_s=0.02) == [] == db.topic_read("t", wait_s=0.02)
    one, several = Aside(lambda: db.topic_consume("t", 1, wait_s=0)), Aside(lambda: db.topic_read("t", wait_s=10))
    waiting(db, 2)
    db.topic_publish("t", "e", "x", partition=1)
    for found in (one.answer(), several.answer()):
        assert [(each["partition"], each["offset"], each["data"]) for each in found] == [(1, 0, b"x")]
    ended = Aside(lambda: db.topic_consume("t", 1, 1, wait_s=0))
    waiting(db, 1)
    db.topic_delete("t")
    assert isinstance(ended.answer(), synap.Fault)


def test_a_topic_outlives_its_process(store: Any, tmp_path: Path) -> None:
    """From the log, and from a snapshot; the turn goes on, and threads share no offset."""
    folder = tmp_path / "topics"
    with synap.open(folder) as opened:
        opened.topic_create("t", partitions=3, policy="infinite")
        threads = [threading.Thread(target=lambda: [opened.topic_publish("t", "e", i) for i in range(50)])
                   for _ in range(4)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        before = opened.topic_read("t", limit=1000), opened.digest()
        assert len(before[0]) == 200 and opened.topic_offsets("t") == {0: (0, 0, 67), 1: (0, 0, 67), 2: (0, 0, 66)}
    for snapshot in (False, True):
        with synap.open(folder) as opened:
            assert (opened.topic_read("t", limit=1000), opened.digest()) == before
            if snapshot:
                assert opened.topic_publish("t", "e", 1) == (2, 66)
            opened.snapshot()
    with synap.open(folder) as opened:
        assert opened.topic_publish("t", "e", 1) == (0, 67)
