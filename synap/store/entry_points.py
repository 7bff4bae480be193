"""All compiled code as one thing: which modules it lies in, making it ready, the doors' addresses."""

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
"""Modules of `synap.store` with border functions; `epoll_batch` is made of Linux' system calls."""


def modules(families: tuple[str, ...]) -> list[str]:
    """Every module with compiled code, by full name."""
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
    """(high byte of the codes, address) of each family's door, after `prepare`."""
    package = __name__.rpartition(".")[0]
    return [(byte, jit.address(f"{package}.doors.{family}:{family}_door")) for byte, family in codes.items()]
