"""All compiled code as one thing: which modules it lies in, making it ready, the doors' addresses."""

import importlib
import sys
from collections.abc import Callable

from synap.kernels import jit
from synap.kernels.workers import compile_missing

ENTRIES = (
    "heap", "calls", "transactions", "lane", "frames", "resp", "arena", "upkeep", "digests", "dumps",
    "keys_view", "bulk", "envelopes", *(["rounds"] if sys.platform == "linux" else []),
)  # fmt: skip
"""Modules of `synap.store` with border functions; `rounds` is made of Linux' system calls."""


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
