"""Packed texts beside a Python list: sizes at each edge of the head, changes in the middle, blocks that move."""

from random import Random

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.memory import arena
from synap.store.records import packed
from tests.support import Bench

SIZES = [0, 1, 5, 16, 59, 60, 61, 255, 256, 300, 65_535, 65_536, 70_000]


@kernel("int64(int64[::1], uint8[::1], int64)")
def begin(words, octets, need):
    words = bare(words)
    octets = bare(octets)
    return packed.new_block(words, need)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64)")
def change(words, octets, block, how, index, start, size, mark):
    """Carry out one change at an index; return the block."""
    words = bare(words)
    octets = bare(octets)
    place = packed.place_of(words, octets, block, index)
    if how == 0:
        return packed.insert(words, octets, block, place, start, size, mark)
    if how == 1:
        return packed.replace(words, octets, block, place, start, size, mark)
    if how == 2:
        packed.remove(words, octets, block, place, size)
        return block
    if how == 3:
        return packed.append(words, octets, block, start, size, mark)
    return packed.fork(words, octets, block)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def found(words, octets, block, start, size, step):
    words = bare(words)
    octets = bare(octets)
    return packed.find(words, octets, block, start, size, step)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64[::1])")
def entry(words, octets, block, place, out):
    """Write (start, size, form) of the entry at a place; return the place behind it, -1 behind the last."""
    words = bare(words)
    octets = bare(octets)
    out = bare(out)
    if place >= packed.used_of(words, block):
        return -1
    at = packed.strip_at(block) + place
    out[0], out[1], out[2] = packed.read(octets, at)
    return packed.behind(octets, at) - packed.strip_at(block)


def texts(bench: Bench, block: int) -> list[tuple[bytes, int]]:
    out, place, listed = bench.both[0][:3].copy(), 0, []
    while (after := entry(*bench.both, block, place, out)) >= 0:
        start, size, form = map(int, out)
        listed.append((bytes(bench.both[1][start : start + size]), form))
        place = after
    return listed


def test_texts_beside_a_list(store: type[Bench]) -> None:
    load()
    bench, chance = store(), Random(1)
    words, octets = bench.both
    source = int(arena.allocate_block(words, octets, 1 << 14)) * 8
    octets[source : source + 70_000] = list(chance.randbytes(70_000))
    block, held = int(begin(words, octets, 8)), list[tuple[bytes, int]]()
    for i in range(3000):
        how = chance.choice((0, 1, 2, 3, 3, 4))
        index, size, mark = chance.randrange(len(held) + 1), chance.choice(SIZES[: 9 if i % 10 else 13]), i % 4
        start = source + chance.randrange(70_001 - size)
        text = (bytes(octets[start : start + size]), mark)
        if how == 0:
            held.insert(index, text)
        elif how == 3:
            held.append(text)
        elif how == 1 and index < len(held):
            held[index] = text
        elif how == 2:
            size = min(chance.choice((1, 1, 2, 12)), len(held) - index)
            del held[index : index + size]
        elif how == 1:
            continue
        block = int(change(words, octets, block, how, index, start, size, mark))
        assert block
        if i % 50 == 0:
            assert texts(bench, block) == held
            assert words[block] & packed.COUNT_MASK == len(held)
        if held:
            wanted = chance.choice(held)[0]
            octets[source : source + len(wanted)] = list(wanted)
            for step in (1, 2):
                place = int(found(words, octets, block, source, len(wanted), step))
                names = [text for text, _ in held[::step]]
                if wanted not in names or (step == 2 and len(held) % 2):
                    continue
                at = names.index(wanted) * step
                sizes = [len(text) for text, _ in held[:at]]
                heads = [1 if size < 60 else 2 if size < 256 else 3 if size < 65_536 else 5 for size in sizes]
                assert place == sum(heads) + sum(sizes)
    assert texts(bench, block) == held
