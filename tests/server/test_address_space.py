"""Limits of address space: what is large enough works, and what is not is refused in one line that says what is."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from synap.io.node import limits
from synap.settings import Settings
from synap.store.memory import spaces
from tests.server.processes import Process, plain_environment

WANTED = re.compile(
    r"wanted (\d+) kB of address space for (\d+) MB of data \(kv_store\.max_memory_mb\) and (\d+) kB for the rest of "
    r"the process, found a limit of (\d+) kB: raise it \(ulimit (-[vd]) (\d+)\)( or lower the setting)?"
)
OPEN = "import synap, sys; settings = synap.Settings().replace({'kv_store.max_memory_mb': sys.argv[1]})\n"
USE = OPEN + "db = synap.open(None, settings); db.set('a', 'b' * 1000); print(len(db.get('a')))"
REFUSE = OPEN + "try: synap.open(None, settings)\nexcept MemoryError as error: print(error)"


def limited(kind: str, kb: int, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command says under a limit."""
    line = ["bash", "-c", f'ulimit {kind} {kb}; exec "$@"', "bash", sys.executable, *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, env=plain_environment())


@cache
def named(megabytes: int) -> int:
    """The least limit that a refusal names, in kB."""
    done = limited("-v", 2_000_000, "-m", "synap", "serve", "--set", f"kv_store.max_memory_mb={megabytes}")
    found = WANTED.search(done.stderr)
    assert found, done.stderr
    return int(found[6])


@pytest.mark.parametrize("kind, kb, megabytes, smaller", [
    ("-v", 300_000, 64, False), ("-v", 2_000_000, 64, False), ("-v", 9_000_000, 64, False),
    ("-d", 9_000_000, 64, False), ("-v", 9_340_000, 64, False), ("-v", 9_000_000, 4096, False),
    ("-v", 12_000_000, 4096, True), ("-d", 12_000_000, 4096, True), ("-v", 100_000_000, 524_288, True),
    ("-v", 9_000_000, 0, False),
])  # fmt: skip
def test_too_little_is_one_line(kind: str, kb: int, megabytes: int, smaller: bool, tmp_path: Path) -> None:
    done = limited(kind, kb, "-m", "synap", "serve", "--data-dir", str(tmp_path / "data"), "--port", "0",
                   "--resp-port", "0", "--set", f"kv_store.max_memory_mb={megabytes}")  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    found = re.fullmatch("Error: " + WANTED.pattern, lines[0])
    assert found, lines
    need, data, others, limit, command, least, lower = found.groups()
    assert int(data) == megabytes
    assert (int(limit), command, bool(lower)) == (kb, kind, smaller)
    assert int(need) + int(others) == int(least) > kb


@pytest.mark.parametrize("kind, kb, mb", [("-v", 9_000_000, 64), ("-v", 12_000_000, 4096), ("-d", 9_000_000, 64)])
def test_too_little_in_process(kind: str, kb: int, mb: int) -> None:
    done = limited(kind, kb, "-c", REFUSE, str(mb))
    assert done.returncode == 0 and WANTED.fullmatch(done.stdout.strip()), done


def test_the_limit_that_is_named_is_enough_in_process() -> None:
    done = limited("-v", named(64), "-c", USE, "64")
    assert done.stdout == "1000\n", done.stderr[-2000:]


@pytest.mark.parametrize("kind, kb, megabytes", [
    ("-v", 12_000_000, 64), ("-d", 12_000_000, 64), ("-v", 0, 64), ("-v", 0, 4096), ("-v", 12_000_000, 0),
])  # fmt: skip
def test_enough_works(tmp_path: Path, kind: str, kb: int, megabytes: int) -> None:
    """0 kB stands for the least limit that a refusal names."""
    kb = kb or named(megabytes)
    server = Process(tmp_path, {"kv_store.max_memory_mb": megabytes}, shell=f"ulimit {kind} {kb}; exec {{}}")
    try:
        server.start()
        clients = [server.resp() for _ in range(100)]
        for i, client in enumerate(clients):
            assert client.ask("SET", f"k{i}", b"x" * 100_000) == b"OK" and client.ask("GET", f"k{i}") == b"x" * 100_000
        most = int(clients[0].ask("CONFIG", "GET", "maxmemory")[1])
        assert most == megabytes << 20 if megabytes else 256 << 20 <= most < kb << 10
        assert clients[0].ask("SAVE") == b"OK" and clients[0].ask("DEBUG", "SLEEP", 0) == b"OK"
        assert server.http("POST", "/kv/set", {"key": "h", "value": "w"})[0] == 200
        for client in clients:
            client.close()
        assert server.stop() == 0, server.said()
    finally:
        server.end()
    done = limited(kind, kb, "-m", "synap", "dump", str(server.directory))
    assert done.returncode == 0 and done.stdout.count("string.load") == 101, done.stderr


@pytest.mark.parametrize("megabytes", [1, 64, 255, 256, 1000, 4096, 100_000, 524_288])
def test_what_is_reserved_follows_the_setting(megabytes: int) -> None:
    regions = spaces.least_plan(0).total
    for plan in spaces.plans(megabytes << 20):
        assert plan.pages * 8192 >= megabytes << 20 and plan.first * 8192 * 512 > plan.pages * 8192
        assert plan.total <= regions + (2 * megabytes << 20) * 1.01
    assert spaces.least_plan(megabytes << 20).total == spaces.plans(megabytes << 20)[-1].total
    assert regions < 9 << 30


def test_other_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "limit_of_process", lambda: None)
    files = {"/proc/sys/vm/overcommit_memory": "2\n", "/proc/meminfo": "CommitLimit:   8 kB\nCommitted_AS:  3 kB\n"}
    monkeypatch.setattr(limits, "_read", lambda path: files[path])
    said = str(limits.refusal(Settings().memory_bytes_max))
    assert said.endswith("(vm.overcommit_memory is 2, CommitLimit 8 kB, taken 3 kB): set it to 0 or 1")
    files["/proc/sys/vm/overcommit_memory"] = "0\n"
    said = str(limits.refusal(Settings().memory_bytes_max))
    assert re.fullmatch(r"wanted \d+ kB of address space for 4096 MB .*, but the system refused it: lower .*", said)
