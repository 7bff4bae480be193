"""Long lists: where their elements lie after changes at the ends and in the middle, and that an index finds each."""

from random import Random
from typing import Any

import numpy as np
import pytest

from synap.store.keys import key_info
from synap.store.kinds.lists import chunks, directory, edits
from synap.store.memory import layout
from synap.store.memory.tables import REF_BITS, REF_MASK
from synap.store.records import descriptions
from tests.engine.engines import Client, House
from tests.support import Bench

KEY = b"k"


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store, journaled=False)


class Walk:
    """The chunks of the list under KEY, after a look at every number that is kept about them."""

    def __init__(self, house: House) -> None:
        bench, found = house.bench, np.zeros(descriptions.DESCRIPTION_WORDS, np.int64)
        at = layout.CALL_BLOB * layout.WORD
        bench.heap.bytes[at : at + len(KEY)] = KEY
        assert key_info.describe(*bench.both, 0, at, len(KEY), house.now, 0, found)
        words = bench.heap.words
        root = int(found[descriptions.REF]) + 1
        top, count, weight = (int(words[root + i]) for i in range(3))
        self.chunks, self.capacity = [top], 1
        if top < 0:
            span, self.capacity = int(words[-top]), int(words[-top + directory.CAPACITY])
            first = -top + directory.ENTRIES + (span & directory.HALF_MASK)
            assert 1 < span >> directory.HALF <= self.capacity
            entries = [int(word) for word in words[first : first + (span >> directory.HALF)]]
            self.chunks = [entry & REF_MASK for entry in entries]
        heads = [int(words[chunk]) for chunk in self.chunks]
        self.used = [(head >> chunks.END & chunks.PART) - (head & chunks.PART) for head in heads]
        counts = [head >> chunks.NUMBER & chunks.PART for head in heads]
        assert all(counts) and sum(counts) == count
        assert max(self.used) <= chunks.STRIP_MAX, "a chunk has no more octets than this"
        if top < 0:
            assert [entry >> REF_BITS for entry in entries][1:-1] == counts[1:-1], "the directory keeps other counts"
        assert sum(self.used) <= weight, "beside the entries, the boxes count"


def made(house: House, held: list[bytes]) -> Client:
    client = house.client()
    for at in range(0, len(held), 1000):
        client.one(["RPUSH", KEY, *held[at : at + 1000]])
    return client


def same(client: Client, held: list[Any]) -> None:
    assert client.one(["LRANGE", KEY, 0, -1]) == held
    places = [*range(0, len(held), 97), len(held) - 1]
    assert client.ask(*(["LINDEX", KEY, place] for place in places)) == [held[place] for place in places]
    assert client.ask(*(["LRANGE", KEY, place, place + 3] for place in places)) == [held[p : p + 4] for p in places]


def test_changes_in_the_middle_leave_no_small_chunks(house: House) -> None:
    chance, held = Random(3), [b"%016d" % i for i in range(12_000)]
    client = made(house, held)
    assert len(Walk(house).chunks) == 53, "chunks are filled from the ends"
    for step in range(1500):
        pivot, value = chance.choice(held), b"v%d" % step + b"x" * chance.choice((0, 3, 70, 500, 1030))
        after = chance.random() < 0.5
        client.one(["LINSERT", KEY, "AFTER" if after else "BEFORE", pivot, value])
        held.insert(held.index(pivot) + after, value)
    Walk(house)
    same(client, held)
    chance.shuffle(gone := held.copy())
    for value in gone[: len(gone) * 9 // 10]:
        client.one(["LREM", KEY, chance.choice((1, -1, 0)), value])
    left = set(gone[len(gone) * 9 // 10 :])
    held = [value for value in held if value in left]
    walk = Walk(house)
    pairs = zip(walk.used, walk.used[1:], strict=False)
    assert all(one + other > edits.MERGED_MAX for one, other in pairs), walk.used
    same(client, held)


def test_values_that_grow_and_shrink(house: House) -> None:
    chance, held = Random(4), [b"%d" % i for i in range(5000)]
    client = made(house, held)
    for _ in range(3000):
        place, size = chance.randrange(len(held)), chance.choice((0, 1, 63, 64, 400, 1024, 1025, 3000))
        held[place] = bytes([97 + chance.randrange(26)]) * size
        client.one(["LSET", KEY, place - chance.choice((0, len(held))), held[place]])
    Walk(house)
    same(client, held)
    client.one(["LTRIM", KEY, 1000, -1000])
    same(client, held[1000:-999])
    client.one(["LTRIM", KEY, 5, 7])
    same(client, held[1005:1008])
    assert len(Walk(house).chunks) == 1


def test_a_queue_slides_through_its_directory(house: House) -> None:
    held = [b"%0500d" % i for i in range(400)]
    client = made(house, held)
    for step in range(4000):
        client.ask(["RPUSH", KEY, b"%0500d" % step], ["LPOP", KEY])
        held = [*held[1:], b"%0500d" % step]
    walk = Walk(house)
    assert walk.capacity <= 2 * len(walk.chunks) and len(walk.chunks) < 70
    same(client, held)
    for step in range(1000):
        client.ask(["LPUSH", KEY, b"%0500d" % step], ["RPOP", KEY])
        held = [b"%0500d" % step, *held[:-1]]
    same(client, held)
    client.ask(["RPOP", KEY, 390])
    assert Walk(house).capacity < 20
    same(client, held[:10])


def test_memory_is_given_back(house: House) -> None:
    client = house.client()
    client.ask("SET other x", ["RPUSH", KEY, "a"], "DEL k")
    house.upkeep()
    before = house.bench[layout.WORDS_USED]
    client = made(house, [b"%0300d" % i for i in range(3000)] + [b"y" * 2000] * 200)
    client.ask(["LTRIM", KEY, 100, -100], ["LREM", KEY, 0, b"y" * 2000], ["LPOP", KEY, 500], "COPY k l", "RENAME l m")
    client.ask("LMOVE k m LEFT RIGHT", "LMPOP 1 m RIGHT COUNT 2000", "DEL k", "LTRIM m 1 0", "DEL m")
    house.upkeep()
    assert house.bench[layout.WORDS_USED] == before


def test_a_full_chunk_is_cut_where_the_longest_entry_fits(house: House) -> None:
    """Entries of about a quarter of a chunk: a cut behind the middle would leave no room before the first of them."""
    held = [letter * size for letter, size in zip((b"a", b"b", b"c", b"d"), (1024, 1008, 1024, 1016), strict=True)]
    client = house.client()
    for element in held:
        client.one(["RPUSH", KEY, element])
    for place in range(3):
        client.one(["LINSERT", KEY, "BEFORE", held[place], bytes([101 + place]) * 1024])
        held.insert(place, bytes([101 + place]) * 1024)
        same(client, held)
        Walk(house)
