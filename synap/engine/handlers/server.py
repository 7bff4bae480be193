"""Handlers about the server: SLOWLOG, LATENCY, snapshots, SHUTDOWN, DEBUG, replication, ACL, modules."""

from collections.abc import Callable
from typing import Any

from synap.call import Pending, Value
from synap.engine.callers import Caller
from synap.engine.diagnostics import Diagnostics, Event
from synap.engine.engine import Engine, Handler
from synap.engine.host import Snapshots
from synap.faults import Fault
from synap.observe import times
from synap.ranges import INT_MAX

COUNT_DEFAULT = 10
GRAPH_COLUMNS = 40
SLEEP_S_MAX = 86400  # bound of DEBUG SLEEP
ART = ("\\  |  /", " \\ | / ", "--- * ---", " / | \\ ", "/  |  \\")


def _slow(diagnostics: Diagnostics, args: dict[str, Any]) -> list[Any]:
    count = args.get("count", COUNT_DEFAULT)
    if count < -1:
        raise Fault("BAD_SLOWLOG_COUNT")
    return list(diagnostics.slow) if count == -1 else list(diagnostics.slow)[:count]


def slowlog_get(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the last slow calls, newest first."""
    entries = _slow(engine.diagnostics, args)
    if caller.of_resp:
        return [[one.number, one.at, one.took, one.words, one.address, one.name] for one in entries]
    found = []
    for one in entries:
        words = [word.decode("utf-8", "replace") for word in one.words]
        found.append({"id": one.number, "timestamp": one.at, "duration_us": one.took, "command": words[0],
                      "args": words[1:]})  # fmt: skip
    return {"entries": found, "total": len(engine.diagnostics.slow)}


def slowlog_len(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the number of slow calls that are kept."""
    return len(engine.diagnostics.slow)


def slowlog_reset(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove all slow calls."""
    cleared = len(engine.diagnostics.slow)
    engine.diagnostics.slow.clear()
    return "OK" if caller.of_resp else {"success": True, "cleared": cleared}


def latency_latest(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the last delay of each event: name, time in s, duration in ms, longest duration."""
    events = engine.diagnostics.events.items()
    return [[name.encode(), *event.history[-1], event.most] for name, event in events if event.history]


def latency_history(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the delays of one event as (time in s, duration in ms)."""
    event = engine.diagnostics.events.get(args["event"].decode("utf-8", "replace"))
    return [list(one) for one in event.history] if event else []


def latency_reset(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Remove the delays of these events, or of all; return the number of events removed."""
    events = engine.diagnostics.events
    names = [item["event"].decode("utf-8", "replace") for item in args["events"]] or list(events)
    return sum(1 for name in names if events.pop(name, None) is not None)


def latency_doctor(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return a summary of the delays as text."""
    diagnostics = engine.diagnostics
    if not diagnostics.delay_ms:
        return b"Latency monitoring is off: turn it on with CONFIG SET latency-monitor-threshold <ms>."
    if not diagnostics.events:
        return b"No event took longer than latency-monitor-threshold."
    lines = []
    for name, event in diagnostics.events.items():
        mean = sum(took for _, took in event.history) / len(event.history)
        lines.append(f"{name}: {len(event.history)} delays, {mean:.0f} ms on average, {event.most} ms at most.")
    return "\n".join(lines).encode()


def _graph(name: str, event: Event) -> bytes:
    delays = [took for _, took in event.history][-GRAPH_COLUMNS:]
    top = max(delays)
    rows = ["".join("#" if took * 4 >= top * level else " " for took in delays) for level in (4, 3, 2, 1)]
    head = f"{name} - high {top} ms, low {min(delays)} ms (all time high {event.most} ms)"
    return "\n".join([head, "-" * 80, *rows]).encode()


def latency_graph(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return a chart of the delays of one event. Raise Fault if it has none."""
    name = args["event"].decode("utf-8", "replace")
    event = engine.diagnostics.events.get(name)
    if event is None or not event.history:
        raise Fault("NO_EVENT", event=name)
    return _graph(name, event)


def latency_histogram(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the durations of timed calls in buckets that double (1 means 1.024 us), with cumulative counts."""
    wanted = {item["name"].decode("utf-8", "replace").lower().replace(" ", "|") for item in args["names"]}
    found: dict[str, Value] = {}
    for row in engine.catalogue.rows if engine.diagnostics.shows_durations else ():
        name, took = row.resp.lower(), times.of(engine.numbers, row.code)
        if not name or not took.count or (wanted and name not in wanted and name.split("|")[0] not in wanted):
            continue
        buckets: dict[int, int] = {}
        seen = 0
        for i, count in enumerate(took.buckets):
            seen += count
            if count:
                buckets[1 << max(i - 9, 0)] = seen
        found[name] = {"calls": took.count, "histogram_usec": buckets}
    return found


def time_of_day(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the wall clock: seconds and microseconds."""
    wall = engine.host.wall_us()
    return [b"%d" % (wall // 1_000_000), b"%d" % (wall % 1_000_000)]


def _snapshots(engine: Engine) -> Snapshots:
    """Return the snapshots of the host. Raise Fault if nothing is written to disk."""
    if engine.host.snapshots is None:
        raise Fault("SWITCHED_OFF", name="a snapshot", switch="persistence.enabled")
    return engine.host.snapshots


def last_save(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the time in s at which the last snapshot was finished, or the node's start if there was none."""
    return engine.host.log.saved_at() if engine.host.log is not None else 0


def _running(engine: Engine) -> bool:
    log = engine.host.log
    return log is not None and bool(log.persistence().get("snapshot_in_progress"))


def save(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Write a snapshot and block all clients until it is written."""
    snapshots = _snapshots(engine)
    if _running(engine):
        raise Fault("SNAPSHOT_RUNNING")
    try:
        snapshots.write()
    except OSError as error:
        raise Fault("SNAPSHOT_FAILED", reason=str(error)) from None
    return "OK"


def snapshot(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Begin a snapshot in the background."""
    snapshots = _snapshots(engine)
    if _running(engine):
        if args.get("schedule"):
            snapshots.again()
            return "Background saving scheduled"
        raise Fault("SNAPSHOT_RUNNING")
    snapshots.begin()
    return "Background saving started"


def rewrite_log(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Begin a snapshot in the background; it replaces the log before it."""
    snapshots = _snapshots(engine)
    if _running(engine):
        raise Fault("SNAPSHOT_RUNNING")
    snapshots.begin()
    return "Background saving started: a snapshot takes the place of a rewritten log"


def shutdown(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Stop the server. No reply is sent: the connection closes."""
    if args.get("abort") and len(args) > 1:
        raise Fault("SYNTAX")
    if args.get("abort"):
        raise Fault("NO_SHUTDOWN")
    host = engine.host
    if host.stop is None:
        raise Fault("NOT_SERVED", what="SHUTDOWN")
    if args.get("save") and host.snapshots is not None:
        try:
            host.snapshots.write()
        except OSError:
            if not args.get("force"):
                raise Fault("SHUTDOWN_FAILED") from None
    host.stop()
    return ...


def debug_sleep(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Block the whole server for some seconds."""
    seconds = args["seconds"]
    if not 0 <= seconds <= SLEEP_S_MAX:
        raise Fault("WRONG_FIELD", field="seconds", wanted=f"0 to {SLEEP_S_MAX}", found=f"{seconds:g}")
    engine.host.sleep(seconds)
    return "OK"


def debug_active_expire(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Switch active expiry, which removes expired keys before any call reads them, on or off."""
    engine.diagnostics.active_expire = args["switch"] != 0
    return "OK"


def role(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the role: master, without replicas."""
    return [b"master", engine.seq, []]


def replica_of(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Accept NO ONE, since a node is never a replica. Raise Fault for any other host."""
    if (args["host"].upper(), args["port"].upper()) != (b"NO", b"ONE"):
        raise Fault("NO_REPLICA")
    return "OK"


def _until(timeout: int, now: int) -> int:
    """Return the time at which a wait of `timeout` ms ends, 0 for never. Raise Fault for a timeout below 0."""
    if timeout < 0:
        raise Fault("NEGATIVE_TIMEOUT")
    if timeout > INT_MAX - now:
        raise Fault("TIMEOUT_TOO_LONG")
    return now + timeout if timeout else 0


def wait(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value | Pending:
    """Return 0, the number of replicas that acknowledged, at the end of the timeout: there are no replicas."""
    if args["replicas"] <= 0 <= args["timeout"]:
        return 0
    return Pending(lambda: 0, _until(args["timeout"], now), lambda end: None)


def wait_aof(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value | Pending:
    """Return whether all changes until now are on the disk, as 0 or 1, and 0 replicas: once it is so, or at the end of
    the timeout. Without a log, raise Fault if the disk is to be waited for."""
    local, replicas = args["local"], args["replicas"]
    if not 0 <= local <= 1:
        raise Fault("NOT_0_OR_1")
    if replicas < 0:
        raise Fault("POSITIVE_COUNT")
    until = _until(args["timeout"], now)
    durability, seq = engine.host.durability, engine.seq
    if local and not durability.has_log:
        raise Fault("NO_LOG_TO_SYNC")

    def answer() -> list[int]:
        return [int(durability.synced(seq)), 0]

    def begin(end: Callable[[], None]) -> None:
        if not replicas:
            durability.when_synced(seq, end)

    done = answer()
    return done if done[0] >= local and not replicas else Pending(answer, until, begin)


def lolwut(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return a small drawing and the version."""
    return ("\n".join(ART) + f"\n\nSynap ver. {engine.host.version}\n").encode()


def acl_whoami(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the name of the only user."""
    return b"default"


def acl_list(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the ACL rules of the only user, who has all permissions."""
    return [b"user default on nopass sanitize-payload ~* &* +@all"]


def module_list(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return no modules, since none can be loaded."""
    return []


HANDLERS: dict[str, Handler] = {
    "slowlog_get": slowlog_get,
    "slowlog_len": slowlog_len,
    "slowlog_reset": slowlog_reset,
    "latency_latest": latency_latest,
    "latency_history": latency_history,
    "latency_reset": latency_reset,
    "latency_doctor": latency_doctor,
    "latency_graph": latency_graph,
    "latency_histogram": latency_histogram,
    "time": time_of_day,
    "last_save": last_save,
    "save": save,
    "snapshot": snapshot,
    "rewrite_log": rewrite_log,
    "shutdown": shutdown,
    "debug_sleep": debug_sleep,
    "debug_active_expire": debug_active_expire,
    "role": role,
    "replica_of": replica_of,
    "wait": wait,
    "wait_aof": wait_aof,
    "lolwut": lolwut,
    "acl_whoami": acl_whoami,
    "acl_list": acl_list,
    "module_list": module_list,
}
