"""`kill -9` under load, ten times for each mode; `python -m tests.campaign.crashes` does it a thousand times."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synap.compat.rdb.payloads import pack, unpack
from synap.compat.rdb.values import Value
from tests.campaign import crashes
from tests.server.clients import Server
from tests.server.zygote import Zygote

TEXTS = [b"element %d" % i for i in range(20_000)]
LARGE = {"list": sorted(TEXTS), "set": sorted(TEXTS), "hash": sorted((text, text[::-1], 0) for text in TEXTS)}


@pytest.mark.parametrize("mode", crashes.MODES)
def test_nothing_acknowledged_is_lost(zygote: Zygote, tmp_path: Path, mode: str) -> None:
    found = crashes.run(zygote, tmp_path, mode, count=10, seed=sum(mode.encode()))
    assert not found.bad, found.texts
    assert found.crashes == 10 and found.acked > 1000, found


def test_the_ledgers_notice_replies_that_leave_too_early(
    zygote: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    class Early(Server):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, before="tests.server.faulty:early_replies")

    monkeypatch.setattr(crashes, "Server", Early)
    found = crashes.run(zygote, tmp_path, "never", count=5, seed=1)
    assert found.bad, found


def test_crashes_during_recovery_converge(serve: Callable[..., Server]) -> None:
    server = serve({"persistence.wal.segment_bytes_max": 65536}).start()
    with server.resp() as client:
        for start in range(0, 20_000, 1000):
            client.ask_all(*(["SET", f"key{i}", f"value {i}"] for i in range(start, start + 1000)))
        digest = client.ask("DEBUG", "DIGEST")
    server.kill9()
    for i in range(20):
        server.begin()
        time.sleep(0.004 * i)
        server.kill9()
    for _ in range(2):
        server.start()
        with server.resp() as client:
            assert client.ask("DEBUG", "DIGEST") == digest
        server.kill9()


def test_a_restored_value_is_there_as_a_whole_or_not_at_all(serve: Callable[..., Server]) -> None:
    """`kill -9` between two values of several pieces under one key, at any moment."""
    values = {kind: pack(Value(kind, items)) for kind, items in LARGE.items()}
    server = serve().start()
    seen = set()
    for round_ in range(8):
        with server.resp() as client:
            for _ in range(3):
                for kind in values:
                    client.send("RESTORE", "k", "0", values[kind], "REPLACE")
            time.sleep(0.05 * round_)
            server.kill9()
        server.start()
        with server.resp() as client:
            kind = client.ask("TYPE", "k").decode()
            if kind != "none":
                found = unpack(client.ask("DUMP", "k"), 1 << 30)
                assert (found.kind, sorted(found.items)) == (kind, sorted(LARGE[kind]))
            seen.add(kind)
    assert len(seen) > 1, seen
