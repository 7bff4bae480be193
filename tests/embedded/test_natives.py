"""What a program in this process may store: it comes back equal, or it is refused with its type and its place."""

import array
import datetime
import enum
import math
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import synap


class Colour(enum.IntEnum):
    RED = 1


@pytest.fixture
def db(store: Any) -> Iterator[synap.Database]:
    with synap.open() as opened:
        yield opened


STRIDED = memoryview(b"abcdef")[::2]
BYTES = [
    (b"a\xff", b"a\xff"), (bytearray(b"\x00b"), b"\x00b"), (memoryview(b"abc"), b"abc"), (STRIDED, b"ace"),
    (array.array("H", [1, 256]), array.array("H", [1, 256]).tobytes()), (bytearray(), b""),
    (np.arange(3, dtype=np.uint8), b"\x00\x01\x02"),
    (np.arange(6, dtype=np.uint8).reshape(2, 3).T, bytes([0, 3, 1, 4, 2, 5])),
    ("text", b"text"), ("é🙂", "é🙂".encode()), ("", b""),
]  # fmt: skip
SAME: list[Any] = [
    None, True, False, 0, -1, 2**63, 10**30, 1.5, -0.0, 1e300, [], {}, [1, [True, None]], {"a": {"b": [1.5, "x"]}},
    OrderedDict(a=1), np.float64(1.5), Colour.RED,
]  # fmt: skip
NOT_JSON: list[tuple[Any, str, str]] = [
    (math.nan, "'value': ", "float nan"), (math.inf, "'value': ", "float inf"), (-math.inf, "'value': ", "float -inf"),
    ([1, [math.nan]], "'value[1][0]': ", "float nan"), ({"a": {"b": math.inf}}, "'value['a']['b']': ", "float inf"),
    ([b"x"], "'value[0]': ", "bytes b'x'"), ({"a": bytearray(b"x")}, "'value['a']': ", "bytearray"),
    (datetime.date(2020, 1, 2), "'value': ", "datetime.date"), ([datetime.datetime.min], "'value[0]': ", "datetime"),
    (Decimal("1.5"), "'value': ", "decimal.Decimal"), ({1, 2}, "'value': ", "set {1, 2}"), (1j, "'value': ", "complex"),
    (np.int64(5), "'value': ", "numpy.int64"), (np.float32(0.1), "'value': ", "numpy.float32"),
    (np.bool_(True), "'value': ", "numpy.bool"), ([np.int8(1)], "'value[0]': ", "numpy.int8"),
    ({1: 2}, "'value': wanted names that are str", "int 1"), ({"a": {None: 1}}, "'value['a']': ", "NoneType"),
    (np.array([object()]), "'value': ", "numpy.ndarray"),
    (object, "'value': ", "type"), (range(3), "'value': ", "range"),
    ("\ud800", "'value': wanted text", "half of a surrogate pair at 0"),
    (["a\udcff"], "'value[0]': ", "half of a surrogate pair at 1"),
    ({"\ud800": 1}, "'value': ", "half of a surrogate pair"),
]  # fmt: skip
WRITES: list[Any] = [
    lambda db, value: db.set("k", value), lambda db, value: db.getset("k", value),
    lambda db, value: db.setnx("k", value), lambda db, value: db.setex("k", 9, value),
    lambda db, value: db.mset({"k": value}), lambda db, value: db.rpush("k", value),
    lambda db, value: db.lpush("k", "first", value), lambda db, value: db.sadd("k", value),
    lambda db, value: db.stream_publish("room", "e", value),
    lambda db, value: db.call("pubsub.publish", topic="t", payload=value),
]  # fmt: skip


@pytest.mark.parametrize(("value", "found"), BYTES, ids=lambda value: type(value).__name__)
def test_bytes_of_any_kind_are_bytes(db: synap.Database, value: Any, found: bytes) -> None:
    db.set("k", value)
    assert db.get("k") == found
    db.rpush("l", value, "x")
    assert db.lrange("l") == [found, b"x"]
    db.sadd("s", value)
    assert db.sismember("s", found) and db.srem("s", value) == 1
    db.queue_create("q")
    db.queue_publish("q", value)
    message = db.queue_consume("q")
    assert message is not None and message["payload"] == found
    db.stream_create("r")
    db.stream_publish("r", "e", value)
    assert db.stream_consume("r")[0]["data"] == found
    db.set(value, "named")
    assert db.get(found) == b"named"


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_json_comes_back_equal(db: synap.Database, value: Any) -> None:
    db.set("k", value)
    found = db.get("k")
    assert found == value and isinstance(value, type(found))
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)
    db.rpush("l", value)
    assert db.lrange("l") == [value]


def test_a_tuple_is_an_array(db: synap.Database) -> None:
    db.set("k", (1, ("a",)))
    assert db.get("k") == [1, ["a"]]


@pytest.mark.parametrize(("value", "where", "what"), NOT_JSON, ids=lambda value: str(value)[:20])
def test_what_json_cannot_hold_is_refused(db: synap.Database, value: Any, where: str, what: str) -> None:
    db.stream_create("room")
    for write in WRITES:
        with pytest.raises((TypeError, ValueError)) as caught:
            write(db, value)
        assert isinstance(caught.value, synap.Fault) and caught.value.row.name == "WRONG_FIELD"
        text = str(caught.value)
        assert what in text and where.partition("[")[2] in text, text
    assert db.dbsize() == 0 and db.stream_stats("room")["message_count"] == 0
    with pytest.raises((TypeError, ValueError)) as caught:
        db.set("k", value)
    assert where in str(caught.value)


def test_a_value_within_itself(db: synap.Database) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="a list within itself"):
        db.set("k", value)


@pytest.mark.parametrize("key", [1, 1.5, True, ["k"], {}, np.int64(1), "\ud800"], ids=repr)
def test_keys_are_texts_or_bytes(db: synap.Database, key: Any) -> None:
    for write in (
        lambda: db.set(key, "v"), lambda: db.delete("a", key), lambda: db.rename("a", key), lambda: db.rpush(key, "x"),
        lambda: db.mset([("a", "b"), (key, "c")]),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            write()
    assert db.dbsize() == 0
