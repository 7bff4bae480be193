"""Prefetch of keys in a pipeline: finds the keys of the next commands and loads their cache lines early.

A lookup of a random key waits for memory twice, for its slot and for its record: 260 of the 390 ns of a GET out of 1 M
keys (measured, depth 16). So the lane reads a few commands ahead, just far enough to find their keys, and prefetches
the slot four commands before it is needed and the record two commands before. No result depends on these guesses: a
wrong one costs a cache line.
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import prefetch
from synap.store.lane.resp import CR, DOLLAR, STAR
from synap.store.memory import tables
from synap.store.memory.layout import SESSION_NAMESPACE
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace

LOOK_BYTES_MIN = 160  # a shorter pipeline ends before the cache lines arrive
LOOK_KEYS_MIN = 20_000  # fewer keys fit in the processor's caches anyway
LINE_BYTES_MIN = 8  # bytes that `short_line` may read
KEY_BYTES_MAX = 4096


@kernel
def short_line(octets, at):
    """Return (number, octet behind CR LF) of a line of one to four digits; (0, 0) for any other line."""
    value = int(octets[at]) - 48
    for i in range(1, 5):
        c = int(octets[at + i])
        if c == CR:
            return value, at + i + 2
        value = value * 10 + c - 48
    return 0, 0


@kernel
def hash_next_key(words, octets, session, at, end):
    """Prefetch the slot of the key that is the first argument of the command at `at`.

    Return (octet behind the command, hash of the key). The octet is 0 if the command is incomplete or not short; the
    hash is 0 if the command has no argument.
    """
    if at == 0 or end - at < 2 * LINE_BYTES_MIN or octets[at] != STAR:
        return 0, 0
    count, at = short_line(octets, at + 1)
    h = 0
    for i in range(count):
        if at == 0 or end - at < LINE_BYTES_MIN or octets[at] != DOLLAR:
            return 0, 0
        size, at = short_line(octets, at + 1)
        if at == 0 or size < 0 or size > KEY_BYTES_MAX or at + size > end:
            return 0, 0
        if i == 1:
            h = keyspace.hash_key(words, octets, words[session + SESSION_NAMESPACE], at, size)
            prefetch(words, keyspace.home_of(words, h))
        at += size + 2
    return at, h


@kernel
def prefetch_record(words, h):
    """Prefetch the record of the key with hash `h`, whose slot was prefetched before; do nothing if `h` is 0."""
    if h:
        seat = tables.seek_in(words, keyspace.shard_of(h), tables.tag_of_hash(h))
        prefetch(words, words[seat] & REF_MASK)
