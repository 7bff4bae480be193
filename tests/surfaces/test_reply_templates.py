"""Every row declares its reply, and the check that the other tests apply to replies finds what does not fit."""

from typing import Any

import pytest

from synap.commands import CATALOGUE
from synap.derive.command_pages import answers
from synap.derive.json_schema import reply_of, reply_schema
from synap.reply import (
    ANY,
    DONE,
    INTEGER,
    NIL,
    NONE,
    REAL,
    TEXT,
    VALUE,
    Array,
    Either,
    Leaf,
    Map,
    Pairs,
    Pushed,
    Record,
    SetOf,
    Status,
    Template,
    Tuple,
    choices,
    or_nil,
)
from synap.traits import RUNS_SCRIPT
from tests.wire import Unlike, read, values

ROWS = CATALOGUE.rows
NESTED = Record({"name": TEXT, "members": Array(Tuple({"id": INTEGER, "of": or_nil(Record({"more": INTEGER}))}))})


def test_every_row_declares_its_reply() -> None:
    for row in ROWS:
        assert ANY not in choices(row.reply) or row.traits & RUNS_SCRIPT, f"{row.name} may answer anything"
        assert NONE in choices(row.reply) or NONE not in choices(reply_of(row))
        assert row.json_reply is None or row.handler, f"{row.name}: JSON is made of the reply of a kernel"
        if row.run:
            assert not any(name.endswith("?") for name in row.reply_names), f"{row.name}: a kernel leaves no name out"
            assert not (row.reply_words and row.reply_names), f"{row.name}: numbers select words or names"
        assert answers(row.reply)


def test_json_has_a_schema() -> None:
    """Only stored values may be any JSON."""
    for row in ROWS:
        if row.json is not None:
            stored = VALUE in choices(row.reply) or ANY in choices(row.reply)
            assert bool(reply_schema(reply_of(row))) is not stored, row.name


FITTING: list[tuple[Template, bytes, int, Any]] = [
    (DONE, b"+OK\r\n", 2, b"OK"),
    (Status(), b"+any\r\n", 2, b"any"),
    (Either(INTEGER, TEXT), b"$1\r\na\r\n", 3, b"a"),
    (or_nil(TEXT), b"$-1\r\n", 2, None),
    (or_nil(Array(TEXT)), b"*-1\r\n", 2, None),
    (or_nil(TEXT), b"_\r\n", 3, None),
    (Either(TEXT, Array(TEXT), NIL), b"*-1\r\n", 2, None),
    (REAL, b",0.5\r\n", 3, 0.5),
    (REAL, b"$3\r\n0.5\r\n", 2, 0.5),
    (Array(TEXT, INTEGER), b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n", 2, [b"a", 1, b"b", 2]),
    (SetOf(TEXT), b"~1\r\n$1\r\na\r\n", 3, [b"a"]),
    (Map(INTEGER), b"%1\r\n:7\r\n:1\r\n", 3, {7: 1}),
    (Pairs(TEXT, REAL), b"*2\r\n$1\r\na\r\n$1\r\n1\r\n", 2, [[b"a", 1.0]]),
    (Pairs(TEXT, REAL), b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n", 3, [[b"a", 1.0]]),
    (Pushed(Tuple({"kind": TEXT, "count": INTEGER})), b">2\r\n$1\r\na\r\n:1\r\n>2\r\n$1\r\nb\r\n:2\r\n", 3,
     [[b"a", 1], [b"b", 2]]),
    (Record({"a": INTEGER, "b?": INTEGER, "c?": INTEGER}), b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nc\r\n:3\r\n", 2,
     {b"a": 1, b"c": 3}),
    (NESTED, b"%2\r\n$4\r\nname\r\n$1\r\nx\r\n$7\r\nmembers\r\n*2\r\n*2\r\n:1\r\n_\r\n"
     b"*2\r\n:2\r\n%1\r\n$4\r\nmore\r\n:3\r\n", 3, {b"name": b"x", b"members": [[1, None], [2, {b"more": 3}]]}),
]  # fmt: skip
WRONG: list[tuple[Template, bytes, int]] = [
    (DONE, b"+NO\r\n", 2),
    (DONE, b"$2\r\nOK\r\n", 2),
    (INTEGER, b"$1\r\n1\r\n", 2),
    (TEXT, b"$-1\r\n", 2),
    (TEXT, b"+a\r\n", 2),
    (TEXT, b"$1\r\nab\r\n", 2),
    (TEXT, b"$2\r\na\r\n", 2),
    (TEXT, b"$1\r\na", 2),
    (TEXT, b"$01\r\na\r\n", 2),
    (TEXT, b"+QUEUED\r\n", 2),
    (INTEGER, b":+1\r\n", 2),
    (INTEGER, b":1\n2\r\n", 2),
    (Status(), b"+a\nb\r\n", 2),
    (NIL, b"$\r\n", 2),
    (NIL, b"_-1\r\n", 3),
    (NIL, b"*-1\r\n", 2),
    (or_nil(TEXT), b"*-1\r\n", 2),
    (or_nil(Array(TEXT)), b"$-1\r\n", 2),
    (Array(or_nil(Array(TEXT))), b"*1\r\n*-1\r\n", 2),
    (Map(INTEGER), b"%2\r\n$1\r\na\r\n:1\r\n$1\r\na\r\n:1\r\n", 3),
    (Pairs(TEXT, INTEGER), b"*3\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n", 2),
    (Pushed(Tuple({"kind": TEXT})), b"", 3),
    (NIL, b"$-1\r\n", 3),
    (Status("a", "b"), b"+c\r\n", 2),
    (REAL, b",1\r\n", 2),
    (Array(INTEGER), b"~1\r\n:1\r\n", 3),
    (SetOf(INTEGER), b"*1\r\n:1\r\n", 3),
    (Array(TEXT, INTEGER), b"*1\r\n$1\r\na\r\n", 2),
    (Array(INTEGER), b"*2\r\n:1\r\n$1\r\na\r\n", 2),
    (Tuple({"a": INTEGER, "b": INTEGER}), b"*1\r\n:1\r\n", 2),
    (Record({"a": INTEGER, "b": INTEGER}), b"*2\r\n$1\r\na\r\n:1\r\n", 2),
    (Record({"a": INTEGER, "b": INTEGER}), b"*4\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n:1\r\n", 2),
    (Record({"a": INTEGER}), b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:1\r\n", 2),
    (Record({"a": INTEGER}), b"*2\r\n$1\r\na\r\n:1\r\n", 3),
    (Map(INTEGER), b"*1\r\n$1\r\na\r\n", 2),
    (Pairs(TEXT, INTEGER), b"*2\r\n$1\r\na\r\n:1\r\n", 3),
    (Pushed(Tuple({"kind": TEXT})), b"*1\r\n$1\r\na\r\n", 3),
    (Either(INTEGER, Array(INTEGER)), b"*1\r\n$1\r\na\r\n", 2),
]  # fmt: skip


@pytest.mark.parametrize(("template", "data", "version", "wanted"), FITTING, ids=range(len(FITTING)))
def test_what_fits(template: Template, data: bytes, version: int, wanted: Any) -> None:
    assert read(template, data, version) == (wanted, len(data))
    assert read(ANY, data, version)[1] == len(data) or isinstance(template, Pushed)


@pytest.mark.parametrize(("template", "data", "version"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit(template: Template, data: bytes, version: int) -> None:
    with pytest.raises(Unlike):
        read(template, data, version)


def test_a_call_of_a_transaction_is_queued() -> None:
    assert read(INTEGER, b"+QUEUED\r\n", 2, queued=True) == (b"QUEUED", 9)


def test_values_without_names() -> None:
    assert values({b"a": [{b"b": 1}, None], b"c": b"d"}) == [[[1], None], b"d"]


def test_every_leaf_has_a_schema() -> None:
    for leaf in Leaf:
        assert isinstance(reply_schema(leaf), dict)
