"""Arrays of many texts: the arguments and results of `get_many` and the other bulk methods.

    array of dtype S     each text ends before its trailing zero bytes, as in numpy
    (blob, offsets)      text i is blob[offsets[i]:offsets[i + 1]]; n texts have n + 1 offsets
    sequence             of str and bytes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Octets: TypeAlias = "NDArray[np.uint8]"
Integers: TypeAlias = "NDArray[np.int64]"
Blob: TypeAlias = "tuple[bytes | bytearray | memoryview | NDArray[np.uint8], NDArray[np.integer[Any]]]"
Texts: TypeAlias = "NDArray[np.bytes_] | Blob | Sequence[str | bytes]"


@dataclass(frozen=True)
class Packed:
    """Concatenated texts: `octets` (uint8) holds all of them, `sizes` (int64) the bytes of each."""

    octets: Octets
    sizes: Integers

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Found:
    """The values of many keys: value i is `octets[offsets[i]:offsets[i + 1]]`, and `there[i]` is whether key i exists.

    Shapes: octets (total,) uint8, offsets (n + 1,) int64, there (n,) bool.
    """

    octets: Octets
    offsets: Integers
    there: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.there)

    def tolist(self) -> list[bytes | None]:
        """Return the values as bytes, None for a missing key."""
        data = self.octets.tobytes()
        ends = self.offsets.tolist()
        there = self.there.tolist()
        return [data[ends[i] : ends[i + 1]] if there[i] else None for i in range(len(there))]


def pack(texts: Texts) -> Packed:
    """Return texts concatenated. Raises TypeError or ValueError for anything but texts."""
    if isinstance(texts, tuple) and len(texts) == 2 and isinstance(texts[1], np.ndarray):
        return _pack_blob(*texts)
    if isinstance(texts, np.ndarray) and texts.dtype.kind == "S":
        width = texts.dtype.itemsize
        flat = np.ascontiguousarray(texts).reshape(-1)
        octets = flat.view(np.uint8) if width else np.empty(0, np.uint8)
        if width and octets[width - 1 :: width].all():  # no text is shorter than the field
            return Packed(octets, np.full(len(flat), width, np.int64))
        return _pack_list(flat.tolist())
    if isinstance(texts, str | bytes | bytearray | memoryview):
        raise TypeError(f"wanted many texts, found one: {type(texts).__name__}")
    if isinstance(texts, np.ndarray) and texts.dtype.kind != "O" and texts.dtype.kind != "U":
        raise TypeError(f"wanted an array of dtype S, found {texts.dtype}")
    return _pack_list(list(texts))


def _pack_list(texts: list[Any]) -> Packed:
    parts = []
    for text in texts:
        if not isinstance(text, str | bytes | bytearray | memoryview):
            raise TypeError(f"wanted str or bytes, found {type(text).__name__}")
        parts.append(text.encode() if isinstance(text, str) else bytes(text))
    sizes = np.array([len(part) for part in parts], np.int64)
    return Packed(np.frombuffer(b"".join(parts), np.uint8), sizes)


def _pack_blob(blob: Any, offsets: NDArray[Any]) -> Packed:
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or not len(offsets):
        raise ValueError("offsets: wanted a one-dimensional array of one whole number more than there are texts")
    octets = np.frombuffer(blob, np.uint8) if not isinstance(blob, np.ndarray) else blob
    if octets.ndim != 1 or octets.dtype != np.uint8:
        raise ValueError(f"blob: wanted bytes or a one-dimensional array of uint8, found {octets.dtype}")
    ends = offsets.astype(np.int64)
    sizes = np.diff(ends)
    if ends[0] < 0 or ends[-1] > len(octets) or (len(sizes) and sizes.min() < 0):
        raise ValueError(f"offsets: wanted ascending numbers from 0 to {len(octets)}, the size of the blob")
    return Packed(octets[ends[0] : ends[-1]], sizes)
