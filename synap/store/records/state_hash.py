"""The hash of state that does not depend on a node: what digests are made of."""

from synap.compiler.jit import kernel
from synap.kernels.hashing import keyed_hash
from synap.kernels.spans import fold

FIXED_A, FIXED_B = 0x243F6A8885A308D3, 0x13198A2E03707344
MIX = 0x2545F4914F6CDD1D


@kernel
def mix(h, value):
    """One number more into a hash, in order."""
    return fold((h ^ value) + MIX, MIX ^ value)


@kernel
def text(octets, start, size):
    """The hash of some bytes under fixed keys."""
    return keyed_hash(octets, start, size, FIXED_A, FIXED_B)
