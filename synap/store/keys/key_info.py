"""What Python asks of single keys: their hashes, whether they are visible, and what they are."""

from synap.compiler.jit import kernel
from synap.kernels import lcs
from synap.kernels.spans import bare
from synap.store.kinds import encodings
from synap.store.kinds.lists import chunks
from synap.store.kinds.sets import sets
from synap.store.memory import arena, tables
from synap.store.memory.layout import LIST, SET, STRING, TRACKING, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import compressed, keyspace

(
    KIND, ENCODING, SIZE, COUNT, BYTES, DEADLINE, CLOCK, AT, REF, USES,
) = range(10)  # fmt: skip
DESCRIPTION_WORDS = 10
INTEGER, EMBEDDED, RAW, LISTPACK, QUICKLIST, INTSET, HASHTABLE = range(7)
EMBEDDED_MAX = 44  # bytes of a string that Redis keeps in one block with its head


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


@kernel
def describe_list(words, octets, root, found):
    """Count, bytes of elements, bytes of chunks and boxes."""
    found[COUNT] = words[root + chunks.COUNT]
    found[SIZE] = words[root + chunks.BYTES]
    chunk = words[root + chunks.FIRST]
    while chunk:
        found[BYTES] += arena.capacity(words, chunk) * WORD
        at = chunks.strip_at(chunk) + (words[chunk + chunks.SPAN] & chunks.HALF_MASK)
        for _ in range(words[chunk + chunks.SIZES] & chunks.HALF_MASK):
            _, _, _, box = chunks.element(words, octets, at)
            if box:
                found[BYTES] += arena.capacity(words, box) * WORD
            at += 2 * chunks.HEAD_BYTES + (chunks.read_head(octets, at) & chunks.ENTRY_SIZE_MASK)
        chunk = words[chunk + chunks.NEXT]


@kernel
def describe_set(words, root, samples, found):
    """Count, bytes of members, bytes of slots and members; these from `samples` members (0: all)."""
    count = words[root + tables.COUNT]
    found[COUNT] = count
    found[SIZE] = words[root + sets.BYTES]
    if words[root + tables.SLOTS]:
        found[BYTES] += arena.capacity(words, words[root + tables.SLOTS]) * WORD
    if words[root + tables.OLD]:
        found[BYTES] += arena.capacity(words, words[root + tables.OLD]) * WORD
    most = count if samples == 0 or samples > count else samples
    looked = blocks = place = 0
    while looked < most:
        place, seat = tables.next_entry(words, root, place)
        if seat == 0:
            break
        member = words[seat] & REF_MASK
        blocks += arena.capacity(words, member) * WORD
        looked += 1
    if most:
        found[BYTES] += blocks * count // most


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
    if kind == STRING:
        found[AT], length = compressed.open_text(words, octets, ref)
        found[SIZE] = length
        found[ENCODING] = RAW
        if keyspace.mark_of(words, ref) & keyspace.RAW:
            return 1
        if words[ref] & keyspace.SPELLED == 0 and encodings.is_integer(octets, found[AT], length):
            found[ENCODING] = INTEGER
        elif length <= EMBEDDED_MAX:
            found[ENCODING] = EMBEDDED
    elif kind == LIST:
        found[ENCODING] = QUICKLIST if words[ref] & keyspace.OUTGROWN else LISTPACK
        describe_list(words, octets, keyspace.root_of(words, ref), found)
    elif kind == SET:
        small = LISTPACK if words[ref] & keyspace.SPELLED else INTSET
        found[ENCODING] = HASHTABLE if words[ref] & keyspace.OUTGROWN else small
        describe_set(words, keyspace.root_of(words, ref), samples, found)
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
