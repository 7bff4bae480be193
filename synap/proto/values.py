"""Plain values as RESP: what handlers answer, written for either version."""

from typing import Any

from synap.call import Pushes
from synap.faults import Fault


def encode(value: Any, version: int, command: str = "") -> bytes:
    """A value in RESP2 or RESP3; `command` fills the place for a command's name in a fault's text."""
    out: list[bytes] = []
    _encode(value, version, command, out)
    return b"".join(out)


def _encode(value: Any, version: int, command: str, out: list[bytes]) -> None:
    if value is None:
        out.append(b"_\r\n" if version == 3 else b"$-1\r\n")
    elif value is True or value is False:
        out.append((b"#t\r\n" if value else b"#f\r\n") if version == 3 else b":%d\r\n" % value)
    elif isinstance(value, int):
        out.append(b":%d\r\n" % value)
    elif isinstance(value, bytes):
        out.append(b"$%d\r\n%b\r\n" % (len(value), value))
    elif isinstance(value, str):
        out.append(b"+%b\r\n" % value.encode())
    elif isinstance(value, float):
        digits = repr(value).encode()
        out.append(b",%b\r\n" % digits if version == 3 else b"$%d\r\n%b\r\n" % (len(digits), digits))
    elif isinstance(value, dict):
        out.append(b"%%%d\r\n" % len(value) if version == 3 else b"*%d\r\n" % (2 * len(value)))
        for name, inner in value.items():
            _encode(name.encode() if isinstance(name, str) else name, version, command, out)
            _encode(inner, version, command, out)
    elif isinstance(value, Pushes):
        for push in value:
            out.append(b"%b%d\r\n" % (b">" if version == 3 else b"*", len(push)))
            for inner in push:
                _encode(inner, version, command, out)
    elif isinstance(value, Fault):
        text = value.resp_text(command).replace("\r", " ").replace("\n", " ")
        out.append(b"-%b\r\n" % text.encode("utf-8", "surrogateescape"))
    else:
        assert isinstance(value, list | tuple), f"no RESP for {type(value).__name__}"
        out.append(b"*%d\r\n" % len(value))
        for inner in value:
            _encode(inner, version, command, out)


class Quotes(ValueError):
    """An inline command's quotes do not balance."""


def split_line(line: bytes) -> list[bytes]:
    """The words of an inline command: separated by white space, quoted by " (with escapes) or '."""
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at : at + 1].isspace():
            at += 1
        if at == end:
            return words
        word = bytearray()
        if line[at] in b"\"'":
            quote, at = line[at], at + 1
            while True:
                if at >= end:
                    raise Quotes
                if line[at] == quote:
                    at += 1
                    break
                if line[at] == 0x5C and at + 1 < end and quote == 0x22:
                    at = _escape(line, at + 1, word)
                elif line[at] == 0x5C and line[at + 1 : at + 2] == b"'":
                    word += b"'"
                    at += 2
                else:
                    word.append(line[at])
                    at += 1
            if at < end and not line[at : at + 1].isspace():
                raise Quotes
        else:
            while at < end and not line[at : at + 1].isspace():
                word.append(line[at])
                at += 1
        words.append(bytes(word))


_ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}


def _escape(line: bytes, at: int, word: bytearray) -> int:
    if line[at] == ord("x"):
        try:
            word.append(int(line[at + 1 : at + 3].decode("ascii"), 16))
            return at + 3
        except ValueError:
            pass
    word.append(_ESCAPES.get(line[at], line[at]))
    return at + 1
