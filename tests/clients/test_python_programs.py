"""Python programs on top of Redis clients, unmodified, each with a workload in a process of its own.

    python/session_of_<program>.py PORT PORT

Each session runs against redis-server, which shows that it asks for no more than Redis does, and at the same time
against Synap.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import Redis
from tests.server.clients import Server

HERE = Path(__file__).parent / "python"
PROGRAMS = (
    "django", "walrus", "pottery", "cachelib", "flask", "socketio", "aiocache", "celery", "limits", "huey", "dramatiq",
    "channels", "redis_streams",
)  # fmt: skip
ASIDE = {
    "arq": ("arq==0.28.0",), "faststream": ("faststream[redis]==0.7.8",), "rq": ("rq==3.0.0",),
    "taskiq": ("taskiq==0.11.20", "taskiq-redis==1.0.9"),
}  # fmt: skip
"""Programs of the campaign, each with the packages that it needs, in an environment of its own."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str, node: Server, tmp_path: Path) -> None:
    _session(program, node, tmp_path)


@pytest.mark.campaign
def test_a_thousand_tasks_of_celery(node: Server, tmp_path: Path) -> None:
    _session("celery", node, tmp_path, TASKS="1000")


@pytest.mark.campaign
@pytest.mark.timeout(400)
@pytest.mark.parametrize("program", ASIDE)
def test_program_with_its_own_packages(program: str, node: Server, tmp_path: Path) -> None:
    python = str(tmp_path / "venv" / "bin" / "python")
    for words in ([sys.executable, "-m", "venv", str(tmp_path / "venv")],
                  [python, "-m", "pip", "install", "-q", *ASIDE[program]]):  # fmt: skip
        subprocess.run(words, check=True, timeout=200)
    _session(program, node, tmp_path, python)


def _session(
    program: str, node: Server, tmp_path: Path, python: str = sys.executable, **environment: str
) -> None:
    peer = Redis(tmp_path)
    try:
        script, ports = str(HERE / f"session_of_{program}.py"), [str(peer.port), str(node.resp_port)]
        words = [python, "-W", "ignore", script, *ports]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False,
                              env=os.environ | environment)  # fmt: skip
    finally:
        peer.close()
    assert done.stdout.strip() == "session done", f"{done.stdout[-3000:]}{done.stderr[-3000:]}"


def test_there_is_no_other_session() -> None:
    assert {path.stem.removeprefix("session_of_") for path in HERE.glob("session_of_*.py")} == {*PROGRAMS, *ASIDE}
