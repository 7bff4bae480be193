"""A wheel with compiled kernels, built and installed as a user would: it starts with an empty cache, compiles nothing,
and answers as the kernels do that are compiled here."""

import platform
import random
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from synap.compiler.levels import can_ship
from tests.server.clients import Resp
from tests.server.processes import Process, works
from tests.server.zygote import ROOT

pytestmark = pytest.mark.skipif(bool(can_ship()), reason=can_ship() or "-")

LEVEL = "x86-64-v2"  # every processor that numba runs on has it
START_MAX_S = 20.0
"""Far above the second that the first answer takes on an idle machine, far below what compiling takes."""
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "packaging_backend", "synap")
CALLS = (
    "SET {key} {value}", "SET {key} {value} NX", "GET {key}", "APPEND {key} {value}", "INCRBY {key} {n}",
    "SETRANGE {key} {n} {value}", "GETRANGE {key} 0 {n}", "DEL {key}", "RENAME {key} {other}", "COPY {key} {other}",
    "LPUSH {key} {value} {n}", "RPUSH {key} {value}", "LPOP {key} 2", "LRANGE {key} 0 -1", "LLEN {key}",
    "SADD {key} {value} {n}", "SREM {key} {n}", "SISMEMBER {key} {n}", "SCARD {key}", "TYPE {key}",
    "QUEUE.CREATE {key} 10 60000 3 5", "PING {value}", "DBSIZE",
    "MGET {key} {other}", "MSET {key} {value} {other} {n}", "PERSIST {key}",
    "INCRBYFLOAT {key} 0.{n}", "EXISTS {key} {other}", "GETDEL {key}",
    "STRLEN {key}",
)  # fmt: skip


class Installed(Process):
    """A server that the program of another environment runs."""

    program = Path("synap")

    def command(self) -> list[str]:
        return [str(self.program), *self.arguments()]


def build(folder: Path, levels: str) -> Path:
    """Build the wheel from a copy of the sources and return it."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "tree").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "tree" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", str(folder), "."]
    environment = Process(folder).environment | {"SYNAP_WHEEL_LEVELS": levels}
    done = subprocess.run(
        command, cwd=folder / "tree", env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new environment that finds all other packages here, and return its `synap`."""
    venv.create(folder, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    others = sysconfig.get_paths()["purelib"]
    (Path(paths["purelib"]) / "others.pth").write_text(others + "\n")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-deps",
               "--ignore-installed", "--no-index", str(wheel)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / "bin" / "synap"


def history(client: Resp, seed: int, count: int) -> list[Any]:
    """Return the replies to a random history of calls, and then the digest of the state."""
    chance = random.Random(seed)
    calls = []
    for _ in range(count):
        key, other = (f"k{chance.randrange(12)}" for _ in range(2))
        size = chance.choice([1, 5, 40, 3000])
        words = {"key": key, "other": other, "n": chance.randrange(100), "value": chance.choice("abc") * size}
        calls.append([word.format(**words) for word in chance.choice(CALLS).split()])
    replies = [reply for i in range(0, count, 100) for reply in client.ask_all(*calls[i : i + 100])]
    return [replies, client.ask("DEBUG", "DIGEST")]


@pytest.mark.wheel
@pytest.mark.timeout(1200)
def test_a_wheel_starts_with_an_empty_cache_and_answers_as_the_sources_do(tmp_path: Path) -> None:
    warmup = [sys.executable, "-m", "synap", "warmup"]  # no call of the history must wait for the compiler
    subprocess.run(warmup, env=Process(tmp_path).environment, check=True, capture_output=True, timeout=300)
    wheel = build(tmp_path, LEVEL)
    number = "".join(platform.python_version_tuple()[:2])
    assert wheel.name == f"synap-{metadata.version('synap')}-cp{number}-cp{number}-linux_x86_64.whl"
    for name in ("wheel", "sources"):
        (tmp_path / name).mkdir()
    cache = tmp_path / "cache"
    from_wheel = Installed(tmp_path / "wheel", environment={"PYTHONPATH": None, "SYNAP_CACHE_DIR": str(cache)})
    from_wheel.program = install(wheel, tmp_path / "environment")
    from_sources = Process(tmp_path / "sources")
    found, seconds = [], []
    for server in (from_wheel, from_sources):
        begun = time.monotonic()
        try:
            server.begin()
            server.wait_ready()
            with server.resp() as client:
                assert client.ask("SET", "first", "1") == b"OK"
                seconds.append(time.monotonic() - begun)
                found.append(history(client, 1, 4000))
            works(server)
        finally:
            server.end()
    assert list(cache.rglob("*.nbc")) == [], from_wheel.said()
    assert "compiled here" not in from_wheel.said()
    assert seconds[0] < START_MAX_S, seconds
    (replies, digest), (wanted, wanted_digest) = found
    assert [pair for pair in zip(replies, wanted, strict=True) if pair[0] != pair[1]] == []
    assert digest == wanted_digest and b"strings" in digest
    assert len({str(reply) for reply in replies}) > 100


def test_a_wheel_without_levels_is_pure(tmp_path: Path) -> None:
    wheel = build(tmp_path, "")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as file:
        assert not [name for name in file.namelist() if "_kernels" in name]
