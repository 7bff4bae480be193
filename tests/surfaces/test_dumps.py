"""DUMP and RESTORE: values go to Redis and come back, all or nothing is stored, and no payload does harm."""

from contextlib import closing
from random import Random
from typing import Any

import pytest
from peers import Peer
from test_keyspace_events import Listening

from synap.compat.rdb.payloads import pack, unpack
from synap.compat.rdb.values import Value
from synap.store.kinds.table import KINDS
from synap.store.memory import frames, layout
from tests.compat.rdb_samples import LATER, PAYLOADS, SAMPLES, compressed, length, mutated, payload, text, version_of
from tests.engine.engines import House
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, command, decode

STORED = [kind.name for kind in KINDS]
BYTES = [bytes((i,)) for i in range(256)]
NUMBERS = [b"%d" % i for i in (*range(-300, 300), 1 << 40, -(1 << 62))]
LARGE = [b"element %d" % i for i in range(20_000)]
VALUES: dict[str, list[list[Any]]] = {
    "string": [["SET", "k", item] for item in (b"", b"v", b"12345", b"1.5", bytes(range(256)), b"long" * 500_000)],
    "list": [["RPUSH", "k", *items] for items in ([b"a"], [b"a", b"", b"a", b"17", *BYTES], NUMBERS, [b"x" * 100_000])],
    "set": [["SADD", "k", *items] for items in ([b"1", b"2"], [b"a"], BYTES, NUMBERS, [b"x" * 100_000, b"y"])],
    "hash": [["HSET", "k", *items] for items in ([b"f", b"v"], [*BYTES, *BYTES], NUMBERS, [b"x" * 100_000, b"y"])],
    "zset": [["ZADD", "k", *(part for i, item in enumerate(items) for part in (b"%d.5" % (i - 2), item))]
             for items in ([b"a"], BYTES, NUMBERS, [b"x" * 100_000])] + [["ZADD", "k", "inf", "", "-inf", "b"]],
    "stream": [["XADD", "k", i, *items] for i, items in (("5-5", [b"f", b""]), ("18446744073709551615-1", 2 * BYTES),
                                                         ("1", NUMBERS), ("*", [b"x" * 100_000, b"1"]))],
}  # fmt: skip
CONTENT = {
    "string": ["GET", "k"], "list": ["LRANGE", "k", "0", "-1"], "set": ["SMEMBERS", "k"], "hash": ["HGETALL", "k"],
    "zset": ["ZRANGE", "k", "0", "-1", "WITHSCORES"], "stream": ["XRANGE", "k", "-", "+"],
}  # fmt: skip


def large(kind: str) -> list[list[Any]]:
    """The commands that make a large value, piece by piece."""
    if kind == "stream":
        return [["XADD", "k", f"{i}-1", "field", b"%d" % i + b"x" * 400] for i in range(1, 6000)]
    words: dict[str, list[Any]] = {
        "list": LARGE, "set": LARGE, "hash": [part for item in LARGE for part in (item, item[::-1])],
        "zset": [part for i, item in enumerate(LARGE) for part in (i % 97, item)],
    }  # fmt: skip
    name = {"list": "RPUSH", "set": "SADD", "hash": "HSET", "zset": "ZADD"}[kind]
    return [[name, "k", *words[kind][at : at + 8000]] for at in range(0, len(words[kind]), 8000)]


def content(kind: str, reply: Any) -> Any:
    """The reply of CONTENT, without an order where there is none."""
    if kind == "set":
        return sorted(reply)
    return dict(zip(reply[::2], reply[1::2], strict=True)) if kind == "hash" else reply


def travel(store: type[Bench], redis: Peer, kind: str, calls: list[list[Any]]) -> None:
    """What is made here is dumped, restored in Redis, dumped there and restored here."""
    client = House(store).client()
    client.ask("FLUSHALL", *calls)
    dumped = client.one("DUMP k")
    mine = content(kind, client.one(CONTENT[kind]))
    redis.ask(command("FLUSHALL"))
    assert decode(redis.ask(command("RESTORE", "k", 0, dumped)))[0] == b"OK"
    assert content(kind, decode(redis.ask(command(*CONTENT[kind])))[0]) == mine
    back = decode(redis.ask(command("DUMP", "k")))[0]
    assert client.one(["RESTORE", "k", "100000", back, "REPLACE"]) == b"OK"
    assert content(kind, client.one(CONTENT[kind])) == mine
    assert client.one("PTTL k") == 100_000


@pytest.mark.parametrize("kind", STORED)
def test_values_go_to_redis_and_come_back(store: type[Bench], redis: Peer, kind: str) -> None:
    for call in VALUES[kind]:
        travel(store, redis, kind, [call])


@pytest.mark.parametrize("kind", [kind for kind in STORED if kind != "string"])
def test_large_values_go_to_redis_and_come_back(store: type[Bench], redis: Peer, kind: str) -> None:
    travel(store, redis, kind, large(kind))


@pytest.mark.parametrize("name", [name for name in SAMPLES if version_of(SAMPLES[name][0]) == 10])
def test_redis_reads_the_samples_as_we_do(redis: Peer, name: str) -> None:
    """So what the tests have written by hand is what Redis means."""
    kind = SAMPLES[name][2].kind
    assert decode(redis.ask(command("RESTORE", "k", 0, PAYLOADS[name], "REPLACE")))[0] == b"OK"
    theirs = unpack(decode(redis.ask(command("DUMP", "k")))[0], 1 << 30)
    ordered = [theirs.items, SAMPLES[name][2].items]
    assert theirs.kind == kind
    assert ordered[0] == ordered[1] or (kind in ("set", "hash") and sorted(ordered[0]) == sorted(ordered[1]))


@pytest.mark.parametrize("name", [name for name in SAMPLES if SAMPLES[name][2].kind in STORED])
def test_what_is_restored_is_dumped(store: type[Bench], name: str) -> None:
    client = House(store).client()
    assert client.one(["RESTORE", "k", "0", PAYLOADS[name]]) == b"OK"
    found, value = unpack(client.one("DUMP k"), 1 << 30), SAMPLES[name][2]
    assert (found.kind, sorted(found.items)) == (value.kind, sorted(value.items))
    assert value.kind != "list" or found.items == value.items


def test_fields_that_expire(store: type[Bench], redis: Peer) -> None:
    """Their deadlines are dumped as Redis 7.4 does; what has expired is neither dumped nor stored."""
    house = House(store)
    client = house.client()
    client.ask("HSET h a 1 b 2 c 3", "HPEXPIRE h 5000 FIELDS 1 a", "HPEXPIRE h 9000 FIELDS 1 b")
    dumped = client.one("DUMP h")
    assert client.ask(["RESTORE", "g", "0", dumped], "HPTTL g FIELDS 3 a b c")[1] == [5000, 9000, -1]
    assert decode(redis.ask(command("RESTORE", "h", 0, dumped)))[0] == Refusal(
        "ERR DUMP payload version or checksum are wrong"
    )
    house.now += 5000
    assert sorted(item[0] for item in unpack(client.one("DUMP h"), 1 << 20).items) == [b"b", b"c"]
    assert client.ask(["RESTORE", "g", "0", dumped, "REPLACE"], "HGETALL g")[1] == [b"b", b"2", b"c", b"3"]
    gone = pack(Value("hash", [(b"f", b"v", 5)]))
    assert client.ask(["RESTORE", "g", "0", gone, "REPLACE"], "EXISTS g") == [b"OK", 0]
    client.ask("HSET all a 1", "HPEXPIRE all 10 FIELDS 1 a")
    house.now += 10
    assert client.one("DUMP all") is None


def test_what_is_json_stays_json(store: type[Bench]) -> None:
    client = House(store).client()
    for kind, items in (("string", [b'{"a":1}']), ("list", [b"1", b"[2]", b"[3]"]), ("hash", [(b"f", b"[4]", LATER)])):
        for marks in ({0}, {len(items) - 1}, set(range(len(items)))):
            value = Value(kind, items, frozenset(marks))
            client.one(["RESTORE", "k", "0", pack(value), "REPLACE"])
            assert unpack(client.one("DUMP k"), 1 << 20) == value


@pytest.mark.parametrize("kind", [kind for kind in STORED if kind != "string"])
def test_one_value_is_one_group(store: type[Bench], kind: str) -> None:
    """The removal of the old key and all pieces of the new one: a crash between them is a crash before them."""
    house = House(store)
    client = house.client()
    client.ask("SET other x", *large(kind))
    dumped = client.one("DUMP k")
    client.ask("DEL k", "SET k old")
    house.flush()
    house.frames.clear()
    assert client.one(["RESTORE", "k", "0", dumped, "REPLACE"]) == b"OK"
    house.flush()
    log = b"".join(house.frames)
    at, continued = 0, []
    while at < len(log):
        head = int.from_bytes(log[at : at + 8], "little")
        continued.append(head >> frames.FLAGS_SHIFT & frames.CONTINUED)
        at += head & 0xFFFFFFFF
    assert len(continued) > 2 and continued == [1] * (len(continued) - 1) + [0]
    assert not house.bench[layout.IN_GROUP]


def test_a_replay_has_the_same_values(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    for i, name in enumerate(SAMPLES):
        if SAMPLES[name][2].kind in STORED:
            words = ["0" if i % 2 else "5000", PAYLOADS[name], "REPLACE"]
            assert client.ask(["RESTORE", f"k{i}", *words], ["RESTORE", "k", *words]) == [b"OK", b"OK"]
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_within_a_transaction(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    value = PAYLOADS["list, ziplists"]
    client.ask("SET k old")
    house.flush()
    replies = client.ask("MULTI", ["RESTORE", "k", "0", value, "REPLACE"], ["RESTORE", "k", "0", value], "DUMP k",
                         "RPOP k", "EXEC")[-1]  # fmt: skip
    assert replies[:2] == [b"OK", Refusal("BUSYKEY Target key name already exists.")]
    assert unpack(replies[2], 1 << 20).items[-1] == replies[3] == b"7"
    house.flush()
    assert len(house.frames) == 2
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_who_waits_and_who_watches(store: type[Bench]) -> None:
    house = House(store)
    waits, watches, other = house.client(), house.client(), house.client()
    waits.send(command("BLPOP", "k", "0"))
    watches.ask("WATCH k", "MULTI", "PING")
    other.one(["RESTORE", "k", "0", PAYLOADS["list"]])
    house.engine.settle(house.now)
    assert waits.heard == [[b"k", b"a"]]
    assert watches.one("EXEC") is None


def test_too_large_for_the_memory(store: type[Bench]) -> None:
    """Refused before anything is removed or stored, also if the payload is small and expands."""
    house = House(store, memory_max=16 << 20)
    client = house.client()
    client.ask("SET k old", "SET full " + "x" * 4_000_000)
    oom = Refusal("OOM command not allowed when used memory > 'maxmemory'.")
    for whole in (
        payload(0, compressed(b"z", 14_000_000)),
        payload(0, compressed(b"z", 60_000_000)),
        payload(1, length(20) + compressed(b"z", 800_000) * 20),
        payload(18, length(60) + (b"\x02" + text(LISTPACK_OF_ONES)) * 60),
    ):
        assert client.one(["RESTORE", "k", "0", whole, "REPLACE"]) == oom
    assert client.ask("GET k", "DBSIZE") == [b"old", 2]


def _ones(count: int) -> bytes:
    size = 7 + 2 * count
    return size.to_bytes(4, "little") + count.to_bytes(2, "little") + b"\x01\x01" * count + b"\xff"


LISTPACK_OF_ONES = _ones(3000)


def test_room_is_made_by_eviction(store: type[Bench]) -> None:
    house = House(store, memory_max=16 << 20)
    house.engine.memory.set_eviction("allkeys-lru", 5)
    client = house.client()
    for i in range(30):
        client.one(["SET", f"k{i}", b"x" * 500_000])
    before = client.one("DBSIZE")
    assert client.one(["RESTORE", "k", "0", payload(0, compressed(b"zy", 1_000_000))]) == b"OK"
    assert client.one("STRLEN k") == 2_000_000 and client.one("DBSIZE") < before + 1


def test_a_reply_that_is_too_large(store: type[Bench]) -> None:
    client = House(store, reply_bytes_max=1 << 18).client()
    client.ask(*large("list"))
    assert client.one("DUMP k") == Refusal("ERR the reply would be larger than limits.reply_bytes_max")


@pytest.mark.parametrize(("number", "what"), [(7, "modules"), (22, "hashes of a preview of Redis 7.4")])
def test_what_is_not_supported_is_named(store: type[Bench], number: int, what: str) -> None:
    refusal = House(store).client().one(["RESTORE", "k", "0", payload(number, text(b"x"))])
    assert refusal == Refusal(f"ERR Bad data format: {what} are not supported")


def test_no_payload_does_harm(store: type[Bench]) -> None:
    """Mutated payloads are stored or refused; what is stored can be dumped, and the heap stays sound."""
    house = House(store)
    client, chance = house.client(), Random(3)
    stored = 0
    for _ in range(2000):
        reply = client.one(["RESTORE", "k", "0", mutated(chance), "REPLACE"])
        if reply == b"OK":
            stored += 1
            assert client.one("EXISTS k") == 0 or unpack(client.one("DUMP k"), 1 << 30)
        else:
            assert str(reply).startswith(("ERR Bad data format", "OOM ")), reply
    assert stored > 100
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_the_events_are_those_of_redis(store: type[Bench], redis: Peer) -> None:
    """One for the key, whatever was stored in how many pieces; a key that expires at once was removed."""
    house = House(store)
    client, heard = house.client(), []
    house.engine.pubsub.publish = lambda channel, payload, metadata, now: heard.append(b"%b %b" % (channel, payload))
    house.engine.keyspace_events.choose("KEAn")
    redis.ask(command("CONFIG", "SET", "notify-keyspace-events", "KEAn"))
    redis.ask(command("FLUSHALL"))
    with closing(Listening(redis)) as theirs:
        value = PAYLOADS["hash"]
        for words in (["0", value], ["0", value], ["0", value, "REPLACE"], ["5", value, "REPLACE", "ABSTTL"]):
            client.one(["RESTORE", "k", *words])
            redis.ask(command("RESTORE", "k", *words))
        assert heard == theirs.messages()
    events = [message.split()[-1] for message in heard if message.startswith(b"__keyspace")]
    assert events == [b"new", b"restore", b"new", b"restore", b"del"]
    redis.ask(command("CONFIG", "SET", "notify-keyspace-events", ""))
