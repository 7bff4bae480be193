"""`kill -9` under load, again and again: `python -m tests.campaign.crashes --count 1000 [--mode always]`.

Each round: load from some fifteen connections for a moment, now and then a snapshot beside it, `kill -9`, start
again on the same ports and directory at once (some starts are killed during recovery, several times in a
row), compare with the ledgers. All rounds of a mode share one directory. Ends with 1 if anything was wrong.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.campaign.ledgers import Counter, Deadlines, Found, HandOver, History, Ledger, Pool, Scripted
from tests.campaign.messages import Messages
from tests.server.clients import Gone, Server, alive
from tests.server.zygote import Zygote

MODES = ("always", "periodic", "never")
LOAD_S = (0.01, 0.12)
SEGMENT_BYTES = 4 << 20
CHILD_S = 2.0
"""Time for a snapshot's process to be gone: killed within an fsync, it ends when the disk has answered."""


def run(zygote: Zygote, directory: Path, mode: str, count: int, seed: int, seconds: float = 1e9) -> Found:
    """`count` crashes, or as many as fit into `seconds`."""
    chance = random.Random(seed)
    found = Found()
    server = Server(zygote, directory / mode, {
        "persistence.wal.fsync_mode": mode, "persistence.wal.fsync_interval_ms": 20,
        "compression.enabled": "false" if mode == "always" else "true", "compression.min_payload_size": 64,
        "compression.hot_cache_bytes": 65536,
        "persistence.wal.segment_bytes_max": SEGMENT_BYTES,
    })  # fmt: skip
    ledgers: list[Ledger] = [History(f"h{i}", found, seed) for i in range(3)]
    kinds = (Counter, Deadlines, Pool, HandOver, Messages, Scripted)
    ledgers += [kind(kind.__name__.lower(), found, seed) for kind in kinds]
    end = time.monotonic() + seconds
    server.start()
    try:
        with server.resp() as client:
            for ledger in ledgers:
                ledger.prepare(client)
        while found.crashes < count and time.monotonic() < end and not found.bad:
            _round(server, ledgers, found, chance)
        with server.resp() as client:
            for ledger in ledgers:
                ledger.end(client)
        found.acked = sum(ledger.acked for ledger in ledgers)
        before = _digest(server)
        code = server.stop()
        server.start()
        after = _digest(server)
        if code or after != before:
            found.say("torn", f"a clean stop (exit {code}) changed the state {before} to {after}")
    finally:
        server.end()
        if found.bad:
            print(server.said()[-3000:], file=sys.stderr)
    return found


def _digest(server: Server) -> Any:
    with server.resp() as client:
        return client.ask("DEBUG", "DIGEST")


def _round(server: Server, ledgers: list[Ledger], found: Found, chance: random.Random) -> None:
    threads = [
        threading.Thread(target=ledger.load, args=(server.resp_port, number), daemon=True)
        for ledger in ledgers
        for number in range(ledger.threads)
    ]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(*LOAD_S))
    children = []
    if chance.random() < 0.25:
        children = _snapshot(server, chance)
    server.kill9()
    found.crashes += 1
    if children:
        found.snapshots_killed += 1
    while chance.random() < 0.2:  # again, while it recovers
        server.begin()
        time.sleep(chance.uniform(0, 0.08))
        server.kill9()
        found.restarts_killed += 1
    server.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a client did not notice the end of the server"
    end = time.monotonic() + CHILD_S
    while left := [child for child in children if alive(child)]:
        if time.monotonic() > end:
            found.say("torn", f"the snapshot's process {left} has outlived its parent")
            break
        time.sleep(0.005)
    with server.resp() as client:
        for ledger in ledgers:
            ledger.check(client)


def _snapshot(server: Server, chance: random.Random) -> list[int]:
    """Start a snapshot, let it run for a moment; its process if it is still at work."""
    try:
        with server.resp() as client:
            client.ask("BGSAVE")
    except Gone:
        return []
    time.sleep(chance.choice((0.0, 0.002, 0.01, 0.1)))
    return server.children()


def main() -> None:
    """Print what was found, by mode."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=1000, help="crashes for each mode")
    options.add_argument("--seconds", type=float, default=1e9, help="longest time for each mode")
    options.add_argument("--mode", choices=MODES, action="append")
    options.add_argument("--seed", type=int, default=int(time.time()))
    given = options.parse_args()
    zygote = Zygote()
    bad = 0
    try:
        for mode in given.mode or MODES:
            begun = time.monotonic()
            with tempfile.TemporaryDirectory() as directory:
                found = run(zygote, Path(directory), mode, given.count, given.seed, given.seconds)
            bad += found.bad
            texts = asdict(found)
            for line in texts.pop("texts"):
                print(f"  {line}")
            numbers = " ".join(f"{name}={value}" for name, value in texts.items())
            print(f"{mode}: seed={given.seed} {numbers} seconds={time.monotonic() - begun:.0f}", flush=True)
    finally:
        zygote.close()
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
