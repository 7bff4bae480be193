"""Is Synap as fast as redis-server on RESP, at every depth, with the log off and on? (P1, P2, P3, P4)

    python asv_bench/versus/resp.py --quick
    python asv_bench/versus/resp.py --rows P2 --commands GET SET

Both sides are driven by redis-benchmark with random keys. Before each run everything is flushed; GET
finds all of its keys loaded, LPOP, LRANGE and others find a list. redis-benchmark's RPUSH, LPUSH, LPOP, SADD,
HSET and ZADD use one key each, with random members. Log modes compare like with like: fsync_mode
never / periodic (1 s) against `appendonly yes` with appendfsync no / everysec; dirty pages are synced
before a run, so that no side pays for the other's. Each row of throughput has a row of server CPU time
per command below it: from depth 16 on redis-benchmark is itself the limit.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass

from client import encode
from harness import LOG_OFF, alternate, arguments, candidate, flush, parse, peer, redis_benchmark, serves
from nodes import Node
from rows import Report, Row


@dataclass(frozen=True)
class Test:
    words: tuple[str, ...]
    """What redis-benchmark is told."""
    probe: tuple[bytes, ...]
    """One call that shows whether the command is served."""
    needs: str = ""
    """What must be there: `keys` (all of them), `list` (one element a request), `million` (elements of a list)."""
    share: float = 1.0
    """Requests relative to the others: dear commands run fewer."""


TESTS = {
    "GET": Test(("-t", "get"), (b"GET", b"k"), needs="keys"),
    "SET": Test(("-t", "set"), (b"SET", b"k", b"v")),
    "INCR": Test(("-t", "incr"), (b"INCR", b"n")),
    "LPUSH": Test(("-t", "lpush"), (b"LPUSH", b"l", b"v")),
    "RPUSH": Test(("-t", "rpush"), (b"RPUSH", b"l", b"v")),
    "LPOP": Test(("-t", "lpop"), (b"LPOP", b"none"), needs="list"),
    "RPOP": Test(("-t", "rpop"), (b"RPOP", b"none"), needs="list"),
    "LMOVE": Test(("LMOVE", "mylist", "mylist", "LEFT", "RIGHT"), (b"LMOVE", b"n", b"n", b"LEFT", b"LEFT"), "list"),
    "LINDEX middle": Test(("LINDEX", "mylist", "500000"), (b"LINDEX", b"none", b"0"), "million", 0.1),
    "LSET middle": Test(("LSET", "mylist", "500000", "abc"), (b"LINDEX", b"none", b"0"), "million", 0.1),
    "SADD": Test(("-t", "sadd"), (b"SADD", b"s", b"v")),
    "HSET": Test(("-t", "hset"), (b"HSET", b"h", b"f", b"v")),
    "ZADD": Test(("-t", "zadd"), (b"ZADD", b"z", b"1", b"v")),
    "LRANGE 100": Test(("LRANGE", "mylist", "0", "99"), (b"LRANGE", b"none", b"0", b"1"), "list", 0.1),
    "LRANGE 300": Test(("LRANGE", "mylist", "0", "299"), (b"LRANGE", b"none", b"0", b"1"), "list", 0.05),
    "LRANGE 600": Test(("LRANGE", "mylist", "0", "599"), (b"LRANGE", b"none", b"0", b"1"), "list", 0.03),
    "MSET 10": Test(("-t", "mset"), (b"MSET", b"k", b"v"), share=0.2),
}
ROWS = ("P1", "P2", "P3", "P4")
SIMPLE = ("GET", "SET", "INCR")
LISTS = ("LPUSH", "RPUSH", "LPOP", "RPOP", "LMOVE", "LINDEX middle", "LSET middle")
MANY = ("GET", "SET", "INCR", *LISTS, "SADD", "HSET", "ZADD")
SHORT = ("GET", "SET", "INCR", "RPUSH", "LINDEX middle", "SADD")


@dataclass(frozen=True)
class Question:
    number: str
    log: str
    depth: int
    commands: Sequence[str]
    requests: int
    floor: float
    goal: float
    cpu_floor: float | None = None
    cpu_goal: float | None = None


def questions(quick: bool) -> list[Question]:
    scale = 0.1 if quick else 1.0
    many = SHORT if quick else MANY
    depth_1, deep = int(500_000 * scale), int(2_000_000 * scale)
    return [
        Question("P1", LOG_OFF, 1, SIMPLE, depth_1, 0.9, 1.1),
        Question("P2", LOG_OFF, 16, many, deep, 1.0, 1.5),
        Question("P2", "never", 16, many, deep, 1.0, 1.5),
        Question("P2", "periodic", 16, many, deep, 1.0, 1.5),
        Question("P3", LOG_OFF, 64, SIMPLE, 2 * deep, 1.3, 2.5, 0.7, 0.35),
        Question("P3", LOG_OFF, 128, SIMPLE, 2 * deep, 1.3, 2.5, 0.7, 0.35),
        Question("P4", LOG_OFF, 16, ("LRANGE 100", "LRANGE 300", "LRANGE 600", "MSET 10"), deep, 0.8, 1.5),
    ]


def prepare(node: Node, test: Test, requests: int, options: argparse.Namespace) -> None:
    """The state a run begins with; the keys stay from run to run, because GET changes nothing."""
    if test.needs == "keys":
        with node.client() as client:
            if client.call(b"DBSIZE") == options.keys:
                return
            client.call(b"FLUSHALL")
            value = b"x" * options.value_bytes
            client.load(encode(b"SET", b"key:%012d" % i, value) for i in range(options.keys))
        return
    flush(node)
    if test.needs in ("list", "million"):
        count = requests if test.needs == "list" else 1_000_000
        with node.client() as client:
            element = b"x" * options.value_bytes
            client.load(encode(b"RPUSH", b"mylist", element) for _ in range(count))


def ask(report: Report, question: Question, nodes: Sequence[Node], options: argparse.Namespace) -> None:
    for name in question.commands:
        if options.commands and name not in options.commands:
            continue
        test = TESTS[name]
        title = f"{name}, depth {question.depth}, log {question.log}"
        rate = report.row(question.number, title, "commands/s", floor=question.floor, goal=question.goal)
        cpu = Row(question.number, f"{title}: server CPU", "us/command", floor=question.cpu_floor,
                  goal=question.cpu_goal, more_is_better=False)
        if not all(serves(node, *test.probe) for node in nodes):
            continue
        report.rows.append(cpu)
        requests = max(1000, int(question.requests * test.share))

        def measure(node: Node, test: Test = test, requests: int = requests) -> dict[str, float]:
            prepare(node, test, requests, options)
            if question.log != LOG_OFF:
                os.sync()
            return redis_benchmark(node, *test.words, requests=requests, clients=options.clients,
                                   depth=question.depth, keys=options.keys, value_bytes=options.value_bytes)

        alternate(nodes, options.runs, measure, {"rate": rate, "cpu_us": cpu})


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument("--commands", nargs="+", choices=sorted(TESTS), help="only these")
    parser.add_argument("--logs", nargs="+", default=[LOG_OFF, "never", "periodic"],
                        choices=[LOG_OFF, "never", "periodic"], help="only these log modes")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--value-bytes", type=int, default=3, help="3 is redis-benchmark's own default")
    options = parse(parser)
    asked = [one for one in questions(options.quick)
             if one.number in options.rows and one.log in options.logs]
    with Report("resp", __doc__, options) as report:
        for log in dict.fromkeys(one.log for one in asked):
            with candidate(options, log) as ours, peer(options, log) as theirs:
                for question in (one for one in asked if one.log == log):
                    ask(report, question, [ours, theirs], options)


if __name__ == "__main__":
    main()
