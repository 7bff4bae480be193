"""How many bytes does a key, a member, an idle connection cost, and does memory come back? (P9, P10, P22)

    python asv_bench/versus/memory.py --quick

All figures are resident memory of the server's processes, once it no longer changes.

    bytes per key      (after loading - empty) / count: 1 M keys of 16 B -> 16 B, the same with a TTL,
                       1 M members in 1,000 sets, hashes, sorted sets, and in one; 1 M sets of 10 integers,
                       hashes of 5 fields, lists of 10 elements; a new server for each
    rewriting          every value written again 10 times; sizes at random from 100 B to 1 KiB, and once
                       more in turn all 1 KiB and all 100 B. (memory - empty) / bytes of live keys and
                       values. Then FLUSHALL: memory / that of an empty server
    ready              of a server that has just become ready
    idle connections   (with 10,000 connections that say nothing - without) / 10,000
"""

import random
import socket
import time
from collections.abc import Iterator

from client import HOST, encode
from harness import arguments, candidate, flush, parse, peer, serves
from nodes import Node
from rows import Report

MANY_CONNECTIONS = ["network.max_connections=20000", "limits.max_clients=20000",
                    "network.idle_timeout_secs=0"]


def keys(count: int) -> Iterator[bytes]:
    return (encode(b"SET", b"k%015d" % i, b"v%015d" % i) for i in range(count))


def keys_with_ttl(count: int) -> Iterator[bytes]:
    return (encode(b"SET", b"k%015d" % i, b"v%015d" % i, b"EX", b"100000") for i in range(count))


def sets(count: int) -> Iterator[bytes]:
    return (encode(b"SADD", b"s%06d" % (i // 1000), b"m%015d" % i) for i in range(count))


def hashes(count: int) -> Iterator[bytes]:
    return (encode(b"HSET", b"h%06d" % (i // 1000), b"m%015d" % i, b"v%015d" % i) for i in range(count))


def sorted_sets(count: int) -> Iterator[bytes]:
    return (encode(b"ZADD", b"z%06d" % (i // 1000), b"%d" % i, b"m%015d" % i) for i in range(count))


def integer_sets(count: int) -> Iterator[bytes]:
    dice = random.Random(7)
    return (encode(b"SADD", b"s%015d" % i, *(b"%d" % dice.randrange(1 << 20) for _ in range(10))) for i in range(count))


def small_hashes(count: int) -> Iterator[bytes]:
    return (encode(b"HSET", b"h%015d" % i, *(word for j in range(5) for word in (b"field:%010d" % j, b"v%015d" % i)))
            for i in range(count))  # fmt: skip


def small_lists(count: int) -> Iterator[bytes]:
    return (encode(b"RPUSH", b"l%015d" % i, *(b"element:%08d" % j for j in range(10))) for i in range(count))


def one_hash(count: int) -> Iterator[bytes]:
    return (encode(b"HSET", b"h", b"m%015d" % i, b"v%015d" % i) for i in range(count))


def one_set(count: int) -> Iterator[bytes]:
    return (encode(b"SADD", b"s", b"m%015d" % i) for i in range(count))


def one_sorted_set(count: int) -> Iterator[bytes]:
    dice = random.Random(7)
    return (encode(b"ZADD", b"z", b"%d" % dice.randrange(1 << 30), b"m%015d" % i) for i in range(count))


SHAPES = {
    "key, 16 B -> 16 B": (keys, (b"SET", b"k", b"v")),
    "key with TTL": (keys_with_ttl, (b"SET", b"k", b"v", b"EX", b"100000")),
    "set member": (sets, (b"SADD", b"s", b"m")),
    "hash field": (hashes, (b"HSET", b"h", b"f", b"v")),
    "sorted set member": (sorted_sets, (b"ZADD", b"z", b"1", b"m")),
    "set of 10 integers": (integer_sets, (b"SADD", b"s", b"1")),
    "hash of 5 fields of 16 B": (small_hashes, (b"HSET", b"h", b"f", b"v")),
    "list of 10 elements of 16 B": (small_lists, (b"RPUSH", b"l", b"v")),
    "field of one hash": (one_hash, (b"HSET", b"h", b"f", b"v")),
    "member of one set": (one_set, (b"SADD", b"s", b"m")),
    "member of one sorted set": (one_sorted_set, (b"ZADD", b"z", b"1", b"m")),
}
SMALL = {
    "set of 10 integers": (0.9, 0.6), "hash of 5 fields of 16 B": (0.9, 0.6), "list of 10 elements of 16 B": (0.9, 0.6),
    "field of one hash": (0.7, 0.5), "member of one set": (0.7, 0.5), "member of one sorted set": (0.7, 0.5),
}  # fmt: skip
"""Floor and goal of structures for which they differ: those that are small on both sides, and a large one alone."""


def warmed(node: Node) -> int:
    """Memory of a server that has run each path once, so that code is not counted as data."""
    with node.client() as client:
        client.load(encode(b"SET", b"warm:%d" % i, b"v" * 100) for i in range(1000))
    flush(node)
    return node.settled_bytes()


def per_key(report: Report, nodes: list[Node], count: int) -> None:
    for what, (commands, probe) in SHAPES.items():
        floor, goal = SMALL.get(what, (0.7, 0.45))
        row = report.row("P9", f"one {what} (of {count:,})", "bytes", floor=floor, goal=goal, more_is_better=False)
        for node in nodes:
            node.start()
            try:
                if not serves(node, *probe):
                    continue
                empty = warmed(node)
                with node.client() as client:
                    client.load(commands(count))
                row.add(node.name, (node.settled_bytes() - empty) / count)
            finally:
                node.stop()


def plan(shape: str, count: int, rounds: int) -> Iterator[list[int]]:
    """The sizes of all values, round by round."""
    dice = random.Random(7)
    for turn in range(rounds):
        if shape == "alternate":
            yield [1024 if turn % 2 == 0 else 100] * count
        else:
            yield [dice.randrange(100, 1025) for _ in range(count)]


def rewriting(report: Report, nodes: list[Node], count: int, rounds: int) -> None:
    for shape in ("random", "alternate"):
        title = f"{shape} sizes, {rounds} rounds of {count:,} values"
        live = report.row("P9", f"{title}: memory of live data", "x", floor=1.3, goal=1.15,
                          more_is_better=False, judge="value")
        after = report.row("P9", f"{title}, then FLUSHALL: memory of an empty node", "x", floor=1.2, goal=1.1,
                           more_is_better=False, judge="value")
        for node in nodes:
            node.start()
            try:
                empty = warmed(node)
                total = 0
                with node.client() as client:
                    for sizes in plan(shape, count, rounds):
                        client.load(encode(b"SET", b"k%015d" % i, b"x" * size)
                                    for i, size in enumerate(sizes))
                        total = 16 * count + sum(sizes)
                live.add(node.name, (node.settled_bytes() - empty) / total)
                flush(node)
                after.add(node.name, node.settled_bytes() / empty)
            finally:
                node.stop()


def ready(report: Report, nodes: list[Node], runs: int) -> None:
    row = report.row("P10", "memory at ready, empty", "MB", floor=180, goal=120, more_is_better=False,
                     judge="value")
    for _ in range(runs):
        for node in nodes:
            node.start()
            row.add(node.name, node.resident_bytes() / 1e6)
            node.stop()


def idle(report: Report, nodes: list[Node], count: int) -> None:
    row = report.row("P22", f"one idle connection (of {count:,})", "KB", floor=30, goal=8,
                     more_is_better=False, judge="value")
    for node in nodes:
        node.start()
        links = []
        try:
            before = node.settled_bytes()
            links = [socket.create_connection((HOST, node.port), 30) for _ in range(count)]
            time.sleep(1.0)
            row.add(node.name, (node.settled_bytes() - before) / count / 1000)
            for link in (links[0], links[-1]):  # they must be connections, not refusals
                link.sendall(encode(b"PING"))
                if link.recv(64) != b"+PONG\r\n":
                    raise RuntimeError(f"{node.name} did not keep {count} connections")
        except OSError as error:
            report.note(f"{node.name}: {len(links)} connections, then {error}")
        finally:
            for link in links:
                link.close()
            node.stop()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="keys and members (default 1 M, quick 200,000)")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--rows", nargs="+", default=["keys", "rewriting", "ready", "idle"],
                        choices=["keys", "rewriting", "ready", "idle"])
    options = parse(parser)
    options.set += MANY_CONNECTIONS
    count = options.count or (200_000 if options.quick else 1_000_000)
    rounds = 4 if options.quick else 10
    nodes = [candidate(options), peer(options)]
    with Report("memory", __doc__, options) as report:
        if "keys" in options.rows:
            per_key(report, nodes, count)
        if "rewriting" in options.rows:
            rewriting(report, nodes, count, rounds)
        if "ready" in options.rows:
            ready(report, nodes, options.runs)
        if "idle" in options.rows:
            idle(report, nodes, options.connections)


if __name__ == "__main__":
    main()
