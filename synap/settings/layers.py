"""Reads the layers of settings above the defaults, config file, environment and flags, each into a `Layer`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from synap.settings.rows import FORMER, LATER, LATER_ENVIRONMENT, ROWS, SECTIONS, TABLE

if TYPE_CHECKING:
    import yaml

FILE_BYTES_MAX = 1 << 16
"""Size limit of the configuration file."""

FILE_DEPTH_MAX = 64
"""Limit of nesting in the file: composing nodes recurses in C and crashes the process at some 20,000 levels. Some
versions of PyYAML refuse deep nesting themselves, with a text of their own, before they return the events up to it."""

_PREFIX = "SYNAP_"
_NULL = "tag:yaml.org,2002:null"


class SettingsError(ValueError):
    """Raised for a setting that is refused, with one line: place, setting, what was wanted, what was found.

    `from_flags` is True for a mistake on the command line, False for one in the file or the environment.
    """

    def __init__(self, message: str, *, from_flags: bool = False) -> None:
        super().__init__(message)
        self.from_flags = from_flags


def found(text: str | None) -> str:
    """Spell a value for an error message. None means that the key has no value."""
    if text is None:
        return "nothing"
    shown = text if len(text) <= 60 else text[:59] + "…"
    return (shown if shown.isprintable() else ascii(shown)) or "an empty text"


def similar(name: str) -> str:
    """Return `; did you mean …?`, or an empty text if no known name is close."""
    from difflib import get_close_matches

    if name in SECTIONS:
        return ", which is a section"
    known = get_close_matches(name, [*ROWS, *SECTIONS], 1, 0.7)
    return f"; did you mean {known[0]}?" if known else ""


class Layer:
    """The settings of one source: values by name, the place of each, and warnings."""

    def __init__(self, *, flags: bool = False, file: bool = False) -> None:
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.warnings: list[str] = []
        self.asked: set[str] = set()  # names that were chosen: a file may repeat all the defaults
        self._flags = flags
        self._file = file

    def refuse(self, where: str, name: str, wanted: str, text: str) -> SettingsError:
        named = f"{where}: {name}" if name else where
        return SettingsError(f"{named}: wanted {wanted}, found {text}", from_flags=self._flags)

    def take(self, where: str, name: str, text: str | None) -> None:
        """Set `name` to the value that `text` represents (None: a key without a value). Raise SettingsError."""
        former = FORMER.get(name)
        if name in ROWS:
            self._keep(where, name, name, text)
        elif former is None:
            self.unknown(where, name)
        elif former.to and text is None:
            self.warnings.append(f"{where}: {name} has no value and no effect")
        elif former.to:
            self._keep(where, name, former.to, text)
            self.warnings.append(f"{where}: {name} is read as {former.to}")
        else:
            self.warnings.append(f"{where}: {name} has no effect: {former.note}")

    def _keep(self, where: str, name: str, real: str, text: str | None) -> None:
        row = ROWS[real]
        try:
            if text is None:
                raise ValueError(row.kind.wanted)
            value = row.kind.read(text if real == name else FORMER[name].turn(text))
        except ValueError as error:
            raise self.refuse(where, name, str(error), found(text)) from None
        if self.values.setdefault(real, value) != value:
            wanted = f"one value, as {self.origins[real]} says {row.write(self.values[real])}"
            raise self.refuse(where, real, wanted, found(row.write(value)))
        self.origins.setdefault(real, where)
        if not self._file or value != row.default:
            self.asked.add(real)

    def unknown(self, where: str, name: str) -> None:
        """Warn of a name that is no setting, a later section or a typo. Raise SettingsError for a flag."""
        section = name.partition(".")[0]
        if section in LATER:
            self.warnings.append(f"{where}: {name} has no effect: {LATER[section]}")
        elif self._flags:
            raise SettingsError(f"{where}: there is no setting {found(name)}{similar(name)}", from_flags=True)
        else:
            self.warnings.append(f"{where}: there is no setting {found(name)}{similar(name)}")


def from_file(path: str) -> Layer:
    """Read a YAML file. Raise `OSError` if it cannot be read, `SettingsError` if its contents are refused."""
    import yaml

    with open(path, "rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    layer = Layer(file=True)
    if len(data) > FILE_BYTES_MAX:
        raise layer.refuse(path, "", f"at most {FILE_BYTES_MAX} bytes", "more")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode("utf-8-sig")
        if too_deep := _too_deep(text, loader):
            raise layer.refuse(f"{path} line {too_deep}", "", f"at most {FILE_DEPTH_MAX} levels", "more")
        node = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise layer.refuse(f"{path} line {line}", "", "UTF-8", f"byte 0x{data[error.start]:02x}") from None
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark)
        raise SettingsError(f"{path} line {line}: wanted YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: wanted YAML: {' '.join(str(error).split())}") from None
    if node is not None and node.tag != _NULL:
        _take_section(layer, path, "", node)
    return layer


def _line(mark: Any) -> int:
    """Return the line of a YAML mark, counted from 1."""
    return mark.line + 1 if mark else 1


def _too_deep(text: str, loader: Any) -> int:
    """Return the line where nesting exceeds the limit, or 0.

    If the library refuses the text, prefixes of the text are parsed, by bisection: a prefix that ends soon after
    the limit is exceeded yields the events up to there. A prefix is too short if the library accepts it, or
    refuses it for another reason, namely that it ends early.
    """
    line, refused = _first_too_deep(text, loader)
    short, long = 0, len(text)
    while refused and not line and long - short > 1:
        half = (short + long) // 2
        line, other = _first_too_deep(text[:half], loader)
        short, long = (short, half) if other == refused else (half, long)
    return line


def _first_too_deep(text: str, loader: Any) -> tuple[int, str]:
    """Return (line where nesting exceeds the limit or 0, the reason if the library refuses the text before that)."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > FILE_DEPTH_MAX:
                return _line(event.start_mark), ""
    except yaml.YAMLError as error:
        return 0, str(getattr(error, "problem", error))
    return 0, ""


def _take_section(layer: Layer, path: str, above: str, node: "yaml.Node") -> None:
    """Read each `key: value` of a section; `above` is its dotted name, empty for the whole file."""
    from yaml import MappingNode, ScalarNode, SequenceNode

    def place(at: "yaml.Node") -> str:
        return f"{path} line {_line(at.start_mark)}"

    if not isinstance(node, MappingNode):
        raise layer.refuse(place(node), above, "lines of `key: value`", _shape(node))
    lines: dict[str, str] = {}
    for key, value in node.value:
        where = place(key)
        if not isinstance(key, ScalarNode):
            raise layer.refuse(where, above, "a name before the colon", _shape(key))
        name = f"{above}.{key.value}" if above else key.value
        if lines.setdefault(name, where) != where:
            raise layer.refuse(where, name, f"only the entry at {lines[name]}", "a second one")
        if name in SECTIONS:
            if value.tag != _NULL:
                _take_section(layer, path, name, value)
        elif name not in ROWS and name not in FORMER:
            layer.unknown(where, name)
        elif isinstance(value, ScalarNode):
            layer.take(where, name, None if value.tag == _NULL else value.value)
        elif isinstance(value, SequenceNode) and name in ROWS and ROWS[name].many:
            items = [item.value if isinstance(item, ScalarNode) else _shape(item) for item in value.value]
            layer.take(where, name, ",".join(items))
        elif name in FORMER and not FORMER[name].to:
            layer.take(where, name, None)
        else:
            row = ROWS[FORMER[name].to if name in FORMER else name]
            raise layer.refuse(where, name, row.kind.wanted, _shape(value))


def _shape(node: "yaml.Node") -> str:
    """Return a node of the wrong type as an error message shows it."""
    from yaml import MappingNode, SequenceNode

    match node:
        case MappingNode():
            return "a section"
        case SequenceNode():
            return "a list"
        case _:
            return found(None if node.tag == _NULL else node.value)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """Read the variables `SYNAP_SECTION__KEY` and the few short names; other variables are ignored."""
    layer = Layer()
    short = {row.short: row.name for row in TABLE if row.short}
    single = {row.environment.replace("__", "_"): row.environment for row in TABLE}
    for variable, text in sorted(environ.items()):
        where = f"environment {variable}"
        later = [note for start, note in LATER_ENVIRONMENT.items() if variable.startswith(start)]
        if variable in short:
            layer.take(where, short[variable], text)
        elif variable.startswith(_PREFIX) and "__" in variable:
            layer.take(where, variable.removeprefix(_PREFIX).lower().replace("__", "."), text)
        elif later:
            layer.warnings.append(f"{where} has no effect: {later[0]}")
        elif variable in single:
            layer.warnings.append(f"{where} has no effect; did you mean {single[variable]}?")
    return layer


def from_flags(flags: Iterable[tuple[str, str]]) -> Layer:
    """Read flags in the given order: `("--port", "8080")`, or `("--set", "server.port=8080")`.

    A flag of a list may be repeated: `("--host", "127.0.0.1")` and `("--host", "::1")` give two hosts.
    """
    layer = Layer(flags=True)
    names = {row.flag: row.name for row in TABLE if row.flag}
    for flag, text in _joined(flags):
        name, given = names.get(flag, ""), text
        if not name:
            name, equals, given = text.partition("=")
            if not equals:
                raise layer.refuse(flag, "", "section.key=value", found(text))
        layer.take(flag, name.strip(), given)
    return layer


def _joined(flags: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return the flags; all values of a list flag are joined with commas, at the first place of the flag."""
    lists = {row.flag for row in TABLE if row.flag and row.many}
    found: list[tuple[str, str]] = []
    first: dict[str, int] = {}
    for flag, text in flags:
        place = first.setdefault(flag, len(found))
        if flag in lists and place < len(found):
            found[place] = (flag, f"{found[place][1]},{text}")
        else:
            found.append((flag, text))
    return found


def from_values(values: Mapping[str, object]) -> Layer:
    """Read settings given by a program: values of the right type, or texts."""
    layer = Layer(flags=True)
    for name, value in values.items():
        typed = name in ROWS and not isinstance(value, str)
        layer.take("given", name, ROWS[name].write(value) if typed else str(value))
    return layer
