"""Does a message reach a hundred subscribers as fast as with redis-server, and how late is the last? (P14)

    python asv_bench/versus/fanout.py --quick

One publisher and 100 subscribers of one channel over RESP (SUBSCRIBE, PUBLISH), log off, messages of 100
bytes. Closed loop: with depth 1 the next message is published when the answer to PUBLISH is here and all
subscribers have the last one; with depth 16 there are at most 16 such messages under way. A delivery is one
message at one subscriber; its time runs from the write that carried its PUBLISH to the `recv` that brought
its last byte. One compiled loop with epoll plays all 101 clients on the client core: as many deliveries a
second as there are, it is itself much of what is measured, so the server's CPU time stands beside it.
"""

import ctypes
import select
from collections.abc import Sequence

import numba
import numpy as np
from client import Client, Refused, encode
from duet import words
from harness import alternate, arguments, candidate, parse, peer
from loops import (
    CLOSED,
    DONT_WAIT,
    MINUS,
    REFUSED,
    STALL_MS,
    STALLED,
    _libc,
    _recv,
    checked,
    line_end,
    now_ns,
    send_some,
    shift,
)
from nodes import Node
from rows import Report

_epoll = _libc.epoll_wait
_epoll.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int, ctypes.c_int]
_epoll.restype = ctypes.c_int
EVENT_BYTES = 12
"""`struct epoll_event` is packed here: 4 bytes of flags, 8 of data, whose first 4 are the descriptor."""
EVENTS_MAX = 256
CHANNEL = b"news"
DEPTHS = (1, 16)
BARS = (0.5, 1.0)


@numba.njit(nogil=True)
def _run(waits, publisher, place, subscribers, unit, unit_bytes, message_bytes, count, depth, taken, clock):
    """Publish `count` messages; ns for every delivery go into `taken`. The time it took, or why not.

    `place[fd]` is a subscriber's row. All messages have one size, so a subscriber has as many as its bytes.
    """
    buffer = np.empty(1 << 18, np.uint8)
    events = np.zeros(EVENTS_MAX * EVENT_BYTES, np.uint8)
    fields = events.view(np.int32)
    begun = np.zeros(count, np.int64)
    got_bytes = np.zeros(subscribers, np.int64)
    missing = np.full(count, subscribers, np.int64)
    issued = answered = low = done = filled = sent = stop = 0
    start = now_ns(clock)
    while done < count * subscribers or answered < count:
        room = min(depth - (issued - min(answered, low)), count - issued)
        if sent == stop and room > 0:
            begun[issued : issued + room] = now_ns(clock)
            issued += room
            sent, stop = 0, room * unit_bytes
        sent = send_some(publisher, unit, sent, stop)
        ready = _epoll(waits, events.ctypes.data, EVENTS_MAX, STALL_MS)
        if ready <= 0:
            return STALLED
        for i in range(ready):
            link = fields[3 * i + 1]
            if link == publisher:
                got = _recv(link, buffer.ctypes.data + filled, 4096, DONT_WAIT)
                if got == 0:
                    return CLOSED
                at, filled = 0, filled + max(0, got)
                while True:
                    after = line_end(buffer, at, filled)
                    if after < 0:
                        break
                    if buffer[at] == MINUS:
                        return REFUSED
                    answered += 1
                    at = after
                filled = shift(buffer, at, filled)
                continue
            row = place[link]
            got = _recv(link, buffer.ctypes.data + 8192, len(buffer) - 8192, DONT_WAIT)
            if got == 0:
                return CLOSED
            if got < 0:
                continue
            now = now_ns(clock)
            before = got_bytes[row] // message_bytes
            got_bytes[row] += got
            for each in range(before, got_bytes[row] // message_bytes):
                if each >= issued:
                    return REFUSED
                taken[done] = now - begun[each]
                done += 1
                missing[each] -= 1
        while low < count and missing[low] == 0:
            low += 1
    return now_ns(clock) - start


class Crowd:
    """A publisher and its subscribers, connected for good: only messages are measured."""

    def __init__(self, node: Node, subscribers: int, body: bytes) -> None:
        self.message = encode(b"PUBLISH", CHANNEL, body)
        self.brought = len(encode(b"message", CHANNEL, body))
        self.publisher = Client(node.port)
        self.listeners = [Client(node.port) for _ in range(subscribers)]
        self.waits = select.epoll()
        for each in self.listeners:
            said = each.call(b"SUBSCRIBE", CHANNEL)
            if said != [b"subscribe", CHANNEL, 1]:
                raise Refused(f"SUBSCRIBE answered {said!r}")
            self.waits.register(each.socket, select.EPOLLIN)
        self.waits.register(self.publisher.socket, select.EPOLLIN)
        self.place = np.zeros(1 + max(each.socket.fileno() for each in self.listeners), np.int32)
        for row, each in enumerate(self.listeners):
            self.place[each.socket.fileno()] = row
        heard = self.publisher.call(b"PUBLISH", CHANNEL, body)
        if heard != subscribers:
            raise RuntimeError(f"PUBLISH reached {heard} of {subscribers} subscribers")
        for each in self.listeners:
            if each.reply() != [b"message", CHANNEL, body]:
                raise RuntimeError("a subscriber got something else")

    def close(self) -> None:
        self.waits.close()
        for each in (self.publisher, *self.listeners):
            each.__exit__()

    def run(self, count: int, depth: int) -> tuple[float, np.ndarray]:
        """Deliveries a second, and the times of all of them in ms."""
        taken = np.zeros(count * len(self.listeners), np.int64)
        spent = checked(_run(
            self.waits.fileno(), self.publisher.socket.fileno(), self.place, len(self.listeners),
            words(self.message * depth), len(self.message), self.brought, count, depth, taken,
            np.zeros(2, np.int64)))
        return len(taken) / spent * 1e9, taken / 1e6


def compare(report: Report, nodes: Sequence[Node], crowds: dict[str, Crowd], runs: int, messages: int) -> None:
    for depth in DEPTHS:
        floor, goal = BARS
        title = f"PUBLISH to {len(crowds[nodes[0].name].listeners)} subscribers, depth {depth}"
        rows = {"rate": report.row("P14", title, "deliveries/s", floor=floor, goal=goal),
                "p50_ms": report.row("P14", f"{title}: p50 of a delivery", "ms", more_is_better=False),
                "p99_ms": report.row("P14", f"{title}: p99 of a delivery", "ms", more_is_better=False),
                "cpu_us": report.row("P14", f"{title}: server CPU", "us/delivery", more_is_better=False)}

        def measure(node: Node, depth: int = depth) -> dict[str, float]:
            before = node.cpu_seconds()
            rate, taken = crowds[node.name].run(messages, depth)
            used = node.cpu_seconds() - before
            return {"rate": rate, "p50_ms": float(np.quantile(taken, 0.5)), "cpu_us": used / len(taken) * 1e6,
                    "p99_ms": float(np.quantile(taken, 0.99))}

        alternate(nodes, runs, measure, rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--messages", type=int, help="in one run (default 20,000, quick 4,000)")
    parser.add_argument("--bytes", type=int, default=100, help="in a message")
    options = parse(parser)
    messages = options.messages or (4000 if options.quick else 20_000)
    body = b"x" * options.bytes
    with Report("fanout", __doc__, options) as report:
        with candidate(options) as ours, peer(options) as theirs:
            crowds: dict[str, Crowd] = {}
            try:
                for node in (ours, theirs):
                    crowds[node.name] = Crowd(node, options.subscribers, body)
                compare(report, [ours, theirs], crowds, options.runs, messages)
            finally:
                for crowd in crowds.values():
                    crowd.close()


if __name__ == "__main__":
    main()
