"""SORT over lists, sets of integers and sorted sets, by keys and fields of which some are missing or of another kind.

Redis leaves the order open where elements have the same text from BY with ALPHA, of a sorted set, and with LIMIT of
any; and the order of a set that does not hold integers alone. Such calls are left to the twin (tests/store). SORT_RO is
drawn as SORT is, so STORE is refused there.
"""

from random import Random

NAMES = "SORT SORT SORT SORT SORT SORT_RO SORT_RO".split()
BESIDE = "RPUSH RPUSH LPOP LTRIM SADD SREM ZADD MSET MSET DEL HSET HDEL LRANGE".split()
COUNTED = ()
SORTED = ()
LISTS, SETS, ZSETS = [b"sl", b"sl2"], [b"ss", b"ss2"], [b"sz", b"sz2"]
INTEGERS = [b"%d" % i for i in range(-3, 20)] + [b"100", b"5000000000", b"9007199254740993", b"9007199254740992"]
REALS = [b"1.5", b"-0", b"0.0", b"1e2", b"inf", b"-inf", b" 4", b"0x1f", b"01", b"1.0", b"3.", b".5"]
WORDS = [b"a", b"b", b"ab", b"", b"user:1", b"user:10", b"user:2", b"user:10000", b"\xff", b"nan", b"1x", b"x" * 40]
HASHES = [b"hw_%b" % each for each in INTEGERS[:12]]
FIELDS = [b"f", b"g"]
BY = [b"w_*", b"w_*", b"hw_*->f", b"hw_*->g", b"none_*", b"nosort", b"", b"#"]
GET = [b"#", b"#", b"w_*", b"hw_*->f", b"hw_*->g", b"hw_*", b"none", b"w_*->"]
WINDOWS = [b"0", b"0", b"1", b"2", b"5", b"100", b"-1", b"x"]


def sort(chance: Random) -> list[bytes]:
    """Return words for the arguments of SORT."""
    one = chance.choice
    key = one((*LISTS, *LISTS, *SETS, *ZSETS, b"w_1", b"hw_1", b"none"))
    words: list[list[bytes]] = [[b"GET", one(GET)] for _ in range(one((0, 0, 0, 1, 2, 3)))]
    by, alpha, limit = chance.random() < 0.4, chance.random() < 0.4, chance.random() < 0.3
    if by and alpha and (limit or key not in LISTS):
        alpha = False
    words += [[b"BY", one(BY)]] if by else []
    words += [[b"ALPHA"]] if alpha else []
    words += [[b"LIMIT", one(WINDOWS), one(WINDOWS)]] if limit else []
    words += [[one((b"DESC", b"desc", b"ASC"))] for _ in range(one((0, 0, 1, 1, 2)))]
    words += [[b"STORE", one((*LISTS, b"w_2", b"d"))]] if chance.random() < 0.25 else []
    chance.shuffle(words)
    return [key, *(word for each in words for word in each)]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    numbers = [one(INTEGERS) for _ in range(one((1, 1, 3, 8)))]
    match name:
        case "SORT" | "SORT_RO":
            return sort(chance)
        case "RPUSH":
            pool = one((INTEGERS, INTEGERS, INTEGERS + REALS, INTEGERS + REALS, INTEGERS + REALS + WORDS))
            return [one(LISTS), *(one(pool) for _ in range(one((1, 2, 5, 12))))]
        case "LPOP":
            return [one(LISTS), one((b"1", b"3", b"20"))]
        case "LTRIM":
            return [one(LISTS), one((b"0", b"2")), one((b"-1", b"4"))]
        case "SADD" | "SREM":
            return [one(SETS), *numbers]
        case "ZADD":
            return [one(ZSETS), *(word for each in numbers for word in (one(INTEGERS[:9]), each))]
        case "MSET":
            return [word for each in numbers for word in (b"w_" + each, one(INTEGERS + REALS))]
        case "DEL":
            return [one((*LISTS, *SETS, *ZSETS, b"w_1", b"w_2", b"w_3", b"d"))]
        case "HSET":
            return [one(HASHES), one(FIELDS), one(INTEGERS + REALS)]
        case "HDEL":
            return [one(HASHES), one(FIELDS)]
    return [one((*LISTS, b"d", b"w_2")), b"0", b"-1"]
