"""Streams by redis-py: a pipeline of two stages, whose first stage loses a consumer with entries in its hands."""

import threading
from typing import Any

import redis
from sessions import HOST, run

ENTRIES = 600


def session(port: int) -> None:
    client = redis.Redis(HOST, port, decode_responses=True)
    client.flushall()
    for stage in ("raw", "clean"):
        assert client.xgroup_create(stage, "workers", id="0", mkstream=True)
    with client.pipeline(transaction=False) as batch:
        for n in range(ENTRIES):
            batch.xadd("raw", {"n": n, "text": "ö" * (n % 7)}, maxlen=10_000, approximate=True)
        ids = batch.execute()
    assert ids == sorted(ids, key=lambda each: tuple(map(int, each.split("-")))) and client.xlen("raw") == ENTRIES

    lost = client.xreadgroup("workers", "lost", {"raw": ">"}, count=50)[0][1]
    assert [each for each, _ in lost] == ids[:50]

    def clean(name: str) -> None:
        own = redis.Redis(HOST, port, decode_responses=True)
        while found := own.xreadgroup("workers", name, {"raw": ">"}, count=16, block=200):
            hand_on(own, found[0][1])
        start = "0-0"
        while True:  # what the lost consumer has
            start, claimed, _ = own.xautoclaim("raw", "workers", name, min_idle_time=100, start_id=start, count=10)
            hand_on(own, claimed)
            if start == "0-0":
                return

    threads = [threading.Thread(target=clean, args=(f"cleaner-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.xpending("raw", "workers")["pending"] == 0 and client.xlen("clean") == ENTRIES
    seen = [int(fields["square"]) for _, fields in client.xrange("clean")]
    assert sorted(seen) == [n * n for n in range(ENTRIES)]
    groups = client.xinfo_groups("raw")
    assert [(each["name"], each["pending"], each["lag"]) for each in groups] == [("workers", 0, 0)]
    assert {each["name"] for each in client.xinfo_consumers("raw", "workers")} == {
        "lost", "cleaner-0", "cleaner-1", "cleaner-2",
    }  # fmt: skip
    over = client.xread({"raw": ids[-3], "clean": "0-0"}, count=2)
    assert [(name, len(entries)) for name, entries in over] == [("raw", 2), ("clean", 2)]
    assert [each for each, _ in client.xrevrange("raw", count=2)] == [ids[-1], ids[-2]]
    assert client.xrange("raw", f"({ids[0]}", count=1)[0] == (ids[1], {"n": "1", "text": "ö"})
    assert client.xdel("raw", ids[0]) == 1 and client.xtrim("raw", maxlen=100, approximate=False) == ENTRIES - 101
    assert client.xinfo_stream("raw", full=True)["length"] == 100
    assert client.xgroup_destroy("raw", "workers") == 1


def hand_on(client: Any, entries: list[tuple[str, dict[str, str]]]) -> None:
    """Put the results into the next stage and acknowledge the entries, both or neither."""
    if entries:
        with client.pipeline(transaction=True) as step:
            for _, fields in entries:
                step.xadd("clean", {"square": int(fields["n"]) ** 2})
            step.xack("raw", "workers", *(name for name, _ in entries))
            step.execute()


if __name__ == "__main__":
    run(session)
