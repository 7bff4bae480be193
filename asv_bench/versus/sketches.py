"""Are HyperLogLogs of a million integers added and merged faster than with datasketches? (P16)

    python asv_bench/versus/sketches.py

Both sides run in this process, one after the other, and keep 16,384 registers. Times are CPU time of the process. `add`
is one call with an array of a million uint64; datasketches (`pip install datasketches`) has none for HLL, so it gets a
call for each integer, as its users write it. `merge` is the union of 1,000 sketches of 20,000 elements each: of
registers in one array (`synap.store.calls.sketches.merge`), of PFMERGE in a database in memory, and of hll_union.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import synap
from synap.kernels.hyperloglog import COUNTS, REGISTERS
from synap.store.calls import sketches

ELEMENTS, SKETCHES, EACH, LG_REGISTERS = 1_000_000, 1000, 20_000, 14


def median(runs: int, make: Callable[[], object], work: Callable[[object], float]) -> tuple[float, float, float]:
    """Return (median, least, most) ms of `work` on what `make` returns, and check what it has counted."""
    times = []
    for _ in range(runs + 1):
        made = make()
        begun = time.process_time()
        counted = work(made)
        times.append((time.process_time() - begun) * 1000)
        assert abs(counted / ELEMENTS - 1) < 0.04, counted
    times = times[1:]
    return statistics.median(times), min(times), max(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    try:
        import datasketches
    except ImportError:
        sys.exit("datasketches is not installed: pip install datasketches")
    values = np.random.default_rng(1).integers(0, 1 << 63, ELEMENTS).astype(np.uint64)
    parts = np.array_split(np.concatenate([values] * (SKETCHES * EACH // ELEMENTS)), SKETCHES)
    counts = np.zeros(COUNTS, np.int64)

    def sketch_of(part: np.ndarray) -> "datasketches.hll_sketch":
        made = datasketches.hll_sketch(LG_REGISTERS, datasketches.HLL_8)
        for value in part.tolist():
            made.update(value)
        return made

    def add_theirs(made: "datasketches.hll_sketch") -> float:
        for value in values.tolist():
            made.update(value)
        return made.get_estimate()

    def merge_theirs(many: list["datasketches.hll_sketch"]) -> float:
        union = datasketches.hll_union(LG_REGISTERS)
        for each in many:
            union.update(each)
        return union.get_estimate()

    def merge_arrays(work: np.ndarray) -> float:
        sketches.merge(work, SKETCHES)
        return int(sketches.estimate(work, counts))

    with synap.open() as db:
        names = [f"s{i}" for i in range(SKETCHES)]
        for name, part in zip(names, parts, strict=True):
            db.pfadd_many(name, part)
        registers = np.concatenate([np.zeros(REGISTERS, np.uint8), *(db.pf_registers(name) for name in names)])
        theirs = [sketch_of(part) for part in parts]

        def add_ours(_: object) -> float:
            db.delete("k")
            return db.pfadd_many("k", values)

        def merge_keys(_: object) -> float:
            db.pfmerge("merged", *names)
            return db.pfcount("merged")

        rows = {
            "add 1 M uint64": (
                median(options.runs, lambda: None, add_ours),
                median(options.runs, lambda: datasketches.hll_sketch(LG_REGISTERS, datasketches.HLL_8), add_theirs),
            ),
            "merge 1,000, arrays of registers": (
                median(options.runs, registers.copy, merge_arrays), median(options.runs, lambda: theirs, merge_theirs),
            ),
            "merge 1,000, PFMERGE": (
                median(options.runs, lambda: None, merge_keys), median(options.runs, lambda: theirs, merge_theirs),
            ),
        }  # fmt: skip
    print(f"{'':34} {'Synap, ms':>24} {'datasketches, ms':>26} {'ratio':>7}")
    for name, (ours, peer) in rows.items():
        shown = [f"{one[0]:9.2f} ({one[1]:.2f} to {one[2]:.2f})" for one in (ours, peer)]
        print(f"{name:34} {shown[0]:>24} {shown[1]:>26} {peer[0] / ours[0]:7.1f}")


if __name__ == "__main__":
    main()
