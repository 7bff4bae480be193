"""Rows that search for places: GEOSEARCH, GEOSEARCHSTORE, GEORADIUS, GEORADIUSBYMEMBER and their read-only forms."""

from synap.compiler.jit import kernel
from synap.store.kinds.zsets import geo_query, geo_search
from synap.store.kinds.zsets.geo_query import RADIUS_ONLY, RADIUS_STORE, SEARCH, SEARCH_STORE, STORE
from synap.store.memory.kinds import ZSET
from synap.store.memory.refusals import OUT_OF_MEMORY, WRONG_TYPE
from synap.store.memory.tapes import first_item
from synap.store.records import key_access, keyspace
from synap.store.records.key_access import OTHER_KIND
from synap.store.slots import geo as slots


@kernel
def searched(words, octets, tape, now, reply, key, options, what):
    """Carry out a search whose words are the group in slot `options`."""
    ref = key_access.find(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    query = geo_query.new_query(words, octets)
    if query == 0:
        return OUT_OF_MEMORY
    if what == SEARCH_STORE:
        words[query + STORE] = slots.GEOSPATIAL_SEARCHSTORE_DESTINATION + 1
    root = keyspace.root_of(words, ref) if ref else 0
    status = geo_query.take_options(
        words, octets, tape, first_item(words, tape, options), words[tape + options], root, what, query, reply
    )  # fmt: skip
    if status == 0:
        status = geo_search.answer(words, octets, tape, reply, root, query, False)
    geo_query.close(words, query)
    return status


@kernel
def search(words, octets, tape, now, reply):
    """Reply with the members in a circle or a box (GEOSEARCH)."""
    key, options = slots.GEOSPATIAL_SEARCH_KEY, slots.GEOSPATIAL_SEARCH_OPTIONS
    return searched(words, octets, tape, now, reply, key, options, SEARCH)


@kernel
def search_store(words, octets, tape, now, reply):
    """Store the members in a circle or a box under another key (GEOSEARCHSTORE); reply with their number."""
    key, options = slots.GEOSPATIAL_SEARCHSTORE_SOURCE, slots.GEOSPATIAL_SEARCHSTORE_OPTIONS
    return searched(words, octets, tape, now, reply, key, options, SEARCH_STORE)


@kernel
def in_radius(words, octets, tape, now, reply, circle, options, what):
    """Carry out a search in a circle, whose radius is the word in slot `circle`.

    Between the key and the radius stand a longitude and a latitude, or a member.
    """
    key = slots.GEOSPATIAL_RADIUS_KEY
    ref = key_access.find(words, octets, tape, key, ZSET, now)
    if ref == OTHER_KIND:
        return WRONG_TYPE
    query = geo_query.new_query(words, octets)
    if query == 0:
        return OUT_OF_MEMORY
    root = keyspace.root_of(words, ref) if ref else 0
    status = 0
    by_member = circle == slots.GEOSPATIAL_RADIUSBYMEMBER_RADIUS
    if not by_member:
        status = geo_query.take_place(words, octets, tape, slots.GEOSPATIAL_RADIUS_LONGITUDE, query, reply)
    elif root:
        status = geo_query.take_member(words, octets, tape, slots.GEOSPATIAL_RADIUSBYMEMBER_MEMBER, root, query)
    if status == 0 and (root or not by_member):
        status = geo_query.take_circle(words, octets, tape, circle, query)
    if status == 0:
        status = geo_query.take_options(
            words, octets, tape, first_item(words, tape, options), words[tape + options], root, what, query, reply
        )  # fmt: skip
    if status == 0:
        status = geo_search.answer(words, octets, tape, reply, root, query, False)
    geo_query.close(words, query)
    return status


@kernel
def radius(words, octets, tape, now, reply):
    """Reply with the members in a circle, or store them (GEORADIUS)."""
    circle, options = slots.GEOSPATIAL_RADIUS_RADIUS, slots.GEOSPATIAL_RADIUS_OPTIONS
    return in_radius(words, octets, tape, now, reply, circle, options, RADIUS_STORE)


@kernel
def radius_only(words, octets, tape, now, reply):
    """Reply with the members in a circle (GEORADIUS_RO)."""
    circle, options = slots.GEOSPATIAL_RADIUS_RADIUS, slots.GEOSPATIAL_RADIUS_OPTIONS
    return in_radius(words, octets, tape, now, reply, circle, options, RADIUS_ONLY)


@kernel
def around_member(words, octets, tape, now, reply):
    """Reply with the members in a circle around a member, or store them (GEORADIUSBYMEMBER)."""
    circle, options = slots.GEOSPATIAL_RADIUSBYMEMBER_RADIUS, slots.GEOSPATIAL_RADIUSBYMEMBER_OPTIONS
    return in_radius(words, octets, tape, now, reply, circle, options, RADIUS_STORE)


@kernel
def around_member_only(words, octets, tape, now, reply):
    """Reply with the members in a circle around a member (GEORADIUSBYMEMBER_RO)."""
    circle, options = slots.GEOSPATIAL_RADIUSBYMEMBER_RADIUS, slots.GEOSPATIAL_RADIUSBYMEMBER_OPTIONS
    return in_radius(words, octets, tape, now, reply, circle, options, RADIUS_ONLY)
