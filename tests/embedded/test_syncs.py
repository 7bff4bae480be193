"""When an in-process database syncs its log, what ends it, and what a fork leaves of it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import synap

INTERVAL_S = 0.2


def opened(path: Path, mode: str, interval_s: float = INTERVAL_S) -> synap.Database:
    settings = synap.Settings().replace({
        "persistence.wal.fsync_mode": mode, "persistence.wal.fsync_interval_ms": int(interval_s * 1000),
    })  # fmt: skip
    return synap.open(path, settings)


def unsynced(db: synap.Database) -> int:
    """Frames that a loss of power would take."""
    log = db._node.log
    assert log is not None
    return log.written_seq - log.synced_seq


def test_who_stops_writing_has_everything_synced_within_the_interval(store: Any, tmp_path: Path) -> None:
    with opened(tmp_path, "periodic") as db:
        for round_ in range(3):
            begun = time.monotonic()
            db.set("k", str(round_))
            assert unsynced(db) == 1  # the caller did not wait for the disk
            while unsynced(db):
                assert time.monotonic() - begun < INTERVAL_S + 2, "nobody syncs"
                time.sleep(0.005)
            assert time.monotonic() - begun > INTERVAL_S / 2  # it is a sync for many writes, not for each
        log = db._node.log
        assert log is not None and log.syncs_done == 3
        time.sleep(3 * INTERVAL_S)
        assert log.syncs_done == 3  # nothing to sync, no sync
        threads = {thread.name: thread.daemon for thread in threading.enumerate()}
        assert threads["synap-fsync"] is True
    assert "synap-fsync" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(("mode", "left"), [("always", 0), ("never", 20)])
def test_other_modes_need_no_thread(store: Any, tmp_path: Path, mode: str, left: int) -> None:
    with opened(tmp_path, mode, 0.01) as db:
        for i in range(20):
            db.set(f"k{i}", "v")
        time.sleep(0.1)
        assert unsynced(db) == left
        assert "synap-fsync" not in {thread.name for thread in threading.enumerate()}


def test_a_call_that_writes_the_log_in_its_middle_is_synced_too(store: Any, tmp_path: Path) -> None:
    with opened(tmp_path, "always") as db:
        for _ in range(3):
            db.set("k", "v" * (8 << 20))
            assert unsynced(db) == 0


def test_appendfsync_changes_while_it_is_open(store: Any, tmp_path: Path) -> None:
    def change(value: str) -> None:
        assert db.call("server.config_set", pairs=[{"name": "appendfsync", "value": value}]) == "OK"
        assert db.call("server.config_get", patterns=["appendfsync"]) == {b"appendfsync": value.encode()}

    with opened(tmp_path, "never", 0.05) as db:
        db.set("k", "v")
        change("always")
        db.set("k", "w")
        assert unsynced(db) == 0
        change("no")
        db.set("k", "x")
        time.sleep(0.2)
        assert unsynced(db) == 1
        change("everysec")
        db.set("k", "y")
        end = time.monotonic() + 5
        while unsynced(db) and time.monotonic() < end:
            time.sleep(0.01)
        assert unsynced(db) == 0


def test_a_sync_that_fails_refuses_writes_until_a_snapshot_stands(store: Any, tmp_path: Path) -> None:
    with opened(tmp_path, "periodic", 0.02) as db:
        log = db._node.log
        assert log is not None
        sync, failed = log._live_handle().sync, threading.Event()

        def fail() -> None:
            failed.set()
            raise OSError("the disk is gone")

        for handle in log._handles:
            handle.sync = fail  # type: ignore[method-assign]
        db.set("k", "v")
        assert failed.wait(5)
        end = time.monotonic() + 5
        while not db._node.failed:
            assert time.monotonic() < end
            time.sleep(0.005)
        with pytest.raises(synap.Fault, check=lambda fault: fault.row.name == "LOG_FAILED"):
            db.set("k", "w")
        assert db.get("k") == b"v" and callable(sync)
        db.snapshot()
        assert db.set("k", "w") is True
    with synap.open(tmp_path) as db:
        assert db.get("k") == b"w"


def test_a_program_that_ends_without_close_has_closed(store: Any, tmp_path: Path) -> None:
    script = "import sys, synap; db = synap.open(sys.argv[1]); db.set('k', 'v'); db.rpush('l', 'x')"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=100)
    with synap.open(tmp_path) as db:
        assert db.get("k") == b"v"
        recovered = db._node.recovered
        assert recovered.log_frames == 2 and not recovered.notes


FORK = """
import os, sys, synap
db, memory = synap.open(sys.argv[1]), synap.open()
db.set("k", "v")
if os.fork() == 0:
    for each in (db, memory):
        try:
            each.set("k", "child")
        except ValueError as error:
            print(str(error).replace(str(os.getppid()), "PARENT"))
        each.close()
    try:
        synap.open(sys.argv[1])
    except synap.LockHeld:
        print("held")
    with synap.open() as own:
        own.set("k", "own")
        print(own.get("k"))
    sys.exit()
os.wait()
db.set("l", "after")
print(db.get("k"), memory.get("k"))
db.close()
with synap.open(sys.argv[1]) as db:
    print(db.get("k"), db.get("l"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_refused_and_spoils_nothing(store: Any, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path)],
        check=True, timeout=100, capture_output=True, text=True,
    )  # fmt: skip
    told = "the database belongs to process PARENT, which opened it: open one after the fork"
    assert done.stdout.splitlines() == [told, told, "held", "b'own'", "b'v' None", "b'v' b'after'"]


@pytest.mark.parametrize("mode", ["always", "never"])
def test_durability_of_some_calls(store: Any, tmp_path: Path, mode: str) -> None:
    with opened(tmp_path, mode, 60) as db:
        safe, fast = db.with_durability("fsync"), db.with_durability("memory")
        assert db.durability() == {"asked": "default", "reached": "fsync" if mode == "always" else "os"}
        assert safe.durability()["reached"] == "fsync" and fast.durability() == {"asked": "memory", "reached": "os"}
        fast.set("a", "1")
        assert unsynced(db) == 1
        safe.set("a", "2")
        assert unsynced(db) == 0
        safe.set_many(["b", "c"], ["x", "y"])
        assert unsynced(db) == 0
        taken: list[Any] = []
        thread = threading.Thread(target=lambda: taken.append((safe.blpop("list", timeout=20), unsynced(db))))
        thread.start()
        while not db._waiters:
            time.sleep(0.001)
        fast.rpush("list", "x")
        thread.join()
        assert taken == [((b"list", b"x"), 0)] or taken[0][1] == 0
        assert db.call("server.wait_aof", local=0, replicas=0, timeout=0) == [1, 0]
        with pytest.raises(synap.Fault, match="durability 'disk': wanted memory, os, fsync or default"):
            db.with_durability("disk")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="closed"):
        safe.get("a")
    with synap.open() as db, pytest.raises(synap.Fault, match="durability fsync needs a log"):
        db.with_durability("fsync")
