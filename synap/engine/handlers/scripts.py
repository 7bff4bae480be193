"""Handlers of scripts in Lua: EVAL, EVALSHA and SCRIPT."""

from typing import Any

from synap.call import Value
from synap.engine.callers import Caller, Surface
from synap.engine.engine import Engine, Handler
from synap.faults import Fault


def _keys(args: dict[str, Any]) -> list[bytes]:
    return [item["key"] for item in args.get("keys", [])]


def _arguments(args: dict[str, Any]) -> list[bytes]:
    return [item["arg"] for item in args.get("args", [])]


def _evaluated(engine: Engine, caller: Caller, args: dict[str, Any], now: int, reads_only: bool) -> Value:
    return _run(engine, caller, engine.scripts.load(args["script"], keep=False), args, now, reads_only)


def _named(engine: Engine, caller: Caller, args: dict[str, Any], now: int, reads_only: bool) -> Value:
    sha = args["sha1"].decode("utf-8", "replace").lower()
    if not engine.scripts.exists(sha):
        raise Fault("NO_SCRIPT", sha1=sha)
    return _run(engine, caller, sha, args, now, reads_only)


def _run(engine: Engine, caller: Caller, sha: str, args: dict[str, Any], now: int, reads_only: bool) -> Value:
    told = engine.scripts.run(caller, sha, _keys(args), _arguments(args), now, reads_only=reads_only)
    if caller.surface is not Surface.JSON:
        return told
    if isinstance(told, Fault):
        raise told
    return {"result": _as_text(told), "sha1": sha}


def _as_text(value: Any) -> Any:
    """Return a reply with its texts as str; bytes that are no UTF-8 are replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Fault):
        return {"err": value.resp_text()}
    if isinstance(value, dict):
        return {str(_as_text(name)): _as_text(item) for name, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def evaluate(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Run a script."""
    return _evaluated(engine, caller, args, now, False)


def evaluate_ro(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Run a script that may not write."""
    return _evaluated(engine, caller, args, now, True)


def evaluate_sha(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Run a script of the cache."""
    return _named(engine, caller, args, now, False)


def evaluate_sha_ro(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Run a script of the cache, which may not write."""
    return _named(engine, caller, args, now, True)


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
    "eval": evaluate, "eval_ro": evaluate_ro, "evalsha": evaluate_sha, "evalsha_ro": evaluate_sha_ro,
    "script_load": load, "script_exists": exists, "script_flush": flush, "script_kill": kill, "script_debug": debug,
}  # fmt: skip
