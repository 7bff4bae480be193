"""Handlers about connections: CLIENT, SELECT, QUIT, RESET, AUTH, HELLO."""

from typing import Any

from synap.call import MUTE_ALL, MUTE_NEXT, Value
from synap.durability import DEFAULT, check_reachable, level_of
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.host import Client
from synap.engine.sessions import Session
from synap.engine.subscribers import Dialect
from synap.faults import Fault
from synap.store.memory import layout

USER = b"default"


def _flags(session: Client) -> str:
    tracking = session.tracking
    flags = [
        ("P", subscribed(session)), ("x", session.in_multi),
        ("b", session.parked is not None), ("t", tracking is not None),
        ("R", tracking is not None and tracking.broken), ("B", tracking is not None and tracking.broadcast),
        ("d", session.watch_broken),
        ("c", session.closing), ("e", session.no_evict), ("T", session.no_touch),
    ]  # fmt: skip
    return "".join(letter for letter, on in flags if on) or "N"


def subscribed(session: Client) -> bool:
    """Return True if the session has any subscription."""
    return session.listener is not None and len(session.listener) > 0


def _kind(session: Client) -> str:
    return "pubsub" if subscribed(session) else "normal"


def _asked(session: Client, dialect: Dialect) -> int:
    return len(session.listener.of(dialect)) if session.listener is not None else 0


def facts_of(engine: Engine, session: Client, now: int) -> dict[str, Any]:
    """Return the fields of CLIENT LIST for a session."""
    link = session.link
    row = engine.rows.get(session.row_at)
    multi = int(engine.numbers[session.at + layout.SESSION_QUEUED]) if session.in_multi else -1
    return {
        "id": session.number,
        "addr": link.peer.decode() if link else "",
        "laddr": link.local.decode() if link else "",
        "fd": link.descriptor if link else -1,
        "name": session.name.decode("utf-8", "replace"),
        "age": max(now - session.opened, 0) // 1000,
        "idle": max(now - session.seen, 0) // 1000,
        "flags": _flags(session),
        "db": session.namespace,
        "sub": _asked(session, Dialect.EXACT),
        "psub": _asked(session, Dialect.GLOB),
        "ssub": _asked(session, Dialect.SHARD),
        "multi": multi,
        "watch": len(session.watched),
        "qbuf": link.held_bytes if link else 0,
        "qbuf-free": 0,
        "argv-mem": 0,  # arguments lie in what `qbuf` counts, and replies in buffers that all connections share
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": 0,
        "oll": link.replies if link else 0,
        "omem": link.waiting_bytes if link else 0,
        "tot-mem": link.held_bytes + link.waiting_bytes if link else 0,
        "events": "rw" if link and link.waiting_bytes else "r",
        "cmd": row.resp.lower() if row and row.resp else link.asks if link else "NULL",
        "user": USER.decode(),
        "redir": -1 if session.tracking is None else session.tracking.redirect,
        "resp": session.version,
        "lib-name": session.made_with.decode("utf-8", "replace"),
        "lib-ver": session.made_with_version.decode("utf-8", "replace"),
    }  # fmt: skip


def _everybody(engine: Engine, now: int) -> list[Client]:
    """Return all RESP sessions and, under a server, HTTP connections, sorted by id."""
    connections = engine.host.connections
    found: list[Client] = list(engine.sessions.open.values())
    if connections is not None:
        found += connections.http_clients(now)
    return sorted(found, key=lambda one: one.number)


def _line(engine: Engine, session: Client, now: int) -> bytes:
    return " ".join(f"{name}={value}" for name, value in facts_of(engine, session, now).items()).encode() + b"\n"


def client_list(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return a line for each chosen connection; an object each for JSON."""
    chosen = _everybody(engine, now)
    if "ids" in args:
        wanted = {item["id"] for item in args["ids"]}
        chosen = [one for one in chosen if one.number in wanted]
    if "type" in args:
        chosen = [one for one in chosen if _kind(one) == args["type"]]
    if not caller.of_resp:
        return {"clients": [facts_of(engine, one, now) for one in chosen], "count": len(chosen)}
    return b"".join(_line(engine, one, now) for one in chosen)


def client_info(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Return the line of CLIENT LIST for the calling session."""
    return _line(engine, session, now)


def client_id(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Return the id of the session."""
    return session.number


def checked_name(text: bytes, what: str) -> bytes:
    """Return `text` if CLIENT LIST can show it. Raise Fault for spaces and special characters."""
    if any(not 33 <= byte <= 126 for byte in text):
        raise Fault("BAD_NAME", what=what)
    return text


def client_setname(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the name of the session."""
    session.name = checked_name(args["name"], "Client names")
    return "OK"


def client_getname(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Return the name of the session, or None."""
    return session.name or None


def client_setinfo(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the name or version of the session's client library."""
    attribute = args["attribute"].upper()
    if attribute == b"LIB-NAME":
        session.made_with = checked_name(args["value"], "lib-name")
    elif attribute == b"LIB-VER":
        session.made_with_version = checked_name(args["value"], "lib-ver")
    else:
        raise Fault("NO_ATTRIBUTE", attribute=args["attribute"].decode("utf-8", "replace"))
    return "OK"


def _calls(one: Client, caller: Caller) -> bool:
    """Return True if the client is the session that makes the call."""
    return isinstance(one, Session) and one is caller


def _end(engine: Engine, one: Client, caller: Caller) -> None:
    """Close the connection of `one`: at once, or after the reply if it is the calling session."""
    if _calls(one, caller):
        one.closing = True
        return
    engine.stop_waiting(one.caller)
    if one.link is not None:
        one.link.hang_up()


def client_kill(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Close one connection by its address and return OK, or all that match and return their number."""
    open_ones = _everybody(engine, now)
    if "address" in args:
        for one in open_ones:
            if one.link is not None and one.link.peer == args["address"]:
                _end(engine, one, caller)
                return "OK"
        raise Fault("NO_SUCH_CLIENT")
    if "id" in args and args["id"] <= 0:
        raise Fault("BAD_CLIENT_ID")
    if args.get("user", USER) != USER:
        raise Fault("NO_SUCH_USER", user=args["user"].decode("utf-8", "replace"))
    if args.get("maxage", 1) <= 0:
        raise Fault("BAD_MAXAGE")
    count = 0
    for one in open_ones:
        link = one.link
        unlike = (
            ("id" in args and one.number != args["id"])
            or ("addr" in args and (link is None or link.peer != args["addr"]))
            or ("laddr" in args and (link is None or link.local != args["laddr"]))
            or ("type" in args and args["type"] != _kind(one))
            or ("maxage" in args and now - one.opened < args["maxage"] * 1000)
        )
        if not unlike and not (_calls(one, caller) and args.get("skipme", "YES") == "YES"):
            count += 1
            _end(engine, one, caller)
    return count


def client_reply(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Switch replies of this session on, off, or off for the next command."""
    mode = args["mode"]
    if mode == "ON":
        engine.diagnostics.mute(session, 0)
        return "OK"
    if mode == "OFF":
        engine.diagnostics.mute(session, MUTE_ALL)
    elif session.mute != MUTE_ALL:
        engine.diagnostics.mute(session, MUTE_NEXT)
    return ...


def client_no_evict(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the session's NO-EVICT flag, without effect: no connection is closed for lack of memory."""
    session.no_evict = args["switch"] == "ON"
    return "OK"


def client_no_touch(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the session's NO-TOUCH flag, which CLIENT LIST shows."""
    session.no_touch = args["switch"] == "ON"
    return "OK"


def client_durability(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the durability of the session's replies if a level is given; return the level that is asked for, and the
    one that replies have reached when they are sent."""
    durability = engine.host.durability
    if "level" in args:
        level = level_of(args["level"])
        check_reachable(level, durability.has_log)
        _choose_durability(session, level)
    return {"asked": session.durability.encode(), "reached": durability.reached(session.durability).encode()}


def _choose_durability(session: Session, level: str) -> None:
    session.durability = level
    if session.link is not None:
        session.link.choose_durability(level)


def client_pause(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Hold back all commands, or those that write, of all connections for `timeout` ms."""
    if args["timeout"] < 0:
        raise Fault("NEGATIVE_TIMEOUT")
    until = now + args["timeout"]
    engine.diagnostics.pause(until, args.get("mode", "ALL") == "ALL")
    engine.host.call_later(args["timeout"] / 1000, lambda: engine.diagnostics.end_pause(until))
    return "OK"


def client_unpause(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """End a pause."""
    engine.diagnostics.unpause()
    return "OK"


def client_unblock(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """End the wait of another session; return 1 if it was waiting, else 0."""
    one = engine.sessions.open.get(args["id"])
    ended = Fault("UNBLOCKED") if args.get("how") == "ERROR" else None
    return int(one is not None and engine.stop_waiting(one, ended))


def select(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the namespace of the session. Raise Fault if the index is out of range."""
    if not -(1 << 31) <= args["index"] < 1 << 31:
        raise Fault("DB_NUMBER")
    if not 0 <= args["index"] <= 15:
        raise Fault("DB_INDEX")
    session.namespace = args["index"]
    return "OK"


def monitor(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Send the session a line about each command from now on."""
    engine.monitors.add(session)
    return "OK"


def quit_session(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Close the session after the reply."""
    session.closing = True
    return "OK"


def reset(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Reset the session's state: no transaction, no subscriptions, no name, RESP2, namespace 0."""
    engine.transactions.end(session)
    engine.monitors.remove(session)
    engine.tracking.stop(session)
    engine.diagnostics.mute(session, 0)
    if session.listener is not None:
        engine.pubsub.leave(session.listener)
    session.version, session.namespace, session.name = 2, 0, b""
    session.no_evict = session.no_touch = False
    _choose_durability(session, DEFAULT)
    session.note_subscribed()
    return "RESET"


def _admit(user: bytes) -> None:
    """Raise Fault if `user` is not the default user, the only one; passwords are not checked."""
    if user != USER:
        raise Fault("WRONG_PASSWORD")


def auth(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Accept the default user with any password, as Redis does if no password is set."""
    if "password" not in args:
        raise Fault("NO_PASSWORD_SET")
    _admit(args["first"])
    return "OK"


HELLO_VERSION = b"7.4.0"
"""The version of HELLO to clients that look for a Redis: the least for which redis-py caches values."""


def hello(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Set the RESP version, check the user, set the name, and return the facts of the server."""
    engine.pubsub.deliver()
    return greet(engine, session, args)


def greet(engine: Engine, session: Session, args: dict[str, Any]) -> Value:
    """Do what `hello` does, for a session that has no messages to come."""
    version = args.get("version", session.version)
    if version not in (2, 3):
        raise Fault("NO_PROTOCOL")
    if "user" in args:
        _admit(args["user"])
    if "name" in args:
        session.name = checked_name(args["name"], "Client names")
    session.version = version
    session.note_subscribed()
    return {
        "server": b"redis" if engine.host.hello_as_redis else b"synap",
        "version": HELLO_VERSION if engine.host.hello_as_redis else engine.host.version.encode(),
        "proto": version,
        "id": session.number,
        "mode": b"standalone",
        "role": b"master",
        "modules": [],
    }


HANDLERS: dict[str, Handler] = {
    "client_list": client_list,
    "client_info": client_info,
    "client_id": client_id,
    "monitor": monitor,
    "client_setname": client_setname,
    "client_getname": client_getname,
    "client_setinfo": client_setinfo,
    "client_kill": client_kill,
    "client_reply": client_reply,
    "client_no_evict": client_no_evict,
    "client_no_touch": client_no_touch,
    "client_pause": client_pause,
    "client_durability": client_durability,
    "client_unpause": client_unpause,
    "client_unblock": client_unblock,
    "select": select,
    "quit": quit_session,
    "reset": reset,
    "auth": auth,
    "hello": hello,
}
