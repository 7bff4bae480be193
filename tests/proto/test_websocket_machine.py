"""The WebSocket machine alone: every cut, any octets, and wsproto's own client at the other end."""

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Pong, TextMessage
from wsproto.events import Ping as AskPing
from wsproto.events import Request as AskRequest
from wsproto.extensions import PerMessageDeflate

from synap.proto.deflate import BadOffers, Deflate, agree, read_offers
from synap.proto.http import CLOSED, NEED_DATA, LocalProtocolError, Upgrade
from synap.proto.http import Machine as HttpMachine
from synap.proto.websocket import Accepted, Failed, Machine, Message, PeerClosed, Ping, accept
from tests.cases import check_all

MASK = b"\x01\x02\x03\x04"


def sent(first: int, payload: bytes) -> bytes:
    """A frame of a client, up to 65,535 octets."""
    size = len(payload)
    head = bytes([first, 0x80 | size]) if size < 126 else bytes([first, 0xFE]) + size.to_bytes(2, "big")
    return head + MASK + bytes(octet ^ MASK[at % 4] for at, octet in enumerate(payload))


def heard(machine: Machine, pieces: list[bytes]) -> list[object]:
    """All events that the pieces make."""
    found: list[object] = []
    for piece in pieces:
        machine.receive_data(piece)
        while (event := machine.next_event()) is not NEED_DATA and event is not CLOSED:
            found.append(event)
            if isinstance(event, Failed | PeerClosed):
                machine.close(event.code)
    return found


TALK = (
    sent(0x81, b"whole") + sent(0x01, "κόσ".encode()[:5]) + sent(0x89, b"ping") + sent(0x80, "κόσ".encode()[5:])
    + sent(0x82, bytes(range(256)) * 200) + sent(0x8A, b"pong") + sent(0x88, b"\x0f\xa0bye")
)  # fmt: skip


def check_pieces(pieces: list[bytes]) -> None:
    found = [repr(event) for event in heard(Machine(), pieces)]
    assert found == [repr(event) for event in heard(Machine(), [TALK])]
    assert [part.partition("(")[0] for part in found] == ["Message", "Ping", "Message", "Message", "Pong", "PeerClosed"]


def test_every_cut_says_the_same() -> None:
    def check_seed(seed: int) -> None:
        chance = random.Random(seed)
        cuts = sorted(chance.randrange(len(TALK)) for _ in range(chance.randrange(1, 40)))
        check_pieces([TALK[start:end] for start, end in zip([0, *cuts], [*cuts, len(TALK)], strict=True)])

    check_pieces([TALK])
    check_pieces([TALK[at : at + 1] for at in range(len(TALK))])
    check_all(check_seed, range(200))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.booleans())
def test_garbage_is_a_fault_or_waits(pieces: list[bytes], deflates: bool) -> None:
    machine = Machine(deflate=Deflate() if deflates else None)
    found = heard(machine, pieces)
    assert sum(isinstance(event, Failed | PeerClosed) for event in found) <= 1
    if found and isinstance(found[-1], Failed):
        assert found[-1].code in (1002, 1007, 1009)
        assert machine.next_event() is CLOSED
        machine.receive_data(sent(0x81, b"more"))
        assert machine.next_event() is CLOSED


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_utf8_is_judged_as_the_whole_would_be(text: bytes, first: int, second: int) -> None:
    a, b = sorted((first, second))
    data = sent(0x01, text[:a]) + sent(0x00, text[a:b]) + sent(0x80, text[b:])
    found = heard(Machine(), [data])
    try:
        text.decode()
    except UnicodeDecodeError:
        assert [type(event) for event in found] == [Failed] and found[0].code == 1007  # type: ignore[attr-defined]
    else:
        assert found == [Message(text, True)]


def shaken(offer: bool) -> tuple[WSConnection, Machine]:
    """wsproto's client and our machine after a handshake."""
    client = WSConnection(ConnectionType.CLIENT)
    extensions = [PerMessageDeflate()] if offer else []
    asked = client.send(AskRequest(host="localhost", target="/x/ws", extensions=extensions))
    http = HttpMachine()
    http.receive_data(asked)
    upgrade = http.next_event()
    assert isinstance(upgrade, Upgrade)
    accepted = accept(upgrade.request)
    assert isinstance(accepted, Accepted)
    assert (accepted.deflate is not None) is offer
    client.receive_data(accepted.reply)
    assert isinstance(next(client.events()), AcceptConnection)
    return client, Machine(deflate=accepted.deflate)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=8))
def test_two_machines_talk(offer: bool, messages: list[str | bytes]) -> None:
    client, machine = shaken(offer)
    for message in messages:
        event = TextMessage(message) if isinstance(message, str) else BytesMessage(message)
        wanted = message.encode() if isinstance(message, str) else message
        assert heard(machine, [client.send(event)]) == [Message(wanted, isinstance(message, str))]
        if isinstance(message, str):
            client.receive_data(machine.send_text(wanted))
            assert "".join(got.data for got in client.events() if isinstance(got, TextMessage)) == message
    (ping,) = heard(machine, [client.send(AskPing(b"there?"))])
    assert ping == Ping(b"there?")
    client.receive_data(machine.pong(b"there?"))
    assert isinstance(next(client.events()), Pong)
    client.receive_data(machine.close(3001, "wir gehen: " + "ü" * 100))
    closed = next(client.events())
    assert isinstance(closed, CloseConnection) and closed.code == 3001
    assert heard(machine, [client.send(closed.response())]) == [PeerClosed(3001, closed.reason)]
    assert machine.next_event() is CLOSED and machine.close() == b""


def test_what_may_not_be_sent() -> None:
    machine = Machine()
    for wrong in (999, 1004, 1006, 1015, 2999, 5000):
        with pytest.raises(LocalProtocolError):
            machine.close(wrong)
    with pytest.raises(LocalProtocolError):
        machine.ping(b"x" * 126)
    assert machine.close(1001) == b"\x88\x02\x03\xe9"
    for send in (lambda: machine.send_text(b"late"), lambda: machine.ping(), lambda: machine.pong(b"")):
        with pytest.raises(LocalProtocolError):
            send()


def test_what_is_kept_is_what_came() -> None:
    """Neither announced lengths nor many small fragments nor what a bomb would inflate to cost memory."""
    made = zlib.compressobj(9, zlib.DEFLATED, -12)
    bomb = (made.compress(bytes(64 << 20)) + made.flush(zlib.Z_SYNC_FLUSH))[:-4]
    lie = b"\x81\xff" + (1 << 40).to_bytes(8, "big") + MASK
    machines = {
        "lie": (Machine(message_bytes_max=1 << 50), [lie + b"x" * 1000]),
        "fragments": (Machine(), [sent(0x01, b"a"), *[sent(0x00, b"b") * 100] * 200]),
        "bomb": (Machine(deflate=Deflate()), [sent(0xC1, bomb[:60000])]),
    }
    assert len(bomb) > 60000
    for name, (machine, pieces) in machines.items():
        tracemalloc.start()
        found = heard(machine, pieces)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < (2 if name == "fragments" else 6) << 20, (name, peak)
        assert [event.code for event in found if isinstance(event, Failed)] == ([1009] if name == "bomb" else []), name


def test_fragments_have_a_limit() -> None:
    machine = Machine(fragments_max=10)
    assert heard(machine, [sent(0x01, b"") + sent(0x00, b"") * 8 + sent(0x80, b"x")]) == [Message(b"x", True)]
    (failed,) = heard(machine, [sent(0x01, b"") + sent(0x00, b"") * 10])
    assert isinstance(failed, Failed) and failed.code == 1009


@pytest.mark.parametrize(("header", "found"), [
    ("", []), (" , ,", []), ("a", [("a", [])]), ("a;b", [("a", [("b", None)])]),
    ('a ; b = "c" , d', [("a", [("b", "c")]), ("d", [])]),
])  # fmt: skip
def test_offers(header: str, found: list[object]) -> None:
    assert read_offers(header) == found


@pytest.mark.parametrize("header", [";", "a;", "a b", "a;b=", 'a;b="', "a;=c", "(", "a,b c", ",".join("a" * 33)])
def test_offers_that_are_none(header: str) -> None:
    with pytest.raises(BadOffers):
        read_offers(header)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="permsag-dflt;=,\" _clientsvrmxwdowbkv0123456789", max_size=80))
def test_any_header_is_read_or_refused(header: str) -> None:
    try:
        agree(header)
    except BadOffers:
        pass
