"""Rows that put the elements of a list, set or sorted set in order: SORT and SORT_RO.

The call takes one block, its *plan*: some words, then arrays for the elements, their order, and the work. The kind of
the record lists its elements there (`life.py: elements`), as items of a reply. Nothing is changed before the result
with STORE lies ready as a list without a name, so a refused call leaves everything as it was.

The order depends on nothing but what is stored, since a replay of STORE must find it again. Elements with the same
number are ordered by their bytes. Those with the same text from BY keep the order that they have in a list or sorted
set; of a set the integers come first, by their value, then the other members by their bytes. So do all members of a set
with BY nosort, unless they are stored: then Redis orders them by their bytes alone.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels import sorting as kernels
from synap.kernels.c_reals import parse_c_real
from synap.kernels.integers import INTEGER_SIZE_MAX, parse_integer, print_integer
from synap.kernels.sorting import HIGHEST, SIZE_SHIFT
from synap.kernels.spans import prefetch
from synap.store.keys import patterns
from synap.store.keys.patterns import ELEMENT, NOTHING, PATTERN_WORDS
from synap.store.kinds import dispatch
from synap.store.kinds.lists import encodings, ends, entries
from synap.store.kinds.lists.directory import RIGHT
from synap.store.memory import arena, limits
from synap.store.memory.kinds import LIST
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    EMPTY,
    FULL,
    IN_ORDER,
    ITEM_MASK,
    ITEM_NIL,
    ITEMS,
    MARK_BITS,
    MARK_DIGITS,
    NOT_SORTED,
    NUMBER,
    REPLY_BYTES_MAX,
    REPLY_ITEMS_MAX,
    WORD,
)
from synap.store.memory.refusals import OUT_OF_MEMORY, SCORE_NOT_REAL, WRONG_TYPE
from synap.store.memory.tapes import ITEM_OVERHEAD, first_item, fits, set_scalar, text_at, text_size
from synap.store.records import key_access, keyspace, kind_facts
from synap.store.records.key_access import ANY_KIND
from synap.store.slots import sorting as slots

COUNT, START, STOP, FLIP, NAMESPACE, KEY_BLOCK, KEY_WIDTH, KEY_GROUP = range(8)
LISTED, NUMBERS, WEIGHTS, KEYS, SPARE, PATTERNS, RESULTS, PLAN_WORDS = range(8, 16)
"""Words of a plan: how many elements it has, which of them are wanted once they are in order, 0 or -1 for descending
order, the namespace, the block for keys of patterns, the words of one key in it, how many it holds. Then the indices of
arrays: items of the elements (two words each), their numbers in order, texts that they are sorted by, keys, work,
patterns (BY first), and items of the result."""

DESCENDING = 2  # the second alternative of the order
INTEGER_WORDS = 3
KEYS_WORDS = 1 << 13  # of keys that are looked up together, unless one key is longer
AHEAD = 16  # texts between a prefetch and its use
DONE, BAD_SCORE, LACKS_MEMORY = range(3)
"""How a step of the work ends."""

assert SIZE_SHIFT == MARK_BITS and INTEGER_WORDS * WORD >= INTEGER_SIZE_MAX


@kernel
def window(words, tape, total):
    """Return (first, number) of the elements that LIMIT selects among `total` in order."""
    if not words[tape + slots.KEY_SORT_HAS_LIMIT]:
        return 0, total
    first = min(max(words[tape + slots.KEY_SORT_OFFSET], 0), total)
    most = words[tape + slots.KEY_SORT_COUNT]
    return first, total - first if most < 0 else min(most, total - first)


@kernel
def new_plan(words, octets, tape, count, results):
    """Return a plan for `count` elements and `results` items of a result, with its patterns; 0 without memory."""
    gets = words[tape + slots.KEY_SORT_GET]
    by = words[tape + slots.KEY_SORT_HAS_BY]
    work = kernels.spare_words_of_texts(count)
    size = PLAN_WORDS + count * (4 + 2 * by) + work + PATTERN_WORDS * (1 + gets) + 2 * results
    plan = 0 if limits.lacks_aside(words, size * WORD) else arena.allocate(words, size)
    if plan == 0:
        return 0
    words[plan + COUNT] = count
    words[plan + FLIP] = -1 if words[tape + slots.KEY_SORT_ORDER] == DESCENDING else 0
    words[plan + NAMESPACE] = words[tape - 2]
    at = plan + PLAN_WORDS
    words[plan + LISTED] = at
    words[plan + NUMBERS] = at + 2 * count
    words[plan + KEYS] = at + 3 * count
    words[plan + WEIGHTS] = at + 4 * count
    words[plan + SPARE] = at + count * (4 + 2 * by)
    words[plan + PATTERNS] = words[plan + SPARE] + work
    words[plan + RESULTS] = words[plan + PATTERNS] + PATTERN_WORDS * (1 + gets)
    if by:
        start, size = text_at(words, tape, slots.KEY_SORT_BY), text_size(words, tape, slots.KEY_SORT_BY)
        patterns.read(words, octets, start, size, words[plan + PATTERNS])
    place = first_item(words, tape, slots.KEY_SORT_GET) + slots.KEY_SORT_GET_PATTERN
    for i in range(gets):
        start, size = text_at(words, tape, place), text_size(words, tape, place)
        patterns.read(words, octets, start, size, words[plan + PATTERNS] + PATTERN_WORDS * (1 + i))
        place += slots.KEY_SORT_GET_STRIDE
    return plan


@kernel
def print_integers(words, octets, plan):
    """Print elements that are listed as integers into a block that is freed after the reply; return (longest element,
    True), or (0, False) without memory."""
    count, at = words[plan + COUNT], words[plan + LISTED]
    longest = target = 0
    for _ in range(count):
        mark = words[at + 1]
        if mark & ITEM_MASK == ITEM_NIL:
            if target == 0:
                size = INTEGER_WORDS * count
                block = 0 if limits.lacks_aside(words, size * WORD) else arena.allocate(words, size)
                if block == 0:
                    return 0, False
                arena.release_later(words, block)
                target = block * WORD
            form = (mark >> MARK_BITS) - MARK_DIGITS
            size = print_integer(octets, target, words[at])
            words[at], words[at + 1] = target, size << MARK_BITS | form
            target += INTEGER_WORDS * WORD
        longest = max(longest, words[at + 1] >> MARK_BITS)
        at += 2
    return longest, True


@kernel
def open_keys(words, tape, plan, longest):
    """Allocate a block for the keys of all patterns, freed after the reply; return False without memory."""
    most = 0
    first = 0 if words[tape + slots.KEY_SORT_HAS_BY] else 1
    for i in range(first, 1 + words[tape + slots.KEY_SORT_GET]):
        most = max(most, patterns.key_words(words, words[plan + PATTERNS] + PATTERN_WORDS * i, longest))
    words[plan + KEY_WIDTH] = most
    if most:
        group = max(min(patterns.GROUP, words[plan + COUNT], KEYS_WORDS // most), 1)
        size = group * (most + 2)
        block = 0 if limits.lacks_aside(words, size * WORD) else arena.allocate(words, size)
        if block == 0:
            return False
        arena.release_later(words, block)
        words[plan + KEY_BLOCK], words[plan + KEY_GROUP] = block, group
    return True


@kernel
def values_for(words, octets, plan, pattern, target, stride, absent, now):
    """Write the values of a pattern for the elements from START to STOP, in order, as items `stride` words apart.

    `absent` is the mark of an item without a value. Return False without memory.
    """
    listed, numbers = words[plan + LISTED], words[plan + NUMBERS] + words[plan + START]
    count = words[plan + STOP] - words[plan + START]
    kind = words[pattern + patterns.PREFIX_SIZE]
    if kind != ELEMENT and kind != NOTHING:
        return patterns.look_up_all(
            words, octets, words[plan + NAMESPACE], pattern, listed, numbers, count, words[plan + KEY_BLOCK],
            words[plan + KEY_GROUP], words[plan + KEY_WIDTH], target, stride, absent, now,
        )  # fmt: skip
    for i in range(count):
        item = listed + 2 * words[numbers + i]
        words[target] = words[item]
        words[target + 1] = words[item + 1] if kind == ELEMENT else absent
        target += stride
    return True


@kernel
def weigh(words, octets, plan, now):
    """Write the text by which each element is sorted, size -1 without one; return False without memory."""
    start, stop = words[plan + START], words[plan + STOP]
    words[plan + START], words[plan + STOP] = 0, words[plan + COUNT]
    done = values_for(words, octets, plan, words[plan + PATTERNS], words[plan + WEIGHTS], 2, -1, now)
    words[plan + START], words[plan + STOP] = start, stop
    return done


@outlined
def order_by_numbers(words, octets, plan, texts):
    """Put the elements in the order of the numbers that their texts are, then of their bytes; return DONE or BAD_SCORE.

    A text that is missing counts as 0.
    """
    count, start, stop = words[plan + COUNT], words[plan + START], words[plan + STOP]
    numbers, keys, flip = words[plan + NUMBERS], words[plan + KEYS], words[plan + FLIP]
    good = True
    for i in range(count):
        if i + AHEAD < count:
            prefetch(octets, words[texts + 2 * (i + AHEAD)])
        size = words[texts + 2 * i + 1] >> MARK_BITS
        value, ok = parse_c_real(octets, words[texts + 2 * i], max(size, 0))
        good &= ok
        words[keys + i] = kernels.key_of_real(value) ^ flip
    if not good:
        return BAD_SCORE
    spare, listed = words[plan + SPARE], words[plan + LISTED]
    kernels.sort_first(words, keys, numbers, count, stop, spare)
    begin = 0
    while begin < stop:
        end = begin + 1
        while end < count and words[keys + end] == words[keys + begin]:
            end += 1
        if end - begin > 1 and end > start:
            kernels.sort_texts(
                words, octets, listed, numbers + begin, end - begin, flip, max(start - begin, 0),
                min(stop, end) - begin, spare,
            )  # fmt: skip
        begin = end
    return DONE


@outlined
def order_by_content(words, octets, plan):
    """Put the members of a set in an order that does not depend on where they lie: integers by value, then bytes."""
    count, numbers, keys, spare = words[plan + COUNT], words[plan + NUMBERS], words[plan + KEYS], words[plan + SPARE]
    listed = words[plan + LISTED]
    kernels.sort_texts(words, octets, listed, numbers, count, 0, 0, count, spare)
    for i in range(count):
        item = listed + 2 * words[numbers + i]
        value, ok = parse_integer(octets, words[item], min(words[item + 1] >> MARK_BITS, INTEGER_SIZE_MAX + 1))
        words[keys + i] = value if ok else HIGHEST
    kernels.sort_keys(words, keys, numbers, count, spare)


@kernel
def put_in_order(words, octets, tape, plan, by, alpha, ordered, now):
    """Put the elements of a plan in order, as far as they are wanted; return DONE, BAD_SCORE or LACKS_MEMORY."""
    texts = words[plan + LISTED]
    if by:
        if not weigh(words, octets, plan, now):
            return LACKS_MEMORY
        texts = words[plan + WEIGHTS]
    if not alpha:
        return order_by_numbers(words, octets, plan, texts)
    if by and not ordered:
        order_by_content(words, octets, plan)
    kernels.sort_texts(
        words, octets, texts, words[plan + NUMBERS], words[plan + COUNT], words[plan + FLIP], words[plan + START],
        words[plan + STOP], words[plan + SPARE],
    )  # fmt: skip
    return DONE


@kernel
def collect(words, octets, tape, plan, target, now):
    """Write the items of the result to word `target`; return the bytes of their texts, or -1 without memory."""
    gets = words[tape + slots.KEY_SORT_GET]
    count = words[plan + STOP] - words[plan + START]
    for i in range(gets):
        pattern = words[plan + PATTERNS] + PATTERN_WORDS * (1 + i)
        if not values_for(words, octets, plan, pattern, target + 2 * i, 2 * gets, ITEM_NIL, now):
            return -1
    if gets == 0:
        listed, numbers = words[plan + LISTED], words[plan + NUMBERS] + words[plan + START]
        for i in range(count):
            item = listed + 2 * words[numbers + i]
            words[target + 2 * i], words[target + 2 * i + 1] = words[item], words[item + 1]
    total = 0
    for i in range(count * max(gets, 1)):
        total += words[target + 2 * i + 1] >> MARK_BITS
    return total


@outlined
def new_list(words, octets, items, count):
    """Return the ref of a list without a name that has these items, nil as the empty text; 0 without memory."""
    roots = keyspace.root_words(words, LIST)
    made = arena.allocate(words, 1 + roots)
    if made == 0:
        return 0
    words[made] = LIST
    for i in range(roots):
        words[made + 1 + i] = 0
    for _ in range(count):
        mark = words[items + 1]
        size = 0 if mark == ITEM_NIL else mark >> MARK_BITS
        if not ends.push(words, octets, made + 1, RIGHT, words[items], size, 0 if mark == ITEM_NIL else mark & 0xFF):
            keyspace.drop_record(words, made, False)
            return 0
        items += 2
    return made


@kernel
def put_under_destination(words, octets, made, count, tape, reply):
    """Replace the destination by the list at `made` (0: an empty one); reply with the number of its elements."""
    h = keyspace.hash_text(words, octets, tape, slots.KEY_SORT_STORE)
    seat = keyspace.locate_text(words, octets, tape, slots.KEY_SORT_STORE, h)
    set_scalar(words, reply, count)
    if seat:
        keyspace.remove(words, octets, h, seat, False)
    if made:
        name_at, name_size = text_at(words, tape, slots.KEY_SORT_STORE), text_size(words, tape, slots.KEY_SORT_STORE)
        ref = keyspace.create(words, octets, h, LIST, 0, words[tape - 2], name_at, name_size, 0, 0)
        if ref == 0:
            return BROKEN
        root = keyspace.root_of(words, ref)
        for i in range(keyspace.root_words(words, LIST)):
            words[root + i] = words[made + 1 + i]
        arena.release(words, made)
        encodings.list_has_grown(words, ref, root)
        keyspace.touched(words, octets, h)
    return NUMBER | CHANGED if seat or made else NUMBER


@kernel
def store(words, octets, tape, plan, now, reply):
    """Store the result of a plan as a list under the destination; reply with NUMBER: how many elements it has."""
    count = (words[plan + STOP] - words[plan + START]) * max(words[tape + slots.KEY_SORT_GET], 1)
    if count == 0:
        return put_under_destination(words, octets, 0, 0, tape, reply)
    items = words[plan + RESULTS]
    total = collect(words, octets, tape, plan, items, now)
    if total < 0:
        return OUT_OF_MEMORY
    needed = total + count * (entries.bytes_of(0, 0) + WORD)
    if limits.lacks(words, needed):
        return OUT_OF_MEMORY
    made = new_list(words, octets, items, count)
    if made == 0:
        return OUT_OF_MEMORY
    return put_under_destination(words, octets, made, count, tape, reply)


@kernel
def answer(words, octets, tape, plan, now, reply):
    """Reply with the result of a plan; return ITEMS, EMPTY, FULL or OUT_OF_MEMORY."""
    count = (words[plan + STOP] - words[plan + START]) * max(words[tape + slots.KEY_SORT_GET], 1)
    if count == 0:
        return EMPTY
    total = collect(words, octets, tape, plan, reply + 2, now)
    if total < 0:
        return OUT_OF_MEMORY
    if not fits(words, count, total):
        return FULL
    words[reply] = 0
    words[reply + 1] = count
    return ITEMS


@kernel
def begin_order(words, plan, backwards):
    """Number the elements of a plan as they are listed, or from the last to the first."""
    count, numbers = words[plan + COUNT], words[plan + NUMBERS]
    for i in range(count):
        words[numbers + i] = count - 1 - i if backwards else i


@kernel
def has_no_star(octets, at, size):
    """Return True if a pattern has no star, so that it does not tell elements apart (BY nosort)."""
    for i in range(size):
        if octets[at + i] == 42:
            return False
        if octets[at + i] == 0:
            break
    return True


@kernel
def sort_plan(words, octets, tape, plan, sorts, by, alpha, ordered, now):
    """Put the elements listed in a plan in order, unless they stay as they are; return DONE, BAD_SCORE or LACKS_MEMORY.

    The members of a set that is not sorted are put in the order of their content.
    """
    longest, printed = print_integers(words, octets, plan)
    if not printed or not open_keys(words, tape, plan, longest):
        return LACKS_MEMORY
    begin_order(words, plan, not sorts and ordered and words[plan + FLIP] != 0)
    if sorts:
        return put_in_order(words, octets, tape, plan, by, alpha, ordered, now)
    if not ordered:
        order_by_content(words, octets, plan)
    return DONE


@kernel
def sorted_plan(words, octets, tape, now, reply, stored):
    """Return (DONE, plan) with the elements of the key in order, or (status, 0) of a call that ends here."""
    ref = key_access.find(words, octets, tape, slots.KEY_SORT_KEY, ANY_KIND, now)
    kind = keyspace.kind_of(words, ref) if ref else LIST
    if kind_facts.sorts(words, kind) == NOT_SORTED:
        return WRONG_TYPE, 0
    ordered = kind_facts.sorts(words, kind) == IN_ORDER
    total = dispatch.elements(kind, words, octets, ref, 0, 0, 0) if ref else 0
    first, wanted = window(words, tape, total)
    items = wanted * max(words[tape + slots.KEY_SORT_GET], 1)
    if not stored and (items > words[REPLY_ITEMS_MAX] or items * ITEM_OVERHEAD > words[REPLY_BYTES_MAX]):
        fits(words, items, 0)
        return FULL, 0
    by = words[tape + slots.KEY_SORT_HAS_BY] != 0
    alpha = words[tape + slots.KEY_SORT_ALPHA] != 0
    sorts = True
    if by and has_no_star(octets, text_at(words, tape, slots.KEY_SORT_BY), text_size(words, tape, slots.KEY_SORT_BY)):
        by = False
        if stored and not ordered:
            alpha = True
        else:
            sorts = False
    loaded, from_first = total, 0
    if not sorts and ordered:
        loaded = wanted
        from_first = total - first - wanted if words[tape + slots.KEY_SORT_ORDER] == DESCENDING else first
        first = 0
    plan = new_plan(words, octets, tape, loaded, items if stored else 0)
    if plan == 0:
        return OUT_OF_MEMORY, 0
    words[plan + START] = first
    words[plan + STOP] = first + wanted
    if loaded:
        dispatch.elements(kind, words, octets, ref, from_first, loaded, words[plan + LISTED])
    status = sort_plan(words, octets, tape, plan, sorts, by, alpha, ordered, now)
    if status != DONE:
        arena.release(words, plan)
        return SCORE_NOT_REAL if status == BAD_SCORE else OUT_OF_MEMORY, 0
    return DONE, plan


@kernel
def sort(words, octets, tape, now, reply):
    """Reply with the elements of a list, set or sorted set in order, or store them in a list (SORT)."""
    stored = words[tape + slots.KEY_SORT_HAS_STORE] != 0
    status, plan = sorted_plan(words, octets, tape, now, reply, stored)
    if plan:
        if stored:
            status = store(words, octets, tape, plan, now, reply)
        else:
            status = answer(words, octets, tape, plan, now, reply)
        arena.release(words, plan)
    return status


@kernel
def sort_read_only(words, octets, tape, now, reply):
    """Reply with the elements of a list, set or sorted set in order (SORT_RO)."""
    status, plan = sorted_plan(words, octets, tape, now, reply, False)
    if plan:
        status = answer(words, octets, tape, plan, now, reply)
        arena.release(words, plan)
    return status
