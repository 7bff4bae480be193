"""What compiling costs, by kernel: CPU time of numba's front end and of LLVM, with an empty cache, in one process."""

import gc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from synap.compiler import jit, linking, sources
from synap.compiler.cached import InnerCache
from synap.compiler.entries import Entries
from synap.compiler.shipped import Shipped


class Cost(NamedTuple):
    """The cost of one registered function: inner kernels compiled on the way, and CPU seconds."""

    name: str
    kernels: int
    front_end: float
    llvm: float


def measure(names: Iterable[str], directory: Path, cpu_seconds: Callable[[], float]) -> Iterator[Cost]:
    """Compile registered functions in this order, with a cache in the empty `directory`, and yield the cost of each.

    An inner kernel counts for the first function that needs it. Nothing may have been compiled or loaded before;
    the kernels of a wheel are not used.
    """
    gc.freeze()
    gc.set_threshold(200_000)  # as in the workers
    kernels = 0
    llvm = 0.0

    def counted() -> None:
        nonlocal kernels
        kernels += 1

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            nonlocal llvm
            begun = cpu_seconds()
            try:
                return method(*args)
            finally:
                llvm += cpu_seconds() - begun

        return run

    InnerCache.on_save = staticmethod(counted)
    for name in ("_optimize_final_module", "_finalize_final_module"):
        setattr(linking.Complete, name, timed(getattr(linking.Complete, name)))
    sources.entries = Entries(directory)
    sources.shipped = Shipped(directory, sources.entries)
    for name in names:
        seconds, compiled = llvm, kernels
        begun = cpu_seconds()
        jit.compile_one(name)
        took = cpu_seconds() - begun
        spent = llvm - seconds
        yield Cost(name, kernels - compiled, took - spent, spent)


def table(costs: Iterable[Cost]) -> Iterator[str]:
    """Yield the lines of a table of costs, with a sum at the end."""
    yield f"{'kernel':48} {'inner':>6} {'front end':>10} {'LLVM':>7}   CPU seconds; inner kernels compiled on the way"
    total = Cost("all", 0, 0.0, 0.0)
    for cost in costs:
        total = Cost("all", total.kernels + cost.kernels, total.front_end + cost.front_end, total.llvm + cost.llvm)
        yield _line(cost)
    yield _line(total)


def _line(cost: Cost) -> str:
    return f"{cost.name.removeprefix('synap.store.'):48} {cost.kernels:6} {cost.front_end:10.2f} {cost.llvm:7.2f}"
