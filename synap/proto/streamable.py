"""The command envelope: reads `{"command", "request_id", "payload"}`, single or in a batch, and finds its row."""

import re
from typing import Any

import msgspec

from synap.command import Catalogue
from synap.compat.sdks import EXACT, NATIVE, RAW
from synap.derive.conversions import wrong
from synap.derive.documents import document
from synap.derive.json_batch_image import TargetImage
from synap.derive.replies import Render, renderer
from synap.faults import Fault
from synap.proto.rest import Target


class Envelope(msgspec.Struct):
    """One command. A missing `request_id` gets a fresh one from the caller; `durability` is the one of its request."""

    command: str
    request_id: str = ""
    payload: Any = None
    durability: str = ""


class Posted(msgspec.Struct):
    """The body of a POST: a command, or `{"type": "batch", "commands": [...]}`."""

    type: Any = None  # only "batch" has a meaning
    command: str = ""
    request_id: str = ""
    payload: Any = None
    durability: str = ""
    commands: list[Envelope] | None = None


class Reply(msgspec.Struct):
    """The reply to one command; all four keys are always present, and the HTTP status is always 200."""

    success: bool
    request_id: str
    payload: Any
    error: str | None


class DurableReply(Reply):
    """The reply to a command that asks for a durability; it has the level that is reached."""

    durability: str


def read(body: bytes) -> Posted:
    """Parse the body of a POST. Raise Fault: BAD_JSON (400) or WRONG_FIELD (422)."""
    try:
        return msgspec.convert(document(body), Posted)
    except msgspec.ValidationError as error:
        raise Fault("WRONG_FIELD", field="body", wanted="a command envelope", found=str(error)) from None


class Commands:
    """All rows by their names in the envelope."""

    def __init__(self, catalogue: Catalogue, row_at: dict[str, int], switches: dict[str, bool]) -> None:
        self.targets: dict[str, Target] = {}
        self._in_other_texts: dict[tuple[str, str], Render] = {}
        self.switches = switches
        for row in catalogue.rows:
            if row.internal or row.json is None:
                continue
            for name in dict.fromkeys((row.name, *row.envelope)):
                assert name not in self.targets, f"{name} is defined twice"
                template, nil = row.enveloped
                template = row.spelled.get(name, template)
                self.targets[name] = Target(row, row_at[row.name], renderer(row, template, nil), switches)
                if template == EXACT:
                    for texts in (RAW, NATIVE):
                        self._in_other_texts[texts, name] = renderer(row, texts, nil)

    def image(self) -> TargetImage:
        """Return the image of the commands that `store/lane/json_batch.py` may carry out."""
        return TargetImage({
            name: (target.row, target.row_at, target.row.spelled.get(name, target.row.enveloped[0]))
            for name, target in self.targets.items()
            if not target.row.handler and (not target.row.switch or self.switches.get(target.row.switch))
        })

    def render_of(self, name: str, texts: str) -> Render:
        """Return the renderer of this command's replies, with texts in one of the forms of compat.sdks."""
        return self._in_other_texts.get((texts, name)) or self.targets[name].render

    def find(self, name: str) -> Target:
        """Return the target of this name. Raise Fault if it is unknown."""
        target = self.targets.get(name)
        if target is None:
            raise Fault("UNKNOWN_COMMAND", name=name, args="")
        return target


def fields_of(payload: Any) -> dict[str, Any]:
    """Return the payload as named fields. Raise Fault if it is no object."""
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise wrong("payload", "an object", payload)
    return payload


_SPACE = rb"[ \t\n\r]*"
_TYPE = rb'"type"' + _SPACE + rb":" + _SPACE + rb'"batch"'
_HEAD = _SPACE + rb"\{" + _SPACE + rb"(?:" + _TYPE + _SPACE + rb"," + _SPACE + rb')?"commands"' + _SPACE
batch_head = re.compile(_HEAD + rb":" + _SPACE + rb"\[").match
"""Matches a body up to the first element of its batch, if the keys are in the usual order."""
batch_tail = re.compile(_SPACE + rb"(?:," + _SPACE + _TYPE + _SPACE + rb")?\}" + _SPACE).fullmatch
"""Matches the rest of the body behind the array."""
