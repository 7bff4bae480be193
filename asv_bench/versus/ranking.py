"""How fast is one large sorted set, and are many small ones? (P2, P4)

    python asv_bench/versus/ranking.py --quick

    large   1 M calls of ZADD with members at random out of a million, which makes about 630,000 members; then calls
            with members or scores at random; ZRANGE and ZRANGEBYSCORE of 100 members, ZRANGE of 500 WITHSCORES
    small   ZADD of a random member to one of a million keys
    several ZUNIONSTORE of that set with itself

redis-benchmark drives both sides at depth 16; below each row of throughput stands the server CPU time per command.
"""

from harness import alternate, arguments, candidate, flush, parse, peer, redis_benchmark
from nodes import Node
from rows import Report

DEPTH = 16
FILL = 1_000_000
MEMBER = "m:__rand_int__"
SCORE = "__rand_int__"
TESTS: dict[str, tuple[tuple[str, ...], float]] = {
    "ZADD": (("ZADD", "z", SCORE, MEMBER), 1.0),
    "ZSCORE": (("ZSCORE", "z", MEMBER), 1.0),
    "ZRANK": (("ZRANK", "z", MEMBER), 1.0),
    "ZINCRBY": (("ZINCRBY", "z", "1", MEMBER), 1.0),
    "ZCOUNT": (("ZCOUNT", "z", SCORE, "+inf"), 0.5),
    "ZRANGE 100": (("ZRANGE", "z", "300000", "300099"), 0.2),
    "ZRANGEBYSCORE 100": (("ZRANGEBYSCORE", "z", SCORE, "+inf", "LIMIT", "0", "100"), 0.2),
    "ZRANGE 500 WITHSCORES": (("ZRANGE", "z", "300000", "300499", "WITHSCORES"), 0.05),
    "ZPOPMIN": (("ZPOPMIN", "z"), 0.5),
    "ZADD to small ones": (("ZADD", f"k:{SCORE}", SCORE, MEMBER), 1.0),
    "ZUNIONSTORE of a large set": (("ZUNIONSTORE", "to", "2", "z", "z"), 0.00002),
}
"""What is measured -> the command, and the requests relative to the others."""


def fill(node: Node) -> None:
    """Make the large sorted set."""
    flush(node)
    redis_benchmark(node, "ZADD", "z", SCORE, MEMBER, requests=FILL, depth=64)


def measure_all(report: Report, nodes: list[Node], runs: int, requests: int) -> None:
    """A row of throughput and a row of CPU time for each command."""
    for node in nodes:
        fill(node)
    for what, (words, share) in TESTS.items():
        number = "P4" if "500" in what else "P2"
        row = report.row(number, f"{what}, depth {DEPTH}", "calls/s", floor=1.0, goal=2.0 if number == "P4" else 1.8)
        cpu = report.row(number, f"{what}, server CPU", "us", more_is_better=False)
        count = max(int(requests * share), 4)

        def measure(node: Node, words: tuple[str, ...] = words, count: int = count) -> dict[str, float]:
            return redis_benchmark(node, *words, requests=count, depth=min(DEPTH, count))

        alternate(nodes, runs, measure, {"rate": row, "cpu_us": cpu})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("ranking", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        measure_all(report, [ours, theirs], options.runs, 100_000 if options.quick else 500_000)


if __name__ == "__main__":
    main()
