"""The replies of one RESP session, spelled and in order, until they are sent."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from synap.call import MUTE_ALL, MUTE_THIS, Pushes, Shared, Value
from synap.command import Command
from synap.engine.engine import Engine
from synap.engine.outcomes import HANDLED, QUEUED, Outcome
from synap.engine.resp.encoding import encode
from synap.engine.resp.large_reply import LargeReply, reply_bytes
from synap.engine.sessions import Session
from synap.faults import Fault
from synap.reply import GROUPS, choices
from synap.store.lane import lane
from synap.store.memory import layout

log = logging.getLogger("synap")
LARGE_REPLY_SLACK = 4096


class Replies:
    """The replies that are not sent yet: bytes, or a LargeReply that is sent in pieces.

    `closing`: the connection ends behind these replies.
    """

    def __init__(self, engine: Engine, session: Session) -> None:
        self._engine, self._session = engine, session
        self.pieces: list[bytes | LargeReply] = []
        self.closing = False
        self._behind: list[bytes] | None = None  # messages that go behind the reply that is being made in parts

    @property
    def muted(self) -> bool:
        """True if replies are not sent now. Pushes (confirmations of subscriptions, messages) still are."""
        return self._session.mute in (MUTE_ALL, MUTE_THIS)

    def put(self, data: bytes) -> None:
        """Append bytes that are RESP already."""
        if not self.muted:
            self.pieces.append(data)

    def push(self, data: bytes) -> None:
        """Append a message to the client, which may not stand within a reply."""
        (self.pieces if self._behind is None else self._behind).append(data)

    @contextmanager
    def in_parts(self) -> Iterator[None]:
        """Make a reply of several parts meanwhile, as that of EXEC; messages that come up go behind it."""
        self._behind = []
        try:
            yield
        finally:
            self.pieces += self._behind
            self._behind = None

    def say(self, value: Value, row: Command | None = None) -> None:
        """Append the value of a handler, or the refusal of a command; `...` is no reply at all."""
        if value is ...:
            return
        name = (row.resp or row.name).lower() if row else ""
        if isinstance(value, Fault):
            self._engine.diagnostics.note_error(value.resp_text(name))
        if not self.muted or isinstance(value, Pushes):
            self.pieces.append(self._spelled(value, name, row))

    def _spelled(self, value: Value, name: str, row: Command | None) -> bytes:
        """Return a value as RESP; a value that RESP does not have is an error of its handler."""
        if value is None and row and self._session.version == 2:
            if any(isinstance(one, GROUPS) for one in choices(row.reply)):
                return b"*-1\r\n"  # a missing group, as the lane spells it
        version = self._session.version
        if isinstance(value, Shared) and version in value.spelled:
            return value.spelled[version]
        try:
            spelled = encode(value, version, name)
            if isinstance(value, Shared):
                value.spelled[version] = spelled
            return spelled
        except Exception as error:
            log.exception("%s: its value is no RESP", name)
            return encode(Fault("INTERNAL_ERROR", what=f"{type(error).__name__}: {error}"), self._session.version, name)

    def add(self, outcome: Outcome) -> None:
        """Append the reply of a call."""
        if outcome.status == HANDLED:
            self.say(outcome.value, outcome.row)
            self.closing = self.closing or self._session.closing
        elif outcome.status == QUEUED:
            self.say("QUEUED")
        elif not self.muted:
            self._encode(outcome)

    def protocol_error(self, text: str) -> None:
        """Answer input that is no RESP with an error, and close."""
        self.put(b"-ERR Protocol error: %b\r\n" % text.encode())
        self.closing = True

    def close(self) -> None:
        """Free the replies that will not be sent."""
        for piece in self.pieces:
            if isinstance(piece, LargeReply):
                piece.close()
        self.pieces.clear()

    def _encode(self, outcome: Outcome) -> None:
        """Encode the reply in REPLY, as bytes or as a LargeReply."""
        engine, version = self._engine, self._session.version
        bound = LARGE_REPLY_SLACK
        if outcome.what in (layout.ITEM, layout.ITEMS):
            bound += reply_bytes(engine)
        if bound <= layout.OUT_BYTES:
            end = lane.encode(engine.words, engine.octets, layout.OUT_AT, outcome.row_at, outcome.status, version)
            self.pieces.append(bytes(engine.bytes[layout.OUT_AT:end]))
            return
        try:
            at = engine.memory.allocate(bound)
        except MemoryError:  # the call has run, so its reply goes out even above the limit of memory
            at = engine.memory.allocate_always(bound)
        end = lane.encode(engine.words, engine.octets, at, outcome.row_at, outcome.status, version)
        self.pieces.append(LargeReply(engine, at, end - at))
