"""The change feed of a client: the flow of a reader of changes, and what a change is.

A reader asks for the changes from a seq on, and the server replies at once or as soon as there is one. The reader keeps
the seq itself, so a broken connection loses nothing: it asks again from there. Each reply says where to go on, which is
behind changes that a filter has left out, too. If the server no longer has the changes from that seq on, ChangesGone
is raised: the reader has to begin anew, with the data as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from synap.client.errors import ChangesGone, LocalProtocolError, Refused
from synap.client.flows import Flow, Item, NoMoreItems, Words, exchanging
from synap.client.machine import Word
from synap.client.options import Options
from synap.client.requests import text, whole
from synap.client.words import option

FIRST = re.compile(r"the first is (\d+)")
BATCH = 1000
FRAMES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the data, as the server's log has it; docs/changes.md describes the parts.

    `keys` and texts in `arguments` are bytes. `name` is that of a queue, room, topic or group. `transaction` is the seq
    of the first change of the transaction that the change belongs to, else None. `values` are the values of the keys at
    the time of reading, None without `values=True`.
    """

    seq: int
    time_ms: int
    database: int
    call: str
    keys: list[bytes]
    name: bytes | None
    arguments: dict[str, Any]
    outcome: int | str
    transaction: int | None
    values: list[Any] | None


@dataclass(frozen=True, slots=True)
class Frames:
    """`count` changes from the seq `first` on, as the frames of the server's log."""

    first: int
    count: int
    data: bytes


@dataclass
class ChangePlace:
    """The position of a reader: the seq at which it goes on. None before the server has told."""

    seq: int | None


def filters(families: Iterable[str], match: Word | None, values: bool, feed: str | None) -> Words:
    """Return the words behind CHANGES that say what a reader wants."""
    if isinstance(families, str):
        raise LocalProtocolError(f"families: wanted a list of names, found {families!r}")
    words: Words = (*option("FAMILY", ",".join(families) or None), *option("MATCH", match), *option("FEED", feed))
    return (*words, "VALUES") if values else words


def reading_changes(
    words: Words, place: ChangePlace, options: Options, wait_s: float, until_idle: bool, frames: bool
) -> Flow:
    """Yield changes, or frames, for ever or until none comes for `wait_s` seconds; see the module's docstring."""
    if not wait_s > 0:
        raise LocalProtocolError(f"wait_s: wanted seconds above 0, found {wait_s!r}")
    tries = 0  # for the first request the option `attempts` holds; later ones may take many more
    head: Words = ("CHANGES.FRAMES", "BYTES", FRAMES_BYTES) if frames else ("CHANGES", "LIMIT", BATCH)
    named = "FEED" in words
    if place.seq is None and not named:
        (reply,) = yield from exchanging([("CHANGES", "LIMIT", 1)], options, True)
        place.seq = whole(_found(reply)[b"next"])
    while True:
        wanted = place.seq
        asked = (*head, *option("FROM", wanted), "WAIT", wait_s, *words)
        (reply,) = yield from exchanging([asked], options, True, wait_s, tries)
        tries = 1 + options.reconnects
        found = _found(reply, wanted)
        if frames:
            items: list[Any] = [Frames(whole(found[b"next"]) - found[b"count"], found[b"count"], found[b"frames"])]
            items = items if found[b"count"] else []
        else:
            items = [_change(each) for each in found[b"changes"]]
        for item in items:
            try:
                yield Item(item)
            except NoMoreItems:
                return
            place.seq = item.first + item.count if frames else item.seq + 1
        place.seq = whole(found[b"next"])
        if until_idle and not items and place.seq == wanted:
            return


def _found(reply: Any, wanted: int | None = None) -> dict[bytes, Any]:
    """Return a reply as a map. Raises Refused, or ChangesGone."""
    if isinstance(reply, Refused):
        first = FIRST.search(reply.text)
        if reply.code != ChangesGone.CODE or first is None:
            raise reply
        raise ChangesGone(reply.code, reply.text, wanted or 0, int(first[1]))
    return dict(reply)


def _change(found: dict[bytes, Any]) -> Change:
    outcome = found[b"outcome"]
    return Change(
        found[b"seq"], found[b"time"], found[b"database"], text(found[b"call"]), found[b"keys"], found[b"name"],
        _named(found[b"arguments"]), text(outcome) if isinstance(outcome, bytes) else outcome, found[b"transaction"],
        found.get(b"values"),
    )  # fmt: skip


def _named(found: Any) -> Any:
    """Return arguments with their names as str, also those within lists."""
    if isinstance(found, dict):
        return {text(name): _named(value) for name, value in found.items()}
    return [_named(each) for each in found] if isinstance(found, list) else found
