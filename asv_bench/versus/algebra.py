"""How fast are operations on whole sets, and what do small sets cost? (P2, P9)

    python asv_bench/versus/algebra.py --quick

    two sets of 100,000   members of 15 B, half of them in both sets: SINTERCARD, SINTER, SINTERSTORE, SUNIONSTORE,
                          SDIFFSTORE; calls/s one at a time. SINTER includes its reply of 50,000 members
    two small sets        10 integers, 10 texts of 4 B; 16 calls in flight

The bytes of small sets are rows of `memory.py`.
"""

import time

from client import Client, encode
from harness import alternate, arguments, candidate, flush, parse, peer
from nodes import Node
from rows import Report

MEMBERS = 100_000
DEPTH = 16
LARGE = {
    "SINTERCARD": (b"SINTERCARD", b"2", b"a", b"b"), "SINTER": (b"SINTER", b"a", b"b"),
    "SINTERSTORE": (b"SINTERSTORE", b"to", b"a", b"b"), "SUNIONSTORE": (b"SUNIONSTORE", b"to", b"a", b"b"),
    "SDIFFSTORE": (b"SDIFFSTORE", b"to", b"a", b"b"),
}  # fmt: skip
SMALL = {
    "SINTER of 10 integers": (b"SINTER", b"i", b"j"), "SINTER of 10 texts": (b"SINTER", b"s", b"t"),
    "SUNIONSTORE of 10 integers": (b"SUNIONSTORE", b"to", b"i", b"j"),
    "SISMEMBER of 10 integers": (b"SISMEMBER", b"i", b"7"), "SISMEMBER of 10 texts": (b"SISMEMBER", b"s", b"m  7"),
}  # fmt: skip


def fill(node: Node) -> None:
    """Two large sets, two of integers, two of texts; half of the members of each pair in both."""
    flush(node)
    with node.client() as client:
        for key, first in ((b"a", 0), (b"b", MEMBERS // 2)):
            names = [b"member:%08d" % i for i in range(first, first + MEMBERS)]
            client.load(encode(b"SADD", key, *names[at : at + 100]) for at in range(0, MEMBERS, 100))
        for key, first in ((b"i", 0), (b"j", 5)):
            client.call(b"SADD", key, *(b"%d" % i for i in range(first, first + 10)))
        for key, first in ((b"s", 0), (b"t", 5)):
            client.call(b"SADD", key, *(b"m%3d" % i for i in range(first, first + 10)))


def rate(node: Node, words: tuple[bytes, ...], seconds: float, depth: int) -> float:
    """Calls/s of one client with `depth` calls in flight."""
    batch = encode(*words) * depth
    with node.client() as client:
        size = len(reply_of(client, encode(*words)))
        done, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            client.socket.sendall(batch)
            left = size * depth
            while left > 0:
                left -= len(client.socket.recv(1 << 20))
            done += depth
        return done / (time.monotonic() - begun)


def reply_of(client: Client, sent: bytes) -> bytes:
    """The bytes of one reply: all that arrives before the connection is silent."""
    link = client.socket
    link.sendall(sent)
    found = link.recv(1 << 20)
    link.settimeout(0.5)
    try:
        while piece := link.recv(1 << 20):
            found += piece
    except TimeoutError:
        pass
    link.settimeout(None)
    return found


def measure_all(report: Report, nodes: list[Node], runs: int, seconds: float) -> None:
    """One row for each operation."""
    for node in nodes:
        fill(node)
    for depth, commands in ((1, LARGE), (DEPTH, SMALL)):
        for what, words in commands.items():
            title = f"{what}, two sets of {MEMBERS:,}" if depth == 1 else f"{what}, depth {depth}"
            row = report.row("P2", title, "calls/s", floor=1.0, goal=3.0 if depth == 1 else 1.8)

            def measure(node: Node, words: tuple[bytes, ...] = words, depth: int = depth) -> dict[str, float]:
                return {"rate": rate(node, words, seconds, depth)}

            alternate(nodes, runs, measure, {"rate": row})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("algebra", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        measure_all(report, [ours, theirs], options.runs, 1.0 if options.quick else 3.0)


if __name__ == "__main__":
    main()
