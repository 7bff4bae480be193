"""Strict rules of HTTP/1.1: forms that Synap refuses although h11 would accept them.

A form that two parsers on one path could read differently allows request smuggling past the first
parser. So line ends are CRLF, header lines are never folded, values are printable, a body's length is
given once, and a chunk header is hexadecimal digits and printable extensions. The machines of `http`
and `http_fast` both apply these rules. Beyond them, h11 decides the meaning of the bytes.

    HTTPError
        LocalProtocolError      the server broke the rules: an unexpected reply, a line end in a header
        RemoteProtocolError     the peer broke the rules: answer `status` and close
"""

import re
from typing import Final, TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]


class HTTPError(Exception):
    """The base of the errors of this protocol."""


class LocalProtocolError(HTTPError):
    """The server itself broke the rules."""


class RemoteProtocolError(HTTPError):
    """The peer broke the rules: answer `status` with `text`, then close."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


# Quantifiers are possessive (`++`), so no input makes the expressions backtrack.

TOKEN: Final = rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]"
FIELD: Final = TOKEN + rb"++:[\t -~\x80-\xff]*+\r\n"

REQUEST_LINE = re.compile(rb"(" + TOKEN + rb"++) ([!-~]++) HTTP/([0-9]\.[0-9])")
TARGET = re.compile(rb'(?:(?i:https?)://([^/?#]*+))?(/[!"$->@-~]*+)?(?:\?([!"$-~]*+))?')
FIELDS = re.compile(rb"(?:" + FIELD + rb")*+")
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+;=%:\[\]-]*+")
LENGTH = re.compile(rb"[0-9]{1,19}")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*+)?\r\n")
TRAILER_LINE = re.compile(FIELD)

FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection", b"expect"})
"""Header names that are refused as trailers, where they would describe a body already read."""

DISGUISES: Final = frozenset({b"content_length", b"transfer_encoding"})
"""Header names that a gateway may have changed from, or may take for, the framing headers."""

UPGRADES: Final = frozenset({b"websocket"})
"""The protocols that lead to an Upgrade event; any other offer (`h2c`) is ignored, as HTTP allows."""

CHUNK_LINE_BYTES_MAX: Final = 1024
"""Longest chunk header or trailer line. Real chunk extensions are signatures of about 100 bytes."""


def read_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Parse a request line into method, target and version. Raise RemoteProtocolError if it is not served."""
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(400, "malformed request line: want METHOD SP TARGET SP HTTP/1.1")
    method, target, version = match.group(1, 2, 3)
    if version not in (b"1.1", b"1.0"):
        raise RemoteProtocolError(505, f"want HTTP/1.1, found HTTP/{version.decode()}")
    if method == b"CONNECT":
        raise RemoteProtocolError(501, "CONNECT is not supported: the server is not a proxy")
    return method, target, version


def split_target(method: bytes, target: bytes) -> tuple[bytes | None, bytes, bytes]:
    """Split a request target into authority (None if absent), path and query. Raise RemoteProtocolError."""
    if target == b"*" and method == b"OPTIONS":
        return None, b"*", b""
    match = TARGET.fullmatch(target)
    if match is None:
        raise RemoteProtocolError(400, "malformed request target")
    authority, path, query = match.group(1, 2, 3)
    if authority == b"" or (authority is None and path is None):
        raise RemoteProtocolError(400, "malformed request target")
    return authority, path or b"/", query or b""


def read_fields(head: bytes, start: int) -> Headers:
    """Parse the header lines from `start` to the empty line. Raise RemoteProtocolError for a malformed line."""
    if FIELDS.fullmatch(head, start, len(head) - 2) is None:
        folded = b"\r\n " in head or b"\r\n\t" in head
        raise RemoteProtocolError(400, "folded header line" if folded else "malformed header line")
    headers = []
    for line in head[start:-4].split(b"\r\n") if start < len(head) - 2 else ():
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    if not DISGUISES.isdisjoint(dict(headers)):
        raise RemoteProtocolError(400, "a framing header with an underscore")
    return headers


def check_codings(codings: list[bytes], lengths: list[bytes], version: bytes) -> None:
    """Raise RemoteProtocolError unless the body's length is given once and in one way (RFC 9112, 6.1 and 6.3)."""
    if len(codings) > 1 or len(lengths) > 1:
        raise RemoteProtocolError(400, "body length given twice")
    if lengths and LENGTH.fullmatch(lengths[0]) is None:
        raise RemoteProtocolError(400, "malformed Content-Length: want digits")
    if not codings:
        return
    if lengths:
        raise RemoteProtocolError(400, "both Transfer-Encoding and Content-Length")
    if version == b"1.0":
        raise RemoteProtocolError(400, "Transfer-Encoding in HTTP/1.0")
    names = [name.strip(b" \t") for name in codings[0].lower().split(b",")]
    if names[-1] != b"chunked" or b"chunked" in names[:-1] or b"" in names:
        raise RemoteProtocolError(400, "Transfer-Encoding must end in one chunked")
    if len(names) > 1:
        raise RemoteProtocolError(501, "want Transfer-Encoding: chunked alone")


def values(headers: Headers, name: bytes) -> list[bytes]:
    """Return all values of one header, as sent."""
    return [value for found, value in headers if found == name]


def words(headers: Headers, name: bytes) -> set[bytes]:
    """Return the comma-separated words of one header, in lower case."""
    return {word.strip(b" \t").lower() for value in values(headers, name) for word in value.split(b",")}


class ChunkGate:
    """A validator of chunked bodies in their strictest form; h11 decodes the admitted bytes.

    size line -> data -> CRLF -> size line ...  until size 0, then trailer lines until an empty one.
    Line ends are CRLF only; extensions and trailers are printable and dropped.
    """

    __slots__ = ("_body_bytes_left", "_bytes_left", "_expected", "_trailer_bytes_left", "_trailers_left", "finished")

    def __init__(self, body_bytes_max: int, head_bytes_max: int, headers_max: int) -> None:
        self.finished = False
        self._expected = "size"
        self._bytes_left = 0
        self._body_bytes_left = body_bytes_max
        self._trailer_bytes_left = head_bytes_max
        self._trailers_left = headers_max

    def admit(self, data: bytes | bytearray, at: int) -> int:
        """Check `data` from `at`; return the end of the admitted bytes, which excludes an unfinished line."""
        while not self.finished and at < len(data):
            if self._expected == "data":
                step = min(self._bytes_left, len(data) - at)
                self._bytes_left -= step
                at += step
                if not self._bytes_left:
                    self._expected = "end"
                continue
            end = data.find(b"\n", at, at + CHUNK_LINE_BYTES_MAX) + 1
            if not end:
                if len(data) - at >= CHUNK_LINE_BYTES_MAX:
                    raise RemoteProtocolError(400, f"line above {CHUNK_LINE_BYTES_MAX} bytes in chunked body")
                return at
            self._take_line(bytes(data[at:end]))
            at = end
        return at

    def _take_line(self, line: bytes) -> None:
        if self._expected == "size":
            self._take_size(line)
        elif self._expected == "end":
            if line != b"\r\n":
                raise RemoteProtocolError(400, "chunk longer than its size line says")
            self._expected = "size"
        elif line == b"\r\n":
            self.finished = True
        else:
            self._take_trailer(line)

    def _take_size(self, line: bytes) -> None:
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(400, "malformed chunk header")
        size = int(match[1], 16)
        self._body_bytes_left -= size
        if self._body_bytes_left < 0:
            raise RemoteProtocolError(413, "body too large")
        self._bytes_left = size
        self._expected = "data" if size else "trailer"

    def _take_trailer(self, line: bytes) -> None:
        if TRAILER_LINE.fullmatch(line) is None or line.partition(b":")[0].lower() in FRAMING:
            raise RemoteProtocolError(400, "malformed trailer")
        self._trailer_bytes_left -= len(line)
        self._trailers_left -= 1
        if self._trailer_bytes_left < 0 or self._trailers_left < 0:
            raise RemoteProtocolError(431, "trailers too large")
