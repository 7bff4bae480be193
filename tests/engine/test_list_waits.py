"""Calls that wait for lists: in which order they are served, what they wait through, and moves from list to list."""

from typing import Any

import pytest

from synap.commands import CATALOGUE
from synap.store.memory import layout
from tests.engine.engines import Client, House
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, decode

OK = b"OK"
WRONG_TYPE = Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def waiting(house: House, *calls: str) -> list[Client]:
    """A client for each of these calls, which wait in this order."""
    clients = [house.client() for _ in calls]
    for client, call in zip(clients, calls, strict=True):
        assert client.ask(call) == [] and client.session.parked is not None, call
    return clients


def heard(clients: list[Client]) -> list[Any]:
    """What each has heard: its reply, or None while it waits."""
    return [(client.heard or [None])[0] for client in clients]


def refusals(house: House, word: str) -> int:
    code = next(row.code for row in CATALOGUE.rows if row.resp == word)
    return house.bench[layout.COUNTERS + layout.COUNTER_WORDS * code + layout.COUNTER_REFUSALS]


def no_one_waits(house: House) -> bool:
    octets = house.bench.heap.octets[layout.INTEREST * 8 : layout.INTEREST * 8 + 65536]
    return not house.engine.interest.parked and house.bench[layout.INTEREST_ANY] == 0 and not octets.any()


def test_both_ends_are_served_in_the_order_of_arrival(house: House) -> None:
    clients = waiting(house, "BLPOP k 0", "BRPOP k 0", "BLMPOP 0 1 k RIGHT COUNT 2", "BRPOP other k 0", "BLPOP k 0")
    assert house.client().one("RPUSH k 1 2 3 4 5") == 5
    assert heard(clients) == [[b"k", b"1"], [b"k", b"5"], [b"k", [b"4", b"3"]], [b"k", b"2"], None]
    assert house.client().ask("EXISTS k", "LPUSH k 6", "EXISTS k") == [0, 1, 0]
    assert heard(clients[4:]) == [[b"k", b"6"]] and no_one_waits(house)


@pytest.mark.parametrize(("call", "wanted"), [
    ("BLPOP a b 0", [b"b", b"x"]), ("BRPOP a b 0", [b"b", b"x"]), ("BLMPOP 0 2 a b LEFT", [b"b", [b"x"]]),
    ("BZPOPMIN a b 0", [b"b", b"x", b"1"]), ("BZPOPMAX a b 0", [b"b", b"x", b"1"]),
    ("BZMPOP 0 2 a b MIN", [b"b", [[b"x", b"1"]]]),
])  # fmt: skip
def test_a_key_of_another_kind_is_waited_through(house: House, call: str, wanted: list[Any]) -> None:
    """The first attempt is refused; a call that waits goes on waiting for its other keys, and counts no refusal."""
    giver = house.client()
    (client,) = waiting(house, call)
    word = call.split()[0]
    assert giver.ask("SET a text", "SET b text", "DEL b", "APPEND a s", "SADD b s", "DEL b")[0] == OK
    assert heard([client]) == [None] and refusals(house, word) == 0
    assert giver.ask("ZADD b 1 x" if "Z" in word else "RPUSH b x", "EXISTS b") == [1, 0]
    assert heard([client]) == [wanted]
    assert house.client().one(call) == WRONG_TYPE and refusals(house, word) == 1


@pytest.mark.parametrize("call", ["BLMOVE a b RIGHT LEFT 0", "BRPOPLPUSH a b 0"])
def test_a_move_waits_for_its_source_alone(house: House, call: str) -> None:
    giver = house.client()
    (client,) = waiting(house, call)
    assert len(house.engine.interest.parked) == 1
    assert giver.ask("SET a text", "SET b text", "DEL a", "RPUSH other x") == [OK, OK, 1, 1]
    assert heard([client]) == [None] and refusals(house, call.split()[0]) == 0
    assert giver.one("RPUSH a x y") == 2
    assert heard([client]) == [WRONG_TYPE], "the destination is no list when an element is there"
    assert giver.ask("LRANGE a 0 -1", "GET b") == [[b"x", b"y"], b"text"] and no_one_waits(house)
    assert giver.ask("DEL b a") == [2]
    (client,) = waiting(house, call)
    assert giver.ask("RPUSH a x y", "LRANGE a 0 -1", "LRANGE b 0 -1") == [2, [b"x"], [b"y"]]
    assert heard([client]) == [b"y"]


def test_a_refused_move_leaves_the_element_to_the_next_call(house: House) -> None:
    giver = house.client()
    clients = waiting(house, "BLMOVE a text LEFT LEFT 0", "BLPOP a 0")
    giver.ask("SET text x")
    assert giver.ask("RPUSH a one", "EXISTS a") == [1, 0]
    assert heard(clients) == [WRONG_TYPE, [b"a", b"one"]]


def test_a_chain_of_moves_is_served_by_one_write(house: House, store: type[Bench]) -> None:
    clients = waiting(
        house, "BLPOP d 0", "BLMOVE c d LEFT RIGHT 0", "BRPOPLPUSH b c 0", "BLMOVE a b LEFT RIGHT 0", "BLPOP a 0"
    )
    giver = house.client()
    assert giver.ask("RPUSH a x", "EXISTS a b c d") == [1, 0]
    assert heard(clients) == [[b"d", b"x"], b"x", b"x", b"x", None]
    assert giver.ask("RPUSH a y") == [1] and heard(clients[4:]) == [[b"a", b"y"]]
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_a_circle_of_moves_ends(house: House) -> None:
    """Each waiting call moves the element once."""
    clients = waiting(house, "BLMOVE a b LEFT RIGHT 0", "BLMOVE b a LEFT RIGHT 0", "BLMOVE a a LEFT LEFT 0")
    giver = house.client()
    assert giver.ask("RPUSH a x", "LRANGE a 0 -1", "EXISTS b") == [1, [b"x"], 0]
    assert heard(clients) == [b"x"] * 3 and no_one_waits(house)


def test_a_transaction_is_served_from_at_its_end(house: House) -> None:
    clients = waiting(house, "BLMPOP 0 1 k LEFT COUNT 9", "BRPOPLPUSH k l 0")
    giver = house.client()
    assert giver.ask("MULTI", "RPUSH k a b", "LPUSH k c", "LREM k 0 a", "EXEC")[-1] == [2, 3, 1]
    assert heard(clients) == [[b"k", [b"c", b"b"]], None]
    assert giver.ask("MULTI", "RPUSH k a", "LPOP k", "EXEC", "MULTI", "LMOVE none k LEFT LEFT", "EXEC")[-1] == [None]
    assert heard(clients[1:]) == [None]
    assert giver.ask("RPUSH m x", "MULTI", "LMOVE m k LEFT LEFT", "LLEN k", "EXEC", "LRANGE l 0 -1")[-2:] == [
        [b"x", 1], [b"x"],
    ]  # fmt: skip


@pytest.mark.parametrize("write", ["LMOVE m k LEFT LEFT", "RPOPLPUSH m k", "RENAME m k", "COPY m k", "LPUSH k x"])
def test_whatever_makes_a_list_serves_it(house: House, write: str) -> None:
    giver = house.client()
    assert giver.one("RPUSH m x") == 1
    (client,) = waiting(house, "BLPOP k 0")
    giver.ask(write)
    assert heard([client]) == [[b"k", b"x"]]


def test_times_up_for_moves(house: House) -> None:
    """As in Redis: a null array in RESP2, though the reply would be one element."""
    clients = waiting(house, "BLMOVE a b LEFT LEFT 1", "BRPOPLPUSH a b 1", "BLMPOP 1 1 a LEFT", "BRPOP a 1")
    house.now += 1000
    house.upkeep()
    assert [client.take() for client in clients] == [b"*-1\r\n"] * 4 and no_one_waits(house)


def test_the_log_repeats_what_was_waited_through(house: House, store: type[Bench]) -> None:
    clients = waiting(house, "BLPOP a b 0", "BLMPOP 0 2 a c RIGHT", "BLMOVE d e LEFT LEFT 0")
    house.client().ask("SET a text", "RPUSH b x y", "RPUSH c z", "RPUSH d v")
    assert heard(clients) == [[b"b", b"x"], [b"c", [b"z"]], b"v"]
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_many_waiters_cost_one_look_each_write(house: House) -> None:
    """Once a call finds nothing, the others of its row are not carried out for this write."""
    clients = waiting(house, *["BLPOP k 0"] * 2000)
    giver, code = house.client(), next(row.code for row in CATALOGUE.rows if row.resp == "BLPOP")
    made: list[int] = []
    repeat = house.engine._repeat

    def counted(parked: Any, call: Any, now: int) -> int:
        made.append(1)
        return repeat(parked, call, now)

    house.engine._repeat = counted  # type: ignore[method-assign]
    assert giver.ask("RPUSH k 1 2 3", "SET k text", "DEL k")[0] == 3
    assert heard(clients[:4]) == [[b"k", b"1"], [b"k", b"2"], [b"k", b"3"], None]
    assert len(made) < 10
    assert house.bench[layout.COUNTERS + layout.COUNTER_WORDS * code] == 3, "calls that wait are counted at their end"


WAITS = [
    ("BLPOP a b 0", "BLPOP b a 0", "RPUSH b 1", "RPUSH a 2", [b"b", b"1"], [b"a", b"2"]),
    ("BRPOP a b 0", "BRPOP b a 0", "RPUSH b 1 3", "RPUSH a 2", [b"b", b"3"], [b"b", b"1"]),
    ("BLMPOP 0 2 a b LEFT COUNT 2", "BLPOP b a 0", "RPUSH b 1 3", "RPUSH a 2", [b"b", [b"1", b"3"]], [b"a", b"2"]),
    ("BZPOPMIN a b 0", "BZPOPMAX b a 0", "ZADD b 1 m", "ZADD a 2 n", [b"b", b"m", b"1"], [b"a", b"n", b"2"]),
    ("BZMPOP 0 2 a b MIN", "BZMPOP 0 2 b a MAX", "ZADD b 1 m", "ZADD a 2 n",
     [b"b", [[b"m", b"1"]]], [b"a", [[b"n", b"2"]]]),
]  # fmt: skip


@pytest.mark.parametrize("calls", WAITS, ids=[each[0] for each in WAITS])
def test_the_key_written_first_in_a_transaction_serves_first(house: House, calls: tuple[Any, ...]) -> None:
    """As in Redis, whatever the order of the keys in the calls that wait."""
    one, two, first, second, *wanted = calls
    clients = waiting(house, one, two)
    house.client().ask("MULTI", first, second, "EXEC")
    assert [decode(client.take())[0] for client in clients] == wanted
