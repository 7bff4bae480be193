"""A stream with groups and pending entries as a whole: copies, renames, snapshots, its memory, and its end."""

from typing import Any

import pytest

from synap.store.memory import layout
from synap.store.upkeep import upkeep
from tests.engine.engines import House
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import digest
from tests.support import Bench

GREATEST = (1 << 64) - 1
ENTRIES, LARGE = 700, b"x" * 9000


def rich(bench: Bench | House, key: str = "x") -> None:
    """Make a stream: chunks of one entry and of many, deleted ones, groups, consumers that have much or nothing."""
    one = bench.ask if isinstance(bench, Bench) else bench.client().one

    def ask(*words: Any) -> None:
        one([word if isinstance(word, bytes) else str(word).encode() for word in words])

    for i in range(1, ENTRIES):
        fields = [b"f%d" % (i % 3), b"v" * (i % 70), b"same", i * 1000] if i % 97 else [b"large", LARGE]
        ask("XADD", key, f"{i}-{i % 5}", *fields)
        bench.now += 1
    ask("XDEL", key, "1-1", "99-4", "100-0", "101-1", "699-4")
    ask("XTRIM", key, "MINID", "13")
    ask("XADD", key, f"{GREATEST - 1}-{GREATEST}", b"", b"")
    for name, at in ((b"all", "0"), (b"new", "$"), (b"\0\xff" * 300, "500"), (b"", "0")):
        ask("XGROUP", "CREATE", key, name, at)
    for i in range(40):
        ask("XREADGROUP", "GROUP", b"all", b"consumer %d" % (i % 7), "COUNT", 15, "STREAMS", key, ">")
        bench.now += 10
    ask("XREADGROUP", "GROUP", b"", b"c", "COUNT", 3, "STREAMS", key, ">")
    ask("XACK", key, b"all", *(f"{i}-{i % 5}" for i in range(50, 300, 2)))
    ask("XCLAIM", key, b"all", b"other", 0, *(f"{i}-{i % 5}" for i in range(301, 330, 3)))
    ask("XGROUP", "CREATECONSUMER", key, b"all", b"idle")
    ask("XADD", key, f"{GREATEST}-5", b"last", b"one")
    ask("XDEL", key, *(f"{i}-{i % 5}" for i in range(400, 430)))


def full(bench: Bench, key: bytes = b"x") -> Any:
    """All that is known of a stream."""
    return bench.ask([b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"])


def used(bench: Bench) -> int:
    """The words of all blocks, once upkeep is done."""
    while bench[layout.LAZYFREE]:
        upkeep.lazyfree(*bench.both, 1 << 30)
    return bench[layout.WORDS_USED]


def taken(bench: Bench) -> bytes:
    """The frames that wait, which are then gone."""
    start = layout.LOG * layout.WORD
    frames = bytes(bench.heap.bytes[start : start + bench[layout.LOG_TOP]])
    bench[layout.LOG_TOP] = 0
    return frames


def test_a_snapshot_and_a_replay_have_the_same_stream(store: type[Bench]) -> None:
    bench = store()
    rich(bench)
    frames, wanted = taken(bench), full(bench)
    for other in (replayed(fresh(store, 5), [frames]), loaded(fresh(store, 6), dumped(bench), bench[layout.SEQ])):
        other.now = bench.now
        assert digest(other) == digest(bench)
        assert full(other) == wanted
        for bench_or_other in (other, bench):
            assert bench_or_other.ask(b"XLEN x".split()) == wanted[1]
    again = loaded(fresh(store, 7), dumped(bench, 1 << 12), bench[layout.SEQ])
    assert digest(again) == digest(bench) and used(again) <= used(bench) + 1024


def test_a_stream_of_many_pieces(store: type[Bench]) -> None:
    """It has more parts than one piece may have, of each sort."""
    bench, count = store(), 36_000
    bench.ask(b"XGROUP CREATE x g 0 MKSTREAM".split())
    for i in range(1, count):
        bench.ask([b"XADD", b"x", b"%d-1" % i, b"f", b"v" * (i % 50)])
        if i % 1000 == 0:
            bench.ask([b"XREADGROUP", b"GROUP", b"g", b"c%d" % (i % 7), b"COUNT", b"990", b"STREAMS", b"x", b">"])
            taken(bench)
    for i in range(300):
        bench.ask([b"XGROUP", b"CREATE", b"x", b"n" * 5000 + b"%d" % i, b"0"])
        bench.ask([b"XGROUP", b"CREATECONSUMER", b"x", b"g", b"m" * 5000 + b"%d" % i])
        taken(bench)
    other = loaded(fresh(store, 5), dumped(bench), bench[layout.SEQ])
    assert digest(other) == digest(bench)
    assert other.ask(b"XPENDING x g".split()) == bench.ask(b"XPENDING x g".split())


def test_copies_renames_and_moves(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    rich(house)
    asked = "XINFO STREAM x FULL COUNT 0"
    wanted, state = client.one(asked), digest(house.bench)
    assert client.ask("COPY x y", "DEL x", "RENAME y x", asked) == [1, 1, b"OK", wanted]
    assert digest(house.bench) == state
    assert client.ask("MOVE x 3", "EXISTS x", "SELECT 3", asked) == [1, 0, b"OK", wanted]
    assert client.ask("COPY x x DB 0", "SELECT 0", asked) == [1, b"OK", wanted]
    assert client.ask("XADD x 18446744073709551615-6 f v", "XACK x all 51-1")[1] == 1
    assert client.ask("SELECT 3", asked)[1] == wanted
    house.flush()
    other = replayed(fresh(store, 5), house.frames)
    assert digest(other) == digest(house.bench)


def test_a_stream_is_dumped_and_restored(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    rich(house)
    state = digest(house.bench)
    payload = client.one("DUMP x")
    wanted = client.one("XINFO STREAM x FULL COUNT 0")
    assert client.one(["RESTORE", "x", "0", payload, "REPLACE"]) == b"OK"
    assert digest(house.bench) == state and client.one("XINFO STREAM x FULL COUNT 0") == wanted


def test_a_stream_is_scanned_and_measured(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    client.ask("SET text x", "SADD set a")
    before = used(house.bench)
    rich(house)
    assert client.one("SCAN 0 COUNT 100 TYPE stream") == [b"0", [b"x"]]
    takes = 8 * (used(house.bench) - before)
    assert takes * 0.8 < client.one("MEMORY USAGE x") < takes * 1.25


def test_restoring_a_stream_asks_for_the_memory_it_takes(store: type[Bench]) -> None:
    """With less it is refused, and nothing is changed."""
    house = House(store)
    client = house.client()
    rich(house)
    payloads = [client.one("DUMP x")]
    client.ask("DEL x", "XGROUP CREATE x g 0 MKSTREAM")
    for i in range(300):
        client.ask(f"XADD x {i + 1}-1 f v", f"XREADGROUP GROUP g c{i} STREAMS x >", f"XGROUP CREATE x g{i} 0")
    payloads.append(client.one("DUMP x"))
    client.ask("DEL x", "SET other x")
    for payload in payloads:
        before = used(house.bench)
        house.bench[layout.BYTES_MAX] = 1 << 40
        assert client.one(["RESTORE", "x", "0", payload]) == b"OK"
        takes = 8 * (used(house.bench) - before)
        client.ask("DEL x")
        before, state = 8 * used(house.bench), digest(house.bench)
        for free in range(0, 4 * takes, takes // 40):
            house.bench[layout.BYTES_MAX] = before + free
            if client.one(["RESTORE", "x", "0", payload]) == b"OK":
                break
            assert digest(house.bench) == state and 8 * used(house.bench) == before
        assert takes <= free < 4 * takes - takes // 40
        house.bench[layout.BYTES_MAX] = 1 << 40
        client.ask("DEL x")


@pytest.mark.parametrize("end", [b"DEL x", b"UNLINK x", b"FLUSHALL", b"SET x v", b"EXPIRE x -1"])
def test_nothing_is_left_of_a_stream(store: type[Bench], end: bytes) -> None:
    bench = store()
    bench.ask(b"SET x v".split())
    bench.ask(b"DEL x".split())
    before = used(bench)
    rich(bench)
    assert used(bench) > before
    bench.ask(end.split())
    bench.ask(b"DEL x".split())
    assert used(bench) == before


def test_a_large_stream_is_freed_in_steps(store: type[Bench]) -> None:
    bench = store()
    before = used(bench)
    rich(bench)
    rich(bench, "y")
    bench.ask(b"DEL x y".split())
    steps = 0
    while bench[layout.LAZYFREE]:
        upkeep.lazyfree(*bench.both, 10)
        steps += 1
    assert steps > 20 and bench[layout.WORDS_USED] == before


def test_nothing_is_left_of_groups_and_entries(store: type[Bench]) -> None:
    bench = store()
    bench.ask(b"XADD x 1-1 f v".split())
    bench.ask(b"XTRIM x MAXLEN 0".split())
    before = used(bench)
    rich(bench)
    for name in (b"all", b"new", b"\0\xff" * 300, b""):
        assert bench.ask([b"XGROUP", b"DESTROY", b"x", name]) == 1
    bench.ask(b"XTRIM x MAXLEN 0".split())
    assert used(bench) <= before + 64
    bench.ask(b"DEL x".split())
    assert bench.ask(b"DBSIZE".split()) == 0
