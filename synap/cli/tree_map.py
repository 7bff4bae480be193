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
    """Return the map: each folder with its sentence, then each of its files with its own.

    The sentence of an `__init__.py` is that of its folder. If it defines public names, its entry lists these.
    """
    package = root / "synap"
    text = ""
    for folder in sorted({path.parent for path in package.rglob("*.py")}):
        name = folder.relative_to(root).as_posix()
        text += f"\n**`{name}/`** {_first(folder / '__init__.py')}\n\n"
        for path in sorted(folder.glob("*.py")):
            told = _first(path) if path.name != "__init__.py" else _defined(path)
            text += f"- `{path.name}`: {told}\n" if told else ""
    return text + "\n"


def _defined(path: Path) -> str:
    """Return a sentence with the public names that a file defines, except type variables; empty if there are none."""
    names: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
                continue
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
    public = [f"`{name}`" for name in names if not name.startswith("_")]
    return f"Defines {', '.join(public)}." if public else ""


def _first(path: Path) -> str:
    """Return the first sentence of the docstring of a file, as one line that ends with a full stop."""
    if not path.is_file():
        return ""
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(words.split("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(". ")
    return (sentence + stop.strip() if stop else paragraph).rstrip(":;") or "."
