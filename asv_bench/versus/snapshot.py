"""How fast is a snapshot, what does it cost meanwhile, and how soon is a node back? (P18, P19)

    python asv_bench/versus/snapshot.py --quick

P18: 1 GB of live data (keys of 16 B, values of 1 KiB, half of it incompressible), then POST /snapshot
against BGSAVE, both until the file is complete. MB/s of live data; extra memory at its peak, shared
pages counted once; p99 of a second client (GET and SET in turn, 2,000 a second) meanwhile over its p99
just before. P19: a server with 1 M keys is killed and started again: from a snapshot against RDB, and
from 1 M log frames against AOF. Every restart works on a fresh copy of the files and must find all
keys; it lasts from the start of the process until PING is answered over RESP, Synap's kernels coming
from the cache. Judged is the time beyond that of the fastest empty start, because starting Python is most
of a short one, but never less than the load time that the server itself reports (INFO's
`recovered_seconds`, redis-server's "DB loaded from"): on a busy machine a difference of two starts can be
anything. The whole start, the empty one and the server's own account are printed below it.
"""

import argparse
import os
import random
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from client import encode
from harness import Pinger, arguments, candidate, flush, parse, peer, quantile
from nodes import Node, Redis
from rows import Report

MIB = 1 << 20


def big(count: int) -> Iterator[bytes]:
    """1 KiB values: half random bytes, half text, from a pool of 4,096."""
    dice = random.Random(7)
    pool = [dice.randbytes(512) + b"the quick brown fox jumps over a dog " * 14 for _ in range(4096)]
    return (encode(b"SET", b"big:%012d" % i, pool[i % len(pool)][:1024]) for i in range(count))


def small(count: int) -> Iterator[bytes]:
    return (encode(b"SET", b"big:%012d" % i, b"v%015d" % i) for i in range(count))


def save(node: Node) -> float:
    """Seconds until the snapshot is complete."""
    begun = time.perf_counter()
    if isinstance(node, Redis):
        with node.client() as client:
            client.call(b"BGSAVE")
            while b"rdb_bgsave_in_progress:1" in client.call(b"INFO", b"persistence"):
                time.sleep(0.005)
            if b"rdb_last_bgsave_status:ok" not in client.call(b"INFO", b"persistence"):
                raise RuntimeError("BGSAVE failed")
    else:
        status, body = node.web("POST", "/snapshot")
        if status != 200:
            raise RuntimeError(f"POST /snapshot answered {status}: {body[:200]!r}")
    return time.perf_counter() - begun


class Peak:
    """The largest memory of a node's processes, sampled 20 times a second on a thread."""

    def __init__(self, node: Node) -> None:
        self.node, self.bytes, self._end = node, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._end.wait(0.05):
            self.bytes = max(self.bytes, self.node.share_bytes())

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def newest_bytes(node: Node, since: float) -> int:
    """Size of the largest snapshot file written since: is there one at all?"""
    files = [path.stat() for path in node.directory.rglob("*")
             if path.is_file() and ("snap" in str(path.relative_to(node.directory)) or path.suffix == ".rdb")]
    return max((each.st_size for each in files if each.st_mtime >= since - 1), default=0)


def saving(report: Report, options: argparse.Namespace, count: int) -> None:
    live = count * (16 + 1024)
    speed = report.row("P18", f"snapshot of {live / 1e9:.2g} GB of live data", "MB/s", floor=1.0, goal=3.0)
    extra = report.row("P18", "extra memory at its peak", "%", floor=30, goal=10, more_is_better=False,
                       judge="value")
    slower = report.row("P18", "p99 of traffic meanwhile over before", "x", floor=3.0, goal=1.5,
                        more_is_better=False, judge="value")
    before_ms = report.row("P18", "p99 of traffic before", "ms", more_is_better=False)
    during_ms = report.row("P18", "p99 of traffic meanwhile", "ms", more_is_better=False)
    size = report.row("P18", "size of the file", "MB", more_is_better=False)
    commands = ("GET big:__rand_int__", "SET big:__rand_int__ " + "v" * 1024)
    with candidate(options, "never") as ours, peer(options, "never") as theirs:
        nodes = [ours, theirs]
        for node in nodes:
            flush(node)
            with node.client() as client:
                client.load(big(count))
        for _ in range(options.runs):
            for node in nodes:
                os.sync()
                with node.alone(nodes):
                    quiet = node.share_bytes()
                    pinger = Pinger(node, *commands, rate=2000, keys=count)
                    time.sleep(3.0)
                    since, begun = time.time(), time.monotonic()
                    with Peak(node) as peak:
                        taken = save(node)
                    ended = time.monotonic()
                    calls = pinger.stop()
                before = quantile([ms for due, ms in calls if due < begun - 0.05], 0.99)
                during = quantile([ms for due, ms in calls if begun <= due <= ended], 0.99)
                speed.add(node.name, live / taken / 1e6)
                extra.add(node.name, max(0, peak.bytes - quiet) / quiet * 100)
                slower.add(node.name, during / before)
                before_ms.add(node.name, before)
                during_ms.add(node.name, during)
                size.add(node.name, newest_bytes(node, since) / 1e6)


def told_s(node: Node) -> float:
    """Seconds of loading, by the server's own account of its latest start."""
    if isinstance(node, Redis):
        text = node.log.read_text(errors="replace")
        found = re.findall(r"DB loaded from (?:disk|append only file): ([0-9.]+) seconds", text)
    else:
        with node.client() as client:
            text = client.call(b"INFO", b"persistence").decode()
        found = re.findall(r"recovered_seconds:([0-9.]+)", text)
    if not found:
        raise RuntimeError(f"{node.name} does not say how long it loaded:\n{text[-2000:]}")
    return float(found[-1])


def prepare(node: Node, bare: Path, kept: Path, count: int, *, from_log: bool) -> None:
    """Keep the files of a node that is empty, and of one that was killed with `count` keys."""
    shutil.copytree(node.directory, bare)
    node.start()
    with node.client() as client:
        client.load(small(count))
    if not from_log:
        save(node)
    node.kill()
    shutil.copytree(node.directory, kept)


def restart(node: Node, files: Path, count: int) -> tuple[float, float]:
    """Seconds from start to PONG on a fresh copy of `files`, and what the node says; every key must be there."""
    shutil.rmtree(node.directory, ignore_errors=True)
    shutil.copytree(files, node.directory)
    os.sync()
    node.start()
    with node.client() as client:
        found = client.call(b"DBSIZE")
    told = told_s(node) if count else 0.0
    node.kill()
    if found != count:
        raise RuntimeError(f"{node.name}: {found} of {count} keys after restart")
    return node.started_s, told


def recovery(report: Report, options: argparse.Namespace, count: int, *, from_log: bool) -> None:
    what, peer_log = ("log frames", "never") if from_log else ("keys of a snapshot", "off")
    net = report.row("P19", f"recovery of {count:,} {what}, beyond an empty start", "keys/s", floor=0.7,
                     goal=3.0)
    whole = report.row("P19", f"whole start with {count:,} {what}, until PONG", "s", more_is_better=False)
    empty = report.row("P19", "empty start, until PONG", "s", more_is_better=False)
    loading = report.row("P19", f"loading {count:,} {what}, by the server's own account", "s",
                         more_is_better=False)
    our_log = peer_log if options.candidate == "redis" else "never"
    nodes = (candidate(options, our_log), peer(options, peer_log))
    bare, kept = ({node.name: node.directory.with_name(f"{node.directory.name}-{kind}") for node in nodes}
                  for kind in ("bare", "kept"))
    try:
        for node in nodes:
            prepare(node, bare[node.name], kept[node.name], count, from_log=from_log)
        for _ in range(options.runs):
            for node in nodes:
                nothing, _ = restart(node, bare[node.name], 0)
                full, told = restart(node, kept[node.name], count)
                empty.add(node.name, nothing)
                whole.add(node.name, full)
                loading.add(node.name, told)
        for node in nodes:
            least = min(empty.values[node.name])
            for full, told in zip(whole.values[node.name], loading.values[node.name], strict=True):
                net.add(node.name, count / max(full - least, told))
    finally:
        for node in nodes:
            node.remove()
            shutil.rmtree(bare[node.name], ignore_errors=True)
            shutil.rmtree(kept[node.name], ignore_errors=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", nargs="+", default=["P18", "P19"], choices=["P18", "P19"])
    parser.add_argument("--keys", type=int, help="keys and log frames of P19 (default 1,000,000, quick 200,000)")
    options = parse(parser)
    with Report("snapshot", __doc__, options) as report:
        if "P18" in options.rows:
            saving(report, options, 200_000 if options.quick else 1_000_000)
        if "P19" in options.rows:
            keys = options.keys or (200_000 if options.quick else 1_000_000)
            for from_log in (False, True):
                recovery(report, options, keys, from_log=from_log)


if __name__ == "__main__":
    main()
