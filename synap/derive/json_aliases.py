"""Aliases of fields on JSON surfaces: rewrites other names, units and opposites before a row's packer.

    also      other names of fields                         within    an object whose members count as fields
    units     fields in larger units                        negated   the opposite of a Flag
    elapsed   durations of which 0 means: expired at once    chosen    a boolean instead of a word of two
    tagged    an object that names one of several fields
    unpacked  an array whose items are several fields
"""

from collections.abc import Callable
from typing import Any

from synap.arguments import Int, layout
from synap.command import Command
from synap.derive.conversions import outside, to_flag, to_integer, wrong
from synap.faults import Fault

Pack = Callable[[Any], bytes]
Spell = Callable[[dict[str, Any]], dict[str, Any]]
LONG_AGO = 1
"""A time in the past, in seconds since 1970."""


def respelled(row: Command, pack: Pack) -> Pack:
    """Return `pack` extended to all aliases of fields that the row allows."""
    made = (
        _taken_out(row), _untagged(row), _unpacked(row), _renamed(row), _counted(row), _turned(row), _chosen(row),
        _moved(row),
    )  # fmt: skip
    steps = [step for step in made if step]
    if not steps:
        return pack

    def spelled(fields: Any) -> bytes:
        for step in steps:
            fields = step(fields)
        return pack(fields)

    return spelled


def _taken_out(row: Command) -> Spell | None:
    """Return a step that takes the members of the object `within` as fields; a field of that name has precedence."""
    if not row.within:
        return None

    def taken_out(fields: dict[str, Any]) -> dict[str, Any]:
        inner = fields.get(row.within)
        if inner is None:
            return fields
        if not isinstance(inner, dict):
            raise wrong(row.within, "an object", inner)
        return inner | {name: value for name, value in fields.items() if name != row.within}

    return taken_out


def _untagged(row: Command) -> Spell | None:
    """Return a step that replaces an object with a tag by the field of this tag, which must not be given besides."""
    if not row.tagged:
        return None

    def untagged(fields: dict[str, Any]) -> dict[str, Any]:
        for name, tags in row.tagged.items():
            given = fields.get(name)
            if given is None:
                continue
            tag, value = _tag_of(name, given)
            if tag not in tags or value is None:
                raise wrong(name, f"an object with one of {', '.join(tags)}", given)
            if fields.get(tags[tag]) is not None:
                raise Fault("WRONG_FIELD", field=name, wanted=f"nothing beside '{tags[tag]}'", found="both")
            fields = {**fields, tags[tag]: value, name: None}
        return fields

    return untagged


def _tag_of(name: str, given: Any) -> tuple[Any, Any]:
    """Return (tag, value) of `{tag: value}` or `{"type": tag, "value": value}`."""
    if not isinstance(given, dict):
        raise wrong(name, "an object", given)
    if given.keys() == {"type", "value"}:
        return given["type"] if isinstance(given["type"], str) else None, given["value"]
    return next(iter(given.items())) if len(given) == 1 else (None, None)


def _unpacked(row: Command) -> Spell | None:
    """Return a step that replaces arrays by the fields that their items are; a field of its own has precedence."""
    if not row.unpacked:
        return None

    def unpacked(fields: dict[str, Any]) -> dict[str, Any]:
        for other, names in row.unpacked.items():
            value = fields.get(other)
            if value is None:
                continue
            if not isinstance(value, list) or len(value) != len(names):
                raise wrong(other, f"an array of {' and '.join(names)}", value)
            fields = dict(zip(names, value, strict=True)) | {
                name: given for name, given in fields.items() if name != other and given is not None
            }
        return fields

    return unpacked


def _renamed(row: Command) -> Spell | None:
    """Return a step that renames fields; two names of one field must have the same value."""
    if not row.also:
        return None

    def renamed(fields: dict[str, Any]) -> dict[str, Any]:
        for other, name in row.also.items():
            value, known = fields.get(other), fields.get(name)
            if value is None:
                continue
            if known is None:
                fields = {**fields, name: value}
            elif type(known) is not type(value) or known != value:
                raise Fault("WRONG_FIELD", field=other, wanted=f"what '{name}' says", found="something else")
        return fields

    return renamed


def _counted(row: Command) -> Spell | None:
    """Return a step that converts whole numbers of larger units; the row's own name has precedence."""
    if not row.units:
        return None
    ranges = {place.node.name: place.node for place in layout(row.args) if isinstance(place.node, Int)}

    def counted(fields: dict[str, Any]) -> dict[str, Any]:
        for other, (name, size) in row.units.items():
            value = fields.get(other)
            if value is None:
                continue
            number, limits = to_integer(other, value), ranges[name]
            if fields.get(name) is not None:
                continue
            if not limits.least <= number * size <= limits.most:
                raise outside(other, "a whole number", -(-limits.least // size), limits.most // size, number)
            fields = {**fields, name: number * size}
        return fields

    return counted


def _turned(row: Command) -> Spell | None:
    """Return a step that negates opposites of Flags; the row's own name has precedence."""
    if not row.negated:
        return None

    def turned(fields: dict[str, Any]) -> dict[str, Any]:
        for other, name in row.negated.items():
            value = fields.get(other)
            if value is not None and fields.get(name) is None:
                fields = {**fields, name: not to_flag(other, value)}
        return fields

    return turned


def _chosen(row: Command) -> Spell | None:
    """Return a step that replaces booleans by the words of a Choice; the row's own name has precedence."""
    if not row.chosen:
        return None

    def chosen(fields: dict[str, Any]) -> dict[str, Any]:
        for other, (name, if_true, if_false) in row.chosen.items():
            if fields.get(name) is None:
                value = fields.get(other)
                fields = {**fields, name: if_true if value is None or to_flag(other, value) else if_false}
        return fields

    return chosen


def _moved(row: Command) -> Spell | None:
    """Return a step that replaces a duration of 0 by a time in the past, in the field that `elapsed` names."""
    if not row.elapsed:
        return None

    def moved(fields: dict[str, Any]) -> dict[str, Any]:
        for name, moment in row.elapsed.items():
            if fields.get(name) in (0, "0") and fields[name] is not False and fields.get(moment) is None:
                fields = {**fields, name: None, moment: LONG_AGO}
        return fields

    return moved
