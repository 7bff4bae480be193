"""Are the streams of Redis as fast here as in Redis, and as small? (P13)

    python asv_bench/versus/entries.py --quick

50 clients of redis-benchmark, 1 or 16 calls in flight; entries of 100 bytes in a stream of 1,000,000 whose ids are
0-1 to 0-1000000, so that calls can name one at random.

    XADD              also with MAXLEN ~ 1000
    XREADGROUP, XACK  one new entry for one of 50 consumers; an ack of one of a million pending entries
    XRANGE, XREAD     100 entries from a random one on
    memory            bytes of an entry and of a pending entry: (memory - empty) / entries
"""

from client import encode
from harness import alternate, arguments, candidate, flush, parse, peer, redis_benchmark
from nodes import Node
from rows import Report, Row

ENTRIES = 1_000_000
VALUE = "v" * 100
ANY = "0-__rand_int__"
CALLS = {
    "XADD, depth 1": (("XADD", "new", "*", "f", VALUE), 1),
    "XADD, depth 16": (("XADD", "new", "*", "f", VALUE), 16),
    "XADD MAXLEN ~ 1000, depth 16": (("XADD", "short", "MAXLEN", "~", "1000", "*", "f", VALUE), 16),
    "XREADGROUP of a new entry, depth 16": (("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">"), 16),
    "XACK, depth 16": (("XACK", "s", "all", ANY), 16),
    "XRANGE of 100, depth 16": (("XRANGE", "s", ANY, "+", "COUNT", "100"), 16),
    "XREAD of 100, depth 16": (("XREAD", "COUNT", "100", "STREAMS", "s", ANY), 16),
    "XREVRANGE of 100, depth 16": (("XREVRANGE", "s", ANY, "-", "COUNT", "100"), 16),
}  # fmt: skip
SLOW = {"XRANGE of 100, depth 16", "XREAD of 100, depth 16", "XREVRANGE of 100, depth 16"}
ONCE = {"XREADGROUP", "XACK"}
"""Calls that find nothing more once they have been made for every entry."""


def fill(node: Node, entries: int) -> dict[str, float]:
    """A stream, a group that has all of it pending, and one that has read nothing: the bytes of an entry, and of one
    that is pending."""
    flush(node)
    empty = node.settled_bytes()
    with node.client() as client:
        client.load(encode(b"XADD", b"s", b"0-%d" % i, b"f", VALUE.encode()) for i in range(1, entries + 1))
        filled = node.settled_bytes()
        for group in (b"all", b"g"):
            client.call(b"XGROUP", b"CREATE", b"s", group, b"0")
        reads = entries // 1000
        client.load(encode(b"XREADGROUP", b"GROUP", b"all", b"c", b"COUNT", b"1000", b"STREAMS", b"s", b">")
                    for _ in range(reads))  # fmt: skip
    return {"entry": (filled - empty) / entries, "pending": (node.settled_bytes() - filled) / entries}


def measure_all(report: Report, nodes: list[Node], runs: int, requests: int, entries: int) -> None:
    """A row for each call, and the bytes of an entry and of a pending one."""
    entry = report.row("P13", "bytes of an entry of 100 bytes", "B", more_is_better=False, floor=0.8, goal=0.5)
    pending = Row("P13", "bytes of a pending entry", "B", more_is_better=False)
    report.rows.append(pending)
    alternate(nodes, 1, lambda node: fill(node, entries), {"entry": entry, "pending": pending}, warm=False)
    for what, (words, depth) in CALLS.items():
        row = report.row("P13", what, "calls/s", floor=1.0, goal=2.0)
        cpu = Row("P13", f"{what}: server CPU", "us/call", more_is_better=False)
        report.rows.append(cpu)
        count = requests // 20 if what in SLOW else entries // 8 if words[0] in ONCE else requests

        def measure(
            node: Node, words: tuple[str, ...] = words, depth: int = depth, count: int = count
        ) -> dict[str, float]:
            return redis_benchmark(node, *words, requests=count, depth=depth, keys=entries)

        alternate(nodes, runs, measure, {"rate": row, "cpu_us": cpu})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("entries", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        quick = options.quick
        measure_all(report, [ours, theirs], options.runs, ENTRIES // 5 if quick else ENTRIES,
                    ENTRIES // 5 if quick else ENTRIES)  # fmt: skip


if __name__ == "__main__":
    main()
