"""How fast are searches among a million places? (P2)

    python asv_bench/versus/places.py --quick

    a million places       anywhere on the earth between 85 degrees south and north, with members of 9 bytes
    GEOSEARCH              FROMLONLAT at 1,000 places in turn, BYRADIUS, of a size that finds about 10, 100 or 1,000
                           places; without an order, and with ASC and WITHDIST; in a box; the 10 nearest
    GEOADD                 of a new place for a random member
    GEODIST                of two random members

One client with 16 calls in flight, searches that find 1,000 places with 4. It does not look at the replies: a GET
behind the calls tells when all of them have come.
"""

import time
from itertools import cycle
from random import Random

from client import encode
from harness import alternate, arguments, candidate, flush, parse, peer
from nodes import Node
from rows import Report

PLACES = 1_000_000
CENTERS = 1000
LAST = encode(b"GET", b"last")
END = b"$3\r\nEND\r\n"
NEAR = {"10": b"80", "100": b"254", "1,000": b"803"}
"""How many places are found, about, at 0 degrees -> the radius in km."""
WANTED: dict[str, tuple[bytes, ...]] = {
    **{f"GEOSEARCH, {count} found": (b"BYRADIUS", radius, b"km") for count, radius in NEAR.items()},
    **{f"GEOSEARCH ASC WITHDIST, {count} found": (b"BYRADIUS", radius, b"km", b"ASC", b"WITHDIST")
       for count, radius in NEAR.items()},
    "GEOSEARCH BYBOX, 100 found": (b"BYBOX", b"450", b"450", b"km"),
    "GEOSEARCH, the 10 nearest of 1,000": (b"BYRADIUS", NEAR["1,000"], b"km", b"COUNT", b"10"),
}  # fmt: skip


def place(chance: Random) -> tuple[bytes, bytes]:
    """A place anywhere, as longitude and latitude."""
    return b"%.6f" % chance.uniform(-180, 180), b"%.6f" % chance.uniform(-85, 85)


def fill(node: Node) -> None:
    """Add a million places."""
    flush(node)
    chance = Random(1)
    with node.client() as client:
        client.call(b"SET", b"last", b"END")
        for first in range(0, PLACES, 100_000):
            client.load(
                encode(b"GEOADD", b"g", *(
                    word for i in range(at, at + 100) for word in (*place(chance), b"m:%07d" % i)
                ))
                for at in range(first, first + 100_000, 100)
            )  # fmt: skip


def calls(what: str) -> tuple[list[list[bytes]], int]:
    """The commands to send in turn, and how many are in flight."""
    chance = Random(2)
    if what == "GEOADD":
        moves = ((*place(chance), b"m:%07d" % chance.randrange(PLACES)) for _ in range(20_000))
        return [[b"GEOADD", b"g", *move] for move in moves], 16
    if what == "GEODIST":
        pairs = ((b"m:%07d" % chance.randrange(PLACES), b"m:%07d" % chance.randrange(PLACES)) for _ in range(20_000))
        return [[b"GEODIST", b"g", *pair] for pair in pairs], 16
    centers = [(b"%.6f" % chance.uniform(-180, 180), b"%.6f" % chance.uniform(-60, 60)) for _ in range(CENTERS)]
    found = [[b"GEOSEARCH", b"g", b"FROMLONLAT", *center, *WANTED[what]] for center in centers]
    return found, 4 if "1,000 found" in what else 16


def rate(node: Node, what: str, seconds: float) -> dict[str, float]:
    """Calls/s of one client, and the server's CPU time for each."""
    commands, depth = calls(what)
    batches = [b"".join(encode(*words) for words in commands[at : at + depth]) + LAST
               for at in range(0, len(commands), depth)]  # fmt: skip
    with node.client() as client:
        done, begun, before = 0, time.monotonic(), node.cpu_seconds()
        for batch in cycle(batches):
            client.socket.sendall(batch)
            end = b""
            while end != END:
                end = (end + client.socket.recv(1 << 20))[-len(END) :]
            done += depth
            if time.monotonic() - begun > seconds:
                break
        took, used = time.monotonic() - begun, node.cpu_seconds() - before
        return {"rate": done / took, "cpu_us": used / done * 1e6}


def measure_all(report: Report, nodes: list[Node], runs: int, seconds: float) -> None:
    """A row of throughput and a row of CPU time for each command."""
    for node in nodes:
        fill(node)
    for what in (*WANTED, "GEOADD", "GEODIST"):
        goal = 3.0 if "GEOSEARCH" in what else 1.8
        row = report.row("P2", f"{what}, a million places", "calls/s", floor=1.0, goal=goal)

        cpu = report.row("P2", f"{what}, server CPU", "us", more_is_better=False)

        def measure(node: Node, what: str = what) -> dict[str, float]:
            return rate(node, what, seconds)

        alternate(nodes, runs, measure, {"rate": row, "cpu_us": cpu})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("places", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        measure_all(report, [ours, theirs], options.runs, 1.0 if options.quick else 3.0)


if __name__ == "__main__":
    main()
