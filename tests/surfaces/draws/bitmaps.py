"""Bitmaps, and fields of integers in strings. What both read is right: two mistakes in one call are few."""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS, VALUES

NAMES = "SETBIT SETBIT GETBIT BITCOUNT BITPOS BITPOS BITOP BITOP BITFIELD BITFIELD BITFIELD BITFIELD_RO GET SET".split()
COUNTED = SORTED = ()
OFFSETS = [b"0", b"1", b"7", b"8", b"13", b"100", b"8191", b"9001"]
WIDE = [b"0", b"1", b"-1", b"5", b"127", b"128", b"255", b"-128", b"-129", b"65536", b"4611686018427387904",
        b"9223372036854775807", b"-4611686018427387904"]  # fmt: skip
"""None below -2^62: with OVERFLOW SAT, Redis subtracts it from the greatest value, which overflows."""


def operation(chance: Random, gets: bool) -> list[bytes]:
    """Return one operation of BITFIELD, with an OVERFLOW before it now and then."""
    one = chance.choice
    kind = one((b"u", b"i")) + b"%d" % one((1, 2, 3, 5, 8, 13, 16, 31, 32, 33, 62, 63))
    at = one(OFFSETS) if chance.random() < 0.5 else b"#%d" % one((0, 1, 2, 3, 50))
    name = b"GET" if gets else one((b"GET", b"set", b"INCRBY", b"incrby"))
    words = [name, one((kind, kind, b"i64")), at]
    if name == b"GET":
        return words
    words.append(one(WIDE))
    return words if chance.random() < 0.5 else [b"OVERFLOW", one((b"WRAP", b"sat", b"FAIL", b"fail")), *words]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one, key = chance.choice, chance.choice(KEYS)
    places = [one(NUMBERS[:6]) for _ in range(2)]
    match name:
        case "SETBIT":
            return [key, one(OFFSETS), one((b"0", b"1"))]
        case "GETBIT":
            return [key, one([*OFFSETS, b"-1", b"x", b"4294967295", b"4294967296"])]
        case "BITCOUNT":
            return [key, *one(([], places, [*places, b"BIT"], [*places, b"byte"]))]
        case "BITPOS":
            return [key, one((b"0", b"1")), *one(([], places[:1], places, [*places, b"bit"], [*places, b"BYTE"]))]
        case "BITOP":
            operation_ = one((b"AND", b"or", b"XOR", b"NOT"))
            count = 1 if operation_ == b"NOT" and chance.random() < 0.8 else chance.randint(1, 5)
            return [operation_, key, *(one(KEYS) for _ in range(count))]
        case "BITFIELD" | "BITFIELD_RO":
            gets = name == "BITFIELD_RO" and chance.random() < 0.9
            return [key, *(word for _ in range(chance.randint(0, 4)) for word in operation(chance, gets))]
        case "SET":
            return [key, one(VALUES)]
    return [key]
