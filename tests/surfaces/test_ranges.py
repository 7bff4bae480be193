"""Integers out of range: refused with the range, or stored as they are; none is moved into the range in silence."""

from collections.abc import Iterator
from typing import Any

import pytest

from synap.command import Int, layout
from synap.commands import CATALOGUE
from tests.surfaces.surfaces import Surfaces

OPEN = {"amount", "ttl", "px", "exat", "pxat", "start", "end", "stop", "offset", "count", "cursor", "db", "index"}
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


def test_every_integer_is_looked_at() -> None:
    """A row with a new integer joins the table above, or what is known to be taken in full."""
    looked_at = {"priority", "max_retries", "max_depth", "ack_deadline_ms", "default_max_retries", "default_priority",
                 "prefetch_limit", "max_events", "max_bytes", "retention_secs", "limit"}  # fmt: skip
    queues = {
        place.node.name
        for row in CATALOGUE.rows if row.family in ("queue", "stream") and not row.internal
        for place in layout(row.args) if isinstance(place.node, Int)
    }  # fmt: skip
    assert queues - looked_at - OPEN == {"from_offset"}
