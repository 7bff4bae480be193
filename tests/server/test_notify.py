"""What a service manager hears: this test plays systemd on a datagram socket. And what the log looks like."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synap.io.process import systemd
from tests.server.clients import HOST, Server, eventually
from tests.server.zygote import ROOT

Serve = Callable[..., Server]


def listen_to_manager() -> None:
    """In a server that is about to start: the manager's socket lies in the working directory."""
    os.environ["NOTIFY_SOCKET"] = os.path.abspath("notify")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        yield heard


def next_message(manager: socket.socket) -> dict[str, str]:
    """One datagram as names and values."""
    lines = manager.recv(65536).decode().split("\n")
    return dict(line.split("=", 1) for line in lines)


def test_ready_and_stopping(serve: Serve, manager: socket.socket) -> None:
    server = serve(before="tests.server.test_notify:listen_to_manager").start()
    assert str(server.data.parent / "notify") == manager.getsockname()
    heard = [next_message(manager)]
    while "READY" not in heard[-1]:
        heard.append(next_message(manager))
    assert heard[-1]["READY"] == "1" and f":{server.http_port}" in heard[-1]["STATUS"]
    assert {"STATUS": "recovering", "EXTEND_TIMEOUT_USEC": "60000000"} in heard[:-1]
    assert server.http("GET", "/health")[0] == 200
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)  # nothing more while it serves
    manager.settimeout(60)
    assert server.stop() == 0
    assert next_message(manager) == {"STOPPING": "1", "STATUS": "stopping"}


def test_a_manager_that_is_gone_keeps_nobody_from_serving(serve: Serve) -> None:
    server = serve(before="tests.server.test_notify:listen_to_manager").start()
    assert server.http("GET", "/health")[0] == 200
    assert "NOTIFY_SOCKET" in server.said()


def test_a_cold_start_tells_how_far_it_is(tmp_path: Path, manager: socket.socket) -> None:
    """A real process with an empty cache and no terminal: status for the manager, lines in the log."""
    environment = dict(os.environ, SYNAP_CACHE_DIR=str(tmp_path / "cache"), PYTHONPATH=str(ROOT),
                       NOTIFY_SOCKET=str(tmp_path / "notify"))  # fmt: skip
    command = [sys.executable, "-m", "synap.cli", "serve", "--host", HOST, "--port", "0", "--resp-port", "-1"]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=said)
    try:
        heard = next_message(manager)
        assert heard["STATUS"].startswith("Preparing Synap for this machine, once: 0 %")
        assert int(heard["EXTEND_TIMEOUT_USEC"]) >= 10**7
        eventually(lambda: b"Preparing Synap for this machine, once: 0 %" in (tmp_path / "said").read_bytes(), 20)
        process.send_signal(signal.SIGTERM)
        while "STOPPING" not in heard:
            heard = next_message(manager)
            assert "READY" not in heard
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    for line in (tmp_path / "said").read_text().splitlines():
        record = json.loads(line)
        assert list(record)[:4] == ["time", "level", "logger", "message"] and record["level"] == "info"


def test_lines_for_people(serve: Serve) -> None:
    server = serve({"logging.format": "pretty", "logging.level": "trace"}).start()
    eventually(lambda: "[info     ] ready: http://" in server.said())
    assert "{" not in server.said()


def test_addresses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert systemd.notify("READY=1", environ={}) is False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        name = f"synap-test-{os.getpid()}"
        heard.bind("\0" + name)
        assert systemd.notify("STATUS=two\nlines", "READY=1", environ={"NOTIFY_SOCKET": "@" + name})
        assert heard.recv(100) == b"STATUS=two lines\nREADY=1"
    assert not caplog.records
    assert systemd.notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "none")}) is False
    assert "NOTIFY_SOCKET" in caplog.text
