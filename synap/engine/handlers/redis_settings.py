"""Configuration names of Redis 7.2 that change nothing here: what each accepts, and what CONFIG SET says of it.

    KEPT        describes the inside of Redis, or what Synap does not have: every value that Redis accepts is stored and
                shown, without effect here
    FIXED       describes this server's constant behaviour or a choice of its start: only the present value is accepted
    IMMUTABLE   cannot be changed while Redis runs, so not here either
    PROTECTED   can be changed only if Redis was started with permission for it, so not here

`live_settings.py` has the names with an effect. Clients and libraries read and set all these names, so each value is
checked as Redis checks it, with Redis' error texts (`redis_values.py`).
"""

from dataclasses import dataclass

from synap.engine.handlers.redis_values import (
    ANYTHING,
    HOST_NAME,
    INT_MAX,
    LOCALE,
    LONG_MAX,
    NO_DEFRAGMENTATION,
    NODE_NAME,
    OOM_VALUES,
    SHARE,
    SWITCH,
    TITLE,
    ULONG_MAX,
    Reader,
    capped,
    choice,
    flags,
    memory,
    whole,
)

AT_THE_START = "it can only be set at the start"
NO_TLS = "Unable to update TLS configuration. Check server logs."
"""What Redis says, too, if it has no certificate."""


@dataclass(frozen=True)
class Known:
    """The initial value of a name, the reader of a new value, and for `FIXED` why another value is refused."""

    value: str
    read: Reader
    why: str = AT_THE_START


def _all(read: Reader, names: str, why: str = AT_THE_START) -> dict[str, Known]:
    """Return entries for alternating names and values with one reader; `-` stands for the empty value."""
    words = names.split()
    return {name: Known("" if value == "-" else value, read, why)
            for name, value in zip(words[::2], words[1::2], strict=True)}  # fmt: skip


KEPT: dict[str, Known] = {
    **_all(SWITCH, (
        "activerehashing yes aof-disable-auto-gc no aof-load-truncated yes aof-rewrite-incremental-fsync yes "
        "aof-timestamp-enabled no aof-use-rdb-preamble yes cluster-allow-pubsubshard-when-down yes "
        "cluster-allow-reads-when-down no cluster-allow-replica-migration yes cluster-replica-no-failover no "
        "cluster-require-full-coverage yes crash-log-enabled yes crash-memcheck-enabled yes dynamic-hz yes "
        "jemalloc-bg-thread yes lazyfree-lazy-eviction no lazyfree-lazy-expire no lazyfree-lazy-server-del no "
        "lazyfree-lazy-user-del no lazyfree-lazy-user-flush no no-appendfsync-on-rewrite no rdb-del-sync-files no "
        "rdb-save-incremental-fsync yes rdbcompression yes repl-disable-tcp-nodelay no repl-diskless-sync yes "
        "replica-announced yes replica-ignore-disk-write-errors no replica-ignore-maxmemory yes replica-lazy-flush no "
        "replica-read-only yes replica-serve-stale-data yes stop-writes-on-bgsave-error yes "
        "tls-prefer-server-ciphers no tls-session-caching yes use-exit-on-panic no"
    )),
    **_all(whole(0, INT_MAX), (
        "auto-aof-rewrite-percentage 100 cluster-migration-barrier 1 cluster-replica-validity-factor 10 "
        "list-compress-depth 0 min-replicas-max-lag 10 repl-diskless-sync-delay 5 repl-diskless-sync-max-replicas 0 "
        "replica-priority 100 shutdown-timeout 10 tls-session-cache-size 20480 tls-session-cache-timeout 300"
    )),
    **_all(whole(1, INT_MAX), "repl-ping-replica-period 10 repl-timeout 60"),
    **_all(whole(-INT_MAX - 1, INT_MAX), "key-load-delay 0 rdb-key-save-delay 0"),
    **_all(whole(1024, INT_MAX), "loading-process-events-interval-bytes 2097152"),
    **_all(capped(whole(0, INT_MAX), 1, 500), "hz 10"),
    **_all(capped(whole(0, INT_MAX), 200), "watchdog-period 0"),
    **_all(capped(memory(1), 16_384), "repl-backlog-size 1048576"),
    **_all(whole(0, 100), "maxmemory-eviction-tenacity 10"),
    **_all(whole(1, 10), "active-expire-effort 1"),
    **_all(whole(1, 99), "active-defrag-cycle-max 25 active-defrag-cycle-min 1"),
    **_all(whole(0, 1000), "active-defrag-threshold-lower 10 active-defrag-threshold-upper 100"),
    **_all(whole(1, LONG_MAX), "active-defrag-max-scan-fields 1000"),
    **_all(whole(0, 65_535), (
        "cluster-announce-bus-port 0 cluster-announce-port 0 cluster-announce-tls-port 0 replica-announce-port 0"
    )),
    **_all(whole(0, LONG_MAX), (
        "acllog-max-len 128 cluster-node-timeout 15000 cluster-ping-interval 0 "
        "repl-backlog-ttl 3600"
    )),
    **_all(memory(), "auto-aof-rewrite-min-size 67108864"),
    **_all(memory(0, ULONG_MAX), "cluster-link-sendbuf-limit 0"),
    **_all(memory(1), "active-defrag-ignore-bytes 104857600"),
    **_all(choice("allchannels", "resetchannels"), "acl-pubsub-default resetchannels"),
    **_all(choice("ip", "hostname", "unknown-endpoint"), "cluster-preferred-endpoint-type ip"),
    **_all(choice("ignore", "panic", "panic-on-replicas"), "propagation-error-behavior ignore"),
    **_all(choice("disabled", "on-empty-db", "swapdb"), "repl-diskless-load disabled"),
    **_all(choice("no", "yes", "clients"), "sanitize-dump-payload no"),
    **_all(choice("no", "yes", "optional"), "tls-auth-clients yes"),
    **_all(flags("default", "save", "nosave", "now", "force"), (
        "shutdown-on-sigint default shutdown-on-sigterm default"
    )),
    **_all(ANYTHING, (
        "bind-source-addr - cluster-announce-ip - ignore-warnings - masterauth - masteruser - replica-announce-ip - "
        "tls-ca-cert-dir - tls-ca-cert-file - tls-cert-file - tls-ciphers - tls-ciphersuites - "
        "tls-client-cert-file - tls-client-key-file - tls-client-key-file-pass - tls-dh-params-file - tls-key-file - "
        "tls-key-file-pass - tls-protocols -"
    )),
    **_all(NO_DEFRAGMENTATION, "activedefrag no"),
    **_all(HOST_NAME, "cluster-announce-hostname -"),
    **_all(NODE_NAME, "cluster-announce-human-nodename -"),
    **_all(LOCALE, "locale-collate -"),
    "proc-title-template": Known("{title} {listen-addr} {server-mode}", TITLE),
    "oom-score-adj-values": Known("0 200 800", OOM_VALUES),
}  # fmt: skip

FIXED: dict[str, Known] = {
    **_all(SWITCH, "appendonly no protected-mode no"),
    **_all(SWITCH, "tls-cluster no tls-replication no", NO_TLS),
    **_all(whole(0, INT_MAX), "min-replicas-to-write 0", "there are no replicas"),
    **_all(whole(0, 65_535), "port 0"),
    **_all(whole(0, 65_535), "tls-port 0", NO_TLS),
    **_all(SHARE, "maxmemory-clients 0", "limits.output_total_bytes_max has its purpose"),
    **_all(choice("no", "yes", "relative", "absolute"), "oom-score-adj no", "it belongs to what starts the server"),
    **_all(ANYTHING, "bind -"),
    **_all(ANYTHING, "requirepass -", "there are no passwords"),
}  # fmt: skip

IMMUTABLE: dict[str, str] = {name: known.value for name, known in _all(ANYTHING, (
    "aclfile - always-show-logo no aof-rewrite-cpulist - appenddirname appendonlydir appendfilename appendonly.aof "
    "bgsave-cpulist - bio-cpulist - cluster-config-file nodes.conf cluster-enabled no cluster-port 0 daemonize no "
    "databases 16 disable-thp yes enable-debug-assert no enable-debug-command yes enable-module-command no "
    "enable-protected-configs no io-threads 1 io-threads-do-reads no logfile - lua-enable-deprecated-api no pidfile - "
    "rdbchecksum yes replicaof - server-cpulist - set-proc-title yes socket-mark-id 0 supervised no syslog-enabled no "
    "syslog-facility local0 syslog-ident redis tcp-backlog 511 unixsocket - unixsocketperm 0"
)).items()}  # fmt: skip
PROTECTED: dict[str, str] = {"dir": "", "dbfilename": "dump.rdb"}

HIDDEN = frozenset({
    "cluster-ping-interval", "enable-debug-assert", "key-load-delay", "loading-process-events-interval-bytes",
    "lua-enable-deprecated-api", "rdb-key-save-delay", "use-exit-on-panic", "watchdog-period",
})  # fmt: skip
"""Names that CONFIG GET shows only to those who ask for exactly this name."""

ALIASES: dict[str, str] = {
    "aof_rewrite_cpulist": "aof-rewrite-cpulist", "bgsave_cpulist": "bgsave-cpulist", "bio_cpulist": "bio-cpulist",
    "server_cpulist": "server-cpulist", "lua-time-limit": "busy-reply-threshold", "slaveof": "replicaof",
    "hash-max-ziplist-entries": "hash-max-listpack-entries", "hash-max-ziplist-value": "hash-max-listpack-value",
    "zset-max-ziplist-entries": "zset-max-listpack-entries", "zset-max-ziplist-value": "zset-max-listpack-value",
    "list-max-ziplist-size": "list-max-listpack-size", "repl-ping-slave-period": "repl-ping-replica-period",
    "min-slaves-to-write": "min-replicas-to-write", "min-slaves-max-lag": "min-replicas-max-lag",
    "cluster-slave-no-failover": "cluster-replica-no-failover",
    "cluster-slave-validity-factor": "cluster-replica-validity-factor",
    **{name.replace("replica", "slave"): name for name in (
        "replica-announce-ip", "replica-announce-port", "replica-ignore-maxmemory", "replica-lazy-flush",
        "replica-priority", "replica-read-only", "replica-serve-stale-data",
    )},
}  # fmt: skip
"""Old names of settings, which patterns match too."""
