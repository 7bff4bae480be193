"""System calls from kernels: they move and report what Python's own calls would, and errors come as numbers."""

import errno
import select
import socket
import time
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.io.node.clock import clock_address
from synap.kernels import spans
from synap.store.lane import syscalls

SIZE = 4096


@kernel("int64(uint8[::1], int64, int64, int64)")
def receive(octets, at, descriptor, size):
    return syscalls.receive(octets, at, descriptor, size)


@kernel("int64(uint8[::1], int64, int64, int64)")
def send(octets, at, descriptor, size):
    return syscalls.send(octets, at, descriptor, size)


@kernel("int64(int64, uint8[::1], int64)")
def poll(epoll, events, most):
    return syscalls.poll(epoll, events, most)


@kernel("UniTuple(int64, 2)(uint8[::1], int64)")
def event(events, index):
    return syscalls.event(events, index)


@kernel("int64(int64)")
def nanoseconds(address):
    return spans.call_clock(address)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


def test_bytes_go_both_ways() -> None:
    """Random pieces, each way once by the kernel and once by Python; nothing but the span is touched."""
    chance = Random(1)
    octets = np.zeros(SIZE, np.uint8)
    one, other = socket.socketpair()
    with one, other:
        for _ in range(2000):
            text = chance.randbytes(chance.randrange(1, 500))
            at = chance.randrange(SIZE - 600)
            octets[:] = 0xEE
            if chance.random() < 0.5:
                octets[at : at + len(text)] = np.frombuffer(text, np.uint8)
                assert send(octets, at, one.fileno(), len(text)) == len(text)
                assert other.recv(SIZE) == text
                continue
            other.sendall(text)
            room = chance.randrange(1, 600)
            told = receive(octets, at, one.fileno(), room)
            assert told == min(room, len(text))
            assert octets[at : at + told].tobytes() == text[:told]
            assert (octets[:at] == 0xEE).all() and (octets[at + told :] == 0xEE).all()
            if told < len(text):
                assert one.recv(SIZE) == text[told:]


def test_what_cannot_be_is_answered_at_once() -> None:
    octets = np.zeros(1 << 20, np.uint8)
    one, other = socket.socketpair()
    with one, other:
        assert receive(octets, 0, one.fileno(), 10) == syscalls.AGAIN == -errno.EAGAIN
        moved = 0
        while (told := send(octets, 0, one.fileno(), octets.size)) > 0:
            moved += told
        assert told == syscalls.AGAIN and moved > 0
        other.close()
        assert send(octets, 0, one.fileno(), 10) == -errno.EPIPE
        descriptor = one.fileno()
    assert receive(octets, 0, descriptor, 10) == -errno.EBADF
    assert poll(descriptor, octets, 4) == -errno.EBADF
    one, other = socket.socketpair()
    with one:
        other.close()
        assert receive(octets, 0, one.fileno(), 10) == 0


def test_poll_as_epoll() -> None:
    """Random sockets are readable, and some hung up: the events are those of `select.epoll`."""
    chance, events = Random(2), np.zeros(64 * syscalls.EVENT_BYTES, np.uint8)
    for _ in range(50):
        pairs = [socket.socketpair() for _ in range(chance.randrange(1, 30))]
        with select.epoll() as epoll:
            for one, other in pairs:
                epoll.register(one.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
                if chance.random() < 0.5:
                    other.send(b"x")
                elif chance.random() < 0.2:
                    other.close()
            wanted = sorted((mask, number) for number, mask in epoll.poll(0))
            count = poll(epoll.fileno(), events, 64)
            assert sorted(event(events, i) for i in range(count)) == wanted
            assert poll(epoll.fileno(), events, 1) == min(1, len(wanted))
        for one, other in pairs:
            one.close()
            other.close()


def test_nanoseconds_are_those_of_the_monotonic_clock() -> None:
    for _ in range(100):
        before, told, after = time.monotonic_ns(), nanoseconds(clock_address()), time.monotonic_ns()
        assert before <= told <= after
