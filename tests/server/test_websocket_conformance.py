"""The rows of `socket_cases`, octet for octet, against a server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cases import check_all
from tests.server.clients import Server
from tests.server.socket_cases import MESSAGE_MAX, Case, all_cases, closing, code_of
from tests.server.sockets import CLOSE, RawSocket

CASES = all_cases()


@pytest.fixture(scope="module")
def echo(zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an echo."""
    settings = {"limits.websocket_message_bytes_max": MESSAGE_MAX, "limits.websocket_fragments_max": 9000,
                "limits.feed_output_bytes_max": 64 << 20}  # fmt: skip
    server = Server(zygote, tmp_path_factory.mktemp("echo") / "data", settings, "tests.server.sockets:install")
    yield server.start()
    server.end()


def test_there_are_enough() -> None:
    assert len(CASES) >= 500
    assert len({case.name for case in CASES}) == len(CASES)


def part_of(case: Case) -> int:
    """The part of the Autobahn suite that a case belongs to."""
    return int(case.name.split()[0].split(".")[0])


@pytest.mark.parametrize("part", sorted({part_of(case) for case in CASES}))
def test_cases(echo: Server, part: int) -> None:
    cases = [case for case in CASES if part_of(case) == part]
    check_all(lambda case: check(echo, case), cases, lambda case: case.name)


def check(echo: Server, case: Case) -> None:
    """Ask what a case sends, and hear what it wants."""
    with RawSocket(echo.http_port, offer=case.offer) as client:
        assert client.status == 101
        if case.told is not None:
            assert client.headers.get("sec-websocket-extensions", "") == case.told
        read = []
        for chunk in case.sent:
            try:
                client.send(chunk)
            except (ConnectionResetError, BrokenPipeError):  # it has heard enough
                assert case.code != 0
                break
        if case.code == 0:
            client.send(closing(1000))
        for wanted in case.wanted:
            read.append(client.read())
            assert read[-1] == wanted
        opcode, payload = client.read()
        assert opcode == CLOSE, (opcode, payload[:100])
        assert code_of(payload) == (1000 if case.code == 0 else case.code), payload
        assert client.ended()
