"""Transactions in which something goes wrong: all of them or nothing, and whoever waits is served."""

from typing import Any

import pytest

from synap.faults import BrokenNode
from synap.store.memory import layout
from tests.engine.engines import Client, House
from tests.support import Bench, Refusal

QUEUED = b"QUEUED"
ABORTED = Refusal("EXECABORT Transaction discarded because of previous errors.")


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def arity(word: str) -> Refusal:
    return Refusal(f"ERR wrong number of arguments for '{word.lower()}' command")


def containers(house: House) -> list[str]:
    """Words that are no command alone."""
    return sorted(house.engine.containers - set(house.engine.catalogue.by_resp))


def waiter(house: House) -> Client:
    client = house.client()
    assert client.ask("BLPOP line 0") == []
    return client


def test_a_container_alone_aborts(house: House) -> None:
    found = containers(house)
    assert {"CLIENT", "OBJECT", "CONFIG", "PUBSUB", "SLOWLOG", "LATENCY", "MEMORY", "ACL", "MODULE"} <= set(found)
    for word in found:
        client, waits = house.client(), waiter(house)
        told = client.ask("MULTI", "SET before 1", "RPUSH line 1", word, "SET after 1", "EXEC", "MGET before after")
        assert told == [b"OK", QUEUED, QUEUED, arity(word), QUEUED, ABORTED, [None, None]], word
        assert client.ask(word.lower(), "PING") == [arity(word), b"PONG"], word
        waits.machine.close()


@pytest.mark.parametrize("call", ["COMMAND FOO", "CLIENT FOO", "CONFIG foo bar", "OBJECT ''", "PUBSUB nothing q"])
def test_an_unknown_subcommand_aborts(house: House, call: str) -> None:
    client = house.client()
    told = client.ask("MULTI", "SET before 1", call, "EXEC", "EXISTS before")
    word, below = call.split()[:2]
    unknown = Refusal(f"ERR unknown subcommand '{below}'. Try {word.upper()} HELP.")
    assert told == [b"OK", QUEUED, unknown, ABORTED, 0]


def plant(house: House, what: BaseException | Any) -> None:
    """Let ECHO raise this, or answer it."""

    def handler(*_: Any) -> Any:
        if isinstance(what, BaseException):
            raise what
        return what

    house.engine.handlers = {**house.engine.handlers, "echo": handler}


MISTAKES = [ZeroDivisionError("a mistake"), MemoryError(), RecursionError("deep"), object(), [1, object()]]


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_costs_one_reply(house: House, what: Any, caplog: pytest.LogCaptureFixture) -> None:
    plant(house, what)
    waits, client = waiter(house), house.client()
    told = client.ask("MULTI", "SET before 1", "ECHO x", "RPUSH line 1", "EXEC", "GET before")
    assert told[:4] == [b"OK", QUEUED, QUEUED, QUEUED] and told[5] == b"1"
    done, failed, pushed = told[4]
    assert (done, pushed) == (b"OK", 1) and str(failed).startswith("ERR internal error: ")
    assert waits.heard == [[b"line", b"1"]]
    assert "echo" in caplog.text
    assert house.engine.numbers[layout.IN_GROUP] == 0
    assert client.ask("MULTI", "INCR n", "EXEC") == [b"OK", QUEUED, [1]]


@pytest.mark.parametrize("what", MISTAKES[:3])
def test_a_mistake_without_a_transaction_costs_one_reply(house: House, what: Any) -> None:
    plant(house, what)
    client = house.client()
    told = client.ask("SET a 1", "ECHO x", "GET a")
    assert told[0] == b"OK" and str(told[1]).startswith("ERR internal error: ") and told[2] == b"1"


@pytest.mark.parametrize("large", [False, True])
def test_a_broken_node_leaves_nothing_of_the_group(house: House, large: bool) -> None:
    plant(house, BrokenNode("planted"))
    client = house.client()
    assert client.ask("SET whole 1") == [b"OK"]
    before = house.engine.numbers[layout.LOG_COUNT], house.engine.numbers[layout.LOG_TOP]
    calls = ["MULTI", "SET before 1", "SET more 2", "ECHO x", "SET after 1"]
    if large:
        assert client.ask(["SET", "long", b"x" * 600_000]) == [b"OK"]
        before = house.engine.numbers[layout.LOG_COUNT], house.engine.numbers[layout.LOG_TOP]
        calls[1:1] = ["GET long", "GET long"]
    client.ask(*calls)
    with pytest.raises(BrokenNode, match="planted"):
        client.ask("EXEC")
    assert (house.engine.numbers[layout.LOG_COUNT], house.engine.numbers[layout.LOG_TOP]) == before
    assert house.engine.numbers[layout.IN_GROUP] == 0
