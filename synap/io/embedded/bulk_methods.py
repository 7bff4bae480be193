"""Bulk methods of the in-process database: many keys as arrays, one lock and one kernel call for all."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.faults import Fault
from synap.io.embedded.arrays import Found, Integers, Octets, Packed, Texts, pack
from synap.io.node.clock import Clock
from synap.settings import Settings
from synap.store.calls import bulk
from synap.store.memory import layout


class BulkMethods:
    """Bulk methods. A subclass has an engine behind a lock."""

    _settings: Settings
    _clock: Clock
    _engine: Engine
    _caller: Caller
    _lock: threading.Lock
    _pool: ThreadPoolExecutor | None
    _pool_size: int

    def _check_open(self) -> None:
        """Raise ValueError if the database is closed."""
        raise NotImplementedError

    def _write_log(self) -> None:
        """Write changes to the log: see `Database._write_log`."""
        raise NotImplementedError

    def _finish(self, now: int) -> None:
        """End a call: see `Database._finish`."""
        raise NotImplementedError

    def get_many(self, keys: Texts, width: int = 0, *, threads: int = 1) -> Any:
        """Return the values of many keys: a list of bytes (None: missing), or with `width` an array of dtype `S`.

        `keys` is an array of dtype `S` (a key ends before its trailing zero bytes), a pair (blob, offsets) as in
        `synap.io.embedded.arrays`, or a sequence of str or bytes. With `width`, values are cut to `width` bytes and
        missing ones are empty. `threads` search in parallel, which pays from some 10,000 keys on. Raises Fault
        WRONG_TYPE if a key holds something other than a string.
        """
        if not width:
            return self.get_blob(keys, threads=threads).tolist()
        if width < 0:
            raise ValueError(f"width: wanted a number above 0, found {width}")
        packed = pack(keys)
        out = np.empty(len(packed) * width, np.uint8)
        with self._lock:
            self._find(packed, out, width, threads)
            self._engine.free_deferred()
        return out.view(f"S{width}")

    def get_blob(self, keys: Texts, *, threads: int = 1) -> Found:
        """Return the values of many keys concatenated, with their offsets; arguments as of `get_many`."""
        packed = pack(keys)
        count = len(packed)
        with self._lock:
            found = self._find(packed, np.empty(0, np.uint8), 0, threads)
            offsets = np.zeros(count + 1, np.int64)
            np.cumsum(np.maximum(found[1::2], 0), out=offsets[1:])
            out = np.empty(int(offsets[-1]), np.uint8)
            engine = self._engine

            def copy(first: int, last: int) -> None:
                piece = out[offsets[first] : offsets[last]]
                bulk.copy_many(engine.words, engine.octets, found[2 * first : 2 * last], last - first, piece)

            self._each(copy, count, threads)
            engine.free_deferred()
        return Found(out, offsets, found[1::2] >= 0)

    def _find(self, packed: Packed, out: Octets, width: int, threads: int) -> Integers:
        """Return the values' places (see `bulk.find_many`); with `width` also copy the values to `out`."""
        self._check_open()
        self._engine.admit_to("kv.get", self._caller, self._clock.now())
        if threads < 1:
            raise ValueError(f"threads: wanted a number above 0, found {threads}")
        engine, count, sizes = self._engine, len(packed), packed.sizes
        at = self._lay(packed.octets)
        now = self._clock.now()
        found = np.empty(2 * count, np.int64)
        if engine.numbers[layout.COMPRESSED_FROM]:  # reading compressed values takes memory: one thread at a time
            threads = 1
        starts = [0] if threads == 1 else np.concatenate(([0], np.cumsum(sizes)))

        def find(first: int, last: int) -> None:
            piece = out[first * width : last * width]
            if width:
                piece.fill(0)
            bulk.find_many(engine.words, engine.octets, at + int(starts[first]), sizes[first:last], last - first,
                           now, found[2 * first : 2 * last], piece, width, 0)  # fmt: skip

        self._each(find, count, threads)
        there = int((found[1::2] >= 0).sum())
        engine.numbers[layout.KEY_HITS] += there
        engine.numbers[layout.KEY_MISSES] += count - there
        worst = int(found[1::2].min(initial=0))
        if worst < bulk.MISSING:
            engine.free_deferred()
            raise Fault("WRONG_TYPE" if (found[1::2] == bulk.OTHER_KIND).any() else "OUT_OF_MEMORY")
        return found

    def _each(self, work: Callable[[int, int], None], count: int, threads: int) -> None:
        """Call `work(first, last)` for `threads` parts of `count` items in parallel; kernels release the GIL."""
        cuts = [count * i // threads for i in range(threads + 1)]
        parts = list(pairwise(cuts))
        if threads == 1 or count < threads:
            work(0, count)
            return
        if self._pool is None or self._pool_size < threads - 1:
            if self._pool is not None:
                self._pool.shutdown()
            self._pool, self._pool_size = ThreadPoolExecutor(threads - 1, "synap-read"), threads - 1
        others = [self._pool.submit(work, *part) for part in parts[1:]]
        try:
            work(*parts[0])
        finally:
            for other in others:
                other.result()

    def set_many(self, keys: Texts, values: Texts) -> None:
        """Store many strings, each as `set` does without options. `keys` and `values` take the forms of `get_many`.

        Raises Fault OUT_OF_MEMORY if memory is exhausted; the pairs before that are stored.
        """
        packed, data = pack(keys), pack(values)
        if len(packed) != len(data):
            raise ValueError(f"{len(packed)} keys but {len(data)} values")
        limit = self._settings.number("limits.bulk_bytes_max")
        if len(data) and max(int(data.sizes.max()), int(packed.sizes.max())) > limit:
            raise Fault("STRING_TOO_LONG")
        with self._lock:
            self._check_open()
            engine = self._engine
            engine.admit_to("kv.set", self._caller, self._clock.now())
            at = self._lay(packed.octets)
            value_at = self._lay(data.octets, len(packed.octets))

            def store(done: int, now: int) -> int:
                nonlocal at, value_at
                rest, value_rest = packed.sizes[done:], data.sizes[done:]
                step = int(bulk.set_many(
                    engine.words, engine.octets, at, rest, value_at, value_rest, len(rest), now, 0
                ))  # fmt: skip
                at += int(rest[:step].sum())
                value_at += int(value_rest[:step].sum())
                return step

            self._in_steps(store, len(packed), "OUT_OF_MEMORY")

    def delete_many(self, keys: Texts) -> int:
        """Remove many keys of any kind; return how many existed. `keys` takes the forms of `get_many`."""
        packed = pack(keys)
        removed = np.zeros(1, np.int64)
        with self._lock:
            self._check_open()
            engine = self._engine
            engine.admit_to("key.delete", self._caller, self._clock.now())
            at = self._lay(packed.octets)

            def remove(done: int, now: int) -> int:
                nonlocal at
                rest = packed.sizes[done:]
                step = int(bulk.delete_many(engine.words, engine.octets, at, rest, len(rest), now, 0, removed))
                at += int(rest[:step].sum())
                return step

            self._in_steps(remove, len(packed), "LOG_FAILED")
        return int(removed[0])

    def _in_steps(self, work: Callable[[int, int], int], count: int, refusal: str) -> None:
        """Call `work(done, now)`, which returns how many items more are done, until `count` are; write the log between.

        Calls that wait are served at the end: they are packed into the memory where the items of `work` lie. Raises the
        Fault `refusal` if `work` does nothing.
        """
        done = 0
        now = self._clock.now()
        try:
            while done < count:
                now = self._clock.now()
                step = work(done, now)
                if not step:
                    raise Fault(refusal)
                done += step
                self._write_log()
        finally:
            self._finish(now)

    def _lay(self, data: Octets, behind: int = 0) -> int:
        """Copy octets into the heap, where kernels can read them; return the octet at which they start."""
        at = layout.CALL_BLOB * layout.WORD + behind
        if behind + len(data) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self._engine.octets[at : at + len(data)] = data
        return at
