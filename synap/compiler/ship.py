"""Compiling of kernels for a wheel: for each level of processors, then a manifest of all (see `shipped`).

    python -m synap.compiler.ship DIRECTORY LEVEL,LEVEL MODULE,MODULE

The code for a level is compiled in a process of its own, which numba tells to know no other processor. These processes
use the cache on disk as any other, so what the front end returns for an inner kernel serves all levels.
"""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from synap.compiler import digests, jit, levels, linking, sources
from synap.compiler.shipped import MANIFEST, Manifest
from synap.compiler.workers import Compilation


def ship(directory: Path, wanted: list[str], modules: list[str]) -> None:
    """Write the kernels of `modules` for these levels, and the manifest, into an empty directory.

    Raise RuntimeError if that is not possible here, or if compiling fails.
    """
    if (reason := levels.can_ship()) or (reason := _foreign(wanted)):
        raise RuntimeError(reason)
    for level in wanted:
        environment = dict(os.environ, NUMBA_CPU_NAME=level, NUMBA_CPU_FEATURES="")
        program = [sys.executable, "-m", f"{sources.PACKAGE}.compiler.ship"]
        arguments = [str(directory), level, ",".join(modules), "alone"]
        if subprocess.run([*program, *arguments], env=environment, check=False).returncode:
            raise RuntimeError(f"the kernels for {level} could not be compiled")
    _import(modules)
    names = sorted({name.partition(":")[0] for name in (*jit.registered(), *linking.outlined)})
    needed = sorted(set().union(*map(sources.closure, names)))
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    manifest = Manifest(
        settings=digests.settings(),
        levels=[level for level in levels.LEVELS if level in wanted],
        modules={name: digests.digest(name) for name in names},
        files={path.relative_to(directory).as_posix(): _sha256(path) for path in files},
        facts=dict(sources.to_ship(name) for name in needed if sources.facts(name).path),
    )
    (directory / MANIFEST).write_text(json.dumps(manifest._asdict(), indent=1) + "\n")


def _foreign(wanted: list[str]) -> str:
    """Return why a level cannot be compiled for; an empty text if all can."""
    unknown = [level for level in wanted if level not in levels.LEVELS]
    return f"{unknown[0]} is none of the levels {', '.join(levels.LEVELS)}" if unknown else ""


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _import(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def ship_level(directory: Path, level: str, modules: list[str]) -> None:
    """Write the kernels of `modules` as this process compiles them, under the names for a level."""
    _import(modules)
    missing = set(jit.missing())
    names = [name for name in jit.registered_in(modules) if name in missing]
    if names:
        Compilation(names, modules, lambda done, total, name: None).run(os.cpu_count() or 1)
    jit.load(jit.registered())  # all, but keep the spare, from which entries are read below
    outlined = [(linking.outlined[name], args, linking.inner[name].targetctx) for name, args in linking.loaded]
    for cache, signature, context in [*map(jit.place, jit.registered()), *outlined]:
        name, content = cache.to_ship(signature, context, level)
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    place, names, list_of_modules, *alone = sys.argv[1:]
    if alone:
        ship_level(Path(place), names, list_of_modules.split(","))
    else:
        ship(Path(place), names.split(","), list_of_modules.split(","))
