"""Sets. Members are few, so that sets have some in common. SPOP, after which both would differ, is among the cases."""

from random import Random

from tests.surfaces.draws import KEYS

NAMES = (
    "SADD SADD SADD SADD SREM SREM SISMEMBER SMISMEMBER SCARD SMEMBERS SMOVE SMOVE SINTER SUNION SDIFF SINTERCARD "
    "SINTERSTORE SUNIONSTORE SDIFFSTORE SRANDMEMBER SRANDMEMBER SSCAN"
).split()
COUNTED = ()
SORTED = ("SMEMBERS", "SINTER", "SUNION", "SDIFF")
DRAWN = ("SRANDMEMBER",)
SETS = [b"s", b"s", b"a", b"b"]
MEMBERS = [b"%d" % i for i in range(-3, 12)] + [b"a", b"b", b"c", b"", b"01", b"70000", b"5000000000", b"x" * 70]
COUNTS = [b"0", b"1", b"-1", b"3", b"-7", b"100", b"x", b"", b"01", b"9223372036854775807", b"-9223372036854775808"]
LIMITS = [[], [b"LIMIT", b"0"], [b"limit", b"1"], [b"LIMIT", b"x"], [b"LIMIT", b"-1"], [b"LIMIT"]]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key = one(SETS) if chance.random() < 0.9 else one(KEYS)
    several = [one(SETS) if chance.random() < 0.95 else one(KEYS) for _ in range(chance.randint(1, 4))]
    members = [one(MEMBERS) for _ in range(chance.choice((1, 1, 2, 5, 20)))]
    match name:
        case "SADD" | "SREM" | "SMISMEMBER":
            return [key, *members]
        case "SISMEMBER":
            return [key, one(MEMBERS)]
        case "SMOVE":
            return [key, one(SETS), one(MEMBERS)]
        case "SINTER" | "SUNION" | "SDIFF":
            return several
        case "SINTERSTORE" | "SUNIONSTORE" | "SDIFFSTORE":
            return [one((*SETS, b"c")), *several]
        case "SINTERCARD":
            return [b"%d" % len(several), *several, *one(LIMITS)]
        case "SRANDMEMBER":
            return [key, *one(([], [one(COUNTS)]))]
        case "SSCAN":
            return [one((b"none", b"l")), one((b"0", b"x"))]
    return [key]
