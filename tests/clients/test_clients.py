"""Redis clients of other languages, unmodified, each in a session of its own: ioredis, node-redis, go-redis, Jedis;
and Bull and BullMQ, programs over ioredis, first against redis-server and then against Synap.

    python -m pytest -m campaign tests/clients

They come from their registries into a temporary directory. `npm` and `node`, `go`, `java` and `mvn` must be
installed; a test that misses one fails.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers import Redis
from tests.server.clients import HOST, Server

HERE = Path(__file__).parent
pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]


def run(directory: Path, *words: str, **environment: str) -> str:
    """What a program prints; it must be installed and must succeed."""
    program = shutil.which(words[0])
    assert program, f"{words[0]} is not installed: this campaign needs npm and node, go, java and mvn"
    done = subprocess.run(
        [program, *words[1:]], cwd=directory, env=os.environ | environment, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def brought(language: str, directory: Path) -> Path:
    """A copy of a language's program, to install beside it what it needs."""
    return Path(shutil.copytree(HERE / language, directory / language))


@pytest.fixture
def address(node: Server) -> tuple[str, str]:
    """Host and port of a running server."""
    return HOST, str(node.resp_port)


def test_node_clients(address: tuple[str, str], tmp_path: Path) -> None:
    directory = brought("node", tmp_path)
    run(directory, "npm", "install", "--no-audit", "--no-fund", "--cache", str(tmp_path / "cache"))
    for session in ("session.js", "collections.js"):
        assert run(directory, "node", session, *address).strip() == "session done"
    peer = Redis(tmp_path)
    try:
        for program in ("bull.js", "bullmq.js"):
            for place in ((HOST, str(peer.port)), address):
                assert run(directory, "node", program, *place).strip() == "session done"
    finally:
        peer.close()


def test_go_redis(address: tuple[str, str], tmp_path: Path) -> None:
    directory = brought("go", tmp_path)
    places = {"GOPATH": str(tmp_path / "path"), "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-modcacherw"}
    run(directory, "go", "build", "-o", "session", ".", **places)
    assert run(directory, str(directory / "session"), *address).strip() == "session done"


def test_java_jedis(address: tuple[str, str], tmp_path: Path) -> None:
    directory = brought("java", tmp_path)
    repository = f"-Dmaven.repo.local={tmp_path / 'repository'}"
    run(directory, "mvn", "-q", "-B", repository, "dependency:copy-dependencies", "-DoutputDirectory=lib")
    for session in ("Session.java", "Collections.java"):
        assert run(directory, "java", "-cp", "lib/*", session, *address).strip() == "session done"


def test_the_python_sdk_of_the_product(node: Server, tmp_path: Path) -> None:
    run(tmp_path, "python3", "-m", "venv", "venv")
    python = str(tmp_path / "venv" / "bin" / "python")
    run(tmp_path, python, "-m", "pip", "install", "-q", "synap-sdk==1.4.0")
    session = str(HERE / "synap_sdk_session.py")
    assert run(tmp_path, python, session, HOST, str(node.http_port)).strip() == "session done"


def test_the_python_sdk_of_the_product_over_resp3(node: Server, tmp_path: Path) -> None:
    run(tmp_path, "python3", "-m", "venv", "venv")
    python = str(tmp_path / "venv" / "bin" / "python")
    run(tmp_path, python, "-m", "pip", "install", "-q", "synap-sdk==1.4.0")
    words = (str(HERE / "synap_sdk_resp3_session.py"), HOST, str(node.resp_port), str(node.http_port))
    assert run(tmp_path, python, *words).strip() == "session done"
