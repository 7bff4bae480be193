"""Are bitmaps of 64 MiB and HyperLogLogs faster than in redis-server? (P2)

    python asv_bench/versus/bits.py --quick

One client sends one command at a time. Most calls take much longer than the way to the server; of the last three the
way is the larger part, as in P1. Both sides hold the same random bitmaps, and the same HyperLogLogs: dense ones of
100,000 elements. PFCOUNT of one key is left out, as Redis answers it from the count that it has stored. The log is off.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from client import Client
from harness import LOG_OFF, alternate, arguments, candidate, parse, peer
from nodes import Node
from rows import Report

MIB = 1 << 20
BITMAP = 64 * MIB
SKETCHES, ELEMENTS = 8, 100_000


@dataclass(frozen=True)
class Question:
    title: str
    words: tuple[bytes, ...]
    times: int
    floor: float = 1.0
    goal: float = 3.0


NAMES = tuple(b"h%d" % i for i in range(SKETCHES))
QUESTIONS = (
    Question("BITCOUNT of 64 MiB", (b"BITCOUNT", b"a"), 20),
    Question("BITCOUNT of 64 MiB but 3 bits", (b"BITCOUNT", b"a", b"1", b"-3", b"BIT"), 20),
    Question("BITPOS in 64 MiB of zeros", (b"BITPOS", b"zeros", b"1"), 20),
    Question("BITOP AND of two of 64 MiB", (b"BITOP", b"AND", b"d", b"a", b"b"), 10),
    Question("BITOP XOR of three of 64 MiB", (b"BITOP", b"XOR", b"d", b"a", b"b", b"zeros"), 10),
    Question("BITOP NOT of 64 MiB", (b"BITOP", b"NOT", b"d", b"a"), 10),
    Question("PFCOUNT of 8 keys", (b"PFCOUNT", *NAMES), 2000),
    Question("PFMERGE of 8 keys", (b"PFMERGE", b"merged", *NAMES), 2000),
    Question("PFADD of 100 elements", (b"PFADD", b"h0", *(b"element:%d" % i for i in range(100))), 5000, 0.9, 1.1),
    Question("BITFIELD of 4 operations",
             (b"BITFIELD", b"f", *b"INCRBY u8 0 1 GET i16 #3 SET u5 77 3 OVERFLOW SAT INCRBY i33 #9 5".split()), 10000,
             0.9, 1.1),
    Question("SETBIT", (b"SETBIT", b"a", b"12345678", b"1"), 10000, 0.9, 1.1),
)  # fmt: skip


def prepare(node: Node) -> None:
    chance = Random(1)
    with node.client() as client:
        client.call(b"FLUSHALL")
        for name in (b"a", b"b"):
            client.call(b"SET", name, chance.randbytes(BITMAP))
        client.call(b"SETBIT", b"zeros", b"%d" % (BITMAP * 8 - 1), b"1")
        for name in NAMES:
            for _ in range(ELEMENTS // 1000):
                client.call(b"PFADD", name, *(chance.randbytes(12) for _ in range(1000)))


def seconds(client: Client, question: Question, times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        client.call(*question.words)
    return (time.perf_counter() - begun) / times


def ask(report: Report, nodes: Sequence[Node], options: argparse.Namespace) -> None:
    for node in nodes:
        prepare(node)
    for question in QUESTIONS:
        times = max(3, question.times // (4 if options.quick else 1))
        row = report.row("P2", question.title, "calls/s", floor=question.floor, goal=question.goal)

        def measure(node: Node, question: Question = question, times: int = times) -> dict[str, float]:
            with node.client() as client:
                return {"rate": 1 / seconds(client, question, times)}

        alternate(nodes, options.runs, measure, {"rate": row})


def main() -> None:
    options = parse(arguments(__doc__))
    with Report("bits", __doc__, options) as report:
        with candidate(options, LOG_OFF) as ours, peer(options, LOG_OFF) as theirs:
            ask(report, [ours, theirs], options)


if __name__ == "__main__":
    main()
