r"""Which subscriptions a topic meets: one trie of patterns, walked once for each topic.

A topic is segments with dots between them. Three dialects ask for topics:

    exact      the topic itself                                                    news.sport
    segments   `*` one segment, `#` any number at the end, `a*b` within a segment  news.*.live   news.#   user:*
    globs      Redis' globs, whose `*` crosses dots, over all the bytes            new?.[a-f]*

Exact topics need no walk and are no business of this file. Patterns of segments are paths of the trie. A glob
hangs at the node that its leading literal segments reach, and is tested there on the whole topic.

*The walk* holds the nodes that the segments so far can have reached; each pattern has one node, so that is never
more than there are patterns, and for ordinary ones a handful. *The globs of one node* are not tried one after the
other once there are many: a glob that has a whole literal segment (`*.room7.*`) is filed under that, any other with
four literal bytes in a row (`*room7*`) under four of them, each time where there are the fewest. So a topic
looks up its segments and its runs of four bytes, and tests what it finds. Only globs with less than that (`*a?b`) are
tried one by one.

*A glob of bytes and stars* is matched by searching its parts in order; others are made a regular expression when they
are first tested, in which what stands between two stars is atomic: as early as it can, never to be tried again. So
no pattern takes longer than the size of the topic times its longest run, as with `synap.kernels.globs`.
An empty topic is matched by the empty glob alone, as Redis has it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from synap.faults import Fault

FEW = 8  # globs that are tried one by one
GRAM = 4
CROWD = 32  # globs under one segment from which four bytes are looked for instead

_STAR: frozenset[int] = frozenset()
_META = re.compile(rb"[*?\[\\]")


def checked_segments(pattern: bytes) -> bool:
    """Is this a pattern of segments, not an exact topic? Raises Fault for a `#` that is not at the end."""
    if b"*" not in pattern and b"#" not in pattern:
        return False
    segments = pattern.split(b".")
    hashes = segments.count(b"#")
    if hashes > 1:
        raise Fault("TWO_HASHES")
    if hashes and segments[-1] != b"#":
        raise Fault("HASH_NOT_LAST")
    return bool(hashes) or b"*" in pattern


# One glob.


def elements(pattern: bytes) -> list[frozenset[int]]:
    """Redis' glob as what each of its elements takes: the bytes of one place, or `_STAR`."""
    found: list[frozenset[int]] = []
    at, end = 0, len(pattern)
    while at < end:
        byte = pattern[at]
        at += 1
        if byte == 0x2A:  # *
            if not (found and found[-1] is _STAR):
                found.append(_STAR)
        elif byte == 0x3F:  # ?
            found.append(_ALL)
        elif byte == 0x5B:  # [
            taken, at = _class(pattern, at)
            found.append(taken or _NONE)
        else:
            if byte == 0x5C and at < end:  # \
                byte = pattern[at]
                at += 1
            found.append(frozenset((byte,)))
    return found


_ALL = frozenset(range(256))
_NONE = frozenset((-1,))  # a class that no byte is in


def _class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """The bytes of a class whose `[` stands before `at`, and where it ends."""
    end = len(pattern)
    negated = pattern[at : at + 1] == b"^"
    at += negated
    taken: set[int] = set()
    while at < end:
        first = pattern[at]
        if first == 0x5C and at + 1 < end:
            taken.add(pattern[at + 1])
            at += 2
        elif first == 0x5D:  # ]
            at += 1
            break
        elif at + 2 < end and pattern[at + 1] == 0x2D:  # -
            last = pattern[at + 2]
            taken.update(range(min(first, last), max(first, last) + 1))
            at += 3
        else:
            taken.add(first)
            at += 1
    return (_ALL - taken if negated else frozenset(taken)), at


def _parts(found: list[frozenset[int]]) -> list[list[frozenset[int]]]:
    """What stands before, between and behind the stars."""
    parts: list[list[frozenset[int]]] = [[]]
    for element in found:
        if element is _STAR:
            parts.append([])
        else:
            parts[-1].append(element)
    return parts


def _searcher(parts: list[bytes]) -> Callable[[bytes], bool]:
    """A glob of bytes and stars only."""
    first, last, middle = parts[0], parts[-1], [part for part in parts[1:-1] if part]
    if len(parts) == 1:
        return first.__eq__
    least = sum(map(len, parts))

    def matches(text: bytes) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return matches


def _spelled(part: list[frozenset[int]]) -> bytes:
    out = []
    for taken in part:
        if taken is _ALL:
            out.append(b".")
        elif taken is _NONE:
            out.append(b"(?!)")
        else:
            out.append(b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(taken)) + b"]")
    return b"".join(out)


def _expression(parts: list[list[frozenset[int]]]) -> Callable[[bytes], bool]:
    """Any glob, compiled when it is first asked."""
    compiled: list[re.Pattern[bytes]] = []

    def matches(text: bytes) -> bool:
        if not compiled:
            middle = b"".join(b"(?>.*?" + _spelled(part) + b")" for part in parts[1:-1] if part)
            end = b".*" + _spelled(parts[-1]) if len(parts) > 1 else b""
            compiled.append(re.compile(_spelled(parts[0]) + middle + end, re.DOTALL))
        return compiled[0].fullmatch(text) is not None

    return matches


class Glob:
    """One pattern with its `value`: `matches(text)`, and the literals that every text of it has."""

    __slots__ = ("bucket", "matches", "runs", "value")

    def __init__(self, whole: list[frozenset[int]], rest: list[frozenset[int]], value: Any) -> None:
        """`rest` is what stands behind the leading segments of `whole`."""
        parts = _parts(whole)
        self.value = value
        self.bucket: tuple[dict[bytes, list[Glob]], bytes] | None = None
        if all(len(taken) == 1 and taken is not _NONE for part in parts for taken in part):
            self.matches = _searcher([b"".join(bytes(taken) for taken in part) for part in parts])
        else:
            self.matches = _expression(parts)
        self.runs = _runs(rest)


def _runs(rest: list[frozenset[int]]) -> list[tuple[bytes, bool, bool]]:
    """The runs of literal bytes: each with whether it begins, and whether it ends, the pattern."""
    runs: list[tuple[bytes, bool, bool]] = []
    run, first = bytearray(), True
    for i, taken in enumerate([*rest, _STAR]):
        if len(taken) == 1 and taken is not _NONE:
            run += bytes(taken)
            continue
        if run:
            runs.append((bytes(run), first, i == len(rest)))
        run, first = bytearray(), False
    return runs


def _whole(run: bytes, first: bool, last: bool) -> list[bytes]:
    """The whole segments in a run of literal bytes."""
    pieces = run.split(b".")
    return [piece for piece in pieces[0 if first else 1 : None if last else -1] if piece]


class Globs:
    """The globs of one place, see the file."""

    __slots__ = ("_all", "_grams", "_loose", "_segments")

    def __init__(self) -> None:
        self._all: dict[bytes, Glob] = {}
        self._segments: dict[bytes, list[Glob]] = {}
        self._grams: dict[bytes, list[Glob]] = {}
        self._loose: list[Glob] = []

    def __len__(self) -> int:
        return len(self._all)

    def get(self, pattern: bytes) -> Glob | None:
        """The glob under this text."""
        return self._all.get(pattern)

    def add(self, pattern: bytes, glob: Glob) -> None:
        """One more, which is not there."""
        self._all[pattern] = glob
        segments = [segment for run, first, last in glob.runs for segment in _whole(run, first, last)]
        best = self._least(self._segments, segments)
        if best is None or len(self._segments.get(best, ())) >= CROWD:
            gram = self._least(
                self._grams, [run[i : i + GRAM] for run, _, _ in glob.runs for i in range(len(run) - GRAM + 1)]
            )
            if gram is not None:
                self._file(glob, self._grams, gram)
                return
        if best is not None:
            self._file(glob, self._segments, best)
        else:
            self._loose.append(glob)

    def remove(self, pattern: bytes) -> None:
        """One less."""
        glob = self._all.pop(pattern)
        if glob.bucket is None:
            self._loose.remove(glob)
            return
        files, key = glob.bucket
        files[key].remove(glob)
        if not files[key]:
            del files[key]

    @staticmethod
    def _least(files: dict[bytes, list[Glob]], keys: list[bytes]) -> bytes | None:
        return min(keys, key=lambda key: len(files.get(key, ())), default=None)

    @staticmethod
    def _file(glob: Glob, files: dict[bytes, list[Glob]], key: bytes) -> None:
        glob.bucket = files, key
        files.setdefault(key, []).append(glob)

    def find(self, text: bytes, segments: Iterable[bytes], found: list[Any]) -> None:
        """Add the values of the globs that match to `found`."""
        if len(self._all) <= FEW:
            found.extend([glob.value for glob in self._all.values() if glob.matches(text)])
            return
        near = self._loose
        if self._segments:
            files = self._segments
            for segment in dict.fromkeys(segments):
                if segment in files:
                    near = near + files[segment]
        if self._grams:
            files = self._grams
            for gram in {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}:
                if gram in files:
                    near = near + files[gram]
        found.extend([glob.value for glob in near if glob.matches(text)])


# The trie.


class Node:
    """What can follow after some segments."""

    __slots__ = ("children", "ends", "globs", "one", "parts", "rest")

    def __init__(self) -> None:
        self.children: dict[bytes, Node] = {}
        self.one: Node | None = None  # behind a `*`
        self.parts: Globs | None = None  # segments with a `*` among others; their values are nodes
        self.globs: Globs | None = None
        self.ends: Any = None  # the value of the pattern that ends here
        self.rest: Any = None  # and of the one that goes on with `#`

    def bare(self) -> bool:
        """Does nothing follow?"""
        return not (
            self.children or self.one or self.parts or self.globs or self.ends is not None or self.rest is not None
        )

    def after(self, segment: bytes) -> "Node | None":
        """The node behind a segment of a pattern."""
        if segment == b"*":
            return self.one
        if b"*" in segment:
            glob = self.parts.get(segment) if self.parts else None
            return glob.value if glob else None
        return self.children.get(segment)

    def grow(self, segment: bytes) -> "Node":
        """The same, made if it is not there."""
        node = self.after(segment)
        if node is not None:
            return node
        node = Node()
        if segment == b"*":
            self.one = node
        elif b"*" in segment:
            self.parts = self.parts or Globs()
            taken = [_STAR if byte == 0x2A else frozenset((byte,)) for byte in segment]
            self.parts.add(segment, Glob(taken, taken, node))
        else:
            self.children[segment] = node
        return node

    def prune(self, segment: bytes) -> None:
        """Forget what was behind a segment."""
        if segment == b"*":
            self.one = None
        elif b"*" in segment:
            assert self.parts is not None
            self.parts.remove(segment)
            self.parts = self.parts or None
        else:
            del self.children[segment]


class Trie:
    """All patterns. Which of them are there is known to whoever adds them: each is added and removed once."""

    def __init__(self) -> None:
        self._root = Node()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add_segments(self, pattern: bytes, value: Any) -> None:
        """A pattern of segments, see `checked_segments`."""
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
        """It is there no more."""
        path, rest = _path(pattern)
        nodes = self._nodes(path)
        if rest:
            nodes[-1].rest = None
        else:
            nodes[-1].ends = None
        self._prune(nodes, path)

    def add_glob(self, pattern: bytes, value: Any) -> None:
        """One of Redis' globs."""
        path, size = _leading(pattern)
        node = self._root
        for segment in path:
            node = node.grow(segment)
        if node.globs is None:
            node.globs = Globs()
        node.globs.add(pattern, Glob(elements(pattern), elements(pattern[size:]), value))
        self._count += 1

    def remove_glob(self, pattern: bytes) -> None:
        """It is there no more."""
        path, _ = _leading(pattern)
        nodes = self._nodes(path)
        globs = nodes[-1].globs
        assert globs is not None
        globs.remove(pattern)
        nodes[-1].globs = globs or None
        self._prune(nodes, path)

    def match(self, topic: bytes) -> list[Any]:
        """The values of all patterns that the topic meets."""
        found: list[Any] = []
        if not self._count:
            return found
        segments = topic.split(b".")
        nodes = [self._root]
        for segment in segments:
            after: list[Node] = []
            for node in nodes:
                if node.rest is not None:
                    found.append(node.rest)
                if node.globs is not None:
                    if topic:
                        node.globs.find(topic, segments, found)
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

    def _nodes(self, path: list[bytes]) -> list[Node]:
        nodes = [self._root]
        for segment in path:
            node = nodes[-1].after(segment)
            assert node is not None, "a pattern that is not there"
            nodes.append(node)
        return nodes

    def _prune(self, nodes: list[Node], path: list[bytes]) -> None:
        self._count -= 1
        while path and nodes[-1].bare():
            nodes.pop()
            nodes[-1].prune(path.pop())


def _path(pattern: bytes) -> tuple[list[bytes], bool]:
    """The segments of a pattern, and whether a `#` follows them."""
    path = pattern.split(b".")
    rest = path[-1] == b"#"
    if rest:
        path.pop()
    return path, rest


def _leading(pattern: bytes) -> tuple[list[bytes], int]:
    """The segments that a glob literally begins with, and their bytes with the dots behind them."""
    meta = _META.search(pattern)
    size = pattern.rfind(b".", 0, meta.start() if meta else len(pattern)) + 1
    return (pattern[: size - 1].split(b".") if size else []), size
