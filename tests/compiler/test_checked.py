"""A door that leaves the heap does not go unnoticed in a build with bounds checks.

A door is a C function: an exception cannot leave it, so numba reports one to `sys.unraisablehook`, and pytest
(with warnings as errors, see pyproject.toml) makes the test fail in which that happened. The test plants one.
"""

import sys
from typing import Any

import numpy as np
import pytest
from numba import carray

from synap.compiler import jit
from synap.compiler.digests import CHECKED
from synap.compiler.jit import door, kernel
from synap.kernels.spans import bare, call_door, load64

WORDS = 8


@door
def planted_door(words_at, octets_at, size, code, tape, now, seq, reply):
    """Code 1 reads word `tape`, code 2 the eight octets from octet `tape` on."""
    words = carray(words_at, (size,))
    octets = carray(octets_at, (size * 8,))
    if code == 1:
        return words[tape]
    return load64(octets, tape)


@kernel("int64(int64, int64[::1], uint8[::1], int64, int64)")
def call(address, words, octets, code, tape):
    words = bare(words)
    octets = bare(octets)
    return call_door(address, words, octets, code, tape, 0, 0, 0)


@pytest.mark.skipif(not CHECKED, reason="needs SYNAP_JIT_CHECKED=1")
@pytest.mark.parametrize("code", [1, 2])
def test_a_door_that_reads_beyond_the_heap_is_heard_of(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    jit.load(name for name in jit.registered() if name.startswith(f"{__name__}:"))
    said: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: said.append(report.exc_type))
    words = np.arange(WORDS)
    octets = words.view(np.uint8)
    place = jit.address(f"{__name__}:planted_door")
    inside = 3 if code == 1 else 3 * 8
    assert call(place, words, octets, code, inside) == 3 and not said
    call(place, words, octets, code, WORDS if code == 1 else WORDS * 8 - 7)
    assert said == [IndexError]
