r"""Redis' globs over bytes: one of them, and the many of one place.

The globs of one place are not tried one after the other once there are many: a glob that has a whole literal segment
(`*.room7.*`) is filed under that, any other with four literal bytes in a row (`*room7*`) under four of them, each
time where there are the fewest (the rarest four). So a topic looks up its segments and its runs of four bytes, and
tests what it finds. Only globs with less than that (`*a?b`) are tried one by one.

*A glob of bytes and stars* is matched by searching its parts in order; others are made a regular expression when they
are first tested, in which what stands between two stars is atomic: as early as it can, never to be tried again. So no
pattern takes longer than the size of the topic times its longest run, as with `synap.kernels.globs`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

FEW = 8  # globs that are tried one by one
GRAM, GRAMS_FROM = 4, 32
CROWD = 32  # globs under one segment from which four bytes are looked for instead

STAR: frozenset[int] = frozenset()


def elements(pattern: bytes) -> list[frozenset[int]]:
    """Redis' glob as what each of its elements takes: the bytes of one place, or `STAR`."""
    found: list[frozenset[int]] = []
    at, end = 0, len(pattern)
    while at < end:
        byte = pattern[at]
        at += 1
        if byte == 0x2A:  # *
            if not (found and found[-1] is STAR):
                found.append(STAR)
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
        if element is STAR:
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
    for i, taken in enumerate([*rest, STAR]):
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


def _grams_of(glob: Glob) -> set[bytes]:
    """The runs of four literal bytes, of the first of them."""
    runs = [run[:GRAMS_FROM] for run, _, _ in glob.runs[:GRAMS_FROM]]
    return {run[i : i + GRAM] for run in runs for i in range(len(run) - GRAM + 1)}


class Globs:
    """The globs of one place, see the file."""

    __slots__ = ("_all", "_grams", "_loose", "_seen", "_segments")

    def __init__(self) -> None:
        self._all: dict[bytes, Glob] = {}
        self._segments: dict[bytes, list[Glob]] = {}
        self._grams: dict[bytes, list[Glob]] = {}
        self._loose: list[Glob] = []
        self._seen: dict[bytes, int] = {}  # how many globs have these four bytes: the rarest tell most

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
            grams = _grams_of(glob)
            gram = min(grams, key=lambda key: self._seen.get(key, 0), default=None)
            for key in grams:
                self._seen[key] = self._seen.get(key, 0) + 1
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
        for gram in _grams_of(glob) if files is self._grams else ():
            self._seen[gram] -= 1
            if not self._seen[gram]:
                del self._seen[gram]

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
            for gram in filter(files.__contains__, {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}):
                near = near + files[gram]
        found.extend([glob.value for glob in near if glob.matches(text)])
