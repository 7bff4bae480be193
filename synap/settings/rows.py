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
    Setting("server.host", _HOSTS, ("127.0.0.1",), "Addresses on which the HTTP listener accepts connections; :: "
            "means all addresses of this machine, IPv4 and IPv6.", "--host", "SYNAP_HOST"),
    Setting("server.port", Whole(0, _PORT_MAX), 15500, "Port of the HTTP listener; 0 chooses any free port.",
            "--port", "SYNAP_PORT"),
    Setting("server.allowed_hosts", Names(), (), "Names accepted in the Host header, besides loopback names, IP "
            "addresses and names without a dot. A request with another name is refused."),
    Setting("server.cors_origins", Origins(), (), "Origins whose web pages may read replies and send writes. Pages "
            "of other origins cannot read replies, and their writes are refused."),
    Setting("server.envelope_texts", Choice(("auto", "exact", "raw")), "auto", "How the command envelope returns a "
            "stored text that is valid JSON. exact: as a JSON string, so that decoding it gives the stored text; "
            "raw: as the text itself, and other values as their JSON text; auto: raw for the Python SDK, which "
            "encodes values before it sends them, and exact for other clients."),
    Setting("server.envelope_nested", Choice(("auto", "on", "off")), "auto", "Whether replies of the command envelope "
            "about hashes, lists, sets and sorted sets contain a copy of themselves as `payload`, which makes them "
            "twice as long: the first versions of the TypeScript SDK read nothing else. auto: single commands of "
            "clients that send them with `fetch`, as this SDK does."),
    Setting("server.connections_max", Whole(1, 1_000_000), 10_000, "Greatest number of open connections, of all "
            "listeners together. The server closes further connections at once."),
    Setting("server.connections_per_address_max", Whole(1, 1_000_000), 10_000, "Greatest number of open connections "
            "from one address. The server closes further connections at once."),
    Setting("server.websocket_ping_s", Whole(0, 86_400, "seconds"), 30, "Time without data after which the server "
            "sends a ping over a WebSocket; after three pings without an answer, it closes the WebSocket. 0 turns "
            "pings off."),
    Setting("server.websocket_compression", Switch(), True, "Compress WebSocket messages for clients that offer "
            "permessage-deflate."),
    Setting("server.event_stream_ping_s", Whole(0, 86_400, "seconds"), 15, "Time without an event after which the "
            "server sends a comment on an event stream, so that it finds out whether the client is still there. 0 "
            "turns comments off."),
    Setting("resp.enabled", Switch(), True, "Accept connections of Redis clients."),
    Setting("resp.host", _HOSTS, ("127.0.0.1",), "Addresses on which the RESP listener accepts connections; :: means "
            "all addresses of this machine, IPv4 and IPv6."),
    Setting("resp.port", Whole(-1, _PORT_MAX), 6379, "Port of the RESP listener; 0 turns RESP off, -1 chooses any "
            "free port. If the port is the default, is in use, and was not set by a flag or the environment, the "
            "server starts without RESP.", "--resp-port"),
    Setting("resp.hello_server", Choice(("synap", "redis")), "synap", "Name of the server in the reply to HELLO. Some "
            "clients look for redis there before they use what they know of it, for instance redis-py for its cache; "
            "the version is then 7.4.0, as fields of hashes can expire."),
    Setting("limits.query_bytes_max", _SIZE, 1 << 30, "Largest command, with all its arguments. A larger command "
            "closes the connection."),
    Setting("limits.bulk_bytes_max", _SIZE, 512 * MIB, "Largest argument or value. A larger one is refused."),
    Setting("limits.http_head_bytes_max", _SIZE, 1 << 16, "Largest HTTP head: the request line and the headers. A "
            "larger head is refused with status 431."),
    Setting("limits.http_body_bytes_max", _SIZE, 513 * MIB, "Largest HTTP body. A larger body is refused with status "
            "413. The default leaves space for the JSON around a value of limits.bulk_bytes_max."),
    Setting("limits.http_head_s", Whole(1, 86_400, "seconds"), 20, "Time in which the head of an HTTP request must "
            "arrive. A slower request is refused with status 408."),
    Setting("limits.http_request_s", Whole(1, 86_400, "seconds"), 300, "Time in which a whole HTTP request must "
            "arrive. A slower request is refused with status 408."),
    Setting("limits.http_idle_s", Whole(1, 86_400, "seconds"), 120, "Time after which the server closes an HTTP "
            "connection that has sent no further request."),
    Setting("limits.timeout", Whole(0, 1 << 31, "seconds"), 0, "Time after which the server closes the connection of "
            "a Redis client that has sent nothing; 0 means no limit."),
    Setting("limits.tcp_keepalive", Whole(0, 32_767, "seconds"), 300, "Time without data after which the system "
            "probes the connection of a Redis client; 0 turns probes off."),
    Setting("limits.tcp_backlog", Whole(1, 65_535), 511, "Greatest number of connections that wait to be accepted, "
            "for each listener; the system may have a lower limit."),
    Setting("limits.websocket_message_bytes_max", _SIZE, MIB, "Largest WebSocket message, decompressed. A larger "
            "message closes the WebSocket with code 1009."),
    Setting("limits.websocket_fragments_max", Whole(1, 1 << 30), 100_000, "Greatest number of frames in one "
            "WebSocket message. A message of more frames closes the WebSocket with code 1009."),
    Setting("limits.feed_output_bytes_max", _SIZE, 8 * MIB, "Unsent output of one WebSocket or subscriber at which "
            "the server closes its connection."),
    Setting("limits.output_pause_bytes", _SIZE, MIB, "Unsent replies of one client at which its next commands wait, "
            "unless the client keeps sending."),
    Setting("limits.output_total_bytes_max", _SIZE, 512 * MIB, "Unsent replies of all slow clients together at which "
            "the server stops reading from these clients, even if they keep sending."),
    Setting("limits.output_bytes_max", _SIZE, 1536 * MIB, "Unsent replies of one client at which the server closes "
            "its connection."),
    Setting("limits.output_stall_s", Whole(1, 86_400, "seconds"), 60, "Time after which the server closes the "
            "connection of a client that has read none of its unsent replies."),
    Setting("limits.reply_bytes_max", _SIZE, 1 << 30, "Largest reply. A command whose reply could be larger is "
            "refused before it changes anything."),
    Setting("kv_store.max_memory_mb", Size(0, 512 * 1024, "mb"), 4096, "Memory for all data; 0 means the memory of "
            "this machine. kv_store.eviction_policy decides what happens to a write when the memory is used up."),
    Setting("kv_store.eviction_policy", _POLICY, "noeviction", "Which key is removed when a write needs memory: one "
            "of all keys (allkeys) or of the keys with a deadline (volatile); the least recently used (lru), the "
            "least frequently used (lfu), a random one, or the one that expires first (ttl). noeviction refuses the "
            "write. Nothing is removed for a write that needs more than half of the memory: it is refused. What a "
            "write needs besides its arguments, and a transaction, may exceed the limit by a quarter; the next write "
            "removes keys then."),
    Setting("kv_store.eviction_sample_size", Whole(1, 64), 5, "Keys that are compared for each removed key; a larger "
            "sample finds better candidates and takes longer."),
    Setting("kv_store.allow_flush_commands", Switch(), False, "Serve FLUSHDB and FLUSHALL over HTTP; RESP always "
            "serves them."),
    Setting("scripts.memory_bytes_max", Size(MIB, 1 << 40), 64 * MIB, "Memory of Lua for all scripts together. A "
            "script that needs more ends with an error; what it has written stays. The reply to one of its calls may "
            "exceed it."),
    Setting("scripts.time_ms_max", Whole(1, 86_400_000), 60_000, "Longest run of a script; no other client is served "
            "meanwhile. A script that runs longer ends with an error; what it has written stays. One call is not "
            "interrupted."),
    Setting("scripts.busy_ms", Whole(1, 86_400_000), 5000, "Run of a script after which other clients are told BUSY, "
            "and may end the script if it has written nothing. Redis calls it busy-reply-threshold."),
    Setting("compression.enabled", Switch(), False, "Compress long strings in memory."),
    Setting("compression.default_algorithm", Choice(("lz4", "zstd")), "lz4", "Compression algorithm: lz4 is several "
            "times faster, zstd compresses better."),
    Setting("compression.min_payload_size", Size(64, 1 << 30), 1024, "Shortest string that is compressed; a string "
            "that would not shrink by an eighth stays uncompressed."),
    Setting("compression.hot_cache_bytes", Size(0, 1 << 40), 16 * MIB, "Size of the cache of decompressed strings, "
            "for compressed strings that are read often."),
    Setting("compression.zstd.level", Whole(1, 19), 3, "Compression level of zstd; a higher level compresses better "
            "and is slower."),
    Setting("queue.max_depth", Whole(1, 1_000_000_000), 100_000, "Greatest number of ready messages in one queue. "
            "Publishing another message is refused."),
    Setting("queue.ack_deadline_secs", Whole(1, 604_800, "seconds"), 30, "Time in which a consumer must acknowledge "
            "a message; otherwise the message is delivered again."),
    Setting("queue.default_max_retries", Whole(0, 1_000_000), 3, "Number of further deliveries after the first, "
            "unless the message sets its own; then the message becomes a dead letter."),
    Setting("queue.default_priority", Whole(0, 9), 5, "Priority of a message that sets none; messages of priority 9 "
            "are delivered first."),
    Setting("stream.max_events", Whole(0, 10**12), 10_000, "Greatest number of events in a room; a further event "
            "removes the oldest. 0 means no limit."),
    Setting("stream.max_bytes", Size(0, 1 << 50), 0, "Greatest size of the events in a room, names and data; further "
            "events remove the oldest. 0 means no limit."),
    Setting("stream.retention_secs", Whole(0, 10**9, "seconds"), 3600, "Time for which a room keeps an event; "
            "removal may come later by a 64th of this time, or by a minute if that is less. 0 means no limit."),
    Setting("pubsub.topics_max", Whole(1, 100_000_000), 100_000, "Greatest number of topics whose counters are kept. "
            "Above it, the topic that lost its last subscriber first is removed."),
    Setting("pubsub.subscriptions_max", Whole(1, 100_000_000), 100_000, "Greatest number of subscriptions of one "
            "subscriber. A further subscription is refused."),
    Setting("pubsub.unread_subscribers_max", Whole(1, 100_000_000), 10_000, "Greatest number of subscribers that "
            "were created over HTTP and have no connection. Above it, the one that has not polled for longest is "
            "removed."),
    Setting("pubsub.poll_idle_s", Whole(1, 10**6, "seconds"), 60, "Time after its last poll for which messages are "
            "kept for a subscriber without a connection. Later ones are counted as lost until it polls again."),
    Setting("pubsub.poll_bytes_max", Size(0, 1 << 50), 64 * MIB, "Greatest size of all messages that are kept for "
            "polls. Above it, those of subscribers that have not polled for longest are dropped, and counted as lost."),
    Setting("pubsub.topic_bytes_max", Size(1, MIB), 4096, "Longest topic or pattern. A longer one is refused."),
    Setting("pubsub.buffer_messages_max", Whole(1, 10_000_000), 1024, "Greatest number of unsent messages of one "
            "subscriber that is not a Redis client. pubsub.overflow decides what happens above it, and above "
            "limits.feed_output_bytes_max."),
    Setting("pubsub.overflow", Choice(("disconnect", "drop_newest", "drop_oldest")), "disconnect",
            "What happens to a message when the buffer of its subscriber is full. disconnect: the subscriber's "
            "connection is closed; drop_newest: the message is dropped; drop_oldest: the oldest message in the "
            "buffer is dropped."),
    Setting("watch.max_inline_value_bytes", Size(0, MIB), 65_536, "Longest value of a string that a message about a "
            "watched key carries. A longer one is left out."),
    Setting("persistence.enabled", Switch(), True, "Write data to disk."),
    Setting("persistence.directory", Text("a path"), "./data", "Data directory, with the log, the snapshots and the "
            "file LOCK. A relative path starts at the working directory.", "--data-dir"),
    Setting("persistence.wal.enabled", Switch(), True, "Log every change. Without the log, a crash loses all changes "
            "since the last snapshot; a clean stop writes a snapshot."),
    Setting("persistence.wal.fsync_mode", Choice(("always", "periodic", "never")), "periodic",
            "When the log is synced. always: before each reply; periodic: every persistence.wal.fsync_interval_ms; "
            "never: only at a clean stop. A killed process loses nothing in any mode; a power failure loses the "
            "changes that were not synced."),
    Setting("persistence.wal.fsync_interval_ms", Whole(1, 60_000, "milliseconds"), 1000, "Longest time between a "
            "write and its sync in mode periodic."),
    Setting("persistence.wal.segment_bytes_max", Size(1 << 16, 1 << 36), 256 * MIB, "Size at which the log continues "
            "in a new file."),
    Setting("persistence.snapshot.enabled", Switch(), True, "Write snapshots automatically."),
    Setting("persistence.snapshot.interval_secs", Whole(1, 604_800, "seconds"), 300, "Time after which a snapshot is "
            "due if anything has changed."),
    Setting("persistence.snapshot.operation_threshold", Whole(1, 10**12), 10_000, "Number of changes after which a "
            "snapshot is due, if the last one is at least a minute old."),
    Setting("persistence.snapshot.max_snapshots", Whole(1, 1000), 2, "Number of snapshots that are kept. The oldest "
            "is deleted once a newer one has been verified."),
    Setting("logging.level", Choice(("trace", "debug", "info", "warn", "error")), "info", "Lowest severity of the "
            "log lines that are written.", short="SYNAP_LOG_LEVEL"),
    Setting("logging.format", Choice(("auto", "json", "pretty")), "auto", "Format of log lines. json: one JSON "
            "object a line; pretty: lines for people; auto: pretty on a terminal, otherwise json.",
            short="SYNAP_LOG_FORMAT"),
    Setting("changes.memory_bytes_max", Size(0, 1 << 40), 16 * MIB, "Memory for the newest changes while somebody "
            "reads the change feed. Readers who are further behind read the log; without a log there are no others."),
    Setting("changes.held_secs", Whole(0, 10**9, "seconds"), 0, "How long segments of the log are kept for readers of "
            "changes though snapshots have replaced them; 0 keeps them for named feeds only."),
    Setting("changes.held_bytes_max", Size(0, 1 << 50), 1024 * MIB, "Most bytes of segments that are kept for "
            "`changes.held_secs` and for named feeds. Older segments are removed: a feed that wants them is lost, and "
            "its reader is told so with status 410."),
    Setting("changes.feeds_max", Whole(0, 10_000), 64, "Greatest number of named feeds."),
    Setting("slowlog.threshold_us", Whole(-1, 10**12, "microseconds"), 10_000, "Duration above which the slow log "
            "keeps a command; 0 keeps every command, -1 none."),
    Setting("slowlog.length", Whole(0, 100_000), 128, "Greatest number of commands in the slow log; a further "
            "command removes the oldest."),
    Setting("jit.workers", Whole(0, 1024), 0, "Number of processes that compile the kernels when the cache is empty; "
            "0 means one for each core."),
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
    Former("server.websocket_enabled", "only the RESP listener can be turned off"),
    Former("server.notify_keyspace_events", "turned on by `CONFIG SET notify-keyspace-events`"),
    Former("resp3.enabled", to="resp.enabled"),
    Former("resp3.host", to="resp.host"),
    Former("resp3.port", to="resp.port"),
    Former("limits.max_clients", to="server.connections_max"),
    Former("kv_store.ttl_cleanup_interval_ms", "expired keys are removed continuously, in small steps"),
    Former("kv_store.max_value_size_bytes", to="limits.bulk_bytes_max"),
    Former("queue.enabled", "queues are always on"),
    Former("queue.prefetch_limit", "the prefetch limit is given when a queue is created"),
    Former("persistence.wal.path", to="persistence.directory", turn=_above_wal),
    Former("persistence.wal.buffer_size_kb", "all changes of one turn are written together"),
    Former("persistence.wal.max_size_mb", "see persistence.wal.segment_bytes_max"),
    Former("persistence.snapshot.directory", to="persistence.directory", turn=_above_snapshots),
    Former("persistence.snapshot.compression", "snapshots are always compressed"),
)}

_NO_USERS = "not in this version: clients need no password"
_ALONE = "not in this version: a node has no replicas and no cluster"

LATER: dict[str, str] = {
    "acl": _NO_USERS, "auth": _NO_USERS, "authentication": _NO_USERS, "security": _NO_USERS,
    "cluster": _ALONE, "replication": _ALONE,
    "hub": _LATER, "mcp": _LATER, "monitoring": _LATER, "network": _LATER,
    "protocols": _LATER, "rate_limit": _LATER, "synap_rpc": _LATER,
}
"""Sections that are accepted without effect -> the reason, for the warning."""

LATER_ENVIRONMENT: dict[str, str] = {
    "SYNAP_AUTH_": _NO_USERS, "SYNAP_CLUSTER_": _ALONE, "SYNAP_HUB_": _LATER, "SYNAP_MASTER_": _ALONE,
    "SYNAP_ROLE": _ALONE,
}
"""Prefixes of environment variables that are accepted without effect -> the reason, for the warning."""

SECTIONS = {"persistence"} | {name.rpartition(".")[0] for name in (*ROWS, *FORMER)}
