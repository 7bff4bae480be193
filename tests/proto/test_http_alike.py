"""What both HTTP machines refuse, and that they never disagree: corpus and differential fuzz."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synap.proto.http import CLOSED, Request, Upgrade
from tests.cases import check_all
from tests.proto.corpus import ODD, REFUSED, SECOND, Case
from tests.proto.talk import BODY_MAX, LAST, MACHINES, SERVED, WEBSOCKET, bytewise, cut, drive

# The corpus


def test_corpus_is_large_enough():
    assert len({case.data for case in REFUSED}) >= 300


@pytest.mark.parametrize("machine", MACHINES)
def test_refused(machine: Any):
    def check(case: Case) -> None:
        for pieces in ([case.data], bytewise(case.data), cut(case.data, range(0, len(case.data), 7))):
            seen = drive(machine(body_bytes_max=BODY_MAX), pieces)
            *served, status, end = seen
            assert end is CLOSED and status in case.statuses
            assert len(served) == case.served and all(event.path != b"/smuggled" for event in served)

    check_all(check, REFUSED, lambda case: case.name)


def test_odd_is_served_alike():
    def check(name: str) -> None:
        data = ODD[name]
        seen = [
            drive(machine(), pieces)
            for machine in MACHINES
            for pieces in ([data + SECOND], bytewise(data + SECOND), [data, SECOND])
        ]
        assert all(events == seen[0] for events in seen)
        assert [event.path for event in seen[0]][1:] == [b"/smuggled"]

    check_all(check, ODD)


# The two machines side by side

PARTS = [
    *(data for data, _ in SERVED.values()), *(data for data, _ in LAST.values()), *ODD.values(), WEBSOCKET,
    *(case.data for case in REFUSED),
]  # fmt: skip

SPLICES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b",", b"0", b"5", b"chunked", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Host: h\r\n", b"\r\n\r\n", b"\xff", b"/", b"?", b"HTTP/1.1",
    b"Expect: 100-continue\r\n",
]  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        taken = draw(st.integers(0, 4))
        data[at : at + taken] = draw(st.sampled_from(SPLICES) | st.binary(max_size=3))
    return bytes(data)


def check_alike(data: bytes, places: Iterable[int], eof: bool) -> None:
    """Any machine, any cut: the same events. Any bytes: requests, or one fault and the end."""
    pieces = cut(data, places)
    seen = [drive(machine(body_bytes_max=BODY_MAX), p, eof) for machine in MACHINES for p in ([data], pieces)]
    assert all(events == seen[0] for events in seen)
    assert all(isinstance(event, Request | Upgrade) for event in seen[0][:-2])


PLACES = st.lists(st.integers(0, 5000), max_size=6)


@settings(max_examples=250, deadline=None)
@given(conversations(), PLACES, st.booleans())
def test_machines_agree(data, places, eof):
    check_alike(data, places, eof)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), PLACES, st.booleans())
def test_machines_agree_on_noise(data, places, eof):
    check_alike(data, places, eof)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_machines_agree_for_long():
    """A million mutated conversations; a failure names its seed."""
    for seed in range(1_000_000):
        chance = random.Random(seed)
        data = bytearray(b"".join(chance.choices(PARTS, k=chance.randint(1, 3))))
        for _ in range(chance.randint(0, 4)):
            at = chance.randint(0, len(data))
            data[at : at + chance.randint(0, 4)] = chance.choice(SPLICES)
        try:
            places = chance.choices(range(5000), k=chance.randint(0, 6))
            check_alike(bytes(data), places, chance.random() < 0.5)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
