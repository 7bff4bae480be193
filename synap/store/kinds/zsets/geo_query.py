"""The query of a search for places: read from the words of GEOSEARCH and GEORADIUS, as Redis reads them.

A query is a block of QUERY_WORDS words: what is searched for, what the reply shall have, and where the results lie.
The words of a call are read from left to right, and the first that is wrong decides the refusal. Where a member stands
for its place, it is looked up when its word is read.
"""

from synap.compiler.jit import kernel, outlined
from synap.kernels import geohash
from synap.kernels.integers import parse_integer
from synap.kernels.reals import parse_real
from synap.kernels.spans import bits_of, fill, real_of
from synap.store.kinds.strings.bitfields import is_word
from synap.store.kinds.zsets import members
from synap.store.memory import arena
from synap.store.memory.layout import SECOND_NUMBER
from synap.store.memory.refusals import (
    ANY_WITHOUT_COUNT,
    BAD_HEIGHT,
    BAD_RADIUS,
    BAD_UNIT,
    BAD_WIDTH,
    COUNT_NOT_ABOVE_ZERO,
    NEGATIVE_BOX,
    NEGATIVE_RADIUS,
    NO_PLACE,
    NOT_A_REAL,
    NOT_AN_INTEGER,
    ONE_CENTER,
    ONE_SHAPE,
    PLACE_MISSING,
    SEARCHSTORE_WITH_MORE,
    STORE_WITH_MORE,
    SYNTAX,
)
from synap.store.memory.tapes import text_at, text_size
from synap.store.slots import geo as slots

(
    LONGITUDE, LATITUDE, METRES, SHAPE, RADIUS, HEIGHT, COUNT, ANY, ORDER, WITH_DISTANCE, WITH_HASH, WITH_PLACE,
    CENTER, STORE, STORES_DISTANCES, FOUND, USED, CAPACITY, REACH, LIMIT, QUERY_WORDS,
) = range(21)  # fmt: skip
"""Words of a query: the bits of the centre, of the metres of its unit, of a radius, or of width (in RADIUS) and height;
the number of results that are wanted; 1 + the slot of the key to store them under; the results (`geo_search.py`)."""
CIRCLE, BOX = 1, 2
FROM_MEMBER, FROM_PLACE = 1, 2
ASCENDING, DESCENDING = 1, 2
SEARCH, SEARCH_STORE, RADIUS_STORE, RADIUS_ONLY = range(4)  # which options a command has
OPTIONS = (
    b"WITHDIST", b"WITHHASH", b"WITHCOORD", b"ANY", b"ASC", b"DESC", b"COUNT", b"STORE", b"STOREDIST", b"FROMMEMBER",
    b"FROMLONLAT", b"BYRADIUS", b"BYBOX",
)  # fmt: skip
(
    _WITHDIST, _WITHHASH, _WITHCOORD, _ANY, _ASC, _DESC, _COUNT, _STORE, _STOREDIST, _FROMMEMBER, _FROMLONLAT,
    _BYRADIUS, _BYBOX, _UNKNOWN,
) = range(14)  # fmt: skip
UNITS = (b"M", b"KM", b"FT", b"MI")
UNIT_METRES = (1.0, 1000.0, 0.3048, 1609.34)
_LOWEST = -(1 << 63)
_BEYOND = 9223372036854775808.0  # 2**63


@kernel
def whole_of(score):
    """Return a score as an integer of 64 bits, cut off; the lowest one for what does not fit, as the processor does."""
    return _LOWEST if not (score >= -_BEYOND and score < _BEYOND) else int(score)


@kernel
def hash_of(score):
    """Return the hash that a score is: its integer of 64 bits, which from 2**63 on is read as unsigned."""
    return whole_of(score - _BEYOND) ^ _LOWEST if score >= _BEYOND else whole_of(score)


@kernel
def new_query(words, octets):
    """Return the ref of an empty query, or 0 without memory."""
    query = arena.allocate(words, QUERY_WORDS)
    if query:
        fill(octets, query * 8, 0, QUERY_WORDS * 8)
        words[query + METRES] = bits_of(1.0)
    return query


@kernel
def close(words, query):
    """Free a query with its results."""
    if words[query + FOUND]:
        arena.release(words, words[query + FOUND])
    arena.release(words, query)


@kernel
def real_at(words, octets, tape, slot):
    """Return (value, ok) of the text in a slot."""
    return parse_real(octets, text_at(words, tape, slot), text_size(words, tape, slot))


@kernel
def refused_place(words, reply, longitude, latitude):
    """Return 0 for a place, else the refusal of what is none, with both numbers for its text."""
    if geohash.is_place(longitude, latitude):
        return 0
    words[reply] = bits_of(longitude)
    words[reply + SECOND_NUMBER] = bits_of(latitude)
    return NO_PLACE


@kernel
def set_place(words, query, longitude, latitude):
    """Set the centre of a query."""
    words[query + LONGITUDE] = bits_of(longitude)
    words[query + LATITUDE] = bits_of(latitude)


@kernel
def take_place(words, octets, tape, slot, query, reply):
    """Read the centre of a query from two words, an option's or arguments of their own; return 0 or the refusal."""
    longitude, one = real_at(words, octets, tape, slot)
    latitude, other = real_at(words, octets, tape, slot + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE)
    if not one or not other:
        return NOT_A_REAL
    set_place(words, query, longitude, latitude)
    return refused_place(words, reply, longitude, latitude)


@kernel
def take_member(words, octets, tape, slot, root, query):
    """Take the place of a member as the centre of a query; return 0 or the refusal."""
    spot = members.locate(words, octets, root, text_at(words, tape, slot), text_size(words, tape, slot))
    if spot == 0:
        return PLACE_MISSING
    longitude, latitude = geohash.decode(hash_of(members.score_at(words, octets, root, spot)))
    set_place(words, query, longitude, latitude)
    return 0


@kernel
def unit_at(words, octets, tape, slot):
    """Return the metres of the unit in a slot, 0 for another word."""
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    for i in range(4):
        if is_word(octets, at, size, UNITS[i]):
            return UNIT_METRES[i]
    return 0.0


@kernel
def take_unit(words, octets, tape, slot, query):
    """Read the unit of a query; return 0 or the refusal."""
    metres = unit_at(words, octets, tape, slot)
    words[query + METRES] = bits_of(metres)
    return 0 if metres > 0.0 else BAD_UNIT


@kernel
def take_circle(words, octets, tape, slot, query):
    """Read radius and unit of a query; return 0 or the refusal."""
    radius, ok = real_at(words, octets, tape, slot)
    if not ok:
        return BAD_RADIUS
    if radius < 0.0:
        return NEGATIVE_RADIUS
    words[query + SHAPE] = CIRCLE
    words[query + RADIUS] = bits_of(radius)
    return take_unit(words, octets, tape, slot + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE, query)


@kernel
def take_box(words, octets, tape, slot, query):
    """Read width, height and unit of a query; return 0 or the refusal."""
    width, ok = real_at(words, octets, tape, slot)
    if not ok:
        return BAD_WIDTH
    height, ok = real_at(words, octets, tape, slot + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE)
    if not ok:
        return BAD_HEIGHT
    if width < 0.0 or height < 0.0:
        return NEGATIVE_BOX
    words[query + SHAPE] = BOX
    words[query + RADIUS] = bits_of(width)
    words[query + HEIGHT] = bits_of(height)
    unit = slot + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE
    return take_unit(words, octets, tape, unit, query)


@kernel
def take_count(words, octets, tape, slot, query):
    """Read the number of results that are wanted; return 0 or the refusal."""
    count, ok = parse_integer(octets, text_at(words, tape, slot), text_size(words, tape, slot))
    if not ok:
        return NOT_AN_INTEGER
    words[query + COUNT] = count
    return 0 if count > 0 else COUNT_NOT_ABOVE_ZERO


@kernel
def option_at(words, octets, tape, slot):
    """Return which option the word in a slot is."""
    at, size = text_at(words, tape, slot), text_size(words, tape, slot)
    for i in range(_UNKNOWN):
        if is_word(octets, at, size, OPTIONS[i]):
            return i
    return _UNKNOWN


@kernel
def take_option(words, octets, tape, slot, left, root, what, query, reply):
    """Read an option, behind which `left` words follow; return (words that it takes behind its own, refusal or 0).

    `root` is that of the sorted set, 0 without one.
    """
    option = option_at(words, octets, tape, slot)
    searches = what == SEARCH or what == SEARCH_STORE
    behind = slot + slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE
    if option == _WITHDIST or option == _WITHHASH or option == _WITHCOORD:
        words[query + WITH_DISTANCE + option] = 1
    elif option == _ANY:
        words[query + ANY] = 1
    elif option == _ASC or option == _DESC:
        words[query + ORDER] = ASCENDING if option == _ASC else DESCENDING
    elif option == _COUNT and left >= 1:
        return 1, take_count(words, octets, tape, behind, query)
    elif (option == _STORE or option == _STOREDIST) and left >= 1 and what == RADIUS_STORE:
        words[query + STORE] = behind + 1
        words[query + STORES_DISTANCES] = option == _STOREDIST
        return 1, 0
    elif option == _STOREDIST and what == SEARCH_STORE:
        words[query + STORES_DISTANCES] = 1
    elif option == _FROMMEMBER and left >= 1 and searches and words[query + CENTER] != FROM_PLACE:
        words[query + CENTER] = FROM_MEMBER
        return 1, take_member(words, octets, tape, behind, root, query) if root else 0
    elif option == _FROMLONLAT and left >= 2 and searches and words[query + CENTER] != FROM_MEMBER:
        words[query + CENTER] = FROM_PLACE
        return 2, take_place(words, octets, tape, behind, query, reply)
    elif option == _BYRADIUS and left >= 2 and searches and words[query + SHAPE] != BOX:
        return 2, take_circle(words, octets, tape, behind, query)
    elif option == _BYBOX and left >= 3 and searches and words[query + SHAPE] != CIRCLE:
        return 3, take_box(words, octets, tape, behind, query)
    else:
        return 0, SYNTAX
    return 0, 0


@outlined
def take_options(words, octets, tape, first, count, root, what, query, reply):
    """Read `count` words from slot `first` on into a query; return 0 or the refusal.

    Without a sorted set (root 0) no member is looked up, and no radius is needed for GEORADIUSBYMEMBER.
    """
    at = 0
    while at < count:
        slot = first + at * slots.GEOSPATIAL_SEARCH_OPTIONS_STRIDE
        taken, refusal = take_option(words, octets, tape, slot, count - at - 1, root, what, query, reply)
        if refusal:
            return refusal
        at += 1 + taken
    searches = what == SEARCH or what == SEARCH_STORE
    if words[query + STORE] and (
        words[query + WITH_DISTANCE] or words[query + WITH_HASH] or words[query + WITH_PLACE]
    ):
        return SEARCHSTORE_WITH_MORE if what == SEARCH_STORE else STORE_WITH_MORE
    if searches and words[query + CENTER] == 0:
        return ONE_CENTER
    if searches and words[query + SHAPE] == 0:
        return ONE_SHAPE
    return ANY_WITHOUT_COUNT if words[query + ANY] and words[query + COUNT] == 0 else 0


@kernel
def half_sizes(words, query):
    """Return (metres from the centre to the sides east and west, to those north and south, to the furthest point)."""
    metres = real_of(words[query + METRES])
    radius = real_of(words[query + RADIUS])
    if words[query + SHAPE] == CIRCLE:
        return metres * radius, metres * radius, radius * metres
    x, y = radius / 2.0, real_of(words[query + HEIGHT]) / 2.0
    return metres * x, metres * y, (x * x + y * y) ** 0.5 * metres
