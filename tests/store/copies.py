"""Copies of a store: by its frames, and by its dump. And keys that lie in each other's way."""

from collections.abc import Callable
from random import Random

import numpy as np

from synap.store.keys import key_info
from synap.store.memory import frames, layout
from synap.store.records.pieces import CURSOR_WORDS
from synap.store.snapshot import dumps
from tests.support import Bench

BLOB = layout.CALL_BLOB * layout.WORD
TAGGED = 34  # bits of a key's hash that choose shard and tag: equal ones share a place
TAGS = 28  # without the shard: what the members of a set share


def apply(bench: Bench, payload: bytes, step: int) -> int:
    """Replay frames; how many, or -1."""
    bench.heap.bytes[BLOB : BLOB + len(payload)] = payload
    return int(frames.replay(*bench.both, BLOB, BLOB + len(payload), step))


def fresh(store: Callable[..., Bench], seed: int) -> Bench:
    """An empty store with other secret keys (0: the usual ones)."""
    bench = store()
    if seed:
        chance = Random(seed)
        for register in (layout.KEY_A, layout.KEY_B, layout.CHANCE):
            bench[register] = chance.getrandbits(63)
    return bench


def replayed(bench: Bench, pieces: list[bytes]) -> Bench:
    """`bench` after the frames of a log."""
    for piece in pieces:
        assert apply(bench, piece, 1) > 0, why(bench)
    return bench


def why(bench: Bench) -> str:
    """Where a replay stopped."""
    return (
        f"seq {bench[layout.REPLAY_SEQ]} (at {bench[layout.SEQ]}), code {bench[layout.REPLAY_CODE]:#06x},"
        f" status {bench[layout.REPLAY_STATUS]}"
    )


def dumped(bench: Bench, most: int = 1 << 20) -> list[bytes]:
    """A dump in pieces of about `most` octets; LOG must be empty."""
    assert not bench[layout.LOG_TOP]
    cursor = np.zeros(CURSOR_WORDS, np.int64)
    start = layout.LOG * layout.WORD
    pieces = []
    while dumps.dump(*bench.both, cursor, bench[layout.SEQ], bench[layout.LAST_NOW], most):
        pieces.append(bytes(bench.heap.bytes[start : start + int(cursor[dumps.CURSOR_SIZE])]))
    return pieces


def loaded(bench: Bench, pieces: list[bytes], seq: int) -> Bench:
    """`bench` after the frames of a dump that stands at `seq`."""
    bench[layout.SEQ] = seq
    for piece in pieces:
        assert apply(bench, piece, 0) > 0, why(bench)
    return bench


def hashes(bench: Bench, texts: list[bytes]) -> np.ndarray:
    """The hashes of keys of namespace 0, which are also those of members."""
    found = np.empty(len(texts), np.int64)
    for i, text in enumerate(texts):
        bench.heap.bytes[BLOB : BLOB + len(text)] = text
        found[i] = key_info.hash_of(*bench.both, 0, BLOB, len(text))
    return found.view(np.uint64)


def neighbours(found: np.ndarray, texts: list[bytes], bits: int) -> list[list[bytes]]:
    """Groups of texts whose hashes agree in the bits that a table knows of them, the largest first."""
    seen = (found >> np.uint64(30)) & np.uint64((1 << bits) - 1)
    _, places, sizes = np.unique(seen, return_inverse=True, return_counts=True)
    order = np.argsort(places, kind="stable")
    starts = np.cumsum(sizes) - sizes
    groups = [
        [texts[i] for i in order[start : start + size]]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
        if size > 1
    ]
    return sorted(groups, key=len, reverse=True)
