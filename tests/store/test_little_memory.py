"""Calls for which there is hardly any memory: each is refused and changes nothing, or is carried out as a whole.

A random call is made with little memory, then with more and more, until it is no longer refused. The lane, which has as
much as it needs, and the twin say what must become of it.

    bytes    max_memory is little above what is stored, in steps of 256 bytes
    pages    the address space is used up: some pages are left, and some free blocks of each size
"""

from collections.abc import Iterator
from random import Random

import pytest

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.memory import arena, layout
from synap.store.upkeep import upkeep
from synap.traits import ABOVE_MAX
from tests.store.calls import Calls
from tests.store.differential import Differential, digest, read
from tests.support import Bench, command

OOM = b"-OOM "
SLACK = 1 << 10  # what tables take when they grow
UNLIMITED = 1 << 40


@kernel("int64(int64[::1], uint8[::1], int64)")
def fill_gaps(words, octets, keep):
    """Take all free runs, and all free blocks of each size but `keep` of them; return the first block of a chain."""
    words = bare(words)
    octets = bare(octets)
    used = words[layout.WORDS_USED]
    chain = 0
    for index in range(64):
        taken = 0
        size = arena.class_words(index)
        while words[layout.CLASSES + index]:
            ref = arena.allocate(words, size)
            words[ref] = chain
            chain = ref
            taken += 1
        for _ in range(min(taken, keep)):
            ref = chain
            chain = words[ref]
            arena.release(words, ref)
    for power in range(40):
        while words[layout.BINS + power]:
            page = words[layout.BINS + power]
            length = words[layout.PAGE_TABLE + 2 * page] >> arena.LENGTH
            page = arena.take_run(words, length)
            words[layout.PAGE_TABLE + 2 * page] = arena.EXTENT | length << arena.LENGTH
            words[layout.PAGE_TABLE + 2 * (page + length - 1)] = arena.EXTENT | length << arena.LENGTH
            ref = page << arena.PAGE_SHIFT
            words[ref] = chain
            chain = ref
    words[layout.WORDS_USED] = used
    return chain


@kernel("void(int64[::1], uint8[::1], int64)")
def free_gaps(words, octets, chain):
    """Free what `fill_gaps` has taken."""
    words = bare(words)
    octets = bare(octets)
    used = words[layout.WORDS_USED]
    while chain:
        following = words[chain]
        arena.release(words, chain)
        chain = following
    words[layout.WORDS_USED] = used


class Little:
    """Random calls; of the two heaps of `ways`, that of the steps has little memory."""

    def __init__(self, store: type[Bench], seed: int) -> None:
        load()
        self.ways = Differential(store)
        self.tight = self.ways.steps
        self.chance = Random(seed)
        self.calls = Calls(self.chance, self.ways.state, huge=0)
        self.refusals: dict[str, int] = {}

    def settle(self) -> None:
        """Free what upkeep has to free, in both heaps."""
        for bench in (self.ways.lane, self.tight):
            while bench[layout.LAZYFREE]:
                upkeep.lazyfree(*bench.both, 1 << 30)

    def seen(self) -> tuple[object, ...]:
        """What a refused call must not change."""
        self.settle()
        tight = self.tight
        return digest(tight), tight[layout.WORDS_USED], tight[layout.SEQ], tight[layout.LOG_TOP], *(
            tight[layout.KEYS_COUNT + i] for i in range(layout.NAMESPACES)
        )

    def attempts(self, piece: bytes, kind: str) -> Iterator[bytes]:
        """Yield the answers to a call with more and more memory."""
        tight = self.tight
        if kind == "bytes":
            for free in range(0, 1 << 20, 256):
                tight[layout.BYTES_MAX] = tight[layout.WORDS_USED] * 8 + free
                yield self.ways.step(tight, piece)
            return
        end = tight[layout.PAGES_END]
        for pages in (0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 24, 32, 64, 100, 300, 1000, 2100, 2500, 4000, 8000):
            chain = int(fill_gaps(*tight.both, self.chance.randrange(3)))
            tight[layout.PAGES_END] = tight[layout.PAGES_TOP] + pages
            try:
                yield self.ways.step(tight, piece)
            finally:
                free_gaps(*tight.both, chain)
                tight[layout.PAGES_END] = end

    def make(self, words: list[bytes], kind: str) -> None:
        """Carry out one call."""
        ways, tight = self.ways, self.tight
        row, rest = ways.row_of(words)
        piece = command(*words)
        chance = tight[layout.CHANCE]
        before = self.seen()
        told = ways.run_lane([piece])
        for answer in self.attempts(piece, kind):
            if not answer.startswith(OOM):
                break
            self.refusals[row.name] = self.refusals.get(row.name, 0) + 1
            assert self.seen() == before, f"{words!r:.300} was refused, and has changed something"
            assert row.grows or kind == "pages", f"{words!r:.300} needs no memory"
            tight[layout.CHANCE] = chance
        else:
            raise AssertionError(f"{words!r:.300} finds no memory")
        tight[layout.BYTES_MAX], most = UNLIMITED, tight[layout.BYTES_MAX]
        assert answer == told, f"{words!r:.300}"
        ways.same_frames()
        self.settle()
        assert digest(tight) == digest(ways.lane)
        used = tight[layout.WORDS_USED]
        if kind == "bytes":
            assert used == ways.lane[layout.WORDS_USED], f"{words!r:.300} has kept blocks"
            over = used * 8 - most - SLACK - len(piece) // 16
            bounded = not row.traits & ABOVE_MAX
            assert used == before[1] or over <= 0 or not bounded, f"{words!r:.300} took {over} bytes too many"
        ways.twin(row, rest, read(row, told, ways.version)[0])

    def clear(self) -> None:
        """Remove everything: no block is left in the one heap that is free in the other."""
        ways = self.ways
        ways.batch([[b"FLUSHALL"]])
        named = {b"QUEUE": ways.state.queues, b"STREAM": ways.state.rooms, b"TOPIC": ways.state.topics,
                 b"GROUP": ways.state.groups}  # fmt: skip
        for word, names in named.items():
            for name in sorted(names):
                ways.batch([[word + b".DELETE", name]])
        self.settle()
        assert self.tight[layout.WORDS_USED] == ways.lane[layout.WORDS_USED]


@pytest.mark.parametrize("kind", ["bytes", "pages"])
@pytest.mark.parametrize("seed", range(2))
def test_all_or_nothing(store: type[Bench], seed: int, kind: str) -> None:
    little = Little(store, seed)
    ways, chance = little.ways, little.chance
    while little.calls.made < (3000 if kind == "bytes" else 1400):
        ways.now += chance.choice((0, 0, 1, 20, 300))
        little.calls.now = ways.now
        words = little.calls.next()
        if little.calls.made < 300 or chance.random() < 0.5:
            ways.batch([words])
        else:
            little.make(words, kind)
    assert len(little.refusals) > 40
    little.clear()
