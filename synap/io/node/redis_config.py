"""Settings under their Redis names, as CONFIG GET answers them, for nodes with and without a server."""

import os
from typing import TYPE_CHECKING, Any

from synap.engine.subscribers import Limits
from synap.io.node.clock import clock_address, sleep, ticks, unique_text, wall_us
from synap.settings import Settings
from synap.store.memory import layout

if TYPE_CHECKING:
    from synap.io.node.node import Node

LOG_LEVELS = {"trace": "debug", "debug": "debug", "info": "notice", "warn": "warning", "error": "warning"}
"""Redis' name for each log level."""
CHANGES_WAIT_S = 60


def redis_config(settings: Settings, directory: str) -> dict[str, Any]:
    """Return value by Redis' name; `directory` is the data directory, an absolute path."""
    logged = settings.switch("persistence.enabled") and settings.switch("persistence.wal.enabled")
    return {
        "maxmemory": settings.memory_bytes_max,
        "maxmemory-policy": settings.text("kv_store.eviction_policy"),
        "maxmemory-samples": settings.number("kv_store.eviction_sample_size"),
        "databases": layout.NAMESPACES,
        "bind": " ".join(settings.names("resp.host")),
        "dir": directory,
        "tcp-backlog": settings.number("limits.tcp_backlog"),
        "notify-keyspace-events": "",
        "save": "",
        "appendonly": "yes" if logged else "no",
        "appendfsync": "everysec",  # replaced by a node's current mode
        "port": max(settings.number("resp.port"), 0),
        "loglevel": LOG_LEVELS[settings.text("logging.level")],
        "protected-mode": "no",  # the listen address decides who may connect: resp.host
        "maxclients": settings.number("server.connections_max"),
        "proto-max-bulk-len": settings.number("limits.bulk_bytes_max"),
        "client-query-buffer-limit": settings.number("limits.query_bytes_max"),
        "slowlog-log-slower-than": settings.number("slowlog.threshold_us"),
        "slowlog-max-len": settings.number("slowlog.length"),
    }


def save_points(settings: Settings) -> list[tuple[int, int]]:
    """Return pairs of (seconds since the last snapshot, changes since then); reaching any pair makes one due."""
    snapshot = settings.persistence.snapshot
    if not snapshot.enabled:
        return []
    return [(snapshot.interval_secs, 1), (CHANGES_WAIT_S, snapshot.operation_threshold)]

def memory_held() -> int:
    """Return the resident memory of this process in bytes; 0 if the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def place_clocks(node: "Node") -> None:
    """Give a node's engine its clocks, and the settings of the slow log and of pub/sub."""
    node.engine.diagnostics.ticks = ticks
    node.engine.numbers[layout.CLOCK] = clock_address()
    node.engine.diagnostics.slow_ns = node.settings.number("slowlog.threshold_us") * 1000
    node.engine.diagnostics.slow_most = node.settings.number("slowlog.length")
    settings, pubsub = node.settings, node.engine.pubsub
    pubsub.new_name = unique_text
    pubsub.limits = Limits(
        settings.number("pubsub.topics_max"), settings.number("pubsub.subscriptions_max"),
        settings.number("pubsub.unread_subscribers_max"), settings.number("pubsub.topic_bytes_max"),
        settings.number("pubsub.buffer_messages_max"), settings.number("limits.feed_output_bytes_max"),
        settings.text("pubsub.overflow"), settings.number("pubsub.poll_idle_s") * 1000,
        settings.number("pubsub.poll_bytes_max"),
    )  # fmt: skip
    node.engine.keyspace_events.watch.value_bytes_max = settings.number("watch.max_inline_value_bytes")
    host = node.engine.host
    host.wall_us, host.sleep, host.memory_held = wall_us, sleep, memory_held
    host.memory_reserved = node.heap.memory_max
