"""A process that has everything loaded and forks a server when asked: a start costs milliseconds.

    Zygote()                 imports synap, makes the kernels ready, starts no thread
      .start(arguments)  ->  a forked child runs `synap ARGUMENTS`; its output goes to a file
      .ports(pid)        ->  the ports, when it is ready; None if it ended instead
      .reap(pid)         ->  its exit code, negative for a signal

The far side (`python -m tests.server.zygote`) reads one JSON object a line and answers one. A server asks
to die with its zygote, and the zygote ends with its standard input, so nothing outlives the tests.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1
START_S = 60.0
AHEAD = ["synap.cli", "anyio._backends._asyncio"]
if sys.platform == "linux":
    AHEAD += ["uvloop", "synap.io.resp.epoll_rounds"]
"""What a server imports as late as at its start."""


class Zygote:
    """The near side: one request at a time."""

    def __init__(self) -> None:
        environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        for name in [name for name in environment if name.startswith("SYNAP_") and name != "SYNAP_CACHE_DIR"]:
            del environment[name]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.zygote"], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._one = threading.Lock()
        self.threads = self._ask(do="hello")["threads"]

    def _ask(self, **request: Any) -> dict[str, Any]:
        with self._one:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            assert line, "the zygote has ended"
            return dict(json.loads(line))

    def start(self, arguments: list[str], output: str, before: str = "", directory: str = "") -> int:
        """Fork a server; its pid. `before` is a `module:function` to call in it first."""
        return int(self._ask(do="start", arguments=arguments, output=output, before=before, cwd=directory)["pid"])

    def ports(self, pid: int, seconds: float = START_S) -> tuple[int, int] | None:
        """(HTTP, RESP) once the server is ready; None if it has ended without."""
        found = self._ask(do="ports", pid=pid, seconds=seconds)["ports"]
        return (found[0], found[1]) if found else None

    def reap(self, pid: int, seconds: float = START_S) -> int:
        """Wait for its end; the exit code."""
        code = self._ask(do="reap", pid=pid, seconds=seconds)["code"]
        assert code is not None, f"process {pid} has not ended within {seconds} s"
        return int(code)

    def close(self) -> None:
        """End the far side, and with it every server."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class ForkServer:
    """The far side."""

    def __init__(self) -> None:
        self.pipes: dict[int, int] = {}
        self.codes: dict[int, int] = {}

    def hello(self) -> dict[str, Any]:
        return {"threads": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1}

    def start(self, arguments: list[str], output: str, before: str, cwd: str) -> dict[str, Any]:
        reader, writer = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _end_with_parent(parent)
            _live(arguments, output, before, cwd, writer)
        os.close(writer)
        self.pipes[pid] = reader
        return {"pid": pid}

    def ports(self, pid: int, seconds: float) -> dict[str, Any]:
        reader = self.pipes.pop(pid)
        try:
            ready, _, _ = select.select([reader], [], [], seconds)
            text = os.read(reader, 1000) if ready else b""
        finally:
            os.close(reader)
        return {"ports": json.loads(text) if text else None}

    def reap(self, pid: int, seconds: float) -> dict[str, Any]:
        if pid in self.pipes:
            os.close(self.pipes.pop(pid))
        for _ in range(max(1, int(seconds * 1000))):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return {"code": os.waitstatus_to_exitcode(status)}
            select.select([], [], [], 0.001)
        return {"code": None}


def _end_with_parent(parent: int) -> None:
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _live(arguments: list[str], output: str, before: str, cwd: str, writer: int) -> None:
    """Be a server until the end."""
    from synap.cli import main
    from synap.io.server.server import Server

    nothing = os.open(os.devnull, os.O_RDONLY)
    target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    tell_ready = Server._tell_ready

    def told(server: Server) -> None:
        tell_ready(server)
        try:
            os.write(writer, json.dumps([server.http_port, server.resp_port]).encode())
        except BrokenPipeError:  # nobody waits for this one
            return

    Server._tell_ready = told  # type: ignore[method-assign]
    if cwd:
        os.chdir(cwd)
    code = 1
    try:
        if before:
            module, _, function = before.partition(":")
            getattr(__import__(module, fromlist=[function]), function)()
        main(arguments, prog_name="synap")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def far_side() -> None:
    """Load everything, then do what is asked."""
    from synap.io.node.jit_warmup import prepare

    answers = os.dup(1)
    os.dup2(2, 1)
    prepare(os.cpu_count() or 1, lambda progress: None)
    make_ahead()
    gc.collect()
    gc.freeze()  # a collection in a server does not copy the pages of all that was made here
    fork_server = ForkServer()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        reply = getattr(fork_server, request.pop("do"))(**request)
        os.write(answers, json.dumps(reply).encode() + b"\n")


def make_ahead() -> None:
    """Import and make what every server would import and make as it starts: three quarters of that work."""
    from synap.commands.defaults import catalogue_for
    from synap.derive.heap_image import image_of
    from synap.io.node.clock import Clock
    from synap.io.node.node import Node
    from synap.io.process import logging_setup
    from synap.io.server import server
    from synap.settings import Settings
    from tests.server.made_once import COMMANDS_ONCE, REST_ONCE

    for name in AHEAD:
        importlib.import_module(name)
    logging_setup.formatter("json")
    server.unload_compiler()
    server.unload_compiler = lambda: None  # no server has the pages that it would release
    catalogue = catalogue_for(Settings())
    row_at = image_of(catalogue).row_of
    server.Rest, server.Commands = REST_ONCE, COMMANDS_ONCE  # type: ignore[misc, assignment]
    for flush in (False, True):
        switches = {"kv_store.allow_flush_commands": flush}
        REST_ONCE(catalogue, row_at, switches)
        COMMANDS_ONCE(catalogue, row_at, switches).image()
    Node(Settings().replace({"persistence.enabled": False}), Clock())  # the first call of a kernel takes 20 ms


if __name__ == "__main__":
    far_side()
