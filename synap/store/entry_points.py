"""The list of all modules with compiled code, the function that compiles or loads them, the addresses of doors."""

import importlib
import sys
from collections.abc import Callable

from synap.compiler import jit
from synap.compiler.workers import compile_missing

ENTRIES = (
    "memory.heap", "calls.calls", "lane.transactions", "lane.lane", "memory.frames", "lane.resp", "memory.arena",
    "upkeep.upkeep", "snapshot.digests", "snapshot.dumps", "keys.key_info", "calls.bulk", "lane.json_batch",
    *(["lane.epoll_batch"] if sys.platform == "linux" else []),
)  # fmt: skip
"""Modules of `synap.store` with border functions; `epoll_batch` is made of system calls of Linux."""


def modules(families: tuple[str, ...]) -> list[str]:
    """Return the full name of every module with compiled code."""
    package = __name__.rpartition(".")[0]
    return [f"{package}.{name}" for name in ENTRIES] + [f"{package}.doors.{family}" for family in families]


def prepare(families: tuple[str, ...], workers: int, tell: Callable[[int, int, str], None]) -> None:
    """Compile what the cache does not hold, in `workers` processes, then load everything."""
    names = modules(families)
    for name in names:
        importlib.import_module(name)
    compile_missing(workers, tell, names)
    jit.load()


def doors(codes: dict[int, str]) -> list[tuple[int, int]]:
    """Return (high byte of the codes, address) of each family's door, after `prepare`."""
    package = __name__.rpartition(".")[0]
    return [(byte, jit.address(f"{package}.doors.{family}:{family}_door")) for byte, family in codes.items()]
