"""Each row of the table against its naive twin, so many times: `python -m tests.campaign.rows --count 1000000`.

Random histories as in `tests/store/test_model.py` (lane, slow path and twin must agree on every reply, frame and
digest), but each row is asked for as often as another, until the rarest has been asked for `--count` times. Rows
that empty a namespace would leave nothing to ask about: they come a hundredth as often. Prints how often each
row was called. With SYNAP_JIT_CHECKED=1 the kernels are compiled with bounds checks; with PYTHONHASHSEED=0 the same
seed makes the same calls again.
"""

import argparse
import os
import random
import sys
import time
from typing import Any

from synap.store.memory import layout
from synap.traits import EMPTIES
from tests.conftest import prepare
from tests.store.calls import ROWS, WEIGHTS, Calls
from tests.store.differential import Differential, digest
from tests.store.test_twins import OURS, loads
from tests.support import Bench

SWEEPING = {row.resp for row in ROWS if row.traits & EMPTIES}
RARER = 100
OWN = sorted(OURS)
LIFE = 20_000  # calls, after which a new pair of heaps begins: each with other secrets, sizes and moods


def life(seed: int, left: dict[str, int], compress: bool) -> dict[str, int]:
    """One history; `left` says how often each word is still wanted. How often each row was called."""
    chance, ways = random.Random(seed), Differential(Bench)
    if compress:
        ways.lane[layout.COMPRESS_MIN], ways.lane[layout.HOT_MAX] = 24, chance.choice((0, 20_000))
    calls = Calls(chance, ways.state)
    calls.weights = {name: 1.0 if left[name] > 0 else 0.1 for name in WEIGHTS if name not in SWEEPING}
    for name in SWEEPING:
        calls.weights[name] = 1 / RARER if left[name] > 0 else 1e-4
    while calls.made < LIFE:
        ways.now += chance.choice((0, 0, 1, 20, 300, 2500))
        calls.now = ways.now
        if chance.random() < 0.05:
            ways.become(chance.choice((0, 0, 0, 0, 1, 15)), chance.choice((2, 3)))
        some = [calls.next() for _ in range(chance.choice((1, 3, 10, 30)))]
        ways.batch(some)
        if chance.random() < 0.9:
            ways.internal(*calls.nameless())
        if chance.random() < 0.2:
            ways.lazyfree(chance.choice((1, 30, 4000)))
        if chance.random() < 0.02:
            ways.scan()
    ways.same_state()
    return ways.seen


def own_rows(seed: int) -> dict[str, int]:
    """The rows of snapshots and upkeep, that no client can name."""
    chance, ways = random.Random(seed), Differential(Bench)
    for step in range(4000):
        ways.now += chance.choice((0, 0, 3))
        if chance.random() < 0.9:
            ways.internal(*loads(chance))
        else:
            ways.batch([chance.choice(([b"DEL", b"a", b"b"], [b"FLUSHALL"], [b"QUEUE.CONSUME", b"a"], [b"DBSIZE"]))])
        if step % 1000 == 0:
            assert digest(ways.lane) == digest(ways.steps)
    return ways.seen


def run(count: int, seed: int, seconds: float = 1e9) -> dict[str, int]:
    """How often each row was called, when the rarest has been called `count` times or the time is over."""
    totals: dict[str, int] = {}
    end = time.monotonic() + seconds
    names = {row.resp: row.name for row in Bench().catalogue.rows if row.resp}
    turn = 0
    while time.monotonic() < end:
        left = {word: count // (RARER if word in SWEEPING else 1) - totals.get(names[word], 0) for word in WEIGHTS}
        short = [name for name in OWN if totals.get(name, 0) < count]
        if max(left.values()) <= 0 and not short:
            break
        turn += 1
        try:
            if max(left.values()) > 0:
                _add(totals, life(seed + turn, left, turn % 3 == 0))
            if short:
                _add(totals, own_rows(seed + turn))
        except BaseException as error:
            error.add_note(f"seed {seed + turn}")
            raise
    return totals


def _add(totals: dict[str, int], seen: dict[str, int]) -> None:
    for name, number in seen.items():
        totals[name] = totals.get(name, 0) + number


def _out_of_bounds(report: Any) -> None:
    """An exception in a door, which cannot leave it: `run` goes on with a wrong reply, so that is its end."""
    print(report.exc_type, report.exc_value, file=sys.stderr, flush=True)
    os._exit(2)


def main() -> None:
    """Print the counts."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=1_000_000, help="calls of the rarest row")
    options.add_argument("--seconds", type=float, default=1e9, help="longest time")
    options.add_argument("--seed", type=int, default=int(time.time()))
    given = options.parse_args()
    prepare()
    sys.unraisablehook = _out_of_bounds
    begun = time.monotonic()
    totals = run(given.count, given.seed, given.seconds)
    for name, number in sorted(totals.items(), key=lambda each: each[1]):
        print(f"{number:>10} {name}")
    print(
        f"seed={given.seed} rows={len(totals)} calls={sum(totals.values())} rarest={min(totals.values())} "
        f"median={sorted(totals.values())[len(totals) // 2]} differences=0 seconds={time.monotonic() - begun:.0f}"
    )


if __name__ == "__main__":
    main()
