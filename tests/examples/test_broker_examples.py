"""The examples about queues, topics and groups, run as their docstrings say, one of them while things are killed."""

import re
import signal
import socket
import subprocess
import sys

import pytest

from synap.client import Client
from tests.examples.test_examples_run import EXAMPLES, run
from tests.server.clients import Server, eventually


def address(node: Server) -> str:
    return f"synap://127.0.0.1:{node.resp_port}"


def test_an_outbox(node: Server) -> None:
    code, said, errors = run("outbox.py", address(node), "--orders", "100")
    assert code == 0, errors
    assert said.splitlines()[-1] == "sold 75, sent 75, told 75"


def test_a_pipeline_whose_member_is_killed(node: Server) -> None:
    code, said, errors = run("event_pipeline.py", address(node), "--events", "600")
    assert code == 0, said + errors
    assert said.splitlines()[-1] == "published 600, seen 600, lag 0"
    after = said[said.index("member-0 was killed") :]
    assert len(re.findall(r"member-[12] reads \[\d", after)) == 2, "both get some of its partitions"
    assert "has lost" not in after, "and keep what they have"


def test_a_pool_that_scales(node: Server) -> None:
    code, said, errors = run("workers_pool.py", address(node), "--jobs", "300")
    assert code == 0, said + errors
    assert re.fullmatch(r"done 300, acked 300, failed 0, at most [2-5] workers", said.splitlines()[-1]), said


@pytest.mark.parametrize("name", ["outbox.py", "event_pipeline.py", "workers_pool.py", "exactly_once.py"])
def test_without_a_server_an_example_of_the_broker_says_so(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, _, errors = run(name, f"synap://127.0.0.1:{port}?connect_timeout=1&backoff_max=0.01")
    assert code == 1 and "no answer from" in errors and "Traceback" not in errors


def test_exactly_once_while_everything_is_killed(node: Server) -> None:
    """Two programs at a time; one is killed and started again, and so is the server, more than once."""
    payments = 2000
    command = [sys.executable, str(EXAMPLES / "exactly_once.py"), address(node), "--payments", str(payments)]

    def started() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def counted() -> int:
        with Client("127.0.0.1", node.resp_port, attempts=200) as client:
            return client.topic("balances").offsets()[0].next if "balances" in client.topics() else 0

    programs = [started()]
    try:
        eventually(lambda: counted() > 100, 30)
        programs.append(started())
        for at in (400, 800):
            eventually(lambda at=at: counted() > at, 30)
            node.restart()
        programs[0].send_signal(signal.SIGKILL)
        programs.append(started())
        eventually(lambda: counted() > 1200, 30)
        node.restart()
        said = [program.communicate(timeout=60)[0] for program in programs]
        assert [program.returncode for program in programs[1:]] == [0, 0], said
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    with Client("127.0.0.1", node.resp_port) as client:
        expected = {f"customer:{i}": sum(range(i, payments, 7)) for i in range(7)}
        assert {name: int(client.get(name) or 0) for name in expected} == expected
        balances = client.topic("balances").consume(0, limit=10_000)
        assert len(balances) == payments, "each payment has left one record"
        last: dict[bytes, int] = {}
        for record in balances:
            amount = int(record.data)
            assert amount >= last.get(record.key or b"", 0), "in order"
            last[record.key or b""] = amount
        assert {name.decode(): amount for name, amount in last.items()} == expected
        assert sum(offset for _, offset, _, _ in client.group("accounting").offsets()) == payments
