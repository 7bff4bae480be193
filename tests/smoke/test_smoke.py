"""The installed `synap` in surroundings that are not like a developer's: each time a start, one key set and read
over RESP and over HTTP, and a clean end.

A case is a program that starts the server (`exec "$@"`) and what its environment says. A start costs seconds, so a
case has several oddities that do not touch each other, and what tests/server shows by itself (single descriptors that
are closed, `-O`) is not repeated here. Some cases need namespaces, which not every machine gives: those are skipped
with the reason, and fail with SYNAP_SMOKE_ALL=1, as in `.ci/run`.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.support import command

SYNAP = Path(sys.executable).parent / "synap"
CACHE = os.environ.get("SYNAP_CACHE_DIR") or str(
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synap")
"""Where compiled kernels lie: each server is pointed there, since compiling them takes more than a minute. A wheel that
carries kernels leaves it empty."""

READ_ONLY = """
    mount --make-rprivate / && mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro / &&
    for place in /tmp /var/tmp /dev/shm "$SYNAP_CACHE_DIR"; do
        mount --bind $place $place && mount -o remount,bind,ro $place || exit 9
    done
    mount --bind "$PWD" "$PWD" && mount -o remount,bind,rw "$PWD" && cd "$PWD"
    if touch /tmp/written /written "$SYNAP_CACHE_DIR/written" 2>/dev/null; then exit 9; fi
"""


@dataclass(frozen=True)
class Case:
    """How the server is started: a shell line before it, a program around it, its environment, its flags."""

    name: str
    before: str = ""
    around: tuple[str, ...] = ()
    environment: dict[str, str | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    data: str = "data"


CASES = [
    Case("as it is"),
    Case("warnings are shown, in Turkish",
         environment={"PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8",
                      "TZ": "Asia/Kathmandu"}),
    Case("a HOME, a locale and a time zone that are not there",
         environment={"HOME": "/nonexistent", "XDG_CACHE_HOME": None, "LC_ALL": "xx_XX.UTF-8", "TZ": "No/Where"}),
    Case("an empty environment", around=("env", "-i")),
    Case("a user without a name and a HOME", around=("unshare", "--user", "--map-user=54321"),
         environment={"HOME": None, "XDG_CACHE_HOME": None}),
    Case("nothing can be written but the data", around=("unshare", "--user", "--map-root-user", "--mount"),
         before=READ_ONLY),
    Case("all standard streams closed", before="exec <&- >&- 2>&-"),
    Case("few addresses, few open files, a small stack, ASCII",
         before="ulimit -v 12000000 && ulimit -n 256 && ulimit -s 1024", flags=("--set", "kv_store.max_memory_mb=64"),
         environment={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    Case("IPv6, west of the date line, without asserts and docstrings", flags=("--host", "::1"), host="::1",
         environment={"LC_ALL": "C.UTF-8", "TZ": "<-12>12", "PYTHONOPTIMIZE": "2"}),
    Case("the C locale", environment={"LC_ALL": "C"}, data="d\u00e4ta dir"),
]  # fmt: skip


def refused_here(case: Case) -> str:
    """Why this machine cannot show the case, or nothing."""
    if case.around[:1] == ("unshare",):
        tried = subprocess.run([*case.around, "true"], capture_output=True, text=True, timeout=20, check=False)
        return tried.stderr.strip() if tried.returncode else ""
    if case.host == "::1":
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            return f"no IPv6 on this machine: {error}"
    return ""


def turkish(directory: Path) -> dict[str, str]:
    """Make the locale if its source is on this machine; Python and libc read it by LOCPATH."""
    made = directory / "locales"
    made.mkdir()
    place = str(made / "tr_TR.UTF-8")
    done = subprocess.run(["sh", "-c", 'command -v localedef && localedef -i tr_TR -f UTF-8 "$0"', place],
                          capture_output=True, timeout=60, check=False)  # fmt: skip
    return {"LOCPATH": str(made)} if done.returncode == 0 else {}


class Begun:
    """A server that was started in the surroundings of a case."""

    def __init__(self, case: Case, directory: Path) -> None:
        self.host = case.host
        self.http_port, self.resp_port = free_port(case.host), free_port(case.host)
        self.output = directory / "output"
        environment = os.environ | {"SYNAP_CACHE_DIR": CACHE}
        if case.environment.get("LANG", "").startswith("tr_TR"):
            environment |= turkish(directory)
        cleared = case.around[:1] == ("env",)
        around = [*case.around, f"SYNAP_CACHE_DIR={environment['SYNAP_CACHE_DIR']}"] if cleared else [*case.around]
        for name, value in case.environment.items():
            environment.pop(name, "")
            if value is not None:
                environment[name] = value
        arguments = [
            str(SYNAP), "serve", "--port", str(self.http_port), "--resp-port", str(self.resp_port),
            "--data-dir", case.data, "--set", f"resp.host={case.host}", *case.flags,
        ]  # fmt: skip
        script = f'{case.before}\nexec "$@"'
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*around, "/bin/sh", "-c", script, "sh", *arguments],
                cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def said(self) -> str:
        return f"ended with {self.process.poll()}, said {self.output.read_text(errors='replace')[-3000:]!r}"

    def http(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, body) of a request."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def resp(self, *words: Any) -> bytes:
        """What comes back for one command, as it is on the wire."""
        with socket.create_connection((self.host, self.resp_port), timeout=10) as connection:
            connection.sendall(command(*words) + command("QUIT"))
            with connection.makefile("rb") as file:
                return file.read().removesuffix(b"+OK\r\n")

    def wait(self) -> None:
        """Until it is ready; an end before that fails at once."""
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.http("GET", "/health")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"not ready: {self.said()}")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def warm() -> None:
    """The kernels of the installed program are ready: it may be another than the sources beside the tests."""
    Path(CACHE).mkdir(parents=True, exist_ok=True)  # a case hides it, even if a wheel with kernels leaves it empty
    environment = os.environ | {"SYNAP_CACHE_DIR": CACHE}
    subprocess.run([str(SYNAP), "warmup"], env=environment, check=True, capture_output=True)


@pytest.mark.timeout(400)  # the first one may have to compile
@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_a_server_starts_answers_and_ends(warm: None, tmp_path: Path, case: Case) -> None:
    if refusal := refused_here(case):
        assert not os.environ.get("SYNAP_SMOKE_ALL"), refusal
        pytest.skip(f"{case.name}: {refusal}")
    begun = Begun(case, tmp_path)
    try:
        begun.wait()
        text = "gr\u00fc\u00df \u0130"
        size = len(text.encode())
        assert begun.resp("SET", "resp", text) == b"+OK\r\n"
        assert begun.resp("GET", "resp") == b"$%d\r\n%b\r\n" % (size, text.encode())
        assert begun.http("POST", "/kv/set", {"key": "http", "value": text, "ttl": 3600}) == (
            200, {"success": True, "key": "http", "written": True})  # fmt: skip
        assert begun.http("GET", "/kv/get/http") == (200, text)
        assert begun.http("GET", "/kv/get/resp") == (200, text), "both surfaces show the same keys"
        begun.process.send_signal(signal.SIGTERM)
        assert begun.process.wait(20) == 0, begun.said()
        assert (tmp_path / case.data).is_dir(), "the data lies where it was asked for"
        assert "Traceback" not in begun.output.read_text(errors="replace")
    finally:
        begun.stop()


def test_without_a_home_the_small_commands_work(tmp_path: Path) -> None:
    """What needs no kernels needs no cache either."""
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    for arguments in (["--version"], ["config"], ["serve", "--help"]):
        done = subprocess.run([str(SYNAP), *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True,
                              timeout=30, check=False)  # fmt: skip
        assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
