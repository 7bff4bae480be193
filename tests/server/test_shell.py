"""A server as a shell starts it: closed descriptors, pipes that nobody reads, signals, a terminal."""

import fcntl
import json
import logging
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import synap
from synap.io.process.log_writer import Lines
from tests.ports import free_port
from tests.server.clients import HOST, eventually
from tests.server.zygote import ROOT

READY_S = 60
IN_ORDER = "stopped, data is safe in ./data"


class Shell:
    """One server, started by a line of `sh`."""

    def __init__(self, place: Path, end: str = "", options: str = "", **given: object) -> None:
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNAP_")}
        environment |= {"PYTHONPATH": str(ROOT), "SYNAP_CACHE_DIR": os.environ.get("SYNAP_CACHE_DIR", "")}
        if not environment["SYNAP_CACHE_DIR"]:
            del environment["SYNAP_CACHE_DIR"]
        line = f"exec '{sys.executable}' -m synap serve --port {self.port} --set resp.port=-1 {options} {end}"
        self.process = subprocess.Popen(["sh", "-c", line], cwd=place, env=environment, **given)  # type: ignore[call-overload]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=10) as reply:
            return str(reply.read().decode())

    def keeps(self, key: str, value: str) -> bool:
        body = json.dumps({"key": key, "value": value}).encode()
        urllib.request.urlopen(f"http://{HOST}:{self.port}/kv/set", body, timeout=10).close()
        return bool(json.loads(self.get(f"/kv/get/{key}")) == value)

    def well(self) -> bool:
        assert self.process.poll() is None, "the server has ended"
        try:
            return "healthy" in self.get("/health")
        except OSError:
            return False

    def start(self) -> "Shell":
        eventually(self.well, READY_S, 0.1)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return int(self.process.wait(20))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """(reader, writer) of a pipe without room."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b".")
    os.set_blocking(writer, True)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read_all(reader: int, until: str, seconds: float = 20) -> str:
    """What comes, without the filling, until it has this text."""
    found, end = "", time.monotonic() + seconds
    os.set_blocking(reader, False)
    while until not in found and time.monotonic() < end:
        try:
            found += os.read(reader, 1 << 16).decode().strip(".")
        except BlockingIOError:
            time.sleep(0.01)
    return found


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors(tmp_path: Path, closed: tuple[int, ...]) -> None:
    with open(tmp_path / "said", "wb") as said:
        end = " ".join(f"{number}>&-" for number in closed)
        shell = Shell(tmp_path, end, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            shell.start()
            assert shell.keeps("k", "gr\u00fc\u00df")
            for number in range(3):
                held = os.readlink(f"/proc/{shell.process.pid}/fd/{number}")
                wanted = "/dev/null" if number in closed or number == 0 else str(tmp_path / "said")
                assert held == wanted, number
            assert shell.stop() == 0
        finally:
            shell.close()
    text = (tmp_path / "said").read_text()
    assert "Traceback" not in text and (IN_ORDER in text) == (2 not in closed)


@pytest.mark.parametrize("command", ["check {0}", "dump {0}", "config", "--help", "--version"])
def test_other_commands_with_closed_descriptors(store: object, tmp_path: Path, command: str) -> None:
    with synap.open(str(tmp_path / "d")) as db:
        db.set("a", "b")
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    words = command.format(tmp_path / "d")
    done = subprocess.run(["sh", "-c", f"'{sys.executable}' -m synap {words} <&- >&- 2>&-"], env=environment,
                          timeout=READY_S)  # fmt: skip
    assert done.returncode == 0
    line = f"'{sys.executable}' -m synap {words} | head -1"
    done = subprocess.run(["sh", "-c", line], env=environment, timeout=READY_S, stderr=subprocess.PIPE)
    assert done.stderr == b""


def test_in_process_with_closed_descriptors(tmp_path: Path) -> None:
    code = ("import os, sys, synap\nwith synap.open('d') as db:\n    db.set('a', 'b')\n    os.write(2, b'noise')\n"
            "    held = [os.readlink(f'/proc/self/fd/{n}') for n in range(3)]\n"
            "with synap.open('d') as db:\n    sys.exit(held != ['/dev/null'] * 3 or db.get('a') != b'b')\n")
    (tmp_path / "code.py").write_text(code)
    done = subprocess.run(["sh", "-c", f"'{sys.executable}' code.py <&- >&- 2>&-"], cwd=tmp_path,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)), timeout=READY_S)  # fmt: skip
    assert done.returncode == 0


def test_no_signal_ends_a_server_by_mistake_and_a_full_pipe_does_not_stop_it(
    tmp_path: Path, full_pipe: tuple[int, int]
) -> None:
    reader, writer = full_pipe
    shell = Shell(tmp_path, stderr=writer)
    try:
        shell.start()
        for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"):
            shell.process.send_signal(getattr(signal, name))
            time.sleep(0.05)
            assert shell.well()
        assert "synap_log_lines_dropped_total 0.0" in shell.get("/metrics")
        text = read_all(reader, "SIGHUP changes nothing")
        assert "ready: " in text and "SIGHUP changes nothing" in text
        assert shell.stop() == 0
        assert IN_ORDER in read_all(reader, IN_ORDER)
    finally:
        shell.close()


def test_a_stop_does_not_wait_for_a_full_pipe(tmp_path: Path, full_pipe: tuple[int, int]) -> None:
    shell = Shell(tmp_path, stderr=full_pipe[1])
    try:
        shell.start()
        assert shell.stop(signal.SIGINT) == 0
    finally:
        shell.close()


@pytest.mark.parametrize(("options", "last"), [
    ("", IN_ORDER),
    ("--data-dir other", "stopped, data is safe in other"),
    ("--set persistence.enabled=false", "stopped, the data was only in memory and is lost"),
])  # fmt: skip
def test_what_a_stop_says(tmp_path: Path, options: str, last: str) -> None:
    with open(tmp_path / "said", "wb") as said:
        shell = Shell(tmp_path, options=options, stderr=said)
        try:
            shell.start()
            shell.process.send_signal(signal.SIGINT)
            assert shell.stop(signal.SIGINT) == 0, "a second one is not a failure"
        finally:
            shell.close()
    text = (tmp_path / "said").read_text()
    assert last in text.splitlines()[-1] and text.startswith("{")


def test_on_a_terminal_lines_are_for_people_and_its_end_ends_nothing(tmp_path: Path) -> None:
    near, far = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(near, 65536):
                seen.append(piece)
        except OSError:  # the far side is closed, or this one
            return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    shell = Shell(tmp_path, stdin=far, stdout=far, stderr=far, preexec_fn=own_terminal)
    os.close(far)
    try:
        shell.start()
        eventually(lambda: b"ready" in b"".join(seen))  # Ctrl-C discards what the terminal has not shown yet
        os.write(near, b"\x03")
        assert shell.process.wait(20) == 0
    finally:
        shell.close()
    eventually(lambda: IN_ORDER.encode() in b"".join(seen))
    text = b"".join(seen).decode()
    assert IN_ORDER in text and "ready" in text and '{"time"' not in text
    os.close(near)

    near, far = pty.openpty()
    shell = Shell(tmp_path, stdin=far, stdout=far, stderr=far, preexec_fn=own_terminal)
    os.close(far)
    try:
        shell.start()
        os.close(near)
        time.sleep(0.3)
        assert shell.well() and shell.stop() == 0
    finally:
        shell.close()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("synap", logging.INFO, __file__, 1, text, (), None)


def test_dropped_lines_are_counted_and_told(full_pipe: tuple[int, int]) -> None:
    reader, writer = full_pipe
    lines = Lines(writer, lines_max=10)
    begun = time.monotonic()
    for i in range(1000):
        lines.emit(record(f"line {i};"))
    lines.close_within(0.1)
    assert time.monotonic() - begun < 5
    dropped = lines.dropped
    assert 989 <= dropped <= 990  # the writer may hold one line more
    text = read_all(reader, "log lines were dropped")
    assert "line 0;" in text and text.count("line ") == 1000 - dropped
    assert f"{dropped} log lines were dropped" in text.splitlines()[-1]
    lines.emit(record("later"))
    assert read_all(reader, "later").strip() == "later" and lines.dropped == dropped


def test_lines_are_bounded_in_bytes_too(full_pipe: tuple[int, int]) -> None:
    lines = Lines(full_pipe[1], bytes_max=1000)
    for _ in range(20):
        lines.emit(record("x" * 300))
    assert 15 <= lines.dropped <= 17
    read_all(full_pipe[0], "dropped")


def test_lines_that_nobody_can_read() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer)
    os.close(reader)
    for i in range(5):
        lines.emit(record(f"line {i}"))
    lines.close_within(5)
    assert lines.dropped == 5
    os.close(writer)
