"""Places in sorted sets, whose scores are geohashes."""

from typing import Any

from tests.naive import geohash
from tests.naive.geohash import Place
from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store import zsets as zset_rows
from tests.naive.store.zsets import ZSet, held

UNITS = {"M": 1.0, "KM": 1000.0, "FT": 0.3048, "MI": 1609.34}


def whole(score: float) -> int:
    return int(score) if -(2.0**63) <= score < 2.0**63 else -(2**63)


def bits(score: float) -> int:
    """The hash that a score is."""
    return whole(score - 2.0**63) ^ 1 << 63 if score >= 2.0**63 else whole(score)


def place_of(found: ZSet, member: bytes) -> Place | None:
    return geohash.decode(bits(found[member])) if member in found else None


def checked(place: Place) -> Place:
    if not (abs(place[0]) <= geohash.LONGITUDE and abs(place[1]) <= geohash.LATITUDE):
        raise Refused("NO_PLACE", *place)
    return place


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    if args.get("NX") and args.get("XX"):
        raise Refused("SYNTAX")
    for each in args["locations"]:
        if each["lon"] != each["lon"] or each["lat"] != each["lat"]:
            raise Refused("NOT_A_REAL")
        checked((each["lon"], each["lat"]))
    pairs = [{"score": float(geohash.encode((each["lon"], each["lat"]))), "member": each["member"]}
             for each in args["locations"]]  # fmt: skip
    return zset_rows.add(state, {name: args[name] for name in ("key", "NX", "XX", "CH") if name in args} | {
        "pairs": pairs}, now)  # fmt: skip


def told(place: Place | None) -> list[float] | None:
    return None if place is None else [round(each, 17) for each in place]


def positions(state: State, args: dict[str, Any], now: int) -> Answer:
    found = held(state, args, now)
    return [told(place_of(found, member)) for member in args["members"]], False


def hashes(state: State, args: dict[str, Any], now: int) -> Answer:
    found = held(state, args, now)
    return [geohash.text(bits(found[each])) if each in found else None for each in args["members"]], False


def metres(state: State, args: dict[str, Any], now: int) -> float | None:
    found = held(state, args, now)
    one, other = place_of(found, args["member1"]), place_of(found, args["member2"])
    return None if one is None or other is None else geohash.distance(one, other)


def distance(state: State, args: dict[str, Any], now: int) -> Answer:
    found = metres(state, args, now)
    return None if found is None else b"%.4f" % (found / UNITS[args.get("unit", "M")]), False
