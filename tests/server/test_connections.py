"""Connections as their owners and operators see them: names, lists, pauses, ends, muted replies, inline commands."""

import socket
import struct
import threading
import time

import pytest
import redis

from tests.server.clients import HOST, Gone, Resp, Server
from tests.support import Refusal, command


def listed(client: Resp, *filters: str) -> dict[int, dict[str, str]]:
    """CLIENT LIST by id."""
    lines = client.ask("CLIENT", "LIST", *filters).decode().splitlines()
    rows = [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]
    return {int(row["id"]): row for row in rows}


def segments_in(client: Resp) -> int:
    """How many segments with data have come (`tcpi_data_segs_in`)."""
    told = client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("I", told, 152)[0])


def test_replies_of_a_pipeline_leave_together(node: Server) -> None:
    """Also those of commands that no kernel serves: not one a turn."""
    with node.resp() as client:
        assert client.ask("CLIENT", "SETNAME", "me") == b"OK"
        before = segments_in(client)
        client.socket.sendall(command("CLIENT", "GETNAME") * 500)
        assert [client.read() for _ in range(500)] == [b"me"] * 500
        assert segments_in(client) - before <= 20


def test_the_list_is_true(node: Server) -> None:
    with node.resp() as one, node.resp() as other, node.resp() as waiting:
        mine, theirs, third = (client.ask("CLIENT", "ID") for client in (one, other, waiting))
        assert other.ask("CLIENT", "SETNAME", "worker") == b"OK" and other.ask("CLIENT", "GETNAME") == b"worker"
        assert other.ask("CLIENT", "SETINFO", "lib-name", "mine") == b"OK"
        assert other.ask("CLIENT", "SETINFO", "LIB-VER", "1.2") == b"OK"
        assert other.ask("SELECT", 3) == b"OK" and other.ask("WATCH", "a", "b") == b"OK"
        assert other.ask("MULTI") == b"OK" and other.ask("SET", "a", "1") == b"QUEUED"
        waiting.send("BLPOP", "jobs", 0)
        time.sleep(0.1)
        found = listed(one)
        assert set(found) == {mine, theirs, third}
        row = found[theirs]
        assert (row["name"], row["db"], row["multi"], row["watch"], row["flags"]) == ("worker", "3", "1", "2", "x")
        assert (row["lib-name"], row["lib-ver"], row["cmd"], row["resp"]) == ("mine", "1.2", "set", "2")
        assert row["addr"] == "{}:{}".format(*other.socket.getsockname())
        assert row["laddr"] == f"{HOST}:{node.resp_port}" and int(row["fd"]) > 2 and row["user"] == "default"
        assert found[third]["flags"] == "b" and found[third]["cmd"] == "blpop"
        assert found[mine]["cmd"] == "client|list"
        assert set(listed(one, "ID", str(mine), str(third))) == {mine, third}
        assert set(listed(one, "TYPE", "normal")) == {mine, theirs, third} and not listed(one, "TYPE", "replica")
        assert one.ask("CLIENT", "INFO").decode().startswith(f"id={mine} ")
        assert "spaces" in str(one.ask("CLIENT", "SETNAME", "a b"))
        other.ask("DISCARD")
        assert other.ask("RESET") == b"RESET" and listed(one)[theirs]["db"] == "0"


def test_kill(node: Server) -> None:
    with node.resp() as one, node.resp() as other, node.resp() as third:
        address = "{}:{}".format(*other.socket.getsockname())
        assert other.ask("PING") == b"PONG"
        assert one.ask("CLIENT", "KILL", address) == b"OK"
        with pytest.raises((Gone, ConnectionError)):
            other.ask("PING")
        assert str(one.ask("CLIENT", "KILL", "1.2.3.4:5")) == "ERR No such client"
        number = third.ask("CLIENT", "ID")
        assert one.ask("CLIENT", "KILL", "ID", number, "TYPE", "replica") == 0
        assert one.ask("CLIENT", "KILL", "ID", number, "MAXAGE", 1000) == 0
        third.send("BLPOP", "jobs", 0)
        time.sleep(0.05)
        assert one.ask("CLIENT", "KILL", "ID", number, "USER", "default", "LADDR", f"{HOST}:{node.resp_port}") == 1
        with pytest.raises((Gone, ConnectionError)):
            third.read()
        assert one.ask("RPUSH", "jobs", "a") == 1 and one.ask("LLEN", "jobs") == 1, "nothing is taken for the dead"
        assert one.ask("CLIENT", "KILL", "ID", one.ask("CLIENT", "ID"), "SKIPME", "NO") == 1
        with pytest.raises((Gone, ConnectionError)):
            one.ask("PING")


def test_unblock(node: Server) -> None:
    with node.resp() as one, node.resp() as waiting:
        number = waiting.ask("CLIENT", "ID")
        assert one.ask("CLIENT", "UNBLOCK", number) == 0
        for how, wanted in (("TIMEOUT", None), ("ERROR", Refusal("UNBLOCKED client unblocked via CLIENT UNBLOCK"))):
            waiting.send("BLPOP", "jobs", 0)
            time.sleep(0.05)
            assert one.ask("CLIENT", "UNBLOCK", number, how) == 1
            assert waiting.read() == wanted
        assert waiting.ask("PING") == b"PONG"


def test_muted_replies(node: Server) -> None:
    with node.resp() as one:
        one.send("CLIENT", "REPLY", "SKIP")
        one.send("SET", "a", "1")
        assert one.ask("GET", "a") == b"1"
        one.send("CLIENT", "REPLY", "OFF")
        one.send("SET", "a", "2")
        one.send("NONESUCH")
        one.send("PING")
        assert one.ask("CLIENT", "REPLY", "ON") == b"OK" and one.ask("GET", "a") == b"2"
        data = b"".join(b"%s\r\n" % line for line in (b"CLIENT REPLY SKIP", b"SET a 3", b"GET a", b"CLIENT REPLY OFF",
                                                     b"SET a 4", b"GET a", b"CLIENT REPLY ON", b"GET a"))
        one.send_bytes(data)
        assert [one.read() for _ in range(3)] == [b"3", b"OK", b"4"]


def test_pause(node: Server) -> None:
    with node.resp() as one, node.resp() as other:
        assert one.ask("CLIENT", "PAUSE", 300, "WRITE") == b"OK"
        begun, read_from = time.monotonic(), node.clock()
        assert other.ask_all(["GET", "a"], ["MULTI"], ["GET", "a"], ["EXEC"]) == [None, b"OK", b"QUEUED", [None]]
        assert node.clock() - read_from < 0.25, "reads go on"
        assert other.ask_all(["GET", "a"], ["SET", "a", "1"], ["GET", "a"]) == [None, b"OK", b"1"]
        assert time.monotonic() - begun > 0.25, "writes wait"
        assert one.ask("CLIENT", "PAUSE", 60_000, "WRITE") == b"OK"
        timer = threading.Timer(0.1, lambda: one.ask("CLIENT", "UNPAUSE"))
        timer.start()
        assert other.ask("SET", "a", "2") == b"OK"
        timer.join()
        begun = time.monotonic()
        assert one.ask("CLIENT", "PAUSE", 200) == b"OK"
        assert other.ask("PING") == b"PONG" and time.monotonic() - begun > 0.15
        assert isinstance(one.ask("CLIENT", "PAUSE", -1), Refusal)


def test_silent_clients_are_hung_up_on(node: Server) -> None:
    with node.resp() as one, node.resp() as waiting:
        waiting.send("BLPOP", "jobs", 0)
        assert one.ask("CONFIG", "SET", "timeout", 1) == b"OK"
        time.sleep(1.5)
        with pytest.raises((Gone, ConnectionError)):
            one.ask("PING")
        with node.resp() as third:
            assert third.ask("RPUSH", "jobs", "a") == 1 and waiting.read() == [b"jobs", b"a"]


def test_who_comes_with_a_password(node: Server) -> None:
    with node.resp() as one:
        assert "without any password configured" in str(one.ask("AUTH", "secret"))
        assert one.ask("AUTH", "default", "secret") == b"OK"
        assert str(one.ask("AUTH", "other", "secret")).startswith("WRONGPASS")
        assert str(one.ask("HELLO", 3, "AUTH", "other", "x")).startswith("WRONGPASS")
        assert one.ask("HELLO", 3, "AUTH", "default", "x", "SETNAME", "me")[b"proto"] == 3
        assert one.ask("CLIENT", "GETNAME") == b"me"
    with redis.Redis(HOST, node.resp_port, username="default", password="x", protocol=3) as client:
        assert client.ping()


def test_inline_commands(node: Server) -> None:
    with node.resp() as one:
        one.send_bytes(b'\r\n\r\nSET "a b" \'c d\'\r\nget "a b"\n  PING  \r\nSET k "\\x41\\n"\r\nGET k\r\n')
        assert [one.read() for _ in range(5)] == [b"OK", b"c d", b"PONG", b"OK", b"A\n"]
        one.send_bytes(b"CONFIG GET port\r\nMULTI\r\nINCR n\r\nEXEC\r\n")
        assert one.read()[0] == b"port"
        assert [one.read() for _ in range(3)] == [b"OK", b"QUEUED", [1]]
        one.send_bytes(b'GET "a\r\n')
        assert str(one.read()) == "ERR Protocol error: unbalanced quotes in request"


def test_what_commands_there_are(node: Server) -> None:
    with redis.Redis(HOST, node.resp_port, decode_responses=True) as client:
        rows = client.command()
        assert client.command_count() == len(rows) > 60
        assert rows["set"]["arity"] == -3 and "write" in rows["set"]["flags"]
        for name, place in (("get", (1, 1, 1)), ("mset", (1, -1, 2)), ("del", (1, -1, 1)), ("ping", (0, 0, 0)),
                            ("blpop", (1, -2, 1)), ("lmove", (1, 2, 1)), ("rename", (1, 2, 1))):
            if name in rows:
                found = tuple(rows[name][part] for part in ("first_key_pos", "last_key_pos", "step_count"))
                assert found == place, name
        assert client.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
        assert client.command_getkeysandflags("SET", "a", "1") == [["a", ["RW", "update"]]]
        for words, said in ((("NONE",), "Invalid command specified"), (("GET",), "Invalid number of arguments"),
                            (("PING",), "no key arguments")):
            with pytest.raises(redis.ResponseError, match=said):
                client.command_getkeys(*words)
        assert "get" in client.command_list() and client.command_list(pattern="mge*") == ["mget"]
        with node.resp() as raw:
            docs = raw.ask("COMMAND", "DOCS", "set")
            assert docs[0] == b"set" and b"summary" in docs[1]
            assert raw.ask("COMMAND", "INFO", "nonesuch") == [None]


LCS = [
    ("ohmytext", "mynewtext"), ("", "a"), ("abc", "abc"), ("abcbdab", "bdcaba"), ("aaaa", "aa"), ("xaxbxc", "yaybyc"),
]  # fmt: skip


@pytest.mark.parametrize("first, second", LCS)
def test_lcs(node: Server, first: str, second: str) -> None:
    with node.resp() as one:
        one.ask("SET", "a", first)
        one.ask("SET", "b", second)
        text = one.ask("LCS", "a", "b")
        size = one.ask("LCS", "a", "b", "LEN")
        assert len(text) == size and isinstance(one.ask("LCS", "a", "b", "LEN", "IDX"), Refusal)
        _, matches, _, count = one.ask("LCS", "a", "b", "IDX", "WITHMATCHLEN")
        assert count == size == sum(length for *_, length in matches)
        joined = "".join(first[a : b + 1] for (a, b), _, _ in reversed(matches))
        assert joined == text.decode() == "".join(second[a : b + 1] for _, (a, b), _ in reversed(matches))
        longer = one.ask("LCS", "a", "b", "IDX", "MINMATCHLEN", "2")[1]
        assert longer == [[a, b] for a, b, length in matches if length >= 2]
        one.ask("DEL", "a")
        one.ask("RPUSH", "a", "x")
        assert "must contain string values" in str(one.ask("LCS", "a", "b"))


def test_a_client_reads_about_itself(node: Server) -> None:
    """redis-py wants every number that Redis 7.2 has."""
    with redis.Redis(HOST, node.resp_port) as client:
        told = client.client_info()
        for name in ("id", "age", "idle", "db", "sub", "psub", "multi", "qbuf", "qbuf-free", "argv-mem", "multi-mem",
                     "rbs", "rbp", "obl", "oll", "omem", "tot-mem", "redir", "resp"):  # fmt: skip
            assert int(told[name]) >= -1, name
        assert client.client_list(client_id=[str(told["id"])])[0]["argv-mem"] == "0"
