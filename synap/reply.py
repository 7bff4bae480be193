"""Templates of replies: what a command answers, as data on its row (`Command.reply`).

    DONE                 OK; in JSON and Python true
    Status("a", "b")     a status: one of these words, or any word if none is given
    INTEGER   REAL       a number; a REAL is its text in RESP2
    BOOLEAN              true or false, in JSON only
    DISTANCE             a number with four decimals; its text in RESP2 and RESP3
    TIME                 a time in ms since 1970; in JSON in seconds
    TEXT                 a name, an id or other text
    VALUE                a stored value: in JSON the value itself if it was stored as JSON, else a string
    OCTETS               a text; in JSON an array of the numbers 0 to 255
    VALUE_OCTETS         a stored value; in JSON its JSON text as OCTETS
    DOCUMENT             a text; in JSON the document that it holds, or a string if it is no JSON
    OBJECT               a DOCUMENT for which {} stands if it is empty
    NIL                  nil, null, None
    NO_ARRAY             the same in the place of an array within a group, which RESP2 spells in another way
    NONE                 no reply at all
    ANY                  any reply

    Array(item)          members in order; several items repeat in this order: Array(TEXT, INTEGER)
    SetOf(item)          members in no order; an array in RESP2
    Tuple({...})         an array of fixed members; in JSON an object with their names
    Record({...})        a map with these names; one that ends in `?` may be missing; in RESP2 names and values in turn
    Map(item)            a map with any names
    ByName(item)         a map with any names; in RESP2 an array of arrays of two, a name and an item
    Pairs(first, second) an array of arrays of two; in RESP2 one array of firsts and seconds in turn
    Pushed(item)         one or more pushes; in RESP2 as many arrays
    Either(one, other)   one of these

From a row's template come the bits that the lane needs to spell the reply, its JSON, its schema and its line in
docs/commands.md; the tests check that every reply they see fits its template. `Each` and `As` are parts of the JSON
templates `Command.json` and `Command.command`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Leaf(Enum):
    """A reply without members. The value says what it is, for docs/commands.md."""

    DONE = "`OK`"
    INTEGER = "an integer"
    REAL = "a number"
    DISTANCE = "a distance"
    BOOLEAN = "true or false"
    TIME = "a time in ms (in JSON in s)"
    TEXT = "a text"
    VALUE = "a value"
    OCTETS = "bytes"
    VALUE_OCTETS = "a stored value"
    DOCUMENT = "a document"
    OBJECT = "an object"
    NIL = "nil"
    NO_ARRAY = "nil for a missing array"
    NONE = "no reply"
    ANY = "any reply"


DONE, INTEGER, REAL, BOOLEAN, TIME = Leaf.DONE, Leaf.INTEGER, Leaf.REAL, Leaf.BOOLEAN, Leaf.TIME
TEXT, VALUE, OCTETS, VALUE_OCTETS, DOCUMENT = Leaf.TEXT, Leaf.VALUE, Leaf.OCTETS, Leaf.VALUE_OCTETS, Leaf.DOCUMENT
OBJECT, NIL, NONE, ANY, DISTANCE = Leaf.OBJECT, Leaf.NIL, Leaf.NONE, Leaf.ANY, Leaf.DISTANCE
NO_ARRAY = Leaf.NO_ARRAY


@dataclass(frozen=True, init=False)
class Status:
    """A simple string; from a kernel, the number of one of the words."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)


@dataclass(frozen=True, init=False)
class Array:
    """An array of any number of members; a set of several items is repeated as a whole."""

    items: "tuple[Template, ...]"

    def __init__(self, *items: "Template") -> None:
        object.__setattr__(self, "items", items)


@dataclass(frozen=True)
class SetOf:
    """A set."""

    item: "Template"


@dataclass(frozen=True, init=False)
class Tuple:
    """An array of fixed members, which have names in JSON."""

    members: "Members"

    def __init__(self, members: "Mapping[str, Template]") -> None:
        object.__setattr__(self, "members", tuple(members.items()))


@dataclass(frozen=True, init=False)
class Record:
    """A map with known names, in this order."""

    members: "Members"

    def __init__(self, members: "Mapping[str, Template]") -> None:
        object.__setattr__(self, "members", tuple(members.items()))


@dataclass(frozen=True)
class Map:
    """A map with any names."""

    item: "Template"


@dataclass(frozen=True)
class ByName:
    """A map with any names, which RESP2 spells as pairs that do not run together."""

    item: "Template"


@dataclass(frozen=True)
class Pairs:
    """Pairs, such as members with their scores."""

    first: "Template"
    second: "Template"


@dataclass(frozen=True)
class Pushed:
    """Confirmations of subscriptions."""

    item: "Template"


@dataclass(frozen=True, init=False)
class Either:
    """One of several replies."""

    choices: "tuple[Template, ...]"

    def __init__(self, *choices: "Template") -> None:
        object.__setattr__(self, "choices", choices)


@dataclass(frozen=True)
class Each:
    """In a JSON template: `template` for each member of the reply; `$name` in it is the part `name` of the member."""

    template: object


@dataclass(frozen=True)
class As:
    """In a JSON template: the part `name` of the reply, spelled as `template` says instead of as the reply's does."""

    name: str
    template: "Template"


Template: TypeAlias = Leaf | Status | Array | SetOf | Tuple | Record | Map | ByName | Pairs | Pushed | Either
Members: TypeAlias = tuple[tuple[str, Template], ...]
GROUPS = (Array, SetOf, Tuple, Record, Map, ByName, Pairs, Pushed)


def or_nil(template: Template) -> Either:
    """Return the template of a reply that may be nil."""
    return Either(template, NIL)


def choices(template: Template) -> tuple[Template, ...]:
    """Return the alternatives of a template: its own, or the template alone."""
    return template.choices if isinstance(template, Either) else (template,)


def inner(template: Template) -> Iterator[Template]:
    """Yield the templates that a template consists of, in order."""
    if isinstance(template, Either):
        yield from template.choices
    elif isinstance(template, Array):
        yield from template.items
    elif isinstance(template, Tuple | Record):
        yield from (member for _, member in template.members)
    elif isinstance(template, Pairs):
        yield from (template.first, template.second)
    elif isinstance(template, SetOf | Map | ByName | Pushed):
        yield template.item


def names(template: Template) -> tuple[str, ...]:
    """Return the names of all records in a template, in order: those that MARK_NAME stands for by their number."""
    found = [name for name, _ in template.members] if isinstance(template, Record) else []
    for each in inner(template):
        found += names(each)
    return tuple(found)


def words(template: Template) -> tuple[str, ...]:
    """Return the words of a status, of which a kernel's reply is the number of one."""
    return next((one.words for one in choices(template) if isinstance(one, Status)), ())


def parts(template: Template) -> dict[str, Template]:
    """Return the named members of a reply that is one record or tuple, or has one as an alternative."""
    return next((dict(one.members) for one in choices(template) if isinstance(one, Record | Tuple)), {})
