"""What does a durable write cost, and do readers suffer when the disk is slow? (P11)

    python asv_bench/versus/durable.py --quick

Every write is on disk before its reply on both sides: `fsync_mode: always` against `appendonly yes`,
`appendfsync always`; redis-benchmark SET with 1 and with 50 clients. Then the disk is made slow for
both in the same way: strace holds every fdatasync and fsync for 2 or 10 ms (`-e inject`, all other
system calls run untouched), while a second client times GET, with a pause of about three syncs between
calls, so that it never waits for itself. The bar is the GET p99 over the time of one fdatasync, delay
included.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from client import encode
from harness import Pinger, alternate, arguments, candidate, flush, parse, peer, quantile, redis_benchmark
from limits import fdatasync_ms
from nodes import Node
from rows import Report

KEYS = 100_000


def slow_disk(delay_ms: float) -> list[str]:
    """Words before a server's command line: its syncs take `delay_ms` longer, its pid stays its own."""
    if delay_ms == 0:
        return []
    calls = "fdatasync,fsync"
    return ["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={calls}",
            "-e", f"inject={calls}:delay_enter={int(delay_ms * 1000)}"]


def fill(node: Node) -> None:
    flush(node)
    with node.client() as client:
        client.load(encode(b"SET", b"key:%012d" % i, b"xxx") for i in range(KEYS))


def writes(report: Report, nodes: Sequence[Node], runs: int, quick: bool) -> None:
    for clients, requests in ((1, 2000 if quick else 10_000), (50, 20_000 if quick else 200_000)):
        title = f"durable SET, {clients} client{'s' if clients > 1 else ''}"
        rows = {"rate": report.row("P11", title, "commands/s", floor=0.8, goal=1.2),
                "cpu_us": report.row("P11", f"{title}: server CPU", "us/command", more_is_better=False),
                "p99_ms": report.row("P11", f"{title}: p99", "ms", more_is_better=False)}

        def measure(node: Node, clients: int = clients, requests: int = requests) -> dict[str, float]:
            return redis_benchmark(node, "-t", "set", requests=requests, clients=clients, keys=KEYS)

        alternate(nodes, runs, measure, rows)


def readers(report: Report, nodes: Sequence[Node], runs: int, sync_ms: float, seconds: float) -> None:
    """GET of another client while 50 clients write durably."""
    title = f"one sync takes {sync_ms:.2g} ms"
    wait = report.row("P11", f"{title}: GET p99 of another client", "x sync", floor=1.5, goal=1.2,
                      more_is_better=False, judge="value")
    rows = {"wait": wait,
            "get_ms": report.row("P11", f"{title}: the same", "ms", more_is_better=False),
            "rate": report.row("P11", f"{title}: durable SET, 50 clients", "commands/s")}
    requests = max(500, int(seconds * 40 / sync_ms * 1000))
    rate = max(1, min(200, int(250 / sync_ms)))

    def measure(node: Node) -> dict[str, float]:
        pinger = Pinger(node, "GET key:__rand_int__", rate=rate, keys=KEYS)
        figures = redis_benchmark(node, "-t", "set", requests=requests, clients=50, keys=KEYS)
        slow = quantile([ms for _, ms in pinger.stop()], 0.99)
        return figures | {"get_ms": slow, "wait": slow / sync_ms}

    alternate(nodes, runs, measure, rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--delays", nargs="+", type=float, default=[2.0, 10.0], metavar="MS")
    options = parse(parser)
    seconds = 4.0 if options.quick else 8.0
    with Report("durable", __doc__, options) as report:
        with candidate(options, "always") as ours, peer(options, "always") as theirs:
            for node in (ours, theirs):
                fill(node)
            writes(report, [ours, theirs], options.runs, options.quick)
        if shutil.which("strace") is None:
            report.note("strace is not installed: no slow disk (Debian: apt-get install strace)")
            return
        for delay_ms in options.delays:
            sync_ms = fdatasync_ms(Path(options.data_root))
            wrap = slow_disk(delay_ms)
            with (candidate(options, "always", wrap=wrap) as ours,
                  peer(options, "always", wrap=wrap) as theirs):
                for node in (ours, theirs):
                    fill(node)
                readers(report, [ours, theirs], options.runs, delay_ms + sync_ms, seconds)


if __name__ == "__main__":
    main()
