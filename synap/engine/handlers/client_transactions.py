"""Handlers of transactions on the JSON surfaces, by `client_id`; see `io/http/client_transactions.py`."""

from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.host import ClientTransactions
from synap.faults import Fault

DEFAULT_CLIENT = "rest_client"


def _of(engine: Engine) -> ClientTransactions:
    if engine.host.transactions is None:
        raise Fault("NOT_SERVED", what="a transaction by client_id")
    return engine.host.transactions


def _client(args: dict[str, Any]) -> str:
    return bytes(args.get("client_id", b"")).decode("utf-8", "replace") or DEFAULT_CLIENT


def begin(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Begin a transaction."""
    _of(engine).begin(_client(args), now)
    return {"success": True, "message": "Transaction started"}


def execute(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Carry out what is queued."""
    results = _of(engine).execute(caller, _client(args), now)
    if results is None:
        return {"success": False, "aborted": True, "message": "Transaction aborted: watched keys changed"}
    return {"success": True, "results": results}


def discard(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """End the transaction, and drop what is queued."""
    _of(engine).discard(_client(args), now)
    return {"success": True, "message": "Transaction discarded"}


def watch(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Watch keys."""
    _of(engine).watch(_client(args), [item["key"] for item in args["keys"]], now)
    return {"success": True, "message": "Keys watched"}


def unwatch(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Stop watching keys."""
    _of(engine).unwatch(_client(args), now)
    return {"success": True, "message": "Keys unwatched"}


HANDLERS: dict[str, Handler] = {
    "client_begin": begin,
    "client_execute": execute,
    "client_discard": discard,
    "client_watch": watch,
    "client_unwatch": unwatch,
}
