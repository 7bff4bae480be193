"""Command rows that work on keys of any type: removal, expiry, counting, scanning."""

from synap.arguments import WRITE, AnyOrder, Choice, Clash, Flag, Glob, Int, Key, Many, OneOf, Optional, Text, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import GIVEN_MS_MAX, GIVEN_SECONDS_MAX
from synap.reply import DONE, INTEGER, TEXT, Array, Status, Tuple
from synap.routes import Delete, Get, Post
from synap.store.kinds.table import KINDS
from synap.traits import ABOVE_MAX, COUNTS_AS_DELETE, EMPTIES, GROWS, INTERNAL, WRITES

_KEY = Key("key")
_OLD = Key("key", access=WRITE)
_CONDITIONS = AnyOrder(
    OneOf("when", Flag("NX"), Flag("XX"), fault="BAD_CONDITIONS", clash=Clash.BOTH),
    OneOf("compare", Flag("GT"), Flag("LT"), fault="BAD_COMPARISONS", clash=Clash.BOTH),
)
_SET = {"result": "$flag"}
_WHEN = (
    "Return whether the deadline was set: with `nx` or `xx` only if the key has no deadline, or has one; with `gt` or "
    "`lt` only if the new deadline is later, or sooner."
)  # fmt: skip

ROWS = [
    Command(
        "key.delete", 0x0201, "Remove keys of any type and return how many existed.",
        args=(Many("keys", _OLD, least_given=0),), resp="DEL", reply=INTEGER, run="keys.delete",
        traits=WRITES | COUNTS_AS_DELETE,
        http=(Delete("/kv/del/{key}"),), envelope=("kv.del", "kv.delete", "kv.mdel"),
        json={"deleted": "$flag", "key": "$key"}, command={"deleted": "$reply"},
        spelled={"kv.del": {"deleted": "$flag"}, "kv.delete": {"deleted": "$flag"}},
        examples=(Example("SET k v", "OK"), Example("DEL k", 1), Example("DEL k none", 0)),
        python=Method("delete"),
        event=Event(how=How.GONE),
    ),
    Command(
        "key.expire_in", 0x0202, "Set a key to expire after some seconds.",
        args=(
            _OLD,
            Int("ttl", judge="when", least=-GIVEN_SECONDS_MAX, most=GIVEN_SECONDS_MAX),
            _CONDITIONS,
        ),
        stray="BAD_OPTION",
        resp="EXPIRE", reply=INTEGER, run="keys.expire", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/{key}/expire"),), envelope=("kv.expire",), also={"seconds": "ttl"},
        json={"result": "$flag"},
        examples=(Example("SET k v", "OK"), Example("EXPIRE k 100", 1), Example("EXPIRE none 100", 0)),
        python=Method(by_hand=EMBEDDED | CLIENT),
        event=Event("expire", How.DEADLINE),
    ),
    Command(
        "key.ttl_ms", 0x0203, "Return the milliseconds until a key expires: -1 without a deadline, -2 without a key.",
        args=(_KEY,), resp="PTTL", reply=INTEGER, run="keys.remaining", http=(Get("/key/{key}/pttl"),),
        json={"pttl": "$reply"}, examples=(Example("PTTL none", -2),),
    ),
    Command(
        "key.scan", 0x0204,
        "Return one step of a scan over the keys: the cursor of the next step (0 at the end) and the keys found.",
        args=(
            Text("cursor", cursor=True),
            AnyOrder(
                Token("MATCH", Glob("pattern")), Token("COUNT", Int("count", least=1)), Token("TYPE", Text("type")),
            ),
        ),
        resp="SCAN", reply=Tuple({"cursor": TEXT, "keys": Array(TEXT)}), run="keys.scan",
        http=(Get("/key/scan/{cursor}"),),
        json="$reply",
        examples=(Example("SCAN 0", ["0", []]),),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "key.flush", 0x0205, "Remove every key of every namespace.", resp="FLUSHALL", reply=DONE,
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"))),), stray="SYNTAX",
        run="keys.flush", traits=WRITES | EMPTIES, http=(Post("/key/flush"),), envelope=("kv.flushall",),
        switch="kv_store.allow_flush_commands", json={"flushed": "$total"},
        examples=(Example("SET k v", "OK"), Example("FLUSHALL", "OK")),
        python=Method("flush"),
        event=Event(how=How.NONE),
    ),
    Command(
        "key.count", 0x0206, "Return the number of keys in the selected namespace.", resp="DBSIZE", reply=INTEGER,
        run="keys.count", http=(Get("/key/count"),), envelope=("kv.dbsize",),
        json={"size": "$reply"}, examples=(Example("DBSIZE", 0),),
    ),
    Command(
        "key.exists", 0x0208, "Return how many of the given keys exist; a key that is given twice counts twice.",
        args=(Many("keys", _KEY),), resp="EXISTS", reply=INTEGER, run="keys.exists",
        http=(Get("/key/{key}/exists"),), envelope=("kv.exists",), json={"key": "$key", "exists": "$flag"},
        command={"key": "$key", "exists": "$flag", "count": "$reply"}, spelled={"kv.exists": {"exists": "$flag"}},
        examples=(Example("SET k v", "OK"), Example("EXISTS k none k", 2), Example("EXISTS k", 1)),
    ),
    Command(
        "key.touch", 0x0209, "Mark keys as used and return how many exist.", args=(Many("keys", _KEY),), resp="TOUCH",
        reply=INTEGER, run="keys.touch", http=(Post("/key/{key}/touch"),), json={"touched": "$reply"},
        examples=(Example("SET k v", "OK"), Example("TOUCH k none", 1)),
    ),
    Command(
        "key.type", 0x020A, "Return the type of a key, such as string, list or set, or none for a missing key.",
        args=(_KEY,), resp="TYPE", reply=Status("none", *(kind.name for kind in KINDS)), run="keys.kind",
        http=(Get("/key/{key}/type"),),
        json={"key": "$key", "type": "$reply"},
        examples=(Example("SET k v", "OK"), Example("TYPE k", "string"), Example("TYPE none", "none")),
    ),
    Command(
        "key.ttl", 0x020B, "Return the seconds until a key expires: -1 without a deadline, -2 without a key.",
        args=(_KEY,), resp="TTL", reply=INTEGER, run="keys.remaining_seconds", http=(Get("/key/{key}/ttl"),),
        envelope=("kv.ttl",), json={"ttl": "$ttl"}, json_faults={-2: "NO_SUCH_KEY"},
        examples=(Example("SET k v EX 100", "OK"), Example("TTL k", 100), Example("TTL none", -2)),
    ),
    Command(
        "key.expire_time", 0x020C,
        "Return the Unix time in seconds at which a key expires: -1 without a deadline, -2 without a key.",
        args=(_KEY,), resp="EXPIRETIME", reply=INTEGER, run="keys.deadline_seconds",
        http=(Get("/key/{key}/expiretime"),), json={"expire_time": "$ttl"},
        json_faults={-2: "NO_SUCH_KEY"}, examples=(Example("EXPIRETIME none", -2),),
    ),
    Command(
        "key.expire_time_ms", 0x020D,
        "Return the Unix time in milliseconds at which a key expires: -1 without a deadline, -2 without a key.",
        args=(_KEY,), resp="PEXPIRETIME", reply=INTEGER,
        run="keys.deadline", http=(Get("/key/{key}/pexpiretime"),), json={"expire_time_ms": "$ttl"},
        json_faults={-2: "NO_SUCH_KEY"},
        examples=(Example("PEXPIRETIME none", -2),),
    ),
    Command(
        "key.persist", 0x020E, "Remove the deadline of a key.", args=(_OLD,), resp="PERSIST", reply=INTEGER,
        run="keys.persist", traits=WRITES, http=(Post("/key/{key}/persist"),), envelope=("kv.persist",),
        json=_SET,
        examples=(Example("SET k v EX 100", "OK"), Example("PERSIST k", 1), Example("PERSIST k", 0)),
        python=Method(note="Return whether it had one."),
    ),
    Command(
        "key.expire_in_ms", 0x020F, "Set a key to expire after some milliseconds.",
        args=(_OLD, Int("px", judge="when", least=-GIVEN_MS_MAX, most=GIVEN_MS_MAX), _CONDITIONS), stray="BAD_OPTION",
        resp="PEXPIRE", reply=INTEGER, run="keys.expire_ms", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/{key}/pexpire"),), json=_SET, examples=(Example("PEXPIRE none 100", 0),),
        python=Method(names={"px": "ms"}, note=_WHEN),
        event=Event("expire", How.DEADLINE),
    ),
    Command(
        "key.expire_at", 0x0210, "Set a key to expire at a Unix time in seconds.",
        args=(_OLD, Int("exat", judge="when", least=-GIVEN_SECONDS_MAX, most=GIVEN_SECONDS_MAX), _CONDITIONS),
        stray="BAD_OPTION", resp="EXPIREAT", reply=INTEGER, run="keys.expire_at",
        traits=WRITES | GROWS | ABOVE_MAX, needs_words=80, http=(Post("/key/{key}/expireat"),), json=_SET,
        examples=(Example("SET k v", "OK"), Example("EXPIREAT k 4102444800", 1), Example("EXPIRETIME k", 4102444800)),
        python=Method(names={"exat": "seconds"}, note=_WHEN),
        event=Event("expire", How.DEADLINE),
    ),
    Command(
        "key.expire_at_ms", 0x0211, "Set a key to expire at a Unix time in milliseconds.",
        args=(_OLD, Int("pxat", judge="when", least=-GIVEN_MS_MAX, most=GIVEN_MS_MAX), _CONDITIONS), stray="BAD_OPTION",
        resp="PEXPIREAT", reply=INTEGER, run="keys.expire_at_ms",
        traits=WRITES | GROWS | ABOVE_MAX, needs_words=80, http=(Post("/key/{key}/pexpireat"),), json=_SET,
        examples=(Example("PEXPIREAT none 4102444800000", 0),),
        python=Method(names={"pxat": "ms"}, note=_WHEN),
        event=Event("expire", How.DEADLINE),
    ),
    Command(
        "key.unlink", 0x0212, "Remove keys and return how many existed; the values are freed in steps, as with DEL.",
        args=(Many("keys", _OLD),), resp="UNLINK", reply=INTEGER, run="keys.delete",
        traits=WRITES | COUNTS_AS_DELETE,
        http=(Post("/key/{key}/unlink"),), json={"deleted": "$flag", "key": "$key"}, command={"deleted": "$reply"},
        examples=(Example("SET k v", "OK"), Example("UNLINK k none", 1)),
        event=Event(how=How.GONE),
    ),
    Command(
        "key.expire", 0x0207, "Remove a key if its deadline has passed, on behalf of upkeep.",
        args=(_OLD,), reply=INTEGER, run="keys.expire_key", traits=WRITES | INTERNAL,
        event=Event("expired", How.EXPIRED),
    ),
]  # fmt: skip
