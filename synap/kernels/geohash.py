"""Geohashes: places on the earth as integers of 52 bits, distances between places, and the cells around a place.

A *hash* interleaves two numbers of 26 bits: that of the longitude has the odd bits, that of the latitude the even ones.
Hashes that share their first bits lie in one *cell*, a rectangle of degrees; a cell of `step` bits a side is given by
the first 2 * step bits of its hashes, and holds those from `bits << shift` on, `shift = 52 - 2 * step`. Redis stores
places as such hashes, as scores of a sorted set, and these functions agree with its results to the last bit.

    longitude    float64, degrees, -180 to 180
    latitude     float64, degrees, -85.05112878 to 85.05112878 (the range of Web Mercator, EPSG:3857)
    distance     float64, metres, by the haversine formula on a sphere with a radius of EARTH_RADIUS
    hash         int64, 0 to 2**52 (a little more on the edges at 180 and 85.05112878 degrees)

Places outside of these ranges are no mistake that a function finds: `is_place` tells. The functions on arrays write
`len(hashes)` results and check no lengths, except in code compiled with bounds checks.

Source of the formulas: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984); the circle's box of
degrees: J. P. Snyder, "Map Projections" (1987), page 30; the next hash inside a box: H. Tropf and H. Herzog,
"Multidimensional Range Search in Dynamically Balanced Trees" (1981).
"""

import math

import numpy as np

from synap.compiler.jit import kernel, outlined

LONGITUDE_MAX = 180.0
LATITUDE_MAX = 85.05112878
EARTH_RADIUS = 6372797.560856
"""In metres, as in Redis."""
STEP_MAX = 26
HASH_BITS = 2 * STEP_MAX
TEXT_SIZE = 11
"""Characters of a geohash as text; the last one is always 0, as 52 bits make ten characters."""

_HALF_EQUATOR = 20037726.37  # metres, as in Redis
_DEGREE = math.pi / 180.0
_LATITUDES = 0x0555555555555555  # the even bits; 60 of them: some hashes have more than 52 bits
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"
_WIDEST = 0.5  # radians: a wider circle or box is not bounded
_SLACK = 1e-7  # degrees, 1 cm: more than what distances are rounded by, less than a cell of 26 bits
_EVERY = (1 << 28) - 1  # above all numbers of latitudes and longitudes
_CELL_ORDER_X = (0, 0, 0, 1, -1, 1, -1, 1, -1)
_CELL_ORDER_Y = (0, 1, -1, 0, 0, 1, 1, -1, -1)
CELLS = 9
"""The cells of `cell_around`: the middle, north, south, east, west, north-east, north-west, south-east, south-west."""


@kernel
def is_place(longitude, latitude):
    """Return True if a longitude and a latitude are in the ranges that a hash can have."""
    return (
        longitude >= -LONGITUDE_MAX and longitude <= LONGITUDE_MAX
        and latitude >= -LATITUDE_MAX and latitude <= LATITUDE_MAX
    )  # fmt: skip


@kernel
def spread(number):
    """Return the low 32 bits of a number with a 0 in front of each: its bits become the even bits."""
    number &= 0xFFFFFFFF
    number = (number | number << 16) & 0x0000FFFF0000FFFF
    number = (number | number << 8) & 0x00FF00FF00FF00FF
    number = (number | number << 4) & 0x0F0F0F0F0F0F0F0F
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & 0x5555555555555555


@kernel
def gather(number):
    """Return the number of 32 bits that the even bits of a number make: the opposite of `spread`."""
    number &= 0x5555555555555555
    number = (number | number >> 1) & 0x3333333333333333
    number = (number | number >> 2) & 0x0F0F0F0F0F0F0F0F
    number = (number | number >> 4) & 0x00FF00FF00FF00FF
    number = (number | number >> 8) & 0x0000FFFF0000FFFF
    return (number | number >> 16) & 0x00000000FFFFFFFF


@kernel
def interleave(x, y):
    """Return the hash of the number `x` of a longitude and `y` of a latitude."""
    return spread(x) << 1 | spread(y)


@kernel
def number_of(degrees, most, step):
    """Return the number, of `step` bits, of a longitude or a latitude that ranges from -most to most."""
    return np.int64((degrees - -most) / (most - -most) * np.float64(np.int64(1) << step))


@kernel
def encode(longitude, latitude, step):
    """Return the first 2 * step bits of a place's hash; all of them with STEP_MAX."""
    return interleave(number_of(longitude, LONGITUDE_MAX, step), number_of(latitude, LATITUDE_MAX, step))


@kernel
def edge(number, most, step):
    """Return the degrees at which the cells with this number, of `step` bits, begin."""
    return -most + number * 1.0 / np.float64(np.int64(1) << step) * (most - -most)


@kernel
def middle(number, most):
    """Return the degrees in the middle of the cells with a number of 26 bits, at most `most` and at least -most."""
    low = edge(number, most, STEP_MAX)
    high = edge((number + 1) & 0xFFFFFFFF, most, STEP_MAX)
    return max(min((low + high) / 2.0, most), -most)


@kernel
def decode(found):
    """Return (longitude, latitude) of the middle of a hash's cell. All 64 bits count, so any integer has a place."""
    return middle(gather(found >> 1), LONGITUDE_MAX), middle(gather(found), LATITUDE_MAX)


@kernel
def distance(longitude, latitude, other_longitude, other_latitude):
    """Return the metres between two places; NaN for some that lie exactly on opposite sides of the earth."""
    one, other = latitude * _DEGREE, other_latitude * _DEGREE
    u = math.sin((other - one) / 2.0)
    v = math.sin((other_longitude * _DEGREE - longitude * _DEGREE) / 2.0)
    return 2.0 * EARTH_RADIUS * math.asin(math.sqrt(u * u + math.cos(one) * math.cos(other) * v * v))


@kernel
def in_box(width, height, longitude, latitude, other_longitude, other_latitude):
    """Return True if a place lies in the box of `width` and `height` metres around another one.

    The width is measured along the circle of latitude of the place.
    """
    across = distance(other_longitude, other_latitude, longitude, other_latitude)
    along = distance(other_longitude, other_latitude, other_longitude, latitude)
    return not (across > width / 2.0 or along > height / 2.0)


@kernel
def steps_for(radius, latitude):
    """Return the bits a side of cells of which nine cover most circles of `radius` metres at this latitude."""
    if radius == 0.0:
        return STEP_MAX
    step = 1
    while radius < _HALF_EQUATOR:
        radius *= 2.0
        step += 1
    step -= 2
    if latitude > 66.0 or latitude < -66.0:
        step -= 1
        if latitude > 80.0 or latitude < -80.0:
            step -= 1
    return min(max(step, 1), STEP_MAX)


@kernel
def moved(bits, step, east, north):
    """Return the cell that lies `east` and `north` (-1, 0 or 1) of a cell, around the earth's edges."""
    y_bits = _LATITUDES & ((np.int64(1) << (2 * step)) - 1)
    x_bits = y_bits << 1
    x = bits & (_LATITUDES << 1)
    y = bits & _LATITUDES
    if east > 0:
        x = (x + y_bits + 1) & x_bits
    elif east < 0:
        x = ((x | y_bits) - (y_bits + 1)) & x_bits
    if north > 0:
        y = (y + x_bits + 1) & y_bits
    elif north < 0:
        y = ((y | x_bits) - (x_bits + 1)) & y_bits
    return x | y


@kernel
def bounds(longitude, latitude, width, height):
    """Return (west, south, east, north), the degrees that Redis takes for those of a circle or box.

    `width` and `height` are metres from the middle to the sides. These bounds are not exact: a circle reaches further
    east and west at the latitude where it is widest.
    """
    tall = height / EARTH_RADIUS / _DEGREE
    nearest = latitude - tall if latitude < 0.0 else latitude + tall
    wide = width / EARTH_RADIUS / math.cos(nearest * _DEGREE) / _DEGREE
    return longitude - wide, latitude - tall, longitude + wide, latitude + tall


@outlined
def cells_around(longitude, latitude, width, height, radius):
    """Return (step, bits of the middle cell, which of the nine cells count) for a search around a place.

    `width` and `height` are metres from the middle to the sides of a circle or box, and `radius` to its furthest point.
    Bit i is set if the cell number i, in the order of CELLS, counts. Places of the circle or box outside of these cells
    are not found, as in Redis: some near the poles.
    """
    west, south, east, north = bounds(longitude, latitude, width, height)
    step = steps_for(radius, latitude)
    bits = encode(longitude, latitude, step)
    above = edge(gather(moved(bits, step, 0, 1)) + 1, LATITUDE_MAX, step)
    below = edge(gather(moved(bits, step, 0, -1)), LATITUDE_MAX, step)
    right = edge(gather(moved(bits, step, 1, 0) >> 1) + 1, LONGITUDE_MAX, step)
    left = edge(gather(moved(bits, step, -1, 0) >> 1), LONGITUDE_MAX, step)
    if step > 1 and (above < north or below > south or right < east or left > west):
        step -= 1
        bits = encode(longitude, latitude, step)
    counting = np.int64(0)
    x, y = gather(bits >> 1), gather(bits)
    no_south = step >= 2 and edge(y, LATITUDE_MAX, step) < south
    no_north = step >= 2 and edge(y + 1, LATITUDE_MAX, step) > north
    no_west = step >= 2 and edge(x, LONGITUDE_MAX, step) < west
    no_east = step >= 2 and edge(x + 1, LONGITUDE_MAX, step) > east
    for i in range(CELLS):
        dx, dy = _CELL_ORDER_X[i], _CELL_ORDER_Y[i]
        if (dy < 0 and no_south) or (dy > 0 and no_north) or (dx < 0 and no_west) or (dx > 0 and no_east):
            continue
        counting |= np.int64(1) << i
    return step, bits, counting


@kernel
def cell_around(step, bits, i):
    """Return the bits of the cell number `i`, in the order of CELLS, around a middle cell."""
    return moved(bits, step, _CELL_ORDER_X[i], _CELL_ORDER_Y[i])


@outlined
def box_of(longitude, latitude, width, height, is_circle):
    """Return (west, south, east, north): degrees between which all places of a circle or box lie.

    `width` and `height` are metres from the middle to the sides. `west` may be below -180, or `east` above 180: the box
    crosses that line then. A circle or box that is too large to be bounded gets a box of all places.
    """
    tall, wide = height / EARTH_RADIUS, width / EARTH_RADIUS
    south, north = -100.0, 100.0
    west, east = -400.0, 400.0
    if not (tall <= _WIDEST and wide <= _WIDEST):  # or NaN
        return west, south, east, north
    south = latitude - tall / _DEGREE - _SLACK
    north = latitude + tall / _DEGREE + _SLACK
    sine = 2.0
    if is_circle:
        if max(abs(south), abs(north)) < 90.0:
            sine = math.sin(wide) / math.cos(latitude * _DEGREE)
    else:
        furthest = min(max(abs(south), abs(north)), LATITUDE_MAX + _SLACK)  # no place lies nearer to a pole
        sine = math.sin(wide / 2.0) / math.cos(furthest * _DEGREE)
    if sine < 1.0:
        across = math.asin(sine) / _DEGREE * (1.0 if is_circle else 2.0) * (1.0 + 1e-9) + _SLACK
        west, east = longitude - across, longitude + across
    return west, south, east, north


@kernel
def numbers_between(low, high, most):
    """Return (first, last): the numbers of 26 bits of all places between two degrees; from -most or to most, all."""
    first = np.int64(0)
    last = np.int64(_EVERY)
    if low > -most:
        first = number_of(min(low, most), most, STEP_MAX) - 1
    if high < most:
        last = number_of(max(high, -most), most, STEP_MAX) + 1
    return max(first, np.int64(0)), last


@kernel
def common_part(step, bits, west, south, east, north):
    """Return (lowest, highest hash) of a box of degrees as far as it lies in a cell; the lowest is above the highest if
    none does.

    Every hash of the cell that lies in the box is between the two, in both of its numbers.
    """
    shift = STEP_MAX - step
    x, y = gather(bits >> 1), gather(bits)
    y_low, y_high = numbers_between(south, north, LATITUDE_MAX)
    x_low, x_high = numbers_between(west, east, LONGITUDE_MAX)
    left, right = x << shift, ((x + 1) << shift) - 1
    if west < -LONGITUDE_MAX and x_high < left:  # only the part behind the line lies in the cell
        x_low, x_high = numbers_between(west + 360.0, east + 360.0, LONGITUDE_MAX)
    elif east > LONGITUDE_MAX and x_low > right:
        x_low, x_high = numbers_between(west - 360.0, east - 360.0, LONGITUDE_MAX)
    elif west < -LONGITUDE_MAX or east > LONGITUDE_MAX:  # both parts may
        x_low, x_high = left, right
    x_low, x_high = max(x_low, left), min(x_high, right)
    y_low, y_high = max(y_low, y << shift), min(y_high, ((y + 1) << shift) - 1)
    if x_low > x_high or y_low > y_high:
        return np.int64(1), np.int64(0)
    return interleave(x_low, y_low), interleave(x_high, y_high)


@kernel
def is_between(found, lowest, highest):
    """Return True if both numbers of a hash lie between those of two others: it lies in the box of these corners."""
    x, y = found & (_LATITUDES << 1), found & _LATITUDES
    return (
        x >= lowest & (_LATITUDES << 1) and x <= highest & (_LATITUDES << 1)
        and y >= lowest & _LATITUDES and y <= highest & _LATITUDES
    )  # fmt: skip


@kernel
def next_between(found, lowest, highest):
    """Return the least hash above `found` in the box of these corners; `found` lies between them, and not in the box.

    One bit after the other, from the highest on: where the box is cut in halves, the search goes on in one of them.
    """
    best = highest
    bit = np.int64(1) << 59
    while bit > 0:
        below = _LATITUDES if bit & _LATITUDES else _LATITUDES << 1  # the bits of the same number
        below &= bit - 1
        if not found & bit:
            if not lowest & bit and highest & bit:
                best = (lowest & ~(bit | below)) | bit  # the lowest hash of the upper half
                highest = (highest & ~bit) | below
            elif lowest & bit:
                return lowest
        elif not highest & bit:
            return best
        elif not lowest & bit:
            lowest = (lowest & ~below) | bit
        bit >>= 1
    return found


@kernel
def put_text(octets, target, found):
    """Write the public geohash of a hash's place, TEXT_SIZE characters, at octet `target`.

    There latitudes range from -90 to 90, so the bits are others than those of the hash.
    """
    longitude, latitude = decode(found)
    bits = interleave(number_of(longitude, LONGITUDE_MAX, STEP_MAX), number_of(latitude, 90.0, STEP_MAX))
    for i in range(TEXT_SIZE - 1):
        octets[target + i] = _ALPHABET[(bits >> (HASH_BITS - 5 * (i + 1))) & 0x1F]
    octets[target + TEXT_SIZE - 1] = _ALPHABET[0]


@kernel
def encode_all(longitudes, latitudes, hashes):
    """Write the hash of each place of two arrays of float64 into an array of int64; -1 for what is no place."""
    for i in range(len(hashes)):
        hashes[i] = -1
        if is_place(longitudes[i], latitudes[i]):
            hashes[i] = encode(longitudes[i], latitudes[i], STEP_MAX)


@kernel
def decode_all(hashes, longitudes, latitudes):
    """Write the place of each hash of an array of int64 into two arrays of float64."""
    for i in range(len(hashes)):
        longitudes[i], latitudes[i] = decode(hashes[i])


@kernel
def distances(longitude, latitude, longitudes, latitudes, metres):
    """Write the distance from a place to each place of two arrays into an array of float64."""
    for i in range(len(metres)):
        metres[i] = distance(longitude, latitude, longitudes[i], latitudes[i])
