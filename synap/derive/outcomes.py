"""What the status of a kernel means to Python."""

import struct

from synap.command import Command
from synap.fault_row import Row
from synap.faults import BY_NUMBER, Fault
from synap.store.memory.layout import REFUSED_SHIFT


def refused(status: int) -> Row:
    """Return the row of the refusal that a kernel returned as `status`, its flags masked off."""
    return BY_NUMBER[(status >> REFUSED_SHIFT) - 1]


def numbers_told(number: int, second: int) -> dict[str, str]:
    """Return the words that a refusal's text may name beside fields: the two numbers of the reply, also as reals."""
    reals = struct.unpack("<2d", struct.pack("<2q", number, second))
    return {"number": str(number), "second": str(second), "real": f"{reals[0]:f}", "second_real": f"{reals[1]:f}"}


def misfit(row: Command, refusal: int, word: bytes, typed: str = "") -> Fault:
    """Return the Fault of words that do not fit a row's grammar; it may name the `word` at which they do not, and the
    subcommand, as the client has `typed` it if this is known."""
    command, _, given = row.resp.partition("|")
    text = word.decode("utf-8", "surrogateescape")
    return Fault(refused(refusal).name, word=text, command=command, given=typed or given)
