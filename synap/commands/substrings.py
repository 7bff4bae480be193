"""Command rows of strings that read or write a part of a value, or the values of several keys."""

from synap.arguments import WRITE, Int, Key, Many, Raw
from synap.command import Command, Example
from synap.events import Event
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import INTEGER, TEXT, VALUE, Array, or_nil
from synap.routes import Get, Post
from synap.traits import COUNTS_AS_SET, EMPTY_IS_NIL, GROWS, WRITES

_KEY = Key("key")
_NEW = Key("key", access=WRITE)
_NO_PIECE = {"error": "Key not found or range empty"}
_RANGE = (_KEY, Int("start"), Int("end"))
_LENGTH = {"length": "$reply"}
_PAIRS = (Many("pairs", _NEW, Raw("value"), fault="WRONG_ARITY", least_given=0),)

ROWS = [
    Command(
        "kv.append", 0x0301, "Append text to the value of a key and return the new length in bytes.",
        args=(_NEW, Raw("value")),
        resp="APPEND", reply=INTEGER, run="substrings.append", traits=WRITES | GROWS, needs_words=80,
        http=(Post("/kv/{key}/append"),), json=_LENGTH,
        examples=(Example("APPEND k Hello", 5), Example("APPEND k World", 10), Example("GET k", "HelloWorld")),
    ),
    Command(
        "kv.strlen", 0x0302, "Return the length in bytes of the value of a key.",
        args=(_KEY,), resp="STRLEN", reply=INTEGER,
        run="substrings.length", http=(Get("/kv/{key}/strlen"),), json=_LENGTH,
        examples=(Example("SET k Hello", "OK"), Example("STRLEN k", 5), Example("STRLEN none", 0)),
    ),
    Command(
        "kv.getrange", 0x0303,
        "Return the bytes of a value from `start` to `end`, both included; negative positions count from the end.",
        args=_RANGE, resp="GETRANGE", reply=TEXT, run="substrings.piece",
        http=(Get("/kv/{key}/getrange"),), json="$text", command="$text",
        json_nil=_NO_PIECE, traits=EMPTY_IS_NIL,
        examples=(Example("SET k Hello", "OK"), Example("GETRANGE k 1 -2", "ell"), Example("GETRANGE k 9 10", "")),
    ),
    Command(
        "kv.substr", 0x0304, "Return the bytes of a value from `start` to `end`; SUBSTR is the older name of GETRANGE.",
        args=_RANGE, resp="SUBSTR", reply=TEXT,
        run="substrings.piece", http=(Get("/kv/{key}/substr"),), json="$text", command="$text",
        json_nil=_NO_PIECE, traits=EMPTY_IS_NIL,
        examples=(Example("SET k Hello", "OK"), Example("SUBSTR k 0 1", "He")),
    ),
    Command(
        "kv.setrange", 0x0305,
        "Overwrite a value from `offset` on, padding a shorter value with zeros, and return the new length in bytes.",
        args=(_NEW, Int("offset", least=0), Raw("value")), resp="SETRANGE", reply=INTEGER,
        run="substrings.overwrite", traits=WRITES | GROWS, needs_words=80, http=(Post("/kv/{key}/setrange"),),
        json=_LENGTH,
        examples=(Example("SET k Hello", "OK"), Example("SETRANGE k 1 ipp", 5), Example("GET k", "Hippo")),
    ),
    Command(
        "kv.incrbyfloat", 0x0306,
        "Add a decimal number to the number at a key, without rounding, and return the sum as text.",
        args=(_NEW, Raw("amount")), resp="INCRBYFLOAT", reply=TEXT, run="substrings.add_real",
        traits=WRITES | GROWS,
        needs_words=80, http=(Post("/kv/{key}/incrbyfloat"),), json={"value": "$real"},
        examples=(Example("SET k 10.50", "OK"), Example("INCRBYFLOAT k 0.1", "10.6")),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "kv.mget", 0x0307, "Return the values of several keys, with nil for each key that holds no string.",
        args=(Many("keys", _KEY, least_given=0),), resp="MGET", reply=Array(or_nil(VALUE)), run="substrings.get_many",
        http=(Post("/kv/mget"),), json={"values": "$items"},
        examples=(Example("SET k v", "OK"), Example("MGET k none", ["v", None])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "kv.mset", 0x0308, "Set several keys to values.",
        args=_PAIRS, resp="MSET", run="substrings.set_many", traits=WRITES | GROWS | COUNTS_AS_SET,
        needs_words=80, http=(Post("/kv/mset"),), json={"success": True},
        examples=(Example("MSET a 1 b 2", "OK"), Example("MGET a b", ["1", "2"])),
        python=Method(note="The keys are set in one atomic step."),
        event=Event("set"),
    ),
    Command(
        "kv.msetnx", 0x0309, "Set several keys to values if none of the keys exists.", args=_PAIRS, resp="MSETNX",
        reply=INTEGER, run="substrings.set_many_if_missing", traits=WRITES | GROWS | COUNTS_AS_SET, needs_words=80,
        http=(Post("/kv/msetnx"),), json={"success": "$flag"},
        examples=(Example("MSETNX a 1 b 2", 1), Example("MSETNX b 3 c 4", 0)),
        python=Method(note="Return whether they were set."),
        event=Event("set"),
    ),
]  # fmt: skip
