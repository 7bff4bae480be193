"""Rows of HyperLogLog: PFADD, PFCOUNT, PFMERGE, over strings in Redis' own format (version 1 of its header).

    "HYLL" | encoding (1 byte) | 3 bytes | cached count (8 bytes) | registers (see `kernels/hyperloglog.py`)

Encoding 0 is dense, 1 sparse. A sketch begins sparse, and becomes dense once its string would be longer than
`hll-sparse-max-bytes`, or a rank does not fit. The same calls make the same registers, bit by bit, as in Redis.

The highest bit of the cached count says that it is out of date. Redis stores the count in PFCOUNT; here a read changes
nothing, so PFCOUNT uses a valid count (of a string that came from a Redis), else it counts.

A string of others may hold anything. `refusal_of` looks at all of it before any of it is used.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels import hyperloglog as sketches
from synap.kernels.spans import fill, load32, load64, move, store32
from synap.ranges import MS_MAX
from synap.store.kinds.strings import substrings, uncompressed
from synap.store.kinds.strings.strings import value_at
from synap.store.memory import codes, decided
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    DECIDED,
    DECIDED_BIT,
    DONE,
    HLL_SPARSE_MAX,
    NUMBER,
    STATUS_MASK,
)
from synap.store.memory.refusals import BAD_EXPIRE, BAD_SKETCH, NO_SKETCH, NO_SUCH_KEY, OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tapes import first_item, set_scalar, text_at, text_size
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import hyperloglog as slots

MAGIC = 0x4C4C5948  # HYLL
HEAD = 16
ENCODING, COUNT, STALE_BYTE, STALE = 4, 8, 15, 0x80
DENSE, SPARSE = 0, 1
DENSE_SIZE = HEAD + sketches.DENSE_BYTES
SPARSE_DEFAULT = 3000  # what HLL_SPARSE_MAX is unless CONFIG SET has changed it; a log is replayed with this value
WORK = compressed.ASIDE  # octet of a sketch under way: at most 32 KiB and three bytes for each element
REGISTERS = WORK + (1 << 28)  # octet of registers in bytes
COUNTS = DECIDED  # word at which registers are counted, before a decided call begins there


@inlined
def is_dense(octets, at):
    """Return True if the sketch at `at` is dense."""
    return octets[at + ENCODING] == DENSE


@inlined
def begins_well(octets, at, size):
    """Return True if a string has a header, and if it is dense, the size of all registers."""
    if size < HEAD or load32(octets, at) != MAGIC or octets[at + ENCODING] > SPARSE:
        return False
    return not is_dense(octets, at) or size == DENSE_SIZE


@kernel
def refusal_of(octets, at, size):
    """Return the refusal of a string that is no sketch, or 0."""
    if not begins_well(octets, at, size):
        return NO_SKETCH
    if is_dense(octets, at) or sketches.sparse_ok(octets, at + HEAD, size - HEAD):
        return 0
    return BAD_SKETCH


@kernel
def open_sketch(words, octets, ref):
    """Return (octet, size, refusal) of the sketch in a string record."""
    at, size = compressed.open_text(words, octets, ref)
    return at, size, OUT_OF_MEMORY if size < 0 else refusal_of(octets, at, size)


@kernel
def begin_work(octets, at, size):
    """Copy a sketch to WORK, or make an empty one there if `size` is 0; return its size."""
    if size:
        move(octets, WORK, at, size)
        return size
    fill(octets, WORK, 0, HEAD)
    store32(octets, WORK, MAGIC)
    octets[WORK + ENCODING] = SPARSE
    octets[WORK + STALE_BYTE] = STALE
    return HEAD + sketches.sparse_clear(octets, WORK + HEAD)


@kernel
def make_work_dense(octets, size):
    """Make the sparse sketch in WORK dense; return its size."""
    sketches.clear(octets, REGISTERS)
    sketches.sparse_merge(octets, REGISTERS, WORK + HEAD, size - HEAD)
    sketches.dense_pack(octets, WORK + HEAD, REGISTERS)
    octets[WORK + ENCODING] = DENSE
    return DENSE_SIZE


@kernel
def raise_work(words, octets, size, index, rank):
    """Raise a register of the sketch in WORK; return its new size, negated if the register was no lower."""
    if not is_dense(octets, WORK):
        most = words[HLL_SPARSE_MAX] - HEAD
        found = sketches.sparse_raise(octets, WORK + HEAD, size - HEAD, most, index, rank)
        if found:
            return found + HEAD if found > 0 else -size
        size = make_work_dense(octets, size)
    return size if sketches.dense_raise(octets, WORK + HEAD, index, rank) else -size


@kernel
def store_text(words, octets, tape, key, h, seat, ref, source, size):
    """Store a sketch as the value of the record `ref` (0: none) under the key; return the record, 0 without memory."""
    ref = uncompressed.widen(words, octets, tape, key, h, seat, ref, size)
    if ref:
        uncompressed.shrink(words, ref, size)
        move(octets, value_at(words, ref), source, size)
        keyspace.touched(words, octets, h)
    return ref


@kernel
def changed(words, octets, tape, key, ref):
    """Return the bits of a status for a change of the sketch in `ref`: decided, if its form depends on the setting."""
    if words[HLL_SPARSE_MAX] == SPARSE_DEFAULT:
        return CHANGED
    decided.begin(words, codes.HYPERLOGLOG_PUT, words[tape - 2], slots.HYPERLOGLOG_PUT_SLOTS)
    decided.put_argument(words, octets, slots.HYPERLOGLOG_PUT_KEY, tape, key)
    size = keyspace.value_size(words, ref)
    decided.put_text(words, octets, slots.HYPERLOGLOG_PUT_VALUE, value_at(words, ref), size, 0)
    return CHANGED | DECIDED_BIT


@kernel
def add_to_dense(words, octets, tape, at):
    """Add all elements of PFADD to the dense sketch at `at`; return True if a register was raised."""
    raised = False
    item = first_item(words, tape, slots.HYPERLOGLOG_PFADD_ELEMENTS)
    for _ in range(words[tape + slots.HYPERLOGLOG_PFADD_ELEMENTS]):
        place = item + slots.HYPERLOGLOG_PFADD_ELEMENTS_ELEMENT
        hashed = sketches.hash_text(octets, text_at(words, tape, place), text_size(words, tape, place))
        if sketches.dense_raise(octets, at + HEAD, sketches.index_of(hashed), sketches.rank_of(hashed)):
            raised = True
        item += slots.HYPERLOGLOG_PFADD_ELEMENTS_STRIDE
    return raised


@kernel
def add_to_work(words, octets, tape, size):
    """Add all elements of PFADD to the sketch in WORK; return its size, negated if no register was raised."""
    raised = False
    item = first_item(words, tape, slots.HYPERLOGLOG_PFADD_ELEMENTS)
    for _ in range(words[tape + slots.HYPERLOGLOG_PFADD_ELEMENTS]):
        place = item + slots.HYPERLOGLOG_PFADD_ELEMENTS_ELEMENT
        hashed = sketches.hash_text(octets, text_at(words, tape, place), text_size(words, tape, place))
        found = raise_work(words, octets, size, sketches.index_of(hashed), sketches.rank_of(hashed))
        raised = raised or found > 0
        size = abs(found)
        item += slots.HYPERLOGLOG_PFADD_ELEMENTS_STRIDE
    return size if raised else -size


@kernel
def add(words, octets, tape, now, reply):
    """Add elements (PFADD); reply with 1 if a register was raised or the key is new."""
    key = slots.HYPERLOGLOG_PFADD_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    at, size = 0, 0
    if ref:
        at, size, refusal = open_sketch(words, octets, ref)
        if refusal:
            return refusal
    set_scalar(words, reply, 0)
    if ref and is_dense(octets, at):
        if compressed.is_packed(words, ref):
            ref = uncompressed.unpacked(words, octets, seat, ref)
            if ref == 0:
                return BROKEN
            at = value_at(words, ref)
        substrings.plain(words, ref)
        if not add_to_dense(words, octets, tape, at):
            return NUMBER
        octets[at + STALE_BYTE] |= STALE
        keyspace.touched(words, octets, h)
    else:
        size = add_to_work(words, octets, tape, begin_work(octets, at, size))
        if ref and size < 0:
            words[ref] |= keyspace.RAW << keyspace.FORM_SHIFT
            return NUMBER
        octets[WORK + STALE_BYTE] |= STALE
        ref = store_text(words, octets, tape, key, h, seat, ref, WORK, abs(size))
        if ref == 0:
            return BROKEN
    words[reply] = 1
    return NUMBER | changed(words, octets, tape, key, ref)


@kernel
def add_until(words, octets, tape, now, reply):
    """Add elements as `add` does; with a number of seconds, set the key's deadline as well."""
    key = slots.HYPERLOGLOG_ADD_KEY
    left = words[tape + slots.HYPERLOGLOG_ADD_TTL_SECS] if words[tape + slots.HYPERLOGLOG_ADD_EXPIRY] else 0
    if left > (MS_MAX - now) // 1000:
        return BAD_EXPIRE
    status = add(words, octets, tape, now, reply)
    if status & STATUS_MASK != NUMBER or left == 0:
        return status
    deadline = now + left * 1000
    h, seat, _ = key_access.open_key(words, octets, tape, key, STRING, now)
    ref = key_access.change_deadline(words, octets, h, seat, deadline)
    if ref == 0:
        return BROKEN
    if words[HLL_SPARSE_MAX] == SPARSE_DEFAULT:
        return NUMBER | CHANGED
    decided.begin(words, codes.HYPERLOGLOG_PUT_UNTIL, words[tape - 2], slots.HYPERLOGLOG_PUT_UNTIL_SLOTS)
    decided.put_argument(words, octets, slots.HYPERLOGLOG_PUT_UNTIL_KEY, tape, key)
    at, size = compressed.open_text(words, octets, ref)  # compressed, if nothing was raised
    if size < 0:
        return BROKEN
    decided.put_text(words, octets, slots.HYPERLOGLOG_PUT_UNTIL_VALUE, at, size, 0)
    decided.put_number(words, slots.HYPERLOGLOG_PUT_UNTIL_DEADLINE, deadline)
    return NUMBER | CHANGED | DECIDED_BIT


@kernel
def count_one(words, octets, at, size):
    """Return the estimate of a sketch."""
    if is_dense(octets, at):
        sketches.dense_expand(octets, REGISTERS, at + HEAD)
        sketches.histogram(octets, REGISTERS, words, COUNTS)
    else:
        sketches.sparse_histogram(octets, at + HEAD, size - HEAD, words, COUNTS)
    return sketches.estimate(words, COUNTS)


@kernel
def merge_into_registers(octets, at, size):
    """Raise REGISTERS to those of a sketch."""
    if is_dense(octets, at):
        sketches.dense_merge(octets, REGISTERS, at + HEAD)
    else:
        sketches.sparse_merge(octets, REGISTERS, at + HEAD, size - HEAD)


@kernel
def count(words, octets, tape, now, reply):
    """Reply with the estimate of one sketch, or of the union of several (PFCOUNT)."""
    number = words[tape + slots.HYPERLOGLOG_PFCOUNT_KEYS]
    key = first_item(words, tape, slots.HYPERLOGLOG_PFCOUNT_KEYS) + slots.HYPERLOGLOG_PFCOUNT_KEYS_KEY
    if number > 1:
        sketches.clear(octets, REGISTERS)
    set_scalar(words, reply, 0)
    for _ in range(number):
        ref = key_access.find(words, octets, tape, key, STRING, now)
        if ref == OTHER_KIND:
            return WRONG_TYPE
        if ref:
            at, size, refusal = open_sketch(words, octets, ref)
            if refusal:
                return refusal
            if number > 1:
                merge_into_registers(octets, at, size)
            elif octets[at + STALE_BYTE] & STALE == 0:
                words[reply] = load64(octets, at + COUNT)
            else:
                words[reply] = count_one(words, octets, at, size)
        key += slots.HYPERLOGLOG_PFCOUNT_KEYS_STRIDE
    if number > 1:
        sketches.histogram(octets, REGISTERS, words, COUNTS)
        words[reply] = sketches.estimate(words, COUNTS)
    return NUMBER


@kernel
def put_registers(words, octets, size, dense):
    """Write REGISTERS, which are no lower, into the sketch in WORK; return its size."""
    if not dense and not is_dense(octets, WORK):
        for index in range(sketches.REGISTERS):
            if octets[REGISTERS + index]:
                found = sketches.sparse_raise(
                    octets, WORK + HEAD, size - HEAD, words[HLL_SPARSE_MAX] - HEAD, index, octets[REGISTERS + index]
                )
                if found == 0:
                    dense = True
                    break
                size = abs(found) + HEAD
        if not dense:
            return size
    sketches.dense_pack(octets, WORK + HEAD, REGISTERS)
    octets[WORK + ENCODING] = DENSE
    return DENSE_SIZE


@kernel
def merge(words, octets, tape, now, reply):
    """Merge sketches into the destination (PFMERGE); the number of the reply is its estimate.

    It becomes dense if any of them is.
    """
    destination = slots.HYPERLOGLOG_PFMERGE_DESTINATION
    h, seat, ref = key_access.open_key(words, octets, tape, destination, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    at, size = 0, 0
    dense = False
    sketches.clear(octets, REGISTERS)
    if ref:
        at, size, refusal = open_sketch(words, octets, ref)
        if refusal:
            return refusal
        dense = is_dense(octets, at)
        merge_into_registers(octets, at, size)
    key = first_item(words, tape, slots.HYPERLOGLOG_PFMERGE_SOURCES) + slots.HYPERLOGLOG_PFMERGE_SOURCES_SOURCE
    for _ in range(words[tape + slots.HYPERLOGLOG_PFMERGE_SOURCES]):
        _, _, source = key_access.open_key(words, octets, tape, key, STRING, now)
        if source == OTHER_KIND:
            return WRONG_TYPE
        if source:
            source_at, source_size, refusal = open_sketch(words, octets, source)
            if refusal:
                return refusal
            dense = dense or is_dense(octets, source_at)
            merge_into_registers(octets, source_at, source_size)
        key += slots.HYPERLOGLOG_PFMERGE_SOURCES_STRIDE
    return end_merge(words, octets, tape, destination, reply, h, seat, ref, at, size, dense, DONE)


@kernel
def end_merge(words, octets, tape, key, reply, h, seat, ref, at, size, dense, status):
    """Store the sketch at `at` (`size` 0: a new one) with the registers in REGISTERS; return the status of the row."""
    size = put_registers(words, octets, begin_work(octets, at, size), dense)
    octets[WORK + STALE_BYTE] |= STALE
    ref = store_text(words, octets, tape, key, h, seat, ref, WORK, size)
    if ref == 0:
        return BROKEN
    sketches.histogram(octets, REGISTERS, words, COUNTS)
    set_scalar(words, reply, sketches.estimate(words, COUNTS))
    return status | changed(words, octets, tape, key, ref)


@kernel
def absorb(words, octets, tape, now, reply):
    """Merge a sketch that is given as a text; reply with the new estimate."""
    key = slots.HYPERLOGLOG_ABSORB_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    given = text_at(words, tape, slots.HYPERLOGLOG_ABSORB_VALUE)
    given_size = text_size(words, tape, slots.HYPERLOGLOG_ABSORB_VALUE)
    refusal = refusal_of(octets, given, given_size)
    at, size = 0, 0
    if ref and refusal == 0:
        at, size, refusal = open_sketch(words, octets, ref)
    if refusal:
        return refusal
    sketches.clear(octets, REGISTERS)
    merge_into_registers(octets, given, given_size)
    dense = is_dense(octets, given)
    if ref:
        merge_into_registers(octets, at, size)
        dense = dense or is_dense(octets, at)
    return end_merge(words, octets, tape, key, reply, h, seat, ref, at, size, dense, NUMBER)


@kernel
def make_dense(words, octets, tape, now, reply):
    """Make a sketch dense; reply with 1, or with 0 if it is dense (PFDEBUG TODENSE)."""
    key = slots.HYPERLOGLOG_TODENSE_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, STRING, now)
    if ref == MISSING:
        return NO_SUCH_KEY
    if ref == OTHER_KIND:
        return WRONG_TYPE
    at, size, refusal = open_sketch(words, octets, ref)
    if refusal:
        return refusal
    set_scalar(words, reply, 0)
    if is_dense(octets, at):
        return NUMBER
    begin_work(octets, at, size)
    if store_text(words, octets, tape, key, h, seat, ref, WORK, make_work_dense(octets, size)) == 0:
        return BROKEN
    words[reply] = 1
    return NUMBER | CHANGED


@kernel
def put(words, octets, tape, now, reply):
    """Store a value as it is, and keep the deadline: what a sketch became with a setting of its own."""
    key = slots.HYPERLOGLOG_PUT_KEY
    h, seat, ref = key_access.open_key(words, octets, tape, key, STRING, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    source = text_at(words, tape, slots.HYPERLOGLOG_PUT_VALUE)
    size = text_size(words, tape, slots.HYPERLOGLOG_PUT_VALUE)
    return DONE | CHANGED if store_text(words, octets, tape, key, h, seat, ref, source, size) else BROKEN


@kernel
def put_until(words, octets, tape, now, reply):
    """Store a value as `put` does, and set the key's deadline."""
    status = put(words, octets, tape, now, reply)
    if status & STATUS_MASK != DONE:
        return status
    h, seat, _ = key_access.open_key(words, octets, tape, slots.HYPERLOGLOG_PUT_UNTIL_KEY, STRING, now)
    deadline = words[tape + slots.HYPERLOGLOG_PUT_UNTIL_DEADLINE]
    return status if key_access.change_deadline(words, octets, h, seat, deadline) else BROKEN
