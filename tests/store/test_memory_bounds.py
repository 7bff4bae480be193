"""Calls that need much memory ask for as much as they take: neither too little, nor far too much."""

from typing import Any

import pytest

from synap.store.memory import layout
from synap.store.upkeep import upkeep
from tests.store.copies import replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal

OOM = Refusal("OOM command not allowed when used memory > 'maxmemory'.")
SLACK = 1 << 10  # what tables of keys take when they grow
ASKED = 64 << 10  # what a call may ask for besides two and a half times what it takes
UNLIMITED = 1 << 40
MEMBERS = 1500


def member(i: int) -> bytes:
    return b"member %d " % i + b"x" * (i % 150)


def pairs(count: int) -> list[Any]:
    return [word for i in range(count) for word in (i, member(i))]


BUILD: dict[str, list[list[Any]]] = {
    "zset": [[b"ZADD", b"z", *pairs(MEMBERS)]],
    "few": [[b"ZADD", b"few", *pairs(10)]],
    "set": [[b"SADD", b"s", *(member(i) for i in range(MEMBERS))]],
    "small": [[b"SADD", b"small", b"a", b"b", member(1)]],
    "integers": [[b"SADD", b"i%d" % i, *range(i * 500, i * 500 + 500)] for i in range(20)],
    "hash": [[b"HSET", b"h", *(word for i in range(MEMBERS) for word in (i, member(i)))]],
    "expiring": [[b"HSETEX", b"h", b"PX", b"1000", b"FIELDS", MEMBERS,
                  *(word for i in range(MEMBERS) for word in (i, member(i)))]],
    "packed": [[b"HSET", b"h", *(word for i in range(300) for word in (i, b"v" * (i % 60)))]],
    "list": [[b"RPUSH", b"l", *(member(i) for i in range(MEMBERS))]],
    "long": [[b"RPUSH", b"l", *(b"x" * (1020 + i % 9) for i in range(150))]],
    "boxes": [[b"RPUSH", b"l", *(b"x" * (1100 + i) for i in range(150))]],
    "shared": [*([b"XADD", b"x", b"%d-1" % (i + 1), b"f", member(i)] for i in range(MEMBERS)),
               *([b"XGROUP", b"CREATE", b"x", b"g%d" % i, b"0"] for i in range(50)),
               *([b"XREADGROUP", b"GROUP", b"g%d" % (i % 9), b"c%d" % i, b"COUNT", b"20", b"STREAMS", b"x", b">"]
                 for i in range(70))],
    "text": [[b"SET", b"t", b"x" * 40_000]],
    "page": [[b"SET", b"t", b"x" * 32_800]],
    "places": [[b"GEOADD", b"g", *(word for i in range(first, first + 1000) for word in (b"%.6f" % (i / 900), b"1", i))]
               for first in range(0, 60_000, 1000)],
    "numbers": [[b"RPUSH", b"n", *range(first, first + 1000)] for first in range(0, 60_000, 1000)],
    "stream": [[b"XADD", b"x", b"%d-1" % i, b"f", member(i)] for i in range(1, MEMBERS)],
    "named": [[b"XADD", b"x", b"%d-%d" % (i, i), b"name %d" % i, member(i), b"f", i] for i in range(1, 300)],
    "group": [[b"XGROUP", b"CREATE", b"x", b"g", b"0"]],
    "pending": [[b"XREADGROUP", b"GROUP", b"g", b"c%d" % (i % 3), b"COUNT", b"40", b"STREAMS", b"x", b">"]
                for i in range(30)],
    "topic": [[b"TOPIC.CREATE", b"t", b"PARTITIONS", b"40"]],
    "records": [[b"TOPIC.MPUBLISH", b"t", b"said", *pairs(MEMBERS)]],
    "compacted": [[b"TOPIC.CREATE", b"t", b"PARTITIONS", b"40", b"POLICY", b"COMPACT"]],
    "one": [[b"TOPIC.CREATE", b"one", b"PARTITIONS", b"1"]],
    "members": [[b"GROUP.CREATE", b"g", b"t", b"64"],
                *([b"GROUP.JOIN", b"g", b"MEMBER", member(i)] for i in range(256))],
    "queue": [[b"QUEUE.CREATE", name, b"5000", b"1000", b"3", b"5"] for name in (b"q", b"r")],
    "grouped": [[b"QUEUE.PUBLISH", b"q", b"m", b"GROUP", member(i % 300) + b"x" * 900, b"TTL", b"9"]
                for i in range(600)],
    "dropping": [[b"QUEUE.CREATE", b"q", b"300", b"1000", b"3", b"5", b"OVERFLOW", b"DEAD"],
                 [b"QUEUE.MPUBLISH", b"q", b"MESSAGES", *(b"m" for _ in range(300))]],
    "weights": [[b"MSET", *(word for i in range(0, 60_000, 7) for word in (b"w_%d" % i, -i))]],
}  # fmt: skip
CALLS: list[tuple[str, list[Any]]] = [
    ("zset", [b"ZRANGESTORE", b"d", b"z", b"0", b"-1"]),
    ("zset", [b"ZRANGESTORE", b"d", b"z", b"5", b"9"]),
    ("zset", [b"ZRANGESTORE", b"d", b"z", b"100", b"2000", b"BYSCORE", b"LIMIT", b"10", b"1000"]),
    ("zset few", [b"ZINTERSTORE", b"d", b"2", b"z", b"few"]),
    ("zset small", [b"ZINTERSTORE", b"d", b"2", b"small", b"z"]),
    ("zset set", [b"ZINTERSTORE", b"d", b"2", b"z", b"s"]),
    ("zset few", [b"ZDIFFSTORE", b"d", b"2", b"few", b"z"]),
    ("zset few", [b"ZDIFFSTORE", b"d", b"2", b"z", b"few"]),
    ("zset set few", [b"ZUNIONSTORE", b"d", b"3", b"z", b"s", b"few"]),
    ("set small", [b"SINTERSTORE", b"d", b"s", b"small"]),
    ("set small", [b"SUNIONSTORE", b"d", b"s", b"small"]),
    ("set small", [b"SDIFFSTORE", b"d", b"s", b"small"]),
    ("integers", [b"SUNIONSTORE", b"d", *(b"i%d" % i for i in range(20))]),
    ("zset", [b"COPY", b"z", b"d"]),
    ("few", [b"COPY", b"few", b"d"]),
    ("set", [b"COPY", b"s", b"d"]),
    ("integers", [b"COPY", b"i3", b"d"]),
    ("hash", [b"COPY", b"h", b"d"]),
    ("expiring", [b"COPY", b"h", b"d"]),
    ("packed", [b"COPY", b"h", b"d"]),
    ("list", [b"COPY", b"l", b"d"]),
    ("long", [b"COPY", b"l", b"d"]),
    ("boxes", [b"COPY", b"l", b"d"]),
    ("text", [b"COPY", b"t", b"d"]),
    ("shared", [b"COPY", b"x", b"d"]),
    ("shared", [b"XREADGROUP", b"GROUP", b"g40", b"c", b"STREAMS", b"x", b">"]),
    ("shared", [b"XCLAIM", b"x", b"g41", b"c", b"0", *(b"%d-1" % (i + 1) for i in range(MEMBERS)), b"FORCE"]),
    ("shared", [b"XAUTOCLAIM", b"x", b"g1", b"new", b"0", b"0"]),
    ("shared", [b"XADD", b"x", b"9000-1", b"f", b"v" * 9000]),
    ("shared", [b"XGROUP", b"CREATE", b"x", b"n" * 9000, b"0"]),
    ("page", [b"COPY", b"t", b"d"]),
    ("stream", [b"COPY", b"x", b"d"]),
    ("named", [b"COPY", b"x", b"d"]),
    ("stream group pending", [b"COPY", b"x", b"d"]),
    ("stream", [b"XADD", b"x", b"*", b"f", b"x" * 40_000]),
    ("stream", [b"XADD", b"x", b"*", *pairs(MEMBERS)]),
    ("stream", [b"XGROUP", b"CREATE", b"x", b"g" * 40_000, b"0"]),
    ("stream group", [b"XGROUP", b"CREATECONSUMER", b"x", b"g", b"c" * 40_000]),
    ("stream group", [b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"x", b">"]),
    ("stream group", [b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"5", b"STREAMS", b"x", b">"]),
    ("stream group", [b"XCLAIM", b"x", b"g", b"c", b"0", *(b"%d-1" % i for i in range(1, MEMBERS)), b"FORCE"]),
    ("stream group pending", [b"XCLAIM", b"x", b"g", b"d", b"0", *(b"%d-1" % i for i in range(1, 900))]),
    ("stream group pending", [b"XAUTOCLAIM", b"x", b"g", b"d", b"0", b"0", b"COUNT", b"900", b"JUSTID"]),
    ("text", [b"APPEND", b"t", b"y" * 100]),
    ("text", [b"SETRANGE", b"t", b"60000", b"y"]),
    ("text", [b"SETBIT", b"t", b"700000", b"1"]),
    ("text", [b"BITFIELD", b"t", b"SET", b"u8", b"700000", b"1"]),
    ("page", [b"BITOP", b"NOT", b"d", b"t"]),
    ("text", [b"SWAPDB", b"0", b"1"]),
    ("set", [b"TOPIC.CREATE", b"t", b"PARTITIONS", b"4096"]),
    ("set", [b"TOPIC.CREATE", b"t" * 40_000, b"PARTITIONS", b"1"]),
    ("topic records", [b"TOPIC.GROW", b"t", b"4096"]),
    ("topic records", [b"TOPIC.GROW", b"t", b"41"]),
    ("topic records", [b"TOPIC.PUBLISH", b"t", b"said", b"x" * 40_000, b"KEY", b"k" * 9000, b"HEADERS", b"h" * 9000]),
    ("topic", [b"TOPIC.MPUBLISH", b"t", b"said", *pairs(MEMBERS)]),
    ("topic", [b"TOPIC.MPUBLISH", b"t", b"type " * 40, *pairs(MEMBERS)]),
    ("topic records", [b"TOPIC.MPUBLISH", b"t", b"said", *(b"" if i % 2 == 0 else b"x" for i in range(2 * MEMBERS))]),
    ("one", [b"TOPIC.MPUBLISH", b"one", b"said", *(b"" if i % 2 == 0 else b"x" * 8300 for i in range(60))]),
    ("one", [b"TOPIC.MPUBLISH", b"one", b"said", *(b"" if i % 2 == 0 else b"x" * 5500 for i in range(80))]),
    ("topic", [b"TOPIC.MPUBLISH", b"t", b"said", *(b"" if i % 2 == 0 else b"x" * 1500 for i in range(300))]),
    ("topic", [b"TOPIC.MPUBLISH", b"t", b"said", *(b"" if i % 2 == 0 else b"x" * 17000 for i in range(30))]),
    ("compacted", [b"TOPIC.PUBLISH", b"t", b"said", b"x" * 40_000, b"KEY", b"k" * 9000]),
    ("compacted", [b"TOPIC.MPUBLISH", b"t", b"said", *pairs(MEMBERS)]),
    ("compacted records", [b"TOPIC.GROW", b"t", b"4096"]),
    ("set", [b"GROUP.CREATE", b"g", b"t" * 40_000, b"4096"]),
    ("members", [b"GROUP.JOIN", b"g", b"MEMBER", b"new"]),
    ("members", [b"GROUP.JOIN", b"g", b"MEMBER", b"n" * 40_000]),
    ("members", [b"GROUP.LEAVE", b"g", member(3)]),
    ("set", [b"QUEUE.CREATE", b"q" * 40_000, b"5000", b"1000", b"3", b"5"]),
    ("queue", [b"QUEUE.PUBLISH", b"q", b"m", b"GROUP", b"g" * 9000, b"DEDUP", b"d" * 9000, b"HEADERS", b"h" * 9000,
               b"TTL", b"9", b"DELAY", b"2"]),
    ("queue", [b"QUEUE.MPUBLISH", b"q", b"GROUP", b"g" * 9000, b"TTL", b"9", b"HEADERS", b"headers", b"KEYED",
               *pairs(MEMBERS)]),
    ("queue", [b"QUEUE.MPUBLISH", b"q", b"DELAY", b"9", b"TTL", b"9", b"MESSAGES", *pairs(MEMBERS)]),
    ("dropping", [b"QUEUE.MPUBLISH", b"q", b"MESSAGES", *(b"m" for _ in range(300))]),
    ("dropping", [b"QUEUE.PUBLISH", b"q", b"m"]),
    ("queue grouped", [b"QUEUE.MOVE", b"q", b"r"]),
    ("queue grouped", [b"QUEUE.MOVE", b"q", b"r", b"COUNT", b"1"]),
]
WITH_WORK: list[tuple[str, list[Any]]] = [
    ("places", [b"GEOSEARCHSTORE", b"d", b"g", *b"FROMLONLAT 30 1 BYRADIUS 20000 km".split()]),
    ("places", [b"GEOSEARCHSTORE", b"d", b"g", *b"FROMLONLAT 30 1 BYRADIUS 20000 km DESC COUNT 30000".split()]),
    ("places", [b"GEORADIUS", b"g", *b"30 1 20000 km ASC STOREDIST d".split()]),
    ("numbers", [b"SORT", b"n", b"DESC", b"STORE", b"d"]),
    ("numbers", [b"SORT", b"n", b"ALPHA", b"STORE", b"d"]),
    ("numbers weights", [b"SORT", b"n", b"BY", b"w_*", b"GET", b"#", b"GET", b"w_*", b"STORE", b"d"]),
]
"""Calls that take more memory while they run than what they store."""


def built(store: type[Bench], names: str) -> Bench:
    bench = store()
    for name in names.split():
        for call in BUILD[name]:
            assert not isinstance(bench.ask(call), Refusal)
    return bench


def used(bench: Bench) -> int:
    """The bytes of all blocks, once upkeep is done."""
    while bench[layout.LAZYFREE]:
        upkeep.lazyfree(*bench.both, 1 << 30)
    return bench[layout.WORDS_USED] * 8


@pytest.mark.parametrize(("names", "call"), CALLS, ids=lambda each: "" if isinstance(each, str) else repr(each[:3]))
def test_a_call_asks_for_what_it_takes(store: type[Bench], names: str, call: list[Any]) -> None:
    roomy = built(store, names)
    before = used(roomy)
    wanted = roomy.ask(call)
    grown = used(roomy) - before
    bench = built(store, names)
    state, free = digest(bench), 0
    while True:
        bench[layout.BYTES_MAX] = before + free
        told = bench.ask(call)
        if told != OOM:
            break
        assert digest(bench) == state and used(bench) == before
        free += 512 + max(grown, 0) // 64
        assert free <= 5 * max(grown, 0) // 2 + ASKED, "it asks for far more than it takes"
    assert told == wanted and digest(bench) == digest(roomy)
    assert used(bench) <= max(before, bench[layout.BYTES_MAX] + SLACK), "it has taken more than it asked for"


@pytest.mark.parametrize(
    ("names", "call"), CALLS + WITH_WORK, ids=lambda each: "" if isinstance(each, str) else repr(each[:3])
)
def test_a_replay_is_not_refused(store: type[Bench], names: str, call: list[Any]) -> None:
    bench = built(store, names)
    assert not isinstance(bench.ask(call), Refusal)
    start = layout.LOG * layout.WORD
    frames = bytes(bench.heap.bytes[start : start + bench[layout.LOG_TOP]])
    other = store()
    other[layout.BYTES_MAX] = 0
    assert digest(replayed(other, [frames])) == digest(bench)


@pytest.mark.parametrize("call", [
    b"SORT n LIMIT 0 1", b"SORT n ALPHA LIMIT 0 1", b"SORT n BY w_* LIMIT 0 1", b"SORT_RO n DESC LIMIT 0 3",
    b"SORT n STORE d",
])  # fmt: skip
def test_a_call_that_works_aside_is_refused_without_memory(store: type[Bench], call: bytes) -> None:
    bench = built(store, "numbers")
    state, before = digest(bench), used(bench)
    bench[layout.BYTES_MAX] = before + (64 << 10)
    assert bench.ask(call.split()) == OOM
    assert digest(bench) == state and used(bench) == before
    bench[layout.BYTES_MAX] = UNLIMITED
    assert not isinstance(bench.ask(call.split()), Refusal)


def test_keys_of_patterns_take_one_buffer_if_they_are_long(store: type[Bench]) -> None:
    bench = store()
    long = b"x" * 100_000
    bench.ask([b"RPUSH", b"l", long, b"b"])
    bench.ask([b"MSET", b"w_b", b"2", b"w_" + long, b"1"])
    bench[layout.BYTES_MAX] = used(bench) + (64 << 10)  # 24 keys would take more than a call may have aside
    assert bench.ask([b"SORT", b"l", b"BY", b"w_*", b"GET", b"w_*"]) == [b"1", b"2"]


REPLIES: list[tuple[str, list[Any]]] = [
    ("z", [b"ZUNION", b"2", b"z", b"other"]),
    ("z", [b"ZINTER", b"2", b"z", b"other"]),
    ("z", [b"ZDIFF", b"2", b"z", b"none"]),
    ("s", [b"SUNION", b"s", b"other"]),
]


@pytest.mark.parametrize(("key", "call"), REPLIES, ids=lambda each: "" if isinstance(each, str) else repr(each[:1]))
def test_replies_of_many_members_ask_for_memory(store: type[Bench], key: str, call: list[Any]) -> None:
    bench = store()
    for name in (key.encode(), b"other"):
        for first in range(0, 12_000, 2000):
            texts = [b"%06d" % i + b"x" * 90 for i in range(first, first + 2000)]
            bench.ask([b"ZADD", name, *(word for text in texts for word in (b"1", text))] if key == "z"
                      else [b"SADD", name, *texts])  # fmt: skip
    before = used(bench)
    bench[layout.BYTES_MAX] = before
    assert bench.ask([*call[:-2], b"none", b"none"]) == [], "a small reply is given when memory is full"
    assert bench.ask(call) == OOM and used(bench) == before
    bench[layout.BYTES_MAX] = before + (8 << 20)
    assert bench.heap.bytes and row_takes(bench, call) == 12_000
    assert used(bench) == before
    bench[layout.BYTES_MAX] = UNLIMITED


def row_takes(bench: Bench, call: list[Any]) -> int:
    """How many members the reply has; it is too large for one buffer of the lane."""
    store = [call[0] + b"STORE", b"d", *call[1:]]
    count = bench.ask(store)
    assert bench.ask([b"DEL", b"d"]) == 1
    return int(count)
