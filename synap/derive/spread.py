"""Objects of JSON that stand for several words each: `Many.objects` of a row names one of `SPREADS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from synap.arguments import Argument, Choice, Flag, Int, Optional, Raw
from synap.derive.conversions import not_one_of, to_flag, to_integer
from synap.faults import Fault


@dataclass(frozen=True)
class Spread:
    """`members` are those of the object, `words` returns the words that it stands for. It raises Fault."""

    members: tuple[Argument, ...]
    words: Callable[[Mapping[str, Any]], list[str]]


_OPERATION = Choice("operation", ("GET", "SET", "INCRBY"))
_OVERFLOW = Choice("overflow", ("WRAP", "SAT", "FAIL"))


def _bitfield(item: Mapping[str, Any]) -> list[str]:
    """Return the words of one operation of BITFIELD; `overflow` holds for this operation alone."""
    operation = _chosen(_OPERATION, item)
    width = to_integer("width", _given("width", item), 1, 64)
    offset = _given("offset", item)
    if not (isinstance(offset, str) and offset.startswith("#")):
        offset = str(to_integer("offset", offset, 0))
    field = [operation, f"{'i' if to_flag('signed', item.get('signed')) else 'u'}{width}", offset]
    if operation == "GET":
        return field
    overflow = "WRAP" if item.get("overflow") is None else _chosen(_OVERFLOW, item)
    amount = "value" if operation == "SET" else "increment"
    return ["OVERFLOW", overflow, *field, str(to_integer(amount, _given(amount, item)))]


def _given(name: str, item: Mapping[str, Any]) -> Any:
    if item.get(name) is None:
        raise Fault("MISSING_FIELD", field=name)
    return item[name]


def _chosen(node: Choice, item: Mapping[str, Any]) -> str:
    value = _given(node.name, item)
    if not isinstance(value, str) or value.upper() not in node.words:
        raise not_one_of(node.name, node.words, value)
    return value.upper()


SPREADS = {
    "bitfield": Spread(
        (
            _OPERATION, Raw("offset"), Int("width", least=1, most=64),
            Optional(Flag("SIGNED"), Int("value"), Int("increment"), _OVERFLOW),
        ),
        _bitfield,
    ),
}  # fmt: skip
"""Name -> what an object stands for."""
