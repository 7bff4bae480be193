"""Sessions beside a real redis-server: who gets a reply, who does not, and in which order."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.peers import Redis
from tests.server.clients import HOST, Server
from tests.support import command

CASES = [
    # CLIENT REPLY SKIP takes away the next reply, also if that comes late.
    ["CLIENT REPLY SKIP", "BLPOP nn 0.05", "ECHO e"],
    ["CLIENT REPLY SKIP", "BRPOP nn 0.05", "ECHO e", "ECHO f"],
    ["CLIENT REPLY SKIP", "BLPOP nn x", "ECHO e"],
    ["CLIENT REPLY SKIP", "WAIT 0 10", "ECHO e"],
    ["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "ECHO e", "ECHO f"],
    ["CLIENT REPLY SKIP", "CLIENT REPLY ON", "ECHO f"],
    ["CLIENT REPLY SKIP", "NOTHING", "ECHO f"],
    ["CLIENT REPLY SKIP", "CLIENT", "ECHO f"],
    ["CLIENT REPLY SKIP", "GET", "GET k"],
    ["RPUSH l 1", "CLIENT REPLY SKIP", "BLPOP l 0", "ECHO e"],
    # Transactions.
    ["MULTI", "SET k 1", "GET k", "CLIENT REPLY SKIP", "EXEC"],
    ["MULTI", "SET k 1", "CLIENT REPLY OFF", "GET k", "EXEC", "CLIENT REPLY ON", "ECHO e"],
    ["CLIENT REPLY SKIP", "MULTI", "SET k 1", "EXEC", "ECHO e"],
    ["MULTI", "BLPOP nn 0", "CLIENT REPLY ON", "EXEC", "ECHO e"],
    ["WATCH k", "SET k 2", "MULTI", "GET k", "CLIENT REPLY SKIP", "EXEC", "ECHO e"],
    ["CLIENT REPLY OFF", "EXEC", "DISCARD", "MULTI", "MULTI", "DISCARD", "CLIENT REPLY ON", "ECHO e"],
    ["MULTI", "AUTH default any", "SET k 1", "EXEC"],
    # A pause of writes: EXEC waits for a queued write only, and PUBLISH waits too.
    ["CLIENT PAUSE 10000 WRITE", "GET k", "PUBLISH a m", "ECHO e"],
    ["CLIENT PAUSE 10000 WRITE", "SPUBLISH a m", "ECHO e"],
    ["CLIENT PAUSE 10000 WRITE", "MULTI", "GET k", "EXEC", "SUBSCRIBE a", "UNSUBSCRIBE a", "SET k 1", "ECHO e"],
    ["CLIENT PAUSE 10000 WRITE", "MULTI", "GET k", "SET k 1", "EXEC", "ECHO e"],
    ["MULTI", "SET k 1", "CLIENT PAUSE 10000 WRITE", "EXEC", "MULTI", "PUBLISH a m", "EXEC"],
    # Confirmations and messages are pushes: they are not replies.
    ["CLIENT REPLY OFF", "SUBSCRIBE a b", "PSUBSCRIBE c*", "PING", "UNSUBSCRIBE a", "SSUBSCRIBE s"],
    ["HELLO 3", "CLIENT REPLY OFF", "SUBSCRIBE a", "PUBLISH a m", "ECHO no", "UNSUBSCRIBE", "CLIENT REPLY ON"],
    ["CLIENT REPLY SKIP", "SUBSCRIBE a", "PING"],
    ["HELLO 3", "CLIENT REPLY SKIP", "SUBSCRIBE a", "CLIENT REPLY SKIP", "PUBLISH a m", "ECHO e"],
    ["CLIENT REPLY OFF", "MULTI", "SUBSCRIBE a", "EXEC", "PING", "UNSUBSCRIBE a"],
    ["CLIENT REPLY OFF", "SUBSCRIBE", "SUBSCRIBE a"],
    # What ends the silence.
    ["CLIENT REPLY OFF", "ECHO no", "RESET", "ECHO e"],
    ["CLIENT REPLY OFF", "ECHO no", "QUIT"],
    ["CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "ECHO e"],
    # A container alone, an unknown subcommand: both abort.
    ["MULTI", "SET before 1", "CLIENT", "SET after 1", "EXEC", "MGET before after"],
    ["MULTI", "OBJECT", "EXEC"],
    ["MULTI", "SET before 1", "COMMAND FOO", "EXEC", "EXISTS before"],
    ["MULTI", "COMMAND COUNT x", "EXEC"],
    ["MULTI", "COMMAND GETKEYS", "EXEC"],
    ["MULTI", "COMMAND GETKEYS get a", "EXEC"],
    ["COMMAND count x", "COMMAND foo", "COMMAND GETKEYS", "COMMAND INFO nothing", "COMMAND DOCS nothing"],
    ["MULTI", "OBJECT", "DISCARD", "CONFIG", "MEMORY foo", "ACL", "SLOWLOG", "LATENCY", "PUBSUB", "MODULE", "DEBUG"],
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    peer = Redis(tmp_path_factory.mktemp("redis"))
    yield peer
    peer.close()


def told(port: int, data: bytes, pieces: bool, quiet_s: float = 0.25) -> bytes:
    """All that a connection answers, until nothing more has come for a while."""
    with socket.create_connection((HOST, port)) as link:
        if pieces:
            for line in data.splitlines(keepends=True):
                link.sendall(line)
                time.sleep(0.0005)
        else:
            link.sendall(data)
        link.settimeout(quiet_s)
        found = b""
        try:
            while piece := link.recv(1 << 16):
                found += piece
        except TimeoutError:
            pass
        return found


@pytest.mark.parametrize("inline", [False, True])
def test_beside_redis(redis: Redis, node: Server, inline: bool) -> None:
    for case in [*CASES, ["ECHO e"]]:  # the last one ends the last pause
        data = b"".join(line.encode() + b"\r\n" if inline else command(*line.split()) for line in case)
        ports = redis.port, node.resp_port
        waits = any(word in line for line in case for word in ("0.05", "WAIT"))
        for quiet_s in (0.12 if waits else 0.05, 3.0):  # a busy machine may take longer than the first pause
            for port in ports:
                with socket.create_connection((HOST, port)) as link:
                    link.sendall(command("CLIENT", "UNPAUSE") + command("FLUSHALL"))
                    assert link.recv(5, socket.MSG_WAITALL) == link.recv(5, socket.MSG_WAITALL) == b"+OK\r\n"
            with ThreadPoolExecutor() as both:  # each answer ends with a pause: wait for both pauses at once
                theirs, ours = both.map(told, ports, [data, data], [False, False], [quiet_s, quiet_s])
            if case[0] == "HELLO 3":  # who we are differs
                theirs, ours = (text.partition(b"modules\r\n*0\r\n")[2] for text in (theirs, ours))
            if ours == theirs:
                break
        assert ours == theirs, (case, ours, theirs)
