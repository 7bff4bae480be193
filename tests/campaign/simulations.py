"""Stories of the simulated node, each told twice: `python -m tests.campaign.simulations --count 1000 [--first 0]`.

Ends with 1 if a story went wrong (its seed is named, `--first SEED --count 1` tells it again), or was not the
same when told again. See tests/simulation/story.py.
"""

import argparse
import sys
import time
from collections import Counter

from tests.conftest import prepare
from tests.simulation.story import tell


def main() -> None:
    """Print what was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--show", action="store_true", help="print a line for each story")
    given = options.parse_args()
    prepare()
    begun, sums, modes = time.monotonic(), Counter[str](), Counter[str]()
    hashes = set()
    for seed in range(given.first, given.first + given.count):
        try:
            told = tell(seed)
            sums["the same again"] += tell(seed) == told
        except AssertionError as error:
            sums["wrong"] += 1
            print(f"seed {seed}: {error}", *getattr(error, "__notes__", ()), sep="\n", flush=True)
            continue
        if given.show:
            print(told)
        hashes.add(told.trace_hash)
        modes[told.mode] += 1
        sums.update(stories=1, lives=told.lives, replies=told.replies, calls=told.ops, execs=told.txns,
                    troubles=told.troubles, failed_starts=told.failed_starts, events=told.events)  # fmt: skip
    sums["different"] = len(hashes)
    print(f"{dict(sums)} {dict(modes)} seconds={time.monotonic() - begun:.0f}")
    sys.exit(not sums["stories"] == sums["the same again"] == sums["different"] == given.count)


if __name__ == "__main__":
    main()
