"""What a Python client costs: synap.client beside redis-py, both asking the same server of ours."""

import contextlib
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import redis

from synap.client import Client

COMMANDS = 100


class PipelinedSet:
    """One pipeline of a hundred SETs, with the making of its commands (wall time of one)."""

    params = [["synap.client", "redis-py"]]
    param_names = ["client"]
    timeout = 120

    def setup(self, which: str) -> None:
        self.exits = contextlib.ExitStack()
        directory = self.exits.enter_context(tempfile.TemporaryDirectory())
        port = _free_port()
        log = self.exits.enter_context((Path(directory) / "log").open("w"))
        server = subprocess.Popen(
            [sys.executable, "-m", "synap.cli", "serve", "--port", "0", "--resp-port", str(port),
             "--data-dir", f"{directory}/data"], cwd=directory, stdout=log, stderr=log,
        )  # fmt: skip
        self.exits.callback(server.wait)
        self.exits.callback(server.kill)
        self.ours = self.exits.enter_context(Client(port=port, attempts=60))
        self.ours.ping()
        self.theirs = redis.Redis(port=port)
        self.exits.callback(self.theirs.close)
        self.pairs = [(f"key:{i}", f"value:{i}") for i in range(COMMANDS)]

    def teardown(self, which: str) -> None:
        self.exits.close()

    def time_pipeline(self, which: str) -> None:
        batch = self.ours.pipeline() if which == "synap.client" else self.theirs.pipeline(transaction=False)
        for key, value in self.pairs:
            batch.set(key, value)
        batch.send() if which == "synap.client" else batch.execute()

    def time_get(self, which: str) -> None:
        """A call alone."""
        if which == "synap.client":
            self.ours.get("key:1")
        else:
            self.theirs.get("key:1")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
