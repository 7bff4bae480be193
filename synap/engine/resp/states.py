"""The states of a RESP machine: whether its next command may run."""

from enum import Enum
from typing import Final

from synap.moves import Moves


class Run(Enum):
    """When the next command of a session runs. An unsent LargeReply also delays it."""

    READY = "as it arrives"
    MORE = "after the other sockets had their turn, as the budget of one run is used up"
    HELD = "once a pause has ended, or its kernels are ready"
    WAITING = "once the call that waits is answered"
    ENDED = "never: what has not run is dropped"


class RunEvent(Enum):
    """What happens to the commands of a session."""

    USE_UP = "a run uses up its budget, or makes much output"
    GO_ON = "the run is continued"
    HOLD = "a pause holds back the next command"
    RELEASE = "the pause ends"
    PARK = "a call has to wait"
    ANSWER = "the call that waits is answered"
    END = "the connection is given up or gone"


READY, MORE, HELD, WAITING, ENDED = Run.READY, Run.MORE, Run.HELD, Run.WAITING, Run.ENDED

RUN: Final = Moves({
    READY: {RunEvent.USE_UP: MORE, RunEvent.HOLD: HELD, RunEvent.PARK: WAITING, RunEvent.END: ENDED},
    MORE: {RunEvent.GO_ON: READY, RunEvent.END: ENDED},
    HELD: {RunEvent.RELEASE: READY, RunEvent.END: ENDED},
    WAITING: {RunEvent.ANSWER: READY, RunEvent.END: ENDED},
    ENDED: {RunEvent.END: ENDED},  # given up before, and now gone
})  # fmt: skip
