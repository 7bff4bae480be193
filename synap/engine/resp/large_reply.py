"""Replies too large for the out region: written whole into an extent of the arena, sent in pieces."""

from synap.engine.engine import Engine
from synap.store.memory import layout


class LargeReply:
    """A large reply in an extent: taken in pieces, freed after the last one."""

    def __init__(self, engine: Engine, at: int, size: int) -> None:
        self._engine, self._start, self._at, self._end = engine, at, at, at + size

    @property
    def begun(self) -> bool:
        """True once a piece was taken."""
        return self._at > self._start

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes or fewer, or no bytes at the end."""
        piece = bytes(self._engine.bytes[self._at : min(self._at + size, self._end)])
        self._at += len(piece)
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """Free the extent."""
        if self._start:
            self._engine.memory.release(self._start)
            self._start = 0


def reply_bytes(engine: Engine) -> int:
    """Return an upper bound of the bytes that the reply in REPLY takes in RESP."""
    count = engine.numbers[layout.REPLY + 1]
    sizes = engine.words[layout.REPLY + 3 : layout.REPLY + 3 + 2 * count : 2]
    texts = sizes[(sizes & layout.ITEM_MASK) == layout.ITEM_TEXT]
    return int((texts >> layout.MARK_BITS).sum()) + 64 * int(count)
