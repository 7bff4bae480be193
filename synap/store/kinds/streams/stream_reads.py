"""Rows that read entries: XRANGE, XREVRANGE and XREAD."""

from synap.compiler.jit import kernel, outlined
from synap.store.kinds.streams import chunks, entries, entry_replies, ids
from synap.store.kinds.streams.entries import LENGTH
from synap.store.kinds.streams.entry_replies import refusal_of
from synap.store.memory import arena
from synap.store.memory.kinds import STREAM
from synap.store.memory.layout import (
    EMPTY,
    FULL,
    ITEM,
    MARK_ARRAY,
    MARK_BY_NAME,
    MARK_NAMED,
    NIL,
    REPEATED,
    REPLY_ITEMS_MAX,
    WAIT,
)
from synap.store.memory.refusals import (
    BAD_ENTRY_ID,
    BAD_INTERVAL_END,
    BAD_INTERVAL_START,
    NEW_ID_IN_READ,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_mark, add_text, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import streams as slots

DOLLAR, GREATER = 36, 62
STREAM_ITEMS = 3  # of a stream in the reply of XREAD, besides its entries: two marks and the key
AFTER, NEWEST, NEW = 1, 2, 3
"""What an id of XREAD and XREADGROUP means: entries behind it, those behind the last (`$`), those that are new to the
group (`>`); 0: it is no id."""


@kernel
def interval(words, octets, tape, start, end):
    """Return (refusal or 0, first ms, first seq, last ms, last seq) of a range in two slots of a tape."""
    good, first_ms, first_seq = ids.bound(words, octets, tape, start, 0, 1)
    if good <= 0:
        return (BAD_INTERVAL_START if good else BAD_ENTRY_ID), first_ms, first_seq, first_ms, first_seq
    good, last_ms, last_seq = ids.bound(words, octets, tape, end, ids.LAST, -1)
    if good <= 0:
        return (BAD_INTERVAL_END if good else BAD_ENTRY_ID), first_ms, first_seq, last_ms, last_seq
    return 0, first_ms, first_seq, last_ms, last_seq


@kernel
def counted(words, tape, has_count, count):
    """Return how many entries a call wants: 0 for any number, -1 for none."""
    if not words[tape + has_count]:
        return 0
    return words[tape + count] if words[tape + count] > 0 else -1


@kernel
def ranged(words, octets, tape, now, reply, key, start, end, most, backwards):
    """Reply with the entries of a range of ids as ITEM, in either direction."""
    refusal, first_ms, first_seq, last_ms, last_seq = interval(words, octets, tape, start, end)
    if refusal:
        return refusal
    ref = key_access.find(words, octets, tape, key, STREAM, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    if ref == MISSING:
        return EMPTY
    if most < 0:
        return NIL
    root = keyspace.root_of(words, ref)
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 0)
    if backwards:
        count, text_at, total = put_backwards(words, octets, reply, root, first_ms, first_seq, last_ms, last_seq, most)
    else:
        i, at = entries.seek(words, octets, root, first_ms, first_seq)
        count, text_at, _, total = entry_replies.put_from(
            words, octets, reply, root, i, at, last_ms, last_seq, most, 0, 0, 0
        )
    if text_at < 0:
        return refusal_of(text_at)
    words[reply + 2] = count
    return ITEM if fits(words, words[reply + 1], total) else FULL


@outlined
def put_backwards(words, octets, reply, root, first_ms, first_seq, last_ms, last_seq, most):
    """Add the entries from the last of a range to its first; return (their number, as `put_id`: octet, bytes)."""
    count = total = 0
    text_at = text_end = 0
    places = capacity = 0
    i = entries.chunk_of(words, root, last_ms, last_seq)
    going = words[root + LENGTH] > 0
    while going and i >= 0:
        chunk = entries.chunk_at(words, root, i)
        if words[chunk + chunks.TOTAL] > capacity:
            if places:
                arena.release(words, places)
            capacity = words[chunk + chunks.TOTAL]
            places = arena.allocate(words, capacity)
            if places == 0:
                return count, entry_replies.NO_MEMORY, total
        left = entries.live_places(words, octets, root, i, last_ms, last_seq, places)
        while left and going:
            left -= 1
            at = words[places + left]
            _, ms, seq, _ = chunks.read_head(words, octets, chunk, at)
            if ids.compare(ms, seq, first_ms, first_seq) < 0:
                going = False
                break
            text_at, text_end, total = entry_replies.put_entry(
                words, octets, reply, chunk, at, text_at, text_end, total
            )
            count += 1
            going = text_at >= 0 and count != most
        i -= 1
    if places:
        arena.release(words, places)
    return count, text_at, total


@kernel
def span(words, octets, tape, now, reply):
    """Reply with the entries whose ids are in a range, in their order (XRANGE)."""
    most = counted(words, tape, slots.XSTREAM_RANGE_HAS_COUNT, slots.XSTREAM_RANGE_COUNT)
    return ranged(
        words, octets, tape, now, reply, slots.XSTREAM_RANGE_KEY, slots.XSTREAM_RANGE_START, slots.XSTREAM_RANGE_END,
        most, False,
    )  # fmt: skip


@kernel
def span_backwards(words, octets, tape, now, reply):
    """Reply with the entries whose ids are in a range, the last one first (XREVRANGE)."""
    most = counted(words, tape, slots.XSTREAM_REVRANGE_HAS_COUNT, slots.XSTREAM_REVRANGE_COUNT)
    return ranged(
        words, octets, tape, now, reply, slots.XSTREAM_REVRANGE_KEY, slots.XSTREAM_REVRANGE_START,
        slots.XSTREAM_REVRANGE_END, most, True,
    )  # fmt: skip


@kernel
def after_id(words, octets, tape, slot):
    """Return (AFTER, NEWEST, NEW or 0; ms; seq) of an id of XREAD or XREADGROUP in a slot of a tape."""
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    if ids.is_sign(octets, at, size, DOLLAR):
        return NEWEST, 0, 0
    if ids.is_sign(octets, at, size, GREATER):
        return NEW, ids.LAST, ids.LAST
    good, ms, seq = ids.strict(words, octets, tape, slot, 0)
    return (AFTER if good else 0), ms, seq


@kernel
def put_head(words, reply, tape, key):
    """Begin the entries of a stream in a reply by name: its key, and an array of 0 entries; return the word of its
    number, or 0 if the reply is full."""
    if words[reply + 1] + STREAM_ITEMS > words[REPLY_ITEMS_MAX]:
        return 0
    add_mark(words, reply, MARK_NAMED, 2)
    add_text(words, reply, text_at(words, tape, key), text_size(words, tape, key), 0)
    place = reply + 2 + 2 * words[reply + 1]
    add_mark(words, reply, MARK_ARRAY, 0)
    return place


@kernel
def read(words, octets, tape, now, reply):
    """Reply with the entries of streams behind the ids given, by key; without any with NIL, or WAIT (XREAD)."""
    item = first_item(words, tape, slots.XSTREAM_READ_STREAMS)
    streams = words[tape + slots.XSTREAM_READ_STREAMS]
    most = max(counted(words, tape, slots.XSTREAM_READ_HAS_COUNT, slots.XSTREAM_READ_COUNT), 0)
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READ_STREAMS_STRIDE
        ref = key_access.find(words, octets, tape, slot + slots.XSTREAM_READ_STREAMS_KEY, STREAM, now)
        if ref == OTHER_KIND and not words[REPEATED]:
            return WRONG_TYPE
        what, _, _ = after_id(words, octets, tape, slot + slots.XSTREAM_READ_STREAMS_ID)
        if what == 0:
            return BAD_ENTRY_ID
        if what == NEW:
            return NEW_ID_IN_READ
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_BY_NAME, 0)
    text_at = text_end = total = served = 0
    for i in range(streams):
        slot = item + i * slots.XSTREAM_READ_STREAMS_STRIDE
        key = slot + slots.XSTREAM_READ_STREAMS_KEY
        what, ms, seq = after_id(words, octets, tape, slot + slots.XSTREAM_READ_STREAMS_ID)
        h = keyspace.hash_text(words, octets, tape, key)
        ref = key_access.record_at(words, keyspace.locate_quietly(words, octets, tape, key, h), STREAM, now)
        if ref == MISSING or ref == OTHER_KIND or what == NEWEST or (ms == ids.LAST and seq == ids.LAST):
            continue
        root = keyspace.root_of(words, ref)
        ms, seq = ids.following(ms, seq)
        chunk, at = entries.seek(words, octets, root, ms, seq)
        if at == 0:
            continue
        place = put_head(words, reply, tape, key)
        if place == 0:
            return FULL
        total += text_size(words, tape, key)
        count, text_at, text_end, total = entry_replies.put_from(
            words, octets, reply, root, chunk, at, ids.LAST, ids.LAST, most, text_at, text_end, total
        )
        if text_at < 0:
            return refusal_of(text_at)
        words[place] = count
        served += 1
    if served == 0:
        return WAIT if words[tape + slots.XSTREAM_READ_HAS_BLOCK] else NIL
    words[reply + 2] = served
    return ITEM if fits(words, words[reply + 1], total) else FULL
