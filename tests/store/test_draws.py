"""Random elements of hashes, sets and sorted sets: equal odds, and few draws, however large the structure is."""

from collections import Counter
from time import perf_counter
from typing import Any

import pytest

from synap.store.memory import layout
from tests.engine.engines import House
from tests.support import Bench, Refusal

COUNT = 20_000
KINDS: dict[str, tuple[bytes, bytes, bytes]] = {
    "hash": (b"HSET", b"HRANDFIELD", b"HDEL"), "set": (b"SADD", b"SRANDMEMBER", b"SREM"),
    "zset": (b"ZADD", b"ZRANDMEMBER", b"ZREM"),
}  # fmt: skip


def words_for(kind: str, names: list[bytes]) -> list[Any]:
    if kind == "set":
        return names
    return [word for name in names for word in ((name, b"v") if kind == "hash" else (b"1", name))]


def filled(store: type[Bench], kind: str, count: int = COUNT) -> Bench:
    bench = store()
    for first in range(0, count, 5000):
        names = [b"m%d" % i for i in range(first, min(first + 5000, count))]
        assert bench.ask([KINDS[kind][0], b"k", *words_for(kind, names)]) == len(names)
    return bench


def draws_of(bench: Bench, call: list[Any], most: int) -> tuple[Any, int]:
    """(The reply, how many random numbers it took); at most `most` are expected."""
    chance = bench[layout.CHANCE]
    told = bench.ask(call)
    for taken in range(most + 1):
        if chance == bench[layout.CHANCE]:
            return told, taken
        chance = following(chance)
    raise AssertionError(f"{call!r:.80} drew more than {most} random numbers")


def following(state: int) -> int:
    """The generator of `tables.next_chance`, in Python."""
    mask = (1 << 64) - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return z - (1 << 64) if z >> 63 else z


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", [2, 64, 65, 1000, COUNT // 3])
def test_a_small_part_is_drawn_and_not_walked(store: type[Bench], kind: str, wanted: int) -> None:
    bench = filled(store, kind)
    told, taken = draws_of(bench, [KINDS[kind][1], b"k", wanted], 4 * wanted)
    assert taken >= wanted and len(set(told)) == len(told) == wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", [COUNT // 3 + 1, COUNT - 1])
def test_a_large_part_is_walked(store: type[Bench], kind: str, wanted: int) -> None:
    bench = filled(store, kind)
    told, _ = draws_of(bench, [KINDS[kind][1], b"k", wanted], COUNT)
    assert len(set(told)) == len(told) == wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [30, 600])
def test_each_is_drawn_as_often_as_any_other(store: type[Bench], kind: str, count: int) -> None:
    bench = filled(store, kind, count)
    seen: Counter[bytes] = Counter()
    for wanted in (1, 2, 3, -5) if count == 30 else (150, 300, -500, 600):
        while sum(seen.values()) < 200 * count:
            seen.update(bench.ask([KINDS[kind][1], b"k", wanted]))
        assert len(seen) == count
        expected = sum(seen.values()) / count
        assert sum((n - expected) ** 2 / expected for n in seen.values()) < count + 6 * (2 * count) ** 0.5
        seen.clear()


def test_fields_that_have_expired_are_never_drawn(store: type[Bench]) -> None:
    """Nor does it take long to find the few that have not."""
    bench = filled(store, "hash")
    gone = [b"m%d" % i for i in range(COUNT - 7)]
    for first in range(0, len(gone), 5000):
        some = gone[first : first + 5000]
        assert set(bench.ask([b"HPEXPIRE", b"k", b"10", b"FIELDS", len(some), *some])) == {1}
    bench.now += 10
    left = {b"m%d" % i for i in range(COUNT - 7, COUNT)}
    assert bench.ask("HLEN k") == 7
    assert set(bench.ask("HRANDFIELD k 100")) == left and len(set(bench.ask("HRANDFIELD k 2"))) == 2
    told, taken = draws_of(bench, [b"HRANDFIELD", b"k", -1000], 1000)
    assert set(told) == left and taken == 1000
    assert bench.ask("HRANDFIELD k") in left


def duration(bench: Bench, call: str) -> float:
    """The shortest of some calls, in seconds."""

    def once() -> float:
        begun = perf_counter()
        bench.ask(call)
        return perf_counter() - begun

    return min(once() for _ in range(20))


def test_fields_that_have_expired_are_counted_once(store: type[Bench]) -> None:
    """HLEN of a large hash takes no longer than that of a small one, as long as nothing more expires."""
    bench = filled(store, "hash", 50_000)
    bench.ask("HSET small f v")
    for first in range(0, 40_000, 5000):
        some = [b"m%d" % i for i in range(first, first + 5000)]
        bench.ask([b"HPEXPIRE", b"k", b"10", b"FIELDS", len(some), *some])
    bench.ask("HPEXPIRE k 20 FIELDS 2 m40000 m40001")
    bench.now += 10
    assert bench.ask("HLEN k") == 10_000
    assert duration(bench, "HLEN k") < 8 * duration(bench, "HLEN small")
    assert bench.ask("HDEL k m40000 m0") == 1 and bench.ask("HSET k m1 v m41000 v m2 w") == 2
    assert bench.ask("HLEN k") == 10_001
    assert bench.ask("HPEXPIRE k 5 FIELDS 1 m2") == [1] and bench.ask("HPERSIST k FIELDS 1 m40001") == [1]
    bench.now += 5
    assert bench.ask("HLEN k") == 10_000
    bench.now += 100
    assert bench.ask("HLEN k") == 10_000 == len(bench.ask("HRANDFIELD k 20000"))


def test_hgetex_of_missing_fields_changes_nothing(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    client.ask("HSET k f v g w")
    seq = house.engine.seq
    assert client.one("HGETEX k PX 1000 FIELDS 2 none other") == [None, None]
    assert client.one("OBJECT ENCODING k") == b"listpack" and house.engine.seq == seq
    assert client.one("HGETEX k PX 1000 FIELDS 3 none f g") == [None, b"v", b"w"]
    assert client.one("OBJECT ENCODING k") == b"hashtable" and house.engine.seq == seq + 1


def test_upkeep_stays_with_a_hash_of_which_much_has_expired(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    for first in range(0, COUNT, 5000):
        names = [b"f%d" % i for i in range(first, first + 5000)]
        client.ask([b"HSET", b"k", *words_for("hash", names)], [b"HPEXPIRE", b"k", b"10", b"FIELDS", 5000, *names],
                   [b"HSET", b"other%d" % first, *words_for("hash", names)])  # fmt: skip
    client.ask("HSET k stays v", *[f"SET s{i} v" for i in range(5000)])
    house.now += 10
    for _ in range(5000 // 400 + COUNT // 1000 + 5):
        house.engine.upkeep.step(house.now)
    assert client.one("HSCAN k 0 COUNT 100") == [b"0", [b"stays", b"v"]], "no field that has expired lies in the table"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [b"3", b"-3", b"150", b"-150"])
def test_a_call_that_needs_more_space_draws_the_same_again(store: type[Bench], kind: str, count: bytes) -> None:
    """The first attempt of a call, whose reply does not fit, leaves the random numbers as they were."""
    house = House(store, reply_bytes_max=1 << 20)
    client = house.client()
    names = [b"%03d" % i + b"x" * 500_000 for i in range(4)] + [b"m%d" % i for i in range(200)]
    for name in names[:4]:
        client.ask([KINDS[kind][0], b"large", *words_for(kind, [name])])
    client.ask([KINDS[kind][0], b"k", *words_for(kind, names[4:])])
    before = house.bench[layout.CHANCE]
    told = client.one([KINDS[kind][1], b"large", count])
    assert isinstance(told, Refusal) and house.bench[layout.CHANCE] == before
    assert isinstance(client.one([KINDS[kind][1], b"k", count]), list) and house.bench[layout.CHANCE] != before
