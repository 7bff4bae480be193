"""Settings under their Redis names that have an effect here: how each is read, shown and changed while it runs.

A `Live` setting is changed in two steps, so that CONFIG SET can change several or none: `read` parses the text without
looking at the engine, and `apply` carries out what was read. Both raise ValueError with the reason of a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synap.engine.engine import Engine
from synap.engine.handlers.keys import policy_of
from synap.engine.handlers.redis_values import (
    INT_MAX,
    LONG_MAX,
    OUTPUT_LIMITS,
    PERCENTILES,
    SAVE_POINTS,
    SWITCH,
    UINT_MAX,
    ULONG_MAX,
    Reader,
    choice,
    memory,
    output_limits,
    whole,
)
from synap.engine.host import Connections
from synap.engine.keyspace_events import classes_of
from synap.store.memory import layout

SLOW_US_MAX = 1 << 40
NO_LIMIT = 1 << 62
POLICIES = (
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random",
    "noeviction",
)  # fmt: skip
"""Eviction policies in the order in which Redis' error text lists them."""
FSYNC = {"everysec": "periodic", "always": "always", "no": "never"}
"""Redis' names of the sync modes of the log, and Synap's."""
LOG_LEVELS = {"debug": "debug", "verbose": "info", "notice": "info", "warning": "warn"}
"""Redis' levels of log lines, and the value of `logging.level` for each."""



def _event_classes(text: str) -> str:
    classes_of(text)
    return text


EVENT_CLASSES = Reader("letters of classes", _event_classes)


@dataclass(frozen=True)
class Live:
    """A setting with an effect: the reader of its text, its present value, how it is changed, and what it does."""

    read: Reader
    show: Callable[[Engine], Any]
    apply: Callable[[Engine, Any], None]
    does: str


def _register(register: int, read: Reader, does: str) -> Live:
    """Return a setting that is a register of the heap."""

    def apply(engine: Engine, value: int) -> None:
        engine.numbers[register] = value

    return Live(read, lambda engine: engine.numbers[register], apply, does)


def _diagnostic(name: str, read: Reader, does: str, scale: int = 1) -> Live:
    """Return a setting that is an attribute of the engine's diagnostics, which counts in `scale` times the unit."""

    def apply(engine: Engine, value: int) -> None:
        setattr(engine.diagnostics, name, value * scale)

    return Live(read, lambda engine: getattr(engine.diagnostics, name) // scale, apply, does)


def _connections(engine: Engine) -> Connections:
    """Return the connections of the server. Raise ValueError in a program without a server."""
    if engine.host.connections is None:
        raise ValueError("there are no connections")
    return engine.host.connections


def _memory(engine: Engine, wanted: int) -> None:
    most = engine.host.memory_reserved or engine.numbers[layout.BYTES_MAX]
    if wanted > most:
        raise ValueError(f"at most {most}, which is kv_store.max_memory_mb at the start: the heap's size is fixed")
    engine.numbers[layout.BYTES_MAX] = wanted or most  # 0 means no limit: the size for which the heap was reserved
    engine.diagnostics.memory_unlimited = wanted == 0


def _memory_shown(engine: Engine) -> int:
    return 0 if engine.diagnostics.memory_unlimited else int(engine.numbers[layout.BYTES_MAX])


def _policy(engine: Engine, policy: str) -> None:
    engine.memory.set_eviction(policy, engine.numbers[layout.EVICTION_SAMPLES] or 5)


def _samples(engine: Engine, count: int) -> None:
    engine.memory.set_eviction(policy_of(engine), count)


def _slow_most(engine: Engine, count: int) -> None:
    engine.diagnostics.slow_most = count
    engine.diagnostics.trim_slow()


def _tracks_durations(engine: Engine, value: str) -> None:
    engine.diagnostics.shows_durations = value == "yes"


def _percentiles(engine: Engine, value: str) -> None:
    engine.diagnostics.percentiles = value


def _log_level(engine: Engine, level: str) -> None:
    if not engine.host.set_log_level(LOG_LEVELS[level]):
        raise ValueError("the log lines belong to the program")
    engine.host.config["loglevel"] = level


def _save(engine: Engine, points: str) -> None:
    snapshots, numbers = engine.host.snapshots, list(map(int, points.split()))
    if snapshots is None and numbers:
        raise ValueError("nothing is written to disk: persistence.enabled is false")
    if snapshots is not None:
        snapshots.save_points = list(zip(numbers[::2], numbers[1::2], strict=True))


def _save_shown(engine: Engine) -> str:
    snapshots = engine.host.snapshots
    return " ".join(f"{seconds} {changes}" for seconds, changes in snapshots.save_points) if snapshots else ""


def _fsync(engine: Engine, mode: str) -> None:
    if engine.host.log is None:
        raise ValueError("there is no log")
    engine.host.log.fsync_mode = FSYNC[mode]


def _fsync_shown(engine: Engine) -> str:
    log = engine.host.log
    return next(name for name, mode in FSYNC.items() if log is None or mode == log.fsync_mode)


def _clients_max(engine: Engine, count: int) -> None:
    connections = _connections(engine)
    if count > connections.possible():
        raise ValueError("The operating system is not able to handle the specified number of clients, try with "
                         f"{connections.possible()}")  # fmt: skip
    connections.connections_max = count


def _query_max(engine: Engine, size: int) -> None:
    _connections(engine).query_bytes_max = size


def _of_connections(name: str, setting: str) -> Callable[[Engine], Any]:
    """Return how to show an attribute of the connections; without a server, what its settings say."""

    def show(engine: Engine) -> Any:
        return getattr(engine.host.connections, name, engine.host.config.get(setting, 0))

    return show


def _output(engine: Engine, text: str) -> None:
    connections = _connections(engine)
    for name, (hard, soft, seconds) in output_limits(text).items():
        if name != "slave" and (0 < hard < 1 << 10 or soft or seconds):
            raise ValueError(f"{name}: wanted a hard limit of 0 or at least 1kb, and no soft limit: "
                             "limits.output_stall_s has its purpose")  # fmt: skip
    for name, (hard, soft, seconds) in output_limits(text).items():
        if name == "normal":
            connections.output_bytes_max = hard or NO_LIMIT
        elif name == "pubsub":
            connections.feed_output_bytes_max = hard or NO_LIMIT
        else:
            engine.diagnostics.kept["client-output-buffer-limit"] = f"{hard} {soft} {seconds}"


def _output_shown(engine: Engine) -> str:
    connections = engine.host.connections
    normal, pubsub = (0, 0) if connections is None else (
        0 if most == NO_LIMIT else most for most in (connections.output_bytes_max, connections.feed_output_bytes_max)
    )  # fmt: skip
    replica = engine.diagnostics.kept.get("client-output-buffer-limit", "0 0 0")
    return f"normal {normal} 0 0 slave {replica} pubsub {pubsub} 0 0"


def _small(register: int, read: Reader) -> Live:
    return _register(register, read, "how large a structure may grow before it leaves its small form")


def _busy_ms(engine: Engine, ms: int) -> None:
    engine.scripts.busy_ms = ms


_COUNT, _BYTES = whole(0, LONG_MAX), memory()
_FULL_CHUNK = "how large a chunk of a stream grows; 0: without this limit"

LIVE: dict[str, Live] = {
    "maxmemory": Live(memory(0, ULONG_MAX), _memory_shown, _memory,
                      "`kv_store.max_memory_mb`, never above its value at the start; 0 means that value"),
    "maxmemory-policy": Live(choice(*POLICIES), policy_of, _policy, "`kv_store.eviction_policy`"),
    "maxmemory-samples": Live(whole(1, 64), lambda engine: engine.numbers[layout.EVICTION_SAMPLES], _samples,
                              "`kv_store.eviction_sample_size`"),
    "lfu-log-factor": _register(layout.USE_FACTOR, whole(0, INT_MAX), "as in Redis: the greater, the more uses count "
                                "for one step of a key's counter"),
    "lfu-decay-time": _register(layout.USE_DECAY, whole(0, INT_MAX), "as in Redis: minutes without a use for which a "
                                "key's counter is reduced by one; 0: never"),
    "appendfsync": Live(choice(*FSYNC), _fsync_shown, _fsync,
                        "`persistence.wal.fsync_mode`; holds for the replies that follow"),
    "save": Live(SAVE_POINTS, _save_shown, _save, "`persistence.snapshot.*`; nothing means no snapshots"),
    "timeout": _diagnostic("idle_s", whole(0, INT_MAX), "`limits.timeout`"),
    "tcp-keepalive": _diagnostic("keep_alive_s", whole(0, 32_767), "`limits.tcp_keepalive`, of new connections"),
    "maxclients": Live(whole(1, UINT_MAX), _of_connections("connections_max", "maxclients"), _clients_max,
                       "`server.connections_max`"),
    "client-query-buffer-limit": Live(
        memory(1 << 20), _of_connections("query_bytes_max", "client-query-buffer-limit"), _query_max,
        "`limits.query_bytes_max`",
    ),
    "client-output-buffer-limit": Live(
        OUTPUT_LIMITS, _output_shown, _output, "`limits.output_bytes_max` (normal) and "
        "`limits.feed_output_bytes_max` (pubsub): a hard limit each, 0 means none; that of replicas has no effect",
    ),
    "proto-max-bulk-len": _register(layout.LIMIT_WORD, memory(1 << 20, 1 << 29), "`limits.bulk_bytes_max`"),
    "slowlog-log-slower-than": _diagnostic("slow_ns", whole(-1, SLOW_US_MAX), "`slowlog.threshold_us`", 1000),
    "slowlog-max-len": Live(whole(0, 1_000_000), lambda engine: engine.diagnostics.slow_most, _slow_most,
                            "`slowlog.length`"),
    "latency-monitor-threshold": _diagnostic("delay_ms", _COUNT, "delays of so many ms are kept for `LATENCY`; 0: "
                                             "none"),
    "latency-tracking": Live(
        SWITCH, lambda engine: "yes" if engine.diagnostics.shows_durations else "no", _tracks_durations,
        "whether `INFO latencystats` and `LATENCY HISTOGRAM` show durations",
    ),
    "latency-tracking-info-percentiles": Live(
        PERCENTILES, lambda engine: engine.diagnostics.percentiles, _percentiles, "what `INFO latencystats` shows",
    ),
    "loglevel": Live(choice(*LOG_LEVELS), lambda engine: engine.host.config.get("loglevel", "notice"), _log_level,
                     "`logging.level`"),
    "busy-reply-threshold": Live(whole(0, LONG_MAX), lambda engine: engine.scripts.busy_ms, _busy_ms,
                                 "`scripts.busy_ms`"),
    "notify-keyspace-events": Live(EVENT_CLASSES, lambda engine: engine.keyspace_events.shown(),
                                   lambda engine, classes: engine.keyspace_events.choose(classes),
                                   "which changes of keys are published"),
    "tracking-table-max-keys": Live(_COUNT, lambda engine: engine.tracking.keys_max,
                                    lambda engine, most: engine.tracking.choose_most(most),
                                    "how many keys CLIENT TRACKING notes; 0: any number"),
    "hash-max-listpack-entries": _small(layout.HASH_ENTRIES_MAX, _COUNT),
    "hash-max-listpack-value": _small(layout.HASH_VALUE_MAX, _BYTES),
    "list-max-listpack-size": _small(layout.LIST_SIZE_MAX, whole(-INT_MAX - 1, INT_MAX)),
    "set-max-listpack-entries": _small(layout.SET_ENTRIES_MAX, _COUNT),
    "set-max-listpack-value": _small(layout.SET_VALUE_MAX, _COUNT),
    "set-max-intset-entries": _small(layout.SET_INTEGERS_MAX, _COUNT),
    "zset-max-listpack-entries": _small(layout.ZSET_ENTRIES_MAX, _COUNT),
    "zset-max-listpack-value": _small(layout.ZSET_VALUE_MAX, _BYTES),
    "stream-node-max-bytes": _register(layout.STREAM_BYTES_MAX, _BYTES, _FULL_CHUNK),
    "stream-node-max-entries": _register(layout.STREAM_ENTRIES_MAX, _COUNT, _FULL_CHUNK),
    "hll-sparse-max-bytes": _small(layout.HLL_SPARSE_MAX, _BYTES),
}  # fmt: skip
