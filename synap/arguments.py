"""Arguments of the rows of the command table: their kinds and grammar, layout of the tape.

A row is literal data. Its `args` form a small grammar, by which RESP words, JSON fields and Python keywords are read:

    kinds      Key Raw Text Int Real Choice Glob Timeout      one word each
    Flag       an optional word                                Flag("NX")
    Token      an optional word with arguments behind it       Token("EX", Int("ttl"))
    OneOf      at most one of some Flags and Tokens            OneOf("when", Flag("NX"), Flag("XX"))
    AnyOrder   options in any order                            AnyOrder(..., ...)
    Optional   optional arguments                              Optional(Int("count"))
    Many       one or more groups, as many as words are left   Many("pairs", Raw("field"), Raw("value"))
               or as many as another group has                 Many("weights", Real("weight"), like="keys")
    Counted    a number, then that many groups                 Counted("keys", Key("key"))
    Halves     first all firsts, then all seconds              Halves("streams", Key("key"), Raw("id"))

The place of an argument on the tape depends on the row alone (`layout`). A text takes two slots, a number one, a Flag
one (0 or 1), a Token or an Optional one (0 or 1) before those of its arguments, a OneOf one (0, or the alternative,
from 1) before those of all its Tokens' arguments. Many, Counted and Halves take two (number of groups, start), and
their items lie behind the fixed slots. An absent argument is 0 everywhere, so a shorter tape of an older version
reads as one without the newer arguments. A repeated group (WEIGHTS 1 2 WEIGHTS 3 4) leaves its first items unused.

Words are read from left to right, each once, and the first that does not fit decides the refusal; too few words for
a Token or a Many are detected before its first one is read. An optional argument with a word of its own is present
if that word comes next. One without (an Optional, a Many) takes the words left, except those needed behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from synap.ranges import INT_MAX, INT_MIN

READ, WRITE = "read", "write"


@dataclass(frozen=True)
class Key:
    """The name of a key. `family` is its family for permissions, `access` is READ or WRITE. `awaited`: a row that WAITS
    waits for this key."""

    name: str
    family: str = "kv"
    access: str = READ
    awaited: bool = True


@dataclass(frozen=True)
class Raw:
    """Bytes with their form: a RESP word or any JSON value. `octets`: in JSON an array of the numbers 0 to 255."""

    name: str
    octets: bool = False


@dataclass(frozen=True)
class Text:
    """A name or an id: bytes from RESP, a string from JSON. `cursor`: must have the form of SCAN's cursors. `kind`: the
    kind (kinds.QUEUE, ROOM) of the record that it names, for which a call may wait."""

    name: str
    cursor: bool = False
    kind: int = 0


@dataclass(frozen=True)
class Bound(Text):
    """The end of a range: a position, or a score as in `(1.5`. A program may give it as a number."""


@dataclass(frozen=True)
class Glob:
    """A glob pattern with * ? [..]."""

    name: str


@dataclass(frozen=True)
class Int:
    """A 64-bit integer; `fault` is the refusal of other words. `judge` names a OneOf whose slot is marked instead
    (`layout.UNREADABLE`) if the word is no integer, so that the row's function can refuse it after other checks.
    Fields must be from `least` to `most`; the row's function refuses other RESP words in Redis' order and texts, unless
    a `strict` integer refuses a word below `least` as it refuses one that is no integer."""

    name: str
    fault: str = "NOT_AN_INTEGER"
    default: int | None = None
    judge: str = ""
    least: int = INT_MIN
    most: int = INT_MAX
    strict: bool = False


@dataclass(frozen=True)
class Real:
    """A double-precision number. `judge`: as for an Int."""

    name: str
    fault: str = "NOT_A_REAL"
    judge: str = ""


@dataclass(frozen=True)
class Timeout:
    """Seconds to wait, fractions allowed, on the tape in whole milliseconds; `zero` says what 0 means. `last`: if other
    words are refused, too, one of these decides the refusal. `whole_ms`: RESP and Python give whole milliseconds."""

    name: str
    zero: str = "no limit"
    last: bool = False
    whole_ms: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some words, in any case; on the tape as its number, from 1."""

    name: str
    words: tuple[str, ...]
    fault: str = "SYNTAX"


@dataclass(frozen=True)
class Flag:
    """An optional word. `name` is its name in JSON, by default the word in small letters."""

    word: str
    name: str = ""


@dataclass(frozen=True, init=False)
class Token:
    """An optional word with arguments behind it."""

    word: str
    inner: "tuple[Argument, ...]"

    def __init__(self, word: str, *inner: "Argument") -> None:
        object.__setattr__(self, "word", word)
        object.__setattr__(self, "inner", inner)


@dataclass(frozen=True, init=False)
class Optional:
    """Arguments that are present or absent as a whole. `alone`: present only if no words are left behind them."""

    inner: "tuple[Argument, ...]"
    alone: bool

    def __init__(self, *inner: "Argument", alone: bool = False) -> None:
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "alone", alone)


class Clash(Enum):
    """The alternatives that a OneOf refuses once one was chosen."""

    OTHERS = 0  # the other alternatives: SET k v EX 1 EX 2
    ANY = 1  # all, also the chosen one: ZRANGE k 0 1 REV REV
    NONE = 2  # none, the last one counts: SORT k ASC DESC
    BOTH = 3  # none of two Flags: both together give 3, which the row's function refuses


@dataclass(frozen=True, init=False)
class OneOf:
    """At most one of some Flags and Tokens (exactly one if `required`). One without alternatives takes no words: it is
    the slot that Int.judge marks."""

    name: str
    inner: tuple[Flag | Token, ...]
    required: bool
    fault: str
    clash: Clash

    def __init__(
        self, name: str, *inner: Flag | Token, required: bool = False, fault: str = "SYNTAX",
        clash: Clash = Clash.OTHERS,
    ) -> None:  # fmt: skip
        _fill(self, name=name, inner=inner, required=required, fault=fault, clash=clash)


@dataclass(frozen=True, init=False)
class AnyOrder:
    """Options in any order, each effective once: the last of a repeated Token counts."""

    inner: "tuple[Argument, ...]"

    def __init__(self, *inner: "Argument") -> None:
        object.__setattr__(self, "inner", inner)


def _fill(node: object, **members: object) -> None:
    for name, value in members.items():
        object.__setattr__(node, name, value)


@dataclass(frozen=True, init=False)
class Many:
    """`least` groups or more, or as many as the group `like` has; the word of an option behind them ends the groups.
    Fields need only `least_given` groups: a program that lists keys may find none. `fault` refuses too few groups and
    an incomplete last one before the first is read. `single`: without fields, the name of the item is missing.
    `objects`: in JSON, an object stands for several items, as `derive/spread.py` says under this name. `keys_behind`:
    the items are words, and behind each of these ones stands the name of a key, of which the last one counts."""

    name: str
    inner: "tuple[Argument, ...]"
    least: int
    fault: str
    like: str
    least_given: int
    single: bool
    objects: str
    keys_behind: tuple[str, ...]

    def __init__(
        self, name: str, *inner: "Argument", least: int = 1, fault: str = "SYNTAX", like: str = "",
        least_given: int = -1, single: bool = False, objects: str = "", keys_behind: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        _fill(self, name=name, inner=inner, least=least, fault=fault, like=like, single=single, objects=objects)
        _fill(self, least_given=least if least_given < 0 else least_given, keys_behind=keys_behind)


@dataclass(frozen=True, init=False)
class Counted:
    """A number from `least` on, then that many groups. `fault` refuses a number below `least`, `fault_form` a word
    that is no number (by default `fault`), `fault_more` a number of groups for which the words do not suffice."""

    name: str
    inner: "tuple[Argument, ...]"
    least: int
    fault: str
    fault_form: str
    fault_more: str

    def __init__(
        self, name: str, *inner: "Argument", least: int = 1, fault: str = "BAD_COUNT", fault_form: str = "",
        fault_more: str = "SYNTAX",
    ) -> None:  # fmt: skip
        _fill(self, name=name, inner=inner, least=least, fault=fault, fault_form=fault_form or fault)
        _fill(self, fault_more=fault_more)


@dataclass(frozen=True, init=False)
class Halves:
    """All first members, then as many second members, up to the last word."""

    name: str
    inner: "tuple[Argument, Argument]"
    fault: str
    least: ClassVar[int] = 1  # of first and of second members

    def __init__(self, name: str, first: "Argument", second: "Argument", *, fault: str = "UNBALANCED") -> None:
        _fill(self, name=name, inner=(first, second), fault=fault)


TEXTS = (Key, Raw, Text, Glob)
SIMPLE = (Key, Raw, Text, Glob, Int, Real, Timeout, Choice)
GROUPS = (Many, Counted, Halves)
Simple: TypeAlias = Key | Raw | Text | Glob | Int | Real | Timeout | Choice
Group: TypeAlias = Many | Counted | Halves
Argument: TypeAlias = Simple | Flag | Token | OneOf | AnyOrder | Optional | Group


def default_of(node: Argument) -> int | None:
    """Return the number that stands for an argument that is left out, or None if there is none."""
    return node.default if isinstance(node, Int) else None


def arguments_behind(option: Flag | Token) -> tuple[Argument, ...]:
    """Return the arguments behind the word of an option."""
    return option.inner if isinstance(option, Token) else ()


def slots(node: Argument) -> int:
    """Return the number of fixed tape slots of an argument."""
    if isinstance(node, (*TEXTS, *GROUPS)):
        return 2
    if isinstance(node, (Int, Real, Timeout, Choice, Flag)):
        return 1
    if isinstance(node, AnyOrder):
        return sum(slots(inner) for inner in node.inner)
    if isinstance(node, OneOf):  # its number, then the arguments of each Token
        return 1 + sum(slots(inner) - 1 for inner in node.inner)
    return 1 + sum(slots(inner) for inner in node.inner)  # Token, Optional


def words_min(node: Argument) -> int:
    """Return the fewest words that an argument takes."""
    if isinstance(node, SIMPLE):
        return 1
    if isinstance(node, Flag | Optional):
        return 0
    if isinstance(node, AnyOrder):
        return sum(words_min(inner) for inner in node.inner)
    if isinstance(node, Token):
        return 0
    if isinstance(node, OneOf):
        least = [1 + sum(words_min(i) for i in arguments_behind(inner)) for inner in node.inner]
        return min(least) if node.required else 0
    inner = sum(words_min(i) for i in node.inner)
    return node.least * inner + (1 if isinstance(node, Counted) else 0)


def words_max(node: Argument) -> int | None:
    """Return the most words that an argument takes, or None for no limit."""
    if isinstance(node, SIMPLE) or isinstance(node, Flag):
        return 1
    if isinstance(node, GROUPS):
        return None
    most = [words_max(inner) for inner in node.inner]
    if isinstance(node, AnyOrder) or any(m is None for m in most):
        return None
    known = [m for m in most if m is not None]
    if isinstance(node, OneOf):
        return max(known, default=0)
    return sum(known) + (1 if isinstance(node, Token) else 0)


@dataclass(frozen=True)
class Place:
    """The place of an argument: `slot` on the tape, or within an item of `group` if that is not None."""

    node: Argument
    slot: int
    path: tuple[Argument, ...] = ()
    group: Group | None = None


def layout(
    args: tuple[Argument, ...], start: int = 0, path: tuple[Argument, ...] = (), group: Group | None = None
) -> Iterator[Place]:
    """Yield the place of every argument of a row, outer arguments before the inner ones."""
    at = start
    for node in args:
        yield Place(node, at, path, group)
        if isinstance(node, GROUPS):
            yield from layout(node.inner, 0, (*path, node), node)
        elif isinstance(node, OneOf):
            inside = at + 1
            for inner in node.inner:
                yield Place(inner, at, (*path, node), group)
                if isinstance(inner, Token):
                    yield from layout(inner.inner, inside, (*path, node, inner), group)
                    inside += slots(inner) - 1
        elif isinstance(node, AnyOrder):
            yield from layout(node.inner, at, (*path, node), group)
        elif isinstance(node, Token | Optional):
            yield from layout(node.inner, at + 1, (*path, node), group)
        at += slots(node)
