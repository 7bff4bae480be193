"""What a row of the command table is: kinds of argument, shapes of reply, and how they combine.

A row is literal data. Its `args` are written in a small grammar, and everything that reads a call
(RESP words, JSON fields, Python keywords) is derived from it:

    kinds      Key Raw Text Int Real Choice Glob Timeout      one word each
    Flag       a word that is there or not                     Flag("NX")
    Token      a word that brings arguments                    Token("EX", Int("ttl"))
    OneOf      at most one of some Flags and Tokens            OneOf("when", Flag("NX"), Flag("XX"))
    AnyOrder   options in any order                            AnyOrder(..., ...)
    Optional   arguments that may be missing                   Optional(Int("count"))
    Many       one or more groups, as many as there are        Many("pairs", Raw("field"), Raw("value"))
               or as many as another group has                 Many("weights", Real("weight"), like="keys")
    Counted    a number, then that many groups                 Counted("keys", Key("key"))
    Halves     first all firsts, then all seconds              Halves("streams", Key("key"), Raw("id"))

Every argument has a place on the tape that depends on the row alone (`layout`): a text takes two
slots, a number one, a Flag one (0 or 1), a Token one more than what it brings (0 or 1), a OneOf one
more than its alternatives (0, or which, from 1), an Optional one more than what it holds; Many,
Counted and Halves take two (how many, where they start) and lie behind the fixed slots. What is not
there is 0 everywhere, so a shorter tape of an older version reads as one with nothing more in it.
A group that is taken again, as in WEIGHTS 1 2 WEIGHTS 3 4, leaves its first items where they lay.

Words are read from left to right and never twice, and the first that does not fit decides the refusal;
that a Token or a Many has too few is seen before its first one is read. What may be missing is there if its word
comes next; without a word of its own (an Optional, a Many) it takes what is left but for the words that must
still come behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from synap.routes import Route

READ, WRITE = "read", "write"


@dataclass(frozen=True)
class Key:
    """The name of a key. `family` is what permissions call it, `access` is READ or WRITE."""

    name: str
    family: str = "kv"
    access: str = READ


@dataclass(frozen=True)
class Raw:
    """Bytes, kept with their form: a RESP word, a JSON string, or any other JSON value.

    `octets`: JSON surfaces spell it as an array of the numbers 0 to 255.
    """

    name: str
    octets: bool = False


@dataclass(frozen=True)
class Text:
    """A name or an id: bytes from RESP, a string from JSON. `cursor`: it must be spelled as one of SCAN's.

    `space`: it names a queue or a room, hashed as a key of this namespace (kinds.QUEUE, ROOM): a call may wait for it.
    """

    name: str
    cursor: bool = False
    space: int = 0


@dataclass(frozen=True)
class Glob:
    """A pattern with * ? [..]."""

    name: str


@dataclass(frozen=True)
class Int:
    """A 64-bit integer; `fault` names another refusal than the usual one.

    `judge` names a OneOf whose slot is marked (`layout.UNREADABLE`) if the word is no integer: the row's function
    refuses it then, once it has come that far.
    """

    name: str
    fault: str = "NOT_AN_INTEGER"
    default: int | None = None
    judge: str = ""


@dataclass(frozen=True)
class Real:
    """A double."""

    name: str
    fault: str = "NOT_A_REAL"


@dataclass(frozen=True)
class Timeout:
    """Seconds to wait, fractions allowed, 0 for ever; on the tape in whole milliseconds."""

    name: str


@dataclass(frozen=True)
class Choice:
    """One of some words, in any case; on the tape its number from 1."""

    name: str
    words: tuple[str, ...]
    fault: str = "SYNTAX"


@dataclass(frozen=True)
class Flag:
    """A word that is there or not. `name` is what JSON calls it, by default the word in small letters."""

    word: str
    name: str = ""


@dataclass(frozen=True, init=False)
class Token:
    """A word that brings arguments."""

    word: str
    inner: tuple[Any, ...]

    def __init__(self, word: str, *inner: Any) -> None:
        object.__setattr__(self, "word", word)
        object.__setattr__(self, "inner", inner)


@dataclass(frozen=True, init=False)
class Optional:
    """Arguments that may be missing as a whole. `alone`: only there if no word would be left behind them."""

    inner: tuple[Any, ...]
    alone: bool

    def __init__(self, *inner: Any, alone: bool = False) -> None:
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "alone", alone)


class Clash(Enum):
    """What a OneOf refuses once an alternative was chosen."""

    OTHERS = 0  # the other ones: SET k v EX 1 EX 2
    ANY = 1  # the same one as well: ZRANGE k 0 1 REV REV
    NONE = 2  # nothing, the last one holds: SORT k ASC DESC
    BOTH = 3  # nothing, of two Flags: both together are 3, which the row's function refuses


@dataclass(frozen=True, init=False)
class OneOf:
    """At most one of some Flags and Tokens (exactly one if `required`)."""

    name: str
    inner: tuple[Any, ...]
    required: bool
    fault: str
    clash: Clash

    def __init__(
        self, name: str, *inner: Any, required: bool = False, fault: str = "SYNTAX", clash: Clash = Clash.OTHERS
    ) -> None:
        _fill(self, name=name, inner=inner, required=required, fault=fault, clash=clash)


@dataclass(frozen=True, init=False)
class AnyOrder:
    """Options in any order, each at most once in effect: the last one of a Token's holds."""

    inner: tuple[Any, ...]

    def __init__(self, *inner: Any) -> None:
        object.__setattr__(self, "inner", inner)


def _fill(node: Any, **members: Any) -> None:
    for name, value in members.items():
        object.__setattr__(node, name, value)


@dataclass(frozen=True, init=False)
class Many:
    """One group or more (none or more if `least` is 0), or as many as the group named `like` has.

    Named fields may give `least_given` groups or more: a program that lists keys may find none.
    `fault` is for too few and for a last one that is not whole; both are seen before the first is read.
    Options may follow: the groups end where one of their words stands.
    """

    name: str
    inner: tuple[Any, ...]
    least: int
    fault: str
    like: str
    least_given: int

    def __init__(
        self, name: str, *inner: Any, least: int = 1, fault: str = "SYNTAX", like: str = "", least_given: int = -1
    ) -> None:
        given = least if least_given < 0 else least_given
        _fill(self, name=name, inner=inner, least=least, fault=fault, like=like, least_given=given)


@dataclass(frozen=True, init=False)
class Counted:
    """A number from `least` on, then as many groups.

    `fault` is for a number below `least`, `fault_form` for what is no number (the same, if it is empty),
    `fault_more` for more than there are words.
    """

    name: str
    inner: tuple[Any, ...]
    least: int
    fault: str
    fault_form: str
    fault_more: str

    def __init__(
        self, name: str, *inner: Any, least: int = 1, fault: str = "BAD_COUNT", fault_form: str = "",
        fault_more: str = "SYNTAX",
    ) -> None:  # fmt: skip
        _fill(self, name=name, inner=inner, least=least, fault=fault, fault_form=fault_form or fault)
        _fill(self, fault_more=fault_more)


@dataclass(frozen=True, init=False)
class Halves:
    """All firsts, then as many seconds, to the end."""

    name: str
    inner: tuple[Any, Any]
    fault: str

    def __init__(self, name: str, first: Any, second: Any, *, fault: str = "UNBALANCED") -> None:
        _fill(self, name=name, inner=(first, second), fault=fault)


TEXTS = (Key, Raw, Text, Glob)
SIMPLE = (Key, Raw, Text, Glob, Int, Real, Timeout, Choice)
GROUPS = (Many, Counted, Halves)


def slots(node: Any) -> int:
    """How many fixed tape slots an argument takes."""
    if isinstance(node, TEXTS):
        return 2
    if isinstance(node, (Int, Real, Timeout, Choice, Flag)):
        return 1
    if isinstance(node, GROUPS):
        return 2
    if isinstance(node, AnyOrder):
        return sum(slots(inner) for inner in node.inner)
    if isinstance(node, OneOf):  # a Flag is its number, a Token its number and what it brings
        return 1 + sum(slots(inner) - 1 for inner in node.inner)
    return 1 + sum(slots(inner) for inner in node.inner)  # Token, Optional


def words_min(node: Any) -> int:
    """The fewest words that an argument takes."""
    if isinstance(node, SIMPLE):
        return 1
    if isinstance(node, Flag | Optional):
        return 0
    if isinstance(node, AnyOrder):
        return sum(words_min(inner) for inner in node.inner)
    if isinstance(node, Token):
        return 0
    if isinstance(node, OneOf):
        least = [1 + sum(words_min(i) for i in getattr(inner, "inner", ())) for inner in node.inner]
        return min(least) if node.required else 0
    inner = sum(words_min(i) for i in node.inner)
    if isinstance(node, Counted):
        return 1 + node.least * inner
    if isinstance(node, Halves):
        return inner
    return int(node.least * inner)


def words_max(node: Any) -> int | None:
    """The most words that an argument takes, or None for no limit."""
    if isinstance(node, SIMPLE) or isinstance(node, Flag):
        return 1
    if isinstance(node, GROUPS):
        return None
    most = [words_max(inner) for inner in node.inner]
    if isinstance(node, AnyOrder) or any(m is None for m in most):
        return None
    known = [m for m in most if m is not None]
    if isinstance(node, OneOf):
        return max(known)
    return sum(known) + (1 if isinstance(node, Token) else 0)


@dataclass(frozen=True)
class Place:
    """Where one argument lies: `slot` on the tape, or in its group if `group` is not None."""

    node: Any
    slot: int
    path: tuple[Any, ...] = ()
    group: Any = None


def layout(args: tuple[Any, ...], start: int = 0, path: tuple[Any, ...] = (), group: Any = None) -> Iterator[Place]:
    """Every argument of a row with its place, outer ones before what they hold."""
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


class Shape(Enum):
    """How a reply is to be read when the status is DONE, or none of the special ones."""

    DONE = 1  # nothing but that it went well
    NUMBER = 2  # one integer
    VALUE = 3  # one text, or nil
    VALUES = 4  # texts in order
    MEMBERS = 5  # texts in no order (a set in RESP3)
    PAGE = 6  # a cursor and texts
    PAIR = 7  # a key and a value
    MESSAGE = 8  # a leased queue message
    REPORT = 9  # named numbers, see `Command.fields`
    CUSTOM = 10  # a handler writes it
    WORD = 11  # one of the row's `fields`, by its number
    MESSAGES = 12  # queue messages, each as its `fields`
    EVENTS = 13  # events of a room: offset, name, data and time of each; the next offset beside them


@dataclass(frozen=True)
class Example:
    """RESP words and what they answer, for docs and for the test of every surface.

    The reply `...` differs from time to time. A reply `"{id}"` does too, and `{id}` in later words is what it was.
    """

    words: str
    reply: Any


@dataclass(frozen=True)
class Command:
    """One row."""

    name: str
    code: int
    doc: str
    args: tuple[Any, ...] = ()
    words: int = 0  # the fewest words, where it is more than the arguments tell
    stray: str = ""  # the refusal of a word that fits nowhere; without one, more words than most are WRONG_ARITY
    resp: str = ""
    reply: Shape = Shape.DONE
    run: str = ""  # "strings.set_value": a function of synap.store
    handler: str = ""  # a name in the engine's handlers, for rows that need Python
    writes: bool = False
    grows: bool = False
    control: bool = False
    session: bool = False  # RESP alone: it speaks of the connection that asks, or is another word for a row
    waits: bool = False
    decides: str = ""
    internal: bool = False
    room: int = 0  # words that a call may need besides its texts, at most, see engine/budget
    http: tuple[Route, ...] = ()
    envelope: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    rest: Any = None
    rest_nil: Any = None
    command: Any = None
    command_nil: Any = None
    empty_is_nil: bool = False  # for JSON surfaces an empty text is a missing one
    spelled: dict[str, Any] = field(default_factory=dict, hash=False)  # other templates for names of the envelope
    views: dict[str, Any] = field(default_factory=dict, hash=False)  # other templates for JSON, by the field `type`
    also: dict[str, str] = field(default_factory=dict, hash=False)  # other names that JSON surfaces take for fields
    json_faults: dict[int, str] = field(default_factory=dict, hash=False)  # numbers that JSON surfaces refuse with
    elapsed: dict[str, str] = field(default_factory=dict, hash=False)  # a 0 in it means for JSON: over at once
    units: dict[str, tuple[str, int]] = field(default_factory=dict, hash=False)  # JSON's name, in larger units
    negated: dict[str, str] = field(default_factory=dict, hash=False)  # JSON's name of the opposite of a Flag
    within: str = ""  # an object of JSON whose members count as fields
    itself: bool = False  # for JSON a key whose source is its destination is a success, if it is there
    switch: str = ""  # a setting that must be on for HTTP surfaces
    since: str = "0.1"
    examples: tuple[Example, ...] = ()

    @property
    def family(self) -> str:
        return self.name.split(".")[0]

    @property
    def slots(self) -> int:
        return sum(slots(node) for node in self.args)

    @property
    def words_min(self) -> int:
        return max(self.words, sum(words_min(node) for node in self.args))

    @property
    def words_max(self) -> int | None:
        most = [words_max(node) for node in self.args]
        return None if self.stray or any(m is None for m in most) else sum(m for m in most if m is not None)


class Catalogue:
    """All rows, found by name, code or RESP word. A name, code or word that stands twice is our error."""

    def __init__(self, rows: list[Command]) -> None:
        self.rows = sorted(rows, key=lambda row: row.code)
        self.by_name = {row.name: row for row in rows}
        self.by_code = {row.code: row for row in rows}
        self.by_resp = {row.resp: row for row in rows if row.resp}
        self.index = {row.code: i for i, row in enumerate(self.rows)}
        assert len(self.by_name) == len(self.by_code) == len(rows), "a name or a code stands twice"
        assert len(self.by_resp) == sum(1 for row in rows if row.resp), "a RESP word stands twice"
