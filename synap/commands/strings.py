"""Command rows of strings: one value for each key."""

from synap.arguments import WRITE, AnyOrder, Flag, Int, Key, OneOf, Raw, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import GIVEN_MS_MAX, GIVEN_SECONDS_MAX
from synap.reply import DONE, INTEGER, NIL, REAL, VALUE, Either, Record, or_nil
from synap.routes import Get, Post
from synap.traits import ABOVE_MAX, COUNTS_AS_DELETE, COUNTS_AS_SET, GROWS, INTERNAL, TRUSTED, WRITES

_KEY = Key("key")
_NEW = Key("key", access=WRITE)
_EXPIRY = (
    Token("EX", Int("ttl", judge="expiry", least=0, most=GIVEN_SECONDS_MAX)),
    Token("PX", Int("px", judge="expiry", least=1, most=GIVEN_MS_MAX)),
    Token("EXAT", Int("exat", judge="expiry", least=1, most=GIVEN_SECONDS_MAX)),
    Token("PXAT", Int("pxat", judge="expiry", least=1, most=GIVEN_MS_MAX)),
)
_EXPIRY_TAGS = {"seconds": "ttl", "milliseconds": "px", "unix_seconds": "exat", "unix_milliseconds": "pxat"}
_STEP = {"delta": "amount", "increment": "amount"}
_OPERATIONS = Record(dict.fromkeys(("gets", "sets", "dels", "hits", "misses"), INTEGER))
_STATS = Record(
    {"total_keys": INTEGER, "total_memory_bytes": INTEGER, "operations": _OPERATIONS, "hit_rate": REAL}
)

ROWS = [
    Command(
        "kv.set", 0x0101, "Set a key to a value, replacing a value of any type.", resp="SET",
        args=(
            _NEW,
            Raw("value"),
            AnyOrder(
                OneOf("when", Flag("NX"), Flag("XX"), Token("IFEQ", Raw("ifeq")), Token("IFNE", Raw("ifne"))),
                Flag("GET"),
                OneOf(
                    "expiry",
                    *_EXPIRY,
                    Flag("KEEPTTL"),
                ),
            ),
        ),
        reply=Either(DONE, VALUE, NIL), run="strings.set_value", traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80,
        http=(Post("/kv/set"),), links=("kv", "key", "server"),
        json={"success": "$changed", "key": "$key", "written": "$changed", "old_value?": "$reply"},
        command={"success": "$changed", "old_value?": "$reply"},
        json_nil={"success": "$changed", "key": "$key", "written": "$changed"}, command_nil={"success": "$changed"},
        elapsed={"ttl": "exat"}, tagged={"expiry": _EXPIRY_TAGS},
        examples=(Example("SET k v", "OK"), Example("SET k w NX", None), Example("SET k w XX GET", "v")),
        python=Method(by_hand=EMBEDDED | CLIENT),
        event=Event("set", expires=True),
    ),
    Command(
        "kv.get", 0x0102, "Return the value of a key.", args=(_KEY,), resp="GET", reply=or_nil(VALUE),
        run="strings.get_value", http=(Get("/kv/get/{key}"),),
        json="$text", command="$hybrid",
        json_nil={"error": "Key not found"}, command_nil=None, views={"bytes": "$octets"},
        examples=(Example("SET k v", "OK"), Example("GET k", "v"), Example("GET none", None)),
        python=Method(note="Return None if the key does not exist."),
    ),
    Command(
        "kv.add", 0x0103, "Add an integer to the number at a key and return the sum; a missing key counts as 0.",
        args=(_NEW, Int("amount", default=1)), resp="INCRBY", reply=INTEGER, run="strings.increment_by",
        traits=WRITES | GROWS, needs_words=80, http=(Post("/kv/{key}/incrby"),), envelope=("kv.incr", "kv.incrby"),
        also=_STEP,
        json={"value": "$reply"},
        examples=(Example("INCRBY n 5", 5), Example("INCRBY n -7", -2)),
        python=Method("incr", by_hand=EMBEDDED | CLIENT),
        event=Event("incrby"),
    ),
    Command(
        "kv.increment", 0x0104, "Add 1 to the number at a key and return the sum; a missing key counts as 0.",
        args=(_NEW,), resp="INCR", reply=INTEGER,
        run="strings.increment", traits=WRITES | GROWS, needs_words=80, http=(Post("/kv/{key}/incr"),),
        json={"value": "$reply"},
        examples=(Example("INCR n", 1), Example("INCR n", 2)),
        python=Method(by_hand=EMBEDDED | CLIENT),
        event=Event("incrby"),
    ),
    Command(
        "kv.subtract", 0x0105,
        "Subtract an integer from the number at a key and return the difference; a missing key counts as 0.",
        args=(_NEW, Int("amount", default=1)), resp="DECRBY", reply=INTEGER, run="strings.decrement_by",
        traits=WRITES | GROWS, needs_words=80, http=(Post("/kv/{key}/decrby"),), envelope=("kv.decr", "kv.decrby"),
        also=_STEP,
        json={"value": "$reply"},
        examples=(Example("DECRBY n 5", -5), Example("DECRBY n -7", 2)),
        python=Method("decr", by_hand=EMBEDDED | CLIENT),
        event=Event("incrby"),
    ),
    Command(
        "kv.decrement", 0x0106,
        "Subtract 1 from the number at a key and return the difference; a missing key counts as 0.",
        args=(_NEW,), resp="DECR",
        reply=INTEGER, run="strings.decrement", traits=WRITES | GROWS, needs_words=80,
        http=(Post("/kv/{key}/decr"),), json={"value": "$reply"},
        examples=(Example("DECR n", -1),),
        python=Method(by_hand=EMBEDDED | CLIENT),
        event=Event("incrby"),
    ),
    Command(
        "kv.getset", 0x0107, "Set a key to a value, remove the deadline of the key, and return the previous value.",
        args=(_NEW, Raw("value")), resp="GETSET", reply=or_nil(VALUE), run="strings.swap_value",
        traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80, http=(Post("/kv/{key}/getset"),),
        json="$text", command="$hybrid", json_nil=None, command_nil=None,
        examples=(Example("GETSET k v", None), Example("GETSET k w", "v")),
        python=Method(note="Return None if there was none."),
        event=Event("set", misses=True),
    ),
    Command(
        "kv.getdel", 0x0108, "Return the value of a key and remove the key.",
        args=(_NEW,), resp="GETDEL", reply=or_nil(VALUE),
        run="strings.take_value",
        traits=WRITES | COUNTS_AS_DELETE, http=(Post("/kv/{key}/getdel"),), json="$text", command="$hybrid",
        json_nil=None, command_nil=None,
        examples=(Example("SET k v", "OK"), Example("GETDEL k", "v"), Example("GETDEL k", None)),
        python=Method(note="Return None if the key does not exist."),
        event=Event(how=How.GONE, misses=True),
    ),
    Command(
        "kv.getex", 0x0109,
        "Return the value of a key, and set or remove the deadline of the key if an option says so.",
        args=(
            _NEW,
            AnyOrder(
                OneOf(
                    "expiry",
                    *_EXPIRY,
                    Flag("PERSIST"),
                ),
            ),
        ),
        resp="GETEX", reply=or_nil(VALUE), run="strings.get_and_expire",
        traits=WRITES | GROWS | ABOVE_MAX, needs_words=80, http=(Post("/kv/{key}/getex"),),
        json="$text", command="$hybrid", json_nil=None, command_nil=None,
        examples=(Example("SET k v", "OK"), Example("GETEX k EX 100", "v"), Example("GETEX none", None)),
        python=Method(by_hand=EMBEDDED | CLIENT),
        event=Event("expire", How.DEADLINE, misses=True),
    ),
    Command(
        "kv.setnx", 0x010A, "Set a key to a value if the key does not exist.", args=(_NEW, Raw("value")), resp="SETNX",
        reply=INTEGER, run="strings.set_if_missing", traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80,
        http=(Post("/kv/{key}/setnx"),), json={"success": "$flag"},
        examples=(Example("SETNX k v", 1), Example("SETNX k w", 0)),
        python=Method(note="Return whether it was set."),
        event=Event("set"),
    ),
    Command(
        "kv.setex", 0x010B, "Set a key to a value that expires after some seconds.",
        args=(_NEW, Int("ttl", least=1, most=GIVEN_SECONDS_MAX), Raw("value")),
        resp="SETEX", run="strings.set_for_seconds", traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80,
        http=(Post("/kv/{key}/setex"),), json={"success": True, "key": "$key"}, command={"success": True},
        examples=(Example("SETEX k 100 v", "OK"), Example("GET k", "v")),
        python=Method(names={"ttl": "seconds"}),
        event=Event("set", expires=True),
    ),
    Command(
        "kv.psetex", 0x010C, "Set a key to a value that expires after some milliseconds.",
        args=(_NEW, Int("px", least=1, most=GIVEN_MS_MAX), Raw("value")), resp="PSETEX", run="strings.set_for_ms",
        traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80,
        http=(Post("/kv/{key}/psetex"),), json={"success": True, "key": "$key"}, command={"success": True},
        examples=(Example("PSETEX k 100000 v", "OK"), Example("GET k", "v")),
        python=Method(names={"px": "ms"}),
        event=Event("set", expires=True),
    ),
    Command(
        "kv.delex", 0x010D,
        "Remove a key: always, or only if its value equals (IFEQ) or differs from (IFNE) a given value.",
        args=(_NEW, AnyOrder(OneOf("when", Token("IFEQ", Raw("ifeq")), Token("IFNE", Raw("ifne"))))), resp="DELEX",
        reply=INTEGER, run="strings.delete_if", traits=WRITES | COUNTS_AS_DELETE, http=(Post("/kv/{key}/delex"),),
        json={"deleted": "$flag", "key": "$key"}, command={"deleted": "$flag"},
        examples=(Example("SET k v", "OK"), Example("DELEX k IFEQ w", 0), Example("DELEX k IFEQ v", 1)),
        python=Method(note="Return whether it was removed."),
        event=Event(how=How.GONE),
    ),
    Command(
        "kv.stats", 0x010E,
        "Return the number of keys, the memory in use, and counts of strings read, written and removed.",
        reply=_STATS, handler="kv_stats", http=(Get("/kv/stats"),), json="$reply",
    ),
    Command(
        "string.load", 0x01F0, "Load a string from a snapshot.",
        args=(_NEW, Raw("value"), Int("deadline")), run="strings.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
