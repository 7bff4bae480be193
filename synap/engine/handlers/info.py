"""Handlers of INFO, section by section, and of the MEMORY statistics; JSON surfaces get the sections as objects."""

import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.engine.handlers.keys import human, policy_of
from synap.engine.handlers.live_settings import LIVE
from synap.fault_table import TABLE
from synap.observe import counters, times
from synap.store.memory import layout
from synap.traits import OTHER_NAME

Section = dict[str, Any]


def rss(engine: Engine) -> int:
    """Return the resident bytes of this process, or their peak where the system does not give the current value."""
    held = engine.host.memory_held()
    if held:
        return held
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def used_bytes(engine: Engine) -> int:
    """Return the bytes in blocks, which max_memory limits."""
    return int(engine.numbers[layout.WORDS_USED]) * layout.WORD


def total_calls(engine: Engine) -> int:
    """Return the calls of all rows; a call of an SDK's command counts once, with the row that it stands for."""
    rows = (row for row in engine.catalogue.rows if not row.traits & OTHER_NAME)
    return sum(int(engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code]) for row in rows)


def short(size: int) -> str:
    """Format a size as Redis' INFO does: 1.50M."""
    for unit, least in (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= least:
            return f"{size / least:.2f}{unit}"
    return f"{size}B"


def server(engine: Engine) -> Section:
    """Return the section on the program, its process and its uptime."""
    host = engine.host
    uptime = host.uptime()
    return {
        "redis_version": "7.2.0",
        "redis_git_sha1": "00000000", "redis_git_dirty": "0", "redis_build_id": "0",
        "synap_version": host.version,
        "redis_mode": "standalone",
        "os": host.system,
        "arch_bits": 64,
        "multiplexing_api": host.event_loop,
        "process_id": host.pid,
        "run_id": host.run_id,
        "tcp_port": host.resp_port,
        "http_port": host.http_port,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": 10,
        "executable": sys.executable,
        "config_file": host.config_file,
    }  # fmt: skip


def clients(engine: Engine) -> Section:
    """Return the section on clients over RESP and HTTP."""
    connections = engine.host.connections
    return {
        "connected_clients": connections.count() if connections is not None else len(engine.sessions.open),
        "maxclients": LIVE["maxclients"].show(engine),
        "blocked_clients": sum(1 for s in engine.sessions.open.values() if s.parked is not None),
        "tracking_clients": len(engine.tracking.sessions),
        "clients_in_timeout_table": sum(1 for s in engine.sessions.open.values() if s.parked and s.parked.deadline),
    }


def memory(engine: Engine) -> Section:
    """Return the section on memory."""
    used, held = used_bytes(engine), rss(engine)
    most = 0 if engine.diagnostics.memory_unlimited else int(engine.numbers[layout.BYTES_MAX])
    peak = max(engine.diagnostics.peak, used)
    pages = int(engine.numbers[layout.PAGES_USED]) * layout.PAGE_BYTES
    connections = engine.host.connections
    output, unfinished = connections.memory() if connections is not None else (0, 0)
    subscribers = sum(box.bytes for box in engine.pubsub.subscribers.values())
    scripts = engine.scripts
    functions = scripts.libraries.counts()["engines"]["LUA"]
    return {
        "used_memory": used, "used_memory_human": short(used),
        "used_memory_rss": held, "used_memory_rss_human": short(held),
        "used_memory_peak": peak, "used_memory_peak_human": short(peak),
        "used_memory_dataset": used,
        "used_memory_lua": scripts.memory, "used_memory_lua_human": short(scripts.memory),
        "number_of_cached_scripts": len(scripts), "number_of_libraries": functions["libraries_count"],
        "number_of_functions": functions["functions_count"],
        "maxmemory": most, "maxmemory_human": short(most),
        "maxmemory_policy": policy_of(engine),
        "mem_fragmentation_ratio": round(pages / used, 2) if used else 1.0,
        "mem_clients_output": output, "mem_clients_input": unfinished, "mem_subscribers": subscribers,
        "mem_clients_normal": output + unfinished + subscribers,
        "mem_allocator": "synap-arena",
        **counters.section("memory", engine.numbers, engine.catalogue),
    }  # fmt: skip


def persistence(engine: Engine) -> Section:
    """Return the section on the log and snapshots."""
    log = engine.host.log
    found: Section = log.persistence() if log is not None else {"persistence_enabled": 0}
    running = int(found.get("snapshot_in_progress", 0))
    seq, stands = engine.seq, int(found.get("snapshot_seq", 0))
    return {
        "loading": 0,
        "rdb_changes_since_last_save": seq - stands,
        "rdb_bgsave_in_progress": running,
        "rdb_last_save_time": log.saved_at() if log is not None else 0,
        "rdb_last_bgsave_status": "ok" if found.get("snapshot_last_ok", 1) else "err",
        "aof_enabled": int(found.get("log_enabled", 0)),
        "aof_rewrite_in_progress": running,
        "aof_last_write_status": "ok" if found.get("log_failed", "no") == "no" else "err",
        **found,
    }


def changes(engine: Engine) -> Section:
    """Return the section on the change feed: what can be read, and the named feeds."""
    return engine.host.changes.report() if engine.host.changes is not None else {}


def stats(engine: Engine) -> Section:
    """Return the section of counts since the start."""
    diagnostics, found = engine.diagnostics, counters.section("stats", engine.numbers, engine.catalogue)
    return {
        "total_connections_received": diagnostics.connections_received,
        "rejected_connections": diagnostics.connections_rejected,
        "total_commands_processed": found["commands_total"],
        "instantaneous_ops_per_sec": int(diagnostics.rate),
        "expired_keys": found["expired_keys_total"],
        "evicted_keys": int(engine.numbers[layout.EVICTED]),
        "keyspace_hits": int(engine.numbers[layout.KEY_HITS]),
        "keyspace_misses": int(engine.numbers[layout.KEY_MISSES]),
        "pubsub_channels": engine.pubsub.active, "pubsub_patterns": len(engine.pubsub.patterns),
        "pubsubshard_channels": len(engine.pubsub.shards),
        "tracking_total_keys": engine.tracking.keys, "tracking_total_items": engine.interest.tracked_items,
        "tracking_total_prefixes": len(engine.tracking.prefixes),
        "slow_consumers_dropped": engine.pubsub.slow_dropped, "pubsub_messages_dropped": engine.pubsub.messages_dropped,
        "log_lines_dropped": engine.host.log_lines_dropped(),
        "total_error_replies": sum(refusals(engine).values()),
        **found,
    }  # fmt: skip


def replication(engine: Engine) -> Section:
    """Return the section on replication: a master without replicas."""
    return {
        "role": "master", "connected_slaves": 0, "master_repl_offset": engine.seq,
        "repl_backlog_active": 0, "repl_backlog_size": 0,
    }  # fmt: skip


def cpu(engine: Engine) -> Section:
    """Return the section on the processor time of this process and its children."""
    times = os.times()
    return {
        "used_cpu_sys": f"{times.system:.6f}", "used_cpu_user": f"{times.user:.6f}",
        "used_cpu_sys_children": f"{times.children_system:.6f}",
        "used_cpu_user_children": f"{times.children_user:.6f}",
    }  # fmt: skip


def commandstats(engine: Engine) -> Section:
    """Return calls by row; total time is the mean of the timed calls (see `observe/times`) times all calls."""
    found: Section = {}
    for row in engine.catalogue.rows:
        calls, refused = (int(engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code + i]) for i in range(2))
        if row.resp and (calls or refused):
            mean = times.of(engine.numbers, row.code).mean_us
            found["cmdstat_" + row.resp.lower()] = (
                f"calls={calls},usec={mean * calls:.0f},usec_per_call={mean:.2f},rejected_calls=0,"
                f"failed_calls={refused}"
            )
    return found


def latencystats(engine: Engine) -> Section:
    """Return the latency percentiles of timed calls by row, from buckets that double."""
    found: Section = {}
    shares = engine.diagnostics.percentiles.split()
    for row in engine.catalogue.rows if engine.diagnostics.shows_durations else ():
        took = times.of(engine.numbers, row.code)
        if row.resp and took.count:
            found["latency_percentiles_usec_" + row.resp.lower()] = ",".join(
                f"p{share}={took.percentile_us(float(share)):.3f}" for share in shares
            )
    return found


def errorstats(engine: Engine) -> Section:
    """Return the section of refusals, by the first word of their text."""
    return {f"errorstat_{name}": f"count={count}" for name, count in refusals(engine).items()}


def refusals(engine: Engine) -> Counter[str]:
    """Count refusals to RESP clients by the first word of their text: those of Python and those of kernels."""
    found = Counter(engine.diagnostics.errors)
    for fault in TABLE:
        count = int(engine.numbers[layout.REFUSALS + fault.number])
        if count:
            found[fault.resp.split(" ", 1)[0]] += count
    return found


def cluster(engine: Engine) -> Section:
    """Return the section on clusters: disabled."""
    return {"cluster_enabled": 0}


def keyspace(engine: Engine) -> Section:
    """Return the number of keys of each namespace with keys."""
    numbers = engine.numbers
    return {
        f"db{i}": f"keys={numbers[layout.KEYS_COUNT + i]},expires={numbers[layout.KEYS_EXPIRING + i]},avg_ttl=0"
        for i in range(layout.NAMESPACES)
        if numbers[layout.KEYS_COUNT + i]
    }


SECTIONS: dict[str, Callable[[Engine], Section]] = {
    "server": server, "clients": clients, "memory": memory, "persistence": persistence, "changes": changes,
    "stats": stats, "replication": replication, "cpu": cpu, "commandstats": commandstats, "latencystats": latencystats,
    "errorstats": errorstats, "cluster": cluster, "keyspace": keyspace,
}  # fmt: skip
DEFAULT = [name for name in SECTIONS if name not in ("commandstats", "latencystats")]
TITLES = {"cpu": "CPU"}


def chosen(asked: list[bytes], of_json: bool) -> list[str]:
    """Return the names of the sections asked for; for JSON an unknown name means the default sections."""
    found: list[str] = []
    for word in asked or [b"default"]:
        name = word.decode("utf-8", "replace").lower()
        if name in SECTIONS:
            found.append(name)
        elif name in ("all", "everything"):
            found += SECTIONS
        elif name == "default" or of_json:
            found += DEFAULT
    return [name for name in SECTIONS if name in found]


def info(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the sections asked for: text for RESP, objects for JSON."""
    asked = list(args.values())  # section, section2, ...
    sections = {name: SECTIONS[name](engine) for name in chosen(asked, not caller.of_resp)}
    if not caller.of_resp:
        return sections
    text = "\r\n".join(
        f"# {TITLES.get(name, name.capitalize())}\r\n"
        + "".join(f"{field}:{value}\r\n" for field, value in fields.items())
        for name, fields in sections.items()
    )
    return text.encode()


def memory_stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the numbers of MEMORY STATS by name."""
    found = memory(engine)
    keys = sum(int(engine.numbers[layout.KEYS_COUNT + i]) for i in range(layout.NAMESPACES))
    return {
        "peak.allocated": found["used_memory_peak"], "total.allocated": found["used_memory"],
        "keys.count": keys, "keys.bytes-per-key": found["used_memory"] // max(keys, 1),
        "dataset.bytes": found["used_memory"], "pages.bytes": found["memory_pages_bytes"],
        "free.bytes": found["memory_free_bytes"], "fragmentation": float(found["mem_fragmentation_ratio"]),
    }  # fmt: skip


def memory_doctor(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return remarks on memory use as text."""
    found = memory(engine)
    said = []
    if found["maxmemory"] and found["used_memory"] > found["maxmemory"] * 9 // 10:
        said.append(f"More than 90% of maxmemory is used ({found['used_memory_human']}).")
    if found["used_memory_peak"] > 2 * found["used_memory"] and found["used_memory_peak"] > 100 << 20:
        said.append(f"The peak was {found['used_memory_peak_human']}, much more than what is used now.")
    if found["mem_fragmentation_ratio"] > 1.5 and found["used_memory"] > 100 << 20:
        said.append(f"Pages hold {found['mem_fragmentation_ratio']} times what blocks use: MEMORY PURGE may help.")
    return (" ".join(said) or "Nothing remarkable about memory.").encode()


def malloc_stats(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the arena's counters as text."""
    found = counters.section("memory", engine.numbers, engine.catalogue)
    return "".join(f"{name}: {value} ({human(value)})\n" for name, value in found.items()).encode()


def memory_purge(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return free pages to the operating system now."""
    engine.upkeep.clean()
    return "OK"
