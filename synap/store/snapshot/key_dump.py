"""Dumps one key as load rows, piece by piece, as a snapshot has them."""

from synap.compiler.jit import kernel
from synap.kernels.spans import bare
from synap.store.kinds import dispatch
from synap.store.records import keyspace


@kernel("int64(int64[::1], uint8[::1], int64[::1], int64, int64, int64)")
def next_piece(words, octets, cursor, ref, target, now):
    """Write the next load row of the record at `ref` as a frame at word `target`; return its words, or UNREADABLE.

    The cursor begins as zeros; its MORE is 0 once the row was the last.
    """
    words = bare(words)
    octets = bare(octets)
    return dispatch.dump(keyspace.kind_of(words, ref), words, octets, ref, cursor, target, 0, now)
