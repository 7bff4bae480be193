"""The HTTP API does what /openapi.json says: schemathesis asks whatever the document allows, and what it does not.

Every check of schemathesis is on. Two of them are told what this API means by its statuses: a call that is right by
its form may still be refused for what is stored (400, 404, 409, 422 for a value that no schema can tell), and 507
says that a queue or the memory is full. Routes that wait as long as they are told to are left out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from synap.arguments import Timeout, layout
from synap.commands import CATALOGUE
from tests.server.clients import HOST, Server
from tests.server.test_http_pages import ask

RULES = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422", "507"]
not_a_server_error.expected-statuses = ["2xx", "4xx", "507"]
"""
WAITING = [
    word for row in CATALOGUE.rows
    if row.waits and any(isinstance(place.node, Timeout) for place in layout(row.args))
    for route in row.http for word in ("--exclude-path", route.path)
]  # fmt: skip


KEPT = [f"kept {i}" for i in range(100)]
"""Names that schemathesis does not make: nothing that it asks for may change what they hold, but SWAPDB moves them."""


def keep(server: Server) -> None:
    """Store the keys KEPT."""
    with server.resp() as client:
        assert client.ask_all(*(["SET", name, name] for name in KEPT)) == [b"OK"] * len(KEPT)


def kept(server: Server) -> list[str]:
    """The values of the keys KEPT, from the database that holds them now."""
    with server.resp() as client:
        for number in range(16):
            client.ask("SELECT", number)
            if client.ask("EXISTS", KEPT[0]):
                return [value.decode() for value in client.ask("MGET", *KEPT)]
    return []


def run(server: Server, directory: Path, examples: int, seconds: int, *more: str) -> int:
    """Let schemathesis ask; how many cases it made."""
    keep(server)
    rules = directory / "schemathesis.toml"
    rules.write_text(RULES)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(rules), "run",
            f"http://{HOST}:{server.http_port}/openapi.json", "--checks", "all", "--max-examples", str(examples),
            *WAITING, "--generation-database", "none", "--no-color", *more,
        ],
        capture_output=True, text=True, timeout=seconds, check=False, cwd=directory,
        env=dict(os.environ, COLUMNS="200"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert ask(server, "GET", "/health").value["status"] == "healthy"
    assert kept(server) == KEPT
    counts = re.findall(r"([0-9]+) generated", done.stdout)
    assert counts, done.stdout[-2000:]
    return int(counts[-1])


@pytest.mark.timeout(300)
def test_a_short_run(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve().start()
    assert run(server, tmp_path, 1, 280, "--phases", "examples,fuzzing", "--seed", "1") > 80


@pytest.mark.campaign
@pytest.mark.timeout(4000)
def test_a_long_run(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Two seeds over one server: the second finds what the first has left."""
    server = serve().start()
    phases = "--phases", "examples,coverage,fuzzing"
    assert sum(run(server, tmp_path, 400, 1900, *phases, "--seed", seed) for seed in ("7", "8")) >= 50_000


CHAINS = ("--phases", "stateful", "--exclude-checks", "use_after_free,ensure_resource_availability")
"""Calls after each other along the links of the document. Two checks mean something else by a resource: a key that was
removed may be read (`{"error": ...}`, 200) and written again, and 404 below a queue speaks of a message."""


@pytest.mark.timeout(300)
def test_a_short_run_along_the_links(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve().start()
    assert run(server, tmp_path, 3, 280, *CHAINS, "--seed", "1") > 5


@pytest.mark.campaign
@pytest.mark.timeout(4000)
def test_a_long_run_along_the_links(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve().start()
    assert run(server, tmp_path, 300, 3900, *CHAINS) >= 1000
