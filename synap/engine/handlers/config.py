"""Handlers of CONFIG: reads settings under Redis' names, and changes those that can change at runtime."""

from collections.abc import Callable
from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.engine.globs import Glob, elements
from synap.engine.handlers.keys import policy_of
from synap.engine.handlers.redis_settings import (
    ALIASES,
    FIXED,
    IMMUTABLE,
    INT_MAX,
    KEPT,
    LONG_MAX,
    PROTECTED,
    SMALL,
    Read,
    bounded,
    choice,
    integer,
    size,
)
from synap.faults import Fault
from synap.observe import times
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


def _maxmemory(engine: Engine, text: str) -> None:
    size_wanted = size(text)
    most = engine.host.memory_reserved or engine.numbers[layout.BYTES_MAX]
    if size_wanted > most:
        raise ValueError(f"at most {most}, which is kv_store.max_memory_mb at the start: the heap's size is fixed")
    engine.numbers[layout.BYTES_MAX] = size_wanted or most  # 0 means no limit: the size for which the heap was reserved
    engine.diagnostics.memory_unlimited = size_wanted == 0


def _policy(engine: Engine, text: str) -> None:
    engine.memory.set_eviction(choice(*POLICIES)(text), engine.numbers[layout.EVICTION_SAMPLES] or 5)


def _samples(engine: Engine, text: str) -> None:
    engine.memory.set_eviction(policy_of(engine), bounded(integer(text), 1, 64))


def _slow(engine: Engine, text: str) -> None:
    engine.diagnostics.slow_ns = bounded(integer(text), -1, SLOW_US_MAX) * 1000


def _slow_most(engine: Engine, text: str) -> None:
    engine.diagnostics.slow_most = bounded(integer(text), 0, 1_000_000)
    engine.diagnostics.trim_slow()


def _delay(engine: Engine, text: str) -> None:
    engine.diagnostics.delay_ms = bounded(integer(text), 0, LONG_MAX)


def _timeout(engine: Engine, text: str) -> None:
    engine.diagnostics.idle_s = bounded(integer(text), 0, INT_MAX)


def _reply_max(engine: Engine, text: str) -> None:
    engine.numbers[layout.LIMIT_WORD] = bounded(size(text), 1 << 20, 1 << 29)


def _keep_alive(engine: Engine, text: str) -> None:
    engine.diagnostics.keep_alive_s = bounded(integer(text), 0, 32_767)


def _output(engine: Engine, text: str) -> None:
    words = text.split()
    if len(words) % 4:
        raise ValueError("Wrong number of arguments in buffer limit configuration.")
    for i in range(0, len(words), 4):
        kind, hard, soft, seconds = words[i].lower(), *map(_limit, words[i + 1 : i + 3]), words[i + 3]
        if kind not in ("normal", "slave", "replica", "pubsub"):
            raise ValueError("Invalid client class specified in buffer limit configuration.")
        if -1 in (hard, soft) or not (seconds.isdecimal() and seconds.isascii()):
            raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        if kind == "normal" and (0 < hard < 1 << 10 or soft or int(seconds)):
            raise ValueError("normal: wanted a hard limit of 0 or at least 1kb, and no soft limit: "
                             "limits.output_stall_s has its purpose")  # fmt: skip
        if kind == "normal" and engine.host.connections is not None:
            engine.host.connections.output_bytes_max = hard or NO_LIMIT


def _limit(text: str) -> int:
    """Parse bytes; return -1 for a text that is no size."""
    try:
        return size(text)
    except ValueError:
        return -1


def _as_it_is(name: str, read: Read) -> "Write":
    """Return a writer for a setting that cannot change here: only the current value is accepted."""

    def write(engine: Engine, text: str) -> None:
        if str(read(text)) != str(current(engine).get(name)):
            raise ValueError("it can only be set at the start")

    return write


def _kept(name: str, read: Read) -> "Write":
    """Return a writer for a setting without effect here: the value is checked and stored."""

    def write(engine: Engine, text: str) -> None:
        engine.diagnostics.kept[name] = str(read(text))

    return write


def _small(register: int, read: Read) -> "Write":
    """Return a writer for a limit of the small forms: structures that grow from now on are measured by it."""

    def write(engine: Engine, text: str) -> None:
        engine.numbers[register] = read(text)

    return write


def _save(engine: Engine, text: str) -> None:
    snapshots = engine.host.snapshots
    words = text.split()
    numbers = [int(word) for word in words if word.isdecimal() and word.isascii()]
    if len(numbers) < len(words) or len(words) % 2 or 0 in numbers[::2]:
        raise ValueError("Invalid save parameters")
    if snapshots is None and words:
        raise ValueError("nothing is written to disk: persistence.enabled is false")
    if snapshots is not None:
        snapshots.save_points = list(zip(numbers[::2], numbers[1::2], strict=True))


def _fsync(engine: Engine, text: str) -> None:
    mode = FSYNC[choice(*FSYNC)(text)]
    if engine.host.log is None:
        raise ValueError("there is no log")
    engine.host.log.fsync_mode = mode


def _events(engine: Engine, text: str) -> None:
    engine.keyspace_events.choose(text)


def _tracked(engine: Engine, text: str) -> None:
    engine.tracking.keys_max = bounded(integer(text), 0, LONG_MAX)
    engine.tracking.limit()


Write = Callable[[Engine, str], None]
SETTABLE: dict[str, Write] = {
    "maxmemory": _maxmemory, "maxmemory-policy": _policy, "maxmemory-samples": _samples,
    "slowlog-log-slower-than": _slow, "slowlog-max-len": _slow_most, "latency-monitor-threshold": _delay,
    "timeout": _timeout, "proto-max-bulk-len": _reply_max, "save": _save,
    "appendfsync": _fsync, "tcp-keepalive": _keep_alive, "client-output-buffer-limit": _output,
    "notify-keyspace-events": _events, "tracking-table-max-keys": _tracked,
    **{name: _as_it_is(name, known.read) for name, known in FIXED.items()},
    **{name: _kept(name, known.read) for name, known in KEPT.items()},
    **{name: _small(register, read) for name, (register, read) in SMALL.items()},
}  # fmt: skip
REFUSED = {
    **dict.fromkeys(IMMUTABLE, "can't set immutable config"), **dict.fromkeys(PROTECTED, "can't set protected config"),
}  # fmt: skip


def current(engine: Engine) -> dict[str, Any]:
    """Return every setting's current value by Redis' name; empty if the engine runs without a server."""
    host = engine.host
    fixed = host.config
    if not fixed:
        return {}
    diagnostics = engine.diagnostics
    found: dict[str, Any] = {name: known.value for name, known in (KEPT | FIXED).items()}
    found |= IMMUTABLE | PROTECTED | fixed | diagnostics.kept
    found |= {name: engine.numbers[register] for name, (register, _) in SMALL.items()}
    found |= {
        "maxmemory": 0 if diagnostics.memory_unlimited else engine.numbers[layout.BYTES_MAX],
        "maxmemory-policy": policy_of(engine),
        "maxmemory-samples": engine.numbers[layout.EVICTION_SAMPLES],
        "slowlog-log-slower-than": diagnostics.slow_ns // 1000,
        "slowlog-max-len": diagnostics.slow_most,
        "latency-monitor-threshold": diagnostics.delay_ms,
        "timeout": diagnostics.idle_s,
        "tcp-keepalive": diagnostics.keep_alive_s,
        "notify-keyspace-events": engine.keyspace_events.shown(),
        "tracking-table-max-keys": engine.tracking.keys_max,
        "proto-max-bulk-len": engine.numbers[layout.LIMIT_WORD],
    }
    if host.log is not None:
        found["appendfsync"] = next(name for name, mode in FSYNC.items() if mode == host.log.fsync_mode)
    if host.connections is not None:
        most = host.connections.output_bytes_max
        shown = 0 if most == NO_LIMIT else most
        found["client-output-buffer-limit"] = f"normal {shown} 0 0 slave 0 0 0 pubsub 0 0 0"
    if host.snapshots is not None:
        found["save"] = " ".join(f"{seconds} {changes}" for seconds, changes in host.snapshots.save_points)
    return found


def config_get(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the settings whose Redis names match any of the patterns."""
    settings = {name: str(value) for name, value in current(engine).items()}
    if settings:
        settings |= {name: settings[other] for name, other in ALIASES.items()}
    found = {}
    for item in args["patterns"]:
        pattern = elements(item["pattern"].lower())
        matches = Glob(pattern, pattern, None).matches
        found.update({k.encode(): v.encode() for k, v in settings.items() if matches(k.encode())})
    return found


def config_set(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Change settings, all or none. Raise Fault with the name of the refused setting and the reason."""
    pairs = [(_text(item["name"]), _text(item["value"])) for item in args["pairs"]]
    names = [ALIASES.get(name.lower(), name.lower()) for name, _ in pairs]
    for i, name in enumerate(names):
        if name not in SETTABLE and name not in REFUSED:
            raise Fault("NO_SUCH_SETTING", name=pairs[i][0])
        if reason := REFUSED.get(name, "duplicate parameter" if name in names[:i] else ""):
            raise Fault("SETTING_REFUSED", name=pairs[i][0], reason=reason)
    before = current(engine)
    done: list[str] = []
    for (given, value), name in zip(pairs, names, strict=True):
        try:
            SETTABLE[name](engine, value)
        except ValueError as error:
            for other in reversed(done):
                SETTABLE[other](engine, str(before[other]))
            raise Fault("SETTING_REFUSED", name=given.lower(), reason=str(error)) from None
        done.append(name)
    return "OK"


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def config_resetstat(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Reset the counters of INFO to zero."""
    for row in engine.catalogue.rows:
        for i in range(layout.COUNTER_WORDS):
            engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code + i] = 0
        times.forget(engine.numbers, row.code)
    for i in range(layout.FAULTS_COUNT):
        engine.numbers[layout.REFUSALS + i] = 0
    for register in (layout.EVICTED, layout.KEY_HITS, layout.KEY_MISSES):
        engine.numbers[register] = 0
    engine.diagnostics.reset()
    return "OK"


def config_rewrite(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Raise Fault: the server reads its configuration files and never writes them."""
    raise Fault("NO_CONFIG_FILE")
