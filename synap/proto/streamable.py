"""The command envelope: `{"command", "request_id", "payload"}`, one or a batch, always answered with 200."""

import re
from typing import Any

import msgspec

from synap.command import Catalogue
from synap.derive.conversions import wrong
from synap.derive.replies import constant, renderer
from synap.faults import Fault
from synap.proto.rest import Target


class Envelope(msgspec.Struct):
    """One command. A missing `request_id` gets a fresh one from the caller."""

    command: str
    request_id: str = ""
    payload: Any = None


class Posted(msgspec.Struct):
    """The body of a POST: a command, or `{"type": "batch", "commands": [...]}`."""

    type: Any = None  # only "batch" means something
    command: str = ""
    request_id: str = ""
    payload: Any = None
    commands: list[Envelope] | None = None


class Reply(msgspec.Struct):
    """What each command gets; all four keys are always there."""

    success: bool
    request_id: str
    payload: Any
    error: str | None


_decoder = msgspec.json.Decoder(Posted)


def read(body: bytes) -> Posted:
    """The posted object. Raises BAD_JSON (400) or WRONG_FIELD (422)."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Fault("WRONG_FIELD", field="body", wanted="a command envelope", found=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Fault("BAD_JSON", detail=str(error)) from None
    except RecursionError:
        raise Fault("BAD_JSON", detail="it is nested too deeply") from None


class Commands:
    """Every row under the names that the envelope knows it by."""

    def __init__(self, catalogue: Catalogue, row_at: dict[str, int], switches: dict[str, bool]) -> None:
        self.targets: dict[str, Target] = {}
        self.switches = switches
        for row in catalogue.rows:
            if row.internal or (row.command is None and row.rest is None):
                continue
            target = Target(row, row_at[row.name], renderer(row, row.command, row.command_nil))
            target.constant = constant(row.command)
            if row.command_nil is None:
                target.constant_nil = b"null"
            target.hybrid = row.command == "$hybrid"
            for name in dict.fromkeys((row.name, *row.envelope)):
                assert name not in self.targets, f"{name} stands twice"
                self.targets[name] = target

    def find(self, name: str) -> Target:
        """The row under this name."""
        target = self.targets.get(name)
        if target is None:
            raise Fault("UNKNOWN_COMMAND", name=name, args="")
        if target.row.switch and not self.switches.get(target.row.switch):
            raise Fault("SWITCHED_OFF", name=target.row.name, switch=target.row.switch)
        return target


def fields_of(payload: Any) -> dict[str, Any]:
    """The payload as named fields."""
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise wrong("payload", "an object", payload)
    return payload


PLAIN = re.compile(rb"[!#-,./:-Z\]^_`a-eg-mo-su-z|}~][ !#-\[\]-~]*").fullmatch
"""A text that JSON writes as it is, and that does not begin as any JSON value does: most texts are such."""


def reply_text(request_id: str, payload: bytes) -> bytes:
    """A successful reply around a payload that is JSON text already."""
    name = request_id.encode() if request_id.isalnum() and request_id.isascii() else None
    quoted = b'"%b"' % name if name is not None else msgspec.json.encode(request_id)
    return b'{"success":true,"request_id":%b,"payload":%b,"error":null}' % (quoted, payload)
