"""Tools for a data directory that no server uses: verify it, dump it as text, load such a dump or a file of Redis."""

import base64
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from synap.arguments import GROUPS
from synap.arguments import layout as layout_of
from synap.call import Call
from synap.command import Command
from synap.commands import CATALOGUE
from synap.compat.rdb.files import HEAD_SIZE, is_rdb
from synap.derive.binders import binder, field_names
from synap.derive.tape_reader import read
from synap.engine.callers import Caller, Surface
from synap.faults import SynapError
from synap.io.node import rdb_load
from synap.io.node.clock import Clock
from synap.io.node.files import LOCK_NAME, Directory
from synap.io.node.jit_warmup import Progress, prepare, workers_of
from synap.io.node.node import Node
from synap.io.node.rdb_load import CannotLoad
from synap.journal import check as check_journal
from synap.journal.checks import FileReport, Report
from synap.settings import Settings
from synap.store.memory import frames, layout
from synap.store.memory.layout import CHANGED, FORM_JSON, WORD


class Unusable(SynapError):
    """The directory or the file is not what the tool needs; the text says what was wanted and what was found."""


def check(directory: Path, as_json: bool = False) -> Iterator[str]:
    """Read every file of a data directory and yield a report: a table, or one JSON object.

    Raises Unusable if the directory holds no data or anything is damaged, also if a start would succeed without
    the damaged file.
    """
    report = _report(directory)
    told = {"directory": str(directory), "ok": report.ok, "starts": report.damage is None} | asdict(report)
    if as_json:
        yield msgspec.json.encode(told).decode()
    else:
        yield from _table(report.files)
        yield from report.notes
    if report.damage is not None:
        raise Unusable(f"damaged: the server would not start: {report.damage}")
    if not report.ok:
        faults = "; ".join(file.fault for file in report.files if file.fault is not None and not file.left_over)
        raise Unusable(f"damaged, but the server would start without the damaged files, at seq {report.seq}: {faults}")
    if not as_json:
        yield f"ok: the server would start at seq {report.seq}"


def _report(directory: Path) -> Report:
    """Return the report on a directory. Raises Unusable if the directory does not exist or it holds no data."""
    if not directory.is_dir():
        raise Unusable(f"{directory}: the directory does not exist")
    report = check_journal(Directory(directory))
    if not report.files:
        raise Unusable(f"{directory}: wanted a data directory, found no log and no snapshot but {_names(directory)}")
    return report


def _names(directory: Path) -> str:
    """Return the first names in a directory, for an error message."""
    names = sorted(path.name for path in directory.iterdir())
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "nothing"


def _table(files: list[FileReport]) -> Iterator[str]:
    """Yield the table: a heading, then one line for each file."""
    width = max(len(file.name) for file in files)
    yield f"{'file':{width}}  {'bytes':>12}  {'first seq':>12}  {'last seq':>12}  state"
    for file in files:
        state = "left over, not read" if file.left_over else "ok" if file.fault is None else file.fault
        yield f"{file.name:{width}}  {file.bytes:>12}  {file.first_seq:>12}  {file.last_seq:>12}  {state}"


def dump(directory: Path) -> Iterator[str]:
    """Yield the state of a data directory as lines of JSON, one for each call that restores a part of the state.

    Texts are strings; bytes that are not UTF-8 are `{"base64": ...}`, JSON values `{"json": ...}`. Raises Unusable if
    the directory is damaged.
    """
    directory = directory.resolve()
    report = _report(directory)
    if report.damage is not None:
        raise Unusable(f"damaged: {report.damage}")
    locked = (directory / LOCK_NAME).exists()
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
                fields = _spell_reals(_plain_items(row, read(row, numbers, engine.bytes, tape, _spell)))
                yield msgspec.json.encode({"row": row.name, "namespace": namespace, "fields": fields}).decode()
                at += (head & 0xFFFFFFFF) // WORD
    finally:  # not `stop`, which would write a snapshot
        if node.lock is not None:
            node.lock.release()
        if not locked:
            (directory / LOCK_NAME).unlink(missing_ok=True)


def load(directory: Path, file: Path) -> Iterator[str]:
    """Fill a data directory that is empty or missing from a dump, or from an RDB file of Redis; yield what was done.

    Raises Unusable, leaving nothing behind, if the directory is not empty, the file is neither or a call is refused.
    """
    directory, file = directory.resolve(), file.resolve()
    made = not directory.exists()
    if not made and any(path.name != LOCK_NAME for path in directory.iterdir()):
        raise Unusable(f"{directory}: wanted an empty directory, found {_names(directory)}")
    with file.open("rb") as opened:
        of_redis = is_rdb(opened.read(HEAD_SIZE))
    for _ in () if of_redis else _calls(file):  # nothing is written before the whole file is known to be a dump
        continue
    locked = (directory / LOCK_NAME).exists()
    try:
        yield from _carry_out_rdb(directory, file) if of_redis else _carry_out(directory, file)
    except (Unusable, CannotLoad):
        for path in directory.iterdir():
            if path.name != LOCK_NAME or not locked:
                path.unlink()
        if made:
            directory.rmdir()
        raise


def _calls(file: Path) -> Iterator[tuple[int, Command, Call]]:
    """Yield (line, row, call) of each line of a dump. Raises Unusable for any other file."""
    builds: dict[str, Any] = {}
    number, line = 0, b""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                told = msgspec.json.decode(line)
                row = CATALOGUE.by_name[told["row"]]
                fields = {name: _unspell(value) for name, value in _plain_items(row, told["fields"]).items()}
                namespace = int(told.get("namespace", 0))
                tape, blob = builds.setdefault(row.name, binder(row))(fields)
            except (ValueError, KeyError, AttributeError, TypeError, SynapError):
                found = line[:40].decode("utf-8", "replace").rstrip() + ("..." if len(line) > 40 else "")
                raise Unusable(f"{file} line {number}: wanted a line of a dump, found {found or 'nothing'}") from None
            yield number, row, Call(row.code, namespace, tuple(tape), blob)
    if not line.endswith(b"\n"):
        found = f"the file ends within line {number}" if line else "an empty file"
        raise Unusable(f"{file}: wanted a whole dump, found {found}")


def _carry_out(directory: Path, file: Path) -> Iterator[str]:
    """Make the calls of a dump and yield how many were made. Raises Unusable if one is refused."""
    node = _open(directory, writable=True)
    engine = node.engine
    caller = Caller(Surface.PYTHON)
    done = 0
    try:
        for number, row, call in _calls(file):
            now = node.clock.now()
            outcome = engine.call(caller, call, now)
            if outcome.failed:
                raise Unusable(f"{file} line {number}: {row.name} was refused, is the directory empty?")
            done += bool(outcome.status & CHANGED)
            engine.settle(now)
        node.flush()
    finally:
        node.stop()
    yield f"{done} calls loaded"


def _carry_out_rdb(directory: Path, file: Path) -> Iterator[str]:
    """Store the keys of an RDB file and yield what was done. Raises CannotLoad."""
    node = _open(directory, writable=True)
    try:
        yield from rdb_load.load(node, file)
        node.flush()
    finally:
        node.stop()


def _open(directory: Path, writable: bool) -> Node:
    settings = Settings().replace(
        {"persistence.directory": str(directory), "persistence.wal.enabled": writable, "kv_store.max_memory_mb": 0}
    )

    def tell(progress: Progress) -> None:
        return

    prepare(workers_of(settings), tell)
    return Node(settings, Clock())


def _plain_items(row: Command, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with plain values in groups of one member, as a binder takes them, and not `{member: value}`.

    In a dump a JSON value stands under `json`, so an object under the member's own name is never a value.
    """
    found = dict(fields)
    for place in layout_of(row.args):
        node = place.node
        if not isinstance(node, GROUPS) or node.name not in found:
            continue
        members = field_names(node.inner)
        if len(members) == 1:
            found[node.name] = [
                item[members[0]] if isinstance(item, dict) and list(item) == members else item
                for item in found[node.name]
            ]
    return found


def _spell(text: bytes, form: int) -> Any:
    if form == FORM_JSON:
        return {"json": msgspec.Raw(text)}
    try:
        return text.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(text).decode()}


def _spell_reals(value: Any) -> Any:
    """Return a value whose infinite numbers, which JSON does not have, are texts, as a binder takes them."""
    if isinstance(value, dict):
        return {name: _spell_reals(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_spell_reals(inner) for inner in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


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
