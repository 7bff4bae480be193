"""Hashes. Few fields, so that calls meet; HRANDFIELD only where one field or none is there to draw."""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS, REALS, VALUES

NAMES = (
    "HSET HSET HSET HSETNX HMSET HGET HGET HMGET HGETALL HDEL HDEL HEXISTS HLEN HKEYS HVALS HSTRLEN HINCRBY "
    "HINCRBYFLOAT HRANDFIELD"
).split()
COUNTED = ()
SORTED = ("HKEYS", "HVALS")
DRAWN = ("HRANDFIELD",)
FIELDS = [b"f", b"g", b"n", b"r", b"", b"a field of more than 64 bytes, which a listpack of Redis does not take"]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    key = chance.choice([*KEYS, b"h", b"h", b"h", b"i"])
    field, value = chance.choice(FIELDS), chance.choice([*VALUES[:8], *NUMBERS])
    match name:
        case "HSET" | "HMSET":
            several = range(chance.choice((1, 1, 2, 5)))
            return [key, *(word for _ in several for word in (chance.choice(FIELDS), chance.choice(VALUES[:8])))]
        case "HSETNX":
            return [key, field, value]
        case "HMGET" | "HDEL":
            return [key, *(chance.choice(FIELDS) for _ in range(chance.randint(1, 3)))]
        case "HINCRBY":
            return [key, chance.choice((b"n", field)), chance.choice(NUMBERS)]
        case "HINCRBYFLOAT":
            return [key, chance.choice((b"r", field)), chance.choice(REALS)]
        case "HRANDFIELD":
            return [b"none", *chance.choice(([], [chance.choice(NUMBERS)], [b"2", b"WITHVALUES"]))]
        case "HGET" | "HEXISTS" | "HSTRLEN":
            return [key, field]
    return [key]
