"""Keys of any kind."""

from synap.command import (
    WRITE,
    AnyOrder,
    Choice,
    Command,
    Delete,
    Example,
    Flag,
    Get,
    Glob,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Post,
    Shape,
    Text,
    Token,
)

_KEY = Key("key")
_OLD = Key("key", access=WRITE)

ROWS = [
    Command(
        "key.delete", 0x0201, "Remove keys, whatever they hold; answers how many were there.",
        args=(Many("keys", Key("key", access=WRITE)),), resp="DEL", reply=Shape.NUMBER, run="keys.delete",
        writes=True, http=(Delete("/kv/del/{key}"),), envelope=("kv.del", "kv.delete", "kv.mdel"),
        rest={"deleted": "$flag", "key": "$key"}, command={"deleted": "$reply"},
        examples=(Example("SET k v", "OK"), Example("DEL k", 1), Example("DEL k none", 0)),
    ),
    Command(
        "key.expire_in", 0x0202, "Let `key` expire in some seconds.",
        args=(
            _OLD,
            Int("ttl"),
            AnyOrder(
                OneOf("when", Flag("NX"), Flag("XX"), fault="BAD_CONDITIONS"),
                OneOf("compare", Flag("GT"), Flag("LT"), fault="BAD_COMPARISONS"),
            ),
        ),
        resp="EXPIRE", reply=Shape.NUMBER, run="keys.expire", writes=True, grows=True, room=80,
        http=(Post("/key/{key}/expire"),), envelope=("kv.expire",),
        rest={"result": "$flag"}, command={"result": "$flag"},
        examples=(Example("SET k v", "OK"), Example("EXPIRE k 100", 1), Example("EXPIRE none 100", 0)),
    ),
    Command(
        "key.ttl_ms", 0x0203, "Milliseconds until `key` expires; -1 without a deadline, -2 without a key.",
        args=(_KEY,), resp="PTTL", reply=Shape.NUMBER, run="keys.remaining", http=(Get("/key/{key}/pttl"),),
        rest={"pttl": "$reply"}, command={"pttl": "$reply"}, examples=(Example("PTTL none", -2),),
    ),
    Command(
        "key.scan", 0x0204, "One window of keys: the cursor to go on with (0: done) and the keys.",
        args=(Text("cursor"), AnyOrder(Token("MATCH", Glob("pattern")), Token("COUNT", Int("count")))),
        resp="SCAN", reply=Shape.PAGE, run="keys.scan", http=(Get("/key/scan/{cursor}"),),
        rest={"cursor": "$cursor", "keys": "$items"}, command={"cursor": "$cursor", "keys": "$items"},
        examples=(Example("SCAN 0", ["0", []]),),
    ),
    Command(
        "key.flush", 0x0205, "Remove every key of every namespace.", resp="FLUSHALL", reply=Shape.DONE,
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"))),),
        run="keys.flush", writes=True, http=(Post("/key/flush"),), envelope=("kv.flushall",),
        switch="kv_store.allow_flush_commands", rest={"flushed": "$reply"}, command={"flushed": "$reply"},
        examples=(Example("SET k v", "OK"), Example("FLUSHALL", "OK")),
    ),
    Command(
        "key.count", 0x0206, "How many keys the namespace holds.", resp="DBSIZE", reply=Shape.NUMBER,
        run="keys.count", http=(Get("/key/count"),), envelope=("kv.dbsize",),
        rest={"size": "$reply"}, command={"size": "$reply"}, examples=(Example("DBSIZE", 0),),
    ),
    Command(
        "key.expire", 0x0207, "Remove `key` if its deadline has come: what upkeep asks for.",
        args=(_OLD,), reply=Shape.NUMBER, run="keys.expire_key", writes=True, internal=True,
    ),
]  # fmt: skip
