"""HyperLogLogs in numpy arrays, for the in-process client and PFSELFTEST.

    work     uint8: the registers in bytes (`kernels/hyperloglog.py`), behind them what a function adds or makes
    counts   int64, COUNTS words that a function may use
"""

from synap.compiler.jit import kernel
from synap.kernels import hyperloglog as kernels
from synap.kernels.spans import bare, fill, store32
from synap.store.kinds.strings import hyperloglog
from synap.store.kinds.strings.hyperloglog import DENSE, DENSE_SIZE, ENCODING, HEAD, MAGIC, STALE, STALE_BYTE

REGISTERS = kernels.REGISTERS


@kernel("void(uint8[::1], int64[::1])")
def add_words(work, elements):
    """Add each int64 as an element of eight bytes, the lowest first, to the registers."""
    work = bare(work)
    elements = bare(elements)
    for i in range(elements.size):
        hashed = kernels.hash_word(elements[i])
        kernels.raise_byte(work, 0, kernels.index_of(hashed), kernels.rank_of(hashed))


@kernel("void(uint8[::1], int64)")
def merge(work, number):
    """Raise the registers to those of `number` others that lie behind them, one behind the other."""
    work = bare(work)
    for i in range(number):
        kernels.merge(work, 0, REGISTERS * (i + 1))


@kernel("int64(uint8[::1], int64[::1])")
def estimate(work, counts):
    """Return how many different elements were added."""
    work = bare(work)
    counts = bare(counts)
    kernels.histogram(work, 0, counts, 0)
    return kernels.estimate(counts, 0)


@kernel("int64(uint8[::1], int64)")
def read(work, size):
    """Raise the registers to those of a sketch in Redis' format, `size` bytes behind them; return 0 or a refusal."""
    work = bare(work)
    refusal = hyperloglog.refusal_of(work, REGISTERS, size)
    if refusal:
        return refusal
    at = REGISTERS + HEAD
    if hyperloglog.is_dense(work, REGISTERS):
        kernels.dense_merge(work, 0, at)
    else:
        kernels.sparse_merge(work, 0, at, size - HEAD)
    return 0


@kernel("void(uint8[::1])")
def write(work):
    """Write the registers behind them as a dense sketch in Redis' format, DENSE_SIZE bytes."""
    work = bare(work)
    fill(work, REGISTERS, 0, HEAD)
    store32(work, REGISTERS, MAGIC)
    work[REGISTERS + ENCODING] = DENSE
    work[REGISTERS + STALE_BYTE] = STALE
    kernels.dense_pack(work, REGISTERS + HEAD, 0)


SIZE = REGISTERS + DENSE_SIZE
"""Octets of a `work` that `write` needs."""
