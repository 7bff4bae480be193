"""The RESP3 machine of the client: every kind of value, whole, byte by byte, with more behind it, and nonsense.

Values that hypothesis makes are written down as RESP3 by the few lines of `written`, and must come out again however
the bytes are cut. Nonsense must be refused, and never be anything but a RemoteProtocolError.
"""

import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synap.client.errors import LocalProtocolError, Refused, RemoteProtocolError
from synap.client.machine import NEED_DATA, ClientMachine, Limits, Push, Reply, encode

SMALL = Limits(depth_max=4, line_bytes_max=100, bulk_bytes_max=1000, reply_bytes_max=3000, items_max=50)


def machine(calls: int = 1, limits: Limits | None = None) -> ClientMachine:
    """One that awaits so many replies."""
    made = ClientMachine(limits)
    for _ in range(calls):
        made.call("PING")
    return made


def events(made: ClientMachine) -> list[Any]:
    """All that are whole."""
    found = []
    while (event := made.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def same(one: Any, other: Any) -> bool:
    """Equal, refusals by their texts, and NaN to itself."""
    if isinstance(one, Refused):
        return isinstance(other, Refused) and (one.code, one.text) == (other.code, other.text)
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and bool(one == other)


CASES: list[tuple[bytes, Any]] = [
    (b"+OK\r\n", b"OK"), (b"+\r\n", b""), (b"+a b\r\n", b"a b"),
    (b"-ERR no\r\n", Refused("ERR", "no")), (b"-NOAUTH\r\n", Refused("NOAUTH", "")),
    (b"!7\r\nERR a\nb\r\n", Refused("ERR", "a\nb")),
    (b":0\r\n", 0), (b":-12\r\n", -12), (b":+3\r\n", 3), (b":9223372036854775807\r\n", 2**63 - 1),
    (b"$0\r\n\r\n", b""), (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"), (b"$-1\r\n", None), (b"*-1\r\n", None), (b"_\r\n", None),
    (b"#t\r\n", True), (b"#f\r\n", False),
    (b",1.5\r\n", 1.5), (b",-3\r\n", -3.0), (b",1e-7\r\n", 1e-7), (b",inf\r\n", math.inf), (b",-inf\r\n", -math.inf),
    (b",nan\r\n", math.nan), (b"(3492890328409238509324850943850943825024385\r\n",
                              3492890328409238509324850943850943825024385),
    (b"=8\r\ntxt:some\r\n", b"some"), (b"=4\r\nmkd:\r\n", b""),
    (b"*0\r\n", []), (b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n", [1, [b"a"]]), (b"*1\r\n-ERR in\r\n", [Refused("ERR", "in")]),
    (b"~2\r\n+a\r\n+a\r\n", [b"a", b"a"]), (b"%0\r\n", {}), (b"%1\r\n+a\r\n%1\r\n+b\r\n:1\r\n", {b"a": {b"b": 1}}),
    (b"%1\r\n*2\r\n:1\r\n*0\r\n:5\r\n", {(1, ()): 5}), (b"%1\r\n%1\r\n:1\r\n:2\r\n:5\r\n", {((1, 2),): 5}),
    (b"|1\r\n+ttl\r\n:3\r\n:7\r\n", 7), (b"*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:7\r\n:8\r\n", [7, 8]),
    (b"|0\r\n:7\r\n", 7),
]  # fmt: skip


@pytest.mark.parametrize("data, value", CASES, ids=[repr(data[:30]) for data, _ in CASES])
def test_every_kind_four_ways(data: bytes, value: Any) -> None:
    whole = machine()
    whole.receive_data(data)
    assert same([event.value for event in events(whole)], [value])
    assert whole.between

    single = machine()
    for at in range(len(data)):
        assert single.next_event() is NEED_DATA and not single.between
        single.receive_data(data[at : at + 1])
    found = single.next_event()
    assert isinstance(found, Reply) and same(found.value, value)
    assert single.next_event() is NEED_DATA and single.between

    trailing = machine(2)
    trailing.receive_data(data + b":4")
    found = trailing.next_event()
    assert isinstance(found, Reply) and same(found.value, value)
    assert trailing.next_event() is NEED_DATA and not trailing.between
    trailing.receive_data(b"2\r\n")
    assert events(trailing) == [Reply(42)]

    garbage = machine(2)
    garbage.receive_data(data + b"?what\r\n")
    found = garbage.next_event()
    assert isinstance(found, Reply) and same(found.value, value)
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            garbage.next_event()


@pytest.mark.parametrize("data, what", [
    (b"\r\n", "an empty line"), (b"OK\r\n", "the start"), (b"+a\nb\r\n", "CR or LF"), (b"+a\rb\r\n", "CR or LF"),
    (b":\r\n", "an integer"), (b":1 \r\n", "an integer"), (b":1_0\r\n", "an integer"), (b": 1\r\n", "an integer"),
    (b":" + b"1" * 30 + b"\r\n", "an integer"), (b",1.5x\r\n", "the start"), (b",\r\n", "the start"),
    (b",1_0\r\n", "the start"), (b"(1.5\r\n", "the start"), (b"#x\r\n", "the start"), (b"_x\r\n", "the start"),
    (b"$-2\r\n", "size"), (b"$+1\r\n", "size"), (b"$\r\n", "size"), (b"$?\r\n", "size"), (b"*?\r\n", "size"),
    (b"%-1\r\n", "size"), (b"!-1\r\n", "size"), (b"$1\r\nabc", "not followed by CR LF"),
    (b"$1001\r\n", "the limit is 1000"), (b"*51\r\n", "the limit is 50"), (b"%26\r\n", "more than 50 values"),
    (b"*2\r\n*40\r\n" + b":1\r\n" * 40 + b"*40\r\n", "more than 50 values"),
    (b"*1\r\n" * 5, "nested more than 4"), (b"+" + b"x" * 100 + b"\r\n", "a line of more than 100"),
    (b"+" + b"x" * 102, "a line of more than 100"),
    (b"*4\r\n" + b"".join(b"$900\r\n%b\r\n" % (b"x" * 900) for _ in range(4)), "a reply of more than 3000"),
    (b"=3\r\ntxt\r\n", "verbatim"), (b"=5\r\ntxt!a\r\n", "verbatim"),
    (b">0\r\n", "without a kind"), (b">1\r\n:1\r\n", "kind is not a text"), (b"*1\r\n>1\r\n+a\r\n", "push within"),
    (b":1\r\n:2\r\n", "no call asked for"), (b":1\r\n-ERR x\r\n", "no call asked for"),
])  # fmt: skip
def test_nonsense_is_refused(data: bytes, what: str) -> None:
    for step in (len(data), 1):
        made = machine(1, SMALL)
        with pytest.raises(RemoteProtocolError, match=what):
            for at in range(0, len(data), step):
                made.receive_data(data[at : at + step])
                events(made)
        with pytest.raises(RemoteProtocolError, match=what):
            made.next_event()


def test_pushes_come_between_replies() -> None:
    made = machine(2)
    made.receive_data(b">3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$2\r\nhi\r\n:1\r\n>1\r\n+pong\r\n:2\r\n")
    assert events(made) == [Push("message", [b"t", b"hi"]), Reply(1), Push("pong", []), Reply(2)]


def test_what_pushes_answer_may_be_refused() -> None:
    made = ClientMachine()
    assert made.send("SUBSCRIBE", "a") == encode(["SUBSCRIBE", "a"])
    made.receive_data(b"-NOPERM no\r\n")
    assert same([event.value for event in events(made)], [Refused("NOPERM", "no")])
    made.receive_data(b"+OK\r\n")
    with pytest.raises(RemoteProtocolError, match="no call asked for"):
        made.next_event()


def test_words() -> None:
    assert encode(["SET", b"\xff", bytearray(b"a"), memoryview(b"b"), 1, 1.5, "\u00e4"]) == (
        b"*7\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\n1\r\n$3\r\n1.5\r\n$2\r\n\xc3\xa4\r\n"
    )
    for wrong in (None, True, ["a"], object()):
        with pytest.raises(LocalProtocolError, match=type(wrong).__name__):
            encode(["SET", "a", wrong])  # type: ignore[list-item]
    with pytest.raises(LocalProtocolError):
        encode([])
    made = ClientMachine()
    with pytest.raises(LocalProtocolError):
        made.call_all([("GET", "a"), ("SET", "a", None)])  # type: ignore[list-item]
    assert made.between  # nothing is awaited of what was never sent


# ---- made-up values ----


def written(value: Any) -> bytes:
    """A value as RESP3."""
    if value is None:
        return b"_\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return (b":%d\r\n" if abs(value) < 2**63 else b"(%d\r\n") % value
    if isinstance(value, float):
        return b",%b\r\n" % repr(value).encode()
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, Refused):
        text = str(value).encode()
        return b"!%d\r\n%b\r\n" % (len(text), text)
    if isinstance(value, dict):
        return b"%%%d\r\n" % len(value) + b"".join(written(key) + written(item) for key, item in value.items())
    return b"*%d\r\n" % len(value) + b"".join(map(written, value))


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=40) | st.builds(
    Refused, st.from_regex("[A-Z]{1,9}", fullmatch=True), st.text("ab \n\u00e4").map(str.strip).filter(bool)
)  # fmt: skip
KEYS = st.binary(max_size=9) | st.integers(2)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=30
)


@settings(max_examples=150, deadline=None)
@given(values=st.lists(VALUES, max_size=5), data=st.data())
def test_made_up_values_come_out_however_they_are_cut(values: list[Any], data: st.DataObject) -> None:
    stream = b"".join(map(written, values))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    made = machine(len(values))
    found = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        made.receive_data(stream[start:end])
        found += [event.value for event in events(made)]
    assert same(found, values)
    assert made.between


ALIKE = st.lists(st.none() | st.integers(-99) | st.binary(max_size=9), min_size=4, max_size=6)


@settings(max_examples=200, deadline=None)
@given(first=ALIKE, named=st.booleans(), count=st.integers(0, 8), data=st.data())
def test_members_that_are_alike(first: list[Any], named: bool, count: int, data: st.DataObject) -> None:
    """They come out as they went in, with members among them that are not quite alike; and so if they are cut."""
    other = {int: st.integers(-99), bytes: st.none() | st.binary(max_size=9), type(None): st.none() | st.binary()}
    members: list[Any] = [first]
    for _ in range(count):
        kinds = [other[type(value)] if data.draw(st.integers(0, 9)) else PLAIN for value in first]
        members.append([data.draw(kind) for kind in kinds])
    if named:
        members = [{b"name %d" % i: value for i, value in enumerate(member)} for member in members]
    stream = written([members, 5])
    cut = data.draw(st.integers(0, len(stream)))
    made = machine()
    made.receive_data(stream[:cut])
    found = events(made)
    made.receive_data(stream[cut:])
    found += events(made)
    assert same([event.value for event in found], [[members, 5]]) and made.between


def test_members_that_are_alike_and_too_many() -> None:
    member = b"*4\r\n:1\r\n:2\r\n:3\r\n$1\r\na\r\n"
    made = machine(1, SMALL)
    made.receive_data(b"*9\r\n" + member * 8)
    assert made.next_event() is NEED_DATA
    made.receive_data(member)
    assert made.next_event() == Reply([[1, 2, 3, b"a"]] * 9)
    made = machine(1, SMALL)
    made.receive_data(b"*20\r\n" + member * 20)
    with pytest.raises(RemoteProtocolError, match="more than 50 values"):
        made.next_event()
    made = machine(2)
    made.receive_data(b"*12\r\n" + b":1\r\n:-20\r\n:0\r\n" * 4 + b":7\r\n")
    assert events(made) == [Reply([1, -20, 0] * 4), Reply(7)], "numbers, and no more of them than the array has"
    made = machine(1, SMALL)
    made.receive_data(b"*9\r\n" + member * 3 + member.replace(b"$1", b"$2") + member * 5)
    with pytest.raises(RemoteProtocolError, match="not followed by CR LF"):
        made.next_event()


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"*2\r\n", b"%1\r\n", b"$3\r\n", b"abc", b"\r\n", b":1\r\n", b">2\r\n", b"|1\r\n", b"+a\r\n"])
        | st.binary(max_size=5),
        max_size=20,
    )
)  # fmt: skip
def test_anything_is_read_or_refused_alike_in_one_piece_and_byte_by_byte(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    outcomes = []
    for step in (len(stream) or 1, 1):
        made = machine(100, SMALL)
        found: list[Any] = []
        try:
            for at in range(0, len(stream), step):
                made.receive_data(stream[at : at + step])
                while (event := made.next_event()) is not NEED_DATA:
                    found.append(event.value if isinstance(event, Reply) else [event.kind, *event.items])
            outcomes.append((found, ""))
        except RemoteProtocolError as error:
            outcomes.append((found, str(error).split(":")[0][:12]))
    assert same(outcomes[0][0], outcomes[1][0]) and bool(outcomes[0][1]) == bool(outcomes[1][1]), outcomes


def test_the_work_is_linear_in_the_bytes() -> None:
    """Byte by byte, eight times as many bytes take about eight times as long; quadratic would be 64 times."""

    def seconds(size: int) -> float:
        best = math.inf
        stream = b"*3\r\n$%d\r\n%b\r\n+%b\r\n:1\r\n" % (size, b"x" * size, b"y" * min(size, 60_000))
        for _ in range(3):
            made = machine()
            before = time.process_time()
            for at in range(len(stream)):
                made.receive_data(stream[at : at + 1])
                made.next_event()
            best = min(best, time.process_time() - before)
        return best

    assert seconds(80_000) < 30 * seconds(10_000)


def test_what_was_read_is_given_back() -> None:
    """Also while something unread is always left."""
    made = machine(3001)
    made.receive_data(b"$1000\r\n%b" % (b"x" * 500))
    for _ in range(3000):
        made.receive_data(b"%b\r\n$1000\r\n%b" % (b"x" * 500, b"x" * 500))
        assert made.next_event() == Reply(b"x" * 1000) and made.next_event() is NEED_DATA
        assert len(made._buffer) < 300_000
    made.receive_data(b"%b\r\n" % (b"x" * 500))
    assert made.next_event() == Reply(b"x" * 1000) and len(made._buffer) == 0
