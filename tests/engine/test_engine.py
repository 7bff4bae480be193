"""Who waits, who watches, what is refused: the engine with clients, in the order that they were promised."""

from collections.abc import Callable

import pytest

from synap.engine.handlers.table import digest_of
from synap.store.lane import prefetch
from synap.store.memory import layout
from tests.engine.engines import Client, House, pages_used
from tests.store import walks
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, command

OK = b"OK"
QUEUED = b"QUEUED"
WRONG_TYPE = Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")
ABORTED = Refusal("EXECABORT Transaction discarded because of previous errors.")


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def parked(client: Client) -> bool:
    return client.session.parked is not None


# Waiting.


def test_first_come_first_served_over_two_keys(house: House) -> None:
    clients = [house.client() for _ in range(5)]
    for client, keys in zip(clients, ("a b", "b a", "b", "a", "b a"), strict=True):
        assert client.ask(f"BLPOP {keys} 0") == []
    giver = house.client()
    assert giver.ask("RPUSH b 1", "RPUSH a 2", "RPUSH b 3") == [1, 1, 1]
    assert [client.heard for client in clients] == [[[b"b", b"1"]], [[b"a", b"2"]], [[b"b", b"3"]], [], []]
    assert giver.ask("RPUSH b 4 5", "LLEN b") == [2, 1]
    assert [client.heard for client in clients] == [[], [], [], [], [[b"b", b"4"]]]
    assert giver.ask("RPUSH a 6", "LLEN a") == [1, 0]
    assert clients[3].heard == [[b"a", b"6"]]
    assert not house.engine.interest.parked and house.bench[layout.INTEREST_ANY] == 0
    assert not house.bench.heap.octets[layout.INTEREST * 8 : layout.INTEREST * 8 + 65536].any()


def test_between_two_commands_of_one_buffer(house: House) -> None:
    waiter, giver = house.client(), house.client()
    assert waiter.ask("BLPOP k 0", "SET after wait") == []
    assert giver.ask("RPUSH k a", "LPOP k", "GET after") == [1, None, None]
    assert waiter.heard == [[b"k", b"a"], OK] and waiter.woken == 1
    assert giver.one("GET after") == b"wait"


def test_a_whole_transaction_comes_first(house: House) -> None:
    waiter, giver = house.client(), house.client()
    waiter.ask("BLPOP k 0")
    assert giver.ask("MULTI", "RPUSH k a", "LPOP k", "RPUSH k b", "EXEC")[-1] == [1, b"a", 1]
    assert waiter.heard == [[b"k", b"b"]]
    waiter.ask("BLPOP k 0")
    assert giver.ask("MULTI", "RPUSH k a", "DEL k", "EXEC")[-1] == [1, 1]
    assert waiter.heard == [] and parked(waiter)


def test_a_transaction_too_large_for_the_lane_serves_too(house: House) -> None:
    """The replies outgrow the out region, so Python ends the EXEC; whoever waits is served all the same, at once."""
    waiter, giver = house.client(), house.client()
    giver.ask(["SET", "big", b"x" * 700_000])
    waiter.ask("BLPOP k 0")
    told = giver.ask("MULTI", "GET big", "RPUSH k a", "GET big", "GET big", "EXEC")
    assert [len(part) if isinstance(part, bytes) else part for part in told[-1]] == [700_000, 1, 700_000, 700_000]
    assert waiter.heard == [[b"k", b"a"]]
    assert giver.one("LLEN k") == 0


def test_times_up(house: House) -> None:
    clients = [house.client() for _ in range(3)]
    for client, timeout in zip(clients, ("2", "0.5", "0"), strict=True):
        client.ask(f"BLPOP k {timeout}", "PING")
    assert house.engine.next_wait == house.now + 500
    house.now += 499
    house.upkeep()
    assert [client.heard for client in clients] == [[], [], []]
    house.now += 1
    house.upkeep()
    assert [client.heard for client in clients] == [[], [None, b"PONG"], []]
    house.now += 10_000
    house.upkeep()
    assert [client.heard for client in clients] == [[None, b"PONG"], [], []]
    house.client().ask("RPUSH k x")
    assert clients[2].heard == [[b"k", b"x"], b"PONG"] and house.engine.next_wait > house.now + 10**12


def test_the_nil_of_a_wait_is_an_array(house: House) -> None:
    client = house.client()
    client.ask("BLPOP k 1")
    house.now += 1000
    house.upkeep()
    assert client.take() == b"*-1\r\n"


def test_who_leaves_waits_no_more(house: House) -> None:
    gone, stays, giver = (house.client() for _ in range(3))
    gone.ask("BLPOP k 0")
    stays.ask("BLPOP k 0")
    gone.machine.close()
    giver.ask("RPUSH k x y")
    assert stays.heard == [[b"k", b"x"]] and giver.one("LRANGE k 0 -1") == [b"y"]
    assert gone.woken == 0


def test_namespaces_do_not_hear_each_other(house: House) -> None:
    waiter, giver = house.client(), house.client()
    assert waiter.ask("SELECT 3", "BLPOP k 0") == [OK]
    assert giver.ask("RPUSH k zero") == [1] and waiter.heard == []
    assert giver.ask("SELECT 3", "RPUSH k three", "LLEN k") == [OK, 1, 0]
    assert waiter.heard == [[b"k", b"three"]]
    assert giver.ask("SELECT 16", "SELECT x")[0] == Refusal("ERR DB index is out of range")


def test_a_queue_of_waiters_and_a_push_of_many(house: House) -> None:
    clients = [house.client() for _ in range(20)]
    for client in clients:
        client.ask("BLPOP k 0")
    assert house.client().one(["RPUSH", "k", *map(str, range(50))]) == 50
    assert [client.heard for client in clients] == [[[b"k", b"%d" % i]] for i in range(20)]


def test_a_key_of_another_kind_wakes_nobody(house: House) -> None:
    """As in Redis: the waiter waits on until there is a list."""
    waiter, giver = house.client(), house.client()
    waiter.ask("BLPOP k 0")
    assert giver.ask("SET k v", "DEL k") == [OK, 1] and waiter.heard == []
    assert giver.one("RPUSH k x") == 1
    assert waiter.heard == [[b"k", b"x"]]


# Transactions.


def test_missing_before_and_after_is_no_change(house: House) -> None:
    """A flush does not touch a watched key that is not there; one that came and went did change."""
    client, other = house.client(), house.client()
    assert client.ask("WATCH none", "MULTI", "PING") == [OK, OK, QUEUED]
    other.ask("SET other v", "FLUSHALL")
    assert client.one("EXEC") == [b"PONG"]
    assert client.ask("WATCH none", "MULTI", "PING") == [OK, OK, QUEUED]
    other.ask("SET none v", "DEL none")
    assert client.one("EXEC") is None


def test_multi_exec_discard(house: House) -> None:
    client = house.client()
    assert client.ask("MULTI", "SET k v", "GET k", "EXEC", "GET k") == [OK, QUEUED, QUEUED, [OK, b"v"], b"v"]
    assert client.ask("MULTI", "SET k w", "DISCARD", "GET k") == [OK, QUEUED, OK, b"v"]
    assert client.ask("MULTI", "EXEC") == [OK, []]
    assert client.ask("EXEC", "DISCARD") == [Refusal("ERR EXEC without MULTI"), Refusal("ERR DISCARD without MULTI")]
    assert client.ask("MULTI", "MULTI", "SET k x", "EXEC", "GET k") == [
        OK, Refusal("ERR MULTI calls can not be nested"), QUEUED, [OK], b"x",
    ]  # fmt: skip
    assert client.ask("MULTI", "PING", "ECHO hi", "SET n 1", "EXEC")[-1] == [b"PONG", b"hi", OK]


@pytest.mark.parametrize("wrong", ["SET k", "NOTHING k"])
@pytest.mark.parametrize("watched", [False, True])
def test_a_refused_command_aborts(house: House, wrong: str, watched: bool) -> None:
    client = house.client()
    if watched:
        client.ask("WATCH other")
    told = client.ask("MULTI", "SET k v", wrong, "SET k w", "EXEC", "GET k")
    assert isinstance(told[2], Refusal) and told[4:] == [ABORTED, None]
    assert client.ask("MULTI", "SET k v", "EXEC") == [OK, QUEUED, [OK]]
    assert not house.engine.interest.watchers


@pytest.mark.parametrize(("wrong", "told"), [
    ("SET k v EX x", "ERR value is not an integer or out of range"),
    ("EXPIRE k 1 NX GT MORE", "ERR Unsupported option MORE"),
])  # fmt: skip
def test_a_misspelled_command_is_queued(house: House, wrong: str, told: str) -> None:
    """As in Redis only the name and the number of words are judged when it is queued."""
    client = house.client()
    heard = client.ask("MULTI", "SET k v", wrong, "SET k w", "EXEC", "GET k")
    assert heard == [OK, QUEUED, QUEUED, QUEUED, [OK, Refusal(told), OK], b"w"]


def test_a_refusal_while_it_runs_does_not(house: House) -> None:
    client = house.client()
    told = client.ask("MULTI", "SET k v", "LPUSH k a", "INCR k", "SET k w", "EXEC", "GET k")
    assert told[-2:] == [[OK, WRONG_TYPE, Refusal("ERR value is not an integer or out of range"), OK], b"w"]


def test_a_wait_in_a_transaction_does_not_wait(house: House) -> None:
    client = house.client()
    assert client.ask("MULTI", "BLPOP k 0", "RPUSH k a", "BLPOP k 0", "EXEC")[-1] == [None, 1, [b"k", b"a"]]
    assert not parked(client)


def test_a_group_is_marked_in_the_log(house: House) -> None:
    """Each frame of an EXEC but the last says that more follow; also if Python ends it."""
    client = house.client()
    client.ask(["SET", "big", b"x" * 900_000])
    for get in ("GET k", "GET big"):
        house.flush()
        house.frames.clear()
        client.ask("MULTI", get, "SET k 1", get, "INCR k", "LPOP none", get, "INCR k", "EXEC", "SET k 2")
        house.flush()
        (log,) = house.frames
        flags, at = [], 0
        while at < len(log):
            flags.append(log[at + 6])
            at += int.from_bytes(log[at : at + 4], "little")
        assert flags == [1, 1, 0, 0]


def test_replies_larger_than_the_out_region(house: House, store: type[Bench]) -> None:
    client = house.client()
    big = bytes(range(256)) * 12_000
    before = pages_used(house)
    assert client.ask(["SET", "k", big], "GET k", "GET k", "DBSIZE") == [OK, big, big, 1]
    assert client.spills == 2
    told = client.ask("MULTI", "GET k", "INCR n", "GET k", "GET k", "INCR n", "EXEC", "GET n")
    assert told[-2:] == [[big, 1, big, big, 2], b"2"]
    assert client.ask(["SET", "k", "v", "GET"], "DEL k") == [big, 1]
    items = [b"%d" % i * 20 for i in range(30_000)]
    assert client.ask(["RPUSH", "l", *items], "LRANGE l 0 -1", "LPOP l 29999") == [30_000, items, items[:-1]]
    house.flush()
    client.ask("FLUSHALL")
    house.upkeep()
    walks.pages(house.bench)
    assert pages_used(house) - before < 60 * layout.SLAB_PAGES
    house.flush()
    assert digest(replayed(fresh(store, 5), house.frames)) == digest(house.bench)


def test_a_command_cut_anywhere(house: House) -> None:
    """One byte at a time, and in pieces around the size from which input is gathered."""
    client = house.client()
    data = b"".join(command("SET", f"k{i}", b"x" * size) for i, size in enumerate((0, 5, 17_000, 300)))
    assert b"".join(client.send(data[i : i + 1]) for i in range(len(data))) == b"+OK\r\n" * 4
    for step in (16_383, 16_384, 65_536, 65_537, 100_000):
        data = command("SET", "big", b"y" * 300_000) + command("GET", "k1") + command("INCR", f"n{step}")
        told = b"".join(client.send(data[i : i + step]) for i in range(0, len(data), step))
        assert told == b"+OK\r\n$5\r\nxxxxx\r\n:1\r\n"


# Watching.

TOUCHES: dict[str, Callable[[Client, House], object]] = {
    "set": lambda client, house: client.ask("SET k other"),
    "set alike": lambda client, house: client.ask("SET k v"),
    "deleted": lambda client, house: client.ask("DEL k"),
    "flushed": lambda client, house: client.ask("FLUSHALL"),
    "expire": lambda client, house: client.ask("EXPIRE k 100"),
    "pushed": lambda client, house: client.ask("DEL k", "RPUSH k x"),
    "in exec": lambda client, house: client.ask("MULTI", "SET k x", "EXEC"),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_watched_key_changes(house: House, touch: str) -> None:
    watcher, other = house.client(), house.client()
    other.ask("SET k v")
    watcher.ask("WATCH k none")
    TOUCHES[touch](other, house)
    assert watcher.ask("MULTI", "SET mine 1", "EXEC", "GET mine")[2:] == [None, None]
    assert watcher.ask("MULTI", "SET mine 1", "EXEC")[2] == [OK], "EXEC forgets what was watched"


@pytest.mark.parametrize("touch", ["GET k", "SET k x NX", "EXPIRE k 100 XX", "DEL other", "SELECT 1", "PTTL k"])
def test_a_watched_key_does_not_change(house: House, touch: str) -> None:
    watcher, other = house.client(), house.client()
    other.ask("SET k v", "SET other v")
    watcher.ask("WATCH k")
    other.ask(touch, "SET third v")
    assert watcher.ask("MULTI", "GET k", "EXEC")[2] == [b"v"]


def test_watching_what_is_missing(house: House) -> None:
    watcher, other = house.client(), house.client()
    watcher.ask("WATCH k")
    assert watcher.ask("MULTI", "PING", "EXEC")[2] == [b"PONG"]
    watcher.ask("WATCH k")
    other.ask("SET k v")
    assert watcher.ask("MULTI", "PING", "EXEC")[2] is None
    watcher.ask("DEL k", "WATCH k", "UNWATCH")
    other.ask("SET k v")
    assert watcher.ask("MULTI", "PING", "EXEC")[2] == [b"PONG"]
    assert watcher.ask("MULTI", "WATCH k", "DISCARD")[1] == Refusal("ERR WATCH inside MULTI is not allowed")
    assert house.bench[layout.INTEREST_ANY] == 0


@pytest.mark.parametrize("swept", [False, True])
def test_a_watched_key_expires(house: House, swept: bool) -> None:
    watcher = house.client()
    watcher.ask("SET k v PX 50", "WATCH k")
    house.now += 49
    assert watcher.ask("MULTI", "GET k", "EXEC", "WATCH k")[2] == [b"v"]
    house.now += 1
    if swept:
        house.upkeep()
    assert watcher.ask("MULTI", "GET k", "EXEC")[2] is None


def test_watching_in_another_namespace(house: House) -> None:
    watcher, other = house.client(), house.client()
    watcher.ask("SELECT 2", "WATCH k")
    other.ask("SET k v")
    assert watcher.ask("MULTI", "PING", "EXEC")[2] == [b"PONG"]
    watcher.ask("WATCH k")
    other.ask("SELECT 2", "SET k v")
    assert watcher.ask("MULTI", "PING", "EXEC")[2] is None


# Limits.


def test_a_reply_above_the_limit_is_refused_before_anything(store: type[Bench]) -> None:
    house = House(store, reply_bytes_max=3 << 20)
    client = house.client()
    value = b"x" * (2 << 20)
    client.ask(*(["RPUSH", "l", value] for _ in range(3)), *(["SADD", "s", value + b"%d" % i] for i in range(3)))
    client.ask(["SET", "huge", value * 2])
    before, seq = digest_of(house.engine), house.engine.seq
    too_large = Refusal("ERR the reply would be larger than limits.reply_bytes_max")
    calls = ["LRANGE l 0 -1", "LPOP l 3", "RPOP l 2", "SMEMBERS s", "SPOP s 2", "GET huge", "SET huge x GET"]
    assert client.ask(*calls) == [too_large] * len(calls)
    assert client.ask("MULTI", *calls, "EXEC")[-1] == [too_large] * len(calls)
    assert digest_of(house.engine) == before and house.engine.seq == seq
    assert client.one("LPOP l") == value and client.one("LLEN l") == 2
    walks.pages(house.bench)


def test_out_of_memory_leaves_everything_as_it_was(store: type[Bench]) -> None:
    house = House(store, memory_max=24 << 20)
    client = house.client()
    oom = Refusal("OOM command not allowed when used memory > 'maxmemory'.")
    client.ask("QUEUE.CREATE q 10 1000 3 5", "RPUSH l a b", "SADD s a b", "SET n 1", "SET gone v")
    count = 0
    while client.one(["SET", f"k{count}", b"x" * 40_000]) == OK:
        count += 1
    assert 400 < count < 620
    before, seq, used = digest_of(house.engine), house.engine.seq, pages_used(house)
    large = b"y" * 60_000
    calls = [["SET", "k", large], ["RPUSH", "l", large], ["LPUSH", "new", large], ["SADD", "s", large],
             ["QUEUE.PUBLISH", "q", large]]  # fmt: skip
    assert [client.one(call) for call in calls] == [oom] * len(calls)
    aborted = Refusal("EXECABORT Transaction discarded because of previous errors.")
    found = [client.one(call) for call in ("MULTI", *calls[:2], "LLEN l", "EXEC")]
    assert found == [OK, oom, oom, b"QUEUED", aborted]  # as Redis: refused when it is queued
    assert digest_of(house.engine) == before and house.engine.seq == seq
    assert pages_used(house) <= used + 16
    sender = house.client()
    assert sender.ask(["SET", "k", b"z" * 60_000 * 2]) == [oom] and not sender.machine.closing
    assert sender.ask(["SET", "k", b"z" * (60 << 20)]) == [oom] and not sender.machine.closing
    assert sender.ask(["SET", "k", b"z" * (300 << 20)]) == [oom] and sender.machine.closing, "it cannot be taken in"
    assert client.ask("LPOP l", "SREM s a", "DEL gone") == [b"a", 1, 1], "what frees memory goes on"
    client.ask("FLUSHALL")
    house.upkeep()
    assert client.one(["SET", "k", large]) == OK
    walks.pages(house.bench)


# Upkeep.


def test_expired_keys_go_by_themselves(house: House, store: type[Bench]) -> None:
    client = house.client()
    for i in range(3000):
        client.ask(f"SET k{i} v PX {i + 1}")
    client.ask("RPUSH l a", "EXPIRE l 2", "SELECT 4", "SET k v PX 10", "SET stays v")
    house.now += 1500
    steps = 1
    while house.engine.upkeep.step(house.now):
        steps += 1
    assert steps > 3, "with so many expired, upkeep asks to go on at once"
    house.upkeep()
    for _ in range(40):
        house.engine.upkeep.step(house.now)
    assert house.bench[layout.KEYS_COUNT] == 1501 and house.bench[layout.KEYS_COUNT + 4] == 1
    house.flush()
    assert digest(replayed(fresh(store, 6), house.frames)) == digest(house.bench)


def test_leases_run_out_by_themselves(house: House, store: type[Bench]) -> None:
    client = house.client()
    for queue in ("a", "b"):
        client.ask(f"QUEUE.CREATE {queue} 500 1000 1 5", *(f"QUEUE.PUBLISH {queue} {i}" for i in range(150)))
        client.ask(*(f"QUEUE.CONSUME {queue}" for _ in range(150)))
        house.now += 100
    assert house.bench[layout.TIMERS_DUE] == 1_001_000
    house.now = 1_000_999
    house.upkeep()
    assert client.one("QUEUE.STATS a")[1:4:2] == [0, 150]
    house.now += 1
    house.upkeep()
    assert [client.one(f"QUEUE.STATS {queue}")[1:4:2] for queue in "ab"] == [[150, 0], [0, 150]]
    assert house.bench[layout.TIMERS_DUE] == 1_001_100
    assert client.one("QUEUE.CONSUME a")[3] == b"0"
    assert client.one("QUEUE.CONSUME a")[7] == 1
    house.flush()
    assert digest(replayed(fresh(store, 6), house.frames)) == digest(house.bench)


def test_a_broken_log_does_not_make_upkeep_spin(house: House) -> None:
    client = house.client()
    client.ask("QUEUE.CREATE q 500 10 1 5", "QUEUE.PUBLISH q x", "QUEUE.CONSUME q", "SET k v PX 5")
    before = digest_of(house.engine)
    house.bench[layout.REFUSE] = layout.GUARD_BROKEN_LOG
    house.now += 1000
    assert not house.engine.upkeep.step(house.now)
    assert digest_of(house.engine) == before
    house.bench[layout.REFUSE] = 0
    house.upkeep()
    assert client.one("QUEUE.STATS q")[1] == 1


@pytest.mark.parametrize(("guard", "text"), [
    (layout.GUARD_READ_ONLY, "READONLY You can't write against a read only replica."),
    (layout.GUARD_BROKEN_LOG, "MISCONF Writes are refused: the log cannot be written. See the server's log."),
])  # fmt: skip
def test_guards(house: House, guard: int, text: str) -> None:
    client = house.client()
    client.ask("SET k v", "RPUSH l a")
    before = digest_of(house.engine)
    house.bench[layout.REFUSE] = guard
    assert client.ask("SET k w", "DEL k", "LPOP l", "FLUSHALL", "BLPOP l 0") == [Refusal(text)] * 5
    aborted = Refusal("EXECABORT Transaction discarded because of previous errors.")
    assert client.ask("GET k", "LRANGE l 0 -1", "MULTI", "DEL k", "EXEC")[2:] == [OK, Refusal(text), aborted]
    assert digest_of(house.engine) == before
    house.bench[layout.REFUSE] = layout.GUARD_LOADING
    assert client.one("GET k") == Refusal("LOADING Synap is loading the dataset in memory")


# Looking ahead.


def test_a_long_pipeline_over_many_keys(house: House) -> None:
    """With enough keys the lane reads ahead; whatever it sees there, cut or odd, replies are as ever."""
    client = house.client()
    client.ask(*[f"SET k{i} v{i}" for i in range(prefetch.LOOK_KEYS_MIN + 1)])
    long = "x" * 5000
    calls = [call for i in range(300) for call in (f"GET k{i}", "PING", ["SET", long, long], ["GET", long], "GET")]
    told = client.ask(*calls)
    arity = Refusal("ERR wrong number of arguments for 'get' command")
    assert told == [each for i in range(300) for each in (b"v%d" % i, b"PONG", OK, long.encode(), arity)]
    data = b"".join(command("GET", f"k{i}") for i in range(40))
    for size in (1, 7, 161, 200, 333):
        pieces = [client.send(data[at : at + size]) for at in range(0, len(data), size)]
        assert client.read(b"".join(pieces)) == [b"v%d" % i for i in range(40)]
