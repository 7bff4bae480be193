"""Reads replies from the heap, and renders them as the JSON templates of a row say.

A row's `reply` says what its reply consists of (see reply.py). Its `json` and `command` are templates of the JSON that
the surfaces make of it. In these, the following words stand for parts of the reply:

    $reply      the reply, as `reply` says             $count      the number of items
    $flag       the number as a boolean                $total      the scalar beside the items
    $real       the text as a number                   $ttl        the number, null if negative
    $text       the text, also if it is JSON           $changed    true if the call changed anything
    $octets     the bytes of the text as numbers       $items      the items as an array
    $hybrid     the text in the form that every client of the command envelope can read
    $title      the text of 40 letters whose octet is the number: the SHA1 of a script
    $by_fields  the items as an object, whose names are the argument `fields`
    $name       the part `name` of a reply that is a record or a tuple; any other word is the argument `name`

A text of several words, such as "$room:$offset", is their values as one text. `Each` is an array of what its template
makes of each member of the reply, `As` a part or an argument in another form. A member whose name ends in `?` is left
out if the reply has no text for it.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

from synap.command import Command
from synap.derive.reply_forms import as_hybrid, as_json, as_text, json_form, unchanged
from synap.faults import Fault
from synap.reply import Array, As, Each, Record, Template, choices, parts
from synap.store.memory import layout
from synap.store.memory.layout import (
    AS_ERROR,
    AS_STATUS,
    AS_VERBATIM,
    CHANGED,
    DONE,
    EMPTY,
    FORM_MASK,
    ITEM,
    ITEM_INTEGER,
    ITEM_MASK,
    ITEM_NIL,
    ITEM_REAL,
    ITEMS,
    MARK_BITS,
    MARK_BY_NAME,
    MARK_DEGREES,
    MARK_DIGITS,
    MARK_DISTANCE,
    MARK_MAP,
    MARK_NAME,
    MARK_NO_ARRAY,
    MARK_TRUTH,
    NIL,
    NO_ITEM,
    NUMBER,
    STATUS_MASK,
    STYLE_MASK,
    VERBATIM_HEAD,
)
from synap.traits import EMPTY_IS_NIL

Render = Callable[[int, Any, Any, int, dict[str, Any]], Any]
Spell = Callable[[Any, dict[str, Any]], Any]
"""(a part of the reply as `plain` returns it, the fields of the call) -> JSON."""
BY_FIELDS = "by_fields"
NAME = MARK_NAME << MARK_BITS | ITEM_NIL
DIGITS = MARK_DIGITS << MARK_BITS | ITEM_NIL
DIGITS_END = MARK_DISTANCE << MARK_BITS
NO_ARRAY = MARK_NO_ARRAY << MARK_BITS | ITEM_NIL
TRUTH = MARK_TRUTH << MARK_BITS | ITEM_NIL
DECIMALS = {MARK_DISTANCE << MARK_BITS | ITEM_NIL: 4, MARK_DEGREES << MARK_BITS | ITEM_NIL: 17}
"""Decimals of reals, which are the same numbers on all surfaces."""
_WORD = re.compile(r"\$(\w+)")


def items(numbers: Any, octets: Any, reply: int = layout.REPLY, known: tuple[str, ...] = ()) -> list[Any]:
    """Return the items of the reply: texts as (bytes, form), integers, reals and None, groups as lists and dicts.

    `known` are the names that marks stand for. See store/memory/tapes.py for how groups lie in the reply.
    """
    found: list[Any] = []
    outer: list[tuple[list[Any], int, int]] = []
    members, left, mark = found, -1, 0  # of the innermost group that is not complete; at first the reply as a whole
    flat = iter(numbers[reply + 2 : reply + 2 + 2 * numbers[reply + 1]].tolist())
    for value, size in zip(flat, flat, strict=True):
        if not size & ITEM_MASK:  # ITEM_TEXT
            text = bytes(octets[value : value + (size >> MARK_BITS)])
            members.append(_styled(text, size) if size & STYLE_MASK else (text, size & FORM_MASK))
        elif size == ITEM_INTEGER:
            members.append(value)
        elif size == NAME:
            members.append(known[value])
        elif size in DECIMALS:
            members.append(round(struct.unpack("d", struct.pack("q", value))[0], DECIMALS[size]))
        elif size == NO_ARRAY:
            members.append(None)
        elif size == TRUTH:
            members.append(bool(value))
        elif DIGITS <= size < DIGITS_END:
            members.append((b"%d" % value, (size - DIGITS) >> MARK_BITS))
        elif size == ITEM_NIL:
            members.append(None)
        elif size == ITEM_REAL:
            members.append(struct.unpack("d", struct.pack("q", value))[0])
        else:
            outer.append((members, left, mark))
            mark = size >> MARK_BITS
            members, left = [], value * (2 if mark == MARK_MAP else 1) + 1
        left -= 1
        while not left:
            group = _mapped(members) if mark == MARK_MAP else _by_name(members) if mark == MARK_BY_NAME else members
            members, left, mark = outer.pop()
            members.append(group)
            left -= 1
    return found


def _styled(text: bytes, mark: int) -> Any:
    """Return a text whose mark has a style: a status as str, an error as Fault, else as a plain text."""
    style = mark & STYLE_MASK
    if style == AS_STATUS:
        return text.decode("utf-8", "surrogateescape")
    if style == AS_ERROR:
        return Fault("SCRIPT_ERROR", text=text.decode("utf-8", "surrogateescape"))
    return text[VERBATIM_HEAD if style == AS_VERBATIM else 0 :], 0


def _mapped(members: list[Any]) -> dict[Any, Any]:
    """Return the map that these members are: names and values in turn."""
    found = members[::2]
    if found and not isinstance(found[0], str):
        found = [_name(name) for name in found]
    return dict(zip(found, members[1::2], strict=True))


def _by_name(pairs: list[Any]) -> dict[Any, Any]:
    """Return the map that these pairs of a name and a value are."""
    return {_name(name): value for name, value in pairs}


def _name(value: Any) -> Any:
    """Return the name of a value in a map: a text as bytes, a group in a form that a dict takes."""
    if isinstance(value, tuple):
        return value[0]
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    return tuple(_name(part) for part in value) if isinstance(value, list) else value


def plain(status: int, row: Command, numbers: Any, octets: Any, reply: int = layout.REPLY) -> Any:
    """Return a row's reply as plain Python: int, float, (bytes, form), list, dict, None or True."""
    what = status & STATUS_MASK
    if what == NUMBER:
        return (row.reply_words[numbers[reply]].encode(), 0) if row.reply_words else numbers[reply]
    if what == DONE:
        return True
    if what in (NIL, NO_ITEM):
        return None
    if what == EMPTY:
        return []
    assert what in (ITEM, ITEMS), f"{row.name}: no such status {what}"
    found = items(numbers, octets, reply, row.reply_names)
    return found[0] if what == ITEM else found


def renderer(row: Command, template: Any, nil: Any) -> Render:
    """Return the function that renders the reply of one surface from (status, numbers, octets, reply, fields).

    `nil` is the template of NIL; if it is "NOT_FOUND" the function raises LookupError instead.
    """
    spell = _spell(template, row)
    missing = _spell(nil, row) if nil != "NOT_FOUND" else None
    views = {name: _spell(view, row) for name, view in row.views.items()}

    empty_is_nil = row.traits & EMPTY_IS_NIL

    def render(status: int, numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> Any:
        what = status & STATUS_MASK
        if what in (NIL, NO_ITEM) or (empty_is_nil and what == ITEM and not _first(numbers, octets, reply)[0]):
            if missing is None:
                raise LookupError
            return missing(status, numbers, octets, reply, fields)
        if views:
            wanted = fields.get("type")
            view = views.get(wanted) if isinstance(wanted, str) else None
            if view is not None:
                return view(status, numbers, octets, reply, fields)
        return spell(status, numbers, octets, reply, fields)

    return render


def _spell(template: Any, row: Command) -> Render:
    """Return the function that renders a template, or a part of one, from the reply in the heap."""
    if _is_of_parts(template, row):
        spell = _spell_parts(template, row.reply)
        return lambda status, numbers, octets, reply, fields: spell(plain(status, row, numbers, octets, reply), fields)
    if isinstance(template, dict):
        members = [(name, _spell(value, row)) for name, value in template.items()]
        if any(name.endswith("?") for name in template):
            return lambda status, numbers, octets, reply, fields: {
                name.removesuffix("?"): part(status, numbers, octets, reply, fields)
                for name, part in members
                if status & STATUS_MASK == ITEM or not name.endswith("?")
            }
        return lambda status, numbers, octets, reply, fields: {
            name: part(status, numbers, octets, reply, fields) for name, part in members
        }
    if isinstance(template, str) and template.startswith("$"):
        word = template[1:]
        if word in ("reply", "items"):
            return _whole(row, word == "items")
        if word == BY_FIELDS:
            return _by_fields(row)
        known = _WORDS.get(word)
        if known is not None:
            return lambda status, numbers, octets, reply, fields: known(status, numbers, octets, reply)
    spell = _spell_parts(template, row.reply)
    return lambda status, numbers, octets, reply, fields: spell(None, fields)


def _is_of_parts(template: Any, row: Command) -> bool:
    """Return True if a template is made of parts of the reply, so that the reply must be read as a whole."""
    if isinstance(template, dict):
        return any(not isinstance(part, dict | Each) and _is_of_parts(part, row) for part in template.values())
    if isinstance(template, Each):
        return True
    named = [template.name] if isinstance(template, As) else _WORD.findall(template) if type(template) is str else []
    return any(name in parts(row.reply) for name in named)


def _whole(row: Command, as_items: bool) -> Render:
    """Return the function that renders a reply by its template; with `as_items` a text becomes an array of one."""
    form = json_form(row.reply)
    if not as_items:
        return lambda status, numbers, octets, reply, fields: form(plain(status, row, numbers, octets, reply))

    def render(status: int, numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> Any:
        found = plain(status, row, numbers, octets, reply)
        found = found if isinstance(found, list) else [found]
        return [as_json(*each) if isinstance(each, tuple) else each for each in found]

    return render


def _by_fields(row: Command) -> Render:
    """Return the function that renders an array as an object, whose names are the argument `fields`."""
    form = json_form(row.reply)

    def render(status: int, numbers: Any, octets: Any, reply: int, fields: dict[str, Any]) -> Any:
        given = fields.get("fields") or [fields.get("field")]
        names = [as_text(name) if isinstance(name, bytes) else str(name) for name in given]
        return dict(zip(names, form(plain(status, row, numbers, octets, reply)), strict=True))

    return render


def _spell_parts(template: Any, of: Template) -> Spell:
    """Return the function that renders a template from a reply, or a member of one, that was read as `of` says."""
    if isinstance(template, dict):
        return _spell_members(template, of)
    if isinstance(template, Each):
        (item,) = next(one.items for one in choices(of) if isinstance(one, Array))
        each_part, given = _spell_parts(template.template, item), sorted(_arguments(template.template, item))

        def render_each(found: Any, fields: dict[str, Any]) -> Any:
            fields = fields | {name: _given(name, fields) for name in given}  # looked up once, not for each member
            return [each_part(each, fields) for each in found]

        return render_each
    if isinstance(template, As):
        return _part(template.name, template.template, of)
    found_words = _WORD.findall(template) if isinstance(template, str) else []
    if not found_words:
        return lambda found, fields: template
    each_word = [_part(word, parts(of).get(word), of) for word in found_words]
    if template == "$" + found_words[0]:
        return each_word[0]
    text = _WORD.sub("%s", template.replace("%", "%%"))
    if len(each_word) == 2:
        one, other = each_word
        return lambda found, fields: text % (one(found, fields), other(found, fields))
    return lambda found, fields: text % tuple([word(found, fields) for word in each_word])


def _spell_members(template: dict[str, Any], of: Template) -> Spell:
    """Return the function that renders an object. Parts of the reply are taken without a call where that suffices."""
    known = parts(of)
    forms = [(name, _place(part[1:], of), json_form(known[part[1:]])) for name, part in template.items()
             if isinstance(part, str) and part[:1] == "$" and part[1:] in known]  # fmt: skip
    same = [(name, place) for name, place, form in forms if form is unchanged]
    formed = [(name, place, form) for name, place, form in forms if form is not unchanged]
    taken = {name for name, _, _ in forms}
    others = [(name, _spell_parts(part, of)) for name, part in template.items()
              if name not in taken and not _is_constant(part)]  # fmt: skip

    def render(found: Any, fields: dict[str, Any]) -> Any:
        spelled = template.copy()
        for name, place in same:
            spelled[name] = found[place]
        for name, place, form in formed:
            spelled[name] = form(found[place])
        for name, spell in others:
            spelled[name] = spell(found, fields)
        return spelled

    return render


def _place(name: str, of: Template) -> Any:
    """Return the index of a part: its name in a record, its number in a tuple."""
    return name if any(isinstance(one, Record) for one in choices(of)) else list(parts(of)).index(name)


def _arguments(template: Any, of: Template) -> set[str]:
    """Return the names of the arguments in a template of a reply, or of a member of one, with the template `of`."""
    if isinstance(template, dict):
        return {name for part in template.values() for name in _arguments(part, of)}
    return set(_WORD.findall(template)) - set(parts(of)) if isinstance(template, str) else set()


def _is_constant(template: Any) -> bool:
    return not isinstance(template, dict | Each | As) and not _WORD.search(str(template))


def _part(name: str, form: Template | None, of: Template) -> Spell:
    """Return the function that renders the part `name` of a reply in this form, or the argument of this name."""
    known = parts(of)
    assert name in known or name not in _WORDS, f"${name} is of the reply as a whole, beside parts of it"
    if name not in known:
        if form is None:
            return lambda found, fields: _given(name, fields)
        return lambda found, fields: int(fields[name]) if fields.get(name) is not None else None
    assert form is not None
    spell = json_form(form)
    place = _place(name, of)
    if spell is unchanged:
        return lambda found, fields: found[place]
    return lambda found, fields: spell(found[place])


def _given(word: str, fields: dict[str, Any]) -> Any:
    """Return an argument as given; also the only one of a group, as `key` of `keys`."""
    value = fields.get(word)
    if value is None:
        several = fields.get(word + "s")
        value = several[0] if isinstance(several, list) and len(several) == 1 else None
    return as_text(value) if isinstance(value, bytes) else value


def _first(numbers: Any, octets: Any, reply: int) -> tuple[bytes, int]:
    at = reply + 2
    value, size = numbers[at], numbers[at + 1]
    return bytes(octets[value : value + (size >> MARK_BITS)]), size & FORM_MASK


def _count(status: int, numbers: Any, octets: Any, reply: int) -> int:
    """Return how many members an array has: the members of one value, or all items."""
    if status & STATUS_MASK == ITEM and numbers[reply + 3] >> MARK_BITS == layout.MARK_ARRAY:
        return int(numbers[reply + 2])
    return int(numbers[reply + 1])


_WORDS: dict[str, Callable[[int, Any, Any, int], Any]] = {
    "title": lambda status, numbers, octets, reply: bytes(octets[numbers[reply] : numbers[reply] + 40]).decode(),
    "flag": lambda status, numbers, octets, reply: bool(numbers[reply]),
    "total": lambda status, numbers, octets, reply: numbers[reply],
    "count": _count,
    "ttl": lambda status, numbers, octets, reply: numbers[reply] if numbers[reply] >= 0 else None,
    "real": lambda status, numbers, octets, reply: float(_first(numbers, octets, reply)[0]),
    "text": lambda status, numbers, octets, reply: as_text(_first(numbers, octets, reply)[0]),
    "octets": lambda status, numbers, octets, reply: list(_first(numbers, octets, reply)[0]),
    "hybrid": lambda status, numbers, octets, reply: as_hybrid(*_first(numbers, octets, reply)),
    "changed": lambda status, numbers, octets, reply: status & STATUS_MASK == DONE or bool(status & CHANGED),
}
