"""OBJECT ENCODING of strings by their histories, beside a real Redis, and after a snapshot or a replay of the log."""

import shlex
from pathlib import Path

import pytest
from peers import Peer
from surfaces import Surfaces

import synap
from tests.support import Bench, command, decode

HISTORIES = [
    "SET k 5|SETRANGE k 0 9", "SET k 5|APPEND k 6", "SET k ab|APPEND k c", "APPEND k 5", "APPEND k ab", "APPEND k ''",
    "SET k 5|APPEND k ''", "SET k ab|APPEND k ''", "SETRANGE k 0 9", "SETRANGE k 3 9", "SET k 5|SETRANGE k 0 ''",
    "SET k 5|SETRANGE k 0 9|INCR k", "SET k 5|APPEND k 1|INCR k", "SET k 5|APPEND k 1|GETSET k 7",
    "SET k 5|APPEND k 1|SET k 51", "SET k 5|APPEND k 1|SET k 5 KEEPTTL", "SET k 5|APPEND k 1|SETEX k 100 51",
    "SET k 5|APPEND k 1|MSET k 51", "SET k 5|INCRBYFLOAT k 1", "SET k 5|INCRBYFLOAT k 1.5", "INCRBYFLOAT k 3",
    "SET k 5|INCRBYFLOAT k 1|INCR k", "SET k 5|INCRBYFLOAT k 1|APPEND k 0", "INCRBYFLOAT k 3|EXPIRE k 100",
    "INCRBYFLOAT k 3|COPY k l|RENAME l k", "INCRBYFLOAT k 3|RENAME k l|RENAME l k", "INCRBYFLOAT k 3|SET k 3",
    "SET k 5|APPEND k 1|EXPIRE k 100", "SET k 5|APPEND k 1|EXPIRE k 100|PERSIST k",
    "SET k 5|APPEND k 1|RENAME k l|RENAME l k",
    "SET k 5|APPEND k 1|COPY k l|RENAME l k", "SET k 5|APPEND k 1|DEL k|SET k 5", "SET k 5|APPEND k 1|GETEX k EX 100",
    "SET k 5|DECRBY k 7", "INCR k", "SET k 05", "SET k -0", "SET k +5", "SET k ''", "SET k 9223372036854775807",
    "SET k -9223372036854775808", "SET k 9223372036854775808", "SET k 12345678901234567890", "SETNX k 5", "MSETNX k 5",
    f"SET k {'x' * 44}", f"SET k {'x' * 45}", f"SET k {'x' * 44}|APPEND k x", f"APPEND k {'x' * 45}",
    f"SET k {'x' * 2000}|SETRANGE k 5 y", "SET k 5|SELECT 1|SET k 6|APPEND k 1|SWAPDB 0 1|SELECT 0", "SET k ' 5'",
    "SET k 5|APPEND k 1|MOVE k 1|SELECT 1", "SET k 5 EX 100|APPEND k 1", "SET k 5 EX 100|SETRANGE k 0 7|PERSIST k",
]  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES, ids=range(len(HISTORIES)))
def test_encodings(store: type[Bench], redis: Peer, history: str) -> None:
    surfaces = Surfaces()
    redis.ask(command("RESET"))
    redis.ask(command("FLUSHALL"))
    for line in [*history.split("|"), "OBJECT ENCODING k"]:
        words = shlex.split(line)
        ours, theirs = surfaces.resp_bytes(command(*words)), redis.ask(command(*words))
    assert ours == theirs
    assert decode(ours)[0] in (b"int", b"embstr", b"raw")


def test_an_encoding_is_no_state(store: type[Bench], tmp_path: Path) -> None:
    """Two histories of one value have one digest; what the log carries out again makes what it made."""
    with synap.open(tmp_path) as db:
        db.call("kv.set", key="k", value="5")
        db.call("kv.setrange", key="k", offset=0, value="9")
        assert db.call("server.object_encoding", key="k") == b"raw"
        digest = db.digest()
    with synap.open(tmp_path) as db:
        assert db.call("server.object_encoding", key="k") == b"raw" and db.digest() == digest
        db.call("kv.set", key="k", value="9")
        assert db.call("server.object_encoding", key="k") == b"int" and db.digest() == digest
