"""The list of all modules with compiled code, the function that compiles or loads them, the addresses of doors."""

import importlib
import sys
from collections.abc import Callable

from synap.compiler import jit
from synap.compiler.workers import compile_missing
from synap.store.kinds.table import KINDS, NAMED
from synap.store.memory.layout import DOORS, KIND_DOORS, PROGRESS, ROOT_WORDS

ENTRIES = (
    "memory.heap", "calls.calls", "lane.transactions", "lane.lane", "memory.frames", "lane.resp", "memory.arena",
    "upkeep.upkeep", "snapshot.digests", "snapshot.dumps", "keys.key_info", "calls.bulk", "lane.json_batch",
    *(["lane.epoll_batch"] if sys.platform == "linux" else []),
)  # fmt: skip
"""Modules of `synap.store` with border functions; `epoll_batch` is made of system calls of Linux."""


def modules(families: tuple[str, ...]) -> list[str]:
    """Return the full name of every module with compiled code."""
    package = __name__.rpartition(".")[0]
    doors = [*families, *(kind.door for kind in (*KINDS, *NAMED))]
    return [f"{package}.{name}" for name in (*ENTRIES, *(f"doors.{door}" for door in doors))]


def prepare(families: tuple[str, ...], workers: int, tell: Callable[[int, int, str], None]) -> None:
    """Compile what the cache does not hold, in `workers` processes, then load everything."""
    names = modules(families)
    for name in names:
        importlib.import_module(name)
    compile_missing(workers, tell, names)
    jit.load()


def registers(codes: dict[int, str]) -> list[tuple[int, int]]:
    """Return (word, value) of what a heap knows of the doors and the kinds, after `prepare`; `codes`: family by high
    byte."""
    found = [(DOORS + byte, _address(family)) for byte, family in codes.items()]
    found += [(KIND_DOORS + kind.number, _address(kind.door)) for kind in (*KINDS, *NAMED)]
    for kind in KINDS:
        found += [(ROOT_WORDS + kind.number, kind.root_words), (PROGRESS + kind.number, kind.progress + 1)]
    return found


def _address(door: str) -> int:
    return jit.address(f"{__name__.rpartition('.')[0]}.doors.{door}:{door}_door")
