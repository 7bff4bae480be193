"""What the sessions of Python programs share: each is a function of a port, run against all servers at once."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
SECONDS_MAX = 80  # before the test ends us
HERE = Path(__file__).parent


def run(session: Callable[[int], None]) -> None:
    """Carry out a session against the server at each port of the command line, all at once, and end this process.

    Each session has a process of its own, forked from this one, which has imported the program. Some programs have
    threads that would wait for their server for ever, and some have workers, which end with us even if nothing else
    does.
    """
    children = {_begun(session, int(port)): port for port in sys.argv[1:]}
    failed = [port for pid, port in children.items() if os.waitpid(pid, 0)[1]]
    print(f"the sessions at ports {failed} failed" if failed else "session done", flush=True)
    os._exit(bool(failed))


def _begun(session: Callable[[int], None], port: int) -> int:
    """Fork a process that carries out the session; its pid."""
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"no end after {SECONDS_MAX} s"))
    signal.alarm(SECONDS_MAX)
    code = 1
    try:
        session(port)
        code = 0
    except BaseException:
        print(f"port {port}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    os._exit(code)


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
