"""What the status of a kernel means to Python."""

from synap.faults import BY_NUMBER, Row
from synap.store.memory.layout import REFUSED_SHIFT


def refused(status: int) -> Row:
    """Return the row of the refusal that a kernel returned as `status`, its flags masked off."""
    return BY_NUMBER[(status >> REFUSED_SHIFT) - 1]
