"""What a WebSocket server must do, as rows: the cases of the Autobahn suite, told again.

Sections are numbered as there: 1 framing, 2 pings, 3 reserved bits, 4 opcodes, 5 fragments, 6 UTF-8, 7 closing,
9 sizes, 10 fragments made by others, 12 and 13 permessage-deflate. The server echoes texts and ignores binary
messages.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.server.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Deflated,
    chopped,
    closing,
    frame,
)

MESSAGE_MAX = 4 << 20
"""`limits.websocket_message_bytes_max` of the server that is asked."""

REFUSED_BINARY = [(TEXT, b'{"type":"error","error":"Invalid request: wanted a text message, found a binary one"}')]


@dataclass(frozen=True)
class Case:
    """Send `sent`, read `wanted` and then a Close with `code`.

    With code 0 the connection must have stayed open: the client closes it with 1000.
    """

    name: str
    sent: list[bytes | Deflated]
    wanted: list[tuple[int, bytes]] = field(default_factory=list)
    code: int | None = 0
    offer: str = ""
    told: str | None = None  # what the server must say of extensions


def texts(*given: bytes) -> list[tuple[int, bytes]]:
    """Frames that an echo sends."""
    return [(TEXT, text) for text in given]


HELLO = "Hello-µ@ßöäüàá-UTF-8!!".encode()
SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 65535, 65536)


def framing() -> Iterator[Case]:
    for size in SIZES:
        text = b"*" * size
        yield Case(f"1.1 text of {size}", [frame(TEXT, text)], texts(text))
        yield Case(f"1.2 binary of {size} is refused", [frame(BINARY, b"\xfe" * size), frame(PING, b"p")],
                   [*REFUSED_BINARY, (PONG, b"p")])  # fmt: skip
    for step in (1, 3, 997):
        text = b"*" * (300 if step == 1 else 65536)
        yield Case(f"1.1 text in pieces of {step}", chopped(frame(TEXT, text), step), texts(text))
    yield Case("1.3 many in one write", [b"".join(frame(TEXT, b"%d" % n) for n in range(200))],
               texts(*(b"%d" % n for n in range(200))))  # fmt: skip
    for opcode in (TEXT, BINARY, PING, CLOSE):
        yield Case(f"1.4 opcode {opcode} without a mask", [frame(opcode, b"\x03\xe8", mask=False)], code=1002)
    for size, width in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
        yield Case(f"1.5 length {size} in {width} octets", [frame(TEXT, b"x" * size, form=width)], code=1002)
    yield Case("1.5 a length with its first bit", [frame(TEXT, form=8, announced=1 << 63)], code=1002)


def pings() -> Iterator[Case]:
    for size in range(126):
        yield Case(f"2.1 ping of {size}", [frame(PING, b"\xfe" * size)], [(PONG, b"\xfe" * size)])
    for size, width in ((126, 2), (65536, 8), (5, 2), (5, 8)):
        yield Case(f"2.5 ping of {size}, length in {width}", [frame(PING, b"x" * size, form=width)], code=1002)
    yield Case("2.6 ping octet by octet", chopped(frame(PING, b"\xfe" * 125), 1), [(PONG, b"\xfe" * 125)])
    for payload in (b"", b"unasked"):
        yield Case(f"2.7 pong {payload!r}", [frame(PONG, payload)])
        yield Case(f"2.9 pong {payload!r}, then ping", [frame(PONG, payload), frame(PING, b"p")], [(PONG, b"p")])
    ten = [frame(PING, b"payload-%d" % n) for n in range(10)]
    pongs = [(PONG, b"payload-%d" % n) for n in range(10)]
    yield Case("2.10 ten pings", list(ten), pongs)
    yield Case("2.11 ten pings octet by octet", chopped(b"".join(ten), 1), pongs)


def reserved() -> Iterator[Case]:
    hello = frame(TEXT, HELLO)
    for rsv in range(1, 8):
        bad = frame(TEXT, HELLO, rsv=rsv)
        for name, sent, wanted in (
            ("alone", [bad], []),
            ("with nothing in it", [frame(TEXT, rsv=rsv)], []),
            ("after a text", [hello, bad, frame(PING)], texts(HELLO)),
            ("after a text, in one write", [hello + bad + frame(PING)], texts(HELLO)),
            ("octet by octet", chopped(hello + bad, 1), texts(HELLO)),
            ("binary", [frame(BINARY, b"\x00\xff", rsv=rsv)], []),
            ("ping", [frame(PING, b"p", rsv=rsv)], []),
            ("pong", [frame(PONG, b"p", rsv=rsv)], []),
            ("close", [frame(CLOSE, b"\x03\xe8", rsv=rsv)], []),
            ("continuation", [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", rsv=rsv)], []),
        ):
            yield Case(f"3 reserved bits {rsv}, {name}", list(sent), wanted, 1002)


def opcodes() -> Iterator[Case]:
    hello = frame(TEXT, HELLO)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for name, sent, wanted in (
            ("empty", [frame(opcode)], []),
            ("with payload", [frame(opcode, b"reserved")], []),
            ("after a text", [hello, frame(opcode), frame(PING)], texts(HELLO)),
            ("after a text, in one write", [hello + frame(opcode, b"x") + frame(PING)], texts(HELLO)),
            ("octet by octet", chopped(hello + frame(opcode, b"x"), 1), texts(HELLO)),
            ("within a message", [frame(TEXT, b"a", fin=False), frame(opcode)], []),
        ):
            yield Case(f"4 opcode {opcode}, {name}", list(sent), wanted, 1002)


def fragments() -> Iterator[Case]:
    first, middle = frame(TEXT, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2", fin=False)
    last = frame(CONTINUATION, b"fragment3")
    whole = texts(b"fragment1fragment2fragment3")
    ping = frame(PING, b"p")
    for opcode in (PING, PONG, CLOSE):
        yield Case(f"5.1 opcode {opcode} in fragments", [frame(opcode, b"\x03\xe8", fin=False)], code=1002)
        yield Case(f"5.2 opcode {opcode} in fragments, with its end",
                   [frame(opcode, b"\x03\xe8", fin=False) + frame(CONTINUATION, b"")], code=1002)  # fmt: skip
    for name, how in (("apart", lambda data: list(data)), ("in one write", lambda data: [b"".join(data)]),
                      ("octet by octet", lambda data: chopped(b"".join(data), 1))):  # fmt: skip
        pong = [(PONG, b"p")]
        for title, data, wanted, code in (
            ("5.3 two", [first, last], texts(b"fragment1fragment3"), 0),
            ("5.6 two around a ping", [first, ping, last], [*pong, *texts(b"fragment1fragment3")], 0),
            ("5.7 three", [first, middle, last], whole, 0),
            ("5.8 three around pings", [first, ping, middle, ping, last], pong + pong + whole, 0),
            ("5.8 three around pongs", [first, frame(PONG), middle, frame(PONG, b"x"), last], whole, 0),
            ("5.9 an end of nothing", [last, frame(TEXT, b"hi")], [], 1002),
            ("5.12 a middle of nothing", [middle, frame(TEXT, b"hi")], [], 1002),
            ("5.15 after a whole one, an end of nothing", [first, last, last], texts(b"fragment1fragment3"), 1002),
            ("5.16 a middle, then a text", [middle, first, last], [], 1002),
            ("5.18 two texts, the first not ended", [first, frame(TEXT, b"hi")], [], 1002),
            ("5.18 a text and a binary, the first not ended", [first, frame(BINARY, b"hi")], [], 1002),
            ("5.18 a binary and a text", [frame(BINARY, b"x", fin=False), frame(TEXT, b"hi")], [], 1002),
            ("5.19 five around pings", [first, middle, ping, middle, middle, ping, last],
             pong + pong + texts(b"fragment1" + b"fragment2" * 3 + b"fragment3"), 0),
            ("5.20 a close within a message", [first, closing(1000)], [], 1000),
            ("5.21 empty fragments", [frame(TEXT, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)],
             texts(b""), 0),
            ("5.22 only the middle has something",
             [frame(TEXT, fin=False), middle, frame(CONTINUATION)], texts(b"fragment2"), 0),
        ):  # fmt: skip
            yield Case(f"{title}, {name}", how(data), wanted, code)


VALID = [
    HELLO, "κόσμε".encode(), b"\x00", b"\x7f", b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xef\xbf\xbf",
    b"\xef\xbf\xbd",
    b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xf0\x90\x80\x80", b"\xf3\xb0\x80\x80", b"\xef\xbf\xbe",
    "𝄞😀".encode(),
    *(chr(plane << 16 | low).encode() for plane in range(1, 17) for low in (0xFFFE, 0xFFFF)),
]  # fmt: skip
"""Section 6.5 to 6.7, 6.9, 6.11, 6.22: also what is no character is well formed."""

INVALID = [
    # 6.3 surrogates in a word, 6.8 first impossible lengths, 6.10, 6.12 lone continuations
    "κόσμε".encode() + b"\xed\xa0\x80edited", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf",
    b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe",
    b"\xff", b"\xfe\xfe\xff\xff",
    *(b"\x80" * count for count in range(1, 8)), b"\xbf", bytes(range(0x80, 0xC0)),
    # 6.13 lone starts
    b"".join(b"%c " % lead for lead in range(0xC0, 0xE0)), b"".join(b"%c " % lead for lead in range(0xE0, 0xF0)),
    b"".join(b"%c " % lead for lead in range(0xF0, 0xF8)), b"\xf8 \xf9 ", b"\xfc ",
    # 6.14 cut short, 6.15 one after the other
    b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf", b"\xc0\xe0\x80\xf0\x80\x80", b"\xe2\x82", b"\xf0\x9d\x84",
    b"hello\xc3",
    # 6.16 impossible octets in a word, 6.17 to 6.19 too long forms
    b"a\xfeb", b"a\xffb", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
    b"\xfc\x80\x80\x80\x80\xaf",
    b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf",
    b"\xc0\x80", b"\xe0\x80\x80",
    b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80",
    # 6.20 lone surrogates, 6.21 pairs of them
    b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80",
    b"\xed\xbf\xbf",
    *(high + low for high in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
      for low in (b"\xed\xb0\x80", b"\xed\xbf\xbf")),
]  # fmt: skip


def utf8() -> Iterator[Case]:
    for text in VALID:
        yield Case(f"6 {text!r}", [frame(TEXT, text)], texts(text))
        pieces = chopped(text, 1)
        sent = b"".join(
            frame(TEXT if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1) for at,
            piece in enumerate(pieces)
        )
        yield Case(f"6 {text!r} in fragments of one", [sent], texts(text))
    for text in INVALID:
        yield Case(f"6 no text: {text!r}", [frame(TEXT, text)], code=1007)
        if len(text) > 1:
            sent = frame(TEXT, text[:1], fin=False) + frame(CONTINUATION, text[1:])
            yield Case(f"6 no text: {text!r} in fragments", [sent], code=1007)
    start = "κόσμε".encode()
    for bad in (b"\xf4\x90", b"\xed\xa0", b"\xc0", b"\xe0\x9f", b"\xf0\x8f", b"\xff", b"\xf5", b"\x80"):
        # Not whole, and it never will be: the answer must not wait for more.
        yield Case(f"6.4 at once: fragment with {bad!r}", [frame(TEXT, start + bad, fin=False)], code=1007)
        yield Case(f"6.4 at once: fragments, then {bad!r}",
                   [frame(TEXT, start, fin=False), frame(CONTINUATION, bad, fin=False)], code=1007)  # fmt: skip
        lie = frame(TEXT, start + bad, announced=1000)
        yield Case(f"6.4 at once: half a frame with {bad!r}", [lie], code=1007)
        yield Case(f"6.4 at once: octet by octet, {bad!r}", chopped(lie, 1), code=1007)


def ends() -> Iterator[Case]:
    hello = frame(TEXT, HELLO)
    yield Case("7.1.1 a text, then close", [hello, closing()], texts(HELLO), 1000)
    yield Case("7.1.2 two closes", [closing() + closing()], code=1000)
    yield Case("7.1.3 a ping after close", [closing() + frame(PING)], code=1000)
    yield Case("7.1.4 a text after close", [closing() + hello], code=1000)
    yield Case("7.1.5 close within a message", [frame(TEXT, b"a", fin=False) + closing() + frame(CONTINUATION)],
         code=1000)
    yield Case("7.1.6 much, then close", [frame(TEXT, b"x" * 262144) + hello + closing() + frame(PING)],
               texts(b"x" * 262144, HELLO), 1000)  # fmt: skip
    yield Case("7.1.7 trash after close", [closing() + b"\xff" * 1000], code=1000)
    yield Case("7.3.1 nothing in it", [frame(CLOSE)], code=None)
    yield Case("7.3.2 half a code", [frame(CLOSE, b"\x03")], code=1002)
    yield Case("7.3.3 a code", [closing(1000)], code=1000)
    for size in (1, 5, 122, 123):
        yield Case(f"7.3.4 a reason of {size}", [closing(1000, b"r" * size)], code=1000)
    yield Case("7.3.6 a reason of 124", [closing(1000, b"r" * 124)], code=1002)
    for text in INVALID[:20]:
        yield Case(f"7.5 a reason that is no text: {text!r}", [closing(1000, text[:100])], code=1007)
    yield Case("7.5 a reason in Greek", [closing(1000, "κόσμε".encode())], code=1000)
    for code in (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3001, 3999, 4000, 4999):
        yield Case(f"7.7 code {code}", [closing(code)], code=code)
        yield Case(f"7.7 code {code} with a reason", [closing(code, b"why")], code=code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2998, 2999, 5000, 9999, 65535):
        yield Case(f"7.9 code {code}", [closing(code)], code=1002)
        yield Case(f"7.9 code {code} with a reason", [closing(code, b"why")], code=1002)
    yield Case("7.13 close octet by octet", chopped(closing(4000, b"bye"), 1), code=4000)


def sizes() -> Iterator[Case]:
    for size in (65536, 262144, 1 << 20, MESSAGE_MAX):
        text = b"*" * size
        yield Case(f"9.1 text of {size}", [frame(TEXT, text)], texts(text))
        yield Case(f"9.2 binary of {size}", [frame(BINARY, text), frame(PING)], [*REFUSED_BINARY, (PONG, b"")])
    for step in (64, 256, 4096, 65536):
        text = b"*" * (MESSAGE_MAX if step > 256 else 1 << 19)
        yield Case(f"9.3 fragments of {step}", [cut(text, step)], texts(text))
    for step in (64, 1024, 4096):
        text = b"*" * (1 << 18)
        yield Case(f"9.5 pieces of {step}", chopped(frame(TEXT, text), step), texts(text))
    for size in (0, 16, 64, 256, 1024):
        count = 200
        yield Case(f"9.7 {count} texts of {size}", [frame(TEXT, b"*" * size) * count], texts(*[b"*" * size] * count))
    yield Case("9.9 one octet too many", [frame(TEXT, b"", announced=MESSAGE_MAX + 1)], code=1009)
    yield Case("9.9 a lie about 2^62 octets", [frame(TEXT, b"", announced=1 << 62)], code=1009)
    yield Case("9.9 binary too large", [frame(BINARY, b"", announced=MESSAGE_MAX + 1)], code=1009)
    yield Case("9.9 too large in fragments",
               [frame(TEXT, b"*" * MESSAGE_MAX, fin=False), frame(CONTINUATION, b"", announced=1)],
               code=1009)  # fmt: skip
    yield Case("9.9 too many fragments", [frame(TEXT, fin=False), frame(CONTINUATION, fin=False) * 9999], code=1009)


def cut(text: bytes, step: int) -> bytes:
    """A message in fragments."""
    pieces = chopped(text, step)
    last = len(pieces) - 1
    return b"".join(frame(TEXT if at == 0 else CONTINUATION, piece, fin=at == last) for at, piece in enumerate(pieces))


def cut_by_others() -> Iterator[Case]:
    text = b"*" * 65536
    for step in (1300, 1, 65535):
        size = 2000 if step == 1 else 65536
        yield Case(f"10.1 fragments of {step}", [cut(text[:size], step)], texts(text[:size]))


SENT = {
    "as JSON": b'{"type":"event","offset":12345,"event":"message","data":{"text":"what is said","n":[1,2,3]}}',
    "as numbers": b"".join(b"%d," % (n * n * 7919 % 100003) for n in range(200)),
    "of one octet": b"a",
    "as Greek": "κόσμε και άλλα ".encode(),
    "hard to compress": "".join(chr(0x21 + n * n * 31 % 0x5D) for n in range(997)).encode(),
}
OFFERS = {
    "permessage-deflate": "permessage-deflate",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover":
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9":
        "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
    "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15":
        "permessage-deflate; client_max_window_bits=12; server_max_window_bits=12",
    "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=10":
        "permessage-deflate; client_max_window_bits=12; server_no_context_takeover; server_max_window_bits=10",
    'permessage-deflate; client_max_window_bits="8"': "permessage-deflate; client_max_window_bits=8",
    "permessage-deflate; unknown, x-other; a=1, permessage-deflate; client_no_context_takeover":
        "permessage-deflate; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=8, permessage-deflate": "permessage-deflate",
}  # fmt: skip
DECLINED = (
    "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=09",
    "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=+9",
    "permessage-deflate; client_no_context_takeover=1", "permessage-deflate; server_no_context_takeover=true",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; unknown", "x-webkit-deflate-frame", "permessage-bzip2",
)  # fmt: skip


def deflated() -> Iterator[Case]:
    plain = "permessage-deflate"
    for kind, seed in SENT.items():
        for size in (16, 64, 256, 1024, 4096, 16384, 65536, 131072):
            text = whole_text(seed, size)
            yield Case(f"12 {size} octets {kind}", [Deflated(text)] * 5, texts(*[text] * 5), offer=plain)
            if size >= 256:
                yield Case(f"12 {size} octets {kind} in fragments", [Deflated(text, 7)] * 3, texts(*[text] * 3),
                     offer=plain)
    for offer, told in OFFERS.items():
        for size in (0, 16, 64, 256, 1024, 4096, 8192, 16384, 65536, 131072):
            text = whole_text(SENT["as JSON"], size)
            yield Case(f"13 {offer}: {size}", [Deflated(text)] * 3, texts(*[text] * 3), offer=offer, told=told)
            yield Case(f"13 {offer}: {size} in fragments", [Deflated(text, 3)], texts(text), offer=offer, told=told)
        yield Case(f"13 {offer}: not compressed", [frame(TEXT, HELLO), Deflated(HELLO), frame(TEXT, HELLO)],
                   texts(HELLO, HELLO, HELLO), offer=offer, told=told)  # fmt: skip
    for offer in DECLINED:
        yield Case(f"13.8 declined: {offer}", [frame(TEXT, HELLO)], texts(HELLO), offer=offer, told="")
        yield Case(f"13.8 declined, used: {offer}", [frame(TEXT, HELLO, rsv=4)], code=1002, offer=offer, told="")
    yield from deflated_badly(plain)


def deflated_badly(offer: str) -> Iterator[Case]:
    """Reserved bits, octets that are no stream, sizes."""
    empty, stored = b"\x00", b"\x01\x05\x00\xfa\xffhello"
    yield Case("13.9 an empty message", [frame(TEXT, empty, rsv=4)], texts(b""), offer=offer)
    yield Case("13.9 a stream that ends in the message", [frame(TEXT, stored + empty, rsv=4)] * 3,
               texts(*[b"hello"] * 3), offer=offer)  # fmt: skip
    yield Case("13.9 a ping within", [
        frame(TEXT, stored[:4], rsv=4, fin=False), frame(PING, b"p"), frame(CONTINUATION, stored[4:] + empty),
    ], [(PONG, b"p"), (TEXT, b"hello")], offer=offer)  # fmt: skip
    yield Case("13.9 no stream", [frame(TEXT, b"\xff\xff\xff\xff", rsv=4)], code=1007, offer=offer)
    yield Case("13.9 streams without end", [frame(TEXT, b"\x03\x00" * 1000, rsv=4)], code=1007, offer=offer)
    yield Case("13.9 no UTF-8 in it", [Deflated(b"\xed\xa0\x80")], code=1007, offer=offer)
    for rsv in (1, 2, 3, 5, 6, 7):
        yield Case(f"13.9 reserved bits {rsv}", [frame(TEXT, stored + empty, rsv=rsv)], code=1002, offer=offer)
    for opcode in (PING, PONG, CLOSE):
        yield Case(f"13.9 opcode {opcode} compressed", [frame(opcode, b"", rsv=4)], code=1002, offer=offer)
    yield Case("13.9 a continuation compressed", [
        frame(TEXT, stored[:4], rsv=4, fin=False), frame(CONTINUATION, stored[4:], rsv=4),
    ], code=1002, offer=offer)  # fmt: skip
    yield Case("13.9 just fits", [Deflated(b"*" * MESSAGE_MAX)], texts(b"*" * MESSAGE_MAX), offer=offer)
    yield Case("13.9 inflates to one too many", [Deflated(b"*" * (MESSAGE_MAX + 1))], code=1009, offer=offer)
    yield Case("13.9 too large in fragments", [Deflated(b"*" * (2 * MESSAGE_MAX), 50)], code=1009, offer=offer)


def whole_text(seed: bytes, size: int) -> bytes:
    """About so many octets, whole characters."""
    return (seed * (size // len(seed) + 1))[:size].decode(errors="ignore").encode()


def all_cases() -> list[Case]:
    """Every row; names are unique."""
    sections = (framing, pings, reserved, opcodes, fragments, utf8, ends, sizes, cut_by_others, deflated)
    return [case for section in sections for case in section()]


def code_of(payload: bytes) -> int | None:
    """The code in a Close."""
    if not payload:
        return None
    (code,) = struct.unpack("!H", payload[:2])
    payload[2:].decode()
    return int(code)
