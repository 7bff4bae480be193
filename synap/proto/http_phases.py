"""The phases of a request on an HTTP connection, and the table of their moves."""

from enum import Enum
from typing import Final

from synap.moves import Moves


class Phase(Enum):
    """How far the request of an HTTP connection is."""

    HEAD = "between requests, or inside a head"
    BODY = "the head is complete, the body arrives"
    ANSWER = "the request is complete, its reply is awaited"
    UPGRADE = "another protocol is asked for: a reply, or a takeover, is awaited"
    FAULT = "the request is refused, one reply may follow"
    CLOSED = "nothing more"


class PhaseEvent(Enum):
    """What happens to a request."""

    OPEN = "the head is complete"
    COMPLETE = "the body is complete"
    UPGRADE = "the body is complete, and another protocol is asked for"
    ANSWER = "the request is answered"
    FAIL = "the request breaks a rule, or the peer ends inside of it"
    END = "the last request is answered, or the peer ends between requests"


# Aliases: an attribute of the class costs a second look-up on every request.
HEAD, BODY, ANSWER, FAULT = Phase.HEAD, Phase.BODY, Phase.ANSWER, Phase.FAULT

PHASES: Final = Moves({
    HEAD: {PhaseEvent.OPEN: BODY, PhaseEvent.FAIL: FAULT, PhaseEvent.END: Phase.CLOSED},
    BODY: {
        PhaseEvent.COMPLETE: ANSWER, PhaseEvent.UPGRADE: Phase.UPGRADE, PhaseEvent.FAIL: FAULT,
        PhaseEvent.END: Phase.CLOSED,  # answered before its body has arrived
    },
    ANSWER: {PhaseEvent.ANSWER: HEAD, PhaseEvent.END: Phase.CLOSED},
    Phase.UPGRADE: {PhaseEvent.ANSWER: HEAD, PhaseEvent.END: Phase.CLOSED},
    FAULT: {PhaseEvent.END: Phase.CLOSED},
    Phase.CLOSED: {},
})  # fmt: skip

# The moves of plain requests, looked up once.
OPENED = PHASES.after(HEAD, PhaseEvent.OPEN)
COMPLETED = PHASES.after(OPENED, PhaseEvent.COMPLETE)
ANSWERED = PHASES.after(COMPLETED, PhaseEvent.ANSWER)
