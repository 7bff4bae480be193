"""Forms of a reply, by its template: JSON for the surfaces, Python values for programs in this process.

A reply that was read from the heap (`replies.plain`) consists of int, float, None, True, lists, dictionaries, and pairs
(bytes, form) for texts. `json_form` and `native_form` return the function that turns such a reply into its form.
"""

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any, assert_never

import msgspec

from synap.derive.documents import read_native
from synap.faults import Fault
from synap.reply import (
    GROUPS,
    Array,
    ByName,
    Either,
    Leaf,
    Map,
    Pairs,
    Pushed,
    Record,
    SetOf,
    Status,
    Template,
    Tuple,
    choices,
)
from synap.store.memory.layout import FORM_JSON

Form = Callable[[Any], Any]

_judge = msgspec.json.Decoder(float_hook=float).decode
_LIKE_JSON = re.compile(r'[ \t\n\r]*[{\["\-0-9tfn]')


def as_text(octets: bytes) -> str:
    """Return bytes as text, or a note of their number if they are not UTF-8."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return f"<binary data: {len(octets)} bytes>"


def as_name(octets: bytes) -> str:
    """Return bytes as the name of a member of an object; if they are no UTF-8, in hexadecimal, so that names differ."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return f"<binary data: {octets.hex()}>"


def as_json(octets: bytes, form: int) -> Any:
    """Return a stored value by its form: JSON verbatim, so that numbers keep their digits, else text."""
    if form == FORM_JSON:
        return msgspec.Raw(octets)
    return as_text(octets)


def as_hybrid(octets: bytes, form: int) -> Any:
    """Return what `as_json` returns, but a text that parses as JSON as a JSON string of it, so that decoding the
    text gives it back."""
    if form == FORM_JSON:
        return msgspec.Raw(octets)
    text = as_text(octets)
    return msgspec.json.encode(text).decode() if _LIKE_JSON.match(text) and _reads(text) else text


def _reads(text: str) -> bool:
    """Return True if some client's JSON parser may accept this text; lenient: 1e999, half a character."""
    try:
        json.loads(text, parse_int=float)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def as_document(octets: bytes) -> Any:
    """Return bytes as JSON verbatim if they are JSON, else as text."""
    try:
        _judge(octets)
        return msgspec.Raw(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return as_text(octets)


def json_text(octets: bytes, form: int) -> bytes:
    """Return a stored value as JSON text; bytes that are not UTF-8 unchanged."""
    if form == FORM_JSON:
        return octets
    try:
        return msgspec.json.encode(octets.decode())
    except UnicodeDecodeError:
        return octets


def as_native(octets: bytes, form: int) -> Any:
    """Return a stored value as Python: the JSON value that it is, else bytes."""
    return read_native(octets) if form == FORM_JSON else octets


def unchanged(value: Any) -> Any:
    """Return the value: the form of numbers."""
    return value


_NUMBERS = dict.fromkeys(
    (Leaf.DONE, Leaf.INTEGER, Leaf.REAL, Leaf.DISTANCE, Leaf.BOOLEAN, Leaf.NIL, Leaf.NO_ARRAY, Leaf.NONE),
    unchanged,
)
_JSON: dict[Leaf, Form] = _NUMBERS | {
    Leaf.REAL: lambda real: _json_real(real),
    Leaf.TIME: lambda ms: ms // 1000,
    Leaf.TEXT: lambda text: as_text(text[0]),
    Leaf.VALUE: lambda text: as_json(*text),
    Leaf.OCTETS: lambda text: list(text[0]),
    Leaf.VALUE_OCTETS: lambda text: list(json_text(*text)),
    Leaf.DOCUMENT: lambda text: as_document(text[0]),
    Leaf.OBJECT: lambda text: as_document(text[0]) if text[0] else {},
    Leaf.ANY: lambda value: _any(value, as_json, _json_single, _named),
}
_NATIVE: dict[Leaf, Form] = _NUMBERS | {
    Leaf.TIME: unchanged,
    **dict.fromkeys((Leaf.TEXT, Leaf.OCTETS, Leaf.DOCUMENT, Leaf.OBJECT), lambda text: text[0]),
    **dict.fromkeys((Leaf.VALUE, Leaf.VALUE_OCTETS), lambda text: as_native(*text)),
    Leaf.ANY: lambda value: _any(value, as_native, unchanged, unchanged),
}


def _any(value: Any, of_text: Callable[[bytes, int], Any], of_single: Form, of_name: Form) -> Any:
    """Return a reply of an unknown template, with texts by `of_text`, names of a map by `of_name`, and other single
    values by `of_single`."""
    if isinstance(value, tuple):
        return of_text(*value)
    if isinstance(value, list):
        return [_any(each, of_text, of_single, of_name) for each in value]
    if isinstance(value, dict):
        return {of_name(name): _any(each, of_text, of_single, of_name) for name, each in value.items()}
    return of_single(value)


def _json_single(value: Any) -> Any:
    """Return a value without members as JSON; an error as an object with its text."""
    if isinstance(value, Fault):
        return {"err": value.resp_text()}
    if isinstance(value, str):
        return as_text(value.encode("utf-8", "surrogateescape"))
    return _json_real(value) if isinstance(value, float) else value


def _json_real(real: float | None) -> Any:
    """Return a number as JSON; JSON has none that are not finite."""
    if real is None or isfinite(real):
        return real
    return "nan" if real != real else "inf" if real > 0 else "-inf"


def _named(name: Any) -> str:
    return as_name(name) if isinstance(name, bytes) else str(name)


def json_form(template: Template) -> Form:
    """Return the function that makes JSON of a reply with this template; a tuple becomes an object."""
    if isinstance(template, Tuple):
        members = [(name, json_form(each)) for name, each in template.members]
        return lambda found: {name: form(each) for (name, form), each in zip(members, found, strict=True)}
    return _JSON[template] if isinstance(template, Leaf) else _form(template, json_form, as_text, as_name)


def native_form(template: Template) -> Form:
    """Return the function that makes Python values of a reply with this template; a tuple becomes a list."""
    if isinstance(template, Tuple):
        forms = [native_form(each) for _, each in template.members]
        return lambda found: [form(each) for form, each in zip(forms, found, strict=True)]
    return _NATIVE[template] if isinstance(template, Leaf) else _form(template, native_form, bytes, bytes)


def _form(
    template: Any, form_of: Callable[[Template], Form], text: Callable[[bytes], Any], name_form: Callable[[bytes], Any]
) -> Form:
    """Return the form of what all forms share; `text` is that of a text which is no stored value, `name_form` that of a
    name in a map."""
    match template:
        case Status():
            return lambda word: text(word[0])
        case Array(items=(item,)) | SetOf(item) | Pushed(item):
            of_item = form_of(item)
            return lambda found: [of_item(each) for each in found]
        case Array():
            forms = [form_of(item) for item in template.items]
            return lambda found: [forms[i % len(forms)](each) for i, each in enumerate(found)]
        case Record():
            return _record([(name, form_of(each)) for name, each in template.members])
        case Map(item) | ByName(item):
            of_item = form_of(item)
            return lambda found: {name_form(name) if isinstance(name, bytes) else name: of_item(each)
                                  for name, each in found.items()}  # fmt: skip
        case Pairs(first, second):
            one, other = form_of(first), form_of(second)
            return lambda found: [[one(a), other(b)] for a, b in found]
        case Either((other, Leaf.NIL | Leaf.NO_ARRAY)):
            of_other = form_of(other)
            return lambda found: None if found is None else of_other(found)
        case Either():
            known = [(each, form_of(each)) for each in template.choices]
            return lambda found: next(form for each, form in known if _is(each, found))(found)
        case _:
            assert_never(template)


def _record(members: list[tuple[str, Form]]) -> Form:
    """Return the form of a record, which copies the members that do not change."""
    others = [(name, form) for name, form in members if form is not unchanged]

    def form(found: dict[Any, Any]) -> Any:
        made = found.copy()
        for name, form_of_it in others:
            made[name] = form_of_it(found[name])
        return made

    return form


def _is(template: Template, value: Any) -> bool:
    """Return whether a value that was read from the heap fits the template."""
    if isinstance(value, tuple):
        return not isinstance(template, GROUPS) and template not in (*_NUMBERS, Leaf.TIME)
    if isinstance(value, list):
        if isinstance(template, Array) and value and isinstance(value[0], list):  # or these are Pairs
            return any(isinstance(one, GROUPS) for item in template.items for one in choices(item))
        if isinstance(template, Tuple):
            return len(value) == len(template.members) and all(
                any(_is(one, each) for one in choices(member))
                for (_, member), each in zip(template.members, value, strict=True)
            )
        return isinstance(template, Array | SetOf | Pairs | Pushed)
    if isinstance(value, dict):
        if isinstance(template, Record):
            return all(name in value or name.endswith("?") for name, _ in template.members)
        return isinstance(template, Map | ByName)
    leaves = {bool: Leaf.DONE, type(None): Leaf.NIL, int: Leaf.INTEGER, float: Leaf.REAL}
    also = {int: Leaf.TIME, float: Leaf.DISTANCE, type(None): Leaf.NO_ARRAY}
    return template is leaves[type(value)] or template is also.get(type(value))
