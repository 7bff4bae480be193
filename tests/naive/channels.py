"""The naive twin of `synap.engine.pattern_trie`: every pattern is tried on every topic."""

import re
from functools import lru_cache

from tests.naive import globs


@lru_cache(1 << 18)
def segments_match(pattern: bytes, topic: bytes) -> bool:
    """Segment by segment, a `#` at the end takes the rest."""
    wanted, given = pattern.split(b"."), topic.split(b".")
    if wanted[-1] == b"#":
        wanted = wanted[:-1]
        given = given[: len(wanted)]
    return len(wanted) == len(given) and all(
        re.fullmatch(re.escape(one).replace(rb"\*", b".*"), other, re.DOTALL) is not None
        for one, other in zip(wanted, given, strict=True)
    )


@lru_cache(1 << 18)
def glob_matches(pattern: bytes, topic: bytes) -> bool:
    """As Redis, which enters its loop for no empty text."""
    return globs.matches(pattern, topic) if topic else not pattern


class Patterns:
    """What `Trie` is: patterns with their values."""

    def __init__(self) -> None:
        self.segments: dict[bytes, object] = {}
        self.globs: dict[bytes, object] = {}

    def match(self, topic: bytes) -> list[object]:
        """The values of all that match."""
        found = [value for pattern, value in self.segments.items() if segments_match(pattern, topic)]
        return found + [value for pattern, value in self.globs.items() if glob_matches(pattern, topic)]
