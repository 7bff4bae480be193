"""Arrays of many texts and numbers: the arguments and results of `get_many` and the other bulk methods.

    array of dtype S     each text ends before its trailing zero bytes, as in numpy
    (blob, offsets)      text i is blob[offsets[i]:offsets[i + 1]]; n texts have n + 1 offsets
    sequence             of str and bytes

Elements of structures may also be arrays of integers, see `column`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from synap.kernels.integers import INTEGER_SIZE_MAX
from synap.ranges import INT_MAX
from synap.store.calls import arrays
from synap.store.memory.layout import FORM_JSON

Octets: TypeAlias = "NDArray[np.uint8]"
Integers: TypeAlias = "NDArray[np.int64]"
Blob: TypeAlias = "tuple[bytes | bytearray | memoryview | NDArray[np.uint8], NDArray[np.integer[Any]]]"
Reals: TypeAlias = "NDArray[np.float64]"
Texts: TypeAlias = "NDArray[np.bytes_] | Blob | Sequence[str | bytes]"
Elements: TypeAlias = "NDArray[np.bytes_] | NDArray[np.integer[Any]] | Blob | Sequence[str | bytes]"
Scores: TypeAlias = "NDArray[np.floating[Any]] | NDArray[np.integer[Any]] | Sequence[float]"


@dataclass(frozen=True)
class Packed:
    """Concatenated texts: `octets` (uint8) holds all of them, `sizes` (int64) the bytes of each.

    `form` is FORM_JSON if the texts are JSON, as those of numbers are.
    """

    octets: Octets
    sizes: Integers
    form: int = 0

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Found:
    """The values of many keys: value i is `octets[offsets[i]:offsets[i + 1]]`, and `there[i]` is whether key i exists.

    Other bulk methods return the values of many fields, or the members of a structure, in the same form.

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

    def array(self, dtype: DTypeLike = "S") -> NDArray[Any]:
        """Return the values as an array of shape (n,), of one of these types:

            "S", bytes    texts, as wide as the longest one, or with "S16" 16 bytes wide; a missing value is empty
            int, "int64"  integers, if each value is the text of one
            object        bytes, and None for a missing value

        Raises TypeError for another dtype, and ValueError for a value that the array cannot hold as it is: a text that
        is wider or ends in a zero byte, a text that is no integer, a missing value among integers.
        """
        wanted = checked_dtype(dtype)
        count = len(self)
        if wanted.kind == "O":
            found = np.empty(count, object)
            found[:] = self.tolist()
            return found
        octets, offsets = self._checked()
        if wanted.kind == "i":
            values = np.empty(count, np.int64)
            done = int(arrays.parse_integers(octets, offsets, values))
            if done < count:
                raise ValueError(f"wanted integers, found {self._shown(done)} at {done}")
            return values
        longest = int(np.diff(offsets).max(initial=0))
        width = wanted.itemsize or max(longest, 1)
        if longest > width:
            raise ValueError(f"wanted texts of at most {width} bytes, found one of {longest}")
        target = np.zeros(count * width, np.uint8)
        done = int(arrays.spread_texts(octets, offsets, width, target))
        if done < count:
            raise ValueError(
                f"wanted texts without a zero byte at their end, found {self._shown(done)} at {done}: dtype=object "
                "returns such texts"
            )
        return target.view(f"S{width}")

    def _checked(self) -> tuple[Octets, Integers]:
        """Return octets and offsets as kernels take them. Raises ValueError if they do not fit each other."""
        packed = pack((self.octets, self.offsets))
        offsets = np.zeros(len(packed) + 1, np.int64)
        np.cumsum(packed.sizes, out=offsets[1:])
        return np.require(packed.octets, requirements=("C", "W")), offsets

    def _shown(self, i: int) -> str:
        if not self.there[i]:
            return "nothing"
        text = self.octets[self.offsets[i] : self.offsets[i + 1]].tobytes()
        return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}..."


SHOWN = 40
"""Bytes of a text that an error shows."""


def checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of a result: S, int64 or object. Raises TypeError for another one."""
    wanted = np.dtype(dtype)
    if wanted.kind not in "SO" and wanted != np.int64:
        raise TypeError(f"dtype: wanted S, int64 or object, found {wanted}")
    return wanted


def column(what: str, elements: Elements) -> Packed:
    """Return elements of a structure concatenated; `what` is their name in errors.

    Elements have the forms of texts, or are an array of integers of any size: their texts are then stored as JSON, so
    that they are read back as int, like an int that is given to `sadd`. An array must have one dimension; its byte
    order, and whether it is contiguous and writable, do not matter. Raises TypeError or ValueError.
    """
    if isinstance(elements, np.ndarray):
        _check_shape(what, elements)
        if elements.dtype.kind in "iu":
            return _pack_integers(int64s(what, elements))
        if elements.dtype.kind not in "SUO":
            raise TypeError(f"{what}: wanted an array of dtype S or of integers, found {elements.dtype}")
    try:
        return pack(elements)  # type: ignore[arg-type]  # an array of integers has been packed above
    except UnicodeEncodeError as error:
        raise ValueError(f"{what}: wanted text, found half of a surrogate pair: {error.object[:SHOWN]!r}") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None


def reals(what: str, numbers: Scores) -> Reals:
    """Return numbers, none of which is NaN, as a contiguous array of float64; `what` is their name in errors.

    Raises TypeError for anything but floats of up to 64 bits and integers, ValueError for NaN or several dimensions.
    """
    given = np.asanyarray(numbers)
    if given.dtype.kind not in "fiu" or given.dtype.itemsize > 8:
        raise TypeError(f"{what}: wanted float64, found {given.dtype}")
    _check_shape(what, given)
    values = np.array(given, np.float64)
    missing = np.isnan(values)
    if missing.any():
        raise ValueError(f"{what}: wanted numbers, found NaN at {int(missing.argmax())}")
    return values


def _check_shape(what: str, given: NDArray[Any]) -> None:
    """Raise ValueError for an array that has not one dimension, or of which elements are masked."""
    if given.ndim != 1:
        raise ValueError(f"{what}: wanted a one-dimensional array, found one of shape {given.shape}")
    if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
        raise ValueError(f"{what}: wanted an array without masked elements, found {given.mask.sum()} of them")


def int64s(what: str, numbers: NDArray[Any]) -> Integers:
    """Return integers as a contiguous array of int64. Raises ValueError for one above 2**63 - 1."""
    if numbers.dtype.kind == "u" and numbers.size and int(numbers.max()) > INT_MAX:
        raise ValueError(f"{what}: wanted integers up to {INT_MAX}, found {int(numbers.max())}")
    return np.array(numbers, np.int64)


def _pack_integers(values: Integers) -> Packed:
    target, sizes = np.empty(INTEGER_SIZE_MAX * len(values), np.uint8), np.empty(len(values), np.int64)
    total = int(arrays.print_integers(values, target, sizes))
    return Packed(target[:total], sizes, FORM_JSON)


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
        target, sizes = np.empty(len(octets), np.uint8), np.empty(len(flat), np.int64)
        total = int(arrays.strip_texts(np.require(octets, requirements="W"), width, target, sizes))
        return Packed(target[:total], sizes)
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
