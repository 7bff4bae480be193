"""Integers out of range: refused with the range, or stored as they are; none is moved into the range in silence."""

from collections.abc import Iterator
from typing import Any

import pytest

from synap.arguments import (
    GROUPS,
    Choice,
    Counted,
    Flag,
    Int,
    Many,
    OneOf,
    Raw,
    Text,
    Timeout,
    Token,
    arguments_behind,
    layout,
    words_min,
)
from synap.command import Command
from synap.commands import CATALOGUE
from synap.faults import Fault
from synap.ranges import GIVEN_MS_MAX, GIVEN_SECONDS_MAX, INT_MAX, INT_MIN
from tests.support import Refusal
from tests.surfaces.surfaces import Surfaces

UNBOUNDED = (INT_MIN, INT_MAX)
MOST = 2**63 - 1


@pytest.fixture
def surfaces(store: Any) -> Iterator[Surfaces]:
    yield Surfaces()


REFUSED: list[tuple[str, str]] = [
    ("QUEUE.PUBLISH q x PRIORITY {}", "10 255 256 -1 9223372036854775807"),
    ("QUEUE.PUBLISH q x RETRIES {}", "1048576 9223372036854775807 -1"),
    ("QUEUE.CREATE new {} 30000 3 5", "0 -1"),
    ("QUEUE.CREATE new 10 {} 3 5", "0 -1 1099511627777 9223372036854775807"),
    ("QUEUE.CREATE new 10 30000 {} 5", "1048576 9223372036854775807 -1"),
    ("QUEUE.CREATE new 10 30000 3 {}", "10 255 -1"),
    ("QUEUE.CREATE new 10 30000 3 5 PREFETCH {}", "-1"),
    ("STREAM.CREATE new MAXEVENTS {}", "-1 1125899906842625 9223372036854775807"),
    ("STREAM.CREATE new MAXBYTES {}", "-1 1125899906842625"),
    ("STREAM.CREATE new RETENTION {}", "-1 9223372036854775807"),
    ("STREAM.GETORCREATE new MAXEVENTS {}", "-1 1125899906842625 9223372036854775807"),
    ("STREAM.CONSUME r me LIMIT {}", "-1"),
    ("QUEUE.DEAD q {}", "-1"),
]


@pytest.mark.parametrize(("words", "values"), REFUSED)
def test_out_of_range(surfaces: Surfaces, words: str, values: str) -> None:
    surfaces.resp("QUEUE.CREATE", "q", 10, 30000, 3, 5)
    surfaces.resp("STREAM.CREATE", "r")
    for value in values.split():
        reply = str(surfaces.resp(*words.format(value).split()))
        assert "ERR" in reply and ("range" in reply or "between" in reply or "positive" in reply), (value, reply)
    assert surfaces.resp("QUEUE.LIST") == [b"q"] and surfaces.resp("STREAM.LIST") == [b"r"]
    assert surfaces.rest("GET", "/queue/q/stats")[1]["published"] == 0


def test_the_edges_are_kept_exactly(surfaces: Surfaces) -> None:
    surfaces.resp("QUEUE.CREATE", "q", MOST, 1 << 40, (1 << 20) - 1, 9, "PREFETCH", MOST)
    assert surfaces.rest("GET", "/queue/q/stats")[1]["max_depth"] == MOST
    for priority, retries in ((9, (1 << 20) - 1), (0, 0)):
        surfaces.resp("QUEUE.PUBLISH", "q", "x", "PRIORITY", priority, "RETRIES", retries)
        found = surfaces.rest("GET", "/queue/q/consume/w")[1]
        assert (found["priority"], found["max_retries"]) == (priority, retries)
    surfaces.resp("STREAM.CREATE", "r", "MAXEVENTS", 1 << 50, "MAXBYTES", 1 << 50)
    stats = surfaces.rest("GET", "/stream/r/stats")[1]
    assert (stats["max_events"], stats["max_bytes"]) == (1 << 50, 1 << 50)


def test_rest_takes_priorities_up_to_255_for_9(surfaces: Surfaces) -> None:
    """REST alone, whose clients send an octet; docs/messaging.md says so."""
    surfaces.resp("QUEUE.CREATE", "q", 10, 30000, 3, 5)
    for priority, status in ((10, 200), (255, 200), ("200", 200), (256, 422), (-1, 422)):
        assert surfaces.rest("POST", "/queue/q/publish", {"payload": [1], "priority": priority})[0] == status
    for _ in range(3):
        assert surfaces.rest("GET", "/queue/q/consume/w")[1]["priority"] == 9
    found = surfaces.command("queue.publish", {"queue": "q", "payload": [1], "priority": 10})
    assert not found["success"] and "0 to 9" in found["error"]
    with pytest.raises(Exception, match="0 to 9"):
        surfaces.database.queue_create("d") and surfaces.database.queue_publish("d", "x", priority=10)


TIMES = {GIVEN_SECONDS_MAX, GIVEN_MS_MAX}
"""Bounds of fields that are narrower than those of RESP, which depend on the time."""
BOUNDED = [
    (row, place.node)
    for row in CATALOGUE.rows if row.json is not None and not row.internal
    for place in layout(row.args) if isinstance(place.node, Int) and (place.node.least, place.node.most) != UNBOUNDED
]  # fmt: skip


def fields_to(args: tuple[Any, ...], wanted: Any, value: int, name: str) -> dict[str, Any]:
    """The fields of a call that gives this integer, and otherwise what is required."""
    found: dict[str, Any] = {}
    for node in args:
        inner = getattr(node, "inner", ())
        if node is wanted:
            found[node.name] = value
        elif inner and any(place.node is wanted for place in layout(inner)):
            found |= {node.name: [value]} if isinstance(node, Many) else fields_to(inner, wanted, value, name)
        elif isinstance(node, OneOf) and node.required and isinstance(node.inner[0], Flag):
            found[node.inner[0].word.lower()] = True
        elif not words_min(node):
            continue
        else:
            found[node.name] = "other" if node.name == "target" else needed(node, name)
    return found


def needed(node: Any, name: str) -> Any:
    """A value that an argument takes."""
    if isinstance(node, Choice):
        return node.words[0]
    return ["k"] if isinstance(node, GROUPS) else {Int: 1, Timeout: 1, Text: name, Raw: "v"}.get(type(node), "k")


def words_to(args: tuple[Any, ...], wanted: Any, value: int, name: str) -> list[Any]:
    """The same call as RESP words."""
    found: list[Any] = []
    for node in args:
        inner = getattr(node, "inner", ())
        if node is wanted:
            found.append(value)
        elif inner and any(place.node is wanted for place in layout(inner)):
            found += [node.word] if isinstance(node, Token) else []
            found += words_to(inner, wanted, value, name)
        elif isinstance(node, Counted):
            found += [1, "k"]
        elif isinstance(node, OneOf) and node.required:
            found += [node.inner[0].word, *(needed(each, name) for each in arguments_behind(node.inner[0]))]
        elif words_min(node):
            found.append("other" if node.name == "target" else needed(node, name))
    return found


def name_of(row: Command, i: int) -> str:
    """The name of a queue or room, which is new where the row creates it; 0 for a cursor."""
    names = {"queue": "q", "stream": "r", "topic": "t", "group": "g"}
    return f"new{i}" if "create" in row.name else names.get(row.family, "0")


MADE = {"set.scan": ["SADD", "k", "a"], "hash.scan": ["HSET", "k", "f", "v"], "zset.scan": ["ZADD", "k", "1", "a"],
        "list.blmpop": ["RPUSH", "k", "v"]}  # fmt: skip
"""What makes the key of a row that looks at its number only then, as Redis does, or that waits for the key."""


@pytest.mark.parametrize(("row", "node"), BOUNDED, ids=lambda value: getattr(value, "name", ""))
def test_every_bounded_integer(surfaces: Surfaces, row: Command, node: Int) -> None:
    """JSON names the field, its range and the value; RESP refuses the same numbers, and takes those at the bounds."""
    surfaces.resp("QUEUE.CREATE", "q", 10, 30000, 3, 5)
    surfaces.resp("QUEUE.CREATE", "other", 10, 30000, 3, 5)
    surfaces.resp("STREAM.CREATE", "r")
    surfaces.resp("TOPIC.CREATE", "t", "PARTITIONS", 1 if row.name == "topic.grow" else 3)
    surfaces.resp("GROUP.CREATE", "g", "t", 3)
    surfaces.resp("GROUP.JOIN", "g", "MEMBER", "g")
    surfaces.resp("DEL", "k")
    surfaces.resp(*MADE.get(row.name, ["PING"]))
    for i, (bound, beyond) in enumerate(((node.least, node.least - 1), (node.most, node.most + 1))):
        if bound in UNBOUNDED:
            continue
        fields = fields_to(row.args, node, beyond, name_of(row, i))
        error = surfaces.command(row.name, fields)["error"]
        assert f"'{node.name}': wanted a whole number" in error and f"{bound}" in error, (fields, error)
        assert error.endswith(f"found {beyond}")
        replies = surfaces.batch((row.name, fields), ("kv.get", {"key": "none"}), (row.name, fields))
        assert [reply["error"] for reply in replies] == [error, None, error]
        with pytest.raises(Fault, match=f"'{node.name}': wanted a whole number"):
            surfaces.database.call(row.name, **fields)
        if row.resp and abs(bound) not in TIMES and not (TIMES & {node.most}):
            words = [*row.resp.split("|"), *words_to(row.args, node, beyond, name_of(row, i))]
            refusal = surfaces.resp(*words)
            assert isinstance(refusal, Refusal), (words, refusal)
            words = [*row.resp.split("|"), *words_to(row.args, node, bound, name_of(row, i))]
            assert str(surfaces.resp(*words)) != str(refusal), words


def test_a_larger_unit_is_refused_by_its_own_name(surfaces: Surfaces) -> None:
    status, told, _ = surfaces.rest("POST", "/queue/new", {"ack_deadline_secs": 0})
    wanted = "Invalid request: 'ack_deadline_secs': wanted a whole number from 1 to 1099511627, found 0"
    assert (status, told["error"]) == (422, wanted)
    assert surfaces.rest("POST", "/queue/new", {"ack_deadline_secs": 1099511627})[0] == 200


def test_fields_in_a_query_are_refused_by_name(surfaces: Surfaces) -> None:
    surfaces.resp("STREAM.CREATE", "r")
    for path, text in (
        ("/stream/r/consume/me?from_offset=-1", "'from_offset': wanted a whole number of at least 0, found -1"),
        ("/key/scan/0?count=0", "'count': wanted a whole number of at least 1, found 0"),
    ):
        status, told, _ = surfaces.rest("GET", path)
        assert status == 400 and text in told["error"], told


def test_every_integer_is_looked_at() -> None:
    """A new integer of a row has a range, or is known to be taken in full."""
    taken = {place.node.name for row in CATALOGUE.rows if row.json is not None and not row.internal
             for place in layout(row.args) if isinstance(place.node, Int)}  # fmt: skip
    whole = {"amount", "start", "end", "stop", "id", "increment", "index", "rank", "timestamp_ms", "generation"}
    assert taken - {node.name for _, node in BOUNDED} == whole
