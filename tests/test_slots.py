"""Slots of tapes: whatever name a function reads a tape by, each row that reaches it has such an argument there.

A function may serve several rows (RPUSH and the loading of a list), and then uses the names of one of them. The test
follows each row's function through the store and compares every name it meets with the row's own arguments.
"""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from synap.arguments import GROUPS, Choice, Key, OneOf, Place, Raw, Text, layout
from synap.call import Call
from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive import tape_reader
from synap.derive.doors import place_of
from synap.derive.packed_calls import call_of
from synap.derive.slots import named_slots
from synap.faults import Fault
from synap.store.memory import codes
from synap.store.slots import queues, strings
from tests.cases import check_all
from tests.tidiness import SLOT_NAMES, Source, dotted, functions, sources

STORE = "synap.store."
DECIDED = "synap.store.memory.decided."
ROWS = [row for row in CATALOGUE.rows if row.run]
NAMES = {name: (row, number, place) for row in ROWS for name, number, place in named_slots(row)}
OTHER_TAPES = ("DECIDED", "TAPE")
"""Tapes of other rows: a call with one of these is not a call of the row that is followed."""


@cache
def store() -> dict[str, tuple[Source, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of the store, by its full name."""
    found = [source for source in sources() if source.module.startswith(STORE)]
    return {name: (source, node) for source in found for name, node in functions(source)}


def full_name(source: Source, node: ast.expr) -> str:
    """What an expression names, in full; a name of the same module under this module."""
    first, dot, rest = dotted(node).partition(".")
    return source.aliases.get(first, f"{source.module}.{first}") + dot + rest


def used(name: str) -> Iterator[tuple[str, str]]:
    """Yield ("slot", its name) and ("call", a function) of what one function uses for the tape of its row."""
    source, function = store()[name]
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute | ast.Name) and full_name(source, node).startswith(SLOT_NAMES):
            yield "slot", full_name(source, node).rpartition(".")[2]
            continue
        if isinstance(node, ast.Call):
            called = full_name(source, node.func)
            if any(dotted(argument) in OTHER_TAPES for argument in node.args):
                continue
            if called.startswith(DECIDED):  # slots of the decided row, up to an argument of this one's tape
                own = [dotted(argument) for argument in node.args]
                first = own.index("tape") if "tape" in own else len(own)
                waiting += [a for i, a in enumerate(node.args) if i > first or isinstance(a, ast.Subscript)]
                continue
            if called in store():
                yield "call", called
        waiting += ast.iter_child_nodes(node)


def reached(row: Command) -> set[str]:
    """The names of slots that the function of a row, or a function that it calls, uses for the row's tape."""
    module, _, function = row.run.partition(".")
    waiting, seen, names = [f"{STORE}{place_of(module)}.{module}.{function}"], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            for kind, what in used(name):
                if kind == "slot":
                    names.add(what)
                else:
                    waiting.append(what)
    return names


def kind(node: object) -> type:
    """The kind of an argument on the tape, where a Bound is a Text."""
    return Text if isinstance(node, Text) else type(node)


def kinds(node: object) -> list[type]:
    """The kinds of the arguments in one item of a group; none for any other argument."""
    return [kind(inner) for inner in node.inner] if isinstance(node, GROUPS) else []


def has(row: Command, name: str) -> bool:
    """Whether a row has such an argument, or such a number of an alternative, as this name stands for."""
    owner, number, place = NAMES[name]
    if owner is row or place is None:
        return owner is row
    return any(fits(mine, place, name, number) for mine in layout(row.args)) or is_plain_number(row, name, place)


def fits(mine: Place, place: Place, name: str, number: int) -> bool:
    """Whether an argument of one row is where, and what, the argument of another row is."""
    same = kind(mine.node) is kind(place.node) and kinds(mine.node) == kinds(place.node)
    if "_IS_" in name:
        return same and words_of(mine)[:number] == words_of(place)[:number]
    if name.endswith("_STRIDE"):
        return same
    return same and mine.slot == place.slot and kinds(mine.group) == kinds(place.group)


def is_plain_number(row: Command, name: str, place: Place) -> bool:
    """Whether the name is of an alternative, and the row has no choice of that name to mistake it for."""
    choices = [mine.node for mine in layout(row.args) if isinstance(mine.node, OneOf | Choice)]
    return "_IS_" in name and all(choice.name != place.node.name for choice in choices)


def words_of(place: Place) -> list[str]:
    """The words of the alternatives of a choice."""
    if isinstance(place.node, OneOf):
        return [inner.word for inner in place.node.inner]
    return list(place.node.words)


def test_the_names_that_a_row_reaches_are_right_for_it() -> None:
    def check(row: Command) -> None:
        found = reached(row)
        assert [name for name in sorted(found) if not has(row, name)] == []
        if row.args and not isinstance(getattr(row.args[0], "inner", (None,))[0], Choice):  # nothing asks for ASYNC
            assert found, "this row reads nothing of its tape"

    check_all(check, ROWS, lambda row: row.name)


def test_every_name_that_is_used_is_generated() -> None:
    for name in store():
        for kind, what in used(name):
            assert kind == "call" or what in NAMES, f"{name}: {what}"


@pytest.mark.parametrize("args, wrong", [
    ((Key("key"), Key("other"), Raw("value")), ["KV_SETEX_TTL", "KV_SETEX_VALUE"]),
    ((Key("key"), Raw("value")), ["KV_SETEX_TTL", "KV_SETEX_VALUE"]),
    ((Raw("key"),), ["KV_SETEX_KEY", "KV_SETEX_TTL", "KV_SETEX_VALUE"]),
    (CATALOGUE.by_name["kv.psetex"].args, []),
])  # fmt: skip
def test_a_row_with_other_slots_is_found(args: tuple[object, ...], wrong: list[str]) -> None:
    row = Command("kv.try", 0x0199, "Try.", args=args, run="strings.set_for_seconds")
    assert [name for name in sorted(reached(row)) if not has(row, name)] == wrong


def test_the_slots_of_a_decided_row_are_its_own() -> None:
    assert not any(name.startswith("SET_REMOVE") for name in reached(CATALOGUE.by_name["set.pop"]))
    assert not any(name.startswith("STREAM_MAKE") for name in reached(CATALOGUE.by_name["stream.create"]))
    put = reached(CATALOGUE.by_name["queue.publish"])
    assert not any(name.startswith("QUEUE_PUT") for name in put) and "QUEUE_PUBLISH_HEADERS" in put


def read_back(call: Call) -> dict[str, object]:
    """The arguments of a call, read off its tape."""
    return tape_reader.read(CATALOGUE.by_code[call.code], [0, 0, *call.tape], call.blob, 2)


def test_a_call_made_in_python_has_its_arguments_in_their_slots() -> None:
    call = call_of(CATALOGUE.by_name["kv.set"], 3, key="k", value=b"\xff", ttl=5)
    assert (call.code, call.namespace, len(call.tape)) == (codes.KV_SET, 3, strings.KV_SET_SLOTS)
    assert call.tape[strings.KV_SET_EXPIRY] == strings.KV_SET_EXPIRY_IS_EX and call.tape[strings.KV_SET_TTL] == 5
    assert read_back(call) == {"key": b"k", "value": b"\xff", "ttl": 5}
    call = call_of(CATALOGUE.by_name["queue.nack"], queue="q", message_id="m", drop=True, consumer_id="c")
    assert call.tape[queues.QUEUE_NACK_HAS_CONSUMER] == call.tape[queues.QUEUE_NACK_DROP] == 1
    assert read_back(call) == {"queue": b"q", "message_id": b"m", "drop": True, "consumer_id": b"c"}
    assert call_of(CATALOGUE.by_name["queue.due"]) == Call(codes.QUEUE_DUE, 0, (), b"")
    with pytest.raises(Fault, match="key"):
        call_of(CATALOGUE.by_name["kv.get"])


def test_a_row_that_takes_the_code_of_another_is_not_mistaken_for_it() -> None:
    for args in ((Key("key"),), (Key("key"), Raw("value"))):
        row = Command("kv.try", codes.KV_SET, "Try.", args=args)
        assert len(call_of(row, key="k", value="v").tape) == row.slots
