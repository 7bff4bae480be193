"""Rows about places that only the JSON surfaces have: numbers where RESP has texts, and all facts of each result."""

from synap.compiler.jit import kernel
from synap.kernels.spans import bits_of, real_of
from synap.store.kinds.zsets import geo, geo_query, geo_search
from synap.store.kinds.zsets.geo_query import (
    ANY,
    BOX,
    CIRCLE,
    COUNT,
    HEIGHT,
    METRES,
    ORDER,
    RADIUS,
    SHAPE,
    UNIT_METRES,
    UNITS,
    WITH_DISTANCE,
    WITH_HASH,
    WITH_PLACE,
)
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import ITEM, MARK_ARRAY, SCRATCH, WORD
from synap.store.memory.refusals import (
    ANY_WITHOUT_COUNT,
    COUNT_NOT_ABOVE_ZERO,
    NEGATIVE_BOX,
    NEGATIVE_RADIUS,
    ONE_CENTER,
    ONE_SHAPE,
    OUT_OF_MEMORY,
    WRONG_TYPE,
)
from synap.store.memory.tapes import add_distance, add_mark, add_nil, add_text, set_scalar
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import OTHER_KIND
from synap.store.slots import geo as slots


@kernel
def metres_of(unit):
    """Return the metres of a unit by its number, from 1 (0: metres): four short names, then four long ones."""
    return UNIT_METRES[(unit - 1) & 3] if unit else 1.0


@kernel
def distance(words, octets, tape, now, reply):
    """Reply with the distance between two members, or null, and with the short name of its unit."""
    ref = key_access.find(words, octets, tape, slots.GEOSPATIAL_GEODIST_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    one, other = slots.GEOSPATIAL_GEODIST_MEMBER1, slots.GEOSPATIAL_GEODIST_MEMBER2
    there, metres = geo.between(words, octets, tape, ref, one, other)
    unit = words[tape + slots.GEOSPATIAL_GEODIST_UNIT]
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, 2)
    if there:
        add_distance(words, reply, metres / metres_of(unit))
    else:
        add_nil(words, reply)
    name = UNITS[(unit - 1) & 3 if unit else 0]
    for i in range(len(name)):
        octets[SCRATCH * WORD + i] = name[i] | 32
    add_text(words, reply, SCRATCH * WORD, len(name), 0)
    return ITEM


@kernel
def take_center(words, octets, tape, root, query, reply):
    """Read the centre of a query; return 0 or the refusal."""
    has_member = words[tape + slots.GEOSPATIAL_GEOSEARCH_HAS_FROM_MEMBER]
    has_place = words[tape + slots.GEOSPATIAL_GEOSEARCH_HAS_FROM_LONLAT]
    if has_member == has_place:
        return ONE_CENTER
    if has_member:
        member = slots.GEOSPATIAL_GEOSEARCH_MEMBER
        return geo_query.take_member(words, octets, tape, member, root, query) if root else 0
    longitude = real_of(words[tape + slots.GEOSPATIAL_GEOSEARCH_LON])
    latitude = real_of(words[tape + slots.GEOSPATIAL_GEOSEARCH_LAT])
    geo_query.set_place(words, query, longitude, latitude)
    return geo_query.refused_place(words, reply, longitude, latitude)


@kernel
def take_shape(words, tape, query):
    """Read the circle or box of a query; return 0 or the refusal."""
    has_circle = words[tape + slots.GEOSPATIAL_GEOSEARCH_HAS_BY_RADIUS]
    if has_circle == words[tape + slots.GEOSPATIAL_GEOSEARCH_HAS_BY_BOX]:
        return ONE_SHAPE
    first = words[tape + (slots.GEOSPATIAL_GEOSEARCH_RADIUS if has_circle else slots.GEOSPATIAL_GEOSEARCH_WIDTH)]
    second = 0 if has_circle else words[tape + slots.GEOSPATIAL_GEOSEARCH_HEIGHT]
    words[query + SHAPE] = CIRCLE if has_circle else BOX
    words[query + RADIUS] = first
    words[query + HEIGHT] = second
    if real_of(first) < 0.0 or real_of(second) < 0.0:
        return NEGATIVE_RADIUS if has_circle else NEGATIVE_BOX
    return 0


@kernel
def take_wishes(words, tape, query):
    """Read which results a query wants, and what of each; return 0 or the refusal."""
    words[query + METRES] = bits_of(metres_of(words[tape + slots.GEOSPATIAL_GEOSEARCH_UNIT]))
    words[query + WITH_DISTANCE] = words[tape + slots.GEOSPATIAL_GEOSEARCH_WITH_DIST]
    words[query + WITH_HASH] = words[tape + slots.GEOSPATIAL_GEOSEARCH_WITH_HASH]
    words[query + WITH_PLACE] = words[tape + slots.GEOSPATIAL_GEOSEARCH_WITH_COORD]
    words[query + ORDER] = words[tape + slots.GEOSPATIAL_GEOSEARCH_SORT]
    words[query + ANY] = words[tape + slots.GEOSPATIAL_GEOSEARCH_ANY]
    if not words[tape + slots.GEOSPATIAL_GEOSEARCH_HAS_COUNT]:
        return ANY_WITHOUT_COUNT if words[query + ANY] else 0
    words[query + COUNT] = words[tape + slots.GEOSPATIAL_GEOSEARCH_COUNT]
    return 0 if words[query + COUNT] > 0 else COUNT_NOT_ABOVE_ZERO


@kernel
def search(words, octets, tape, now, reply):
    """Reply with the members in a circle or a box, each with distance, hash and place, null where not asked for."""
    ref = key_access.find(words, octets, tape, slots.GEOSPATIAL_GEOSEARCH_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    query = geo_query.new_query(words, octets)
    if query == 0:
        return OUT_OF_MEMORY
    root = keyspace.root_of(words, ref) if ref else 0
    status = take_center(words, octets, tape, root, query, reply)
    if status == 0:
        status = take_shape(words, tape, query)
    if status == 0:
        status = take_wishes(words, tape, query)
    if status == 0:
        status = geo_search.answer(words, octets, tape, reply, root, query, True)
    geo_query.close(words, query)
    return status
