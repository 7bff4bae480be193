"""What the sessions of Python programs share: each is a function of a port, run against one server after another."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
SECONDS_MAX = 80  # before the test ends us
HERE = Path(__file__).parent


def run(session: Callable[[int], None]) -> None:
    """Carry out a session against the servers at each port of the command line, and end this process.

    Some programs have threads that would wait for their server for ever, and some have workers, which end with us even
    if nothing else does.
    """
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"no end after {SECONDS_MAX} s"))
    signal.alarm(SECONDS_MAX)
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


@contextmanager
def worker(port: int, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker, `python -m` these words, with the server's port in `PORT`, asked to end after the block.

    What it says goes to the standard error of this process.
    """
    words = (sys.executable, "-W", "ignore", "-m", *words)
    told = os.environ | {"PORT": str(port)}
    made = subprocess.Popen(words, cwd=HERE, env=told, stdout=sys.stderr, start_new_session=True)
    try:
        yield made
        made.terminate()
        made.wait(20)
    finally:
        if made.poll() is None:
            kill(made)


def kill(made: subprocess.Popen[bytes]) -> None:
    """End a worker at once, with all its processes."""
    os.killpg(made.pid, signal.SIGKILL)
    made.wait()
