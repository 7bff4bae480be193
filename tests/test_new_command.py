"""The example of docs/development.md, carried out: four snippets and `synap generate` make a command on every surface.

The tree is copied to a temporary directory, the snippets of the page are put where their first line says, and a Python
of its own looks at the result. Only the door of the family is compiled again.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Bench

ROOT = Path(__file__).parent.parent
SNIPPET = re.compile(r"^```\w+\n(?:# |<!-- )(\S+), (.+?)(?: -->)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PLACES = 4
CPU_MAX_S = 40
PROGRAM = '''
import sys
from random import Random

sys.path.append("tests/surfaces")
from surfaces import Surfaces

import synap
from synap.client.keys import Keys
from synap.commands import CATALOGUE
from tests.conftest import prepare
from tests.store.calls import WEIGHTS, Calls
from tests.store.differential import Differential
from tests.support import Bench, Refusal

assert synap.__file__.startswith(sys.argv[1]), synap.__file__
prepare()
surfaces = Surfaces()
for version in (2, 3):
    surfaces.resp("SET", "k", "banana", version=version)
    assert surfaces.resp("STRCOUNT", "k", "97", version=version) == 3
assert isinstance(surfaces.resp("STRCOUNT", "k"), Refusal)
assert surfaces.rest("GET", "/kv/k/count?byte=97")[:2] == (200, {"count": 3})
assert surfaces.command("kv.count_byte", {"key": "k", "byte": 110})["payload"] == {"count": 2}
surfaces.resp("RPUSH", "l", "a")
assert surfaces.rest("GET", "/kv/l/count?byte=97")[0] >= 400  # a list

db = surfaces.database
db.set("k", "banana")
assert db.strcount("k", 97) == 3 and db.strcount("none", 97) == 0 and "how often a byte" in db.strcount.__doc__

request = Keys.strcount.build(None, "k", 97)
assert request.words == ("STRCOUNT", "k", 97) and request.repeatable
assert request.convert(surfaces.resp(*request.words)) == 3

ways = Differential(Bench)
calls = Calls(Random(1), ways.state)
calls.weights = {"STRCOUNT": WEIGHTS["STRCOUNT"], "SET": 1, "APPEND": 1, "RPUSH": 0.5}
for _ in range(100):
    ways.batch([calls.next() for _ in range(5)])
assert ways.seen["kv.count_byte"] > 50

for example in CATALOGUE.by_name["kv.count_byte"].examples:
    assert example.reply in ("OK", surfaces.resp(*example.words.split()))
'''


def placed(text: str, place: str, code: str) -> str:
    """A file's text with a snippet at its place."""
    if place == "at the end of ROWS":
        end = text.rindex("]  # fmt: skip")
        return text[:end] + code + text[end:]
    if place == "at the end":
        return f"{text}\n\n{code}"
    heading = re.fullmatch(r'below "(.+)"', place)
    assert heading, f"what place is this: {place}"
    start = text.index(f"\n{heading[1]}\n\n") + len(heading[1]) + 3
    return text[:start] + code + text[start:]


def copied(target: Path) -> None:
    """The tree, without what is not checked in."""
    for name in ("synap", "docs", "tests"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CHANGELOG.md", "README.md"):
        shutil.copy(ROOT / name, target / name)


def python(tree: Path, *arguments: str) -> str:
    """What a Python of this tree says."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.timeout(400)
def test_the_example_of_the_page(store: type[Bench], tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    copied(tree)
    snippets = SNIPPET.findall((ROOT / "docs" / "development.md").read_text(encoding="utf-8"))
    assert len(snippets) == PLACES
    for name, place, code in snippets:
        path = tree / name
        path.write_text(placed(path.read_text(encoding="utf-8"), place, code), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    written = python(tree, "-m", "synap", "generate").splitlines()
    assert {line.removeprefix("wrote ") for line in written} == {
        "synap/store/doors/substrings.py", "synap/store/slots/substrings.py", "synap/store/memory/codes.py",
        "synap/io/embedded/generated/substrings.py", "synap/client/generated/substrings.py",
        "docs/commands.md", "tests/golden/opcodes.txt", "tests/golden/tapes.txt",
    }  # fmt: skip
    python(tree, "-c", PROGRAM, str(tree))
    checks = ("test_generated.py", "derive", "store/test_twins.py", "store/test_grammar.py")
    named = (
        "count_byte or has_a_twin or has_a_method or written_by_hand or has_cases or order_of_its_slots "
        "or has_every_row or each_slot or no_parameter"
    )
    python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", named, *(f"tests/{name}" for name in checks))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < CPU_MAX_S
