"""A process that has imported numba and compiled one function, which costs a second, and forks programs when asked.

It knows nothing of synap: each program imports that itself, under its own environment. It reads one JSON object a line,
with the text of the program, its environment, its directory and the files for both streams, and answers one.
"""

import gc
import importlib
import json
import os
import sys
import tempfile
import traceback
import types
from typing import Any


def load() -> None:
    """Import what programs import, and let numba import what it imports for the first function."""
    numba = importlib.import_module("numba")
    for name in ("numpy", "ctypes", "logging", "numba.core.event"):
        importlib.import_module(name)

    @numba.njit("int64(int64[::1], int64)", cache=False)
    def first(words: Any, at: int) -> Any:
        if at == -7:
            raise ValueError
        for _ in range(at):
            words[at] += 1
        return words[at]


def become(code: str, folder: str, environment: dict[str, str], streams: list[str]) -> None:
    """Be `python -c code`. Raise SystemExit at its end, so that this process ends as every Python does."""
    for number, path in enumerate([os.devnull, *streams]):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it may have been chosen by another environment
    sys.path[:0] = ["", *environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv[:] = ["-c"]
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        exec(compile(code, "<string>", "exec"), vars(main))
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    sys.exit()


def serve() -> None:
    """Fork a program for each line, and answer with its exit code."""
    answers = os.dup(1)
    os.dup2(2, 1)
    load()
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.close(answers)
            become(**request)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    serve()
