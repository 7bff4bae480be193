"""Configuration names of Redis 7.2: the values that each accepts, and how CONFIG SET treats it here.

    SMALL       decides when a structure leaves its small form, here as in Redis
    KEPT        tunes the inside of Redis: every value that Redis accepts is stored and shown, without effect here
    FIXED       describes this server's constant behaviour or a choice of its start: only that value is accepted
    IMMUTABLE   cannot be changed while Redis runs, so not here either
    PROTECTED   can be changed only if Redis was started with permission for it, so not here

`config.py` holds the names that have an effect here. Clients and libraries read and set all these names, so each value
is checked as Redis checks it, with Redis' error texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from synap.store.memory import layout

INT_MAX, LONG_MAX = (1 << 31) - 1, (1 << 63) - 1
UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}

Read = Callable[[str], Any]


def integer(text: str) -> int:
    """Parse a 64-bit integer in its shortest spelling. Raise ValueError with Redis' reason."""
    value = int(text) if text.lstrip("-").isdecimal() and text.isascii() else None
    if value is None or str(value) != text or not -LONG_MAX - 1 <= value <= LONG_MAX:
        raise ValueError("argument couldn't be parsed into an integer")
    return value


def bounded(value: int, least: int, most: int) -> int:
    """Return `value` if it lies within these bounds. Raise ValueError with Redis' reason."""
    if not least <= value <= most:
        raise ValueError(f"argument must be between {least} and {most} inclusive")
    return value


def size(text: str) -> int:
    """Parse bytes: digits (none count as 0) and one of Redis' units. Raise ValueError with Redis' reason."""
    digits = text.rstrip("bBkKmMgG")
    unit = text[len(digits) :].lower()
    if digits.strip("0123456789") or unit not in UNITS:
        raise ValueError("argument must be a memory value")
    return int(digits or 0) * UNITS[unit]


def whole(least: int, most: int) -> Read:
    """Return a reader of an integer within bounds."""
    return lambda text: bounded(integer(text), least, most)


def memory(least: int = 0, most: int = LONG_MAX) -> Read:
    """Return a reader of a size in bytes within bounds."""
    return lambda text: bounded(size(text), least, most)


def share(text: str) -> int:
    """Parse a size, or a percentage as a negative number. Raise ValueError with Redis' reason."""
    try:
        return -bounded(int(text[:-1]), 0, 100) if text[-1:] == "%" else size(text)
    except ValueError:
        raise ValueError("argument must be a memory or percent value") from None


def switch(text: str) -> str:
    """Return "yes" or "no". Raise ValueError with Redis' reason."""
    if text.lower() not in ("yes", "no"):
        raise ValueError("argument must be 'yes' or 'no'")
    return text.lower()


def choice(*words: str) -> Read:
    """Return a reader of one of some words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError("argument(s) must be one of the following: " + ", ".join(words))
        return text.lower()

    return read


def anything(text: str) -> str:
    """Return any text unchanged."""
    return text


@dataclass(frozen=True)
class Known:
    """The initial value of a name, and the reader of a new value."""

    value: str
    read: Read


def _all(read: Read, names: str) -> dict[str, Known]:
    """Return entries for alternating names and values with one reader; `-` stands for the empty value."""
    words = names.split()
    return {name: Known("" if value == "-" else value, read)
            for name, value in zip(words[::2], words[1::2], strict=True)}  # fmt: skip


KEPT: dict[str, Known] = {
    **_all(whole(0, LONG_MAX), (
        "stream-node-max-entries 100 lua-time-limit 5000 acllog-max-len 128 repl-backlog-ttl 3600"
    )),
    **_all(memory(), (
        "stream-node-max-bytes 4096 auto-aof-rewrite-min-size 67108864"
    )),
    **_all(memory(1), "repl-backlog-size 1048576 active-defrag-ignore-bytes 104857600"),
    **_all(whole(0, INT_MAX), "list-compress-depth 0 auto-aof-rewrite-percentage 100 hz 10 shutdown-timeout 10"),
    **_all(whole(1, INT_MAX), "repl-timeout 60 repl-ping-replica-period 10"),
    **_all(whole(1, 10), "active-expire-effort 1"),
    **_all(whole(0, 100), "maxmemory-eviction-tenacity 10"),
    **_all(switch, (
        "activerehashing yes dynamic-hz yes rdbcompression yes rdb-save-incremental-fsync yes aof-load-truncated yes "
        "aof-rewrite-incremental-fsync yes aof-use-rdb-preamble yes aof-timestamp-enabled no "
        "no-appendfsync-on-rewrite no stop-writes-on-bgsave-error yes lazyfree-lazy-eviction no "
        "lazyfree-lazy-expire no lazyfree-lazy-server-del no lazyfree-lazy-user-del no lazyfree-lazy-user-flush no "
        "repl-disable-tcp-nodelay no replica-lazy-flush no jemalloc-bg-thread yes crash-log-enabled yes "
        "crash-memcheck-enabled yes rdb-del-sync-files no"
    )),
    **_all(choice("no", "yes", "clients"), "sanitize-dump-payload no"),
}  # fmt: skip

SMALL: dict[str, tuple[int, Read]] = {
    "hash-max-listpack-entries": (layout.HASH_ENTRIES_MAX, whole(0, LONG_MAX)),
    "hash-max-listpack-value": (layout.HASH_VALUE_MAX, memory()),
    "list-max-listpack-size": (layout.LIST_SIZE_MAX, whole(-INT_MAX - 1, INT_MAX)),
    "set-max-listpack-entries": (layout.SET_ENTRIES_MAX, whole(0, LONG_MAX)),
    "set-max-listpack-value": (layout.SET_VALUE_MAX, memory()),
    "set-max-intset-entries": (layout.SET_INTEGERS_MAX, whole(0, LONG_MAX)),
    "zset-max-listpack-entries": (layout.ZSET_ENTRIES_MAX, whole(0, LONG_MAX)),
    "zset-max-listpack-value": (layout.ZSET_VALUE_MAX, memory()),
    "hll-sparse-max-bytes": (layout.HLL_SPARSE_MAX, memory()),
}
"""The limits of the small forms of structures: the register that holds each (memory/layout.py), and its reader."""

FIXED: dict[str, Known] = {
    **_all(switch, (
        "appendonly no protected-mode no activedefrag no replica-read-only yes replica-serve-stale-data yes "
        "latency-tracking yes cluster-require-full-coverage yes tls-replication no tls-cluster no "
        "repl-diskless-sync yes"
    )),
    **_all(whole(0, INT_MAX), (
        "lfu-log-factor 10 lfu-decay-time 1 min-replicas-to-write 0 min-replicas-max-lag 10 replica-priority 100"
    )),
    **_all(whole(0, LONG_MAX), "cluster-node-timeout 15000"),
    **_all(whole(0, 65_535), "port 0 tls-port 0 replica-announce-port 0"),
    **_all(whole(1, (1 << 32) - 1), "maxclients 10000"),
    **_all(memory(1 << 20), "client-query-buffer-limit 1073741824"),
    **_all(share, "maxmemory-clients 0"),
    **_all(choice("debug", "verbose", "notice", "warning"), "loglevel notice"),
    **_all(choice("allchannels", "resetchannels"), "acl-pubsub-default resetchannels"),
    **_all(choice("no", "yes", "relative", "absolute"), "oom-score-adj no"),
    **_all(choice("no", "yes", "optional"), "tls-auth-clients yes"),
    **_all(anything, (
        "bind - requirepass - masterauth - masteruser - replica-announce-ip - "
        "tls-cert-file - tls-key-file - tls-ca-cert-file - tls-protocols - bind-source-addr -"
    )),
}  # fmt: skip

IMMUTABLE: dict[str, str] = {name: known.value for name, known in _all(anything, (
    "daemonize no databases 16 supervised no pidfile - logfile - syslog-enabled no syslog-ident redis "
    "syslog-facility local0 tcp-backlog 511 unixsocket - unixsocketperm 0 cluster-enabled no "
    "cluster-config-file nodes.conf cluster-port 0 io-threads 1 io-threads-do-reads no replicaof - aclfile - "
    "appendfilename appendonly.aof appenddirname appendonlydir always-show-logo no rdbchecksum yes "
    "set-proc-title yes disable-thp yes enable-protected-configs no enable-debug-command yes "
    "enable-module-command no socket-mark-id 0 server_cpulist - bio_cpulist - bgsave_cpulist - "
    "aof_rewrite_cpulist -"
)).items()}  # fmt: skip
PROTECTED: dict[str, str] = {"dir": "", "dbfilename": "dump.rdb"}

ALIASES: dict[str, str] = {
    "hash-max-ziplist-entries": "hash-max-listpack-entries", "hash-max-ziplist-value": "hash-max-listpack-value",
    "zset-max-ziplist-entries": "zset-max-listpack-entries", "zset-max-ziplist-value": "zset-max-listpack-value",
    "list-max-ziplist-size": "list-max-listpack-size", "busy-reply-threshold": "lua-time-limit",
    "slaveof": "replicaof", "slave-read-only": "replica-read-only", "slave-lazy-flush": "replica-lazy-flush",
    "slave-serve-stale-data": "replica-serve-stale-data", "slave-priority": "replica-priority",
    "slave-announce-ip": "replica-announce-ip", "slave-announce-port": "replica-announce-port",
    "min-slaves-to-write": "min-replicas-to-write", "min-slaves-max-lag": "min-replicas-max-lag",
    "repl-ping-slave-period": "repl-ping-replica-period",
}  # fmt: skip
"""Old names of settings, which patterns match too."""
