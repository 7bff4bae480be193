"""Real processes: `python -m synap serve` as people start it, in an environment that a test makes odd.

They are slower to start than the zygote's servers (a second each), and nothing of this process is in them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.server.clients import Server, eventually
from tests.server.zygote import ROOT

START_S = 60.0


def plain_environment(**changes: str | None) -> dict[str, str]:
    """The environment of this process without settings of ours; None takes a variable away."""
    found = {name: value for name, value in os.environ.items()
             if not name.startswith(("SYNAP_", "PYTHON")) or name == "SYNAP_CACHE_DIR"}  # fmt: skip
    found["PYTHONPATH"] = str(ROOT)
    found |= {name: value for name, value in changes.items() if value is not None}
    return {name: value for name, value in found.items() if changes.get(name, "") is not None}


class Process(Server):
    """One server in a process of its own, in `place`; `python` are options of the interpreter."""

    def __init__(
        self, place: Path, settings: dict[str, Any] | None = None, *, python: Iterable[str] = (),
        environment: dict[str, str | None] | None = None, shell: str = "",
    ) -> None:  # fmt: skip
        self.place = place
        self.directory = place / "data"
        self.settings = settings or {}
        self.output = place / "output"
        self.http_port, self.resp_port = free_port(), free_port()
        self.pid = 0
        self.python = list(python)
        self.environment = plain_environment(**(environment or {}))
        self.shell = shell  # what stands behind the command, such as `2>&-`, or before it with `{}` for the command
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The whole command line."""
        return [sys.executable, *self.python, "-m", "synap", *self.arguments()]

    def begin(self) -> int:
        words = self.command()
        if self.shell:
            line = self.shell if "{}" in self.shell else "exec {} " + self.shell
            words = ["bash", "-c", line.replace("{}", '"$@"'), "bash", *words]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                words, cwd=self.place, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self.process.pid
        return self.pid

    def wait_ready(self) -> None:
        assert self.process is not None
        process = self.process

        def ready() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.said()[-3000:]}"
            try:
                return self.http("GET", "/health")[0] == 200
            except (ConnectionError, TimeoutError):
                return False

        eventually(ready, START_S, 0.02)

    def refused(self) -> tuple[int, str]:
        self.output.unlink(missing_ok=True)
        self.begin()
        return self.reap(START_S), self.said()

    def reap(self, seconds: float = 30.0) -> int:
        assert self.process is not None
        self.pid = 0
        return self.process.wait(seconds)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(30)


def works(server: Server) -> None:
    """A value, a queue and a room through both doors, as a smoke test asks."""
    with server.resp() as client:
        assert client.ask("SET", "a", "b") == b"OK" and client.ask("GET", "a") == b"b"
        assert client.ask("LPUSH", "l", "x") == 1 and client.ask("SADD", "s", "x", "y") == 2
        client.ask("QUEUE.CREATE", "q", 10, 60_000, 3, 5)
        client.ask("QUEUE.PUBLISH", "q", "m")
        assert client.ask_all(["MULTI"], ["INCR", "n"], ["EXEC"])[-1] == [1]
    assert server.http("POST", "/kv/set", {"key": "h", "value": "w"})[0] == 200
    assert server.http("GET", "/kv/get/h") == (200, "w")
    status, message = server.http("GET", "/queue/q/consume/c")
    assert status == 200 and bytes(message["payload"]) == b"m"
