"""What the status of a kernel means to Python."""

from synap.command import Command
from synap.faults import BY_NUMBER, Fault, Row
from synap.store.memory.layout import REFUSED_SHIFT


def refused(status: int) -> Row:
    """Return the row of the refusal that a kernel returned as `status`, its flags masked off."""
    return BY_NUMBER[(status >> REFUSED_SHIFT) - 1]


def misfit(row: Command, refusal: int, word: bytes) -> Fault:
    """Return the Fault of words that do not fit a row's grammar; it may name the `word` at which they do not."""
    command, _, given = row.resp.partition("|")
    return Fault(refused(refusal).name, word=word.decode("utf-8", "surrogateescape"), command=command, given=given)
