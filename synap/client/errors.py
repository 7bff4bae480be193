"""Exceptions of the client: refused by the server, connection failed, protocol violated.

    ClientError
        Refused               the server answered with an error: `.code` (WRONGTYPE) and `.text`
            OffsetGone        a room no longer holds the event requested: `.wanted`, `.earliest`
            ChangesGone       the log no longer has the changes requested: `.wanted`, `.first`
            Fenced            a consumer group has given the partition to another member, or the session has ended
        NotConnected          no connection could be made, so nothing was sent
        ConnectionLost        the connection broke while a reply was awaited; the call may be repeated
            TimedOut          the server sent nothing for too long
        OutcomeUnknown        the connection broke after a call was sent that must not be repeated without asking:
                              the call may have been carried out or not; `__cause__` is the failure
        Closed                the client was closed
        PoolExhausted         every connection was in use for too long
        Conflict              a watched key changed: nothing of the transaction was carried out
        RemoteProtocolError   the server's bytes are no RESP3
        LocalProtocolError    the request cannot be sent
"""

from synap.faults import SynapError


class ClientError(SynapError):
    """Base class of the client's exceptions."""


class Refused(ClientError):
    """An error reply of the server: `code` is its first word, `text` the rest."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code
        self.text = text

    def __reduce__(self) -> tuple[type["Refused"], tuple[str, str]]:
        return type(self), (self.code, self.text)


def is_busy(error: BaseException) -> bool:
    """Return whether a server has refused a request because it runs a long script."""
    return isinstance(error, Refused) and error.code == "BUSY"


class OffsetGone(Refused):
    """Events from `wanted` on were requested, and the earliest event that the room holds is `earliest`."""

    def __init__(self, code: str, text: str, wanted: int = 0, earliest: int = 0) -> None:
        super().__init__(code, text)
        self.wanted = wanted
        self.earliest = earliest


class ChangesGone(Refused):
    """Changes from `wanted` on were requested, and the first that the server has is `first`."""

    CODE = "CHANGESGONE"

    def __init__(self, code: str, text: str, wanted: int = 0, first: int = 0) -> None:
        super().__init__(code, text)
        self.wanted = wanted
        self.first = first


class Fenced(Refused):
    """A commit of a member that is no longer what it was: its group has another generation, the partition belongs to
    another member, or its session has ended. Nothing was stored; the records will be, or were, read by another member.
    """


class NotConnected(ClientError, ConnectionError):
    """There is no connection, and nothing was sent."""


class ConnectionLost(ClientError, ConnectionError):
    """The connection broke while a reply was awaited."""


class TimedOut(ConnectionLost, TimeoutError):
    """The server sent nothing for too long; the connection was closed, because replies could still arrive later."""


class OutcomeUnknown(ClientError):
    """A call was sent and its reply was lost: whether the call was carried out is unknown."""


class Closed(ClientError):
    """The client was closed."""


class PoolExhausted(ClientError, TimeoutError):
    """No connection became free in time."""


class Conflict(ClientError):
    """A watched key changed before EXEC."""


class RemoteProtocolError(ClientError):
    """The server sent something that is no RESP3 or exceeds a limit. The connection is closed."""


class LocalProtocolError(ClientError, ValueError):
    """The caller's request cannot be sent: a wrong argument or option."""
