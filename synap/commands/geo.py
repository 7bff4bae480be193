"""Command rows of places: members of a sorted set whose scores are geohashes."""

from synap.arguments import WRITE, AnyOrder, Choice, Clash, Flag, Int, Key, Many, OneOf, Optional, Raw, Real, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import Method
from synap.reply import DISTANCE, INTEGER, NO_ARRAY, REAL, TEXT, VALUE, Array, Either, Template, Tuple, or_nil
from synap.routes import Get, Post
from synap.traits import GROWS, WRITES

_KEY = Key("key", "geospatial")
_CHANGED = Key("key", "geospatial", WRITE)
_DESTINATION = Key("destination", "geospatial", WRITE)
_UNITS = ("M", "KM", "FT", "MI")
_LONG_UNITS = (*_UNITS, "METERS", "KILOMETERS", "FEET", "MILES")
_MEMBERS = Many("members", Raw("member"), least=0)
_PLACE = Array(REAL)
_FACT = Either(VALUE, DISTANCE, INTEGER, _PLACE)
_FOUND: Template = Either(Array(VALUE), Array(Array(_FACT)))
_STORED_OR_FOUND: Template = Either(Array(VALUE), Array(Array(_FACT)), INTEGER)
_STORE_WORDS = 3000
_WORDS = "Options are given as the words of Redis: "
_IN_CIRCLE = (Raw("radius"), Raw("unit"))
_STORE_NOTE = "ASC, DESC, COUNT with a number, ANY, WITHDIST, WITHCOORD, WITHHASH, STORE or STOREDIST with a key."
_NOTE = "ASC, DESC, COUNT with a number, ANY, WITHDIST, WITHCOORD, WITHHASH."


def _options(least: int = 0) -> Many:
    return Many("options", Raw("word"), least=least)


_STORING = Many("options", Raw("word"), least=0, keys_behind=("STORE", "STOREDIST"))
_SICILY = Example("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", 2)

ROWS = [
    Command(
        "geospatial.geoadd", 0x0C01,
        "Add members with their places (longitude, latitude) to a sorted set, and return how many were new.",
        args=(
            _CHANGED,
            AnyOrder(OneOf("when", Flag("NX"), Flag("XX"), clash=Clash.BOTH), Flag("CH")),
            Many("locations", Real("lon", judge="when"), Real("lat", judge="when"), Raw("member")),
        ),
        resp="GEOADD", reply=INTEGER, run="geo.add", traits=WRITES | GROWS, needs_words=3000,
        http=(Post("/geospatial/{key}/geoadd"),), links=("geospatial", "key"), json={"key": "$key", "added": "$reply"},
        examples=(_SICILY, Example("GEOADD g XX CH 13.5 38.1 Palermo", 1)),
        event=Event("zadd"),
    ),
    Command(
        "geospatial.geopos", 0x0C02, "Return longitude and latitude of members.",
        args=(_KEY, _MEMBERS), resp="GEOPOS",
        reply=Array(Either(Tuple({"lon": REAL, "lat": REAL}), NO_ARRAY)), run="geo.positions",
        http=(Post("/geospatial/{key}/geopos"),), json={"key": "$key", "coordinates": "$reply"},
        examples=(
            _SICILY,
            Example("GEOPOS g Palermo none", [[13.36138933897018433, 38.11555639549629859], None]),
        ),
        python=Method(returns="values"),
    ),
    Command(
        "geospatial.distance", 0x0C03, "Return the distance between two members, in metres or another unit.",
        args=(_KEY, Raw("member1"), Raw("member2"), Optional(Choice("unit", _UNITS, fault="BAD_UNIT"), alone=True)),
        stray="SYNTAX", resp="GEODIST", reply=or_nil(DISTANCE), run="geo.distance",
        examples=(
            _SICILY, Example("GEODIST g Palermo Catania", "166274.1516"),
            Example("GEODIST g Palermo Catania km", "166.2742"), Example("GEODIST g Palermo none", None),
        ),
        python=Method(returns="distance"),
    ),
    Command(
        "geospatial.geohash", 0x0C04, "Return the public geohash of members, as texts of 11 characters.",
        args=(_KEY, _MEMBERS), resp="GEOHASH", reply=Array(or_nil(TEXT)), run="geo.hashes",
        http=(Post("/geospatial/{key}/geohash"),), json={"key": "$key", "geohashes": "$reply"},
        examples=(_SICILY, Example("GEOHASH g Palermo none", ["sqc8b49rny0", None])),
    ),
    Command(
        "geospatial.search", 0x0C05, "Return the members in a circle or a box around a place or a member.",
        args=(_KEY, _options(1)), words=6, resp="GEOSEARCH", reply=_FOUND, run="geo_rows.search",
        examples=(
            _SICILY, Example("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", ["Catania", "Palermo"]),
            Example("GEOSEARCH g FROMMEMBER Palermo BYBOX 400 400 km DESC COUNT 1 WITHDIST", [["Catania", "166.2742"]]),
        ),
        python=Method(returns="places", note=f"{_WORDS}FROMMEMBER or FROMLONLAT, BYRADIUS or BYBOX, {_NOTE}"),
    ),
    Command(
        "geospatial.searchstore", 0x0C06,
        "Store the members in a circle or a box under a key, and return how many there are.",
        args=(_DESTINATION, Key("source", "geospatial"), _options(1)), words=7, resp="GEOSEARCHSTORE",
        reply=INTEGER, run="geo_rows.search_store", traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        examples=(
            _SICILY, Example("GEOSEARCHSTORE h g FROMLONLAT 15 37 BYRADIUS 100 km STOREDIST", 1),
            Example("ZCARD h", 1),
        ),
        python=Method(note=f"{_WORDS}those of GEOSEARCH without WITHDIST, WITHCOORD and WITHHASH, and STOREDIST, which "
                           "stores the distances as scores."),
        event=Event("geosearchstore", How.STORED, misses=True),
    ),
    Command(
        "geospatial.radius", 0x0C07, "Return the members in a circle around a place, or store them under a key.",
        args=(_KEY, Raw("longitude"), Raw("latitude"), *_IN_CIRCLE, _STORING), resp="GEORADIUS",
        reply=_STORED_OR_FOUND, run="geo_rows.radius", traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        examples=(_SICILY, Example("GEORADIUS g 15 37 100 km", ["Catania"]),
                  Example("GEORADIUS g 15 37 200 km STORE h", 2)),
        python=Method(returns="places_or_count", note=f"{_WORDS}{_STORE_NOTE}"),
        event=Event("georadiusstore", How.STORED_LAST, misses=True),
    ),
    Command(
        "geospatial.radiusbymember", 0x0C08,
        "Return the members in a circle around a member, or store them under a key.",
        args=(_KEY, Raw("member"), *_IN_CIRCLE, _STORING), resp="GEORADIUSBYMEMBER", reply=_STORED_OR_FOUND,
        run="geo_rows.around_member", traits=WRITES | GROWS, needs_words=_STORE_WORDS,
        examples=(_SICILY, Example("GEORADIUSBYMEMBER g Palermo 100 km", ["Palermo"])),
        python=Method(returns="places_or_count", note=f"{_WORDS}{_STORE_NOTE}"),
        event=Event("georadiusstore", How.STORED_LAST, misses=True),
    ),
    Command(
        "geospatial.radius_ro", 0x0C09, "Return the members in a circle around a place.",
        args=(_KEY, Raw("longitude"), Raw("latitude"), *_IN_CIRCLE, _options()), resp="GEORADIUS_RO", reply=_FOUND,
        run="geo_rows.radius_only",
        examples=(_SICILY, Example("GEORADIUS_RO g 15 37 100 km WITHDIST", [["Catania", "56.4413"]])),
        python=Method(returns="places", note=f"{_WORDS}{_NOTE}"),
    ),
    Command(
        "geospatial.radiusbymember_ro", 0x0C0A, "Return the members in a circle around a member.",
        args=(_KEY, Raw("member"), *_IN_CIRCLE, _options()), resp="GEORADIUSBYMEMBER_RO", reply=_FOUND,
        run="geo_rows.around_member_only",
        examples=(_SICILY, Example("GEORADIUSBYMEMBER_RO g Palermo 200 km DESC", ["Catania", "Palermo"])),
        python=Method(returns="places", note=f"{_WORDS}{_NOTE}"),
    ),
    Command(
        "geospatial.geodist", 0x0C30, "Return the distance between two members, and its unit.",
        args=(_KEY, Raw("member1"), Raw("member2"), AnyOrder(Token("UNIT", Choice("unit", _LONG_UNITS)))),
        reply=Tuple({"distance": or_nil(DISTANCE), "unit": TEXT}), run="geo_routes.distance",
        http=(Get("/geospatial/{key}/geodist/{member1}/{member2}"),),
        json={"key": "$key", "distance": "$distance", "unit": "$unit"},
        command={"key": "$key", "member1": "$member1", "member2": "$member2", "distance": "$distance", "unit": "$unit"},
    ),
    Command(
        "geospatial.geosearch", 0x0C31,
        "Return the members in a circle or a box around a place or a member, with distances and places if wanted.",
        args=(
            _KEY,
            AnyOrder(
                Token("FROM_MEMBER", Raw("member")), Token("FROM_LONLAT", Real("lon"), Real("lat")),
                Token("BY_RADIUS", Real("radius")), Token("BY_BOX", Real("width"), Real("height")),
                Token("UNIT", Choice("unit", _LONG_UNITS)), Flag("WITH_DIST"), Flag("WITH_COORD"), Flag("WITH_HASH"),
                Token("COUNT", Int("count", least=1)), Flag("ANY"), Token("SORT", Choice("sort", ("ASC", "DESC"))),
            ),
        ),
        reply=Array(Tuple({
            "member": VALUE, "distance": or_nil(DISTANCE), "hash": or_nil(INTEGER),
            "coord": or_nil(Tuple({"lon": REAL, "lat": REAL})),
        })),
        run="geo_routes.search",
        http=(
            Post("/geospatial/{key}/geosearch"), Get("/geospatial/{key}/georadius"),
            Get("/geospatial/{key}/georadiusbymember/{member}"),
        ),
        envelope=("geospatial.georadius", "geospatial.georadiusbymember"), json={"key": "$key", "results": "$reply"},
        also={"from_member": "member", "withdist": "with_dist", "withcoord": "with_coord", "withhash": "with_hash"},
        unpacked={
            "from_lonlat": ("lon", "lat"), "by_radius": ("radius", "unit"), "by_box": ("width", "height", "unit"),
        },
    ),
]  # fmt: skip
