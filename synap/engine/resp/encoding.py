"""RESP encoding of the plain values that handlers return, and the parser of inline commands."""


from synap.call import Members, Pushes, Value
from synap.faults import Fault

LONG = 1024
"""Bytes from which on a text is not copied before the whole reply is put together."""


def encode(value: Value, version: int, command: str = "") -> bytes:
    """Return a value in RESP2 or RESP3; `command` fills the command's name into the text of a fault."""
    out: list[bytes] = []
    _encode(value, version, command, out)
    return b"".join(out)


def _encode(value: Value, version: int, command: str, out: list[bytes]) -> None:
    if value is None:
        out.append(b"_\r\n" if version == 3 else b"$-1\r\n")
    elif value is True or value is False:
        out.append((b"#t\r\n" if value else b"#f\r\n") if version == 3 else b":%d\r\n" % value)
    elif isinstance(value, int):
        out.append(b":%d\r\n" % value)
    elif isinstance(value, bytes):
        if len(value) < LONG:
            out.append(b"$%d\r\n%b\r\n" % (len(value), value))
        else:
            out += (b"$%d\r\n" % len(value), value, b"\r\n")
    elif isinstance(value, str):
        out.append(b"+%b\r\n" % value.encode("utf-8", "surrogateescape"))
    elif isinstance(value, float):
        digits = repr(value).removesuffix(".0").encode()
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
        assert isinstance(value, list | tuple), f"RESP has no type for {type(value).__name__}"
        out.append((b"~%d\r\n" if version == 3 and isinstance(value, Members) else b"*%d\r\n") % len(value))
        for inner in value:
            _encode(inner, version, command, out)


class UnbalancedQuotes(ValueError):
    """Raised for an inline command with unbalanced quotes."""


_BLANK = b" \t\n\r\x0b\x0c"
"""White space before a word and behind a closing quote."""
_ENDS = b" \t\n\r"
"""Bytes that end a word outside of quotes: fewer than `_BLANK`, as in Redis."""
_DOUBLE, _SINGLE, _BACKSLASH = b"\"'\\"
_ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}
_HEX = b"0123456789abcdefABCDEF"


def split_line(line: bytes) -> list[bytes]:
    """Split an inline command into words as Redis does: at white space, but not within quotes.

    A quote may begin anywhere in a word. The closing quote ends the word, and white space or the end must follow.
    Double quotes allow escapes (\\n, \\xff, \\"), single quotes only \\'. Raise Quotes if quotes do not balance.
    """
    words: list[bytes] = []
    at, end = 0, len(line)
    while True:
        while at < end and line[at] in _BLANK:
            at += 1
        if at == end:
            return words
        word = bytearray()
        while at < end and line[at] not in _ENDS:
            if line[at] in (_DOUBLE, _SINGLE):
                at = _quoted(line, at + 1, line[at], word)
                break
            word.append(line[at])
            at += 1
        words.append(bytes(word))


def _quoted(line: bytes, at: int, quote: int, word: bytearray) -> int:
    """Append the text from `at` to the closing quote to `word`; return the position behind that quote."""
    end = len(line)
    while at < end and line[at] != quote:
        if line[at] != _BACKSLASH or at + 1 == end:
            word.append(line[at])
            at += 1
        elif quote == _DOUBLE:
            at = _escape(line, at + 1, word)
        else:
            at += line[at + 1] == _SINGLE  # in single quotes, a backslash before any other byte is literal
            word.append(line[at])
            at += 1
    if at == end or (at + 1 < end and line[at + 1] not in _BLANK):
        raise UnbalancedQuotes
    return at + 1


def _escape(line: bytes, at: int, word: bytearray) -> int:
    """Append the byte of the escape whose letter is at `at`; return the position behind the escape."""
    digits = line[at + 1 : at + 3]
    if line[at] == ord("x") and len(digits) == 2 and all(digit in _HEX for digit in digits):
        word.append(int(digits, 16))
        return at + 3
    word.append(_ESCAPES.get(line[at], line[at]))
    return at + 1
