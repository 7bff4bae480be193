"""Patterns of SORT (BY, GET): the key, or the field of a hash, whose value stands for an element.

    weight_*        the key in which the element takes the place of the first star
    user:*->name    the field `name` of the hash under such a key
    #               the element itself
    nosort          without a star: nothing

As in Redis, a star and an arrow behind a NUL are not found. A pattern is read once, into a few words (`read`).

Looking up a key reads words that lie anywhere in memory, one after the other: a slot, a record, the fields of a hash.
So up to GROUP keys are looked up at a time (`look_up_all`), each step for the whole group, after its words were
prefetched.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels.spans import move, prefetch
from synap.store.kinds.hashes import fields
from synap.store.memory import tables
from synap.store.memory.kinds import HASH, STRING
from synap.store.memory.layout import FORM_MASK, MARK_BITS, WORD
from synap.store.memory.tables import REF_MASK
from synap.store.records import compressed, key_access, keyspace, packed
from synap.store.records.key_access import ANY_KIND, MISSING, OTHER_KIND

PATTERN_WORDS = 6
PREFIX, PREFIX_SIZE, REST, REST_SIZE, FIELD, FIELD_SIZE = range(PATTERN_WORDS)
"""Octets and sizes of the text before the star, of the text behind it, and of the field (size 0: none)."""
NOTHING, ELEMENT = -1, -2  # in PREFIX_SIZE: a pattern without a star, and "#"
_STAR, _HASH_SIGN, _MINUS, _ABOVE = 42, 35, 45, 62

ABSENT, FOUND, NO_MEMORY = range(3)
"""What became of a look-up."""

GROUP = 24
"""The most keys that are looked up together; a block for them has a hash and a size for each, then the keys."""


@kernel
def read(words, octets, at, size, pattern):
    """Read the pattern of `size` bytes at octet `at` into the words from `pattern` on."""
    end = at
    while end < at + size and octets[end]:
        end += 1
    star = at
    while star < end and octets[star] != _STAR:
        star += 1
    words[pattern + PREFIX] = at
    words[pattern + PREFIX_SIZE] = star - at
    words[pattern + REST] = star + 1
    words[pattern + REST_SIZE] = at + size - star - 1
    words[pattern + FIELD_SIZE] = 0
    if star == end:
        words[pattern + PREFIX_SIZE] = ELEMENT if end - at == 1 and octets[at] == _HASH_SIGN else NOTHING
        return
    arrow = star + 1
    while arrow + 1 < end and not (octets[arrow] == _MINUS and octets[arrow + 1] == _ABOVE):
        arrow += 1
    if arrow + 2 < end:
        words[pattern + REST_SIZE] = arrow - star - 1
        words[pattern + FIELD] = arrow + 2
        words[pattern + FIELD_SIZE] = at + size - arrow - 2


@kernel
def key_words(words, pattern, longest):
    """Return the words that a key of a pattern needs, if no element is longer than `longest` bytes."""
    return ((max(words[pattern + PREFIX_SIZE], 0) + words[pattern + REST_SIZE] + longest) >> 3) + 1


@kernel
def make_key(words, octets, pattern, at, size, target):
    """Write the key of an element (`size` bytes at octet `at`) at octet `target`; return its size."""
    before, behind = words[pattern + PREFIX_SIZE], words[pattern + REST_SIZE]
    move(octets, target, words[pattern + PREFIX], before)
    move(octets, target + before, at, size)
    move(octets, target + before + size, words[pattern + REST], behind)
    return before + size + behind


@kernel
def look_up(words, octets, namespace, pattern, key, key_size, h, now):
    """Return (ABSENT, FOUND or NO_MEMORY; octet, size and form of the value) for a key with the hash `h`.

    The value stays where it is until the reply is written. Another kind than the pattern is for counts as absent.
    """
    seat = keyspace.locate_used(words, octets, namespace, key, key_size, h)
    if key_access.counted(words, seat, ANY_KIND, now) == MISSING:
        return ABSENT, 0, 0, 0
    if words[pattern + FIELD_SIZE]:
        ref = key_access.record_at(words, seat, HASH, now)
        if ref == OTHER_KIND:
            return ABSENT, 0, 0, 0
        root = keyspace.root_of(words, ref)
        field = fields.find(words, octets, root, words[pattern + FIELD], words[pattern + FIELD_SIZE], now)
        if field == 0:
            return ABSENT, 0, 0, 0
        at, size, form = fields.value_of(words, octets, root, field)
        return FOUND, at, size, form
    ref = key_access.record_at(words, seat, STRING, now)
    if ref == OTHER_KIND:
        return ABSENT, 0, 0, 0
    at, size = compressed.open_text(words, octets, ref)
    if size < 0:
        return NO_MEMORY, 0, 0, 0
    return FOUND, at, size, keyspace.mark_of(words, ref) & FORM_MASK


@kernel
def prefetch_record(words, h, inside):
    """Prefetch the record of the first key with this tag, or the block `inside` of it that has the fields of a hash.

    A record of another kind leads anywhere, which does no harm: what is prefetched is not read.
    """
    shard = keyspace.shard_of(h)
    ref = words[tables.seek_in(words, shard, tables.tag_of_hash(h))] & REF_MASK
    if ref == 0:
        return
    if not inside:
        prefetch(words, ref)
    else:
        prefetch(words, packed.block_of(words[keyspace.root_of(words, ref)]))


@outlined
def look_up_all(
    words, octets, namespace, pattern, listed, numbers, count, block, group, width, target, stride, absent, now
):
    """Look up the values for `count` elements; return False without memory.

    listed, numbers    index of the items of all elements; index of the numbers of those that are wanted
    block, width       space for `group` keys of `width` words each, with two words for each
    target, stride     where the items of the values are written, and how many words apart
    absent             the mark of an item without a value
    """
    for first in range(0, count, group):
        size = min(group, count - first)
        for i in range(size):
            prefetch(octets, words[listed + 2 * words[numbers + first + i]])
        for i in range(size):
            item = listed + 2 * words[numbers + first + i]
            key = (block + 2 * group + i * width) * WORD
            length = make_key(words, octets, pattern, words[item], words[item + 1] >> MARK_BITS, key)
            h = keyspace.hash_key(words, octets, namespace, key, length)
            words[block + i], words[block + group + i] = h, length
            prefetch(words, keyspace.home_of(words, h))
        for inside in range(2 if words[pattern + FIELD_SIZE] else 1):
            for i in range(size):
                prefetch_record(words, words[block + i], inside)
        for i in range(size):
            key = (block + 2 * group + i * width) * WORD
            what, at, length, form = look_up(
                words, octets, namespace, pattern, key, words[block + group + i], words[block + i], now
            )
            if what == NO_MEMORY:
                return False
            words[target] = at
            words[target + 1] = length << MARK_BITS | form if what == FOUND else absent
            target += stride
    return True
