"""Is redis-py's default pipeline (MULTI, 10 x SET/GET/INCR, EXEC) as fast on Synap? (P2b, first half)

    python asv_bench/versus/pipeline.py --quick

Two views, because redis-py itself takes most of the time of one round trip:

    redis-py          one client, one pipeline after the other: what a program sees
    the same bytes    the request that redis-py sends, over 50 connections at once, from a compiled
                      client: what the server can do. Server CPU per pipeline stands beside both.
"""

import time
from collections.abc import Sequence

import redis
from client import encode
from harness import alternate, arguments, candidate, flush, parse, peer
from nodes import Node
from paced import Load
from rows import Report, Row

STEPS = 10
KEYS = 1000
COUNTER = 1_000_000_000
"""Counters start here, so that all replies have one length."""


def steps(turn: int) -> list[tuple[str, ...]]:
    """SET, GET and INCR in turn on keys that change from pipeline to pipeline."""
    kinds = (("SET", "key:%04d", "value-of-16-bytes"), ("GET", "key:%04d"), ("INCR", "counter:%04d"))
    return [tuple(word % ((turn * STEPS + i) % KEYS) if "%" in word else word for word in kinds[i % 3])
            for i in range(STEPS)]


def fill(node: Node) -> None:
    flush(node)
    with node.client() as client:
        client.load(encode(b"SET", b"key:%04d" % i, b"value-of-16-bytes") for i in range(KEYS))
        client.load(encode(b"SET", b"counter:%04d" % i, b"%d" % COUNTER) for i in range(KEYS))


def through_library(node: Node, count: int) -> dict[str, float]:
    """Pipelines per second of one redis-py client, as its documentation writes them."""
    fill(node)
    client = redis.Redis(port=node.port)
    before, begun = node.cpu_seconds(), time.perf_counter()
    for turn in range(count):
        with client.pipeline() as batch:
            for words in steps(turn):
                batch.execute_command(*words)
            answers = batch.execute()
    spent, used = time.perf_counter() - begun, node.cpu_seconds() - before
    client.close()
    if len(answers) != STEPS or answers[0] is not True:
        raise RuntimeError(f"unexpected answers: {answers!r}")
    return {"rate": count / spent, "cpu_us": used / count * 1e6}


def blocks() -> Sequence[bytes]:
    """What redis-py writes for these pipelines, byte for byte."""
    packed = []
    for turn in range(KEYS // STEPS):
        words = [("MULTI",), *steps(turn), ("EXEC",)]
        packed.append(b"".join(encode(*(word.encode() for word in each)) for each in words))
    return packed


def saturated(node: Node, count: int, clients: int) -> dict[str, float]:
    fill(node)
    with Load(node, blocks(), clients) as load:
        before = node.cpu_seconds()
        rate, _ = load.saturate(count)
        return {"rate": rate, "cpu_us": (node.cpu_seconds() - before) / count * 1e6}


def pair(report: Report, title: str) -> dict[str, Row]:
    return {"rate": report.row("P2b", title, "pipelines/s", floor=1.0, goal=1.5),
            "cpu_us": report.row("P2b", f"{title}: server CPU", "us/pipeline", more_is_better=False)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--clients", type=int, default=50)
    options = parse(parser)
    few, many = (1000, 10_000) if options.quick else (20_000, 200_000)
    with Report("pipeline", __doc__, options) as report, candidate(options) as ours, peer(options) as theirs:
        nodes = [ours, theirs]
        alternate(nodes, options.runs, lambda node: through_library(node, few),
                  pair(report, "redis-py, 1 client"))
        alternate(nodes, options.runs, lambda node: saturated(node, many, options.clients),
                  pair(report, f"the same bytes, {options.clients} connections"))


if __name__ == "__main__":
    main()
