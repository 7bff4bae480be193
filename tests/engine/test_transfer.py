"""Values that are stored as a whole: if something unexpected happens half-way, the log has all of it or nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from synap.call import Call
from synap.engine import transfer
from synap.faults import BrokenNode
from synap.store.memory import layout
from tests.engine.engines import Client, House
from tests.support import Bench

MISTAKES = [ValueError("a mistake"), MemoryError(), KeyboardInterrupt(), BrokenNode("planted")]


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def payload_of(client: Client) -> bytes:
    """A value of several pieces, under `source`; `k` holds another one."""
    assert client.ask(["RPUSH", "source", *["x" * 900] * 3000], "SET k old") == [3000, b"OK"]
    return bytes(client.one("DUMP source"))


def waiting(house: House) -> tuple[int, int]:
    return house.engine.numbers[layout.LOG_COUNT], house.engine.numbers[layout.LOG_TOP]


@pytest.mark.parametrize("mistake", MISTAKES, ids=repr)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_half_a_value_is_not_logged(
    house: House, monkeypatch: pytest.MonkeyPatch, mistake: BaseException, after: int
) -> None:
    client = house.client()
    payload = payload_of(client)
    before, run, made = waiting(house), house.engine.run, []

    def fails(call: Call, now: int) -> int:
        if len(made) == after:
            raise mistake
        made.append(call)
        return run(call, now)

    monkeypatch.setattr(house.engine, "run", fails)
    with pytest.raises(BrokenNode):
        client.ask(["RESTORE", "k", "0", payload, "REPLACE"])
    assert len(made) == after and waiting(house) == before and house.engine.numbers[layout.IN_GROUP] == 0


@pytest.mark.parametrize("after", [1, 2])
def test_nor_is_the_transaction_around_it(house: House, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    client = house.client()
    payload = payload_of(client)
    before, run, made = waiting(house), house.engine.run, []

    def fails(call: Call, now: int) -> int:
        if len(made) == after:
            raise ValueError("a mistake")
        made.append(call)
        return run(call, now)

    client.ask("MULTI", "SET before 1", ["RESTORE", "k", "0", payload, "REPLACE"], "SET behind 1")
    monkeypatch.setattr(house.engine, "run", fails)
    with pytest.raises(BrokenNode):
        client.ask("EXEC")
    assert waiting(house) == before and house.engine.numbers[layout.IN_GROUP] == 0


def test_a_value_that_fits_no_row_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = house.client()
    payload = payload_of(client)
    before, load_calls = waiting(house), transfer.load_calls

    def fails(*args: Any) -> Iterator[Call]:
        yield next(load_calls(*args))
        raise KeyError("no such slot")

    monkeypatch.setattr(transfer, "load_calls", fails)
    (told,) = client.ask(["RESTORE", "k", "0", payload, "REPLACE"])
    assert str(told).startswith("ERR internal error: KeyError") and waiting(house) == before
    assert client.ask("GET k", "DBSIZE") == [b"old", 2]
