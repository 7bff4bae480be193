"""Rows that run in Python: greetings, transactions, what the server says of itself."""

import fnmatch
from typing import Any

import numpy as np

from synap.engine.engine import Engine, Handler
from synap.engine.sessions import Session
from synap.faults import Fault
from synap.observe import counters
from synap.store import digests, layout

FAMILIES = ("queues", "strings", "lists", "sets")
MIB = layout.MIB


def ping(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """PONG, or the text given."""
    return args.get("text", "PONG")


def echo(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """The text given."""
    return args["text"]


def hello(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Greet, and choose the RESP version."""
    assert session is not None
    version = args.get("version", session.version)
    if version not in (2, 3):
        raise Fault("NO_PROTOCOL")
    if "user" in args:
        raise Fault("NO_PASSWORD_SET")
    session.version = version
    if "name" in args:
        session.name = args["name"]
    return {
        "server": b"synap",
        "version": str(engine.facts.get("version", "")).encode(),
        "proto": version,
        "id": session.number,
        "mode": b"standalone",
        "role": b"master",
        "modules": [],
    }


def select(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Choose the namespace."""
    assert session is not None
    if not 0 <= args["index"] <= 15:
        raise Fault("DB_INDEX")
    session.namespace = args["index"]
    return "OK"


def quit_session(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Say goodbye."""
    assert session is not None
    session.closing = True
    return "OK"


def discard(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Forget what was queued."""
    assert session is not None
    if not session.in_multi:
        raise Fault("DISCARD_WITHOUT_MULTI")
    engine.end_multi(session)
    return "OK"


def watch(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Watch keys."""
    assert session is not None
    if session.in_multi:
        raise Fault("WATCH_IN_MULTI")
    for item in args["keys"]:
        engine.watch(session, item["key"], now)
    return "OK"


def unwatch(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Forget what is watched."""
    assert session is not None
    engine.unwatch(session)
    return "OK"


def client_id(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """The number of the session."""
    assert session is not None
    return session.number


def client_setname(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Name the session."""
    assert session is not None
    session.name = args["name"]
    return "OK"


def client_setinfo(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """A client library tells its name: accepted."""
    return "OK"


def command(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """What rows there are."""
    rows = [row for row in engine.catalogue.rows if row.resp and not row.internal]
    if args["rest"] and args["rest"][0]["word"].upper() == b"COUNT":
        return len(rows)
    if args["rest"] and args["rest"][0]["word"].upper() != b"INFO":
        return []
    return [
        [
            row.resp.lower().encode(),
            row.words_min + 1 if row.words_min == row.words_max else -(row.words_min + 1),
            ["write" if row.writes else "readonly"],
            1, 1, 1,
        ]
        for row in rows
    ]  # fmt: skip


def config_get(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Settings that match, under the names Redis has for them."""
    settings = {name: str(value) for name, value in engine.facts.get("config", {}).items()}
    found = {}
    for item in args["patterns"]:
        pattern = item["pattern"].decode("utf-8", "replace").lower()
        found.update({k.encode(): v.encode() for k, v in settings.items() if fnmatch.fnmatchcase(k, pattern)})
    return found


def digest(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """The digest of each family."""
    return {name.encode(): b"%016x" % value for name, value in digest_of(engine).items()}


def digest_of(engine: Engine) -> dict[str, int]:
    """The digest of each family's logical state."""
    found = np.zeros(len(FAMILIES), np.int64)
    digests.digest(engine.words, engine.octets, found)
    return {name: int(value) & (1 << 64) - 1 for name, value in zip(FAMILIES, found, strict=True)}


def snapshot(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Begin a snapshot."""
    begin = engine.facts.get("begin_snapshot")
    if begin is None:
        raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
    begin()
    return "Background saving started"


def report(engine: Engine) -> dict[str, dict[str, Any]]:
    """What INFO says, by section."""
    numbers, facts = engine.numbers, engine.facts
    used = numbers[layout.PAGES_USED] * layout.PAGE_BYTES
    stats = counters.section("stats", numbers, engine.catalogue)
    sections: dict[str, dict[str, Any]] = {
        "server": {
            "redis_version": "7.2.0",
            "synap_version": facts.get("version", ""),
            "redis_mode": "standalone",
            "os": facts.get("os", ""),
            "arch_bits": 64,
            "process_id": facts.get("pid", 0),
            "tcp_port": facts.get("resp_port", 0),
            "http_port": facts.get("http_port", 0),
            "uptime_in_seconds": facts["uptime"]() if "uptime" in facts else 0,
        },
        "clients": {
            "connected_clients": len(engine.sessions.open),
            "blocked_clients": sum(1 for s in engine.sessions.open.values() if s.parked is not None),
        },
        "memory": {
            "used_memory": used,
            "used_memory_human": f"{used / MIB:.2f}M",
            "maxmemory": numbers[layout.BYTES_MAX],
            "maxmemory_policy": "noeviction",
            **counters.section("memory", numbers, engine.catalogue),
        },
        "persistence": facts["persistence"]() if "persistence" in facts else {"persistence_enabled": 0},
        "stats": {"total_commands_processed": stats["commands_total"], **stats},
        "replication": {"role": "master", "connected_slaves": 0},
        "keyspace": {
            f"db{i}": f"keys={numbers[layout.KEYS_COUNT + i]},expires={numbers[layout.KEYS_EXPIRING + i]},avg_ttl=0"
            for i in range(16)
            if numbers[layout.KEYS_COUNT + i]
        },
    }
    return sections


def info(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """What the server is and does."""
    wanted = args.get("section", b"all").decode("utf-8", "replace").lower()
    sections = report(engine)
    if wanted not in ("all", "default", "everything"):
        sections = {name: fields for name, fields in sections.items() if name == wanted}
    if session is None:
        return sections
    text = "\r\n".join(
        f"# {name.capitalize()}\r\n" + "".join(f"{field}:{value}\r\n" for field, value in fields.items())
        for name, fields in sections.items()
    )
    return text.encode()


HANDLERS: dict[str, Handler] = {
    "ping": ping,
    "echo": echo,
    "hello": hello,
    "select": select,
    "quit": quit_session,
    "discard": discard,
    "watch": watch,
    "unwatch": unwatch,
    "client_id": client_id,
    "client_setname": client_setname,
    "client_setinfo": client_setinfo,
    "command": command,
    "config_get": config_get,
    "digest": digest,
    "snapshot": snapshot,
    "info": info,
}
