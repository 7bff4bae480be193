"""Libraries of functions in Lua: FUNCTION LOAD and its relatives.

The texts of the libraries are state (store/kinds/libraries); Lua has the functions that they register. When another
text is there than Lua has read, as after a restart, `sync` loads it.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synap.compat.rdb.errors import NoFunction, RdbError, WrongChecksum
from synap.compat.rdb.payloads import pack_libraries, unpack_libraries
from synap.engine.callers import Caller
from synap.engine.inner_calls import perform
from synap.engine.resp.encoding import UnbalancedQuotes, split_line
from synap.engine.scripts.state import NotCompiled
from synap.faults import BrokenNode, Fault
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.engine.engine import Engine
    from synap.engine.scripts.scripts import Scripts

log = logging.getLogger("synap")
NAME = re.compile(r"[A-Za-z0-9_]+")
LOAD_NS_MAX = 500_000_000
"""The time that loading a library may take, in ns."""


@dataclass(frozen=True)
class Function:
    """A function of a library: its name, its description or None, its flags."""

    name: str
    description: bytes | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """A library: its name, its text, its functions."""

    name: str
    code: bytes
    functions: tuple[Function, ...]


class Libraries:
    """The libraries of an engine, as Lua has them after `sync`."""

    def __init__(self, engine: "Engine", scripts: "Scripts") -> None:
        self._engine, self._scripts = engine, scripts
        self._known: dict[str, Library] = {}

    def forget(self) -> None:
        """Note that Lua has none of the libraries any more."""
        self._known.clear()
        self._engine.numbers[layout.LUA_LIBRARIES] = -1

    def sync(self, now: int) -> dict[str, Library]:
        """Let Lua read the texts that were stored or removed since it has read them; return all libraries by name.

        A library that cannot be loaded any more, as Lua may have less memory now, has no functions.
        """
        numbers = self._engine.numbers
        if numbers[layout.LUA_LIBRARIES] == numbers[layout.LIBRARIES_CHANGES]:
            return self._known
        stored = dict(self._stored(now))
        for name in [name for name, library in self._known.items() if stored.get(name) != library.code]:
            del self._known[name]
            self._scripts.opened().remove_library(name)
        for name, code in sorted(stored.items()):
            if name not in self._known:
                try:
                    self._known[name] = self._loaded(name, code, self._known)
                    self._scripts.opened().add_library(name)
                except Fault as fault:
                    log.error("the library %s cannot be loaded: %s", name, fault.resp_text())
                    self._known[name] = Library(name, code, ())
        numbers[layout.LUA_LIBRARIES] = numbers[layout.LIBRARIES_CHANGES]
        return self._known

    def load(self, caller: Caller, code: bytes, replace: bool, now: int) -> str:
        """Load a library and store its text; return its name. Raises Fault."""
        known = self.sync(now)
        name = name_of(code)
        if name in known and not replace:
            raise Fault("LIBRARY_EXISTS", library=name)
        library = self._loaded(name, code, {each: known[each] for each in known if each != name})
        self._run(caller, "function.store", now, library=name, code=code)
        self._scripts.opened().add_library(name)
        known[name] = library
        numbers = self._engine.numbers
        numbers[layout.LUA_LIBRARIES] = numbers[layout.LIBRARIES_CHANGES]
        return name

    def remove(self, caller: Caller, names: Iterable[str], now: int) -> None:
        """Remove libraries, as one group of the log. Raises Fault; when a library does not exist, none is removed."""
        known, names = self.sync(now), list(names)
        if not known.keys() >= set(names):
            raise Fault("NO_LIBRARY")
        with self._group(now):
            for name in names:
                self._run(caller, "function.remove", now, library=name)

    def dump(self, now: int) -> bytes:
        """Return all libraries as a payload for `restore`."""
        return pack_libraries(each.code for each in self.listed(now))

    def restore(self, caller: Caller, payload: bytes, policy: str, now: int) -> None:
        """Load the libraries of a payload. Raises Fault.

        Every library is run before anything changes, so that one that is wrong changes nothing. When there is no
        memory for one of the texts, the changes before it stay.

        `policy`: FLUSH removes all others, REPLACE those with the same names, APPEND refuses a payload with any of
        these.
        """
        try:
            codes = unpack_libraries(payload, self._engine.reply_bytes_max)
        except WrongChecksum:
            raise Fault("BAD_CHECKSUM") from None
        except NoFunction:
            raise Fault("SCRIPT_ERROR", text="ERR given type is not a function") from None
        except RdbError:
            raise Fault("BAD_PAYLOAD") from None
        known = self.sync(now)
        named = [(name_of(code), code) for code in codes]
        kept = {} if policy == "FLUSH" else known.copy()
        for name, _ in named:
            if name in kept and policy == "APPEND":
                raise Fault("LIBRARY_EXISTS", library=name)
            kept.pop(name, None)
        checked: dict[str, Library] = {}
        for name, code in named:  # all of them, before anything changes
            checked[name] = self._loaded(name, code, kept | checked)
        with self._group(now):
            for name in [name for name in known if name not in kept and name not in checked]:
                self._run(caller, "function.remove", now, library=name)
            for name, library in checked.items():
                self._run(caller, "function.store", now, library=name, code=library.code)

    @contextmanager
    def _group(self, now: int) -> Iterator[None]:
        """Make one group of the frames that are written meanwhile, or a part of the group that is being written.

        Lua has the libraries that are stored afterwards, also when a Fault is raised meanwhile. If the node broke,
        none of the group's frames are in the log.
        """
        engine, numbers = self._engine, self._engine.numbers
        inside = numbers[layout.IN_GROUP]
        numbers[layout.IN_GROUP] = inside or 1
        try:
            yield
        except BrokenNode:
            if not inside:
                engine.frames.drop_group()
            raise
        finally:
            if not inside:
                numbers[layout.IN_GROUP] = 0
            self.sync(now)

    def counts(self) -> dict[str, Any]:
        """Return what FUNCTION STATS says of the libraries that Lua has read."""
        functions = sum(len(each.functions) for each in self._known.values())
        counts = {"libraries_count": len(self._known), "functions_count": functions}
        return {"engines": {"LUA": counts}}

    def listed(self, now: int) -> list[Library]:
        """Return all libraries by name."""
        return [library for _, library in sorted(self.sync(now).items())]

    def _loaded(self, name: str, code: bytes, others: dict[str, Library]) -> Library:
        """Let Lua run the text of a library beside others; return it, to be added. Raises Fault."""
        scripts = self._scripts
        scripts.give_back()
        _, _, body = code.partition(b"\n")
        ends = self._engine.diagnostics.ticks() + LOAD_NS_MAX
        try:
            told = scripts.opened().load_library(b"\n" + body, ends)
        except NotCompiled as error:
            what = error.args[0].decode("utf-8", "surrogateescape")
            raise Fault("SCRIPT_ERROR", text=f"ERR Error compiling function: {what}") from None
        if not isinstance(told, list):
            ended = self._engine.numbers[layout.LUA_ENDED]
            what = told or (b"FUNCTION LOAD timeout" if ended else b"not enough memory")
            raise Fault("SCRIPT_ERROR", text=f"ERR Error registering functions: {what.decode('utf-8', 'replace')}")
        if not told:
            raise Fault("NO_FUNCTIONS")
        taken = {each.name.lower() for library in others.values() for each in library.functions}
        functions = []
        for title, description, flags in told:
            if title.decode().lower() in taken:
                raise Fault("FUNCTION_EXISTS", function=title.decode())
            functions.append(Function(title.decode(), description, tuple(flags.decode().split())))
        return Library(name, code, tuple(functions))

    def _stored(self, now: int) -> Iterable[tuple[str, bytes]]:
        """Return the name and the text of each library that is stored."""
        found = perform(self._engine, self._engine.own, "function.texts", {}, now)
        return [(name.decode(), code) for name, code in zip(found[::2], found[1::2], strict=True)]

    def _run(self, caller: Caller, name: str, now: int, **fields: Any) -> None:
        """Carry out a row that changes libraries. Raises Fault."""
        perform(self._engine, caller, name, fields, now)


def name_of(code: bytes) -> str:
    """Return the name in the first line of a library, `#!lua name=...`. Raises the Fault of a wrong line."""
    if not code.startswith(b"#!"):
        raise Fault("SCRIPT_ERROR", text="ERR Missing library metadata")
    line, ended, _ = code.partition(b"\n")
    if not ended:
        raise Fault("SCRIPT_ERROR", text="ERR Invalid library metadata")
    try:
        engine, *told = [word.decode("utf-8", "surrogateescape") for word in split_line(line)]
    except UnbalancedQuotes:
        raise Fault("SCRIPT_ERROR", text="ERR Invalid library metadata") from None
    engine = engine[2:]
    name = None
    for part in told:
        key, equals, value = part.partition("=")
        if not equals or key.lower() != "name":
            raise Fault("SCRIPT_ERROR", text=f"ERR Invalid metadata value given: {part}")
        if name is not None:
            raise Fault("SCRIPT_ERROR", text="ERR Invalid metadata value, name argument was given multiple times")
        name = value
    if name is None:
        raise Fault("SCRIPT_ERROR", text="ERR Library name was not given")
    if not NAME.fullmatch(name):
        allowed = "letters, numbers, or underscores(_) and must be at least one character long"
        raise Fault("SCRIPT_ERROR", text=f"ERR Library names can only contain {allowed}")
    if engine.lower() != "lua":
        raise Fault("SCRIPT_ERROR", text=f"ERR Engine '{engine}' not found")
    return name
