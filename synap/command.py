"""Rows of the command table: kinds of argument and their grammar, layout of the tape. Replies: see `reply.py`.

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
from synap.ranges import INT_MAX, INT_MIN
from synap.ranges import INT_MAX, INT_MIN
from 1) before those of all its Tokens' arguments. Many, Counted and Halves take two (number of groups, start), and
their items lie behind the fixed slots. An absent argument is 0 everywhere, so a shorter tape of an older version
reads as one without the newer arguments. A repeated group (WEIGHTS 1 2 WEIGHTS 3 4) leaves its first items unused.

Words are read from left to right, each once, and the first that does not fit decides the refusal; too few words for
a Token or a Many are detected before its first one is read. An optional argument with a word of its own is present
if that word comes next. One without (an Optional, a Many) takes the words left, except those needed behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from synap.methods import NO_HINTS, Method
from synap.ranges import INT_MAX, INT_MIN
from synap.reply import DONE, Template, names, words
from synap.routes import Route
from synap.traits import ADMIN, CONTROL, GROWS, INTERNAL, MAY_REPLICATE, SESSION, SIGNED_OUT, WAITS, WRITES

READ, WRITE = "read", "write"


@dataclass(frozen=True)
class Key:
    """The name of a key. `family` is its family for permissions, `access` is READ or WRITE."""

    name: str
    family: str = "kv"
    access: str = READ


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
class Glob:
    """A glob pattern with * ? [..]."""

    name: str


@dataclass(frozen=True)
class Int:
    """A 64-bit integer; `fault` is the refusal of other words. `judge` names a OneOf whose slot is marked instead
    (`layout.UNREADABLE`) if the word is no integer, so that the row's function can refuse it after other checks.
    Fields must be from `least` to `most`; the row's function refuses other RESP words in Redis' order and texts."""

    name: str
    fault: str = "NOT_AN_INTEGER"
    default: int | None = None
    judge: str = ""
    least: int = INT_MIN
    most: int = INT_MAX


@dataclass(frozen=True)
class Real:
    """A double-precision number."""

    name: str
    fault: str = "NOT_A_REAL"


@dataclass(frozen=True)
class Timeout:
    """Seconds to wait, fractions allowed, on the tape in whole milliseconds; `zero` says what 0 means."""

    name: str
    zero: str = "no limit"


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
    inner: tuple[Any, ...]

    def __init__(self, word: str, *inner: Any) -> None:
        object.__setattr__(self, "word", word)
        object.__setattr__(self, "inner", inner)


@dataclass(frozen=True, init=False)
class Optional:
    """Arguments that are present or absent as a whole. `alone`: present only if no words are left behind them."""

    inner: tuple[Any, ...]
    alone: bool

    def __init__(self, *inner: Any, alone: bool = False) -> None:
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
    """Options in any order, each effective once: the last of a repeated Token counts."""

    inner: tuple[Any, ...]

    def __init__(self, *inner: Any) -> None:
        object.__setattr__(self, "inner", inner)


def _fill(node: Any, **members: Any) -> None:
    for name, value in members.items():
        object.__setattr__(node, name, value)


@dataclass(frozen=True, init=False)
class Many:
    """`least` groups or more, or as many as the group `like` has; the word of an option behind them ends the groups.
    Fields need only `least_given` groups: a program that lists keys may find none. `fault` refuses too few groups and
    an incomplete last one before the first is read. `single`: without fields, the name of the item is missing."""

    name: str
    inner: tuple[Any, ...]
    least: int
    fault: str
    like: str
    least_given: int
    single: bool

    def __init__(
        self, name: str, *inner: Any, least: int = 1, fault: str = "SYNTAX", like: str = "", least_given: int = -1,
        single: bool = False,
    ) -> None:  # fmt: skip
        _fill(self, name=name, inner=inner, least=least, fault=fault, like=like, single=single)
        _fill(self, least_given=least if least_given < 0 else least_given)


@dataclass(frozen=True, init=False)
class Counted:
    """A number from `least` on, then that many groups. `fault` refuses a number below `least`, `fault_form` a word
    that is no number (by default `fault`), `fault_more` a number of groups for which the words do not suffice."""

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
    """All first members, then as many second members, up to the last word."""

    name: str
    inner: tuple[Any, Any]
    fault: str

    def __init__(self, name: str, first: Any, second: Any, *, fault: str = "UNBALANCED") -> None:
        _fill(self, name=name, inner=(first, second), fault=fault)


TEXTS = (Key, Raw, Text, Glob)
SIMPLE = (Key, Raw, Text, Glob, Int, Real, Timeout, Choice)
GROUPS = (Many, Counted, Halves)


def slots(node: Any) -> int:
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


def words_min(node: Any) -> int:
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
        least = [1 + sum(words_min(i) for i in getattr(inner, "inner", ())) for inner in node.inner]
        return min(least) if node.required else 0
    inner = sum(words_min(i) for i in node.inner)
    if isinstance(node, Counted):
        return 1 + node.least * inner
    if isinstance(node, Halves):
        return inner
    return int(node.least * inner)


def words_max(node: Any) -> int | None:
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
        return max(known)
    return sum(known) + (1 if isinstance(node, Token) else 0)


@dataclass(frozen=True)
class Place:
    """The place of an argument: `slot` on the tape, or within an item of `group` if that is not None."""

    node: Any
    slot: int
    path: tuple[Any, ...] = ()
    group: Any = None


def layout(args: tuple[Any, ...], start: int = 0, path: tuple[Any, ...] = (), group: Any = None) -> Iterator[Place]:
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


@dataclass(frozen=True)
class Example:
    """RESP words and reply, for docs and tests. `...` is any reply; so is `"{id}"`, which replaces `{id}` later on."""

    words: str
    reply: Any


def _has(trait: int) -> cached_property[bool]:
    return cached_property(lambda row: row.traits & trait != 0)


@dataclass(frozen=True)
class Command:
    """A row of the command table. JSON surfaces are REST and the command envelope.

    name, code    `family.command`, in APIs and docs; number in logs, family in the high byte, never changed or reused
    doc           summary in COMMAND DOCS, HELP, OpenAPI and docs/commands.md
    args          arguments, in the grammar of this file
    words         fewest RESP words, if more than `args` requires
    stray         refusal of a word that fits nowhere; by default too many words are refused as WRONG_ARITY
    resp          RESP command, with `|` before a subcommand; empty if RESP does not have it
    reply         template of the reply, see reply.py
    json_reply    of a handler: template of its reply to JSON surfaces and to programs in this process, if it differs
    run, handler  function of synap.store that carries out the row, called through a door; or one of engine/handlers
    traits        what is true of the row, as bits: WRITES | GROWS, ... (traits.py)
    needs_words   most words of memory that a call which `grows` needs besides its tape and texts
    http          REST routes
    envelope      further names in the command envelope, besides `name`
    json, json_nil        JSON surfaces, which have the row if `json` is given: template of the reply, see
                          derive/replies; of NIL, where "NOT_FOUND" means 404
    command, command_nil  envelope: these templates instead, if `command` is given
    spelled       name in the envelope -> template instead of `command`
    views         value of the JSON field `type` -> template instead of `json` or `command`
    also          other name of a JSON field -> field
    json_faults   number as reply -> fault with which JSON surfaces refuse instead
    elapsed       JSON field of a duration -> field of a time: a duration of 0 becomes a time in the past
    units         name of a JSON field in larger units -> (field, factor)
    negated       name of a JSON field with the opposite meaning -> Flag
    within        name of a JSON object whose members count as fields
    links         families to whose routes with the same names in the path OpenAPI links from this row
    switch, python        setting that must be on for JSON surfaces; hints for the Python methods (methods.py)
    since, examples       version of Synap that introduced the row; words with replies, for docs and tests
    """

    name: str
    code: int
    doc: str
    args: tuple[Any, ...] = ()
    words: int = 0
    stray: str = ""
    resp: str = ""
    reply: Template = DONE
    json_reply: Template | None = None
    run: str = ""
    handler: str = ""
    traits: int = 0
    needs_words: int = 0
    http: tuple[Route, ...] = ()
    envelope: tuple[str, ...] = ()
    json: Any = None
    json_nil: Any = None
    command: Any = None
    command_nil: Any = None
    spelled: dict[str, Any] = field(default_factory=dict, hash=False)
    views: dict[str, Any] = field(default_factory=dict, hash=False)
    also: dict[str, str] = field(default_factory=dict, hash=False)
    json_faults: dict[int, str] = field(default_factory=dict, hash=False)
    elapsed: dict[str, str] = field(default_factory=dict, hash=False)
    units: dict[str, tuple[str, int]] = field(default_factory=dict, hash=False)
    negated: dict[str, str] = field(default_factory=dict, hash=False)
    within: str = ""
    links: tuple[str, ...] = ()
    switch: str = ""
    python: Method = NO_HINTS
    since: str = "0.1"
    examples: tuple[Example, ...] = ()

    writes, grows, waits = _has(WRITES), _has(GROWS), _has(WAITS)
    internal, session, control = _has(INTERNAL), _has(SESSION), _has(CONTROL)
    waits_for_writes = _has(WRITES | MAY_REPLICATE)  # does a pause of writes hold the row back?
    reply_names = cached_property(lambda row: names(row.reply))  # those that MARK_NAME stands for
    reply_words = cached_property(lambda row: words(row.reply))  # those that the number of a reply selects

    @property
    def enveloped(self) -> tuple[Any, Any]:
        """The templates of the reply and of NIL in the envelope."""
        return (self.json, self.json_nil) if self.command is None else (self.command, self.command_nil)

    @property
    def reads(self) -> bool:
        """True if the row reads data and changes none: a kernel carries it out, or it names a key."""
        about_data = bool(self.run) or any(isinstance(place.node, Key) for place in layout(self.args))
        return about_data and not self.traits & (WRITES | ADMIN | SIGNED_OUT)

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
    """All rows, by name, code and RESP command; a duplicate of any of these is an AssertionError."""

    def __init__(self, rows: list[Command]) -> None:
        self.rows = sorted(rows, key=lambda row: row.code)
        self.by_name = {row.name: row for row in rows}
        self.by_code = {row.code: row for row in rows}
        self.by_resp = {row.resp: row for row in rows if row.resp}
        self.index = {row.code: i for i, row in enumerate(self.rows)}
        assert len(self.by_name) == len(self.by_code) == len(rows), "two rows have the same name or code"
        assert len(self.by_resp) == sum(1 for row in rows if row.resp), "two rows have the same RESP word"
