"""Command rows of hashes: fields with values under one key."""

from synap.arguments import WRITE, AnyOrder, Flag, Glob, Int, Key, Many, Optional, Raw, Text, Token
from synap.command import Command, Example
from synap.events import Event
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import DONE, INTEGER, NIL, TEXT, VALUE, Array, Either, Map, Tuple, or_nil
from synap.routes import Delete, Get, Post
from synap.traits import GROWS, INTERNAL, TRUSTED, WRITES

_HASH = Key("key", "hash")
_CHANGED = Key("key", "hash", WRITE)
_FIELD = Text("field")
_NAMES = Many("fields", _FIELD)
_PAIRS = Many("fields", _FIELD, Raw("value"), fault="WRONG_ARITY")
_CREATED = {"created": "$flag", "key": "$key", "field": "$field"}
_STEP = {"delta": "increment", "amount": "increment"}

ROWS = [
    Command(
        "hash.set", 0x0601, "Set one field of a hash, creating the hash if it is missing.",
        args=(_CHANGED, _FIELD, Raw("value")), reply=INTEGER, run="hashes.set_one",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/set"),), links=("hash", "key"),
        json=_CREATED, command=_CREATED | {"success": True},
        event=Event("hset"),
    ),
    Command(
        "hash.mset", 0x0602, "Set fields of a hash, creating the hash if it is missing, and return how many are new.",
        args=(_CHANGED, _PAIRS), resp="HSET", reply=INTEGER, run="hashes.set_many",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/mset"),),
        json={"success": True, "key": "$key"}, command={"success": True},
        examples=(Example("HSET h a 1 b 2", 2), Example("HSET h a 3 c 4", 1), Example("HGET h a", "3")),
    ),
    Command(
        "hash.hmset", 0x0603, "Set fields of a hash, creating the hash if it is missing.",
        args=(_CHANGED, _PAIRS), resp="HMSET", reply=DONE, run="hashes.set_all",
        traits=WRITES | GROWS, needs_words=1000,
        examples=(Example("HMSET h a 1 b 2", "OK"),),
        event=Event("hset"),
    ),
    Command(
        "hash.setnx", 0x0604, "Set a field of a hash if the field is missing.",
        args=(_CHANGED, _FIELD, Raw("value")), resp="HSETNX", reply=INTEGER, run="hashes.set_if_missing",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/setnx"),), json=_CREATED,
        command={"created": "$flag"},
        examples=(Example("HSETNX h a 1", 1), Example("HSETNX h a 2", 0)),
        python=Method(note="Return whether it was set."),
        event=Event("hset"),
    ),
    Command(
        "hash.get", 0x0605, "Return the value of a field of a hash.", args=(_HASH, _FIELD), resp="HGET",
        reply=or_nil(VALUE), run="field_reads.get", http=(Get("/hash/{key}/{field}"),),
        json="$reply", json_nil={"found": False},
        command={"found": True, "value": "$reply"}, command_nil={"found": False},
        examples=(Example("HSET h a 1", 1), Example("HGET h a", "1"), Example("HGET h none", None)),
        python=Method(note="Return None if there is no such field."),
    ),
    Command(
        "hash.mget", 0x0606, "Return the values of fields of a hash, with nil for each field that is missing.",
        args=(_HASH, _NAMES), resp="HMGET", reply=Array(or_nil(VALUE)), run="field_reads.get_many",
        http=(Post("/hash/{key}/mget"),), json="$items", command={"values": "$by_fields"},
        examples=(Example("HSET h a 1 b 2", 2), Example("HMGET h a none b", ["1", None, "2"])),
    ),
    Command(
        "hash.getall", 0x0607, "Return all fields of a hash with their values.", args=(_HASH,), resp="HGETALL",
        reply=Map(VALUE), run="field_reads.get_all", http=(Get("/hash/{key}/getall"),),
        json="$reply", command={"fields": "$reply", "count": "$total"},
        examples=(Example("HSET h a 1", 1), Example("HGETALL h", {"a": "1"})),
    ),
    Command(
        "hash.keys", 0x0608, "Return all fields of a hash.", args=(_HASH,), resp="HKEYS", reply=Array(TEXT),
        run="field_reads.names", http=(Get("/hash/{key}/keys"),), json="$items",
        command={"keys": "$items", "fields": "$items", "count": "$count"},
        examples=(Example("HSET h a 1", 1), Example("HKEYS h", ["a"])),
    ),
    Command(
        "hash.vals", 0x0609, "Return all values of a hash.", args=(_HASH,), resp="HVALS", reply=Array(VALUE),
        run="field_reads.values", http=(Get("/hash/{key}/vals"),), envelope=("hash.values",), json="$items",
        command={"values": "$items", "count": "$count"},
        examples=(Example("HSET h a 1", 1), Example("HVALS h", ["1"])),
    ),
    Command(
        "hash.len", 0x060A, "Return the number of fields of a hash.", args=(_HASH,), resp="HLEN", reply=INTEGER,
        run="field_reads.count", http=(Get("/hash/{key}/len"),), json={"length": "$reply"},
        examples=(Example("HSET h a 1 b 2", 2), Example("HLEN h", 2)),
    ),
    Command(
        "hash.exists", 0x060B, "Test if a hash has a field.", args=(_HASH, _FIELD), resp="HEXISTS", reply=INTEGER,
        run="field_reads.has", http=(Get("/hash/{key}/{field}/exists"),), json={"exists": "$flag"},
        examples=(Example("HSET h a 1", 1), Example("HEXISTS h a", 1), Example("HEXISTS h b", 0)),
    ),
    Command(
        "hash.strlen", 0x060C, "Return the length in bytes of the value of a field.", args=(_HASH, _FIELD),
        resp="HSTRLEN", reply=INTEGER, run="field_reads.length_of", http=(Get("/hash/{key}/{field}/strlen"),),
        json={"length": "$reply"},
        examples=(Example("HSET h a abc", 1), Example("HSTRLEN h a", 3)),
    ),
    Command(
        "hash.del", 0x060D, "Remove fields from a hash and return how many were present.",
        args=(_CHANGED, _NAMES), resp="HDEL", reply=INTEGER, run="hashes.remove", traits=WRITES,
        http=(Delete("/hash/{key}/del"), Post("/hash/{key}/del")), envelope=("hash.delete",),
        json={"deleted": "$reply", "key": "$key"}, command={"deleted": "$reply"},
        examples=(Example("HSET h a 1 b 2", 2), Example("HDEL h a none", 1)),
    ),
    Command(
        "hash.incrby", 0x060E,
        "Add an integer to the number in a field and return the sum; a missing field counts as 0.",
        args=(_CHANGED, _FIELD, Int("increment")), resp="HINCRBY", reply=INTEGER, run="hashes.add",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/incrby"),), envelope=("hash.incr",),
        also=_STEP, json={"value": "$reply"},
        examples=(Example("HINCRBY h a 5", 5), Example("HINCRBY h a -7", -2)),
    ),
    Command(
        "hash.incrbyfloat", 0x060F,
        "Add a decimal number to the number in a field and return the sum; a missing field counts as 0.",
        args=(_CHANGED, _FIELD, Raw("increment")), resp="HINCRBYFLOAT", reply=TEXT, run="hashes.add_real",
        traits=WRITES | GROWS, needs_words=1000, http=(Post("/hash/{key}/incrbyfloat"),), also=_STEP,
        json={"value": "$real"},
        examples=(Example("HSET h a 10.50", 1), Example("HINCRBYFLOAT h a 0.1", "10.6")),
    ),
    Command(
        "hash.randfield", 0x0610, "Return random fields of a hash.",
        args=(_HASH, Optional(Int("count"), Flag("WITHVALUES"))), resp="HRANDFIELD",
        reply=Either(TEXT, Array(Either(TEXT, Tuple({"field": TEXT, "value": VALUE}))), NIL), run="field_reads.draw",
        stray="SYNTAX", http=(Get("/hash/{key}/randfield"),), json={"fields": "$reply", "key": "$key"},
        json_nil={"fields": None, "key": "$key"},
        examples=(Example("HSET h a 1", 1), Example("HRANDFIELD h", "a"), Example("HRANDFIELD h 2", ["a"])),
        python=Method(
            note="Without `count`, return one field or None; with `count`, return up to so many distinct fields, or "
            "with a negative one as many as it says, perhaps some twice; `withvalues` adds their values."
        ),
    ),
    Command(
        "hash.scan", 0x0611,
        "Return one step of a scan over a hash: the cursor of the next step (0 at the end), and fields with values.",
        args=(
            _HASH, Text("cursor", cursor=True),
            AnyOrder(Token("MATCH", Glob("pattern")), Token("COUNT", Int("count", least=1)), Flag("NOVALUES")),
        ),
        resp="HSCAN", reply=Tuple({"cursor": TEXT, "fields": Array(VALUE)}), run="field_reads.scan",
        http=(Get("/hash/{key}/scan/{cursor}"),), json="$reply",
        examples=(
            Example("HSET h a 1", 1), Example("HSCAN h 0", ["0", ["a", "1"]]),
            Example("HSCAN h 0 NOVALUES", ["0", ["a"]]),
        ),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "hash.load", 0x06F0, "Load a piece of a hash from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("fields", _FIELD, Raw("value"), Int("expires"))),
        reply=INTEGER, run="hashes.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
