"""MONITOR: connections that get a line about each command that the server carries out for RESP clients.

    +1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
    +1339518083.107501 [0 lua] "GET" "k"

While there is a monitor, every command takes the slow path, which tells the monitors. Commands of administrators are
not shown, as in Redis, nor those that are allowed before signing in, which may hold a password. Within MULTI a command
is shown when it is queued.
"""

from typing import TYPE_CHECKING

from synap.command import Command
from synap.engine.sessions import Session
from synap.store.memory import layout
from synap.traits import ADMIN, SIGNED_OUT

if TYPE_CHECKING:
    from synap.engine.engine import Engine

_ESCAPES = {
    ord("\\"): b"\\\\", ord('"'): b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b",
}  # fmt: skip


def quoted(word: bytes) -> bytes:
    """Return a word in quotes, with escapes for what is not printable."""
    return b'"%b"' % b"".join(
        _ESCAPES.get(octet) or (bytes((octet,)) if 32 <= octet < 127 else b"\\x%02x" % octet) for octet in word
    )


class Monitors:
    """The connections that monitor an engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.sessions: dict[Session, None] = {}

    def add(self, session: Session) -> None:
        """Send a session a line about each command from now on."""
        self._engine.diagnostics.slow_path_needed += not self.sessions
        self.sessions[session] = None

    def remove(self, session: Session) -> None:
        """Send a session no more lines."""
        if session in self.sessions:
            del self.sessions[session]
            self._engine.diagnostics.slow_path_needed -= not self.sessions

    def tell(self, session: Session, row: Command, count: int) -> None:
        """Send the monitors the command of `count` words that a session is about to carry out."""
        self._tell(row, count, session.namespace, session.link.peer if session.link is not None else b"")

    def tell_of_script(self, row: Command, count: int, namespace: int) -> None:
        """Send the monitors the command of `count` words that a script is about to carry out."""
        self._tell(row, count, namespace, b"lua")

    def _tell(self, row: Command, count: int, namespace: int, who: bytes) -> None:
        if row.traits & (ADMIN | SIGNED_OUT):
            return
        engine, numbers = self._engine, self._engine.numbers
        words = []
        for place in range(layout.WORDS, layout.WORDS + 2 * count, 2):
            start, size = numbers[place], numbers[place + 1]
            words.append(quoted(bytes(engine.bytes[start : start + size])))
        at = engine.host.wall_us()
        head = b"+%d.%06d [%d %b] " % (at // 1_000_000, at % 1_000_000, namespace, who)
        line = head + b" ".join(words) + b"\r\n"
        for monitor in list(self.sessions):
            if monitor.link is not None:
                monitor.link.push(line)
