"""The trie of patterns beside its naive twin, and the dialects by example."""

from random import Random

import pytest

from synap.engine.pattern_trie import Trie, checked_segments
from synap.faults import Fault
from tests.naive.channels import Patterns, glob_matches, segments_match

WORDS = [b"a", b"b", b"ab", b"news", b"room7", b"room71", b"user:1", b"", b"x.y", b"\xff"]
SEGMENTS = [*WORDS[:-2], b"*", b"*", b"user:*", b"*7*", b"r*m*", b"**"]
GLOB_PIECES = [b"a", b"b", b"*", b"?", b"[ab]", b"[^a]", b"[a-", b"[]", b"\\*", b".", b"news", b"room7", b"user:",
               b"\\", b"[7-1]", b"[b", b"."]  # fmt: skip


def topic(chance: Random) -> bytes:
    return b".".join(chance.choice(WORDS) for _ in range(chance.randint(1, 4)))


def segmented(chance: Random) -> bytes:
    found = [chance.choice(SEGMENTS) for _ in range(chance.randint(1, 4))]
    return b".".join(found + [b"#"] * (chance.random() < 0.3))


def glob(chance: Random) -> bytes:
    return b"".join(chance.choice(GLOB_PIECES) for _ in range(chance.randint(0, 5)))


def compare(seed: int, count: int) -> None:
    chance, trie, twin = Random(seed), Trie(), Patterns()
    met = 0
    for i in range(count):
        most = 6 if i // 1000 % 2 else 30  # few: tried one by one; many: found by what they hold
        if chance.random() < 0.25:
            kind, pattern = twin.segments, segmented(chance)
            if chance.random() < 0.5:
                kind, pattern = twin.globs, glob(chance)
            if kind and (pattern in kind or len(kind) > most):
                pattern = pattern if pattern in kind else chance.choice(list(kind))
                (trie.remove_segments if kind is twin.segments else trie.remove_glob)(pattern)
                del kind[pattern]
            elif kind is twin.globs or checked_segments(pattern):
                kind[pattern] = value = object()
                (trie.add_segments if kind is twin.segments else trie.add_glob)(pattern, value)
            assert len(trie) == len(twin.segments) + len(twin.globs)
        else:
            given = topic(chance)
            found, wanted = trie.match(given), twin.match(given)
            met += len(wanted)
            assert len(found) == len(wanted) and set(map(id, found)) == set(map(id, wanted)), (given, twin.__dict__)
    assert met > count // 2
    for pattern in twin.segments:
        trie.remove_segments(pattern)
    for pattern in twin.globs:
        trie.remove_glob(pattern)
    assert len(trie) == 0 and trie._root.bare(), "empty nodes are left"


@pytest.mark.parametrize("seed", range(2))
def test_like_its_twin(seed: int) -> None:
    compare(seed, 2000)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 110))
def test_like_its_twin_for_long(seed: int) -> None:
    compare(seed, 100_000)


@pytest.mark.parametrize(("pattern", "topics", "others"), [
    (b"a.*", [b"a.b", b"a."], [b"a", b"a.b.c", b"b.a"]),
    (b"*.b", [b"a.b", b".b"], [b"b", b"a.a.b"]),
    (b"a.#", [b"a", b"a.b", b"a.b.c"], [b"b", b"ab"]),
    (b"#", [b"a", b"a.b", b""], []),
    (b"a.*.c.#", [b"a.b.c", b"a.b.c.d.e"], [b"a.c", b"a.b.d"]),
    (b"user:*", [b"user:1", b"user:"], [b"user", b"user:1.x", b"xuser:1"]),
    (b"a.*b*c.d", [b"a.bc.d", b"a.xbxc.d"], [b"a.cb.d", b"a.bc"]),
])  # fmt: skip
def test_segments(pattern: bytes, topics: list[bytes], others: list[bytes]) -> None:
    trie = Trie()
    assert checked_segments(pattern)
    trie.add_segments(pattern, "it")
    assert all(trie.match(one) == ["it"] for one in topics) and not any(map(trie.match, others))
    assert all(segments_match(pattern, one) for one in topics)


@pytest.mark.parametrize(("pattern", "name"), [
    (b"#.a", "HASH_NOT_LAST"), (b"a.#.b", "HASH_NOT_LAST"), (b"#.#", "TWO_HASHES"), (b"a.#.#", "TWO_HASHES"),
])  # fmt: skip
def test_refused(pattern: bytes, name: str) -> None:
    with pytest.raises(Fault) as refused:
        checked_segments(pattern)
    assert refused.value.row.name == name
    assert not checked_segments(b"plain.topic") and not checked_segments(b"a#b")


def test_many_globs_are_not_tried_one_by_one() -> None:
    for form in (b"*.room%d.*", b"*room%05d*", b"?%05d.x*", b"*.%d"):
        trie = Trie()
        tried = 0
        for i in range(2000):
            trie.add_glob(form % i, i)
        node = trie._root.globs
        assert node is not None
        for one in node._all.values():

            def counted(text: bytes, matches=one.matches) -> bool:
                nonlocal tried
                tried += 1
                return bool(matches(text))

            one.matches = counted
        topic = {b"*.room%d.*": b"x.room77.y", b"*room%05d*": b"the.room00077.x", b"?%05d.x*": b"a00077.xyz",
                 b"*.%d": b"z.77"}[form]  # fmt: skip
        assert trie.match(topic) == [77] and glob_matches(form % 77, topic)
        assert tried < 100, f"{form!r}: {tried} globs were tried"


def test_no_pattern_takes_for_ever() -> None:
    trie = Trie()
    trie.add_glob(b"*a?" * 30 + b"b", 1)
    trie.add_glob(b"*a*" * 30 + b"b", 2)
    trie.add_segments(b"*a" * 60 + b"b", 3)
    assert trie.match(b"a" * 4000) == []
    assert sorted(trie.match(b"a" * 4000 + b"b")) == [1, 2, 3]
