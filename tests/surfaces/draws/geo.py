"""Places: few that many members share, so that distances are equal, over the whole earth and close together.

Half of the sets stay in a strip, the other half are tables. Boxes and circles are of all sizes.
"""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS

NAMES = (
    "GEOADD GEOADD GEOADD GEOADD GEOPOS GEODIST GEOHASH GEOSEARCH GEOSEARCH GEOSEARCH GEOSEARCH GEOSEARCHSTORE "
    "GEOSEARCHSTORE GEORADIUS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER GEORADIUS_RO GEORADIUSBYMEMBER_RO "
    "ZSCORE ZADD ZREM"
).split()
COUNTED = ()
SORTED = ()
SETS = [b"g", b"g", b"g", b"few", b"made"]
GRID = [b"%d.%d" % (whole, part) for whole in (-179, -120, -90, -1, 0, 3, 13, 14, 45, 91, 179) for part in (0, 25, 5)]
LONGITUDES = [*GRID, b"180", b"-180", b"0.00001", b"179.99999", b"-179.99999", b"13.361389", b"1e2", b"-0.0"]
LATITUDES = [b"0", b"85.05112878", b"-85.05112878", b"-0.00001", b"38.115556", b"37.502669", b"37.5", b"66.5", b"-67",
             b"80.5", b"-81.25", b"45", b"0.25", b"-45.5"]  # fmt: skip
SIZES = [b"0", b"0.001", b"1", b"10", b"50.5", b"100", b"200", b"1000", b"2000.25", b"3000", b"5000", b"9000", b"20000",
         b"30000", b"inf", b"1e9", b"12"]  # fmt: skip
UNITS = [b"m", b"km", b"km", b"km", b"mi", b"ft", b"KM", b"Mi"]
WRONG = [b"x", b"", b"nan", b"-1", b"200", b"-86", b"1e300", b" 1"]


def one_of(chance: Random, words: list[bytes]) -> bytes:
    """Return one of some words, now and then a wrong one."""
    return chance.choice(words) if chance.random() < 0.985 else chance.choice(WRONG)


def member(chance: Random) -> bytes:
    """Return a member: most are there."""
    return b"m%d" % chance.randrange(400) if chance.random() < 0.97 else chance.choice((b"none", b"", b"\x00\xff"))


def place(chance: Random) -> list[bytes]:
    """Return a place as longitude and latitude: one of a grid, one near another one, or any."""
    draw = chance.random()
    if draw < 0.4:
        return [one_of(chance, LONGITUDES), one_of(chance, LATITUDES)]
    if draw < 0.8:
        return [b"%.6f" % chance.gauss(14, 1.5), b"%.6f" % chance.gauss(38, 1.5)]
    return [b"%.6f" % chance.uniform(-180, 180), b"%.6f" % chance.uniform(-85, 85)]


def shape(chance: Random) -> list[bytes]:
    """Return a circle or a box."""
    unit = one_of(chance, UNITS)
    if chance.random() < 0.5:
        return [b"BYRADIUS", one_of(chance, SIZES), unit]
    return [b"bybox", one_of(chance, SIZES), one_of(chance, SIZES), unit]


def wishes(chance: Random, name: str) -> list[bytes]:
    """Return options of a search, in any order."""
    count = one_of(chance, [b"1", b"2", b"5", b"17", b"60", b"1000"])
    known = [[b"ASC"], [b"desc"], [b"COUNT", count], [b"COUNT", b"7"]]
    if chance.random() < 0.3:
        known.append([b"COUNT", b"9", b"ANY"])
    if not name.endswith("STORE"):
        known += [[b"WITHDIST"], [b"WITHCOORD"], [b"withhash"]]
    if name == "GEOSEARCHSTORE" or chance.random() < 0.02:
        known.append([b"STOREDIST"])
    if chance.random() < 0.02:
        known.append([chance.choice((b"ANY", b"what", b"STORE", b"FROMMEMBER", b"BYBOX"))])
    drawn = chance.sample(known, min(len(known), chance.choice((0, 1, 1, 2, 2, 3))))
    if name in ("GEORADIUS", "GEORADIUSBYMEMBER") and chance.random() < 0.3:
        drawn = [each for each in drawn if not each[0].upper().startswith(b"WITH") or chance.random() < 0.1]
        drawn.append([chance.choice((b"STORE", b"storedist")), chance.choice((b"made", b"few", b"other"))])
    chance.shuffle(drawn)
    return [word for option in drawn for word in option]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key = one(SETS) if chance.random() < 0.95 else one((*KEYS, b"s", b"none"))
    match name:
        case "GEOADD":
            many = chance.randint(1, 40) if key == b"g" else chance.randint(1, 3)
            when: list[list[bytes]] = [[], [], [], [b"NX"], [b"xx"], [b"CH"], [b"XX", b"CH"], [b"NX", b"XX"]]
            return [key, *one(when), *(word for _ in range(many) for word in (*place(chance), member(chance)))]
        case "GEOPOS" | "GEOHASH" | "ZREM":
            return [key, *(member(chance) for _ in range(chance.randint(0, 4)))]
        case "GEODIST":
            return [key, member(chance), member(chance), *one(([], [b"m"], [b"KM"], [b"mi"], [b"ft"], [b"x"]))]
        case "GEOSEARCH" | "GEOSEARCHSTORE":
            center = [b"FROMMEMBER", member(chance)] if chance.random() < 0.4 else [b"FROMLONLAT", *place(chance)]
            parts = [center, shape(chance), wishes(chance, name)]
            chance.shuffle(parts)
            words = [word for part in parts for word in part]
            return [*([one((b"made", b"few", b"other"))] if name == "GEOSEARCHSTORE" else []), key, *words]
        case "GEORADIUS" | "GEORADIUS_RO":
            return [key, *place(chance), one_of(chance, SIZES), one_of(chance, UNITS), *wishes(chance, name)]
        case "GEORADIUSBYMEMBER" | "GEORADIUSBYMEMBER_RO":
            return [key, member(chance), one_of(chance, SIZES), one_of(chance, UNITS), *wishes(chance, name)]
        case "ZADD":
            score = one((b"1e300", b"-5", b"0.5", b"4503599627370496", b"1e19", b"inf", b"-inf", b"3471579339700058.5"))
            return [key, score if chance.random() < 0.3 else one(NUMBERS[:7]), member(chance)]
    return [key, member(chance)]
