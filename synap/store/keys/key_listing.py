"""Rows that find keys by walking the tables: RANDOMKEY, KEYS, and the keys that begin with a text."""

from synap.compiler.jit import kernel
from synap.kernels.globs import matches
from synap.kernels.spans import same
from synap.store.memory import tables
from synap.store.memory.layout import (
    CHANCE,
    FULL,
    ITEM,
    ITEMS,
    KEYS_COUNT,
    NIL,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
    SHARDS,
    SHARDS_COUNT,
    TABLE_SIZE,
)
from synap.store.memory.refusals import (
    POSITIVE_COUNT,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import ITEM_OVERHEAD, add_text, fits, set_scalar, text_at, text_size
from synap.store.records import keyspace
from synap.store.slots import renames as slots

ALL = 1 << 62  # no limit on the number of keys listed
DRAWS = 64  # random draws before all keys are walked
PREFIX_LIMIT = 100  # the default limit of key.starting
STAR = 42  # *


@kernel
def draw(words, octets, tape, now, reply):
    """Reply with a random visible key of the namespace, all about equally likely, or NIL (RANDOMKEY)."""
    namespace = words[tape - 2]
    if words[KEYS_COUNT + namespace] == 0:
        return NIL
    if not fits(words, 1, 0):
        return FULL
    ref = 0
    for _ in range(DRAWS):
        at = keyspace.any_seat(words)
        if at:
            ref = words[at] & REF_MASK
            if keyspace.namespace_of(words, ref) == namespace and not keyspace.expired(words, ref, now):
                break
            ref = 0
    first = words[CHANCE] & (SHARDS_COUNT - 1)
    for i in range(SHARDS_COUNT):
        place = 0
        seat = 1
        while seat and ref == 0:
            place, seat = tables.next_entry(words, SHARDS + ((first + i) & (SHARDS_COUNT - 1)) * TABLE_SIZE, place)
            if seat:
                ref = words[seat] & REF_MASK
                if keyspace.namespace_of(words, ref) != namespace or keyspace.expired(words, ref, now):
                    ref = 0
    if ref == 0:
        return NIL
    size = keyspace.key_size(words, ref)
    if not fits(words, 1, size):
        return FULL
    set_scalar(words, reply, 0)
    add_text(words, reply, keyspace.key_at(words, ref), size, 0)
    return ITEM


@kernel
def listed(words, octets, tape, now, reply, start, size, glob, glob_size, limit):
    """Reply with up to `limit` keys of the namespace that begin with a text and match a glob; return ITEMS or FULL.

    `start` and `size` are the text, `glob` and `glob_size` the pattern; `glob` 0 matches any key.
    """
    namespace = words[tape - 2]
    left = words[KEYS_COUNT + namespace]
    total = 0
    set_scalar(words, reply, 0)
    for shard in range(SHARDS_COUNT):
        place, seat = 0, 1
        while seat and left > 0 and words[reply + 1] < limit:
            place, seat = tables.next_entry(words, SHARDS + shard * TABLE_SIZE, place)
            if seat == 0:
                break
            ref = words[seat] & REF_MASK
            mine = keyspace.namespace_of(words, ref) == namespace
            left -= mine
            if not mine or keyspace.expired(words, ref, now):
                continue
            at = keyspace.key_at(words, ref)
            key_size = keyspace.key_size(words, ref)
            if key_size < size or not same(octets, at, start, size):
                continue
            if glob and not matches(octets, glob, glob_size, at, key_size, False):
                continue
            total += key_size + ITEM_OVERHEAD
            if words[reply + 1] >= words[REPLY_ITEMS_MAX] or total > words[REPLY_BYTES_MAX]:
                return FULL
            add_text(words, reply, at, key_size, 0)
    return ITEMS


@kernel
def match_all(words, octets, tape, now, reply):
    """Reply with the keys of the namespace that match a pattern, in no order (KEYS)."""
    glob, glob_size = text_at(words, tape, slots.KEY_MATCH_PATTERN), text_size(words, tape, slots.KEY_MATCH_PATTERN)
    return listed(words, octets, tape, now, reply, 0, 0, glob, glob_size, ALL)


@kernel
def match_prefix(words, octets, tape, now, reply):
    """Reply with the keys that begin with a prefix, or with any keys without one, up to a limit.

    A prefix may end in a star, which stands for the rest of a key.
    """
    limit = words[tape + slots.KEY_STARTING_LIMIT] if words[tape + slots.KEY_STARTING_HAS_LIMIT] else PREFIX_LIMIT
    if limit < 0:
        return POSITIVE_COUNT
    start, size = text_at(words, tape, slots.KEY_STARTING_PREFIX), text_size(words, tape, slots.KEY_STARTING_PREFIX)
    if size and octets[start + size - 1] == STAR:
        size -= 1
    return listed(words, octets, tape, now, reply, start, size, 0, 0, limit)


@kernel
def list_all(words, octets, tape, now, reply):
    """Reply with the keys that begin with a prefix and match a glob; without either, all keys do."""
    start, size = text_at(words, tape, slots.KEY_LIST_PREFIX), text_size(words, tape, slots.KEY_LIST_PREFIX)
    glob = text_at(words, tape, slots.KEY_LIST_PATTERN) if words[tape + slots.KEY_LIST_HAS_PATTERN] else 0
    glob_size = text_size(words, tape, slots.KEY_LIST_PATTERN)
    return listed(words, octets, tape, now, reply, start, size, glob, glob_size, ALL)
