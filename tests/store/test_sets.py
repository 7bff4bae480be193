"""The forms of sets: sorted integers, strips, tables; what makes a set leave one; scans while sets grow and shrink."""

from random import Random

import numpy as np
import pytest

import synap
from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.kinds.sets import integers
from synap.store.memory import layout
from synap.store.records import keyspace
from synap.store.records.packed import INTEGERS, PACKED, TABLE, shape_of
from tests.support import Bench

EDGES = [sign * (1 << bits) + more for bits in (0, 7, 15, 16, 31, 32, 62) for sign in (-1, 1) for more in (-1, 0, 1)]
EDGES += [(1 << 63) - 1, -(1 << 63)]


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def form_of(words, octets, start, size):
    """The shape of the set under a key, with the width of its integers above it."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, 0, start, size)
    seat = keyspace.locate(words, octets, 0, start, size, h)
    root = words[keyspace.root_of(words, words[seat] & ((1 << 36) - 1))]
    width = integers.width_of(words, root >> 2) if shape_of(root) == INTEGERS else 0
    return shape_of(root) | width << 8


def shape(bench: Bench) -> tuple[int, int]:
    load()
    at, end = bench.receive(b"s")
    told = int(form_of(*bench.both, at, end - at))
    return told & 0xFF, told >> 8


@pytest.mark.parametrize(("adds", "wanted"), [
    ("1 2 3", (INTEGERS, 2)),
    ("1 -32768 32767", (INTEGERS, 2)),
    ("1 32768", (INTEGERS, 4)),
    ("1 -32769", (INTEGERS, 4)),
    ("2147483647 -2147483648", (INTEGERS, 4)),
    ("2147483648 1", (INTEGERS, 8)),
    ("1 -9223372036854775808", (INTEGERS, 8)),
    ("1 9223372036854775808", (PACKED, 0)),
    ("1 01", (PACKED, 0)),
    ("a 1", (PACKED, 0)),
    ("1 a", (PACKED, 0)),
    ("1 " + "x" * 64, (PACKED, 0)),
    ("1 " + "x" * 65, (TABLE, 0)),
    ("x" * 65, (TABLE, 0)),
    (" ".join(map(str, range(512))), (INTEGERS, 2)),
    (" ".join(map(str, range(513))), (TABLE, 0)),
    (" ".join(map(str, range(127))) + " a", (PACKED, 0)),
    (" ".join(map(str, range(128))) + " a", (TABLE, 0)),
    (" ".join(f"m{i}" for i in range(128)), (PACKED, 0)),
    (" ".join(f"m{i}" for i in range(129)), (TABLE, 0)),
])  # fmt: skip
def test_the_form_that_suits(store: type[Bench], adds: str, wanted: tuple[int, int]) -> None:
    bench, words = store(), adds.split()
    assert bench.ask(["SADD", "s", *words]) == len(words)
    assert shape(bench) == wanted
    assert sorted(bench.ask("SMEMBERS s")) == sorted(word.encode() for word in words)
    assert bench.ask(["SMISMEMBER", "s", *words, "none"]) == [1] * len(words) + [0]
    assert bench.ask(["SREM", "s", *words]) == len(words) and bench.ask("EXISTS s") == 0


def test_limits_of_zero_leave_only_tables(store: type[Bench]) -> None:
    bench = store()
    bench[layout.SET_ENTRIES_MAX] = bench[layout.SET_INTEGERS_MAX] = 0
    for word in ("1", "a"):
        bench.ask(["SADD", "s", word])
        assert shape(bench) == (TABLE, 0) and bench.ask(["SISMEMBER", "s", word]) == 1
        bench.ask("DEL s")


def test_integers_at_the_edges_of_all_widths(store: type[Bench]) -> None:
    """In any order, with removals: sorted, each found, none lost."""
    for seed in range(30):
        bench, chance, held = store(), Random(seed), set[int]()
        for _ in range(120):
            value = chance.choice(EDGES)
            if chance.random() < 0.7:
                assert bench.ask(["SADD", "s", value]) == (value not in held)
                held.add(value)
            else:
                assert bench.ask(["SREM", "s", value]) == (value in held)
                held.discard(value)
            assert bench.ask("SMEMBERS s") == [b"%d" % each for each in sorted(held)]
        assert bench.ask(["SMISMEMBER", "s", *EDGES]) == [int(each in held) for each in EDGES]


def test_integers_that_were_stored_as_json_are_others(store: type[Bench]) -> None:
    """A set has integers of one form or lies in a strip: each member comes back as it was stored."""
    with synap.open() as db:
        db.sadd("json", 3, 1, 2)
        db.sadd("text", "3", "1", "2")
        db.sadd("mixed", 3, "1", 2, "4")
        wanted = {"json": {1, 2, 3}, "text": {b"1", b"2", b"3"}, "mixed": {3, b"1", 2, b"4"}}
        assert {key: set(db.smembers(key)) for key in wanted} == wanted
        assert set(db.sinter("json", "text")) == {1, 2, 3}, "equal are equal bytes; the first set has its form"
        assert set(db.sunion("text", "json")) == {b"1", b"2", b"3"} and not db.sdiff("json", "text")
        digest = db.digest()["sets"]
        db.copy("mixed", "other")
        db.delete("mixed")
        db.rename("other", "mixed")
        assert set(db.smembers("mixed")) == wanted["mixed"] and db.digest()["sets"] == digest


@pytest.mark.parametrize("many", [40, 3000])
def test_a_scan_meets_all_that_stays(store: type[Bench], many: int) -> None:
    """While members come and go, and the table moves, each member that stays is returned, and steps stay short."""
    for seed in range(4):
        bench, chance = store(), Random(seed)
        stays = {b"stays%d" % i for i in range(many)}
        bench.ask(["SADD", "s", *stays, *(b"x%d" % i for i in range(many))])
        bench[layout.SET_ENTRIES_MAX] = 128 if seed % 2 else 16
        cursor, found, most, steps = b"0", set[bytes](), 0, 0
        while steps == 0 or cursor != b"0":
            cursor, page = bench.ask(["SSCAN", "s", cursor, "COUNT", 10])
            found.update(page)
            most, steps = max(most, len(page)), steps + 1
            numbers = range(chance.randrange(5 * many), 5 * many, 7)
            bench.ask([chance.choice(("SADD", "SREM", "SREM")), "s", *(b"x%d" % i for i in numbers), b"none"])
        assert stays <= found
        assert most <= 12 or many < 128
        assert steps < 6 * many // 10 + 20


def test_a_scan_passes_over_a_sparse_table_in_steps(store: type[Bench]) -> None:
    """What was a large set: a step looks at a bounded number of empty slots, and the scan still ends."""
    bench = store()
    members = [b"%d:" % i for i in range(60_000)]
    for at in range(0, len(members), 1000):
        bench.ask(["SADD", "s", *members[at : at + 1000]])
    for at in range(0, len(members) - 1000, 1000):
        bench.ask(["SREM", "s", *members[at : at + 1000]])
    cursor, found, steps = b"0", list[bytes](), 0
    while steps == 0 or cursor != b"0":
        cursor, page = bench.ask(["SSCAN", "s", cursor, "COUNT", 100])
        found, steps = found + page, steps + 1
    assert sorted(found) == sorted(members[-1000:]) and steps < 120


@pytest.mark.parametrize("count", [3, 40, 400, 5000])
def test_random_members_are_drawn_with_equal_odds(store: type[Bench], count: int) -> None:
    """From each form, and by each way: a part of few, of many, with repetitions. Chi-square, 5 deviations."""
    bench = store()
    members = [b"%d" % i if count == 400 else b"m%d" % i for i in range(count)]
    bench.ask(["SADD", "s", *members])
    for wanted in (1, count // 2, -count):
        seen = dict.fromkeys(members, 0)
        rounds = max(20 * count // max(abs(wanted), 1), 30)
        for _ in range(rounds):
            drawn = bench.ask(["SRANDMEMBER", "s", wanted])
            assert len(drawn) == abs(wanted) and (wanted < 0 or len(set(drawn)) == wanted)
            for member in drawn:
                seen[member] += 1
        mean = rounds * abs(wanted) / count
        spread = mean if wanted < 0 else mean * (1 - wanted / count)
        chi = float(sum((np.array(list(seen.values())) - mean) ** 2)) / spread
        assert abs(chi - count) < 5 * (2 * count) ** 0.5 + 5


@pytest.mark.parametrize("sizes", [(3, 4), (3, 300), (100, 100), (300, 5000), (5000, 20_000)])
@pytest.mark.parametrize("integer", [False, True])
def test_algebra_of_all_forms(store: type[Bench], sizes: tuple[int, int], integer: bool) -> None:
    bench, chance = store(), Random(sum(sizes))
    held: dict[str, set[bytes]] = {}
    for key, size in zip("ab", sizes, strict=True):
        numbers = chance.sample(range(2 * size), size)
        held[key] = {b"%d" % i if integer or i % 3 else b"m%d" % i for i in numbers}
        bench.ask(["SADD", key, *held[key]])
    held["c"] = {b"1", b"m3", b"none"}
    bench.ask(["SADD", "c", *held["c"]])
    a, b, c = held.values()
    for keys, sets in (("a b", (a, b)), ("b a", (b, a)), ("a b c", (a, b, c)), ("c a", (c, a)), ("a a", (a, a))):
        wanted = {
            "INTER": set.intersection(*sets), "UNION": set.union(*sets), "DIFF": sets[0].difference(*sets[1:]),
        }  # fmt: skip
        for name, found in wanted.items():
            assert sorted(bench.ask(f"S{name} {keys}")) == sorted(found)
            assert bench.ask(f"S{name}STORE d {keys}") == len(found)
            assert sorted(bench.ask("SMEMBERS d")) == sorted(found) and bench.ask("SCARD d") == len(found)
        assert bench.ask(f"SINTERCARD {len(sets)} {keys}") == len(wanted["INTER"])
        assert bench.ask(f"SINTERCARD {len(sets)} {keys} LIMIT 2") == min(2, len(wanted["INTER"]))


@pytest.mark.parametrize("line", ["SUNIONSTORE d s", "SINTERSTORE d s s", "SDIFFSTORE d s none"])
def test_a_stored_set_of_one_member_grows(store: type[Bench], line: str) -> None:
    """With limits of zero it is a table, which was made too small to ever grow."""
    bench = store()
    bench[layout.SET_ENTRIES_MAX] = bench[layout.SET_INTEGERS_MAX] = 0
    assert bench.ask("SADD s x") == 1 and bench.ask(line) == 1
    assert [bench.ask(f"SADD d m{i}") for i in range(100)] == [1] * 100 and bench.ask("SCARD d") == 101
