"""Strings, keys, and what is needed of lists and sets to meet other kinds.

No DBSIZE, which in Redis counts what has expired until somebody meets it; decimals are sums of powers of two.
"""

from random import Random

from tests.surfaces.draws import (
    AHEAD,
    AHEAD_MS,
    CONDITIONS,
    GLOBS,
    KEYS,
    MOMENTS,
    NUMBERS,
    REALS,
    SCAN_OPTIONS,
    SET_OPTIONS,
    SPACES,
    VALUES,
)

NAMES = (
    "SET SET SET GET GET GETEX GETSET GETDEL SETNX SETEX PSETEX INCR INCRBY DECR DECRBY INCRBYFLOAT INCRBYFLOAT APPEND "
    "STRLEN GETRANGE GETRANGE SUBSTR SETRANGE SETRANGE MGET MSET MSETNX DEL UNLINK EXISTS TOUCH TYPE TTL PTTL PERSIST "
    "EXPIRE EXPIRE PEXPIRE EXPIREAT PEXPIREAT EXPIRETIME PEXPIRETIME RENAME RENAMENX COPY COPY MOVE SWAPDB KEYS "
    "SCAN RPUSH SADD SMEMBERS SELECT"
).split()
COUNTED = ("PTTL", "TTL", "EXPIRETIME", "PEXPIRETIME")
SORTED = ("KEYS", "SMEMBERS")


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one, key = chance.choice, chance.choice(KEYS)
    value = one(VALUES[:8]) if chance.random() < 0.95 else one(VALUES)
    several = range(chance.randint(1, 4))
    match name:
        case "SET":
            options = [*SET_OPTIONS, [b"EX", one(AHEAD)], [b"px", one(AHEAD_MS)], [b"EXAT", one(MOMENTS)],
                       [b"PXAT", one(MOMENTS)]]  # fmt: skip
            drawn = chance.sample(options, chance.choice((0, 0, 1, 2, 3)))
            return [key, value, *(word for option in drawn for word in option)]
        case "GETEX":
            ways = ([], [b"PERSIST"], [b"EX", one(AHEAD)], [b"PX", one(AHEAD_MS)], [b"exat", one(MOMENTS)], [b"NX"])
            return [key, *one(ways)]
        case "GETSET" | "SETNX" | "APPEND" | "RPUSH" | "SADD":
            return [one((b"l", key)) if name == "RPUSH" else one((b"s", key)) if name == "SADD" else key, value]
        case "SETEX" | "PSETEX":
            return [key, one(AHEAD_MS if name == "PSETEX" else AHEAD), value]
        case "INCRBY" | "DECRBY":
            return [one((b"n", key)), one(NUMBERS)]
        case "INCRBYFLOAT":
            return [one((b"f", key)), one(REALS)]
        case "GETRANGE" | "SUBSTR":
            return [key, one(NUMBERS), one(NUMBERS)]
        case "SETRANGE":
            return [key, one((b"0", b"3", b"100", b"1100", b"-1", b"x", b"9223372036854775807")), value]
        case "MGET" | "DEL" | "UNLINK" | "EXISTS" | "TOUCH":
            return [one(KEYS) for _ in several]
        case "MSET" | "MSETNX":
            return [word for _ in several for word in (one(KEYS), one(VALUES[:8]))]
        case "EXPIRE" | "PEXPIRE":
            ahead = AHEAD_MS if name == "PEXPIRE" else AHEAD
            return [key, one(ahead), *chance.choices(CONDITIONS, k=chance.choice((0, 0, 1, 2)))]
        case "EXPIREAT" | "PEXPIREAT":
            return [key, one(MOMENTS), *chance.choices(CONDITIONS, k=chance.choice((0, 0, 1, 2)))]
        case "RENAME" | "RENAMENX":
            return [key, one(KEYS)]
        case "COPY":
            options = ([], [b"REPLACE"], [b"DB", one(SPACES)], [b"replace", b"db", one(SPACES)], [b"what"])
            return [key, one(KEYS), *one(options)]
        case "MOVE":
            return [key, one(SPACES)]
        case "SWAPDB":
            return [one(SPACES), one(SPACES)]
        case "SELECT":
            return [one(SPACES[:4])]
        case "KEYS":
            return [one(GLOBS)]
        case "SCAN":
            return [b"0", b"COUNT", b"1000", *one(SCAN_OPTIONS)]
        case "FLUSHDB":
            return []
    return [key]
