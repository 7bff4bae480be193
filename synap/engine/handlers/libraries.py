"""Handlers of FUNCTION, for libraries of functions in Lua."""

from typing import Any

from synap.call import Members, Value
from synap.engine.callers import Caller, Surface
from synap.engine.engine import Engine, Handler
from synap.engine.globs import Glob, elements
from synap.engine.scripts.libraries import Library
from synap.faults import Fault


def load(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Load a library and return its name."""
    name = engine.scripts.libraries.load(caller, args["code"], bool(args.get("replace")), now)
    return name.encode()


def listed(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return what is known of each library."""
    pattern = args.get("pattern")
    found = engine.scripts.libraries.listed(now)
    if pattern is not None:
        glob = elements(pattern.lower())
        found = [each for each in found if Glob(glob, glob, None).matches(each.name.lower().encode())]
    return [_described(each, bool(args.get("withcode")), caller.surface is Surface.RESP) for each in found]


def _described(library: Library, with_code: bool, as_bytes: bool) -> dict[str, Value]:
    def text(value: bytes) -> Value:
        return value if as_bytes else value.decode("utf-8", "replace")

    functions: list[Value] = [
        {
            "name": text(each.name.encode()),
            "description": None if each.description is None else text(each.description),
            "flags": Members(each.flags),
        }
        for each in library.functions
    ]
    found: dict[str, Value] = {
        "library_name": text(library.name.encode()), "engine": text(b"LUA"), "functions": functions,
    }  # fmt: skip
    return found | ({"library_code": text(library.code)} if with_code else {})


def delete(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove a library."""
    engine.scripts.libraries.remove(caller, [args["library"].decode("utf-8", "replace")], now)
    return "OK"


def flush(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove all libraries."""
    engine.scripts.libraries.remove(caller, engine.scripts.libraries.sync(now), now)
    return "OK"


def dump(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return all libraries as a payload."""
    return engine.scripts.libraries.dump(now)


def restore(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Load the libraries of a payload."""
    engine.scripts.libraries.restore(caller, args["payload"], args.get("policy") or "APPEND", now)
    return "OK"


def stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of libraries and functions; no function runs while this is carried out."""
    engine.scripts.libraries.sync(now)
    return {"running_script": None} | engine.scripts.libraries.counts()


def kill(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """No function runs while this is carried out."""
    if caller.surface is not Surface.RESP:
        return False
    raise Fault("NOT_BUSY")


HANDLERS: dict[str, Handler] = {
    "function_load": load, "function_list": listed, "function_delete": delete, "function_flush": flush,
    "function_dump": dump, "function_restore": restore, "function_stats": stats, "function_kill": kill,
}  # fmt: skip
