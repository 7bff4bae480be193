"""Files generated from the command table and checked in: doors, golden files, the reference of commands.

    synap/store/doors/<family>.py      the compiled entrance of each family
    synap/io/embedded/generated, synap/client/generated   the Python methods of rows, a file for each family
    synap/store/doors/life_of_<kinds>.py   the compiled entrance of each kind
    synap/store/memory/kinds.py, kinds/dispatch.py   the numbers of the kinds, and the calls of their doors
    synap/store/memory/codes.py, refusals.py   the codes of rows and what kernels return for faults, by name
    synap/store/slots/<family>.py      the slots of each row's tape, by name
    tests/golden/{opcodes,tapes,faults}.txt   the meaning of codes; lines are added, never changed
    docs/commands.md                   every row, for readers
    docs/operations.md                 its tables of Redis' settings
    docs/architecture.md               its map of folders and files, off their docstrings; its diagrams of states

`texts` returns the expected contents of these files, `run` writes the files that differ. Nothing is written if the
table breaks a promise of the golden files.
"""

from collections.abc import Iterator
from pathlib import Path

from synap.cli.diagrams import with_diagrams
from synap.cli.setting_table import with_settings
from synap.cli.tree_map import with_map
from synap.commands import CATALOGUE, FAMILIES
from synap.derive.command_pages import commands_page
from synap.derive.doors import door_text, rows_of
from synap.derive.goldens import FAULTS_HEAD, OPCODES_HEAD, TAPES_HEAD, faults, grown, opcodes, tapes
from synap.derive.kinds import check_answers, dispatch_text, kind_door_text, numbers_text
from synap.derive.method_texts import all_text, class_name, client_text, embedded_text
from synap.derive.names import codes_text, refusals_text
from synap.derive.slots import slots_text
from synap.faults import SynapError
from synap.store.kinds.table import KINDS, NAMED

ROOT = Path(__file__).resolve().parents[2]
"""The source tree that contains this file."""

DOORS = "synap/store/doors"
EMBEDDED, CLIENT = "synap/io/embedded/generated", "synap/client/generated"
KIND_NUMBERS, KIND_DISPATCH = "synap/store/memory/kinds.py", "synap/store/kinds/dispatch.py"
SLOTS = "synap/store/slots"
CODES, REFUSALS = "synap/store/memory/codes.py", "synap/store/memory/refusals.py"
OPCODES, TAPES = "tests/golden/opcodes.txt", "tests/golden/tapes.txt"
FAULTS = "tests/golden/faults.txt"
COMMANDS, ARCHITECTURE, OPERATIONS = "docs/commands.md", "docs/architecture.md", "docs/operations.md"


class NoSourceTree(SynapError):
    """Generated files belong to a source tree, but this is an installed package."""


def texts(root: Path) -> dict[str, str]:
    """Return the expected text of each generated file, by its path in the source tree `root`. Raises PromiseBroken,
    and AnswerMissing if a kind leaves a question open."""
    check_answers(lambda path: _text(ROOT / path))
    found = {f"{DOORS}/{family}.py": door_text(CATALOGUE, family) for family in FAMILIES}
    found |= methods()
    found |= {f"{SLOTS}/{family}.py": slots_text(CATALOGUE, family) for family in FAMILIES}
    found |= {f"{DOORS}/{kind.door}.py": kind_door_text(kind) for kind in (*KINDS, *NAMED)}
    found |= {KIND_NUMBERS: numbers_text(), KIND_DISPATCH: dispatch_text()}
    found |= {CODES: codes_text(CATALOGUE), REFUSALS: refusals_text()}
    found[FAULTS] = grown(_text(root / FAULTS), FAULTS_HEAD, faults(), longer=False)
    found[OPCODES] = grown(_text(root / OPCODES), OPCODES_HEAD, opcodes(CATALOGUE), longer=False)
    found[TAPES] = grown(_text(root / TAPES), TAPES_HEAD, tapes(CATALOGUE), longer=True)
    found[COMMANDS] = commands_page(CATALOGUE)
    found[OPERATIONS] = with_settings(_text(ROOT / OPERATIONS))
    found[ARCHITECTURE] = with_diagrams(with_map(_text(ROOT / ARCHITECTURE), ROOT))
    return found


def methods() -> dict[str, str]:
    """Return the files of the Python methods."""
    found = {}
    for family in FAMILIES:
        rows = rows_of(CATALOGUE, family)
        found[f"{EMBEDDED}/{family}.py"] = embedded_text(rows, family)
        found[f"{CLIENT}/{family}.py"] = client_text(rows, family)
    for folder, generic in ((EMBEDDED, False), (CLIENT, True)):
        package = folder.replace("/", ".")
        with_class = [family for family in FAMILIES if class_name(family) in found[f"{folder}/{family}.py"]]
        found[f"{folder}/__init__.py"] = all_text(package, with_class, generic)
    return found


def run(root: Path) -> Iterator[str]:
    """Write every generated file whose text differs; yield a line for each. Raises NoSourceTree or PromiseBroken."""
    if not (root / "pyproject.toml").is_file():
        raise NoSourceTree(f"{root} is not a source tree: it has no pyproject.toml")
    stale = {path: text for path, text in texts(root).items() if _text(root / path) != text}
    for path, text in stale.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        yield f"wrote {path}"
    if not stale:
        yield "all files were up to date"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
