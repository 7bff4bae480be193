"""Places over REST and the command envelope: replies and refusals of the routes under /geospatial."""

from typing import Any

import pytest

from tests.surfaces.surfaces import Surfaces

PALERMO = {"lat": 38.115556, "lon": 13.361389, "member": "Palermo"}
CATANIA = {"lat": 37.502669, "lon": 15.087269, "member": "Catania"}
AT_PALERMO = {"lon": 13.361389338970184, "lat": 38.1155563954963}


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    surfaces = Surfaces()
    assert ask(surfaces, "POST", "g/geoadd", {"locations": [PALERMO, CATANIA]}) == {"key": "g", "added": 2}
    return surfaces


def ask(surfaces: Surfaces, method: str, path: str, body: Any = None) -> Any:
    """The reply of a route, which must be 200."""
    status, found, _ = surfaces.rest(method, f"/geospatial/{path}", body)
    assert status == 200, found
    return found


def refused(surfaces: Surfaces, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and text of a refusal."""
    status, found, _ = surfaces.rest(method, f"/geospatial/{path}", body)
    return status, found["error"]


def told(surfaces: Surfaces, name: str, payload: dict[str, Any]) -> Any:
    """The payload of the reply to an enveloped command."""
    found = surfaces.command(f"geospatial.{name}", payload)
    assert found["success"], found
    return found["payload"]


def result(member: str, **facts: Any) -> dict[str, Any]:
    return {"member": member, "distance": None, "hash": None, "coord": None} | facts


def test_adding(surfaces: Surfaces) -> None:
    moved = {"lat": 38, "lon": 13, "member": "Palermo"}
    assert ask(surfaces, "POST", "g/geoadd", {"locations": [moved], "nx": True})["added"] == 0
    assert ask(surfaces, "POST", "g/geoadd", {"locations": [moved], "xx": True, "ch": True})["added"] == 1
    assert told(surfaces, "geoadd", {"key": "g", "locations": [PALERMO], "ch": True}) == {"key": "g", "added": 1}
    status, text = refused(surfaces, "POST", "g/geoadd", {"locations": [{"lat": 91, "lon": 1, "member": "x"}]})
    assert (status, text) == (400, "Invalid value: invalid longitude,latitude pair 1.000000,91.000000")
    assert refused(surfaces, "POST", "g/geoadd", {"locations": [moved], "nx": True, "xx": True})[0] == 400
    assert refused(surfaces, "POST", "g/geoadd", {"locations": [{"lat": 1, "member": "x"}]})[0] == 422
    surfaces.resp("SET", "s", "v")
    assert refused(surfaces, "POST", "s/geoadd", {"locations": [PALERMO]})[0] == 409


def test_positions_and_hashes(surfaces: Surfaces) -> None:
    members = {"members": ["Palermo", "none"]}
    assert ask(surfaces, "POST", "g/geopos", members) == {"key": "g", "coordinates": [AT_PALERMO, None]}
    assert ask(surfaces, "POST", "g/geohash", members) == {"key": "g", "geohashes": ["sqc8b49rny0", None]}
    assert told(surfaces, "geopos", {"key": "none", **members}) == {"key": "none", "coordinates": [None, None]}


def test_distances(surfaces: Surfaces) -> None:
    assert ask(surfaces, "GET", "g/geodist/Palermo/Catania") == {"key": "g", "distance": 166274.1516, "unit": "m"}
    for unit, metres, short in (("km", 166.2742, "km"), ("Miles", 103.3182, "mi"), ("feet", 545518.8700, "ft")):
        found = ask(surfaces, "GET", f"g/geodist/Palermo/Catania?unit={unit}")
        assert found == {"key": "g", "distance": metres, "unit": short}
    assert ask(surfaces, "GET", "g/geodist/Palermo/none")["distance"] is None
    assert ask(surfaces, "GET", "none/geodist/a/b") == {"key": "none", "distance": None, "unit": "m"}
    found = told(surfaces, "geodist", {"key": "g", "member1": "Palermo", "member2": "Catania", "unit": "kilometers"})
    assert found == {"key": "g", "member1": "Palermo", "member2": "Catania", "distance": 166.2742, "unit": "km"}
    assert refused(surfaces, "GET", "g/geodist/Palermo/Catania?unit=light-years")[0] in (400, 422)


def test_searching(surfaces: Surfaces) -> None:
    query = {"from_lonlat": [15, 37], "by_radius": [200, "km"], "sort": "ASC"}
    found = ask(surfaces, "POST", "g/geosearch", query)
    assert found == {"key": "g", "results": [result("Catania"), result("Palermo")]}
    found = ask(surfaces, "POST", "g/geosearch", query | {"with_dist": True, "with_coord": True, "with_hash": True})
    wanted = result("Palermo", distance=190.4424, hash=3479099956230698, coord=AT_PALERMO)
    assert found["results"][1] == wanted
    box = {"from_member": "Palermo", "by_box": [400, 400, "km"], "count": 1, "with_dist": True}
    assert told(surfaces, "geosearch", {"key": "g", **box})["results"] == [result("Palermo", distance=0.0)]
    found = ask(surfaces, "POST", "g/geosearch", box | {"any": True, "sort": "desc"})
    assert found["results"][0]["member"] == "Palermo"
    assert ask(surfaces, "POST", "none/geosearch", box)["results"] == []


def test_circles(surfaces: Surfaces) -> None:
    path = "g/georadius?lat=37&lon=15&radius=200&unit=km"
    assert [each["member"] for each in ask(surfaces, "GET", f"{path}&sort=DESC")["results"]] == ["Palermo", "Catania"]
    found = ask(surfaces, "GET", f"{path}&count=1&withdist=true&withcoord=true")["results"]
    assert (found[0]["member"], found[0]["distance"]) == ("Catania", 56.4413)
    around = ask(surfaces, "GET", "g/georadiusbymember/Palermo?radius=100000")
    assert around == {"key": "g", "results": [result("Palermo")]}
    circle = {"key": "g", "lat": 37, "lon": 15, "radius": 100, "unit": "km"}
    assert told(surfaces, "georadius", circle)["results"] == [result("Catania")]
    circle = {"key": "g", "member": "Catania", "radius": 103.4, "unit": "mi"}
    assert len(told(surfaces, "georadiusbymember", circle)["results"]) == 2


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"by_radius": [1, "km"]}, 400, "exactly one of from_member and from_lonlat"),
        ({"from_member": "Palermo", "from_lonlat": [1, 1], "by_radius": [1, "km"]}, 400, "exactly one of from_member"),
        ({"from_member": "Palermo"}, 400, "exactly one of by_radius and by_box"),
        ({"from_member": "Palermo", "by_radius": [1, "km"], "by_box": [1, 1, "km"]}, 400, "exactly one of by_radius"),
        ({"from_member": "none", "by_radius": [1, "km"]}, 404, "Not found"),
        ({"from_member": "Palermo", "by_radius": [-1, "km"]}, 400, "must not be negative"),
        ({"from_member": "Palermo", "by_box": [1, -1, "km"]}, 400, "must not be negative"),
        ({"from_lonlat": [181, 0], "by_radius": [1, "km"]}, 400, "pair 181.000000,0.000000"),
        ({"from_lonlat": [1, 2, 3], "by_radius": [1, "km"]}, 422, "an array of lon and lat"),
        ({"from_lonlat": "1,2", "by_radius": [1, "km"]}, 422, "an array of lon and lat"),
        ({"from_member": "Palermo", "by_radius": ["x", "km"]}, 422, "'radius'"),
        ({"from_member": "Palermo", "by_radius": [1, "parsec"]}, 422, "'unit'"),
        ({"from_member": "Palermo", "by_radius": [1, "km"], "any": True}, 400, "any requires a count"),
        ({"from_member": "Palermo", "by_radius": [1, "km"], "count": 0}, 422, "'count'"),
        ({"from_member": "Palermo", "by_radius": [1, "km"], "sort": "up"}, 422, "'sort'"),
    ],
)
def test_wrong_searches(surfaces: Surfaces, query: dict[str, Any], status: int, text: str) -> None:
    found = refused(surfaces, "POST", "g/geosearch", query)
    assert found[0] == status and text in found[1], found


def test_in_process(surfaces: Surfaces) -> None:
    db = surfaces.database
    assert db.geoadd("g", [(13.361389, 38.115556, "Palermo"), (15.087269, 37.502669, b"Catania")]) == 2
    assert db.geopos("g", "Palermo", "none") == [[13.361389338970184, 38.1155563954963], None]
    assert db.geodist("g", "Palermo", "Catania", "KM") == 166.2742 and db.geodist("g", "Palermo", "none") is None
    assert db.geohash("g", "Palermo") == [b"sqc8b49rny0"]
    found = db.geosearch("g", "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km", "ASC", "WITHDIST")
    assert found == [[b"Catania", 56.4413], [b"Palermo", 190.4424]]
    assert db.geosearchstore("near", "g", "FROMMEMBER", "Palermo", "BYBOX", 10, 10, "km", "STOREDIST") == 1
    assert db.zscore("near", "Palermo") == 0
    assert db.georadius("g", 15, 37.0, "200", "km", "STORE", "all") == 2
    assert db.georadiusbymember_ro("g", "Palermo", 1, "m") == [b"Palermo"]
