"""Is a durable queue as fast as RabbitMQ's, and what does a message cost the server? (P12)

    python asv_bench/versus/queues.py --quick

One program plays both clients of one queue: a publisher with at most 200 messages of 100 bytes that are
not confirmed, and a consumer that acknowledges every single message (at most 200 not acknowledged). It is
the same compiled loop for both sides (`duet.py`); over AMQP the broker pushes, over RESP the consumer asks
in pipelined rounds. A run ends when every message is confirmed, delivered and acknowledged. CPU is that of
all threads of the server.

What a confirmation promises: RabbitMQ's of a persistent message in a durable classic queue comes after
fsync, or when a consumer has acknowledged the message before it had to be written; its acknowledgements
and deliveries are written later and promise nothing. Synap with `always` answers PUBLISH, CONSUME and ACK
after fsync; with `periodic` all three after write(), so that they outlive a crash of the process, and the
last second may be lost with the machine.
"""

from functools import partial
from pathlib import Path

from amqp import Channel
from client import Client, Refused
from duet import over_amqp, over_resp
from harness import alternate, arguments, candidate, parse, serves
from nodes import Node
from peers import Rabbit, rabbit_script, rabbit_version
from rows import Report

QUEUE = b"q"
DEPTH = b"1000000"
DEADLINE_MS = b"600000"
"""Far beyond a run: no message comes back by itself."""


def waits(node: Node) -> bool:
    """Does CONSUME know WAIT? Without it an empty queue is asked again at once."""
    return serves(node, b"QUEUE.CONSUME", QUEUE, b"c", b"WAIT", b"0.01")


def ours(node: Node, body: bytes, count: int, window: int, patient: bool) -> float:
    with Client(node.port) as publisher, Client(node.port) as consumer:
        spent = over_resp(publisher.socket, consumer.socket, QUEUE, body, count, window, waits=patient)
        told = dict(zip(*[iter(publisher.call(b"QUEUE.STATS", QUEUE))] * 2, strict=True))
        if told[b"depth"] or told[b"pending"]:
            raise RuntimeError(f"messages were left: {told}")
    return spent


def theirs(node: Node, body: bytes, count: int, window: int) -> float:
    with Channel(node.port) as publisher, Channel(node.port) as consumer:
        publisher.declare(QUEUE)
        publisher.purge(QUEUE)
        publisher.confirms()
        spent = over_amqp(publisher, consumer, QUEUE, body, count, window)
    with Channel(node.port) as after:
        if left := after.declare(QUEUE):
            raise RuntimeError(f"{left} messages were left")
    return spent


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, help="in one run (default 400,000, quick 60,000)")
    parser.add_argument("--window", type=int, default=200, help="messages without confirmation")
    parser.add_argument("--bytes", type=int, default=100, help="in a message")
    parser.add_argument("--logs", nargs="+", default=["periodic", "always"], choices=["periodic", "always"])
    options = parse(parser)
    if not 1 <= options.window <= 500:
        parser.error(f"--window is 1 to 500, found {options.window}")
    count = options.messages or (60_000 if options.quick else 400_000)
    body = b"x" * options.bytes
    with Report("queues", __doc__, options) as report:
        if rabbit_script() is None:
            report.note("rabbitmq-server is not installed: no peer (Debian: apt-get install rabbitmq-server)")
        else:
            report.note(f"the peer is {rabbit_version()}")
        for log in options.logs:
            title = f"publish, consume and ack, fsync {log}"
            rows = {"rate": report.row("P12", title, "messages/s", peer="rabbitmq", floor=0.7, goal=2.0),
                    "cpu_us": report.row("P12", f"{title}: server CPU", "us/message", peer="rabbitmq",
                                         more_is_better=False)}
            with candidate(options, log) as node:
                try:
                    with node.client() as client:
                        client.call(b"QUEUE.CREATE", QUEUE, DEPTH, DEADLINE_MS, b"3", b"5")
                except Refused as said:
                    report.note(f"no queues: {said}")
                    continue
                sides = {node.name: partial(ours, body=body, count=count, window=options.window,
                                            patient=waits(node))}
                nodes = [node]
                if rabbit_script():
                    nodes.append(Rabbit(Path(options.root)))
                    sides["rabbitmq"] = partial(theirs, body=body, count=count, window=options.window)

                def measure(node: Node, sides: dict[str, partial[float]] = sides) -> dict[str, float]:
                    before = node.cpu_seconds()
                    spent = sides[node.name](node)
                    return {"rate": count / spent, "cpu_us": (node.cpu_seconds() - before) / count * 1e6}

                try:
                    for other in nodes[1:]:
                        other.start()
                    alternate(nodes, options.runs, measure, rows)
                finally:
                    for other in nodes[1:]:
                        other.remove()


if __name__ == "__main__":
    main()
