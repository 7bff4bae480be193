"""The door of a family whose kernels are not loaded yet."""

from synap.compiler.jit import door
from synap.store.memory.refusals import LOADING


@door
def absent_door(words_at, octets_at, size, code, tape, now, seq, reply):
    """Refuse a call. Callers keep calls back until the family is ready, so this answer is seen after a mistake only."""
    return LOADING
