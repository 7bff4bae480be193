"""OBJECT ENCODING by the histories of values: strings beside a real Redis, and all after a snapshot or a replay."""

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
    "SET k 5|SETBIT k 3 1", "SET k 5|SETBIT k 3 0", "SETBIT k 3 1", "SET k 5|GETBIT k 3|BITCOUNT k",
    "SET k 5|BITOP OR k k",
    "SET k 5|BITOP OR l k|BITOP OR k l", "SET k 5|BITFIELD k GET u8 0", "SET k 5|BITFIELD k INCRBY u8 0 0",
    "INCRBYFLOAT k 3|SETBIT k 2 1", "INCRBYFLOAT k 3|BITOP OR k k", "SET k 5|SETBIT k 3 1|SETBIT k 3 1|INCR k",
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


INTEGERS = "1 2 3"
FULL_INTSET = " ".join(map(str, range(512)))
FULL_LISTPACK = " ".join(f"m{n}" for n in range(128))
SET_HISTORIES = [
    (f"SADD k {INTEGERS}", "intset"),
    (f"SADD k {INTEGERS}|SADD k a", "listpack"),
    (f"SADD k {INTEGERS} a|SREM k a", "listpack"),
    (f"SADD k a {INTEGERS}|SREM k a", "listpack"),
    (f"SADD k a|SREM k a|SADD k {INTEGERS}", "intset"),
    (f"SADD k {FULL_INTSET}", "intset"),
    (f"SADD k {FULL_INTSET}|SADD k 7", "intset"),
    (f"SADD k {FULL_INTSET}|SADD k 512", "hashtable"),
    (f"SADD k {FULL_INTSET}|SADD k 512|SREM k {FULL_INTSET}", "hashtable"),
    (f"SADD k {FULL_INTSET}|SADD k a", "hashtable"),
    (f"SADD k {FULL_LISTPACK}", "listpack"),
    (f"SADD k {FULL_LISTPACK}|SADD k m", "hashtable"),
    (f"SADD k {FULL_LISTPACK}|SADD k m|SPOP k 20", "hashtable"),
    (f"SADD k {FULL_LISTPACK}|SADD k m|SPOP k 120", "listpack"),  # SPOP has made a new set of what is left
    (f"SADD k {FULL_INTSET}|SADD k 512|SPOP k 500", "listpack"),
    (f"SADD k {FULL_INTSET}|SPOP k 500", "intset"),
    ("SADD a 1 2 x|SADD b 1 2 y|SINTERSTORE k a b", "intset"),
    (f"SADD a {FULL_INTSET} 512|SADD b 1 2|SINTERSTORE k a b", "intset"),
    ("SADD a 1 x|SUNIONSTORE k a", "listpack"),
    (f"SADD a {FULL_INTSET}|SADD b 512|SUNIONSTORE k a b", "hashtable"),
    (f"SADD a {'x' * 65} b|SADD b {'x' * 65}|SDIFFSTORE k a b", "listpack"),
    (f"SADD a {FULL_INTSET} 512|SADD b {FULL_INTSET}|SDIFFSTORE k b a|SDIFFSTORE k a b none", "intset"),
    (f"SADD a {FULL_INTSET} 512|SADD b 1|SADD c 2|SADD d 3|SDIFFSTORE k a b c d", "hashtable"),  # from a copy
    ("SADD a x 1|SADD k 2|SMOVE a k 1", "intset"),
    ("SADD a x 1|SADD k 2|SMOVE a k x", "listpack"),
    (f"SADD k {' '.join(['a'] * 129)}", "hashtable"),
    (f"SADD k {' '.join(['1'] * 513)}", "hashtable"),
    (f"SADD k {' '.join(['1'] * 512)}", "intset"),
    (f"SADD k {'x' * 64}", "listpack"),
    (f"SADD k {'x' * 65}", "hashtable"),
    (f"SADD k 1 {'x' * 65}|SREM k {'x' * 65}", "hashtable"),
    ("SADD k 01", "listpack"),
    ("SADD k 9223372036854775807", "intset"),
    ("SADD k 9223372036854775808", "listpack"),
    ("SADD k 1 a|SREM k a|COPY k l|RENAME l k", "listpack"),
    ("SADD k 1 a|SREM k a|EXPIRE k 100|PERSIST k", "listpack"),
    ("SADD k 1 a|SREM k a|RENAME k l|COPY l k", "listpack"),
    ("SADD k 1 a|SREM k a|SELECT 1|SWAPDB 0 1", "listpack"),
    ("RPUSH k a 1", "listpack"),
    (f"RPUSH k {'x' * 9000}", "quicklist"),
    (f"RPUSH k a b {'x' * 9000}|RPOP k", "listpack"),
    (f"RPUSH k {'x' * 5000} {'x' * 5000}|LPOP k", "quicklist"),
    (f"RPUSH k {'x' * 4000} {'x' * 5000}|RPOP k", "listpack"),
    (f"LPUSH k {'x' * 5000} {'x' * 5000} b|LPOP k 1|COPY k l|RENAME l k", "quicklist"),
    (f"LPUSH k {' '.join(['xyz'] * 1500)}", "listpack"),
    (f"LPUSH k {' '.join(['xyz'] * 1700)}", "quicklist"),
    (f"LPUSH k {' '.join(['xyz'] * 1700)}|RPOP k 600", "quicklist"),
    (f"LPUSH k {' '.join(['xyz'] * 1700)}|RPOP k 1000", "listpack"),
    (f"LPUSH k {' '.join(['xyz'] * 1700)}|LTRIM k 0 9", "listpack"),
    (f"RPUSH k a b|LSET k 0 {'x' * 9000}", "quicklist"),
    (f"RPUSH k a b|LINSERT k AFTER a {'x' * 9000}", "quicklist"),
    (f"RPUSH k {'x' * 5000} {'x' * 5000} a|LREM k 0 {'x' * 5000}", "listpack"),
    (f"RPUSH l {'x' * 5000} {'y' * 5000}|RPUSH k a|LMOVE l k LEFT LEFT|LMOVE l k LEFT LEFT", "quicklist"),
    *((f"CONFIG SET list-max-listpack-size {limit}|{history}", wanted) for limit, history, wanted in (
        ("3", "RPUSH k a b c", "listpack"), ("3", "RPUSH k a b c d", "quicklist"),
        ("3", "RPUSH k a b c d|LPOP k 2", "quicklist"), ("3", "RPUSH k a b c d|LPOP k 3", "listpack"),
        ("0", "RPUSH k a", "listpack"), ("0", "RPUSH k a b", "quicklist"), ("0", "RPUSH k a b|LPOP k", "quicklist"),
        ("100", f"RPUSH k {'x' * 8200}", "quicklist"), ("100", f"RPUSH k {'x' * 8100}", "listpack"),
        ("-1", f"RPUSH k {'x' * 4000}", "listpack"), ("-1", f"RPUSH k {'x' * 4090}", "quicklist"),
        ("-3", f"RPUSH k {'x' * 16000}", "listpack"), ("-4", f"RPUSH k {'x' * 32800}", "quicklist"),
        ("-5", f"RPUSH k {'x' * 40000}|RPUSH k {'x' * 25000}", "listpack"),
        ("-9", f"RPUSH k {'x' * 40000}|RPUSH k {'x' * 25000}", "listpack"),
        ("-9", f"RPUSH k {'x' * 40000}|RPUSH k {'x' * 26000}", "quicklist"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("history", "wanted"), SET_HISTORIES, ids=range(len(SET_HISTORIES)))
def test_encodings_of_lists_and_sets(store: type[Bench], history: str, wanted: str) -> None:
    """What Redis 7.2 answers; the server at hand may be older, without listpacks for sets and short lists."""
    surfaces = Surfaces()
    for line in history.split("|"):
        surfaces.resp(*line.split())
    assert surfaces.resp("OBJECT", "ENCODING", "k") == wanted.encode()


def test_a_restart_tells_encodings_anew(store: type[Bench], tmp_path: Path) -> None:
    """The log tells the history of a set; a snapshot tells its members alone, as a dump of Redis does."""
    with synap.open(tmp_path) as db:
        db.sadd("k", "1", "a")
        db.srem("k", "a")
        digest = db.digest()
    with synap.open(tmp_path) as db:
        assert db.call("server.object_encoding", key="k") == b"listpack" and db.digest() == digest
        db.snapshot()
    with synap.open(tmp_path) as db:
        assert db.call("server.object_encoding", key="k") == b"intset" and db.digest() == digest
