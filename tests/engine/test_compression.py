"""Compressed values: nobody who reads can tell, the cache stays within its bound, nothing leaks."""

import ctypes
from random import Random

import numpy as np
import pytest

from synap.engine.handlers.table import digest_of
from synap.store.memory import frames, layout
from synap.store.records import pieces, zstd
from synap.store.snapshot import dumps
from synap.store.upkeep import upkeep
from tests.engine.engines import House
from tests.support import Bench, Refusal

OK = b"OK"
SMALLEST = 64


level = 0  # of zstd; 0: LZ4


@pytest.fixture(autouse=True, params=[0, 3], ids=["lz4", "zstd"])
def algorithm(request: pytest.FixtureRequest) -> None:
    """Every test with both."""
    global level
    level = request.param


def house_of(store: type[Bench], hot_max: int = 1 << 20, smallest: int = SMALLEST, memory_max: int = 1 << 30) -> House:
    house = House(store, memory_max=memory_max)
    house.engine.numbers[layout.COMPRESS_MIN] = smallest
    house.engine.numbers[layout.HOT_MAX] = hot_max
    if level:
        zstd.place(house.engine.numbers, level)
    return house


def text(chance: Random) -> str:
    return f"the quick brown fox {chance.randrange(9)} " * chance.randrange(1, 300)


@pytest.mark.parametrize("hot_max", [0, 5_000, 1 << 20])
def test_strings_are_what_they_were(store: type[Bench], hot_max: int) -> None:
    """Random commands against a dict, in namespaces, with deadlines, renames and copies."""
    house, chance = house_of(store, hot_max), Random(hot_max)
    numbers = house.engine.numbers
    client = house.client()
    model: dict[str, bytes] = {}
    names = [f"k{i}" for i in range(60)]
    for _ in range(6000):
        key, other, value = chance.choice(names), chance.choice(names), text(chance)
        old = model.get(key)
        match chance.randrange(14):
            case 0 | 1:
                assert client.one(["SET", key, value]) == OK
                model[key] = value.encode()
            case 2:
                assert client.one(["SET", key, value, "GET"]) == old
                model[key] = value.encode()
            case 3:
                assert client.one(["GETSET", key, value]) == old
                model[key] = value.encode()
            case 4:
                assert client.one(["GETDEL", key]) == old
                model.pop(key, None)
            case 5:
                tail = chance.choice(["", "x", value])
                assert client.one(["APPEND", key, tail]) == len(old or b"") + len(tail)
                model[key] = (old or b"") + tail.encode()
            case 6:
                at = chance.randrange(3000)
                grown = (old or b"").ljust(at, b"\0")
                model[key] = grown[:at] + b"HERE" + grown[at + 4 :]
                assert client.one(["SETRANGE", key, str(at), "HERE"]) == len(model[key])
            case 7:
                at = chance.randrange(-100, 3000)
                found = client.one(["GETRANGE", key, str(at), str(at + 50)])
                start = at if at >= 0 else max(len(old or b"") + at, 0)
                stop = at + 50 if at + 50 >= 0 else max(len(old or b"") + at + 50, 0)  # as Redis has it
                assert found == (old or b"")[start : stop + 1]
            case 8:
                if old is not None and key != other:
                    assert client.one(["RENAME", key, other]) == OK
                    model[other] = model.pop(key)
            case 9:
                if old is not None and key != other:
                    assert client.one(["COPY", key, other, "REPLACE"]) == 1
                    model[other] = model[key]
            case 10:
                assert client.one(["GETEX", key, "PX", str(10**9)]) == old
            case 11:
                assert client.one(["SET", key, value, "IFEQ", (old or b"").decode("latin-1")]) == (
                    OK if old is not None else None
                )
                if old is not None:
                    model[key] = value.encode()
            case 12:
                assert client.one(["PERSIST", key]) in (0, 1)
            case 13:
                assert client.one(["STRLEN", key]) == len(old or b"")
        assert client.one(["GET", key]) == model.get(key)
        assert numbers[layout.HOT_BYTES] <= hot_max
    assert client.one(["MGET", *names]) == [model.get(name) for name in names]
    assert numbers[layout.COMPRESSED_TO] * 3 < numbers[layout.COMPRESSED_FROM]
    assert (numbers[layout.HOT_HITS] > 1000) == (hot_max > 10_000)
    same_after_replay(store, house)
    client.one("FLUSHALL")
    house.upkeep()
    assert numbers[layout.HOT_BYTES] == 0 and numbers[layout.DEFERRED_COUNT] == 0


def same_after_replay(store: type[Bench], house: House) -> None:
    """A node that does not compress holds the same after the same frames."""
    house.flush()
    other = house_of(store, smallest=0)
    at = layout.CALL_BLOB * layout.WORD
    for piece in house.frames:
        other.engine.bytes[at : at + len(piece)] = piece
        assert frames.replay(other.engine.words, other.engine.octets, at, at + len(piece), 1) >= 0
    assert digest_of(other.engine) == digest_of(house.engine)
    assert other.engine.numbers[layout.COMPRESSED_FROM] == 0


def test_memory_comes_back(store: type[Bench]) -> None:
    house, chance = house_of(store, 100_000), Random(5)
    client = house.client()
    empty = house.engine.numbers[layout.WORDS_USED]
    for _ in range(5):
        for i in range(300):
            client.one(["SET", f"k{i}", text(chance)])
            client.one(["GET", f"k{chance.randrange(300)}"])
        client.one("FLUSHALL")
        house.upkeep()
    assert house.engine.numbers[layout.WORDS_USED] == empty


def test_many_at_once_may_be_more_than_the_cache(store: type[Bench]) -> None:
    """The reply points into blocks that have left the cache; they live until it is written."""
    house = house_of(store, 3_000)
    client = house.client()
    values = [(f"value {i} " * 300).encode() for i in range(200)]
    client.ask(*[["SET", f"k{i}", value.decode()] for i, value in enumerate(values)])
    for _ in range(3):
        assert client.one(["MGET", *[f"k{i}" for i in range(200)]]) == values
    told = client.ask("MULTI", *[f"GET k{i}" for i in range(200)], "EXEC")
    assert told[-1] == values and house.engine.numbers[layout.DEFERRED_COUNT] == 0


def test_what_is_no_number_stays_none(store: type[Bench]) -> None:
    client = house_of(store).client()
    client.one(["SET", "k", "1" * 300])
    assert client.one("INCR k") == Refusal("ERR value is not an integer or out of range")
    assert client.one("INCRBYFLOAT k 1") == b"1" * 299 + b"2"


def test_noise_is_stored_as_it_is(store: type[Bench]) -> None:
    house = house_of(store)
    client = house.client()
    noise = Random(1).randbytes(5000)
    client.one([b"SET", b"k", noise])
    assert client.one("GET k") == noise and house.engine.numbers[layout.COMPRESSED_FROM] == 0


@pytest.mark.parametrize("failures", [1, 2, 1000])
def test_a_library_that_is_broken_off(store: type[Bench], failures: int) -> None:
    """A signal may end its call: it is asked again. If it fails for good, a read and a snapshot say so."""
    if not level:
        return
    house = house_of(store, hot_max=0)
    client, numbers = house.client(), house.engine.numbers
    value = b"the quick brown fox " * 50
    client.one(["SET", "k", value.decode()])
    expand = zstd._KIND(numbers[layout.ZSTD_OPEN])
    left = [failures]

    def broken(source: int, size: int, target: int, capacity: int) -> int:
        left[0] -= 1
        return 0 if left[0] >= 0 else int(expand(source, size, target, capacity))

    kept = zstd._KIND(broken)
    numbers[layout.ZSTD_OPEN] = ctypes.cast(kept, ctypes.c_void_p).value
    cursor = np.zeros(pieces.CURSOR_WORDS, np.int64)
    if failures < 3:
        assert client.one("GET k") == value
        left[0] = failures
        assert dumps.dump(house.engine.words, house.engine.octets, cursor, 1, 1, 1 << 20) == 1
    else:
        assert str(client.one("GET k")).startswith("OOM")
        assert dumps.dump(house.engine.words, house.engine.octets, cursor, 1, 1, 1 << 20) == dumps.UNREADABLE
        left[0] = 0
        assert client.one("GET k") == value


def test_it_takes_less_memory(store: type[Bench]) -> None:
    used = []
    for smallest in (0, SMALLEST):
        house = house_of(store, smallest=smallest)
        client = house.client()
        for i in range(500):
            client.one(["SET", f"k{i}", f"line {i} of a log file that repeats itself. " * 50])
        used.append(int(house.engine.numbers[layout.WORDS_USED]))
    assert used[1] * 5 < used[0]


def test_upkeep_passes_over_compressed_strings(store: type[Bench]) -> None:
    """The bits that say how a string is compressed mean something else in other records: deadlines of elements."""
    house = house_of(store)
    for i, value in enumerate(("abcdefgh" * 500, "x" * 100_000)):
        assert house.client().one(["SET", f"k{i}", value]) == OK
    engine = house.engine
    engine.numbers[layout.INNER_DEADLINES] = 1
    assert upkeep.find_expired(engine.words, engine.octets, 0, 400, 100, 1_000_000) == -1
    assert engine.numbers[layout.REPLY + 1] == 0
