"""The calls of the product's quick start, typed into a shell with the real curl: tests/server/quick_start.yml."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.server.clients import Server

PARTS = yaml.safe_load((Path(__file__).parent / "quick_start.yml").read_text(encoding="utf-8"))
CALLS = {"readme": 21, "aliases": 11, "precedence": 26}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RECEIPT = re.compile(UUID.pattern + r":\d+")
PORTS = re.compile(r"localhost:1550[0-3]\b")
UNORDERED = "<in any order>"
SHAPES: dict[str, dict[str, Any]] = {
    "<replication>": {
        "role": "standalone", "status": "healthy", "replicas": "<any>", "current_offset": "<number>",
    },
    "<stats>": {
        "depth": 1, "consumers": 0, "published": 1, "consumed": 0, "acked": 0, "nacked": 0, "dead_lettered": 0,
    },
}  # fmt: skip


def differs(wanted: Any, found: Any, place: str = "the body") -> str:
    """Where and how `found` is not what the list wants, or nothing."""
    if isinstance(wanted, str) and wanted in SHAPES:  # these fields, and perhaps others
        if not isinstance(found, dict):
            return f"{place}: wanted an object, found {found!r}"
        return differs(SHAPES[wanted], {name: found[name] for name in SHAPES[wanted] if name in found}, place)
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() != found.keys():
            return f"{place}: wanted the fields {sorted(wanted)}, found {sorted(found)}"
        return next(filter(None, (differs(wanted[name], found[name], f"{place}.{name}") for name in wanted)), "")
    if isinstance(wanted, list) and wanted[:1] == [UNORDERED] and isinstance(found, list):
        return differs(sorted(wanted[1:]), sorted(found), place)
    fits = {
        "<any>": True,
        "<uuid>": isinstance(found, str) and UUID.fullmatch(found) is not None,
        "<receipt>": isinstance(found, str) and RECEIPT.fullmatch(found) is not None,
        "<number>": isinstance(found, (int, float)) and not isinstance(found, bool),
        "<time>": isinstance(found, int) and abs(found - time.time()) < 60,
        "<soon>": isinstance(found, int) and 0 < found - time.time() < 300,
    }
    same = found == wanted and type(found) is type(wanted)
    right = fits.get(wanted, same) if isinstance(wanted, str) else same
    return "" if right else f"{place}: wanted {wanted!r}, found {found!r}"


def typed(line: str, port: int) -> tuple[int, Any]:
    """(status, body) of a curl command."""
    line = PORTS.sub(f"127.0.0.1:{port}", line)
    assert line.startswith("curl ") and str(port) in line, line
    line = "curl -sS -w '\\n%{http_code}' " + line.removeprefix("curl ")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


@pytest.mark.parametrize("part", PARTS, ids=[part["part"] for part in PARTS])
def test_it_answers_as_shown(node: Server, part: dict[str, Any]) -> None:
    assert len(part["calls"]) == CALLS[part["part"]]
    wrong = []
    for number, call in enumerate(part["calls"], 1):
        status, body = typed(call["curl"], node.http_port)
        if status != call["status"]:
            wrong.append(f"{number}. {call['curl'].strip()}\n   wanted {call['status']}, found {status}: {body}")
        elif problem := differs(call["body"], body):
            wrong.append(f"{number}. {call['curl'].strip()}\n   {problem}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_what_differs() -> None:
    for wanted, found in [
        (1, True), (1, 1.0), ("a", "b"), ({"a": 1}, {}), ({"a": {"b": 1}}, {"a": {"b": 2}}), ("<uuid>", "xxx"),
        ("<number>", True), ("<time>", 5), ("<stats>", []), ("<stats>", {"depth": 1}), ([1], [2]), ([1, 2], [2, 1]),
        ([UNORDERED, "a", "b"], ["b"]), ([UNORDERED, "a"], None),
    ]:  # fmt: skip
        assert differs(wanted, found), (wanted, found)
    for wanted, found in [
        ({"a": "<any>"}, {"a": None}), ([UNORDERED, "a", "b"], ["b", "a"]),
        ("<time>", int(time.time())), ("x", "x"), (None, None),
    ]:  # fmt: skip
        assert not differs(wanted, found), (wanted, found)
