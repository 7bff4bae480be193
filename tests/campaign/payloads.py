"""Mutated payloads for RESTORE: each is read or refused, and no reader raises anything else.

    python -m tests.campaign.payloads --count 1000000

Each payload has a right checksum and up to four mistakes. What can be read is written and read again, and must be the
same value. The memory that one payload may take is 16 MiB, and none may take longer than a second.
"""

import argparse
import time
from random import Random

from synap.compat.rdb.errors import RdbError
from synap.compat.rdb.payloads import pack, unpack
from tests.compat.rdb_samples import mutated

ROOM = 16 << 20
LONGEST_S = 1.0


class Wrong(Exception):
    """A payload that was read wrongly, with the payload."""


def run(count: int, seed: int) -> dict[str, int]:
    """Read `count` mutated payloads; return how many were read, and refused with each error. Raises Wrong."""
    chance = Random(seed)
    counted: dict[str, int] = {}
    for _ in range(count):
        whole = mutated(chance)
        begun = time.process_time()
        try:
            value = unpack(whole, ROOM)
        except RdbError as error:
            outcome = type(error).__name__
        else:
            outcome = "read"
            if unpack(pack(value), 1 << 30) != value:
                raise Wrong(f"another value comes back: {whole!r}")
        if time.process_time() - begun > LONGEST_S:
            raise Wrong(f"took longer than {LONGEST_S} s: {whole!r}")
        counted[outcome] = counted.get(outcome, 0) + 1
    return counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(run(options.count, options.seed))
