"""What may stand where: the rules of tests/tidiness.py over every file of the package, and the rules themselves.

Each rule is shown to work on planted violations (`PLANTS`), and to be silent about the same lines where they
are allowed.
"""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.traits import RUNS_SCRIPT
from tests import tidiness
from tests.cases import check_all
from tests.planned import ROWS as PLANNED
from tests.tidiness import (
    CLOCK,
    COLUMNS_MAX,
    FUNCTION_LINES_MAX,
    LINES_MAX,
    PACKAGE,
    RANKS,
    ROOT,
    RULES,
    Rule,
    Source,
    asserting,
    by_kind,
    by_name,
    chance,
    documented,
    exceptions,
    file_length,
    function_length,
    library,
    line_length,
    named,
    opening,
    printing,
    rank,
    sources,
    swallowing,
    twins_missing,
    typed_code,
    typed_slot,
    unused,
    waiting,
)

TWINS = ROOT / "tests" / "naive" / "store"
DISTRIBUTIONS = {"yaml": "pyyaml", "llvmlite": "numba", "prometheus_client": "prometheus-client"}
"""Where the import is not called as the distribution."""
SUMMARY_MAX = 140
VERBS = frozenset(
    """
    Accept Acknowledge Add Append Authenticate Begin Block Change Close Combine Copy Create Delay Delete Describe
    Deliver Discard Draw End Exchange Execute Extend Fail Give Insert Lease List Load Make Mark Merge Move Overwrite
    Prepend Publish Read Release Remove Rename Report Reset Return Run Select Send Set Stop Store Subscribe Subtract
    Test Transfer Turn Unblock Unsubscribe Watch Write
    """.split()
)
"""Imperative verbs that a summary of a command may begin with; a verb that a new command needs is added here."""
NO_CLAUSE = re.compile(
    r"(what|how|whether|where|when|which|who|be|the same|it|its|they|these|those|this|that|one)\b", re.IGNORECASE
)
"""Beginnings that make a noun clause of a sentence, or a pronoun without a noun before it."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package(rule: Rule) -> None:
    found = [f"{source.path}:{line}: {what}" for source in sources() for line, what in rule(source)]
    assert not found, f"{rule.__doc__}\n" + "\n".join(dict.fromkeys(found))


EXCEPTIONS: dict[str, Rule] = {
    "READERS": opening, "LONG_FILES": file_length, "LONG_FUNCTIONS": function_length, "KIND_ASKERS": by_kind,
    "SLOT_WRITERS": typed_slot, "ROW_LISTS": by_name, "LIBRARIES": library, "NAMED_BY_TEXT": unused,
}  # fmt: skip
"""Table of exceptions -> the rule that finds something as soon as an entry is missing."""


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_every_exception_is_needed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, without in exceptions(kind):
        if kind != "LIBRARIES":
            assert len(getattr(tidiness, kind)[name].split()) >= 5, f"{kind}: {name} needs a reason"
        with monkeypatch.context() as patched:
            patched.setattr(tidiness, kind, without)
            found = any(True for source in sources() for _ in EXCEPTIONS[kind](source))
        assert found, f"{kind}: nothing needs {name} any more"


def test_every_rank_is_of_a_part() -> None:
    assert set(RANKS) == {source.part for source in sources()}


def test_lines_of_the_changelog_fit_a_page() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > COLUMNS_MAX] == []


def test_every_library_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", line)[0].lower() for line in project["dependencies"]}
    for source in sources():
        for line, name in source.imports:
            first = name.split(".")[0]
            if first and first != PACKAGE and first not in sys.stdlib_module_names:
                assert DISTRIBUTIONS.get(first, first) in declared, f"{source.path}:{line}: {first} is not declared"


def test_every_row_runs_a_function_of_the_store() -> None:
    wanted = sorted({row.run for row in CATALOGUE.rows if row.run})
    assert wanted
    assert twins_missing(wanted, ROOT / PACKAGE / "store") == []


def test_every_function_of_a_row_has_a_naive_twin() -> None:
    """But those that run a script: a real Redis is their twin (tests/surfaces/cases)."""
    wanted = sorted({row.run for row in CATALOGUE.rows if row.run and not row.traits & RUNS_SCRIPT})
    missing = twins_missing(wanted, TWINS)
    where = TWINS.relative_to(ROOT).as_posix()
    assert not missing, f"{len(missing)} of {len(wanted)} have no twin of the same name in {where}/<module>.py: " + (
        ", ".join(missing)
    )


# What each rule must find, and the module in which the same lines are right (None: nowhere).
PLANTS: list[tuple[Rule, str, str, str, str | None]] = [
    (rank, "synap.kernels.bad", "from synap import faults", "imports synap.faults, a higher rank", "synap.store.ok"),
    (rank, "synap.journal.bad", "import synap.engine.engine", "a sibling", "synap.engine.ok"),
    (rank, "synap.engine.bad", "from synap.proto import resp", "a sibling", "synap.proto.ok"),
    (rank, "synap.engine.bad", "def f():\n    from synap.commands import CATALOGUE", "a higher rank", "synap.io.ok"),
    (rank, "synap.settings.bad", "from ..derive import doors", "imports synap.derive.doors", "synap.io.ok"),
    (rank, "synap.kernels.bad", "from synap.command import Command", "a higher rank", "synap.store.ok"),
    (rank, "synap.cli.bad", "from synap import Settings", "imports synap.Settings, a higher rank: rank 11", None),
    (rank, "synap.cli.bad", "import synap", "rank 11", None),
    (rank, "synap.magic", "", "synap.magic has no rank", None),
    (library, "synap.engine.bad", "from numba import njit", "its place is compiler, kernels, store", "synap.store.ok"),
    (library, "synap.io.bad", "import h11", "its place is proto", "synap.proto.ok"),
    (library, "synap.io.bad", "import wsproto.events", "its place is proto", "synap.proto.ok"),
    (library, "synap.proto.bad", "def f():\n    import asyncio", "its place is io", "synap.io.ok"),
    (library, "synap.engine.bad", "from anyio import run", "its place is io, client", "synap.client.ok"),
    (library, "synap.io.bad", "import yaml", "its place is settings", "synap.settings.ok"),
    (library, "synap.io.bad", "import click", "its place is cli", "synap.cli.ok"),
    (library, "synap.store.bad", "import lz4.block", "its place is journal", "synap.journal.ok"),
    (library, "synap.engine.bad", "import msgspec", "its place is", "synap.proto.ok"),
    (library, "synap.io.bad", "import flask", "nowhere yet", None),
    (waiting, "synap.engine.bad", "async def f():\n    pass", "await or async", "synap.io.ok"),
    (waiting, "synap.engine.bad", "async def f(x):\n    await x", "await or async", "synap.cli.ok"),
    (waiting, "synap.proto.bad", "def f(x):\n    return (y async for y in x)", "await or async", "synap.client.ok"),
    (chance, "synap.io.bad", "import time\ntime.monotonic_ns()", "time.monotonic_ns is a clock", CLOCK),
    (chance, "synap.engine.bad", "import time as t\nt.time()", "time.time is a clock", CLOCK),
    (chance, "synap.engine.bad", "from time import perf_counter", "is a clock", CLOCK),
    (chance, "synap.engine.bad", "from datetime import datetime\ndatetime.now()", "is a clock", CLOCK),
    (chance, "synap.engine.bad", "import datetime as d\nd.date.today()", "datetime.date.today is a clock", CLOCK),
    (chance, "synap.store.bad", "from random import Random", "is chance", CLOCK),
    (chance, "synap.proto.bad", "import os\nos.urandom(8)", "os.urandom is chance", CLOCK),
    (chance, "synap.proto.bad", "import secrets", "is chance", CLOCK),
    (chance, "synap.cli.bad", "from uuid import uuid4", "is chance", CLOCK),
    (chance, "synap.store.bad", "import numpy as np\nnp.random.default_rng()", "is chance", CLOCK),
    (opening, "synap.engine.bad", "open('x')", "open( outside", "synap.io.ok"),
    (opening, "synap.journal.bad", "import os\nos.open('x', 0)", "os.open( outside", "synap.io.ok"),
    (opening, "synap.journal.bad", "def f(path):\n    path.read_text()", ".read_text(", "synap.compiler.sources"),
    (opening, "synap.journal.bad", "from tempfile import mkdtemp", "tempfile.mkdtemp is imported", "synap.cli.ok"),
    (opening, "synap.proto.bad", "import socket", "socket is imported outside", "synap.client.ok"),
    (opening, "synap.proto.bad", "def f():\n    import http.client", "http.client is imported", "synap.client.ok"),
    (named, "synap.store.utils", "", "called utils", "synap.store.kinds.lists.lists"),
    (named, "synap.helpers.files", "", "called helpers", None),
    (by_name, "synap.engine.bad", "if row.name == 'kv.get':\n    pass", "told by its name", None),
    (by_name, "synap.engine.bad", "x = self.row.name in ('kv.get', 'kv.set')", "told by its name", None),
    (by_name, "synap.proto.bad", "if 'SET' != command.resp:\n    pass", "told by its name", None),
    (by_name, "synap.engine.bad", "if row.resp in NOT_IN_MULTI:\n    pass", "told by a list of names", None),
    (by_name, "synap.engine.bad", "x = self.row.code not in tables.CODES", "told by a list of names", None),
    (by_kind, "synap.store.keys.bad", "from synap.store.memory.kinds import SET\nif kind == SET:\n    pass",
     "compared with SET", "synap.store.kinds.sets.life"),
    (by_kind, "synap.store.keys.bad", "from synap.store.memory.kinds import SET as S\nx = kind != S",
     "compared with S:", "synap.store.kinds.sets.life"),
    (by_kind, "synap.engine.bad", "from synap.store.memory import kinds\nif kinds.ROOM != kind:\n    pass",
     "compared with kinds.ROOM", "synap.store.kinds.rooms.life"),
    (typed_code, "synap.store.bad", "DELETE_CODE = 0x0201", "0x0201 is the code of a row", "synap.commands.ok"),
    (typed_slot, "synap.store.bad", "x = words[tape + 5]", "words[tape + 5] counts a slot", "synap.store.memory.tapes"),
    (typed_slot, "synap.store.bad", "words[tape] = 1", "words[tape] has no name of a slot", "synap.store.lane.grammar"),
    (typed_slot, "synap.store.bad", "words[layout.DECIDED + 2 * i] = 1", "counts a slot", None),
    (typed_slot, "synap.store.bad", "LIMIT = 5\nx = words[tape + LIMIT]", "counts a slot", "synap.engine.ok"),
    (typed_slot, "synap.store.bad", "x = text_at(words, tape, 2)", "text_at(words, tape, 2) counts a slot", None),
    (typed_slot, "synap.store.bad", "x = text_at(words, TAPE, CONSUMER + 1)", "counts a slot", None),
    (typed_slot, "synap.store.bad", "from synap.store.slots import sets as s\nx = words[tape + s.SET_POP_KEY + 1]",
     "words[tape + s.SET_POP_KEY + 1] counts a slot", None),
    (by_name, "synap.proto.bad", "match row.name:\n    case 'kv.get':\n        pass", "told by its name", None),
    (swallowing, "synap.io.bad", "try:\n    f()\nexcept Exception:\n    pass", "swallowed", None),
    (swallowing, "synap.io.bad", "try:\n    f()\nexcept:\n    ...", "swallowed", None),
    (swallowing, "synap.io.bad", "try:\n    f()\nexcept (OSError, BaseException):\n    'no'", "swallowed", None),
    (swallowing, "synap.io.bad", "with contextlib.suppress(Exception):\n    f()", "swallowed", None),
    (asserting, "synap.io.bad", "assert (n := size()) == 1", "an assert holds (n := size())", None),
    (asserting, "synap.io.bad", "assert (n := size) == 1", "an assert holds (n := size)", None),
    (asserting, "synap.derive.bad", "assert found.setdefault(1, 2) == 2", "an assert calls setdefault()", None),
    (asserting, "synap.derive.bad", "assert True, found.pop()", "an assert calls pop()", None),
    (asserting, "synap.io.bad", "assert next(lines) and len(lines)", "an assert calls next()", None),
    (asserting, "synap.io.bad", "assert all(open(name) for name in names)", "an assert calls open()", None),
    (asserting, "synap.io.bad", "assert doors[0]()", "an assert calls ()", None),
    (asserting, "synap.io.bad", "async def f(x):\n    assert await x", "an assert holds await x", None),
    (asserting, "synap.io.bad", "def f(x):\n    assert (yield x)", "an assert holds (yield x)", None),
    (printing, "synap.engine.bad", "print('here')", "print( outside cli", "synap.cli.ok"),
    (unused, "synap.store.bad", "'M.'\nA, B = 1, 2\nprint(A)", "synap.store.bad.B is used nowhere", None),
    (unused, "synap.store.bad", "@kernel\ndef f(x):\n    return x", "bad.f is used nowhere", None),
    (unused, "synap.engine.bad", "class C:\n    'A class.'", "synap.engine.bad.C is used nowhere", None),
    (file_length, "synap.store.bad", "x = 1\n" * (LINES_MAX + 1), "a design question", None),
    (function_length, "synap.io.bad", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX, "synap.io.bad.f has", None),
    (line_length, "synap.store.bad", "x = '" + "x" * COLUMNS_MAX + "'", "columns, more than", None),
    (documented, "synap.store.bad", "x = 1", "module synap.store.bad has no docstring", None),
    (documented, "synap.store.bad", "'M.'\n@kernel\ndef f(x):\n    return x", "synap.store.bad.f has no", None),
    (documented, "synap.store.bad", "'M.'\nasync def f(): ...", "bad.f has no", None),
    (documented, "synap.store.bad", "'M.'\nif X:\n    class C: ...", "bad.C has no", None),
]  # fmt: skip


@pytest.mark.parametrize("rule, module, text, what, allowed", PLANTS, ids=lambda given: getattr(given, "__name__", ""))
def test_a_planted_violation(rule: Rule, module: str, text: str, what: str, allowed: str | None) -> None:
    assert any(what in told for _, told in rule(Source(module, text))), list(rule(Source(module, text)))
    if allowed is not None:
        assert list(rule(Source(allowed, text))) == []


def test_every_rule_is_planted() -> None:
    assert {plant[0].__name__ for plant in PLANTS} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule, text", [
    (by_name, "if row.name == name or row.resp == '' or '|' in row.resp:\n    pass"),
    (by_name, "if row.resp in FACTS or row.name in found:\n    pass"),
    (swallowing, "try:\n    f()\nexcept OSError:\n    pass"),
    (swallowing, "try:\n    f()\nexcept Exception as error:\n    tell(error)"),
    (typed_slot, "from synap.store.slots import sets as slots\nx = words[tape + slots.SET_POP_KEY + i]"),
    (typed_slot, "from synap.store.slots.sets import SET_POP_KEY\nx = text_at(words, tape, item + SET_POP_KEY)"),
    (typed_slot, "x = words[tape - 2] + find(words, octets, tape, slot, 1) + words[stride + 1] + words[at]"),
    (asserting, "assert isinstance(x, int) and len(text.encode()) < 9, f'{x}: {text}'\nfound.setdefault(1, 2)"),
    (chance, "def f(clock, now):\n    return clock.time(now) + row.random"),
    (opening, "def f(disk):\n    return disk.open('name')"),
    (printing, "def f(sheet):\n    sheet.print('x')"),
    (rank, "from synap import __version__"),
    (documented, "'M.'\ndef _f(): ...\nclass C:\n    'C.'\n    def __len__(self): ..."),
    (documented, "'M.'\n@overload\ndef f(x: int) -> int: ...\ndef f(x):\n    'F.'"),
    (file_length, "x = 1\n" * LINES_MAX),
    (line_length, "x" * COLUMNS_MAX),
    (unused, "A = int\nB: A\nC: 'A | None'\nprint(B, C)\nD, E, F = range(3)\nprint(D)\n__all__ = ['G']"),
    (unused, "from synap.engine import callers\nclass Caller(callers.Caller):\n    'C.'\ndef _f(): Caller()\n_f()"),
], ids=lambda given: getattr(given, "__name__", ""))  # fmt: skip
def test_what_is_no_violation(rule: Rule, text: str) -> None:
    part = "store" if rule is typed_slot else "engine"
    assert list(rule(Source(f"synap.{part}.fine", text))) == []


def test_a_missing_twin_is_found(tmp_path: Path) -> None:
    (tmp_path / "lists.py").write_text("def length(model): ...\n\n\nclass Model:\n    def push(self): ...\n")
    wanted = ["lists.length", "lists.push", "sets.add"]
    assert twins_missing(wanted, tmp_path) == ["lists.push", "sets.add"]


def faults_of_summary(doc: str) -> list[str]:
    """Return the reasons why a text cannot be the summary of a command, which users read on every surface."""
    found = []
    if doc.split(" ")[0] not in VERBS:
        found.append("does not begin with an imperative verb of VERBS")
    if not doc.endswith(".") or doc.endswith(".."):
        found.append("does not end with a full stop")
    if len(doc) > SUMMARY_MAX:
        found.append(f"has {len(doc)} characters, more than {SUMMARY_MAX}")
    found += [f"has a clause that begins: {clause}" for clause in re.split(r"[.;:] ", doc) if NO_CLAUSE.match(clause)]
    return found


def test_a_summary_is_an_imperative_sentence() -> None:
    def check(row: Command) -> None:
        assert faults_of_summary(row.doc) == [], row.doc

    check_all(check, [*CATALOGUE.rows, *PLANNED], lambda row: row.name)


@pytest.mark.parametrize("doc, what", [
    ("", "imperative verb"),
    ("The names of all rooms.", "imperative verb"),
    ("A key drawn at random.", "imperative verb"),
    ("Returns the value of a key.", "imperative verb"),
    ("set a key to a value.", "imperative verb"),
    ("Set", "full stop"),
    ("Set a key to a value", "full stop"),
    ("Is this a member?", "full stop"),
    ("Set a key to a value...", "full stop"),
    ("Return " + "x" * SUMMARY_MAX + ".", f"{SUMMARY_MAX + 8} characters"),
    ("What the key holds.", "a clause that begins: What"),
    ("How many keys the namespace holds.", "a clause that begins: How"),
    ("Whether this connection gets replies.", "a clause that begins: Whether"),
    ("Where this client's news of keys go; -1: nowhere.", "a clause that begins: Where"),
    ("Be as a new connection.", "a clause that begins: Be"),
    ("The same, and the keys count as used.", "a clause that begins: The same"),
    ("Remove a queue. It is freed in steps.", "a clause that begins: It"),
    ("Publish to a topic; how many copies were sent.", "a clause that begins: how"),
    ("Create a queue; one that exists keeps its settings.", "a clause that begins: one"),
])  # fmt: skip
def test_a_planted_summary(doc: str, what: str) -> None:
    assert any(what in fault for fault in faults_of_summary(doc)), faults_of_summary(doc)


def test_what_is_a_summary() -> None:
    assert faults_of_summary("Return " + "x" * (SUMMARY_MAX - 8) + ".") == []
    assert faults_of_summary("Return how many of the given keys exist; a key that is given twice counts twice.") == []
