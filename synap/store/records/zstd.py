"""Zstandard for values: the library, behind two C functions whose addresses lie in the heap.

A kernel cannot call a Python library, but it can call a C function, and `ctypes` makes one of a Python
function. About a microsecond of Python for each value, beside the several that Zstandard takes: the library
does not let its own functions be found.
"""

import ctypes
from typing import Any

from synap.store.memory.layout import ZSTD_OPEN, ZSTD_PACK

_KIND = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
_READ = 0x100  # PyBUF_READ

_kept: dict[int, tuple[Any, Any]] = {}  # the functions of each level: their addresses are good while they live


def _view(address: int, size: int) -> memoryview:
    found: memoryview = _memory_view(address, size, _READ)
    return found


_memory_view = ctypes.pythonapi.PyMemoryView_FromMemory
_memory_view.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
_memory_view.restype = ctypes.py_object


def _functions(level: int) -> tuple[Any, Any]:
    import zstandard  # only for those who ask for it

    pack = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False).compress
    expand = zstandard.ZstdDecompressor().decompress

    def _pack(source: int, size: int, target: int, room: int) -> int:
        """The frame's size, or 0 if it does not fit into `room`."""
        frame = pack(_view(source, size))
        if len(frame) > room:
            return 0
        ctypes.memmove(target, frame, len(frame))
        return len(frame)

    def _expand(source: int, size: int, target: int, room: int) -> int:
        """The value's size, or -1 if there is no value of at most `room` bytes."""
        try:
            value = expand(_view(source, size))
        except zstandard.ZstdError:
            return -1
        if len(value) > room:
            return -1
        ctypes.memmove(target, value, len(value))
        return len(value)

    return _KIND(_pack), _KIND(_expand)


def place(numbers: Any, level: int) -> None:
    """Let values be packed by Zstandard at this `level` from now on (in the heap with these words)."""
    if level not in _kept:
        _kept[level] = _functions(level)
    pack, expand = _kept[level]
    numbers[ZSTD_PACK] = ctypes.cast(pack, ctypes.c_void_p).value
    numbers[ZSTD_OPEN] = ctypes.cast(expand, ctypes.c_void_p).value
