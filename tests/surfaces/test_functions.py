"""Libraries of functions: their texts are state, and Lua follows it. Their replies are in `cases/functions.txt`."""

from pathlib import Path
from typing import Any

import pytest

import synap
from synap.engine.inner_calls import perform
from synap.faults import BrokenNode, Fault
from synap.store.memory import layout
from tests.engine.engines import House
from tests.peers import Redis
from tests.store.copies import fresh, replayed
from tests.store.differential import digest
from tests.support import Bench, Refusal, command, decode
from tests.surfaces.surfaces import Surfaces

COUNT = "#!lua name=counts\nlocal n = 0\nredis.register_function('count', function() n = n + 1 return n end)"
ADD = (
    "#!lua name=adds\n"
    "redis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)\n"
    "redis.register_function{function_name='look', callback=function(keys) return redis.call('GET', keys[1]) end, "
    "flags={'no-writes'}, description='Reads.'}"
)


@pytest.fixture
def surfaces(store: Any) -> Surfaces:
    return Surfaces()


def test_every_surface(surfaces: Surfaces) -> None:
    assert surfaces.rest("POST", "/function/load", {"code": ADD})[:2] == (200, {"library": "adds"})
    assert surfaces.rest("POST", "/function/load", {"code": ADD})[0] == 409
    assert surfaces.rest("POST", "/function/load", {"code": ADD, "replace": True})[0] == 200
    body = {"function": "add", "keys": ["n"], "args": ["5"]}
    assert surfaces.rest("POST", "/function/call", body)[:2] == (200, {"result": 5})
    assert surfaces.command("function.call", body)["payload"] == {"result": 10}
    assert surfaces.rest("POST", "/function/call", {"function": "none"})[0] == 404
    (told,) = surfaces.rest("GET", "/function/list")[1]["libraries"]
    assert told["library_name"] == "adds" and told["engine"] == "LUA" and "library_code" not in told
    look = {"name": "look", "description": "Reads.", "flags": ["no-writes"]}
    assert told["functions"] == [{"name": "add", "description": None, "flags": []}, look]
    assert surfaces.rest("GET", "/function/list?withcode=true")[1]["libraries"][0]["library_code"] == ADD
    counts = {"LUA": {"libraries_count": 1, "functions_count": 2}}
    assert surfaces.rest("GET", "/function/stats")[1]["engines"] == counts
    db = surfaces.database
    with pytest.raises(Fault, match="Function not found"):
        db.fcall("add", ["n"], ["1"])
    assert db.function_load(ADD) == "adds"
    assert db.fcall("add", ["n"], ["1"]) == 1 and db.fcall_ro("look", ["n"]) == b"1"
    assert db.function_load(COUNT) == "counts" and db.fcall("count") == 1
    assert [each["library_name"] for each in db.function_list()] == ["adds", "counts"]
    with pytest.raises(Fault, match="write flag"):
        db.fcall_ro("add", ["n"], ["1"])
    db.function_delete("counts")
    with pytest.raises(Fault, match="Function not found"):
        db.fcall("count")
    assert surfaces.rest("DELETE", "/function/adds")[0] == 200 and surfaces.rest("DELETE", "/function/adds")[0] == 404
    db.function_flush()


def test_libraries_are_logged_and_read_again(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    told = client.ask(["FUNCTION", "LOAD", ADD], ["FUNCTION", "LOAD", COUNT], ["FCALL", "add", "1", "n", "5"],
                      ["FUNCTION", "LOAD", "REPLACE", COUNT + "\n"], ["FUNCTION", "DELETE", "adds"])  # fmt: skip
    assert told == [b"adds", b"counts", 5, b"counts", b"OK"]
    house.flush()
    other = replayed(fresh(store, 7), house.frames)
    assert digest(other) == digest(house.bench) and other[layout.LIBRARIES_CHANGES] == 4


def test_a_failure_changes_nothing(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    client.ask(["FUNCTION", "LOAD", ADD], ["FUNCTION", "LOAD", COUNT])
    before = digest(house.bench)
    for code in ("syntax(", "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
                 "redis.register_function('add', function() end)", "nothing()"):  # fmt: skip
        assert isinstance(client.one(["FUNCTION", "LOAD", "REPLACE", f"#!lua name=counts\n{code}"]), Refusal), code
    assert client.one(["FCALL", "count", "0"]) == 1 and digest(house.bench) == before
    dump = client.one("FUNCTION DUMP")
    assert str(client.one(["FUNCTION", "RESTORE", dump])) == "ERR Library 'adds' already exists"
    assert str(client.one(["FUNCTION", "RESTORE", dump[:-1] + b"x"])).startswith("ERR DUMP payload")
    assert digest(house.bench) == before and client.one(["FCALL", "count", "0"]) == 2


def test_a_library_that_cannot_be_loaded_any_more_stays(store: type[Bench]) -> None:
    house = House(store)
    client, engine = house.client(), house.engine
    assert client.one(["FUNCTION", "LOAD", COUNT]) == b"counts"
    perform(engine, engine.own, "function.store", {"library": "bad", "code": b"#!lua name=bad\nnil("}, house.now)
    assert client.one("FUNCTION LIST LIBRARYNAME bad WITHCODE")[0][-1] == b"#!lua name=bad\nnil("
    assert client.one(["FCALL", "count", "0"]) == 1 and b"nil(" in client.one("FUNCTION DUMP")
    assert client.ask("FUNCTION DELETE bad", "FUNCTION LIST LIBRARYNAME bad") == [b"OK", []]


def test_a_node_that_breaks_in_a_group_logs_nothing_of_it(
    store: type[Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(store)
    client, libraries = house.client(), house.engine.scripts.libraries
    client.ask(["FUNCTION", "LOAD", ADD], ["FUNCTION", "LOAD", COUNT])
    dump = client.one("FUNCTION DUMP")
    house.flush()
    before, run = len(house.frames), libraries._run
    calls: list[str] = []

    def breaks(caller: Any, name: str, now: int, **fields: Any) -> None:
        calls.append(name)
        if len(calls) == 2:
            raise BrokenNode("here")
        run(caller, name, now, **fields)

    monkeypatch.setattr(libraries, "_run", breaks)
    with pytest.raises(BrokenNode):
        libraries.restore(house.engine.own, dump, "FLUSH", house.now)
    house.flush()
    assert calls == ["function.store"] * 2 and len(house.frames) == before
    assert not house.engine.numbers[layout.IN_GROUP]


def test_loading_is_limited_in_time(surfaces: Surfaces) -> None:
    told = surfaces.resp("FUNCTION", "LOAD", "#!lua name=slow\nwhile true do end")
    assert told == Refusal("ERR Error registering functions: FUNCTION LOAD timeout")
    assert surfaces.resp("FUNCTION", "LOAD", COUNT) == b"counts"


@pytest.mark.parametrize("policy", ["FLUSH", "REPLACE", "APPEND"])
def test_restored(store: type[Bench], policy: str) -> None:
    house = House(store)
    client = house.client()
    client.ask(["FUNCTION", "LOAD", ADD])
    dump = client.one("FUNCTION DUMP")
    client.ask(["FUNCTION", "DELETE", "adds"], ["FUNCTION", "LOAD", COUNT])
    assert client.one(["FUNCTION", "RESTORE", dump, policy]) == b"OK"
    assert client.one(["FCALL", "add", "1", "n", "2"]) == 2
    assert (client.one(["FCALL", "count", "0"]) == 1) is (policy != "FLUSH")


def test_dumps_are_those_of_redis(store: type[Bench], tmp_path: Path) -> None:
    house, redis = House(store), Redis(tmp_path)
    client = house.client()
    try:
        for code in (ADD, COUNT + "-- " + "x" * 20_000):
            assert client.one(["FUNCTION", "LOAD", code]) == decode(redis.ask(command("FUNCTION", "LOAD", code)))[0]
        ours, theirs = client.one("FUNCTION DUMP"), decode(redis.ask(command("FUNCTION", "DUMP")))[0]
        assert client.one(["FUNCTION", "RESTORE", theirs, "FLUSH"]) == b"OK"
        assert redis.ask(command("FUNCTION", "RESTORE", ours, "FLUSH")) == b"+OK\r\n"
        assert redis.ask(command("FCALL", "add", "1", "n", "3")) == b":3\r\n" and client.one("FCALL count 0") == 1
    finally:
        redis.close()


def test_they_are_there_after_a_restart(store: type[Bench], tmp_path: Path) -> None:
    """From the log, and from a snapshot."""
    with synap.open(tmp_path / "data") as db:
        db.function_load(ADD)
        db.function_load(COUNT)
        assert db.fcall("add", ["n"], [5]) == 5
    for wanted in (6, 7):
        with synap.open(tmp_path / "data") as db:
            assert db.fcall("add", ["n"], [1]) == wanted and db.fcall("count") == 1
            db.snapshot()
    with synap.open(tmp_path / "data") as db:
        assert [each["library_name"] for each in db.function_list()] == ["adds", "counts"]


def test_many_and_large(store: type[Bench]) -> None:
    house = House(store)
    client = house.client()
    for i in range(300):
        code = f"#!lua name=l{i}\nredis.register_function('f{i}', function() return {i} end)\n--" + "x" * 1000 * (i % 7)
        assert client.one(["FUNCTION", "LOAD", code]) == b"l%d" % i
    assert [client.one(["FCALL", f"F{i}", "0"]) for i in range(0, 300, 50)] == list(range(0, 300, 50))
    assert len(client.one("FUNCTION LIST")) == 300
    assert client.ask("FUNCTION FLUSH", "FUNCTION LIST") == [b"OK", []]
    house.upkeep()
    assert client.one("FCALL f0 0") == Refusal("ERR Function not found")
