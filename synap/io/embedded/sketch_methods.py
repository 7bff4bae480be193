"""Methods of the in-process database for HyperLogLogs in numpy arrays."""

import threading
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from synap.derive.packed_calls import call_of
from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.engine.handlers.sketches import registers_of
from synap.engine.outcomes import Outcome
from synap.faults import Fault
from synap.io.node.clock import Clock
from synap.kernels.hyperloglog import RANK_MAX
from synap.store.calls import sketches
from synap.store.memory import codes

FEW = 256
"""Elements that are added one by one, so that a small HyperLogLog stays sparse."""


class SketchMethods:
    """Methods for HyperLogLogs. A subclass has an engine behind a lock."""

    _clock: Clock
    _engine: Engine
    _caller: Caller
    _lock: threading.Lock

    def call(self, name: str, /, **fields: Any) -> Any:
        """Make the call of a row: see `Database.call`."""
        raise NotImplementedError

    def _check_open(self) -> None:
        """Raise ValueError if the database is closed."""
        raise NotImplementedError

    def _value(self, outcome: Outcome, fields: dict[str, Any]) -> Any:
        """Return what a call answers: see `Database._value`."""
        raise NotImplementedError

    def _finish(self, now: int) -> None:
        """End a call: see `Database._finish`."""
        raise NotImplementedError

    def pfadd_many(self, key: str | bytes, elements: NDArray[np.integer[Any]]) -> int:
        """Add integers to a HyperLogLog, and return its new estimate.

        `elements` is an array of integers, of any shape and byte order. An element is its integer in 64 bits, as eight
        bytes, the lowest first: adding these bytes with `pfadd` is the same. A call needs about 5 ns for each,
        and the log gets 12 KiB, however many there are.
        """
        if not isinstance(elements, np.ndarray) or elements.dtype.kind not in "iu":
            found = getattr(elements, "dtype", type(elements).__name__)
            raise TypeError(f"elements: wanted an array of integers, found {found}")
        if elements.dtype.itemsize != 8:
            elements = elements.astype(np.int64)
        flat = np.require(elements.reshape(-1), elements.dtype.newbyteorder("="), ("C", "W"))
        if len(flat) <= FEW:
            self.call("hyperloglog.pfadd", key=key, elements=[each.tobytes() for each in flat.astype("<u8")])
            return cast(int, self.call("hyperloglog.pfcount", keys=[key]))
        work = np.zeros(sketches.SIZE, np.uint8)
        sketches.add_words(work, flat.view(np.int64))
        sketches.write(work)
        return self._absorb(key, work[sketches.REGISTERS :].tobytes())

    def _absorb(self, key: str | bytes, sketch: bytes) -> int:
        """Merge a sketch in Redis' format into the one at the key, in one call; return the new estimate."""
        engine = self._engine
        asked = call_of(engine.catalogue.by_code[codes.HYPERLOGLOG_ABSORB], 0, key=key, value=sketch)
        with self._lock:
            self._check_open()
            now = self._clock.now()
            try:
                return cast(int, self._value(engine.call(self._caller, asked, now), {}))
            finally:
                self._finish(now)

    def pf_registers(self, key: str | bytes) -> NDArray[np.uint8]:
        """Return the 16,384 registers of a HyperLogLog, zeros for a missing key: `synap.kernels.hyperloglog` explains.

        `get` returns the same as bytes in Redis' format. Raises Fault NO_SKETCH if the key holds something else.
        """
        found = self.call("kv.get", key=key)
        if found is None:
            return np.zeros(sketches.REGISTERS, np.uint8)
        if not isinstance(found, bytes):
            raise Fault("NO_SKETCH")
        return registers_of(found)

    def pf_set_registers(self, key: str | bytes, registers: NDArray[np.uint8]) -> None:
        """Store a HyperLogLog with these registers (shape (16384,), dtype uint8), as `set` stores a value.

        Raises ValueError for another shape, or a register above 51.
        """
        given = np.asarray(registers)
        if given.shape != (sketches.REGISTERS,) or given.dtype != np.uint8 or int(given.max()) > RANK_MAX:
            raise ValueError(f"registers: wanted {sketches.REGISTERS} of uint8, none above {RANK_MAX}")
        work = np.zeros(sketches.SIZE, np.uint8)
        work[: sketches.REGISTERS] = given
        sketches.write(work)
        self.call("kv.set", key=key, value=work[sketches.REGISTERS :].tobytes())
