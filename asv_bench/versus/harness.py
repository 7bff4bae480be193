"""What every comparison needs: two servers, two cores, alternating runs, a table and a verdict.

A comparison starts both sides itself on free loopback ports, pins every server to core 0 and every
client to core 1, lets the sides take turns (A B A B ...), and judges the ratio of the two medians:

    server core 0   [ Synap ] or [ peer ]    the side that is not measured is stopped (SIGSTOP)
    client core 1   redis-benchmark, wrk, or a client of ours

    with Report("resp", __doc__, options) as report:
        row = report.row("P1", "GET, depth 1", unit="commands/s", floor=0.9, goal=1.1)
        row.add("synap", 110_000.0)
        row.add("redis", 100_000.0)

Beside throughput stands the server's own CPU time per command (user + system, from the process
table), because above depth 16 the client is the limit. Results go to the terminal as Markdown and to
`asv_bench/versus/results/NAME.json`, from which `report.py` prints docs/performance.md.
"""

import argparse
import csv
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from client import HOST, Refused
from nodes import CORE_CLIENT, Node, Redis, Synap, child, descriptors, pin, run_client, tool
from rows import RESULTS, Row

# --- single questions --------------------------------------------------------------------------


def serves(node: Node, *words: bytes) -> bool:
    """Does this node know the command? (A first version may lack families.)"""
    try:
        with node.client() as client:
            client.call(*words)
    except Refused:
        return False
    return True


def flush(node: Node) -> None:
    with node.client() as client:
        client.call(b"FLUSHALL")


# --- load generators ---------------------------------------------------------------------------


def redis_benchmark(node: Node, *words: str, requests: int, clients: int = 50, depth: int = 1,
                    keys: int = 1_000_000, value_bytes: int = 3) -> dict[str, float]:
    """One run of redis-benchmark: commands/s, server CPU in us per command, latencies in ms."""
    argv = [tool("redis-benchmark"), "-h", HOST, "-p", str(node.port), "-n", str(requests),
            "-c", str(clients), "-P", str(depth), "-r", str(keys), "-d", str(value_bytes),
            "--csv", "--precision", "3", *words]
    before = node.cpu_seconds()
    output = run_client(argv)
    used = node.cpu_seconds() - before
    rows = [row for row in csv.reader(output.splitlines()) if len(row) == 8 and row[0] != "test"]
    if not rows:
        raise RuntimeError(f"redis-benchmark printed no figure: {output[-500:]}")
    rate, _, _, p50, p95, p99, worst = (float(cell) for cell in rows[-1][1:])
    return {"rate": rate, "cpu_us": used / requests * 1e6, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
            "max_ms": worst}


class Pinger:
    """A second client in its own process: one call every 1/rate seconds, timed from when it was due."""

    def __init__(self, node: Node, *commands: str, rate: int = 1000, keys: int = 1) -> None:
        script = Path(__file__).resolve().parent / "pinger.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(node.port), str(rate), str(keys), *commands],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=child(CORE_CLIENT))
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it says when it is connected

    def stop(self) -> list[tuple[float, float]]:
        """All calls so far: when each was due (monotonic seconds), how long it took (ms)."""
        output, _ = self.process.communicate("\n", timeout=120)
        if self.process.returncode != 0:
            raise RuntimeError("the second client lost its connection or was refused")
        return [(due, taken) for due, taken in json.loads(output)]


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


# --- the command line of a comparison ----------------------------------------------------------


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that every script shares."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run: fewer requests, three runs a side")
    parser.add_argument("--runs", type=int, help="measured runs on each side (default 5, quick 3)")
    parser.add_argument("--json", default=str(RESULTS), metavar="DIR", help="where the result file goes")
    parser.add_argument("--data-root", default=tempfile.gettempdir(), metavar="DIR",
                        help="a folder on the disk to measure; servers keep their data below it")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE",
                        help="one more setting for Synap")
    parser.add_argument("--candidate", choices=["synap", "redis"], default="synap", help=argparse.SUPPRESS)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 5)
    options.folder = tempfile.TemporaryDirectory(prefix="versus-", dir=options.data_root)
    options.root = Path(options.folder.name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pin(CORE_CLIENT)
    descriptors()
    return options


LOG_OFF = "off"
LOG_MODES = {
    LOG_OFF: (["persistence.enabled=false"], ["--appendonly", "no"]),
    "never": (["persistence.wal.fsync_mode=never"], ["--appendonly", "yes", "--appendfsync", "no"]),
    "periodic": (["persistence.wal.fsync_mode=periodic", "persistence.wal.fsync_interval_ms=1000"],
                 ["--appendonly", "yes", "--appendfsync", "everysec"]),
    "always": (["persistence.wal.fsync_mode=always"], ["--appendonly", "yes", "--appendfsync", "always"]),
}
"""The same durability on both sides: Synap's settings, redis-server's options."""
QUIET = ["persistence.snapshot.interval_secs=604800", "persistence.snapshot.operation_threshold=1000000000"]
"""No snapshot of its own accord: redis-server runs without save points too."""


def candidate(options: argparse.Namespace, log: str = LOG_OFF, **extra: Any) -> Node:
    """Synap; for a test of the scripts themselves (`--candidate redis`) a second redis-server."""
    ours, theirs = LOG_MODES[log]
    if options.candidate == "redis":
        node: Node = Redis(options.root, theirs, **extra)
        node.name = "synap"
        return node
    return Synap(options.root, [*QUIET, *ours, *options.set], **extra)


def peer(options: argparse.Namespace, log: str = LOG_OFF, **extra: Any) -> Node:
    return Redis(options.root, LOG_MODES[log][1], **extra)


def alternate(nodes: Sequence[Node], runs: int, measure: Callable[[Node], dict[str, float]],
              rows: dict[str, Row], *, warm: bool = True) -> None:
    """Each node in turn, `runs` times (after one run that is not counted); figures go into `rows` by name.

    A row that a node has no figure for is that of another peer.
    """
    for turn in range(runs + warm):
        for node in nodes:
            with node.alone(nodes):
                figures = measure(node)
            if turn >= warm:
                for name in rows.keys() & figures.keys():
                    rows[name].add(node.name, figures[name])
    for row in rows.values():
        print("  " + "  ".join(row.cells()), file=sys.stderr)
