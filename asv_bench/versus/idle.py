"""What does a server with a thousand queues and a thousand rooms cost while nobody asks anything? (P23)

    python asv_bench/versus/idle.py --quick

Synap holds 1,000 queues, each with three messages, one of them leased until long after the run, and 1,000
rooms of three events that are kept for a day; redis-server holds 1,000 lists and 1,000 streams of three,
each with a time to live. One connection stays open and silent. After a pause in which what loading left
behind is written, the CPU time of the whole process (user and system, all threads) is taken for 20 seconds.
"""

import time
from collections.abc import Iterator

from client import Refused, encode
from harness import alternate, arguments, candidate, parse, peer
from nodes import Node, Redis
from rows import Report

MANY = 1000
FEW = 3
BODY = b"x" * 100
PAUSE_S = 5.0
DAY_S, DAY_MS = b"86400", b"86400000"


def of_synap() -> Iterator[bytes]:
    for i in range(MANY):
        queue, room = b"queue:%d" % i, b"room:%d" % i
        yield encode(b"QUEUE.CREATE", queue, b"1000", DAY_MS, b"3", b"5")
        yield encode(b"STREAM.CREATE", room, b"RETENTION", DAY_S)
        yield encode(b"STREAM.PUBLISH", room, b"said", *[BODY] * FEW)


def of_redis() -> Iterator[bytes]:
    for i in range(MANY):
        queue, room = b"queue:%d" % i, b"room:%d" % i
        yield encode(b"RPUSH", queue, *[BODY] * FEW)
        yield encode(b"EXPIRE", queue, DAY_S)
        for each in range(FEW):
            yield encode(b"XADD", room, b"1-%d" % (each + 1), b"said", BODY)
        yield encode(b"EXPIRE", room, DAY_S)


def load(node: Node) -> None:
    with node.client() as client:
        if isinstance(node, Redis):
            for command in of_redis():
                client.socket.sendall(command)
                client.reply()
            return
        client.load(of_synap())
        for i in range(MANY):
            for _ in range(FEW):
                client.call(b"QUEUE.PUBLISH", b"queue:%d" % i, BODY)
            if not client.call(b"QUEUE.CONSUME", b"queue:%d" % i, b"c"):
                raise RuntimeError("a queue has lost its messages")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parse(parser)
    title = f"idle with {MANY:,} queues and {MANY:,} rooms, {options.seconds:g} s"
    with (Report("idle", __doc__, options) as report, candidate(options, "periodic") as ours,
          peer(options, "periodic") as theirs):
        rows = {"percent": report.row("P23", title, "% of a core", floor=2.0, goal=0.5, judge="value",
                                      more_is_better=False)}
        try:
            for node in (ours, theirs):
                load(node)
        except Refused as said:
            report.note(f"no queues or rooms: {said}")
            return
        time.sleep(PAUSE_S)

        def measure(node: Node) -> dict[str, float]:
            with node.client() as client:
                client.call(b"PING")
                time.sleep(1.0)
                before, begun = node.cpu_seconds(), time.monotonic()
                time.sleep(options.seconds)
                used, spent = node.cpu_seconds() - before, time.monotonic() - begun
            return {"percent": used / spent * 100}

        alternate([ours, theirs], options.runs, measure, rows, warm=False)


if __name__ == "__main__":
    main()
