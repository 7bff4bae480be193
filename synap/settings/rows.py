"""The table of settings, and the names and sections of other versions that are accepted.

Defaults and bounds are defined only here; `config.yml` and the table in `docs/operations.md` are
generated from these rows.
"""

import os.path
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synap.settings.kinds import MIB, Choice, Hosts, Kind, Names, Origins, Size, Switch, Text, Whole


@dataclass(frozen=True)
class Setting:
    """A setting. `doc` describes its purpose and, for a limit, the effect of reaching it."""

    name: str
    kind: Kind
    default: Any
    doc: str
    flag: str = ""
    short: str = ""  # a second, shorter environment name

    @property
    def environment(self) -> str:
        return "SYNAP_" + self.name.upper().replace(".", "__")

    @property
    def many(self) -> bool:
        return isinstance(self.kind, Hosts | Names | Origins)

    def write(self, value: Any) -> str:
        """Return `value` as a text that the kind reads back as the same value."""
        return self.kind.write(value)


_HOSTS = Hosts()
_SIZE = Size(1024, 1 << 40)
_PORT_MAX = 65535
_POLICY = Choice(
    ("noeviction", "allkeys-lru", "volatile-lru", "allkeys-lfu", "volatile-lfu", "allkeys-random", "volatile-random",
     "volatile-ttl"),
    (("none", "noeviction"), ("lru", "allkeys-lru"), ("lfu", "allkeys-lfu"), ("ttl", "volatile-ttl")),
)  # fmt: skip

TABLE: tuple[Setting, ...] = (
    Setting("server.host", _HOSTS, ("127.0.0.1",), "Addresses the HTTP listener binds to; :: is all of this machine, "
            "IPv4 and IPv6.", "--host", "SYNAP_HOST"),
    Setting("server.port", Whole(0, _PORT_MAX), 15500, "Port of the HTTP listener; 0 takes any free port.",
            "--port", "SYNAP_PORT"),
    Setting("server.allowed_hosts", Names(), (), "Names accepted in the Host header besides loopback names, "
            "IP literals and names without a dot; a request to another name is refused."),
    Setting("server.cors_origins", Origins(), (), "Origins whose web pages may read replies and write; a page of "
            "another origin cannot read, and its writes are refused."),
    Setting("server.envelope_texts", Choice(("auto", "exact", "raw")), "auto", "How the command envelope answers a "
            "stored text that reads as JSON. exact: as JSON text, so that decoding it gives the text; raw: as it "
            "stands, and other values as their JSON text; auto: raw for the Python SDK, which encodes before it "
            "sends."),
    Setting("server.connections_max", Whole(1, 1_000_000), 10_000,
            "Open connections, all listeners together; one more is closed at once."),
    Setting("server.connections_per_address_max", Whole(1, 1_000_000), 10_000,
            "Open connections from one address; one more is closed at once."),
    Setting("server.websocket_ping_s", Whole(0, 86_400, "seconds"), 30, "Silence after which a WebSocket is asked "
            "whether it lives; it is closed after three questions without an answer. 0 never asks."),
    Setting("server.websocket_compression", Switch(), True,
            "Whether WebSocket messages are compressed for clients that offer permessage-deflate."),
    Setting("resp.enabled", Switch(), True, "Whether Redis clients may connect."),
    Setting("resp.host", _HOSTS, ("127.0.0.1",), "Addresses the RESP listener binds to; :: is all of this machine, "
            "IPv4 and IPv6."),
    Setting("resp.port", Whole(-1, _PORT_MAX), 6379,
            "Port of the RESP listener; 0 switches it off, -1 takes any free port. If the default port is taken and "
            "was not asked for by a flag or the environment, the server goes on without RESP.", "--resp-port"),
    Setting("limits.query_bytes_max", _SIZE, 1 << 30,
            "Bytes of one command with all its arguments; a longer one closes the connection."),
    Setting("limits.bulk_bytes_max", _SIZE, 512 * MIB,
            "Bytes of one argument or value; a longer one is refused."),
    Setting("limits.http_head_bytes_max", _SIZE, 1 << 16,
            "Bytes of an HTTP request line with its headers; a longer head is answered with 431."),
    Setting("limits.http_body_bytes_max", _SIZE, 513 * MIB, "Bytes of an HTTP body; a longer one is answered "
            "with 413. The default leaves room for the JSON around a value of bulk_bytes_max."),
    Setting("limits.http_head_s", Whole(1, 86_400, "seconds"), 20,
            "Time for the head of an HTTP request to arrive; a slower one is answered with 408."),
    Setting("limits.http_request_s", Whole(1, 86_400, "seconds"), 300,
            "Time for a whole HTTP request to arrive; a slower one is answered with 408."),
    Setting("limits.http_idle_s", Whole(1, 86_400, "seconds"), 120,
            "Time between two HTTP requests after which the connection is closed."),
    Setting("limits.timeout", Whole(0, 1 << 31, "seconds"), 0,
            "Time a Redis client may say nothing before its connection is closed; 0 lets it be silent."),
    Setting("limits.tcp_keepalive", Whole(0, 32_767, "seconds"), 300,
            "Silence after which the system asks whether a Redis client is still there; 0 never asks."),
    Setting("limits.tcp_backlog", Whole(1, 65_535), 511,
            "Connections that may wait to be accepted, for each listener; the system may have a lower limit."),
    Setting("limits.websocket_message_bytes_max", _SIZE, MIB,
            "Bytes of one WebSocket message, inflated; a longer one closes the socket with 1009."),
    Setting("limits.websocket_fragments_max", Whole(1, 1 << 30), 100_000,
            "Frames that one WebSocket message may come in; more close the socket with 1009."),
    Setting("limits.feed_output_bytes_max", _SIZE, 8 * MIB,
            "Output waiting for one WebSocket or subscriber at which its connection is closed."),
    Setting("limits.output_pause_bytes", _SIZE, MIB,
            "Replies waiting for one reader at which its next commands wait, unless it sends more of them."),
    Setting("limits.output_total_bytes_max", _SIZE, 512 * MIB,
            "Replies waiting for all slow readers together at which the server stops reading from them even if they "
            "go on sending."),
    Setting("limits.output_bytes_max", _SIZE, 1536 * MIB,
            "Replies waiting for one reader at which its connection is closed."),
    Setting("limits.output_stall_s", Whole(1, 86_400, "seconds"), 60,
            "Time a reader may take nothing of what waits for it before its connection is closed."),
    Setting("limits.reply_bytes_max", _SIZE, 1 << 30,
            "Bytes of one reply; a call that could answer more is refused before it changes anything."),
    Setting("kv_store.max_memory_mb", Size(0, 512 * 1024, "mb"), 4096,
            "Memory for all data; what happens to a write that finds no room is eviction_policy. 0 takes the "
            "machine's memory."),
    Setting("kv_store.eviction_policy", _POLICY, "noeviction", "Which key is removed for a write that finds no room: "
            "of all keys or of those with a deadline (volatile), the least recently or frequently used, a random "
            "one, or the one that expires first. noeviction refuses the write."),
    Setting("kv_store.eviction_sample_size", Whole(1, 64), 5,
            "Keys looked at for each one removed; more choose better and take longer."),
    Setting("kv_store.allow_flush_commands", Switch(), False,
            "Whether FLUSHDB and FLUSHALL are served over HTTP; RESP serves them always."),
    Setting("compression.enabled", Switch(), False, "Whether long strings are kept compressed in memory."),
    Setting("compression.default_algorithm", Choice(("lz4", "zstd")), "lz4",
            "How: lz4 is several times faster, zstd makes them smaller."),
    Setting("compression.min_payload_size", Size(64, 1 << 30), 1024,
            "Bytes from which a string is compressed, if it shrinks by an eighth."),
    Setting("compression.hot_cache_bytes", Size(0, 1 << 40), 16 * MIB,
            "Cache of compressed strings in full, for those that are read often."),
    Setting("compression.zstd.level", Whole(1, 19), 3, "How hard zstd tries: a higher level is slower."),
    Setting("queue.max_depth", Whole(1, 1_000_000_000), 100_000,
            "Ready messages in one queue; publishing one more is refused."),
    Setting("queue.ack_deadline_secs", Whole(1, 604_800, "seconds"), 30,
            "Time a consumer has to acknowledge a message before it is delivered again."),
    Setting("queue.default_max_retries", Whole(0, 1_000_000), 3,
            "Deliveries after the first before a message that says nothing else goes to the dead letters."),
    Setting("queue.default_priority", Whole(0, 9), 5,
            "Priority of a message that names none; 9 is delivered first."),
    Setting("stream.max_events", Whole(0, 10**12), 10_000,
            "Events that a room keeps; one more drops the oldest. 0: no limit."),
    Setting("stream.max_bytes", Size(0, 1 << 50), 0,
            "Bytes of events (names and data) that a room keeps; above, the oldest are dropped. 0: no limit."),
    Setting("stream.retention_secs", Whole(0, 10**9, "seconds"), 3600,
            "Time that a room keeps an event; it goes at most a 64th of that (or a minute) later. 0: for ever."),
    Setting("pubsub.topics_max", Whole(1, 100_000_000), 100_000,
            "Topics remembered with their counters; above it the one abandoned first is forgotten."),
    Setting("pubsub.subscriptions_max", Whole(1, 100_000_000), 100_000,
            "Subscriptions of one subscriber; one more is refused."),
    Setting("pubsub.unread_subscribers_max", Whole(1, 100_000_000), 10_000,
            "Subscribers made over HTTP, which nobody reads; above it the oldest is forgotten."),
    Setting("pubsub.topic_bytes_max", Size(1, MIB), 4096,
            "Bytes of one topic or pattern; a longer one is refused."),
    Setting("pubsub.buffer_messages_max", Whole(1, 10_000_000), 1024,
            "Messages waiting for one subscriber that is no Redis client; what happens above it, and above "
            "limits.feed_output_bytes_max, is overflow."),
    Setting("pubsub.overflow", Choice(("disconnect", "drop_newest", "drop_oldest")), "disconnect",
            "What a message does that finds the buffer of its subscriber full: end the subscriber, get lost, or "
            "push out the oldest."),
    Setting("persistence.enabled", Switch(), True, "Whether anything is written to disk."),
    Setting("persistence.directory", Text("a path"), "./data",
            "Data directory: log, snapshots and LOCK. Relative to the working directory.", "--data-dir"),
    Setting("persistence.wal.enabled", Switch(), True,
            "Whether every change is logged; without it a crash loses all since the last snapshot (a clean end "
            "writes one)."),
    Setting("persistence.wal.fsync_mode", Choice(("always", "periodic", "never")), "periodic",
            "When the log is synced: before each reply, every fsync_interval_ms, or at a clean stop. A "
            "killed process loses nothing in any mode; a power failure loses what was not synced."),
    Setting("persistence.wal.fsync_interval_ms", Whole(1, 60_000, "milliseconds"), 1000,
            "Longest time between a write and its sync in mode periodic."),
    Setting("persistence.wal.segment_bytes_max", Size(1 << 16, 1 << 36), 256 * MIB,
            "Size at which the log goes on in a new file."),
    Setting("persistence.snapshot.enabled", Switch(), True, "Whether snapshots are taken by themselves."),
    Setting("persistence.snapshot.interval_secs", Whole(1, 604_800, "seconds"), 300,
            "Time after which a snapshot is due, if anything changed."),
    Setting("persistence.snapshot.operation_threshold", Whole(1, 10**12), 10_000,
            "Changes after which a snapshot is due."),
    Setting("persistence.snapshot.max_snapshots", Whole(1, 1000), 2,
            "Snapshots kept; the oldest is deleted after a newer one has verified."),
    Setting("logging.level", Choice(("trace", "debug", "info", "warn", "error")), "info",
            "Least severe lines that are written.", short="SYNAP_LOG_LEVEL"),
    Setting("logging.format", Choice(("auto", "json", "pretty")), "auto",
            "json: one JSON object a line; pretty: lines for people; auto: pretty on a terminal, else json.",
            short="SYNAP_LOG_FORMAT"),
    Setting("slowlog.threshold_us", Whole(-1, 10**12, "microseconds"), 10_000,
            "A command that takes longer is kept in the slow log; 0 keeps every command, -1 none."),
    Setting("slowlog.length", Whole(0, 100_000), 128,
            "Commands kept in the slow log; one more pushes out the oldest."),
    Setting("jit.workers", Whole(0, 1024), 0, "Processes that compile a cold cache; 0 takes one a core."),
)

ROWS: dict[str, Setting] = {row.name: row for row in TABLE}

AT_MOST = (
    ("limits.bulk_bytes_max", "limits.query_bytes_max"),
    ("limits.output_pause_bytes", "limits.output_bytes_max"),
    ("limits.reply_bytes_max", "limits.output_bytes_max"),
    ("limits.feed_output_bytes_max", "limits.output_bytes_max"),
)
"""Pairs of settings; the first must not exceed the second."""


# ---- names of other versions of the product ----


def _above_wal(text: str) -> str:
    above, last = os.path.split(os.path.dirname(text))
    if last != "wal":
        raise ValueError("DIRECTORY/wal/FILE, as log and snapshots share persistence.directory")
    return above or "."


def _above_snapshots(text: str) -> str:
    above, last = os.path.split(text.rstrip("/"))
    if last != "snapshots":
        raise ValueError("DIRECTORY/snapshots, as log and snapshots share persistence.directory")
    return above or "."


def _same(text: str) -> str:
    return text


_LATER = "not in this version"


@dataclass(frozen=True)
class Former:
    """A former name, read as the setting `to` after conversion by `turn`, or ignored for the reason in `note`."""

    name: str
    note: str = ""
    to: str = ""
    turn: Callable[[str], str] = _same


FORMER: dict[str, Former] = {former.name: former for former in (
    Former("server.websocket_enabled", "no listener has a switch of its own but resp"),
    Former("server.notify_keyspace_events", _LATER),
    Former("resp3.enabled", to="resp.enabled"),
    Former("resp3.host", to="resp.host"),
    Former("resp3.port", to="resp.port"),
    Former("limits.max_clients", to="server.connections_max"),
    Former("kv_store.ttl_cleanup_interval_ms", "expired keys are removed in small steps, all the time"),
    Former("kv_store.max_value_size_bytes", to="limits.bulk_bytes_max"),
    Former("queue.enabled", "queues are always on"),
    Former("queue.prefetch_limit", "a queue is given its own when it is made"),
    Former("persistence.wal.path", to="persistence.directory", turn=_above_wal),
    Former("persistence.wal.buffer_size_kb", "all changes of one turn are one write"),
    Former("persistence.wal.max_size_mb", "see persistence.wal.segment_bytes_max"),
    Former("persistence.snapshot.directory", to="persistence.directory", turn=_above_snapshots),
    Former("persistence.snapshot.compression", "snapshots are always compressed"),
)}

_NO_USERS = "not in this version: nobody is asked for a password"
_ALONE = "not in this version: this node stands alone"

LATER: dict[str, str] = {
    "acl": _NO_USERS, "auth": _NO_USERS, "authentication": _NO_USERS, "security": _NO_USERS,
    "cluster": _ALONE, "replication": _ALONE,
    "hub": _LATER, "mcp": _LATER, "monitoring": _LATER, "network": _LATER,
    "protocols": _LATER, "rate_limit": _LATER, "synap_rpc": _LATER, "watch": _LATER,
}
"""Sections that are accepted without effect -> the reason, for the warning."""

LATER_ENVIRONMENT: dict[str, str] = {
    "SYNAP_AUTH_": _NO_USERS, "SYNAP_CLUSTER_": _ALONE, "SYNAP_HUB_": _LATER, "SYNAP_MASTER_": _ALONE,
    "SYNAP_ROLE": _ALONE, "SYNAP_WATCH_": _LATER,
}
"""Prefixes of environment variables that are accepted without effect -> the reason, for the warning."""

SECTIONS = {"persistence"} | {name.rpartition(".")[0] for name in (*ROWS, *FORMER)}
