"""The facts about source files on which compiled code depends: their text, what they import, and what they use of it.

Parsing all files takes longer than loading all kernels, so the facts about a text are kept in the cache on disk, named
by a digest of the text and of this file; a wheel brings them along.
"""

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from synap.compiler.entries import Entries, chosen_directory
from synap.compiler.shipped import Shipped, place_of_kernels

PACKAGE = __name__.split(".")[0]
ROOT = Path(__file__).resolve().parent.parent

entries = Entries(chosen_directory())
"""The cache on disk. Its directory is chosen once, here: a program may change its working directory later."""

shipped = Shipped(place_of_kernels(ROOT, entries.directory), entries)
"""The kernels that this package was installed with, or those that `synap warmup --all-tiers` has made, if any."""

_OWN_TEXT = Path(__file__).read_bytes()  # read at the import: an upgrade may replace the file later
_Facts = tuple[list[str], list[tuple[str, str]], bool]


class Source(NamedTuple):
    """The facts about a file of this package on which the code of its functions depends."""

    digest: str = ""
    path: str = ""
    imports: frozenset[str] = frozenset()  # names of modules of this package
    uses: frozenset[tuple[str, str]] = frozenset()  # (module, name) of what the file uses of them
    is_data: bool = True  # True if the file defines no function and no class


def _read(path: Path, module: str) -> Source:
    """Return the facts about the source file of `module`, from the cache if its text was parsed before."""
    text = path.read_bytes()
    name = _name_of_facts(module, text)
    facts = _kept(name)
    if facts is None:
        facts = _parse(text, module)
        entries.keep(name, json.dumps(facts).encode())
    imports, uses, is_data = facts
    return Source(hashlib.sha256(text).hexdigest(), str(path), frozenset(imports), frozenset(uses), is_data)


def _name_of_facts(module: str, text: bytes) -> str:
    """Return the name of the entry with the facts about a source text of `module`."""
    return f"sources/{_digest(_OWN_TEXT, module.encode(), text)[:24]}.json"


def to_ship(module: str) -> tuple[str, _Facts]:
    """Return the name and the facts under which a source file of the package is shipped."""
    source = facts(module)
    name = _name_of_facts(module, Path(source.path).read_bytes())
    return name, (sorted(source.imports), sorted(source.uses), source.is_data)


def _kept(name: str) -> _Facts | None:
    """Return the facts in an entry; None if there is none, or if it is not of our making."""
    try:
        imports, uses, is_data = shipped.facts(name) or json.loads(entries.read(name) or b"")
        return [str(place) for place in imports], [(str(place), str(used)) for place, used in uses], bool(is_data)
    except (ValueError, TypeError):
        return None


def _digest(*parts: bytes) -> str:
    """Return a digest of these texts, with their sizes."""
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


def _parse(text: bytes, module: str) -> _Facts:
    """Return `imports`, `uses` and `is_data` of a source text of `module`, see `Source`."""
    nodes = list(ast.walk(ast.parse(text)))
    imports: set[str] = set()
    uses: set[tuple[str, str]] = set()
    known: dict[str, str] = {}  # names in this file -> the modules that they may stand for
    for node in nodes:
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
            uses |= {(alias.name, "*") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parts, node.module] if node.module else parts)
            imports |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
            uses |= {(base, alias.name) for alias in node.names}
            known |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            uses.add((known[node.value.id], node.attr))
    ours = {name for name in imports if name.split(".")[0] == PACKAGE}
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    defines = any(isinstance(node, definitions) for node in nodes)
    return sorted(ours), sorted((place, name) for place, name in uses if place in ours), not defines


@cache
def constants(module: str) -> dict[str, Any]:
    """Return what a file of data defines, by name."""
    path = file_of(module)
    assert path is not None
    found: dict[str, Any] = {"__name__": module, "__file__": str(path)}
    exec(compile(path.read_bytes(), str(path), "exec"), found)
    return found


def constant(module: str, name: str) -> str:
    """Return the value of a name of a file of data, as text for the digest; the digests of the file and of all that it
    imports if the value is not plain."""
    value = constants(module).get(name)
    if name != "*" and isinstance(value, int | float | str | bytes | tuple | None):
        return f"{module}.{name}={value!r}"
    return " ".join(sorted(facts(place).digest for place in closure(module)))


def file_of(module: str) -> Path | None:
    """Return the source file of a module, None if there is none."""
    if module.split(".")[0] != PACKAGE:  # a test or a notebook with border functions of its own
        path = getattr(sys.modules.get(module), "__file__", None)
        return Path(path) if path else None
    path = ROOT.joinpath(*module.split(".")[1:])
    if path.is_dir():
        return path / "__init__.py"
    path = path.with_suffix(".py")
    return path if path.is_file() else None


@cache
def facts(module: str) -> Source:
    """Return the facts about the file of a module; empty ones if it has no file."""
    path = file_of(module)
    return Source() if path is None else _read(path, module)


def closure(module: str) -> set[str]:
    """Return the names of this module and of all modules of the package that it imports, directly or indirectly."""
    seen: set[str] = set()
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name in seen or name == PACKAGE:
            continue
        seen.add(name)
        wanted.extend(facts(name).imports)
    return seen


