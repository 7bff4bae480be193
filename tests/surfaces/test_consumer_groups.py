"""Consumer groups: what REST answers, who gets which partition, sessions that end, and members that come too late."""

from collections import Counter
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.support import Refusal
from tests.surfaces.surfaces import Surfaces
from tests.surfaces.test_topics import move, post

MISSING = {"error": "Invalid request: Consumer group 'none' not found", "code": 400}
STALE = "STALE the group has another generation"


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


def shares(surfaces: Surfaces, group: str, members: list[str]) -> list[list[int]]:
    """The partitions of each member, by RESP."""
    return [surfaces.resp("GROUP.ASSIGNMENT", group, member)[3] for member in members]


def test_rest(surfaces: Surfaces) -> None:
    made = post(surfaces, "/consumer-groups/g", {"topic": "t", "partition_count": 3})
    assert made == {"success": True, "group_id": "g", "topic": "t"}
    status, again, _ = surfaces.rest("POST", "/consumer-groups/g", {"topic": "t", "partition_count": 3})
    assert (status, again["error"]) == (400, "Invalid request: Consumer group 'g' already exists")
    assert surfaces.rest("GET", "/consumer-groups")[1] == {"groups": ["g"], "count": 1}
    joined = post(surfaces, "/consumer-groups/g/join", {})
    member = joined["member_id"]
    assert joined == {"member_id": str(UUID(member)), "group_id": "g"}
    assert surfaces.rest("GET", f"/consumer-groups/g/members/{member}/assignment")[1] == {
        "member_id": member, "group_id": "g", "generation": 1, "partitions": [0, 1, 2],
    }  # fmt: skip
    beat = post(surfaces, f"/consumer-groups/g/members/{member}/heartbeat", None)
    assert beat == {"success": True, "generation": 1}
    assert surfaces.rest("GET", "/consumer-groups/g/offsets/1")[1] == {
        "group_id": "g", "partition_id": 1, "offset": None,
    }  # fmt: skip
    done = post(surfaces, "/consumer-groups/g/offsets/commit", {"partition_id": 1, "offset": 7})
    assert done == {"success": True, "partition_id": 1, "offset": 7}
    assert surfaces.rest("GET", "/consumer-groups/g/offsets/1")[1]["offset"] == 7
    post(surfaces, "/consumer-groups/g/offsets/commit", {"partition_id": 1, "offset": 2})
    assert surfaces.rest("GET", "/consumer-groups/g/offsets/1")[1]["offset"] == 2, "the last call counts"
    stats = surfaces.rest("GET", "/consumer-groups/g/stats")[1]
    assert {name: stats[name] for name in ("group_id", "topic", "state", "member_count", "generation")} == {
        "group_id": "g", "topic": "t", "state": "Stable", "member_count": 1, "generation": 1,
    }  # fmt: skip
    assert (stats["partition_count"], stats["committed_partitions"], stats["last_rebalance_secs"]) == (3, 1, 0)
    left = surfaces.rest("DELETE", f"/consumer-groups/g/members/{member}/leave")
    assert left[:2] == (200, {"success": True, "member_id": member})
    stats = surfaces.rest("GET", "/consumer-groups/g/stats")[1]
    assert (stats["state"], stats["member_count"], stats["generation"]) == ("Empty", 0, 2)
    assert surfaces.rest("DELETE", "/consumer-groups/g")[:2] == (200, {"success": True, "group_id": "g"})
    assert surfaces.rest("GET", "/consumer-groups")[1] == {"groups": [], "count": 0}


@pytest.mark.parametrize(("method", "path", "body"), [
    ("POST", "/join", {}), ("GET", "/members/m/assignment", None), ("POST", "/members/m/heartbeat", {}),
    ("DELETE", "/members/m/leave", None), ("POST", "/offsets/commit", {"partition_id": 0, "offset": 1}),
    ("GET", "/offsets/0", None), ("GET", "/offsets", None), ("GET", "/stats", None), ("DELETE", "", None),
    ("POST", "/reset", {"earliest": True}),
])  # fmt: skip
def test_a_missing_group(surfaces: Surfaces, method: str, path: str, body: Any) -> None:
    assert surfaces.rest(method, f"/consumer-groups/none{path}", body)[:2] == (400, MISSING)


def test_refusals(surfaces: Surfaces) -> None:
    post(surfaces, "/consumer-groups/g", {"topic": "t", "partition_count": 2, "strategy": "range"})
    for method, path, text in (
        ("GET", "members/x/assignment", "Member x not found"),
        ("POST", "members/x/heartbeat", "Member x not found in group"),
        ("DELETE", "members/x/leave", "Member x not found in group"),
    ):
        status, value, _ = surfaces.rest(method, f"/consumer-groups/g/{path}", None)
        assert (status, value["error"]) == (400, f"Invalid request: {text}")
    surfaces.resp("TOPIC.CREATE", "t", "PARTITIONS", 3)
    for path, body in (("offsets/commit", {"offset": 1}), ("reset", {"earliest": True})):
        for partition in (2, 7):
            found = surfaces.rest("POST", f"/consumer-groups/g/{path}", body | {"partition_id": partition})
            assert found[1] == {"error": f"Invalid request: Partition {partition} not found", "code": 400}
    assert surfaces.rest("POST", "/consumer-groups/h", {"topic": "t"})[0] == 422
    assert surfaces.rest("POST", "/consumer-groups/h", {"topic": "t", "partition_count": 0})[0] == 422
    bad = {"topic": "t", "partition_count": 2, "strategy": "best"}
    assert surfaces.rest("POST", "/consumer-groups/h", bad)[0] in (400, 422)
    assert surfaces.resp("GROUP.CREATE", "h", "t", 2, "STRATEGY", "BEST") == Refusal(
        "ERR the strategy must be ROUND_ROBIN, RANGE or STICKY"
    )
    assert surfaces.resp("GROUP.LIST") == [b"g"]


@pytest.mark.parametrize("strategy", ["ROUND_ROBIN", "RANGE", "STICKY"])
def test_every_partition_has_one_owner(surfaces: Surfaces, strategy: str) -> None:
    """After any joins and leaves: all partitions are dealt out, and no member has two more than another."""
    chance = Random(strategy)
    surfaces.resp("GROUP.CREATE", "g", "t", 13, "STRATEGY", strategy)
    members: list[str] = []
    owners: dict[int, str] = {}
    for generation in range(1, 60):
        if members and chance.random() < 0.4:
            gone = members.pop(chance.randrange(len(members)))
            surfaces.resp("GROUP.LEAVE", "g", gone)
        else:
            members.append(f"m{generation}")
            surfaces.resp("GROUP.JOIN", "g", "MEMBER", members[-1])
        found = shares(surfaces, "g", members)
        assert sorted(each for share in found for each in share) == (list(range(13)) if members else [])
        sizes = [len(share) for share in found]
        assert not members or max(sizes) - min(sizes) <= 1
        before, owners = owners, {each: members[i] for i, share in enumerate(found) for each in share}
        if strategy == "STICKY" and members:
            kept = Counter(before[each] for each in owners if before.get(each) in members)
            moved = sum(owners[each] != before[each] for each in owners if before.get(each) in members)
            share, larger = divmod(13, len(members))
            most = sorted((count for count in kept.values()), reverse=True)
            allowed = [share + (i < larger) for i in range(len(most))]
            assert moved == sum(max(0, count - quota) for count, quota in zip(most, allowed, strict=True)), "too many"
        assert surfaces.resp("GROUP.STATS", "g")[7] == generation


def test_round_robin_and_range(surfaces: Surfaces) -> None:
    for name, strategy in (("turns", "ROUND_ROBIN"), ("ranges", "RANGE")):
        surfaces.resp("GROUP.CREATE", name, "t", 8, "STRATEGY", strategy)
        for member in "abc":
            surfaces.resp("GROUP.JOIN", name, "MEMBER", member)
    assert shares(surfaces, "turns", ["a", "b", "c"]) == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert shares(surfaces, "ranges", ["a", "b", "c"]) == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_a_late_member_is_fenced(surfaces: Surfaces) -> None:
    """The zombie of Kafka's documents: it was removed, or others have joined, and it commits what it had read."""
    surfaces.resp("GROUP.CREATE", "g", "t", 2)
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "old")
    assert surfaces.resp("GROUP.COMMIT", "g", 1, 5, "MEMBER", "old", "GENERATION", 1) == b"OK"
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "new")
    assert surfaces.resp("GROUP.HEARTBEAT", "g", "old") == 2
    assert surfaces.resp("GROUP.HEARTBEAT", "g", "old", "GENERATION", 1) == Refusal(STALE)
    assert surfaces.resp("GROUP.COMMIT", "g", 1, 6, "MEMBER", "old", "GENERATION", 1) == Refusal(STALE)
    assert surfaces.resp("GROUP.COMMIT", "g", 1, 6, "MEMBER", "old") == Refusal(
        "STALE the partition belongs to another member"
    )
    surfaces.resp("GROUP.LEAVE", "g", "old")
    assert isinstance(surfaces.resp("GROUP.COMMIT", "g", 1, 6, "MEMBER", "old"), Refusal)
    assert surfaces.resp("GROUP.OFFSET", "g", 1) == 5
    body = {"partition_id": 1, "offset": 6, "member_id": "new", "generation": 2}
    assert surfaces.rest("POST", "/consumer-groups/g/offsets/commit", body)[0] == 409
    assert post(surfaces, "/consumer-groups/g/offsets/commit", body | {"generation": 3})["success"]


def test_sessions(surfaces: Surfaces) -> None:
    now = surfaces.server.clock.now()
    move(surfaces, now)
    surfaces.resp("GROUP.CREATE", "g", "t", 4, "SESSION", 1000)
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "short")
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "long", "SESSION", 60_000)
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "beats")
    move(surfaces, now + 600)
    assert surfaces.resp("GROUP.HEARTBEAT", "g", "beats") == 3
    move(surfaces, now + 999)
    assert surfaces.resp("GROUP.STATS", "g")[5] == 3
    move(surfaces, now + 1000)
    assert surfaces.resp("GROUP.STATS", "g")[5:8:2] == [2, 4], "one member is removed, one generation later"
    assert shares(surfaces, "g", ["long", "beats"]) == [[0, 2], [1, 3]]
    move(surfaces, now + 1600)
    assert shares(surfaces, "g", ["long"]) == [[0, 1, 2, 3]]
    move(surfaces, now + 60_000)
    assert surfaces.resp("GROUP.STATS", "g")[5] == 0


def test_members_that_end_together(surfaces: Surfaces) -> None:
    """One rebalance removes all whose session has ended, also if one of them is the first to come back."""
    now = surfaces.server.clock.now()
    move(surfaces, now)
    surfaces.resp("GROUP.CREATE", "g", "t", 8, "SESSION", 1000)
    for i in range(6):
        surfaces.resp("GROUP.JOIN", "g", "MEMBER", f"m{i}", "SESSION", 9000 if i % 3 == 1 else 1000)
    surfaces.server.clock.now = lambda: now + 1000  # type: ignore[method-assign]
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "m3")
    assert surfaces.resp("GROUP.STATS", "g")[5:8:2] == [3, 7]
    assert shares(surfaces, "g", ["m1", "m3", "m4"]) == [[0, 3, 6], [1, 4, 7], [2, 5]]
    surfaces.server.clock.now = lambda: now + 9000  # type: ignore[method-assign]
    surfaces.resp("GROUP.LEAVE", "g", "m4")
    assert surfaces.resp("GROUP.STATS", "g")[5:8:2] == [0, 8]
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "m5")
    assert shares(surfaces, "g", ["m5"]) == [list(range(8))]


def test_a_static_member_comes_back(surfaces: Surfaces) -> None:
    surfaces.resp("GROUP.CREATE", "g", "t", 4, "STRATEGY", "STICKY")
    for member in "abc":
        surfaces.resp("GROUP.JOIN", "g", "MEMBER", member)
    before = shares(surfaces, "g", ["a", "b", "c"])
    assert surfaces.resp("GROUP.JOIN", "g", "MEMBER", "b") == b"b"
    assert shares(surfaces, "g", ["a", "b", "c"]) == before and surfaces.resp("GROUP.STATS", "g")[7] == 3


def test_lag_and_reset(surfaces: Surfaces) -> None:
    now = surfaces.server.clock.now()
    surfaces.resp("TOPIC.CREATE", "t", "PARTITIONS", 2, "MAXMESSAGES", 5)
    surfaces.resp("GROUP.CREATE", "g", "t", 3)
    for i in range(8):
        move(surfaces, now + i)
        surfaces.resp("TOPIC.PUBLISH", "t", "e", "x", "PARTITION", 0)
    assert surfaces.resp("GROUP.OFFSETS", "g") == [[0, None, 8, 5], [1, None, 0, 0], [2, None, None, None]]
    for words, wanted in (
        (["LATEST"], 8), (["EARLIEST"], 3), (["OFFSET", 1], 3), (["OFFSET", 6], 6), (["OFFSET", 99], 8),
        (["TIMESTAMP", now + 5], 5), (["TIMESTAMP", now + 99], 8), (["TIMESTAMP", 0], 3),
    ):  # fmt: skip
        assert surfaces.resp("GROUP.RESET", "g", *words, "PARTITION", 0) == 1
        assert surfaces.resp("GROUP.OFFSETS", "g")[0] == [0, wanted, 8, 8 - wanted]
    assert surfaces.resp("GROUP.RESET", "g", "LATEST") == 2 and surfaces.resp("GROUP.OFFSET", "g", 1) == 0
    assert isinstance(surfaces.resp("GROUP.RESET", "g", "LATEST", "PARTITION", 2), Refusal)
    assert surfaces.rest("POST", "/consumer-groups/g/reset", {"earliest": True})[1] == {
        "success": True, "partitions": 2,
    }  # fmt: skip


def test_produce_and_commit_in_one_transaction(surfaces: Surfaces) -> None:
    """Both or nothing: what was made of the records read, and the offset up to which they were read."""
    surfaces.resp("TOPIC.CREATE", "in", "PARTITIONS", 1)
    surfaces.resp("TOPIC.CREATE", "out", "PARTITIONS", 1)
    surfaces.resp("GROUP.CREATE", "g", "in", 1)
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "m")
    made = ["TOPIC.PUBLISH", "out", "e", "x"]
    for generation, wanted in ((1, 1), (9, 1)):
        script = "redis.call('GROUP.COMMIT','g','0',ARGV[1],'MEMBER','m','GENERATION',ARGV[2])" + (
            " return redis.call(unpack(ARGV, 3))"
        )
        surfaces.resp("EVAL", script, 0, generation, generation, *made)
        assert surfaces.resp("TOPIC.OFFSETS", "out")[0][3] == wanted
        assert surfaces.resp("GROUP.OFFSET", "g", 0) == 1


def test_a_group_grows_with_its_topic(surfaces: Surfaces) -> None:
    """If it has all of its partitions; members learn of it by the generation, and are listed."""
    surfaces.resp("TOPIC.CREATE", "t", "PARTITIONS", 2)
    surfaces.resp("GROUP.CREATE", "all", "t", 2)
    surfaces.resp("GROUP.CREATE", "some", "t", 1)
    for name in ("m", "n"):
        surfaces.resp("GROUP.JOIN", "all", "MEMBER", name)
    surfaces.resp("GROUP.COMMIT", "all", 1, 7)
    before = surfaces.resp("GROUP.HEARTBEAT", "all", "m")
    assert surfaces.resp("TOPIC.GROW", "t", 5) == 5
    assert surfaces.resp("GROUP.HEARTBEAT", "all", "m") == before + 1
    members = surfaces.rest("GET", "/consumer-groups/all/members")[1]["members"]
    assert [(each["member_id"], each["partitions"]) for each in members] == [("m", [0, 2, 4]), ("n", [1, 3])]
    assert all(each["session_ms"] == 30_000 and each["heartbeat_at"] > 0 for each in members)
    assert surfaces.resp("GROUP.OFFSET", "all", 1) == 7
    assert surfaces.rest("GET", "/consumer-groups/some/stats")[1]["partition_count"] == 1
    assert surfaces.rest("GET", "/consumer-groups/some/members")[1] == {"group_id": "some", "members": []}
