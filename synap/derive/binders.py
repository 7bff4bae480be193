"""Binders: turn named fields (a JSON object, Python keywords) into a tape; one function per row, made once.

A field has the name of its argument. A Flag is a boolean. The argument of a Token implies the Token. A group is an
array: of plain values if the group has one member, else of objects or arrays; a single item may be given under the
member's own name. Numbers may be texts in the spellings that RESP accepts. `null` means missing.

    str    plain text           bytes   plain text
    other  JSON text, stored with the form JSON, so that it reads back as the same value
"""

import numbers
import struct
from collections.abc import Callable, Mapping
from typing import Any

from synap.arguments import (
    GROUPS,
    TEXTS,
    AnyOrder,
    Argument,
    Bound,
    Choice,
    Flag,
    Glob,
    Group,
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
    layout,
    slots,
    words_min,
)
from synap.command import Command
from synap.derive import natives
from synap.derive.conversions import (
    Null,
    not_one_of,
    outside,
    to_flag,
    to_integer,
    to_json,
    to_octets,
    to_real,
    to_text,
    wrong,
)
from synap.derive.spread import SPREADS
from synap.faults import Fault
from synap.ranges import TAPE_WORDS_MAX, TIMEOUT_MAX, TIMEOUT_MS_MAX
from synap.store.memory.layout import FORM_JSON, MARK_BITS, PACKED_HEAD, PRESENT

Fields = Mapping[str, Any]
Build = Callable[[Fields], tuple[list[int], bytes]]
_MISSING = object()


class _Draft:
    """A tape under construction."""

    __slots__ = ("native", "parts", "size", "tape")

    def __init__(self, count: int, native: bool) -> None:
        self.native = native  # the values come from a program in this process, not from a JSON decoder
        self.tape = [0] * count
        self.parts: list[bytes] = []
        self.size = 0

    def text(self, slot: int, text: bytes, form: int = 0) -> None:
        self.tape[slot] = self.size
        self.tape[slot + 1] = len(text) << MARK_BITS | PRESENT | form
        self.parts.append(text)
        self.size += len(text)


Step = Callable[[Fields, _Draft, int], None]


def binder(row: Command, native: bool = False) -> Build:
    """Return the function that makes a row's tape and blob from fields, and raises a Fault that names a wrong field.

    `native`: the values come from a program in this process, see natives.py.
    """
    groups = {place.node.name: place.slot for place in layout(row.args) if isinstance(place.node, GROUPS)}
    steps = _sequence(row.args, 0, groups)
    count = row.slots
    bare = row.words == 0  # else at least one of the optional fields must be given

    def build(fields: Fields) -> tuple[list[int], bytes]:
        draft = _Draft(count, native)
        for step in steps:
            step(fields, draft, 0)
        if not bare and not any(draft.tape):
            raise Fault("WRONG_ARITY")
        if len(draft.tape) > TAPE_WORDS_MAX:
            raise Fault("TOO_MANY_WORDS")
        return draft.tape, b"".join(draft.parts)

    return build


def packer(row: Command, row_at: int) -> Callable[[Fields], bytes]:
    """Return the function that packs a call as MULTI queues it (see `store/lane/transactions.py`).

    A call that gives only the one or two texts with which its row begins, as most do, is packed without a draft.
    """
    build = binder(row)
    count = row.slots
    names: list[str] = []
    for node in row.args:
        if not isinstance(node, TEXTS) or (isinstance(node, Raw) and node.octets):
            break
        names.append(node.name)
    short = all(not words_min(node) for node in row.args[len(names) :]) and 0 < len(names) <= 2
    head = struct.Struct(f"<{PACKED_HEAD}q{2 * len(names)}q{8 * (count - 2 * len(names))}x")
    first = names[0] if short else ""
    second = names[1] if short and len(names) == 2 else ""
    given = len(names)
    fixed = PACKED_HEAD + count

    def general(fields: Fields) -> bytes:
        tape, blob = build(fields)
        size = len(blob)
        words = PACKED_HEAD + len(tape) + (size + 7 >> 3)
        packed = struct.pack(f"<{PACKED_HEAD}q{len(tape)}q", row_at, words, len(tape), 0, size, *tape)
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


def put_raw(draft: _Draft, slot: int, name: str, value: Any) -> None:
    """Put a value of any type into a text slot, with its form."""
    if draft.native:
        value = natives.native(name, value)
    if isinstance(value, str | bytes):
        draft.text(slot, to_text(name, value))
    else:
        draft.text(slot, to_json(name, value), FORM_JSON)


def field_names(nodes: tuple[Argument, ...]) -> list[str]:
    """Return the names of the outermost fields that arguments read, each once."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, Flag):
            found.append(_flag_name(node))
        elif isinstance(node, Token | Optional | AnyOrder | OneOf):
            found += field_names(node.inner)
        else:
            found.append(node.name)
    return list(dict.fromkeys(found))


def _flag_name(node: Flag) -> str:
    return node.name or node.word.lower()


Groups = Mapping[str, int]
"""Name of a group -> its first slot, for a Many that must have as many items as another group."""


def _sequence(args: tuple[Argument, ...], slot: int, groups: Groups) -> list[Step]:
    steps = []
    for i, node in enumerate(args):
        steps += _steps(node, slot, groups)
        if isinstance(node, Optional) and node.alone:
            steps.append(_alone(field_names(node.inner), field_names(args[i + 1 :])))
        slot += slots(node)
    return steps


def _alone(names: list[str], others: list[str]) -> Step:
    """Return a step that refuses any of `others` beside any of `names`."""

    def run(fields: Fields, draft: _Draft, base: int) -> None:
        if any(_given(fields, name) is not _MISSING for name in names):
            for other in others:
                if _given(fields, other) is not _MISSING:
                    raise Fault("WRONG_FIELD", field=names[0], wanted="it alone", found=f"'{other}' beside it")

    return run


def _given(fields: Fields, name: str) -> Any:
    value = fields.get(name, _MISSING)
    return _MISSING if value is None else value


def _steps(node: Argument, slot: int, groups: Groups) -> list[Step]:
    if isinstance(node, AnyOrder):
        return _sequence(node.inner, slot, groups)
    if isinstance(node, Optional | Token):
        return [_present(field_names(node.inner), slot, _sequence(node.inner, slot + 1, groups))]
    if isinstance(node, OneOf):
        return [_one_of(node, slot, groups)]
    if isinstance(node, GROUPS):
        return [_group(node, slot, groups)]
    return [_simple(node, slot)]


def _present(names: list[str], slot: int, steps: list[Step]) -> Step:
    def run(fields: Fields, draft: _Draft, base: int) -> None:
        if any(_given(fields, name) is not _MISSING for name in names):
            draft.tape[base + slot] = 1
            for step in steps:
                step(fields, draft, base)

    return run


def _one_of(node: OneOf, slot: int, groups: Groups) -> Step:
    choices: list[tuple[int, list[str], bool, list[Step]]] = []
    inside = slot + 1
    for number, inner in enumerate(node.inner, 1):
        if isinstance(inner, Flag):
            choices.append((number, [_flag_name(inner)], True, []))
        else:
            choices.append((number, field_names(inner.inner), False, _sequence(inner.inner, inside, groups)))
        inside += slots(inner) - 1
    wanted = "' or '".join(names[0] for _, names, _, _ in choices)

    def run(fields: Fields, draft: _Draft, base: int) -> None:
        for number, names, flag, steps in choices:
            for name in names:  # most calls give none of them
                if fields.get(name) is not None:
                    break
            else:
                continue
            if flag and not to_flag(names[0], fields[names[0]]):
                continue
            if draft.tape[base + slot]:
                raise Fault(node.fault)
            draft.tape[base + slot] = number
            for step in steps:
                step(fields, draft, base)
        if node.required and not draft.tape[base + slot]:
            raise Fault("MISSING_FIELD", field=wanted)

    return run


def _group(node: Group, slot: int, groups: Groups) -> Step:
    size = sum(slots(inner) for inner in node.inner)
    steps = _sequence(node.inner, 0, groups)
    members = field_names(node.inner)
    single = members[0] if len(members) == 1 else ""
    first = node.inner[0]
    holds_null = isinstance(first, Raw) and not first.octets
    other = node.like if isinstance(node, Many) else ""
    like = groups[other] if other else -1
    least = node.least_given if isinstance(node, Many) else node.least
    spread = SPREADS[node.objects].words if isinstance(node, Many) and node.objects else None

    def run(fields: Fields, draft: _Draft, base: int) -> None:
        value = _given(fields, node.name)
        if value is _MISSING and single:  # a single item under its own name
            value = _given(fields, single)
            if value is not _MISSING or (holds_null and single in fields):
                value = [None if value is _MISSING else value]
        if value is _MISSING:
            if node.least:
                if isinstance(node, Many) and node.single:
                    raise Fault("MISSING_FIELD", field=single)
                raise Fault("MISSING_FIELD", field=node.name, kind="array")
            value = []
        if isinstance(value, dict) and len(members) == 2:
            value = list(value.items())
        if not isinstance(value, list | tuple):
            raise wrong(node.name, "an array", value)
        if spread:
            value = [word for item in value for word in (spread(item) if isinstance(item, dict) else (item,))]
        if len(value) < least:
            raise Fault("WRONG_FIELD", field=node.name, wanted="at least one item", found="none")
        if like >= 0 and len(value) != draft.tape[like]:
            wanted = f"as many as '{other}' ({draft.tape[like]})"
            raise Fault("WRONG_FIELD", field=node.name, wanted=wanted, found=str(len(value)))
        draft.tape[base + slot] = len(value)
        draft.tape[base + slot + 1] = start = len(draft.tape)
        draft.tape += [0] * (size * len(value))
        for i, item in enumerate(value):
            if single:
                item = {single: item} if item is not None else {single: Null}
            elif isinstance(item, list | tuple):
                if len(item) > len(members):
                    wanted = " and ".join(members)
                    raise Fault("WRONG_FIELD", field=node.name, wanted=wanted, found=f"{len(item)} values")
                item = dict(zip(members, item, strict=False))
            elif not isinstance(item, dict):
                raise wrong(node.name, "an array of objects", item)
            for step in steps:
                step(item, draft, start + i * size)

    return run


def _simple(node: Simple | Flag, slot: int) -> Step:
    name = node.name if not isinstance(node, Flag) else _flag_name(node)
    default = default_of(node)

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
                octets_given = natives.named(name, value) if draft.native and type(value) is not list else value
                draft.text(base + slot, to_octets(name, octets_given))
            else:
                put_raw(draft, base + slot, name, None if value is Null else value)

        return raw
    if isinstance(node, Key | Text | Glob):
        assert isinstance(node, TEXTS)
        bound = isinstance(node, Bound)

        def text(fields: Fields, draft: _Draft, base: int) -> None:
            value = given(fields)
            if bound and isinstance(value, numbers.Real) and not isinstance(value, bool):
                value = repr(int(value) if isinstance(value, numbers.Integral) else float(value))
            draft.text(base + slot, to_text(name, natives.named(name, value) if draft.native else value))

        return text
    if isinstance(node, Int):
        least, most = node.least, node.most

        def integer(fields: Fields, draft: _Draft, base: int) -> None:
            draft.tape[base + slot] = to_integer(name, given(fields), least, most)

        return integer
    if isinstance(node, Flag):

        def flag(fields: Fields, draft: _Draft, base: int) -> None:
            draft.tape[base + slot] = int(to_flag(name, fields.get(name)))

        return flag
    if isinstance(node, Choice):
        words = {word.lower(): i for i, word in enumerate(node.words, 1)}

        def choice(fields: Fields, draft: _Draft, base: int) -> None:
            value = given(fields)
            number = words.get(value.lower()) if isinstance(value, str) else None
            if number is None:
                raise not_one_of(name, words, value)
            draft.tape[base + slot] = number

        return choice
    if isinstance(node, Timeout) and node.whole_ms:

        def milliseconds(fields: Fields, draft: _Draft, base: int) -> None:
            draft.tape[base + slot] = to_integer(name, given(fields), 0, TIMEOUT_MS_MAX - 1)

        return milliseconds
    if isinstance(node, Timeout):

        def timeout(fields: Fields, draft: _Draft, base: int) -> None:
            seconds = to_real(name, given(fields))
            if not 0 <= seconds <= TIMEOUT_MAX:
                raise outside(name, "a number", 0, TIMEOUT_MAX, seconds)
            draft.tape[base + slot] = -int(-seconds * 1000 // 1)

        return timeout
    assert isinstance(node, Real), f"no such kind of argument: {node!r}"

    def real(fields: Fields, draft: _Draft, base: int) -> None:
        draft.tape[base + slot] = struct.unpack("<q", struct.pack("<d", to_real(name, given(fields))))[0]

    return real
