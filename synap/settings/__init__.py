"""Settings: read from defaults, config file, environment and flags, and checked against one table.

One row of `rows.TABLE` is one setting. Four layers may give it a value; later layers have precedence:

    default in the row  <  config.yml  <  environment  <  flags

A value is a *text* until its row's kind has parsed it, whichever layer it comes from. The file is parsed
into YAML nodes, not into Python objects, so `64mb`, `on` or `010` mean the same in the file, in the
environment and in `--set`, and every error can name the line. Within one layer a setting has one
value; a second, different value is refused, whether it comes from a repeated key, an old name or another
flag. Unknown names give a warning (an unknown flag is refused), so a file for another version still loads.

    kinds.py      parsing of values                 layers.py     file, environment, flags
    rows.py       the table, and former names       documents.py  config.yml and the docs, generated
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from synap.hosts import is_loopback
from synap.settings.documents import config_file, reference
from synap.settings.layers import Layer, SettingsError, found, from_environment, from_file, from_flags, from_values
from synap.settings.rows import AT_MOST, ROWS, TABLE, Setting

__all__ = ["FILE", "ROWS", "TABLE", "Section", "Setting", "Settings", "SettingsError", "explain",
           "explain_table", "load"]

FILE = "config.yml"
"""The file read from the working directory if it exists and no other file is named."""


class Section:
    """A read-only section: the parts of dotted names are attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no setting {name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings do not change: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"settings do not change: {name}")


class Settings(Section):
    """All settings, as `settings.server.port`, or by name and typed, as `settings.number("server.port")`.

    Two `Settings` are equal if their values are, whichever layers gave them.
    """

    def __init__(self, layers: Iterable[Layer] = ()) -> None:
        values = {row.name: row.default for row in TABLE}
        origins = dict.fromkeys(values, "default")
        said: list[str] = []
        asked: set[str] = set()
        for layer in layers:
            values |= layer.values
            origins |= layer.origins
            said += layer.warnings
            asked |= layer.asked
        super().__init__(_tree(values) | {
            "_values": values, "_origins": origins, "_said": tuple(said), "_asked": frozenset(asked),
        })  # fmt: skip
        self._check()

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ROWS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and vars(self)["_values"] == vars(other)["_values"]

    def __hash__(self) -> int:
        return hash(tuple(self._values.values()))

    def __repr__(self) -> str:
        changed = [name for name, row in ROWS.items() if self[name] != row.default]
        return f"<Settings {' '.join(f'{name}={self.written(name)}' for name in changed) or 'all default'}>"

    def number(self, name: str) -> int:
        value = self[name]
        assert type(value) is int, f"{name} is not a number"
        return value

    def text(self, name: str) -> str:
        value = self[name]
        assert type(value) is str, f"{name} is not a text"
        return value

    def switch(self, name: str) -> bool:
        value = self[name]
        assert type(value) is bool, f"{name} is not a switch"
        return value

    def names(self, name: str) -> tuple[str, ...]:
        value = self[name]
        assert type(value) is tuple, f"{name} is not a list of names"
        return value

    def written(self, name: str) -> str:
        """Return the value as a text that every layer reads back as the same value."""
        return ROWS[name].write(self[name])

    def origin(self, name: str) -> str:
        """Return the source of the value: `default`, `config.yml line 4`, `environment SYNAP_PORT`, `--port`."""
        return str(self._origins[name])

    def asked_for(self, name: str) -> bool:
        """Return True if a flag or the environment gave the value, or a file gave one other than the default."""
        return name in self._asked

    def replace(self, values: Mapping[str, object]) -> "Settings":
        """Return a copy with `values`, by dotted name, changed and checked. Raise SettingsError."""
        same = Layer()
        same.values, same.origins, same.warnings = self._values, self._origins, list(self._said)
        same.asked = set(self._asked)
        return Settings((same, from_values(values)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the operator, a line each: names without effect, listeners open to other machines."""
        open_to_others = [
            f"{self.origin(name)}: {name}: {host} accepts connections from other machines, "
            "and clients need no password"
            for name, listens in (("server.host", True), ("resp.host", self.resp_listens))
            if listens
            for host in self.names(name)
            if not is_loopback(host)
        ]
        return (*self._said, *open_to_others)

    @property
    def resp_listens(self) -> bool:
        """True if there is a RESP listener: enabled, and with a port other than 0."""
        return self.switch("resp.enabled") and self.number("resp.port") != 0

    @property
    def memory_bytes_max(self) -> int:
        """The setting `kv_store.max_memory_mb` in bytes; 0 there means the memory of this machine."""
        asked = self.number("kv_store.max_memory_mb")
        if asked == 0 and hasattr(os, "sysconf"):
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return (asked or int(ROWS["kv_store.max_memory_mb"].default)) << 20

    def _check(self) -> None:
        """Check conditions between settings. Raise SettingsError."""
        for small, large in AT_MOST:
            if self[small] > self[large]:
                raise self._refusal(small, f"at most {self.written(large)}, which is {large}", large)
        http, resp = set(self.names("server.host")), set(self.names("resp.host"))
        same_place = http & resp or (http | resp) & {"0.0.0.0", "::"}
        port = self.number("resp.port")
        if self.resp_listens and port > 0 and port == self.number("server.port") and same_place:
            raise self._refusal("resp.port", "a port other than server.port", "server.port")

    def _refusal(self, name: str, wanted: str, other: str) -> SettingsError:
        places = (self.origin(name), self.origin(other))
        return SettingsError(
            f"{places[0]}: {name}: wanted {wanted} ({places[1]}), found {self.written(name)}",
            from_flags=any(place.startswith("--") for place in places),
        )


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested sections."""
    heads: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        head, _, rest = name.partition(".")
        heads.setdefault(head, {})[rest] = value
    return {head: below[""] if "" in below else Section(_tree(below)) for head, below in heads.items()}


def load(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Iterable[tuple[str, str]] = (),
) -> Settings:
    """Return the settings from all four layers.

    `path` names the file; without it `SYNAP_CONFIG` does, else `config.yml` is read if it exists.
    `environ` is by default the process' environment, `flags` are pairs such as `("--port", "0")` or
    `("--set", "server.port=0")`. Raise `SettingsError` for a setting that is refused and `OSError`
    for a file that cannot be read.
    """
    environ = os.environ if environ is None else environ
    named = "--config"
    if path is None and environ.get("SYNAP_CONFIG"):
        path, named = environ["SYNAP_CONFIG"], "environment SYNAP_CONFIG"
    elif path is None and os.path.lexists(FILE):
        path, named = FILE, "in the working directory"
    file = [] if path is None else [_read_file(os.fspath(path), named)]
    return Settings((*file, from_environment(environ), from_flags(flags)))


def _read_file(path: str, named: str) -> Layer:
    """Return the settings in a file. Raise OSError with the file, the source of its name, and the error."""
    try:
        return from_file(path)
    except OSError as error:
        failure = type(error)(f"the settings file {found(path)} ({named}) cannot be read: {error.strerror or error}")
        failure.errno = error.errno
        raise failure from error


def explain(settings: Settings | None = None) -> str:
    """Return a complete `config.yml` with these settings (by default the defaults), each with a description."""
    settings = settings or Settings()
    return config_file({name: settings[name] for name in ROWS})


def explain_table() -> str:
    """Return the settings reference of `docs/operations.md`, in Markdown."""
    return reference()
