"""Nested replies: a kernel writes groups into the reply region, and each surface spells them as their twin does.

`build` carries out a program of steps, one for each item of the reply, so that a test can make any reply. The names of
records are placed in the heap as an image places those of a row.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest

from synap.compiler.jit import kernel, load, registered
from synap.derive.replies import items
from synap.derive.reply_forms import json_form, native_form
from synap.kernels.spans import bare, bits_of, real_of
from synap.reply import (
    DONE,
    INTEGER,
    NIL,
    OBJECT,
    OCTETS,
    REAL,
    TEXT,
    TIME,
    VALUE,
    Array,
    ByName,
    Either,
    Map,
    Pairs,
    Record,
    SetOf,
    Template,
    Tuple,
    names,
    or_nil,
)
from synap.store.lane import lane
from synap.store.memory import layout
from synap.store.memory.tapes import ITEM_OVERHEAD, add_mark, add_nil, add_number, add_real, add_text, set_scalar
from tests.naive import replies as naive
from tests.support import Bench
from tests.wire import read

TEXT_STEP, NUMBER_STEP, REAL_STEP, NIL_STEP, MARK_STEP, STEP_WORDS = 0, 1, 2, 3, 4, 3
ROW = layout.ROWS + (layout.ROWS_COUNT_MAX - 1) * layout.ROW_SIZE  # a row that no image has
NAMES = layout.CHOICES + layout.CHOICES_SIZE - 256
BLOB = layout.CALL_BLOB * layout.WORD
OUT = layout.OUT * layout.WORD


@kernel("int64(int64[::1], uint8[::1], int64, int64)")
def build(words, octets, program, steps):
    """Write the reply that the program at a word says; return the number of its items."""
    words = bare(words)
    reply = layout.REPLY
    set_scalar(words, reply, 0)
    for i in range(steps):
        step, value, more = words[program + 3 * i], words[program + 3 * i + 1], words[program + 3 * i + 2]
        if step == TEXT_STEP:
            add_text(words, reply, value, more, 0)
        elif step == NUMBER_STEP:
            add_number(words, reply, value)
        elif step == REAL_STEP:
            add_real(words, reply, real_of(value))
        elif step == NIL_STEP:
            add_nil(words, reply)
        else:
            add_mark(words, reply, value, more)
    return words[reply + 1]


@kernel("int64(float64)")
def bits(value):
    """The bits of a double."""
    return bits_of(value)


@pytest.fixture(scope="module", autouse=True)
def compiled(store: Any) -> Iterator[None]:
    load(name for name in registered() if name.startswith(f"{__name__}:"))
    yield


class Program:
    """The steps that write a value, and its texts."""

    def __init__(self, of: Template, value: Any) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.blob = bytearray()
        self.write(of, value, 0)

    def write(self, of: Template, value: Any, first: int) -> None:
        """Add the steps of a value; `first` is the number of the template's first name."""
        if isinstance(of, Either):
            one = naive.chosen(of.choices, value)
            return self.write(one, value, first + self.names_before(of.choices, of.choices.index(one)))
        match of:
            case _ if of is NIL:
                self.steps.append((NIL_STEP, 0, 0))
            case _ if of in (INTEGER, TIME):
                self.steps.append((NUMBER_STEP, value, 0))
            case _ if of is REAL:
                self.steps.append((REAL_STEP, bits(value), 0))
            case Array(its):
                self.group(layout.MARK_ARRAY, [(its[i % len(its)], each, first + self.names_before(its, i % len(its)))
                                               for i, each in enumerate(value)])  # fmt: skip
            case SetOf(item):
                self.group(layout.MARK_SET, [(item, each, first) for each in value])
            case Tuple(members):
                inner = tuple(member for _, member in members)
                self.group(layout.MARK_ARRAY, [(inner[i], each, first + self.names_before(inner, i))
                                               for i, each in enumerate(value)])  # fmt: skip
            case Record(members):
                self.steps.append((MARK_STEP, layout.MARK_MAP, len(members)))
                inner = tuple(member for _, member in members)
                for i, (name, member) in enumerate(members):
                    self.steps.append((MARK_STEP, layout.MARK_NAME, first + i))
                    self.write(member, value[name], first + len(members) + self.names_before(inner, i))
            case Map(item):
                self.steps.append((MARK_STEP, layout.MARK_MAP, len(value)))
                for name, each in value.items():
                    self.write(TEXT, name, 0)
                    self.write(item, each, first)
            case ByName(item):
                self.steps.append((MARK_STEP, layout.MARK_BY_NAME, len(value)))
                for name, each in value.items():
                    self.group(layout.MARK_NAMED, [(TEXT, name, 0), (item, each, first)])
            case Pairs(one, other):
                self.steps.append((MARK_STEP, layout.MARK_PAIRS, len(value)))
                for a, b in value:
                    self.group(layout.MARK_PAIR, [(one, a, first), (other, b, first + len(names(one)))])
            case _:
                self.steps.append((TEXT_STEP, BLOB + len(self.blob), len(value)))
                self.blob += value

    def group(self, mark: int, members: list[tuple[Template, Any, int]]) -> None:
        self.steps.append((MARK_STEP, mark, len(members)))
        for member in members:
            self.write(*member)

    @staticmethod
    def names_before(templates: tuple[Template, ...], i: int) -> int:
        return sum(len(names(one)) for one in templates[:i])


def place(bench: Bench, of: Template, value: Any) -> None:
    """Let the kernel write the value into the reply region."""
    made = Program(of, value)
    texts = "".join(names(of)).encode()
    assert len(names(of)) <= 128 and len(texts) <= 4096
    bench.heap.bytes[BLOB : BLOB + len(made.blob)] = bytes(made.blob)
    at = BLOB + len(made.blob)
    bench.heap.bytes[at : at + len(texts)] = texts
    bench[ROW + layout.ROW_NAMES] = NAMES
    for i, name in enumerate(names(of)):
        bench[NAMES + 2 * i], bench[NAMES + 2 * i + 1] = at, len(name)
        at += len(name)
    for i, word in enumerate(word for step in made.steps for word in step):
        bench[layout.CALL + i] = word
    assert build(*bench.both, layout.CALL, len(made.steps)) == len(made.steps)


def spelled(bench: Bench, version: int) -> bytes:
    """The bytes of the reply region."""
    end = lane.encode(*bench.both, OUT, ROW, layout.ITEM, version)
    return bytes(bench.heap.bytes[OUT:end])


def check(bench: Bench, of: Template, value: Any) -> None:
    """Every surface spells the value as the twin does, and reads it back."""
    place(bench, of, value)
    for version in (2, 3):
        told = spelled(bench, version)
        wanted = naive.resp(of, value, version)
        assert told == wanted, f"RESP{version} of {value!r:.300}: {told!r:.300} instead of {wanted!r:.300}"
        if value is not None:  # a row without a reply returns NIL, and no item
            read(of, told, version)
        size = bench[layout.REPLY + 1] * ITEM_OVERHEAD + len(Program(of, value).blob)
        assert len(told) <= size, "more bytes than `tapes.fits` counts"
    (found,) = items(bench.heap.numbers, bench.heap.bytes, layout.REPLY, names(of))
    assert json.loads(msgspec.json.encode(json_form(of)(found))) == naive.as_json(of, value)
    native_form(of)(found)


ENTRY = Tuple({"id": TEXT, "fields": Map(VALUE)})
GROUP_INFO = Record({
    "name": TEXT, "pending": INTEGER, "consumers": Array(Record({"name": TEXT, "idle": INTEGER, "since": TIME})),
    "lag": or_nil(INTEGER),
})  # fmt: skip
STREAM_INFO = Record({"length": INTEGER, "first-entry": or_nil(ENTRY), "groups": Array(GROUP_INFO)})
PLACES = Array(Tuple({"member": VALUE, "distance": REAL, "at": Tuple({"longitude": REAL, "latitude": REAL})}))
SCORES = Pairs(VALUE, REAL)

EXPECTED = [
    (SCORES, [[b"one", 1.0], [b"half", 0.5]],
     b"*4\r\n$3\r\none\r\n$1\r\n1\r\n$4\r\nhalf\r\n$3\r\n0.5\r\n",
     b"*2\r\n*2\r\n$3\r\none\r\n,1\r\n*2\r\n$4\r\nhalf\r\n,0.5\r\n",
     [["one", 1.0], ["half", 0.5]]),
    (SCORES, [], b"*0\r\n", b"*0\r\n", []),
    (Map(Array(SetOf(VALUE))), {b"k": [[b"a"], []], b"": []},
     b"*4\r\n$1\r\nk\r\n*2\r\n*1\r\n$1\r\na\r\n*0\r\n$0\r\n\r\n*0\r\n",
     b"%2\r\n$1\r\nk\r\n*2\r\n~1\r\n$1\r\na\r\n~0\r\n$0\r\n\r\n*0\r\n",
     {"k": [["a"], []], "": []}),
    (Array(or_nil(ENTRY)), [[b"1-0", {b"f": b"v"}], None],
     b"*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n$-1\r\n",
     b"*2\r\n*2\r\n$3\r\n1-0\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n",
     [{"id": "1-0", "fields": {"f": "v"}}, None]),
    (PLACES, [[b"rome", 12.5, [12.25, 41.75]]],
     b"*1\r\n*3\r\n$4\r\nrome\r\n$4\r\n12.5\r\n*2\r\n$5\r\n12.25\r\n$5\r\n41.75\r\n",
     b"*1\r\n*3\r\n$4\r\nrome\r\n,12.5\r\n*2\r\n,12.25\r\n,41.75\r\n",
     [{"member": "rome", "distance": 12.5, "at": {"longitude": 12.25, "latitude": 41.75}}]),
    (STREAM_INFO, {"length": 0, "first-entry": None, "groups": [
        {"name": b"g", "pending": 2, "consumers": [{"name": b"c", "idle": 7, "since": 5000}], "lag": None}]},
     b"*6\r\n$6\r\nlength\r\n:0\r\n$11\r\nfirst-entry\r\n$-1\r\n$6\r\ngroups\r\n*1\r\n*8\r\n$4\r\nname\r\n$1\r\ng\r\n"
     b"$7\r\npending\r\n:2\r\n$9\r\nconsumers\r\n*1\r\n*6\r\n$4\r\nname\r\n$1\r\nc\r\n$4\r\nidle\r\n:7\r\n$5\r\nsince\r\n"
     b":5000\r\n$3\r\nlag\r\n$-1\r\n",
     b"%3\r\n$6\r\nlength\r\n:0\r\n$11\r\nfirst-entry\r\n_\r\n$6\r\ngroups\r\n*1\r\n%4\r\n$4\r\nname\r\n$1\r\ng\r\n"
     b"$7\r\npending\r\n:2\r\n$9\r\nconsumers\r\n*1\r\n%3\r\n$4\r\nname\r\n$1\r\nc\r\n$4\r\nidle\r\n:7\r\n$5\r\nsince\r\n"
     b":5000\r\n$3\r\nlag\r\n_\r\n",
     {"length": 0, "first-entry": None, "groups": [
         {"name": "g", "pending": 2, "consumers": [{"name": "c", "idle": 7, "since": 5}], "lag": None}]}),
]  # fmt: skip


@pytest.mark.parametrize(("of", "value", "second", "third", "in_json"), EXPECTED, ids=range(len(EXPECTED)))
def test_expected_bytes(bench: Bench, of: Template, value: Any, second: bytes, third: bytes, in_json: Any) -> None:
    check(bench, of, value)
    assert (spelled(bench, 2), spelled(bench, 3)) == (second, third)
    (found,) = items(bench.heap.numbers, bench.heap.bytes, layout.REPLY, names(of))
    assert json.loads(msgspec.json.encode(json_form(of)(found))) == in_json


def test_python_values(bench: Bench) -> None:
    """Texts are bytes in a program of this process, and names of records are str."""
    place(bench, STREAM_INFO, {"length": 3, "first-entry": [b"1-0", {b"f": b"v"}], "groups": []})
    (found,) = items(bench.heap.numbers, bench.heap.bytes, layout.REPLY, names(STREAM_INFO))
    assert native_form(STREAM_INFO)(found) == {"length": 3, "first-entry": [b"1-0", {b"f": b"v"}], "groups": []}


def test_ten_thousand_levels(bench: Bench) -> None:
    """Nothing recurses in the kernels or in the reader: arrays may nest to any depth."""
    depth = 10_000
    for i in range(depth):
        for j, word in enumerate((MARK_STEP, layout.MARK_ARRAY, 1 if i < depth - 1 else 0)):
            bench[layout.CALL + 3 * i + j] = word
    build(*bench.both, layout.CALL, depth)
    assert spelled(bench, 3) == b"*1\r\n" * (depth - 1) + b"*0\r\n"
    found: Any = items(bench.heap.numbers, bench.heap.bytes)
    levels = 0
    while found:
        (found,) = found
        levels += 1
    assert levels == depth


def test_large_texts(bench: Bench) -> None:
    check(bench, Map(Array(VALUE)), {b"a" * 300: [b"x" * 200_000, b"", b"y" * 100_000], b"b": []})


LEAVES = (INTEGER, TIME, REAL, TEXT, VALUE, OCTETS, OBJECT, NIL)


class Drawn:
    """Templates drawn by chance, and values that fit them."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}" + "x" * self.chance.choice((0, 3, layout.NAME_BYTES_MAX - 4))

    def template(self, depth: int) -> Template:
        draw = self.chance.randrange
        if depth == 0 or draw(4) == 0:
            return self.chance.choice(LEAVES)
        match draw(8):
            case 0:
                return Array(*(self.template(depth - 1) for _ in range(self.chance.choice((1, 1, 2)))))
            case 1:
                return SetOf(self.chance.choice(LEAVES))
            case 2:
                return Tuple({f"m{i}": self.template(depth - 1) for i in range(draw(1, 4))})
            case 3:
                return Record({self.name(): self.template(depth - 1) for _ in range(draw(1, 4))})
            case 4:
                return Map(self.template(depth - 1))
            case 6:
                return ByName(self.template(depth - 1))
            case 5:
                return Pairs(self.template(depth - 1), self.chance.choice(LEAVES))
        inner = self.template(depth - 1)
        return or_nil(inner) if inner is not NIL and not isinstance(inner, Either) else inner

    def text(self) -> bytes:
        size = self.chance.choice((0, 1, 5, 31, 100, 3000))
        return bytes(self.chance.choices(b"abc {}[]\"\\", k=size))

    def value(self, of: Template) -> Any:
        draw = self.chance.randrange
        match of:
            case Array(its):
                return [self.value(its[i % len(its)]) for i in range(draw(4) * len(its))]
            case SetOf(item):
                return [self.value(item) for _ in range(draw(4))]
            case Tuple(members):
                return [self.value(member) for _, member in members]
            case Record(members):
                return {name: self.value(member) for name, member in members}
            case Map(item) | ByName(item):
                return {self.text()[:20]: self.value(item) for _ in range(draw(4))}
            case Pairs(first, second):
                return [[self.value(first), self.value(second)] for _ in range(draw(4))]
            case Either(choices):
                return self.value(self.chance.choice(choices))
        if of is NIL or of is DONE:
            return None
        if of in (INTEGER, TIME):
            return self.chance.choice((0, -1, 7, -(1 << 63), (1 << 63) - 1, draw(1 << 40)))
        if of is REAL:
            return self.chance.choice((0.5, -2.25, 3.0, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1))
        return self.chance.choice((b"", b"{}", b"[1]", b'{"a":{}}')) if of is OBJECT else self.text()


@pytest.mark.parametrize("seed", range(4))
def test_drawn_by_chance(bench: Bench, seed: int) -> None:
    """Templates and values by chance: the kernel, the reader and the forms against the twin."""
    depths = set()
    for i in range(150):
        drawn = Drawn(Random(seed * 1000 + i))
        depth = drawn.chance.randrange(1, 6)
        of = drawn.template(depth)
        check(bench, of, drawn.value(of))
        depths.add(depth)
    assert depths == set(range(1, 6))
