"""`/hash/stats` and its like: what they count is what is there, and each counter counts the calls of its commands."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from synap.engine.tallies import Tally
from synap.store.memory.layout import GUARD_SIGNED_OUT
from tests.server.clients import Resp, Server
from tests.server.test_http_pages import ask
from tests.surfaces.surfaces import Surfaces

PATHS = ("hash", "list", "set", "sortedset", "hyperloglog", "bitmap")
SIZES = (1, 2, 40, 700)
"""Numbers of elements: packed, and in tables and trees."""


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


def told(surfaces: Surfaces, path: str) -> Any:
    """What all JSON surfaces tell alike."""
    status, found, _ = surfaces.rest("GET", f"/{path}/stats")
    assert status == 200, found
    enveloped = surfaces.command(f"{path}.stats", None)["payload"]
    assert {name: found[name] for name in found} == {name: enveloped[name] for name in found}
    assert surfaces.batch((f"{path}.stats", None))[0]["payload"] == found
    operation = {"operation": f"{path}.stats", "target": "*", "data": []}
    assert surfaces.rest("POST", "/api/stream", operation)[1] == found
    return found


def fill(surfaces: Surfaces, chance: Random, count: int) -> dict[str, list[int]]:
    """Make keys of all kinds in several namespaces, some of them expired; the elements of each visible one, by kind."""
    there: dict[str, list[int]] = {name: [] for name in ("hash", "list", "set", "zset", "string", "sketch")}
    for number in range(count):
        kind, size = chance.choice(list(there)), chance.choice(SIZES)
        key, members = f"k{number}", [f"m{i}" for i in range(size)]
        surfaces.resp("SELECT", chance.choice((0, 0, 5, 15)))
        match kind:
            case "hash":
                surfaces.resp("HSET", key, *(word for member in members for word in (member, "v")))
            case "list":
                surfaces.resp("RPUSH", key, *members)
            case "set":
                surfaces.resp("SADD", key, *(members if size % 2 else range(size)))
            case "zset":
                surfaces.resp("ZADD", key, *(word for i, member in enumerate(members) for word in (i, member)))
            case "string":
                surfaces.resp("SET", key, "x" * size)
            case _:
                surfaces.resp("PFADD", key, *members)
        if chance.random() < 0.1:
            surfaces.resp("PEXPIREAT", key, 1)
        elif chance.random() < 0.2:
            surfaces.resp("PEXPIRE", key, 10_000_000)
        if surfaces.resp("EXISTS", key):
            there[kind].append(size)
    surfaces.resp("SELECT", 0)
    return there


@pytest.mark.parametrize("seed", range(3))
def test_totals_are_what_is_there(surfaces: Surfaces, seed: int) -> None:
    there = fill(surfaces, Random(seed), 150)
    pairs = {"hash": ("total_hashes", "total_fields"), "list": ("total_lists", "total_elements"),
             "set": ("total_sets", "total_members"), "sortedset": ("total_keys", "total_members")}  # fmt: skip
    for path, (keys, elements) in pairs.items():
        sizes = there["zset" if path == "sortedset" else path]
        found = told(surfaces, path)
        assert (found[keys], found[elements]) == (len(sizes), sum(sizes)), path
    zsets = told(surfaces, "sortedset")
    assert zsets["avg_members_per_key"] == zsets["total_members"] / zsets["total_keys"]
    assert zsets["memory_bytes"] > 20 * zsets["total_members"]
    sketches = told(surfaces, "hyperloglog")
    assert sketches["total_hlls"] == len(there["sketch"])
    assert abs(sketches["total_cardinality"] - sum(there["sketch"])) <= 0.03 * sum(there["sketch"])
    bitmaps = told(surfaces, "bitmap")
    assert (bitmaps["total_bitmaps"], bitmaps["total_bits"]) == (len(there["string"]), 8 * sum(there["string"]))


def test_an_empty_store(surfaces: Surfaces) -> None:
    for path in PATHS:
        found = told(surfaces, path)
        assert all(value == 0 for value in found.values() if not isinstance(value, dict)), path
    assert told(surfaces, "sortedset")["avg_members_per_key"] == 0.0


def test_a_compressed_string_is_known_for_what_it_is(store: Any) -> None:
    surfaces = Surfaces(compression__enabled=True, compression__min_payload_size=64)
    surfaces.resp("PFADD", "sketch", *range(5000))
    surfaces.resp("SET", "same", surfaces.resp("GET", "sketch"))
    surfaces.resp("SET", "text", "abc" * 1000)
    assert told(surfaces, "hyperloglog")["total_hlls"] == 2
    bitmaps = told(surfaces, "bitmap")
    assert (bitmaps["total_bitmaps"], bitmaps["total_bits"]) == (1, 8 * 3000)


COUNTED = {
    "hash": {
        "HSET h a 1 b 2": "hset", "HSETNX h a 1": "hset", "HMSET h a 1": "hset", "HGET h a": "hget",
        "HMGET h a b": "hget", "HDEL h a": "hdel",
    },
    "list": {
        "LPUSH l a": "lpush", "RPUSH l a": "rpush", "LPUSHX l a": "lpush", "LPOP l": "lpop", "RPOP l": "rpop",
        "LRANGE l 0 -1": "lrange", "LLEN l": "llen", "LINDEX l 0": "lindex", "LSET l 0 b": "lset",
        "LTRIM l 0 5": "ltrim", "LREM l 0 x": "lrem", "LINSERT l BEFORE x y": "linsert", "RPOPLPUSH l l": "rpoplpush",
        "BLPOP l 1": "blpop", "BRPOP m 0.001": "brpop",
    },
    "set": {
        "SADD s a": "sadd", "SREM s b": "srem", "SISMEMBER s a": "sismember", "SMEMBERS s": "smembers",
        "SCARD s": "scard", "SPOP s": "spop", "SRANDMEMBER s": "srandmember", "SMOVE s t a": "smove",
        "SINTER s t": "sinter", "SUNION s t": "sunion", "SDIFFSTORE u s t": "sdiff",
    },
    "hyperloglog": {"PFADD p a": "pfadd", "PFCOUNT p": "pfcount", "PFMERGE q p": "pfmerge"},
    "bitmap": {
        "SETBIT b 1 1": "setbit", "GETBIT b 1": "getbit", "BITCOUNT b": "bitcount", "BITPOS b 1": "bitpos",
        "BITOP NOT c b": "bitop", "BITFIELD b GET u8 0": "bitfield",
    },
}  # fmt: skip


@pytest.mark.parametrize("path", list(COUNTED))
def test_each_counter_counts_the_calls_of_its_commands(node: Server, path: str) -> None:
    def counts() -> dict[str, int]:
        found = ask(node, "GET", f"/{path}/stats").value
        return {name: value for name, value in found.get("operations", found).items() if name.endswith("_count")}

    with Resp(node.resp_port) as client:
        for words, counter in COUNTED[path].items():
            before = counts()
            client.ask(*words.split())
            after = counts()
            assert {name for name in after if after[name] != before[name]} == {f"{counter}_count"}, words
            assert after[f"{counter}_count"] == before[f"{counter}_count"] + 1
        client.ask("CONFIG", "RESETSTAT")
    assert not any(counts().values())
    assert set(counts()) == {f"{counter}_count" for counter in COUNTED[path].values()}


def test_a_walk_counts_once_whatever_happens_meanwhile(surfaces: Surfaces) -> None:
    """Keys that stay are counted once each, while others come and go and the tables grow and shrink."""
    engine, chance = surfaces.server.engine, Random(4)
    for number in range(300):
        surfaces.resp("SADD", f"stays{number}", "a", "b", "c")
    for _ in range(2):
        tally, steps = engine.tallies.begin(), 0
        while not tally.step(surfaces.server.clock.now(), 9):
            steps += 1
            for _ in range(15):
                surfaces.resp("RPUSH", f"list{chance.randrange(3000)}", "x")
                surfaces.resp("DEL", f"list{chance.randrange(3000)}")
        assert steps > 20
        assert tally.of("set")[:2] == (300, 900)
        surfaces.resp("DEL", *(f"list{number}" for number in range(3000)))


def test_a_tally_is_for_one_call(surfaces: Surfaces) -> None:
    tallies = surfaces.server.engine.tallies
    old = Tally(surfaces.server.engine).all_at_once(0)
    surfaces.resp("HSET", "h", "a", 1)
    tallies.hand_over(old)
    assert tallies.take(0) is old
    assert tallies.take(0).of("hash")[:2] == (1, 1)
    tallies.hand_over(old)
    assert tallies.take(0, with_estimates=True) is not old, "it estimates nothing"


def test_a_key_may_be_called_stats(surfaces: Surfaces) -> None:
    assert surfaces.rest("POST", "/hash/stats/set", {"field": "stats", "value": 7})[0] == 200
    assert surfaces.rest("GET", "/hash/stats/stats")[1] == 7
    assert surfaces.rest("GET", "/hash/stats/len")[1] == {"length": 1}
    assert surfaces.rest("GET", "/hash/stats")[1]["total_hashes"] == 1
    assert surfaces.rest("DELETE", "/kv/del/stats")[1] == {"deleted": True, "key": "stats"}
    assert surfaces.rest("POST", "/set/stats/add", {"members": [1]})[1] == {"added": 1, "key": "stats"}


def test_a_refused_call_walks_nowhere(surfaces: Surfaces, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(with_estimates: bool = False) -> Tally:
        raise AssertionError("a walk has begun")

    monkeypatch.setattr(surfaces.server.engine.tallies, "begin", begin)
    surfaces.caller.refuses = GUARD_SIGNED_OUT
    assert surfaces.rest("GET", "/hash/stats")[1]["error"] == "Authentication required"
    assert surfaces.command("set.stats", None)["error"] == "Authentication required"


def test_a_large_store_is_counted_in_steps(serve: Callable[..., Server]) -> None:
    """Between two steps others are served, and requests that come during a walk count what was stored before them."""
    server = serve().start()
    with Resp(server.resp_port) as client:
        many = [["SADD", f"s{i}", "a", "b"] for i in range(60_000)]
        for start in range(0, len(many), 5000):
            client.ask_all(*many[start : start + 5000])
        client.ask("PFADD", "p", "a", "b", "c")
        paths = ["set", "hyperloglog", "set", "sortedset"]
        others = [Resp(server.resp_port) for _ in paths]
        try:
            sockets = []
            for path in paths:
                sockets.append(Resp(server.http_port))
                sockets[-1].send_bytes(f"GET /{path}/stats HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert [other.ask("PING") for other in others] == [b"PONG"] * len(others)
            assert client.ask("SADD", "s60000", "a", "b") == 2
            assert ask(server, "GET", "/set/stats").value["total_sets"] == 60_001
        finally:
            for each in (*sockets, *others):
                each.close()
    found = ask(server, "POST", "/api/v1/command", {"command": "set.stats"}).value["payload"]
    assert (found["total_sets"], found["total_members"]) == (60_001, 120_002)
    sent = {"operation": "hyperloglog.stats", "target": "*", "data": {}}
    assert ask(server, "POST", "/api/stream", sent).value["total_cardinality"] == 3
