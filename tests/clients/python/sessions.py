"""What the sessions of Python programs share: each is a function of a port, run against one server after another."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"


def run(session: Callable[[int], None]) -> None:
    """Carry out a session against the servers at each port of the command line, and end this process.

    Some programs have threads that would wait for their server for ever.
    """
    for port in sys.argv[1:]:
        session(int(port))
    print("session done", flush=True)
    os._exit(0)


def eventually(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of `check()`; fails when time is up."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, f"still not after {seconds} s"
        time.sleep(0.01)
    return value
