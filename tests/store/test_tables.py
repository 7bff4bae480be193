"""Tables with tags that chance would never give: runs of equal ones, crowds at the end of the range."""

from collections import Counter
from random import Random

import pytest

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.memory import arena, layout, tables
from tests.store import walks
from tests.support import Bench, Refusal

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


def test_a_table_that_cannot_grow_becomes_fuller(store: type[Bench]) -> None:
    """Rows that grow are refused until there is memory for its slots; then it grows with the next entry."""
    load()
    bench, chance = store(), Random(5)
    table = int(arena.allocate_block(*bench.both, 8))
    begin(*bench.both, table, 3000)
    tags = [chance.getrandbits(28) for _ in range(2900)]
    for i, tag in enumerate(tags[:2000]):
        assert put(*bench.both, table, tag, i + 1)
    end = bench[layout.PAGES_END]
    bench[layout.PAGES_END] = bench[layout.PAGES_TOP]
    for i, tag in enumerate(tags[2000:2800]):
        assert put(*bench.both, table, tag, 2001 + i)
    assert bench[table + tables.SIZE] == 3000 and not bench[table + tables.OLD] and bench[layout.PAGES_WANTED] > 4
    assert all(find(*bench.both, table, tag, i + 1, 0) for i, tag in enumerate(tags[:2800]))
    assert isinstance(bench.ask("SADD s a"), Refusal) and bench.ask("DBSIZE") == 0
    bench[layout.PAGES_END] = end
    assert put(*bench.both, table, tags[2800], 2801)
    assert bench[table + tables.SIZE] == 4500 and bench[layout.PAGES_WANTED] == 0 and bench.ask("SADD s a") == 1
    for i, tag in enumerate(tags[2801:]):
        assert put(*bench.both, table, tag, 2802 + i)
    assert all(find(*bench.both, table, tag, i + 1, 0) for i, tag in enumerate(tags))
