"""Changes as readers get them: frames of the log, and what each says as a dictionary.

    {"seq", "time", "database", "call", "keys", "name", "arguments", "outcome", "transaction", "values"}

    call          the row that the log has, `kv.set`; for an effect that cannot be repeated, the call that repeats it
    keys, name    the keys that the call names; or the queue, room, topic or group
    outcome       the number that was replied, or a word: ok, nil, value (a reply that the log does not keep), decided
                  (the log has another call than the client has made)
    transaction   the seq of the first change of the transaction or script, of a change that belongs to one; else nil
    values        the value of each key at the time of reading, where asked for
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from synap.command import Command
from synap.derive import tape_reader
from synap.derive.documents import read_native
from synap.engine import transfer
from synap.engine.callers import Surface
from synap.engine.globs import STAR, Glob, elements
from synap.engine.subscribers import Json, with_form
from synap.store.keys import key_info
from synap.store.memory import layout
from synap.store.memory.frames import CODE_SHIFT, CONTINUED, FLAGS_SHIFT, NAMESPACE_SHIFT, STATUS_BITS
from synap.store.records import descriptions

if TYPE_CHECKING:
    from synap.engine.engine import Engine

HEAD = Struct("<5q")
VALUE_BYTES_MAX = 65_536
"""Larger values are not read for a reader of changes."""
OUTCOMES = {layout.DONE: "ok", layout.NIL: "nil"}


@dataclass(slots=True)
class Frame:
    """A frame of the log within the bytes of its group, at the octet `at`. `inside`: a change of a transaction follows
    another one of it; `transaction` is the seq of the first, 0 outside of any."""

    payload: memoryview
    at: int
    size: int
    code: int
    namespace: int
    seq: int
    now: int
    status: int
    scalar: int
    tape_size: int
    inside: bool
    transaction: int

    def numbers(self, slots: int) -> list[int]:
        """Return the words of the tape behind those of its namespace and of the octet where its blob begins."""
        tape_at = self.at + HEAD.size
        words = self.payload[tape_at : tape_at + 8 * self.tape_size].cast("q").tolist()
        return [self.namespace, tape_at + 8 * self.tape_size, *words, *[0] * (slots - self.tape_size)]


TAPE = 2
"""Where the tape begins in `Frame.numbers`."""


def frames_of(payload: memoryview, seq: int) -> Iterator[Frame]:
    """Yield the frames of a group from the seq on."""
    at, end = 0, len(payload)
    first = 0  # of the transaction
    while at < end:
        head, found, now, sizes, scalar = HEAD.unpack_from(payload, at)
        size = head & 0xFFFFFFFF
        follows = head >> FLAGS_SHIFT & CONTINUED
        inside = first != 0
        if follows and not first:
            first = found
        if found >= seq:
            yield Frame(
                payload, at, size, head >> CODE_SHIFT & 0xFFFF, head >> NAMESPACE_SHIFT & 0xFF, found, now,
                sizes & 0xFFFF, scalar, sizes >> STATUS_BITS, inside, first,
            )  # fmt: skip
        if not follows:
            first = 0
        at += size


def checked_frames(payload: bytes) -> tuple[int, int]:
    """Return (first seq, number) of frames that stand behind each other. Raise ValueError if they are cut, or if a seq
    is missing."""
    at, count, first = 0, 0, 0
    while at < len(payload):
        size, seq = 0, 0
        if len(payload) - at >= HEAD.size:
            head, seq, _, _, _ = HEAD.unpack_from(payload, at)
            size = head & 0xFFFFFFFF
        first = first or seq
        if size < HEAD.size or size % 8 or at + size > len(payload) or seq != first + count:
            raise ValueError(f"frames: wanted whole frames of seqs that follow each other, found others at byte {at}")
        at, count = at + size, count + 1
    return first, count


@dataclass(frozen=True)
class Asked:
    """What a reader wants: at most `limit` changes, of these families, of keys and names that match a glob; the values
    of keys; raw frames instead, of `bytes_max` bytes. Two readers who want the same are equal."""

    surface: Surface
    limit: int
    families: frozenset[str] = frozenset()
    pattern: bytes = b""
    values: bool = False
    raw: bool = False
    bytes_max: int = 0
    glob: "Glob[None] | None" = field(default=None, compare=False)

    def wants(self, row: Command, frame: Frame) -> bool:
        """Return whether a change passes the filters. A change that names no key and no record, as FLUSHALL, passes
        any pattern."""
        if self.families and row.family not in self.families:
            return False
        if self.glob is None:
            return True
        names = [text for _, text in named(row, frame)]
        return not names or any(map(self.glob.matches, names))

    def text(self, octets: bytes) -> Any:
        """Return a name or key as the surface has it. JSON has bytes that are not UTF-8 as `{"base64": ...}`."""
        if self.surface is not Surface.JSON:
            return octets
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(octets).decode()}

    def value(self, octets: bytes) -> Any:
        """Return a stored text: what was stored as JSON is that value in JSON and Python."""
        if not isinstance(octets, Json) or self.surface is Surface.RESP:
            return self.text(bytes(octets))
        return json.loads(octets) if self.surface is Surface.JSON else read_native(bytes(octets))

    def as_bytes(self, octets: bytes) -> Any:
        """Return bytes as the surface has them: in JSON in base64."""
        return base64.b64encode(octets).decode() if self.surface is Surface.JSON else octets


def glob_of(pattern: bytes) -> "Glob[None]":
    """Return the matcher of a glob."""
    whole = elements(pattern)
    return Glob(whole, [STAR], None)


def named(row: Command, frame: Frame) -> list[tuple[bool, bytes]]:
    """Return (True for a key, its name) for each key of a change, and for its queue, room, topic or group."""
    numbers, payload = frame.numbers(row.slots), frame.payload
    found = [(True, bytes(payload[at : at + size])) for at, size in tape_reader.keys(row, numbers, payload, TAPE)]
    for _, slot in tape_reader.names_of(row).records:
        at, size = numbers[1] + numbers[TAPE + slot], numbers[TAPE + slot + 1] >> layout.MARK_BITS
        found.append((False, bytes(payload[at : at + size])))
    return found


class Values:
    """The values of keys for one reply: each key is read once, and none any more above `most` bytes in the reply."""

    def __init__(self, engine: "Engine", asked: Asked, now: int, most: int) -> None:
        self._engine, self._asked, self._now, self._most = engine, asked, now, most
        self._known: dict[tuple[int, bytes], tuple[Any, int]] = {}
        self.bytes = 0  # of all values in the reply, those included that it has several times

    def of(self, namespace: int, key: bytes) -> Any:
        """Return the present value of a key, nil if the reply has no room for more."""
        if self.bytes >= self._most:
            return None
        found = self._known.get((namespace, key))
        if found is None:
            found = self._known[namespace, key] = value_of(self._engine, namespace, key, self._asked, self._now)
        self.bytes += found[1]
        return found[0]


def spelled(row: Command, frame: Frame, asked: Asked, values: Values) -> dict[str, Any]:
    """Return a change as a dictionary."""
    names = named(row, frame)
    keys = [text for is_key, text in names if is_key]
    name = next((text for is_key, text in names if not is_key), None)
    arguments = tape_reader.read(row, frame.numbers(row.slots), frame.payload, TAPE, with_form)
    change: dict[str, Any] = {
        "seq": frame.seq, "time": frame.now, "database": frame.namespace if keys or name is None else 0,
        "call": row.name if asked.surface is not Surface.RESP else row.name.encode(),
        "keys": [asked.text(key) for key in keys], "name": None if name is None else asked.text(name),
        "arguments": {word: _spelled(value, asked) for word, value in arguments.items()},
        "outcome": _outcome(frame, asked), "transaction": frame.transaction or None,
    }  # fmt: skip
    if asked.values:
        change["values"] = [values.of(frame.namespace, key) for key in keys]
    return change


def _outcome(frame: Frame, asked: Asked) -> Any:
    what = frame.status & layout.STATUS_MASK
    if what == layout.NUMBER:
        return frame.scalar
    word = OUTCOMES.get(what, "value") if frame.status else "decided"
    return word.encode() if asked.surface is Surface.RESP else word


def _spelled(value: Any, asked: Asked) -> Any:
    """Return an argument as the surface has it."""
    if isinstance(value, bytes):
        return asked.value(value)
    if isinstance(value, list):
        return [_spelled(each, asked) for each in value]
    if isinstance(value, dict):
        return {word: _spelled(each, asked) for word, each in value.items()}
    if asked.surface is Surface.RESP and isinstance(value, str):
        return value.encode()
    return value


def value_of(engine: "Engine", namespace: int, key: bytes, asked: Asked, now: int) -> tuple[Any, int]:
    """Return the present value of a key, and how many bytes it takes: a text, an array, or an object of fields or of
    members with their scores; nil for a missing key, a stream of Redis, and what takes more than VALUE_BYTES_MAX."""
    at = layout.CALL_BLOB * layout.WORD
    engine.bytes[at : at + len(key)] = key
    facts = np.zeros(descriptions.DESCRIPTION_WORDS, np.int64)
    seen = key_info.describe(engine.words, engine.octets, namespace, at, len(key), now, 1, facts)
    if not seen or facts[descriptions.BYTES] > VALUE_BYTES_MAX:
        return None, 0
    size = int(facts[descriptions.BYTES])
    found = transfer.value_of(engine, int(facts[descriptions.REF]), int(facts[descriptions.KIND]), now)
    if found is None or found.kind == "stream":
        return None, 0
    if found.kind == "string":
        return asked.value(found.items[0]), size
    if found.kind == "hash":
        return {_name(item[0], asked): asked.value(item[1]) for item in found.items}, size
    if found.kind == "zset":
        return {_name(member, asked): score for score, member in found.items}, size
    return [asked.value(item) for item in found.items], size


def _name(octets: bytes, asked: Asked) -> Any:
    """Return the name of a member of an object; in JSON in hexadecimal if it is not UTF-8."""
    text = asked.text(bytes(octets))
    return text if not isinstance(text, dict) else octets.hex()
