"""Making the kernels ready, with a progress that somebody can look at."""

import asyncio
import ctypes
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from synap.commands import FAMILIES
from synap.settings import Settings
from synap.store import program


@dataclass
class Progress:
    """How far a cold start has come."""

    done: int = 0
    total: int = 0
    name: str = ""


def workers_of(settings: Settings) -> int:
    """How many processes compile: `jit.workers`, 0 for one a core."""
    number: int = settings.jit.workers
    return number or os.cpu_count() or 1


def prepare(workers: int, tell: Callable[[Progress], None]) -> None:
    """Compile what the cache lacks and load everything; `tell` hears of each step."""
    program.prepare(FAMILIES, workers, lambda done, total, name: tell(Progress(done, total, name)))


def let_go_of_compiler() -> None:
    """Give back the memory of LLVM's code, which nothing runs any more: about 60 MB at ready.

    Only pages of its library that are as they are in the file (no private copy) are let go; should it be
    needed again, the system reads them again.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    span = ""
    with open("/proc/self/smaps") as maps:
        for line in maps:
            words = line.split()
            if not words[0].endswith(":"):
                of_compiler = len(words) > 5 and "libllvmlite" in words[5] and "w" not in words[1]
                span = words[0] if of_compiler else ""
            elif words[0] in ("Anonymous:", "Swap:") and words[1] != "0":  # a copy, after a fork shared with the parent
                span = ""
            elif words[0] == "VmFlags:" and span:  # the last line of a mapping
                first, last = (int(number, 16) for number in span.split("-"))
                libc.madvise(first, last - first, mmap.MADV_DONTNEED)


async def prepare_aside(workers: int, tell: Callable[[Progress], None]) -> None:
    """`prepare` on a thread of its own, which does not keep a process from ending that is told to stop."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def finish(error: BaseException | None) -> None:
        if ready.done():
            return
        if error is None:
            ready.set_result(None)
        else:
            ready.set_exception(error)

    def work() -> None:
        error: BaseException | None = None
        try:
            prepare(workers, tell)
        except BaseException as failed:
            error = failed
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=work, name="synap-compile", daemon=True).start()
    await ready


class Shown:
    """Shows how far a cold start has come: a bar on a terminal, a line for each step elsewhere.

    Call it with each step, from any thread, and `close` it at the end whatever happened: the bar hides the
    cursor. `say` takes the lines; without one they go to standard error.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say or _to_stderr
        self._bar: Any = None
        self._task: Any = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        name = progress.name.rpartition(".")[2]
        with self._lock:
            if self._closed:
                return
            if sys.stderr.isatty():
                self._draw(progress.done, progress.total, name)
            else:
                self._say(f"compiling kernels {progress.done}/{progress.total} {name}".rstrip())

    def _draw(self, done: int, total: int, name: str) -> None:
        if self._bar is None:
            from rich.console import Console  # only here: most starts have nothing to show
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("compiling kernels"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                       TextColumn("{task.fields[kernel]}"))  # fmt: skip
            self._bar = Bar(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=True)
            self._task = self._bar.add_task("", total=total, kernel="")
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, kernel=name[:40])

    def close(self) -> None:
        """Take the bar off the terminal's hands; nothing is shown any more."""
        with self._lock:
            self._closed = True
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.stop()


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def warmup(settings: Settings) -> Iterator[str]:
    """Compile everything ahead of time."""
    total = 0
    shown = Shown()

    def tell(progress: Progress) -> None:
        nonlocal total
        total = progress.total
        shown(progress)

    try:
        prepare(workers_of(settings), tell)
    finally:
        shown.close()
    yield f"{total} kernels compiled, all are ready" if total else "all kernels were ready"
