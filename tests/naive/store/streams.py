"""Streams of Redis: entries in nodes, as Redis keeps them, and groups of consumers; see stream_groups.py."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.naive.numbers import parse_integer
from tests.naive.parser import Refused
from tests.naive.store import OK, Answer, State

Id = tuple[int, int]
HIGHEST = 2**64 - 1
FIRST, LAST = (0, 0), (HIGHEST, HIGHEST)
NODE_ENTRIES, NODE_BYTES = 8, 400
"""stream-node-max-entries and stream-node-max-bytes of the tests: small, so that a stream soon has some nodes."""
NUMBER = re.compile(rb"[ \t-\r]*\+?([0-9]+)")


@dataclass
class Entry:
    """One entry: names and values in turn; a deleted one stays in its node."""

    id: Id
    fields: list[bytes]
    deleted: bool = False

    @property
    def reply(self) -> list[Any]:
        return [told(self.id), list(self.fields)]


@dataclass
class Node:
    """Some entries, deleted ones too, and how many bytes their listpack has."""

    first: Id
    names: list[bytes]
    size: int
    entries: list[Entry] = field(default_factory=list)

    @property
    def live(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.deleted]


@dataclass
class Pending:
    """An entry that was delivered to a consumer."""

    consumer: bytes
    time: int
    deliveries: int = 1


@dataclass
class Consumer:
    """When a consumer asked last, and when it last got something."""

    seen: int
    active: int = -1


@dataclass
class Group:
    """A group: what was delivered last, how many entries were read (None: nobody knows), and what is pending."""

    last: Id
    read: int | None
    consumers: dict[bytes, Consumer] = field(default_factory=dict)
    pending: dict[Id, Pending] = field(default_factory=dict)


@dataclass
class Stream:
    """A stream; `removed` is the greatest id that was deleted, `added` how many entries there ever were."""

    nodes: list[Node] = field(default_factory=list)
    last: Id = FIRST
    removed: Id = FIRST
    added: int = 0
    groups: dict[bytes, Group] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for node in self.nodes for entry in node.live)

    def __len__(self) -> int:
        return sum(len(node.live) for node in self.nodes)

    def between(self, first: Id, last: Id = LAST) -> list[Entry]:
        return [entry for entry in self if first <= entry.id <= last]

    def behind(self, ident: Id) -> list[Entry]:
        return [entry for entry in self if entry.id > ident]

    def get(self, ident: Id) -> Entry | None:
        return next((entry for entry in self if entry.id == ident), None)

    @property
    def oldest(self) -> Id:
        return next((entry.id for entry in self), FIRST)


# Ids.


def told(ident: Id) -> bytes:
    """An id as text."""
    return b"%d-%d" % ident


def number(text: bytes) -> int:
    found = NUMBER.fullmatch(text)
    if found is None or int(found[1]) > HIGHEST:
        raise Refused("BAD_ENTRY_ID")
    return int(found[1])


def strict_id(text: bytes, missing: int = 0) -> Id:
    """The id that a text is; `missing` is the seq of one that has none."""
    if len(text) > 127:
        raise Refused("BAD_ENTRY_ID")
    ms, dash, seq = text.partition(b"\0")[0].partition(b"-")
    return number(ms), number(seq) if dash else missing


def lenient_id(text: bytes, missing: int = 0) -> Id:
    """An id, or `-` or `+` for the first or the last one."""
    return {b"-": FIRST, b"+": LAST}.get(text) or strict_id(text, missing)


def start_id(text: bytes) -> Id:
    """The first id of a range."""
    if not text.startswith(b"("):
        return lenient_id(text)
    ms, seq = strict_id(text[1:])
    if (ms, seq) == LAST:
        raise Refused("BAD_INTERVAL_START")
    return (ms, seq + 1) if seq < HIGHEST else (ms + 1, 0)


def end_id(text: bytes) -> Id:
    """The last id of a range."""
    if not text.startswith(b"("):
        return lenient_id(text, HIGHEST)
    ms, seq = strict_id(text[1:], HIGHEST)
    if (ms, seq) == FIRST:
        raise Refused("BAD_INTERVAL_END")
    return (ms, seq - 1) if seq else (ms - 1, HIGHEST)


# Nodes.


def integer_bytes(value: int) -> int:
    """The bytes of an integer in a listpack."""
    if 0 <= value <= 127:
        return 2
    bits = next(bits for bits in (13, 16, 24, 32, 64) if -(1 << bits - 1) <= value < 1 << bits - 1)
    return {13: 3, 16: 4, 24: 5, 32: 6, 64: 10}[bits]


def text_bytes(text: bytes) -> int:
    """The bytes of a text in a listpack, where a number stands as one."""
    value = parse_integer(text) if len(text) <= 20 else None
    if value is not None:
        return integer_bytes(value)
    size = len(text) + (1 if len(text) < 64 else 2 if len(text) < 4096 else 5)
    return size + next(i for i, most in enumerate((127, 16382, 2097150, 268435454, 1 << 40), 1) if size <= most)


def signed(value: int) -> int:
    """A difference of two numbers as 64 bits with a sign."""
    value &= HIGHEST
    return value - (1 << 64) if value >> 63 else value


def append(stream: Stream, ident: Id, fields: list[bytes]) -> None:
    """Add an entry to the last node, or to a new one if that is full."""
    names = fields[::2]
    node = stream.nodes[-1] if stream.nodes else None
    if node is None or node.size + sum(map(len, fields)) >= NODE_BYTES or len(node.entries) >= NODE_ENTRIES:
        node = Node(ident, names, 7 + 3 * 2 + integer_bytes(len(names)) + sum(map(text_bytes, names)))
        stream.nodes.append(node)
    pieces = fields[1::2] if names == node.names else [*fields]
    node.size += 2 + sum(integer_bytes(signed(one - other)) for one, other in zip(ident, node.first, strict=True))
    node.size += sum(map(text_bytes, pieces))
    if names != node.names:
        node.size += integer_bytes(len(names))
    node.size += integer_bytes(3 + len(pieces) + (names != node.names))
    node.entries.append(Entry(ident, fields))
    stream.last = ident
    stream.added += 1


def _how(args: dict[str, Any]) -> str:
    return args.get("maxlen_how") or args.get("minid_how") or "="


def _check_trim(args: dict[str, Any]) -> None:
    if "MAXLEN" in args and args["maxlen"] < 0:
        raise Refused("NEGATIVE_MAXLEN_OF_STREAM")
    if "MINID" in args:
        strict_id(args["minid"])
    if args.get("limit", 0) < 0:
        raise Refused("NEGATIVE_TRIM_LIMIT")


def _check_limit(args: dict[str, Any], must_trim: bool) -> None:
    trims = "MAXLEN" in args or "MINID" in args
    if args.get("limit") and not trims:
        raise Refused("LIMIT_WITHOUT_TRIM")
    if must_trim and not trims:
        raise Refused("NO_TRIM")
    if "limit" in args and _how(args) != "~":
        raise Refused("LIMIT_WITHOUT_APPROXIMATION")


def _trimmed(stream: Stream, args: dict[str, Any]) -> int:
    """Remove the first entries, with `~` only whole nodes; how many were removed?"""
    if "MAXLEN" not in args and "MINID" not in args:
        return 0
    about = _how(args) == "~"
    limit = args.get("limit", 100 * NODE_ENTRIES) if about else 0
    least = None if "MAXLEN" in args else strict_id(args["minid"])
    before = len(stream)
    while stream.nodes and (least is not None or len(stream) > args["maxlen"]):
        node = stream.nodes[0]
        if limit and before - len(stream) + len(node.live) > limit:
            break
        if least is None:
            whole = len(stream) - len(node.live) >= args["maxlen"]
        else:
            whole = node.entries[-1].id < least  # a deleted one counts
        if whole:
            del stream.nodes[0]
            continue
        for entry in [] if about else node.live:
            if entry.id >= least if least is not None else len(stream) <= args["maxlen"]:
                break
            entry.deleted = True
        break
    return before - len(stream)


# Rows.


def _next_id(stream: Stream, text: bytes, now: int) -> Id:
    ms, seq = stream.last
    if stream.last == LAST:
        raise Refused("STREAM_EXHAUSTED")
    if text == b"*":
        if now > ms:
            return now, 0
        return (ms, seq + 1) if seq < HIGHEST else (ms + 1, 0)
    if text.endswith(b"-*"):
        wanted = number(text[:-2])
        if wanted == ms and seq == HIGHEST:
            raise Refused("ENTRY_ID_NOT_ABOVE")
        ident = (wanted, seq + 1 if wanted == ms else 0)
    else:
        ident = strict_id(text)
    if ident <= stream.last:
        raise Refused("ENTRY_ID_NOT_ABOVE")
    return ident


def add(state: State, args: dict[str, Any], now: int) -> Answer:
    _check_trim(args)
    text = args["id"]
    if text != b"*":
        strict_id(text.removesuffix(b"-*") if text.count(b"-") == 1 else text)
    _check_limit(args, False)
    if text != b"*" and not text.endswith(b"-*") and strict_id(text) == FIRST:
        raise Refused("ENTRY_ID_ZERO")
    if state.seen(args["key"], now, Stream) is None and "NOMKSTREAM" in args:
        return None, False
    stream = state.claim(args["key"], now, Stream).value
    ident = _next_id(stream, text, now)
    append(stream, ident, [text for pair in args["fields"] for text in (pair["field"], pair["value"])])
    _trimmed(stream, args)
    return told(ident), True


def length(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, Stream)
    return len(record.value) if record else 0, False


def trim(state: State, args: dict[str, Any], now: int) -> Answer:
    _check_trim(args)
    _check_limit(args, True)
    record = state.seen(args["key"], now, Stream)
    gone = _trimmed(record.value, args) if record else 0
    return gone, gone > 0


def delete(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now, Stream)
    if record is None:
        return 0, False
    stream, count = record.value, 0
    for ident in [strict_id(text) for text in args["ids"]]:
        entry = stream.get(ident)
        if entry is None:
            continue
        entry.deleted = True
        stream.nodes = [node for node in stream.nodes if node.live or entry not in node.entries]
        stream.removed = max(stream.removed, ident)
        count += 1
    return count, count > 0


def set_id(state: State, args: dict[str, Any], now: int) -> Answer:
    ident, added = strict_id(args["id"]), args.get("entries_added")
    if added is not None and added < 0:
        raise Refused("NEGATIVE_ENTRIES_ADDED")
    removed = strict_id(args["max_deleted_id"]) if "max_deleted_id" in args else FIRST
    if ident < removed:
        raise Refused("SET_ID_BELOW_DELETED")
    record = state.seen(args["key"], now, Stream)
    if record is None:
        raise Refused("NO_SUCH_KEY")
    stream = record.value
    if ident < stream.removed:
        raise Refused("SET_ID_BELOW_OWN_DELETED")
    if len(stream) and ident < max(entry.id for entry in stream):
        raise Refused("SET_ID_BELOW_LAST")
    if len(stream) and added is not None and added < len(stream):
        raise Refused("ENTRIES_ADDED_BELOW_LENGTH")
    stream.last = ident
    stream.added = stream.added if added is None else added
    stream.removed = removed if removed != FIRST else stream.removed
    return OK, True


def last(state: State, args: dict[str, Any], now: int) -> Answer:
    record = state.seen(args["key"], now)
    return told(record.value.last if record and record.kind is Stream else FIRST), False
