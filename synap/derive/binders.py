"""From named fields (a JSON object, Python keywords) to a tape: one function for each row, made once.

A field is called what its argument is called; a Flag is a boolean, a Token's argument stands for the
Token, a group is an array (of plain values if it has one member, of objects or arrays otherwise; a
single value is taken as an array of one). Numbers may be spelled as text, `null` is as if missing.

    str    plain text           bytes   plain text
    other  JSON text, marked as such, so that it comes back as what it was
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from synap.command import (
    GROUPS,
    TEXTS,
    AnyOrder,
    Choice,
    Command,
    Flag,
    Glob,
    Int,
    Key,
    OneOf,
    Optional,
    Raw,
    Real,
    Text,
    Timeout,
    Token,
    slots,
    words_min,
)
from synap.faults import Fault
from synap.store.layout import FORM_JSON, MARK_BITS, PRESENT, TAPE_WORDS_MAX

Fields = Mapping[str, Any]
Build = Callable[[Fields], tuple[list[int], bytes]]
_MISSING = object()
_json = msgspec.json.encode


class _Draft:
    """A tape under construction."""

    __slots__ = ("parts", "size", "tape")

    def __init__(self, count: int) -> None:
        self.tape = [0] * count
        self.parts: list[bytes] = []
        self.size = 0

    def text(self, slot: int, text: bytes, form: int = 0) -> None:
        self.tape[slot] = self.size
        self.tape[slot + 1] = len(text) << MARK_BITS | PRESENT | form
        self.parts.append(text)
        self.size += len(text)


Step = Callable[[Fields, _Draft, int], None]


def binder(row: Command) -> Build:
    """The function that makes the row's tape and blob. It raises a Fault that names the field."""
    steps = _sequence(row.args, 0)
    count = row.slots

    def build(fields: Fields) -> tuple[list[int], bytes]:
        draft = _Draft(count)
        for step in steps:
            step(fields, draft, 0)
        if len(draft.tape) > TAPE_WORDS_MAX:
            raise Fault("QUERY_TOO_LARGE")
        return draft.tape, b"".join(draft.parts)

    return build


def packer(row: Command, row_at: int) -> Callable[[Fields], bytes]:
    """The function that packs a call as a MULTI queues it (see `store/transactions.py`), for `bulk.perform_many`.

    A call that gives just the texts that its row begins with, as most do, is packed without a draft.
    """
    build = binder(row)
    count = row.slots
    names: list[str] = []
    for node in row.args:
        if not isinstance(node, TEXTS) or getattr(node, "octets", False):
            break
        names.append(node.name)
    short = all(not words_min(node) for node in row.args[len(names) :]) and 0 < len(names) <= 2
    head = struct.Struct(f"<5q{2 * len(names)}q{8 * (count - 2 * len(names))}x")
    first = names[0] if short else ""
    second = names[1] if short and len(names) == 2 else ""
    given = len(names)
    fixed = 5 + count

    def general(fields: Fields) -> bytes:
        tape, blob = build(fields)
        size = len(blob)
        words = 5 + len(tape) + (size + 7 >> 3)
        packed = struct.pack(f"<5q{len(tape)}q", row_at, words, len(tape), 0, size, *tape)
        return packed + blob + bytes(-size & 7)

    def pack(fields: Fields) -> bytes:
        if len(fields) != given:
            return general(fields)
        try:
            a = fields[first].encode()
            if not second:
                size = len(a)
                words = fixed + (size + 7 >> 3)
                return head.pack(row_at, words, count, 0, size, 0, size << 8 | 32) + a + _PAD[size & 7]
            b = fields[second].encode()
        except (KeyError, AttributeError, UnicodeEncodeError):
            return general(fields)
        at = len(a)
        size = at + len(b)
        words = fixed + (size + 7 >> 3)
        return head.pack(row_at, words, count, 0, size, 0, at << 8 | 32, at, len(b) << 8 | 32) + a + b + _PAD[size & 7]

    return pack if short else general


_PAD = [bytes(-size & 7) for size in range(8)]
assert (MARK_BITS, PRESENT) == (8, 32), "packer spells them out"


def wrong(name: str, wanted: str, value: Any) -> Fault:
    """The Fault for a field of another type than wanted."""
    kind = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    found = kind.get(type(value), "an object" if isinstance(value, dict) else type(value).__name__)
    return Fault("WRONG_FIELD", field=name, wanted=wanted, found=found)


def to_text(name: str, value: Any) -> bytes:
    """A name or key: a string, or bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise wrong(name, "a string", value)


def to_octets(name: str, value: Any) -> bytes:
    """An array of the numbers 0 to 255, or a string."""
    if isinstance(value, list):
        try:
            return bytes(value)
        except (ValueError, TypeError):
            raise wrong(name, "an array of numbers from 0 to 255", value) from None
    return to_text(name, value)


def to_integer(name: str, value: Any) -> int:
    """A 64-bit integer, maybe spelled as text."""
    if isinstance(value, str | bytes):
        try:
            value = int(value)
        except ValueError:
            raise wrong(name, "a whole number", value) from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(name, "a whole number", value)
    if not -(1 << 63) <= value < 1 << 63:
        raise Fault("WRONG_FIELD", field=name, wanted="a number of 64 bits", found=str(value)[:40])
    return value


def to_real(name: str, value: Any) -> float:
    """A number, maybe spelled as text."""
    if isinstance(value, str | bytes):
        try:
            value = float(value)
        except ValueError:
            raise wrong(name, "a number", value) from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(name, "a number", value)
    return float(value)


def put_raw(draft: _Draft, slot: int, value: Any) -> None:
    """A value of any kind, with its form."""
    if type(value) is str:
        draft.text(slot, value.encode("utf-8", "surrogateescape"))
    elif isinstance(value, bytes):
        draft.text(slot, value)
    else:
        draft.text(slot, _json(value), FORM_JSON)


def _names(nodes: tuple[Any, ...]) -> list[str]:
    """The names of the fields that an argument reads, outermost."""
    found = []
    for node in nodes:
        if isinstance(node, Flag):
            found.append(node.name or node.word.lower())
        elif isinstance(node, Token | Optional | AnyOrder | OneOf):
            found += _names(node.inner)
        else:
            found.append(node.name)
    return found


def _sequence(args: tuple[Any, ...], slot: int) -> list[Step]:
    steps = []
    for node in args:
        steps += _steps(node, slot)
        slot += slots(node)
    return steps


def _given(fields: Fields, name: str) -> Any:
    value = fields.get(name, _MISSING)
    return _MISSING if value is None else value


def _steps(node: Any, slot: int) -> list[Step]:
    if isinstance(node, AnyOrder):
        return _sequence(node.inner, slot)
    if isinstance(node, Optional | Token):
        return [_present(_names(node.inner), slot, _sequence(node.inner, slot + 1))]
    if isinstance(node, OneOf):
        return [_one_of(node, slot)]
    if isinstance(node, GROUPS):
        return [_group(node, slot)]
    return [_simple(node, slot)]


def _present(names: list[str], slot: int, steps: list[Step]) -> Step:
    def run(fields: Fields, draft: _Draft, base: int) -> None:
        if any(_given(fields, name) is not _MISSING for name in names):
            draft.tape[base + slot] = 1
            for step in steps:
                step(fields, draft, base)

    return run


def _one_of(node: OneOf, slot: int) -> Step:
    choices: list[tuple[int, list[str], bool, list[Step]]] = []
    inside = slot + 1
    for number, inner in enumerate(node.inner, 1):
        if isinstance(inner, Flag):
            choices.append((number, [inner.name or inner.word.lower()], True, []))
        else:
            choices.append((number, _names(inner.inner), False, _sequence(inner.inner, inside)))
        inside += slots(inner) - 1

    def run(fields: Fields, draft: _Draft, base: int) -> None:
        for number, names, flag, steps in choices:
            given = [_given(fields, name) for name in names]
            if all(value is _MISSING for value in given) or (flag and given[0] is False):
                continue
            if draft.tape[base + slot]:
                raise Fault(node.fault)
            draft.tape[base + slot] = number
            for step in steps:
                step(fields, draft, base)
        if node.required and not draft.tape[base + slot]:
            raise Fault("MISSING_FIELD", field=node.name)

    return run


def _group(node: Any, slot: int) -> Step:
    size = sum(slots(inner) for inner in node.inner)
    steps = _sequence(node.inner, 0)
    members = _names(node.inner)
    single = members[0] if len(node.inner) == 1 else ""

    def run(fields: Fields, draft: _Draft, base: int) -> None:
        value = _given(fields, node.name)
        if value is _MISSING and single:
            value = _given(fields, single)  # one item under its own name
            value = [value] if value is not _MISSING else value
        if value is _MISSING:
            if node.least if hasattr(node, "least") else True:
                raise Fault("MISSING_FIELD", field=node.name)
            value = []
        if isinstance(value, dict) and len(members) == 2:
            value = list(value.items())
        if not isinstance(value, list | tuple):
            raise wrong(node.name, "an array", value)
        if len(value) < getattr(node, "least", 1):
            raise Fault("WRONG_FIELD", field=node.name, wanted="at least one item", found="none")
        draft.tape[base + slot] = len(value)
        draft.tape[base + slot + 1] = start = len(draft.tape)
        draft.tape += [0] * (size * len(value))
        for i, item in enumerate(value):
            if single:
                item = {single: item} if item is not None else {single: _Null}
            elif isinstance(item, list | tuple):
                item = dict(zip(members, item, strict=False))
            elif not isinstance(item, dict):
                raise wrong(node.name, "an array of objects", item)
            for step in steps:
                step(item, draft, start + i * size)

    return run


class _Null:
    """A JSON null that is an element: not the same as missing."""


def _simple(node: Any, slot: int) -> Step:
    name = node.name if not isinstance(node, Flag) else node.name or node.word.lower()
    default = getattr(node, "default", None)

    def given(fields: Fields) -> Any:
        value = fields.get(name)
        if value is None:
            if default is not None:
                return default
            raise Fault("MISSING_FIELD", field=name)
        return value

    if isinstance(node, Raw):
        octets = node.octets

        def raw(fields: Fields, draft: _Draft, base: int) -> None:
            value = fields.get(name, _MISSING)
            if value is _MISSING:
                raise Fault("MISSING_FIELD", field=name)
            if octets:
                draft.text(base + slot, to_octets(name, value))
            else:
                put_raw(draft, base + slot, None if value is _Null else value)

        return raw
    if isinstance(node, Key | Text | Glob):
        assert isinstance(node, TEXTS)

        def text(fields: Fields, draft: _Draft, base: int) -> None:
            draft.text(base + slot, to_text(name, given(fields)))

        return text
    if isinstance(node, Int):

        def integer(fields: Fields, draft: _Draft, base: int) -> None:
            draft.tape[base + slot] = to_integer(name, given(fields))

        return integer
    if isinstance(node, Flag):

        def flag(fields: Fields, draft: _Draft, base: int) -> None:
            value = fields.get(name)
            if value is not None and not isinstance(value, bool):
                raise wrong(name, "a boolean", value)
            draft.tape[base + slot] = int(bool(value))

        return flag
    if isinstance(node, Choice):
        words = {word.lower(): i for i, word in enumerate(node.words, 1)}

        def choice(fields: Fields, draft: _Draft, base: int) -> None:
            value = given(fields)
            number = words.get(value.lower()) if isinstance(value, str) else None
            if number is None:
                raise wrong(name, "one of " + ", ".join(words), value)
            draft.tape[base + slot] = number

        return choice
    if isinstance(node, Timeout):

        def timeout(fields: Fields, draft: _Draft, base: int) -> None:
            seconds = to_real(name, given(fields))
            if seconds < 0:
                raise Fault("NEGATIVE_TIMEOUT")
            if not seconds * 1000 < 1 << 62:
                raise Fault("BAD_TIMEOUT")
            draft.tape[base + slot] = -int(-seconds * 1000 // 1)

        return timeout
    assert isinstance(node, Real), f"no such kind of argument: {node!r}"

    def real(fields: Fields, draft: _Draft, base: int) -> None:
        draft.tape[base + slot] = struct.unpack("<q", struct.pack("<d", to_real(name, given(fields))))[0]

    return real
