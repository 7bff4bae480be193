"""Strings: values under keys."""

from synap.command import (
    WRITE,
    AnyOrder,
    Command,
    Example,
    Flag,
    Get,
    Int,
    Key,
    OneOf,
    Post,
    Raw,
    Shape,
    Token,
)

_KEY = Key("key")
_NEW = Key("key", access=WRITE)

ROWS = [
    Command(
        "kv.set", 0x0101, "Set the value of `key`, whatever it held.", resp="SET",
        args=(
            _NEW,
            Raw("value"),
            AnyOrder(
                OneOf("when", Flag("NX"), Flag("XX"), Token("IFEQ", Raw("ifeq")), Token("IFNE", Raw("ifne"))),
                Flag("GET"),
                OneOf(
                    "expiry",
                    Token("EX", Int("ttl")), Token("PX", Int("px")),
                    Token("EXAT", Int("exat")), Token("PXAT", Int("pxat")), Flag("KEEPTTL"),
                ),
            ),
        ),
        reply=Shape.DONE, run="strings.set_value", writes=True, grows=True, room=80,
        http=(Post("/kv/set"),),
        rest={"success": "$changed", "key": "$key", "old_value?": "$reply"},
        command={"success": "$changed", "old_value?": "$reply"},
        rest_nil={"success": "$changed", "key": "$key"}, command_nil={"success": "$changed"},
        examples=(Example("SET k v", "OK"), Example("SET k w NX", None), Example("SET k w XX GET", "v")),
    ),
    Command(
        "kv.get", 0x0102, "Get the value of `key`.", args=(_KEY,), resp="GET", reply=Shape.VALUE,
        run="strings.get_value", http=(Get("/kv/get/{key}"),),
        rest="$text", command="$hybrid",
        rest_nil={"error": "Key not found"}, command_nil=None,
        examples=(Example("SET k v", "OK"), Example("GET k", "v"), Example("GET none", None)),
    ),
    Command(
        "kv.add", 0x0103, "Add an integer to the number at `key`; a missing key counts as 0.",
        args=(_NEW, Int("amount", default=1)), resp="INCRBY", reply=Shape.NUMBER, run="strings.increment_by",
        writes=True, grows=True, room=80, http=(Post("/kv/{key}/incrby"),), envelope=("kv.incr", "kv.incrby"),
        rest={"value": "$reply"}, command={"value": "$reply"},
        examples=(Example("INCRBY n 5", 5), Example("INCRBY n -7", -2)),
    ),
    Command(
        "kv.increment", 0x0104, "Add 1 to the number at `key`.", args=(_NEW,), resp="INCR", reply=Shape.NUMBER,
        run="strings.increment", writes=True, grows=True, room=80, http=(Post("/kv/{key}/incr"),),
        rest={"value": "$reply"}, command={"value": "$reply"},
        examples=(Example("INCR n", 1), Example("INCR n", 2)),
    ),
    Command(
        "string.load", 0x01F0, "A string out of a snapshot.",
        args=(_NEW, Raw("value"), Int("deadline")), run="strings.load", writes=True, internal=True,
    ),
]  # fmt: skip
