"""A load client that is fast enough to be honest: compiled, on the client core, over plain sockets.

redis-benchmark cannot keep a pace, and a Python event loop cannot send 60,000 requests a second without
adding its own delays. So two loops are compiled with numba and call `send`, `recv` and `clock_gettime`
of the C library directly:

    paced      open loop: request i is due at start + i x interval, whatever happened to those before;
               its latency runs from when it was due (no coordinated omission)
    saturate   closed loop: every connection sends its next request when its reply is complete

All requests of a run have one size, and so have all replies: replies are counted by their bytes.
"""

import ctypes
import socket
from collections.abc import Sequence

import numba
import numpy as np
from client import HOST
from nodes import Node

_libc = ctypes.CDLL(None)
_send, _recv, _clock, _yield = _libc.send, _libc.recv, _libc.clock_gettime, _libc.sched_yield
_send.argtypes = _recv.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
_send.restype = _recv.restype = ctypes.c_ssize_t
_clock.argtypes, _clock.restype = [ctypes.c_int, ctypes.c_size_t], ctypes.c_int
_yield.argtypes, _yield.restype = [], ctypes.c_int

MONOTONIC = 1
DONT_WAIT = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
OUTSTANDING_MAX = 4096
"""Requests without a reply on one connection; beyond that the server has fallen behind for good."""
STALL_NS_MAX = 60_000_000_000


@numba.njit
def _now(clock):
    _clock(MONOTONIC, clock.ctypes.data)
    return clock[0] * 1_000_000_000 + clock[1]


@numba.njit(nogil=True)
def _paced(sockets, requests, reply_bytes, interval_ns, taken):
    """Fill `taken` (ns per request, in order of completion); number completed."""
    links, (kinds, size), count = len(sockets), requests.shape, len(taken)
    due = np.zeros((links, OUTSTANDING_MAX), np.int64)
    sent = np.zeros(links, np.int64)
    received = np.zeros(links, np.int64)
    partial = np.zeros(links, np.int64)
    buffer = np.zeros(1 << 16, np.uint8)
    clock = np.zeros(2, np.int64)
    start = progress = now = _now(clock)
    issued = done = 0
    while done < count:
        while issued < count and start + issued * interval_ns <= now:
            link = issued % links
            if sent[link] - received[link] == OUTSTANDING_MAX:
                break
            if _send(sockets[link], requests[issued % kinds].ctypes.data, size, DONT_WAIT) != size:
                break
            due[link, sent[link] % OUTSTANDING_MAX] = start + issued * interval_ns
            sent[link] += 1
            issued += 1
        for link in range(links):
            if sent[link] == received[link]:
                continue
            got = _recv(sockets[link], buffer.ctypes.data, len(buffer), DONT_WAIT)
            if got <= 0:
                continue
            progress = now = _now(clock)
            partial[link] += got
            while partial[link] >= reply_bytes:
                partial[link] -= reply_bytes
                taken[done] = now - due[link, received[link] % OUTSTANDING_MAX]
                received[link] += 1
                done += 1
        now = _now(clock)
        if now - progress > STALL_NS_MAX:
            return done
        _yield()
    return done


@numba.njit(nogil=True)
def _saturate(sockets, requests, reply_bytes, taken):
    """As `_paced`, but as fast as replies come; (number completed, ns it took)."""
    links, (kinds, size), count = len(sockets), requests.shape, len(taken)
    begun = np.zeros(links, np.int64)
    partial = np.full(links, reply_bytes, np.int64)
    buffer = np.zeros(1 << 16, np.uint8)
    clock = np.zeros(2, np.int64)
    start = progress = _now(clock)
    issued = done = 0
    while done < count:
        for link in range(links):
            if begun[link] > 0:
                got = _recv(sockets[link], buffer.ctypes.data, len(buffer), DONT_WAIT)
                if got <= 0:
                    continue
                partial[link] += got
            if partial[link] < reply_bytes:
                continue
            now = progress = _now(clock)
            if begun[link] > 0:
                if done < count:
                    taken[done] = now - begun[link]
                    done += 1
                begun[link] = 0
            if issued < count and _send(
                    sockets[link], requests[issued % kinds].ctypes.data, size, DONT_WAIT) == size:
                issued += 1
                begun[link] = now
                partial[link] = 0
        if _now(clock) - progress > STALL_NS_MAX:
            break
        _yield()
    return done, _now(clock) - start


class Load:
    """Open connections to one node and requests of one size; both loops run over them."""

    def __init__(self, node: Node, requests: Sequence[bytes], clients: int = 50) -> None:
        if len({len(request) for request in requests}) != 1:
            raise ValueError("all requests must have one size")
        self.requests = np.frombuffer(b"".join(requests), np.uint8).reshape(len(requests), -1)
        self.links = [socket.create_connection((HOST, node.port), 60) for _ in range(clients)]
        for link in self.links:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets = np.array([link.fileno() for link in self.links], np.int32)
        self.reply_bytes = self._reply_bytes(requests[0])

    def _reply_bytes(self, request: bytes) -> int:
        """Ask once and wait until nothing more comes."""
        self.links[0].sendall(request)
        reply = self.links[0].recv(1 << 16)
        self.links[0].settimeout(0.2)
        try:
            while more := self.links[0].recv(1 << 16):
                reply += more
        except TimeoutError:
            pass
        self.links[0].settimeout(60)
        if reply.startswith(b"-") or b"\n-" in reply:
            raise RuntimeError(f"refused: {reply[:200]!r}")
        return len(reply)

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        for link in self.links:
            link.close()

    def paced(self, rate: float, count: int) -> np.ndarray:
        """Latencies in ms of `count` requests, one every 1/rate seconds."""
        taken = np.zeros(count, np.int64)
        done = _paced(self.sockets, self.requests, self.reply_bytes, int(1e9 / rate), taken)
        if done < count:
            raise RuntimeError(f"only {done} of {count} replies came")
        return taken / 1e6

    def saturate(self, count: int) -> tuple[float, np.ndarray]:
        """Requests per second, and the latencies in ms."""
        taken = np.zeros(count, np.int64)
        done, spent_ns = _saturate(self.sockets, self.requests, self.reply_bytes, taken)
        if done < count:
            raise RuntimeError(f"only {done} of {count} replies came")
        return count / spent_ns * 1e9, taken / 1e6
