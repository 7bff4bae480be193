"""Searches for places beside the naive twin, which looks at every member: trees of many leaves, rows of JSON."""

from random import Random

import pytest

from tests.store.differential import Differential
from tests.support import Bench

MEMBERS = 1500
NEAR = (14.0, 38.0)


def place(chance: Random) -> tuple[bytes, bytes]:
    """A place: half of them anywhere, the others near one."""
    if chance.random() < 0.5:
        return b"%.5f" % chance.uniform(-180, 180), b"%.5f" % chance.uniform(-85, 85)
    return b"%.5f" % chance.gauss(NEAR[0], 0.5), b"%.5f" % chance.gauss(NEAR[1], 0.5)


@pytest.fixture
def ways(store: type[Bench]) -> Differential:
    ways, chance = Differential(store), Random(1)
    for first in range(0, MEMBERS, 100):
        words = [word for i in range(first, first + 100) for word in (*place(chance), b"m%d" % i)]
        ways.batch([[b"GEOADD", b"g", *words]])
    return ways


def test_large_sets(ways: Differential) -> None:
    chance, found = Random(2), 0
    for _ in range(60):
        size = b"%.3f" % 10 ** chance.uniform(-1, 4.2)
        box = [b"BYBOX", size, b"%.3f" % 10 ** chance.uniform(0, 4), b"km"]
        shape = chance.choice(([b"BYRADIUS", size, b"km"], box))
        more = chance.choice(([], [b"ASC"], [b"DESC", b"WITHDIST"], [b"COUNT", b"20"], [b"COUNT", b"9", b"ANY"]))
        (told,) = ways.batch([[b"GEOSEARCH", b"g", b"FROMLONLAT", *place(chance), *shape, *more]])
        found += len(told)
    assert found > 2000


def test_near_the_edges(ways: Differential) -> None:
    chance = Random(3)
    for _ in range(40):
        center = chance.choice((b"180", b"-180", b"179.9", b"-179.8")), b"%.4f" % chance.uniform(-85, 85)
        ways.batch([[b"GEORADIUS", b"g", *center, b"%d" % chance.choice((10, 300, 2000, 3100, 6000)), b"km"]])


def test_rows_of_json(ways: Differential) -> None:
    chance, one = Random(4), Random(5).choice
    refused = 0
    for _ in range(150):
        options = [
            one(([b"FROM_MEMBER", b"m%d" % chance.randrange(MEMBERS + 50)], [b"FROM_LONLAT", *place(chance)], [])),
            one(([b"BY_RADIUS", b"%d" % chance.randrange(-9, 300)], [b"BY_BOX", b"90", b"70.5"], [])),
            one(([], [b"UNIT", b"KM"], [b"UNIT", b"MILES"])), one(([], [b"WITH_DIST"])), one(([], [b"WITH_COORD"])),
            one(([], [b"WITH_HASH"])), one(([], [b"COUNT", b"7"], [b"COUNT", b"0"])), one(([], [], [b"ANY"])),
            one(([], [b"SORT", b"DESC"], [b"SORT", b"ASC"])),
        ]  # fmt: skip
        key = b"g" if chance.random() < 0.9 else b"none"
        told = ways.internal("geospatial.geosearch", [key, *(word for option in options for word in option)])
        refused += not isinstance(told, list)
        names = [b"m%d" % chance.randrange(MEMBERS + 200) for _ in range(2)]
        ways.internal("geospatial.geodist", [key, *names, *one(([], [b"UNIT", b"FEET"], [b"UNIT", b"M"]))])
    assert 20 < refused < 130
