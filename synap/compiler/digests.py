"""The options of numba, and the digests that name entries of the kernel cache.

A digest covers everything that a function depends on: the text of its module and of every `synap` module with
functions that it imports (transitively), the constants that these use of modules without any functions, the options,
the versions of Python, numba and llvmlite. So stale code cannot be loaded, editing one family recompiles that family
and no other, and a constant that is added or changed recompiles only its users.

A process whose source files were replaced after it imported them (by an upgrade or an editor) does not use the
directory: it runs the code that it has imported, and would store that code under the name of the new text.
"""

import hashlib
import os
import platform
import sys
from functools import cache
from typing import Any

import llvmlite
import numba

from synap.compiler import sources

CHECKED = os.environ.get("SYNAP_JIT_CHECKED", "") == "1"
"""Compile with bounds checks: for tests and fuzzing, several times slower."""

OPTIONS: dict[str, Any] = {
    "nogil": True, "error_model": "numpy", "boundscheck": CHECKED, "fastmath": False, "forceinline": False,
}  # fmt: skip
"""Options of numba for every function. Those that are not given here would be those of the function whose compilation
reaches a kernel first, and the entry of that kernel in the cache would depend on the order."""

_CODE_SETTINGS = ("BOUNDSCHECK", "OPT", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DISABLE_INTEL_SVML",
                  "USING_SVML")  # fmt: skip
"""Settings of numba, most of them given by NUMBA_... in the environment, that change the code of every function."""

_imported: dict[str, tuple[int, int, int]] = {}  # path -> state of the file when its module was imported
_noted: set[str] = set()  # names of the modules in `_imported`


def _state(path: str) -> tuple[int, int, int]:
    """Return facts that change with the text of a file: time of modification (ns), size (bytes), inode number."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def note_imports(module: str) -> None:
    """Note the file states of all modules imported so far, as `module`, still being imported, defines a function."""
    if module in _noted:
        return
    for name, found in list(sys.modules.items()):
        if name not in _noted and (name == module or name.startswith(sources.PACKAGE + ".")):
            _noted.add(name)
            path = getattr(found, "__file__", None)
            if path:
                path = os.path.realpath(path)
                _imported[path] = _state(path)


def settings() -> dict[str, str]:
    """Return what the code of every function depends on, but for its source and the processor: each as a text."""
    found = {
        "python": f"Python {sys.version_info[0]}.{sys.version_info[1]}",
        "machine": f"{platform.system()} on {platform.machine()}",
        "numba": f"numba {numba.__version__}", "llvmlite": f"llvmlite {llvmlite.__version__}",
    }  # fmt: skip
    found |= {name: f"{name}={value!r}" for name, value in OPTIONS.items()}
    return found | {name: f"NUMBA_{name}={getattr(numba.config, name, None)}" for name in _CODE_SETTINGS}


@cache
def digest(module: str) -> str:
    """Return a name for everything that a function of `module` may compile in, options and versions included.

    The digest covers the text of every file with functions, and of a file of data (`layout.py`) the values that are
    used.
    """
    parts: set[str] = set()
    for name in sources.closure(module):
        source = sources.facts(name)
        if source.path and (name == module or not source.is_data):
            parts.add(source.digest)
            data = {place for place, _ in source.uses if sources.facts(place).path and sources.facts(place).is_data}
            parts |= {sources.constant(*use) for use in source.uses if use[0] in data}
    parts |= set(settings().values())
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:24]


@cache
def is_as_imported(module: str) -> bool:
    """Return True if the files that `digest` names still have the text that this process has imported."""
    digest(module)  # reads the files
    return all(_file_as_imported(sources.facts(name).path) for name in sources.closure(module))


@cache
def _file_as_imported(path: str) -> bool:
    """Return True if this process has not imported the file, or if the file is still the same."""
    path = os.path.realpath(path)
    return path not in _imported or _imported[path] == _state(path)
