"""Command rows of the server: INFO, settings, slow calls, delays, snapshots, and inspection of single keys."""

from typing import Any

from synap.arguments import AnyOrder, Flag, Int, Key, Many, OneOf, Optional, Raw, Real, Text, Token
from synap.command import DIAGNOSTICS, Command, Example
from synap.reply import (
    ANY,
    BOOLEAN,
    DONE,
    INTEGER,
    NONE,
    REAL,
    TEXT,
    Array,
    Either,
    Map,
    Record,
    Status,
    Template,
    Tuple,
    or_nil,
)
from synap.routes import Get, Post
from synap.traits import ADMIN, CONTROL, NOT_IN_MULTI, SESSION


def _asked(
    name: str, code: int, reply: Template, doc: str, resp: str, *examples: Example, **more: Any
) -> Command:
    """Return a row that runs in Python; its handler is named as the second part of `name` unless `more` names one."""
    more.setdefault("handler", name.split(".")[1])
    if code >> 8 == 0x12:  # the rows that clients do not send while they connect
        more.setdefault("calls_families", (DIAGNOSTICS,))
    return Command(name, code, doc, resp=resp, reply=reply, examples=examples, **more)


def _help(name: str, code: int) -> Command:
    low = name.lower()
    return _asked(
        f"server.{low}_help", code, Array(Status()), f"List the subcommands of {name}.",
        f"{name}|HELP", Example(f"{name} HELP", ...),
        handler=f"help_{low}",
    )  # fmt: skip


def _sections(number: int) -> Optional:
    """Return the optional argument for section `number` of INFO and those after it: section, section2, ... in JSON."""
    name = Text("section" if number == 1 else f"section{number}")
    return Optional(name) if number == SECTIONS_MAX else Optional(name, _sections(number + 1))


SECTIONS_MAX = 8
_KEY = (Key("key"),)
_KEY_SPEC = Record({
    "flags": Array(TEXT),
    "begin_search": Record({"type": TEXT, "spec": Map(INTEGER)}),
    "find_keys": Record({"type": TEXT, "spec": Map(INTEGER)}),
})  # fmt: skip
_COMMAND = Tuple({
    "name": TEXT, "arity": INTEGER, "flags": Array(Status()), "first": INTEGER, "last": INTEGER, "step": INTEGER,
    "categories": Array(Status()), "tips": Array(TEXT), "key_specs": Array(_KEY_SPEC), "subcommands": Array(ANY),
})  # fmt: skip
_DOCS = Record({
    "summary": TEXT, "since": TEXT, "group": TEXT, "arguments?": Array(Map(ANY)), "subcommands?": Map(Map(ANY)),
})  # fmt: skip
_CALL = {"id": INTEGER, "timestamp": INTEGER, "duration_us": INTEGER}
_SLOW = Array(Tuple(_CALL | {"command": Array(TEXT), "address": TEXT, "name": TEXT}))
_SLOW_JSON = Record({"entries": Array(Record(_CALL | {"command": TEXT, "args": Array(TEXT)})), "total": INTEGER})
_DELAYS = Array(Tuple({"event": TEXT, "time": INTEGER, "latest_ms": INTEGER, "longest_ms": INTEGER}))
_HISTOGRAMS = Map(Record({"calls": INTEGER, "histogram_usec": Map(INTEGER)}))
_SPAN = Tuple({"start": INTEGER, "end": INTEGER})
_MATCH = {"first": _SPAN, "second": _SPAN}
_MATCHES = Record({"matches": Array(Either(Tuple(_MATCH), Tuple(_MATCH | {"length": INTEGER}))), "len": INTEGER})

ROWS = [
    _asked(
        "server.info", 0x1103, TEXT, "Return information and statistics about the server, in sections.",
        "INFO", Example("INFO replication", ...), Example("INFO server memory", ...), args=(_sections(1),),
        http=(Get("/info"),), envelope=("info",), json_reply=Map(Map(ANY)), json="$reply",
    ),
    _asked("server.command", 0x1106, Array(_COMMAND), "List all commands with their arity, flags and keys.", "COMMAND",
           Example("COMMAND", ...), args=(Many("rest", Raw("word"), least=0),)),
    _asked("server.config_get", 0x1107, Map(TEXT), "Return the settings whose names match any of the given patterns.",
           "CONFIG|GET", Example("CONFIG GET save databases", {"databases": "16", "save": ""}),
           args=(Many("patterns", Text("pattern")),), traits=ADMIN),
    _asked("server.snapshot", 0x110C, Status(), "Write a snapshot in the background.", "BGSAVE",
           Example("BGSAVE", "Background saving started"), args=(AnyOrder(Flag("SCHEDULE")),), traits=ADMIN),
    _asked("server.digest", 0x110D, Map(TEXT),
           "Return a hash of the state of each kind of data, equal on all nodes that hold equal data.",
           "DEBUG|DIGEST", Example("DEBUG DIGEST", ...), traits=ADMIN, calls_families=(DIAGNOSTICS,)),
    _asked("server.config_set", 0x1201, DONE,
           "Change all of the given settings, or none if any is refused.", "CONFIG|SET",
           Example("CONFIG SET slowlog-max-len 64", ...),
           args=(Many("pairs", Text("name"), Text("value"), fault="SYNTAX"),), traits=ADMIN),
    _asked("server.config_resetstat", 0x1202, DONE, "Reset the counters of INFO to zero.", "CONFIG|RESETSTAT",
           Example("CONFIG RESETSTAT", "OK"), traits=ADMIN),
    _asked("server.config_rewrite", 0x1203, DONE, "Return an error, as settings are read from files and never written.",
           "CONFIG|REWRITE", traits=SESSION | CONTROL | ADMIN),
    _help("CONFIG", 0x1204),
    _asked(
        "server.slowlog_get", 0x1205, _SLOW,
        "Return calls slower than slowlog-log-slower-than, newest first; commands read together are one entry: the "
        "first, and how many came with it.",
        "SLOWLOG|GET", Example("SLOWLOG GET 3", ...),
        args=(Optional(Int("count", fault="BAD_SLOWLOG_COUNT", least=-1)),), stray="BAD_SUBCOMMAND",
        http=(Get("/slowlog"),), envelope=("slowlog.get",), json_reply=_SLOW_JSON, json="$reply", traits=ADMIN,
    ),
    _asked("server.slowlog_len", 0x1206, INTEGER, "Return the number of entries in the slow log.",
           "SLOWLOG|LEN", Example("SLOWLOG LEN", 0), traits=ADMIN),
    _asked("server.slowlog_reset", 0x1207, DONE, "Remove all entries of the slow log.",
           "SLOWLOG|RESET", Example("SLOWLOG RESET", ...),
           http=(Post("/slowlog/reset"),), envelope=("slowlog.reset",),
           json_reply=Record({"success": BOOLEAN, "cleared": INTEGER}), json="$reply", traits=ADMIN),
    _help("SLOWLOG", 0x1208),
    _asked("server.latency_latest", 0x1209, _DELAYS,
           "Return the latest and the longest delay of each event.", "LATENCY|LATEST",
           Example("LATENCY LATEST", []), traits=ADMIN),
    _asked("server.latency_history", 0x120A, Array(Tuple({"time": INTEGER, "ms": INTEGER})),
           "Return the delays of one event: command, fork, aof-write, aof-fsync-always or expire-cycle.",
           "LATENCY|HISTORY", Example("LATENCY HISTORY command", []), args=(Text("event"),), traits=ADMIN),
    _asked("server.latency_reset", 0x120B, INTEGER,
           "Remove the recorded delays of the given events, or of all, and return the number of events.",
           "LATENCY|RESET", Example("LATENCY RESET", 0), args=(Many("events", Text("event"), least=0),), traits=ADMIN),
    _asked("server.latency_doctor", 0x120C, TEXT, "Describe the recorded delays in words.", "LATENCY|DOCTOR",
           Example("LATENCY DOCTOR", ...), traits=ADMIN),
    _asked("server.latency_graph", 0x120D, TEXT, "Draw the delays of one event as text.",
           "LATENCY|GRAPH", args=(Text("event"),), traits=SESSION | CONTROL | ADMIN),
    _asked("server.latency_histogram", 0x120E, _HISTOGRAMS,
           "Return the cumulative number of timed calls by duration, for each command; kernels time one call in 16.",
           "LATENCY|HISTOGRAM", Example("ECHO hi", "hi"), Example("LATENCY HISTOGRAM echo", ...),
           args=(Many("names", Text("name"), least=0),), traits=ADMIN),
    _help("LATENCY", 0x120F),
    _asked("server.time", 0x1210, Tuple({"seconds": TEXT, "microseconds": TEXT}),
           "Return the Unix time in seconds, and the microseconds of the current second.",
           "TIME", Example("TIME", ...)),
    _asked("server.last_save", 0x1211, INTEGER,
           "Return the Unix time in seconds of the last snapshot, or of the server start if there is none.",
           "LASTSAVE", Example("LASTSAVE", ...)),
    _asked("server.save", 0x1212, DONE, "Write a snapshot while all connections wait.", "SAVE",
           traits=SESSION | CONTROL | NOT_IN_MULTI | ADMIN),
    _asked("server.rewrite_log", 0x1213, Status(),
           "Write a snapshot in the background, which replaces the log before it.",
           "BGREWRITEAOF", traits=SESSION | CONTROL | NOT_IN_MULTI | ADMIN),
    _asked("server.shutdown", 0x1214, NONE,
           "Stop the server.", "SHUTDOWN", traits=SESSION | CONTROL | NOT_IN_MULTI | ADMIN,
           args=(AnyOrder(OneOf("how", Flag("NOSAVE"), Flag("SAVE")), Flag("NOW"), Flag("FORCE"), Flag("ABORT")),)),
    _asked("server.debug_sleep", 0x1215, DONE, "Block the server for some seconds.", "DEBUG|SLEEP",
           Example("DEBUG SLEEP 0", "OK"), args=(Real("seconds"),), traits=ADMIN),
    _asked("server.debug_object", 0x1216, Status(), "Return internal facts about a key in one line.",
           "DEBUG|OBJECT", Example("SET k 12", "OK"), Example("DEBUG OBJECT k", ...), args=_KEY, traits=ADMIN),
    _asked("server.debug_active_expire", 0x1217, DONE,
           "Turn the removal of expired keys in the background on (1) or off (0).",
           "DEBUG|SET-ACTIVE-EXPIRE", Example("DEBUG SET-ACTIVE-EXPIRE 1", "OK"), args=(Int("switch"),), traits=ADMIN),
    _help("DEBUG", 0x1218),
    _asked("server.role", 0x1219, Tuple({"role": TEXT, "offset": INTEGER, "replicas": Array(ANY)}),
           "Return the replication role of this node.", "ROLE", Example("ROLE", ...)),
    _asked("server.replica_of", 0x121A, DONE, "Accept only the arguments NO ONE, as this node cannot become a replica.",
           "REPLICAOF", Example("REPLICAOF NO ONE", "OK"), args=(Text("host"), Text("port")), traits=ADMIN),
    _asked("server.slave_of", 0x121B, DONE, "Accept only the arguments NO ONE; SLAVEOF is the older name of REPLICAOF.",
           "SLAVEOF", Example("SLAVEOF NO ONE", "OK"), args=(Text("host"), Text("port")), handler="replica_of",
           traits=ADMIN),
    _asked("server.wait", 0x121C, INTEGER,
           "Return the number of replicas that have all previous changes, 0, after the timeout unless none is wanted.",
           "WAIT", Example("WAIT 0 100", 0),
           args=(Int("replicas"), Int("timeout", fault="TIMEOUT_NOT_WHOLE"))),
    _asked("server.wait_aof", 0x1238, Tuple({"local": INTEGER, "replicas": INTEGER}),
           "Return 1 once all previous changes are on the disk, and how many replicas have them on theirs, which is 0.",
           "WAITAOF", Example("WAITAOF 0 0 100", ...),
           args=(Int("local"), Int("replicas"), Int("timeout", fault="TIMEOUT_NOT_WHOLE"))),
    _asked("server.lolwut", 0x121D, TEXT,
           "Return a small drawing and the server version.", "LOLWUT", Example("LOLWUT", ...),
           args=(Many("rest", Raw("word"), least=0),)),
    _asked("server.acl_whoami", 0x121E, TEXT, "Return the user name of this connection.", "ACL|WHOAMI",
           Example("ACL WHOAMI", "default")),
    _asked("server.acl_list", 0x121F, Array(TEXT),
           "List the users and their permissions.", "ACL|LIST", Example("ACL LIST", ...),
           traits=ADMIN),
    _asked("server.acl_cat", 0x1220, Array(TEXT),
           "List the categories of commands, or the commands of one category.", "ACL|CAT",
           Example("ACL CAT", ...), args=(Optional(Text("category")),), stray="BAD_SUBCOMMAND"),
    _help("ACL", 0x1221),
    _asked("server.module_list", 0x1222, Array(ANY),
           "List the loaded modules.", "MODULE|LIST", Example("MODULE LIST", []),
           traits=ADMIN),
    _help("MODULE", 0x1223),
    _asked("server.object_encoding", 0x1224, or_nil(TEXT),
           "Return the encoding that Redis would report for the value of a key.",
           "OBJECT|ENCODING", Example("SET k 12", "OK"), Example("OBJECT ENCODING k", "int"), args=_KEY),
    _asked("server.object_refcount", 0x1225, or_nil(INTEGER),
           "Return 1 for every existing key, as values are never shared.",
           "OBJECT|REFCOUNT", Example("SET k 12", "OK"), Example("OBJECT REFCOUNT k", 1), args=_KEY),
    _asked("server.object_idletime", 0x1226, or_nil(INTEGER),
           "Return the seconds since a key was last used, in steps of 1.024 s.",
           "OBJECT|IDLETIME", Example("SET k 12", "OK"), Example("OBJECT IDLETIME k", 0), args=_KEY),
    _asked("server.object_freq", 0x1227, or_nil(INTEGER),
           "Return the logarithmic use counter of a key, if the eviction policy is an LFU policy.",
           "OBJECT|FREQ", Example("OBJECT FREQ none", None), args=_KEY),
    _help("OBJECT", 0x1228),
    _asked(
        "server.memory_usage", 0x1229, or_nil(INTEGER),
        "Return the bytes of the memory blocks of a key, including its slot in the table of keys.",
        "MEMORY|USAGE", Example("SET k v", "OK"), Example("MEMORY USAGE k", ...),
        args=(Key("key"), AnyOrder(Token("SAMPLES", Int("samples", least=0)))), http=(Get("/memory/{key}/usage"),),
        envelope=("memory.usage",),
        json_reply=Record({"key": TEXT, "bytes": INTEGER, "human": TEXT}), json="$reply",
    ),
    _asked("server.memory_doctor", 0x122A, TEXT, "Describe notable facts about memory use in words.", "MEMORY|DOCTOR",
           Example("MEMORY DOCTOR", ...)),
    _asked("server.memory_stats", 0x122B, Map(Either(INTEGER, REAL)), "Return memory statistics by name.",
           "MEMORY|STATS", Example("MEMORY STATS", ...)),
    _asked("server.memory_purge", 0x122C, DONE,
           "Release free memory pages to the operating system now.", "MEMORY|PURGE",
           Example("MEMORY PURGE", "OK")),
    _asked("server.malloc_stats", 0x122D, TEXT, "Return the statistics of the memory allocator as text.",
           "MEMORY|MALLOC-STATS", Example("MEMORY MALLOC-STATS", ...)),
    _help("MEMORY", 0x122E),
    _asked(
        "kv.common", 0x1230, Either(TEXT, INTEGER, _MATCHES), "Return the longest common subsequence of two values.",
        "LCS", Example("SET a ohmytext", "OK"),
        Example("SET b mynewtext", "OK"), Example("LCS a b", "mytext"), Example("LCS a b LEN", 6), handler="lcs",
        args=(
            Key("key1"), Key("key2"),
            AnyOrder(Flag("LEN"), Flag("IDX"), Token("MINMATCHLEN", Int("length_min")), Flag("WITHMATCHLEN")),
        ),
    ),
    _asked("server.command_count", 0x1231, INTEGER, "Return the number of commands.", "COMMAND|COUNT",
           Example("COMMAND COUNT", ...)),
    _asked("server.command_info", 0x1232, Array(or_nil(_COMMAND)),
           "Return the arity, flags and keys of the given commands, or of all commands.",
           "COMMAND|INFO", Example("COMMAND INFO none", [None]), args=(Many("names", Raw("name"), least=0),)),
    _asked("server.command_docs", 0x1233, Map(_DOCS),
           "Return the documentation of the given commands, or of all commands.",
           "COMMAND|DOCS", Example("COMMAND DOCS get", ...), args=(Many("names", Raw("name"), least=0),)),
    _asked("server.command_list", 0x1234, Array(TEXT),
           "Return the names of all commands, or of those that match a filter.",
           "COMMAND|LIST", Example("COMMAND LIST FILTERBY PATTERN getra*", ["getrange"]),
           args=(Many("rest", Raw("word"), least=0),)),
    _asked("server.command_getkeys", 0x1235, Array(TEXT), "Return the keys among the arguments of a given command.",
           "COMMAND|GETKEYS", Example("COMMAND GETKEYS SET k v", ["k"]), args=(Many("rest", Raw("word")),)),
    _asked("server.command_getkeysandflags", 0x1236, Array(Tuple({"key": TEXT, "flags": Array(TEXT)})),
           "Return the keys among the arguments of a given command, and how each key is used.",
           "COMMAND|GETKEYSANDFLAGS", Example("COMMAND GETKEYSANDFLAGS GET k", ...), args=(Many("rest", Raw("word")),)),
    _help("COMMAND", 0x1237),
]  # fmt: skip
