"""JIT warm-up: compile and load the kernels, and show the progress."""

import asyncio
import ctypes
import math
import mmap
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synap.commands import FAMILIES
from synap.compiler import jit, sources
from synap.compiler.entries import NO_HOME
from synap.compiler.shipped import PORTABLE
from synap.io.node.clock import cpu_seconds, monotonic
from synap.settings import Settings
from synap.store import entry_points

PREPARING = "Preparing Synap for this machine, once"
LINE_S = 10
"""Seconds between two lines, where there is no terminal."""


@dataclass
class Progress:
    """Progress of a cold start: steps done, steps in total, what is compiled now (the title of a stage)."""

    done: int = 0
    total: int = 0
    name: str = ""


def workers_of(settings: Settings) -> int:
    """Return how many processes compile: `jit.workers`, where 0 means one per core."""
    number: int = settings.jit.workers
    return number or os.cpu_count() or 1


def prepare(workers: int, tell: Callable[[Progress], None]) -> None:
    """Compile the kernels that the cache lacks and load all; `tell` is called with the progress after each step."""
    entry_points.prepare(FAMILIES, workers, _progress_to(tell))


def _progress_to(tell: Callable[[Progress], None]) -> Callable[[int, int, str], None]:
    return lambda done, total, name: tell(Progress(done, total, name))


def unload_compiler() -> None:
    """Release the resident pages of LLVM's code, which runs no more after the warm-up: about 60 MB.

    Only read-only mappings of the library without private pages are released; if the code is called again,
    the system reads the pages from the file.
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
            elif words[0] in ("Anonymous:", "Swap:") and words[1] != "0":  # private pages, shared after a fork
                span = ""
            elif words[0] == "VmFlags:" and span:  # the last line of a mapping
                first, last = (int(number, 16) for number in span.split("-"))
                libc.madvise(first, last - first, mmap.MADV_DONTNEED)


class CannotShip(Exception):
    """The error that kernels for other processors cannot be compiled here, with the reason as its text."""


class Abandoned(Exception):
    """The end of a wait for kernels that nobody needs any more."""


class PreparationAside:
    """The preparation of the kernels on a daemon thread, so that the process can serve, and end, meanwhile.

    `first` is done when the first stage is loaded. After that, `changed` is called on the event loop with each further
    stage, and once more at the end. `failure` is the error that ended the preparation.
    """

    def __init__(self, workers: int, tell: Callable[[Progress], None], changed: Callable[[], None]) -> None:
        self._workers, self._tell, self._changed = workers, tell, changed
        self._loop = asyncio.get_running_loop()
        self._preparation = entry_points.Preparation(FAMILIES)
        self._over = threading.Event()
        self.first: asyncio.Future[None] = self._loop.create_future()
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._work, name="synap-compile", daemon=True).start()

    @property
    def over(self) -> bool:
        """True once all kernels are loaded, or the preparation has failed."""
        return self._over.is_set()

    @property
    def ready(self) -> list[entry_points.Stage]:
        """The stages whose kernels are all loaded."""
        return self._preparation.ready

    @property
    def coming(self) -> list[str]:
        """What people call the stages that are not ready."""
        ready = {stage.title for stage in self._preparation.ready}
        return [stage.title for stage in entry_points.stages(FAMILIES) if stage.title not in ready]

    def abandon(self) -> None:
        """Let `wait` end, as the process is about to."""
        if not self._over.is_set():
            self.failure = Abandoned("the process was told to stop before its kernels were ready")
            self._over.set()

    def wait(self) -> None:
        """Wait until all kernels are loaded, on a thread other than that of the event loop. Raise the failure."""
        self._over.wait()
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            self._preparation.run(self._workers, _progress_to(self._tell), lambda stage: self._on_loop())
        except BaseException as failed:
            self.failure = self.failure or failed
        self._over.set()
        self._on_loop()

    def _on_loop(self) -> None:
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if not self.first.done():
            if self.failure is None:
                self.first.set_result(None)
            else:
                self.first.set_exception(self.failure)
        else:
            self._changed()


class ProgressBar:
    """Display of a progress, as of a cold start: a bar on a terminal, elsewhere a line every LINE_S seconds.

    Call the object with each step, from any thread. Call `close` at the end in any case, because the bar hides the
    cursor. `say` is called with each line; without `say`, lines go to standard error. `now` is a clock in seconds.
    """

    def __init__(
        self, say: Callable[[str], None] | None = None, now: Callable[[], float] = monotonic, title: str = PREPARING
    ) -> None:
        self._title = title
        self._say = say or _to_stderr
        self._lines = not sys.stderr.isatty()
        self._now = now
        self._begun: float | None = None
        self._said_at = -math.inf
        self._bar: Any = None
        self._task: Any = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            if self._closed:
                return
            now = self._now()
            if self._begun is None:
                self._begun = now
            left = time_left(progress.done, progress.total, now - self._begun)
            if not self._lines:
                self._draw(progress, left)
            elif now - self._said_at >= LINE_S:
                self._said_at = now
                parts = [f"{100 * progress.done // max(progress.total, 1)} %", progress.name, left]
                self._say(f"{self._title}: {', '.join(filter(None, parts))}")

    def _draw(self, progress: Progress, left: str) -> None:
        if self._bar is None:
            from rich.console import Console  # imported here because most starts show no progress
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn(self._title), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
                       TextColumn("{task.fields[what]}"), TextColumn("{task.fields[left]}"))  # fmt: skip
            self._bar = Bar(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=True)
            self._task = self._bar.add_task("", total=progress.total, what="", left="")
            self._bar.start()
        self._bar.update(self._task, completed=progress.done, total=progress.total, what=progress.name, left=left)

    def only_lines(self) -> None:
        """Remove the progress bar, and show later steps as lines."""
        self._end(closed=False)

    def close(self) -> None:
        """Remove the progress bar; later steps are not shown."""
        self._end(closed=True)

    def _end(self, closed: bool) -> None:
        with self._lock:
            self._closed, self._lines = closed, True
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.stop()


def time_left(done: int, total: int, seconds: float) -> str:
    """Return an estimate of the remaining time, after `seconds` for `done` of `total` steps; empty if there is none."""
    if not done or done >= total:
        return ""
    left = seconds / done * (total - done)
    step = 1 if left < 10 else 5 if left < 60 else 10
    return f"about {max(step, round(left / step) * step)} s left"


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def warmup(settings: Settings) -> Iterator[str]:
    """Compile all kernels ahead of time and yield one line that says what was done."""
    shown = ProgressBar()
    preparation = entry_points.Preparation(FAMILIES)
    try:
        preparation.run(workers_of(settings), _progress_to(shown), lambda stage: None)
    finally:
        shown.close()
    done = preparation.compiled
    yield f"Synap is prepared for this machine ({done} kernels compiled)" if done else "Synap was prepared already"


def all_tiers() -> Iterator[str]:
    """Compile all kernels for each level of processors that a wheel has kernels for, into the cache directory; yield
    one line. Raises CannotShip."""
    from synap.compiler.levels import LEVELS, can_ship
    from synap.compiler.ship import ship  # imported here because nothing else needs it

    directory = sources.entries.directory
    if directory is None or (reason := can_ship()):
        raise CannotShip(NO_HOME if directory is None else reason)
    if sources.shipped.directory.name != PORTABLE:
        raise CannotShip("this package has kernels for all levels of processors already")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="portable-", dir=directory) as place:
        made = Path(place) / "made"
        made.mkdir()
        ship(made, list(LEVELS), entry_points.modules(FAMILIES))
        old = directory / PORTABLE
        if old.exists():
            old.rename(Path(place) / "old")
        made.rename(old)
    yield f"Synap is prepared for processors of the levels {', '.join(LEVELS)}"


def costs() -> Iterator[str]:
    """Compile all kernels without the cache, in this process, and yield the lines of a table of what each costs."""
    from synap.compiler.costs import measure, table  # imported here because nothing else needs it

    names = [name for stage in entry_points.imported(FAMILIES) for name in jit.registered_in(stage.modules)]
    with tempfile.TemporaryDirectory(prefix="synap-costs-") as directory:
        yield from table(measure(names, Path(directory), cpu_seconds))
