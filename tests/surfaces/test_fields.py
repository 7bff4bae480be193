"""Words -> call -> JSON fields -> call: every row takes the same arguments by name as by position."""

import math
import struct
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synap.arguments import GROUPS, TEXTS, AnyOrder, Clash, Int, Many, OneOf, Optional, Token, layout, slots
from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive.binders import binder, field_names, packer
from synap.faults import Fault
from synap.store.memory.layout import MARK_BITS, TAPE, UNREADABLE
from tests.planned import ROWS as PLANNED
from tests.support import Bench
from tests.surfaces.surfaces import fields_of
from tests.words import TEXTS as ANY_TEXTS
from tests.words import Words

UTF8 = [text for text in ANY_TEXTS if text != b"\x00\xff"]


def nodes(args: tuple[Any, ...]) -> list[Any]:
    return [place.node for place in layout(args)]


def plain(row: Command) -> bool:
    """Can fields tell every call of this row? Not where two alternatives give one name to different arguments."""
    for node in nodes(row.args):
        if isinstance(node, OneOf):
            names = [name for inner in node.inner for name in set(field_names((inner,)))]
            if len(set(names)) < len(names):
                return False
    names = [name for node in nodes(row.args) if not hasattr(node, "inner") for name in field_names((node,))]
    return len(names) == len(set(names))


OWN = [row for row in CATALOGUE.rows if row.args]
LATER = [row for row in PLANNED if row.args and plain(row)]


def in_range(row: Command, fields: dict[str, Any]) -> bool:
    """Are the integers among the fields in their ranges? The row's function refuses others that come by RESP."""
    limits = [node for node in nodes(row.args) if isinstance(node, Int) and fields.get(node.name) is not None]
    return all(node.least <= fields[node.name] <= node.most for node in limits)


class Refused(Exception):
    """The tape says what the row's function refuses: no fields stand for that."""


def canonical(args: tuple[Any, ...], at: int, tape: list[int], blob: bytes, start: int) -> list[Any]:
    """What a tape says, with texts as bytes and groups as lists; no positions."""
    found: list[Any] = []
    for node in args:
        if isinstance(node, TEXTS):
            mark = tape[at + 1]
            found.append(blob[start + tape[at] : start + tape[at] + (mark >> MARK_BITS)] if mark else None)
        elif isinstance(node, GROUPS):
            size = sum(map(slots, node.inner))
            items = [canonical(node.inner, tape[at + 1] + i * size, tape, blob, start) for i in range(tape[at])]
            found.append(items)
        elif isinstance(node, AnyOrder):
            found.append(canonical(node.inner, at, tape, blob, start))
        elif isinstance(node, Token | Optional):
            found.append([tape[at], *canonical(node.inner, at + 1, tape, blob, start)])
        elif isinstance(node, OneOf):
            if tape[at] & UNREADABLE or (node.clash is Clash.BOTH and tape[at] == len(node.inner) + 1):
                raise Refused
            inner = tuple(deep for each in node.inner for deep in getattr(each, "inner", ()))
            found.append([tape[at], *canonical(inner, at + 1, tape, blob, start)])
        else:
            found.append(tape[at])
        at += slots(node)
    return found


def check(bench: Bench, row: Command, seed: int, texts: list[bytes], through_json: bool) -> bool:
    """Draw words, go all the way round; False if they were refused."""
    chance = Random(seed)
    words = Words(chance, texts)
    drawn = [b"?", *words.all(row.args)]
    if isinstance(row.args[-1] if row.args else None, Many):
        drawn += [b"word"] * (row.words + 1 - len(drawn))
    fields = fields_of(row, bench, [*([b"?"] if "|" in row.resp else []), *drawn])
    if isinstance(fields, str):
        return False
    tape = bench.heap.numbers[TAPE : TAPE + bench[22]].tolist()
    begins = bench[TAPE - 1]
    try:
        wanted = canonical(row.args, 0, tape, bytes(bench.heap.bytes[: begins + (1 << 16)][begins:]), 0)
    except Refused:
        return False
    if through_json:
        fields = msgspec.json.decode(msgspec.json.encode(fields))
    if not in_range(row, fields):
        assert "wanted a whole number" in refused(row, fields)
        return False
    made, blob = binder(row)(fields)
    assert canonical(row.args, 0, made, blob, 0) == wanted, (drawn, fields)
    packed = packer(row, 7)(fields)
    head = struct.unpack_from("<5q", packed)
    assert head[0] == 7 and head[1] * 8 == len(packed) and head[2] == len(made) and head[4] == len(blob)
    assert struct.unpack_from(f"<{len(made)}q", packed, 40) == tuple(made)
    assert packed[40 + 8 * len(made) :][: len(blob)] == blob
    return True


@pytest.fixture(scope="module")
def planned(store: type[Bench]) -> Bench:
    return store(LATER)


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_own_rows(store: type[Bench], seed: int, through_json: bool) -> None:
    bench = own(store)
    for i, row in enumerate(OWN):
        check(bench, row, seed + i, UTF8 if through_json else ANY_TEXTS, through_json)


_OWN: list[Bench] = []


def own(store: type[Bench]) -> Bench:
    if not _OWN:
        _OWN.append(store())
    return _OWN[0]


def test_every_row_has_been_round(store: type[Bench], planned: Bench) -> None:
    for bench, rows in ((own(store), OWN), (planned, LATER)):
        for row in rows:
            done = seed = 0
            while seed < 60 or (done < 6 and seed < 300):
                done += check(bench, row, seed, UTF8, seed % 2 == 0)
                seed += 1
            assert done > 5, f"{row.name}: its words are nearly always refused"
    assert any(isinstance(node, Many) and node.like for row in OWN for node in nodes(row.args))
    assert any(isinstance(node, Optional) and node.alone for row in (*OWN, *LATER) for node in nodes(row.args))


def refused(row: Command, fields: dict[str, Any]) -> str:
    with pytest.raises(Fault) as found:
        binder(row)(fields)
    return str(found.value)


def test_as_many_as_another_group() -> None:
    row = CATALOGUE.by_name["zset.unionstore"]
    rest = {"destination": "t"}
    binder(row)({**rest, "keys": ["a", "b"], "weights": [1, 2.5]})
    assert "as many as 'keys' (2), found 1" in refused(row, {**rest, "keys": ["a", "b"], "weights": [1]})


def test_alone() -> None:
    row = CATALOGUE.by_name["connection.client_kill"]
    binder(row)({"address": "a:1"})
    binder(row)({"id": 4, "skipme": "no"})
    assert "wanted it alone, found 'id'" in refused(row, {"address": "a:1", "id": 4})
    assert "number of arguments" in refused(row, {})


SET, ADD, PUSH, EXPIRE, PUBLISH, POP = (
    CATALOGUE.by_name[name]
    for name in ("kv.set", "kv.add", "list.rpush", "key.expire_in", "queue.publish", "list.blpop")
)


@pytest.mark.parametrize(("row", "fields", "text"), [
    (SET, {"key": "k"}, "Missing 'value' field"),
    (SET, {"value": 1}, "Missing 'key' field"),
    (SET, {"key": None, "value": 1}, "Missing 'key' field"),
    (SET, {"key": 5, "value": 1}, "'key': wanted a string, found a number"),
    (SET, {"key": ["a"], "value": 1}, "found an array"),
    (SET, {"key": {}, "value": 1}, "found an object"),
    (SET, {"key": True, "value": 1}, "found a boolean"),
    (SET, {"key": "\ud800", "value": 1}, "half a character"),
    (SET, {"key": "k", "value": "\ud800"}, "half a character"),
    (SET, {"key": "k", "value": ["\ud800"]}, "wanted a JSON value"),
    (SET, {"key": "k", "value": object()}, "wanted a JSON value"),
    (SET, {"key": "k", "value": 1, "nx": "yes"}, "'nx': wanted a boolean, found a string"),
    (SET, {"key": "k", "value": 1, "nx": 0}, "'nx': wanted a boolean, found a number"),
    (SET, {"key": "k", "value": 1, "get": 1}, "'get': wanted a boolean"),
    (SET, {"key": "k", "value": 1, "nx": True, "xx": True}, "syntax error"),
    (SET, {"key": "k", "value": 1, "ttl": 1, "px": 5}, "syntax error"),
    (SET, {"key": "k", "value": 1, "ttl": 1.5}, "'ttl': wanted a whole number"),
    (SET, {"key": "k", "value": 1, "ttl": True}, "found a boolean"),
    (ADD, {"key": "k", "amount": 1 << 63}, "a number of 64 bits"),
    (ADD, {"key": "k", "amount": 10**6000}, "a number of 64 bits"),
    (ADD, {"key": "k", "amount": 1e300}, "a number of 64 bits"),
    (ADD, {"key": "k", "amount": float("nan")}, "a whole number"),
    (ADD, {"key": "k", "amount": "9" * 6000}, "a whole number"),
    (ADD, {"key": "k", "amount": " 1"}, "a whole number"),
    (ADD, {"key": "k", "amount": "1_0"}, "a whole number"),
    (ADD, {"key": "k", "amount": "\u0663"}, "a whole number"),
    (ADD, {"key": "k", "amount": []}, "found an array"),
    (EXPIRE, {"key": "k"}, "Missing 'ttl' field"),
    (PUSH, {"key": "k"}, "Missing 'values' array"),
    (PUSH, {"key": "k", "values": []}, "at least one item"),
    (PUSH, {"key": "k", "values": "a"}, "'values': wanted an array, found a string"),
    (PUSH, {"key": "k", "values": {"a": 1}}, "found an object"),
    (POP, {"keys": [None], "timeout": 1}, "found null"),
    (POP, {"keys": ["a"], "timeout": -1}, "'timeout': wanted a number from 0 to 4611686018427387, found -1"),
    (POP, {"keys": ["a"], "timeout": 1e300}, "'timeout': wanted a number from 0 to 4611686018427387, found 1e+300"),
    (POP, {"keys": ["a"], "timeout": 10**400}, "a larger number"),
    (POP, {"keys": ["a"], "timeout": "nan"}, "wanted a number"),
    (POP, {"keys": ["a"], "timeout": math.nan}, "wanted a number"),
    (PUBLISH, {"queue": "q", "payload": [1, 256]}, "numbers from 0 to 255"),
    (PUBLISH, {"queue": "q", "payload": 5}, "'payload': wanted a string"),
    (PUBLISH, {"queue": "q", "payload": None}, "found null"),
])  # fmt: skip
def test_what_is_wrong_is_told(row: Command, fields: dict[str, Any], text: str) -> None:
    assert text in refused(row, fields)


def test_the_item_that_is_missing_has_its_own_name() -> None:
    row = CATALOGUE.by_name["stream.publish"]
    assert "Missing 'data' field" in refused(row, {"room": "r", "event": "said"})
    for fields in ({"data": 1}, {"data": None}, {"items": [1, 2]}):
        binder(row)({"room": "r", "event": "said", **fields})


def nested(depth: int) -> Any:
    value: Any = 1
    for i in range(depth):
        value = [value] if i % 2 else {"a": value}
    return value


def test_nesting() -> None:
    binder(SET)({"key": "k", "value": nested(128)})
    binder(SET)({"key": "k", "value": [[1]] * 5000})
    for depth in (129, 400, 100_000):
        assert "128 levels of nesting" in refused(SET, {"key": "k", "value": nested(depth)})


def test_numbers_as_text() -> None:
    for text, number in (("0", 0), ("-7", -7), (b"12", 12), (5.0, 5), ("9223372036854775807", 2**63 - 1)):
        assert binder(ADD)({"key": "k", "amount": text})[0][2] == number
    for seconds, milliseconds in (("1.0005", 1001), (0, 0), (".5", 500), ("1e1", 10_000), (2, 2000)):
        assert binder(POP)({"keys": ["a"], "timeout": seconds})[0][2] == milliseconds
