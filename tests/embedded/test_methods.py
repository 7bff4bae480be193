"""`synap.open()`: every method, what it refuses, how a database begins and ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synap
from synap.commands import CATALOGUE

FUTURE_S = 4_102_444_800
FUTURE_MS = FUTURE_S * 1000


@pytest.fixture
def db(store: Any) -> Iterator[synap.Database]:
    with synap.open() as opened:
        yield opened


def refused(name: str) -> Any:
    """The block raises this refusal."""
    return pytest.raises(synap.Fault, check=lambda fault: fault.row.name == name)


def test_strings(db: synap.Database) -> None:
    assert db.get("k") is None
    assert db.set("k", "v") is True
    assert db.get("k") == db.get(b"k") == b"v"
    assert db.set("k", "w", nx=True) is False
    assert db.set("none", "w", xx=True) is False
    assert db.set("k", "w", get=True) == b"v"
    assert db.set("new", "w", get=True) is None
    assert db.set("t", "v", ttl=100) and 99 <= db.ttl("t") <= 100
    assert db.set("t", "w", keepttl=True) and db.ttl("t") > 0
    assert db.set("t", "w") and db.ttl("t") == -1
    assert db.set("t", "w", px=100_000) and 99_000 < db.pttl("t") <= 100_000
    assert db.set("t", "w", exat=FUTURE_S) and db.expiretime("t") == FUTURE_S
    assert db.set("t", "w", pxat=FUTURE_MS) and db.pexpiretime("t") == FUTURE_MS
    assert db.getex("t", persist=True) == b"w" and db.ttl("t") == -1
    assert db.getex("t", ttl=50) == b"w" and 49 <= db.ttl("t") <= 50
    assert db.setnx("n", "1") is True and db.setnx("n", "2") is False
    assert db.getset("n", "5") == b"1" and db.getdel("n") == b"5" and db.getdel("n") is None
    assert db.incr("n") == 1 and db.incr("n", 9) == 10 and db.decr("n") == 9 and db.decr("n", 10) == -1
    assert db.incrbyfloat("f", 0.5) == 0.5 and db.incrbyfloat("f", "1.25") == 1.75
    assert db.append("a", "Hello") == 5 and db.append("a", b" World") == 11 and db.strlen("a") == 11
    assert db.getrange("a", 0, 4) == b"Hello" and db.getrange("none", 0, 4) == b""
    assert db.setrange("a", 6, "Synap") == 11 and db.get("a") == b"Hello Synap"
    assert db.delex("a", ifeq="other") is False and db.delex("a", ifne="other") is True and db.get("a") is None
    db.mset({"a": "1", b"b": b"\x00\xff"})
    db.mset([("c", 3)])
    db.mset({})
    assert db.mget(["a", "b", "none", "c"]) == [b"1", b"\x00\xff", None, 3] and db.mget([]) == []
    assert db.msetnx({"a": "x", "d": "y"}) is False and db.get("d") is None
    assert db.msetnx({"d": "y"}) is True


@pytest.mark.parametrize("value", [1, -2.5, True, False, None, [1, "two", None], {"a": {"b": [1]}}, {}])
def test_values_that_are_no_texts_come_back(db: synap.Database, value: Any) -> None:
    db.set("k", value)
    assert db.get("k") == value and type(db.get("k")) is type(value)
    db.rpush("l", value, "text")
    assert db.lrange("l") == [value, b"text"]
    assert db.delex("k", ifeq="not this") is False


def test_older_names_and_namespaces(db: synap.Database) -> None:
    db.setex("k", 100, "Hello")
    assert db.get("k") == b"Hello" and 99 <= db.ttl("k") <= 100
    db.psetex("k", 90_000, "Hello")
    assert 80_000 < db.pttl("k") <= 90_000
    assert db.substr("k", 1, -2) == b"ell" and db.substr("none", 0, -1) == b""
    with refused("WRONG_FIELD"):
        db.setex("k", 0, "v")
    with refused("BAD_EXPIRE"):
        db.set("k", "v", ex=0)
    assert db.incr("n", 1.5) == 1.5 and db.decr("n", 0.25) == 1.25 and db.incr("whole") == 1
    db.flush()
    db.mset({"a": "1", "b": "2"})
    assert db.move("a", 3) is True and db.move("a", 3) is False and db.keys() == [b"b"]
    db.swapdb(0, 3)
    assert db.keys() == [b"a"]
    db.flushdb()
    assert db.dbsize() == 0
    db.swapdb(0, 3)
    assert db.keys() == [b"b"]
    db.swapdb(0, 3)
    db.flush()
    db.swapdb(0, 3)
    assert db.dbsize() == 0


def test_keys(db: synap.Database) -> None:
    db.mset({f"k{i}": "v" for i in range(5)})
    assert db.exists("k0", "k0", "none") == 2 and db.exists() == 0 and db.touch("k0", "none") == 1
    assert db.type("k0") == "string" and db.type("none") == "none"
    assert db.expire("k0", 100) is True and db.expire("none", 100) is False
    assert db.expire("k0", 200, nx=True) is False and db.expire("k0", 50, gt=True) is False
    assert db.expire("k0", 50, lt=True) is True and db.expire("k1", 100, xx=True) is False
    assert db.pexpire("k0", 90_000) and 80_000 < db.pttl("k0") <= 90_000
    assert db.expireat("k0", FUTURE_S) and db.expiretime("k0") == FUTURE_S
    assert db.pexpireat("k0", FUTURE_MS + 1) and db.pexpiretime("k0") == FUTURE_MS + 1
    assert db.persist("k0") is True and db.persist("k0") is False
    assert db.ttl("k0") == -1 and db.ttl("none") == -2
    assert db.expire("k0", 0) is True and db.exists("k0") == 0
    db.rename("k1", "r")
    with refused("NO_SUCH_KEY"):
        db.rename("none", "r")
    assert db.renamenx("r", "k2") is False and db.renamenx("r", "k1") is True
    assert db.copy("k1", "c") is True and db.copy("k1", "c") is False and db.copy("none", "c") is False
    assert db.copy("k2", "c", replace=True) is True
    assert sorted(db.keys("k?")) == [b"k1", b"k2", b"k3", b"k4"] and len(db.keys()) == db.dbsize() == 5
    assert db.randomkey() in db.keys()
    assert db.delete("k1", "none") == 1 and db.unlink("k2") == 1 and db.delete() == 0
    db.flush()
    assert db.dbsize() == 0 and db.randomkey() is None


def test_scan_iter_goes_on_while_keys_come_and_go(db: synap.Database) -> None:
    db.mset({f"key:{i}": "v" for i in range(3000)})
    found = []
    for i, key in enumerate(db.scan_iter("key:*", count=50)):
        found.append(key)
        db.set(f"other:{i}", "v")
    assert sorted(found) == sorted(b"key:%d" % i for i in range(3000))
    cursor, window = db.scan(0, count=10)
    assert cursor > 0 and window


def test_lists_and_sets(db: synap.Database) -> None:
    assert db.rpush("l", "b", "c") == 2 and db.lpush("l", "a") == 3
    assert db.lrange("l") == [b"a", b"b", b"c"] and db.lrange("l", 1, 1) == [b"b"] and db.llen("l") == 3
    assert db.lpop("l") == b"a" and db.rpop("l", 5) == [b"c", b"b"]
    assert db.lpop("l") is None and db.lpop("l", 2) is None
    assert db.sadd("s", "a", "b", "a") == 2 and db.scard("s") == 2
    assert db.sismember("s", "a") is True and db.sismember("s", "x") is False
    assert sorted(db.smembers("s")) == [b"a", b"b"] and db.smembers("none") == []
    assert db.srem("s", "a", "x") == 1 and db.spop("s") == b"b" and db.spop("s") is None
    with refused("WRONG_TYPE"):
        db.set("k", "v"), db.rpush("k", "v")


def test_queues(db: synap.Database) -> None:
    assert db.queue_create("q", max_retries=1) is True and db.queue_create("q") is False
    first = db.queue_publish("q", b"\x00low", priority=1)
    second = db.queue_publish("q", "high", priority=9, headers={"trace": [1]})
    message = db.queue_consume("q", "worker")
    assert message is not None
    assert (message["message_id"], message["payload"], message["priority"]) == (second, b"high", 9)
    assert message["headers"] == {"trace": [1]}
    assert 30_000 <= message["deadline"] - message["created_at"] < 35_000  # from when it was leased
    db.queue_ack("q", second)
    with refused("MESSAGE_MISSING"):
        db.queue_ack("q", second)
    again = db.queue_consume("q")
    assert again is not None and again["message_id"] == first and again["headers"] is None
    assert db.queue_consume("q") is None
    db.queue_nack("q", first, drop=True)
    stats = db.queue_stats("q")
    assert (stats["published"], stats["acked"], stats["dead"], stats["depth"]) == (2, 1, 1, 0)
    with refused("QUEUE_MISSING"):
        db.queue_publish("none", "x")


def test_queues_as_a_whole(db: synap.Database) -> None:
    db.queue_create("q", max_retries=0, prefetch_limit=1)
    assert db.queue_list() == ["q"] and db.queue_consume("q", "worker", wait=0.01) is None
    names = [db.queue_publish("q", payload) for payload in ("a", "b", "c")]
    later = db.queue_publish("q", "d", delay=0.05)
    assert db.queue_stats("q")["delayed"] == 1
    first = db.queue_consume("q", "worker")
    assert first is not None and first["message_id"] == names[0] and db.queue_consume("q", "worker") is None
    db.queue_nack("q", names[0])
    (dead,) = db.queue_dead("q")
    assert dead["payload"] == b"a" and dead["retry_count"] == 1 and db.queue_dead("q", 0) == []
    assert db.queue_revive("q", names[0]) == 1 and db.queue_revive("q") == 0
    with refused("MESSAGE_MISSING"):
        db.queue_revive("q", names[1])
    assert db.queue_purge("q", dead=True) == 0 and db.queue_purge("q") == 4
    with refused("MESSAGE_MISSING"):
        db.queue_ack("q", later)
    db.queue_publish("q", "soon", delay=0.05)
    message = db.queue_consume("q", "worker", wait=5)
    assert message is not None and message["payload"] == b"soon"
    assert db.queue_delete("q") is True and db.queue_delete("q") is False and db.queue_list() == []


def test_retries_of_queues_wait(db: synap.Database) -> None:
    assert db.queue_create("q", backoff="EXPONENTIAL", backoff_ms=40_000, backoff_max_ms=60_000, jitter=0) is True
    name = db.queue_publish("q", "x", headers={"a": 1})
    taken = db.queue_consume("q", "worker")
    assert taken is not None
    db.queue_nack("q", taken["receipt"] or "")
    (waiting,) = db.queue_delayed("q")
    assert waiting == taken | {"retry_count": 1, "deadline": waiting["deadline"], "receipt": None}
    assert 35_000 < waiting["deadline"] - waiting["created_at"] < 50_000
    assert db.queue_consume("q", "worker") is None and db.queue_peek("q") == []
    assert db.queue_cancel("q", name) is True and db.queue_cancel("q", name) is False and db.queue_delayed("q") == []
    for options in ({"backoff": "FIXED"}, {"backoff_ms": 5}, {"backoff": "SOON", "backoff_ms": 5},
                    {"backoff": "FIXED", "backoff_ms": -1}, {"backoff": "FIXED", "backoff_ms": 5, "jitter": 101},
                    {"backoff": "FIXED", "backoff_ms": 5, "backoff_max_ms": -1}):  # fmt: skip
        with pytest.raises(synap.Fault, match=r"backoff|jitter"):
            db.queue_create("other", **options)  # type: ignore[arg-type]
    with refused("BAD_BACKOFF"):
        db.queue_create("other", backoff="LINEAR", backoff_ms=(1 << 40) + 1)
    assert db.queue_list() == ["q"] and db.queue_create("other", backoff="fixed", backoff_ms=0) is True


def test_a_paused_queue(db: synap.Database) -> None:
    db.queue_create("q")
    for payload in ("a", "b", "c"):
        db.queue_publish("q", payload)
    assert db.queue_pause("q") is True and db.queue_pause("q") is False
    assert db.queue_consume("q", "worker", wait_s=0.01) is None and db.queue_consume_many("q", "worker", 3) == []
    peeked = db.queue_peek("q", 2)
    assert [message["payload"] for message in peeked] == [b"a", b"b"] and peeked[0]["receipt"] is None
    assert db.queue_pause("q", resume=True) is True and db.queue_pause("q", resume=True) is False
    assert [message["payload"] for message in db.queue_consume_many("q", "worker", 5)] == [b"a", b"b", b"c"]
    for call in (db.queue_pause, db.queue_peek, db.queue_delayed):
        with refused("QUEUE_MISSING"):
            call("none")


def test_retries_go_on_in_a_database_that_is_opened_again(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as db:
        db.queue_create("q", backoff="LINEAR", backoff_ms=100_000, jitter=30)
        db.queue_publish_many("q", ["a", "b", "c"])
        for message in db.queue_consume_many("q", "worker", 3):
            db.queue_nack("q", message["message_id"])
        before = db.queue_delayed("q")
        assert len({message["deadline"] for message in before}) > 1
        db.queue_pause("q")
        db.queue_publish("q", "d")
    with synap.open(tmp_path) as db:
        assert db.queue_delayed("q") == before and db.queue_consume("q", "worker") is None
        assert db.queue_pause("q", resume=True) is True
        message = db.queue_consume("q", "worker")
        assert message is not None and message["payload"] == b"d"


def test_rooms(db: synap.Database) -> None:
    db.stream_create("r", max_events=3)
    with refused("ROOM_EXISTS"):
        db.stream_create("r")
    assert db.stream_publish("r", "said", "hello") == 0 and db.stream_publish("r", "said", 7, {"a": [1]}, None) == 1
    events = db.stream_consume("r", "me")
    assert [(event["offset"], event["data"]) for event in events] == [(1, 7), (2, {"a": [1]}), (3, None)]
    assert {event["event"] for event in events} == {"said"} and events[0]["timestamp"] <= events[2]["timestamp"]
    with pytest.raises(synap.Fault, match="the earliest is 1") as gone:
        db.stream_consume("r", from_offset=0)
    assert gone.value.row.name == "OFFSET_GONE"
    for beyond in (5, 100):
        with pytest.raises(synap.Fault, match="the earliest is 1, the next is 4"):
            db.stream_consume("r", from_offset=beyond)
        assert db.stream_consume("r", from_offset=beyond, wait=0.01) == []
    assert db.stream_consume("r", from_offset=4) == [] == db.stream_consume("r", from_offset=4, wait=0.01)
    assert [event["offset"] for event in db.stream_consume("r", from_offset=2, limit=1, wait=1)] == [2]
    stats = db.stream_stats("r")
    assert (stats["name"], stats["message_count"], stats["min_offset"], stats["total_published"]) == ("r", 3, 1, 4)
    assert db.stream_list() == ["r"]
    db.stream_delete("r")
    for call in (lambda: db.stream_delete("r"), lambda: db.stream_publish("r", "e", 1), lambda: db.stream_stats("r")):
        with refused("ROOM_MISSING"):
            call()


def test_queues_begin_with_the_settings(store: Any) -> None:
    settings = synap.Settings().replace({
        "queue.max_depth": 1, "queue.ack_deadline_secs": 7, "queue.default_priority": 3, "queue.default_max_retries": 4,
    })  # fmt: skip
    with synap.open(settings=settings) as db:
        db.queue_create("q")
        db.queue_publish("q", "x")
        with refused("QUEUE_FULL"):
            db.queue_publish("q", "y")
        message = db.queue_consume("q")
        assert message is not None
        assert (message["priority"], message["max_retries"]) == (3, 4)
        assert message["deadline"] - message["created_at"] <= 7000 + 50


def test_refusals_name_their_row(db: synap.Database) -> None:
    db.set("k", "text")
    with refused("NOT_AN_INTEGER"):
        db.incr("k")
    with refused("UNKNOWN_COMMAND"):
        db.call("kv.nonsense")
    with refused("MISSING_FIELD"):
        db.call("kv.get")
    assert issubclass(synap.Fault, synap.SynapError)


def test_a_command_that_is_too_large(store: Any) -> None:
    settings = synap.Settings().replace({"limits.bulk_bytes_max": "1kb", "limits.query_bytes_max": "4kb"})
    with synap.open(settings=settings) as db:
        with refused("QUERY_TOO_LARGE"):
            db.set("k", "v" * 5000)
        with refused("STRING_TOO_LONG"):
            db.set_many([b"k"], [b"v" * 1025])
        assert db.dbsize() == 0


def test_config_and_info(store: Any) -> None:
    settings = synap.Settings().replace({"kv_store.max_memory_mb": 100, "kv_store.eviction_policy": "lru"})
    with synap.open(settings=settings) as db:
        (name,) = (row.name for row in CATALOGUE.rows if row.resp == "CONFIG|GET")
        found = db.call(name, patterns=["maxmemory*"])
        assert found[b"maxmemory"] == b"104857600" and found[b"maxmemory-policy"] == b"allkeys-lru"
        assert db.call(name, patterns=["nonsense"]) == {}
        (info,) = (row.name for row in CATALOGUE.rows if row.resp == "INFO")
        assert db.call(info)["server"]["process_id"] == os.getpid()


# ---- beginning and end ----


def test_a_directory_keeps_everything(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path / "new" / "data") as db:
        db.set("k", {"a": 1}, ttl=1000)
        db.rpush("l", "a", "b")
        before = db.digest()
    with synap.open(str(tmp_path / "new" / "data")) as db:
        assert db.digest() == before and db.get("k") == {"a": 1} and db.lrange("l") == [b"a", b"b"]
        assert db.snapshot().startswith("snap")
        db.delete("l")
    with synap.open(tmp_path / "new" / "data") as db:
        assert db.exists("k", "l") == 1


def test_opening_a_directory_twice_is_refused(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as db:
        with pytest.raises(synap.LockHeld, match=f"{tmp_path} is in use by process {os.getpid()}"):
            synap.open(tmp_path)
        script = "import sys, synap\ntry:\n    synap.open(sys.argv[1])\nexcept synap.LockHeld as held:\n    print(held)"
        told = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
        assert told.stdout == f"{tmp_path} is in use by process {os.getpid()}\n"
        db.set("k", "v")
    with synap.open(tmp_path) as db:
        assert db.get("k") == b"v"


def test_a_directory_that_is_damaged_is_let_go(store: Any, tmp_path: Path) -> None:
    with synap.open(tmp_path) as db:
        db.set("k", "needle")
        db.set("l", "behind")
    (path,) = tmp_path.glob("log-*.synap")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"needle", b"noodle"))
    for _ in range(2):
        with pytest.raises(synap.Damage, match=path.name):
            synap.open(tmp_path)
    path.write_bytes(whole)
    with synap.open(tmp_path) as db:
        assert db.get("k") == b"needle"


def test_after_close(store: Any, tmp_path: Path) -> None:
    db = synap.open(tmp_path)
    db.set_many([b"k"], [b"v"])
    db.close()
    db.close()
    for use in (
        lambda: db.get("k"), lambda: db.set("k", "v"), lambda: db.get_many([b"k"]), lambda: db.get_blob([b"k"]),
        lambda: db.set_many([b"k"], [b"v"]), lambda: db.delete_many([b"k"]), db.digest, db.counters, db.snapshot,
    ):  # fmt: skip
        with pytest.raises(ValueError, match="the database is closed"):
            use()


def test_a_block_that_fails_closes_too(store: Any, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), synap.open(tmp_path) as db:
        db.set("k", "v")
        raise ZeroDivisionError
    with synap.open(tmp_path) as db:
        assert db.get("k") == b"v"


def test_memory_alone_has_no_snapshots(db: synap.Database) -> None:
    with refused("SWITCHED_OFF"):
        db.snapshot()


def test_import_alone_is_cheap() -> None:
    script = "import sys, synap; print(sorted({'numba', 'numpy', 'yaml'} & set(sys.modules)), synap.__version__)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("[] ")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        synap.nonsense  # noqa: B018


def test_sorted_sets(db: synap.Database) -> None:
    assert db.zadd("z", {"a": 1.5, "b": 2, "c": 3}) == 3 and db.zadd("z", [(0.5, "d")]) == 1
    assert db.zrank("z", "b") == 2 and db.zrevrank("z", "b") == 1 and db.zrank("z", "none") is None
    assert db.zrank("z", "b", withscore=True) == [2, 2.0] and db.zrevrank("z", "d", withscore=True) == [3, 0.5]
    assert db.bzpopmin("none", "z", timeout=1) == (b"z", b"d", 0.5)
    assert db.bzpopmax("z", timeout=1) == (b"z", b"c", 3.0)
    assert db.zscan("z") == (0, [(b"a", 1.5), (b"b", 2.0)])
    assert list(db.zscan_iter("z", match="a")) == [(b"a", 1.5)]
    assert db.zmpop(["none", "z"], "MIN") == (b"z", [[b"a", 1.5]]) and db.zcard("z") == 1
    assert db.bzmpop(1, ["z"], "MAX") == (b"z", [[b"b", 2.0]])
    assert db.zmpop(["z"], "MIN") is None and db.bzpopmin("z", timeout=0.01) is None
    assert db.rpush("l", "x", "y") == 2 and db.lmpop(["none", "l"], "LEFT") == (b"l", [b"x"])
    assert db.blpop("l", timeout=1) == (b"l", b"y") and db.blpop("l", timeout=0.01) is None


def test_ends_of_ranges_may_be_numbers(store: Any) -> None:
    with synap.open() as db:
        assert db.zadd("z", {f"m{i}": i for i in range(3)}) == 3 and db.zadd("z", [(3, "m3")]) == 1
        assert db.zrange("z", 1, -1) == db.zrange("z", "1", "-1") == [b"m1", b"m2", b"m3"]
        assert db.zrangebyscore("z", 0.5, float("inf")) == db.zrangebyscore("z", "(0", "+inf")
        assert db.zrangebyscore("z", np.float64(0.5), np.float32(2)) == [b"m1", b"m2"] == db.zrange("z", np.int64(1), 2)
        assert db.zcount("z", 1, 2) == 2 and db.zremrangebyrank("z", 0, 1) == 2
        with pytest.raises(synap.Fault, match="found bool"):
            db.zrange("z", True, -1)
