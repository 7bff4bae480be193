"""The engine in this process: `synap.open()`. One lock around every call, the same log, no server."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from synap.derive.binders import Build, binder
from synap.derive.replies import as_json, plain
from synap.engine.handlers import digest_of
from synap.faults import TABLE, Fault
from synap.io.clock import Clock, monotonic
from synap.io.compile import Progress, prepare, workers_of
from synap.io.node import Node
from synap.journal import LogFailed
from synap.observe import counters
from synap.settings import Settings
from synap.store import bulk, layout
from synap.store.layout import FORM_JSON, REFUSED, STATUS_MASK

UPKEEP_S = 0.1


class Database:
    """A store in this process. Safe to use from several threads; close it, or use it as a context.

    Values go in as `str`, `bytes` or anything JSON can hold, and come out as `bytes`, or as what they
    were if they were neither `str` nor `bytes`.
    """

    def __init__(self, path: str | Path | None, settings: Settings) -> None:
        """Open the directory `path`, or nothing but memory if it is None.

        Raises LockHeld if another process has the directory, Damage if promised data in it is damaged.
        """
        changes: dict[str, Any] = {"persistence.enabled": path is not None}
        if path is not None:
            changes["persistence.directory"] = str(path)
        self._settings = settings.replace(changes)
        prepare(workers_of(self._settings), _silent)
        self._clock = Clock()
        self._node = Node(self._settings, self._clock)
        self._engine = self._node.engine
        self._lock = threading.Lock()
        self._builds: dict[str, Build] = {}
        self._always = self._settings.text("persistence.wal.fsync_mode") == "always"
        self._interval = self._settings.number("persistence.wal.fsync_interval_ms") / 1000
        self._upkeep_at = self._synced_at = monotonic()
        self._closed = False

    def call(self, name: str, /, **fields: Any) -> Any:
        """Carry out the row called `name` (`"kv.set"`) with these arguments.

        Answers None, True, an int, bytes, a list or a dict, as the row's reply is. Raises Fault if the row
        refuses. A row that would wait answers None at once.
        """
        engine = self._engine
        row = engine.catalogue.by_name.get(name)
        if row is None or row.internal or row.session:
            raise Fault("UNKNOWN_COMMAND", name=name, args="")
        with self._lock:
            self._check_open()
            build = self._builds.get(name)
            if build is None:
                build = self._builds[name] = binder(row)
            tape, blob = build(fields)
            now = self._clock.now()
            self._put(tape, blob)
            if row.handler:
                value = engine.handle(row, None, layout.CALL, now)
                if isinstance(value, Fault):
                    raise value
                return value
            status = engine.perform(engine.row_at[name], layout.CALL, len(tape), len(blob), now)
            what = status & STATUS_MASK
            if what >= REFUSED:
                engine.settle(now)
                words = {name: value for name, value in fields.items() if isinstance(value, str)}
                raise Fault(TABLE[what - REFUSED].name, **words)
            value = None if what == layout.WAIT else _native(plain(status, row, engine.numbers, engine.bytes))
            engine.settle(now)
            self._commit()
            self._look_after(now)
            return value

    def get_many(self, keys: Any, width: int = 0) -> Any:
        """The values of many keys: a list of bytes (None: missing), or with `width` an array of dtype `S`.

        `keys` is an array of dtype `S` (a key ends at its trailing zero bytes) or a sequence of str or
        bytes. With `width`, values are cut at so many bytes and missing ones are empty. Raises Fault if a
        key holds something else than a string.
        """
        blob, sizes = _texts(keys)
        count = len(sizes)
        found = np.empty(2 * count, np.int64)
        with self._lock:
            self._check_open()
            engine = self._engine
            at = self._lay(blob)
            now = self._clock.now()
            out = np.zeros(max(count * width, 1), np.uint8)
            total = bulk.find_many(
                engine.words, engine.octets, at, sizes, count, now, found, out, width, 0
            )
            if (found[1::2] == bulk.OTHER_KIND).any():
                raise Fault("WRONG_TYPE")
            if not width:
                out = np.empty(max(total, 1), np.uint8)
                bulk.copy_many(engine.words, engine.octets, found, count, out)
        if width:
            return out[: count * width].view(f"S{width}")
        data = out[:total].tobytes()
        ends = np.cumsum(np.maximum(found[1::2], 0)).tolist()
        values: list[bytes | None] = []
        start = 0
        for size, end in zip(found[1::2].tolist(), ends, strict=True):
            values.append(None if size < 0 else data[start:end])
            start = end
        return values

    def set_many(self, keys: Any, values: Any) -> None:
        """Store many strings, each as `kv.set` without options. All of them, or a Fault for want of memory."""
        blob, sizes = _texts(keys)
        data, value_sizes = _texts(values)
        if len(sizes) != len(value_sizes):
            raise ValueError(f"{len(sizes)} keys but {len(value_sizes)} values")
        with self._lock:
            self._check_open()
            engine = self._engine
            at = self._lay(blob)
            value_at = self._lay(data, len(blob))
            done = 0
            while done < len(sizes):
                now = self._clock.now()
                rest, value_rest = sizes[done:], value_sizes[done:]
                step = bulk.set_many(
                    engine.words, engine.octets, at, rest, value_at, value_rest, len(rest), now, 0
                )
                at += int(sizes[done : done + step].sum())
                value_at += int(value_sizes[done : done + step].sum())
                done += step
                engine.settle(now)
                self._commit()
                if not step:
                    raise Fault("OUT_OF_MEMORY")

    def _lay(self, data: bytes, behind: int = 0) -> int:
        """Put bytes where kernels see them; the octet they start at."""
        at = layout.CALL_BLOB * layout.WORD + behind
        if behind + len(data) > layout.CALL_BLOB_BYTES:
            raise Fault("QUERY_TOO_LARGE")
        self._engine.bytes[at : at + len(data)] = data
        return at

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the database is closed")

    def digest(self) -> dict[str, int]:
        """A hash of the logical state of each family."""
        with self._lock:
            return digest_of(self._engine)

    def counters(self) -> dict[str, int]:
        """What the store counts, by name (see docs/operations.md)."""
        with self._lock:
            return {row.name: row.read(self._engine.numbers, self._engine.catalogue) for row in counters.TABLE}

    def snapshot(self) -> str:
        """Write a snapshot; the name of its file."""
        with self._lock:
            return self._node.snapshot_here()

    def close(self) -> None:
        """Bring everything to the disk and let go of the directory."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._node.stop()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _put(self, tape: list[int], blob: bytes) -> None:
        numbers = self._engine.numbers
        numbers[layout.CALL - 2] = 0
        numbers[layout.CALL - 1] = layout.CALL_BLOB * layout.WORD
        for i, value in enumerate(tape):
            numbers[layout.CALL + i] = value
        start = layout.CALL_BLOB * layout.WORD
        self._engine.bytes[start : start + len(blob)] = blob

    def _commit(self) -> None:
        """What was changed is written before the caller hears of it, and on the disk if it asked for that."""
        if not self._engine.numbers[layout.LOG_COUNT]:
            return
        try:
            self._node.flush()
            log = self._node.log
            if log is not None and (self._always or monotonic() - self._synced_at >= self._interval):
                if self._settings.text("persistence.wal.fsync_mode") != "never":
                    log.sync()
                self._synced_at = monotonic()
        except LogFailed as failure:
            self._node.fail(failure)
            raise Fault("UNKNOWN_OUTCOME") from failure

    def _look_after(self, now: int) -> None:
        """A step of upkeep now and then, since there is no loop to do it."""
        if monotonic() - self._upkeep_at >= UPKEEP_S:
            self._upkeep_at = monotonic()
            self._clock.adjust()
            self._engine.upkeep(now)
            self._commit()


def _texts(texts: Any) -> tuple[bytes, Any]:
    """(the bytes of all texts side by side, their sizes)."""
    if isinstance(texts, np.ndarray) and texts.dtype.kind == "S":
        width = texts.dtype.itemsize
        flat = np.ascontiguousarray(texts).reshape(-1)
        if width and flat.view(np.uint8).reshape(-1, width)[:, -1].all():  # none is shorter than the field
            return flat.tobytes(), np.full(len(flat), width, np.int64)
        texts = flat.tolist()
    parts = [text.encode() if isinstance(text, str) else bytes(text) for text in texts]
    return b"".join(parts), np.array([len(part) for part in parts], np.int64)


def _silent(progress: Progress) -> None:
    return


def _native(value: Any) -> Any:
    """(bytes, form) pairs as bytes, or as the JSON value that they are."""
    if isinstance(value, tuple):
        return as_json(*value) if value[1] == FORM_JSON else value[0]
    if isinstance(value, list):
        return [_native(item) for item in value]
    return value


