"""The tree of sorted sets by itself: the same order, positions and counts as a sorted list, whatever the keys are."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.memory import arena, layout
from synap.store.records import trees
from tests.store import walks
from tests.support import Bench

Entry = tuple[int, bytes]


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def put(words, octets, tree, key, ref):
    return 1 if trees.insert(bare(words), bare(octets), tree, key, ref) else 0


@kernel("void(int64[::1], uint8[::1], int64, int64, int64)")
def take(words, octets, tree, key, ref):
    trees.remove(bare(words), bare(octets), tree, key, ref)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def change(words, octets, tree, old, key, ref):
    return 1 if trees.change(bare(words), bare(octets), tree, old, key, ref) else 0


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64)")
def rank(words, octets, tree, key, start, size, equal):
    return trees.rank(bare(words), bare(octets), tree, key, start, size, equal)


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def member_at(words, octets, tree, place):
    words = bare(words)
    leaf, i = trees.seek(words, tree, place)
    return words[leaf + trees.REFS + i]


@kernel("int64(int64[::1], int64, int64)")
def member_behind(words, tree, place):
    words = bare(words)
    leaf, i = trees.following(words, *trees.seek(words, tree, place))
    return words[leaf + trees.REFS + i] if leaf else 0


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def free_some(words, octets, tree, budget):
    return trees.free_some(bare(words), bare(octets), tree, budget, True)


@kernel("int64(float64)")
def key_of(score):
    return trees.key_of(score)


class Forest:
    """A tree in a heap, and the sorted list that it must agree with."""

    def __init__(self, bench: Bench) -> None:
        load()
        self.bench = bench
        self.before = +Counter(walks.pages(bench))
        self.tree = self.block(trees.TREE_WORDS)
        self.text = self.block(8)
        self.entries: list[Entry] = []
        self.refs: dict[Entry, int] = {}
        self.held: dict[int, Entry] = {}
        bench.heap.words[self.tree : self.tree + trees.TREE_WORDS] = 0

    def block(self, size: int) -> int:
        return int(arena.allocate_block(*self.bench.both, size))

    def place(self, text: bytes) -> tuple[int, int]:
        """Where a text to ask for lies."""
        at = self.text * layout.WORD
        self.bench.heap.bytes[at : at + len(text)] = text
        return at, len(text)

    def add(self, entry: Entry) -> None:
        key, text = entry
        ref = self.block(trees.TEXT + (len(text) + 7) // 8)
        self.bench[ref + trees.SCORE] = key
        self.bench[ref + trees.SIZE] = len(text) << layout.MARK_BITS
        at = (ref + trees.TEXT) * layout.WORD
        self.bench.heap.bytes[at : at + len(text)] = text
        assert put(*self.bench.both, self.tree, key, ref) == 1
        insort(self.entries, entry)
        self.refs[entry] = ref

    def drop(self, entry: Entry) -> None:
        ref = self.refs.pop(entry)
        take(*self.bench.both, self.tree, entry[0], ref)
        arena.release_block(*self.bench.both, ref)
        del self.entries[bisect_left(self.entries, entry)]

    def change(self, entry: Entry, key: int) -> None:
        moved = (key, entry[1])
        if moved not in self.refs:
            ref = self.refs[moved] = self.refs.pop(entry)
            assert change(*self.bench.both, self.tree, entry[0], key, ref) == 1
            del self.entries[bisect_left(self.entries, entry)]
            insort(self.entries, moved)

    def check(self) -> list[int]:
        """Compare everything, walk over all nodes; return the number of entries of each leaf."""
        self.held = {ref: entry for entry, ref in self.refs.items()}
        root, height = self.bench[self.tree], self.bench[self.tree + trees.HEIGHT]
        leaves: list[int] = []
        refs = self.walk(root, height, leaves) if root else []
        assert refs == [self.refs[entry] for entry in self.entries]
        assert height == 0 or self.bench[root + trees.COUNT] > 1
        chain = [(leaf, self.bench[leaf + trees.PREV], self.bench[leaf + trees.NEXT]) for leaf in leaves]
        assert chain == list(zip(leaves, [0, *leaves], [*leaves[1:], 0], strict=False))
        return [self.bench[leaf + trees.COUNT] for leaf in leaves]

    def walk(self, node: int, height: int, leaves: list[int]) -> list[int]:
        bench, count = self.bench, self.bench[node + trees.COUNT]
        assert 0 < count <= trees.WIDTH
        words = [
            bench.heap.words[node + column : node + column + count].tolist()
            for column in (trees.KEYS, trees.REFS, trees.CHILDREN, trees.COUNTS)
        ]
        if height == 0:
            leaves.append(node)
            entries = self.entries[bisect_left(self.entries, self.held[words[1][0]]) :][:count]
            assert words[0] == [key for key, _ in entries]
            return words[1]
        found: list[int] = []
        for key, ref, child, number in zip(*words, strict=True):
            below = self.walk(child, height - 1, leaves)
            assert (len(below), below[0], self.held[ref][0]) == (number, ref, key)
            found += below
        return found

    def close(self) -> None:
        """Give the last blocks back: nothing else is in use."""
        for block in (self.tree, self.text):
            arena.release_block(*self.bench.both, block)
        assert +Counter(walks.pages(self.bench)) == self.before

    def ask(self, entry: Entry) -> None:
        """Positions of an entry, of its key, and of the entry at a position."""
        both, (key, text) = self.bench.both, entry
        at, size = self.place(text)
        assert rank(*both, self.tree, key, at, size, 0) == bisect_left(self.entries, entry)
        assert rank(*both, self.tree, key, at, size, 1) == bisect_right(self.entries, entry)
        assert rank(*both, self.tree, key, 0, trees.LOWEST, 0) == bisect_left(self.entries, (key, b""))
        assert rank(*both, self.tree, key, 0, trees.HIGHEST, 1) == bisect_left(self.entries, (key + 1, b""))
        where = bisect_left(self.entries, entry)
        if where < len(self.entries):
            assert member_at(*both, self.tree, where) == self.refs[self.entries[where]]
            behind = self.refs[self.entries[where + 1]] if where + 1 < len(self.entries) else 0
            assert member_behind(both[0], self.tree, where) == behind


KEYS: dict[str, Callable[[Random, int], int]] = {
    "spread": lambda chance, i: chance.getrandbits(63) - (1 << 62),
    "few": lambda chance, i: chance.randrange(5),
    "all equal": lambda chance, i: 7,
    "rising": lambda chance, i: i,
    "falling": lambda chance, i: -i,
    "rising in crowds": lambda chance, i: i // 200,
    "at both ends": lambda chance, i: chance.choice((5 - (1 << 63), (1 << 63) - 9)),
}


@pytest.mark.parametrize("keys", KEYS)
def test_it_agrees_with_a_sorted_list(store: type[Bench], keys: str) -> None:
    forest, chance = Forest(store()), Random(keys)
    for i in range(9000):
        grow = 0.8 if i // 1500 % 2 == 0 else 0.25
        if not forest.entries or chance.random() < grow:
            entry = (KEYS[keys](chance, i), b"%d" % chance.randrange(100_000))
            if entry not in forest.refs:
                forest.add(entry)
        elif chance.random() < 0.4:
            entry = chance.choice(forest.entries)
            forest.change(entry, KEYS[keys](chance, i) if chance.random() < 0.5 else entry[0] + chance.choice((-1, 1)))
        else:
            draw = chance.random()
            where = 0 if draw < 0.2 else -1 if draw < 0.4 else chance.randrange(len(forest.entries))
            forest.drop(forest.entries[where])
        if i % 7 == 0:
            forest.ask((KEYS[keys](chance, i), b"%d" % chance.randrange(100_000)))
            if forest.entries:
                forest.ask(chance.choice(forest.entries))
        if i % 1500 == 1499:
            forest.check()
    while forest.entries:
        forest.drop(forest.entries[chance.randrange(len(forest.entries))])
    assert forest.bench[forest.tree + trees.ROOT] == forest.bench[forest.tree + trees.HEIGHT] == 0
    forest.close()


@pytest.mark.parametrize("way", [1, -1])
def test_keys_in_order_fill_their_leaves(store: type[Bench], way: int) -> None:
    forest = Forest(store())
    for i in range(5000):
        forest.add((i * way, b"m"))
    counts = forest.check()
    assert sum(counts) / len(counts) > (0.95 if way > 0 else 0.45) * trees.WIDTH


def test_removals_leave_no_crowd_of_small_leaves(store: type[Bench]) -> None:
    forest, chance = Forest(store()), Random(9)
    for i in range(8000):
        forest.add((chance.getrandbits(40), b"%d" % i))
    for entry in chance.sample(forest.entries, 7000):
        forest.drop(entry)
    counts = forest.check()
    assert sum(counts) / len(counts) > trees.WIDTH / 3
    assert all(one + two > trees.LOW for one, two in pairwise(counts))


def test_a_tree_is_freed_in_steps(store: type[Bench]) -> None:
    forest, steps = Forest(store()), 0
    for i in range(6000):
        forest.add((i * 7919 % 6000, b"%d" % i))
    while free_some(*forest.bench.both, forest.tree, 1000) <= 0:
        steps += 1
    assert steps > 10 and forest.bench[forest.tree + trees.ROOT] == 0
    forest.close()


def test_keys_are_in_the_order_of_scores(store: type[Bench]) -> None:
    load()
    scores: list[Any] = [
        float("-inf"), -1.7e308, -3.0, -1e-320, 0.0, 5e-324, 1e-300, 1.0, 1.0000000000000002, 1e308, float("inf"),
    ]  # fmt: skip
    keys = [key_of(score) for score in scores]
    assert keys == sorted(set(keys)) and key_of(-0.0) == key_of(0.0)
