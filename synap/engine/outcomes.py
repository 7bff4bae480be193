"""What became of a call: the value that `Engine.execute` returns to every surface."""

from typing import Any

from synap.command import Command
from synap.derive.outcomes import refused
from synap.faults import Fault
from synap.store.memory.layout import REFUSED, STATUS_MASK

HANDLED, QUEUED, PARKED = -1, -2, -3
"""Statuses of `Outcome` besides those of kernels."""


class Outcome:
    """What became of a call. Like the reply in REPLY, it may be read until `Engine.settle`.

    row      the row that was called
    status   HANDLED: a handler returned `value`, which may be a Fault
             QUEUED: the call waits for EXEC
             PARKED: the call waits for a key, queue or room; its outcome will be delivered
             else the status of a kernel, whose reply lies in REPLY
    """

    __slots__ = ("row", "row_at", "status", "value")

    def __init__(self, row: Command, row_at: int, status: int, value: Any = None) -> None:
        self.row, self.row_at, self.status, self.value = row, row_at, status, value

    @property
    def what(self) -> int:
        """The status without its flags."""
        return self.status & STATUS_MASK if self.status >= 0 else self.status

    @property
    def refusal(self) -> str:
        """The name of the fault with which a kernel refused the call, or an empty text."""
        return refused(self.status & STATUS_MASK).name if self.status & STATUS_MASK >= REFUSED else ""

    @property
    def failed(self) -> bool:
        """True if the call was refused or failed."""
        return isinstance(self.value, Fault) if self.status < 0 else self.status & STATUS_MASK >= REFUSED
