"""How long does the slowest request in a thousand wait? (P5)

    python asv_bench/versus/latency.py --quick

    half load       p99.9 of GET and SET at half of the side's own maximum (50 connections, depth 1;
                    maximum by redis-benchmark), from an open-loop client that counts from when each
                    request was due (`paced.py`: redis-benchmark cannot keep a pace)
    beside a pipe   PING p99.9 of a second client while one client pipelines 1 M SETs, 1000 at a time
    beside DEL      the same while a list (and a set) of 10 M members is deleted with DEL, measured
                    from the moment of the call until 0.5 s after its reply

The second client (`pinger.py`) calls 1,000 times a second on one connection at real-time priority.
"""

import random
import time
from collections.abc import Callable

from client import Refused, encode
from harness import Pinger, alternate, arguments, candidate, flush, parse, peer, quantile, redis_benchmark
from nodes import Node
from paced import Load
from rows import Report, Row

KEYS = 1_000_000
VALUE = b"x" * 16
TAIL_S = 0.5


def fill(node: Node, keys: int) -> None:
    flush(node)
    with node.client() as client:
        client.load(encode(b"SET", b"key:%012d" % i, VALUE) for i in range(keys))


def requests(command: str, keys: int) -> list[bytes]:
    dice = random.Random(7)
    names = [b"key:%012d" % dice.randrange(keys) for _ in range(100_000)]
    return [encode(b"GET", name) if command == "GET" else encode(b"SET", name, VALUE) for name in names]


def half_load(report: Report, nodes: list[Node], runs: int, seconds: float, keys: int) -> None:
    for node in nodes:
        fill(node, keys)
    for command in ("GET", "SET"):
        slow = report.row("P5", f"{command} p99.9 at half of own maximum", "ms", floor=3.0, goal=1.0,
                          more_is_better=False)
        middle = report.row("P5", f"{command} p50 at half of own maximum", "ms", more_is_better=False)
        rate = report.row("P5", f"{command} rate of that test", "commands/s")
        prepared = requests(command, keys)
        most: dict[str, float] = {}

        def measure(node: Node, command: str = command, most: dict[str, float] = most,
                    prepared: list[bytes] = prepared) -> dict[str, float]:
            if node.name not in most:
                ran = [redis_benchmark(node, "-t", command.lower(), requests=int(seconds * 30_000), keys=keys,
                                       value_bytes=len(VALUE)) for _ in range(3)]
                most[node.name] = sorted(each["rate"] for each in ran)[1]
            half = most[node.name] / 2
            with Load(node, prepared) as load:
                load.paced(half, int(half * 0.5))
                taken = load.paced(half, int(half * seconds))
            return {"p999": quantile(taken, 0.999), "p50": quantile(taken, 0.5), "rate": half}

        alternate(nodes, runs, measure, {"p999": slow, "p50": middle, "rate": rate}, warm=False)


def watched(node: Node, work: Callable[[], object], tail_s: float = 0.0) -> dict[str, float]:
    """PING latencies of a second client while `work` runs."""
    pinger = Pinger(node, "PING")
    time.sleep(0.3)
    begun = time.monotonic()
    work()
    ended = time.monotonic()
    time.sleep(tail_s + 0.1)
    taken = [ms for due, ms in pinger.stop() if begun - 0.002 <= due <= ended + tail_s]
    return {"p999": quantile(taken, 0.999), "max": max(taken, default=float("nan")),
            "work": (ended - begun) * 1e3}


def bars(report: Report, title: str) -> dict[str, Row]:
    return {"p999": report.row("P5", f"PING p99.9 while {title}", "ms", floor=5.0, goal=1.0,
                               more_is_better=False, judge="value"),
            "max": report.row("P5", f"PING maximum while {title}", "ms", more_is_better=False),
            "work": report.row("P5", f"time of it: {title}", "ms", more_is_better=False)}


def beside_pipe(report: Report, nodes: list[Node], runs: int, count: int) -> None:
    batches = [b"".join(encode(b"SET", b"key:%012d" % i, VALUE) for i in range(at, at + 1000))
               for at in range(0, count, 1000)]

    def measure(node: Node) -> dict[str, float]:
        with node.client() as client:
            def work() -> None:
                for batch in batches:
                    client.socket.sendall(batch)
                    left = 5000
                    while left > 0:
                        left -= len(client.socket.recv(1 << 16))

            return watched(node, work)

    alternate(nodes, runs, measure, bars(report, f"one client pipelines {count:,} SETs"))


def beside_delete(report: Report, nodes: list[Node], runs: int, members: int, command: bytes) -> None:
    kind = {b"RPUSH": "list", b"SADD": "set"}[command]
    rows = bars(report, f"a {kind} of {members:,} is deleted")

    def measure(node: Node) -> dict[str, float]:
        flush(node)
        with node.client() as client:
            client.load((encode(command, b"big", *(b"member:%09d" % i for i in range(at, at + 100)))
                         for at in range(0, members, 100)), batch=100)
            time.sleep(0.5)
            return watched(node, lambda: client.call(b"DEL", b"big"), TAIL_S)

    try:
        alternate(nodes, runs, measure, rows, warm=False)
    except Refused as error:
        report.note(f"{command.decode()} was refused: {error}")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--members", type=int, help="size of the collection that is deleted (default 10 M)")
    options = parse(parser)
    members = options.members or (1_000_000 if options.quick else 10_000_000)
    keys, seconds = (100_000, 2.0) if options.quick else (KEYS, 10.0)
    with Report("latency", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        nodes = [ours, theirs]
        half_load(report, nodes, options.runs, seconds, keys)
        beside_pipe(report, nodes, options.runs, 100_000 if options.quick else 1_000_000)
        for command in (b"RPUSH", b"SADD"):
            beside_delete(report, nodes, options.runs, members, command)


if __name__ == "__main__":
    main()
