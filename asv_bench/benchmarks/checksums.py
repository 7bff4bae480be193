"""The checksum of a snapshot chunk (P25), beside the one of zlib."""

import zlib

import numpy as np

from synap.compiler import jit
from synap.kernels.checksums import crc32, crc32_table

CHUNK = 1 << 20


@jit.kernel("int64(uint32[::1], uint8[::1], int64)")
def checksum(table, octets, size):  # type: ignore[no-untyped-def]
    """The CRC-32 of the first `size` octets."""
    return crc32(table, octets, 0, size, 0)


class Crc32:
    """A chunk of a snapshot: 1 MiB, and 64 KiB, by the kernel and by zlib."""

    params = [[1 << 16, CHUNK]]
    param_names = ["bytes"]

    def setup(self, size: int) -> None:
        jit.load([f"{__name__}:checksum"])
        self.table = crc32_table()
        self.octets = np.random.default_rng(7).integers(0, 256, CHUNK, np.uint8)
        self.data = self.octets[:size].tobytes()
        assert checksum(self.table, self.octets, size) == zlib.crc32(self.data)

    def time_synap(self, size: int) -> None:
        checksum(self.table, self.octets, size)

    def time_zlib(self, size: int) -> None:
        zlib.crc32(self.data)
