"""Make a data directory with every kind of data by the version of Synap that is imported, for a test of later ones.

    python tests/upgrade/make.py NAME.tar.gz

prints the digests of what is in it. Nothing in it falls due: deadlines, leases and delays end in decades, so that a
later version that opens it finds the same state. Half of it is in a snapshot, all that came later in the log.
"""

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import synap

FAR_MS = 4_000_000_000_000  # 2096
LONG_MS = 1 << 40  # 34 years


def fill(db: Any, mark: str) -> None:
    """Put data of each kind under names that begin with `mark`."""
    db.set(f"{mark}:text", "grüße")
    db.set(f"{mark}:bytes", bytes(range(256)))
    db.set(f"{mark}:number", 42)
    db.set(f"{mark}:large", b"x" * 70_000)
    db.call("kv.append", key=f"{mark}:appended", value="5")
    db.call("kv.append", key=f"{mark}:appended", value="6")
    db.set(f"{mark}:expires", "later")
    db.pexpireat(f"{mark}:expires", FAR_MS)
    db.rpush(f"{mark}:list", *(f"element {n}" for n in range(300)), b"y" * 5_000)
    db.sadd(f"{mark}:integers", *range(100))
    db.sadd(f"{mark}:set", *(f"member {n}" for n in range(600)))
    db.pexpireat(f"{mark}:set", FAR_MS)
    db.call("queue.create", queue=f"{mark}-jobs", max_depth=1000, ack_deadline_ms=LONG_MS)
    for n in range(20):
        db.call("queue.publish", queue=f"{mark}-jobs", payload=f"job {n}", priority=n % 10)
    for worker in ("one", "one", "two"):
        db.call("queue.consume", queue=f"{mark}-jobs", consumer_id=worker)
    db.call("queue.create", queue=f"{mark}-failing", ack_deadline_ms=LONG_MS)
    db.call("queue.publish", queue=f"{mark}-failing", payload="bad", max_retries=0)
    taken = db.call("queue.consume", queue=f"{mark}-failing", consumer_id="one")
    db.call("queue.nack", queue=f"{mark}-failing", message_id=taken["message_id"], drop=True)
    db.call("stream.create", room=f"{mark}-news", max_events=50, retention_secs=LONG_MS // 1000)
    for n in range(80):
        db.call("stream.publish", room=f"{mark}-news", event="said", items=[f"event {n}"])


def main() -> None:
    """Make the archive."""
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        with synap.open(data) as db:
            fill(db, "old")
            db.snapshot()
            fill(db, "new")
            db.delete("old:number")
            print(json.dumps(db.digest(), indent=1))
        with tarfile.open(sys.argv[1], "w:gz") as archive:
            archive.add(data, "data")


if __name__ == "__main__":
    main()
