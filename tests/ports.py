"""Ports for servers that tests start, so that no two tests that run at the same time are given the same one."""

import os
import socket
from itertools import count

FIRST, EACH, WORKERS = 20_000, 1_500, 8
"""Below the ports that Linux gives to connections (32768 and up); each worker of pytest-xdist has some of its own."""

_tries = count(os.getpid() * 7)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port on which nobody listens now, and which no other test is given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(EACH):
        port = FIRST + worker * EACH + next(_tries) % EACH
        try:
            with socket.create_server((host, port), family=family):
                return port
        except OSError:
            continue
    raise AssertionError(f"none of the {EACH} ports of this worker is free")
