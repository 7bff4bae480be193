"""What Python asks of single keys: their hashes, whether they are visible, and what they are."""

from synap.compiler.jit import kernel
from synap.kernels import lcs
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.memory import arena
from synap.store.memory.layout import TRACKING, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import keyspace
from synap.store.records.descriptions import BYTES, CLOCK, COUNT, DEADLINE, DESCRIPTION_WORDS, KIND, REF, USES


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def hash_of(words, octets, namespace, start, size):
    """The hash of a key, as interest knows it."""
    words = bare(words)
    octets = bare(octets)
    return keyspace.hash_key(words, octets, namespace, start, size)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def visible(words, octets, namespace, start, size, now):
    """1 if the key can be seen at `now`, else 0."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return 0
    return 1


@kernel("void(int64[::1], uint8[::1], int64, int64, int64, int64)")
def use(words, octets, namespace, start, size, now):
    """Note that the key was used, if there is one."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if seat and words[TRACKING]:
        keyspace.used(words, words[seat] & REF_MASK, now)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64, int64, int64[::1])")
def describe(words, octets, namespace, start, size, now, samples, found):
    """1 if the key can be seen at `now`, else 0; looking is no use of it.

    `found` gets, by the names above: kind, what Redis would call its encoding, bytes of the content, number of
    elements, bytes of all blocks it takes, deadline (ms or 0), access clock (16 bits), the octet where a string's
    value starts, the record's ref, and the use counter. Of a set's members `samples` are measured (0: all).
    """
    words = bare(words)
    octets = bare(octets)
    found = bare(found)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if seat == 0:
        return 0
    ref = words[seat] & REF_MASK
    if keyspace.expired(words, ref, now):
        return 0
    for i in range(DESCRIPTION_WORDS):
        found[i] = 0
    kind = keyspace.kind_of(words, ref)
    found[KIND] = kind
    found[DEADLINE] = keyspace.deadline_of(words, ref)
    found[CLOCK] = (words[ref] >> keyspace.CLOCK_SHIFT) & 0xFFFF
    found[USES] = keyspace.uses(words, ref, now)
    found[REF] = ref
    found[BYTES] = arena.capacity(words, ref) * WORD + WORD  # and its slot
    found[COUNT] = 1
    dispatch.describe(kind, words, octets, ref, samples, found)
    return 1


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1])")
def common_fill(octets, first, first_size, second, second_size, table):
    """`lcs.fill`: the length of the longest common subsequence of two texts."""
    octets = bare(octets)
    table = bare(table)
    return lcs.fill(octets, first, first_size, second, second_size, table)


@kernel("int64(uint8[::1], int64, int64, int64, int64, uint32[::1], uint8[::1], int64[::1], int64)")
def common_trace(octets, first, first_size, second, second_size, table, text, ranges, least):
    """`lcs.trace`: the subsequence and its ranges; how many of these."""
    octets = bare(octets)
    table = bare(table)
    text = bare(text)
    ranges = bare(ranges)
    return lcs.trace(octets, first, first_size, second, second_size, table, text, ranges, least)
