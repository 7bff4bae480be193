"""CONFIG beside a real Redis: the names it has, what it says to a value, and which settings change together."""

import pytest
from peers import Peer
from surfaces import Surfaces

from synap.engine.handlers import config
from synap.engine.handlers.redis_settings import ALIASES, FIXED, IMMUTABLE, KEPT, PROTECTED
from synap.store.memory import layout
from tests.support import Bench, command, decode

OURS = {
    "dir": "another place", "port": "another port", "bind": "another address", "enable-debug-command": "always there",
    "maxmemory": "there is a limit from the start", "appendonly": "the log is on", "save": "none in Redis' fixture",
    "client-output-buffer-limit": "limits.output_bytes_max", "protected-mode": "the address decides",
    "proc-title-template": "", "maxclients": "lowered where the system has fewer files",
}
"""Settings whose value is another here."""
NEW = {"set-max-listpack-entries", "set-max-listpack-value"}
"""Of Redis 7.2; the judge is 7.0."""
LIMITS = {"slowlog-log-slower-than", "slowlog-max-len", "tcp-keepalive", "maxmemory-samples", "proto-max-bulk-len"}
"""Settings whose upper bound is lower here."""
OWN = ("client-output-buffer-limit", "maxmemory", "maxmemory-clients")
"""Settings of which we take less than Redis, and say so."""
WORDS = ["0", "1", "-1", "", "x", "10", " 1", "01", "+1", "1.5", "1kb", "1gb", "-1kb", "kb", "1MB", "yes", "NO",
         "always", "no", "everysec", "noeviction", "allkeys-LRU", "notice", "9223372036854775808",
         "99999999999"]  # fmt: skip


def said(surfaces: Surfaces, redis: Peer, *words: str) -> tuple[bytes, bytes]:
    sent = command(*words)
    return surfaces.resp_bytes(sent), redis.ask(sent)


def shown(reply: bytes) -> dict[str, str]:
    found = [word.decode() for word in decode(reply)[0]]
    return dict(zip(found[::2], found[1::2], strict=True))


@pytest.fixture
def surfaces(store: type[Bench]) -> Surfaces:
    return Surfaces()


def test_names_and_values(surfaces: Surfaces, redis: Peer) -> None:
    ours, theirs = map(shown, said(surfaces, redis, "CONFIG", "GET", "*"))
    assert {name for name in ours if name not in theirs} == NEW
    assert not {name for name, value in ours.items() if value != theirs.get(name) and name not in {*OURS, *NEW}}
    assert set(ours) == {*config.SETTABLE, *IMMUTABLE, *PROTECTED, *ALIASES} - {"client-output-buffer-limit"}
    assert len(ours) > 140


@pytest.mark.parametrize("patterns", [
    "*max-*-entries*", "replicaof slaveof", "hash-max-ziplist-entries", "HASH-max-listpack-[ev]*", "slave?read-only",
    "notify-keyspace-events", "repl*-priority none", "none", "[^a-y]*", "lua-time-limit busy-*", "\\save",
    "*-ziplist-*", "daemonize databases timeout", "maxmemory-policy maxmemory-policy", "set-max-i*",
])  # fmt: skip
def test_patterns(surfaces: Surfaces, redis: Peer, patterns: str) -> None:
    ours, theirs = map(shown, said(surfaces, redis, "CONFIG", "GET", *patterns.split()))
    assert {name: value for name, value in ours.items() if name not in {*OURS, *NEW}} == {
        name: value for name, value in theirs.items() if name in ours and name not in OURS
    }
    assert not {name for name in theirs if name not in ours and not name.startswith(("repl-", "slave", "zset"))}


def test_what_is_said_to_a_value(surfaces: Surfaces, redis: Peer) -> None:
    names = {*KEPT, *FIXED, *IMMUTABLE, *PROTECTED, *ALIASES, *config.SETTABLE} - NEW - {"port", "bind"}
    wrong, same = [], 0
    for name in sorted(names):
        for word in WORDS:
            redis_before = shown(redis.ask(command("CONFIG", "GET", name)))[name]
            ours, theirs = said(surfaces, redis, "CONFIG", "SET", name, word)
            redis.ask(command("CONFIG", "SET", name, redis_before))
            if ours == theirs:
                same += 1
            elif b"it can only be set at the start" in ours:
                assert ALIASES.get(name, name) in FIXED
                assert theirs == b"+OK\r\n" or name in PICKY or name[:4] == "tls-"
            elif not (name in LIMITS and b"between" in ours) and name not in OWN:
                wrong.append((name, word, ours, theirs))
    assert not wrong, "\n".join(map(str, wrong))
    assert same > 2000


PICKY = {"maxmemory-clients", "notify-keyspace-events", "oom-score-adj", "activedefrag"}
"""Of these (and of TLS) Redis says more than whether the value can be read."""

NONE = {
    "maxmemory 0": "maxmemory", "timeout 0": "timeout", "tcp-keepalive 0": "tcp-keepalive",
    "slowlog-log-slower-than -1": "slowlog-log-slower-than", "slowlog-log-slower-than 0": "slowlog-log-slower-than",
    "slowlog-max-len 0": "slowlog-max-len", "latency-monitor-threshold 0": "latency-monitor-threshold",
    "maxclients 0": "", "proto-max-bulk-len 0": "", "client-query-buffer-limit 0": "", "maxmemory-samples 0": "",
    "slowlog-max-len -1": "", "timeout -1": "", "maxmemory -1": "", "lua-time-limit 0": "lua-time-limit",
    "hash-max-listpack-entries 0": "hash-max-listpack-entries", "maxmemory-clients 0": "maxmemory-clients",
    "requirepass ''": "requirepass", "notify-keyspace-events ''": "notify-keyspace-events",
}  # fmt: skip
"""Where Redis takes 0, -1 or nothing for none, the setting that shows it then."""


@pytest.mark.parametrize("words", NONE)
def test_none(surfaces: Surfaces, redis: Peer, words: str) -> None:
    name, value = words.replace("''", "").split(" ")
    ours, theirs = said(surfaces, redis, "CONFIG", "SET", name, value)
    assert (ours == b"+OK\r\n") == (theirs == b"+OK\r\n") == bool(NONE[words])
    if NONE[words]:
        assert ours == theirs
        ours, theirs = said(surfaces, redis, "CONFIG", "GET", NONE[words])
        assert ours == theirs and shown(ours)[name] == value


def test_no_limit_of_memory(surfaces: Surfaces) -> None:
    reserved = surfaces.server.engine.numbers[layout.BYTES_MAX]
    assert surfaces.resp("CONFIG", "SET", "maxmemory", "100") == b"OK"
    assert "OOM" in str(surfaces.resp("SET", "a", "1"))
    assert surfaces.resp("CONFIG", "SET", "maxmemory", "0") == b"OK"
    assert surfaces.resp("SET", "a", "1") == b"OK"
    assert surfaces.server.engine.numbers[layout.BYTES_MAX] == reserved
    assert b"\r\nmaxmemory:0\r\n" in surfaces.resp("INFO", "memory")
    assert surfaces.resp("CONFIG", "SET", "maxmemory", "64mb") == b"OK"
    assert surfaces.resp("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"%d" % (64 << 20)]


TOGETHER = [
    "daemonize yes", "DAEMONIZE yes", "dir /tmp", "nonesuch 1", "NoneSuch 1", "timeout 1 nonesuch 1",
    "daemonize yes nonesuch 1", "nonesuch 1 daemonize yes", "nonesuch 1 othersuch 2", "timeout 5 timeout 6",
    "timeout 5 TIMEOUT 6", "timeout 5 daemonize yes", "daemonize yes timeout 5 timeout 6",
    "timeout 5 timeout 6 daemonize yes", "timeout 5 hz x", "hz x timeout y", "Timeout x",
    "timeout 5 hz 20 slowlog-max-len x", "timeout", "timeout 5 hz", "timeout 5 hz 20", "timeout 0 hz 10",
    "maxmemory-policy best", "maxmemory-policy ALLKEYS-lru", "maxmemory-policy noeviction", "appendfsync sometimes",
    "save x", "save 60", "replicaof no", "slaveof none", "databases 16",
]  # fmt: skip


@pytest.mark.parametrize("line", TOGETHER)
def test_several_settings(surfaces: Surfaces, redis: Peer, line: str) -> None:
    for words in (["timeout", "0", "hz", "10"], ["slowlog-max-len", "128"]):
        assert said(surfaces, redis, "CONFIG", "SET", *words) == (b"+OK\r\n", b"+OK\r\n")
    ours, theirs = said(surfaces, redis, "CONFIG", "SET", *line.replace("'", "").split())
    assert ours == theirs
    ours, theirs = said(surfaces, redis, "CONFIG", "GET", "timeout", "hz", "slowlog-max-len")
    assert shown(ours) == shown(theirs)
