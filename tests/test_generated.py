"""What is generated is fresh, and the golden files of codes and tapes only grow."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from synap.arguments import GROUPS, AnyOrder, Choice, Counted, Flag, Int, Key, Many, OneOf, Optional, Raw, Token, layout
from synap.cli import generate
from synap.cli.setting_table import BEGIN, with_settings
from synap.cli.tree_map import map_text
from synap.command import Catalogue, Command
from synap.commands import CATALOGUE, FAMILIES
from synap.derive.command_pages import commands_page, usage
from synap.derive.doors import door_text, place_of
from synap.derive.goldens import (
    FAULTS_HEAD,
    OPCODES_HEAD,
    TAPES_HEAD,
    PromiseBroken,
    faults,
    grown,
    keeps,
    opcodes,
    tape,
    tapes,
)
from synap.derive.kinds import AnswerMissing, check_answers, kind_door_text, numbers_text, questions_of
from synap.derive.names import codes_text, refusals_text
from synap.derive.outcomes import refused
from synap.derive.slots import slots_of, slots_text
from synap.engine.handlers.live_settings import LIVE
from synap.engine.handlers.redis_settings import ALIASES, FIXED, IMMUTABLE, KEPT, PROTECTED
from synap.fault_table import TABLE
from synap.store.kinds.libraries import libraries
from synap.store.kinds.memberships import group_members
from synap.store.kinds.queues import messages
from synap.store.kinds.retained import retained
from synap.store.kinds.rooms import rooms
from synap.store.kinds.table import FREEING, KINDS, NAMED, QUESTIONS, Kind, NamedKind
from synap.store.kinds.topics import partitions
from synap.store.memory.layout import FAULTS_COUNT, HOLDER, REFUSED_SHIFT
from tests.cases import check_all
from tests.planned import ROWS as PLANNED

ROOT = Path(__file__).parent.parent
GET = Command("kv.get", 0x0102, "Get.", args=(Key("key"),))
SET = Command("kv.set", 0x0101, "Set.", args=(Key("key"), Raw("value"), OneOf("when", Flag("NX"), Flag("XX"))))
AGAIN = "run `synap generate` (python -m synap.cli generate)"


def text(name: str) -> str:
    """A file of the source tree."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_settings_of_redis_are_fresh() -> None:
    page = text(generate.OPERATIONS)
    assert page == with_settings(page), AGAIN
    names = {*LIVE, *KEPT, *FIXED, *IMMUTABLE, *PROTECTED, *ALIASES}
    assert not {name for name in names if f"`{name}`" not in page}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_doors_are_fresh(family: str) -> None:
    assert text(f"{generate.DOORS}/{family}.py") == door_text(CATALOGUE, family), AGAIN


def test_there_is_no_other_door() -> None:
    found = {path.stem for path in (ROOT / generate.DOORS).glob("*.py")}
    assert found == {"__init__", "absent", *FAMILIES, *(kind.door for kind in (*KINDS, *NAMED))}


@cache
def generated() -> dict[str, str]:
    """What `synap generate` writes into this tree."""
    return generate.texts(ROOT)


@pytest.mark.parametrize("path", generate.methods())
def test_the_python_methods_are_fresh(path: str) -> None:
    assert text(path) == generated()[path], AGAIN


@pytest.mark.parametrize("folder", [generate.EMBEDDED, generate.CLIENT])
def test_there_are_no_other_python_methods(folder: str) -> None:
    assert {path.stem for path in (ROOT / folder).glob("*.py")} == {"__init__", *FAMILIES}


def test_the_codes_are_kept() -> None:
    golden = text(generate.OPCODES)
    assert grown(golden, OPCODES_HEAD, opcodes(CATALOGUE), longer=False) == golden, AGAIN


def test_the_tapes_are_kept() -> None:
    golden = text(generate.TAPES)
    assert grown(golden, TAPES_HEAD, tapes(CATALOGUE), longer=True) == golden, AGAIN


def test_the_commands_page_is_fresh() -> None:
    assert text(generate.COMMANDS) == commands_page(CATALOGUE), AGAIN


def test_the_first_line_says_what_made_it() -> None:
    for name in generated():
        if name == generate.ARCHITECTURE:  # only its map and its diagrams are generated
            assert "(`synap generate`)" in text(name).partition("<!-- map -->")[0]
        elif name == generate.OPERATIONS:  # only its tables of Redis' settings are generated
            assert "(`synap generate` writes" in text(name).partition(BEGIN)[0]
        else:
            assert "`synap generate`" in text(name).splitlines()[0], name


def test_generate_writes_what_is_missing_or_stale(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    told, names = list(generate.run(tmp_path)), list(generated())
    assert told == [f"wrote {name}" for name in names]
    for name in names:
        assert (tmp_path / name).read_text(encoding="utf-8") == text(name), AGAIN
    assert list(generate.run(tmp_path)) == ["all files were up to date"]
    (tmp_path / generate.COMMANDS).write_text("stale")
    assert list(generate.run(tmp_path)) == [f"wrote {generate.COMMANDS}"]


def test_generate_writes_nothing_when_a_promise_is_broken(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tests" / "golden").mkdir(parents=True)
    (tmp_path / generate.OPCODES).write_text("0101 kv.get\n")
    with pytest.raises(PromiseBroken, match=r"promised: 0101 kv\.get, found: 0101 kv\.set"):
        list(generate.run(tmp_path))
    assert not (tmp_path / generate.COMMANDS).exists()


def test_the_map_lists_what_an_init_file_defines(tmp_path: Path) -> None:
    """An `__init__.py` with code has an entry with its public names; another has only the sentence of its folder."""
    files = {
        "synap/__init__.py": '"""Synap: all. More."""\nfrom os import path\n__all__ = ["open"]\nT = TypeVar("T")\n'
                             "F = 1\n_G: int = 2\nasync def later() -> None: ...\ndef _own(): ...\nclass Store: ...\n",
        "synap/a.py": '"""The file a."""\nB = 1\n',
        "synap/sub/__init__.py": '"""A folder."""\nfrom synap.a import B\n__all__ = ["B"]\n',
    }  # fmt: skip
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    assert map_text(tmp_path) == (
        "\n**`synap/`** Synap: all.\n\n- `__init__.py`: Defines `F`, `later`, `Store`.\n- `a.py`: The file a.\n"
        "\n**`synap/sub/`** A folder.\n\n\n"
    )


def test_generate_wants_a_source_tree(tmp_path: Path) -> None:
    with pytest.raises(generate.NoSourceTree):
        list(generate.run(tmp_path))


def test_a_new_row_is_added() -> None:
    old = grown("", OPCODES_HEAD, opcodes(Catalogue([GET])), longer=False)
    assert old.splitlines() == [OPCODES_HEAD, "0102 kv.get"]
    new = grown(old, OPCODES_HEAD, opcodes(Catalogue([GET, SET])), longer=False)
    assert new.splitlines() == [OPCODES_HEAD, "0101 kv.set", "0102 kv.get"]


@pytest.mark.parametrize("rows", [
    [],
    [Command("kv.fetch", 0x0102, "Renamed.", args=GET.args)],
    [Command("kv.get", 0x0103, "Moved.", args=GET.args)],
    [Command("kv.other", 0x0102, "Reused."), Command("kv.get", 0x0103, "Moved.")],
], ids=["gone", "renamed", "moved", "reused"])  # fmt: skip
def test_a_code_stays(rows: list[Command]) -> None:
    with pytest.raises(PromiseBroken, match=r"promised: 0102 kv\.get"):
        grown("# Grown\n0102 kv.get\n", OPCODES_HEAD, opcodes(Catalogue(rows)), longer=False)


def test_a_code_does_not_get_a_longer_name() -> None:
    with pytest.raises(PromiseBroken):
        grown("0102 kv.get\n", OPCODES_HEAD, ["0102 kv.get later"], longer=False)


MANY = Many("pairs", Raw("field"), Raw("value"))


@pytest.mark.parametrize("new", [
    SET.args,
    (*SET.args, Int("more")),
    (*SET.args, AnyOrder(Flag("GET"), Token("EX", Int("ttl")))),
    (*SET.args[:2], OneOf("when", Flag("NX"), Flag("XX"), Flag("YY"))),
    (*SET.args[:2], OneOf("when", Flag("NX"), Flag("XX"), Token("IFEQ", Raw("ifeq")))),
], ids=["same", "slot", "options", "word", "token last"])  # fmt: skip
def test_a_tape_may_get_more_at_its_end(new: tuple[object, ...]) -> None:
    old = grown("", TAPES_HEAD, tapes(Catalogue([SET])), longer=True)
    lines = tapes(Catalogue([Command("kv.set", 0x0101, "Set.", args=new)]))
    assert grown(old, TAPES_HEAD, lines, longer=True).splitlines()[1:] == lines


@pytest.mark.parametrize("old, new", [
    (SET.args, SET.args[:2]),
    (SET.args, (Raw("value"), Key("key"), SET.args[2])),
    (SET.args, (Int("first"), *SET.args)),
    (SET.args, (Key("key"), Int("value"), SET.args[2])),
    (SET.args, (*SET.args[:2], OneOf("when", Flag("XX"), Flag("NX")))),
    (SET.args, (*SET.args[:2], OneOf("when", Flag("NX")))),
    ((*SET.args, Int("n")), (*SET.args[:2], OneOf("when", Flag("NX"), Flag("XX"), Token("EQ", Raw("eq"))), Int("n"))),
    ((Choice("unit", ("m", "km")),), (Choice("unit", ("m", "ft", "km")),)),
    ((MANY,), (Many("pairs", Raw("field"), Raw("value"), Int("more")),)),
    ((MANY,), (Counted("pairs", Raw("field"), Raw("value")),)),
    ((Optional(Int("count")),), (Int("count"),)),
], ids=["shorter", "swapped", "before", "kind", "words swapped", "word gone", "token inside", "choice inside",
        "wider item", "other group", "no mark"])  # fmt: skip
def test_a_tape_keeps_its_slots(old: tuple[object, ...], new: tuple[object, ...]) -> None:
    before, after = (tapes(Catalogue([Command("kv.set", 0x0101, "", args=args)])) for args in (old, new))
    with pytest.raises(PromiseBroken, match="promised: 0101"):
        grown("\n".join(before), TAPES_HEAD, after, longer=True)


def test_the_tape_of_a_row_is_in_the_order_of_its_slots() -> None:
    def check(row: Command) -> None:
        assert tape(row.args) == _by_layout(row)
        assert keeps(" ".join(tape(row.args)), " ".join(tape(row.args)))
        assert not any(" " in entry for entry in tape(row.args))

    check_all(check, [*CATALOGUE.rows, *PLANNED], lambda row: row.name)


def _by_layout(row: Command) -> list[str]:
    """The same, read off the places that `layout` gives out, outside of groups."""
    seen: dict[int, str] = {}
    for place in layout(row.args):
        outer = place.path[-1] if place.path else None
        if place.group is not None or isinstance(place.node, AnyOrder):
            continue
        if isinstance(outer, OneOf) and isinstance(place.node, Flag | Token):  # it is a number in the OneOf's slot
            continue
        assert place.slot not in seen, f"two arguments in slot {place.slot}"
        seen[place.slot] = tape((place.node,))[0]
    return [seen[slot] for slot in sorted(seen)]


def test_the_page_has_every_row() -> None:
    page = text(generate.COMMANDS)

    def check(row: Command) -> None:
        if row.internal:
            assert f"| `{row.name}` | `{row.code:04x}` | {row.doc} |" in page
            return
        title = re.escape(row.resp.replace("|", " ") or row.name)
        section = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
        assert section is not None
        assert f"    {usage(row)}\n" in section[1]
        assert row.doc in section[1]
        for route in row.http:
            assert f"`{route.method} {route.path}`" in section[1]
        for example in row.examples:
            assert f"> {example.words}\n" in section[1]

    check_all(check, CATALOGUE.rows, lambda row: row.name)


@pytest.mark.parametrize("name, words", [
    ("kv.set", "SET key value [NX | XX | IFEQ ifeq | IFNE ifne] [GET] "
               "[EX ttl | PX px | EXAT exat | PXAT pxat | KEEPTTL]"),
    ("key.expire_in", "EXPIRE key ttl [NX | XX] [GT | LT]"),
    ("server.command", "COMMAND [word ...]"),
    ("zset.union", "ZUNION count key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] "
                   "[WITHSCORES]"),
    ("key.sort", "SORT key [BY by] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] "
                 "[STORE store]"),
    ("xstream.read", "XREAD [COUNT count] [BLOCK block] <STREAMS key [key ...] id [id ...]>"),
])  # fmt: skip
def test_usage_is_spelled_as_redis_does(name: str, words: str) -> None:
    rows = {row.name: row for row in (*CATALOGUE.rows, *PLANNED)}
    assert usage(rows[name]) == words


@pytest.mark.parametrize("path", [
    generate.KIND_NUMBERS, generate.KIND_DISPATCH, generate.ARCHITECTURE,
    *(f"{generate.DOORS}/{kind.door}.py" for kind in (*KINDS, *NAMED)),
])  # fmt: skip
def test_what_is_generated_is_fresh(path: str) -> None:
    assert text(path) == generated()[path], AGAIN


def without(path: str, name: str) -> Callable[[str], str]:
    """A reader of this tree in which one function of one file has another name."""
    return lambda asked: text(asked).replace(f"def {name}(", f"def no_{name}(") if asked == path else text(asked)


def test_words_before_a_name() -> None:
    """`queue.due` tells the name of any kind of record, by the table; the kernels of a kind have a constant."""
    written = {
        "queue": messages.QUEUE_WORDS, "room": rooms.ROOM_WORDS, "library": libraries.LIBRARY_WORDS,
        "topic": partitions.TOPIC_WORDS, "group": group_members.GROUP_WORDS, "retained": retained.RETAINED_WORDS,
    }  # fmt: skip
    assert {kind.name: kind.head_words for kind in NAMED} == written


@pytest.mark.parametrize("kind", [*KINDS, *NAMED], ids=lambda kind: kind.name)
def test_an_answer_that_is_missing_is_named(kind: NamedKind) -> None:
    check_answers(text)
    path = f"synap/store/kinds/{kind.folder}/life.py"
    assert set(FREEING) <= set(questions_of(kind)) or kind.name == "string"
    for name, arguments in questions_of(kind).items():
        with pytest.raises(AnswerMissing, match=re.escape(f"{path}: wanted a function {name}({', '.join(arguments)})")):
            check_answers(without(path, name))
    with pytest.raises(AnswerMissing, match=r"synap/store/kinds/nexts/life\.py: wanted a function"):
        more = (*KINDS, Kind("next", len(KINDS) + 1, "nexts", (), root_words=2))
        check_answers(lambda asked: "" if "nexts" in asked else text(asked), more)


def test_a_kind_more_has_a_number_and_a_door() -> None:
    kind = Kind("next", len(KINDS) + 1, "nexts", (), root_words=12)
    assert f"NEXT = {kind.number}\n" in numbers_text((*KINDS, kind))
    door = kind_door_text(kind)
    assert "def life_of_nexts_door(" in door
    assert door.count("    if question == ") == len(QUESTIONS) + len(FREEING)
    assert 'raise ValueError("a next does not answer this question")' in door
    with pytest.raises(AssertionError, match="two kinds have one number"):
        numbers_text((*KINDS, Kind("next", 3, "nexts", ())))
    with pytest.raises(AssertionError, match="kinds of keys have the numbers from 1 on"):
        numbers_text((*KINDS, Kind("next", len(KINDS) + 2, "nexts", ())))
    with pytest.raises(AssertionError, match="the number of something else"):
        numbers_text(named=(*NAMED, NamedKind("topic", HOLDER, "topics", ())))


def test_a_function_of_a_row_lies_in_one_folder() -> None:
    assert place_of("queue_admin") == "kinds.queues" and place_of("renames") == "keys"
    for module in ("nowhere", "life"):
        with pytest.raises(ValueError, match=f"{module}.py must lie in one folder of "):
            place_of(module)


def test_the_names_of_codes_are_fresh() -> None:
    assert text(generate.CODES) == codes_text(CATALOGUE), AGAIN
    assert codes_text(Catalogue([GET])).endswith("\n\nKV_GET = 0x0102\n")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_names_of_slots_are_fresh(family: str) -> None:
    assert text(f"{generate.SLOTS}/{family}.py") == slots_text(CATALOGUE, family), AGAIN


def test_each_slot_has_a_name_of_its_own() -> None:
    """An alternative is named ..._IS_..., a length ..._STRIDE or ..._SLOTS; all else names one slot."""

    def check(row: Command) -> None:
        found = slots_of(row)
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name, _ in found)
        start = row.name.upper().replace(".", "_") + "_"
        groups = [f"{start}{place.node.name.upper()}_" for place in layout(row.args) if isinstance(place.node, GROUPS)]
        fixed = [
            number for name, number in found
            if "_IS_" not in name and name != f"{start}SLOTS" and not name.startswith(tuple(groups))
        ]  # fmt: skip
        assert fixed == sorted(set(fixed)) and all(number < row.slots for number in fixed)
        assert found[-1] == (f"{start}SLOTS", row.slots)

    check_all(check, [*CATALOGUE.rows, *PLANNED], lambda row: row.name)


def test_slots_are_named_by_row_and_argument() -> None:
    limit = Token("LIMIT", Optional(Choice("how", ("=", "~"))), Int("limit"))
    args = (
        Key("key"), OneOf("when", Flag("NX"), Token("IFEQ", Raw("ifeq"))), AnyOrder(Flag("DROP", "gone"), limit),
        Many("pairs", Raw("field"), Int("score")),
    )  # fmt: skip
    assert slots_of(Command("kv.try", 0x0199, "Try.", args=args)) == [
        ("KV_TRY_KEY", 0), ("KV_TRY_WHEN", 2), ("KV_TRY_WHEN_IS_NX", 1), ("KV_TRY_WHEN_IS_IFEQ", 2),
        ("KV_TRY_IFEQ", 3), ("KV_TRY_GONE", 5), ("KV_TRY_HAS_LIMIT", 6), ("KV_TRY_HAS_HOW", 7), ("KV_TRY_HOW", 8),
        ("KV_TRY_HOW_IS_EXACT", 1), ("KV_TRY_HOW_IS_ABOUT", 2), ("KV_TRY_LIMIT", 9), ("KV_TRY_PAIRS", 10),
        ("KV_TRY_PAIRS_STRIDE", 3), ("KV_TRY_PAIRS_FIELD", 0), ("KV_TRY_PAIRS_SCORE", 2), ("KV_TRY_SLOTS", 12),
    ]  # fmt: skip
    twice = (OneOf("by", Token("A", Int("n")), Token("B", Int("n"))),)
    assert [name for name, _ in slots_of(Command("kv.try", 0x0199, "Try.", args=twice))][3:5] == [
        "KV_TRY_A_N", "KV_TRY_B_N",
    ]  # fmt: skip
    with pytest.raises(AssertionError, match="two arguments have one name"):
        slots_of(Command("kv.try", 0x0199, "Try.", args=(Int("n"), Int("n"))))


def test_the_numbers_of_faults_are_kept() -> None:
    """They are counted by, and kernels return them: a fault that is new takes a number that is new."""
    assert text(generate.REFUSALS) == refusals_text(), AGAIN
    golden = text(generate.FAULTS)
    assert grown(golden, FAULTS_HEAD, faults(), longer=False) == golden, AGAIN
    with pytest.raises(PromiseBroken, match="0000 WRONG_TYPE"):
        grown(golden, FAULTS_HEAD, ["0000 OTHER", *faults()[1:]], longer=False)
    assert FAULTS_COUNT >= 1000 and all(refused(row.number + 1 << REFUSED_SHIFT) is row for row in TABLE)
    assert len({row.name for row in TABLE}) == len({row.number for row in TABLE}) == len(TABLE)
