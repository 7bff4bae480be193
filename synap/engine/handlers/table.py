"""The table of all handlers by name, with the handlers of transactions, PING, ECHO, DIGEST and ACL CAT."""

from typing import Any

import numpy as np

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.handlers import (
    changes,
    client_transactions,
    clients,
    commands,
    config,
    dumps,
    groups,
    helps,
    info,
    keys,
    kv,
    libraries,
    pubsub,
    scripts,
    server,
    sketches,
    structures,
    tracking,
    words,
)
from synap.engine.sessions import Session
from synap.faults import Fault
from synap.store.kinds.table import KINDS, NAMED
from synap.store.memory.layout import KINDS_COUNT
from synap.store.snapshot import digests

DIGESTS = {kind.folder: kind.number for kind in (*KINDS, *NAMED)}
"""What each digest is called, and the number of its kind."""


def ping(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return PONG or the given text; for a RESP2 subscriber, an array in the form of a message."""
    if caller.of_resp and caller.resp2_subscriber:
        return [b"pong", args.get("text", b"")]
    return args.get("text", "PONG")


def echo(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the given text."""
    return args["text"]


def multi(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Begin to queue calls. The lane does it without this, unless every command takes the slow path."""
    if session.in_multi:
        raise Fault("NESTED_MULTI")
    session.begin_multi()
    return "OK"


def discard(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Drop the queued calls and leave MULTI."""
    if not session.in_multi:
        raise Fault("DISCARD_WITHOUT_MULTI")
    engine.transactions.end(session)
    return "OK"


def watch(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Watch keys."""
    if session.in_multi:
        raise Fault("WATCH_IN_MULTI")
    for item in args["keys"]:
        engine.transactions.watch(session, item["key"], now)
    return "OK"


def unwatch(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Stop watching keys."""
    engine.transactions.unwatch(session)
    return "OK"


def digest(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the digest of each family, in hexadecimal."""
    return {name.encode(): b"%016x" % value for name, value in digest_of(engine).items()}


def digest_of(engine: Engine) -> dict[str, int]:
    """Return the digest of each family's logical state."""
    found = np.zeros(KINDS_COUNT, np.int64)
    digests.digest(engine.words, engine.octets, found)
    return {name: int(found[place]) & (1 << 64) - 1 for name, place in DIGESTS.items()}


def acl_cat(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the ACL categories, or the commands of one category."""
    rows = commands.rows_of(engine)
    if "category" not in args:
        return [name.encode() for name in sorted({c[1:] for row in rows for c in commands.categories(row)})]
    category = args["category"].decode("utf-8", "replace").lower()
    found = [row.resp.lower().encode() for row in rows if "@" + category in commands.categories(row)]
    if not found:
        raise Fault("NO_CATEGORY", category=category)
    return found


HANDLERS: dict[str, Handler] = {
    **client_transactions.HANDLERS,
    **clients.HANDLERS,
    **tracking.HANDLERS,
    **server.HANDLERS,
    **changes.HANDLERS,
    **keys.HANDLERS,
    **dumps.HANDLERS,
    **kv.HANDLERS,
    **groups.HANDLERS,
    **helps.HANDLERS,
    **pubsub.HANDLERS,
    **commands.HANDLERS,
    **words.HANDLERS,
    **libraries.HANDLERS, **scripts.HANDLERS, **sketches.HANDLERS,
    **structures.HANDLERS,
    "acl_cat": acl_cat,
    "config_get": config.config_get,
    "config_set": config.config_set,
    "config_resetstat": config.config_resetstat,
    "config_rewrite": config.config_rewrite,
    "info": info.info,
    "memory_stats": info.memory_stats,
    "memory_doctor": info.memory_doctor,
    "malloc_stats": info.malloc_stats,
    "memory_purge": info.memory_purge,
    "ping": ping,
    "echo": echo,
    "multi": multi,
    "discard": discard,
    "watch": watch,
    "unwatch": unwatch,
    "digest": digest,
}
