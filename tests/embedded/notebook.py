"""Runs a notebook without Jupyter: every code cell in one fresh process, as a kernel does, and what each prints.

    printed(path)                          the text that each code cell prints, in order
    python -m tests.embedded.notebook PATH    runs it and writes what was printed into it
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BETWEEN = "\x1e"
RUNNER = """
import json, sys
cells = json.load(sys.stdin)
names = {"__name__": "__main__"}
for number, text in enumerate(cells):
    exec(compile(text, f"<cell {number}>", "exec"), names)
    sys.stdout.write("\\x1e")
"""


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook in format 4."""
    book = json.loads(path.read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


def stored(cell: dict[str, Any]) -> str:
    """What the notebook says that a cell has printed."""
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def printed(path: Path, seconds: float = 100.0) -> list[str]:
    """What each cell prints; raises RuntimeError with the trace of a cell that fails."""
    texts = ["".join(cell["source"]) for cell in code_cells(path)]
    done = subprocess.run([sys.executable, "-c", RUNNER], input=json.dumps(texts), capture_output=True, text=True,
                          timeout=seconds)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.split(BETWEEN)[:-1]


def refresh(path: Path) -> None:
    """Run the notebook and write what was printed into it."""
    found = iter(printed(path))
    book = json.loads(path.read_text(encoding="utf-8"))
    for number, cell in enumerate((cell for cell in book["cells"] if cell["cell_type"] == "code"), 1):
        text = next(found)
        cell["execution_count"] = number
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text.splitlines(True)}] if text else []
    path.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
