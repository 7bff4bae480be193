"""Are many elements of one structure stored and read faster in arrays, in-process, than by redis-py's pipelines?

    python asv_bench/versus/elements.py

A million elements each: texts of 15 bytes, random scores, integers. Columns, in ns for an element, medians of the runs:

    arrays      one call with an array (`hset_many`, ...), or one that returns arrays; the database is on the disk
    a loop      the method of one element in a Python loop (`hset`, ...) over the first 20,000
    redis-py    a pipeline without MULTI, 1,000 elements in each command and 100 commands at a time, to redis-server on
                the other core; a structure that is read whole is read by one command, as lists or sets of bytes

Both logs are written at once and synced every second. The texts that redis-py gets are made before the clock starts.
With --cpu, the CPU time of this process is measured, for a machine that has other work: that of redis-server is not
counted, so these ratios favour redis-py.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import redis
from harness import arguments, parse
from nodes import Redis

import synap

ELEMENTS, LOOP, EACH, AT_A_TIME = 1_000_000, 20_000, 1000, 100
Work = Callable[[], Any]


class Sides:
    """The same elements for all sides, and what each does with them."""

    def __init__(self, db: synap.Database, client: "redis.Redis", count: int) -> None:
        self.db, self.client, self.count, self.looped = db, client, count, min(LOOP, count)
        chance = np.random.default_rng(1)
        self.ids = chance.permutation(count).astype(np.int64)
        self.names = np.array([b"member:%08d" % i for i in self.ids.tolist()])
        self.scores = chance.random(count)
        self.texts, self.numbers, self.reals = self.names.tolist(), self.ids.tolist(), self.scores.tolist()

    def _pipe(self, add: Callable[[Any, slice], Any]) -> None:
        """Make `add` put a command for each EACH elements into pipelines of AT_A_TIME commands."""
        pipe = self.client.pipeline(transaction=False)
        for turn, first in enumerate(range(0, self.count, EACH), 1):
            add(pipe, slice(first, first + EACH))
            if turn % AT_A_TIME == 0:
                pipe.execute()
        pipe.execute()

    @staticmethod
    def _pairs(names: list[Any], values: list[Any], part: slice) -> dict[Any, Any]:
        return dict(zip(names[part], values[part], strict=True))

    def writes(self) -> Iterator[tuple[str, Work, Work, Work]]:
        """Yield (what, in arrays, in a loop, with redis-py) of each write, into the key `k`."""
        db, texts, numbers, scores = self.db, self.texts, self.numbers, self.reals
        few = slice(0, self.looped)
        yield (
            "hset_many", lambda: db.hset_many("k", self.names, self.names),
            lambda: [db.hset("k", {text: text}) for text in texts[few]],
            lambda: self._pipe(lambda pipe, part: pipe.hset("k", mapping=self._pairs(texts, texts, part))),
        )  # fmt: skip
        yield (
            "zadd_many", lambda: db.zadd_many("k", self.names, self.scores),
            lambda: [db.zadd("k", [pair]) for pair in zip(scores[few], texts[few], strict=True)],
            lambda: self._pipe(lambda pipe, part: pipe.zadd("k", self._pairs(texts, scores, part))),
        )  # fmt: skip
        yield (
            "sadd_many", lambda: db.sadd_many("k", self.names), lambda: [db.sadd("k", text) for text in texts[few]],
            lambda: self._pipe(lambda pipe, part: pipe.sadd("k", *texts[part])),
        )  # fmt: skip
        yield (
            "sadd_many, integers", lambda: db.sadd_many("k", self.ids),
            lambda: [db.sadd("k", number) for number in numbers[few]],
            lambda: self._pipe(lambda pipe, part: pipe.sadd("k", *numbers[part])),
        )  # fmt: skip
        yield (
            "rpush_many", lambda: db.rpush_many("k", self.names), lambda: [db.rpush("k", text) for text in texts[few]],
            lambda: self._pipe(lambda pipe, part: pipe.rpush("k", *texts[part])),
        )  # fmt: skip

    def reads(self) -> Iterator[tuple[str, Work, Work | None, Work]]:
        """Yield the same of each read, of what `fill` has stored; there is no loop over what is one call."""
        db, client, texts = self.db, self.client, self.texts
        few = texts[: self.looped]
        yield (
            "hmget_many, dtype S", lambda: db.hmget_many("h", self.names, "S"), lambda: [db.hget("h", i) for i in few],
            lambda: self._pipe(lambda pipe, part: pipe.hmget("h", texts[part])),
        )  # fmt: skip
        yield "hgetall_arrays", lambda: db.hgetall_arrays("h"), None, lambda: client.hgetall("h")
        yield (
            "zscore_many", lambda: db.zscore_many("z", self.names), lambda: [db.zscore("z", i) for i in few],
            lambda: self._pipe(lambda pipe, part: pipe.zmscore("z", texts[part])),
        )  # fmt: skip
        yield "zrange_arrays", lambda: db.zrange_arrays("z"), None, lambda: client.zrange("z", 0, -1, withscores=True)
        yield "smembers_array", lambda: db.smembers_array("s"), None, lambda: client.smembers("s")
        yield "smembers_array, int", lambda: db.smembers_array("i", int), None, lambda: client.smembers("i")
        yield "sinter_array, int", lambda: db.sinter_array("i", "j", dtype=int), None, lambda: client.sinter("i", "j")
        yield "lrange_array", lambda: db.lrange_array("l"), None, lambda: client.lrange("l", 0, -1)

    def fill(self) -> None:
        """Store what `reads` reads, on both sides."""
        db, texts, numbers = self.db, self.texts, self.numbers
        db.hset_many("h", self.names, self.names)
        db.zadd_many("z", self.names, self.scores)
        db.sadd_many("s", self.names)
        db.rpush_many("l", self.names)
        self._pipe(lambda pipe, part: pipe.hset("h", mapping=self._pairs(texts, texts, part)))
        self._pipe(lambda pipe, part: pipe.zadd("z", self._pairs(texts, self.reals, part)))
        self._pipe(lambda pipe, part: pipe.sadd("s", *texts[part]))
        self._pipe(lambda pipe, part: pipe.rpush("l", *texts[part]))
        for key in ("i", "j"):
            db.sadd_many(key, self.ids)
            self._pipe(lambda pipe, part, key=key: pipe.sadd(key, *numbers[part]))


def figure(
    clock: Callable[[], float], work: Work | None, count: int, runs: int, before: Work = lambda: None
) -> list[float]:
    """Return the ns for an element of each run, after `before`; the first run does not count."""
    if work is None:
        return []
    found = []
    for _ in range(runs + 1):
        before()
        begun = clock()
        work()
        found.append((clock() - begun) / count * 1e9)
    return found[1:]


def show(what: str, arrays: list[float], loop: list[float], peer: list[float]) -> None:
    """Print the medians of one row with their ranges, and the ratios of the others to `arrays`."""
    cells = [f"{what:22}"]
    for each in (arrays, loop, peer):
        shown = f"{statistics.median(each):9.0f} ({min(each):.0f} to {max(each):.0f})" if each else "-"
        cells.append(f"{shown:>28}")
    middle = statistics.median(arrays)
    cells += [f"{statistics.median(each) / middle:8.1f}" if each else f"{'-':>8}" for each in (loop, peer)]
    print(" ".join(cells), flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--elements", type=int, default=ELEMENTS)
    parser.add_argument("--cpu", action="store_true", help="measure the CPU time of this process")
    parser.add_argument("--part", choices=("writes", "reads", "all"), default="all")
    options = parse(parser)
    clock = time.process_time if options.cpu else time.perf_counter
    node = Redis(options.root, ["--appendonly", "yes", "--appendfsync", "everysec"])
    with node, synap.open(options.root / "elements") as db:
        client = redis.Redis(port=node.port)
        sides = Sides(db, client, options.elements)

        def clear() -> None:
            db.delete("k")
            client.delete("k")
            while db._engine.upkeep.step(db._clock.now()):
                pass  # what was deleted is freed now, and not while a write is measured

        print(f"{'ns for an element':22} {'arrays':>28} {'a loop':>28} {'redis-py':>28} {'loop/':>8} {'redis/':>8}")

        def measure(what: str, arrays: Work, loop: Work | None, peer: Work, before: Work = lambda: None) -> None:
            whole, runs = sides.count, options.runs
            figures = [figure(clock, work, count, times, before) for work, count, times in
                       ((arrays, whole, runs), (loop, sides.looped, 1), (peer, whole, runs))]  # fmt: skip
            show(what, *figures)

        if options.part != "reads":
            for row in sides.writes():
                measure(*row, clear)
        if options.part != "writes":
            sides.fill()
            for row in sides.reads():
                measure(*row)
        client.close()


if __name__ == "__main__":
    sys.exit(main())
