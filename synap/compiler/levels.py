"""The levels of x86-64 processors for which kernels are shipped, and whether this process may use the shipped ones.

A level is a set of instructions that the psABI of x86-64 names: v2 has those of processors since 2009, v3 adds AVX2 and
those that came with it, since about 2013. Kernels compiled here may use every instruction of the processor.
"""

import platform
from functools import cache

import numba
from llvmlite import binding

from synap.compiler import sources
from synap.compiler.digests import digest, settings

_V2 = frozenset({"cx16", "popcnt", "sahf", "sse3", "ssse3", "sse4.1", "sse4.2"})
_V3 = _V2 | {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"}
LEVELS = {"x86-64-v2": _V2, "x86-64-v3": _V3}
"""Each level, the lowest first, with the features that a processor needs, by LLVM's names."""

HERE = "so they are compiled here"


def can_ship() -> str:
    """Return why no kernels can be shipped from this machine; an empty text if they can."""
    system, machine = platform.system(), platform.machine()
    fits = (system, machine) == ("Linux", "x86_64") and platform.python_implementation() == "CPython"
    return "" if fits else f"kernels are shipped for CPython on Linux and x86_64 only, not for {system} on {machine}"


def host_has(level: str) -> bool:
    """Return True if this processor, and what numba's settings leave of it, has the features of a level."""
    features = {name for name, has in binding.get_host_cpu_features().items() if has}
    if not numba.config.ENABLE_AVX:
        features = {name for name in features if not name.startswith("avx")}
    return level in LEVELS and LEVELS[level] <= features


@cache
def chosen() -> str | None:
    """Return the level of the shipped kernels that this process uses; None if it uses none, with the reason in one
    line if there are any."""
    manifest = sources.shipped.manifest
    if manifest is None:
        return None
    reason = _reason(manifest.settings)
    level = next((each for each in LEVELS if each in manifest.levels), None)
    if not reason and (level is None or not host_has(level)):
        reason = f"are for processors of the level {level} and higher"
    if reason:
        sources.entries.warn("shipped", f"the kernels of this package {reason}, {HERE}")
        return None
    return [each for each in LEVELS if each in manifest.levels and host_has(each)][-1]


def _reason(theirs: dict[str, str]) -> str:
    """Return why this process would not have compiled the same code; an empty text if it would."""
    for name, ours in settings().items():
        if theirs.get(name) != ours:
            return f"were compiled with {theirs.get(name, f'another {name}')}, and this process has {ours}"
    for name in ("CPU_NAME", "CPU_FEATURES"):
        if getattr(numba.config, name) is not None:
            return f"are for levels of processors, and NUMBA_{name} is set"
    return ""


def is_shipped(module: str) -> bool:
    """Return True if the shipped kernels of a module were compiled from the sources that are here."""
    manifest = sources.shipped.manifest
    if manifest is None or module not in manifest.modules:
        return False
    if manifest.modules[module] == digest(module):
        return True
    what = f"{module}, or what it imports, has changed since the kernels of this package were compiled"
    sources.entries.warn("changed", f"{what}, so its kernels are compiled here")
    return False
