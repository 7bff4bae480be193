"""The image of the envelope's commands for `store/lane/json_batch.py`: names, required fields, spelled replies."""

from typing import Any

import msgspec
import numpy as np

from synap.arguments import TEXTS, Argument, Int, Many, Raw, default_of, slots, words_min
from synap.command import Command
from synap.reply import As, Each
from synap.store.lane import json_batch
from synap.store.memory import layout

_MARK = -1234567890123456789  # placeholder of the reply while a template is encoded
Pair = tuple[int, int]
Field = tuple[str, int, int, int, int, int]
"""(name, slot, kind, default, the least number, the greatest)"""


class TargetImage:
    """The words and bytes of all targets, for a fixed place in the heap."""

    def __init__(self, rows: dict[str, tuple[Command, int, Any]]) -> None:
        """Build the image of `rows`: name -> (row, its word in ROWS, its template), without rows with handlers."""
        self._texts = bytearray(json_batch.TEXTS_AT - json_batch.HEAD_AT)
        self._targets: list[int] = []
        self._names: dict[int, tuple[int, int, int, int]] = {}
        for at, text in (
            (json_batch.HEAD_AT, b'{"success":true,"request_id":'),
            (json_batch.MIDDLE_AT, b',"payload":'),
            (json_batch.TAIL_AT, b',"error":null}'),
            (json_batch.KEYS_AT, b"command"),
            (json_batch.KEYS_AT + 16, b"request_id"),
            (json_batch.KEYS_AT + 32, b"payload"),
        ):
            start = at - json_batch.HEAD_AT
            self._texts[start : start + len(text)] = text
        for name, (row, row_at, template) in rows.items():
            fields = required(row)
            if fields is not None:
                self._name(name.encode(), self._target(row, row_at, template, fields))
        assert len(self._targets) <= layout.TARGETS_SIZE, "more targets than TARGETS can hold"
        assert len(self._texts) <= layout.TARGET_TEXTS_SIZE * layout.WORD, "the texts are larger than TARGET_TEXTS"
        assert len(self._names) < layout.ENVELOPES_COUNT // 2, "more names than ENVELOPES can hold"

    def place(self, words: np.ndarray, octets: np.ndarray) -> None:
        """Write everything into the heap."""
        octets[json_batch.HEAD_AT : json_batch.HEAD_AT + len(self._texts)] = np.frombuffer(bytes(self._texts), np.uint8)
        words[layout.TARGETS : layout.TARGETS + len(self._targets)] = self._targets
        for slot, entry in self._names.items():
            words[layout.ENVELOPES + 4 * slot : layout.ENVELOPES + 4 * slot + 4] = entry

    def _text(self, text: bytes) -> Pair:
        at = json_batch.HEAD_AT + len(self._texts)
        self._texts += text + b"\0" * 8
        return at, len(text)

    def _target(self, row: Command, row_at: int, template: Any, fields: list[Field]) -> int:
        at = layout.TARGETS + len(self._targets)
        how, head, tail = spelled_number(template) if not row.json_faults and not row.reply_words else (0, b"", b"")
        record = [row_at, *self._text(spelled_done(template)), *self._text(spelled_nil(row.enveloped[1]))]
        record += [how, *self._text(head), *self._text(tail), template == "$hybrid", len(fields)]
        for name, *facts in fields:
            record += [*self._text(name.encode()), *facts]
        self._targets += record + [0] * (json_batch.TARGET_WORDS - len(record))
        return at

    def _name(self, name: bytes, target: int) -> None:
        h = hash_of(name)
        slot = h & (layout.ENVELOPES_COUNT - 1)
        while slot in self._names:
            slot = (slot + 1) % layout.ENVELOPES_COUNT
        self._names[slot] = (target, h, *self._text(name))


def required(row: Command) -> list[Field] | None:
    """Return the fields of a plain call, or None if the row has no such call.

    A plain call gives the texts and integers at the start of the row's arguments, and one item of a group if that
    comes next. All other arguments must be optional.
    """
    fields: list[Field] = []
    slot = 0
    for node in row.args:
        if words_min(node) == 0:
            break
        kind = kind_of(node)
        if not kind:
            return None
        named = node.inner[0] if isinstance(node, Many) else node
        assert isinstance(named, (*TEXTS, Int)), "kind_of knows texts and integers"
        limits = (node.least, node.most) if isinstance(node, Int) else (0, 0)
        fields.append((named.name, slot, kind, default_of(node) or 0, *limits))
        slot += slots(node)
        if kind & json_batch.GROUP:
            break
    if any(words_min(node) for node in row.args[len(fields) :]) or len(fields) > json_batch.FIELDS_MAX:
        return None
    return None if row.words > len(fields) else fields


def kind_of(node: Argument) -> int:
    """Return the kind by which `json_batch.pack` reads this argument, or 0 if it cannot."""
    if isinstance(node, Many) and len(node.inner) == 1 and not node.like:
        inner = kind_of(node.inner[0])
        return inner | json_batch.GROUP if inner in (json_batch.IS_RAW, json_batch.IS_TEXT) else 0
    if isinstance(node, Raw):
        return 0 if node.octets else json_batch.IS_RAW
    if isinstance(node, TEXTS):
        return json_batch.IS_TEXT
    if isinstance(node, Int):
        return json_batch.IS_INT if node.default is None else json_batch.IS_INT | json_batch.MISSABLE
    return 0


def spelled_done(template: Any) -> bytes:
    """Return the JSON text that a template makes of DONE if it is constant, else an empty text."""
    return _constant(_resolved(template))


def spelled_nil(template: Any) -> bytes:
    """Return the JSON text that a template makes of NIL if it is constant, else an empty text."""
    return b"" if template == "NOT_FOUND" else _constant(template)


def spelled_number(template: Any) -> tuple[int, bytes, bytes]:
    """Return (CONSTANT, DIGITS, TRUTH or 0; the JSON text before the number; the text behind it)."""
    if isinstance(template, dict):
        template = {name: value for name, value in template.items() if not name.endswith("?")}
    for word, how in (("$reply", json_batch.DIGITS), ("$flag", json_batch.TRUTH)):
        marked = _marked(template, word)
        parts = _constant(marked).split(b"%d" % _MARK)
        if len(parts) == 2:
            return how, parts[0], parts[1]
    text = _constant(template)
    return (json_batch.CONSTANT, text, b"") if text else (0, b"", b"")


def _marked(template: Any, word: str) -> Any:
    if isinstance(template, dict):
        return {name: _MARK if value == word else value for name, value in template.items()}
    return _MARK if template == word else template


def _resolved(template: Any) -> Any:
    """Return a template without the members that need a text, with `$changed` as true."""
    if isinstance(template, dict):
        sure = {name: value for name, value in template.items() if not name.endswith("?")}
        return {name: True if value == "$changed" else value for name, value in sure.items()}
    return True if template == "$changed" else template


def _constant(template: Any) -> bytes:
    return msgspec.json.encode(template) if _is_constant(template) else b""


def _is_constant(template: Any) -> bool:
    """Return True if no part of a template depends on the reply or on the arguments."""
    if isinstance(template, dict):
        return all(map(_is_constant, template.values()))
    return not isinstance(template, As | Each) and "$" not in str(template)


def hash_of(name: bytes) -> int:
    """Return the hash of a name, as `json_batch.find_target` computes it, as a signed 64-bit number."""
    h = len(name)
    for byte in name:
        h = ((h * 0x100000001B3) ^ byte) & 0xFFFFFFFFFFFFFFFF
    h = h - (1 << 64) if h >> 63 else h
    return h ^ (h >> 29)
