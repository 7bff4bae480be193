"""RESP commands: `scan` and `skim` against a slow parser, on garbage and with any cut.

`SYNAP_JIT_CHECKED=1 pytest -m campaign tests/store/test_resp_scan.py` compiles with bounds checks; each input
lies at the very end of its own array, so that a read behind it raises.
"""

import re
from random import Random

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from synap.compiler.digests import CHECKED
from synap.compiler.jit import kernel, load, registered
from synap.store.lane import resp
from synap.store.memory import layout
from tests.naive import resp as naive
from tests.support import command

WORD_MAX, WORDS_MAX = 40, 12
MINUS_ALONE = re.compile(rb"[*$]-\r\n")  # see test_a_minus_is_no_number
BATCH = 1000
PIECES = [
    b"*", b"$", b"\r\n", b"\r", b"\n", b"-", b"0", b"1", b"2", b"3", b"9", b"12", b"13", b"40", b"41", b"a", b"abc",
    b"*1\r\n", b"*2\r\n", b"*3\r\n", b"$0\r\n\r\n", b"$1\r\na\r\n", b"$3\r\nabc\r\n", b"$3\r\nGET\r\n",
    b"$2\r\n\r\n\r\n",
    b"*0\r\n", b"*-1\r\n", b"$-1\r\n", b"\x00", b"\xff", b"PING\r\n", b"*12\r\n", b"*13\r\n", b"$40\r\n", b"9" * 20,
]  # fmt: skip
KNOWN = [
    b"*1\r\n$4\r\nPING\r\n", b"*0\r\n", b"*-1\r\n", b"*-5\r\n", b"*", b"*1", b"*1\r", b"*1\r\n", b"*1\r\n$", b"*a\r\n",
    b"*1\n", b"*1\rx", b"*\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$2\r\nabc\r\n", b"*1\r\n$2\r\nab\rx", b"*1\r\n+OK\r\n",
    b"*12\r\n", b"*13\r\n", b"*13", b"*99999999999999999999999\r\n", b"*1\r\n$41\r\n", b"*1\r\n$40\r\n", b"PING\r\n",
    b"*2\r\n$0\r\n\r\n$0\r\n\r\n*1", b"*01\r\n$01\r\na\r\n", b"*1\r\n\r\n", b"*1\r\n$1\r\n\r\r\n",
]  # fmt: skip


@kernel("void(int64[::1], uint8[::1], int64[::1], int64[::1], int64[::1])")
def scan_all(words, octets, ends, afters, counts):
    """Scan the inputs that lie side by side, each up to its own end."""
    at = 0
    for i in range(ends.size):
        after, count = resp.scan(words, octets[: ends[i]], at, ends[i])
        afters[i] = after
        counts[i] = count
        at = ends[i]


def skim_all(words, octets, cuts, found):
    """Skim as the bytes come in up to each cut, on from where the last time ended."""
    at = 0
    left = resp.UNCOUNTED
    for i in range(cuts.size):
        answer = resp.skim(words, octets[: cuts[i]], at, left, cuts[i])
        found[i] = answer
        if answer < 0:
            return
        at = answer & (1 << 40) - 1
        left = answer >> 40


@pytest.fixture(scope="module")
def words(store):
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    bench = store()
    bench[layout.LIMIT_WORD], bench[layout.LIMIT_WORDS] = WORD_MAX, WORDS_MAX
    return bench.heap.words


def wanted(data):
    return naive.scan(data, WORD_MAX, WORDS_MAX)


def scanned(words, data):
    """(bytes taken or fault, words) of one input in an array of its own."""
    octets = np.frombuffer(data, np.uint8).copy()
    afters, counts = np.zeros(1, np.int64), np.zeros(1, np.int64)
    scan_all(words, octets, np.array([len(data)], np.int64), afters, counts)
    if afters[0] <= 0:
        return int(afters[0]), []
    spans = words[layout.WORDS : layout.WORDS + 2 * counts[0]].tolist()
    return int(afters[0]), [data[at : at + size] for at, size in zip(spans[::2], spans[1::2], strict=True)]


def skimmed(words, data, cuts):
    """The last answer for bytes that come in pieces: a fault, or (words still to come, bytes taken)."""
    cuts = [cut for cut in cuts if 0 < cut < len(data)] + [len(data)]
    found = np.zeros(len(cuts), np.int64)
    skim_all(words, np.frombuffer(data, np.uint8).copy(), np.array(cuts, np.int64), found)
    bad = [answer for answer in found.tolist() if answer < 0]
    return bad[0] if bad else (int(found[-1]) >> 40, int(found[-1]) & (1 << 40) - 1)


def check_skim(words, data, cuts):
    """A gathering connection must learn what `scan` would say of the whole."""
    after, _ = wanted(data)
    if data[:1] != b"*":
        return
    answer = skimmed(words, data, sorted(cuts))
    if after > 0:
        assert answer == (0, after)
    elif after == naive.INCOMPLETE:
        assert isinstance(answer, int) or answer[0] > 0
        assert not isinstance(answer, int), f"refused what may go on: {data!r} {answer}"
    elif isinstance(answer, tuple):
        # skim does not look at the CR LF behind a word: it may go on, and `scan` finds out later.
        assert after in (naive.BAD_SIZE_LINE, naive.NOT_A_BULK)


def random_input(chance):
    """Bytes that are nearly a command: valid ones spoilt, pieces, or noise."""
    draw = chance.random()
    if draw < 0.15:
        return b"".join(chance.choices(PIECES, k=chance.randint(1, 8)))
    sizes = chance.choices((0, 1, 2, 3, 5, 20, 40, 41), k=chance.choice((1, 1, 2, 3, 12, 13)))
    parts = [chance.randbytes(size) for size in sizes]
    data = bytearray(command(*parts))
    if draw < 0.3:
        return bytes(data)
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                del data[at]
            case 1:
                data[at:at] = chance.choice(PIECES)
            case 2:
                data[at] = chance.randrange(256)
            case 3:
                data[at : at + 2] = chance.choice(PIECES)
        if not data:
            return b"*"
    cut = chance.randrange(1, len(data) + 1) if chance.random() < 0.5 else len(data)
    return bytes(data[:cut])


def run(words, seed, batches, fuzz_skim=10):
    """Batches of inputs through `scan`, every `fuzz_skim`th through `skim` with random cuts as well."""
    chance = Random(seed)
    whole = 0
    for _ in range(batches):
        inputs = [random_input(chance) for _ in range(BATCH)]
        ends = np.cumsum([len(data) for data in inputs])
        afters, counts = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.int64)
        scan_all(words, np.frombuffer(b"".join(inputs), np.uint8).copy(), ends, afters, counts)
        start = 0
        for i, (data, end, after, count) in enumerate(
            zip(inputs, ends.tolist(), afters.tolist(), counts.tolist(), strict=True)
        ):
            if MINUS_ALONE.search(data):
                start = end
                continue
            found = (after - start if after > 0 else after), count if after > 0 else 0
            taken, parts = wanted(data)
            assert found == (taken, len(parts)), f"seed {seed}: {data!r}"
            whole += taken > 0
            if i % fuzz_skim == 0:
                assert scanned(words, data) == (taken, parts)
                check_skim(words, data, [chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 1, 3, 9)))])
            start = end
    return whole


@pytest.mark.parametrize("data", KNOWN)
def test_known(words, data):
    assert scanned(words, data) == wanted(data)
    check_skim(words, data, range(len(data)))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12), st.binary(max_size=8))
def test_every_command_comes_back(words, parts, rest):
    data = command(*parts)
    assert scanned(words, data + rest) == (len(data), parts)
    assert skimmed(words, data + rest, range(len(data) + len(rest))) == (0, len(data))


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=10).map(b"".join), st.lists(st.integers(0, 60)))
@example(b"*1\r\n$1\r\na\r\n", [3])
def test_pieces(words, data, cuts):
    assume(not MINUS_ALONE.search(data))
    assert scanned(words, data) == wanted(data)
    check_skim(words, data, cuts)


def test_one_byte_at_a_time(words):
    data = command(b"SET", b"key", b"\r\n$3\r\n", b"") + command(b"GET", b"key")
    first = len(command(b"SET", b"key", b"\r\n$3\r\n", b""))
    for end in range(1, len(data)):
        assert scanned(words, data[:end])[0] == (first if end >= first else naive.INCOMPLETE)


@pytest.mark.parametrize("zeros", [40, 60])
def test_leading_zeros_do_not_depend_on_the_cut(words, zeros):
    data = b"*" + b"0" * zeros + b"1\r\n$1\r\na\r\n"
    in_one_piece = scanned(words, data)[0] > 0
    cut = [scanned(words, data[:end])[0] for end in range(1, len(data))]
    assert in_one_piece == (min(cut) >= 0)


@pytest.mark.parametrize("data", [b"*-\r\n", b"*1\r\n$-\r\n\r\n"])
def test_a_minus_is_no_number(words, data):
    assert scanned(words, data)[0] in (naive.BAD_COUNT_LINE, naive.BAD_SIZE_LINE)


@pytest.mark.skipif(not CHECKED, reason="needs SYNAP_JIT_CHECKED=1")
def test_bounds_are_checked(words):
    ends, found = np.array([20], np.int64), np.zeros(1, np.int64)
    with pytest.raises(IndexError):
        scan_all(words, np.frombuffer(b"*1\r\n$1\r\na", np.uint8).copy(), ends, found, found)


def test_fuzz(words):
    assert run(words, 1, batches=20) > 2000


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_ten_million_inputs(words, seed):
    assert run(words, seed, batches=1000) > 100_000
