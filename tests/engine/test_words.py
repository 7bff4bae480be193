"""The words of the product's SDK, byte for byte: the same calls, frames and waiters as the rows that they stand for."""

import re
from typing import Any

import numpy as np
import pytest

from synap.compat.words import WORDS
from synap.store.memory import frames, layout
from tests.engine.engines import Client, House
from tests.support import Bench, Refusal, command, decode

ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")

# What is sent, and what comes back in RESP3 and in RESP2; `<id>` is the id that the last publish has answered.
SESSION = [
    ("QCREATE q 0 30", b":1\r\n", b""),
    ("QCREATE q 7 1", b":0\r\n", b""),
    ("QPUBLISH q hi 9 3", b"$36\r\n<id>\r\n", b""),
    ("QCONSUME q w", b"*4\r\n$36\r\n<id>\r\n$2\r\nhi\r\n:9\r\n:0\r\n", b""),
    ("QNACK q <id> True", b"+OK\r\n", b""),
    ("qconsume q w", b"*4\r\n$36\r\n<id>\r\n$2\r\nhi\r\n:9\r\n:1\r\n", b""),
    ("QACK q <id>", b"+OK\r\n", b""),
    ("QACK q <id>", b"-ERR no such message is pending\r\n", b""),
    ("QCONSUME q w", b"_\r\n", b"*-1\r\n"),
    ("QPUBLISH q x 0 3", b"$36\r\n<id>\r\n", b""),
    ("QCONSUME q w", b"*4\r\n$36\r\n<id>\r\n$1\r\nx\r\n:0\r\n:0\r\n", b""),
    ("QNACK q <id> False", b"+OK\r\n", b""),
    ("QSTATS q",
     b"%21\r\n$5\r\ndepth\r\n:0\r\n$7\r\npending\r\n:0\r\n$4\r\ndead\r\n:1\r\n$9\r\npublished\r\n:2\r\n"
     b"$8\r\nconsumed\r\n:3\r\n$5\r\nacked\r\n:1\r\n$6\r\nnacked\r\n:2\r\n$13\r\ndead_lettered\r\n:1\r\n"
     b"$9\r\nconsumers\r\n:0\r\n$9\r\nmax_depth\r\n:100000\r\n$7\r\ndelayed\r\n:0\r\n"
     b"$7\r\nblocked\r\n:0\r\n$7\r\nexpired\r\n:0\r\n$7\r\ndropped\r\n:0\r\n$6\r\npaused\r\n:0\r\n"
     b"$13\r\noldest_age_ms\r\n:0\r\n$9\r\nredriving\r\n:0\r\n", b"*42"),
    ("QPUBLISH q y 5 3", b"$36\r\n<id>\r\n", b""),
    ("QPURGE q", b":1\r\n", b""),
    ("QLIST", b"*1\r\n$1\r\nq\r\n", b""),
    ("QDELETE q", b":1\r\n", b""),
    ("QLIST", b"*0\r\n", b""),
    ("QPUBLISH q y 5 3", b"-ERR no such queue\r\n", b""),
    ("QPUBLISH q", b"-ERR wrong number of arguments for 'qpublish' command\r\n", b""),
    ("QPUBLISH q y 5 3 1", b"-ERR wrong number of arguments for 'qpublish' command\r\n", b""),
    ("QPUBLISH q y high 3", b"-ERR value is not an integer or out of range\r\n", b""),
    ("QNACK q id perhaps", b"-ERR syntax error\r\n", b""),
    ("SCREATE r 0", b"+OK\r\n", b""),
    ("SCREATE r 5", b"-ERR the room already exists\r\n", b""),
    ("SGETORCREATE r", b"+EXISTS\r\n", b""),
    ("SGETORCREATE s", b"+CREATED\r\n", b""),
    ("STREAM.PUBLISH r said hello", b":0\r\n", b""),
    ("SREAD r me 0",
     b"*1\r\n%5\r\n$6\r\noffset\r\n:0\r\n$4\r\nroom\r\n$1\r\nr\r\n$5\r\nevent\r\n$4\r\nsaid\r\n"
     b"$4\r\ndata\r\n$5\r\nhello\r\n$9\r\ntimestamp\r\n:1000\r\n", b"*10"),
    ("SREAD r me 1", b"*0\r\n", b""),
    ("SREAD none me 0", b"-ERR no such room\r\n", b""),
    ("SDELETE s", b"+OK\r\n", b""),
    ("SLIST", b"*1\r\n$1\r\nr\r\n", b""),
    ("TXQUEUE me SET k v", b"-ERR unknown command 'TXQUEUE', with args beginning with: 'me' 'SET' 'k' 'v' \r\n", b""),
    ("SPUBLISH r said", b":0\r\n", b""),
    ("SPUBLISH r said hello", b"-ERR wrong number of arguments for 'spublish' command\r\n", b""),
]  # fmt: skip


@pytest.fixture
def house(store: type[Bench]) -> House:
    return House(store)


def speaking(house: House, version: int) -> Client:
    """A client that speaks this version of RESP."""
    client = house.client()
    client.session.version = version
    return client


def named(reply: bytes) -> bytes:
    """A reply without what differs from time to time."""
    return ID.sub(b"<id>", reply)


@pytest.mark.parametrize("version", [3, 2])
def test_one_by_one(house: House, version: int) -> None:
    client, known = speaking(house, version), b""
    for line, third, second in SESSION:
        reply = client.send(command(*[word.encode().replace(b"<id>", known) for word in line.split()]))
        found = ID.search(reply)
        known = found[0] if found else known
        wanted = third
        if version == 2 and second.startswith(b"*") and b"%" in third:  # a map is flat
            wanted = third.replace(re.search(rb"%\d+", third)[0], second)  # type: ignore[index]
        elif version == 2:
            wanted = second or third
        if line.startswith("QSTATS"):  # active consumer and rates are no words of the SDK
            assert named(reply).startswith(wanted) and b"ack_rate" in reply
            continue
        assert named(reply) == wanted, line


def test_what_is_left_out_is_as_the_node_has_it(house: House) -> None:
    client = speaking(house, 3)
    house.bench[layout.ROOM_LIMITS] = 500
    client.ask("SCREATE r 0", "SCREATE s 7", "QCREATE q 0 30", "QCREATE p 7")
    assert [counters(client, f"SSTATS {room}")[b"max_events"] for room in "rs"] == [500, 7]
    assert [counters(client, f"QSTATS {queue}")[b"max_depth"] for queue in "qp"] == [100_000, 7]
    stats = counters(client, "KVSTATS")
    assert stats[b"total_keys"] == 0 and stats[b"operations"][b"gets"] == 0 and stats[b"hit_rate"] == 0.0


def counters(client: Client, line: str) -> Any:
    """A map in RESP3."""
    found, rest = decode(client.send(command(*line.split())))
    assert isinstance(found, dict) and not rest
    return found


def test_in_one_buffer_and_in_a_transaction(house: House) -> None:
    client = speaking(house, 3)
    lines = ["QCREATE q 0 30", "QPUBLISH q a 5 3", "QCONSUME q w", "SGETORCREATE r", "QPUBLISH none a 5 3", "QLIST"]
    wanted = [1, b"<id>", [b"<id>", b"a", 5, 0], b"CREATED", Refusal("ERR no such queue"), [b"q"]]
    buffer = b"".join(command(*line.split()) for line in lines)
    assert client.read(named(client.send(buffer)).replace(b"$36\r\n<id>", b"$4\r\n<id>")) == wanted
    client.ask("QDELETE q", "SDELETE r")
    house.flush()
    house.frames.clear()
    assert client.ask("MULTI", *lines, "QNACK q x perhaps") == [b"OK", *[b"QUEUED"] * 7]
    (reply,) = client.read(named(client.send(command("EXEC"))).replace(b"$36\r\n<id>", b"$4\r\n<id>"))
    assert reply == [*wanted, Refusal("ERR syntax error")]
    house.flush()
    heads = framed(house)
    assert [code for code, _ in heads] == [0x0801, 0x0812, 0x0804, 0x1407], "not the codes of the rows themselves"
    assert [more for _, more in heads] == [1, 1, 1, 0], "not one group"
    assert client.ask("MULTI", "QPUBLISH q", "EXEC")[1:] == [
        Refusal("ERR wrong number of arguments for 'qpublish' command"),
        Refusal("EXECABORT Transaction discarded because of previous errors."),
    ]


def framed(house: House) -> list[tuple[int, int]]:
    """(code, whether the group goes on) of each frame that was taken."""
    words = np.frombuffer(b"".join(house.frames), np.int64).tolist()
    found, at = [], 0
    while at < len(words):
        flags = words[at] >> frames.FLAGS_SHIFT & 0xF
        found.append((words[at] >> frames.CODE_SHIFT & 0xFFFF, int(flags & frames.CONTINUED > 0)))
        at += (words[at] & 0xFFFFFFFF) // 8
    return found


def test_a_publish_wakes_who_waits(house: House) -> None:
    waiting, client = speaking(house, 2), speaking(house, 3)
    assert client.ask("QCREATE q 0 30") == [1]
    assert waiting.send(command("QUEUE.CONSUME", "q", "w", "WAIT", "0")) == b""
    (made,) = client.ask("QPUBLISH q hello 5 3")
    assert waiting.woken == 1
    assert waiting.read(waiting.take())[0][:4] == [b"message_id", made, b"payload", b"hello"]
    assert client.ask("QCONSUME q w") == [None]


def test_any_payload(house: House) -> None:
    client = speaking(house, 3)
    client.ask("QCREATE q 0 30")
    for payload in (b"", b"\x00\r\n\xff", b"x" * 3_000_000):
        client.send(command("QPUBLISH", "q", payload, "5", "3"))
        ((ident, found, priority, retries),) = client.read(client.send(command("QCONSUME", "q", "")))
        assert (found, priority, retries) == (payload, 5, 0)
        assert client.ask(["QACK", "q", ident]) == [b"OK"]


def test_refusals_of_all_rows_hold(store: type[Bench]) -> None:
    house = House(store, memory_max=8 << 20)
    client = speaking(house, 3)
    client.ask("QCREATE q 0 30")
    replies = [client.read(client.send(command("QPUBLISH", "q", b"x" * 500_000, "5", "3")))[0] for _ in range(20)]
    assert Refusal("OOM command not allowed when used memory > 'maxmemory'.") in replies


def test_they_are_told_as_commands(house: House) -> None:
    client = speaking(house, 2)
    (names,) = client.ask("COMMAND LIST")
    (infos,) = client.ask(["COMMAND", "INFO", *(word.word for word in WORDS)])
    for word, info in zip(WORDS, infos, strict=True):
        row = house.engine.catalogue.by_name[word.row]
        assert word.word.lower().encode() in names and info[0] == word.word.lower().encode()
        assert (b"write" in info[2]) == row.writes
