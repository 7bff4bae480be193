"""Frames of the log, between the heap and the owner of the disk: those to be written, and those read at a start."""

from typing import TYPE_CHECKING

from synap.faults import BrokenNode
from synap.store.memory import frames, layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine


class LogFrames:
    """The frames of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def take(self) -> tuple[memoryview, int, int] | None:
        """Return (bytes, first seq, count) of the frames in LOG, or None; once written, call `written`."""
        numbers = self._engine.numbers
        count = numbers[layout.LOG_COUNT]
        if not count:
            return None
        start = layout.LOG * layout.WORD
        return self._engine.bytes[start : start + numbers[layout.LOG_TOP]], numbers[layout.LOG_FIRST], count

    def drop_group(self) -> None:
        """Remove from LOG the frames of a transaction in the middle of which the node broke."""
        numbers = self._engine.numbers
        keep = max(numbers[layout.LOG_COUNT] - (numbers[layout.IN_GROUP] - 1), 0)
        top = 0
        for _ in range(keep):
            top += numbers[layout.LOG + top // layout.WORD] & 0xFFFFFFFF
        numbers[layout.LOG_TOP], numbers[layout.LOG_COUNT] = top, keep

    def written(self) -> None:
        """Empty LOG, once the frames of `take` are written."""
        top = self._engine.numbers[layout.LOG_TOP]
        self._engine.numbers[layout.LOG_TOP] = 0
        self._engine.numbers[layout.LOG_COUNT] = 0
        if top > 4 * layout.LOG_FLUSH_BYTES:
            self._engine.heap.forget(layout.LOG * layout.WORD, top, layout.PAGE_TABLE * layout.WORD)

    def replay(self, payload: memoryview | bytes, step: int) -> int:
        """Apply frames (`step` 1: a log, 0: a snapshot) and return their count. Raise BrokenNode at a wrong frame."""
        at = layout.CALL_BLOB * layout.WORD
        size = len(payload)
        if size > layout.CALL_BLOB_BYTES:
            at = self._engine.memory.allocate(size)
        self._engine.bytes[at : at + size] = payload
        done = frames.replay(self._engine.words, self._engine.octets, at, at + size, step)
        if at != layout.CALL_BLOB * layout.WORD:
            self._engine.memory.release(at)
        if done < 0:
            numbers = self._engine.numbers
            row = self._engine.catalogue.by_code.get(numbers[layout.REPLAY_CODE])
            raise BrokenNode(
                f"replay stopped at seq {numbers[layout.REPLAY_SEQ]}, code {numbers[layout.REPLAY_CODE]:#06x}"
                f" ({row.name if row else 'unknown'}): got status {numbers[layout.REPLAY_STATUS]},"
                f" expected seq {self._engine.seq + step}"
            )
        return int(done)
