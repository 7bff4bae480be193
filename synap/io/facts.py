"""Settings under the names that Redis has for them: what CONFIG GET answers, with a server and without."""

from typing import Any

from synap.io.clock import sleep, ticks, wall_us
from synap.settings import Settings

FSYNC = {"always": "always", "periodic": "everysec", "never": "no"}


def redis_config(settings: Settings) -> dict[str, Any]:
    """Value by Redis' name."""
    logged = settings.switch("persistence.enabled") and settings.switch("persistence.wal.enabled")
    return {
        "maxmemory": settings.memory_bytes_max,
        "maxmemory-policy": settings.text("kv_store.eviction_policy"),
        "maxmemory-samples": settings.number("kv_store.eviction_sample_size"),
        "databases": 16,
        "save": "",
        "appendonly": "yes" if logged else "no",
        "appendfsync": FSYNC[settings.text("persistence.wal.fsync_mode")],
        "port": settings.number("resp.port"),
        "maxclients": settings.number("server.connections_max"),
        "proto-max-bulk-len": settings.number("limits.bulk_bytes_max"),
        "client-query-buffer-limit": settings.number("limits.query_bytes_max"),
        "slowlog-log-slower-than": settings.number("slowlog.threshold_us"),
        "slowlog-max-len": settings.number("slowlog.length"),
    }


def place_clocks(node: Any) -> None:
    """What the rows need of any node, with a server or without: clocks."""
    started = wall_us() // 1_000_000
    node.engine.operation.ticks = ticks
    node.engine.facts |= {
        "wall_us": wall_us,
        "sleep": sleep,
        "last_save": lambda: node.last_save or started,
    }
