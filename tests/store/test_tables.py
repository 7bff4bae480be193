"""Tables with tags that chance would never give: runs of equal ones, crowds at the end of the range."""

from collections import Counter
from random import Random

import pytest

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.memory import arena, tables
from tests.store import walks
from tests.support import Bench

LAST = tables.TAG_MASK


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def begin(words, octets, table, size):
    words = bare(words)
    octets = bare(octets)
    tables.open_table(words, octets, table, size)
    return table


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def put(words, octets, table, tag, ref):
    words = bare(words)
    octets = bare(octets)
    return 1 if tables.insert(words, octets, table, tag, ref, 0) else 0


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def find(words, octets, table, tag, ref, out):
    """1 if the entry is there; it is taken out if `out` says so."""
    words = bare(words)
    octets = bare(octets)
    at = tables.seek_in(words, table, tag)
    while words[at] != 0 and tables.tag_of(words[at]) == tag:
        if words[at] & tables.REF_MASK == ref:
            if out:
                tables.remove(words, octets, table, at)
            return 1
        at += 1
    return 0


DRAWS = {
    "spread": lambda chance: chance.getrandbits(28),
    "few": lambda chance: chance.randrange(40) * 6_000_000,
    "equal runs": lambda chance: chance.getrandbits(28) & ~0xFFFFF,
    "at the end": lambda chance: LAST - min(chance.getrandbits(24), chance.getrandbits(24)),
    "both ends": lambda chance: chance.choice((0, 1, LAST, LAST - 1, chance.getrandbits(28))),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_nothing_is_lost(store: type[Bench], draw: str) -> None:
    """Waves of inserts and removals; a crowd of up to 100 equal tags fits into the slack wherever it is."""
    load()
    bench, chance = store(), Random(draw)
    table = begin(*bench.both, int(arena.allocate_block(*bench.both, 8)), tables.SIZE_MIN)
    held: dict[int, int] = {}
    crowds: Counter[int] = Counter()
    moving = 0
    for i in range(16_000):
        grow = 0.75 if i // 2000 % 2 == 0 else 0.2
        if not held or chance.random() < grow:
            tag, ref = DRAWS[draw](chance), i + 1
            if crowds[tag] >= 100:
                continue
            done = put(*bench.both, table, tag, ref)
            assert done == 1, [bench[table + word] for word in range(7)]
            held[ref] = tag
            crowds[tag] += 1
        else:
            ref = chance.choice(list(held)) if i % 50 == 0 else next(reversed(held)) if i % 3 else next(iter(held))
            tag = held.pop(ref)
            crowds[tag] -= 1
            assert find(*bench.both, table, tag, ref, 1) == 1
            assert find(*bench.both, table, tag, ref, 0) == 0
        moving += bench[table + tables.OLD] != 0
        if i % 97 == 0:
            found = walks.table(bench, table)
            assert sorted(found) == sorted(tag << tables.REF_BITS | ref for ref, tag in held.items())
    assert moving > 200
    for ref, tag in held.items():
        assert find(*bench.both, table, tag, ref, 0) == 1
    walks.pages(bench)
