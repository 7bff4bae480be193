"""Members of a set: found, added, removed, walked and drawn. Only this file and `life.py` know how they lie.

    root       one word, which says in which form the set lies and where (records/packed.py); 0: it is empty
    INTEGERS   sorted integers (integers.py), up to `set-max-intset-entries`, and COUNT_MAX
    PACKED     a strip of texts, up to `set-max-listpack-entries` of at most `set-max-listpack-value` bytes, and as many
               as a strip takes
    TABLE      a hash table of blocks (table_form.py)

A set that outgrows a form gets the next one that suits it, and keeps it. Members are equal if their bytes are equal,
whatever their form. A *member* is a number that is not 0 and stands for a member until the set changes: 1 + the index
of an integer, 1 + the place of a text in its strip, or the index in `words` of a slot.
"""

from synap.compiler.jit import inlined, kernel
from synap.kernels.integers import INTEGER_SIZE_MAX, integer_size, parse_integer, print_integer
from synap.store.kinds.sets import integers, table_form
from synap.store.memory import arena, tables
from synap.store.memory.layout import (
    FORM_MASK,
    MARK_BITS,
    MARK_DIGITS,
    SCRATCH,
    SET_ENTRIES_MAX,
    SET_INTEGERS_MAX,
    SET_VALUE_MAX,
)
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_mark, add_text
from synap.store.records import draws, packed
from synap.store.records.packed import INTEGERS, PACKED, TABLE, block_of, root_word, shape_of

DIGITS = SCRATCH * 8 + 64  # where a member that is an integer is printed
MOVED_DIGITS = DIGITS + 32  # the same while a set is moved to another form, which may add a text in DIGITS


@inlined
def is_table(words, root):
    """Return True if the members lie in a table."""
    return shape_of(words[root]) == TABLE


@inlined
def table_of(words, root):
    """Return the table of a set that lies in one."""
    return block_of(words[root])


@kernel
def count_of(words, root):
    """Return the number of members."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        return words[block + tables.COUNT]
    if shape == PACKED:
        return packed.count_of(words, block)
    return integers.count_of(words, block) if shape == INTEGERS else 0


@kernel
def bytes_of(words, root):
    """Return the bytes of all members, or a little more."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        return words[block + table_form.BYTES]
    if shape == PACKED:
        return packed.used_of(words, block)
    return integers.count_of(words, block) * INTEGER_SIZE_MAX if shape == INTEGERS else 0


@kernel
def copied_bytes(words, root):
    """Return an upper bound of the bytes that blocks for the members of another set in a table hold."""
    return bytes_of(words, root) + count_of(words, root) * table_form.OVERHEAD


@kernel
def may_be_small(words, count):
    """Return True if so many members may lie in a small form."""
    return count <= min(max(words[SET_ENTRIES_MAX], words[SET_INTEGERS_MAX]), packed.TEXTS_MAX)


@kernel
def open_for(words, octets, root, most):
    """Prepare a root that is zero for up to `most` members, so that it does not grow; return False without memory."""
    if may_be_small(words, most):
        return True
    table = table_form.new_table(words, octets, table_form.fitting_size(most))
    words[root] = root_word(table, TABLE) if table else 0
    return table != 0


@kernel
def settle(words, octets, root):
    """Give a set that was made for more members the form that suits it; return False without memory."""
    if not is_table(words, root):
        return True
    table = table_of(words, root)
    count = words[table + tables.COUNT]
    if may_be_small(words, count):
        return pack_again(words, octets, root)
    if count * 2 < words[table + tables.SIZE]:
        size = count + (count >> 1)
        return tables.resize(words, octets, table, size) and tables.move_some(words, table, count + 1)
    return True


@kernel
def pack_again(words, octets, root):
    """Add the members of a table to an empty set, which takes its place; return False without memory."""
    table = table_of(words, root)
    words[root] = 0
    place, seat = tables.next_entry(words, table, 0)
    done = True
    while seat:
        ref = words[seat] & REF_MASK
        done = done and add(words, octets, root, (ref + 1) * 8, words[ref] >> MARK_BITS, words[ref]) > 0
        arena.release(words, ref)
        place, seat = tables.next_entry(words, table, place)
    tables.close_table(words, table)
    arena.release(words, table)
    return done


@kernel
def find_small(words, octets, root, start, size):
    """Return the member with these bytes of a set that does not lie in a table, or 0."""
    block = block_of(words[root])
    if shape_of(words[root]) == PACKED:
        return packed.find(words, octets, block, start, size, 1) + 1
    value, valid = parse_integer(octets, start, min(size, INTEGER_SIZE_MAX + 1))
    if valid and words[root]:
        index = integers.seek(words, octets, block, value)
        if integers.holds(words, octets, block, index, value):
            return index + 1
    return 0


@kernel
def find(words, octets, root, start, size):
    """Return the member with these bytes, or 0."""
    if is_table(words, root):
        tag = table_form.tag_of_text(words, octets, start, size)
        return table_form.locate(words, octets, table_of(words, root), tag, start, size)
    return find_small(words, octets, root, start, size)


@kernel
def tag_for(words, octets, table, start, size):
    """Return the tag of a text that is looked for in this table, 0 if there is no table."""
    return table_form.tag_of_text(words, octets, start, size) if table else 0


@kernel
def is_member(words, octets, root, tag, start, size):
    """Return True if a text is a member; `tag` is its tag if the members lie in a table."""
    if is_table(words, root):
        return table_form.locate(words, octets, table_of(words, root), tag, start, size) != 0
    return find_small(words, octets, root, start, size) != 0


@kernel
def to_table(words, octets, root):
    """Move the members of a set in a small form to a table; return False without memory."""
    table = table_form.new_table(words, octets, table_form.fitting_size(count_of(words, root) + 1))
    if table == 0:
        return False
    place, member = following(words, octets, root, 0)
    while member:
        start, mark = text_in(words, octets, root, member, MOVED_DIGITS)
        size = mark >> MARK_BITS
        tag = table_form.tag_of_text(words, octets, start, size)
        if not table_form.add_new(words, octets, table, tag, start, size, mark):
            return False
        place, member = following(words, octets, root, place)
    if words[root]:
        arena.release(words, block_of(words[root]))
    words[root] = root_word(table, TABLE)
    return True


@kernel
def to_strip(words, octets, root):
    """Move the members of a set of integers to a strip; return False without memory."""
    block = block_of(words[root])
    count = integers.count_of(words, block)
    need = 0
    for index in range(count):
        need += packed.entry_bytes(integer_size(integers.at(words, octets, block, index)))
    strip = packed.new_block(words, need)
    if strip == 0:
        return False
    for index in range(count):
        size = print_integer(octets, MOVED_DIGITS, integers.at(words, octets, block, index))
        strip = packed.append(words, octets, strip, MOVED_DIGITS, size, integers.form_of(words, block))
    arena.release(words, block)
    words[root] = root_word(strip, PACKED)
    return True


@kernel
def add_integer(words, octets, root, value, mark):
    """Add an integer to a set of integers, or to an empty one; return 1 if it is a new member, 0 if it was one, -1
    without memory, -2 if the set needs another form."""
    if words[root] == 0:
        block = integers.new_block(words, octets, value, mark)
    else:
        block = block_of(words[root])
        index = integers.seek(words, octets, block, value)
        if integers.holds(words, octets, block, index, value):
            return 0
        if integers.count_of(words, block) >= min(words[SET_INTEGERS_MAX], integers.COUNT_MAX):
            return -2
        if integers.form_of(words, block) != mark & FORM_MASK:
            return -2
        block = integers.insert(words, octets, block, index, value)
    if block == 0:
        return -1
    words[root] = root_word(block, INTEGERS)
    return 1


@kernel
def add_text_small(words, octets, root, start, size, mark):
    """Add a text to a strip, or to an empty set; return as `add_integer` does."""
    if words[root] == 0:
        if words[SET_ENTRIES_MAX] < 1 or size > words[SET_VALUE_MAX] or not packed.takes(words, 0, size):
            return -2
        block = packed.new_block(words, packed.entry_bytes(size))
    else:
        block = block_of(words[root])
        if packed.find(words, octets, block, start, size, 1) >= 0:
            return 0
        if packed.count_of(words, block) >= words[SET_ENTRIES_MAX] or size > words[SET_VALUE_MAX]:
            return -2
        if not packed.takes(words, block, size):
            return -2
    if block:
        block = packed.append(words, octets, block, start, size, mark)
    if block == 0:
        return -1
    words[root] = root_word(block, PACKED)
    return 1


@kernel
def add_small(words, octets, root, start, size, mark):
    """Add a text to a set that does not lie in a table; return as `add_integer` does."""
    shape = shape_of(words[root])
    if shape != PACKED:
        value, valid = parse_integer(octets, start, min(size, INTEGER_SIZE_MAX + 1))
        if valid and (shape == INTEGERS or words[SET_INTEGERS_MAX] > 0):
            new = add_integer(words, octets, root, value, mark)
            if new != -2:
                return new
        if shape == INTEGERS:
            count = count_of(words, root)
            if count >= min(words[SET_ENTRIES_MAX], packed.TEXTS_MAX) or size > words[SET_VALUE_MAX]:
                return -2
            if not to_strip(words, octets, root):
                return -1
    return add_text_small(words, octets, root, start, size, mark)


@kernel
def add(words, octets, root, start, size, mark):
    """Add a text; return 1 if it is a new member, 0 if it was one, -1 without memory."""
    if not is_table(words, root):
        new = add_small(words, octets, root, start, size, mark)
        if new != -2:
            return new
        if not to_table(words, octets, root):
            return -1
    table = table_of(words, root)
    tag = table_form.tag_of_text(words, octets, start, size)
    if table_form.locate(words, octets, table, tag, start, size):
        return 0
    return 1 if table_form.add_new(words, octets, table, tag, start, size, mark) else -1


@kernel
def add_unseen(words, octets, root, tag, start, size, mark):
    """Add a text that is no member, with its tag or -1; return False without memory."""
    if tag < 0 or not is_table(words, root):
        return add(words, octets, root, start, size, mark) > 0
    return table_form.add_new(words, octets, table_of(words, root), tag, start, size, mark)


@kernel
def keep_texts(words, octets, root):
    """Make sure that texts of a reply stay where they are while members are removed (`remove` with `later`).

    A strip goes on in a copy. Return False without memory.
    """
    if shape_of(words[root]) != PACKED:
        return True
    block = packed.fork(words, octets, block_of(words[root]))
    if block:
        words[root] = root_word(block, PACKED)
    return block != 0


@kernel
def remove(words, octets, root, member, later):
    """Remove a member; `later`: free its block after the reply."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        ref = words[member] & REF_MASK
        words[block + table_form.BYTES] -= words[ref] >> MARK_BITS
        tables.remove(words, octets, block, member)
        if later:
            arena.release_later(words, ref)
        else:
            arena.release(words, ref)
    elif shape == INTEGERS:
        integers.remove(words, octets, block, member - 1)
    else:
        packed.remove(words, octets, block, member - 1, 1)


@kernel
def following(words, octets, root, place):
    """Return (place to continue from, member at or behind a place, 0 if there is none); places begin at 0."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        return tables.next_entry(words, block, place)
    if shape == INTEGERS and place < integers.count_of(words, block):
        return place + 1, place + 1
    if shape == PACKED and place < packed.used_of(words, block):
        begin = packed.strip_at(block)
        return packed.behind(octets, begin + place) - begin, place + 1
    return place, 0


@kernel
def draw(words, octets, root):
    """Return a member drawn with equal odds; the set is not empty."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        return draws.slot(words, block)
    index = draws.below(words, count_of(words, root))
    if shape == PACKED:
        index = packed.place_of(words, octets, block, index)
    return index + 1


@kernel
def text_in(words, octets, root, member, digits):
    """Return (octet at which a member starts, size << 8 | form); an integer is printed at octet `digits`."""
    block = block_of(words[root])
    shape = shape_of(words[root])
    if shape == TABLE:
        ref = words[member] & REF_MASK
        return (ref + 1) * 8, words[ref]
    if shape == PACKED:
        start, size, form = packed.read(octets, packed.strip_at(block) + member - 1)
        return start, size << MARK_BITS | form
    size = print_integer(octets, digits, integers.at(words, octets, block, member - 1))
    return digits, size << MARK_BITS | integers.form_of(words, block)


@kernel
def text_of(words, octets, root, member):
    """Return `text_in`; the text of an integer is there until the next one is asked for."""
    return text_in(words, octets, root, member, DIGITS)


@kernel
def put(words, octets, root, member, reply):
    """Add a member to the reply, an integer as such."""
    block = block_of(words[root])
    if shape_of(words[root]) == INTEGERS:
        value = integers.at(words, octets, block, member - 1)
        add_mark(words, reply, MARK_DIGITS + integers.form_of(words, block), value)
    else:
        start, mark = text_of(words, octets, root, member)
        add_text(words, reply, start, mark >> MARK_BITS, mark & FORM_MASK)
