"""The states of a connection, as three tables of moves: its life, its output and its work.

The three are independent of each other: a connection has one state of each. What a connection does is asked as a
question over the states, such as `Connection.may_read`. RESP sockets use `Life` for their transport, too. A RESP
connection is only READY or SCHEDULED in `Work`; what its commands wait for is a state of its machine
(engine/resp/states.py). The closing handshake of WebSockets is a table of proto/websocket.py.
"""

from enum import Enum
from typing import Final

from synap.moves import Moves


class Life(Enum):
    """Which sides of a connection may still send."""

    OPEN = "both sides may send"
    HALF_CLOSED = "the peer has closed its sending side: it is answered up to the first call that has to wait"
    CLOSING = "the connection closes once its waiting output has been sent; nothing more is read"
    LOST = "nothing more is sent or read"


class LifeEvent(Enum):
    """What ends a connection, or one side of it."""

    PEER_ENDS = "the peer closes its sending side"
    CLOSE = "the server begins to close the connection"
    LOSE = "the connection breaks, is dropped, or has finished closing"


class Output(Enum):
    """Whether the peer takes its output."""

    TAKEN = "the peer takes its output"
    BEHIND = "more output waits than the limit: nothing runs until the peer takes some or sends more"
    GRANTED = "the peer is behind, but has sent more: one run is granted"


class OutputEvent(Enum):
    """What output and input change in `Output`."""

    EXCEED = "the waiting output exceeds the limit"
    ARRIVE = "input arrives, or waits behind a large reply"
    RUN = "the granted run has ended"
    TAKE = "the peer has taken enough output"


class Work(Enum):
    """When the next input of a connection is served."""

    READY = "at once"
    HELD_BACK = "once earlier replies have left and the peer keeps up with them"
    SCHEDULED = "after the other connections had their turn"
    WAITING = "once a request that waits is answered"
    PAUSED = "once a pause has ended, or its kernels are ready"


class WorkEvent(Enum):
    """What happens to the requests of a connection."""

    HOLD_BACK = "a time slice or the space for output is used up"
    SCHEDULE = "the rest may go on"
    PUT_OFF = "at its turn, earlier replies still wait"
    GO_ON = "the rest is served"
    WAIT = "a request has to wait for its answer"
    ANSWER = "the request that waits is answered"
    PAUSE = "a pause holds a request back"
    RELEASE = "the pause ends"


OPEN, HALF_CLOSED, CLOSING, LOST = Life.OPEN, Life.HALF_CLOSED, Life.CLOSING, Life.LOST
TAKEN, BEHIND, GRANTED = Output.TAKEN, Output.BEHIND, Output.GRANTED
READY, HELD_BACK, SCHEDULED = Work.READY, Work.HELD_BACK, Work.SCHEDULED
WAITING, PAUSED = Work.WAITING, Work.PAUSED

LIFE: Final = Moves({
    OPEN: {LifeEvent.PEER_ENDS: HALF_CLOSED, LifeEvent.CLOSE: CLOSING, LifeEvent.LOSE: LOST},
    HALF_CLOSED: {LifeEvent.CLOSE: CLOSING, LifeEvent.LOSE: LOST},
    CLOSING: {LifeEvent.PEER_ENDS: CLOSING, LifeEvent.LOSE: LOST},
    LOST: {LifeEvent.LOSE: LOST},  # dropped before, and now reported by the transport
})  # fmt: skip

OUTPUT: Final = Moves({
    TAKEN: {OutputEvent.EXCEED: BEHIND},
    BEHIND: {OutputEvent.ARRIVE: GRANTED, OutputEvent.TAKE: TAKEN},
    GRANTED: {OutputEvent.ARRIVE: GRANTED, OutputEvent.RUN: BEHIND, OutputEvent.TAKE: TAKEN},
})  # fmt: skip

WORK: Final = Moves({
    READY: {
        WorkEvent.HOLD_BACK: HELD_BACK, WorkEvent.SCHEDULE: SCHEDULED, WorkEvent.WAIT: WAITING,
        WorkEvent.PAUSE: PAUSED,
    },
    HELD_BACK: {WorkEvent.SCHEDULE: SCHEDULED, WorkEvent.GO_ON: READY},
    SCHEDULED: {WorkEvent.GO_ON: READY, WorkEvent.PUT_OFF: HELD_BACK},
    WAITING: {WorkEvent.ANSWER: READY},
    PAUSED: {WorkEvent.RELEASE: SCHEDULED},
})  # fmt: skip
