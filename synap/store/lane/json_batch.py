"""Batches of command envelopes: JSON text in, JSON text out, in two kernel calls.

    {"command": "kv.set", "request_id": "7", "payload": {"key": "k", "value": "v"}}

`plan` cuts the array into its elements and packs the *plain* ones in the form of calls queued by MULTI. In a plain
element command, request_id and payload occur once each; strings are printable ASCII without escapes; the payload fields
are exactly the required ones of the row, each a string, an integer, true or false (for a group, one item under its own
name; an integer with a default may be missing). `answer` carries the packed calls out and writes their replies, as long
as these are plain too. Everything else is *odd*: Python reads the element, or writes the reply, with the JSON library.
Both ways give the same bytes (tests/surfaces/test_batches.py).

`plan` and `answer` know a row as a *target* (see `synap/derive/json_batch_image.py`).
"""

import numpy as np

from synap.compiler.jit import kernel
from synap.kernels.integers import parse_integer, print_integer
from synap.kernels.spans import bare, move, same, store64
from synap.store.lane import transactions
from synap.store.lane.json_scan import (
    CLOSE,
    CLOSE_ARRAY,
    COLON,
    COMMA,
    OPEN,
    QUOTE,
    SHORT_LITERAL,
    literal_end,
    plain_string,
    reads_as_itself,
    skip_element,
    skip_space,
)
from synap.store.memory import arena
from synap.store.memory.layout import (
    BATCH_AT,
    BATCH_INDEX,
    BATCH_STATUS,
    CALL_BLOB,
    CALL_BLOB_BYTES,
    DEFERRED_COUNT,
    DONE,
    ENVELOPES,
    ENVELOPES_COUNT,
    FORM_JSON,
    FORM_MASK,
    FULL,
    HITS_COUNT,
    ITEM,
    ITEM_MASK,
    ITEM_TEXT,
    LANE_AT,
    LANE_CALLS,
    LANE_OUT,
    LOG_FLUSH_BYTES,
    LOG_TOP,
    MARK_BITS,
    NIL,
    NUMBER,
    OUT_AT,
    OUT_END,
    PACKED_BLOB,
    PACKED_HEAD,
    PACKED_NAMESPACE,
    PACKED_ROW,
    PACKED_TAPE,
    PACKED_WORDS,
    PRESENT,
    REFUSE_CALLER,
    REPLY,
    REPLY_BYTES_MAX,
    REPLY_ITEMS,
    REPLY_ITEMS_MAX,
    ROW_SLOTS,
    SCRATCH,
    STATUS_MASK,
    TARGET_TEXTS,
    WORD,
    WORDS,
)

ALL, PAUSE, ALONE, RENDER = 0, 1, 2, 3
# Words of a target: its row, the JSON texts of its replies as (octet, size) pairs, its required fields.
ROW, DONE_TEXT, NIL_TEXT, NUMBER_HOW, NUMBER_HEAD, NUMBER_TAIL = 0, 1, 3, 5, 6, 8
HYBRID, FIELDS_COUNT, FIELDS = 10, 11, 12
FIELD_WORDS, FIELDS_MAX = 7, 4  # name, its size, slot, kind, default, the least number, the greatest
TARGET_WORDS = FIELDS + FIELD_WORDS * FIELDS_MAX
GIVEN_WORDS = 4
IS_TEXT, IS_RAW, IS_INT = 1, 2, 3
IS_MASK = 7
MISSABLE, GROUP = 8, 16  # bits of a kind: the field has a default; it is the only item of a group
CONSTANT, DIGITS, TRUTH = 1, 2, 3  # how a NUMBER is written: as a fixed text, as digits, as true or false
# The texts that every reply contains, at fixed octets of TARGET_TEXTS.
HEAD_AT, HEAD_SIZE = TARGET_TEXTS * WORD, 29  # {"success":true,"request_id":
MIDDLE_AT, MIDDLE_SIZE = HEAD_AT + 32, 11  # ,"payload":
TAIL_AT, TAIL_SIZE = HEAD_AT + 48, 14  # ,"error":null}
KEYS_AT = HEAD_AT + 64  # command, request_id, payload: 16 octets each
TEXTS_AT = HEAD_AT + 112

ENTRIES_END = CALL_BLOB + CALL_BLOB_BYTES // WORD
ENVELOPE_BYTES = 512  # bytes around a request_id and its payload
NAME_BYTES_MAX = 4096  # a longer request_id is odd


@kernel
def read_payload(words, octets, at, end):
    """Note the fields of the payload at `at` in SCRATCH; return (octet behind it, number of fields).

    The result is (0, 0) if the payload is odd. Each field takes GIVEN_WORDS: octet and size of its name, octet and size
    of its value. The size n of a string is noted as -1 - n.
    """
    count = 0
    if at >= end or octets[at] != OPEN:
        return 0, 0
    at = skip_space(octets, at + 1, end)
    if at < end and octets[at] == CLOSE:
        return at + 1, 0
    while count < FIELDS_MAX:
        name_end = plain_string(octets, at, end)
        if name_end == 0:
            return 0, 0
        place = SCRATCH + GIVEN_WORDS * count
        words[place] = at + 1
        words[place + 1] = name_end - at - 2
        at = skip_space(octets, name_end, end)
        if at >= end or octets[at] != COLON:
            return 0, 0
        at = skip_space(octets, at + 1, end)
        after = plain_string(octets, at, end)
        if after:
            words[place + 2] = at + 1
            words[place + 3] = -1 - (after - at - 2)
        else:
            after = literal_end(octets, at, end) if at < end else 0
            if after == 0:
                return 0, 0
            words[place + 2] = at
            words[place + 3] = after - at
        count += 1
        at = skip_space(octets, after, end)
        if at >= end:
            return 0, 0
        if octets[at] == CLOSE:
            return at + 1, count
        if octets[at] != COMMA:
            return 0, 0
        at = skip_space(octets, at + 1, end)
    return 0, 0


@kernel
def hash_of(octets, at, size):
    """Return a hash of the name of a command."""
    h = size
    for i in range(size):
        h = (h * 0x100000001B3) ^ octets[at + i]
    return h ^ (h >> 29)


@kernel
def find_target(words, octets, at, size):
    """Return the target with this name, or 0."""
    h = hash_of(octets, at, size)
    place = ENVELOPES + 4 * (h & (ENVELOPES_COUNT - 1))
    while words[place]:
        if words[place + 1] == h and words[place + 3] == size and same(octets, at, words[place + 2], size):
            return words[place]
        place += 4
        if place == ENVELOPES + 4 * ENVELOPES_COUNT:
            place = ENVELOPES
    return 0


@kernel
def pack(words, octets, target, count, entry):
    """Pack the `count` fields in SCRATCH as a call at `entry`; return False unless they are exactly the target's."""
    slots = words[words[target + ROW] + ROW_SLOTS]
    tape = entry + PACKED_HEAD
    tape_size = slots
    for i in range(slots + 2):
        words[tape + i] = 0
    for f in range(words[target + FIELDS_COUNT]):
        if words[target + FIELDS + FIELD_WORDS * f + 3] & GROUP:
            tape_size += 2
    blob = (tape + tape_size) * WORD
    used = 0
    found = 0
    for f in range(words[target + FIELDS_COUNT]):
        field = target + FIELDS + FIELD_WORDS * f
        kind = words[field + 3]
        slot = tape + words[field + 2]
        given = SCRATCH
        last = SCRATCH + GIVEN_WORDS * count
        while given < last and not (
            words[given + 1] == words[field + 1] and same(octets, words[given], words[field], words[field + 1])
        ):
            given += GIVEN_WORDS
        if given == last:
            if not kind & MISSABLE:
                return False
            words[slot] = words[field + 4]
            continue
        found += 1
        source = words[given + 2]
        size = words[given + 3]
        if kind & IS_MASK == IS_INT:
            if size < 0:
                return False
            value, valid = parse_integer(octets, source, size)
            if not valid or value < words[field + 5] or value > words[field + 6]:
                return False
            words[slot] = value
            continue
        form = 0
        if size < 0:
            size = -1 - size
        else:
            form = FORM_JSON
            if kind & IS_MASK == IS_TEXT:
                return False
        if kind & GROUP:
            words[slot] = 1
            words[slot + 1] = slots
            slot = tape + slots
        words[slot] = used
        words[slot + 1] = size << MARK_BITS | PRESENT | form
        move(octets, blob + used, source, size)
        used += size
    if found < count:
        return False
    words[entry + PACKED_ROW] = words[target + ROW]
    words[entry + PACKED_WORDS] = PACKED_HEAD + tape_size + ((used + 7) >> 3)
    words[entry + PACKED_TAPE] = tape_size
    words[entry + PACKED_NAMESPACE] = 0
    words[entry + PACKED_BLOB] = used
    return True


@kernel
def pack_element(words, octets, at, end, entry, index):
    """Pack the element at `at`, and note its request_id in WORDS; return the octet behind it, or 0 if it is odd."""
    command = command_size = name = name_size = after_payload = 0
    count = 0
    at = skip_space(octets, at + 1, end)
    while True:
        key_end = plain_string(octets, at, end)
        if key_end == 0:
            return 0
        key = at + 1
        size = key_end - at - 2
        at = skip_space(octets, key_end, end)
        if at >= end or octets[at] != COLON:
            return 0
        at = skip_space(octets, at + 1, end)
        if size == 7 and command == 0 and same(octets, key, KEYS_AT, 7):
            after = plain_string(octets, at, end)
            command = at + 1
            command_size = after - at - 2
        elif size == 10 and name == 0 and same(octets, key, KEYS_AT + 16, 10):
            after = plain_string(octets, at, end)
            name = at
            name_size = after - at
        elif size == 7 and after_payload == 0 and same(octets, key, KEYS_AT + 32, 7):
            after, count = read_payload(words, octets, at, end)
            after_payload = after
        else:
            return 0
        if after == 0:
            return 0
        at = skip_space(octets, after, end)
        if at >= end:
            return 0
        if octets[at] == CLOSE:
            break
        if octets[at] != COMMA:
            return 0
        at = skip_space(octets, at + 1, end)
    if command == 0 or name_size < 3 or name_size > NAME_BYTES_MAX or after_payload == 0:
        return 0
    target = find_target(words, octets, command, command_size)
    if target == 0 or not pack(words, octets, target, count, entry):
        return 0
    words[WORDS + 4 * index] = name
    words[WORDS + 4 * index + 1] = name_size
    words[WORDS + 4 * index + 2] = target
    return at + 1


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def plan(words, octets, at, end, entry, most):
    """Pack the envelopes of a JSON array, from word `entry` on; return their number.

    The first element begins at octet `at`. The result is -1 if there is no array of at most `most` objects that ends
    before `end`, or if the call region has no space for them; the words written are then void. LANE_AT is set to the
    octet behind the array, LANE_CALLS to the number of odd elements, whose entries have row 0.
    """
    words = bare(words)
    octets = bare(octets)
    count = 0
    odd = 0
    while True:
        at = skip_space(octets, at, end)
        if at >= end or octets[at] != OPEN or count >= most:
            return -1
        capacity = ENTRIES_END - entry
        after = 0
        if capacity * WORD > 2 * (end - at) + TARGET_WORDS * WORD:
            after = pack_element(words, octets, at, end, entry, count)
        elif capacity < TARGET_WORDS:
            return -1
        if after == 0:
            after = skip_element(octets, at, end)
            if after == 0:
                return -1
            words[entry] = 0
            words[entry + PACKED_WORDS] = PACKED_HEAD
            odd += 1
        entry += words[entry + PACKED_WORDS]
        count += 1
        at = skip_space(octets, after, end)
        if at >= end:
            return -1
        if octets[at] == CLOSE_ARRAY:
            words[LANE_AT] = at + 1
            words[LANE_CALLS] = odd
            return count
        if octets[at] != COMMA:
            return -1
        at += 1


@kernel
def put(octets, out, source, size):
    """Copy a text to the end of the replies; return the new end."""
    move(octets, out, source, size)
    return out + size


@kernel
def payload(words, octets, out, target, status):
    """Write the payload for the reply in REPLY as the target says; return the new end, or 0 to leave it to Python."""
    what = status & STATUS_MASK
    if what == ITEM:
        mark = words[REPLY + 3]
        size = mark >> MARK_BITS
        if words[target + HYBRID] == 0 or mark & ITEM_MASK != ITEM_TEXT:
            return 0
        if mark & FORM_MASK:
            _, valid = parse_integer(octets, words[REPLY + 2], min(size, SHORT_LITERAL + 1))
            return put(octets, out, words[REPLY + 2], size) if valid and size <= SHORT_LITERAL else 0
        if out + size + ENVELOPE_BYTES > OUT_END or not reads_as_itself(octets, words[REPLY + 2], size):
            return 0
        octets[out] = QUOTE
        out = put(octets, out + 1, words[REPLY + 2], size)
        octets[out] = QUOTE
        return out + 1
    if what == NUMBER:
        how = words[target + NUMBER_HOW]
        if how == 0:
            return 0
        out = put(octets, out, words[target + NUMBER_HEAD], words[target + NUMBER_HEAD + 1])
        if how == DIGITS:
            out += print_integer(octets, out, words[REPLY])
        elif how == TRUTH:
            truth = words[REPLY] != 0
            store64(octets, out, 0x65757274 if truth else 0x65736C6166)
            out += 4 if truth else 5
        return put(octets, out, words[target + NUMBER_TAIL], words[target + NUMBER_TAIL + 1])
    text = 0
    if what == DONE:
        text = target + DONE_TEXT
    elif what == NIL:
        text = target + NIL_TEXT
    if text == 0 or words[text + 1] == 0:
        return 0
    return put(octets, out, words[text], words[text + 1])


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64)")
def answer(words, octets, index, entry, count, now, refuse, bytes_max):
    """Carry out packed envelopes from number `index` on; write the replies to OUT; return the reason to stop.

        ALL      all envelopes have been answered
        PAUSE    the caller sends OUT, writes the log, serves waiting sessions, and calls again
        ALONE    Python has to carry out the envelope with number BATCH_INDEX
        RENDER   that envelope has been carried out with BATCH_STATUS, and Python has to write the reply in REPLY

    Envelope `index` is packed at word `entry`; `refuse` are the guards of the caller. LANE_OUT is set to the end of the
    replies, BATCH_AT to the entry at which the kernel stopped.
    """
    words = bare(words)
    octets = bare(octets)
    words[REFUSE_CALLER] = refuse
    out = np.int64(OUT_AT)
    reason = np.int64(ALL)
    while index < count:
        row = words[entry]
        if row == 0:
            reason = np.int64(ALONE)
            break
        name = WORDS + 4 * index
        if out + words[name + 1] + ENVELOPE_BYTES > OUT_END:
            reason = np.int64(PAUSE)
            break
        words[REPLY_ITEMS_MAX] = REPLY_ITEMS
        words[REPLY_BYTES_MAX] = bytes_max
        status = transactions.queued_call(words, octets, entry, now, REPLY)
        words[BATCH_STATUS] = status
        if status & STATUS_MASK == FULL:
            reason = np.int64(ALONE)
            break
        start = out
        if index:
            octets[out] = COMMA
            out += 1
        out = put(octets, out, HEAD_AT, HEAD_SIZE)
        out = put(octets, out, words[name], words[name + 1])
        out = put(octets, out, MIDDLE_AT, MIDDLE_SIZE)
        out = payload(words, octets, out, words[name + 2], status)
        if out == 0:
            out = start
            reason = np.int64(RENDER)
            break
        out = put(octets, out, TAIL_AT, TAIL_SIZE)
        if words[DEFERRED_COUNT]:
            arena.free_deferred(words)
        index += 1
        entry += words[entry + PACKED_WORDS]
        if words[HITS_COUNT] or words[LOG_TOP] > LOG_FLUSH_BYTES:
            reason = np.int64(PAUSE)
            break
    words[LANE_OUT] = out
    words[BATCH_INDEX] = index
    words[BATCH_AT] = entry
    return reason
