"""How many bytes of memory does a message cost while it waits in a queue? (messages of 100 bytes, a million of them)

    python asv_bench/versus/backlog.py --quick

    ready      published, and asked for by nobody
    leased     delivered to one consumer, and not acknowledged
    delayed    published, and not to be delivered yet

All figures are resident memory of the server's processes, once it no longer changes, less that of the empty server,
divided by the number of messages; a new server for each. RabbitMQ keeps them in a durable classic queue (its version
is noted); it has no delays, so its delayed messages wait in a queue that nobody reads. What a broker keeps on the
disk alone is no memory: RabbitMQ moves messages there as it sees fit. Redis keeps them in a stream; leased ones were
read by a group.
"""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import amqp
from amqp import Channel
from client import encode
from harness import arguments, candidate, parse, peer
from nodes import Node
from peers import Rabbit, rabbit_script, rabbit_version
from rows import Report

QUEUE, GROUP = b"q", b"g"
BATCH = 100
STATES = ("ready", "leased", "delayed")


def published(count: int, body: bytes, state: str) -> Iterator[bytes]:
    """The calls that publish, and lease, so many messages."""
    delay = (b"DELAY", b"100000") if state == "delayed" else ()
    for _ in range(count // BATCH):
        yield encode(b"QUEUE.MPUBLISH", QUEUE, *delay, b"MESSAGES", *[body] * BATCH)
    if state == "leased":
        for _ in range(count // BATCH):
            yield encode(b"QUEUE.MCONSUME", QUEUE, b"worker", b"%d" % BATCH)


def added(count: int, body: bytes, state: str) -> Iterator[bytes]:
    """The same of a stream of Redis."""
    for _ in range(count):
        yield encode(b"XADD", QUEUE, b"*", b"f", body)
    if state == "leased":
        for _ in range(count // BATCH):
            yield encode(b"XREADGROUP", b"GROUP", GROUP, b"worker", b"COUNT", b"%d" % BATCH, b"STREAMS", QUEUE, b">")


def carry_out(node: Node, commands: Iterator[bytes]) -> None:
    """Send the commands, some at once, and read their replies."""
    with node.client() as client:
        while some := list(islice(commands, 200)):
            client.socket.sendall(b"".join(some))
            for _ in some:
                client.reply()


def ours(node: Node, count: int, body: bytes, state: str) -> None:
    with node.client() as client:
        client.call(b"QUEUE.CREATE", QUEUE, b"100000000", b"100000000", b"3", b"5")
    carry_out(node, published(count, body, state))
    with node.client() as client:
        told = dict(zip(*[iter(client.call(b"QUEUE.STATS", QUEUE))] * 2, strict=True))
        held = told[{"ready": b"depth", "leased": b"pending", "delayed": b"delayed"}[state]]
        if held != count:
            raise RuntimeError(f"wanted {count} messages that are {state}, found {held}")


def redis(node: Node, count: int, body: bytes, state: str) -> None:
    with node.client() as client:
        client.call(b"XGROUP", b"CREATE", QUEUE, GROUP, b"$", b"MKSTREAM")
    carry_out(node, added(count, body, state))


def rabbit(node: Node, count: int, body: bytes, state: str) -> Channel | None:
    """Publish all; with `leased` read all without acknowledging any, over a channel that stays open."""
    with Channel(node.port) as publisher:
        publisher.declare(QUEUE)
        message = amqp.publish(QUEUE, body)
        for _ in range(count // 1000):
            publisher.socket.sendall(message * 1000)
        deadline = time.monotonic() + 120
        while (held := publisher.declare(QUEUE)) != count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"wanted {count} messages, found {held}")
            time.sleep(0.1)
    if state != "leased":
        return None
    consumer = Channel(node.port)
    consumer.consume(QUEUE, 0)
    seen = 0
    while seen < count:
        seen += consumer.socket.recv(1 << 20).count(body)
    return consumer


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, help="(default 1,000,000, quick 200,000)")
    options = parse(parser)
    count = options.messages or (200_000 if options.quick else 1_000_000)
    body = b"x" * 100
    with Report("backlog", __doc__, options) as report:
        if rabbit_script() is None:
            report.note("rabbitmq-server is not installed: no such peer (Debian: apt-get install rabbitmq-server)")
        else:
            report.note(f"the peer is {rabbit_version()}")
        for state in STATES:
            title = f"a message of 100 B, {state} (of {count:,})"
            broker = report.row("P12", title, "bytes", peer="rabbitmq", floor=0.7, goal=0.4, more_is_better=False)
            stream = report.row("P12", f"{title}, or an entry", "bytes", peer="redis", floor=0.7, goal=0.4,
                                more_is_better=False)  # fmt: skip
            node = candidate(options)
            node.start()
            try:
                empty = node.settled_bytes()
                ours(node, count, body, state)
                figure = (node.settled_bytes() - empty) / count
                broker.add(node.name, figure)
                stream.add(node.name, figure)
            finally:
                node.remove()
            if state != "delayed":
                other = peer(options)
                other.start()
                try:
                    empty = other.settled_bytes()
                    redis(other, count, body, state)
                    stream.add(other.name, (other.settled_bytes() - empty) / count)
                finally:
                    other.remove()
            if rabbit_script():
                other = Rabbit(Path(options.root))
                other.start()
                channel = None
                try:
                    empty = other.settled_bytes()
                    channel = rabbit(other, count, body, state)
                    broker.add(other.name, (other.settled_bytes() - empty) / count)
                finally:
                    if channel:
                        channel.__exit__()
                    other.remove()


if __name__ == "__main__":
    main()
