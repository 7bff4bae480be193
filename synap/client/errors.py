"""What can go wrong for a client, as one tree: the server said no, the line failed, or one of us spoke nonsense.

    ClientError
        Refused               the server answered with an error: `.code` (WRONGTYPE) and `.text`
            OffsetGone        a room no longer holds the event asked for: `.wanted`, `.earliest`
        NotConnected          no connection came about, so nothing was sent
        ConnectionLost        the connection broke while an answer was awaited; the call may be repeated
            TimedOut          the same, because the server said nothing for too long
        OutcomeUnknown        it broke after a call had been sent that must not be repeated unasked:
                              it may have happened or not; `__cause__` says what broke
        Closed                the client was closed
        PoolExhausted         every connection was in use for too long
        Conflict              a watched key changed: nothing of the transaction happened
        RemoteProtocolError   what arrived is no RESP3
        LocalProtocolError    what was asked for cannot be sent
"""

from synap.faults import SynapError


class ClientError(SynapError):
    """What a client raises."""


class Refused(ClientError):
    """An error reply: `code` is its first word, `text` the rest."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code
        self.text = text

    def __reduce__(self) -> tuple[type["Refused"], tuple[str, str]]:
        return type(self), (self.code, self.text)


class OffsetGone(Refused):
    """Events from `wanted` on were asked for, and the earliest that is still held is `earliest`."""

    def __init__(self, code: str, text: str, wanted: int = 0, earliest: int = 0) -> None:
        super().__init__(code, text)
        self.wanted = wanted
        self.earliest = earliest


class NotConnected(ClientError, ConnectionError):
    """There is no connection, and nothing was sent."""


class ConnectionLost(ClientError, ConnectionError):
    """The connection broke while an answer was awaited."""


class TimedOut(ConnectionLost, TimeoutError):
    """The server said nothing for too long; the connection was closed, since its answers might come later."""


class OutcomeUnknown(ClientError):
    """A call was sent and its answer never came: whether it was carried out cannot be known from here."""


class Closed(ClientError):
    """The client was closed."""


class PoolExhausted(ClientError, TimeoutError):
    """No connection became free in time."""


class Conflict(ClientError):
    """A watched key changed before EXEC."""


class RemoteProtocolError(ClientError):
    """What the server sent is no RESP3, or beyond a limit. The connection is closed."""


class LocalProtocolError(ClientError, ValueError):
    """What the caller wants to send makes no sense here."""
