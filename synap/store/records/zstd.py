"""Zstandard for values: calls of the Python library, wrapped in C functions whose addresses lie in the heap.

A kernel cannot call a Python library, but it can call a C function, and `ctypes` makes one from a Python function.
This costs about a microsecond of Python for each value, beside the several microseconds of Zstandard. The library's
own C functions cannot be looked up.
"""

import ctypes
from typing import Any

from synap.store.memory.layout import ZSTD_OPEN, ZSTD_PACK

_KIND = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
_READ = 0x100  # PyBUF_READ

_kept: dict[int, tuple[Any, Any]] = {}  # the functions of each level, kept alive so that their addresses stay valid


def _view(address: int, size: int) -> memoryview:
    found: memoryview = _memory_view(address, size, _READ)
    return found


_memory_view = ctypes.pythonapi.PyMemoryView_FromMemory
_memory_view.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
_memory_view.restype = ctypes.py_object


def _functions(level: int) -> tuple[Any, Any]:
    import zstandard  # imported only if Zstandard is used

    pack = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False).compress
    expand = zstandard.ZstdDecompressor().decompress

    def _pack(source: int, size: int, target: int, capacity: int) -> int:
        """Compress a value to `target`; return the frame's size, or 0 if it does not fit into `capacity` bytes."""
        frame = pack(_view(source, size))
        if len(frame) > capacity:
            return 0
        ctypes.memmove(target, frame, len(frame))
        return len(frame)

    def _expand(source: int, size: int, target: int, capacity: int) -> int:
        """Decompress a value to `target`; return its size, or -1 if it is invalid or larger than `capacity` bytes."""
        try:
            value = expand(_view(source, size))
        except zstandard.ZstdError:
            return -1
        if len(value) > capacity:
            return -1
        ctypes.memmove(target, value, len(value))
        return len(value)

    return _KIND(_pack), _KIND(_expand)


def place(numbers: Any, level: int) -> None:
    """Compress values with Zstandard at this `level` from now on, in the heap whose words are `numbers`."""
    if level not in _kept:
        _kept[level] = _functions(level)
    pack, expand = _kept[level]
    numbers[ZSTD_PACK] = ctypes.cast(pack, ctypes.c_void_p).value
    numbers[ZSTD_OPEN] = ctypes.cast(expand, ctypes.c_void_p).value
