"""Lists. The keys `l` and `m` mostly hold lists of few different elements, so that values are found again."""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS, VALUES

NAMES = (
    "RPUSH RPUSH RPUSH LPUSH LPUSH LPUSHX RPUSHX LPOP RPOP LLEN LRANGE LRANGE LINDEX LINDEX LSET LSET LINSERT LINSERT "
    "LREM LREM LTRIM LPOS LPOS LPOS LMOVE LMOVE RPOPLPUSH LMPOP BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP"
).split()
COUNTED = ()
SORTED = ()
ELEMENTS = [b"a", b"b", b"", b"10", *VALUES]
SIDES = [b"LEFT", b"right", b"RIGHT", b"left", b"up"]
TIMEOUTS = [b"0.001", b"0.002", b"x", b"-1"]
RANKS = [b"1", b"-1", b"2", b"-2", b"0", b"x", b"9223372036854775807"]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key, other = (one((b"l", b"m", one(KEYS))) for _ in range(2))
    element = one(ELEMENTS[:4]) if chance.random() < 0.8 else one(ELEMENTS)
    index = b"%d" % chance.randint(-9, 9) if chance.random() < 0.8 else one(NUMBERS)
    count = one(([], [b"1"], [b"2"], [b"0"], [one(NUMBERS)]))
    many = [b"COUNT", b"%d" % chance.randint(0, 4)] if chance.random() < 0.5 else []
    keys = [b"l", *(one(KEYS) for _ in range(chance.randint(0, 2)))]
    chance.shuffle(keys)
    several = [b"%d" % len(keys), *keys, one(SIDES), *many]
    match name:
        case "RPUSH" | "LPUSH" | "LPUSHX" | "RPUSHX":
            return [key, *(one(ELEMENTS[:4]) for _ in range(chance.randint(0, 5))), element]
        case "LPOP" | "RPOP":
            return [key, *count]
        case "LRANGE" | "LTRIM":
            return [key, index, b"%d" % chance.randint(-9, 9)]
        case "LINDEX":
            return [key, index]
        case "LSET" | "LREM":
            return [key, index, element]
        case "LINSERT":
            return [key, one((b"BEFORE", b"after", b"what")), one(ELEMENTS[:4]), element]
        case "LPOS":
            options = [b"RANK", one(RANKS)], [b"count", one((b"0", b"1", b"3"))], [b"MAXLEN", one((b"0", b"2", b"50"))]
            drawn = chance.sample(options, chance.randint(0, 3))
            return [key, element, *(word for option in drawn for word in option)]
        case "LMOVE":
            return [key, other, one(SIDES[:4]), one(SIDES)]
        case "RPOPLPUSH":
            return [key, other]
        case "LMPOP":
            return several
        case "BLPOP" | "BRPOP":
            return [*keys, one(TIMEOUTS)]
        case "BLMOVE":
            return [key, other, one(SIDES[:4]), one(SIDES), one(TIMEOUTS)]
        case "BRPOPLPUSH":
            return [key, other, one(TIMEOUTS)]
        case "BLMPOP":
            return [one(TIMEOUTS), *several]
    return [key]
