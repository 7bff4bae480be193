"""Rows about places that only the JSON surfaces have."""

from typing import Any

from tests.naive import geohash
from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.geo import UNITS, bits, checked, metres, told, whole
from tests.naive.store.geo_rows import Query, center_of, results_of
from tests.naive.store.zsets import ZSet

LONG = {"METERS": "M", "KILOMETERS": "KM", "FEET": "FT", "MILES": "MI"}


def distance(state: State, args: dict[str, Any], now: int) -> Answer:
    unit = LONG.get(args.get("unit", "M"), args.get("unit", "M"))
    found = metres(state, args, now)
    return [None if found is None else b"%.4f" % (found / UNITS[unit]), unit.lower().encode()], False


def search(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, ZSet)
    found, query = None if record is None else record.value, Query()
    if ("member" in args) == ("lon" in args):
        raise Refused("ONE_CENTER")
    if "lon" in args:
        query.center = checked((args["lon"], args["lat"]))
    elif found is not None:
        query.center = center_of(found, args["member"])
    if ("radius" in args) == ("width" in args):
        raise Refused("ONE_SHAPE")
    if "radius" in args:
        query.radius = args["radius"]
    else:
        query.box = args["width"], args["height"]
    if min(query.box or (query.radius or 0.0,)) < 0:
        raise Refused("NEGATIVE_BOX" if query.box else "NEGATIVE_RADIUS")
    unit = args.get("unit", "M")
    query.metres = UNITS[LONG.get(unit, unit)]
    query.any, query.count, query.order = "ANY" in args, args.get("count", 0), args.get("sort", "")
    if query.any and "count" not in args:
        raise Refused("ANY_WITHOUT_COUNT")
    if args.get("count", 1) <= 0:
        raise Refused("COUNT_NOT_ABOVE_ZERO")
    return [
        [
            each.member,
            b"%.4f" % (each.metres / query.metres) if "WITH_DIST" in args else None,
            whole(each.score) if "WITH_HASH" in args else None,
            told(geohash.decode(bits(each.score))) if "WITH_COORD" in args else None,
        ]
        for each in results_of(query, found)
    ], False
