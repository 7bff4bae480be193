"""The rules of tidiness: the ranks of the folders and the bans by place, read off the syntax tree of every file.

A rule is a generator of `(line, what is wrong)` over one `Source`. An exception is an entry of a table in this
file with its reason; `tests/test_tidy.py` runs the rules, tests them, and fails for an entry that nothing needs.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "synap"

RANKS = {
    "compiler": 0,
    "kernels": 1, "traits": 1, "routes": 1, "methods": 1, "reply": 1,
    "faults": 2, "call": 2, "either": 2, "hosts": 2, "command": 2,
    "store": 3,
    "settings": 4, "derive": 4, "auth": 4, "observe": 4,
    "compat": 5,
    "engine": 6, "journal": 6, "proto": 6,
    "commands": 7,
    "io": 8, "client": 8,
    "cli": 9,
    "__main__": 10,
    "": 10,  # synap/__init__.py, which only users import
}  # fmt: skip

EVERYWHERE = ("numpy",)
WAITING = ("io", "client", "cli")
COMPILED = ("compiler", "kernels", "store")
LIBRARIES = {
    "structlog": ("io",),
    "numba": COMPILED, "llvmlite": COMPILED,
    "yaml": ("settings",),
    "lz4": ("journal",), "zstandard": ("store",),
    "msgspec": ("derive", "compat", "observe", "proto", "io", "client"),  # JSON: surfaces, never the engine or a row
    "h11": ("proto",), "httptools": ("proto",), "wsproto": ("proto",),
    "anyio": WAITING, "uvloop": WAITING, "asyncio": WAITING,
    "click": ("cli",),
    "prometheus_client": ("observe",),
    "rich": ("io", "cli"),
}  # fmt: skip
"""Libraries by place. One that is missing here has no place yet, whatever is installed."""

CLOCK = "synap.io.node.clock"
CLOCKS = re.compile(
    r"time\.(time|monotonic|perf_counter|process_time|thread_time|clock_gettime|sleep|localtime|gmtime|ctime)(_ns)?"
    r"|datetime\.(datetime|date)\.(now|utcnow|today)"
)
CHANCE = re.compile(r"(random|secrets|uuid|numpy\.random)(\..*)?|os\.(urandom|getrandom)")

OPENING = ("io", "cli", "settings", "client")
OPENERS = re.compile(r"open|(io|os|codecs|gzip|bz2|lzma)\.open|os\.(fdopen|openpty)|pathlib\.Path\.open|tempfile\..*")
SOCKETS = re.compile(r"(socket|socketserver|ssl|select|selectors|http\.client|http\.server|urllib\.request)(\..*)?")
FILE_METHODS = ("read_text", "read_bytes", "write_text", "write_bytes")
READERS = {
    "synap.compiler.sources": "names its cache by the sources' text, and must not import synap.io to read it",
    "synap.compiler.entries": "keeps compiled kernels on disk, for programs without synap.io as well",
}

ASSERTED = ("isinstance", "type", "len", "sum", "any", "all", "encode", "layout_of")
"""Functions and methods that an assert may call: they only look. `layout_of` lists a part of a row's grammar."""

KIND_NUMBERS = "synap.store.memory.kinds"
KIND_PLACES = ("synap.store.kinds.", "synap.store.records.kind_facts")
KIND_ASKERS = {
    "synap.store.calls.bulk": "arrays of keys are of strings",
    "synap.engine.handlers.keys": "LCS is of strings",
}
"""Modules that may compare a kind with a number, and why."""

ROW_LISTS = {"FACTS": "what Redis says of its own commands"}
"""Tables that may be asked for a row by its name, and what they hold."""

CODES_WRITTEN = ("synap.store.memory.codes",)

TAPE_NAMES = re.compile(r"(\w*_)?tape|TAPE|DECIDED|CALL")
"""Names of variables and regions that are words at which a tape starts."""
SLOT_NAMES = "synap.store.slots."
SLOT_WRITERS = {
    "synap.store.memory.tapes": "has the functions that read and write a slot of any row",
    "synap.store.memory.decided": "has the functions that build the tape of any row",
    "synap.store.memory.frames": "copies the tape of any row",
    "synap.store.lane.grammar": "fills the tape of any row by its compiled grammar",
    "synap.store.lane.json_batch": "fills the tape of any row by the names of its fields",
}
"""Modules that work on the tape of any row, where slots are positions and no names."""

NAMES_BANNED = ("utils", "util", "helpers", "helper", "common", "misc")

LINES_MAX = 450
LONG_FILES: dict[str, str] = {}
FUNCTION_LINES_MAX = 120
LONG_FUNCTIONS = {
    "synap.store.lane.grammar.fill": "one branch for each instruction of the grammar, around shared positions",
}
COLUMNS_MAX = 120


@dataclass(frozen=True)
class Source:
    """One file: the dotted name of its module and its text."""

    module: str
    text: str
    path: str = ""

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        """The folder or module right under the package that it belongs to; '' for the package itself."""
        return part_of(self.module)

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """(line, full name) of everything imported: modules, and names from modules."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self.base_of(node)
                found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
        return found

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What each imported name stands for, in full."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{self.base_of(node)}.{alias.name}"
        return found

    @cached_property
    def uses(self) -> list[tuple[int, str]]:
        """(line, full name) of every name and dotted name that is read, imports followed."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute):
                name = dotted(node)
                if name:
                    first, dot, rest = name.partition(".")
                    found.append((node.lineno, self.aliases.get(first, first) + dot + rest))
        return found

    def base_of(self, node: ast.ImportFrom) -> str:
        """The module that a `from` names; dots are counted from this one."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        if not self.path.endswith("__init__.py"):
            parts.pop()
        parts = parts[: len(parts) - (node.level - 1)]
        return ".".join([*parts, node.module] if node.module else parts)


def part_of(module: str) -> str:
    """`store` for synap.store.lane.lane, `command` for synap.command, '' for synap."""
    return module.split(".")[1] if "." in module else ""


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an expression that is one, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        outer = dotted(node.value)
        return f"{outer}.{node.attr}" if outer else ""
    return ""


@cache  # each rule goes through all files: they are parsed once for all rules
def sources() -> list[Source]:
    """Every file of the package."""
    found = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found.append(Source(module, path.read_text(encoding="utf-8"), name))
    return found


Found = Iterator[tuple[int, str]]
Rule = Callable[[Source], Found]


def rank(source: Source) -> Found:
    """A module imports only smaller ranks or its own folder."""
    mine = RANKS.get(source.part)
    if mine is None:
        yield 1, f"synap.{source.part} has no rank"
        return
    for line, name in source.imports:
        if name.split(".")[0] != PACKAGE or name == "synap.__version__":  # a text, with nothing behind it
            continue
        part = part_of(name) if part_of(name) in RANKS else ""
        other = RANKS[part]
        if part != source.part and other >= mine:
            kind = "a sibling" if other == mine else "a higher rank"
            yield line, f"rank {mine} ({source.part or PACKAGE}) imports {name}, {kind}: rank {other}"


def library(source: Source) -> Found:
    """Every library has its places."""
    for line, name in source.imports:
        first = name.split(".")[0]
        known = first in sys.stdlib_module_names and first not in LIBRARIES
        if first in ("", PACKAGE, "__future__", *EVERYWHERE) or known:
            continue
        if source.part not in LIBRARIES.get(first, ()):
            places = ", ".join(LIBRARIES.get(first, ())) or "nowhere yet, see LIBRARIES"
            yield line, f"{first} is imported in {source.part or PACKAGE}; its place is {places}"


def waiting(source: Source) -> Found:
    """Only io, client and cli wait."""
    if source.part in WAITING:
        return
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node in ast.walk(source.tree):
        if isinstance(node, kinds):
            yield node.lineno, "await or async outside io, client and cli"
        elif isinstance(node, ast.comprehension) and node.is_async:
            yield node.target.lineno, "await or async outside io, client and cli"


def chance(source: Source) -> Found:
    """Clocks, randomness and uuids come in by io/node/clock.py."""
    if source.module == CLOCK:
        return
    for line, name in (*source.imports, *source.uses):
        if CLOCKS.fullmatch(name):
            yield line, f"{name} is a clock: only io/node/clock.py reads one"
        elif CHANCE.fullmatch(name):
            yield line, f"{name} is chance: only io/node/clock.py draws it"


def opening(source: Source) -> Found:
    """Files and sockets are opened by io, cli, settings and client."""
    if source.part in OPENING or source.module in READERS:
        return
    for line, name in source.imports:
        if SOCKETS.fullmatch(name) or OPENERS.fullmatch(name):
            yield line, f"{name} is imported outside {', '.join(OPENING)}"
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        first, dot, rest = name.partition(".")
        full = source.aliases.get(first, first) + dot + rest
        if OPENERS.fullmatch(full) or SOCKETS.fullmatch(full):
            yield node.lineno, f"{full}( outside {', '.join(OPENING)}"
        elif isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS:
            yield node.lineno, f".{node.func.attr}( outside {', '.join(OPENING)}"


def named(source: Source) -> Found:
    """No module is called after having no idea."""
    for word in source.module.split("."):
        if word in NAMES_BANNED:
            yield 1, f"a module called {word} says nothing: name it for what it holds"


def by_name(source: Source) -> Found:
    """No code depends on which row it is: that is data on the row."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare):
            for left, sign, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                same = isinstance(sign, ast.Eq | ast.NotEq)
                if _is_row_name(left) and _is_text(right) and (same or isinstance(sign, ast.In | ast.NotIn)):
                    yield node.lineno, "a row is told by its name: put the difference on the row"
                elif same and _is_text(left) and _is_row_name(right):
                    yield node.lineno, "a row is told by its name: put the difference on the row"
                elif isinstance(sign, ast.In | ast.NotIn) and _is_row_fact(left) and _is_list_elsewhere(right):
                    yield node.lineno, "a row is told by a list of names: put the difference on the row"
        elif isinstance(node, ast.Match) and _is_row_name(node.subject):
            yield node.lineno, "a row is told by its name: put the difference on the row"


def typed_code(source: Source) -> Found:
    """No code of a row is typed again: `store/memory/codes.py` has its name."""
    if source.part in ("commands", "compat") or source.module in (*CODES_WRITTEN, *_rows_of_kinds()):
        return
    for line, text in enumerate(source.text.splitlines(), 1):
        for number in re.findall(r"\b0x[0-9A-Fa-f]{4}\b", text):
            if int(number, 16) in _codes():
                yield line, f"{number} is the code of a row: use its name in synap.store.memory.codes"


@cache
def _rows_of_kinds() -> frozenset[str]:
    from synap.store.kinds.table import KINDS, NAMED

    return frozenset(module for kind in (*KINDS, *NAMED) for module in kind.rows)


@cache
def _codes() -> frozenset[int]:
    from synap.commands import CATALOGUE

    return frozenset(CATALOGUE.by_code)


def typed_slot(source: Source) -> Found:
    """No slot of a tape is counted: `synap/store/slots` has its name."""
    if source.part != "store" or source.module in SLOT_WRITERS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Subscript):
            index = node.slice
            if _is_tape(index):
                yield node.lineno, f"{ast.unparse(node)} has no name of a slot, see synap/store/slots"
            elif isinstance(index, ast.BinOp) and isinstance(index.op, ast.Add):
                parts = _summands(index)
                if any(_is_tape(part) for part in parts) and any(_is_counted(source, part) for part in parts):
                    yield node.lineno, f"{ast.unparse(node)} counts a slot, see synap/store/slots"
        elif isinstance(node, ast.Call):
            for before, argument in zip(node.args, node.args[1:], strict=False):
                if _is_tape(before) and any(_is_counted(source, part) for part in _summands(argument)):
                    yield node.lineno, f"{ast.unparse(node)} counts a slot, see synap/store/slots"


def _is_tape(node: ast.expr) -> bool:
    return TAPE_NAMES.fullmatch(dotted(node).rpartition(".")[2]) is not None


def _summands(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a sum of products; a sum of one part is that part."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
        return [*_summands(node.left), *_summands(node.right)]
    return [node]


def _is_counted(source: Source, node: ast.expr) -> bool:
    """Return True for a number, and for a constant that is no generated name of a slot."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    name = dotted(node)
    first, dot, rest = name.partition(".")
    full = source.aliases.get(first, first) + dot + rest
    return name.rpartition(".")[2].isupper() and not _is_tape(node) and not full.startswith(SLOT_NAMES)


def by_kind(source: Source) -> Found:
    """Only a kind's own folder, and what is generated from the table of kinds, asks of which kind something is."""
    if source.module.startswith(KIND_PLACES) or source.module in KIND_ASKERS:
        return
    kinds = {name for name, full in source.aliases.items() if full.startswith(KIND_NUMBERS) and name.isupper()}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                name = dotted(side)
                if name in kinds or (source.aliases.get(name.partition(".")[0]) == KIND_NUMBERS and "." in name):
                    yield node.lineno, f"compared with {name}: ask the kinds, see store/kinds/table.py"


def _is_row_name(node: ast.expr) -> bool:
    name = dotted(node).split(".")
    return len(name) > 1 and name[-2] in ("row", "command") and name[-1] in ("name", "resp")


def _is_row_fact(node: ast.expr) -> bool:
    name = dotted(node).split(".")
    return len(name) > 1 and name[-2] in ("row", "command") and name[-1] in ("name", "resp", "code", "handler")


def _is_list_elsewhere(node: ast.expr) -> bool:
    name = dotted(node).split(".")[-1]
    return name.isupper() and name not in ROW_LISTS


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(_is_text(item) for item in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""


def swallowing(source: Source) -> Found:
    """No failure is swallowed unseen."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = any(kind is None or dotted(kind) in ("Exception", "BaseException") for kind in types)
            if broad and all(_does_nothing(statement) for statement in node.body):
                yield node.lineno, "an exception of any kind is swallowed"
        elif isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "suppress":
            if any(dotted(kind) in ("Exception", "BaseException") for kind in node.args):
                yield node.lineno, "an exception of any kind is swallowed"


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue)


def asserting(source: Source) -> Found:
    """An assert only looks: `python -O` leaves it out, with whatever it does."""
    acting = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Assert):
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and _called(part) not in ASSERTED:
                yield part.lineno, f"an assert calls {_called(part)}(): python -O leaves that out, see ASSERTED"
            elif isinstance(part, acting):
                yield part.lineno, f"an assert holds {ast.unparse(part)}: python -O leaves that out"


def _called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)


def printing(source: Source) -> Found:
    """Only the command line prints."""
    if source.part != "cli":
        for line, name in source.uses:
            if name == "print":
                yield line, "print( outside cli"


def file_length(source: Source) -> Found:
    """A file has one idea."""
    count = source.text.count("\n")
    if count > LINES_MAX and source.module not in LONG_FILES:
        yield count, f"{count} lines, more than {LINES_MAX}: a design question"


def function_length(source: Source) -> Found:
    """A function fits a screen, or two."""
    for name, node in functions(source):
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > FUNCTION_LINES_MAX and name not in LONG_FUNCTIONS:
            yield node.lineno, f"{name} has {count} lines, more than {FUNCTION_LINES_MAX}"


def line_length(source: Source) -> Found:
    """A line fits a window."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, more than {COLUMNS_MAX}"


def documented(source: Source) -> Found:
    """Whatever is public says what it is: modules, and their classes and functions."""
    if not ast.get_docstring(source.tree):
        yield 1, f"module {source.module} has no docstring"
    for node in _statements(source.tree.body):
        if not isinstance(node, Definition) or any(dotted(by) == "overload" for by in node.decorator_list):
            continue  # what is overloaded says it once, where it is written
        if not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.lineno, f"{source.module}.{node.name} has no docstring"


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, those under an `if` or `try` included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _statements([*statement.body, *statement.orelse, *getattr(statement, "finalbody", ())])
            for handler in getattr(statement, "handlers", ()):
                yield from _statements(handler.body)


def functions(source: Source) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function, also inner ones, by full name."""

    def inside(node: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}.{inner.name}", inner
            yield from inside(inner, f"{name}.{inner.name}" if isinstance(inner, Definition) else name)

    return inside(source.tree, source.module)


def twins_missing(wanted: list[str], folder: Path) -> list[str]:
    """`module.function` of the store that no file of that name under `folder` has a function for."""
    missing = []
    for name in wanted:
        module, _, function = name.partition(".")
        paths = [path for path in folder.rglob(f"{module}.py") if "doors" not in path.parts]
        tree = ast.parse("".join(path.read_text(encoding="utf-8") for path in paths))
        if function not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(name)
    return missing


RULES: list[Rule] = [
    rank, library, waiting, chance, opening, named, by_name, by_kind, typed_code, typed_slot, swallowing, asserting,
    printing, file_length, function_length, line_length, documented,
]  # fmt: skip
