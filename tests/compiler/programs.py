"""Programs for tests of the compiler, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORK_SERVER = Path(__file__).with_name("fork_server.py")


class Forks:
    """The near side of `fork_server.py`, which is started by the first program."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, code: str, folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
        """Return the exit code of a program and what it said on both streams."""
        if self._process is None:
            command = [sys.executable, "-P", str(FORK_SERVER)]
            given = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHONPATH"))}
            given |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a process with one thread can be forked
            self._process = subprocess.Popen(command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None and self._process.stdout is not None
        streams = [folder / "stdout", folder / "stderr"]
        request = {"code": code, "folder": str(folder), "environment": environment, "streams": [*map(str, streams)]}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the fork server has ended"
        said = [stream.read_text() for stream in streams]
        for stream in streams:
            stream.unlink()
        return int(answer), said[0], said[1]

    def close(self) -> None:
        """End the far side."""
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(20)
            self._process.stdout.close()
            self._process = None


forks = Forks()


def run(
    code: str, folder: Path, before: Callable[[], None] | None = None, *, fresh: bool = False, **environment: str
) -> tuple[list[str], str]:
    """Return what a process of its own says on both streams.

    It is forked from one that has loaded numba, but for these: `fresh` ones, those in which `before` is called first,
    and those with settings of numba, which are read as numba is imported.
    """
    found = {name: value for name, value in os.environ.items() if not name.startswith(("SYNAP_", "NUMBA_"))}
    found |= {"SYNAP_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    found["PYTHONDONTWRITEBYTECODE"] = "1"  # a process that may write little would leave half a .pyc
    found |= environment
    if fresh or before is not None or any(name.startswith("NUMBA_") for name in environment):
        done = subprocess.run(
            [sys.executable, "-c", code], env=found, cwd=folder, capture_output=True, text=True, timeout=100,
            preexec_fn=before,
        )  # fmt: skip
        ended, said, errors = done.returncode, done.stdout, done.stderr
    else:
        ended, said, errors = forks.run(code, folder, found)
    assert ended == 0, errors
    return said.splitlines(), errors
