"""Globs: the kernel against a twin that follows every possible match, and the cost of hostile patterns."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synap.compiler.digests import CHECKED
from synap.compiler.jit import kernel, load, registered
from synap.kernels import globs
from tests.naive import globs as naive

PATTERNS = st.text(alphabet="ab*?[]^-\\Bz", max_size=12).map(str.encode)
TEXTS = st.text(alphabet="abBz]-^\\*", max_size=12).map(str.encode)
CASES = [
    (b"", b"", True), (b"", b"a", False), (b"*", b"", True), (b"**", b"", True), (b"a*", b"a", True),
    (b"a**", b"a", True), (b"?", b"", False), (b"h?llo", b"hello", True), (b"h*llo", b"heeeello", True),
    (b"h[ae]llo", b"hallo", True), (b"h[^e]llo", b"hello", False), (b"h[a-c]llo", b"hbllo", True),
    (b"h[c-a]llo", b"hbllo", True), (b"h\\*llo", b"h*llo", True), (b"h\\*llo", b"hello", False),
    (b"[abc", b"c", True), (b"[abc", b"d", False), (b"[^abc", b"d", True), (b"[", b"a", False),
    (b"[^", b"a", True), (b"[]a", b"a", False), (b"[\\]]", b"]", True), (b"a\\", b"a\\", True),
    (b"[a-]", b"]", True), (b"[a-", b"-", True), (b"[\\", b"\\", True), (b"*[a-c]*d", b"xxbyyd", True),
    (b"*\x00*", b"a\x00b", True), (b"[\x01-\xff]", b"\x80", True), (b"*ab", b"aaaaaaaaaaaaaaaab", True),
]  # fmt: skip


@kernel("boolean(uint8[::1], int64, int64, int64, int64, boolean)")
def run(octets, pattern, pattern_size, text, text_size, nocase):
    return globs.matches(octets, pattern, pattern_size, text, text_size, nocase)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    load(name for name in registered() if name.startswith(f"{__name__}:"))


def matches(pattern, text, nocase=False):
    octets = np.frombuffer(b"*" + pattern + b"*" + text + b"*", dtype=np.uint8).copy()
    return run(octets, 1, len(pattern), 2 + len(pattern), len(text), nocase)


@pytest.mark.parametrize(("pattern", "text", "expected"), CASES)
def test_cases(pattern, text, expected):
    assert matches(pattern, text) == naive.matches(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [(b"HeLLo", b"hEllO", True), (b"[A-C]", b"b", True), (b"[Z-a]", b"z", False), (b"[\\A]", b"a", False),
     (b"*B", b"xxb", True), (b"[^a]", b"A", False)],
)  # fmt: skip
def test_nocase(pattern, text, expected):
    assert matches(pattern, text, True) == naive.matches(pattern, text, True) == expected


@given(PATTERNS, TEXTS, st.booleans())
def test_as_the_twin(pattern, text, nocase):
    assert matches(pattern, text, nocase) == naive.matches(pattern, text, nocase)


@given(st.binary(max_size=8), st.binary(max_size=30), st.booleans())
def test_any_bytes(pattern, text, nocase):
    assert matches(pattern, text, nocase) == naive.matches(pattern, text, nocase)


@given(st.lists(st.sampled_from([b"*", b"?", b"a", b"b", b"[ab]", b"\\a"]), max_size=10).map(b"".join),
       st.text(alphabet="ab", max_size=40).map(str.encode))  # fmt: skip
def test_many_stars(pattern, text):
    assert matches(pattern, text) == naive.matches(pattern, text)


@pytest.mark.skipif(CHECKED, reason="bounds checks cost more than the limit")
@pytest.mark.parametrize("nocase", [False, True])
@pytest.mark.parametrize("pattern", [b"*a" * 20 + b"*b", b"*a*" * 1000 + b"b", b"*[a-c]" * 20 + b"*b"])
def test_hostile_pattern_is_linear(pattern, nocase):
    text = b"a" * 1_000_000
    octets = np.frombuffer(pattern + text, dtype=np.uint8).copy()
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()  # a busy machine may keep us waiting
        assert not run(octets, 0, len(pattern), len(pattern), len(text), nocase)
        best = min(best, time.thread_time() - start)
    assert best < 0.02  # 4 ms on an idle machine; without the bound on retries it takes hours
