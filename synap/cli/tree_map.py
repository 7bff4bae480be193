"""The map of the package in docs/architecture.md: a sentence for each folder and each file, off their docstrings."""

import ast
from pathlib import Path

BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"


def with_map(page: str, root: Path) -> str:
    """Return the page with the map of the package under `root` between its two marks, which must be there."""
    return between(page, BEGIN, END, map_text(root))


def between(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with `text` between two marks, which must be there."""
    before, _, rest = page.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"wanted {begin.strip()} and {end.strip()} in the page, found not both")
    return before + begin + text + end + after


def map_text(root: Path) -> str:
    """Return the map: each folder with its sentence, then each of its files with its own."""
    package = root / "synap"
    text = ""
    for folder in sorted({path.parent for path in package.rglob("*.py")}):
        name = folder.relative_to(root).as_posix()
        text += f"\n**`{name}/`** {_first(folder / '__init__.py')}\n\n"
        files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
        text += "".join(f"- `{path.name}`: {_first(path)}\n" for path in files)
    return text + "\n"


def _first(path: Path) -> str:
    """Return the first sentence of the docstring of a file, as one line that ends with a full stop."""
    if not path.is_file():
        return ""
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(words.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return (sentence + stop.strip() if stop else paragraph).rstrip(":;") or "."
