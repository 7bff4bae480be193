"""CONFIG: the settings under the names that Redis has for them, and those that can change while it runs."""

import fnmatch
from collections.abc import Callable
from typing import Any

from synap.engine.engine import EVICTION_POLICIES, Engine
from synap.engine.key_rows import policy_of
from synap.engine.sessions import Session
from synap.faults import Fault
from synap.observe import times
from synap.store import layout

UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
SLOW_US_MAX = 1 << 40
FSYNC = {"always": "always", "everysec": "periodic", "no": "never"}
"""Redis' names for when the log is synced, and ours."""


def _size(text: str) -> int:
    digits = text.rstrip("bBkKmMgG")
    return int(digits) * UNITS[text[len(digits) :].lower()]


def _whole(text: str, least: int, most: int) -> int:
    value = int(text)
    if not least <= value <= most:
        raise ValueError(f"argument must be between {least} and {most} inclusive")
    return value


def _maxmemory(engine: Engine, text: str) -> None:
    size = _size(text)
    if size <= 0:
        raise ValueError("it must be above 0: there is always a limit")
    most = engine.facts.get("memory_reserved", engine.numbers[layout.BYTES_MAX])
    if size > most:
        raise ValueError(f"at most {most}, which is kv_store.max_memory_mb at the start: the heap's size is fixed")
    engine.numbers[layout.BYTES_MAX] = size


def _policy(engine: Engine, text: str) -> None:
    if text.lower() not in EVICTION_POLICIES:
        raise ValueError("argument(s) must be one of the following: " + ", ".join(EVICTION_POLICIES))
    engine.set_eviction(text.lower(), engine.numbers[layout.EVICTION_SAMPLES] or 5)


def _samples(engine: Engine, text: str) -> None:
    engine.set_eviction(policy_of(engine), _whole(text, 1, 64))


def _slow(engine: Engine, text: str) -> None:
    engine.operation.slow_ns = _whole(text, -1, SLOW_US_MAX) * 1000


def _slow_most(engine: Engine, text: str) -> None:
    engine.operation.slow_most = _whole(text, 0, 1_000_000)
    engine.operation.trim_slow()


def _delay(engine: Engine, text: str) -> None:
    engine.operation.delay_ms = _whole(text, 0, 1 << 31)


def _timeout(engine: Engine, text: str) -> None:
    engine.operation.idle_s = _whole(text, 0, 1 << 31)


def _reply_max(engine: Engine, text: str) -> None:
    engine.numbers[layout.LIMIT_WORD] = _whole(str(_size(text)), 1 << 20, 1 << 29)


def _keep_alive(engine: Engine, text: str) -> None:
    engine.operation.keep_alive_s = _whole(text, 0, 32_767)


def _output(engine: Engine, text: str) -> None:
    words = text.split()
    if not words or len(words) % 4:
        raise ValueError("Wrong number of arguments in buffer limit configuration.")
    found = {words[i].lower(): words[i + 1 : i + 4] for i in range(0, len(words), 4)}
    for kind, (hard, soft, seconds) in found.items():
        if kind not in ("normal", "slave", "replica", "pubsub"):
            raise ValueError("Invalid client class specified in buffer limit configuration.")
        size, nothing = _size(hard), (_size(soft), int(seconds))
        if kind == "normal" and (size < 1 << 10 or any(nothing)):
            raise ValueError("normal takes a hard limit of 1kb or more, and 0 0: limits.output_stall_s is the other")
    change = engine.facts.get("set_output_most")
    if change is not None and "normal" in found:
        change(_size(found["normal"][0]))


def _as_it_is(name: str) -> "Write":
    """For a setting that Redis can change and this server cannot: what it is already is taken."""

    def write(engine: Engine, text: str) -> None:
        if text != str(current(engine).get(name)):
            raise ValueError("it is given at the start")

    return write


def _save(engine: Engine, text: str) -> None:
    change = engine.facts.get("set_save")
    numbers = [int(word) for word in text.split()]
    if change is None or len(numbers) % 2 or any(number < 1 for number in numbers):
        raise ValueError("Invalid save parameters")
    change(list(zip(numbers[::2], numbers[1::2], strict=True)))


def _fsync(engine: Engine, text: str) -> None:
    if text.lower() not in FSYNC:
        raise ValueError("argument(s) must be one of the following: " + ", ".join(FSYNC))
    engine.facts["set_fsync_mode"](FSYNC[text.lower()])


Write = Callable[[Engine, str], None]
SETTABLE: dict[str, Write] = {
    "maxmemory": _maxmemory, "maxmemory-policy": _policy, "maxmemory-samples": _samples,
    "slowlog-log-slower-than": _slow, "slowlog-max-len": _slow_most, "latency-monitor-threshold": _delay,
    "timeout": _timeout, "proto-max-bulk-len": _reply_max, "save": _save,
    "appendfsync": _fsync, "tcp-keepalive": _keep_alive, "client-output-buffer-limit": _output,
    **{name: _as_it_is(name) for name in ("appendonly", "dir", "notify-keyspace-events")},
}  # fmt: skip


def current(engine: Engine) -> dict[str, Any]:
    """Every setting by Redis' name, as it is now; nothing where there is no server."""
    fixed = engine.facts.get("config", {})
    if not fixed:
        return {}
    operation = engine.operation
    found = dict(fixed)
    found |= {
        "maxmemory": engine.numbers[layout.BYTES_MAX],
        "maxmemory-policy": policy_of(engine),
        "maxmemory-samples": engine.numbers[layout.EVICTION_SAMPLES],
        "slowlog-log-slower-than": operation.slow_ns // 1000,
        "slowlog-max-len": operation.slow_most,
        "latency-monitor-threshold": operation.delay_ms,
        "timeout": operation.idle_s,
        "tcp-keepalive": operation.keep_alive_s,
        "proto-max-bulk-len": engine.numbers[layout.LIMIT_WORD],
    }
    if "fsync_mode" in engine.facts:
        found["appendfsync"] = next(name for name, mode in FSYNC.items() if mode == engine.facts["fsync_mode"]())
    if "output_most" in engine.facts:
        found["client-output-buffer-limit"] = f"normal {engine.facts['output_most']()} 0 0 slave 0 0 0 pubsub 0 0 0"
    if "get_save" in engine.facts:
        found["save"] = " ".join(f"{seconds} {changes}" for seconds, changes in engine.facts["get_save"]())
    return found


def config_get(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Settings that match any of the patterns, under the names that Redis has for them."""
    settings = {name: str(value) for name, value in current(engine).items()}
    found = {}
    for item in args["patterns"]:
        pattern = item["pattern"].decode("utf-8", "replace").lower()
        found.update({k.encode(): v.encode() for k, v in settings.items() if fnmatch.fnmatchcase(k, pattern)})
    return found


def config_set(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Change settings: all of them, or none and a refusal that says which and why."""
    pairs = [
        (item["name"].decode("utf-8", "replace").lower(), item["value"].decode("utf-8", "replace"))
        for item in args["pairs"]
    ]
    known = current(engine)
    for i, (name, _) in enumerate(pairs):
        if name not in SETTABLE:
            if name in known:
                raise Fault("SETTING_REFUSED", name=name, reason="can't set immutable config")
            raise Fault("NO_SUCH_SETTING", name=name)
        if name in [other for other, _ in pairs[:i]]:
            raise Fault("SETTING_REFUSED", name=name, reason="duplicate parameter")
    done: list[str] = []
    for name, value in pairs:
        try:
            SETTABLE[name](engine, value)
        except (ValueError, KeyError) as error:
            for other in reversed(done):
                SETTABLE[other](engine, str(known[other]))
            reason = str(error) if isinstance(error, ValueError) and "invalid literal" not in str(error) else ""
            raise Fault("SETTING_REFUSED", name=name, reason=reason or "argument couldn't be parsed") from None
        done.append(name)
    return "OK"


def config_resetstat(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Set the counters of INFO to zero."""
    for row in engine.catalogue.rows:
        for i in range(4):
            engine.numbers[layout.COUNTERS + 4 * row.code + i] = 0
        times.forget(engine.numbers, row.code)
    for i in range(layout.FAULTS_COUNT):
        engine.numbers[layout.REFUSALS + i] = 0
    for register in (layout.EVICTED, layout.KEY_HITS, layout.KEY_MISSES):
        engine.numbers[register] = 0
    engine.operation.reset()
    return "OK"


def config_rewrite(engine: Engine, session: Session | None, args: dict[str, Any], now: int) -> Any:
    """Refused: the files are the operator's."""
    raise Fault("NO_CONFIG_FILE")
