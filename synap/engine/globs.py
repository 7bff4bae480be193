r"""Redis globs over bytes: one glob (`Glob`), and an index over the globs of one node of the trie (`Globs`).

`Globs` does not try many globs one after the other. A glob with a whole literal segment (`*.room7.*`) is indexed
under that segment, any other glob with four literal bytes in a row (`*room7*`) under four such bytes (a gram), in
both cases under the key with the fewest globs (the rarest gram). A channel looks up its segments and its grams and
tests only the globs found there. Globs with fewer literal bytes (`*a?b`) are tried one by one.

A glob of literal bytes and stars is matched by searching its parts in order. Any other glob becomes a regular
expression at its first test. In that expression each part between two stars is an atomic group: the part matches at
the first possible place and is never tried again. So no pattern takes longer than the size of the channel times the
longest literal run of the pattern, as with `synap.kernels.globs`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
"""The value of a glob or pattern."""

FEW = 8  # globs that are tried one by one
GRAM, GRAMS_FROM = 4, 32
CROWD = 32  # with this many globs under one segment, a glob is indexed under a gram instead

STAR: frozenset[int] = frozenset()


def elements(pattern: bytes) -> list[frozenset[int]]:
    """Parse a Redis glob into its elements: the set of bytes that match at one position, or `STAR`."""
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
_NONE = frozenset((-1,))  # a class that matches no byte


def _class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """Parse the class whose `[` stands before `at`; return its bytes and the position behind the class."""
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
    """Split elements at the stars."""
    parts: list[list[frozenset[int]]] = [[]]
    for element in found:
        if element is STAR:
            parts.append([])
        else:
            parts[-1].append(element)
    return parts


def _searcher(parts: list[bytes]) -> Callable[[bytes], bool]:
    """Return a matcher for a glob of literal bytes and stars, given the parts between the stars."""
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
    """Return a matcher for any glob; its regular expression is compiled at the first call."""
    compiled: list[re.Pattern[bytes]] = []

    def matches(text: bytes) -> bool:
        if not compiled:
            middle = b"".join(b"(?>.*?" + _spelled(part) + b")" for part in parts[1:-1] if part)
            end = b".*" + _spelled(parts[-1]) if len(parts) > 1 else b""
            compiled.append(re.compile(_spelled(parts[0]) + middle + end, re.DOTALL))
        return compiled[0].fullmatch(text) is not None

    return matches


class Glob(Generic[T]):
    """A glob with its `value`, its matcher `matches(text)`, and the literal `runs` that every match contains."""

    __slots__ = ("bucket", "matches", "runs", "value")

    def __init__(self, whole: list[frozenset[int]], rest: list[frozenset[int]], value: T) -> None:
        """Build a glob from the elements `whole`; `rest` are those behind the leading literal segments."""
        parts = _parts(whole)
        self.value = value
        self.bucket: tuple[dict[bytes, list[Glob[T]]], bytes] | None = None
        if all(len(taken) == 1 and taken is not _NONE for part in parts for taken in part):
            self.matches = _searcher([b"".join(bytes(taken) for taken in part) for part in parts])
        else:
            self.matches = _expression(parts)
        self.runs = _runs(rest)


def _runs(rest: list[frozenset[int]]) -> list[tuple[bytes, bool, bool]]:
    """Return the runs of literal bytes as (run, True if it begins the pattern, True if it ends the pattern)."""
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
    """Return the whole segments in a run of literal bytes."""
    pieces = run.split(b".")
    return [piece for piece in pieces[0 if first else 1 : None if last else -1] if piece]


def _grams_of(glob: Glob[T]) -> set[bytes]:
    """Return the grams (four literal bytes in a row) of a glob, from the first bytes of its first runs."""
    runs = [run[:GRAMS_FROM] for run, _, _ in glob.runs[:GRAMS_FROM]]
    return {run[i : i + GRAM] for run in runs for i in range(len(run) - GRAM + 1)}


class Globs(Generic[T]):
    """The globs of one node of the trie, indexed by literal segment and by gram."""

    __slots__ = ("_all", "_grams", "_loose", "_seen", "_segments")

    def __init__(self) -> None:
        self._all: dict[bytes, Glob[T]] = {}
        self._segments: dict[bytes, list[Glob[T]]] = {}
        self._grams: dict[bytes, list[Glob[T]]] = {}
        self._loose: list[Glob[T]] = []
        self._seen: dict[bytes, int] = {}  # gram -> number of globs that contain it

    def __len__(self) -> int:
        return len(self._all)

    def get(self, pattern: bytes) -> Glob[T] | None:
        """Return the glob that was added as `pattern`, or None."""
        return self._all.get(pattern)

    def add(self, pattern: bytes, glob: Glob[T]) -> None:
        """Add a glob whose pattern is not there yet."""
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
        """Remove the glob that was added as `pattern`."""
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
    def _least(files: dict[bytes, list[Glob[T]]], keys: list[bytes]) -> bytes | None:
        return min(keys, key=lambda key: len(files.get(key, ())), default=None)

    @staticmethod
    def _file(glob: Glob[T], files: dict[bytes, list[Glob[T]]], key: bytes) -> None:
        glob.bucket = files, key
        files.setdefault(key, []).append(glob)

    def find(self, text: bytes, segments: Iterable[bytes], found: list[T]) -> None:
        """Append the values of the globs that match `text` to `found`; `segments` are those of `text`."""
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
