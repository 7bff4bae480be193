"""How long does another client wait while a large structure is worked on? (P5)

    python asv_bench/versus/pauses.py --quick

    intersected  SINTERSTORE of two sets of a million members, half of them shared
    unioned      ZUNIONSTORE of two sorted sets of a million members
    read         HGETALL of a hash of a million fields by a client that reads 64 KiB every 10 ms

Meanwhile a second client sends a PING every millisecond. The quotient is that of the p99.9 of both servers.
"""

import time

from client import Client, encode
from harness import alternate, arguments, candidate, flush, parse, peer
from latency import watched
from nodes import Node
from rows import Report

MEMBERS = 1_000_000


def fill(node: Node, members: int) -> None:
    """Make the structures: a, b (sets), za, zb (sorted sets), h (a hash)."""
    flush(node)
    with node.client() as client:
        for first in range(0, members, 100):
            span = range(first, first + 100)
            client.load([
                encode(b"SADD", b"a", *(b"m:%09d" % i for i in span)),
                encode(b"SADD", b"b", *(b"m:%09d" % (i + members // 2) for i in span)),
                encode(b"ZADD", b"za", *(word for i in span for word in (b"%d" % (i * 7 % 1000), b"m:%09d" % i))),
                encode(b"ZADD", b"zb", *(word for i in span for word in (b"%d" % i, b"m:%09d" % (i * 2)))),
                encode(b"HSET", b"h", *(word for i in span for word in (b"f:%09d" % i, b"v" * 16))),
            ])  # fmt: skip


def read_slowly(client: Client) -> None:
    """Read a whole hash, 64 KiB every 10 ms, for two seconds; then the rest at once."""
    client.socket.sendall(encode(b"HGETALL", b"h"))
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        client.socket.recv(1 << 16)
        time.sleep(0.01)


def ask(report: Report, nodes: list[Node], runs: int) -> None:
    works = {
        "two sets of 1 M are intersected": lambda client: client.call(b"SINTERSTORE", b"c", b"a", b"b"),
        "two sorted sets of 1 M are unioned": lambda client: client.call(b"ZUNIONSTORE", b"zc", b"2", b"za", b"zb"),
        "a hash of 1 M is read slowly": read_slowly,
    }
    for title, work in works.items():
        rows = {
            "p999": report.row("P5", f"PING p99.9 while {title}", "ms", floor=1.0, goal=0.1, more_is_better=False),
            "max": report.row("P5", f"PING maximum while {title}", "ms", more_is_better=False),
            "work": report.row("P5", f"time of it: {title}", "ms", more_is_better=False),
        }

        def measure(node: Node, work=work) -> dict[str, float]:  # type: ignore[no-untyped-def]
            with node.client() as client:
                return watched(node, lambda: work(client), 0.3)

        alternate(nodes, runs, measure, rows, warm=False)


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("pauses", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        nodes: list[Node] = [ours, theirs]
        for node in nodes:
            fill(node, MEMBERS)
        ask(report, nodes, options.runs)


if __name__ == "__main__":
    main()
