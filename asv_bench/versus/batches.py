"""How fast does a Python program consume and acknowledge a durable queue, through the client of each side? (P12)

    python asv_bench/versus/batches.py --quick

The queue holds messages of 100 bytes. One program takes all of them and acknowledges 100 at a time, in one thread:

    Synap       `for message in queue.consume("c", until_empty=True)` of synap.client, which leases at most 100 ahead
    RabbitMQ    `channel.consume` of pika's BlockingConnection with prefetch 100, and `basic_ack` of every hundredth
                message with `multiple=True`

Each reads the bytes of every payload. CPU is that of the program. The rate says what a consumer that does nothing else
can reach; the servers are far from their limits. The script needs pika (`pip install pika`).
"""

import sys
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import alternate, arguments, candidate, parse
from nodes import Node
from peers import Rabbit, rabbit_script, rabbit_version
from rows import Report

import synap.client

QUEUE = "q"
BATCH = 100


def ours(node: Node, body: bytes, count: int) -> dict[str, float]:
    with synap.client.connect(f"synap://127.0.0.1:{node.port}") as client:
        queue = client.queue(QUEUE)
        queue.create(max_depth=10_000_000, ack_deadline_s=600)
        for first in range(0, count, 1000):
            queue.publish_many([body] * min(1000, count - first))
        seen, began, used = 0, time.perf_counter(), time.process_time()
        with queue.consume("c", until_empty=True, prefetch=BATCH) as messages:
            for message in messages:
                seen += len(message.payload)
        spent, cpu = time.perf_counter() - began, time.process_time() - used
        stats = queue.stats()
        check(seen == count * len(body) and not stats["depth"] and not stats["pending"])
    return {"rate": count / spent, "cpu_us": cpu / count * 1e6}


def theirs(node: Node, body: bytes, count: int, pika: Any) -> dict[str, float]:
    parameters = pika.ConnectionParameters("127.0.0.1", node.port, heartbeat=0)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        persistent = pika.BasicProperties(delivery_mode=2)
        for _ in range(count):
            channel.basic_publish("", QUEUE, body, persistent)
        while channel.queue_declare(QUEUE, durable=True).method.message_count < count:
            time.sleep(0.05)
        channel.basic_qos(prefetch_count=BATCH)
        seen, left, began, used = 0, count, time.perf_counter(), time.process_time()
        for method, _, payload in channel.consume(QUEUE):
            seen += len(payload)
            left -= 1
            if left % BATCH == 0:
                channel.basic_ack(method.delivery_tag, multiple=True)
            if not left:
                break
        channel.queue_declare(QUEUE, durable=True)  # answered once the last ack has arrived
        spent, cpu = time.perf_counter() - began, time.process_time() - used
        channel.cancel()
        check(seen == count * len(body) and channel.queue_declare(QUEUE, durable=True).method.message_count == 0)
    return {"rate": count / spent, "cpu_us": cpu / count * 1e6}


def check(fine: bool) -> None:
    if not fine:
        raise RuntimeError("messages were left, or read twice")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, help="in one run (default 100,000, quick 30,000)")
    parser.add_argument("--bytes", type=int, default=100, help="in a message")
    options = parse(parser)
    count = BATCH * max((options.messages or (30_000 if options.quick else 100_000)) // BATCH, 1)
    body = b"x" * options.bytes
    with Report("batches", __doc__, options) as report:
        pika: Any = None
        if rabbit_script() is None:
            report.note("rabbitmq-server is not installed: no peer (Debian: apt-get install rabbitmq-server)")
        else:
            try:
                import pika
                report.note(f"the peer is pika {version('pika')} on {rabbit_version()}")
            except (ImportError, PackageNotFoundError):
                report.note("pika is not installed: no peer (pip install pika)")
        title = "consume and ack 100 at a time in Python"
        rows = {"rate": report.row("P12", title, "messages/s", peer="rabbitmq", floor=3.0, goal=10.0),
                "cpu_us": report.row("P12", f"{title}: CPU of the program", "us/message", peer="rabbitmq",
                                     more_is_better=False)}
        with candidate(options, "periodic") as node:
            sides = {node.name: partial(ours, body=body, count=count)}
            nodes = [node]
            if pika is not None:
                nodes.append(Rabbit(Path(options.root)))
                sides["rabbitmq"] = partial(theirs, body=body, count=count, pika=pika)
            try:
                for other in nodes[1:]:
                    other.start()
                alternate(nodes, options.runs, lambda node: sides[node.name](node), rows)
            finally:
                for other in nodes[1:]:
                    other.remove()


if __name__ == "__main__":
    main()
