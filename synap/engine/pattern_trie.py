r"""Trie of pub/sub patterns: finds all patterns that match a channel in one walk.

A channel is segments with dots between them. A subscription names channels in one of three dialects:

    exact      the channel itself                                                  news.sport
    segments   `*` one segment, `#` any number at the end, `a*b` within a segment  news.*.live   news.#   user:*
    globs      Redis' globs, whose `*` crosses dots, over all the bytes            new?.[a-f]*

Exact channels need no walk and are not stored here. Patterns of segments are paths of the trie. A glob belongs to
the node that its leading literal segments reach, and is tested there against the whole channel.

The walk keeps the set of nodes that the segments read so far can reach. Each pattern has one node, so the set is
never larger than the number of patterns, and usually a handful. `globs.py` finds the matching globs of one node.
Only the empty glob matches an empty channel, as in Redis.
"""

import re
from typing import Generic

from synap.engine.globs import STAR, Glob, Globs, T, elements
from synap.faults import Fault

_META = re.compile(rb"[*?\[\\]")


def checked_segments(pattern: bytes) -> bool:
    """Return True for a pattern of segments, False for an exact channel. Raise Fault if `#` is not at the end."""
    if b"*" not in pattern and b"#" not in pattern:
        return False
    segments = pattern.split(b".")
    hashes = segments.count(b"#")
    if hashes > 1:
        raise Fault("TWO_HASHES")
    if hashes and segments[-1] != b"#":
        raise Fault("HASH_NOT_LAST")
    return bool(hashes) or b"*" in pattern


class Node(Generic[T]):
    """A node of the trie."""

    __slots__ = ("children", "ends", "globs", "one", "parts", "rest")

    def __init__(self) -> None:
        self.children: dict[bytes, Node[T]] = {}
        self.one: Node[T] | None = None  # the child for a segment `*`
        self.parts: Globs[Node[T]] | None = None  # segments such as `a*b`; their values are child nodes
        self.globs: Globs[T] | None = None
        self.ends: T | None = None  # the value of the pattern that ends here
        self.rest: T | None = None  # the value of the pattern that ends with `#` here

    def bare(self) -> bool:
        """Return True if the node has no children and no patterns."""
        return not (
            self.children or self.one or self.parts or self.globs or self.ends is not None or self.rest is not None
        )

    def after(self, segment: bytes) -> "Node[T] | None":
        """Return the child for a segment of a pattern, or None."""
        if segment == b"*":
            return self.one
        if b"*" in segment:
            glob = self.parts.get(segment) if self.parts else None
            return glob.value if glob else None
        return self.children.get(segment)

    def grow(self, segment: bytes) -> "Node[T]":
        """Return the child for a segment of a pattern; create the child if it is missing."""
        node = self.after(segment)
        if node is not None:
            return node
        node = Node()
        if segment == b"*":
            self.one = node
        elif b"*" in segment:
            self.parts = self.parts or Globs()
            taken = [STAR if byte == 0x2A else frozenset((byte,)) for byte in segment]
            self.parts.add(segment, Glob(taken, taken, node))
        else:
            self.children[segment] = node
        return node

    def prune(self, segment: bytes) -> None:
        """Remove the child for a segment of a pattern."""
        if segment == b"*":
            self.one = None
        elif b"*" in segment:
            assert self.parts is not None
            self.parts.remove(segment)
            self.parts = self.parts or None
        else:
            del self.children[segment]


class Trie(Generic[T]):
    """All patterns of an engine. The caller adds each pattern once and removes only patterns that it added."""

    def __init__(self) -> None:
        self._root: Node[T] = Node()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add_segments(self, pattern: bytes, value: T) -> None:
        """Add a pattern of segments, checked with `checked_segments`."""
        path, rest = _path(pattern)
        node = self._root
        for segment in path:
            node = node.grow(segment)
        if rest:
            node.rest = value
        else:
            node.ends = value
        self._count += 1

    def remove_segments(self, pattern: bytes) -> None:
        """Remove a pattern of segments."""
        path, rest = _path(pattern)
        nodes = self._nodes(path)
        if rest:
            nodes[-1].rest = None
        else:
            nodes[-1].ends = None
        self._prune(nodes, path)

    def add_glob(self, pattern: bytes, value: T) -> None:
        """Add a Redis glob."""
        path, size = _leading(pattern)
        node = self._root
        for segment in path:
            node = node.grow(segment)
        if node.globs is None:
            node.globs = Globs()
        node.globs.add(pattern, Glob(elements(pattern), elements(pattern[size:]), value))
        self._count += 1

    def remove_glob(self, pattern: bytes) -> None:
        """Remove a Redis glob."""
        path, _ = _leading(pattern)
        nodes = self._nodes(path)
        globs = nodes[-1].globs
        assert globs is not None
        globs.remove(pattern)
        nodes[-1].globs = globs or None
        self._prune(nodes, path)

    def match(self, channel: bytes) -> list[T]:
        """Return the value of every pattern that matches a channel, in no order."""
        found: list[T] = []
        if not self._count:
            return found
        segments = channel.split(b".")
        nodes = [self._root]
        for segment in segments:
            after: list[Node[T]] = []
            for node in nodes:
                if node.rest is not None:
                    found.append(node.rest)
                if node.globs is not None:
                    if channel:
                        node.globs.find(channel, segments, found)
                    elif empty := node.globs.get(b""):
                        found.append(empty.value)
                child = node.children.get(segment)
                if child is not None:
                    after.append(child)
                if node.one is not None:
                    after.append(node.one)
                if node.parts is not None:
                    node.parts.find(segment, (), after)
            if not after:
                return found
            nodes = after
        for node in nodes:
            if node.ends is not None:
                found.append(node.ends)
            if node.rest is not None:
                found.append(node.rest)
        return found

    def _nodes(self, path: list[bytes]) -> list[Node[T]]:
        nodes = [self._root]
        for segment in path:
            node = nodes[-1].after(segment)
            assert node is not None, "the pattern is not in the trie"
            nodes.append(node)
        return nodes

    def _prune(self, nodes: list[Node[T]], path: list[bytes]) -> None:
        self._count -= 1
        while path and nodes[-1].bare():
            nodes.pop()
            nodes[-1].prune(path.pop())


def _path(pattern: bytes) -> tuple[list[bytes], bool]:
    """Split a pattern into its segments without a last `#`; return the segments and True if there was a `#`."""
    path = pattern.split(b".")
    rest = path[-1] == b"#"
    if rest:
        path.pop()
    return path, rest


def _leading(pattern: bytes) -> tuple[list[bytes], int]:
    """Return the literal segments that a glob begins with, and their size in bytes with the dots behind them."""
    meta = _META.search(pattern)
    size = pattern.rfind(b".", 0, meta.start() if meta else len(pattern)) + 1
    return (pattern[: size - 1].split(b".") if size else []), size
