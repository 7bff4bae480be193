"""Patterns of SORT (BY, GET): the key, or the field of a hash, whose value stands for an element.

    weight_*        the key in which the element takes the place of the first star
    user:*->name    the field `name` of the hash under such a key
    #               the element itself
    nosort          without a star: nothing

As in Redis, a star and an arrow behind a NUL are not found. A pattern is read once, into a few words (`read`).
"""

from synap.compiler.jit import kernel
from synap.kernels.spans import move
from synap.store.kinds.hashes import fields
from synap.store.memory.kinds import HASH, STRING
from synap.store.memory.layout import FORM_MASK
from synap.store.records import compressed, key_access, keyspace
from synap.store.records.key_access import ANY_KIND, MISSING, OTHER_KIND

PATTERN_WORDS = 6
PREFIX, PREFIX_SIZE, REST, REST_SIZE, FIELD, FIELD_SIZE = range(PATTERN_WORDS)
"""Octets and sizes of the text before the star, of the text behind it, and of the field (size 0: none)."""
NOTHING, ELEMENT = -1, -2  # in PREFIX_SIZE: a pattern without a star, and "#"
_STAR, _HASH_SIGN, _MINUS, _ABOVE = 42, 35, 45, 62

ABSENT, FOUND, NO_MEMORY = range(3)
"""What became of a look-up."""


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
    """Return the words in which a key of a pattern has space, if no element is longer than `longest` bytes."""
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
def look_up(words, octets, namespace, pattern, key, key_size, now):
    """Return (ABSENT, FOUND or NO_MEMORY; octet, size and form of the value) for a key that `make_key` has written.

    The value stays where it is until the reply is written. Another kind than the pattern is for counts as absent.
    """
    h = keyspace.hash_key(words, octets, namespace, key, key_size)
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
