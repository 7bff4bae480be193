"""Worker processes that fill a cold kernel cache: each compiles functions and leaves the code on disk."""

import gc
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from synap.compiler import jit, sources
from synap.compiler.cached import InnerCache

STEP = "+\n"
_ROOT = Path(__file__).resolve().parents[2]


ENTRY_STEPS = 4
"""Steps that a border function or door counts for; an inner kernel counts for one."""


class Compilation:
    """The compilation of registered functions by several processes, in the order of `names`.

    Each worker imports `modules`, so that the same functions are registered there. `tell` is called with (steps done,
    steps in all, name of the function that was begun or finished last), `compiled` with the name of each function once
    it is in the cache; both from any thread. If compiling fails in a worker, `run` raises RuntimeError with the end of
    the worker's output. If no worker can start, or none can store its code, this process compiles.
    """

    def __init__(
        self, names: Iterable[str], modules: Iterable[str], tell: Callable[[int, int, str], None],
        compiled: Callable[[str], None] = lambda name: None,
    ) -> None:  # fmt: skip
        self._names = list(names)
        self._modules = sorted(set(modules))
        self._tell, self._compiled = tell, compiled
        self._total = ENTRY_STEPS * len(self._names) + jit.missing_kernels()
        self._done = 0
        self._left = len(self._names)
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []

    def run(self, workers: int) -> None:
        """Compile everything, in at most `workers` processes."""
        self._tell(0, self._total, "")
        if sources.entries.open_spare() and sys.executable:
            # Daemons, so that a process that is told to stop does not wait for the compiler.
            number = min(workers, len(self._names))
            threads = [threading.Thread(target=self._work, daemon=True) for _ in range(number)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]
        while (name := self._take()) is not None:
            InnerCache.on_save = partial(self._step, name, 1)
            jit.compile_one(name)
            self._finish(name)

    def _take(self) -> str | None:
        with self._lock:
            return self._names.pop(0) if self._names else None

    def _step(self, name: str, steps: int) -> None:
        with self._lock:
            self._done = min(self._done + steps, self._total - self._left)
            self._tell(self._done, self._total, name)

    def _finish(self, name: str) -> None:
        with self._lock:
            self._left -= 1
        self._step(name, ENTRY_STEPS if self._left else self._total)
        self._compiled(name)

    def _work(self) -> None:
        name = None
        try:
            with Worker(self._modules) as worker:
                while (name := self._take()) is not None:
                    worker.compile(name, partial(self._step, name, 1))
                    self._finish(name)
        except Lost as error:
            with self._lock:
                self._names.extend([] if name is None else [name])
            sources.entries.warn("workers", f"{error}: the kernels that are left are compiled without it")
        except BaseException as error:  # raised again in `run`
            self._failures.append(error)
            self._names.clear()


class Lost(Exception):
    """The error that the system did not start a worker, or has killed it."""


class Worker:
    """A process that compiles the functions named on its standard input.

    For each name it answers a line STEP for each inner kernel that it compiles, then a line of JSON: a list of
    (kind, line), the troubles with the cache.
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
            with suppress(BrokenPipeError):  # what could not be written to a worker that has ended
                self._process.stdin.close()
            self._listener.join()

    def compile(self, name: str, step: Callable[[], None]) -> None:
        """Have the worker compile one function; `step` is called after each inner kernel that this takes.

        RuntimeError with the end of the worker's output is raised if that fails, `Lost` if the worker was killed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(name + "\n")
            while (line := self._process.stdout.readline()) == STEP:
                step()
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all: this process ends with its parent
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to standard error, not among the answers
    troubles: list[tuple[str, str]] = []
    sources.entries.tell_to(lambda kind, line: troubles.append((kind, line)))
    sources.entries.spare = Path(spare) if spare else None
    InnerCache.on_save = staticmethod(lambda: os.write(answers, STEP.encode()))
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
