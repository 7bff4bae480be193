"""Replies of RESP, read as their templates say: bytes that do not fit the template raise Unlike.

    read(row.reply, b"*2\\r\\n:1\\r\\n:2\\r\\n", 3)    [1, 2]

Texts and statuses become bytes; arrays, sets, pairs and tuples become lists; records and maps become dictionaries.
"""

import re
from typing import Any

from synap.reply import (
    GROUPS,
    Array,
    ByName,
    Either,
    Leaf,
    Map,
    Pairs,
    Pushed,
    Record,
    SetOf,
    Status,
    Template,
    Tuple,
)
from tests.support import decode_at

INTEGER = re.compile(rb"0|-?[1-9][0-9]*")
REAL = re.compile(rb"-?([0-9]+(\.[0-9]+)?(e[+-][0-9]+)?|inf)")
DISTANCE = re.compile(rb"[0-9]+\.[0-9]{4}|-?nan")
TEXTS = (Leaf.TEXT, Leaf.VALUE, Leaf.OCTETS, Leaf.VALUE_OCTETS, Leaf.DOCUMENT, Leaf.OBJECT)


class Unlike(AssertionError):
    """A reply does not fit its template."""


class Reader:
    """Reads the reply that starts at `at`, in a version of RESP."""

    def __init__(self, data: bytes, version: int, at: int) -> None:
        self.data, self.version = data, version
        self.at = self.start = at

    def line(self, kinds: bytes, wanted: object) -> bytes:
        """The rest of a line that begins with one of these bytes."""
        end = self.data.find(b"\r\n", self.at)
        line = self.data[self.at : end]
        if end < 0 or not line or line[0] not in kinds or b"\r" in line or b"\n" in line:
            raise self.unlike(wanted)
        self.at = end + 2
        return line[1:]

    def unlike(self, wanted: object) -> Unlike:
        """What is raised for the next bytes."""
        return Unlike(f"{self.data[self.at : self.at + 60]!r} is no {wanted}")

    def integer(self, kinds: bytes, wanted: object) -> int:
        """The number of a line that begins with one of these bytes, in its one spelling."""
        start, text = self.at, self.line(kinds, wanted)
        if not INTEGER.fullmatch(text):
            self.at = start
            raise self.unlike(wanted)
        return int(text)

    def count(self, kinds: bytes, wanted: object) -> int:
        """The number in a head of a text or a group."""
        number = self.integer(kinds, wanted)
        if number < 0:
            raise Unlike(f"nil is no {wanted}")
        return number

    def members(self, wanted: Record | Map) -> int:
        """The number of members of a map, which in RESP2 is an array."""
        if self.version == 3:
            return self.count(b"%", wanted)
        number = self.count(b"*", wanted)
        if number % 2:
            raise Unlike(f"{number} members of a map")
        return number // 2

    def text(self, wanted: object) -> bytes:
        """A bulk string."""
        size = self.count(b"$", wanted)
        text, end = self.data[self.at : self.at + size], self.data[self.at + size : self.at + size + 2]
        if len(text) < size or end != b"\r\n":
            raise Unlike(f"{text[-60:]!r} and then {end!r} is no text of {size} bytes")
        self.at += size + 2
        return text

    def leaf(self, wanted: Leaf) -> Any:
        """A reply without members."""
        if wanted is Leaf.ANY:
            value, self.at = decode_at(self.data, self.at)
            return value
        if wanted in TEXTS:
            return self.text(wanted)
        if wanted in (Leaf.INTEGER, Leaf.TIME):
            return self.integer(b":", wanted)
        if wanted is Leaf.DISTANCE:
            text = self.text(wanted)
            if not DISTANCE.fullmatch(text):
                raise self.unlike(wanted)
            return text
        if wanted is Leaf.REAL:
            text = self.line(b",", wanted) if self.version == 3 else self.text(wanted)
            if not REAL.fullmatch(text):
                raise Unlike(f"{text!r} is no {wanted}")
            return float(text)
        if wanted in (Leaf.NIL, Leaf.NO_ARRAY):
            return self.nil(b"$" if wanted is Leaf.NIL else b"*")
        start = self.at
        if wanted is Leaf.DONE and self.line(b"+", wanted) == b"OK":
            return b"OK"
        self.at = start
        raise self.unlike(wanted)

    def nil(self, kinds: bytes) -> None:
        """Nil: in RESP2 a text or an array of -1 bytes or members, by its first byte."""
        spelled = (b"_\r\n",) if self.version == 3 else tuple(b"%c-1\r\n" % kind for kind in kinds)
        for each in spelled:
            if self.data.startswith(each, self.at):
                self.at += len(each)
                return
        raise self.unlike(f"nil ({spelled})")

    def read(self, wanted: Template, array: bytes = b"*") -> Any:
        """The next reply; `array` is the byte with which an array begins."""
        match wanted:
            case Leaf():
                return self.leaf(wanted)
            case Status(words):
                word = self.line(b"+", wanted)
                if words and word.decode() not in words:
                    raise Unlike(f"{word!r} is none of {words}")
                return word
            case Array(items):
                number = self.count(array, wanted)
                if number % len(items):
                    raise Unlike(f"{number} members of {wanted}")
                return [self.read(items[i % len(items)]) for i in range(number)]
            case SetOf(item):
                number = self.count(b"~" if self.version == 3 else b"*", wanted)
                return [self.read(item) for _ in range(number)]
            case Tuple(members):
                if self.count(array, wanted) != len(members):
                    raise Unlike(f"the number of members of {wanted}")
                return [self.read(member) for _, member in members]
            case Record(members):
                return self.record(wanted, self.members(wanted))
            case Map(item):
                number = self.members(wanted)
                name = Either(Leaf.TEXT, Leaf.INTEGER)
                mapped = {self.read(name): self.read(item) for _ in range(number)}
                if len(mapped) < number:
                    raise Unlike(f"{mapped} had a name twice")
                return mapped
            case ByName(item):
                if self.version == 3:
                    return {self.text(wanted): self.read(item) for _ in range(self.count(b"%", wanted))}
                pair = Tuple({"name": Leaf.TEXT, "item": item})
                return dict(self.read(pair) for _ in range(self.count(b"*", wanted)))
            case Pairs(first, second):
                number = self.count(b"*", wanted)
                pair = Tuple({"first": first, "second": second})
                if self.version == 3:
                    return [self.read(pair) for _ in range(number)]
                if number % 2:
                    raise Unlike(f"{number} members of pairs")
                return [[self.read(first), self.read(second)] for _ in range(number // 2)]
            case Pushed(item):
                kind = b">" if self.version == 3 else b"*"
                pushes = [self.read(item, kind)]
                while self.at < len(self.data):
                    pushes.append(self.read(item, kind))
                return pushes
            case Either(choices):
                return self.either(choices)

    def record(self, wanted: Record, number: int) -> dict[bytes, Any]:
        """The members of a record: all its names in order, but for those that may be missing."""
        known = list(wanted.members)
        found = {}
        for _ in range(number):
            name = self.text("name")
            while known and known[0][0].removesuffix("?").encode() != name:
                if not known.pop(0)[0].endswith("?"):
                    raise Unlike(f"{name!r} in the place of another member of {wanted}")
            if not known:
                raise Unlike(f"{name!r} is no member of {wanted}")
            found[name] = self.read(known.pop(0)[1])
        if any(not name.endswith("?") for name, _ in known):
            raise Unlike(f"{found} lacks members of {wanted}")
        return found

    def either(self, choices: tuple[Template, ...]) -> Any:
        """The next reply as the first of these that it fits. Within a group a missing group is spelled as a text is."""
        start, why = self.at, []
        groups = {start == self.start and isinstance(one, GROUPS) for one in choices if one is not Leaf.NIL}
        kinds = b"".join(b"*" if group else b"$" for group in groups)
        for one in choices:
            try:
                return self.nil(kinds) if one is Leaf.NIL else self.read(one)
            except Unlike as unlike:
                why.append(str(unlike))
                self.at = start
        raise Unlike("; ".join(why))


def read(wanted: Template, data: bytes, version: int, at: int = 0, queued: bool = False) -> tuple[Any, int]:
    """(the reply that starts at `at`, the octet behind it); a refusal stands for any reply, QUEUED if it may."""
    if data[at : at + 1] == b"-" or (queued and data.startswith(b"+QUEUED\r\n", at)):
        return decode_at(data, at)
    reader = Reader(data, version, at)
    if wanted is Leaf.NONE:
        return None, at
    return reader.read(wanted), reader.at


def values(found: Any) -> Any:
    """A reply without the names of its records and maps: their values as lists."""
    if isinstance(found, dict):
        return [values(each) for each in found.values()]
    return [values(each) for each in found] if isinstance(found, list) else found

