"""The signature of a row's Python method: its name, its parameters, and what it returns.

    def getex(self, key, *, ex=None, px=None, ..., persist=False)

The arguments of the row become parameters:

    Key, Raw, Text, Int, ...    positional; an Int with a default has it here too
    Optional                    positional, None by default
    Many of one argument        `*names` if it is the first group of the row; parameters behind it are keywords
    Many of two, Halves         one parameter: a mapping, or pairs
    Counted, other Many         one parameter: a sequence
    Flag                        a keyword, False by default, with the Flag's name in small letters
    Many of one Token           a keyword, None by default, with the group's name; a sequence
    Token                       a keyword, None by default, with the Token's word in small letters; a Token with several
                                arguments has a keyword for each, with the argument's name

`Method.names` of the row gives a parameter another name. A row that does not fit raises TooIntricate (for example a
required argument behind an optional one), and its methods are written by hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from synap.arguments import (
    GROUPS,
    SIMPLE,
    AnyOrder,
    Argument,
    Bound,
    Choice,
    Counted,
    Flag,
    Glob,
    Group,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Real,
    Simple,
    Text,
    Timeout,
    Token,
    default_of,
)
from synap.command import Command
from synap.faults import SynapError
from synap.reply import DONE, INTEGER, NIL, Array, Map, Record, Status, Tuple, choices
from synap.reply import GROUPS as REPLY_GROUPS
from synap.traits import EMPTY_IS_NIL

POSITIONAL, STAR, KEYWORD = "positional", "star", "keyword"
TYPES: dict[type[Argument], str] = {
    Key: "Key", Glob: "Key", Raw: "Value", Text: "str", Bound: "str | float", Int: "int", Real: "float",
    Timeout: "float",
}  # fmt: skip
"""Argument -> its type in the interface that generates the method; `Key` and `Value` are names of both."""


class TooIntricate(SynapError):
    """The arguments of a row do not make a signature."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method. `node` is the argument of the row, `field` its name in `call`, `word` the RESP word
    before it; `default` is source text, empty for none; `beside` are the other parameters of the same Token. `turned`:
    see `methods.Method`."""

    name: str
    how: str
    type: str
    field: str
    node: Argument
    default: str = ""
    word: str = ""
    beside: tuple[str, ...] = ()
    turned: bool = False

    @property
    def signed(self) -> str:
        """The parameter as it stands in the signature."""
        text = f"*{self.name}: {self.type}" if self.how is STAR else f"{self.name}: {self.type}"
        return f"{text} = {self.default}" if self.default else text


def has_method(row: Command) -> bool:
    """Return whether the interfaces have a method for this row."""
    return bool(row.run and row.resp and not row.internal and not row.session)


def method_name(row: Command) -> str:
    """Return the name of the row's method in-process."""
    return row.python.name or row.resp.lower().replace(".", "_").replace("|", "_")


def holder(row: Command) -> str:
    """Return the argument that names the queue or room of the row, empty if there is none. In the client, rows with
    such an argument are methods of an object that knows it."""
    first = row.args[0] if row.args else None
    return first.name if isinstance(first, Text) and first.kind else ""


def parameters(row: Command) -> list[Parameter]:
    """Return the parameters of a row's method, in the order of its signature. Raise TooIntricate."""
    found = list(_of(row, row.args))
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise TooIntricate(f"{row.name}: two parameters have one name: give one another, or write the method by hand")
    star = next((i for i, each in enumerate(found) if each.how is STAR), len(found))
    ordered = [each for each in found[: star + 1] if each.how is not KEYWORD]
    behind = [each for each in found[star + 1 :] if each.how is not KEYWORD]
    needed = [bool(each.default) for each in ordered if each.how is POSITIONAL]
    if needed != sorted(needed):
        raise TooIntricate(f"{row.name}: a required parameter stands behind an optional one: write the method by hand")
    return [*ordered, *behind, *(each for each in found if each.how is KEYWORD)]


def signature(parameters: list[Parameter]) -> list[str]:
    """Return the parts of a signature behind `self`."""
    parts, bare = [], False
    for each in parameters:
        if each.how is KEYWORD and not bare and not any(before.how is STAR for before in parameters):
            parts.append("*")
            bare = True
        parts.append(each.signed)
    return parts


def _of(row: Command, nodes: tuple[Argument, ...], optional: bool = False) -> Iterator[Parameter]:
    star = False
    for node in nodes:
        if isinstance(node, SIMPLE):
            yield _simple(row, node, optional)
        elif isinstance(node, Flag):
            field = node.name or node.word.lower()
            yield Parameter(_named(row, field), KEYWORD, "bool", field, node, "False", node.word)
        elif isinstance(node, Token):
            yield from _token(row, node)
        elif isinstance(node, Optional):
            yield from _of(row, node.inner, optional=True)
        elif isinstance(node, OneOf | AnyOrder):
            yield from _of(row, node.inner, optional)
        else:
            assert isinstance(node, GROUPS)
            yield _group(row, node, star)
            star = True


def _simple(row: Command, node: Simple, optional: bool) -> Parameter:
    name = _named(row, node.name)
    default = default_of(node)
    if optional:
        return Parameter(name, POSITIONAL, f"{_type(node)} | None", node.name, node, "None")
    return Parameter(name, POSITIONAL, _type(node), node.name, node, "" if default is None else repr(default))


def _token(row: Command, token: Token) -> Iterator[Parameter]:
    if len(token.inner) == 1 and isinstance(token.inner[0], Counted | Halves):  # needed, with the word before it
        yield replace(_group(row, token.inner[0], True), word=token.word)
        return
    if any(isinstance(node, GROUPS) and (len(token.inner) > 1 or len(node.inner) > 1) for node in token.inner):
        raise TooIntricate(f"{row.name}: pairs behind {token.word}: write the method by hand")
    inner = list(_of(row, token.inner))
    alone = len(inner) == 1
    names = tuple(
        row.python.names.get(each.field, token.word.lower()) if alone else _named(row, each.field) for each in inner
    )
    for name, each in zip(names, inner, strict=True):
        form = each.type.removesuffix(" | None")
        form = f"Sequence[{form}]" if each.how is STAR else form
        yield Parameter(name, KEYWORD, f"{form} | None", each.field, each.node, "None", token.word, names)


def _group(row: Command, node: Group, star: bool) -> Parameter:
    option = node.inner[0]
    if is_option(node) and isinstance(option, Token):
        form = f"Sequence[{_type(option.inner[0])}] | None"
        return Parameter(_named(row, node.name), KEYWORD, form, node.name, node, "None", option.word)
    if not all(isinstance(inner, SIMPLE) for inner in node.inner):
        raise TooIntricate(f"{row.name}: options in the group {node.name}: write the method by hand")
    name, types = _named(row, node.name), [_type(inner) for inner in node.inner]
    if isinstance(node, Many) and len(types) == 1 and not star and not node.like:
        return Parameter(name, STAR, types[0], node.name, node)
    if len(types) == 1:
        return Parameter(name, POSITIONAL, f"Sequence[{types[0]}]", node.name, node)
    pairs = f"Iterable[tuple[{', '.join(types)}]]"
    turned = row.python.turned
    form = f"Mapping[{', '.join(types[::-1] if turned else types)}] | {pairs}" if len(types) == 2 else pairs
    return Parameter(name, POSITIONAL, form, node.name, node, turned=turned)


def _named(row: Command, field: str) -> str:
    return row.python.names.get(field, field)


def _type(node: Argument) -> str:
    if isinstance(node, Choice):
        return f"Literal[{', '.join(map(repr, node.words))}]".replace("'", '"')
    return TYPES[type(node)]


RESULTS = (
    "nothing", "whole", "flag", "value", "octets", "word", "values", "members", "some", "key", "keys", "titles",
    "report", "reports", "messages", "pair", "triple", "distance", "mapping", "places",
    "places_or_count",
)  # fmt: skip
"""What a method returns: nothing, an int, a bool, a stored value or None, bytes, a word as str, values in order, a set
of values, one value or several, the name of a key, several, names of queues or rooms as str, counters by name,
messages of a queue, a key and a value, a key with a member and its score, a float or None, values by name,
found places with what is asked about each, or how many were stored."""


def result(row: Command) -> str:
    """Return what the row's method returns, one of RESULTS. Nothing else here reads the row's reply."""
    if row.python.returns:
        return row.python.returns
    if row.reply is INTEGER:
        template = row.enveloped[0]
        told = template.values() if isinstance(template, dict) else ()
        return "flag" if ("$flag" in told and "$reply" not in told) or 0 in row.json_faults else "whole"
    found = choices(row.reply)
    if DONE in found:
        return "nothing"
    if isinstance(row.reply, Status):
        return "word"
    group = next((one for one in found if isinstance(one, REPLY_GROUPS)), None)
    match group:
        case None:
            return "octets" if row.traits & EMPTY_IS_NIL else "value"
        case Record():
            return "report"
        case Map():
            return "mapping"
        case Tuple():
            if any(one is not group and one is not NIL for one in found):
                return "some"
            return {2: "pair", 3: "triple"}[len(group.members)]
        case Array((Record(),)):
            return "messages"
        case _ if any(isinstance(node, Optional) for node in row.args):
            return "some"
        case _:
            return "values" if isinstance(group, Array) else "members"


def members(row: Command) -> tuple[Argument, ...]:
    """Return the arguments of a group that is the row's only argument, or ()."""
    return row.args[0].inner if len(row.args) == 1 and isinstance(row.args[0], GROUPS) else ()


def is_option(node: Argument) -> bool:
    """Return whether a group is an option of one argument that may stand several times, each time with its word."""
    if not isinstance(node, Many) or len(node.inner) > 1 or not isinstance(node.inner[0], Token):
        return False
    return len(node.inner[0].inner) == 1 and isinstance(node.inner[0].inner[0], SIMPLE)


def is_counted(parameter: Parameter) -> bool:
    """Return whether the number of items precedes the items of a parameter."""
    return isinstance(parameter.node, Counted)


def is_paired(parameter: Parameter) -> bool:
    """Return whether a parameter is a mapping or pairs; of Halves, all first members come first."""
    return isinstance(parameter.node, Many | Counted | Halves) and len(parameter.node.inner) > 1
