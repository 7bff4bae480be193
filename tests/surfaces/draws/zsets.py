"""Sorted sets. Scores are sums of powers of two, and ranges by text ask the keys whose scores are all equal."""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS

NAMES = (
    "ZADD ZADD ZADD ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT ZLEXCOUNT ZRANGE ZRANGE ZREVRANGE "
    "ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ZPOPMIN "
    "ZPOPMAX ZMPOP ZUNION ZINTER ZDIFF ZUNIONSTORE ZINTERSTORE ZDIFFSTORE ZINTERCARD ZRANGESTORE"
).split()
COUNTED = ()
SORTED = ()
SETS = [b"z", b"y", b"z"]
TEXTS = [b"t", b"u"]  # keys of sorted sets whose scores are all 0
MEMBERS = [b"a", b"b", b"ab", b"", b"c", b"10", b"\x00\xff", b"long member" * 7, b"d", b"e", b"f", b"g"]
SCORES = [b"0", b"1", b"2", b"-3", b"0.5", b"2.25", b"inf", b"-inf", b"1e3", b"100", b"64", b"x", b"nan", b""]
WHEN = [[], [], [], [b"NX"], [b"xx"], [b"GT"], [b"lt"], [b"CH"], [b"INCR"], [b"CH", b"GT"], [b"NX", b"XX"]]
ENDS = [b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"x"]


def score(chance: Random) -> bytes:
    """Return a score, mostly a right one."""
    return chance.choice(SCORES[:11]) if chance.random() < 0.95 else chance.choice(SCORES)


def end(chance: Random) -> bytes:
    """Return an end of a range by score."""
    return chance.choice((b"", b"", b"(")) + score(chance)


def ends(chance: Random) -> tuple[list[bytes], list[bytes]]:
    """Return a key with the two ends of a range of some kind, and the words behind them that ZRANGE needs for it."""
    draw = chance.random()
    if draw < 0.35:
        return [chance.choice(SETS), chance.choice(NUMBERS), chance.choice(NUMBERS)], []
    if draw < 0.7:
        return [chance.choice(SETS), end(chance), end(chance)], [b"BYSCORE"]
    return [chance.choice(TEXTS), chance.choice(ENDS), chance.choice(ENDS)], [b"bylex"]


def options(chance: Random, *known: list[bytes]) -> list[bytes]:
    """Return some options, in any order."""
    limit = [b"LIMIT", chance.choice((b"0", b"1", b"-1")), chance.choice((b"0", b"1", b"3", b"-1"))]
    drawn = chance.sample([*known, limit], min(chance.choice((0, 0, 1, 1, 2)), 1 + len(known)))
    return [word for option in drawn for word in option]


def sources(chance: Random, name: str) -> list[bytes]:
    """Return words for an operation on several sorted sets and sets."""
    keys = [chance.choice((b"z", b"y", b"t", b"s", b"none")) for _ in range(chance.randint(1, 3))]
    words = [b"w"] if name.endswith("STORE") else []
    words += [b"%d" % len(keys), *keys]
    weights = [b"WEIGHTS", *(chance.choice((b"1", b"2", b"0.5", b"4")) for _ in keys)]
    known = [weights, [b"AGGREGATE", chance.choice((b"SUM", b"min", b"MAX"))]]
    if name == "ZINTERCARD":
        known = [[b"LIMIT", chance.choice((b"0", b"1", b"-1"))]]
    elif "DIFF" in name:
        known = []
    if not words[0] == b"w" and name != "ZINTERCARD":
        known.append([b"WITHSCORES"])
    return words + [word for option in known if chance.random() < 0.4 for word in option]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one = chance.choice
    key = one(SETS) if chance.random() < 0.9 else one(KEYS)
    several = [one(MEMBERS) for _ in range(chance.randint(1, 4))]
    match name:
        case "ZADD":
            if chance.random() < 0.3:
                return [one(TEXTS), *(word for member in several for word in (b"0", member))]
            return [key, *one(WHEN), *(word for member in several for word in (score(chance), member))]
        case "ZINCRBY":
            return [key, score(chance), several[0]]
        case "ZREM" | "ZMSCORE":
            return [key, *several]
        case "ZSCORE" | "ZRANK" | "ZREVRANK":
            return [key, several[0]]
        case "ZCOUNT" | "ZREMRANGEBYSCORE":
            return [key, end(chance), end(chance)]
        case "ZLEXCOUNT" | "ZREMRANGEBYLEX":
            return [one(TEXTS), one(ENDS), one(ENDS)]
        case "ZREMRANGEBYRANK":
            return [key, one(NUMBERS), one(NUMBERS)]
        case "ZRANGE":
            words, by = ends(chance)
            return [*words, *options(chance, by, [b"REV"], [b"WITHSCORES"])] if chance.random() < 0.2 else [
                *words, *by, *options(chance, [b"REV"], [b"WITHSCORES"])
            ]  # fmt: skip
        case "ZREVRANGE":
            return [key, one(NUMBERS), one(NUMBERS), *options(chance, [b"WITHSCORES"])]
        case "ZRANGEBYSCORE" | "ZREVRANGEBYSCORE":
            return [key, end(chance), end(chance), *options(chance, [b"WITHSCORES"])]
        case "ZRANGEBYLEX" | "ZREVRANGEBYLEX":
            return [one(TEXTS), one(ENDS), one(ENDS), *options(chance)]
        case "ZMPOP":
            return [b"2", key, one(SETS), one((b"MIN", b"max", b"x")), *one(([], [b"COUNT", b"2"], [b"COUNT", b"0"]))]
        case "ZUNION" | "ZINTER" | "ZDIFF" | "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" | "ZINTERCARD":
            return sources(chance, name)
        case "ZRANGESTORE":
            (source, *rest), by = ends(chance)
            return [one((b"t", b"w")) if source in TEXTS else one((b"z", b"w")), source, *rest, *by]
        case "ZPOPMIN" | "ZPOPMAX":
            return [key, *one(([], [b"1"], [b"3"], [b"0"], [b"-1"], [b"x"]))]
    return [key]
