"""Topics as REST and the command envelope show them: replies, refusals, routing, limits, offsets, growing."""

import json
import zlib
from typing import Any

import pytest

from tests.kernels.test_murmur2 import PUBLISHED
from tests.naive.murmur2 import murmur2
from tests.support import Refusal
from tests.surfaces.surfaces import Surfaces

MISSING = {"error": "Invalid request: Topic 'none' not found", "code": 400}
NO_LIMITS = {"max_messages": 0, "max_bytes": 0, "retention_secs": 0}
MISFIT = (
    "the retention policy has other limits: TIME has RETENTION, SIZE has MAXBYTES, MESSAGES has MAXMESSAGES, COMBINED "
    "has any of them, INFINITE none"
)


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


@pytest.fixture
def topic(surfaces: Surfaces) -> Surfaces:
    """With a topic `t` of three partitions."""
    assert surfaces.rest("POST", "/topics/t", {})[0] == 200
    return surfaces


def post(surfaces: Surfaces, path: str, body: Any) -> Any:
    """The reply to a POST, which must be 200."""
    status, value, _ = surfaces.rest("POST", path, body)
    assert status == 200, value
    return value


def publish(surfaces: Surfaces, data: Any = 1, name: str = "t", **more: Any) -> tuple[int, int]:
    """Partition and offset of a record."""
    place = post(surfaces, f"/topics/{name}/publish", {"event_type": "said", "data": data, **more})
    assert list(place) == ["partition_id", "offset", "topic"] and place["topic"] == name
    return place["partition_id"], place["offset"]


def consume(surfaces: Surfaces, partition: int, name: str = "t", **more: Any) -> Any:
    return post(surfaces, f"/topics/{name}/partitions/{partition}/consume", more)


def data_of(event: Any) -> Any:
    return json.loads(bytes(event["data"]))


def move(surfaces: Surfaces, now: int) -> None:
    """Set the clock, and let upkeep do what is due."""
    surfaces.server.clock.now = lambda: now  # type: ignore[method-assign]
    for _ in range(100):
        if not surfaces.server.engine.upkeep.step(now):
            return
    raise AssertionError("upkeep finds no end")


def test_creating_listing_and_deleting(surfaces: Surfaces) -> None:
    assert surfaces.rest("GET", "/topics")[:2] == (200, {"topics": [], "count": 0})
    made = {"success": True, "topic": "t", "num_partitions": 3, "replication_factor": 1}
    assert post(surfaces, "/topics/t", {}) == made
    other = {"num_partitions": 7, "replication_factor": 2, "segment_bytes": 1000}
    assert post(surfaces, "/topics/ünï", other) == made | {
        "topic": "ünï", "num_partitions": 7, "replication_factor": 2,
    }  # fmt: skip
    listed = surfaces.rest("GET", "/topics")[1]
    assert sorted(listed["topics"]) == ["t", "ünï"] and listed["count"] == 2
    exists = {"error": "Invalid request: Topic 't' already exists", "code": 400}
    assert surfaces.rest("POST", "/topics/t", {"num_partitions": 9})[:2] == (400, exists)
    assert surfaces.rest("DELETE", "/topics/t")[:2] == (200, {"success": True, "deleted": "t"})
    assert surfaces.rest("DELETE", "/topics/t")[:2] == (
        400, {"error": "Invalid request: Topic 't' not found", "code": 400},
    )  # fmt: skip
    assert surfaces.rest("GET", "/topics")[1] == {"topics": ["ünï"], "count": 1}


@pytest.mark.parametrize("count", [0, -1, 4097, 1.5, "many", True, [3], 1 << 64])
def test_numbers_of_partitions_that_are_refused(surfaces: Surfaces, count: Any) -> None:
    status, told, _ = surfaces.rest("POST", "/topics/t", {"num_partitions": count})
    assert status == 422 and told["code"] == 422 and "'num_partitions'" in told["error"]
    assert surfaces.rest("GET", "/topics")[1]["count"] == 0
    assert surfaces.resp("TOPIC.CREATE", "t", "PARTITIONS", 0) == Refusal(
        "ERR the number of partitions must be from 1 to 4096, and may only grow")  # fmt: skip


@pytest.mark.parametrize(("policy", "limits"), [
    (None, {"retention_secs": 3600}),
    ({"type": "Time", "retention_secs": 60}, {"retention_secs": 60}),
    ({"type": "Size", "max_bytes": 70}, {"max_bytes": 70}),
    ({"type": "Messages", "max_messages": 80}, {"max_messages": 80}),
    ({"type": "Combined", "retention_secs": 1, "max_bytes": 2, "max_messages": 3},
     {"retention_secs": 1, "max_bytes": 2, "max_messages": 3}),
    ({"type": "Combined", "max_bytes": 2}, {"max_bytes": 2}),
    ({"type": "Combined", "max_bytes": None, "max_messages": 9}, {"max_messages": 9}),
    ({"type": "Combined"}, {}),
    ({"type": "Infinite"}, {}),
    ({"type": "TIME", "retention_secs": 60}, {"retention_secs": 60}),  # words are taken in any case, as everywhere
    ({"type": "infinite"}, {}),
])  # fmt: skip
def test_a_retention_policy(surfaces: Surfaces, policy: Any, limits: dict[str, int]) -> None:
    body = {"num_partitions": 2, "retention_policy": policy}
    post(surfaces, "/topics/t", body)
    assert surfaces.command("topic.create", {"topic": "u", **body})["success"]
    for name in "tu":
        stats = surfaces.rest("GET", f"/topics/{name}/stats")[1]
        assert {limit: stats[limit] for limit in NO_LIMITS} == NO_LIMITS | limits


@pytest.mark.parametrize(("policy", "status", "text"), [
    ({"type": "Time"}, 400, MISFIT), ({"type": "Size"}, 400, MISFIT), ({"type": "Messages"}, 400, MISFIT),
    ({"type": "Time", "max_bytes": 5}, 400, MISFIT), ({"type": "Size", "max_messages": 5}, 400, MISFIT),
    ({"type": "Messages", "max_messages": 5, "max_bytes": 5}, 400, MISFIT),
    ({"type": "Time", "retention_secs": 5, "max_messages": 5}, 400, MISFIT),
    ({"type": "Infinite", "retention_secs": 5}, 400, MISFIT),
    ({"type": "Forever"}, 422, "'type': wanted one of time, size, messages, combined, infinite"),
    ({"type": ["Time"], "retention_secs": 5}, 422, "'type'"), ({"type": 1}, 422, "'type'"),
    ({"type": "Time", "retention_secs": -1}, 422, "'retention_secs': wanted a whole number from 0"),
    ({"type": "Time", "retention_secs": 1.5}, 422, "'retention_secs': wanted a whole number"),
    ({"type": "Size", "max_bytes": "all"}, 422, "'max_bytes': wanted a whole number"),
    ({"type": "Size", "max_bytes": (1 << 50) + 1}, 422, "'max_bytes': wanted a whole number from 0"),
    ("Infinite", 422, "'retention_policy': wanted an object"), ([], 422, "'retention_policy': wanted an object"),
    (5, 422, "'retention_policy': wanted an object"),
])  # fmt: skip
def test_a_retention_policy_that_is_refused(surfaces: Surfaces, policy: Any, status: int, text: str) -> None:
    found, told, _ = surfaces.rest("POST", "/topics/t", {"retention_policy": policy})
    assert (found, told["code"]) == (status, status) and text in told["error"]
    told = surfaces.command("topic.create", {"topic": "t", "retention_policy": policy})
    assert not told["success"] and text in told["error"]
    assert surfaces.rest("GET", "/topics")[1]["count"] == 0


def test_publish_and_consume(surfaces: Surfaces) -> None:
    post(surfaces, "/topics/t", {})
    at = surfaces.server.clock.now() + 1_000
    surfaces.server.clock.now = lambda: at  # type: ignore[method-assign]
    assert publish(surfaces, {"a": [1]}, key="21", headers={"trace": "é", "hops": [1, 2]}) == (0, 0)
    assert publish(surfaces, "x", partition_id=0) == (0, 1)
    headers = len('{"trace":"é","hops":[1,2]}'.encode())
    event = {
        "id": "t:0:0", "partition_id": 0, "offset": 0, "topic": "t", "event_type": "said", "key": list(b"21"),
        "data": list(b'{"a":[1]}'), "timestamp": at // 1000, "size_bytes": 1 + 4 + 2 + 9 + headers,
        "metadata": {"trace": "é", "hops": [1, 2]},
    }  # fmt: skip
    plain = event | {
        "id": "t:0:1", "offset": 1, "key": None, "data": list(b'"x"'), "size_bytes": 1 + 4 + 1, "metadata": {},
    }  # fmt: skip
    told = consume(surfaces, 0)
    assert told == {"topic": "t", "partition_id": 0, "events": [event, plain], "next_offset": 2, "count": 2}
    assert list(told) == ["topic", "partition_id", "events", "next_offset", "count"]
    assert [list(each) for each in told["events"]] == [list(event), list(event)]
    assert consume(surfaces, 0, from_offset=1, limit=1) == told | {"events": [plain], "count": 1}
    assert consume(surfaces, 0, from_offset=2) == told | {"events": [], "count": 0}
    assert consume(surfaces, 0, limit=0) == told | {"events": [], "count": 0, "next_offset": 0}
    assert consume(surfaces, 2) == {"topic": "t", "partition_id": 2, "events": [], "next_offset": 0, "count": 0}


@pytest.mark.parametrize("data", [
    "text", "", "ünï ☃ 𝄞", 'quo"te\\', "line\nbreak\0", 0, -7, 1 << 53, 2.5, True, False, None, [], {},
    [1, "two", None], {"a": {"b": [1, {"c": "ü"}]}},
])  # fmt: skip
def test_any_json_comes_back(topic: Surfaces, data: Any) -> None:
    assert publish(topic, data, partition_id=1) == (1, 0)
    publish_many = {"event_type": "said", "records": [{"key": "21", "data": data}]}
    assert post(topic, "/topics/t/publish_many", publish_many)["records"] == [{"partition_id": 0, "offset": 0}]
    for partition in (0, 1):
        (event,) = consume(topic, partition)["events"]
        assert data_of(event) == data and type(data_of(event)) is type(data)


def test_keys_headers_and_types_of_all_sorts(topic: Surfaces) -> None:
    for key, octets in (("", b""), ("ünï", "ünï".encode()), (5, b"5"), (None, None)):
        partition, offset = publish(topic, key=key, event_type="größe")
        event = consume(topic, partition, from_offset=offset)["events"][0]
        assert event["key"] == (octets if octets is None else list(octets)) and event["event_type"] == "größe"
    for headers in ({}, {"a": {"b": [None, 1.5, "ü"]}}, None):
        partition, offset = publish(topic, headers=headers)
        assert consume(topic, partition, from_offset=offset)["events"][0]["metadata"] == (headers or {})


@pytest.mark.parametrize(("path", "body", "missing"), [
    ("publish", {"data": 1}, "event_type"), ("publish", {"event_type": "e"}, "data"), ("publish", {}, "event_type"),
    ("publish_many", {"event_type": "e"}, "records"),
    ("publish_many", {"event_type": "e", "records": [{"key": "k"}]}, "data"), ("partitions", {}, "num_partitions"),
])  # fmt: skip
def test_fields_that_are_missing(topic: Surfaces, path: str, body: Any, missing: str) -> None:
    status, told, _ = topic.rest("POST", f"/topics/t/{path}", body)
    assert status == 422 and f"Missing '{missing}'" in told["error"]
    assert topic.resp("TOPIC.READ", "t") == []


def test_a_topic_that_is_missing(surfaces: Surfaces) -> None:
    calls = [
        ("DELETE", "", None), ("GET", "/stats", None), ("GET", "/offsets", None), ("POST", "/consume", {}),
        ("POST", "/publish", {"event_type": "e", "data": 1}), ("POST", "/partitions/0/consume", {}),
        ("POST", "/publish_many", {"event_type": "e", "records": [{"key": "k", "data": 1}]}),
        ("POST", "/partitions", {"num_partitions": 5}),
    ]  # fmt: skip
    for method, path, body in calls:
        assert surfaces.rest(method, "/topics/none" + path, body)[:2] == (400, MISSING), path
    assert surfaces.command("topic.stats", {"topic": "none"})["error"] == MISSING["error"]
    assert surfaces.resp("TOPIC.STATS", "none") == Refusal("ERR no such topic")
    assert surfaces.rest("GET", "/pubsub/none/info")[:2] == (200, {"error": "Topic not found"})


def test_a_partition_that_is_missing(topic: Surfaces) -> None:
    def told(number: int) -> tuple[int, Any]:
        return 400, {"error": f"Invalid request: Partition {number} not found", "code": 400}

    assert topic.rest("POST", "/topics/t/partitions/3/consume", {})[:2] == told(3)
    assert topic.rest("POST", "/topics/t/publish", {"event_type": "e", "data": 1, "partition_id": 7})[:2] == told(7)
    for number in (3, -1):
        offsets = [{"partition_id": 0, "offset": 0}, {"partition_id": number, "offset": 0}]
        assert topic.rest("POST", "/topics/t/consume", {"offsets": offsets})[:2] == told(number)
    assert topic.command("topic.consume", {"topic": "t", "partition_id": 9})["error"] == told(9)[1]["error"]
    assert topic.resp("TOPIC.CONSUME", "t", 3) == Refusal("ERR no such partition")
    for segment in ("abc", "-1", "1.5", "", "9" * 20):
        status, value, _ = topic.rest("POST", f"/topics/t/partitions/{segment}/consume", {})
        assert status in (404, 422) and value["error"], segment


def test_stats(surfaces: Surfaces) -> None:
    made = surfaces.server.clock.now()
    surfaces.server.clock.now = lambda: made  # type: ignore[method-assign]
    post(surfaces, "/topics/name", {"num_partitions": 2, "retention_policy": {"type": "Messages", "max_messages": 2}})
    for data in ("ab", 1, 2, 3):
        publish(surfaces, data, "name", partition_id=1, key="key")
    surfaces.server.clock.now = lambda: made + 7_900  # type: ignore[method-assign]
    empty = {
        "partition_id": 0, "topic": "name", "message_count": 0, "total_bytes": 0, "min_offset": 0, "max_offset": 0,
        "last_compaction": 7,
    }  # fmt: skip
    held = empty | {
        "partition_id": 1, "message_count": 2, "total_bytes": 2 * len("name" "said" "key" "2"), "min_offset": 2,
        "max_offset": 3,
    }  # fmt: skip
    assert surfaces.rest("GET", "/topics/name/stats")[:2] == (200, {
        "topic": "name", "num_partitions": 2, "replication_factor": 1, "max_messages": 2, "max_bytes": 0,
        "retention_secs": 0, "created_at": made // 1000, "partitions": [empty, held],
    })  # fmt: skip


def kafka(key: bytes, count: int) -> int:
    """The partition that Kafka's default partitioner selects: toPositive(murmur2(key)) % partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % count


@pytest.mark.parametrize("count", [1, 3, 7, 12, 4096])
def test_a_key_selects_the_partition_that_kafka_selects(surfaces: Surfaces, count: int) -> None:
    post(surfaces, "/topics/t", {"num_partitions": count})
    post(surfaces, "/topics/c", {"num_partitions": count, "routing": "crc32"})
    keys = [*PUBLISHED, b"", b"a", "ünï".encode(), *(b"user-%d" % i for i in range(40))]
    for key in keys:
        value = PUBLISHED.get(key, murmur2(key))
        wanted = (value & 0x7FFFFFFF) % count
        assert wanted == kafka(key, count) == publish(surfaces, key=key.decode())[0]
        assert publish(surfaces, name="c", key=key.decode())[0] == zlib.crc32(key) % count
    words = [word for key in keys for word in (key, b"x")]
    for name, routed in (("t", kafka), ("c", lambda key, count: zlib.crc32(key) % count)):
        places = surfaces.resp("TOPIC.MPUBLISH", name, "said", *words)
        assert [partition for partition, _ in places[: len(PUBLISHED)]] == [routed(key, count) for key in PUBLISHED]


def test_records_without_a_key_go_in_turn(topic: Surfaces) -> None:
    assert [publish(topic) for _ in range(4)] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert publish(topic, key="21") == (0, 2) and publish(topic, partition_id=0) == (0, 3)  # these take no turn
    assert publish(topic) == (1, 1)
    records = [{"key": "", "data": i} for i in range(4)]
    told = post(topic, "/topics/t/publish_many", {"event_type": "e", "records": records})
    assert told == {"topic": "t", "records": [
        {"partition_id": 2, "offset": 1}, {"partition_id": 0, "offset": 4}, {"partition_id": 1, "offset": 2},
        {"partition_id": 2, "offset": 2},
    ]}  # fmt: skip
    assert all(event["key"] is None for event in consume(topic, 2)["events"])
    assert publish(topic, partition_id=2, key="21") == (2, 3)  # the partition wins over the key
    assert consume(topic, 2, from_offset=3)["events"][0]["key"] == list(b"21")


def test_publish_many_is_all_or_nothing(topic: Surfaces) -> None:
    body = {"event_type": "e", "records": [{"key": "k", "data": 1}] * 10_001}
    status, told, _ = topic.rest("POST", "/topics/t/publish_many", body)
    assert (status, told["code"]) == (413, 413)
    assert topic.rest("POST", "/topics/t/publish_many", {"event_type": "e", "records": []})[0] == 422
    assert topic.rest("GET", "/topics/t/offsets")[1]["partitions"][0]["next_offset"] == 0
    body["records"].pop()
    assert len(post(topic, "/topics/t/publish_many", body)["records"]) == 10_000


def test_the_limit_of_a_read_is_100_and_at_most_1000(topic: Surfaces) -> None:
    words = [word for i in range(1200) for word in ("21", i)]
    topic.resp("TOPIC.MPUBLISH", "t", "e", *words)
    assert (consume(topic, 0)["count"], consume(topic, 0)["next_offset"]) == (100, 100)
    for limit in (1000, 1001, 5000, 1 << 62, (1 << 63) - 1):
        told = consume(topic, 0, limit=limit)
        assert (told["count"], told["next_offset"], len(told["events"])) == (1000, 1000, 1000)
    assert [event["offset"] for event in consume(topic, 0, from_offset=1190)["events"]] == list(range(1190, 1200))
    assert topic.rest("POST", "/topics/t/partitions/0/consume", {"limit": -1})[0] == 422
    assert topic.rest("POST", "/topics/t/partitions/0/consume", {"from_offset": -1})[0] == 422


def test_offsets_that_are_not_held(surfaces: Surfaces) -> None:
    post(surfaces, "/topics/t", {"num_partitions": 1, "retention_policy": {"type": "Messages", "max_messages": 3}})
    assert [publish(surfaces, i) for i in range(8)] == [(0, i) for i in range(8)]
    assert [data_of(event) for event in consume(surfaces, 0)["events"]] == [5, 6, 7]
    assert consume(surfaces, 0, from_offset=8)["events"] == []
    for gone in (0, 4, 9, 1 << 40):
        status, told, _ = surfaces.rest("POST", "/topics/t/partitions/0/consume", {"from_offset": gone})
        text = "the offset is not held, the earliest is 5, the next is 8"
        assert (status, told) == (400, {"error": f"Invalid request: {text}", "code": 400})
        assert surfaces.resp("TOPIC.CONSUME", "t", 0, "FROM", gone) == Refusal("OFFSETGONE " + text)
    told = post(surfaces, "/topics/t/consume", {"offsets": {"0": 2}})  # here, the earliest stands for what is gone
    assert [event["offset"] for event in told["events"]] == [5, 6, 7]


def test_the_limit_of_size(surfaces: Surfaces) -> None:
    """Records count for topic, type, key and data: 1 + 4 + 2 + 3 here. The last record stays, however large."""
    post(surfaces, "/topics/t", {"num_partitions": 2, "retention_policy": {"type": "Size", "max_bytes": 35}})
    for _ in range(3):
        publish(surfaces, 123, key="21", partition_id=0)
    publish(surfaces, 123, partition_id=1)
    stats = surfaces.rest("GET", "/topics/t/stats")[1]["partitions"]
    assert [(each["message_count"], each["total_bytes"]) for each in stats] == [(3, 30), (1, 8)]
    publish(surfaces, 123, key="21", partition_id=0)
    publish(surfaces, "y" * 100, partition_id=1)
    stats = surfaces.rest("GET", "/topics/t/stats")[1]["partitions"]
    assert [(each["min_offset"], each["message_count"], each["total_bytes"]) for each in stats] == [
        (1, 3, 30), (1, 1, 105),
    ]  # fmt: skip
    assert consume(surfaces, 0)["events"][0]["size_bytes"] == 10


def test_the_limit_of_age(surfaces: Surfaces) -> None:
    made = surfaces.server.clock.now()
    move(surfaces, made)
    post(surfaces, "/topics/t", {"num_partitions": 2, "retention_policy": {"type": "Time", "retention_secs": 64}})
    publish(surfaces, 0, partition_id=0), publish(surfaces, 1, partition_id=1)
    move(surfaces, made + 30_000)
    publish(surfaces, 2, partition_id=0)
    move(surfaces, made + 63_999)
    assert [consume(surfaces, i)["count"] for i in range(2)] == [2, 1]
    move(surfaces, made + 65_001)  # a 64th late
    assert [data_of(event) for event in consume(surfaces, 0)["events"]] == [2]
    assert consume(surfaces, 1) == {"topic": "t", "partition_id": 1, "events": [], "next_offset": 1, "count": 0}
    stats = surfaces.rest("GET", "/topics/t/stats")[1]["partitions"]
    assert [(each["min_offset"], each["max_offset"], each["total_bytes"]) for each in stats] == [(1, 1, 6), (1, 0, 0)]
    assert stats[0]["last_compaction"] == 0
    assert publish(surfaces, 3, partition_id=1) == (1, 1)  # offsets do not begin again
    move(surfaces, made + 200_000)
    assert topic_count(surfaces) == 0


def topic_count(surfaces: Surfaces) -> int:
    return sum(each["message_count"] for each in surfaces.rest("GET", "/topics/t/stats")[1]["partitions"])


def test_offsets_by_time(surfaces: Surfaces) -> None:
    made = surfaces.server.clock.now()
    move(surfaces, made)
    limit = {"type": "Messages", "max_messages": 300}
    post(surfaces, "/topics/t", {"num_partitions": 2, "retention_policy": limit})
    for i in range(400):
        move(surfaces, made + 10 * (i // 2))  # two at a time
        publish(surfaces, i, partition_id=0)

    def found(when: int) -> tuple[int, int]:
        told = surfaces.rest("GET", f"/topics/t/offsets?timestamp_ms={when}")[1]
        assert told["topic"] == "t" and [each["partition_id"] for each in told["partitions"]] == [0, 1]
        first, second = told["partitions"]
        assert (first["earliest_offset"], first["next_offset"]) == (100, 400)
        assert (second["earliest_offset"], second["next_offset"]) == (0, 0)
        return first["offset"], second["offset"]

    assert found(0) == found(made) == found(made + 500) == (100, 0) and found(made + 501) == (102, 0)
    for i in range(100, 400, 2):
        assert found(made + 5 * i) == found(made + 5 * i - 1) == (i, 0)
    assert found(made + 1991) == found(1 << 62) == (400, 0)
    assert surfaces.rest("GET", "/topics/t/offsets")[1]["partitions"][0]["offset"] == 100
    assert surfaces.rest("GET", "/topics/t/offsets?timestamp_ms=soon")[0] in (400, 422)


def test_reading_several_partitions(topic: Surfaces) -> None:
    for i in range(9):
        publish(topic, i)
    told = post(topic, "/topics/t/consume", {})
    assert list(told) == ["topic", "events", "count"] and (told["topic"], told["count"]) == ("t", 9)
    assert [event["id"] for event in told["events"]] == [f"t:{i}:{j}" for i in range(3) for j in range(3)]
    assert [data_of(event) for event in told["events"]] == [0, 3, 6, 1, 4, 7, 2, 5, 8]

    def ids(**body: Any) -> list[str]:
        found = post(topic, "/topics/t/consume", body)
        assert found["count"] == len(found["events"])
        return [event["id"][2:] for event in found["events"]]

    assert ids(limit=1) == ["0:0", "1:0", "2:0"] and ids(limit=0) == []
    pairs = [{"partition_id": 2, "offset": 1}, {"partition_id": 0, "offset": 2}]
    assert ids(offsets=pairs) == ids(offsets=[[2, 1], [0, 2]]) == ids(offsets={"2": 1, "0": 2})
    assert ids(offsets=pairs) == ["2:1", "2:2", "0:2"] and ids(offsets=pairs, limit=1) == ["2:1", "0:2"]
    assert ids(offsets={"0": 3}) == ids(offsets={"0": 99}) == [] and len(ids(offsets={"1": -1})) == 3
    assert topic.rest("POST", "/topics/t/consume", {"offsets": []})[0] == 422


def test_growing(topic: Surfaces) -> None:
    places = [publish(topic, key=f"user-{i}") for i in range(50)]
    before = [consume(topic, i) for i in range(3)]
    assert post(topic, "/topics/t/partitions", {"num_partitions": 3})["num_partitions"] == 3
    assert post(topic, "/topics/t/partitions", {"num_partitions": 8}) == {
        "success": True, "topic": "t", "num_partitions": 8,
    }  # fmt: skip
    assert [consume(topic, i) for i in range(3)] == before
    assert [consume(topic, i)["count"] for i in range(3, 8)] == [0] * 5
    for i in range(50):
        assert publish(topic, key=f"user-{i}")[0] == kafka(b"user-%d" % i, 8)
    assert topic_count(topic) == 100 and {partition for partition, _ in places} <= {0, 1, 2}
    for count, status in ((7, 400), (0, 422), (4097, 422)):
        told = topic.rest("POST", "/topics/t/partitions", {"num_partitions": count})
        assert (told[0], told[1]["code"]) == (status, status)
    assert topic.rest("GET", "/topics/t/stats")[1]["num_partitions"] == 8


def test_in_the_envelope_and_in_batches(surfaces: Surfaces) -> None:
    first, second, read, refused, listed = surfaces.batch(
        ("topic.create", {"topic": "t", "num_partitions": 2}),
        ("topic.publish", {"topic": "t", "event_type": "said", "data": {"a": "ü"}, "key": "21"}),
        ("topic.consume", {"topic": "t", "partition_id": kafka(b"21", 2), "from_offset": 0}),
        ("topic.consume", {"topic": "t", "partition_id": 2}),
        ("topic.list", {}),
    )  # fmt: skip
    assert first["payload"] == {"success": True, "topic": "t", "num_partitions": 2, "replication_factor": 1}
    assert second["payload"] == {"partition_id": kafka(b"21", 2), "offset": 0, "topic": "t"}
    assert read["payload"] == consume(surfaces, kafka(b"21", 2)) and read["payload"]["count"] == 1
    assert (refused["success"], refused["error"]) == (False, "Invalid request: Partition 2 not found")
    assert listed["payload"] == surfaces.rest("GET", "/topics")[1]
    for name, path, body in (
        ("topic.stats", "stats", {}), ("topic.offsets", "offsets", {}), ("topic.read", "consume", {"limit": 1}),
    ):  # fmt: skip
        method = "POST" if name == "topic.read" else "GET"
        told = surfaces.rest(method, f"/topics/t/{path}", body if method == "POST" else None)[1]
        assert surfaces.command(name, {"topic": "t", **body})["payload"] == told
        assert surfaces.batch((name, {"topic": "t", **body}))[0]["payload"] == told


def test_partitions_have_two_names(surfaces: Surfaces) -> None:
    """`partitions`, as in RESP and Python, and `num_partitions`, as SDKs send it."""
    assert post(surfaces, "/topics/few", {"partitions": 5})["num_partitions"] == 5
    assert post(surfaces, "/topics/few/partitions", {"partitions": 6})["num_partitions"] == 6
    assert surfaces.rest("POST", "/topics/more", {"partitions": 5, "num_partitions": 4})[0] == 422


def test_compaction_over_http(surfaces: Surfaces) -> None:
    """A policy, tombstones in JSON, and the offset to go on from."""
    policy = {"type": "Compact", "lag_ms": 0, "tombstone_ms": 0}
    assert surfaces.rest("POST", "/topics/t", {"num_partitions": 1, "retention_policy": policy})[0] == 200
    for key, data in (("a", 1), ("b", 2), ("a", None), ("b", None), ("c", "null")):
        told = surfaces.rest("POST", "/topics/t/publish", {"event_type": "e", "key": key, "data": data})
        assert told[0] == 200, told
    body = surfaces.rest("POST", "/topics/t/partitions/0/consume", {"from_offset": 0})[1]
    assert [(each["offset"], bytes(each["key"])) for each in body["events"]] == [(4, b"c")]
    assert (body["next_offset"], body["count"]) == (5, 1)
    status, body, _ = surfaces.rest("POST", "/topics/t/publish", {"event_type": "e", "data": 1})
    assert (status, body["error"]) == (400, "a record of a compacted topic needs a key")
