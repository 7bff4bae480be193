"""Geohashes: against the naive twin, against known places, and what the walk through a cell relies on."""

import math
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.kernels import geohash
from synap.kernels.geohash import EARTH_RADIUS, LATITUDE_MAX, STEP_MAX
from tests.naive import geohash as naive

PALERMO, CATANIA = (13.361389, 38.115556), (15.087269, 37.502669)


@kernel("int64(float64, float64, int64)")
def encode(longitude, latitude, step):
    return geohash.encode(longitude, latitude, step)


@kernel("void(int64, float64[::1])")
def decode(found, place):
    place[0], place[1] = geohash.decode(found)


@kernel("float64(float64, float64, float64, float64)")
def distance(longitude, latitude, x, y):
    return geohash.distance(longitude, latitude, x, y)


@kernel("void(uint8[::1], int64, int64)")
def put_text(octets, target, found):
    geohash.put_text(octets, target, found)


@kernel("void(float64, float64, float64, float64, float64, int64[::1])")
def cells_around(longitude, latitude, width, height, radius, found):
    step, middle, counting = geohash.cells_around(longitude, latitude, width, height, radius)
    found[0], found[1] = step, counting
    for i in range(geohash.CELLS):
        found[2 + i] = geohash.cell_around(step, middle, i)


@kernel("void(float64, float64, float64, float64, boolean, float64[::1])")
def box_of(longitude, latitude, width, height, is_circle, found):
    found[0], found[1], found[2], found[3] = geohash.box_of(longitude, latitude, width, height, is_circle)


@kernel("void(int64, int64, float64[::1], int64[::1])")
def common_part(step, bits, box, found):
    found[0], found[1] = geohash.common_part(step, bits, box[0], box[1], box[2], box[3])


@kernel("int64(float64, float64, float64, float64, float64, float64)")
def in_box(width, height, longitude, latitude, x, y):
    return geohash.in_box(width, height, longitude, latitude, x, y)


@kernel("int64(int64, int64, int64)")
def is_between(found, lowest, highest):
    return geohash.is_between(found, lowest, highest)


@kernel("int64(int64, int64, int64)")
def next_between(found, lowest, highest):
    return geohash.next_between(found, lowest, highest)


@kernel("int64(int64, int64)")
def interleave(x, y):
    return geohash.interleave(x, y)


@kernel("int64(int64)")
def gather(number):
    return geohash.gather(number)


@kernel("void(float64[::1], float64[::1], int64[::1])")
def encode_all(longitudes, latitudes, hashes):
    geohash.encode_all(longitudes, latitudes, hashes)


@kernel("void(int64[::1], float64[::1], float64[::1])")
def decode_all(hashes, longitudes, latitudes):
    geohash.decode_all(hashes, longitudes, latitudes)


@kernel("void(float64, float64, float64[::1], float64[::1], float64[::1])")
def distances(longitude, latitude, longitudes, latitudes, metres):
    geohash.distances(longitude, latitude, longitudes, latitudes, metres)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def place(chance: Random) -> tuple[float, float]:
    """A place: anywhere, near Sicily, or on an edge."""
    return chance.choice((
        (chance.uniform(-180, 180), chance.uniform(-85, 85)), (chance.gauss(14, 1), chance.gauss(38, 1)),
        (chance.choice((-180.0, 180.0, 0.0, 179.9999)), chance.choice((-LATITUDE_MAX, 0.0, LATITUDE_MAX, 66.0, 84.9))),
    ))  # fmt: skip


def decoded(found: int) -> tuple[float, float]:
    target = np.zeros(2)
    decode(found, target)
    return float(target[0]), float(target[1])


def test_hashes_are_those_of_the_twin() -> None:
    chance = Random(1)
    for _ in range(5000):
        there = place(chance)
        found = encode(*there, STEP_MAX)
        assert found == naive.encode(there)
        assert decoded(found) == naive.decode(found)
        for near, wanted, cell in zip(decoded(found), there, (360 / 2**26, 2 * LATITUDE_MAX / 2**26), strict=True):
            assert abs(near - wanted) <= cell


def test_any_integer_has_a_place() -> None:
    chance = Random(2)
    for _ in range(2000):
        found = chance.choice((chance.randrange(-(2**63), 2**63), -1, 0, 2**63 - 1, -(2**63)))
        assert decoded(found) == naive.decode(found)


def test_interleaving() -> None:
    chance = Random(3)
    for _ in range(2000):
        x, y = chance.randrange(1 << 28), chance.randrange(1 << 28)
        found = interleave(x, y)
        assert found == naive.joined(x, y)
        assert (gather(found >> 1), gather(found)) == (x, y)


def test_known_places() -> None:
    assert encode(*PALERMO, STEP_MAX) == 3479099956230698
    octets = np.zeros(20, np.uint8)
    put_text(octets, 3, encode(*PALERMO, STEP_MAX))
    assert bytes(octets[3:14]) == b"sqc8b49rny0"
    assert round(distance(*PALERMO, *CATANIA)) == 166274
    assert math.isclose(distance(0, 0, 180, 0), math.pi * EARTH_RADIUS)
    assert math.isclose(distance(0, -45, 0, 45), math.pi / 2 * EARTH_RADIUS)
    assert distance(*PALERMO, *PALERMO) == 0


def test_distances_are_those_of_the_twin() -> None:
    chance = Random(4)
    for _ in range(3000):
        one, other = place(chance), place(chance)
        found = distance(*one, *other)
        assert found == naive.distance(one, other) or math.isnan(found)


def sizes(chance: Random) -> tuple[float, float]:
    """Half of a width and of a height in metres."""
    return 10 ** chance.uniform(-2, 7.5), 10 ** chance.uniform(-2, 7.5)


def test_cells_are_those_of_the_twin() -> None:
    chance, found = Random(5), np.zeros(11, np.int64)
    for _ in range(5000):
        center, (width, height) = place(chance), sizes(chance)
        reach = math.hypot(width, height)
        cells_around(*center, width, height, reach, found)
        step, cells = naive.cells(center, width, height, reach)
        kept: list[int] = []
        for i in range(9):
            if found[1] >> i & 1 and (len(kept) < 2 or kept[-1] != found[2 + i]):
                kept.append(int(found[2 + i]))
        assert (step, [naive.joined(*cell) for cell in cells]) == (found[0], kept), (center, width, height)


def test_the_box_of_degrees_has_all_places_of_a_circle_or_box() -> None:
    chance, box, cells, part = Random(6), np.zeros(4), np.zeros(11, np.int64), np.zeros(2, np.int64)
    inside = 0
    for _ in range(20_000):
        center, is_circle = place(chance), chance.random() < 0.5
        width, height = sizes(chance)
        height = width if is_circle else height
        turn, far = chance.uniform(0, 2 * math.pi), chance.random() ** 0.3
        y = center[1] + math.degrees(height / EARTH_RADIUS) * math.sin(turn) * far * 1.05
        x = center[0] + math.degrees(width / EARTH_RADIUS) * math.cos(turn) * far * 1.2 / max(
            math.cos(math.radians(y)), 0.01
        )
        if abs(y) > LATITUDE_MAX:
            continue
        hashed = encode((x + 180) % 360 - 180, y, STEP_MAX)
        there = decoded(hashed)
        if is_circle and distance(*center, *there) > width:
            continue
        if not is_circle and not in_box(2 * width, 2 * height, *center, *there):
            continue
        box_of(*center, width, height, is_circle, box)
        cells_around(*center, width, height, width if is_circle else math.hypot(width, height), cells)
        for i in range(9):
            cell, shift = int(cells[2 + i]), 2 * (STEP_MAX - int(cells[0]))
            if hashed >> shift == cell:
                inside += 1
                common_part(cells[0], cell, box, part)
                assert part[0] <= part[1], (center, width, height, there)
                assert is_between(hashed, *part), (center, width, height, there)
    assert inside > 3000


def test_the_next_hash_in_a_box() -> None:
    chance = Random(7)
    for _ in range(300):
        xs, ys = sorted(chance.choices(range(16), k=2)), sorted(chance.choices(range(16), k=2))
        lowest, highest = interleave(xs[0], ys[0]), interleave(xs[1], ys[1])
        wanted = {interleave(x, y) for x in range(xs[0], xs[1] + 1) for y in range(ys[0], ys[1] + 1)}
        for found in range(lowest, highest + 1):
            assert is_between(found, lowest, highest) == (found in wanted)
            if found not in wanted:
                assert next_between(found, lowest, highest) == min(each for each in wanted if each > found)


def test_arrays() -> None:
    chance = Random(8)
    places = [place(chance) for _ in range(100)]
    x, y = (np.array(column) for column in zip(*places, strict=True))
    hashes, metres = np.zeros(100, np.int64), np.zeros(100)
    encode_all(x, y, hashes)
    assert hashes.tolist() == [naive.encode(each) for each in places]
    distances(*PALERMO, x, y, metres)
    assert metres.tolist() == [naive.distance(PALERMO, each) for each in places]
    decode_all(hashes, x, y)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == [naive.decode(int(each)) for each in hashes]
    encode_all(np.array([0.0, 181.0, math.nan]), np.array([86.0, 0.0, 0.0]), hashes[:3])
    assert hashes[:3].tolist() == [-1, -1, -1]
