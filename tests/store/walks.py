"""Walks over a heap in plain Python: is every page, block and slot where it may be? Raises AssertionError if not."""

from collections import Counter
from typing import Any

from synap.store.memory import arena, layout, tables
from synap.store.memory.layout import BINS, CLASSES, PAGE_TABLE, PAGE_WORDS, SLAB_PAGES
from tests.support import Bench

LINK = 0xFFFFFFFF


def table(bench: Bench, at: int) -> list[int]:
    """The slots in use of a table, after a look at the order and the place of each."""
    words = bench.heap.words
    found: list[int] = []
    old, frontier, moved = (int(words[at + i]) for i in (tables.OLD, tables.FRONTIER, tables.MOVED))
    for slots, size in ((tables.SLOTS, tables.SIZE), (tables.OLD, tables.OLD_SIZE)):
        start, size = int(words[at + slots]), int(words[at + size])
        if not start:
            continue
        room = size + min(size, tables.SLACK_MAX) + 1
        line = [int(slot) for slot in words[start : start + room]]
        assert line[-1] == 0, "the last slot must stay empty"
        before = -1
        for i, slot in enumerate(line):
            if not slot:
                continue
            tag = slot >> tables.REF_BITS & tables.TAG_MASK
            home = tag * size >> tables.TAG_BITS
            assert home <= i and all(line[home:i]), f"slot {i} cannot be reached from its home {home}"
            assert tag >= before, f"slot {i} breaks the order of tags"
            before = tag
            if old:
                assert (tag >= frontier) == (start == old), f"tag {tag} lies on the wrong side of {frontier}"
            assert start != old or i >= moved
            found.append(slot & (1 << 64) - 1)
    assert len(found) == words[at + tables.COUNT], "the count is wrong"
    return found


def pages(bench: Bench) -> dict[int, int]:
    """Blocks in use, by size class (-1: extents), after a look at each page and list."""
    words = bench.heap.words
    top, end = bench[layout.PAGES_TOP], bench[layout.PAGES_END]
    first = first_page(bench)
    assert first <= top <= end
    runs, used, dirty = set(), 0, 0
    in_use: Counter[int] = Counter()
    with_space: dict[int, set[int]] = {}
    page, before_free = first, False
    while page < top:
        word = int(words[PAGE_TABLE + 2 * page])
        kind, length = word & 7, word >> arena.LENGTH
        if kind == arena.FREE:
            assert not before_free, "two free runs side by side"
            last = int(words[PAGE_TABLE + 2 * (page + length - 1)])
            assert length == 1 or (last & 7 == arena.FREE_END and last >> arena.LENGTH == length)
            runs.add(page)
            dirty += length if word & arena.DIRTY else 0
        elif kind == arena.EXTENT:
            assert words[PAGE_TABLE + 2 * (page + length - 1)] == word
            in_use[-1] += 1
            used += length
        else:
            assert kind == arena.SLAB and length == page, f"page {page} is nothing"
            index, room = slab(words, page, in_use)
            length = SLAB_PAGES
            used += length
            if room:
                with_space.setdefault(index, set()).add(page)
        before_free = kind == arena.FREE
        assert length > 0
        page += length
    assert page == top
    assert used == bench[layout.PAGES_USED] and dirty == bench[layout.PAGES_DIRTY]
    assert runs == listed_runs(words)
    for index in range(64):
        assert listed_slabs(words, index) == with_space.get(index, set()), f"list of class {index}"
    return dict(in_use)


def first_page(bench: Bench) -> int:
    """Where the pages begin: no page before has ever been anything."""
    return int((bench.heap.words[PAGE_TABLE : PAGE_TABLE + 2 * bench[layout.PAGES_TOP] : 2] != 0).argmax())


def slab(words: Any, page: int, in_use: Counter[int]) -> tuple[int, bool]:
    """(class, has room) of a slab whose blocks are counted."""
    entry = PAGE_TABLE + 2 * page
    for i in range(SLAB_PAGES):
        assert words[entry + 2 * i] == arena.SLAB | page << arena.LENGTH
    index, count = int(words[entry + 1]) & 0xFF, int(words[entry + 1]) >> 8
    block, carved = int(arena.class_words.py_func(index)), int(words[entry + 9])
    assert carved % block == 0 and carved <= SLAB_PAGES * PAGE_WORDS
    free, ref = set(), int(words[entry + 3])
    while ref:
        offset = ref - page * PAGE_WORDS
        assert 0 <= offset < carved and offset % block == 0 and ref not in free
        free.add(ref)
        ref = int(words[ref])
    assert count == carved // block - len(free)
    in_use[index] += count
    return index, bool(free) or carved + block <= SLAB_PAGES * PAGE_WORDS


def listed_runs(words: Any) -> set[int]:
    """The free runs that the bins know."""
    found = set()
    for power in range(40):
        page, before = int(words[BINS + power]), 0
        while page:
            length = int(words[PAGE_TABLE + 2 * page]) >> arena.LENGTH
            link = int(words[PAGE_TABLE + 2 * page + 1])
            assert length.bit_length() - 1 == power and link & LINK == before and page not in found
            found.add(page)
            page, before = link >> 32 & LINK, page
    return found


def listed_slabs(words: Any, index: int) -> set[int]:
    """The slabs that the list of a class knows."""
    found = set()
    page, before = int(words[CLASSES + index]), 0
    while page:
        entry = PAGE_TABLE + 2 * page
        assert words[entry + 7] == before and page not in found
        found.add(page)
        page, before = int(words[entry + 5]), page
    return found
