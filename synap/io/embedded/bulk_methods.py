"""In-process methods that take many keys at once, as arrays: one lock, one call into a kernel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from synap.faults import Fault
from synap.io.embedded.arrays import Found, Integers, Octets, Packed, Texts, pack
from synap.store.calls import bulk
from synap.store.memory import layout


class BulkMethods:
    """The methods; whoever inherits has an engine behind a lock."""

    _settings: Any
    _clock: Any
    _engine: Any
    _lock: Any
    _pool: ThreadPoolExecutor | None
    _pool_size: int

    def _check_open(self) -> None:
        """Raise ValueError if it is closed."""
        raise NotImplementedError

    def _finish(self, now: int) -> None:
        """What follows a call."""
        raise NotImplementedError

    def get_many(self, keys: Texts, width: int = 0, *, threads: int = 1) -> Any:
        """The values of many keys: a list of bytes (None: missing), or with `width` an array of dtype `S`.

        `keys` is an array of dtype `S` (a key ends at its trailing zero bytes), a pair (blob, offsets) as in
        `synap.io.embedded.arrays`, or a sequence of str or bytes. With `width`, values are cut at so many bytes and
        missing ones are empty. `threads` look things up at the same time, which pays from some 10,000 keys on. Raises
        Fault WRONG_TYPE if a key holds something else than a string.
        """
        if not width:
            return self.get_blob(keys, threads=threads).tolist()
        if width < 0:
            raise ValueError(f"width: wanted a number above 0, found {width}")
        packed = pack(keys)
        out = np.empty(len(packed) * width, np.uint8)
        with self._lock:
            self._find(packed, out, width, threads)
            self._engine.free_limbo()
        return out.view(f"S{width}")

    def get_blob(self, keys: Texts, *, threads: int = 1) -> Found:
        """The values of many keys side by side, with their offsets; see `get_many`."""
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
            engine.free_limbo()
        return Found(out, offsets, found[1::2] >= 0)

    def _find(self, packed: Packed, out: Octets, width: int, threads: int) -> Integers:
        """Where the values lie (see `bulk.find_many`); with `width` they are copied to `out`."""
        self._check_open()
        if threads < 1:
            raise ValueError(f"threads: wanted a number above 0, found {threads}")
        engine, count, sizes = self._engine, len(packed), packed.sizes
        at = self._lay(packed.octets)
        now = self._clock.now()
        found = np.empty(2 * count, np.int64)
        if engine.numbers[layout.COMPRESSED_FROM]:  # reading those takes memory, which one thread may do at a time
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
            engine.free_limbo()
            raise Fault("WRONG_TYPE" if (found[1::2] == bulk.OTHER_KIND).any() else "OUT_OF_MEMORY")
        return found

    def _each(self, work: Callable[[int, int], None], count: int, threads: int) -> None:
        """Let `threads` work on a part of `count` things each. The kernels let go of the interpreter's lock."""
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
        """Store many strings, each as `set` without options; both are what `get_many` takes as keys.

        Raises Fault OUT_OF_MEMORY where memory ends; the pairs before that are stored.
        """
        packed, data = pack(keys), pack(values)
        if len(packed) != len(data):
            raise ValueError(f"{len(packed)} keys but {len(data)} values")
        limit = self._settings.number("limits.bulk_bytes_max")
        if len(data) and max(int(data.sizes.max()), int(packed.sizes.max())) > limit:
            raise Fault("STRING_TOO_LONG")
        with self._lock:
            engine = self._engine
            self._check_writable()
            at = self._lay(packed.octets)
            value_at = self._lay(data.octets, len(packed.octets))
            done = 0
            while done < len(packed):
                now = self._clock.now()
                rest, value_rest = packed.sizes[done:], data.sizes[done:]
                step = bulk.set_many(
                    engine.words, engine.octets, at, rest, value_at, value_rest, len(rest), now, 0
                )
                at += int(rest[:step].sum())
                value_at += int(value_rest[:step].sum())
                done += step
                self._finish(now)
                if not step:
                    raise Fault("OUT_OF_MEMORY")

    def delete_many(self, keys: Texts) -> int:
        """Remove many keys, whatever they hold; how many were there. `keys` is what `get_many` takes."""
        packed = pack(keys)
        removed = np.zeros(1, np.int64)
        with self._lock:
            engine = self._engine
            self._check_writable()
            at = self._lay(packed.octets)
            done = 0
            while done < len(packed):
                now = self._clock.now()
                rest = packed.sizes[done:]
                step = bulk.delete_many(engine.words, engine.octets, at, rest, len(rest), now, 0, removed)
                at += int(rest[:step].sum())
                done += step
                self._finish(now)
                if not step:
                    raise Fault("LOG_FAILED")
        return int(removed[0])

    def _check_writable(self) -> None:
        """Refuse what a single call would be refused for, before anything is changed."""
        self._check_open()
        if self._engine.numbers[layout.REFUSE] & layout.GUARD_BROKEN_LOG:
            raise Fault("LOG_FAILED")

    def _lay(self, data: Octets, behind: int = 0) -> int:
        """Put octets where kernels see them; the octet they start at."""
        at = layout.CALL_BLOB * layout.WORD + behind
        if behind + len(data) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self._engine.octets[at : at + len(data)] = data
        return at
