"""`synap load dump.rdb`: what a real redis-server wrote is there, and a file that is damaged leaves nothing behind."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import synap
from synap.compat.rdb.crc64 import crc64
from synap.compat.rdb.payloads import unpack
from synap.io.node import data_tools, rdb_load
from synap.store.kinds.table import KINDS
from tests.compat.rdb_samples import SAMPLES, length, text
from tests.peers import Redis
from tests.support import command, decode

LARGE = [b"element %d" % i for i in range(4_000)]
LONG = bytes(range(256)) * 8000
COMMANDS: list[list[Any]] = [
    ["SET", "text", "hello"], ["SET", "number", "12345"], ["SET", "", "empty name"], ["SET", "long", LONG],
    ["SET", "repeated", b"abc" * 100_000], ["RPUSH", "list", "a", "b", "17", "", "a"], ["RPUSH", "long list", *LARGE],
    ["RPUSH", "list of large", "x" * 20_000, "y" * 70_000], ["SADD", "integers", "1", "-5", "70000"],
    ["SADD", "set", "a", "b", "7"], ["SADD", "long set", *LARGE], ["HSET", "hash", "f", "1", "g", "two"],
    ["HSET", "long hash", *(part for item in LARGE for part in (item, item[::-1]))],
    ["ZADD", "zset", "1.5", "a", "-inf", "b", "1e100", "c"],
    ["ZADD", "long zset", *(part for i, item in enumerate(LARGE) for part in (i / 7, item))],
    ["SETBIT", "bits", "100", "1"], ["PFADD", "hll", *LARGE[:100]],
    *(["XADD", "stream", f"{i}-{i}", "f", item, "i", i] for i, item in enumerate(LARGE[:250], 1)),
    ["XDEL", "stream", "3-3", "150-150"], ["XTRIM", "stream", "MINID", "90"], ["XGROUP", "CREATE", "stream", "g", "0"],
    ["XREADGROUP", "GROUP", "g", "c", "COUNT", "20", "STREAMS", "stream", ">"], ["XACK", "stream", "g", "95-95"],
    ["XGROUP", "CREATE", "empty stream", "g", "$", "MKSTREAM"],
]  # fmt: skip
ASKED = {
    b"string": ["GET"], b"list": ["LRANGE", "0", "-1"], b"set": ["SMEMBERS"], b"hash": ["HGETALL"],
    b"zset": ["ZRANGE", "0", "-1", "WITHSCORES"], b"stream": ["DUMP"],
}  # fmt: skip
KNOWN = {kind.name.encode() for kind in KINDS}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[int, dict[bytes, Any]]]]:
    """A file that Redis wrote, with keys in databases 0, 1 and 15; and what Redis has, by database and key."""
    directory = tmp_path_factory.mktemp("redis")
    redis = Redis(directory)
    wanted: dict[int, dict[bytes, Any]] = {}
    try:
        for database in (0, 1, 15):
            redis.ask(command("SELECT", database))
            for words in COMMANDS if database == 0 else COMMANDS[database % 5 :: 3]:
                redis.ask(command(*words))
            redis.ask(command("SET", "ends", "later", "PXAT", 4_102_444_800_123 + database))
            redis.ask(command("SET", "over", "soon", "PX", 30))
            wanted[database] = dict(_content(redis))
        redis.ask(command("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"))
        redis.ask(command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"))  # writes how often keys were used
        redis.ask(command("DEBUG", "SET-ACTIVE-EXPIRE", "0"))
        assert redis.ask(command("SAVE")) == b"+OK\r\n"
    finally:
        redis.close()
    time.sleep(0.05)
    yield directory / "dump.rdb", wanted


def _content(redis: Redis) -> Iterator[tuple[bytes, Any]]:
    for key in decode(redis.ask(command("KEYS", "*")))[0]:
        kind = decode(redis.ask(command("TYPE", key)))[0]
        if kind in KNOWN and key != b"over":
            name, *more = ASKED[kind]
            yield key, (kind, alike(kind, decode(redis.ask(command(name, key, *more)))[0]))


def alike(kind: bytes, reply: Any) -> Any:
    """A reply without an order where there is none."""
    if kind == b"stream":
        return unpack(reply, 1 << 30).items
    if kind == b"set":
        return sorted(reply)
    if kind == b"zset" and reply and isinstance(reply[0], bytes):
        return list(zip(reply[::2], map(float, reply[1::2]), strict=True))
    return dict(zip(reply[::2], reply[1::2], strict=True)) if kind == b"hash" else reply


def found_in(directory: Path) -> dict[int, dict[bytes, Any]]:
    """What a data directory holds, as `written` tells it, by the lines of `synap dump`."""
    found: dict[int, dict[bytes, Any]] = {}
    for line in data_tools.dump(directory):
        told = data_tools.msgspec.json.decode(line)
        if told["row"] == "function.store":
            continue
        fields = {name: data_tools._unspell(value) for name, value in told["fields"].items()}
        key, kind = _octets(fields["key"]), told["row"].removesuffix(".load").replace("xstream", "stream").encode()
        _, value = found.setdefault(told["namespace"], {}).setdefault(key, (kind, []))
        if kind == b"string":
            value.append((_octets(fields["value"]), fields["deadline"]))
        else:
            value += list(fields.values())[-1]
    return found


def _octets(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _plain(kind: bytes, value: list[Any]) -> Any:
    """The elements of load rows, as Redis replies them."""
    if kind == b"string":
        return value[0][0]
    if kind == b"hash":
        return {_octets(item["field"]): _octets(item["value"]) for item in value}
    if kind == b"zset":
        return sorted((_octets(item["member"]), float(item["score"])) for item in value)
    if kind == b"stream":
        return [tuple(map(_octets, item.values())) for item in value]
    texts = [_octets(next(iter(item.values())) if isinstance(item, dict) else item) for item in value]
    return sorted(texts) if kind == b"set" else texts


def test_a_file_of_redis(store: Any, written: tuple[Path, Any], tmp_path: Path, capsys: Any) -> None:
    file, wanted = written
    lines = list(data_tools.load(tmp_path / "data", file))
    count = sum(len(keys) for keys in wanted.values())
    assert lines[0] == f"{count} keys loaded"
    assert lines[-1] == "1 libraries of functions loaded"
    assert "Loading dump.rdb: 0 %" in capsys.readouterr().err
    found = found_in(tmp_path / "data")
    for database, keys in wanted.items():
        assert set(found[database]) == set(keys)
        for key, (kind, value) in keys.items():
            theirs = sorted(value) if kind == b"zset" else value
            assert found[database][key][0] == kind and _plain(kind, found[database][key][1]) == theirs, key
        assert found[database][b"ends"][1] == [(b"later", 4_102_444_800_123 + database)]
    with synap.open(tmp_path / "data") as db:
        assert db.get("text") == b"hello" and db.exists("over") == 0 and db.fcall("f") == 1
    with pytest.raises(data_tools.Unusable, match="wanted an empty directory"):
        list(data_tools.load(tmp_path / "data", file))


@pytest.mark.parametrize("at", ["head", "middle", "end", "cut", "behind"])
def test_a_damaged_file_names_the_offset(store: Any, written: tuple[Path, Any], tmp_path: Path, at: str) -> None:
    whole = written[0].read_bytes()
    middle = whole.index(LONG[:200]) if LONG[:200] in whole else len(whole) // 2
    damaged = {
        "head": b"REDIS0099" + whole[9:], "middle": whole[:middle] + b"\xfe\xff" + whole[middle + 2 :],
        "end": whole[:-1] + bytes((whole[-1] ^ 1,)), "cut": whole[:-1000], "behind": whole + b"\0",
    }[at]  # fmt: skip
    (tmp_path / "dump.rdb").write_bytes(damaged)
    with pytest.raises(rdb_load.CannotLoad, match=r"dump\.rdb: .* at offset \d+"):
        list(data_tools.load(tmp_path / "data", tmp_path / "dump.rdb"))
    assert not (tmp_path / "data").exists()


def rdb(*parts: bytes, version: int = 10) -> bytes:
    whole = b"REDIS%04d" % version + b"".join(parts) + b"\xff"
    return whole + crc64(whole).to_bytes(8, "little")


def entry(type_number: int, key: bytes, body: bytes) -> bytes:
    return bytes((type_number,)) + text(key) + body


def test_every_opcode(store: Any, tmp_path: Path) -> None:
    """Deadlines in seconds and ms, uses, sizes, notes; keys that have expired, and values without elements."""
    names = [name for name in SAMPLES if SAMPLES[name][2].kind.encode() in KNOWN]
    file = rdb(
        b"\xfa" + text(b"redis-ver") + text(b"7.4.0"), b"\xfe\x02\xfb\x05" + length(300),
        b"\xfd" + struct.pack("<i", 2_000_000_000) + b"\xf9\x07" + entry(0, b"seconds", text(b"v")),
        b"\xfc" + struct.pack("<q", 4_000_000_000_005) + b"\xf8" + length(1000) + entry(0, b"ms", text(b"v")),
        b"\xfc" + struct.pack("<q", 5) + entry(0, b"expired", text(b"v")), entry(0, b"stays", text(b"v")),
        b"\xfc" + struct.pack("<q", -5) + entry(0, b"before 1970", text(b"v")), entry(1, b"empty", b"\0"),
        b"\xfe\x00", *(entry(*SAMPLES[name][:1], name.encode(), SAMPLES[name][1]) for name in names), version=12,
    )  # fmt: skip
    (tmp_path / "dump.rdb").write_bytes(file)
    lines = list(data_tools.load(tmp_path / "data", tmp_path / "dump.rdb"))
    assert lines == [
        f"{len(names) + 3} keys loaded", "2 keys left out: they have expired",
        "1 keys left out: their values have no elements",
    ]  # fmt: skip
    found = found_in(tmp_path / "data")
    assert {key: value[0][1] for key, (_, value) in found[2].items()} == {
        b"seconds": 2_000_000_000_000, b"ms": 4_000_000_000_005, b"stays": 0
    }  # fmt: skip
    assert set(found[0]) == {name.encode() for name in names}
    (tmp_path / "dumped").write_text("".join(f"{line}\n" for line in data_tools.dump(tmp_path / "data")))
    list(data_tools.load(tmp_path / "again", tmp_path / "dumped"))  # infinite scores as well
    again = found_in(tmp_path / "again")
    for key, (kind, value) in found[0].items():
        assert again[0][key][0] == kind and _plain(kind, again[0][key][1]) == _plain(kind, value)


@pytest.mark.parametrize(("parts", "text_wanted"), [
    ([b"\xfe\x10", entry(0, b"k", text(b"v"))], "database 16 at offset 11: there are 16"),
    ([entry(0, b"k", text(b"v")), entry(0, b"k", text(b"w"))], "'k' of database 0 stands there twice"),
    ([entry(7, b"m", text(b"x"))], "modules, as the key 'm' in database 0, are not supported"),
    ([b"\xf7", text(b"x")], "data of modules are not supported"),
    ([b"\xf6", text(b"x")], "functions of a preview of Redis 7.0 are not supported"),
    ([b"\xf4"], "the unknown type 244 at offset"),
])  # fmt: skip
def test_what_cannot_be_loaded(store: Any, tmp_path: Path, parts: list[bytes], text_wanted: str) -> None:
    (tmp_path / "dump.rdb").write_bytes(rdb(*parts))
    (tmp_path / "data").mkdir()
    with pytest.raises(rdb_load.CannotLoad) as caught:
        list(data_tools.load(tmp_path / "data", tmp_path / "dump.rdb"))
    assert text_wanted in str(caught.value)
    assert not list((tmp_path / "data").iterdir())


def test_a_file_without_a_checksum(store: Any, tmp_path: Path) -> None:
    """`rdbchecksum no` writes 0."""
    (tmp_path / "dump.rdb").write_bytes(rdb(entry(0, b"k", text(b"v")))[:-8] + bytes(8))
    assert list(data_tools.load(tmp_path / "data", tmp_path / "dump.rdb")) == ["1 keys loaded"]
