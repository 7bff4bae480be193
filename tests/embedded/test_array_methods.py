"""Many elements of one structure in arrays: the same as calls one by one, in every form of input; what is refused."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import synap
from synap.engine.sessions import Session
from synap.io.embedded import array_calls
from synap.io.embedded.arrays import Found, column, reals
from synap.journal import LogFailed
from synap.store.calls import arrays
from synap.store.memory import layout
from tests.cases import check_all


def blob_of(texts: list[bytes]) -> Any:
    return b"?" + b"".join(texts), np.cumsum([1, *map(len, texts)]).astype(np.uint16)


def frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array


FORMS: dict[str, Callable[[list[bytes]], Any]] = {
    "bytes": list,
    "str": lambda texts: [text.decode() for text in texts],
    "mixed": lambda texts: [text.decode() if i % 2 else text for i, text in enumerate(texts)],
    "S": lambda texts: np.array(texts, "S40"),
    "S, no wider": lambda texts: np.array(texts, "S"),
    "S, every other one": lambda texts: np.repeat(np.array(texts, "S40"), 2)[::2],
    "S, backwards": lambda texts: np.array(texts[::-1], "S40")[::-1],
    "S, read-only": lambda texts: frozen(np.array(texts, "S40")),
    "U": lambda texts: np.array([text.decode() for text in texts], "U40"),
    "U, big-endian": lambda texts: np.array([text.decode() for text in texts], ">U40"),
    "object": lambda texts: np.array(texts, object),
    "blob": blob_of,
}
"""Forms of texts; none of the texts in the tests ends in a zero byte, as arrays of dtype S lose it."""

INTEGERS: dict[str, Callable[[list[int]], Any]] = {
    "int64": np.array,
    "int64, big-endian": lambda numbers: np.array(numbers, ">i8"),
    "int64, every other one": lambda numbers: np.repeat(np.array(numbers), 2)[::2],
    "int64, read-only": lambda numbers: frozen(np.array(numbers)),
    "int64, of a matrix": lambda numbers: np.array([numbers, numbers]).T[:, 1],
}


def names(chance: Random, count: int) -> list[bytes]:
    """Texts with repetitions, some of them empty, long or not in ASCII."""
    kinds = ("k%d", "k%d" + "x" * 30, "\xe9\u4e2d%d", "%d", "-%d")
    found = [(chance.choice(kinds) % chance.randrange(200)).encode() for _ in range(count)]
    return [b"" if chance.random() < 0.02 else text for text in found]


def each_one(db: synap.Database, key: str, chance: Random, many: Callable[[list[bytes]], Any]) -> None:
    """Fill four structures, by arrays with `many`, or with None one element at a time."""
    for _ in range(2):
        count = chance.choice((1, 7, 100, 300))
        first, second = names(chance, count), names(chance, count)
        scores = [chance.choice((1.5, -2.0, 0.0, -0.0, float("inf"), 1e300, chance.random())) for _ in range(count)]
        if many is None:
            new = sum(db.hset(key + "h", {field: value}) for field, value in zip(first, second, strict=True))
            new += sum(db.zadd(key + "z", [pair]) for pair in zip(scores, first, strict=True))
            new += sum(db.sadd(key + "s", member) for member in first)
            new += [db.rpush(key + "l", value) for value in first][-1] + [db.lpush(key + "l", v) for v in second][-1]
        else:
            new = db.hset_many(key + "h", many(first), many(second))
            new += db.zadd_many(key + "z", many(first), np.array(scores))
            new += db.sadd_many(key + "s", many(first))
            new += db.rpush_many(key + "l", many(first)) + db.lpush_many(key + "l", many(second))
        db.append("counts", f"{new} ")


@pytest.mark.parametrize("piece", [1 << 16, 13])
def test_as_one_by_one(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Counts, replies, the state and what a replay makes of the log, for each form of texts."""
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", piece)
    for i, form in enumerate(FORMS):
        with synap.open() as one, synap.open(tmp_path / str(i)) as db:
            each_one(one, "", Random(form), None)  # type: ignore[arg-type]
            each_one(db, "", Random(form), FORMS[form])
            assert db.digest() == one.digest(), form
            assert db.get("counts") == one.get("counts")
            assert db.lrange("l") == one.lrange("l") and db.hgetall("h") == one.hgetall("h"), form
            digest = db.digest()
        with synap.open(tmp_path / str(i)) as db:
            assert db.digest() == digest, form


@pytest.mark.parametrize("piece", [1 << 16, 13])
def test_integers_are_stored_as_ints(store: Any, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", piece)
    numbers = [0, -1, 1, 10, 99, 100, 12345678, -(1 << 63), (1 << 63) - 1, *range(1000, 1050)]
    scores = [float(i) for i in range(len(numbers))]
    with synap.open() as one:
        one.sadd("s", *numbers)
        one.rpush("l", *numbers)
        one.lpush("l", *numbers)
        one.hset("h", {str(number): number for number in numbers})
        one.zadd("z", zip(scores, numbers, strict=True))
        for form, make in INTEGERS.items():
            given = make(numbers)
            with synap.open() as db:
                assert db.sadd_many("s", given) == db.hset_many("h", given, given) == len(numbers)
                assert db.rpush_many("l", given) == len(numbers) and db.lpush_many("l", given) == 2 * len(numbers)
                assert db.zadd_many("z", given, scores) == len(numbers)
                assert db.digest() == one.digest(), form
                assert db.lrange("l") == one.lrange("l") and db.zrange("z", "0", "-1") == numbers
                assert sorted(db.smembers("s")) == sorted(numbers) and db.hgetall("h") == one.hgetall("h")
                assert db.smembers_array("s", int).dtype == np.int64
                assert sorted(db.smembers_array("s", int).tolist()) == sorted(numbers)
                assert db.lrange_array("l", dtype=int).tolist() == db.lrange("l")
                assert db.hmget_many("h", given, int).tolist() == numbers
                assert db.zrange_arrays("z", dtype="int64")[0].tolist() == numbers
                assert db.zscore_many("z", given).tolist() == scores
                assert db.smismember_many("s", given).all() and db.smismember_many("s", given).dtype == bool
        with synap.open() as db:
            for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.uint64, ">u4"):
                assert db.rpush_many("small", np.array([0, 100], dtype)) and db.lrange("small") == [0, 100]
                db.delete("small")


def test_results_in_arrays(store: Any) -> None:
    with synap.open() as db:
        db.hset("h", {"a": "1", "b": b"\xff\0x", "c": {"x": [1]}, "d": ""})
        fields, values = db.hgetall_arrays("h")
        assert fields.dtype == "S1" and values.dtype == "S9"
        assert dict(zip(fields.tolist(), values.tolist(), strict=True)) == {
            b"a": b"1", b"b": b"\xff\0x", b"c": b'{"x":[1]}', b"d": b"",
        }  # fmt: skip
        assert db.hmget_many("h", ["a", "none", "d"]) == [b"1", None, b""]
        assert db.hmget_many("h", ["a", "none", "c"], "S").tolist() == [b"1", b"", b'{"x":[1]}']
        assert db.hmget_many("h", ["none", "a"], object).tolist() == [None, b"1"]
        assert db.hmget_many("h", ["a"], "S12").dtype == "S12"
        found = db.hmget_blob("h", ["d", "none", "b"])
        assert found.tolist() == [b"", None, b"\xff\0x"] and found.there.tolist() == [True, False, True]

        db.zadd("z", {"a": 1.5, "b": 2, "c": float("-inf"), "d": 3})
        assert db.zrange_arrays("z", byscore=True, count=2)[0].tolist() == db.zrange_arrays("z")[0][:2].tolist()
        members, scores = db.zrange_arrays("z")
        assert members.tolist() == [b"c", b"a", b"b", b"d"] and scores.tolist() == [-np.inf, 1.5, 2.0, 3.0]
        assert scores.dtype == np.float64 and scores.flags.writeable and scores.flags.c_contiguous
        cases: list[tuple[tuple[Any, ...], dict[str, Any], bytes]] = [
            ((1, 2), {}, b"ab"), ((-2,), {}, b"bd"), ((0, 1), {"rev": True}, b"db"), ((5, 9), {}, b""),
            ((1.5, 2), {"byscore": True}, b"ab"), (("(1.5", np.float64(3)), {"byscore": True}, b"bd"),
            ((), {"byscore": True, "rev": True}, b"dbac"), ((2,), {"byscore": True, "rev": True}, b"bac"),
            ((None, 1.5), {"byscore": True, "offset": 1, "count": 5}, b"a"), ((float("inf"),), {"byscore": True}, b""),
            ((np.int64(1), np.int32(1)), {}, b"a"),
        ]  # fmt: skip

        def check(case: tuple[tuple[Any, ...], dict[str, Any], bytes]) -> None:
            ends, options, wanted = case
            members, scores = db.zrange_arrays("z", *ends, **options)
            assert b"".join(members.tolist()) == wanted
            assert scores.tolist() == [db.zscore("z", member) for member in members.tolist()]

        check_all(check, cases)
        marks = db.zscore_many("z", ["d", "none", "c"])
        assert marks[[0, 2]].tolist() == [3.0, -np.inf] and np.isnan(marks[1])

        db.sadd("s", "a", "bb", "\xe9")
        db.sadd("t", "bb", "c")
        assert sorted(db.sinter_array("s", "t").tolist()) == [b"bb"]
        assert sorted(db.sunion_array("s", "t").tolist()) == sorted([b"a", b"bb", b"c", "\xe9".encode()])
        assert sorted(db.sdiff_array("s", "t", dtype=object).tolist()) == [b"a", "\xe9".encode()]
        assert db.smismember_many("s", ["a", "c"]).tolist() == [True, False]
        db.rpush("l", "a", 2, None, [1])
        assert db.lrange_array("l").tolist() == [b"a", b"2", b"null", b"[1]"]
        assert db.lrange_array("l", 1, 1, int).tolist() == [2] and db.lrange_array("l", -1).tolist() == [b"[1]"]


def test_set_algebra_of_integers(store: Any) -> None:
    """Sorted integers, tables and both together; the small form and the large one."""
    chance = np.random.default_rng(3)
    for size in (10, 400, 5000):
        one, other = (chance.choice(10 * size, size, replace=False) for _ in range(2))
        with synap.open() as db:
            db.sadd_many("i", one)
            db.sadd_many("j", other)
            db.sadd_many("t", other)
            db.sadd("t", "x")
            for keys in (("i", "j"), ("j", "i"), ("i", "t"), ("t", "i")):
                left, right = (one, other) if keys[0] == "i" else (other, one)
                wanted = np.intersect1d(left, right).tolist()
                assert sorted(db.sinter_array(*keys, dtype=int).tolist()) == wanted
                assert sorted(map(int, db.sinter_array(*keys).tolist())) == wanted
                difference = [text for text in db.sdiff_array(*keys).tolist() if text != b"x"]
                assert sorted(map(int, difference)) == np.setdiff1d(left, right).tolist()
            assert sorted(db.sunion_array("i", "j", dtype=int).tolist()) == np.union1d(one, other).tolist()
            with pytest.raises(ValueError, match="wanted integers, found b'x' at"):
                db.sunion_array("i", "t", dtype=int)


def test_nothing(store: Any, tmp_path: Path) -> None:
    """No elements are no change; what is missing is empty."""
    with synap.open(tmp_path) as db:
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        for none in ([], (), np.empty(0, "S4"), np.empty(0, int), (b"", np.array([0])), np.empty(0, object)):
            assert db.hset_many("h", none, none) == db.sadd_many("s", none) == db.rpush_many("l", none) == 0
            assert db.lpush_many("l", none) == db.zadd_many("z", none, []) == 0
            assert db.zadd_many("z", none, np.empty(0)) == 0 and db.hmget_many("h", none) == []
            for found in (db.zscore_many("z", none), db.smismember_many("s", none), db.hmget_blob("h", none)):
                assert len(found) == 0
            assert db.hmget_many("h", none, "S").shape == (0,)
        assert db.zscore_many("z", []).dtype == np.float64 and db.smismember_many("s", []).dtype == bool
        for found in (db.smembers_array("s"), db.lrange_array("l"), db.sinter_array("s", "t"), *db.hgetall_arrays("h"),
                      db.zrange_arrays("z")[0]):  # fmt: skip
            assert found.shape == (0,) and found.dtype == "S1"
        assert db.smembers_array("s", int).dtype == np.int64 and db.smembers_array("s", object).dtype == object
        assert db.zrange_arrays("z")[1].shape == (0,)
        assert db.hmget_many("h", ["a", "b"]) == [None, None] and np.isnan(db.zscore_many("z", ["a"])).all()
        assert db.dbsize() == 0 and sum(path.stat().st_size for path in tmp_path.iterdir()) == size
        db.rpush("l", "x")
        assert db.rpush_many("l", []) == db.lpush_many("l", []) == 1


def test_duplicates_and_options(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in (1 << 16, 2):
        monkeypatch.setattr(array_calls, "PIECE_ITEMS", piece)
        with synap.open() as db:
            assert db.hset_many("h", ["a", "b", "a", "a"], [b"1", b"2", b"3", b"4"]) == 2
            assert db.hgetall("h") == {b"a": b"4", b"b": b"2"} and db.hmget_many("h", ["a"] * 3) == [b"4"] * 3
            assert db.zadd_many("z", ["a", "b", "a"], [1, 2, 3]) == 2 and db.zscore("z", "a") == 3
            assert db.sadd_many("s", np.array([5, 5, 6, 5])) == 2
            assert db.rpush_many("l", ["x", "x", "x"]) == 3
            many: list[tuple[dict[str, bool], str, int]] = [
                ({"nx": True}, "abc", 1), ({"xx": True, "ch": True}, "ab", 2), ({"gt": True, "ch": True}, "ab", 1),
                ({"lt": True}, "ab", 0), ({"ch": True}, "abc", 3), ({}, "abc", 1), ({"xx": True}, "xyz", 0),
            ]  # fmt: skip
            for options, members, count in many:
                for key in ("p", "q"):
                    db.delete(key)
                    db.zadd(key, {"a": 1, "b": 5})
                scores = [2, 4, 6][: len(members)]
                done = db.zadd_many("p", list(members), scores, **options)
                assert done == count == db.zadd("q", zip(scores, members, strict=True), **options)
                found, wanted = db.zrange_arrays("p"), db.zrange_arrays("q")
                assert all(one.tolist() == other.tolist() for one, other in zip(found, wanted, strict=True))
            with pytest.raises(synap.Fault, match="syntax error"):
                db.zadd_many("p", ["a"], [1], nx=True, xx=True)


def wrong_type(db: synap.Database) -> list[Callable[[], Any]]:
    return [
        lambda: db.hset_many("t", ["a"], ["b"]), lambda: db.hmget_many("t", ["a"]), lambda: db.hgetall_arrays("t"),
        lambda: db.zadd_many("t", ["a"], [1]), lambda: db.zscore_many("t", ["a"]), lambda: db.zrange_arrays("t"),
        lambda: db.sadd_many("t", ["a"]), lambda: db.smembers_array("t"), lambda: db.sunion_array("s", "t"),
        lambda: db.smismember_many("t", ["a"]), lambda: db.rpush_many("t", ["a"]), lambda: db.lpush_many("t", ["a"]),
        lambda: db.lrange_array("t"), lambda: db.rpush_many("t", []),
    ]  # fmt: skip


def test_other_kinds_are_refused(store: Any) -> None:
    with synap.open() as db:
        db.set("t", "text")

        def check(call: Callable[[], Any]) -> None:
            with pytest.raises(synap.Fault) as caught:
                call()
            assert caught.value.row.name == "WRONG_TYPE"

        check_all(check, wrong_type(db))
        assert db.get("t") == b"text" and db.dbsize() == 1


NAN = float("nan")
MISTAKES: list[tuple[Callable[[synap.Database], Any], type[Exception], str]] = [
    (lambda db: db.hset_many("k", ["a", "b"], ["c"]), ValueError, "2 fields but 1 values"),
    (lambda db: db.hset_many("k", [1, 2], ["c", "d"]), TypeError, "fields: wanted str or bytes, found int"),
    (lambda db: db.hset_many("k", "ab", ["c", "d"]), TypeError, "fields: wanted many texts, found one: str"),
    (lambda db: db.hset_many("k", ["a"], np.array([1.5])), TypeError,
     "values: wanted an array of dtype S or of integers, found float64"),
    (lambda db: db.hset_many("k", ["a"], np.array([True])), TypeError, "found bool"),
    (lambda db: db.hset_many("k", ["a"], np.array(["2020-01-01"], "M8[D]")), TypeError, "found datetime64"),
    (lambda db: db.hset_many("k", ["a"], np.array([1j])), TypeError, "found complex128"),
    (lambda db: db.hset_many("k", ["a"], np.array([None])), TypeError, "values: wanted str or bytes, found NoneType"),
    (lambda db: db.sadd_many("k", np.array([["a"], ["b"]], "S")), ValueError,
     r"members: wanted a one-dimensional array, found one of shape \(2, 1\)"),
    (lambda db: db.sadd_many("k", np.array(5)), ValueError, r"found one of shape \(\)"),
    (lambda db: db.sadd_many("k", np.array([1, 1 << 63], np.uint64)), ValueError,
     "members: wanted integers up to 9223372036854775807, found 9223372036854775808"),
    (lambda db: db.sadd_many("k", ["a", "\ud800"]), ValueError, "members: wanted text, found half of a surrogate"),
    (lambda db: db.sadd_many("k", (b"ab", np.array([0, 3]))), ValueError, "members: offsets: wanted ascending"),
    (lambda db: db.rpush_many("k", None), TypeError, "NoneType"),  # type: ignore[arg-type]
    (lambda db: db.zadd_many("k", ["a", "b"], [1, NAN]), ValueError, "scores: wanted numbers, found NaN at 1"),
    (lambda db: db.zadd_many("k", ["a"], np.array([NAN], np.float32)), ValueError, "found NaN at 0"),
    (lambda db: db.zadd_many("k", ["a"], np.array(["1"])), TypeError, "scores: wanted float64, found <U1"),
    (lambda db: db.zadd_many("k", ["a"], np.array([True])), TypeError, "scores: wanted float64, found bool"),
    (lambda db: db.zadd_many("k", ["a"], [None]), TypeError, "scores: wanted float64, found object"),  # type: ignore
    (lambda db: db.zadd_many("k", ["a"], np.array([1], np.longdouble)), TypeError, "wanted float64, found float128"),
    (lambda db: db.zadd_many("k", ["a"], np.array([[1.0]])), ValueError, r"scores: .* shape \(1, 1\)"),
    (lambda db: db.zadd_many("k", ["a"], [1, 2]), ValueError, "2 scores but 1 members"),
    (lambda db: db.zadd_many("k", ["a"], 1.0), ValueError, r"scores: .* shape \(\)"),  # type: ignore[arg-type]
    (lambda db: db.zadd_many("k", ["a", "b"], np.ma.array([1.0, 2], mask=[False, True])), ValueError,
     "scores: wanted an array without masked elements, found 1 of them"),
    (lambda db: db.sadd_many("k", np.ma.array([1, 2], mask=[True, True])), ValueError, "members: .* found 2 of them"),
    (lambda db: db.smembers_array("k", float), TypeError, "dtype: wanted S, int64 or object, found float64"),
    (lambda db: db.lrange_array("k", dtype=np.int32), TypeError, "dtype: wanted S, int64 or object, found int32"),
    (lambda db: db.hset_many(5, ["a"], ["b"]), TypeError, "'key': wanted str or bytes"),  # type: ignore[arg-type]
    (lambda db: db.zrange_arrays("k", NAN, byscore=True), synap.Fault, "min or max is not a float"),
    (lambda db: db.zrange_arrays("k", 1.5), synap.Fault, "not a valid integer"),
]  # fmt: skip


def test_mistakes(store: Any) -> None:
    """Each says what was wanted and what was found, and nothing is stored."""
    with synap.open() as db:

        def check(case: tuple[Callable[[synap.Database], Any], type[Exception], str]) -> None:
            call, error, text = case
            with pytest.raises(error, match=text):
                call(db)
            assert db.dbsize() == 0

        check_all(check, MISTAKES, name=lambda case: case[2])
        db.close()
        for call in (lambda: db.sadd_many("k", ["a"]), lambda: db.sadd_many("k", []), lambda: db.smembers_array("k")):
            with pytest.raises(ValueError, match="the database is closed"):
                call()


def test_results_that_no_array_holds(store: Any) -> None:
    with synap.open() as db:
        db.rpush("l", "a", b"b\0", "12", "012")
        with pytest.raises(ValueError, match=r"without a zero byte at their end, found b'b\\x00' at 1: dtype=object"):
            db.lrange_array("l")
        assert db.lrange_array("l", dtype=object).tolist() == [b"a", b"b\0", b"12", b"012"]
        assert db.lrange_array("l", 2, 2, int).tolist() == [12]
        for start, shown in ((0, "b'a' at 0"), (2, "b'012' at 1")):
            with pytest.raises(ValueError, match=f"wanted integers, found {shown}"):
                db.lrange_array("l", start, dtype=int)
        with pytest.raises(ValueError, match="wanted texts of at most 2 bytes, found one of 3"):
            db.lrange_array("l", 2, dtype="S2")
        with pytest.raises(ValueError, match="wanted integers, found nothing at 1"):
            db.hset("h", {"a": 1})
            db.hmget_many("h", ["a", "none"], int)
        db.rpush("long", "x" * 1000)
        with pytest.raises(ValueError, match=r"found b'x{40}'\.\.\. at 0"):
            db.lrange_array("long", dtype=int)
        assert db.llen("l") == 4, "the calls were ended"
        for offsets in ([0, 3], [1, 0], [-1, 1]):
            with pytest.raises(ValueError, match="ascending numbers from 0 to 2"):
                Found(np.zeros(2, np.uint8), np.array(offsets), np.ones(1, bool)).array()


def test_sizes_are_bounded(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = synap.Settings().replace({"limits.bulk_bytes_max": 1024, "limits.query_bytes_max": 1600})
    with synap.open(settings=settings) as db:
        refused: list[tuple[Callable[[], Any], str]] = [
            (lambda: db.sadd_many("s", ["a"] * 5 + ["x" * 1025]), "STRING_TOO_LONG"),
            (lambda: db.hset_many("h", ["a"], ["x" * 1025]), "STRING_TOO_LONG"),
            (lambda: db.hset_many("h", ["a", "x" * 801], ["a", "x" * 800]), "QUERY_TOO_LARGE"),
            (lambda: db.rpush_many("k" * 900, ["a", "x" * 701]), "QUERY_TOO_LARGE"),
        ]
        for call, name in refused:
            with pytest.raises(synap.Fault) as caught:
                call()
            assert caught.value.row.name == name and db.dbsize() == 0
        assert db.rpush_many("l", ["x" * 700, "y" * 700, "z" * 900, *["w"] * 3000]) == 3003  # pieces below the limit
        assert db.lrange("l", 0, 3) == [b"x" * 700, b"y" * 700, b"z" * 900, b"w"]
    calls: list[int] = []
    put = array_calls.GroupRow.put
    monkeypatch.setattr(array_calls, "PIECE_BYTES", 100)

    def noted(self: Any, *args: Any) -> Any:
        calls.append(args[-1] - args[-2])
        return put(self, *args)

    monkeypatch.setattr(array_calls.GroupRow, "put", noted)
    with synap.open() as db:
        values = ["a" * 40, "b" * 60, "c", "d" * 500, "e", "f" * 99, "g"]
        db.rpush_many("l", values)
        assert db.lrange_array("l").tolist() == [value.encode() for value in values] and calls == [2, 1, 1, 2, 1]


# ---- the same as other writes ----


def test_guards(store: Any) -> None:
    with synap.open() as db:
        db.sadd("s", "a")
        for guard, name in ((layout.GUARD_READ_ONLY, "READ_ONLY"), (layout.GUARD_LOADING, "LOADING"),
                            (layout.GUARD_BROKEN_LOG, "LOG_FAILED")):  # fmt: skip
            db._engine.numbers[layout.REFUSE] |= guard
            for values in (["b"], []):
                for write, more in ((db.sadd_many, []), (db.rpush_many, []), (db.lpush_many, []),
                                    (db.hset_many, [values]), (db.zadd_many, [[1.0] * len(values)])):  # fmt: skip
                    with pytest.raises(synap.Fault) as caught:
                        write("x", values, *more)
                    assert caught.value.row.name == name
            if guard != layout.GUARD_LOADING:
                assert db.smembers_array("s").tolist() == [b"a"] and db.smismember_many("s", ["a"]).all()
            else:
                with pytest.raises(synap.Fault, check=lambda fault: fault.row.name == "LOADING"):
                    db.smembers_array("s")
            db._engine.numbers[layout.REFUSE] &= ~guard
        assert db.dbsize() == 1


def test_memory_that_ends(store: Any, tmp_path: Path) -> None:
    """The pieces before are stored, in memory and in the log; reads and removal go on."""
    settings = synap.Settings().replace({"kv_store.max_memory_mb": 16})
    texts = [b"%07d" % i + b"x" * 100 for i in range(400_000)]
    for method in ("rpush_many", "sadd_many"):
        with synap.open(tmp_path / method, settings) as db:
            with pytest.raises(synap.Fault) as caught:
                getattr(db, method)("k", np.array(texts))
            assert caught.value.row.name == "OUT_OF_MEMORY"
            count = db.call("list.len" if method == "rpush_many" else "set.card", key="k")
            assert count in (65_536, 131_072)
            digest = db.digest()
        with synap.open(tmp_path / method, settings) as db:
            assert db.digest() == digest
            found = db.lrange_array("k") if method == "rpush_many" else np.sort(db.smembers_array("k"))
            assert found.tolist() == texts[:count]
            assert db.delete("k") == 1 and getattr(db, method)("k", texts[:100]) == 100


def test_a_call_that_waits_is_served(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the whole call, so that BLPOP gets what the list holds then."""
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", 10)
    with synap.open() as db:
        found: list[Any] = []

        def waits(call: Callable[[], Any]) -> threading.Thread:
            thread = threading.Thread(target=lambda: found.append(call()))
            thread.start()
            while not db._waiters:
                time.sleep(0.001)
            return thread

        for call, write, wanted in (
            (lambda: db.blpop("l", timeout=30), lambda: db.rpush_many("l", np.arange(100)), (b"l", 0)),
            (lambda: db.blpop("m", timeout=30), lambda: db.lpush_many("m", np.arange(100)), (b"m", 99)),
            (lambda: db.brpop("n", timeout=30), lambda: db.rpush_many("n", ["x", "y"]), (b"n", b"y")),
        ):
            thread = waits(call)
            write()
            thread.join(30)
            assert list(found.pop()) == list(wanted)
        assert db.llen("l") == 99 and db.llen("m") == 99 and db.llen("n") == 1


def test_watched_keys(store: Any) -> None:
    with synap.open() as db:
        for write in (lambda: db.hset_many("k", ["a"], ["b"]), lambda: db.zadd_many("k", ["a"], [1]),
                      lambda: db.sadd_many("k", ["a"]), lambda: db.rpush_many("k", ["a"]),
                      lambda: db.lpush_many("k", ["a"])):  # fmt: skip
            session = db._engine.sessions.add()
            assert isinstance(session, Session)
            transactions, now = db._engine.transactions, db._clock.now()
            transactions.watch(session, b"k", now)
            db.hset_many("other", ["a"], ["b"])
            assert transactions.watch_holds(session, now)
            write()
            assert not transactions.watch_holds(session, now)
            db._engine.close(session)
            db.delete("k")


def test_counts_and_keyspace_notifications(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", 10)
    with synap.open() as db:
        sent: list[tuple[bytes, bytes]] = []
        monkeypatch.setattr(db._engine.pubsub, "publish", lambda channel, data, *more: sent.append((channel, data)))
        db._engine.keyspace_events.choose("KEAn")
        codes = {row.name: row.code for row in db._engine.catalogue.rows}
        calls = {"hash.mset": "hset", "zset.add": "zadd", "set.add": "sadd", "list.rpush": "rpush"}

        def counted(name: str) -> int:
            return int(db._engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * codes[name]])

        before = {name: counted(name) for name in calls}
        db.hset_many("h", np.arange(25), np.arange(25))
        db.zadd_many("z", np.arange(25), np.arange(25))
        db.sadd_many("s", np.arange(25))
        db.rpush_many("l", np.arange(25))
        assert {name: counted(name) - before[name] for name in calls} == dict.fromkeys(calls, 3)
        events = [data for channel, data in sent if channel.startswith(b"__keyspace")]
        assert events == [name for event in calls.values() for name in (b"new", *[event.encode()] * 3)]
        assert (b"__keyevent@0__:zadd", b"z") in sent
        seq = db._engine.seq
        db.sadd_many("s", np.arange(25))
        assert db._engine.seq == seq, "a call that changes nothing is not in the log"


def test_a_log_that_fails(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", 10)
    with synap.open(tmp_path) as db:
        writes = []
        flush = db._node.flush

        def fails() -> None:
            writes.append(1)
            if len(writes) == 2:
                raise LogFailed(1, 2, "no space")
            flush()

        monkeypatch.setattr(db._node, "flush", fails)
        with pytest.raises(synap.Fault) as caught:
            db.rpush_many("l", np.arange(100))
        assert caught.value.row.name == "UNKNOWN_OUTCOME"
        with pytest.raises(synap.Fault) as caught:
            db.rpush_many("l", np.arange(100))
        assert caught.value.row.name == "LOG_FAILED"


KILLED = """
import os, signal, sys
import numpy as np
import synap
db = synap.open(sys.argv[1])
ids = np.arange(100_000)
names = np.char.mod(b"n%d", ids)
db.hset_many("h", names, ids)
db.zadd_many("z", ids, ids / 8)
db.sadd_many("s", names)
db.rpush_many("l", names)
db.lpush_many("l", ids)
print(db.digest(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_9(store: Any, tmp_path: Path) -> None:
    """All of it is there: what a call has returned is in the log."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=60,
                          env=os.environ | {"PYTHONPATH": str(Path(synap.__file__).parent.parent)})  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    ids = np.arange(100_000)
    texts = np.array([b"n%d" % i for i in range(100_000)])
    with synap.open(tmp_path) as db:
        assert str(db.digest()) == done.stdout.strip()
        assert (db.hmget_many("h", texts, int) == ids).all() and db.hlen("h") == 100_000
        members, scores = db.zrange_arrays("z", dtype=int)
        assert (members == ids).all() and (scores == ids / 8).all()
        assert set(db.smembers_array("s").tolist()) == set(texts.tolist())
        assert (db.lrange_array("l", 100_000) == texts).all()
        assert (db.lrange_array("l", 0, 99_999, int) == ids[::-1]).all()


def test_a_log_that_ends_early_has_whole_pieces(store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", 100)
    with synap.open(tmp_path / "whole") as db:
        db.rpush_many("l", np.arange(1000))
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir() if path.is_file()}
    name = max(files, key=lambda name: len(files[name]))
    lengths = set()
    for turn, size in enumerate(range(len(files[name]), 200, -937)):
        cut = tmp_path / str(turn)
        cut.mkdir()
        for other, content in files.items():
            (cut / other).write_bytes(content[:size] if other == name else content)
        with synap.open(cut) as db:
            lengths.add(db.llen("l"))
            assert db.lrange_array("l", dtype=int).tolist() == list(range(db.llen("l")))
    assert all(length % 100 == 0 for length in lengths), lengths
    assert lengths >= {1000} and len(lengths) > 5, lengths


def test_threads_see_a_whole_call(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_calls, "PIECE_ITEMS", 100)
    with synap.open() as db:
        seen: set[int] = set()
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                seen.add(db.llen("l"))

        thread = threading.Thread(target=look)
        thread.start()
        for _ in range(20):
            db.rpush_many("l", np.arange(5000))
        stop.set()
        thread.join(30)
        assert len(seen) > 1 and all(length % 5000 == 0 for length in seen), seen


# ---- kernels and conversions ----


def test_kernels_of_texts(store: Any) -> None:
    chance = Random(8)
    for width in (1, 3, 8, 17):
        texts = [bytes(chance.choices(b"ab\0", k=chance.randrange(width + 1))).rstrip(b"\0") for _ in range(200)]
        octets = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), np.uint8).copy()
        target, sizes = np.zeros(len(octets), np.uint8), np.zeros(len(texts), np.int64)
        total = arrays.strip_texts(octets, width, target, sizes)
        assert target[:total].tobytes() == b"".join(texts) and sizes.tolist() == [len(text) for text in texts]
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        again = np.zeros(len(octets), np.uint8)
        assert arrays.spread_texts(target, offsets, width, again) == len(texts)
        assert again.tobytes() == octets.tobytes()
    numbers = [chance.randrange(-(1 << 63), 1 << 63) >> chance.randrange(64) for _ in range(3000)]
    numbers += [*range(-1100, 1100)]
    numbers += [-(1 << 63), (1 << 63) - 1, *(10**i for i in range(19)), *(-(10**i) for i in range(19))]
    values = np.array(numbers)
    target, sizes = np.zeros(20 * len(values), np.uint8), np.zeros(len(values), np.int64)
    total = arrays.print_integers(values, target, sizes)
    assert target[:total].tobytes() == b"".join(b"%d" % number for number in numbers)
    again = np.zeros(len(values), np.int64)
    assert arrays.parse_integers(target, np.concatenate(([0], np.cumsum(sizes))), again) == len(values)
    assert (again == values).all()


def test_conversions(store: Any) -> None:
    packed = column("values", np.array([1, -20], ">i2"))
    assert packed.octets.tobytes() == b"1-20" and packed.sizes.tolist() == [1, 3] and packed.form == layout.FORM_JSON
    assert column("values", ["a"]).form == 0 and len(column("values", np.ma.array([1, 2]))) == 2
    assert reals("scores", [1, 2]).dtype == np.float64
    for given in (np.array([1.5, 2], ">f8"), np.array([1.5, 2], np.float32), np.array([9, 1.5, 9, 2])[1::2]):
        found = reals("scores", given)
        assert found.dtype == np.float64 and found.dtype.isnative and found.tolist() == [1.5, 2]
        assert found.flags.c_contiguous and not np.shares_memory(found, given)
