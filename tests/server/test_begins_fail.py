"""What is begun and cannot be: no process, no descriptor, no thread. It is told, and all of it is undone."""

import errno
import os
import resource
import threading
import time
import urllib.request
from collections.abc import Callable

import pytest

from synap.io.node import files
from tests.server.clients import HOST, Server, eventually
from tests.support import Refusal

Serve = Callable[..., Server]


def no_fork() -> None:
    """While there is a file `flag` where the server runs, the system lets it have no process."""
    real, flag = os.fork, os.path.abspath("flag")

    def fork() -> int:
        if os.path.exists(flag):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return real()

    os.fork = fork


def no_threads() -> None:
    """The system lets it have no threads for syncs, and its disk is too slow to be waited for."""
    real_start, real_sync = threading.Thread.start, files._sync

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("synap-fsync"):
            raise RuntimeError("can't start new thread")
        real_start(thread)

    def sync(fd: int) -> None:
        time.sleep(0.002)
        real_sync(fd)

    threading.Thread.start = start  # type: ignore[method-assign]
    files._sync = sync


def descriptors(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def persistence(server: Server) -> dict[str, str]:
    return server.info("persistence")


@pytest.mark.parametrize("what", ["fork", "pipe"])
def test_a_snapshot_that_cannot_begin(serve: Serve, tmp_path: os.PathLike[str], what: str) -> None:
    flag = os.path.join(tmp_path, "flag")
    server = serve(before="tests.server.test_begins_fail:no_fork" if what == "fork" else "").start()
    with server.resp() as client:
        assert client.ask("SET", "k", "v") == b"OK"
        server.http("GET", "/health")
        time.sleep(0.3)
        before = descriptors(server)
        if what == "fork":
            open(flag, "w").close()
        else:
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (before - 1, limits[1]))
        for i in range(3):
            assert client.ask("BGSAVE") == b"Background saving started"
            assert client.ask("PING") == b"PONG"
            told = client.ask("INFO", "persistence").decode()
            assert f"snapshot_failures:{i + 1}\r\n" in told and "rdb_last_bgsave_status:err\r\n" in told
            assert "snapshot_in_progress:0\r\n" in told
        assert "snapshot: cannot fork: " in server.said()
        assert descriptors(server) <= before
        eventually(lambda: client.ask("OBJECT", "IDLETIME", "k") >= 1, 5, 0.05)
        client.ask("GET", "k")
        assert client.ask("OBJECT", "IDLETIME", "k") == 0  # uses are noted again
        if what == "fork":
            os.unlink(flag)
        else:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        assert client.ask("BGSAVE") == b"Background saving started"
        eventually(lambda: persistence(server)["snapshots_done"] == "1", 10)
        assert persistence(server)["rdb_last_bgsave_status"] == "ok"
        with urllib.request.urlopen(f"http://{HOST}:{server.http_port}/metrics") as reply:
            assert b"synap_snapshot_failures 3" in reply.read()


def test_no_thread_for_syncs(serve: Serve) -> None:
    """Replies wait for the disk in the loop then; none waits for ever."""
    server = serve({"persistence.wal.fsync_mode": "always"}, before="tests.server.test_begins_fail:no_threads").start()
    with server.resp(timeout=10) as one, server.resp(timeout=10) as other:
        for i in range(20):
            one.send("SET", "a", i)
            other.send("SET", "b", i)
            assert (one.read(), other.read()) == (b"OK", b"OK")
        assert one.ask("INCR", "a") == 20
        assert not isinstance(other.ask("CONFIG", "SET", "appendfsync", "everysec"), Refusal)
        assert other.ask("SET", "b", "x") == b"OK"
        eventually(lambda: persistence(server)["log_unsynced_changes"] == "0", 5, 0.1)

