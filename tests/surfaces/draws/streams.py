"""Streams with their groups and consumers. All ids are given, as those made of the time differ between the servers."""

from random import Random

from tests.surfaces.draws import KEYS, NUMBERS

NAMES = (
    "XADD XADD XADD XADD XADD XADD XADD XLEN XRANGE XRANGE XREVRANGE XREVRANGE XREAD XREAD XREADGROUP XREADGROUP "
    "XREADGROUP XREADGROUP XREADGROUP XREADGROUP XGROUP XGROUP XGROUP XGROUP XGROUP XACK XACK XPENDING XPENDING "
    "XCLAIM XCLAIM XAUTOCLAIM XAUTOCLAIM XTRIM XDEL XDEL XINFO XINFO XINFO XSETID"
).split()
BESIDE = ("DEL", "COPY")
COUNTED = ()
SORTED = ()
STREAMS = [b"x", b"x", b"x", b"x", b"y"]
GROUPS = [b"g", b"g", b"g", b"h"] * 6 + [b"none"]
CONSUMERS = [b"alice", b"bob", b"alice", b"bob", b"", b"\x00\xff"]
EDGES = [b"0", b"0-0", b"0-1", b"18446744073709551615-18446744073709551615", b"18446744073709551615", b"7-*", b" 7",
         b"+7-1", b"007-01", b"-", b"+", b"$", b">", b"*", b"", b"x", b"7-", b"-7", b"7-x", b"18446744073709551616",
         b"9223372036854775808-1", b"(7", b"(0-0", b"1 ", b"7-18446744073709551615"]  # fmt: skip
FAR = b"100000000"  # ms in which nothing was idle
FIELDS = [[b"f", b"v"], [b"f", b"1", b"g", b"-300"], [b"f", b"value"], [b"", b""], [b"\x00\xff", b"x" * 900],
          [b"f", b"1", b"g", b"2", b"h", b"3"], [b"f", b"1", b"f", b"2"], [b"f"], [b"f", b"12345678901"]]  # fmt: skip


def entry(chance: Random) -> bytes:
    """Return an id that may exist; rarely any text."""
    draw = chance.random()
    if draw < 0.02:
        return chance.choice(EDGES)
    ms = b"%d" % chance.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9))
    return ms if draw < 0.2 else b"%b-%d" % (ms, chance.choice((0, 1, 2, 3, 4, 5, 10, 30)))


def bound(chance: Random, edge: bytes) -> bytes:
    """Return an end of a range."""
    return edge if chance.random() < 0.4 else chance.choice((b"", b"", b"(")) + entry(chance)


def options(chance: Random, *known: list[bytes], most: int = 2) -> list[bytes]:
    """Return some options, in any order."""
    drawn = chance.sample(known, min(chance.choice((0, 0, 1, 1, most)), len(known)))
    return [word for option in drawn for word in option]


def count(chance: Random) -> list[bytes]:
    """Return a COUNT."""
    return [b"COUNT", chance.choice((b"1", b"2", b"3", b"10", b"0", b"-1", b"x" if chance.random() < 0.1 else b"5"))]


def trim(chance: Random) -> list[bytes]:
    """Return a trim, mostly a right one that leaves something."""
    how = chance.choice(([], [], [b"="], [b"~"], [b"~"]))
    words = [b"MAXLEN", *how, b"%d" % chance.choice((3, 20, 50, 100, 150, 0, -1))]
    if chance.random() < 0.4:
        words = [b"minid", *how, entry(chance)]
    if chance.random() < (0.3 if how == [b"~"] else 0.03):
        words += [b"LIMIT", chance.choice((b"0", b"10", b"100", b"1000", b"-1"))]
    return words


def added(chance: Random) -> bytes:
    """Return the id of a new entry, mostly one that fits; the largest ones, behind which there are no more, seldom."""
    draw = chance.random()
    if draw < 0.8:
        return b"%d-*" % chance.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9))
    return entry(chance) if draw < 0.99 else chance.choice(EDGES[:13])


def sources(chance: Random, new: bytes) -> list[bytes]:
    """Return STREAMS with keys and as many ids."""
    keys = [chance.choice(STREAMS) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    ids = [new if chance.random() < 0.6 else entry(chance) for _ in keys]
    return [b"STREAMS", *keys, *(ids if chance.random() < 0.97 else ids[1:])]


def of_group(chance: Random, key: bytes) -> list[bytes]:
    """Return a subcommand of XGROUP with its arguments."""
    one, group, consumer = chance.choice, chance.choice(GROUPS[:4]), chance.choice(CONSUMERS)
    read = options(chance, [b"ENTRIESREAD", one((b"0", b"5", b"3", b"1", b"-1", b"-2", b"100"))])
    position = one((b"0", b"$", b"0", entry(chance)))
    match one(("CREATE",) * 8 + ("SETID", "SETID", "DESTROY", "CREATECONSUMER", "DELCONSUMER")):
        case "CREATE":
            return [b"CREATE", key, group, position, *one(([], [b"MKSTREAM"], [b"mkstream"])), *read]
        case "SETID":
            return [b"setid", key, group, position, *read]
        case "DESTROY":
            return [b"DESTROY", key, group]
        case "CREATECONSUMER":
            return [b"CREATECONSUMER", key, group, consumer]
    return [b"DELCONSUMER", key, group, consumer]


def arguments(chance: Random, name: str) -> list[bytes]:
    """Return words for the arguments of a command."""
    one, group, consumer = chance.choice, chance.choice(GROUPS), chance.choice(CONSUMERS)
    key = one(STREAMS) if chance.random() < 0.95 else one(KEYS)
    several = list({entry(chance): 0 for _ in range(chance.randint(1, 6))})
    idle = one((b"0", b"0", b"0", b"-1", FAR))
    match name:
        case "DEL":
            return [key if chance.random() < 0.2 else b"none"]
        case "COPY":
            return [key, one(STREAMS[3:]), *one(([], [], [b"REPLACE"]))]
        case "XADD":
            trimmed = trim(chance) if chance.random() < 0.15 else []
            fields = one(FIELDS[:7] if chance.random() < 0.98 else FIELDS)
            return [key, *options(chance, [b"NOMKSTREAM"], trimmed, most=1), added(chance), *fields]
        case "XRANGE":
            return [key, bound(chance, b"-"), bound(chance, b"+"), *options(chance, count(chance))]
        case "XREVRANGE":
            return [key, bound(chance, b"+"), bound(chance, b"-"), *options(chance, count(chance))]
        case "XREAD":
            wait = [b"BLOCK", one((b"1", b"5", b"-1"))]
            return [*options(chance, count(chance), wait if chance.random() < 0.1 else []), *sources(chance, b"5")]
        case "XREADGROUP":
            how = options(chance, count(chance), [b"NOACK"], [b"BLOCK", b"1"] if chance.random() < 0.03 else [])
            return [b"GROUP", group, consumer, *how, *sources(chance, b">")]
        case "XGROUP":
            return of_group(chance, key)
        case "XACK" | "XDEL":
            return [key, *([group] if name == "XACK" else []), *several]
        case "XPENDING":
            since = options(chance, [b"IDLE", idle])
            whole = [*since, bound(chance, b"-"), bound(chance, b"+"), one((b"10", b"3", b"0", b"-1"))]
            return [key, group, *one(([], whole, whole, [*whole, consumer]))]
        case "XCLAIM":
            known = ([b"FORCE"], [b"JUSTID"], [b"RETRYCOUNT", one((b"0", b"7", b"-1"))], [b"LASTID", entry(chance)],
                     one(([b"IDLE", one((b"0", FAR))], [b"TIME", one((b"1000", b"0"))])))  # fmt: skip
            return [key, group, consumer, idle, *several, *options(chance, *known, most=4)]
        case "XAUTOCLAIM":
            return [key, group, consumer, idle, bound(chance, b"0"), *options(chance, count(chance), [b"JUSTID"])]
        case "XTRIM":
            return [key, *trim(chance)]
        case "XINFO":
            full = [b"STREAM", key, b"FULL", *options(chance, count(chance))]
            return one(([b"STREAM", key], full, full, [b"GROUPS", key], [b"consumers", key, group]))
        case "XSETID":
            known = ([b"ENTRIESADDED", one(NUMBERS)], [b"MAXDELETEDID", entry(chance)])
            return [key, b"9-%d" % chance.randint(20, 99) if chance.random() < 0.6 else entry(chance), *options(
                chance, *known)]  # fmt: skip
    return [key]
