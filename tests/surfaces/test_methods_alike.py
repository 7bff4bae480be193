"""The generated methods of both Python interfaces make the same call: fields in-process and words make one tape."""

from random import Random
from typing import Any

import pytest
from test_fields import canonical

from synap.arguments import Choice, Int, Real, Timeout
from synap.client.group_calls import GroupCalls
from synap.client.keys import Keys
from synap.client.machine import encode
from synap.client.queues import QueueCalls
from synap.client.requests import Method
from synap.client.rooms import RoomCalls
from synap.client.topic_calls import TopicCalls
from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive.binders import binder
from synap.derive.methods import KEYWORD, STAR, Parameter, has_method, holder, is_paired, method_name, parameters
from synap.faults import Fault
from synap.io.embedded.generated import RowMethods
from synap.store.memory.layout import TAPE
from tests.support import Bench

ROWS = [row for row in CATALOGUE.rows if has_method(row) and row.python.by_hand == 0]
NAME = "held"


class Called(Exception):
    """A call was made; no method goes on without a reply."""


class Recorder(RowMethods):
    """Keeps the fields of a call."""

    def call(self, name: str, /, **fields: Any) -> Any:
        self.fields = fields
        raise Called

    _call_waiting = call


class Owner:
    """What the builders of the client's methods ask of their object."""

    name = NAME

    def _same(self, value: Any) -> Any:
        return value

    _data = _members = _places = _tuple = _same


def value(chance: Random, node: Any) -> Any:
    """A value for one argument."""
    if isinstance(node, Int):
        return chance.choice((0, 1, -7, 1 << 40))
    if isinstance(node, Real):
        return chance.choice((0.5, -2.0, 1e9))
    if isinstance(node, Timeout):
        return chance.choice((0.5, 2, 60.25))
    return chance.choice(node.words) if isinstance(node, Choice) else chance.choice(("a", "Grüße", "", "1"))


def drawn(chance: Random, each: Parameter) -> Any:
    """What a program might give for a parameter."""
    inner = getattr(each.node, "inner", ())
    groups = range(chance.randint(1, 3) + (5 if each.name == "options" else 0))  # fewer are a wrong arity
    if is_paired(each):
        return [tuple(value(chance, node) for node in inner) for _ in groups]
    if each.type.startswith("bool"):
        return True
    return [value(chance, inner[0]) for _ in groups] if inner else value(chance, each.node)


def given(chance: Random, row: Command) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of a call of the row's method in-process, by position and by name."""
    arguments: list[Any] = []
    options: dict[str, Any] = {}
    named = False
    for each in parameters(row):
        if each.default and chance.random() < 0.6:
            named = True  # what is behind would take its place
            continue
        found = NAME if each.field == holder(row) else drawn(chance, each)
        if each.how is STAR:
            arguments += found
        elif each.how is KEYWORD or named:
            options[each.name] = found
        else:
            arguments.append(found)
        named = named or each.how is STAR
    return arguments, options


OWNERS = {"": Keys, "queue": QueueCalls, "room": RoomCalls, "topic": TopicCalls, "group": GroupCalls}


def words_of(row: Command, arguments: list[Any], options: dict[str, Any]) -> list[bytes]:
    """The words that the client sends."""
    owner, name = OWNERS[holder(row)], method_name(row)
    method = getattr(owner, name.partition("_")[2] if holder(row) else name)
    assert isinstance(method, Method)
    rest = arguments[1:] if holder(row) else arguments
    words = method.build(Owner(), *rest, **options).words
    parts = encode(list(words)).split(b"\r\n")
    assert parts[0] == b"*%d" % len(words)
    return parts[2::2][: len(words)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_fields_and_words_make_one_tape(store: type[Bench], row: Command) -> None:
    bench, chance, accepted = store(), Random(row.code), 0
    for _ in range(30):
        arguments, options = given(chance, row)
        recorder = Recorder()
        with pytest.raises(Called):
            getattr(recorder, method_name(row))(*arguments, **options)
        try:
            made, blob = binder(row, native=True)(recorder.fields)
        except Fault:  # options that exclude each other
            continue
        slots = bench.fill(words_of(row, arguments, options))
        if isinstance(slots, str):
            continue
        accepted += 1
        texts = bytes(bench.heap.bytes[bench[TAPE - 1] : bench[TAPE - 1] + (1 << 12)])
        assert canonical(row.args, 0, made, blob, 0) == canonical(row.args, 0, slots, texts, 0), (arguments, options)
    assert accepted > 5
