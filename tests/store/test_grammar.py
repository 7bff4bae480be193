"""Words to tape: cases by hand and examples of every row, and the kernel against a slow parser on random words."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synap.command import Command
from synap.commands import CATALOGUE
from tests.cases import check_all
from tests.naive import parser
from tests.planned import ROWS as PLANNED
from tests.store.grammar_cases import CASES
from tests.support import Bench
from tests.words import Words

ROWS = [*CATALOGUE.rows, *PLANNED]
BY_WORD = {row.resp: row for row in ROWS if row.resp}
CONTAINERS = {row.resp.split("|")[0] for row in ROWS if "|" in row.resp}
SEEDS = st.integers(0, 2**32)
EXAMPLES = [(example.words, "ok") for row in CATALOGUE.rows for example in row.examples]


@pytest.fixture(scope="module")
def grammar(store):
    return store(ROWS)


def row_of(line: list[bytes]) -> tuple[Command, list[bytes]]:
    """The row that a line names, and its words."""
    name = line[0].decode().upper()
    if name in CONTAINERS and len(line) > 1:
        return BY_WORD[f"{name}|{line[1].decode().upper()}"], line[2:]
    return BY_WORD[name], line[1:]


def name_words(row: Command) -> list[bytes]:
    """What stands before a row's arguments."""
    return [word.encode() for word in (row.resp or row.name).split("|")]


def slow(row: Command, words: list[bytes]) -> list[object] | str:
    try:
        return parser.parse(row.args, words, row.words, row.stray)
    except parser.Refused as refused:
        return str(refused)


def disagreement(bench: Bench, row: Command, words: list[bytes]) -> str:
    """What differs between the kernel and the slow parser, if anything does."""
    wanted = slow(row, words)
    found = bench.fill([*name_words(row), *words], "" if row.resp else row.name)
    if isinstance(wanted, str) or isinstance(found, str):
        return "" if wanted == found else f"wanted {wanted}, found {found}"
    if len(wanted) != len(found):
        return f"wanted {len(wanted)} slots, found {len(found)}: {wanted} {found}"
    at = 0
    while at < len(wanted):
        if isinstance(wanted[at], bytes):
            text = bench.text(found[at], found[at + 1])
            if text != wanted[at]:
                return f"slot {at}: wanted {wanted[at]!r}, found {text!r}"
            at += 2
        else:
            if wanted[at] != found[at]:
                return f"slot {at}: wanted {wanted[at]}, found {found[at]}"
            at += 1
    return ""


def compare(bench: Bench, row: Command, words: list[bytes]) -> None:
    if row.resp in CONTAINERS:  # COMMAND: with a word behind it, it is another row
        words = []
    said = disagreement(bench, row, words)
    assert not said, f"{row.resp or row.name} {words}: {said}"


def test_by_hand(grammar):
    def check(case):
        line, wanted = case
        words = line.encode().split()
        row, rest = row_of(words)
        found = grammar.fill(words)
        assert (found if isinstance(found, str) else "ok") == wanted
        compare(grammar, row, rest)

    check_all(check, CASES + EXAMPLES)


def test_every_word_has_cases():
    """By hand, or as an example of its row."""
    seen = {row_of(line.encode().split())[0].name for line, _ in CASES + EXAMPLES}
    assert {row.name for row in ROWS if row.resp} <= seen


def test_a_tape_as_the_docs_lay_it_out(grammar):
    found = grammar.fill(b"ZUNIONSTORE d 2 a b WEIGHTS 1 2 AGGREGATE max".split())
    assert found[2:9] == [2, 9, 1, 2, 13, 1, 3]
    assert [grammar.text(*found[i : i + 2]) for i in (0, 9, 11)] == [b"d", b"a", b"b"]


def test_a_token_that_comes_again_leaves_nothing_behind(grammar):
    once = grammar.fill(b"ZUNIONSTORE d 1 a WEIGHTS 4".split())
    twice = grammar.fill(b"ZUNIONSTORE d 1 a WEIGHTS 9 WEIGHTS 4".split())
    assert twice[4:6] == once[4:6] == [1, 1]
    assert twice[twice[6]] == once[once[6]]


def test_container_words_are_no_arguments(grammar):
    row, _ = grammar.find([b"client", b"SetName", b"me"])
    assert row.resp == "CLIENT|SETNAME"
    assert grammar.text(*grammar.fill([b"client", b"SetName", b"me"])) == b"me"
    assert grammar.find([b"CLIENT", b"NONE"]) == (None, 0)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_random_words(grammar, row):
    draw = Words(Random(row.code))
    for _ in range(150):
        compare(grammar, row, draw.sample(row.args))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(row=st.sampled_from(ROWS), seed=SEEDS)
def test_any_words(grammar, row, seed):
    compare(grammar, row, Words(Random(seed)).sample(row.args))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(row=st.sampled_from(ROWS), data=st.data())
def test_words_of_other_rows(grammar, row, data):
    vocabulary = [b"1", b"2", b"-1", b"x", b"", *sorted(set().union(*(parser.names(node) for node in row.args)))]
    compare(grammar, row, data.draw(st.lists(st.sampled_from(vocabulary), max_size=12)))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_many_words(grammar, seed):
    draw = Words(Random(seed))
    for i in range(100_000):
        row = ROWS[i % len(ROWS)]
        compare(grammar, row, draw.sample(row.args))
