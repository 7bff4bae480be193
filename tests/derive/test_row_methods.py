"""The Python methods that are generated from rows: every row has one, and both interfaces make the same call."""

import inspect
import re
from dataclasses import replace
from typing import Any

import pytest

import synap
from synap.client.calls import Calls
from synap.client.group_calls import GroupCalls
from synap.client.keys import Keys
from synap.client.queues import QueueCalls
from synap.client.requests import Blocking
from synap.client.rooms import RoomCalls
from synap.client.topic_calls import TopicCalls
from synap.command import Command
from synap.commands import CATALOGUE, zset_routes
from synap.derive.binders import binder
from synap.derive.method_texts import CLIENT_FROM, EMBEDDED_FROM, client_text, embedded_text
from synap.derive.methods import RESULTS, TooIntricate, has_method, holder, method_name, parameters, result
from synap.io.embedded import calls, methods, queue_methods, script_methods, stream_methods, topic_methods
from synap.methods import CLIENT, EMBEDDED
from tests.cases import check_all
from tests.planned import ROWS as PLANNED

ROWS = [row for row in CATALOGUE.rows if has_method(row)]
NO_METHOD = {"key.starting", "key.list", "hash.set", "hyperloglog.add", *(row.name for row in zset_routes.ROWS),
             "geospatial.geodist", "geospatial.geosearch", "script.run", "script.run_sha", "script.call"}  # fmt: skip
"""Rows that HTTP has beside KEYS, SCAN, HSET, PFADD, EVAL and those of sorted sets and places."""
TAKEN = {"kv.increment": "incr", "kv.decrement": "decr"}
"""Rows without a method of their own, as another row's method without an amount does the same."""
BY_HAND_MAX = 60
HAND_WRITTEN = (methods, queue_methods, script_methods, stream_methods, topic_methods)


def owner_of(row: Command) -> type[Any]:
    """The class of the client that has the row's method."""
    return {"": Keys, "queue": QueueCalls, "room": RoomCalls, "topic": TopicCalls,
            "group": GroupCalls}[holder(row)]


def client_name(row: Command) -> str:
    """The method's name in the client: an object that knows the queue or room leaves their prefix out."""
    return method_name(row).partition("_")[2] if holder(row) else method_name(row)


def test_each_row_that_runs_in_the_store_has_a_method() -> None:
    public = {row.name for row in CATALOGUE.rows if row.run and not row.internal and not row.session}
    assert public - {row.name for row in ROWS} == NO_METHOD
    for row in ROWS:
        if row.name not in TAKEN:
            assert callable(getattr(synap.Database, method_name(row))), row.name
        if not row.python.by_hand & CLIENT:
            assert callable(getattr(owner_of(row), client_name(row)).build), row.name


def test_only_what_needs_it_is_written_by_hand() -> None:
    by_hand = {row.name for row in ROWS if row.python.by_hand & EMBEDDED}
    written = "".join(inspect.getsource(each) for each in HAND_WRITTEN)
    made = set(re.findall(r'"([a-z]+\.[a-z_]+)"', written)) & {row.name for row in ROWS}
    assert made == by_hand - set(TAKEN)
    assert len(by_hand) < BY_HAND_MAX


def test_no_parameter_hides_a_function_that_its_method_calls() -> None:
    used = {name for modules in (EMBEDDED_FROM, CLIENT_FROM) for names in modules.values() for name in names}

    def check(row: Command) -> None:
        assert not {each.name for each in parameters(row)} & used
        assert result(row) in RESULTS

    check_all(check, [row for row in ROWS if row.python.by_hand == 0], lambda row: row.name)


INTRICATE = {"geo.find"}


def test_arguments_that_make_no_signature_are_refused() -> None:
    refused = set()
    for row in PLANNED:
        try:
            compile(embedded_text([runnable(row)], "planned") + client_text([runnable(row)], "planned"), "text", "exec")
        except TooIntricate as error:
            assert str(error).startswith(f"{row.name}: ")
            refused.add(row.name)
    assert refused == INTRICATE


class Recorder(calls.Calls):
    """Keeps what a method calls, and returns nothing."""

    def call(self, name: str, /, **fields: Any) -> Any:
        self.fields = fields

    _call_waiting = call


class Wire(Blocking):
    """Keeps the request of a method of the client."""

    name = "held"

    def _carry(self, request: Any) -> Any:
        return request.words


def made(row: Command) -> tuple[Any, Any]:
    """The row's method of both interfaces, from their text."""
    found = []
    for text, base in ((embedded_text([row], "planned"), Recorder), (client_text([row], "planned"), Wire)):
        space: dict[str, Any] = {}
        exec(text, space)
        owner = space["PlannedMethods"]
        assert issubclass(owner, calls.Calls | Calls)
        found.append(type("Owner", (base, owner), {})())
    return found[0], found[1]


def runnable(row: Command) -> Command:
    """A planned row as one that runs."""
    return replace(row, run="planned.run")


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("xstream.group_create", ("s", "g", "$"), {"mkstream": True, "entriesread": 3},
     "XGROUP CREATE s g $ MKSTREAM ENTRIESREAD 3"),
    ("xstream.ack", ("s", "g", "1-1", "2-1"), {}, "XACK s g 1-1 2-1"),
    ("xstream.setid", ("s", "5-0"), {"maxdeletedid": "4-0"}, "XSETID s 5-0 MAXDELETEDID 4-0"),
]  # fmt: skip


@pytest.mark.parametrize("name, arguments, options, words", CASES, ids=lambda each: str(each) if each else "none")
def test_words_and_fields_of_a_method(name: str, arguments: Any, options: Any, words: str) -> None:
    """The words of the client, and fields of which the binder makes the tape that the words make."""
    row = CATALOGUE.by_name[name]
    embedded, client = made(row)
    told = getattr(client, method_name(row))(*arguments, **options)
    assert " ".join(map(str, told)) == words
    getattr(embedded, method_name(row))(*arguments, **options)
    tape, _ = binder(row, native=True)(embedded.fields)
    assert len(tape) >= row.slots and any(tape)
