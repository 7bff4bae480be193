"""Worker processes that fill a cold kernel cache: each compiles functions and leaves the code on disk."""

import gc
import importlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from synap.compiler import jit, sources

_ROOT = Path(__file__).resolve().parents[2]


def compile_missing(workers: int, tell: Callable[[int, int, str], None], modules: Iterable[str]) -> None:
    """Fill a cold cache from `workers` processes; `tell(done, total, name)` is called after each function.

    Each worker imports `modules`, so that the same functions are registered there; functions of other modules are left
    to `jit.load`. If compiling fails in a worker, RuntimeError is raised here with the end of the worker's output. If
    no worker can start, or none can store its code, this process compiles.
    """
    wanted = set(modules)
    names = [name for name in jit.missing() if name.partition(":")[0] in wanted]
    total, done = len(names), 0
    if not total:
        return
    tell(0, total, "")
    lock = threading.Lock()
    failures: list[BaseException] = []

    def take() -> str | None:
        with lock:  # doors are first in the registry, so the longest work starts first
            return names.pop(0) if names else None

    def finish(name: str) -> None:
        nonlocal done
        with lock:
            done += 1
            tell(done, total, name)

    def work() -> None:
        name = None
        try:
            with Worker(wanted) as worker:
                while (name := take()) is not None:
                    worker.compile(name)
                    finish(name)
        except Lost as error:
            with lock:
                names.extend([] if name is None else [name])
            sources.entries.warn("workers", f"{error}: the kernels that are left are compiled without it")
        except BaseException as error:  # raised again below, in the calling thread
            failures.append(error)

    if sources.entries.open_spare() and sys.executable:
        # Daemons, so that a process that is told to stop does not wait for the compiler.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, total))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    while (name := take()) is not None:
        jit.compile_one(name)
        finish(name)


class Lost(Exception):
    """The error that the system did not start a worker, or has killed it."""


class Worker:
    """A process that compiles the functions named on its standard input.

    For each name it answers a line of JSON: a list of (kind, line), the troubles with the cache.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        path = sys.path if sys.flags.safe_path else sys.path[1:]  # the first entry is the folder of the program
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(_ROOT), *filter(None, path)]))
        if sources.entries.directory is not None:  # absolute, as this process may have changed its working directory
            environment["SYNAP_CACHE_DIR"] = str(sources.entries.directory)
        command = [sys.executable, "-P", "-m", __name__, ",".join(sorted(modules)), str(sources.entries.spare or "")]
        try:
            self._process = subprocess.Popen(
                command, env=environment, text=True, encoding="utf-8", errors="replace", bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise Lost(f"cannot start a process that compiles ({error})") from error
        self._words: deque[str] = deque(maxlen=100)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self._words.extend(self._process.stderr)  # read to the end: a worker that fills the pipe would block

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with self._process:
            self._process.stdin.close()
            self._listener.join()

    def compile(self, name: str) -> None:
        """Have the worker compile one function.

        RuntimeError with the end of the worker's output is raised if that fails, `Lost` if the worker was killed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(name + "\n")
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            self._listener.join()
            if code < 0:  # mostly because memory ran out
                raise Lost(f"a process that compiles was ended by signal {-code}")
            raise RuntimeError(f"compiling {name} failed:\n{''.join(self._words)[-4000:]}")
        for kind, trouble in json.loads(line):
            sources.entries.warn(kind, trouble)


def serve(modules: str, spare: str) -> None:
    """Run as a worker: import the modules, then compile each function named on standard input, one name a line.

    Each worker compiles an inner kernel once, even if several of its functions use it. It ends with its standard input,
    even while it compiles: a process that was told to stop leaves nothing behind that takes a core for half a minute.
    """
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to standard error, not among the answers
    troubles: list[tuple[str, str]] = []
    sources.entries.tell_to(lambda kind, line: troubles.append((kind, line)))
    sources.entries.spare = Path(spare) if spare else None
    threading.Thread(target=_listen, args=(names,), daemon=True).start()
    for module in modules.split(","):
        importlib.import_module(module)
    gc.freeze()
    gc.set_threshold(200_000)  # compiling makes many objects that live: at Python's own threshold, a tenth of the time
    while True:
        jit.load([names.get()])
        os.write(answers, json.dumps(troubles).encode() + b"\n")
        troubles.clear()


def _listen(names: "queue.SimpleQueue[str]") -> None:
    """Pass on each line of standard input, and end the process with it.

    Bytes are read, since `sys.stdin` is locked while it is read and the end of Python waits for that lock.
    """
    rest = b""
    while piece := os.read(0, 1 << 16):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            names.put(line.decode())
    os._exit(0)


if __name__ == "__main__":
    serve(*sys.argv[1:])
