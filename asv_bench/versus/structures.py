"""Are lists, sets, hashes and sorted sets as fast as in redis-server, many small ones and one large one? (P2, P4)

    python asv_bench/versus/structures.py --quick

    many     LPUSH, RPUSH, LPOP, RPOP, SADD, SPOP, HSET, ZADD, ZPOPMIN on 100,000 keys at random
    large    the same kinds with a million members under one key: HSET, HGET, SADD, SISMEMBER, LINDEX in the middle;
             `ranking.py` has the large sorted set
    whole    LRANGE of 100, 300, 600 elements, HGETALL of 50 and 500 fields, SMEMBERS of 500 members

redis-benchmark drives both sides at depth 16; below each row of throughput stands the server CPU time per command.
"""

from collections.abc import Iterator

from client import encode
from harness import alternate, arguments, candidate, flush, parse, peer, redis_benchmark
from nodes import Node
from rows import Report

DEPTH = 16
RANDOM = "__rand_int__"
MEMBERS = 1_000_000
MANY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("LPUSH", ("LPUSH", f"l:{RANDOM}", "v" * 16)), ("RPUSH", ("RPUSH", f"l:{RANDOM}", "v" * 16)),
    ("LPOP", ("LPOP", f"l:{RANDOM}")), ("RPOP", ("RPOP", f"l:{RANDOM}")),
    ("SADD", ("SADD", f"s:{RANDOM}", f"m:{RANDOM}")), ("SPOP", ("SPOP", f"s:{RANDOM}")),
    ("HSET", ("HSET", f"h:{RANDOM}", f"f:{RANDOM}", "v" * 16)),
    ("ZADD", ("ZADD", f"z:{RANDOM}", RANDOM, f"m:{RANDOM}")), ("ZPOPMIN", ("ZPOPMIN", f"z:{RANDOM}")),
)  # fmt: skip
LARGE: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("HSET, 1 M fields", ("HSET", "h", f"f:{RANDOM}", "v" * 16), 1.0),
    ("HGET, 1 M fields", ("HGET", "h", f"f:{RANDOM}"), 1.0),
    ("SADD, 1 M members", ("SADD", "s", f"m:{RANDOM}"), 1.0),
    ("SISMEMBER, 1 M members", ("SISMEMBER", "s", f"m:{RANDOM}"), 1.0),
    ("LINDEX middle of 1 M", ("LINDEX", "l", "500000"), 0.1), ("RPUSH, one key", ("RPUSH", "l", "v" * 16), 1.0),
    ("LPUSH, one key", ("LPUSH", "l", "v" * 16), 1.0), ("LPOP, one key", ("LPOP", "l"), 1.0),
)  # fmt: skip
WHOLE: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("LRANGE 100", ("LRANGE", "l600", "0", "99"), 0.2), ("LRANGE 300", ("LRANGE", "l600", "0", "299"), 0.1),
    ("LRANGE 600", ("LRANGE", "l600", "0", "599"), 0.05), ("HGETALL of 50", ("HGETALL", "h50"), 0.2),
    ("HGETALL of 500", ("HGETALL", "h500"), 0.04), ("SMEMBERS of 500", ("SMEMBERS", "s500"), 0.05),
)  # fmt: skip


def large() -> Iterator[bytes]:
    """Commands that make a hash, a set and a list of a million members each, 100 a command."""
    for first in range(0, MEMBERS, 100):
        names = [b"%012d" % i for i in range(first, first + 100)]
        yield encode(b"HSET", b"h", *(word for name in names for word in (b"f:" + name, b"v" * 16)))
        yield encode(b"SADD", b"s", *(b"m:" + name for name in names))
        yield encode(b"RPUSH", b"l", *(b"e%015d" % i for i in range(first, first + 100)))


def whole() -> Iterator[bytes]:
    """Commands that make the structures that are read whole."""
    yield encode(b"RPUSH", b"l600", *(b"element:%012d" % i for i in range(600)))
    yield encode(b"SADD", b"s500", *(b"member:%012d" % i for i in range(500)))
    for size in (50, 500):
        yield encode(b"HSET", b"h%d" % size, *(b"%s:%012d" % (what, i) for i in range(size) for what in (b"f", b"v")))


def ask(report: Report, nodes: list[Node], runs: int, number: str, what: str, words: tuple[str, ...], count: int,
        keys: int, goal: float) -> None:  # fmt: skip
    """A row of throughput and a row of CPU time for one command."""
    row = report.row(number, f"{what}, depth {DEPTH}", "calls/s", floor=1.0, goal=goal)
    cpu = report.row(number, f"{what}, server CPU", "us", more_is_better=False)

    def measure(node: Node) -> dict[str, float]:
        return redis_benchmark(node, *words, requests=count, depth=DEPTH, keys=keys)

    alternate(nodes, runs, measure, {"rate": row, "cpu_us": cpu})


def main() -> None:
    options = parse(arguments(__doc__))
    requests = 200_000 if options.quick else 500_000
    with Report("structures", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        nodes: list[Node] = [ours, theirs]
        for node in nodes:
            flush(node)
        for what, words in MANY:
            ask(report, nodes, options.runs, "P2", f"{what}, 100,000 keys", words, requests, 100_000, 1.8)
        for node in nodes:
            flush(node)
            with node.client() as client:
                client.load(large())
                client.load(whole())
        for what, words, share in LARGE:
            ask(report, nodes, options.runs, "P2", what, words, int(requests * share), MEMBERS, 1.8)
        for what, words, share in WHOLE:
            ask(report, nodes, options.runs, "P4", what, words, int(requests * share), MEMBERS, 2.0)


if __name__ == "__main__":
    main()
