"""Mutated payloads for RESTORE: each is read or refused, and no reader raises anything else.

    python -m tests.campaign.payloads --count 1000000
    SYNAP_JIT_CHECKED=1 python -m tests.campaign.payloads --count 100000       # kernels with bounds checks

Each payload has a right checksum and up to four mistakes. What can be read is written and read again, and must be the
same value; it is also restored into a store, whose DUMP must be that value. The memory that one payload may take is
16 MiB, and none may take longer than a second to read. At the end the store must be as empty as at the beginning.
"""

import argparse
import time
from random import Random
from typing import Any

import synap
from synap.compat.rdb.errors import RdbError
from synap.compat.rdb.payloads import pack, unpack
from synap.compat.rdb.values import Value
from tests.compat.rdb_samples import mutated

ROOM = 16 << 20
LONGEST_S = 1.0


class Wrong(Exception):
    """A payload that was read wrongly, with the payload."""


def run(count: int, seed: int) -> dict[str, int]:
    """Read `count` mutated payloads; return how many were read, and refused with each error. Raises Wrong."""
    chance = Random(seed)
    counted: dict[str, int] = {}
    with synap.open() as store:
        for _ in range(count):
            _one(chance, counted, store)
        if store.dbsize():
            raise Wrong(f"{store.dbsize()} keys are left")
    return counted


def _one(chance: Random, counted: dict[str, int], store: synap.Database) -> None:
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
        _restore(store, whole, value)
    if time.process_time() - begun > LONGEST_S:
        raise Wrong(f"took longer than {LONGEST_S} s: {whole!r}")
    counted[outcome] = counted.get(outcome, 0) + 1


def _restore(store: synap.Database, whole: bytes, value: Value) -> None:
    """Restore a payload that can be read, and compare what the store dumps."""
    try:
        store.call("key.restore", key="k", ttl=b"0", payload=whole)
    except synap.Fault as fault:
        raise Wrong(f"{fault}: {whole!r}") from fault
    dumped = store.call("key.dump", key="k")
    if dumped is None:
        if not all(isinstance(item, tuple) and len(item) == 3 and item[2] for item in value.items):
            raise Wrong(f"nothing was restored: {whole!r}")
        return
    if _elements(unpack(dumped, 1 << 30)) != _elements(value):
        raise Wrong(f"another value was restored: {whole!r}")
    if not store.delete("k"):
        raise Wrong(f"it cannot be deleted: {whole!r}")


def _elements(value: Value) -> Any:
    """The elements, in an order that does not depend on where they lie; no fields that may have expired."""
    items = [item for item in value.items if not (value.kind == "hash" and item[2])]
    return value.kind, items if value.kind in ("string", "list") else sorted(items)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(run(options.count, options.seed))
