"""Rows of places, which are members of sorted sets whose scores are geohashes: GEOADD, GEOPOS, GEODIST, GEOHASH."""

from synap.compiler.jit import kernel
from synap.kernels import geohash
from synap.kernels.spans import real_of
from synap.store.kinds.zsets import geo_query, members, zsets
from synap.store.kinds.zsets.geo_query import UNIT_METRES
from synap.store.memory import arena
from synap.store.memory.kinds import ZSET
from synap.store.memory.layout import (
    BROKEN,
    CHANGED,
    FULL,
    ITEM,
    ITEMS,
    MARK_ARRAY,
    NIL,
    NUMBER,
    UNREADABLE,
    WORD,
)
from synap.store.memory.refusals import NOT_A_REAL, OUT_OF_MEMORY, SYNTAX, WRONG_TYPE
from synap.store.memory.tapes import (
    add_degrees,
    add_distance,
    add_mark,
    add_nil,
    add_no_array,
    add_text,
    first_item,
    fits,
    set_scalar,
    text_at,
    text_mark,
    text_size,
)
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import MISSING, OTHER_KIND
from synap.store.slots import geo as slots

NX, XX = slots.GEOSPATIAL_GEOADD_WHEN_IS_NX, slots.GEOSPATIAL_GEOADD_WHEN_IS_XX
NX_XX = NX | XX
TEXT_WORDS = 2  # of a geohash as text


@kernel
def check_places(words, tape, reply):
    """Return the refusal of the first of all places that is none, or 0."""
    place = first_item(words, tape, slots.GEOSPATIAL_GEOADD_LOCATIONS)
    for _ in range(words[tape + slots.GEOSPATIAL_GEOADD_LOCATIONS]):
        longitude = real_of(words[tape + place + slots.GEOSPATIAL_GEOADD_LOCATIONS_LON])
        latitude = real_of(words[tape + place + slots.GEOSPATIAL_GEOADD_LOCATIONS_LAT])
        if longitude != longitude or latitude != latitude:  # a word that was no number
            return NOT_A_REAL
        refusal = geo_query.refused_place(words, reply, longitude, latitude)
        if refusal:
            return refusal
        place += slots.GEOSPATIAL_GEOADD_LOCATIONS_STRIDE
    return 0


@kernel
def add(words, octets, tape, now, reply):
    """Add members with their places, or move members (GEOADD); reply with how many were new (CH: or changed)."""
    when = words[tape + slots.GEOSPATIAL_GEOADD_WHEN] & ~UNREADABLE
    if when == NX_XX:
        return SYNTAX
    refusal = check_places(words, tape, reply)
    if refusal:
        return refusal
    key = slots.GEOSPATIAL_GEOADD_KEY
    h, _, ref = key_access.open_key(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    set_scalar(words, reply, 0)
    if ref == MISSING:
        if when == XX:
            return NUMBER
        ref = key_access.claim(words, octets, tape, key, h, ZSET, now)
        if ref == MISSING:
            return BROKEN
    root = keyspace.root_of(words, ref)
    count = words[tape + slots.GEOSPATIAL_GEOADD_LOCATIONS]
    place = first_item(words, tape, slots.GEOSPATIAL_GEOADD_LOCATIONS)
    member = place + slots.GEOSPATIAL_GEOADD_LOCATIONS_MEMBER
    if not members.expect(words, octets, root, count, text_size(words, tape, member)):
        return BROKEN
    added = updated = 0
    for _ in range(count):
        member = place + slots.GEOSPATIAL_GEOADD_LOCATIONS_MEMBER
        found = geohash.encode(
            real_of(words[tape + place + slots.GEOSPATIAL_GEOADD_LOCATIONS_LON]),
            real_of(words[tape + place + slots.GEOSPATIAL_GEOADD_LOCATIONS_LAT]), geohash.STEP_MAX,
        )  # fmt: skip
        done, _ = zsets.put(
            words, octets, root, text_at(words, tape, member), text_size(words, tape, member),
            text_mark(words, tape, member), float(found), when, 0, False,
        )  # fmt: skip
        if done == zsets.WITHOUT_MEMORY:
            return BROKEN
        added += done == zsets.ADDED
        updated += done == zsets.UPDATED
        place += slots.GEOSPATIAL_GEOADD_LOCATIONS_STRIDE
    words[reply] = added + updated if words[tape + slots.GEOSPATIAL_GEOADD_CH] else added
    if added + updated == 0:
        return NUMBER
    keyspace.touched(words, octets, h)
    return NUMBER | CHANGED


@kernel
def spot_of(words, octets, tape, ref, member):
    """Return (root, spot) of the member in a slot; the spot is 0 if there is none, or no record."""
    if ref == MISSING:
        return 0, 0
    root = keyspace.root_of(words, ref)
    return root, members.locate(words, octets, root, text_at(words, tape, member), text_size(words, tape, member))


@kernel
def place_at(words, octets, root, spot):
    """Return (longitude, latitude) of the member at a spot."""
    return geohash.decode(geo_query.hash_of(members.score_at(words, octets, root, spot)))


@kernel
def positions(words, octets, tape, now, reply):
    """Reply with longitude and latitude of each member, or a null where there is none (GEOPOS)."""
    ref = key_access.find(words, octets, tape, slots.GEOSPATIAL_GEOPOS_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    count = words[tape + slots.GEOSPATIAL_GEOPOS_MEMBERS]
    if not fits(words, 3 * count + 1, 0):
        return FULL
    set_scalar(words, reply, 0)
    add_mark(words, reply, MARK_ARRAY, count)
    member = first_item(words, tape, slots.GEOSPATIAL_GEOPOS_MEMBERS) + slots.GEOSPATIAL_GEOPOS_MEMBERS_MEMBER
    for _ in range(count):
        root, spot = spot_of(words, octets, tape, ref, member)
        if spot:
            longitude, latitude = place_at(words, octets, root, spot)
            add_mark(words, reply, MARK_ARRAY, 2)
            add_degrees(words, reply, longitude)
            add_degrees(words, reply, latitude)
        else:
            add_no_array(words, reply)
        member += slots.GEOSPATIAL_GEOPOS_MEMBERS_STRIDE
    return ITEM


@kernel
def hashes(words, octets, tape, now, reply):
    """Reply with the public geohash of each member, or a null where there is none (GEOHASH)."""
    ref = key_access.find(words, octets, tape, slots.GEOSPATIAL_GEOHASH_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    count = words[tape + slots.GEOSPATIAL_GEOHASH_MEMBERS]
    if not fits(words, count, count * geohash.TEXT_SIZE):
        return FULL
    block = arena.allocate(words, count * TEXT_WORDS + 1)
    if block == 0:
        return OUT_OF_MEMORY
    set_scalar(words, reply, 0)
    member = first_item(words, tape, slots.GEOSPATIAL_GEOHASH_MEMBERS) + slots.GEOSPATIAL_GEOHASH_MEMBERS_MEMBER
    for i in range(count):
        root, spot = spot_of(words, octets, tape, ref, member)
        if spot:
            at = (block + i * TEXT_WORDS) * WORD
            geohash.put_text(octets, at, geo_query.hash_of(members.score_at(words, octets, root, spot)))
            add_text(words, reply, at, geohash.TEXT_SIZE, 0)
        else:
            add_nil(words, reply)
        member += slots.GEOSPATIAL_GEOHASH_MEMBERS_STRIDE
    arena.release_later(words, block)
    return ITEMS


@kernel
def between(words, octets, tape, ref, one, other):
    """Return (whether both members are there, the metres between them)."""
    root, spot = spot_of(words, octets, tape, ref, one)
    _, second = spot_of(words, octets, tape, ref, other)
    if spot == 0 or second == 0:
        return False, 0.0
    longitude, latitude = place_at(words, octets, root, spot)
    x, y = place_at(words, octets, root, second)
    return True, geohash.distance(longitude, latitude, x, y)


@kernel
def distance(words, octets, tape, now, reply):
    """Reply with the distance between two members, or NIL (GEODIST)."""
    ref = key_access.find(words, octets, tape, slots.GEOSPATIAL_DISTANCE_KEY, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    one, other = slots.GEOSPATIAL_DISTANCE_MEMBER1, slots.GEOSPATIAL_DISTANCE_MEMBER2
    there, metres = between(words, octets, tape, ref, one, other)
    if not there:
        return NIL
    has_unit = words[tape + slots.GEOSPATIAL_DISTANCE_HAS_UNIT]
    unit = UNIT_METRES[words[tape + slots.GEOSPATIAL_DISTANCE_UNIT] - 1] if has_unit else 1.0
    set_scalar(words, reply, 0)
    add_distance(words, reply, metres / unit)
    return ITEM
