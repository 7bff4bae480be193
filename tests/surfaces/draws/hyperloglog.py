"""HyperLogLogs under keys of their own, whose strings are read as well: they are those of Redis, but for the count that
PFCOUNT of one key stores there. So PFCOUNT always names two keys. GETREG, which makes a sketch dense in Redis, is not
drawn."""

from random import Random

from tests.surfaces.draws import KEYS

NAMES = "PFADD PFADD PFADD PFADD PFCOUNT PFMERGE PFDEBUG PFDEBUG GET OBJECT DEL STRLEN".split()
COUNTED = SORTED = ()
SKETCHES = [b"p", b"p2", b"p3", b"p4"]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key = one(SKETCHES) if chance.random() < 0.97 else one(KEYS[5:7])
    match name:
        case "PFADD":
            count = one((0, 1, 1, 3, 10, 400))
            wide = one((30, 3000, 10**9))
            return [key, *(b"%d" % chance.randrange(wide) + b"x" * chance.randrange(12) for _ in range(count))]
        case "PFCOUNT":
            return [key, *(one([*SKETCHES, b"none"]) for _ in range(chance.randint(1, 3))), b"none"]
        case "PFMERGE":
            return [key, *(one([*SKETCHES, b"none"]) for _ in range(chance.randint(0, 3)))]
        case "PFDEBUG":
            return [one((b"decode", b"ENCODING", b"todense")), key]
        case "OBJECT":
            return [b"ENCODING", key]
        case "DEL":
            return [key] if chance.random() < 0.2 else [b"none"]
    return [key]
