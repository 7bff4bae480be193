"""Handlers of COMMAND and its subcommands, derived from the command table."""

import fnmatch
from collections.abc import Iterator
from typing import Any

from synap.arguments import (
    GROUPS,
    WRITE,
    AnyOrder,
    Argument,
    Choice,
    Counted,
    Flag,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Real,
    Timeout,
    Token,
    layout,
    words_min,
)
from synap.call import Value
from synap.command import Command
from synap.compat.redis_facts import FACTS
from synap.derive import tape_reader
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.faults import Fault
from synap.store.kinds import table
from synap.store.lane import lane
from synap.store.memory import layout as heap
from synap.traits import BY_SHARD_CHANNEL

HEAD = 1  # words of a command's name
CATEGORIES = {"key": "keyspace"} | {kind.family or kind.name: kind.category or kind.name for kind in table.KINDS}
"""ACL categories of rows, by what their names begin with, where these differ."""


def rows_of(engine: Engine) -> list[Command]:
    """Return all rows with a RESP command."""
    return [row for row in engine.catalogue.rows if row.resp and not row.internal]


def names(engine: Engine) -> dict[str, list[Command]]:
    """Return the top-level names in small letters, with their rows: one, or those of a container."""
    found: dict[str, list[Command]] = {}
    for row in rows_of(engine):
        found.setdefault(row.resp.split("|")[0].lower(), []).append(row)
    return found


def arity(row: Command) -> int:
    """Return the number of words with the name; negative if there may be more."""
    least = row.words_min + row.resp.count("|") + HEAD
    return least if row.words_min == row.words_max else -least


def flags(row: Command) -> list[str]:
    """Return Redis' flags of the command, or derive them from the row if Redis has no such command."""
    if row.resp in FACTS:
        return FACTS[row.resp][0]
    found = ["write"] if row.writes else ["readonly"] if any(_keys(row)) else []
    if row.grows:
        found.append("denyoom")
    if row.waits:
        found.append("blocking")
    if row.family in ("server", "connection"):
        found += ["noscript", "loading", "stale"]
    if row.family == "server":
        found.append("admin")
    if row.control:
        found.append("no_multi")
    if any(_keys(row)) and positions(row) == (0, 0, 0):
        found.append("movablekeys")
    return found


def categories(row: Command) -> list[str]:
    """Return Redis' ACL categories of the command, or derive them from the row if Redis has no such command."""
    if row.resp in FACTS:
        return FACTS[row.resp][1]
    found = ["@" + CATEGORIES.get(row.family, row.family), "@slow"]
    if any(_keys(row)):
        found.insert(0, "@write" if row.writes else "@read")
    if row.waits:
        found.append("@blocking")
    if row.family == "server":
        found += ["@admin", "@dangerous"]
    return found


def _keys(row: Command) -> Iterator[Key]:
    return (place.node for place in layout(row.args) if isinstance(place.node, Key))


def positions(row: Command) -> tuple[int, int, int]:
    """Return (first key, last key, step) if keys have fixed positions or go on to the end, else zeros."""
    if row.traits & BY_SHARD_CHANNEL:
        return 1, -1 if isinstance(row.args[0], Many) else 1, 1
    at = HEAD + row.resp.count("|")
    fixed: list[int] = []
    for i, node in enumerate(row.args):
        if isinstance(node, Key):
            fixed.append(at)
        elif isinstance(node, Many) and any(isinstance(inner, Key) for inner in node.inner) and not node.like:
            behind = sum(words_min(later) for later in row.args[i + 1 :])
            inside = [j for j, inner in enumerate(node.inner) if isinstance(inner, Key)]
            step = sum(words_min(inner) for inner in node.inner)
            first = fixed[0] if fixed else at + inside[0]
            return (first, -1 - behind, step) if len(inside) == 1 else (0, 0, 0)
        elif any(isinstance(place.node, Key) for place in layout((node,))):
            break
        least = words_min(node)
        if isinstance(node, (AnyOrder, Optional, Flag, *GROUPS)) or least == 0:
            break
        at += least
    if not fixed:
        return 0, 0, 0
    return fixed[0], fixed[-1], max(1, (fixed[-1] - fixed[0]) // max(len(fixed) - 1, 1))


def key_specs(row: Command) -> list[Any]:
    """Return Redis' key specifications: where keys begin and how to find them."""
    first, last, step = positions(row)
    how = [b"RW", b"update"] if row.writes else [b"RO", b"access"]
    if first:
        limit = {"lastkey": last if last < 0 else last - first, "keystep": step, "limit": 0}
        return [{
            "flags": how, "begin_search": {"type": b"index", "spec": {"index": first}},
            "find_keys": {"type": b"range", "spec": limit},
        }]  # fmt: skip
    at = HEAD + row.resp.count("|")
    for node in row.args:
        if isinstance(node, Counted) and any(isinstance(inner, Key) for inner in node.inner):
            return [{
                "flags": how, "begin_search": {"type": b"index", "spec": {"index": at}},
                "find_keys": {"type": b"keynum", "spec": {"keynumidx": 0, "firstkey": 1, "keystep": 1}},
            }]  # fmt: skip
        at += words_min(node)
    return []


def described(name: str, rows: list[Command]) -> list[Any]:
    """Return the ten items of COMMAND INFO for a name."""
    row = rows[0]
    below = [_details(one.resp.lower(), one, []) for one in rows if "|" in one.resp]
    if "|" not in row.resp:
        return _details(name, row, below)
    marks, groups = FACTS.get(name.upper(), ([], ["@slow"]))
    return [name.encode(), -2, list(marks), 0, 0, 0, list(groups), [], [], below]


def _details(name: str, row: Command, below: list[Any]) -> list[Any]:
    return [
        name.encode(), arity(row), list(flags(row)), *positions(row), list(categories(row)), [], key_specs(row), below,
    ]  # fmt: skip


KINDS = {Key: b"key", Int: b"integer", Real: b"double", Timeout: b"double"}


def documented(node: Argument) -> dict[str, Any]:
    """Return one argument in the form of COMMAND DOCS."""
    if isinstance(node, Flag):
        return {"name": (node.name or node.word).lower().encode(), "type": b"pure-token", "token": node.word.encode(),
                "flags": ["optional"]}  # fmt: skip
    if isinstance(node, Choice):
        words = [{"name": w.lower().encode(), "type": b"pure-token", "token": w.encode()} for w in node.words]
        return {"name": node.name.encode(), "type": b"oneof", "arguments": words}
    if isinstance(node, OneOf):
        inner = [documented(one) for one in node.inner]
        for one in inner:
            one.pop("flags", None)
        found: dict[str, Any] = {"name": node.name.encode(), "type": b"oneof"}
        if not node.required:
            found["flags"] = ["optional"]
        return found | {"arguments": inner}
    if isinstance(node, Token):
        inner = [documented(one) for one in node.inner]
        if len(inner) == 1:
            return inner[0] | {"token": node.word.encode(), "flags": ["optional"]}
        return {"name": node.word.lower().encode(), "type": b"block", "token": node.word.encode(),
                "flags": ["optional"], "arguments": inner}  # fmt: skip
    if isinstance(node, AnyOrder | Optional):
        inner = [documented(one) for one in node.inner]
        return {"name": b"options", "type": b"block", "flags": ["optional"], "arguments": inner}
    if isinstance(node, GROUPS):
        inner = [documented(one) for one in node.inner]
        more = ["multiple"] if node.least else ["optional", "multiple"]
        name = node.name.encode()
        count = [{"name": b"count", "type": b"integer"}] if isinstance(node, Counted) else []
        if isinstance(node, Halves) or count or len(inner) > 1:
            return {"name": name, "type": b"block", "flags": more, "arguments": [*count, *inner]}
        return inner[0] | {"flags": more}
    kind = next((word for kind, word in KINDS.items() if isinstance(node, kind)), b"string")
    found = {"name": node.name.encode(), "type": kind}
    return found | {"key_spec_index": 0} if kind == b"key" else found


def docs(name: str, rows: list[Command]) -> dict[str, Any]:
    """Return the entry of COMMAND DOCS for a name."""
    row = rows[0]
    if "|" in row.resp:
        return {
            "summary": f"A container for {row.family} commands".encode(), "since": row.since.encode(),
            "group": row.family.encode(), "subcommands": {one.resp.lower(): _doc(one) for one in rows},
        }  # fmt: skip
    below = {one.resp.lower(): _doc(one) for one in rows[1:]}
    return _doc(row) | ({"subcommands": below} if below else {})


def _doc(row: Command) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": row.doc.encode(), "since": row.since.encode(), "group": row.family.encode(),
    }  # fmt: skip
    return found | {"arguments": [documented(node) for node in row.args]} if row.args else found


def keys_of(engine: Engine, words: list[bytes]) -> tuple[Command, list[bytes]]:
    """Parse a command given as words; return its row and keys. Raise Fault if the words are no such call."""
    call = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    at = heap.CALL_BLOB * heap.WORD
    if len(call) > heap.CALL_BLOB_BYTES:
        raise Fault("QUERY_TOO_LARGE")
    engine.bytes[at : at + len(call)] = call
    numbers = engine.numbers
    kept = numbers[heap.LANE_AT]
    row_at = lane.parse(engine.words, engine.octets, at, at + len(call))
    count = numbers[heap.LANE_CALLS]
    numbers[heap.LANE_AT] = kept
    row = engine.rows.get(row_at)
    if row is None:
        raise Fault("NO_SUCH_COMMAND")
    if not any(_keys(row)):
        raise Fault("NO_KEYS")
    given = count - 1
    if not numbers[row_at + heap.ROW_WORDS_MIN] <= given <= numbers[row_at + heap.ROW_WORDS_MAX]:
        raise Fault("BAD_CALL")
    if lane.fill_tape(engine.words, engine.octets, row_at, count):
        raise Fault("BAD_CALL")
    spans = list(tape_reader.keys(row, numbers, engine.bytes, heap.TAPE))
    return row, [bytes(engine.bytes[start : start + size]) for start, size in spans]


def _listed(engine: Engine, words: list[bytes]) -> list[Any]:
    """Return the names of COMMAND LIST, all or filtered."""
    found = names(engine)
    if not words:
        return [name.encode() for name in found]
    if len(words) != 3 or words[0].upper() != b"FILTERBY":
        raise Fault("SYNTAX")
    value = words[2].decode("utf-8", "replace").lower()
    what = words[1].upper()
    if what == b"MODULE":
        return []
    if what == b"ACLCAT":
        return [row.resp.lower().encode() for row in rows_of(engine) if "@" + value in categories(row)]
    if what == b"PATTERN":
        every = {*found, *(row.resp.lower() for row in rows_of(engine))}
        return [name.encode() for name in sorted(every) if fnmatch.fnmatchcase(name, value)]
    raise Fault("SYNTAX")


def _named(engine: Engine, word: bytes) -> tuple[str, list[Command]] | None:
    name = word.decode("utf-8", "replace").lower()
    rows = names(engine).get(name) or [row for row in rows_of(engine) if row.resp.lower() == name and "|" in name]
    return (name, rows) if rows else None


def command(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the description of all commands."""
    return [described(name, rows) for name, rows in names(engine).items()]


def command_count(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of commands; a container counts once."""
    return len(names(engine))


def command_info(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the description of these commands, None for an unknown one; without names, of all."""
    words = [item["name"] for item in args["names"]]
    if not words:
        return command(engine, caller, args, now)
    found = [_named(engine, word) for word in words]
    return [None if one is None else _single(*one) for one in found]


def command_docs(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the documentation of these commands; without names, of all."""
    words = [item["name"] for item in args["names"]]
    if not words:
        return {name: docs(name, rows) for name, rows in names(engine).items()}
    return {one[0]: docs(*one) if "|" not in one[0] else _doc(one[1][0])
            for one in (_named(engine, word) for word in words) if one}  # fmt: skip


def command_list(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the names of commands, all or filtered."""
    return _listed(engine, [item["word"] for item in args["rest"]])


def command_getkeys(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the keys of a full command."""
    return keys_of(engine, [item["word"] for item in args["rest"]])[1]


def command_getkeysandflags(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the keys of a full command, each with its access flags."""
    row, keys = keys_of(engine, [item["word"] for item in args["rest"]])
    access = [[b"RW", b"update"] if key.access == WRITE else [b"RO", b"access"] for key in _keys(row)]
    return [[key, access[min(i, len(access) - 1)]] for i, key in enumerate(keys)]


def _single(name: str, rows: list[Command]) -> list[Any]:
    return _details(name, rows[0], []) if "|" in name else described(name, rows)


HANDLERS: dict[str, Handler] = {
    "command": command,
    "command_count": command_count,
    "command_info": command_info,
    "command_docs": command_docs,
    "command_list": command_list,
    "command_getkeys": command_getkeys,
    "command_getkeysandflags": command_getkeysandflags,
}
