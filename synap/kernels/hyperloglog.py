"""HyperLogLog: how many different elements were added, from 16,384 registers of 6 bits, with Redis' hash and layout.

An element is hashed to 64 bits. The lowest 14 choose its register, which keeps the greatest *rank*: 1 more than the
number of zeros that follow, from the lowest bit on, so 1 to 51. The estimate has a standard error of 0.81 %
(1.04 / sqrt(16384)) at every size up to 2**60 elements.

Registers have three forms:

    bytes      uint8[16384], a byte for each register: in this form sketches are merged and counted
    dense      uint8[12288], 6 bits for each register: its lowest bit is bit 6 i of the array, counted from the lowest
               bit of the first byte
    sparse     runs of registers as opcodes of one or two bytes, for sketches that are nearly empty

    00xxxxxx             x + 1 registers are 0
    01xxxxxx yyyyyyyy    256 x + y + 1 registers are 0
    1vvvvvxx             x + 1 registers are v + 1

Sketches lie in one `uint8` array, `at`, `start`, `target` and `source` are the bytes at which they begin, and `counts`
is an int64 array of at least COUNTS words from `base` on. Spans are not checked, but for sparse registers: `sparse_ok`
tells whether they are well-formed, and the other functions must only be called with those that are.

Sources: S. Heule, M. Nunkesser, A. Hall, "HyperLogLog in Practice" (2013); O. Ertl, "New cardinality estimation
algorithms for HyperLogLog sketches" (2017, arXiv:1702.01284) for `estimate`; A. Appleby's MurmurHash64A.
"""

import numpy as np

from synap.compiler.jit import inlined, kernel
from synap.kernels.spans import fill, load32, load64, move, store64, trailing_zeros

REGISTERS, INDEX_BITS = 16384, 14
RANK_MAX = 51  # 64 - INDEX_BITS + 1
DENSE_BYTES = REGISTERS * 6 // 8
SEED = 0xADC83B19
COUNTS = 256  # words that `histogram` needs: four tables of 64
SPARSE_RANK_MAX = 32
_RUN_MAX, _VALUE_RUN_MAX = 64, 4  # registers of an opcode of one byte: zeros, others
_MULTIPLIER = np.int64(np.uint64(0xC6A4A7935BD1E995).astype(np.int64))
_SHIFT = np.uint64(47)
_HIGH = np.int64(np.uint64(0x8080808080808080).astype(np.int64))
_ALPHA = 0.721347520444481703680  # 0.5 / ln 2


@inlined
def _mixed(h):
    """Return `h` xored with its highest 17 bits."""
    return h ^ np.int64(np.uint64(h) >> _SHIFT)


@inlined
def _added(h, word):
    """Return the hash after eight more bytes."""
    return (h ^ _mixed(word * _MULTIPLIER) * _MULTIPLIER) * _MULTIPLIER


@kernel
def hash_text(octets, start, size):
    """Return the hash of an element of `size` bytes, as an int64: MurmurHash64A with Redis' seed."""
    h = np.int64(SEED) ^ (size * _MULTIPLIER)
    at = start
    end = start + size
    while at + 8 <= end:
        h = _added(h, load64(octets, at))
        at += 8
    if at < end:
        rest = np.int64(0)
        while end > at:
            end -= 1
            rest = rest << 8 | np.int64(octets[end])
        h = (h ^ rest) * _MULTIPLIER
    return _mixed(_mixed(h) * _MULTIPLIER)


@kernel
def hash_word(word):
    """Return the hash of an int64 as an element of eight bytes, the lowest first."""
    h = _added(np.int64(SEED) ^ (8 * _MULTIPLIER), word)
    return _mixed(_mixed(h) * _MULTIPLIER)


@inlined
def index_of(h):
    """Return the register of an element with this hash."""
    return h & (REGISTERS - 1)


@inlined
def rank_of(h):
    """Return the rank (1 to RANK_MAX) of an element with this hash."""
    return trailing_zeros((h >> INDEX_BITS) | (1 << (RANK_MAX - 1))) + 1


@kernel
def raise_byte(octets, start, index, rank):
    """Raise one of the registers in bytes to a rank; return True if it was lower."""
    if octets[start + index] >= rank:
        return False
    octets[start + index] = rank
    return True


@kernel
def dense_get(octets, start, index):
    """Return one of the dense registers."""
    at = start + (index * 6 >> 3)
    shift = index * 6 & 7
    value = np.int64(octets[at]) >> shift
    if shift > 2:
        value |= np.int64(octets[at + 1]) << (8 - shift)
    return value & 63


@kernel
def dense_raise(octets, start, index, rank):
    """Raise one of the dense registers to a rank; return True if it was lower."""
    if dense_get(octets, start, index) >= rank:
        return False
    at = start + (index * 6 >> 3)
    shift = index * 6 & 7
    octets[at] = (np.int64(octets[at]) & ~(63 << shift)) | rank << shift
    if shift > 2:
        octets[at + 1] = (np.int64(octets[at + 1]) & ~(63 >> (8 - shift))) | rank >> (8 - shift)
    return True


@inlined
def _apart(word):
    """Return the eight registers in the low 48 bits of a word as eight bytes."""
    word = (word & 0xFFFFFF) | ((word & 0xFFFFFF000000) << 8)
    word = (word & 0x00000FFF00000FFF) | ((word & 0x00FFF00000FFF000) << 4)
    return (word & 0x003F003F003F003F) | ((word & 0x0FC00FC00FC00FC0) << 2)


@inlined
def _together(word):
    """Return the low six bits of eight bytes as 48 bits."""
    word = (word & 0x003F003F003F003F) | ((word & 0x3F003F003F003F00) >> 2)
    word = (word & 0x00000FFF00000FFF) | ((word & 0x0FFF00000FFF0000) >> 4)
    return (word & 0xFFFFFF) | ((word & 0x00FFFFFF00000000) >> 8)


@inlined
def _greater(a, b):
    """Return the greater of each of eight pairs of bytes below 128."""
    least = ((a | _HIGH) - b) & _HIGH  # the highest bit of each byte in which a >= b
    mask = least - np.int64(np.uint64(least) >> np.uint64(7)) | least
    return (a & mask) | (b & ~mask)


@inlined
def _six(octets, at):
    """Return the six bytes at `at`; nothing behind them is read."""
    return load32(octets, at) | np.int64(octets[at + 4]) << 32 | np.int64(octets[at + 5]) << 40


@kernel
def dense_expand(octets, target, source):
    """Write dense registers as bytes."""
    for i in range(REGISTERS // 8 - 1):
        store64(octets, target + 8 * i, _apart(load64(octets, source + 6 * i)))
    store64(octets, target + REGISTERS - 8, _apart(_six(octets, source + DENSE_BYTES - 6)))


@kernel
def dense_merge(octets, target, source):
    """Raise registers in bytes to those of dense registers."""
    for i in range(REGISTERS // 8 - 1):
        place = target + 8 * i
        store64(octets, place, _greater(load64(octets, place), _apart(load64(octets, source + 6 * i))))
    place = target + REGISTERS - 8
    store64(octets, place, _greater(load64(octets, place), _apart(_six(octets, source + DENSE_BYTES - 6))))


@kernel
def dense_pack(octets, target, source):
    """Write registers in bytes as dense registers."""
    for i in range(REGISTERS // 8 - 1):  # the two bytes too much are overwritten by the next turn
        store64(octets, target + 6 * i, _together(load64(octets, source + 8 * i)))
    last = _together(load64(octets, source + REGISTERS - 8))
    for i in range(6):
        octets[target + DENSE_BYTES - 6 + i] = (last >> (8 * i)) & 0xFF


@kernel
def merge(octets, target, source):
    """Raise registers in bytes to those of others in bytes, all below 128."""
    for i in range(REGISTERS // 8):
        place = target + 8 * i
        store64(octets, place, _greater(load64(octets, place), load64(octets, source + 8 * i)))


@kernel
def histogram(octets, start, counts, base):
    """Count registers in bytes: of value v (0 to 63) there are `counts[base + v]`.

    Four tables are filled in turn, as a count that was just written cannot be read again at once.
    """
    for i in range(COUNTS):
        counts[base + i] = 0
    for i in range(REGISTERS // 8):
        word = load64(octets, start + 8 * i)
        counts[base + (word & 63)] += 1
        counts[base + 64 + ((word >> 8) & 63)] += 1
        counts[base + 128 + ((word >> 16) & 63)] += 1
        counts[base + 192 + ((word >> 24) & 63)] += 1
        counts[base + ((word >> 32) & 63)] += 1
        counts[base + 64 + ((word >> 40) & 63)] += 1
        counts[base + 128 + ((word >> 48) & 63)] += 1
        counts[base + 192 + ((word >> 56) & 63)] += 1
    for i in range(64):
        counts[base + i] += counts[base + 64 + i] + counts[base + 128 + i] + counts[base + 192 + i]


@kernel
def sparse_histogram(octets, start, size, counts, base):
    """Count sparse registers as `histogram` does."""
    for i in range(64):
        counts[base + i] = 0
    at = start
    while at < start + size:
        counts[base + run_rank(octets, at)] += run_length(octets, at)
        at += run_bytes(octets, at)


@kernel
def _tau(x):
    """Return Ertl's tau: the share of registers that have reached the greatest rank, weighed."""
    if x == 0.0 or x == 1.0:
        return 0.0
    y = 1.0
    z = 1.0 - x
    before = -1.0
    while before != z:
        x = np.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) * (1.0 - x) * y
    return z / 3.0


@kernel
def _sigma(x):
    """Return Ertl's sigma: the share of registers that are 0, weighed."""
    if x == 1.0:
        return np.inf
    y = 1.0
    z = x
    before = -1.0
    while before != z:
        x *= x
        before = z
        z += x * y
        y += y
    return z


@kernel
def estimate(counts, base):
    """Return the number of different elements (int64) from the counts of `histogram`."""
    m = float(REGISTERS)
    z = m * _tau((m - counts[base + RANK_MAX]) / m)
    for rank in range(RANK_MAX - 1, 0, -1):
        z += counts[base + rank]
        z *= 0.5
    z += m * _sigma(counts[base] / m)
    found = _ALPHA * m * m / z if z > 0.0 else np.inf
    if found >= 2.0**63:  # registers that no elements have left so
        return (1 << 63) - 1
    whole = np.floor(found)
    return np.int64(whole) + (found - whole >= 0.5)


@kernel
def run_bytes(octets, at):
    """Return the bytes of the opcode at `at`, 1 or 2."""
    return 2 if octets[at] & 0xC0 == 0x40 else 1


@kernel
def run_rank(octets, at):
    """Return the value of the registers that the opcode at `at` stands for."""
    return ((np.int64(octets[at]) >> 2) & 31) + 1 if octets[at] & 0x80 else 0


@kernel
def run_length(octets, at):
    """Return how many registers the opcode at `at` stands for."""
    first = np.int64(octets[at])
    if first & 0x80:
        return (first & 3) + 1
    return (first & 63) + 1 if first & 0x40 == 0 else ((first & 63) << 8 | np.int64(octets[at + 1])) + 1


@kernel
def sparse_ok(octets, start, size):
    """Return True if sparse registers are well-formed: whole opcodes for exactly all registers."""
    total = 0
    at = start
    end = start + size
    while at < end and total < REGISTERS:
        if at + run_bytes(octets, at) > end:
            return False
        total += run_length(octets, at)
        at += run_bytes(octets, at)
    return at == end and total == REGISTERS


@kernel
def sparse_merge(octets, target, start, size):
    """Raise registers in bytes to those of sparse registers."""
    at = start
    index = target
    while at < start + size:
        length = run_length(octets, at)
        rank = run_rank(octets, at)
        if rank:
            for i in range(index, index + length):
                if octets[i] < rank:
                    octets[i] = rank
        index += length
        at += run_bytes(octets, at)


@kernel
def sparse_clear(octets, start):
    """Write empty sparse registers; return their size."""
    octets[start] = 0x40 | (REGISTERS - 1) >> 8
    octets[start + 1] = (REGISTERS - 1) & 0xFF
    return 2


@inlined
def _put_zeros(octets, at, length):
    """Write an opcode for registers that are 0; return the byte behind it."""
    if length <= 0:
        return at
    if length <= _RUN_MAX:
        octets[at] = length - 1
        return at + 1
    octets[at] = 0x40 | (length - 1) >> 8
    octets[at + 1] = (length - 1) & 0xFF
    return at + 2


@inlined
def _put_run(octets, at, rank, length):
    """Write an opcode for up to four registers of a rank; return the byte behind it."""
    if length <= 0:
        return at
    octets[at] = 0x80 | (rank - 1) << 2 | (length - 1)
    return at + 1


@kernel
def sparse_raise(octets, start, size, most, index, rank):
    """Raise one of the sparse registers to a rank; return their new size, `size` negated if none was lower, or 0.

    0: they would need more than `most` bytes, or the rank is above SPARSE_RANK_MAX; nothing was changed. There must be
    space for three bytes more. The opcodes that result are those of Redis, whatever the shortest ones would be.
    """
    before = start  # the opcode before the one at `at`
    at = start
    first = 0
    while index >= first + run_length(octets, at):
        first += run_length(octets, at)
        before = at
        at += run_bytes(octets, at)
    old = run_rank(octets, at)
    if rank > SPARSE_RANK_MAX:
        return 0
    if old >= rank:
        return -size
    length = run_length(octets, at)
    width = run_bytes(octets, at)
    below = index - first
    above = length - below - 1
    wanted = _split_bytes(old, below, above)
    end = start + size
    if wanted > width and size + wanted - width > most:
        return 0
    move(octets, at + wanted, at + width, end - at - width)
    size += wanted - width
    if old:
        at = _put_run(octets, at, old, below)
        at = _put_run(octets, at, rank, 1)
        _put_run(octets, at, old, above)
    else:
        at = _put_zeros(octets, at, below)
        at = _put_run(octets, at, rank, 1)
        _put_zeros(octets, at, above)
    return _joined(octets, before, start, size)


@inlined
def _split_bytes(old, below, above):
    """Return the bytes of the opcodes for a register between `below` and `above` registers of an old value."""
    wanted = 1 + (below > 0) + (above > 0)
    if old == 0:
        wanted += (below > _RUN_MAX) + (above > _RUN_MAX)
    return wanted


@inlined
def _joined(octets, at, start, size):
    """Join runs of equal ranks among the five opcodes from `at` on, as Redis does; return the new size."""
    end = start + size
    looks = 5
    while at < end and looks > 0:
        looks -= 1
        if octets[at] & 0x80 == 0:
            at += run_bytes(octets, at)
            continue
        if at + 1 < end and octets[at + 1] & 0x80 and run_rank(octets, at) == run_rank(octets, at + 1):
            length = run_length(octets, at) + run_length(octets, at + 1)
            if length <= _VALUE_RUN_MAX:
                _put_run(octets, at + 1, run_rank(octets, at), length)
                move(octets, at, at + 1, end - at - 1)
                end -= 1
                continue
        at += 1
    return end - start


@kernel
def clear(octets, start):
    """Set all registers in bytes to 0."""
    fill(octets, start, 0, REGISTERS)
