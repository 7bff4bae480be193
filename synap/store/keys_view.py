"""What Python asks of single keys: their hashes, and whether they are visible."""

from synap.kernels.jit import kernel
from synap.kernels.spans import bare
from synap.store import keyspace
from synap.store.tables import REF_MASK


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64)")
def hash_of(words, octets, namespace, start, size):
    """The hash of a key, as interest knows it."""
    words = bare(words)
    octets = bare(octets)
    return keyspace.hash_key(words, octets, namespace, start, size)


@kernel("int64(int64[::1], uint8[::1], int64, int64, int64, int64)")
def visible(words, octets, namespace, start, size, now):
    """1 if the key can be seen at `now`, else 0."""
    words = bare(words)
    octets = bare(octets)
    h = keyspace.hash_key(words, octets, namespace, start, size)
    seat = keyspace.locate(words, octets, namespace, start, size, h)
    if seat == 0 or keyspace.expired(words, words[seat] & REF_MASK, now):
        return 0
    return 1
