"""Parts of streams in snapshots, see `synap/store/kinds/streams/stream_parts.py`."""

from typing import Any

from tests.naive.parser import Refused
from tests.naive.store import Answer, State
from tests.naive.store.streams import HIGHEST, Consumer, Entry, Group, Node, Pending, Stream

CHUNK, LAST, DELETED, GROUP, CONSUMER, PENDING = range(1, 7)
GONE, SAME_NAMES = 1, 2


def varint(value: int) -> bytes:
    """A number in groups of 7 bits, the lowest first; all but the last have the highest bit set."""
    octets = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([octet | 128 for octet in octets[:-1]] + octets[-1:])


class Strip:
    """The names and entries of a node, as they lie in a chunk."""

    def __init__(self, octets: bytes) -> None:
        self.octets, self.at = octets, 0

    def number(self) -> int:
        value = shift = 0
        while True:
            octet = self.octets[self.at]
            self.at += 1
            value |= (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    def text(self) -> bytes:
        size = self.number()
        self.at += size
        return self.octets[self.at - size : self.at]

    def texts(self, count: int) -> list[bytes]:
        return [self.text() for _ in range(count)]


def packed(node: Node) -> bytes:
    """The strip of a node."""

    def texts(found: list[bytes]) -> bytes:
        return b"".join(varint(len(text)) + text for text in found)

    strip = varint(len(node.names)) + texts(node.names)
    for entry in node.entries:
        same = entry.fields[::2] == node.names
        ms, seq = entry.id[0] - node.first[0], entry.id[1]
        strip += bytes([GONE * entry.deleted + SAME_NAMES * same]) + varint(ms)
        strip += varint(seq if ms else seq - node.first[1])
        strip += texts(entry.fields[1::2]) if same else varint(len(entry.fields) // 2) + texts(entry.fields)
    return strip


def unpacked(first: tuple[int, int], size: int, octets: bytes) -> Node:
    """The node whose strip this is."""
    strip = Strip(octets)
    node = Node(first, strip.texts(strip.number()), size)
    while strip.at < len(octets):
        flags = strip.octets[strip.at]
        strip.at += 1
        ms, seq = strip.number(), strip.number()
        ident = (first[0] + ms, seq if ms else first[1] + seq)
        if flags & SAME_NAMES:
            fields = [text for name in node.names for text in (name, strip.text())]
        else:
            fields = strip.texts(2 * strip.number())
        node.entries.append(Entry(ident, fields, bool(flags & GONE)))
    return node


def load(state: State, args: dict[str, Any], now: int) -> Answer:
    if (state.there(args["key"]) is not None) != bool(args["more"]):
        raise Refused("KEY_EXISTS")
    stream = state.claim(args["key"], -1, Stream).value
    for part in args["parts"]:
        a, b, c, d, e = (part[name] for name in "abcde")
        ident = (a & HIGHEST, b & HIGHEST)
        group = list(stream.groups.values())[-1] if stream.groups else Group((0, 0), None)
        match part["what"]:
            case 1:
                stream.nodes.append(unpacked(ident, e, part["text"]))
            case 2:
                stream.last, stream.added = ident, c
            case 3:
                stream.removed = ident
            case 4:
                stream.groups[part["text"]] = Group(ident, c if c >= 0 else None)
            case 5:
                group.consumers[part["text"]] = Consumer(a, b)
            case 6:
                group.pending[ident] = Pending(sorted(group.consumers)[e], c, d)
    if not args["more"]:
        state.there(args["key"]).deadline = args["deadline"]
    return len(args["parts"]), True
