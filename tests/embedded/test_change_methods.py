"""The change feed by the methods of `synap.open()`."""

from pathlib import Path
from typing import Any

import pytest

import synap
from synap.io.node.files import Directory
from synap.settings import Settings
from tests.embedded.test_methods import refused
from tests.embedded.test_waits import Aside, db, waiting  # noqa: F401

SOON: dict[str, Any] = {"wait_s": 0.03}


def test_changes_of_every_kind_make_the_same_data(db: synap.Database) -> None:  # noqa: F811
    db.set("a", {"x": 1.5})
    db.set("gone", 1, px=1)
    db.rpush("l", "x", "y")
    db.sadd("s", 1, 2, 3)
    db.spop("s")
    db.hset("h", {"f": b"\xff"})
    db.zadd("z", {"m": 1.5})
    db.xadd("x", {"f": "v"})
    db.queue_create("q")
    db.queue_publish("q", b"payload")
    message = db.queue_consume("q", "me")
    assert message is not None
    db.queue_ack("q", message["message_id"])
    db.stream_create("r")
    db.stream_publish("r", "said", 1)
    db.topic_create("t")
    db.topic_publish("t", "said", 1, key="k")
    db.group_create("g", "t", 3)
    db.group_join("g", member="m")
    db.pfadd("p", "x")
    db.setbit("b", 9, 1)
    db.geoadd("places", [(13.3, 38.1, "Palermo")])
    with synap.open() as mirror:
        last = 0
        for frames in db.change_frames(1, **SOON):
            last = mirror.apply_frames(frames)
        assert mirror.digest() == db.digest() and last > 20
        with refused("READ_ONLY"):
            mirror.set("a", 1)
        kept = mirror.changes(**SOON)  # a mirror has a feed of its own
        db.delete("a", "l")
        for frames in db.change_frames(last + 1, **SOON):
            mirror.apply_frames(frames)
        assert mirror.digest() == db.digest()
        assert [change["call"] for change in kept][-1] == "key.delete"
    assert {change["call"].split(".")[0] for change in db.changes(1, **SOON)} >= {
        "kv", "list", "set", "hash", "zset", "xstream", "queue", "stream", "topic", "group", "hyperloglog", "bitmap",
        "key", "geospatial",
    }  # fmt: skip
    with pytest.raises(ValueError, match="this one has a directory"):
        db.apply_frames(b"")


def test_what_a_change_says(db: synap.Database) -> None:  # noqa: F811
    db.set("a", {"x": 1})
    db.incr("n", 5)
    first, second = db.changes(1, values=True, **SOON)
    first.pop("time")
    assert first == {
        "seq": 1, "database": 0, "call": "kv.set", "keys": [b"a"], "name": None,
        "arguments": {"key": b"a", "value": {"x": 1}}, "outcome": "ok", "transaction": None, "values": [{"x": 1}],
    }  # fmt: skip
    assert second["outcome"] == 5
    assert [change["seq"] for change in db.changes(1, families=["kv"], match="n*", **SOON)] == [2]
    with refused("UNKNOWN_FAMILY"):
        next(db.changes(1, families=["what"]))
    with refused("CHANGES_AHEAD"):
        next(db.changes(9))


def test_threads_wait_for_changes(db: synap.Database) -> None:  # noqa: F811
    readers = [Aside(lambda: next(db.changes(match="b*"))["keys"]) for _ in range(3)]
    waiting(db, 3)
    for i in range(50):
        db.set(f"a{i}", 1)
    db.set("b", 1)
    assert [reader.answer() for reader in readers] == [[b"b"]] * 3


def test_feeds_outlive_the_database(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as first:
        assert list(first.changes(feed="f", **SOON)) == []
        first.set("a", 1)
        first.set("b", 1)
        feed = first.changes(feed="f", **SOON)
        assert next(feed)["seq"] == 1
    with synap.open(tmp_path) as second:
        assert [change["seq"] for change in second.changes(feed="f", **SOON)] == [1, 2]
        assert list(second.changes(feed="f", **SOON)) == []
        assert second.call("changes.feeds")[0]["lag"] == 0 and second.call("changes.drop", feed="f") == 1


BROKEN = ['{"x": 1e400}', '{"\\ud800": 3}', '{"x": -5}', '{"x": "7"}', "", pytest.param("[" * 100_000, id="deep")]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_of_feeds_stops_no_server(store: Any, tmp_path: Path, text: str) -> None:
    synap.open(tmp_path).close()
    (tmp_path / "feeds.json").write_text(text)
    with synap.open(tmp_path) as opened:
        assert opened.call("changes.feeds") == []


def test_a_database_in_memory_keeps_changes_from_the_first_reader_on(store: Any) -> None:
    with synap.open(settings=Settings().replace({"changes.memory_bytes_max": 64 << 10})) as memory:
        memory.set("a", 1)
        feed = memory.changes(**SOON)
        memory.set("b", 1)
        assert [change["seq"] for change in feed] == [2]
        with refused("CHANGES_GONE"):
            next(memory.changes(1))
        for i in range(3000):
            memory.set(f"k{i}", "x" * 100)
        found = memory.call("changes.read")
        assert found["first"] > 2000 and found["last"] == 3002
        with refused("CHANGES_GONE"):
            next(memory.changes(2))


def test_the_name_of_the_file_of_feeds_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the new file has taken the name, or a loss of power could take a new feed and what it holds."""
    with synap.open(tmp_path) as database:
        database.set("k", 1)
        done: list[str] = []

        def noted(name: str) -> None:
            real = getattr(Directory, name)

            def call(directory: Directory, *given: str) -> None:
                real(directory, *given)
                done.append(name)

            monkeypatch.setattr(Directory, name, call)

        for name in ("rename", "sync_directory"):
            noted(name)
        database.call("changes.read", feed="f")
        assert done[-2:] == ["rename", "sync_directory"]
