"""How fast is SORT? (P2)

    python asv_bench/versus/sorting.py --quick

    a list of 100,000     numbers up to 1,000,000, and texts of 15 B, in random order: SORT, with LIMIT, ALPHA, STORE
    with patterns         100,000 keys with a number, as many hashes with one: BY, GET and both; 10,000 elements of them
    a set, a sorted set   of 100,000 numbers
    a small list          10 numbers, and 10 elements from the middle of the large list; 16 calls in flight

One call at a time but for the small ones, calls/s; the reply is read as a whole.
"""

import random

from algebra import rate
from client import encode
from harness import alternate, arguments, candidate, flush, parse, peer
from nodes import Node
from rows import Report

COUNT, FEW = 100_000, 10_000
DEPTH = 16
LARGE = {
    "SORT of a list": (b"SORT", b"l"),
    "SORT .. DESC LIMIT 0 10": (b"SORT", b"l", b"DESC", b"LIMIT", b"0", b"10"),
    "SORT .. STORE": (b"SORT", b"l", b"STORE", b"to"),
    "SORT .. ALPHA": (b"SORT", b"t", b"ALPHA"),
    "SORT .. ALPHA LIMIT 0 10": (b"SORT", b"t", b"ALPHA", b"LIMIT", b"0", b"10"),
    "SORT of a set": (b"SORT", b"s"),
    "SORT of a sorted set": (b"SORT", b"z"),
    "SORT .. BY w_*": (b"SORT", b"l", b"BY", b"w_*"),
    "SORT .. BY h_*->f": (b"SORT", b"l", b"BY", b"h_*->f"),
    "SORT .. GET w_*": (b"SORT", b"l", b"GET", b"w_*"),
    "SORT .. BY w_* GET # GET h_*->f": (b"SORT", b"l", b"BY", b"w_*", b"GET", b"#", b"GET", b"h_*->f"),
}  # fmt: skip
SMALLER = {
    "SORT of a list, 10,000": (b"SORT", b"l2"),
    "SORT .. BY w_* GET w_*, 10,000": (b"SORT", b"l2", b"BY", b"w_*", b"GET", b"w_*"),
}  # fmt: skip
SMALL = {
    "SORT of 10 numbers": (b"SORT", b"few"), "SORT of 10 numbers, ALPHA": (b"SORT", b"few", b"ALPHA"),
    "SORT .. BY nosort LIMIT 50000 10": (b"SORT", b"l", b"BY", b"nosort", b"LIMIT", b"50000", b"10"),
}  # fmt: skip


def fill(node: Node) -> None:
    """Lists, a set and a sorted set in random order, and what BY and GET name."""
    flush(node)
    chance = random.Random(1)
    numbers = [b"%d" % each for each in chance.sample(range(1_000_000), COUNT)]
    with node.client() as client:
        for at in range(0, COUNT, 100):
            some = numbers[at : at + 100]
            client.load([encode(b"RPUSH", b"l", *some), encode(b"SADD", b"s", *some)])
            client.load([encode(b"RPUSH", b"t", *(b"user:%010d" % int(each) for each in some))])
            client.load([encode(b"ZADD", b"z", *(word for each in some for word in (each[::-1], each)))])
            values = [b"%d" % chance.randrange(10**6) for _ in some]
            pairs = [word for each, value in zip(some, values, strict=True) for word in (b"w_" + each, value)]
            client.load([encode(b"MSET", *pairs)])
            client.load(encode(b"HSET", b"h_" + each, b"f", value) for each, value in zip(some, values, strict=True))
        client.load([encode(b"RPUSH", b"l2", *numbers[:FEW]), encode(b"RPUSH", b"few", *numbers[:10])])


def measure_all(report: Report, nodes: list[Node], runs: int, seconds: float) -> None:
    """One row for each call."""
    for node in nodes:
        fill(node)
    for depth, commands in ((1, LARGE), (1, SMALLER), (DEPTH, SMALL)):
        for what, words in commands.items():
            row = report.row("P2", what if depth == 1 else f"{what}, depth {depth}", "calls/s", floor=1.0, goal=3.0)

            def measure(node: Node, words: tuple[bytes, ...] = words, depth: int = depth) -> dict[str, float]:
                return {"rate": rate(node, words, seconds, depth)}

            alternate(nodes, runs, measure, {"rate": row})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("sorting", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        measure_all(report, [ours, theirs], options.runs, 1.0 if options.quick else 3.0)


if __name__ == "__main__":
    main()
