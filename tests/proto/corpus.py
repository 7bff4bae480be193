"""Requests that two parsers could read differently, and oddities that they could not.

Every refused case ends in a second request to `/smuggled`: a machine that cuts the bytes anywhere
but where the rules say would serve it. Cases are templates times variations, so a new variation is
one entry in one list.
"""

from collections.abc import Iterator
from typing import NamedTuple

SECOND = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


class Case(NamedTuple):
    """`served` requests are answered before the refusal; `statuses` are those it may have."""

    name: str
    data: bytes
    served: int = 0
    statuses: tuple[int, ...] = (400,)


CONTROLS = [bytes([code]) for code in (*range(9), 11, 12, *range(14, 32), 127)]

BAD_LINES = [
    b"X : v", b"X\t: v", b" X: v", b"\tX: v", b": v", b"X", b"X v", b"X; v", b"X\x0b: v", b"X\x80: v",
    b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\r\n  b: c", b"X: \r\n y", b"X:\r\n \r\n z",
    b"X: a\nY: b", b"X: a\rY: b", b"X: a\r\rY: b", b"X: a\n", b"X: a\r", b"\nX: a", b"\rX: a", b"X\r: a",
    b"X\n: a", b"X: a\n\r", b"X: a\n b", b"Content-Length : 5", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked", b"Transfer-Encoding\x00: chunked", b" Transfer-Encoding: chunked",
    b"X: a\r\n Transfer-Encoding: chunked", b"X: a\nTransfer-Encoding: chunked", b"Content_Length: 5",
    b"Transfer_Encoding: chunked", b"content_LENGTH: 5",
    *(b"X: a%bb" % control for control in CONTROLS),
    *(b"X%b: a" % mark for mark in b'( ) , / ; < = > ? @ [ \\ ] { } "'.split(b" ")),
]  # fmt: skip

BAD_LENGTHS = [
    b"+5", b"-5", b"0x5", b"0X5", b"5_0", b"_5", b"5_", b"5 5", b"5,5", b"5, 5", b"5 ,5", b"5,", b",5", b",",
    b"5;", b"5.0", b"5e0", b"", b" ", b"\x0b5", b"5\x0c", b"5\x00", b"five", b'"5"', b"'5'", b"0b1", b"0o5",
    b"\xd9\xa5", b"\xb2", b"1" * 20, b"9" * 40, b"0" * 30 + b"5", b"5h", b"h5", b"NaN", b"5\t5", b"-0", b"+0",
    b"5\r\n 5", b"5\n6", b"6, 5", b"5, 6",
]  # fmt: skip

BAD_CODINGS = [
    b"chunked, chunked", b"chunked,chunked", b"identity", b"gzip", b"chunked, identity", b"chunked, gzip",
    b"xchunked", b"chunkedx", b"chunked;q=1", b"chunked,", b",chunked", b"chunked, ", b"\x0bchunked",
    b"chunked\x0b", b"chunk ed", b'"chunked"', b"'chunked'", b"chunked\x00", b"chu\tnked",
    b"chunked gzip", b"",
    b"chunked\x85", b"\xa0chunked", b"chunked\xa0", b"x, y", b"identity, chunked, identity", b"\\chunked",
    b"chunked\r\n ", b"\r\n chunked", b"chunked\n", b"cow", b"chunked-", b"Chunked, Chunked",
    b"deflate;chunked",
]  # fmt: skip

BAD_SIZES = [
    b"0x5", b"0X5", b"5_0", b"_5", b"5_", b"+5", b"-5", b" 5", b"5 ", b"\t5", b"5\t", b"5 ;a", b"", b"g",
    b"5g",
    b"5,5", b"5.0", b"5h", b";a", b"5\x00", b"\x005", b"5\x0b", b"5\r", b"\r5", b"5;a\rb", b"5;\x00",
    b"5;a\x7f",
    b"5;a\nb", b"5\n", b"5;\n", b"5;a\n", b"5\nhello", b"\xd9\xa5", b"1" * 17, b"F" * 17, b"F" * 100,
    b"0" * 16 + b"5", b"5;" + b"a" * 2000, b'"5"', b"0x", b"-0", b"+0", b"0 ", b"0_0",
]  # fmt: skip

BAD_CHUNKS = [
    b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello\r\r\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello world\r\n0\r\n\r\n", b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\r0\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n x: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n", b"5\r\nhello\r\n0\r\nX\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nHost: other\r\n\r\n", b"0\r\nX: \x00\r\n\r\n",
    b"0\r\nX: a\rb\r\n\r\n", b"0\r\n: a\r\n\r\n", b"0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", b"0\r\n",
    b"0\r\nX: " + b"a" * 2000 + b"\r\n\r\n", b"hello", b"hello\r\n", b"\r\n0\r\n\r\n",
]  # fmt: skip

BAD_REQUEST_LINES = [
    b"GET  / HTTP/1.1", b"GET /", b"GET", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"GET\t/ HTTP/1.1",
    b"\tGET /",
    b"GET /\tHTTP/1.1", b"GET /  HTTP/1.1", b"GET / http/1.1", b"GET / HTTP/1.1\x00", b"GET / HTTP/11.1",
    b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / HTTP/.1", b"GET / HTTP/+1.1", b"GET / HTTP/1.10",
    b"GET / HTTP/1,1", b"GET / HTTPS/1.1", b"GET / XTTP/1.1", b"GET / HTTP 1.1", b"GET /a b HTTP/1.1",
    b"GET / HTTP/1.1 HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\xff HTTP/1.1",
    b"GET /#f HTTP/1.1", b"GET /?a#f HTTP/1.1", b"G@T / HTTP/1.1", b"GET: / HTTP/1.1", b"G\x00T / HTTP/1.1",
    b"GET a HTTP/1.1", b"GET ?x HTTP/1.1", b"GET http:// HTTP/1.1", b"GET http:///a HTTP/1.1",
    b"GET ftp://h/ HTTP/1.1", b"GET http://u@h/ HTTP/1.1", b"GET http://other/ HTTP/1.1",
    b"GET h:80 HTTP/1.1",
    b"GET * HTTP/1.1", b"POST\x0b/ HTTP/1.1", b"GET /\x0bHTTP/1.1", b"GET /\x0cx HTTP/1.1",
    b"GET /\xa0 HTTP/1.1",
    b"\r\nGET / HTTP/1.1", b"\nGET / HTTP/1.1", b"\r\n\r\nGET / HTTP/1.1", b"GET /\r HTTP/1.1",
    b"\xefGET / HTTP/1.1",
    b"GET /\n HTTP/1.1", b"GET / HTTP/1.1\r", b"\x16\x03\x01\x02\x00", b"*1\r\n$4\r\nPING", b"PING", b"{}",
    b"\x00", b"HTTP/1.1 200 OK", b"GET / HTTP/1.1\nX: y",
]  # fmt: skip

OTHER_STATUS = [
    (b"GET / HTTP/2.0", 505), (b"GET / HTTP/0.9", 505), (b"GET / HTTP/1.2", 505), (b"PRI * HTTP/2.0", 505),
    (b"GET / HTTP/9.9", 505), (b"GET / HTTP/3.0", 505), (b"CONNECT h:80 HTTP/1.1", 501),
    (b"CONNECT / HTTP/1.1", 501),
]  # fmt: skip

BAD_HOSTS = [
    b"", b"Host: h\r\nHost: h\r\n", b"Host: h\r\nhost: g\r\n", b"Host: h g\r\n", b"Host: h/g\r\n",
    b"Host: u@h\r\n",
    b"Host: h,g\r\n", b"Host: h?x\r\n", b"Host: h#x\r\n", b"Host: h\xff\r\n", b"Host : h\r\n",
    b"Host: h\r\n g\r\n",
    b"X-Host: h\r\n", b'Host: "h"\r\n', b"Host: h\\g\r\n", b"Host: <h>\r\n",
]  # fmt: skip

BOTH_LENGTHS = [
    (coding, length)
    for coding in (b"Transfer-Encoding: chunked", b"transfer-encoding:chunked",
                   b"TRANSFER-ENCODING: CHUNKED", b"Transfer-Encoding: chunked ",
                   b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: identity")
    for length in (b"Content-Length: 0", b"Content-Length: 5", b"content-length:15", b"CONTENT-LENGTH: 3",
                   b"Content-Length: 5\r\nContent-Length: 5")
]  # fmt: skip

GARBAGE = [
    b"\r\n", b"\n", b"\x00", b"\r", b" ", b"xyz\r\n\r\n", b"hello ", b"\xff\xff",
    b"HTTP/1.1 200 OK\r\n\r\n", b"0\r\n\r\n",
    b"{}\r\n\r\n", b"GET / HTTP/1.1\n\n", b"GET / HTTP/1.1\r\n\r\n", b"*1\r\n$4\r\nPING\r\n",
]  # fmt: skip

FIRST = {
    "get": b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n",
    "post": b"POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": b"POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
}


def _refused() -> Iterator[Case]:
    for line in BAD_LINES:
        yield Case(f"line last {line!r}", b"GET / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % line)
        head = b"POST / HTTP/1.1\r\n%b\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % line
        yield Case(f"line first {line!r}", head)
    for length in BAD_LENGTHS:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\n\r\nhello" % length
        yield Case(f"length {length!r}", head)
        yield Case(f"length with GET {length!r}", head.replace(b"POST", b"GET"))
    for one, two in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5"), (b"5", b""), (b"05", b"5"), (b"5", b"+5")):
        told = b"Content-Length: %b\r\ncontent-length: %b" % (one, two)
        yield Case(f"lengths {one!r} {two!r}", b"POST / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\nhello" % told)
    for coding in BAD_CODINGS:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: %b\r\n\r\n" % coding
        yield Case(f"coding {coding!r}", head + CHUNKS)
        twice = head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
        yield Case(f"coding then chunked {coding!r}", twice + CHUNKS)
    for coding in (b"gzip, chunked", b"identity,chunked", b"x\t,\tchunked"):
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: %b\r\n\r\n" % coding
        yield Case(f"coding {coding!r}", head + CHUNKS, statuses=(501,))
    for coding, length in BOTH_LENGTHS:
        for lines in ((coding, length), (length, coding)):
            head = b"POST / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % b"\r\n".join(lines)
            yield Case(f"both {lines!r}", head + CHUNKS)
    yield Case("chunked in 1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)
    chunked = FIRST["chunked"][: -len(CHUNKS)]
    for size in BAD_SIZES:
        yield Case(f"size {size!r}", chunked + size + b"\r\nhello\r\n0\r\n\r\n")
        yield Case(f"second size {size!r}", chunked + b"5\r\nhello\r\n" + size + b"\r\nhello\r\n0\r\n\r\n")
    for size in (b"8000000000000000", b"F" * 16, b"7fffffffffffffff", b"100000000", b"FFFFFFFF"):
        yield Case(f"size {size!r}", chunked + size + b"\r\nhello\r\n0\r\n\r\n", statuses=(413,))
    for chunks in BAD_CHUNKS:
        yield Case(f"chunks {chunks!r}", chunked + chunks)
    for line in BAD_REQUEST_LINES:
        yield Case(f"request line {line!r}", line + b"\r\nHost: h\r\n\r\n")
    for line, status in OTHER_STATUS:
        yield Case(f"request line {line!r}", line + b"\r\nHost: h\r\n\r\n", statuses=(status,))
    for lines in BAD_HOSTS:
        yield Case(f"host {lines!r}", b"GET / HTTP/1.1\r\n%b\r\n" % lines)
    for first, data in FIRST.items():
        for garbage in GARBAGE:
            yield Case(f"{first} then {garbage!r}", data + garbage, served=1)
    for length in (b"9" * 19, b"2000000", b"1048577"):
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\n\r\nhello" % length
        yield Case(f"length {length!r}", head, statuses=(413,))
    for expected in (b"200-ok", b"100-continue, x"):
        head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: %b\r\nContent-Length: 5\r\n\r\n" % expected
        yield Case(f"expect {expected!r}", head, statuses=(417,))


REFUSED = [case._replace(data=case.data + SECOND) for case in _refused()]

ODD = {
    "no space after colon": b"GET /a HTTP/1.1\r\nHost:h\r\nX:\r\n\r\n",
    "space around value": b"GET /a HTTP/1.1\r\nHost: \t h \t \r\nX: \t\r\n\r\n",
    "names in any case": b"POST /a HTTP/1.1\r\nhOST: h\r\ncONTENT-lENGTH: 5\r\n\r\nhello",
    "leading zeros": b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0005\r\n\r\nhello",
    "GET with body": b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "body that looks like a request": b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\n\r\n" + SECOND,
    "repeated plain header": b"GET /a HTTP/1.1\r\nHost: h\r\nCookie: a\r\nCookie: b\r\n\r\n",
    "bytes above ASCII in a value": b"GET /a HTTP/1.1\r\nHost: h\r\nX: \xc3\xbc\xff\r\n\r\n",
    "unknown method": b"BREW /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "lower-case method": b"get /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "absolute form": b"GET http://h:80/a?b HTTP/1.1\r\nHost: H:80\r\n\r\n",
    "absolute form without path": b"GET HTTP://h HTTP/1.1\r\nHost: h\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "empty host": b"GET /a HTTP/1.1\r\nHost:\r\n\r\n",
    "address as host": b"GET /a HTTP/1.1\r\nHost: [::1]:15500\r\n\r\n",
    "odd target": b"GET /a/../b//%2F%00;x?c?d&&=\"<>\\^`{|} HTTP/1.1\r\nHost: h\r\n\r\n",
    "empty query": b"GET /a? HTTP/1.1\r\nHost: h\r\n\r\n",
    "h2c is ignored": b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, X\r\nUpgrade: h2c\r\n\r\n",
    "upgrade without connection": b"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
    "connection words": b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive, TE\r\nTE: trailers\r\n\r\n",
    "chunks": b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"005\r\nhello\r\nA;x=y;z\r\n0123456789\r\n00\r\nX: y\r\n\r\n",
    "empty chunked body": b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}
"""Strange, but with one reading: served, and alike by both machines."""
