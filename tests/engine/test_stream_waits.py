"""XREAD and XREADGROUP that wait: who is served by which entry, and what ends the wait. As Redis 7.2."""

from typing import Any

import pytest

from tests.engine.engines import House
from tests.engine.test_list_waits import WRONG_TYPE, heard, no_one_waits, waiting
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal

NO_GROUP = Refusal("NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option")


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def told(*ids: str, key: bytes = b"x") -> list[Any]:
    """The reply with these entries of a stream."""
    return [[key, [[each.encode(), [b"f", b"v"]] for each in ids]]]


def test_every_reader_gets_an_entry_and_each_group_once(house: House) -> None:
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM", "XGROUP CREATE x h $")
    clients = waiting(
        house, "XREAD BLOCK 0 STREAMS x 9", "XREAD BLOCK 0 STREAMS x $", "XREADGROUP GROUP g a BLOCK 0 STREAMS x >",
        "XREADGROUP GROUP g b BLOCK 0 STREAMS x >", "XREADGROUP GROUP h c BLOCK 0 STREAMS x >",
        "XREAD BLOCK 0 STREAMS x 0",
    )  # fmt: skip
    giver.ask("XADD x 1-1 f v")
    assert heard(clients) == [None, told("1-1"), told("1-1"), None, told("1-1"), told("1-1")]
    giver.ask("XADD x 2-1 f v", "XADD x 9-1 f v")
    late = heard(clients)
    assert late[0] == told("9-1") and late[3] == told("2-1")
    assert giver.one("XPENDING x g")[3] == [[b"a", b"1"], [b"b", b"1"]] and no_one_waits(house)


def test_a_dollar_is_the_last_id_when_the_wait_begins(house: House) -> None:
    giver = house.client()
    giver.ask("XADD x 5-1 f v")
    clients = waiting(house, "XREAD BLOCK 0 STREAMS x y $ $")
    giver.ask("XDEL x 5-1", "XSETID x 6-1", "MULTI", "XADD x 7-1 f v", "XDEL x 7-1", "EXEC")
    assert heard(clients) == [None]
    giver.ask("DEL x", "XADD x 4-1 f v", "XADD x 5-1 f v")
    assert heard(clients) == [None], "the ids of a new stream are behind the old one's only later"
    giver.ask("XADD x 5-2 f v")
    assert heard(clients) == [told("5-2")]


def test_a_transaction_is_served_from_at_its_end(house: House) -> None:
    """By the key that was written first, as other calls that wait for several keys."""
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM", "XGROUP CREATE y g $ MKSTREAM")
    clients = waiting(
        house, "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS x >", "XREADGROUP GROUP g b BLOCK 0 STREAMS x y > >",
        "XREAD COUNT 2 BLOCK 0 STREAMS x $",
    )  # fmt: skip
    giver.ask("MULTI", "XADD x 1-1 f v", "XADD x 1-2 f v", "XADD x 1-3 f v", "XADD y 1-1 f v", "EXEC")
    assert heard(clients[:1]) == [told("1-1")] and heard(clients[2:]) == [told("1-1", "1-2")]
    assert heard(clients[1:2]) == [told("1-2", "1-3")]
    assert giver.one("XREADGROUP GROUP g b STREAMS y >") == told("1-1", key=b"y")


@pytest.mark.parametrize(("change", "reply"), [
    ("XGROUP DESTROY x g", NO_GROUP), ("DEL x", NO_GROUP), ("FLUSHALL", NO_GROUP), ("RENAME x z", NO_GROUP),
    ("SET x text", WRONG_TYPE), ("RENAME l x", WRONG_TYPE),
])  # fmt: skip
def test_what_ends_the_wait_of_a_group(house: House, change: str, reply: Refusal) -> None:
    """A reader without a group goes on waiting for the key."""
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM", "RPUSH l 1")
    clients = waiting(house, "XREADGROUP GROUP g c BLOCK 0 STREAMS x >", "XREAD BLOCK 0 STREAMS x $")
    giver.ask(change)
    assert heard(clients) == [reply, None]
    giver.ask("DEL x", "XADD x 1-1 f v")
    assert heard(clients[1:]) == [told("1-1")] and no_one_waits(house)


def test_the_consumer_is_there_while_its_call_waits(house: House) -> None:
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM", "XGROUP CREATE y g $ MKSTREAM")
    clients = waiting(house, "XREADGROUP GROUP g c BLOCK 0 STREAMS x y > >")
    for key in "xy":
        (consumer,) = giver.one(f"XINFO CONSUMERS {key} g")
        assert consumer[1] == b"c" and consumer[7] == -1
    assert giver.ask("XGROUP DELCONSUMER y g c", "XADD y 1-1 f v") == [0, b"1-1"]
    assert heard(clients) == [told("1-1", key=b"y")] and giver.one("XPENDING y g")[3] == [[b"c", b"1"]]


@pytest.mark.parametrize("write", ["XADD x 1-1 f v", "RENAME z x", "COPY z x"])
def test_whatever_makes_a_stream_serves_it(house: House, write: str) -> None:
    giver = house.client()
    giver.ask("XADD z 1-1 f v")
    clients = waiting(house, "XREAD BLOCK 0 STREAMS x 0", "XREAD BLOCK 0 STREAMS x $")
    giver.ask(write)
    assert heard(clients) == [told("1-1")] * 2


def test_times_up(house: House) -> None:
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM")
    clients = waiting(house, "XREAD BLOCK 5 STREAMS x $", "XREADGROUP GROUP g c BLOCK 5 STREAMS x >")
    modern = house.client()
    modern.ask("HELLO 3")
    assert modern.ask("XREAD BLOCK 5 STREAMS x $") == []
    house.now += 5
    house.upkeep()
    assert [client.take() for client in clients] == [b"*-1\r\n"] * 2 and modern.take() == b"_\r\n"
    assert no_one_waits(house)


def test_the_log_repeats_what_was_delivered(house: House, store: type[Bench]) -> None:
    giver = house.client()
    giver.ask("XGROUP CREATE x g $ MKSTREAM")
    waiting(house, "XREADGROUP GROUP g a BLOCK 0 STREAMS x >", "XREADGROUP GROUP g b NOACK BLOCK 0 STREAMS x x > >")
    giver.ask("MULTI", "XADD x 1-1 f v", "XADD x 1-2 f v", "EXEC", "XADD x 1-3 f v")
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)
