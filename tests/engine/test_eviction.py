"""When memory is used up: whom the eight policies remove, that every removal is framed, and what it may not cost."""

from collections.abc import Callable
from random import Random

import pytest

from synap.engine.handlers.table import digest_of
from synap.engine.memory import EVICTION_POLICIES
from synap.store.memory import frames, layout
from tests.engine.engines import House
from tests.server.clients import Server
from tests.support import Bench, Refusal

OK = b"OK"
MEMORY = 2 << 20
SLACK = 64 << 10  # what tables take when they grow, and the rest of a last page
OOM = Refusal("OOM command not allowed when used memory > 'maxmemory'.")
VALUE = "v" * 100
VOLATILE = [policy for policy in EVICTION_POLICIES if policy.startswith("volatile")]
ANY = [policy for policy in EVICTION_POLICIES if policy.startswith("allkeys")]


def house_of(store: type[Bench], policy: str, samples: int = 5) -> House:
    house = House(store, memory_max=MEMORY)
    house.engine.memory.set_eviction(policy, samples)
    return house


def used(house: House) -> int:
    return int(house.engine.numbers[layout.WORDS_USED]) * layout.WORD


def evicted(house: House) -> int:
    return int(house.engine.numbers[layout.EVICTED])


def replayed(store: type[Bench], house: House) -> None:
    """A copy made of the frames alone is equal: no choice was left to it."""
    house.flush()
    other = House(store, memory_max=MEMORY * 4)
    at = layout.CALL_BLOB * layout.WORD
    for piece in house.frames:
        other.engine.bytes[at : at + len(piece)] = piece
        assert frames.replay(other.engine.words, other.engine.octets, at, at + len(piece), 1) >= 0
    assert digest_of(other.engine) == digest_of(house.engine)


def test_noeviction_refuses_and_loses_nothing(store: type[Bench]) -> None:
    house = house_of(store, "noeviction")
    client = house.client()
    replies = client.ask(*[f"SET k{i} {VALUE}" for i in range(20_000)])
    stored = replies.count(OK)
    assert 5_000 < stored < 20_000 and not [reply for reply in replies if reply not in (OK, OOM)]
    assert client.one("DBSIZE") == stored and evicted(house) == 0 and used(house) <= MEMORY + SLACK
    assert client.ask("DEL " + " ".join(f"k{i}" for i in range(20)), f"SET new {VALUE}") == [20, OK]


LITTLE = [
    "EXPIRE s 100", "PEXPIRE s 100000", "EXPIREAT s 9999999999", "GETEX s EX 10", "GETEX s PERSIST", "EXPIRE s -1",
    "RENAME r r2", "RENAMENX r2 r3", "MOVE m 3", "SMOVE st st2 2", "HGETEX h EX 100 FIELDS 1 f", "SWAPDB 0 1",
]  # fmt: skip


def test_what_needs_little_is_not_refused(store: type[Bench]) -> None:
    """As in Redis: else a full store could not even be given deadlines."""
    house = house_of(store, "noeviction")
    client = house.client()
    client.ask("MSET s x r x m x", "SADD st 1 2 3", "HSET h f v")
    while client.one(f"SET fill{house.now} {VALUE}") == OK:
        house.now += 1
    assert client.one("SADD st 4") == client.one("COPY s other") == OOM
    refused = [line for line in LITTLE if isinstance(client.one(line), Refusal)]
    assert not refused
    replayed(store, house)


@pytest.mark.parametrize("policy", ANY)
def test_every_write_finds_memory(store: type[Bench], policy: str) -> None:
    house = house_of(store, policy)
    client = house.client()
    for first in range(0, 30_000, 1000):
        assert set(client.ask(*[f"SET k{i} {VALUE}" for i in range(first, first + 1000)])) == {OK}
        assert used(house) <= MEMORY + SLACK
    assert client.one("DBSIZE") + evicted(house) == 30_000
    assert client.one("GET k29999") == VALUE.encode()
    replayed(store, house)


def test_lru_keeps_what_is_used(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lru", 10)
    client = house.client()
    hot = [f"hot{i}" for i in range(100)]
    client.ask(*[f"SET {key} {VALUE}" for key in hot])
    for first in range(0, 40_000, 500):
        house.now += 5_000
        client.ask(*[f"GET {key}" for key in hot], *[f"SET k{i} {VALUE}" for i in range(first, first + 500)])
    assert evicted(house) > 20_000
    assert client.one(["EXISTS", *hot]) >= 99


def test_lfu_keeps_what_is_used_often(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lfu", 10)
    client = house.client()
    hot = [f"hot{i}" for i in range(100)]
    client.ask(*[f"SET {key} {VALUE}" for key in hot])
    for first in range(0, 40_000, 500):
        house.now += 1_000
        client.ask(*[f"GET {key}" for key in hot] * 3, *[f"SET k{i} {VALUE}" for i in range(first, first + 500)])
    assert evicted(house) > 20_000
    assert client.one(["EXISTS", *hot]) >= 95


@pytest.mark.parametrize("policy", VOLATILE)
def test_volatile_policies_leave_the_others(store: type[Bench], policy: str) -> None:
    house = house_of(store, policy)
    client = house.client()
    assert set(client.ask(*[f"SET keep{i} {VALUE}" for i in range(3000)])) == {OK}
    replies = client.ask(*[f"SET gone{i} {VALUE} PX {10_000_000 + i}" for i in range(20_000)])
    assert set(replies) == {OK} and evicted(house) > 5_000
    assert client.one(["EXISTS", *[f"keep{i}" for i in range(3000)]]) == 3000
    replies = client.ask(*[f"SET more{i} {VALUE}" for i in range(20_000)])
    assert OOM in replies and not [reply for reply in replies if reply not in (OK, OOM)], "nobody is left to go"
    assert client.one(["EXISTS", *[f"keep{i}" for i in range(3000)]]) == 3000
    assert client.one("DBSIZE") == 3000 + replies.count(OK)
    replayed(store, house)


def test_ttl_takes_the_nearest_deadline(store: type[Bench]) -> None:
    house = house_of(store, "volatile-ttl", 10)
    client = house.client()
    order = list(range(20_000))
    Random(3).shuffle(order)
    client.ask(*[f"SET k{i} {VALUE} PX {1_000_000 + 1000 * i}" for i in order])
    left = [i for i, there in enumerate(client.ask(*[f"EXISTS k{i}" for i in range(20_000)])) if there]
    gone = evicted(house)
    assert gone > 5_000
    assert sum(i < gone for i in left) < gone * 0.25, "those that would have expired first should have gone first"


def test_what_has_expired_goes_first(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lru", 10)
    client = house.client()
    client.ask(*[f"SET old{i} {VALUE} PX 10" for i in range(3000)], *[f"SET k{i} {VALUE}" for i in range(9000)])
    house.now += 1000
    client.ask(*[f"SET new{i} {VALUE}" for i in range(4000)])
    assert 0 < evicted(house) < 3000
    assert client.one(["EXISTS", *[f"k{i}" for i in range(9000)]]) > 8500


def test_structures_go_whole_and_free_their_memory(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-random")
    client = house.client()
    for i in range(60):
        assert client.one(["RPUSH", f"l{i}", *["x" * 50] * 1500]) == 1500
        assert client.one(["SADD", f"s{i}", *[f"member{j}" for j in range(800)]]) == 800
        assert used(house) <= MEMORY + SLACK
    assert evicted(house) > 60
    house.upkeep()
    replayed(store, house)


def test_in_a_transaction(store: type[Bench]) -> None:
    """Removals are frames of the group that they made room for."""
    house = house_of(store, "allkeys-lru")
    client = house.client()
    client.ask(*[f"SET k{i} {VALUE}" for i in range(15_000)])
    before = evicted(house)
    told = client.ask("MULTI", *[f"SET t{i} {VALUE}" for i in range(200)], "EXEC")[-1]
    assert told == [OK] * 200 and evicted(house) >= before + 150
    replayed(store, house)


def test_one_large_value_clears_enough(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lru")
    client = house.client()
    client.ask(*[f"SET k{i} {VALUE}" for i in range(15_000)])
    assert client.one(["SET", "large", "x" * (MEMORY // 4)]) == OK
    assert client.one(["SET", "huge", "x" * (MEMORY * 2)]) == OOM
    assert used(house) <= MEMORY + SLACK and client.one("EXISTS huge") == 0
    replayed(store, house)


def test_a_key_is_watched_while_it_goes(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-random")
    client, other = house.client(), house.client()
    client.ask(f"SET mine {VALUE}", "WATCH mine", "MULTI", "PING")
    while other.one("EXISTS mine"):
        other.ask(*[f"SET k{i} {VALUE}" for i in range(15_000)])
    assert client.one("EXEC") is None


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lfu"])
def test_reads_do_not_write_while_a_snapshot_runs(store: type[Bench], policy: str) -> None:
    house = house_of(store, policy)
    client = house.client()
    client.ask("SET k v")
    house.engine.memory.note_uses(False)
    before = bytes(house.engine.bytes[layout.PAGE_TABLE * layout.WORD :][: 64 << 20])
    house.now += 100_000
    client.ask(*["GET k"] * 50)
    assert bytes(house.engine.bytes[layout.PAGE_TABLE * layout.WORD :][: 64 << 20]) == before


def test_use_counters_shrink(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lfu")
    client = house.client()
    assert client.ask("CONFIG SET lfu-log-factor 0", "SET k v", *["GET k"] * 20)[0] == OK
    for minutes, decay, left in [(0, 1, 25), (3, 1, 22), (7, 4, 24), (200, 0, 25), (200, 2, 0), (9, 2147483647, 25)]:
        assert client.one(f"CONFIG SET lfu-decay-time {decay}") == OK
        before = house.now
        house.now += minutes * 60_000
        assert client.one("OBJECT FREQ k") == left, (minutes, decay)
        house.now = before


GROWING = [
    "SUNIONSTORE d s1 s2", "SDIFFSTORE d s1 none", "ZUNIONSTORE d 2 z1 z2", "ZRANGESTORE d z1 0 -1", "COPY z1 d",
    "GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 21000 km", "SORT s1 ALPHA STORE d", "SETRANGE d 150000 x",
    "SETBIT d 900000 1", "BITOP NOT d big", "PFMERGE d p",
]  # fmt: skip
"""Calls that need far more memory than their words take."""


@pytest.mark.parametrize("events", ["", "KEA"], ids=["silent", "with events"])
def test_what_a_call_makes_is_evicted_for_by_the_next_one(store: type[Bench], events: str) -> None:
    """So its sources stay until it is done, however much memory it needs."""
    house = house_of(store, "allkeys-lru", 20)
    client = house.client()
    sources = [
        ["SADD", "s1", *[f"member{i}" for i in range(1500)]], ["SADD", "s2", *[f"other{i}" for i in range(1500)]],
        ["ZADD", "z1", *[word for i in range(1500) for word in (i, f"member{i}")]],
        ["ZADD", "z2", *[word for i in range(1500) for word in (i, f"other{i}")]],
        ["GEOADD", "g", *[word for i in range(1500) for word in (i / 10, 5, f"member{i}")]],
        ["SET", "big", "x" * 100_000], ["PFADD", "p", *range(5000)],
    ]  # fmt: skip
    client.ask(*sources)
    names = " ".join(str(words[1]) for words in sources)
    wanted = [client.ask(line, "DEL d")[0] for line in GROWING]
    house.engine.keyspace_events.choose(events)
    filled = 0
    for line, reply in zip(GROWING, wanted, strict=True):
        before = evicted(house)
        while evicted(house) == before:
            house.now += 100_000
            client.ask(f"TOUCH {names}", *[f"SET fill{filled + i} {VALUE}" for i in range(500)])
            filled += 500
        house.now += 100_000
        before = evicted(house)
        assert client.one(f"TOUCH {names}") == len(sources)
        assert client.one(line) == reply and evicted(house) < before + 300, line
        assert client.one(f"EXISTS {names}") == len(sources), line
        assert client.one(f"SET fill {VALUE}") == OK and used(house) <= MEMORY + SLACK, line
        client.one("DEL d")
    house.upkeep()
    replayed(store, house)


def beginning(house: House, how: str) -> None:
    """Make the lane carry EXEC out, or Python, for itself or for somebody who listens."""
    house.engine.keyspace_events.choose("KEA" if how == "events" else "")


@pytest.mark.parametrize("how", ["lane", "events"])
def test_nothing_is_evicted_within_a_transaction(store: type[Bench], how: str) -> None:
    house = house_of(store, "allkeys-random")
    beginning(house, how)
    client = house.client()
    client.ask(*[f"SET fill{i} {VALUE}" for i in range(20_000)])
    fields = " ".join(f"f{i} {VALUE}" for i in range(500))
    copies = [f"COPY src dst{i}" for i in range(4)]
    for _ in range(10):
        told = client.ask("MULTI", f"HSET src {fields}", "SET mine 1", *copies, "GET mine", "HLEN src", "EXEC")[-1]
        assert told[-2:] == [b"1", 500] and told[2:6] == [1] * 4
        client.one(["DEL", "src", *[f"dst{i}" for i in range(4)]])
        assert client.one(f"SET fill {VALUE}") == OK and used(house) <= MEMORY + SLACK
    replayed(store, house)


@pytest.mark.parametrize("how", ["lane", "events"])
def test_a_transaction_exceeds_the_limit_by_a_quarter_at_most(store: type[Bench], how: str) -> None:
    """And if nothing but transactions come, each begins below the limit."""
    house = house_of(store, "allkeys-lru")
    beginning(house, how)
    client = house.client()
    client.ask(*[f"SET fill{i} {VALUE}" for i in range(20_000)])
    for turn in range(5):
        house.now += 100_000  # so that this one is the last that is evicted
        client.one(f"SET src {'x' * 20_000}")
        told = client.ask("MULTI", *[f"COPY src dst{turn}:{i}" for i in range(100)], "SET last 1", "EXEC")[-1]
        assert told.count(1) >= 20 and OOM in told
        assert used(house) <= MEMORY * 5 // 4 + SLACK
    assert client.one(f"SET fill {VALUE}") == OK and used(house) <= MEMORY + SLACK


def test_a_command_on_its_way_evicts_nothing(store: type[Bench]) -> None:
    """What a client has sent so far is no data."""
    house = House(store, memory_max=64 << 20)
    house.engine.memory.set_eviction("allkeys-lru", 5)
    client, slow = house.client(), house.client()
    client.ask(*[f"SET fill{i} {VALUE}" for i in range(100_000)])
    there = client.one("DBSIZE")
    slow.send(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % (60 << 20) + b"x" * (40 << 20))
    assert client.one(f"SET fill {VALUE}") == OK and client.one("DBSIZE") == there + 1


def test_a_store_above_its_limit_can_be_loaded(serve: Callable[..., Server]) -> None:
    node = serve({"kv_store.max_memory_mb": 64, "kv_store.eviction_policy": "lru"}).start()
    with node.resp() as client:
        client.ask("HSET", "h", *[word for i in range(20_000) for word in (f"field{i}", "v" * 10)])
        client.ask("SADD", "s", *[f"member{i}" for i in range(20_000)])
        client.ask("MULTI")
        for i in range(300):
            client.ask("COPY", "h", f"h{i}")
            client.ask("COPY", "s", f"s{i}")
        told = client.ask("EXEC")
        assert told.count(1) > 30 and told[-1] == OOM
        client.ask("SAVE")
        digest = client.ask("DEBUG", "DIGEST")
    node.kill9()
    node.start()
    with node.resp() as client:
        assert client.ask("DEBUG", "DIGEST") == digest
        assert client.ask("SET", "k", "v") == OK


def test_a_copy_for_a_moment_evicts_nothing(store: type[Bench]) -> None:
    house = house_of(store, "allkeys-lru")
    client = house.client()
    client.ask(*[f"SET fill{i} {VALUE}" for i in range(20_000)], f"SET big {'x' * 600_000}", f"SET fill {VALUE}")
    for size, most in ((600_000, 3000), (200_000, 100)):  # the larger one lacks more than the quarter
        house.now += 100_000
        client.ask(f"SET big {'x' * size}", f"SET fill {VALUE}")
        before = evicted(house)
        assert client.one("APPEND big more") == size + 4
        client.one(f"SET fill {VALUE}")
        assert evicted(house) <= before + most


SET_IN_LUA = "return redis.call('SET', 'k' .. ARGV[1], string.rep('v', 100))"
FULL = Refusal("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'")
LIBRARY = """#!lua name=filling
redis.register_function('plain', function(keys, args) return 1 end)
redis.register_function{function_name = 'reads', flags = {'no-writes'}, callback = function() return 1 end}
redis.register_function{function_name = 'fills', flags = {'allow-oom'}, callback = function(keys, args)
  return redis.call('SET', 'k' .. args[1], string.rep('v', 100)) end}
"""


def test_flags_of_scripts_in_a_full_store(store: type[Bench]) -> None:
    """As in Redis: a script without a line of flags runs, one with flags needs allow-oom or no-writes."""
    house = house_of(store, "noeviction")
    client = house.client()
    assert client.one(["FUNCTION", "LOAD", LIBRARY]) == b"filling"
    plain, may_fill = ["EVAL", SET_IN_LUA, "0"], ["EVAL", f"#!lua flags=allow-oom\n{SET_IN_LUA}", "0"]
    assert [client.one([*each, "0"]) for each in (plain, may_fill, ["FCALL", "fills", "0"])] == [OK] * 3
    assert client.one(["EVAL", "#!lua\nreturn 1", "0"]) == client.one("FCALL plain 0") == 1
    client.ask(*[f"SET fill{i} {VALUE}" for i in range(20_000)])
    assert OOM.args[0] in str(client.one([*plain, "new"]))
    assert client.one(["EVAL", "return redis.call('GET', 'k0')", "0"]) == VALUE.encode()
    assert client.one(["EVAL", "#!lua\nreturn 1", "0"]) == client.one("FCALL plain 0") == FULL
    assert client.one(["EVAL", "#!lua flags=no-writes\nreturn 1", "0"]) == client.one("FCALL reads 0") == 1
    assert client.ask("MULTI", ["EVAL", "#!lua\nreturn 1", "0"], "FCALL reads 0", "EXEC")[-1] == [FULL, 1]
    filled = 0
    for call in (may_fill, ["FCALL", "fills", "0"]):
        told = OK
        while told == OK and filled < 20_000:
            told = client.one([*call, f"more{filled}"])
            filled += 1
        assert OOM.args[0] in str(told), "a quarter more and no further"
    assert 2000 < filled and MEMORY < used(house) <= MEMORY * 5 // 4 + SLACK
    assert client.one("SET new v") == OOM
    replayed(store, house)
