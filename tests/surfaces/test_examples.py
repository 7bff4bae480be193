"""Every row's examples on every surface: the same words, the same answer, in the spelling that the row documents.

The words of an example become fields by the kernels' parser and `derive/tape_reader`; REST, the envelope (alone and
in a batch) and `synap.open()` are asked with these. What JSON must say is worked out here, from the RESP reply and
the row's template, by code that shares nothing with `derive/replies`.
"""

import json
import re
import time
from typing import Any

import jsonschema
import pytest

from synap.command import Command
from synap.commands import CATALOGUE
from synap.derive.json_schema import answer, reply_of
from synap.faults import BY_NAME, Fault
from synap.reply import As, Each, Pushed, SetOf, Template, choices, parts
from synap.traits import EMPTY_IS_NIL
from tests.naive.replies import as_json
from tests.support import Bench, command
from tests.surfaces.surfaces import Surfaces, fields_of, request_of, row_of
from tests.wire import read

UNSPELLED = {"key.restore", "function.restore", "function.dump", "function.load", "function.delete", "script.fcall",
             "script.fcall_ro", "function.kill"}  # fmt: skip
"""Rows that need what no example can spell: a payload, a library of lines, a function that runs."""
ROWS = [row for row in CATALOGUE.rows if row.resp and not row.internal and not row.control]
UNLIKE = ("message_id", "message_ids", "receipt", "id", "created_at", "deadline", "timestamp", "idle", "inactive",
          "oldest_age_ms", "publish_rate", "consume_rate", "ack_rate")  # fmt: skip
FREE = "{id}"


class Steps:
    """An example's words, one after the other, with `{id}` filled in."""

    def __init__(self, row: Command) -> None:
        self.examples = row.examples
        self.known = ""

    def words(self, i: int) -> list[str]:
        return self.examples[i].words.replace(FREE, self.known).split()

    def note(self, i: int, reply: Any) -> None:
        """Remember what `{id}` is."""
        if self.examples[i].reply == FREE:
            assert reply and isinstance(reply, str)
            self.known = reply

    def __len__(self) -> int:
        return len(self.examples)


def plain(value: Any) -> Any:
    """A RESP or native reply with texts as str."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(name): plain(item) for name, item in value.items()}
    return value


def told(row: Command, reply: bytes, version: int) -> Any:
    """A RESP reply in the form that all versions share, as the row's template says; the members of a set in order."""
    value, _ = read(row.reply, reply, version)
    value = plain(value[0] if isinstance(row.reply, Pushed) else value)
    return sorted(value) if isinstance(value, list) and is_set(row) else value


DAY_S = 86_400


def is_set(row: Command) -> bool:
    return any(isinstance(one, SetOf) for one in choices(row.reply))


def alike(one: Any, other: Any) -> bool:
    """Equal, but for what two deliveries never share."""
    return bool(shared(one) == shared(other))


def shared(reply: Any) -> Any:
    """A reply without what two deliveries never share."""
    if isinstance(reply, dict):
        return {name: shared(part) for name, part in reply.items() if name not in UNLIKE}
    if isinstance(reply, list) and reply and all(isinstance(each, list) and len(each) == 4 for each in reply):
        return [each[:3] for each in reply]  # events
    if isinstance(reply, str) and re.fullmatch(r"[0-9]+\.[0-9]{4}", reply):
        return float(reply)  # a distance, which is a text in RESP
    if isinstance(reply, str) and re.fullmatch(r"[0-9]{13}-[0-9]+", reply):
        return "an ID of today"
    if isinstance(reply, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", reply):
        return "an ID of a message"
    if isinstance(reply, int) and any(abs(reply - time.time() * unit) < DAY_S * unit for unit in (1, 1000)):
        return "a time of today"
    return [shared(each) for each in reply] if isinstance(reply, list) else reply


def in_json(row: Command, template: Any, nil: Any, value: Any, fields: dict[str, Any], of: Template) -> Any:
    """What a surface must say, worked out from the RESP reply, or from a part of it with the template `of`."""
    if value == "" and row.traits & EMPTY_IS_NIL:
        value = None
    chosen = template if value is not None or template == nil else nil
    if isinstance(chosen, dict):
        return {
            name.removesuffix("?"): in_json(row, part, part, value, fields, of) for name, part in chosen.items()
            if not name.endswith("?") or value not in ("OK", None)
        }  # fmt: skip
    if isinstance(chosen, As) and chosen.name in fields:
        return fields[chosen.name]
    if isinstance(chosen, Each):
        (item,) = of.items
        return [in_json(row, chosen.template, None, each, fields, item) for each in value]
    known = parts(of)
    match chosen:
        case "$reply" | "$text":
            return as_json(of, value)
        case "$hybrid":
            return json.dumps(value) if value[:1].isdigit() else value
        case "$items":
            return value if isinstance(value, list) else [value]
        case "$flag":
            return bool(value)
        case "$ttl":
            return value if value >= 0 else None
        case "$count":
            return len(value)
        case "$total":  # of the one key that the examples make before
            return 1
        case "$real":
            return float(value)
        case "$by_fields":
            return dict(zip(fields["fields"], value, strict=True))
        case "$changed":
            return value == "OK" or (value is not None and "get" in fields)
        case str() if chosen[1:] in known:
            place = list(known).index(chosen[1:])
            return as_json(known[chosen[1:]], value[chosen[1:]] if isinstance(value, dict) else value[place])
        case str() if ":" in chosen:
            return ":".join(str(in_json(row, word, None, value, fields, of)) for word in chosen.split(":"))
        case As(name=name) if name not in known:
            return int(fields[name])
        case str() if chosen.startswith("$"):
            keys = fields.get("keys", ())
            return fields[chosen[1:]] if chosen[1:] in fields else keys[0] if len(keys) == 1 else None
    return chosen


def wire(surfaces: Surfaces, row: Command, version: int) -> list[tuple[Command, Any]]:
    """The examples over RESP: (row, reply) of each step, checked against what is written in the row."""
    found = []
    steps = Steps(row)
    for i in range(len(steps)):
        words = steps.words(i)
        asked = row_of(words)
        reply = told(asked, surfaces.resp_bytes(command(*words), version), version)
        steps.note(i, reply)
        wanted = row.examples[i].reply
        assert wanted in (..., FREE) or reply == wanted, f"{words} in RESP{version}: {reply!r}"
        found.append((asked, reply))
    return found


def named(bench: Bench, steps: Steps, i: int) -> tuple[Command, dict[str, Any]]:
    """The row and the fields of a step."""
    words = steps.words(i)
    row = row_of(words)
    fields = fields_of(row, bench, [word.encode() for word in words])
    assert isinstance(fields, dict), f"{words}: {fields}"
    return row, fields


def over_json(surface: str, row: Command, bench: Bench, replies: list[tuple[Command, Any]]) -> set[str]:
    """The examples on a JSON surface; the names of the rows that were asked."""
    surfaces = Surfaces()
    steps = Steps(row)
    asked = set()
    for i, (_, wanted) in enumerate(replies):
        step, fields = named(bench, steps, i)
        rest = surface == "rest"
        template, nil = (step.json, step.json_nil) if rest else step.enveloped
        if (rest and not step.http) or (not rest and template is None):
            if step.run:  # later steps need what it makes
                surfaces.resp(*steps.words(i))
            continue
        if rest and step.http[0].method == "GET" and len(fields.get("keys", ())) > 1:
            continue  # its path names one key
        if rest:
            method, path, body = request_of(step, step.http[0], fields)
            status, value, _ = surfaces.rest(method, path, body)
        elif surface == "envelope":
            name = (step.name, *step.envelope)[i % (1 + len(step.envelope))]
            template = step.spelled.get(name, template)
            found = surfaces.command(name, fields)
            status, value = (200 if found["success"] else 404), found["payload"] if found["success"] else found
        else:
            (found,) = surfaces.batch((step.name, fields))
            status, value = (200 if found["success"] else 404), found["payload"] if found["success"] else found
        if isinstance(wanted, int) and wanted in step.json_faults:
            assert status == (BY_NAME[step.json_faults[wanted]].http if rest else 404) and value["error"]
        elif wanted is None and nil == "NOT_FOUND":
            assert status == 404 and value["error"] == "Not found"
        elif rest and step.http[0].of and status == 404:
            assert not wanted and surfaces.resp("EXISTS", fields[step.http[0].of]) == 0
        else:
            assert status == 200, f"{step.name} {fields}: {value}"
            jsonschema.validate(value, answer(step, template, nil))
            steps.note(i, value.get("message_id") if isinstance(value, dict) else None)
            if row.examples[i].reply is ... and step.handler:
                assert value, f"{step.name}: {value}"
            elif row.examples[i].reply != FREE:
                if rest and "keys" in fields:  # its path names the first
                    fields = {**fields, "key": fields["keys"][0]}
                right = in_json(step, template, nil, wanted, fields, reply_of(step))
                if isinstance(value, dict) and "message" in value and value["message"]:
                    value, right = value["message"], right["message"]
                if isinstance(value, dict) and is_set(step):
                    value["members"].sort()
                assert alike(value, right), f"{step.name} {fields}: {value} instead of {right}"
        asked.add(step.name)
    return asked


def at_once(row: Command, bench: Bench, replies: list[tuple[Command, Any]]) -> None:
    """All steps in one batch: the same as one by one."""
    steps = Steps(row)
    calls = [named(bench, steps, i) for i in range(len(steps))]
    if any(step.json is None for step, _ in calls):
        return
    found = Surfaces().batch(*((step.name, fields) for step, fields in calls))
    for i, ((step, fields), reply) in enumerate(zip(calls, found, strict=True)):
        if isinstance(replies[i][1], int) and replies[i][1] in step.json_faults:
            assert not reply["success"] and reply["error"]
            continue
        nil = replies[i][1] is None and step.enveloped[1] == "NOT_FOUND"
        assert reply["success"] is not nil and (reply["error"] == "Not found") is nil
        if not nil and not step.handler and step.name != "queue.consume" and row.examples[i].reply != FREE:
            right = in_json(step, *step.enveloped, replies[i][1], fields, reply_of(step))
            assert alike(reply["payload"], right), f"{step.name}: {reply['payload']} instead of {right}"


def in_process(row: Command, bench: Bench, replies: list[tuple[Command, Any]]) -> None:
    """The examples through `synap.open()`."""
    surfaces = Surfaces()
    steps = Steps(row)
    for i, (_, wanted) in enumerate(replies):
        step, fields = named(bench, steps, i)
        if step.name == "server.snapshot":  # there is a method for it, and nothing to write to here
            with pytest.raises(Fault, match=r"persistence\.enabled"):
                surfaces.database.call(step.name, **fields)
            continue
        value = plain(surfaces.database.call(step.name, **fields))
        steps.note(i, value)
        if (row.examples[i].reply is ... and step.handler) or row.examples[i].reply == FREE:
            assert value, step.name
        else:
            value = "OK" if value is True else sorted(value) if is_set(step) and value else value
            value = value[0] if is_set(step) and not isinstance(wanted, list) and value else value
            assert alike(value, wanted), f"{step.name} {fields}: {value!r} instead of {wanted!r}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_examples_agree(row: Command, bench: Bench) -> None:
    surfaces = Surfaces()
    if row.name in UNSPELLED:
        return
    assert row.examples, "a row without examples"
    replies = wire(surfaces, row, 2)
    assert row.name in {asked.name for asked, _ in replies}, "no example is about the row itself"
    third = wire(Surfaces(), row, 3)
    for i, ((asked, one), (_, other)) in enumerate(zip(replies, third, strict=True)):
        unlike = row.examples[i].reply in (..., FREE) and (asked.handler or not isinstance(one, dict))
        assert unlike or alike(one, other), f"{row.examples[i].words}: {one!r} in RESP2, {other!r} in RESP3"
    if row.family == "script":
        return  # JSON surfaces answer in another form: see test_scripts.py
    if row.session:
        with pytest.raises(Fault, match="Unknown command"):
            surfaces.database.call(row.name)
        return
    if row.http:
        assert row.name in over_json("rest", row, bench, replies), "never asked over REST"
    if row.json is not None:
        assert row.name in over_json("envelope", row, bench, replies), "never asked over the envelope"
        assert row.name in over_json("batch", row, bench, replies), "never asked in a batch"
    if FREE not in "".join(example.words for example in row.examples):
        at_once(row, bench, replies)
    in_process(row, bench, replies)


def test_every_row_is_reached_by_some_surface() -> None:
    for row in CATALOGUE.rows:
        assert row.internal or row.resp or (row.http and row.json), f"{row.name} has no way to be asked"
        assert not (row.internal and (row.http or row.resp)), f"{row.name} is internal"
        assert not (row.session and row.http), f"{row.name} needs a connection"


def test_what_needs_a_connection_is_refused_elsewhere(store: Any) -> None:
    surfaces = Surfaces()
    others = {name for row in CATALOGUE.rows for name in row.envelope}  # as `transaction.multi`, which is another row
    for row in CATALOGUE.rows:
        if row.internal or row.session:
            with pytest.raises(Fault, match="Unknown command"):
                surfaces.database.call(row.name)
            if row.name in others:
                continue
            assert surfaces.command(row.name, {})["error"] == f"Unknown command: {row.name}"
            assert surfaces.batch((row.name, {}))[0]["error"] == f"Unknown command: {row.name}"
        if row.control:
            assert row.session, f"{row.name} is about a connection"
