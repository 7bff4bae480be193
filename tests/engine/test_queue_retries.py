"""Queues whose failed messages wait, that are paused, and whose messages are shown or cancelled; the test has the time.

The rule of the waits is told here again, and the kernel must keep it: after failure n a message waits as long as
FIXED, LINEAR or EXPONENTIAL say, at most BACKOFFMAX, less a share of JITTER percent that follows from its id and n.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from synap.commands import CATALOGUE
from synap.compiler.jit import load
from synap.derive.packed_calls import call_of
from synap.store.memory import layout
from tests.engine.engines import Client, House
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import digest
from tests.store.test_little_memory import fill_gaps, free_gaps
from tests.support import Bench, Refusal

DEADLINE_MS = 1000
RELEASE = CATALOGUE.by_name["queue.release"]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
PENDING = Refusal("ERR no such message is pending")
WAITS = [
    ("BACKOFF FIXED 700", [700] * 7),
    ("BACKOFF FIXED 700 BACKOFFMAX 300", [300] * 7),
    ("BACKOFF LINEAR 700", [700, 1400, 2100, 2800, 3500, 4200, 4900]),
    ("BACKOFF LINEAR 700 BACKOFFMAX 2500", [700, 1400, 2100, 2500, 2500, 2500, 2500]),
    ("BACKOFF EXPONENTIAL 700", [700, 1400, 2800, 5600, 11_200, 22_400, 44_800]),
    ("BACKOFF EXPONENTIAL 700 BACKOFFMAX 6000", [700, 1400, 2800, 5600, 6000, 6000, 6000]),
    ("BACKOFF EXPONENTIAL 1099511627776", [1 << 40] * 7),
    ("BACKOFF FIXED 0", [0] * 7),
    ("BACKOFFMAX 500 JITTER 50", [0] * 7),
]


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


@pytest.fixture
def client(house: House) -> Client:
    return house.client()


def fields(reply: list[Any] | None) -> dict[str, Any]:
    """A message by the names of its fields; without one nothing."""
    pairs = iter(reply or ())
    return {name.decode(): value for name, value in zip(pairs, pairs, strict=True)}


def take(client: Client, queue: str = "q") -> dict[str, Any]:
    return fields(client.one(f"QUEUE.CONSUME {queue} worker"))


def shown(client: Client, command: str) -> list[bytes]:
    """The payloads that a command shows."""
    return [fields(each)["payload"] for each in client.one(command)]


def create(client: Client, options: str, *, retries: int = 7) -> None:
    assert client.one(f"QUEUE.CREATE q 100 {DEADLINE_MS} {retries} 5 {options}") == 1


def wait_of(house: House, client: Client, seen: int) -> int:
    """The ms until the next delivery of the one message of the queue, which must have failed `seen` times."""
    delayed = [fields(each) for each in client.one("QUEUE.DELAYED q")]
    if not delayed:
        return 0
    (message,) = delayed
    assert message["retry_count"] == seen and message["receipt"] is None
    wait = message["deadline"] - house.now
    house.now += wait - 1
    house.upkeep()
    assert take(client) == {}, "it comes a millisecond too early"
    house.now += 1
    house.upkeep()
    return int(wait)


@pytest.mark.parametrize("by", ["nack", "deadline", "release"])
@pytest.mark.parametrize(("options", "waits"), WAITS)
def test_the_waits(house: House, client: Client, by: str, options: str, waits: list[int]) -> None:
    """However a delivery fails, and the eighth failure makes a dead letter."""
    create(client, options)
    name = client.one("QUEUE.PUBLISH q x").decode()
    found = []
    for failures in range(1, 9):
        message = take(client)
        assert message["retry_count"] == failures - 1 and message["message_id"].decode() == name
        if by == "nack":
            assert client.one(f"QUEUE.NACK q {name}") == b"OK"
        elif by == "deadline":
            house.now += DEADLINE_MS
            house.upkeep()
        else:
            gone = call_of(RELEASE, queue="q", message_id=name, deadline=message["deadline"])
            house.engine.run(gone, house.now)
            house.engine.settle(house.now)
        if failures < 8:
            found.append(wait_of(house, client, failures))
    assert found == waits
    assert client.one("QUEUE.DELAYED q") == [] and take(client) == {}
    assert fields(client.one("QUEUE.DEAD q")[0])["retry_count"] == 8
    assert client.one("QUEUE.REVIVE q") == 1 and take(client)["retry_count"] == 0
    client.ask(f"QUEUE.NACK q {name}")
    assert wait_of(house, client, 1) == waits[0], "a revived message begins anew"
    take(client)
    assert client.one(f"QUEUE.NACK q {name} DROP") == b"OK"
    assert client.one("QUEUE.DELAYED q") == [] and len(client.one("QUEUE.DEAD q")) == 1


@pytest.mark.parametrize("percent", [1, 50, 100])
def test_jitter(house: House, client: Client, store: type[Bench], percent: int) -> None:
    """It shortens a wait by less than its percentage, evenly, and a replay and a snapshot know the same waits."""
    client.ask(f"QUEUE.CREATE q 1000 {DEADLINE_MS} 7 5 BACKOFF FIXED 10000 JITTER {percent}")
    client.ask(*(f"QUEUE.PUBLISH q {i}" for i in range(400)))
    for _ in range(400):
        client.one(f"QUEUE.NACK q {take(client)['message_id'].decode()}")
    delayed = [fields(each) for each in client.one("QUEUE.DELAYED q 400")]
    shares = [10_000 - each["deadline"] + house.now for each in delayed]
    assert len(shares) == 400 and 0 <= min(shares) <= 5 * percent and 95 * percent <= max(shares) <= 100 * percent
    assert 40 * percent < sum(shares) / 400 < 60 * percent
    house.flush()
    assert digest(replayed(fresh(store, 6), house.frames)) == digest(house.bench)
    other = House(store)
    loaded(other.bench, dumped(house.bench), house.bench[layout.SEQ])
    other.now = house.now
    again = other.client()
    assert again.one("QUEUE.DELAYED q 400") == client.one("QUEUE.DELAYED q 400")
    for each in (house, other):
        each.now += 10_000
        each.upkeep()
    for _ in range(400):
        message, twin = take(client), take(again)
        assert message["message_id"] == twin["message_id"]
        for asked in (client, again):
            asked.ask(f"QUEUE.NACK q {message['message_id'].decode()}")
    assert again.one("QUEUE.DELAYED q 400") == client.one("QUEUE.DELAYED q 400")
    assert [fields(each)["retry_count"] for each in client.one("QUEUE.DELAYED q 400")] == [2] * 400


def test_others_are_delivered_meanwhile(house: House, client: Client) -> None:
    """A message that waits holds nobody up; those that are ready at once keep the order of their failures."""
    create(client, "BACKOFF FIXED 500")
    client.ask("QUEUE.PUBLISH q a PRIORITY 9", "QUEUE.PUBLISH q b PRIORITY 9", "QUEUE.PUBLISH q c")
    for payload in (b"a", b"b"):
        message = take(client)
        assert message["payload"] == payload
        client.ask(f"QUEUE.NACK q {message['receipt'].decode()}")
    assert shown(client, "QUEUE.DELAYED q") == [b"a", b"b"] and take(client)["payload"] == b"c"
    house.now += 500
    house.upkeep()
    assert shown(client, "QUEUE.PEEK q") == [b"a", b"b"]
    stats = fields(client.one("QUEUE.STATS q"))
    assert (stats["depth"], stats["delayed"], stats["nacked"], stats["pending"]) == (2, 0, 2, 1)


def test_a_waiter_gets_it_when_the_wait_is_over(house: House, client: Client) -> None:
    create(client, "BACKOFF FIXED 500")
    client.ask("QUEUE.PUBLISH q a")
    message, waiter = take(client), house.client()
    assert waiter.ask("QUEUE.CONSUME q other WAIT 0") == []
    client.ask(f"QUEUE.NACK q {message['receipt'].decode()}")
    assert waiter.heard == []
    house.now += 500
    house.upkeep()
    (found,) = waiter.heard
    assert fields(found)["retry_count"] == 1 and fields(found)["receipt"] == message["message_id"] + b":2"


def test_delayed_messages_in_order(house: House, client: Client) -> None:
    """By when they are ready, not by priority; of one time, the one that was delayed first."""
    create(client, "BACKOFF FIXED 20000")
    for payload, delay in (("c", 30), ("a", 10), ("e", 50), ("b", 10), ("d", 40)):
        client.ask(f"QUEUE.PUBLISH q {payload} DELAY {delay} PRIORITY {5 if payload == 'b' else 1}")
    assert shown(client, "QUEUE.DELAYED q") == [b"a", b"b", b"c", b"d", b"e"]
    assert shown(client, "QUEUE.DELAYED q 2") == [b"a", b"b"] and client.one("QUEUE.DELAYED q 0") == []
    client.ask("QUEUE.PUBLISH q failed")
    client.ask(f"QUEUE.NACK q {take(client)['message_id'].decode()}")
    assert shown(client, "QUEUE.DELAYED q") == [b"a", b"b", b"failed", b"c", b"d", b"e"]
    client.ask("QUEUE.CREATE many 2000 1000 3 5", *(f"QUEUE.PUBLISH many {i} DELAY {5000 - i}" for i in range(1100)))
    assert shown(client, "QUEUE.DELAYED many 5000") == [b"%d" % i for i in range(1099, 99, -1)]
    assert len(client.one("QUEUE.DELAYED many")) == 100


def test_cancel(house: House, client: Client) -> None:
    """A delayed message is gone, also one that waits after a failure; nothing else is touched."""
    create(client, "BACKOFF FIXED 500")
    later = client.one("QUEUE.PUBLISH q later DELAY 60").decode()
    leased = client.one("QUEUE.PUBLISH q leased").decode()
    take(client)
    dead = client.one("QUEUE.PUBLISH q dead").decode()
    take(client)
    client.ask(f"QUEUE.NACK q {dead} DROP")
    ready = client.one("QUEUE.PUBLISH q ready").decode()
    house.flush()
    before = digest(house.bench)
    for name in (ready, leased, dead, UNKNOWN, "nonsense", f"{later}:1"):
        assert client.one(f"QUEUE.CANCEL q {name}") == 0
    assert digest(house.bench) == before and not house.engine.frames.take()
    assert client.one(f"QUEUE.CANCEL q {later.upper()}") == 1 and client.one(f"QUEUE.CANCEL q {later}") == 0
    assert client.one(f"QUEUE.NACK q {leased}") == b"OK" and shown(client, "QUEUE.DELAYED q") == [b"leased"]
    assert client.one(f"QUEUE.ACK q {leased}") == PENDING
    assert client.one(f"QUEUE.CANCEL q {leased}") == 1 and client.one("QUEUE.DELAYED q") == []
    house.now += 60_000
    house.upkeep()
    assert shown(client, "QUEUE.PEEK q") == [b"ready"] and shown(client, "QUEUE.DEAD q") == [b"dead"]
    assert house.bench[layout.TIMERS_DUE] > house.now


def test_peek(house: House, client: Client) -> None:
    """The messages in the order in which they are delivered; nothing changes."""
    create(client, "")
    client.ask(*(f"QUEUE.PUBLISH q {i} PRIORITY {i % 3}" for i in range(9)), "QUEUE.PUBLISH q z DELAY 9")
    take(client)
    house.flush()
    before = digest(house.bench)
    found = shown(client, "QUEUE.PEEK q")
    assert found == [b"5", b"8", b"1", b"4", b"7", b"0", b"3", b"6"] and shown(client, "QUEUE.PEEK q 3") == found[:3]
    first = fields(client.one("QUEUE.PEEK q 1")[0])
    assert (first["deadline"], first["receipt"], first["retry_count"]) == (0, None, 0)
    assert digest(house.bench) == before and not house.engine.frames.take()
    assert [take(client)["payload"] for _ in range(8)] == found


def test_pause(house: House, client: Client, store: type[Bench]) -> None:
    """Nobody gets anything until RESUME, then those who wait in their order; all else goes on meanwhile."""
    create(client, "BACKOFF FIXED 300")
    client.ask("QUEUE.PUBLISH q held")
    held = take(client)
    waiters = [house.client() for _ in range(3)]
    waiters[0].ask("QUEUE.CONSUME q w0 WAIT 0")
    assert client.one("QUEUE.PAUSE q") == 1 and client.one("QUEUE.PAUSE q") == 0
    waiters[1].ask("QUEUE.MCONSUME q w1 1 WAIT 0")
    waiters[2].ask("QUEUE.CONSUME q w2 WAIT 9")
    client.ask("QUEUE.PUBLISH q a", "QUEUE.PUBLISH q b PRIORITY 9", "QUEUE.PUBLISH q c DELAY 0.2")
    assert take(client) == {} and client.one("QUEUE.MCONSUME q me 5") == []
    assert client.one(f"QUEUE.RENEW q {held['receipt'].decode()}") == house.now + DEADLINE_MS
    assert client.one(f"QUEUE.NACK q {held['receipt'].decode()}") == b"OK"
    house.now += 5000
    house.upkeep()
    assert shown(client, "QUEUE.PEEK q") == [b"b", b"a", b"c", b"held"]
    assert [waiter.heard for waiter in waiters] == [[], [], []]
    house.flush()
    assert digest(replayed(fresh(store, 6), house.frames)) == digest(house.bench)
    other = House(store)
    loaded(other.bench, dumped(house.bench), house.bench[layout.SEQ])
    assert take(other.client()) == {} and other.client().one("QUEUE.PAUSE q") == 0

    assert client.one("QUEUE.PAUSE q RESUME") == 1 and client.one("QUEUE.PAUSE q RESUME") == 0
    (first,), (second,), (third,) = (waiter.heard for waiter in waiters)
    found = [fields(each)["payload"] for each in (first, second[0], third)]
    assert found == [b"b", b"a", b"c"] and take(client)["payload"] == b"held"
    assert client.one("QUEUE.PAUSE none") == client.one("QUEUE.PEEK none") == client.one("QUEUE.CANCEL none x")


def test_a_pause_outlasts_the_wait_of_a_consumer(house: House, client: Client) -> None:
    create(client, "")
    client.ask("QUEUE.PUBLISH q a", "QUEUE.PAUSE q")
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q me WAIT 2") == []
    house.now += 2000
    house.engine.end_waits(house.now)
    assert waiter.heard == [None]
    client.ask("QUEUE.PAUSE q RESUME")
    assert waiter.heard == [] and take(client)["payload"] == b"a"


@pytest.fixture
def without_memory() -> Iterator[Any]:
    """Take all free memory of a house."""
    load()
    taken = []

    def take_all(house: House) -> None:
        bench = house.bench
        taken.append((bench, int(fill_gaps(*bench.both, 0)), bench[layout.PAGES_END]))
        bench[layout.PAGES_END] = bench[layout.PAGES_TOP]

    yield take_all
    for bench, chain, end in taken:
        free_gaps(*bench.both, chain)
        bench[layout.PAGES_END] = end


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("leased_first", [False, True])
def test_a_failure_needs_no_memory(store: type[Bench], without_memory: Any, copied: bool, leased_first: bool) -> None:
    """A leased message has its place among the delayed, whatever was delayed before or since, also in a copy."""
    house = House(store)
    client = house.client()
    create(client, "BACKOFF FIXED 500")
    delayed = [f"QUEUE.PUBLISH q {i} DELAY 60" for i in range(16)]
    client.ask(*(() if leased_first else delayed), "QUEUE.MPUBLISH q MESSAGES a b c")
    assert len(client.one("QUEUE.MCONSUME q worker 2")) == 2 and take(client)["payload"] == b"c"
    client.ask(*(delayed if leased_first else ()))
    house.flush()
    if copied:
        pieces, seq = dumped(house.bench), house.bench[layout.SEQ]
        house = House(store)
        loaded(house.bench, pieces, seq)
        client = house.client()
    without_memory(house)
    house.now += DEADLINE_MS
    house.upkeep()
    stats = fields(client.one("QUEUE.STATS q"))
    assert (stats["pending"], stats["delayed"], stats["nacked"]) == (0, 19, 3)
