"""Random calls of the rows that run in Python: whole replies, no internal errors, and no row that is never called.

The words come from the row's arguments, as for rows in the store (`tests/strategies.py`), on connections of both
versions of RESP that also transact, subscribe and end; rows without a RESP word are called in-process. What the
replies should be, the cases of test_redis.py tell.
"""

from collections import Counter
from random import Random
from typing import Any

import pytest
from surfaces import Surfaces

from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive import tape_reader
from synap.engine.resp.machine import RespMachine
from synap.faults import Fault
from synap.store.memory import layout
from tests.naive.store import State
from tests.store.calls import Calls
from tests.support import Bench, Refusal, command, decode

ROWS = [row for row in CATALOGUE.rows if row.handler]
CALLS = 3000
ACCEPTED = 0.85  # share of the rows that do not always refuse, as SHUTDOWN without a process and CONFIG REWRITE do
INTERNAL = "internal error"


class Connections:
    """A few connections, each replaced once it has ended."""

    def __init__(self, surfaces: Surfaces, chance: Random) -> None:
        self.surfaces, self.chance = surfaces, chance
        self.machines = [surfaces.connect(version) for version in (2, 3, 2, 3)]

    def ask(self, words: list[bytes]) -> list[Any]:
        """The replies that some connection gets, and messages that it is sent."""
        at = self.chance.randrange(len(self.machines))
        machine = self.machines[at]
        if machine.session.in_multi and words[1:2] == [b"REPLY"]:
            words = [b"DISCARD"]  # CLIENT REPLY OFF within MULTI leaves the rest of EXEC's array out, as in Redis
        data, found = command(*words), b""
        while data and not machine.closing and not machine.paused:
            buffer = machine.buffer()
            piece, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(piece)] = piece
            found += machine.received(len(piece), self.surfaces.server.clock.now()) or b""
            found += self.taken(machine)
        if machine.closing or self.chance.random() < (0.02 if found else 0.5):  # without a reply, it waits or is mute
            machine.close()
            self.machines[at] = self.surfaces.connect(2 + at % 2)
        self.surfaces.server.engine.diagnostics.unpause()  # a pause would end by a timer, which is not here
        return whole(found)

    def taken(self, machine: RespMachine) -> bytes:
        """What the machine has written, and what it writes once that has left."""
        found = b""
        while machine.output or machine.more:
            found += b"".join(piece if isinstance(piece, bytes) else piece.take(1 << 30) for piece in machine.output)
            machine.output.clear()
            machine.resume(self.surfaces.server.clock.now())
        return found


def whole(data: bytes) -> list[Any]:
    """Replies as Python; every byte belongs to one."""
    found = []
    while data:
        value, data = decode(data)
        found.append(value)
    return found


def in_process(surfaces: Surfaces, bench: Bench, row: Command, words: list[bytes]) -> Any:
    """The reply to a row without a RESP word, or its refusal."""
    slots = bench.fill([b"?", *words], row.name)
    if isinstance(slots, str):
        return slots
    fields = tape_reader.read(row, bench.heap.numbers, bench.heap.bytes, layout.TAPE, lambda text, _: text)
    try:
        return surfaces.database.call(row.name, **fields)
    except Fault as fault:
        return fault


@pytest.mark.parametrize("seed", range(2))
def test_random_calls_of_rows_in_python(store: type[Bench], seed: int) -> None:
    chance, surfaces = Random(seed), Surfaces()
    calls, connections, bench = Calls(chance, State(), huge=0), Connections(surfaces, chance), store()
    seen, accepted = Counter[str](), set()
    for _ in range(CALLS):
        connections.ask(calls.next() if chance.random() > 0.05 else [b"MULTI"])
        row = chance.choice(ROWS)
        words = calls.draw.words(row)
        if row.resp:
            replies = connections.ask([word.encode() for word in row.resp.split("|")] + words)
        else:
            replies = [in_process(surfaces, bench, row, words)]
        seen[row.name] += 1
        if replies and not isinstance(replies[0], Refusal | Fault | str):
            accepted.add(row.name)
        assert not any(INTERNAL in str(reply).lower() for reply in replies), f"{row.name} {words!r:.300}: {replies!r}"
    assert set(seen) == {row.name for row in ROWS}, "a row was never called"
    assert len(accepted) > len(ROWS) * ACCEPTED, set(seen) - accepted


def test_an_internal_error_would_be_found(store: type[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a handler that raises."""
    surfaces = Surfaces()
    row = CATALOGUE.by_resp["LOLWUT"]

    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(surfaces.server.engine.handlers, row.handler, fails)
    (reply,) = Connections(surfaces, Random(1)).ask([b"LOLWUT"])
    assert isinstance(reply, Refusal) and INTERNAL in str(reply).lower()
