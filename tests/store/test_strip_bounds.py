"""Strips stay short whatever Redis' settings allow: hashes, sets and sorted sets leave the small form in time."""

from typing import Any

import pytest

from synap.compiler.jit import kernel, load
from synap.kernels.spans import bare
from synap.store.kinds.sets import integers
from synap.store.memory import layout, tables
from synap.store.records import keyspace, packed
from synap.store.records.packed import INTEGERS, PACKED, TABLE
from tests.store.differential import digest
from tests.support import Bench

HUGE = (1 << 63) - 1
LIMITS = (
    layout.HASH_ENTRIES_MAX, layout.HASH_VALUE_MAX, layout.SET_ENTRIES_MAX, layout.SET_VALUE_MAX,
    layout.SET_INTEGERS_MAX, layout.ZSET_ENTRIES_MAX, layout.ZSET_VALUE_MAX,
)  # fmt: skip


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def form(words, octets, start, size):
    """Return the shape of the structure under a key, with the bytes of its strip above it."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, 0, start, size)
    root = words[keyspace.root_of(words, words[keyspace.locate(words, octets, 0, start, size, h)] & tables.REF_MASK)]
    shape = packed.shape_of(root)
    used = packed.used_of(words, packed.block_of(root)) if shape == PACKED else 0
    return shape | used << 8


def form_of(bench: Bench, key: bytes) -> tuple[int, int]:
    at, end = bench.receive(key)
    told = int(form(*bench.both, at, end - at))
    return told & 0xFF, told >> 8


@pytest.fixture
def bench(store: type[Bench]) -> Bench:
    load()
    made = store()
    for limit in LIMITS:
        made[limit] = HUGE
    return made


def calls(kind: str, i: int, text: bytes) -> list[Any]:
    return {"hash": [b"HSET", b"k", b"f%d" % i, text], "set": [b"SADD", b"k", b"%d " % i + text],
            "zset": [b"ZADD", b"k", i, b"%d " % i + text]}[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["hash", "set", "zset"])
def test_large_texts(bench: Bench, kind: str) -> None:
    longest = 0
    for i in range(60):
        assert bench.ask(calls(kind, i, b"x" * 30_000)) == 1
        shape, used = form_of(bench, b"k")
        longest = max(longest, used)
        assert shape == (PACKED if i < 34 else TABLE)
    assert 1 << 19 < longest <= packed.STRIP_MAX + 1000
    bench.ask("DEL k")
    assert bench.ask(calls(kind, 1, b"x" * 200_000)) == 1 and form_of(bench, b"k")[0] == PACKED
    bench.ask("DEL k")


def test_a_text_above_the_bound() -> None:
    """Not even an empty strip takes it; no buffer of this bench would."""
    assert packed.takes.py_func([0], 0, packed.STRIP_MAX)
    assert not packed.takes.py_func([0], 0, packed.STRIP_MAX + 1)


@pytest.mark.parametrize("kind", ["hash", "set", "zset"])
def test_many_texts(bench: Bench, kind: str) -> None:
    most = packed.TEXTS_MAX // (1 if kind == "set" else 2)
    for first in range(0, most, 1024):
        names = [b"m%d" % i for i in range(first, first + 1024)]
        words = [word for name in names for word in {"hash": (name, b""), "set": (name,), "zset": (b"1", name)}[kind]]
        assert bench.ask([{"hash": b"HSET", "set": b"SADD", "zset": b"ZADD"}[kind], b"k", *words]) == 1024
    assert form_of(bench, b"k")[0] == PACKED
    assert bench.ask(calls(kind, -1, b"")) == 1
    assert form_of(bench, b"k")[0] == TABLE


def test_many_integers(bench: Bench) -> None:
    for first in range(0, integers.COUNT_MAX, 4096):
        assert bench.ask([b"SADD", b"k", *range(first, first + 4096)]) == 4096
    assert form_of(bench, b"k")[0] == INTEGERS
    assert bench.ask("SADD k -1") == 1
    assert form_of(bench, b"k")[0] == TABLE and bench.ask("SCARD k") == integers.COUNT_MAX + 1


def test_results_are_bounded_too(bench: Bench) -> None:
    for first in range(0, 20_000, 1000):
        names = [b"m%d" % i for i in range(first, first + 1000)]
        bench.ask([b"SADD", b"s", *names])
        bench.ask([b"ZADD", b"z", *(word for name in names for word in (b"1", name))])
    state = digest(bench)
    assert bench.ask("SUNIONSTORE t s s") == 20_000 and form_of(bench, b"t")[0] == TABLE
    assert bench.ask("ZUNIONSTORE u 1 z") == 20_000 and form_of(bench, b"u")[0] == TABLE
    assert bench.ask("ZRANGESTORE u z 0 99") == 100 and form_of(bench, b"u")[0] == PACKED
    assert bench.ask("DEL t u") == 2 and digest(bench) == state
