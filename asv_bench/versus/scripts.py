"""How fast are scripts? (P17)

    python asv_bench/versus/scripts.py --quick

    one GET                   EVAL, EVALSHA and FCALL of a script with one GET, 1 and 16 calls in flight
    ten calls                 a lock's release, a sliding window of requests, a queue in a sorted set, and ten INCR; 16
    a loop                    a million additions, one call at a time

Calls/s of 50 clients of redis-benchmark, and CPU of the server. Both sides get the same texts.
"""

import hashlib

from harness import alternate, arguments, candidate, flush, parse, peer, redis_benchmark
from nodes import Node
from rows import Report, Row

REQUESTS = 500_000
GET = "return redis.call('GET', KEYS[1])"
SHA = hashlib.sha1(GET.encode(), usedforsecurity=False).hexdigest()
LIBRARY = b"#!lua name=bench\nredis.register_function('get', function(keys) return redis.call('GET', keys[1]) end)"
RELEASE = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) "
    "return redis.call('EXISTS', KEYS[1]) end return 0"
)
WINDOW = (
    "local now, span, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]) "
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - span) local count = redis.call('ZCARD', KEYS[1]) "
    "if count < most then redis.call('ZADD', KEYS[1], now, ARGV[4]) redis.call('PEXPIRE', KEYS[1], span) "
    "return {1, most - count - 1, redis.call('ZSCORE', KEYS[1], ARGV[4])} end return {0, 0}"
)
QUEUE = (
    "redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) "
    "local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1], 'LIMIT', 0, 2) "
    "for i = 1, #due do redis.call('ZREM', KEYS[1], due[i]) redis.call('HSET', KEYS[2], due[i], ARGV[1]) "
    "redis.call('RPUSH', KEYS[3], due[i]) end "
    "redis.call('LTRIM', KEYS[3], -10, -1) redis.call('EXPIRE', KEYS[2], 60) return redis.call('LLEN', KEYS[3])"
)
TEN = "local n for i = 1, 10 do n = redis.call('INCR', KEYS[1]) end return n"
LOOP = "local x = 0 for i = 1, 1000000 do x = x + 1 end return x"
ONE = {
    "EVAL of one GET": ("EVAL", GET, "1", "k"), "EVALSHA of one GET": ("EVALSHA", SHA, "1", "k"),
    "FCALL of one GET": ("FCALL", "get", "1", "k"),
}  # fmt: skip
MORE = {
    "EVAL of a lock's release": ("EVAL", RELEASE, "1", "lock", "token"),
    "EVAL of a sliding window": ("EVAL", WINDOW, "1", "window", "1700000000000", "1000", "10", "r"),
    "EVAL of a queue in a sorted set": ("EVAL", QUEUE, "3", "due", "seen", "out", "100", "job"),
    "EVAL of ten INCR": ("EVAL", TEN, "1", "n"),
}  # fmt: skip


def fill(node: Node) -> None:
    """A value, a lock, and the scripts."""
    flush(node)
    with node.client() as client:
        client.call(b"SET", b"k", b"value")
        client.call(b"SET", b"lock", b"token")
        client.call(b"SCRIPT", b"LOAD", GET.encode())
        client.call(b"FUNCTION", b"LOAD", b"REPLACE", LIBRARY)


def measure_all(report: Report, nodes: list[Node], runs: int, requests: int) -> None:
    """Two rows for each script and depth: calls/s, and CPU of the server for each call."""
    for node in nodes:
        fill(node)
    planned = [(f"{what}, depth {depth}", words, depth, requests, 0.8, 1.5)
               for what, words in ONE.items() for depth in (1, 16)]  # fmt: skip
    planned += [(f"{what}, depth 16", words, 16, requests // 5, 0.8, 1.5) for what, words in MORE.items()]
    planned.append(("EVAL of 1,000,000 additions", ("EVAL", LOOP, "0"), 1, requests // 1000, 0.9, 1.0))
    for what, words, depth, count, floor, goal in planned:
        row = report.row("P17", what, "calls/s", floor=floor, goal=goal)
        cpu = Row("P17", f"{what}: server CPU", "us/call", more_is_better=False)
        report.rows.append(cpu)

        def measure(
            node: Node, words: tuple[str, ...] = words, depth: int = depth, count: int = count
        ) -> dict[str, float]:
            return redis_benchmark(node, *words, requests=count, depth=depth)

        alternate(nodes, runs, measure, {"rate": row, "cpu_us": cpu})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("scripts", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        measure_all(report, [ours, theirs], options.runs, REQUESTS // 5 if options.quick else REQUESTS)


if __name__ == "__main__":
    main()
