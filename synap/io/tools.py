"""Looking at a data directory from outside: check it, dump it as text, load such text."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from synap.derive.arguments import read
from synap.derive.binders import binder
from synap.faults import SynapError
from synap.io.clock import Clock
from synap.io.compile import Progress, prepare, workers_of
from synap.io.files import Directory
from synap.io.node import Node
from synap.journal import check as check_journal
from synap.settings import Settings
from synap.store import frames, layout
from synap.store.layout import BROKEN, CHANGED, FORM_JSON, REFUSED, STATUS_MASK, WORD


class Unusable(SynapError):
    """The directory or the file is not what was wanted."""


def check(directory: Path) -> Iterator[str]:
    """Read every file of a data directory and say what is in it. Raises Unusable if something is damaged."""
    report = check_journal(Directory(directory))
    for file in report.files:
        yield str(file)
    if report.cut_bytes:
        yield f"{report.cut_bytes} bytes behind the last whole group: a start would cut them"
    if not report.ok:
        raise Unusable(f"damaged: {report.damage}")
    yield "ok"


def dump(directory: Path) -> Iterator[str]:
    """The state of a data directory as lines of JSON, one for each call that makes a part of it again.

    Texts are strings; bytes that are not UTF-8 are `{"base64": ...}`, JSON values `{"json": ...}`.
    """
    node = _open(directory, writable=False)
    engine = node.engine
    numbers = engine.numbers
    try:
        for payload, _ in node.load_rows(engine.seq, numbers[layout.LAST_NOW]):
            at = layout.LOG
            end = at + len(payload) // WORD
            while at < end:
                head = numbers[at]
                code, namespace = head >> frames.CODE_SHIFT & 0xFFFF, head >> frames.NAMESPACE_SHIFT & 0xF
                tape = at + frames.HEAD_WORDS
                size = numbers[at + 3] >> frames.STATUS_BITS
                numbers[tape - 1] = (tape + size) * WORD
                row = engine.catalogue.by_code[code]
                fields = read(row, numbers, engine.bytes, tape, _spell)
                yield msgspec.json.encode({"row": row.name, "namespace": namespace, "fields": fields}).decode()
                at += (head & 0xFFFFFFFF) // WORD
    finally:
        node.stop()


def load(directory: Path, file: Path) -> Iterator[str]:
    """Carry out the lines of a dump in a data directory; a key that is there already is refused."""
    node = _open(directory, writable=True)
    engine = node.engine
    builds: dict[str, Any] = {}
    done = 0
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    call = msgspec.json.decode(line)
                    row = engine.catalogue.by_name[call["row"]]
                    fields = {name: _unspell(value) for name, value in call["fields"].items()}
                    build = builds.setdefault(row.name, binder(row))
                    tape, blob = build(fields)
                except (msgspec.DecodeError, KeyError, AttributeError, TypeError, SynapError) as error:
                    raise Unusable(f"{file} line {number}: wanted a line of a dump, found {error!r}") from None
                start = layout.CALL_BLOB * WORD
                engine.bytes[start : start + len(blob)] = blob
                engine.numbers[layout.CALL - 2] = call.get("namespace", 0)
                engine.numbers[layout.CALL - 1] = start
                for i, value in enumerate(tape):
                    engine.numbers[layout.CALL + i] = value
                now = node.clock.now()
                status = engine.perform(engine.row_at[row.name], layout.CALL, len(tape), len(blob), now)
                if status & STATUS_MASK in (BROKEN,) or status & STATUS_MASK >= REFUSED:
                    raise Unusable(f"{file} line {number}: {row.name} was refused, is the directory empty?")
                done += bool(status & CHANGED)
                engine.settle(now)
        node.flush()
    finally:
        node.stop()
    yield f"{done} calls loaded"


def _open(directory: Path, writable: bool) -> Node:
    if not writable and not directory.is_dir():
        raise Unusable(f"{directory}: there is no such directory")
    settings = Settings().replace(
        {"persistence.directory": str(directory), "persistence.wal.enabled": writable, "kv_store.max_memory_mb": 0}
    )

    def tell(progress: Progress) -> None:
        return

    prepare(workers_of(settings), tell)
    return Node(settings, Clock())


def _spell(text: bytes, form: int) -> Any:
    if form == FORM_JSON:
        return {"json": msgspec.Raw(text)}
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(text).decode()}


def _unspell(value: Any) -> Any:
    if isinstance(value, dict):
        if "json" in value:
            return value["json"]
        if "base64" in value:
            return base64.b64decode(value["base64"])
        return {name: _unspell(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_unspell(inner) for inner in value]
    return value
