"""The naive twin of geohashes: bits of a hash as texts, cells as pairs of numbers, all members of a set looked at."""

import math

LONGITUDE, LATITUDE = 180.0, 85.05112878
RADIUS = 6372797.560856
ORDER = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]
"""The nine cells of a search, as steps to the east and to the north."""
ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
RADIAN = math.pi / 180.0
Place = tuple[float, float]


def number(degrees: float, most: float, step: int) -> int:
    return int((degrees + most) / (2 * most) * 2**step)


def joined(x: int, y: int, width: int = 32) -> int:
    """Interleave two numbers, the bits of `x` first."""
    return int("".join(a + b for a, b in zip(f"{x:0{width}b}", f"{y:0{width}b}", strict=True)), 2)


def parted(found: int) -> tuple[int, int]:
    """The numbers of longitude and latitude in 64 bits."""
    text = f"{found % 2**64:064b}"
    return int(text[::2], 2), int(text[1::2], 2)


def encode(place: Place) -> int:
    return joined(number(place[0], LONGITUDE, 26), number(place[1], LATITUDE, 26))


def edge(index: int, most: float, step: int = 26) -> float:
    return -most + index / 2**step * (2 * most)


def decode(found: int) -> Place:
    middles = []
    for index, most in zip(parted(found), (LONGITUDE, LATITUDE), strict=True):
        low, high = edge(index, most), edge((index + 1) % 2**32, most)
        middles.append(min(max((low + high) / 2, -most), most))
    return middles[0], middles[1]


def text(found: int) -> bytes:
    place = decode(found)
    bits = f"{joined(number(place[0], 180.0, 26), number(place[1], 90.0, 26)):064b}"[-52:]  # more at 180 degrees
    return ("".join(ALPHABET[int(bits[i : i + 5], 2)] for i in range(0, 50, 5)) + "0").encode()


def distance(one: Place, other: Place) -> float:
    (a, b), (c, d) = ((x * RADIAN, y * RADIAN) for x, y in (one, other))
    u, v = math.sin((d - b) / 2), math.sin((c - a) / 2)
    square = u * u + math.cos(b) * math.cos(d) * v * v
    return 2.0 * RADIUS * math.asin(math.sqrt(square)) if square <= 1 else math.nan


def cells(center: Place, width: float, height: float, reach: float) -> tuple[int, list[tuple[int, int]]]:
    """(step, cells as numbers of longitude and latitude) that a search looks at; see the kernel for the rules."""
    longitude, latitude = center
    tall = height / RADIUS / RADIAN
    wide = width / RADIUS / math.cos((latitude - tall if latitude < 0 else latitude + tall) * RADIAN) / RADIAN
    west, east, south, north = longitude - wide, longitude + wide, latitude - tall, latitude + tall
    step = 26
    if reach:
        doublings = 0
        while reach < 20037726.37:
            reach, doublings = reach * 2, doublings + 1
        step = doublings - 1 - (abs(latitude) > 66) - (abs(latitude) > 80)
        step = min(max(step, 1), 26)

    def around(step: int) -> dict[tuple[int, int], tuple[int, int]]:
        x, y = number(longitude, LONGITUDE, step), number(latitude, LATITUDE, step)
        side = 2**step
        return {(dx, dy): ((x + dx) % side if dx else x, (y + dy) % side if dy else y) for dx, dy in ORDER}

    found = around(step)
    if step > 1 and (
        edge(found[0, 1][1] + 1, LATITUDE, step) < north or edge(found[0, -1][1], LATITUDE, step) > south
        or edge(found[1, 0][0] + 1, LONGITUDE, step) < east or edge(found[-1, 0][0], LONGITUDE, step) > west
    ):  # fmt: skip
        step -= 1
        found = around(step)
    x, y = found[0, 0]
    if step >= 2:
        useless = {
            (0, -1): edge(y, LATITUDE, step) < south, (0, 1): edge(y + 1, LATITUDE, step) > north,
            (-1, 0): edge(x, LONGITUDE, step) < west, (1, 0): edge(x + 1, LONGITUDE, step) > east,
        }  # fmt: skip
        for (dx, dy), no in useless.items():
            for at in list(found) if no else ():
                if (dx and at[0] == dx) or (dy and at[1] == dy):
                    del found[at]
    kept: list[tuple[int, int]] = []
    for at in ORDER:
        if at in found and (len(kept) < 2 or found[at] != kept[-1]):
            kept.append(found[at])
    return step, kept


def scores(cell: tuple[int, int], step: int) -> tuple[int, int]:
    """(least score of a cell, the one behind its highest)."""
    first = joined(*cell)
    return first << 52 - 2 * step, first + 1 << 52 - 2 * step
