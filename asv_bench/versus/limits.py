"""What the machine itself can do: one fdatasync, one loopback round trip, memory.

Printed beside every result, because a ratio without its physical limit says little: a durable write
cannot be faster than the disk, a depth-1 round trip not faster than loopback.
"""

import os
import socket
import statistics
import tempfile
import time
from pathlib import Path

from client import HOST
from nodes import CORE_CLIENT, CORE_SERVER, pin


def measure(root: Path) -> dict[str, str]:
    limits = {"fdatasync": f"{fdatasync_ms(root):.3f} ms (4 KiB appended, median)",
              "loopback round trip": f"{loopback_us():.1f} us (1 byte, blocking, median)",
              "memory copy": f"{copy_gb_s():.1f} GB/s"}
    try:
        alone, overlapped = random_ns()
        limits["memory, random access"] = f"{alone:.0f} ns alone, {overlapped:.0f} ns overlapped"
    except ImportError:
        pass
    return limits


def fdatasync_ms(root: Path, count: int = 200) -> float:
    taken = []
    with tempfile.TemporaryFile(dir=root) as file:
        for _ in range(count):
            os.write(file.fileno(), b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e3


def loopback_us(count: int = 5000) -> float:
    """A forked child on the server core sends every byte back."""
    with socket.create_server((HOST, 0)) as listener:
        child = os.fork()
        if child == 0:
            pin(CORE_SERVER)
            link, _ = listener.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := link.recv(64):
                link.sendall(data)
            os._exit(0)
        pin(CORE_CLIENT)
        with socket.create_connection(listener.getsockname()) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            taken = []
            for _ in range(count):
                begun = time.perf_counter()
                link.sendall(b"x")
                link.recv(64)
                taken.append(time.perf_counter() - begun)
        os.waitpid(child, 0)
    return statistics.median(taken) * 1e6


def copy_gb_s(size: int = 1 << 28, count: int = 5) -> float:
    """Bytes copied per second by one core (each is read once and written once)."""
    source, target = memoryview(bytearray(size)), memoryview(bytearray(size))
    best = float("inf")
    for _ in range(count):
        begun = time.perf_counter()
        target[:] = source
        best = min(best, time.perf_counter() - begun)
    return size / best / 1e9


def random_ns(words: int = 1 << 26, steps: int = 2_000_000) -> tuple[float, float]:
    """Reading 512 MiB at random: each address from the read before, and addresses known ahead."""
    import numba
    import numpy as np

    @numba.njit
    def chained(data: "np.ndarray", places: "np.ndarray") -> int:
        at = 0
        for place in places:
            at = (place ^ data[at]) & (data.size - 1)
        return at

    @numba.njit
    def apart(data: "np.ndarray", places: "np.ndarray") -> int:
        total = 0
        for place in places:
            total += data[place & (data.size - 1)]
        return total

    data = np.ones(words, np.int64)
    places = np.random.default_rng(7).integers(0, words, steps)
    taken = []
    for read in (chained, apart):
        read(data, places[:10])
        begun = time.perf_counter()
        read(data, places)
        taken.append((time.perf_counter() - begun) / steps * 1e9)
    return taken[0], taken[1]


if __name__ == "__main__":
    pin(CORE_CLIENT)
    for name, text in measure(Path(tempfile.gettempdir())).items():
        print(f"{name}: {text}")
