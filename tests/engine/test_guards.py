"""The guards of a call, in their order, for every kind of row and every surface."""

import inspect
import json
import typing
from typing import Any

import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.compat.redis_facts import FACTS
from synap.engine.callers import Caller, Rate
from synap.engine.handlers.table import HANDLERS
from synap.faults import BY_NAME, Fault
from synap.io.feeds.endpoints.pubsub import PubSubEndpoint
from synap.io.feeds.endpoints.rooms import RoomEndpoint
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


@pytest.mark.parametrize("command", [READS, READS_IN_PYTHON])
def test_a_queued_call_counts_once(house: House, command: str) -> None:
    """EXEC, in the lane or in Python, refuses no call that was allowed when it was queued."""
    client = house.client()
    client.session.rate = Rate(0.001, 4, house.now)
    found = client.ask("MULTI", WRITES, command, "EXEC", READS)
    assert found[1:3] == [b"QUEUED"] * 2 and b"OK" in found[3] and len(found[3]) == 2
    assert not any(type(each).__name__ == "Refusal" for each in found[3])
    assert str(found[4]) == Fault("RATE_LIMITED").resp_text()


@pytest.mark.parametrize("end", ["DISCARD", "EXEC"])
@pytest.mark.parametrize("before", [(), ("WATCH a",)])
def test_a_transaction_can_end_above_the_rate(house: House, before: tuple[str, ...], end: str) -> None:
    client = house.client()
    client.session.rate = Rate(0.001, 2 + len(before), house.now)
    found = client.ask(*before, "MULTI", READS, READS, end)
    assert str(found[-2]) == Fault("RATE_LIMITED").resp_text()
    assert found[-1] == b"OK" if end == "DISCARD" else str(found[-1]) == Fault("EXEC_ABORTED").resp_text()
    assert not client.session.in_multi


def test_a_snapshot_over_http_passes_the_guards_of_its_row() -> None:
    surfaces = Surfaces()
    surfaces.caller.guard(GUARD_NO_ADMIN)
    assert surfaces.rest("POST", "/snapshot")[:2] == (403, {"error": Fault("NO_PERMISSION").json_text(), "code": 403})


def test_a_call_that_waited_is_not_limited(house: House) -> None:
    client, pusher = house.client(), house.client()
    client.session.rate = Rate(0.001, 1, house.now)
    assert client.ask("BLPOP l 0") == []
    pusher.ask("RPUSH l a")
    assert client.heard == [[b"l", b"a"]]


@pytest.mark.parametrize("end", ["RPUSH l a", "a timeout", "CLIENT UNBLOCK {id} ERROR"])
def test_a_call_that_waits_is_counted_once(house: House, end: str) -> None:
    client, other = house.client(), house.client()
    counter = layout.COUNTERS + layout.COUNTER_WORDS * next(row.code for row in CATALOGUE.rows if row.resp == "BLPOP")
    assert client.ask("BLPOP l 1") == []
    house.now += 5000 if end == "a timeout" else 0
    house.upkeep()
    if end != "a timeout":
        other.ask(end.format(id=client.session.number))
    assert len(client.heard) == 1
    refused_too = 1 if "ERROR" in end else 0
    assert [house.engine.numbers[counter + i] for i in range(2)] == [1, refused_too]


def test_a_refusal_to_queue_is_counted(house: House) -> None:
    client = house.client()
    client.session.guard(GUARD_NO_READS)
    for command in (READS, READS_IN_PYTHON):
        code = next(row.code for row in CATALOGUE.rows if row.resp == command.rsplit(" ", 1)[0].replace(" ", "|"))
        refusals = layout.COUNTERS + layout.COUNTER_WORDS * code + layout.COUNTER_REFUSALS
        before = house.engine.numbers[refusals]
        client.ask("MULTI", command, "DISCARD")
        assert house.engine.numbers[refusals] == before + 1, command


class Socket:
    """A WebSocket that keeps what an endpoint sends."""

    full = False

    def __init__(self, surfaces: Surfaces) -> None:
        self.server, self.caller = surfaces.server, surfaces.caller
        self.sent: list[dict[str, Any]] = []
        self.closed = 0

    def send_text(self, data: bytes, kind: str = "message", place: str = "") -> None:
        self.sent.append(json.loads(data))

    def fail(self, fault: Fault, data: bytes, code: int) -> None:
        self.send_text(data)
        self.close(code, "")

    def drain_soon(self) -> None:
        """Nothing pauses here."""

    def protected(self, work: Any, *given: Any) -> Any:
        return work(*given)

    def close(self, code: int, reason: str) -> None:
        self.closed = code


def test_what_a_socket_delivers_costs_nothing_of_the_rate() -> None:
    surfaces = Surfaces()
    surfaces.resp("STREAM.CREATE", "r")
    for i in range(30):
        surfaces.resp("STREAM.PUBLISH", "r", "e", str(i))
    surfaces.caller.rate = Rate(0.001, 1, surfaces.server.clock.now())
    socket: Any = Socket(surfaces)
    endpoint = RoomEndpoint(socket, {"room": "r", "subscriber_id": "s"})
    endpoint.begin()
    endpoint.ended()
    assert [each["type"] for each in socket.sent] == ["connected"] + ["event"] * 30 and not socket.closed
    found = [surfaces.command("key.exists", {"key": "k"})["error"] for _ in range(2)]
    assert found == [None, Fault("RATE_LIMITED").json_text()]


def test_the_topics_of_a_socket_pass_the_guards() -> None:
    surfaces = Surfaces()
    text = Fault("NOT_SIGNED_IN").json_text()
    socket: Any = Socket(surfaces)
    surfaces.caller.guard(GUARD_SIGNED_OUT)
    PubSubEndpoint(socket, {"topics": "a"}).begin()
    assert socket.sent == [{"error": text}] and socket.closed == 1008
    surfaces.caller.guard(GUARD_SIGNED_OUT, False)
    socket = Socket(surfaces)
    endpoint = PubSubEndpoint(socket, {"topics": "a"})
    endpoint.begin()
    surfaces.caller.guard(GUARD_SIGNED_OUT)
    for command in ("subscribe", "unsubscribe"):
        endpoint.received(json.dumps({"command": command, "topics": ["b"]}).encode())
    endpoint.ended()
    assert [each["type"] for each in socket.sent] == ["connected", "error", "error"]
    assert [each["error"] for each in socket.sent[1:]] == [text, text]


@pytest.mark.parametrize("path, body", [
    ("/queue/publish", {"queue": "q", "payload": [1]}), ("/stream/publish", {"room": "r", "event": "e", "data": 1}),
])  # fmt: skip
def test_a_request_that_makes_two_calls_counts_once(path: str, body: dict[str, Any]) -> None:
    surfaces = Surfaces()
    surfaces.caller.rate = Rate(0.001, 2, surfaces.server.clock.now())
    assert [surfaces.rest("POST", path, body)[0] for _ in range(2)] == [200, 200]
    first = next(iter(body))
    assert surfaces.rest("POST", path, body | {first: "other"})[0] == 429
    assert b"other" not in [*surfaces.resp("QUEUE.LIST"), *surfaces.resp("STREAM.LIST")], "made above the rate"


def test_exec_with_a_large_reply_counts(house: House) -> None:
    client = house.client()
    client.ask(["SET", "large", "x" * (2 << 20)])
    client.session.rate = Rate(0.001, 3, house.now)
    found = client.ask("MULTI", "GET large", "EXEC", "PING")
    assert len(found[2][0]) == 2 << 20 and str(found[3]) == Fault("RATE_LIMITED").resp_text()


@pytest.mark.parametrize("command", ["GET", "NOTHING x", "SET k v WHAT", "INCRBY k x"])
def test_a_command_that_is_misspelled_counts(house: House, command: str) -> None:
    client = house.client()
    client.session.rate = Rate(0.001, 1, house.now)
    first, second = client.ask(command, "PING")
    limited = Fault("RATE_LIMITED").resp_text()
    assert str(first) != limited and str(second) == limited


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
