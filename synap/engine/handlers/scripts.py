"""Handlers of SCRIPT, for scripts in Lua."""

from typing import Any

from synap.call import Value
from synap.engine.callers import Caller, Surface
from synap.engine.engine import Engine, Handler
from synap.faults import Fault


def load(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Store a script in the cache and return its SHA1."""
    return engine.scripts.load(args["script"], keep=True).encode()


def exists(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return for each SHA1 whether the cache has its script."""
    found = [engine.scripts.exists(item["sha1"].decode("utf-8", "replace").lower()) for item in args["hashes"]]
    return found if caller.surface is not Surface.RESP else [int(each) for each in found]


def flush(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Forget all scripts."""
    count = engine.scripts.flush()
    return count if caller.surface is not Surface.RESP else "OK"


def kill(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """No script runs while this is carried out."""
    if caller.surface is not Surface.RESP:
        return False
    raise Fault("NOT_BUSY")


def debug(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Refuse to debug."""
    raise Fault("NO_SCRIPT_DEBUG")


HANDLERS: dict[str, Handler] = {
    "script_load": load, "script_exists": exists, "script_flush": flush, "script_kill": kill, "script_debug": debug,
}  # fmt: skip
