"""Where a server listens: one host or several, IPv4 and IPv6, one port at all of them, and what it says of that."""

import ctypes
import http.client
import json
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import synap
from synap.cli.health import check
from synap.io.server.listeners import Address, chosen
from synap.settings import Settings
from tests.server.clients import Server, eventually
from tests.server.zygote import ROOT

Serve = Callable[..., Server]

IPV4, IPV6 = "127.0.0.1", "::1"
OTHER = "127.0.0.2"


def asked(serve: Serve, *words: str, before: str = "", **settings: Any) -> Server:
    """A server with these words on its command line instead of a host of the fixture's."""
    server = serve(before=before)
    given = {"server.port": 0, "resp.port": -1} | {name.replace("__", "."): value for name, value in settings.items()}
    chosen = [f"--set={name}={value}" for name, value in given.items() if value is not None]
    server.arguments = lambda: ["serve", "--data-dir", str(server.directory), *chosen, *words]  # type: ignore[method-assign]
    return server


def reached(host: str, port: int) -> bool:
    """Does somebody listen there?"""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("hosts, places, urls", [
    (["::1"], {IPV6}, ["[::1]"]),
    (["::"], {IPV4, OTHER, IPV6}, ["[::]"]),
    (["0.0.0.0"], {IPV4, OTHER}, ["0.0.0.0"]),
    (["127.0.0.1", "::1"], {IPV4, IPV6}, ["127.0.0.1", "[::1]"]),
    (["[::1],127.0.0.2"], {IPV6, OTHER}, ["[::1]", "127.0.0.2"]),
    (["127.0.0.1,127.0.0.2"], {IPV4, OTHER}, ["127.0.0.1", "127.0.0.2"]),
    (["::", "0.0.0.0"], {IPV4, OTHER, IPV6}, ["[::]", "0.0.0.0"]),
    (["::", "127.0.0.2"], {OTHER, IPV6}, ["[::]", "127.0.0.2"]),
    (["0.0.0.0", "127.0.0.1", "::1"], {IPV4, OTHER, IPV6}, ["0.0.0.0", "127.0.0.1", "[::1]"]),
    (["::1", "0:0:0:0:0:0:0:1", "::1"], {IPV6}, ["[::1]", "[0:0:0:0:0:0:0:1]"]),
    (["::1", "::"], {IPV4, OTHER, IPV6}, ["[::1]", "[::]"]),
])  # fmt: skip
def test_hosts(serve: Serve, hosts: list[str], places: set[str], urls: list[str]) -> None:
    words = [word for host in hosts for word in ("--host", host)]
    server = asked(serve, *words, resp__host=",".join(hosts)).start()
    http_port, resp_port = server.http_port, server.resp_port
    for port in (http_port, resp_port):
        assert {host for host in (IPV4, OTHER, IPV6) if reached(host, port)} == places
    wanted = ", ".join(f"http://{url}:{http_port}" for url in urls)
    eventually(lambda: f"ready: {wanted}, RESP on port {resp_port} (" in server.said())
    for host in places:
        link = http.client.HTTPConnection(host, http_port, timeout=10)
        link.request("GET", "/health")
        assert link.getresponse().status == 200
        link.close()
        with redis.Redis(host, resp_port) as client:
            shown = f"[{host}]" if ":" in host else host
            laddr = client.execute_command("CLIENT", "INFO")
            assert f"laddr={shown}:{resp_port}" in str(laddr) or laddr["laddr"] == f"{shown}:{resp_port}"
            flat = list(dict.fromkeys(host.strip("[]") for host in ",".join(hosts).split(",")))
            assert client.config_get("bind") == {"bind": " ".join(flat)}
    settings = Settings().replace({"server.host": ",".join(hosts), "server.port": http_port})
    assert json.loads(check(settings))["status"] == "healthy"
    assert server.stop() == 0
    assert not any(reached(host, port) for host in places for port in (http_port, resp_port))


@pytest.mark.parametrize("text", ["server: {host: ['127.0.0.2', '::1']}", "server:\n  host: 127.0.0.2,::1"])
def test_hosts_of_a_file(serve: Serve, tmp_path: Path, text: str) -> None:
    (tmp_path / "some.yml").write_text(text)
    server = asked(serve, "--config", str(tmp_path / "some.yml")).start()
    assert [reached(host, server.http_port) for host in (IPV4, OTHER, IPV6)] == [False, True, True]


def hosts_of_the_environment() -> None:
    """In a server that is about to start."""
    os.environ |= {"SYNAP_HOST": "127.0.0.2,::1", "SYNAP_RESP__HOST": "::1"}


def test_hosts_of_the_environment(serve: Serve) -> None:
    server = asked(serve, before="tests.server.test_listeners:hosts_of_the_environment").start()
    assert [reached(host, server.http_port) for host in (IPV4, OTHER, IPV6)] == [False, True, True]
    assert [reached(host, server.resp_port) for host in (IPV4, OTHER, IPV6)] == [False, False, True]


def test_the_service_manager_hears_all_addresses(serve: Serve, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        server = asked(serve, "--host", "::1,127.0.0.1", before="tests.server.test_notify:listen_to_manager").start()
        said = ""
        while "READY=1" not in said:
            said = manager.recv(4096).decode()
    port = server.http_port
    assert f"STATUS=ready: http://[::1]:{port}, http://127.0.0.1:{port}, RESP on port {server.resp_port}" in said


def v4(host: str, name: str = "") -> Address:
    return Address(name or host, socket.AF_INET, (host, 0))


def v6(host: str, name: str = "", scope: int = 0) -> Address:
    return Address(name or host, socket.AF_INET6, (host, 0, 0, scope))


@pytest.mark.parametrize("found, wanted", [
    ([v4("127.0.0.1")], [v4("127.0.0.1")]),
    ([v6("::")], [v6("::"), v4("0.0.0.0", "::")]),
    ([v6("::"), v4("10.0.0.1")], [v6("::"), v4("10.0.0.1")]),
    ([v6("::"), v6("::1"), v4("0.0.0.0")], [v6("::"), v4("0.0.0.0")]),
    ([v4("0.0.0.0"), v4("10.0.0.1"), v6("::1")], [v4("0.0.0.0"), v6("::1")]),
    ([v6("::1", "localhost"), v4("127.0.0.1", "localhost"), v4("127.0.0.1")],
     [v6("::1", "localhost"), v4("127.0.0.1", "localhost")]),
    ([v6("fe80::1", scope=1), v6("fe80::1", scope=2)], [v6("fe80::1", scope=1), v6("fe80::1", scope=2)]),
])  # fmt: skip
def test_chosen_addresses(found: list[Address], wanted: list[Address]) -> None:
    assert chosen(found) == wanted


def test_a_port_that_is_free_at_one_address_only_is_not_taken(serve: Serve) -> None:
    """Half of the ports that the system chooses are taken at the second address."""
    server = asked(serve, "--host", "127.0.0.1,::1", before="tests.server.test_listeners:half_the_ports").start()
    assert reached(IPV4, server.http_port) and reached(IPV6, server.http_port)
    assert "tried again" in server.said()


def half_the_ports() -> None:
    """In a server that is about to start: the first socket at ::1 finds its port taken."""
    import errno

    real, tries = socket.create_server, [1]

    def create(address: Any, **options: Any) -> socket.socket:
        if address[0] == IPV6 and address[1] and tries and tries.pop():
            print("tried again", flush=True)
            raise OSError(errno.EADDRINUSE, "in use")
        return real(address, **options)

    socket.create_server = create  # type: ignore[assignment]


def lacks_ipv6() -> None:
    """In a server that is about to start: the machine has no IPv6, and localhost still has an address of it."""
    import asyncio
    import errno

    import uvloop

    real = socket.create_server

    def create(address: Any, **options: Any) -> socket.socket:
        if options["family"] == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return real(address, **options)

    async def both(self: Any, host: str, port: int, **options: Any) -> Any:
        found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (IPV6, port, 0, 0))]
        return found + ([(socket.AF_INET, socket.SOCK_STREAM, 6, "", (IPV4, port))] if host == "localhost" else [])

    socket.create_server = create  # type: ignore[assignment]
    for kind in (uvloop.Loop, asyncio.BaseEventLoop):
        try:
            kind.getaddrinfo = both  # type: ignore[method-assign, assignment]
        except TypeError:
            continue


def test_an_address_of_a_name_that_the_machine_lacks_is_left_out(serve: Serve) -> None:
    before = "tests.server.test_listeners:lacks_ipv6"
    server = asked(serve, "--host", "localhost", before=before, resp__host="localhost").start()
    assert reached(IPV4, server.http_port) and not reached(IPV6, server.http_port)
    code, said = asked(serve, "--host", "::1", before=before).refused()
    wanted = r"HTTP cannot listen on \[::1\]:0 \(server\.host\): the address does not belong to this machine; "
    wanted += "--host HOST"
    assert code == 1 and re.search(wanted, said), said


# What keeps a server from listening.


@pytest.mark.parametrize("words, told", [
    (["--host", "no-such.invalid"], r"HTTP cannot listen on no-such\.invalid:0 \(server\.host\): the host does not "
     r"resolve \(.+\); --host HOST"),
    (["--host", "127.0.0.1,a..b"], r"HTTP cannot listen on a\.\.b:0 \(server\.host\): the host does not resolve "
     r"\(.+\); --host HOST"),
    (["--host", "203.0.113.7"], r"HTTP cannot listen on 203\.0\.113\.7:0 \(server\.host\): the address does "
     r"not belong to this machine; --host HOST"),
    (["--host", "::1,2001:db8::7"], r"HTTP cannot listen on \[2001:db8::7\]:\d+ \(server\.host\): the address does "
     r"not belong to this machine; --host HOST"),
    (["--host", "127.0.0.1", "--set", "resp.host=no-such.invalid"], r"RESP cannot listen on no-such\.invalid:0 "
     r"\(resp\.host\): the host does not resolve \(.+\); --set resp\.host=HOST"),
    (["--host", "127.0.0.1", "--set", "resp.host=203.0.113.7"], r"RESP cannot listen on 203\.0\.113\.7:0 "
     r"\(resp\.host\): the address does not belong to this machine; --set resp\.host=HOST"),
])  # fmt: skip
def test_hosts_that_cannot_be_listened_on(serve: Serve, words: list[str], told: str) -> None:
    code, said = asked(serve, *words).refused()
    assert code == 1 and re.search(f"Error: {told}\n$", said) and "Traceback" not in said, said


@pytest.mark.parametrize("kind, flag, words", [
    ("HTTP", "--port N, or 0 for any free port", ["--host", "127.0.0.1,::1"]),
    ("RESP", "--resp-port N, or 0 for none", ["--set", "resp.host=127.0.0.1,::1"]),
])  # fmt: skip
def test_a_port_taken_at_one_of_the_addresses(serve: Serve, kind: str, flag: str, words: list[str]) -> None:
    with socket.create_server((IPV6, 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        section = {"HTTP": "server", "RESP": "resp"}[kind]
        code, said = asked(serve, *words, **{f"{section}__port": port}).refused()
        assert code == 1 and f"{kind} cannot listen on [::1]:{port} ({section}.port): in use; {flag}\n" in said


@pytest.fixture
def redis_port_taken() -> Iterator[None]:
    """Somebody listens on RESP's default port."""
    with socket.socket() as taken:
        try:
            taken.bind((IPV4, 6379))
            taken.listen()
        except OSError:  # somebody has it already: just as good
            assert reached(IPV4, 6379)
        yield


@pytest.mark.usefixtures("redis_port_taken")
@pytest.mark.parametrize("file, words, serves", [
    ("", [], True), ("config.yml", [], True), ("resp: {port: 6379}", [], True), ("resp3: {port: 6379}", [], True),
    ("resp: {host: localhost}", [], True),
    ("", ["--resp-port", "6379"], False), ("config.yml", ["--resp-port", "6379"], False),
    ("", ["--set", "resp.port=6379"], False), ("", ["environment"], False),
    ("resp: {port: 6379}", ["environment"], False),
])  # fmt: skip
def test_the_default_resp_port_is_taken(
    serve: Serve, tmp_path: Path, file: str, words: list[str], serves: bool
) -> None:
    before = ""
    if words == ["environment"]:
        before, words = "tests.server.test_listeners:redis_port_asked_for", []
    if file:
        text = (ROOT / "config.yml").read_text() if file == "config.yml" else file
        (tmp_path / "config.yml").write_text(text)
    server = asked(serve, *words, before=before, resp__port=None)
    if serves:
        server.start()
        assert server.resp_port == 0 and "RESP on port" not in server.said()
        assert "RESP: port 6379 is in use, continuing without RESP: RESP cannot listen on " in server.said()
        assert server.http("GET", "/health")[0] == 200
    else:
        code, said = server.refused()
        told = "RESP cannot listen on 127.0.0.1:6379 (resp.port): in use; --resp-port N, or 0 for none\n"
        assert code == 1 and said.endswith(told)


def redis_port_asked_for() -> None:
    """In a server that is about to start."""
    os.environ["SYNAP_RESP__PORT"] = "6379"


# What keeps a server from its data directory.


@pytest.mark.parametrize("path, told", [
    ("{}/file", "is a file, not a directory"),
    ("{}/file/below", "cannot be made: Not a directory"),
    ("/dev/null", "is something else, not a directory"),
    ("{}/" + "x" * 300, "cannot be made: File name too long"),
    ("/proc/1/fdinfo", "cannot be written: "),
    ("/proc/none", "cannot be made: "),
])  # fmt: skip
def test_data_directories_that_cannot_be_used(serve: Serve, tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "file").touch()
    path = path.replace("{}", str(tmp_path))
    code, said = data_in(serve, path).refused()
    wanted = f"Error: the data directory {path} (persistence.directory) {told}"
    assert code == 1 and wanted in said and said.endswith("; --data-dir DIRECTORY\n") and "Traceback" not in said, said


def data_in(serve: Serve, path: str, before: str = "") -> Server:
    """A server with its data at `path`."""
    server = serve(before=before)
    words = ["serve", "--host", IPV4, "--port", "0", "--resp-port", "-1", "--data-dir", path]
    server.arguments = lambda: words  # type: ignore[method-assign]
    return server


CAP_DAC_OVERRIDE = 1 << 1
CAPABILITIES_VERSION = 0x20080522


def without_override() -> None:
    """In a server that is about to start: permissions of files hold for root too, as for anybody else.

    Reading stays allowed, since the folder of the packages may be closed to others.
    """
    if os.getuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        head, sets = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
        assert libc.capget(head, sets) == 0
        for i in range(2):  # effective, permitted
            sets[i] &= ~CAP_DAC_OVERRIDE
        assert libc.capset(head, sets) == 0


@pytest.mark.parametrize("mode, below, told", [
    (0o555, "", "cannot be written: Permission denied"),
    (0o555, "/below", "cannot be made: Permission denied"),
    (0o000, "", "cannot be written: Permission denied"),
])  # fmt: skip
def test_data_directories_of_others(serve: Serve, mode: int, below: str, told: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, mode)
        path = place + below
        code, said = data_in(serve, path, "tests.server.test_listeners:without_override").refused()
        wanted = f"Error: the data directory {path} (persistence.directory) {told}; --data-dir DIRECTORY\n"
        assert code == 1 and said.endswith(wanted), said
        os.chmod(place, 0o700)
        assert os.listdir(place) == []


def test_a_program_is_told_of_its_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, told in (("file", "is a file, not a directory"), ("file/x", "cannot be made: Not a directory")):
        wanted = f"the data directory {tmp_path / path} (persistence.directory) {told}"
        with pytest.raises(OSError, match=f"^{re.escape(wanted)}$"):
            synap.open(tmp_path / path)
