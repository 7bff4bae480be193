"""The command line: what is parsed, what is called with it, how it ends. The commands' work is replaced."""

import configparser
import http.server
import re
import resource
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from synap import cli
from synap.settings import TABLE, Settings, explain, explain_table

ROOT = Path(__file__).parent.parent
Calls = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = ("SYNAP_CONFIG", "SYNAP_HEALTH_ADDR")
    for variable in (*named, *(row.environment for row in TABLE), *(row.short for row in TABLE)):
        if variable:
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the commands called, in place of the modules that would do the work."""
    seen: Calls = []

    def stand_in(name: str, lines: list[str] | None) -> Callable[..., Iterator[str] | None]:
        def called(*given: Any) -> Iterator[str] | None:
            seen.append((name, given))
            return None if lines is None else iter(lines)

        return called

    modules = {
        "server.server": ["serve"], "node.jit_warmup": ["warmup", "all_tiers", "costs"],
        "node.data_tools": ["check", "dump", "load"],
    }  # fmt: skip
    for module, names in modules.items():
        fake = ModuleType(f"synap.io.{module}")
        for name in names:
            setattr(fake, name, stand_in(name, None if name == "serve" else [f"{name} one", f"{name} two"]))
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
    return seen


def run(line: str) -> Result:
    return CliRunner().invoke(cli.main, shlex.split(line))


def fails(line: str, code: int, text: str) -> None:
    result = run(line)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    told = result.stderr.splitlines()
    assert len(told) == 1 or code == 2
    assert text in told[-1]


def test_serve_takes_the_defaults(calls: Calls) -> None:
    result = run("serve")
    assert (result.exit_code, result.output) == (0, "")
    assert calls == [("serve", (Settings(),))]


def test_every_flag_reaches_its_setting(calls: Calls) -> None:
    Path("my.yml").write_text("queue: {max_depth: 7}\nserver: {port: 1}\n")
    result = run("serve -c my.yml --host localhost --port 0 --resp-port -1 --data-dir /x "
                 "--set persistence.wal.fsync_mode=always --set limits.bulk_bytes_max=1mb")
    assert result.exit_code == 0, result.output
    ((_, (settings,)),) = calls
    assert settings == Settings().replace({
        "queue.max_depth": 7, "server.host": "localhost", "server.port": 0, "resp.port": -1,
        "persistence.directory": "/x", "persistence.wal.fsync_mode": "always",
        "limits.bulk_bytes_max": 1 << 20,
    })


def test_a_list_is_a_repeated_flag(calls: Calls) -> None:
    assert run("serve --host 127.0.0.1 --port 0 --host ::1,localhost").exit_code == 0
    ((_, (settings,)),) = calls
    assert settings == Settings().replace({"server.host": "127.0.0.1,::1,localhost", "server.port": 0})


def test_rows_with_a_flag_are_options() -> None:
    flags = {flag for option in cli.serve.params for flag in option.opts}
    assert {row.flag for row in TABLE if row.flag} <= flags


def test_warnings_go_to_standard_error(calls: Calls) -> None:
    Path("config.yml").write_text("replication: {}\n")
    result = run("serve")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.startswith("synap: warning: config.yml line 1: replication has no effect")
    assert calls[0][1] == (Settings(),)


def test_warmup(calls: Calls) -> None:
    result = run("warmup --set jit.workers=3")
    assert (result.exit_code, result.stdout) == (0, "warmup one\nwarmup two\n")
    assert calls == [("warmup", (Settings().replace({"jit.workers": 3}),))]


def test_warmup_for_other_processors_and_its_costs(calls: Calls) -> None:
    assert run("warmup --all-tiers").stdout == "warmup one\nwarmup two\nall_tiers one\nall_tiers two\n"
    assert run("warmup --costs").stdout == "costs one\ncosts two\n"
    assert [name for name, _ in calls] == ["warmup", "all_tiers", "costs"]


def test_tools(calls: Calls) -> None:
    Path("data").mkdir()
    Path("file").touch()
    for name in ("check", "dump"):
        result = run(f"{name} data")
        assert (result.exit_code, result.stdout) == (0, f"{name} one\n{name} two\n")
    assert run("load fresh file").exit_code == 0
    assert run("load file").exit_code == 0  # into the directory of `synap serve`
    assert calls == [
        ("check", (Path("data"), False)), ("dump", (Path("data"),)), ("load", (Path("fresh"), Path("file"))),
        ("load", (Path(Settings().persistence.directory), Path("file"))),
    ]  # fmt: skip


@pytest.mark.parametrize("line, text", [
    ("serve --port x", "--port: server.port: wanted a whole number from 0 to 65535, found x"),
    ("serve --host ''", "--host: server.host: wanted a host name or an IP address, found an empty text"),
    ("serve --host ::1 --host a/b", "--host: server.host: wanted a host name or an IP address, found ::1,a/b"),
    ("serve --set nonsense", "--set: wanted section.key=value, found nonsense"),
    ("warmup --set server.prot=1", "there is no setting server.prot; did you mean server.port?"),
    ("serve --nonsense", "--nonsense"),
    ("nonsense", "nonsense"),
    ("check missing", "missing"),
    ("check", "DIRECTORY"),
    ("load", "FILE"),
    ("load x", "FILE"),
    ("load x y z", "FILE"),
])
def test_wrong_use_ends_with_2(calls: Calls, line: str, text: str) -> None:
    fails(line, 2, text)
    assert not calls


def test_wrong_files_end_with_1(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.yml").write_text("server:\n  port: x\n")
    fails("serve", 1, "config.yml line 2: server.port: wanted a whole number from 0 to 65535, found x")
    unread = "the settings file {} cannot be read: {}"
    Path("file").touch()
    Path("config.yml").unlink()
    for line, variable, told in (
        ("serve -c missing.yml", "", unread.format("missing.yml (--config)", "No such file or directory")),
        ("serve -c ''", "", unread.format("an empty text (--config)", "No such file or directory")),
        ("serve -c .", "", unread.format(". (--config)", "Is a directory")),
        ("warmup -c file/x", "", unread.format("file/x (--config)", "Not a directory")),
        ("serve", "none.yml", unread.format("none.yml (environment SYNAP_CONFIG)", "No such file or directory")),
        ("serve", "/", unread.format("/ (environment SYNAP_CONFIG)", "Is a directory")),
    ):
        monkeypatch.setenv("SYNAP_CONFIG", variable)
        fails(line, 1, told)
    monkeypatch.delenv("SYNAP_CONFIG")
    Path("config.yml").mkdir()
    fails("serve", 1, unread.format("config.yml (in the working directory)", "Is a directory"))
    Path("config.yml").rmdir()
    Path("config.yml").symlink_to("nowhere")
    fails("serve", 1, unread.format("config.yml (in the working directory)", "No such file or directory"))
    Path("config.yml").unlink()
    monkeypatch.setenv("SYNAP_PORT", "tcp://10.0.0.1:15500")
    fails("serve", 1, "environment SYNAP_PORT: server.port: wanted")
    assert not calls


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def serve(settings: Settings) -> None:
        raise error

    monkeypatch.setattr(sys.modules["synap.io.server.server"], "serve", serve)


class Probed(http.server.BaseHTTPRequestHandler):
    """Answers a health probe with the status that its server has."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b'{"status": "as told"}')

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.mark.parametrize("status, code", [(200, 0), (503, 1)])
def test_health_check(calls: Calls, monkeypatch: pytest.MonkeyPatch, status: int, code: int) -> None:
    monkeypatch.setattr(Probed, "status", status)
    with http.server.HTTPServer(("127.0.0.1", 0), Probed) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_port
        monkeypatch.setenv("SYNAP_PORT", str(port))
        lines = ["serve --health-check", f"serve --host 0.0.0.0 --port {port} --health-check"]
        for line in lines:
            result = run(line)
            assert result.exit_code == code, result.output
            assert '{"status": "as told"}' in (result.stdout if code == 0 else result.stderr)
        monkeypatch.setenv("SYNAP_PORT", "1")
        monkeypatch.setenv("SYNAP_HEALTH_ADDR", f"localhost:{port}")
        assert run("serve --health-check").exit_code == code
        server.shutdown()
    fails("serve --health-check", 1, f"localhost port {port}: ")
    monkeypatch.setenv("SYNAP_HEALTH_ADDR", "nonsense")
    fails("serve --health-check", 1, "environment SYNAP_HEALTH_ADDR: wanted HOST:PORT, found nonsense")
    assert not calls


@pytest.mark.usefixtures("calls")
def test_failures_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, OSError(98, "Address already in use"))
    fails("serve", 1, "Address already in use")
    ours = type("Damaged", (Exception,), {"__module__": "synap.journal"})
    failing(monkeypatch, ours("segment 7\nis damaged"))
    fails("serve", 1, "segment 7 is damaged")


@pytest.mark.usefixtures("calls")
def test_a_mistake_of_ours_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ZeroDivisionError("ours"))
    assert isinstance(run("serve").exception, ZeroDivisionError)


def test_serve_main_is_serve(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["synap-server", "--port", "0"])
    with pytest.raises(SystemExit) as ended:
        cli.serve_main()
    assert ended.value.code == 0
    assert calls == [("serve", (Settings().replace({"server.port": 0}),))]


def test_config_prints_what_the_table_prints() -> None:
    assert run("config").stdout == explain()
    assert run("config --markdown").stdout == explain_table()


@pytest.mark.parametrize("line", ["--version", "-V", "serve --version"])
def test_version(line: str) -> None:
    result = run(line)
    assert result.exit_code == 0
    assert re.match(r"synap\b", result.stdout)


@pytest.mark.parametrize("line", ["-h", "--help", *(f"{name} --help" for name in cli.main.commands)])
def test_help_needs_nothing_else(line: str) -> None:
    result = run(line)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")


def test_the_lines_in_the_docs_parse(calls: Calls) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ synap (.*?)(?: > \S+)?$", text, re.MULTILINE)
    assert lines
    Path("dump.rdb").touch()
    for line in lines:
        assert run(line).exit_code == 0, line


def test_the_unit_in_the_docs_starts_a_server(calls: Calls) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (unit,) = re.findall(r"<!-- unit -->\n```ini\n(.*?)```", text, re.DOTALL)
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit)
    assert parser["Service"]["Type"] == "notify"
    program, line = parser["Service"]["ExecStart"].split(" ", 1)
    assert program.endswith("/synap")
    Path("config.yml").write_text(explain())
    assert run(line.replace("/etc/synap/", "")).exit_code == 0
    assert calls == [("serve", (Settings().replace({"persistence.directory": "/var/lib/synap"}),))]


def test_help_is_cheap() -> None:
    script = ("import sys; from synap.cli import main; main(['--help'], standalone_mode=False); "
              "print(sorted({'numba', 'numpy', 'yaml', 'anyio', 'rich'} & set(sys.modules)), file=sys.stderr)")
    spent = []
    for _ in range(5):
        start = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])  # of the processor: others may keep it busy
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
        spent.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - start)
        assert done.stderr.strip() == "[]"
    assert min(spent) < 0.4  # a third of it on an idle machine


def test_main_is_a_group() -> None:
    assert isinstance(cli.main, click.Group)
    assert set(cli.main.commands) == {"serve", "warmup", "check", "dump", "load", "config", "generate"}
