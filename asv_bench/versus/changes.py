"""What do readers of the change feed cost those who write, and how late is a change? (change feed)

    python asv_bench/versus/changes.py --quick
    python asv_bench/versus/changes.py --form changes

redis-benchmark writes as in P2: SET at depth 16 from 50 clients, with the log on. Beside it nobody reads, one reader
does, or ten do; all of them read every change. The peer of each row is the same server without readers, in turn with
the others. The readers are processes of their own on the core of redis-benchmark; they drop what they read, so
that little of what is lost is theirs. The rows of server CPU show what the server itself spends.

A reader asks for changes again as soon as it has some (`CHANGES.FRAMES .. WAIT`). The delay is the time from the
change, as its frame has it in whole ms, until the reader has read the reply: of the oldest change in each reply.
`--form changes` reads changes one by one (`CHANGES`), which no reader in Python does at this rate: the rows then show
that such readers fall behind, and that they do not cost more.
"""

import json
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from client import HOST, Client, Refused, encode
from harness import arguments, candidate, flush, parse, quantile, redis_benchmark
from nodes import CORE_CLIENT, Node, child
from rows import Report

FLOORS = {1: 0.9, 10: 0.75}
DELAY_MS = 20.0
BYTES = b"4000000"
HEAD = re.compile(rb"next\r\n:(\d+)\r\n.*count\r\n:(\d+)\r\n\$6\r\nframes\r\n\$(\d+)\r\n", re.DOTALL)
HEAD_BYTES = 192


def read(port: int, form: str) -> None:
    """Read changes until a line arrives on standard input; print how many, and the delays in ms."""
    reader = Frames(port) if form == "frames" else Changes(port)
    count, delays = 0, []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        read_now, oldest = reader.next()
        if read_now:
            count += read_now
            delays.append(time.time() * 1000 - oldest)
    print(json.dumps({"count": count, "delays": delays}), flush=True)


class Frames:
    """A reader of frames that drops what it reads, but for what it needs: one on another machine would cost this
    machine nothing."""

    def __init__(self, port: int) -> None:
        with Client(port) as client:
            self.place = named(client.call(b"CHANGES", b"LIMIT", b"1"))[b"next"]
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect((HOST, port))

    def next(self) -> tuple[int, int]:
        """Wait for changes; return how many there are, and the time of the first."""
        self.socket.sendall(
            encode(b"CHANGES.FRAMES", b"BYTES", BYTES, b"FROM", b"%d" % self.place, b"WAIT", b"0.2"))
        head = b""
        while (found := HEAD.search(head)) is None:
            head += self.socket.recv(HEAD_BYTES - len(head))
        count, size = int(found[2]), int(found[3])
        left = size + 2 - (len(head) - found.end())
        while left:
            left -= len(self.socket.recv(min(left, 1 << 20), socket.MSG_TRUNC))
        self.place = int(found[1])
        return count, struct.unpack_from("<q", head, found.end() + 16)[0] if count else 0


class Changes:
    """A reader of changes one by one."""

    def __init__(self, port: int) -> None:
        self.client = Client(port)
        self.place = named(self.client.call(b"CHANGES", b"LIMIT", b"1"))[b"next"]

    def next(self) -> tuple[int, int]:
        """Wait for changes; return how many there are, and the time of the first."""
        found = named(self.client.call(
            b"CHANGES", b"LIMIT", b"1000", b"FROM", b"%d" % self.place, b"WAIT", b"0.2"))
        self.place, changes = found[b"next"], found[b"changes"]
        return len(changes), named(changes[0])[b"time"] if changes else 0


def named(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


class Readers:
    """So many readers, each a process."""

    def __init__(self, node: Node, count: int, form: str) -> None:
        self.processes = [
            subprocess.Popen([sys.executable, str(Path(__file__).resolve()), "--read", str(node.port), form],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=child(CORE_CLIENT))
            for _ in range(count)
        ]
        for process in self.processes:
            assert process.stdout is not None
            process.stdout.readline()

    def stop(self) -> list[dict[str, Any]]:
        return [json.loads(process.communicate("\n", timeout=120)[0]) for process in self.processes]


def main() -> None:
    if sys.argv[1:2] == ["--read"]:
        read(int(sys.argv[2]), sys.argv[3])
        return
    parser = arguments(__doc__)
    parser.add_argument("--form", choices=["frames", "changes"], default="frames", help="what the readers ask for")
    options = parse(parser)
    requests = 1_000_000 if options.quick else 4_000_000
    with candidate(options, "periodic") as node, Report("changes", __doc__, options) as report:
        try:
            with node.client() as client:
                client.call(b"CHANGES")
        except Refused:
            return
        rows = {}
        for count, floor in FLOORS.items():
            title = f"SET, depth 16, {count} reader{'s' if count > 1 else ''}"
            rows[count] = {
                "rate": report.row("feed", title, "commands/s", peer="alone", floor=floor, goal=1.0),
                "cpu_us": report.row("feed", f"{title}: server CPU", "us/command", peer="alone", more_is_better=False),
                "delay": report.row("feed", f"{title}: delay of a change, p99", "ms", peer="-", floor=DELAY_MS,
                                    goal=5.0, more_is_better=False, judge="value"),
                "share": report.row("feed", f"{title}: changes that a reader has read when the load ends", "%",
                                    peer="-"),
            }
        for turn in range(options.runs + 1):
            for count in (0, *FLOORS):
                flush(node)
                readers = Readers(node, count, options.form)
                figures = redis_benchmark(node, "-t", "set", requests=requests, depth=16)
                found = readers.stop()
                if not turn:
                    continue
                if not count:
                    for each in rows.values():
                        each["rate"].add("alone", figures["rate"])
                        each["cpu_us"].add("alone", figures["cpu_us"])
                    continue
                rows[count]["rate"].add("synap", figures["rate"])
                rows[count]["cpu_us"].add("synap", figures["cpu_us"])
                delays = [delay for one in found for delay in one["delays"]]
                rows[count]["delay"].add("synap", quantile(delays, 0.99))
                rows[count]["share"].add("synap", 100 * min(one["count"] for one in found) / requests)


if __name__ == "__main__":
    main()
