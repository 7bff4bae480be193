"""A kind more is a folder and a line of the table of kinds: everything else follows from `synap generate`.

The test plants the kind in `toys/` in a copy of the package, as docs/development.md tells, and asks a server of that
copy for everything that is done with every kind. Only the two doors of the kind are compiled.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synap.store.kinds.table import KINDS, NAMED
from tests.server.clients import eventually
from tests.server.processes import ROOT, Process, plain_environment
from tests.support import Refusal

TOYS = Path(__file__).parent / "toys"
LINE = (
    f'    Kind("toy", {len(KINDS) + 1}, "toys", rows=("synap.store.kinds.toys.rows",), root_words=3, '
    'encodings=("chain",)),\n'
)  # fmt: skip
TABLE_END = ")\nNAMED = ("
MANY = 20_000


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with one kind more, not yet generated."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("synap", "tests/golden"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "docs").mkdir()
    for name in ("pyproject.toml", "docs/architecture.md", "docs/commands.md", "docs/operations.md"):
        shutil.copy(ROOT / name, tree / name)
    shutil.copytree(TOYS, tree / "synap/store/kinds/toys", ignore=shutil.ignore_patterns("__pycache__"))
    table = tree / "synap/store/kinds/table.py"
    text = table.read_text(encoding="utf-8")
    assert text.count(TABLE_END) == 1
    table.write_text(text.replace(TABLE_END, LINE + TABLE_END), encoding="utf-8")
    return tree


def synap(tree: Path, word: str) -> subprocess.CompletedProcess[str]:
    """`synap generate` or `synap warmup` in a tree."""
    return subprocess.run(
        [sys.executable, "-m", "synap", word], cwd=tree, env=plain_environment(PYTHONPATH=str(tree)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_answer_that_is_missing_fails(tree: Path) -> None:
    life = tree / "synap/store/kinds/toys/life.py"
    text = life.read_text(encoding="utf-8")
    life.write_text(text.replace("def free_some(", "def free("), encoding="utf-8")
    failed = synap(tree, "generate")
    life.write_text(text, encoding="utf-8")
    assert failed.returncode != 0
    assert "synap/store/kinds/toys/life.py: wanted a function free_some(words, octets, ref, budget)" in failed.stderr


def test_a_folder_and_a_line_make_a_kind(tree: Path, tmp_path: Path, store: object) -> None:
    wrote = synap(tree, "generate").stdout.splitlines()
    assert {"wrote synap/store/doors/toys.py", "wrote synap/store/doors/life_of_toys.py"} <= set(wrote)
    assert {line.split("/")[0] for line in wrote} == {"wrote synap", "wrote tests", "wrote docs"}
    assert "def toysum(" in (tree / "synap/io/embedded/generated/toys.py").read_text(encoding="utf-8")
    assert "3001 toy.add\n" in (tree / "tests/golden/opcodes.txt").read_text(encoding="utf-8")

    prepared = synap(tree, "warmup").stdout
    assert prepared.startswith("Synap ")
    compiled = re.search(r"\((\d+) kernels compiled\)", prepared)  # none, if this test has run before
    assert compiled is None or int(compiled[1]) <= 2
    server = Process(tmp_path, environment={"PYTHONPATH": str(tree)})
    try:
        server.start()
        works(server)
        digest = told(server)
        server.restart()  # reads a snapshot, then the log
        assert told(server) == digest
    finally:
        server.end()


def works(server: Process) -> None:
    """All that is done with any kind, with toys."""
    with server.resp() as client:
        assert client.ask("TOYADD", "t", 1, 2, 39) == 3 and client.ask("TOYSUM", "t") == 42
        assert client.ask("SET", "text", "v") == b"OK"
        assert client.ask("TOYADD", "text", 1) == client.ask("TOYSUM", "text") == client.ask("GET", "t")
        assert isinstance(client.ask("GET", "t"), Refusal)

        assert client.ask("TYPE", "t") == b"toy"
        assert client.ask("SCAN", 0, "COUNT", 100, "TYPE", "toy") == [b"0", [b"t"]]
        assert client.ask("OBJECT", "ENCODING", "t") == b"chain"
        assert client.ask("ACL", "CAT", "toy") == [b"toyadd", b"toysum"]

        assert client.ask("COPY", "t", "u") == 1 and client.ask("TOYSUM", "u") == 42
        assert client.ask("TOYADD", "u", 1) == 4 and client.ask("TOYSUM", "t") == 42
        assert client.ask("RENAME", "u", "w") == b"OK" and client.ask("PEXPIRE", "w", 10_000_000) == 1
        assert client.ask("MOVE", "w", 1) == 1

        few = client.ask("MEMORY", "USAGE", "t")
        assert client.ask("TOYADD", "big", *range(MANY)) == MANY
        assert client.ask("MEMORY", "USAGE", "big") - few == (MANY - 3) * 16
        before, unlinked, after = client.ask_all(["INFO", "memory"], ["UNLINK", "big"], ["INFO", "memory"])
        assert unlinked == 1 and used(before) - used(after) < MANY  # freed in steps, later
        eventually(lambda: used(before) - used(client.ask("INFO", "memory")) >= MANY * 16)
        assert client.ask("TOYADD", "big", *range(3_000)) == 3_000  # several pieces of a snapshot
        assert client.ask("SAVE") == b"OK"
        assert client.ask("TOYADD", "late", 5) == 1

    assert server.http("POST", "/toy/h/add", {"numbers": [1, 2]}) == (200, {"count": 2})
    assert server.http("GET", "/toy/h/sum") == (200, {"sum": 3})
    call = {"command": "toy.sum", "request_id": "1", "payload": {"key": "h"}}
    assert server.http("POST", "/api/v1/command", call)[1]["payload"] == {"sum": 3}
    described = server.http("GET", "/openapi.json")[1]
    assert described["paths"]["/toy/{key}/sum"]["get"]["tags"] == ["toy"]


def used(info: bytes) -> int:
    """`used_memory` of INFO."""
    return int(info.partition(b"used_memory:")[2].split()[0])


def told(server: Process) -> dict[bytes, bytes]:
    """The digests of all kinds; that of toys is of more than nothing."""
    with server.resp() as client:
        client.ask("HELLO", 3)
        found: dict[bytes, bytes] = client.ask("DEBUG", "DIGEST")
        client.ask("SELECT", 1)
        assert client.ask("TOYSUM", "w") == 43 and client.ask("PTTL", "w") > 0
    assert set(found) == {kind.folder.encode() for kind in (*KINDS, *NAMED)} | {b"toys"}
    assert int(found[b"toys"], 16) and int(found[b"strings"], 16) and not int(found[b"lists"], 16)
    return found
