"""Key information for Python: hashes, visibility, texts and descriptions of single keys, and LCS."""

from synap.compiler.jit import kernel
from synap.kernels import lcs
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.memory import arena
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import TRACKING, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.descriptions import BYTES, CLOCK, COUNT, DEADLINE, DESCRIPTION_WORDS, KIND, REF, USES
from synap.store.records.key_access import ANY_KIND, MISSING, OTHER_KIND


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def hash_of(words, octets, namespace, start, size):
    """Return the hash of a key, by which waiters register their interest."""
    words = bare(words)
    octets = bare(octets)
    return keyspace.hash_key(words, octets, namespace, start, size)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def visible(words, octets, namespace, start, size, now):
    """Return 1 if the key is visible at `now`, else 0."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    return 1 if key_access.record_at(words, seat, ANY_KIND, now) else 0


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64[::1])")
def text_of(words, octets, namespace, start, size, now, found):
    """Write (octet, size) of a string's value to `found`, valid until the reply is written; return 1.

    Return 0 if the key is not visible at `now`, is no string, or cannot be decompressed for want of memory. Not a use
    of the key.
    """
    words = bare(words)
    octets = bare(octets)
    found = bare(found)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    ref = key_access.record_at(words, keyspace.locate(words, octets, namespace, start, size, h), STRING, now)
    if ref == MISSING or ref == OTHER_KIND:
        return 0
    found[0], found[1] = compressed.open_text(words, octets, ref)
    return 1 if found[1] >= 0 else 0


@kernel("void(int64[::1], uint8[::1], int64, int64, int64, int64)")
def use(words, octets, namespace, start, size, now):
    """Note that the key was used, if it exists."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if seat and words[TRACKING]:
        keyspace.used(words, words[seat] & REF_MASK, now)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64[::1])")
def describe(words, octets, namespace, start, size, now, samples, found):
    """Write a description of a key to `found`; return 1 if the key is visible at `now`, else 0. Not a use of the key.

    `found` is indexed by the names in `descriptions.py`: kind, the encoding that Redis would report, bytes of the
    content, number of elements, bytes of all blocks, deadline (ms or 0), access clock (16 bits), the octet at which a
    string's value starts, the record's ref, and the use counter. Of a set's members `samples` are measured (0: all).
    """
    words = bare(words)
    octets = bare(octets)
    found = bare(found)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    ref = key_access.record_at(words, seat, ANY_KIND, now)
    if ref == MISSING:
        return 0
    for i in range(DESCRIPTION_WORDS):
        found[i] = 0
    kind = keyspace.kind_of(words, ref)
    found[KIND] = kind
    found[DEADLINE] = keyspace.deadline_of(words, ref)
    found[CLOCK] = (words[ref] >> keyspace.CLOCK_SHIFT) & 0xFFFF
    found[USES] = keyspace.uses(words, ref, now)
    found[REF] = ref
    found[BYTES] = arena.capacity(words, ref) * WORD + WORD  # the record and its slot
    found[COUNT] = 1
    dispatch.describe(kind, words, octets, ref, samples, found)
    return 1


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1])")
def common_fill(octets, first, first_size, second, second_size, table):
    """Return the length of the longest common subsequence of two texts; fill `table` (`lcs.fill`)."""
    octets = bare(octets)
    table = bare(table)
    return lcs.fill(octets, first, first_size, second, second_size, table)


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1], uint8[::1], int64[::1], int64)")
def common_trace(octets, first, first_size, second, second_size, table, text, ranges, least):
    """Write the longest common subsequence and its ranges; return the number of ranges (`lcs.trace`)."""
    octets = bare(octets)
    table = bare(table)
    text = bare(text)
    ranges = bare(ranges)
    return lcs.trace(octets, first, first_size, second, second_size, table, text, ranges, least)
