"""The guards of a call, in their order, for every kind of row and every surface."""

import inspect
import typing
from typing import Any

import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.compat.redis_facts import FACTS
from synap.engine.callers import Caller, Rate
from synap.engine.handlers.table import HANDLERS
from synap.faults import BY_NAME, Fault
from synap.store.memory import layout
from synap.store.memory.layout import (
    GUARD_BROKEN_LOG,
    GUARD_LOADING,
    GUARD_NO_ADMIN,
    GUARD_NO_READS,
    GUARD_NO_WRITES,
    GUARD_RATE,
    GUARD_READ_ONLY,
    GUARD_SIGNED_OUT,
)
from synap.traits import ADMIN, SESSION, SIGNED_OUT
from tests.engine.engines import Client, House
from tests.surfaces.surfaces import Surfaces

READS, WRITES, ADMINISTRATES, NEITHER = "GET k", "SET k v", "CONFIG GET port", "PING"
READS_IN_PYTHON = "OBJECT ENCODING k"  # a row with a handler, which the lane hands over, as the last two
KINDS = (READS, READS_IN_PYTHON, WRITES, ADMINISTRATES, NEITHER)

REFUSALS = [
    (GUARD_SIGNED_OUT, KINDS, "NOT_SIGNED_IN"),
    (GUARD_NO_ADMIN, (ADMINISTRATES,), "NO_PERMISSION"),
    (GUARD_NO_WRITES, (WRITES,), "NO_PERMISSION"),
    (GUARD_NO_READS, (READS, READS_IN_PYTHON), "NO_PERMISSION"),
    (GUARD_READ_ONLY, (WRITES,), "READ_ONLY"),
    (GUARD_LOADING, (READS, READS_IN_PYTHON, WRITES), "LOADING"),
    (GUARD_BROKEN_LOG, (WRITES,), "LOG_FAILED"),
    (GUARD_RATE, KINDS, "RATE_LIMITED"),
]
"""The guards in their order: bit, commands that it refuses, refusal."""


def text_of(name: str, words: str) -> str:
    command = next(row.resp for row in CATALOGUE.rows if words.upper().startswith(row.resp.replace("|", " ") + " ")
                   or words.upper() == row.resp)  # fmt: skip
    return Fault(name).resp_text(command.lower())


def refused(client: Client, words: str) -> str:
    """The refusal of a command, an empty text if it runs."""
    found = client.one(words)
    return str(found) if type(found).__name__ == "Refusal" else ""


@pytest.fixture
def house(store: Any) -> House:
    made = House(store)
    made.client().ask("SET k v")
    return made


@pytest.mark.parametrize("bit, words, name", REFUSALS)
@pytest.mark.parametrize("of_node", [True, False])
def test_each_guard(house: House, bit: int, words: tuple[str, ...], name: str, of_node: bool) -> None:
    """A guard of the node refuses the calls of all callers, a guard of a caller those of this caller alone."""
    client, other = house.client(), house.client()
    if of_node:
        house.engine.numbers[layout.REFUSE] |= bit
    else:
        client.session.guard(bit)
    for command in KINDS:
        for one in (client, other):
            wanted = text_of(name, command) if command in words and (of_node or one is client) else ""
            assert refused(one, command) == wanted, (command, name)
    house.engine.numbers[layout.REFUSE] = 0
    client.session.guard(bit, False)
    assert [refused(client, command) for command in KINDS] == [""] * len(KINDS)


def test_the_first_guard_decides(house: House) -> None:
    client = house.client()
    for i, (bit, words, name) in enumerate(REFUSALS):
        later = [each for each, _, _ in REFUSALS[i:]]
        client.session.guard(-1, False)
        client.session.guard(sum(later))
        assert refused(client, words[0]) == text_of(name, words[0])
        assert bit in later


def test_memory_is_behind_the_log_and_before_the_rate(house: House) -> None:
    house.engine.numbers[layout.BYTES_MAX] = 1
    client = house.client()
    client.session.guard(GUARD_RATE)
    assert refused(client, WRITES) == Fault("OUT_OF_MEMORY").resp_text()
    client.session.guard(GUARD_BROKEN_LOG)
    assert refused(client, WRITES) == Fault("LOG_FAILED").resp_text()
    assert refused(client, READS) == Fault("RATE_LIMITED").resp_text()


def test_who_has_not_signed_in_may_sign_in(house: House) -> None:
    client = house.client()
    client.session.guard(GUARD_SIGNED_OUT | GUARD_RATE | GUARD_NO_READS)
    assert refused(client, "AUTH default x") == "" and refused(client, "HELLO 2") == ""
    assert refused(client, "MULTI") == Fault("NOT_SIGNED_IN").resp_text()
    assert not client.session.in_multi and refused(client, "RESET") == ""
    assert {row.name for row in CATALOGUE.rows if row.traits & SIGNED_OUT} == {
        row.name for row in CATALOGUE.rows if "no_auth" in FACTS.get(row.resp, ([], []))[0]
    }


def test_rows_of_administrators_are_those_of_redis() -> None:
    for row in CATALOGUE.rows:
        if row.resp in FACTS and not row.resp.startswith("DEBUG"):
            assert bool(row.traits & ADMIN) == ("admin" in FACTS[row.resp][0]), row.name


@pytest.mark.parametrize("command", [READS, READS_IN_PYTHON])
def test_a_refusal_in_multi_breaks_the_transaction(house: House, command: str) -> None:
    client = house.client()
    client.session.guard(GUARD_NO_READS)
    aborted = Fault("EXEC_ABORTED").resp_text()
    assert refused(client, "MULTI") == "" and client.one("SET k w") == b"QUEUED"
    assert refused(client, command) == text_of("NO_PERMISSION", command)
    assert refused(client, "EXEC") == aborted


def test_a_guard_that_comes_between_holds_for_queued_calls(house: House) -> None:
    client = house.client()
    client.ask("MULTI", "SET k w", READS_IN_PYTHON, "PING")
    client.session.guard(GUARD_NO_WRITES | GUARD_NO_READS)
    first, second, third = client.one("EXEC")
    assert str(first) == text_of("NO_PERMISSION", "SET k w")
    assert str(second) == text_of("NO_PERMISSION", READS_IN_PYTHON) and third == b"PONG"


def test_a_guard_that_comes_between_holds_for_calls_that_wait(house: House) -> None:
    client, pusher = house.client(), house.client()
    assert client.ask("BLPOP l 0") == []
    client.session.guard(GUARD_NO_WRITES)
    pusher.ask("RPUSH l a")
    assert [str(found) for found in client.heard] == [text_of("NO_PERMISSION", "BLPOP l 0")]
    assert pusher.one("LLEN l") == 1


@pytest.mark.parametrize("command", [READS, NEITHER])
def test_a_rate(house: House, command: str) -> None:
    """Two calls at once and ten a second: refused calls cost nothing, and other callers notice nothing."""
    client, other = house.client(), house.client()
    client.session.rate = Rate(10, 2, house.now)
    limited = Fault("RATE_LIMITED").resp_text()
    assert [str(found) == limited for found in client.ask(*[command] * 5)] == [False, False, True, True, True]
    assert refused(other, command) == ""
    house.now += 100
    assert [str(found) == limited for found in client.ask(*[command] * 3)] == [False, True, True]
    house.now += 60_000
    assert [str(found) == limited for found in client.ask(*[command] * 3)] == [False, False, True]


@pytest.mark.parametrize("command", [READS, NEITHER])
def test_a_refused_call_costs_nothing_of_the_rate(house: House, command: str) -> None:
    client = house.client()
    client.session.rate = Rate(10, 1, house.now)
    allowed = 0
    for _ in range(30):  # every third call comes when a tenth of a second has passed
        allowed += refused(client, command) == ""
        house.now += 40
    assert allowed == 10


def test_batches_count_for_the_rate() -> None:
    surfaces = Surfaces()
    surfaces.caller.rate = Rate(0.001, 2, surfaces.server.clock.now())
    found = surfaces.batch(*[("kv.set", {"key": "k", "value": "v"})] * 4)
    limited = Fault("RATE_LIMITED").json_text()
    assert [reply["error"] for reply in found] == [None, None, limited, limited]


def test_every_surface_passes_the_guards() -> None:
    """The same call, refused in the same way, over REST, envelope, batch, operation and in this process."""
    surfaces = Surfaces()
    for bit, name in ((GUARD_NO_READS, "NO_PERMISSION"), (GUARD_SIGNED_OUT, "NOT_SIGNED_IN"),
                      (GUARD_RATE, "RATE_LIMITED"), (GUARD_LOADING, "LOADING")):  # fmt: skip
        surfaces.caller.guard(-1, False)
        surfaces.caller.guard(bit)
        surfaces.database._caller.guard(-1, False)
        surfaces.database._caller.guard(bit)
        text = Fault(name).json_text()
        status, found, _ = surfaces.rest("GET", "/kv/get/k")
        assert (status, found["error"]) == (BY_NAME[name].http, text)
        assert surfaces.command("kv.get", {"key": "k"})["error"] == text
        assert [reply["error"] for reply in surfaces.batch(("kv.get", {"key": "k"}))] == [text]
        assert surfaces.rest("POST", "/api/stream", {"operation": "kv.get", "target": "k"})[1] == {"error": text}
        for call in (lambda: surfaces.database.get("k"), lambda: surfaces.database.get_many(["k"])):
            with pytest.raises(Fault) as refusal:
                call()
            assert refusal.value.row.name == name
    surfaces.database._caller.guard(-1, False)
    surfaces.database._caller.guard(GUARD_NO_WRITES)
    with pytest.raises(Fault, match="Permission denied"):
        surfaces.database.blpop("l", timeout=0.1)


def test_handlers_that_need_a_session_have_rows_of_sessions() -> None:
    """A handler whose second argument is a Session is never called for another caller."""
    rows: dict[str, Command] = {row.handler: row for row in CATALOGUE.rows if row.handler}
    checked = 0
    for name, handler in HANDLERS.items():
        second = list(inspect.signature(handler).parameters.values())[1]
        wanted = typing.get_type_hints(handler)[second.name]
        if wanted is not Caller and name in rows:
            assert rows[name].traits & SESSION, name
            checked += 1
    assert checked > 10
