"""What a queue does with messages by its policies; the test has the time.

Messages that expire, FIFO groups, dedup keys, full queues, ageing, a single active consumer, moves, dead letters that
are moved at a rate, and the history of a dead letter. Each test ends with copies of the queue that must be equal to it.
"""

from collections.abc import Iterator

import pytest

from synap.commands import CATALOGUE
from synap.derive.packed_calls import call_of
from synap.store.memory import layout
from synap.store.upkeep import upkeep
from tests.engine.engines import Client, House
from tests.engine.test_queue_retries import fields, shown, take
from tests.store.copies import dumped, fresh, loaded, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal

RELEASE = CATALOGUE.by_name["queue.release"]


@pytest.fixture
def house(store: type[Bench]) -> Iterator[House]:
    """A house whose state a replay of its frames and a snapshot have, too."""
    house = House(store)
    yield house
    house.flush()
    known = digest(house.bench)
    assert digest(replayed(fresh(store, 6), house.frames)) == known, "the replay differs"
    assert digest(loaded(fresh(store, 7), dumped(house.bench), house.bench[layout.SEQ])) == known, "the copy differs"


@pytest.fixture
def client(house: House) -> Client:
    return house.client()


def create(client: Client, options: str, queue: str = "q", *, depth: int = 100, retries: int = 2) -> None:
    assert client.one(f"QUEUE.CREATE {queue} {depth} 1000 {retries} 5 {options}") == 1


def later(house: House, ms: int) -> None:
    house.now += ms
    house.upkeep()


def stat(client: Client, *names: str, queue: str = "q") -> list[object]:
    stats = fields(client.one(f"QUEUE.STATS {queue}"))
    return [stats[name] for name in names]


def receipt(message: dict[str, bytes]) -> str:
    return message["receipt"].decode()


# Messages that expire.


@pytest.mark.parametrize("to", ["", "EXPIRED DROP", "EXPIRED DEAD"])
def test_messages_expire(house: House, client: Client, to: str) -> None:
    """At their own time or that of the queue, wherever they wait, but not while they are leased."""
    create(client, f"TTL 5000 {to}")
    client.ask(
        "QUEUE.PUBLISH q own TTL 2", "QUEUE.PUBLISH q queue", "QUEUE.PUBLISH q ever TTL 0",
        "QUEUE.PUBLISH q delayed DELAY 9 TTL 3", "QUEUE.MPUBLISH q TTL 1 MESSAGES first second",
    )  # fmt: skip
    assert fields(client.one("QUEUE.PEEK q 1")[0])["expires_at"] == house.now + 2000
    house.now += 999
    assert shown(client, "QUEUE.PEEK q") == [b"own", b"queue", b"ever", b"first", b"second"]
    house.now += 1  # the time has come, and upkeep has not: nobody gets it
    client.ask("QUEUE.PURGE none")
    later(house, 0)
    assert shown(client, "QUEUE.PEEK q") == [b"own", b"queue", b"ever"]
    message = take(client)
    assert message["payload"] == b"own"
    later(house, 999)
    later(house, 1)  # its time comes while it is leased; at the end of the lease it is gone
    assert shown(client, "QUEUE.PEEK q") == [b"queue", b"ever"] and stat(client, "pending", "expired") == [0, 3]
    later(house, 1000)
    assert client.one("QUEUE.DELAYED q") == []
    later(house, 2000)
    assert shown(client, "QUEUE.PEEK q") == [b"ever"] and stat(client, "expired", "depth") == [5, 1]
    dead = shown(client, "QUEUE.DEAD q")
    assert dead == ([b"first", b"second", b"own", b"delayed", b"queue"] if "DEAD" in to else [])
    if dead:
        histories = [fields(each)["history"] for each in client.one("QUEUE.DEAD q")]
        assert [[fields(each)["cause"] for each in one] for one in histories] == [
            [b"expired"], [b"expired"], [b"deadline", b"expired"], [b"expired"], [b"expired"],
        ]  # fmt: skip
        assert client.one("QUEUE.REVIVE q") == 5
        later(house, 100_000)
        assert stat(client, "depth") == [6], "a revived message lives on"


def test_an_expired_message_is_not_delivered_late(house: House, client: Client) -> None:
    """Also before upkeep has removed it, one by one and many at once; behind it the next is found."""
    create(client, "")
    client.ask("QUEUE.PUBLISH q old TTL 1 PRIORITY 9", "QUEUE.PUBLISH q low PRIORITY 1")
    client.ask("QUEUE.PUBLISH q new PRIORITY 9")
    house.now += 1000
    assert shown(client, "QUEUE.PEEK q") == [b"new", b"low"]
    assert [fields(each)["payload"] for each in client.one("QUEUE.MCONSUME q me 9")] == [b"new", b"low"]
    client.ask("QUEUE.PUBLISH q older TTL 0.5")
    house.now += 500
    assert take(client) == {} and client.one("QUEUE.MCONSUME q me 9") == []


# FIFO groups.


def test_a_group_is_delivered_one_at_a_time(house: House, client: Client) -> None:
    create(client, "BACKOFF FIXED 500")
    client.ask(*(f"QUEUE.PUBLISH q {group}{i} GROUP {group}" for i in range(3) for group in "ab"))
    client.ask("QUEUE.PUBLISH q free")
    assert stat(client, "depth", "blocked") == [3, 4]
    first, second, free = (take(client) for _ in range(3))
    assert [each["payload"] for each in (first, second, free)] == [b"a0", b"b0", b"free"] and take(client) == {}
    assert (first["group"], free["group"]) == (b"a", None)
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q other WAIT 0") == []
    assert client.one(f"QUEUE.ACK q {receipt(first)}") == b"OK"
    (found,) = waiter.heard
    assert fields(found)["payload"] == b"a1"
    client.ask(f"QUEUE.NACK q {receipt(second)}")  # it waits, and with it its group
    assert take(client) == {} and shown(client, "QUEUE.DELAYED q") == [b"b0"]
    later(house, 500)
    again = take(client)
    assert again["payload"] == b"b0" and take(client) == {}
    client.ask(f"QUEUE.NACK q {receipt(again)} DROP")  # a dead letter holds nobody up
    assert take(client)["payload"] == b"b1"
    assert client.one("QUEUE.REVIVE q") == 1 and stat(client, "blocked") == [3], "behind b2 and a2"
    house.now += 1000


def test_groups_end_with_their_messages(house: House, client: Client) -> None:
    """By purge, deletion, expiry and overflow, whoever has the turn."""
    create(client, "OVERFLOW DROP", depth=4)
    client.ask(*(f"QUEUE.PUBLISH q m{i} GROUP g TTL {9 - i}" for i in range(4)))
    assert client.one("QUEUE.PUBLISH q m4 GROUP g") and stat(client, "dropped", "blocked", "depth") == [1, 3, 1]
    message = take(client)
    assert message["payload"] == b"m1"
    later(house, 7000)
    assert stat(client, "expired", "blocked") == [2, 1], "m2 and m3 are gone, m1 came back and waits"
    assert client.one("QUEUE.PURGE q") == 2 and stat(client, "blocked", "depth") == [0, 0]
    client.ask("QUEUE.MPUBLISH q GROUP g MESSAGES x y z")
    assert take(client)["payload"] == b"x" and client.one("QUEUE.PURGE q") == 2
    client.ask("QUEUE.PUBLISH q next GROUP g", "QUEUE.PUBLISH q later GROUP h DELAY 1", "QUEUE.PUBLISH q now GROUP h")
    assert take(client)["payload"] == b"now" and stat(client, "blocked", "delayed") == [1, 1]
    client.ask("QUEUE.PAUSE q")
    later(house, 1000)
    assert sorted(shown(client, "QUEUE.PEEK q")) == [b"now", b"x"] and stat(client, "blocked", "delayed") == [2, 0]


@pytest.mark.parametrize("budget", [1, 7, 4000])
def test_a_deleted_queue_leaves_nothing(house: House, client: Client, budget: int) -> None:
    create(client, "TTL 100000 DEDUPMS 100000 SINGLE")
    house.flush()
    before = house.bench[layout.WORDS_USED]
    assert client.one("QUEUE.CREATE other 1000 1000 2 5 TTL 9000 DEDUPMS 9000 SINGLE") == 1
    for i in range(60):
        client.ask(f"QUEUE.PUBLISH other m{i} GROUP g{i % 7} DEDUP k{i} TTL {i}", f"QUEUE.PUBLISH other d{i} DELAY 5")
    for _ in range(5):
        client.ask(f"QUEUE.NACK other {receipt(take(client, 'other'))} REASON broken DROP")
    take(client, "other")
    client.ask("QUEUE.REDRIVE other TO q RATE 1", "QUEUE.DELETE other")
    while house.engine.numbers[layout.LAZYFREE]:
        upkeep.lazyfree(*house.bench.both, budget)
    assert house.bench[layout.WORDS_USED] <= before + 64, "a table of names may have grown"


# Dedup keys.


def test_a_key_publishes_once(house: House, client: Client) -> None:
    """Within the time and the number of keys, also when the message is gone; the id is that of the first."""
    create(client, "DEDUPMS 5000 DEDUPKEYS 3")
    first = client.one("QUEUE.PUBLISH q a DEDUP k1")
    assert client.one("QUEUE.PUBLISH q b DEDUP k1") == first and stat(client, "published") == [1]
    client.ask(f"QUEUE.ACK q {take(client)['message_id'].decode()}")
    house.now += 4999
    assert client.one("QUEUE.PUBLISH q c DEDUP k1") == first and stat(client, "depth") == [0]
    house.now += 1
    again = client.one("QUEUE.PUBLISH q d DEDUP k1")
    assert again != first and stat(client, "depth") == [1]
    ids = client.one("QUEUE.MPUBLISH q KEYED k1 x k2 y k2 z k3 w")
    assert ids[0] == again and ids[1] == ids[2] and len(set(ids)) == 3 and stat(client, "published") == [4]
    assert client.one("QUEUE.PUBLISH q v DEDUP k4") not in ids, "the fourth key makes the queue forget the first"
    assert client.one("QUEUE.PUBLISH q d DEDUP k1") != again
    assert client.one("QUEUE.PUBLISH q e DEDUP k1") != client.one(["QUEUE.PUBLISH", "q", "e", "DEDUP", ""])


def test_a_known_key_needs_no_place(house: House, client: Client) -> None:
    create(client, "", depth=1)
    first = client.one("QUEUE.PUBLISH q a DEDUP k")
    assert client.one("QUEUE.PUBLISH q a DEDUP k") == first
    assert client.one("QUEUE.PUBLISH q a DEDUP other") == Refusal("ERR queue is full")
    assert client.one("QUEUE.MPUBLISH q KEYED k a other b") == [first, None]


# Full queues, priorities, consumers.


@pytest.mark.parametrize("mode", ["DROP", "DEAD"])
def test_a_full_queue_drops_the_oldest_of_the_lowest_priority(house: House, client: Client, mode: str) -> None:
    create(client, f"OVERFLOW {mode}", depth=3)
    client.ask("QUEUE.PUBLISH q high PRIORITY 9", "QUEUE.PUBLISH q low1 PRIORITY 1", "QUEUE.PUBLISH q low2 PRIORITY 1")
    client.ask("QUEUE.PUBLISH q new PRIORITY 4")
    assert shown(client, "QUEUE.PEEK q") == [b"high", b"new", b"low2"] and stat(client, "dropped") == [1]
    assert None not in client.one("QUEUE.MPUBLISH q MESSAGES a b c d")
    assert shown(client, "QUEUE.PEEK q") == [b"high", b"c", b"d"] and stat(client, "dropped") == [5]
    assert shown(client, "QUEUE.DEAD q") == ([b"low1", b"low2", b"new", b"a", b"b"] if mode == "DEAD" else [])
    client.ask("QUEUE.PURGE q", *(f"QUEUE.PUBLISH q {i} DELAY 9" for i in range(3)))
    assert client.one("QUEUE.PUBLISH q more") == Refusal("ERR queue is full"), "nothing is ready to be dropped"


def test_ageing(house: House, client: Client) -> None:
    """A message of a low priority comes before younger ones of a higher one, once it has waited long enough."""
    create(client, "AGEING 1000", depth=1000)
    client.ask("QUEUE.PUBLISH q old PRIORITY 2")
    later(house, 1999)
    client.ask("QUEUE.PUBLISH q young PRIORITY 4")
    client.ask(f"QUEUE.ACK q {receipt(take(client))}")
    assert stat(client, "acked") == [1] and shown(client, "QUEUE.PEEK q") == [b"old"]
    client.ask("QUEUE.PUBLISH q younger PRIORITY 4")
    later(house, 1002)
    assert shown(client, "QUEUE.PEEK q") == [b"younger", b"old"]
    message = take(client)
    assert message["payload"] == b"younger", "5 against 5: the higher priority is first"
    client.ask("QUEUE.PUBLISH q youngest PRIORITY 4")
    assert shown(client, "QUEUE.PEEK q") == [b"old", b"youngest"]
    assert take(client)["payload"] == b"old"


def test_one_active_consumer(house: House, client: Client) -> None:
    """The first that gets a message keeps the others out while it holds one, and for an ack deadline more."""
    create(client, "SINGLE", retries=9)
    client.ask("QUEUE.MPUBLISH q MESSAGES a b c d e")
    mine = fields(client.one("QUEUE.CONSUME q one"))
    assert client.one("QUEUE.CONSUME q two") is None and client.one("QUEUE.MCONSUME q two 3") == []
    assert stat(client, "active_consumer") == [b"one"]
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q two WAIT 0") == []
    more = fields(client.one("QUEUE.CONSUME q one"))
    client.ask(f"QUEUE.MACK q {receipt(mine)} {receipt(more)}")
    assert waiter.heard == [] and client.one("QUEUE.CONSUME q two") is None
    later(house, 999)
    assert waiter.heard == []
    later(house, 1)
    (found,) = waiter.heard
    assert fields(found)["payload"] == b"c" and stat(client, "active_consumer") == [b"two"]
    assert client.one("QUEUE.CONSUME q one") is None
    gone = call_of(RELEASE, queue="q", message_id=fields(found)["message_id"], deadline=fields(found)["deadline"])
    house.engine.run(gone, house.now)  # its connection has ended
    house.engine.settle(house.now)
    assert fields(client.one("QUEUE.CONSUME q one"))["payload"] == b"d"


def test_the_active_consumer_may_wait_elsewhere(house: House, client: Client) -> None:
    """Once it is the active one, its other connections get messages, too."""
    create(client, "SINGLE")
    client.ask("QUEUE.MPUBLISH q MESSAGES a b c")
    client.ask(f"QUEUE.ACK q {receipt(take(client))}")
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q two WAIT 0") == []
    house.now += 1000  # and no upkeep
    assert fields(client.one("QUEUE.CONSUME q two"))["payload"] == b"b"
    (found,) = waiter.heard
    assert fields(found)["payload"] == b"c"


def test_a_revived_message_waits_for_the_active_consumer(house: House, client: Client) -> None:
    """A consumer that waits gets it once the active consumer has had its time, though nothing else happens."""
    create(client, "SINGLE")
    client.ask("QUEUE.PUBLISH q m")
    client.ask(f"QUEUE.NACK q {receipt(take(client))} DROP")
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q two WAIT 0") == [] and client.one("QUEUE.REVIVE q") == 1
    later(house, 999)
    assert waiter.heard == []
    later(house, 1)
    (found,) = waiter.heard
    assert fields(found)["payload"] == b"m"


def test_a_cancelled_message_ends_its_turn(house: House, client: Client) -> None:
    """The next message of its group goes to the consumer that waits."""
    create(client, "BACKOFF FIXED 5000")
    client.ask("QUEUE.MPUBLISH q GROUP g MESSAGES a b")
    message = take(client)
    client.ask(f"QUEUE.NACK q {receipt(message)}")
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME q two WAIT 0") == []
    assert client.one(f"QUEUE.CANCEL q {message['message_id'].decode()}") == 1
    (found,) = waiter.heard
    assert fields(found)["payload"] == b"b"


def test_a_copy_expires_what_the_original_does(store: type[Bench], house: House, client: Client) -> None:
    """A message whose time has come while it was leased counts in no later upkeep, of the original and of a copy."""
    create(client, "EXPIRED DEAD", retries=9)
    client.ask("QUEUE.PUBLISH q leased TTL 0.1")
    message = take(client)
    client.ask("QUEUE.PUBLISH q ready TTL 0.2", "QUEUE.PUBLISH q other TTL 0.2")
    later(house, 100)
    house.flush()
    copy = loaded(fresh(store, 7), dumped(house.bench), house.bench[layout.SEQ])
    before = len(house.frames)
    house.now += 100
    house.engine.run(call_of(CATALOGUE.by_name["queue.requeue"], queue=b"q", most=1), house.now)
    house.engine.settle(house.now)
    assert stat(client, "expired", "depth") == [1, 1]
    client.ask(f"QUEUE.NACK q {receipt(message)}")
    assert stat(client, "expired", "dead") == [2, 2], "it expires at the end of its lease"
    house.flush()
    assert digest(replayed(copy, house.frames[before:])) == digest(house.bench)


# Moves.


def test_move(house: House, client: Client) -> None:
    create(client, "TTL 9000 EXPIRED DEAD")
    create(client, "", "other", depth=3)
    client.ask(*(f"QUEUE.PUBLISH q {name} PRIORITY {i} GROUP g{i}" for i, name in enumerate("abcde")))
    one = fields(client.one("QUEUE.PEEK q 9")[3])
    waiter = house.client()
    assert waiter.ask("QUEUE.CONSUME other me WAIT 0") == []
    assert client.one(f"QUEUE.MOVE q other ID {one['message_id'].decode()}") == 1
    (found,) = waiter.heard
    assert (fields(found)["payload"], fields(found)["group"], fields(found)["priority"]) == (b"b", b"g1", 1)
    assert fields(found)["expires_at"] == house.now + 9000
    assert client.one("QUEUE.MOVE q other COUNT 1") == 1 and shown(client, "QUEUE.PEEK other") == [b"e"]
    assert client.one("QUEUE.MOVE q other") == 2 and shown(client, "QUEUE.PEEK other") == [b"e", b"d", b"c"]
    assert client.one("QUEUE.MOVE q other") == 0 and shown(client, "QUEUE.PEEK q") == [b"a"], "no place is left"
    later(house, 9000)
    assert shown(client, "QUEUE.PEEK other") == shown(client, "QUEUE.DEAD other") == []
    assert shown(client, "QUEUE.DEAD q") == [b"a"] and stat(client, "expired", queue="other") == [4]
    for words, text in (
        ("QUEUE.MOVE q q", "ERR source and destination objects are the same"),
        ("QUEUE.MOVE q none", "ERR no such target queue"), ("QUEUE.MOVE none q", "ERR no such queue"),
        ("QUEUE.MOVE q other ID x", "ERR no such message is pending"),
        ("QUEUE.MOVE q other COUNT -1", "ERR value is out of range, must be positive"),
    ):  # fmt: skip
        assert client.one(words) == Refusal(text), words


def test_dead_letters_are_moved_at_a_rate(house: House, client: Client) -> None:
    create(client, "")
    create(client, "", "other", depth=8)
    client.ask("QUEUE.MPUBLISH q MESSAGES " + " ".join(map(str, range(12))))
    for each in client.one("QUEUE.MCONSUME q me 12"):
        client.ask(f"QUEUE.NACK q {receipt(fields(each))} DROP REASON no")
    assert client.one("QUEUE.REDRIVE q TO other RATE 4 COUNT 10") == 10 and stat(client, "redriving") == [10]
    counts = []
    for _ in range(11):
        later(house, 0)
        counts.append(stat(client, "depth", queue="other")[0])
        later(house, 125)
    assert counts == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6], "one at once, then one each 250 ms"
    later(house, 5000)
    assert stat(client, "depth", queue="other") == [8] and stat(client, "redriving") == [2], "the other queue is full"
    message = take(client, "other")
    assert (message["payload"], message["retry_count"]) == (b"0", 0)
    later(house, 1000)
    assert stat(client, "redriving") == [1]
    assert client.one("QUEUE.REDRIVE q STOP") == 1 and client.one("QUEUE.REDRIVE q STOP") == 0
    assert client.one("QUEUE.REDRIVE q") == 3
    later(house, 0)
    assert stat(client, "dead", "depth", "redriving") == [0, 3, 0]
    client.ask(f"QUEUE.NACK q {receipt(take(client))} DROP", "QUEUE.CREATE gone 9 1000 2 5")
    assert client.one("QUEUE.REDRIVE q TO gone") == 1 and client.one("QUEUE.DELETE gone") == 1
    later(house, 0)
    assert stat(client, "dead", "redriving") == [1, 0]
    assert client.one("QUEUE.REDRIVE q RATE 0") == Refusal("ERR the rate must be from 1 to 1000000 messages a second")


# What is told.


def test_the_history_has_the_beginning_of_a_long_name(house: House, client: Client) -> None:
    """Up to 1024 bytes of it, in whole characters: a failure takes little memory, whatever the consumer is called."""
    create(client, "", retries=9)
    client.ask("QUEUE.PUBLISH q m")
    names = ["n" * 1024, "n" * 5000, "n" + "\u00e9" * 600, "\U0001f600" * 300, "n" + "\U0001f600" * 300]
    for name in names:
        message = fields(client.one(["QUEUE.CONSUME", "q", name]))
        client.ask(f"QUEUE.NACK q {receipt(message)}")
    client.ask(f"QUEUE.NACK q {receipt(take(client))} DROP")
    (dead,) = client.one("QUEUE.DEAD q")
    consumers = [fields(each)["consumer_id"] for each in fields(dead)["history"]]
    assert consumers[:-1] == [name.encode()[:1024].decode(errors="ignore").encode() for name in names]


def test_the_history_of_a_dead_letter(house: House, client: Client) -> None:
    """The last ten failures, the oldest first: when, why, who."""
    create(client, "", retries=12)
    client.ask("QUEUE.PUBLISH q m")
    for i in range(12):
        house.now += 1
        client.ask(["QUEUE.NACK", "q", receipt(take(client)), "REASON", f"reason {i}"])
    take(client)
    later(house, 1000)
    (dead,) = client.one("QUEUE.DEAD q")
    history = [fields(each) for each in fields(dead)["history"]]
    assert [each["reason"] for each in history] == [*(b"reason %d" % i for i in range(3, 12)), None]
    assert [each["cause"] for each in history] == [b"nack"] * 9 + [b"deadline"]
    assert {each["consumer_id"] for each in history} == {b"worker"}
    assert [each["at"] for each in history] == [*range(1_000_004, 1_000_013), 1_001_012]
    assert client.one(["QUEUE.NACK", "q", "x:1", "REASON", "y" * 1025]) == Refusal("ERR no such message is pending")


def test_given_back_without_a_failure(house: House, client: Client) -> None:
    create(client, "")
    client.ask("QUEUE.MPUBLISH q MESSAGES a b c d")
    taken = [receipt(fields(each)) for each in client.one("QUEUE.MCONSUME q me 3")]
    assert client.one(["QUEUE.RETURN", "q", taken[0], "x", taken[1], taken[0]]) == [1, 0, 1, 0]
    assert shown(client, "QUEUE.PEEK q") == [b"a", b"b", b"d"] and stat(client, "nacked", "pending") == [0, 1]
    assert take(client)["retry_count"] == 0


def test_ages_and_rates(house: House, client: Client) -> None:
    create(client, "", depth=1000)
    for _ in range(20):
        client.ask("QUEUE.PUBLISH q m", "QUEUE.PUBLISH q m")
        client.ask(f"QUEUE.ACK q {receipt(take(client))}")
        house.now += 1000
    stats = fields(client.one("QUEUE.STATS q"))
    rates = [float(stats[name]) for name in ("publish_rate", "consume_rate", "ack_rate")]
    assert [round(rate, 1) for rate in rates] == [2.0, 1.0, 1.0] and stats["oldest_age_ms"] == 10_000
    house.now += 20_000
    assert float(fields(client.one("QUEUE.STATS q"))["publish_rate"]) == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("TTL -1", "times"), ("AGEING 1099511627777", "times"), ("DEDUPMS 0", "times"), ("DEDUPKEYS 0", "times"),
        ("DEDUPKEYS 10000001", "times"), ("OVERFLOW KEEP", "syntax"), ("EXPIRED REJECT", "syntax"),
    ],
)  # fmt: skip
def test_refused_options(house: House, client: Client, options: str, text: str) -> None:
    assert text in str(client.one(f"QUEUE.CREATE q 100 1000 2 5 {options}"))
    assert client.one("QUEUE.LIST") == []
