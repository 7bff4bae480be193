"""Command rows of lists: elements in order, pushed and popped at both ends."""

from synap.arguments import WRITE, Int, Key, Many, Optional, Raw, Timeout
from synap.command import Command, Example
from synap.methods import Method
from synap.reply import INTEGER, NIL, TEXT, VALUE, Array, Either, Tuple, or_nil
from synap.routes import Get, Post
from synap.traits import GROWS, INTERNAL, TRUSTED, WAITS, WRITES

_LIST = Key("key", "list")
_CHANGED = Key("key", "list", WRITE)
_PUSH = {"length": "$reply", "key": "$key"}
_POPPED = "Without `count`, return one element or None; with `count`, return a list, or None if the key is missing."
_WAITED = "Return the key and the element, or None after `timeout` seconds. Waiting calls are served in their order."
_TAKEN = Either(VALUE, Array(VALUE), NIL)
_POP = {"values": "$items", "key": "$key"}

ROWS = [
    Command(
        "list.rpush", 0x0401,
        "Append elements to a list, creating the list if it is missing, and return the new length.",
        args=(_CHANGED, Many("values", Raw("value"))), resp="RPUSH", reply=INTEGER, run="lists.push_right",
        traits=WRITES | GROWS, needs_words=700, http=(Post("/list/{key}/rpush"),), links=("list", "key"), json=_PUSH,
        examples=(Example("RPUSH l a b", 2), Example("RPUSH l c", 3)),
    ),
    Command(
        "list.lpush", 0x0402,
        "Prepend elements to a list one by one, creating the list if it is missing, and return the new length.",
        args=(_CHANGED, Many("values", Raw("value"))), resp="LPUSH", reply=INTEGER, run="lists.push_left",
        traits=WRITES | GROWS, needs_words=700, http=(Post("/list/{key}/lpush"),), json=_PUSH,
        examples=(Example("LPUSH l a b", 2), Example("LRANGE l 0 -1", ["b", "a"])),
    ),
    Command(
        "list.lpop", 0x0403, "Remove and return elements from the left end of a list.",
        args=(_CHANGED, Optional(Int("count", fault="POSITIVE_COUNT", least=0))), resp="LPOP", reply=_TAKEN,
        run="lists.pop_left", traits=WRITES, http=(Post("/list/{key}/lpop"),), json=_POP,
        json_nil="NOT_FOUND",
        examples=(Example("RPUSH l a b", 2), Example("LPOP l", "a"), Example("LPOP l 5", ["b"])),
        python=Method(note=_POPPED),
    ),
    Command(
        "list.rpop", 0x0404, "Remove and return elements from the right end of a list.",
        args=(_CHANGED, Optional(Int("count", fault="POSITIVE_COUNT", least=0))), resp="RPOP", reply=_TAKEN,
        run="lists.pop_right", traits=WRITES, http=(Post("/list/{key}/rpop"),), json=_POP,
        json_nil="NOT_FOUND",
        examples=(Example("RPUSH l a b", 2), Example("RPOP l", "b")),
        python=Method(note=_POPPED),
    ),
    Command(
        "list.range", 0x0405,
        "Return the elements of a list from `start` to `stop`, both included; negative positions count from the end.",
        args=(_LIST, Int("start", default=0), Int("stop", default=-1)), resp="LRANGE", reply=Array(VALUE),
        run="lists.span", http=(Get("/list/{key}/range"),), envelope=("list.lrange",),
        json={"values": "$items", "key": "$key"},
        examples=(Example("RPUSH l a b c", 3), Example("LRANGE l 1 -1", ["b", "c"])),
    ),
    Command(
        "list.len", 0x0406, "Return the number of elements in a list.", args=(_LIST,), resp="LLEN", reply=INTEGER,
        run="lists.length", http=(Get("/list/{key}/len"),), envelope=("list.llen",), json=_PUSH,
        examples=(Example("LLEN none", 0),),
    ),
    Command(
        "list.blpop", 0x0407,
        "Remove and return the leftmost element of the first list that has one; wait if all lists are empty.",
        args=(Many("keys", Key("key", "list", WRITE)), Timeout("timeout")), resp="BLPOP",
        reply=or_nil(Tuple({"key": TEXT, "value": VALUE})),
        run="lists.pop_left_wait", traits=WRITES | WAITS, http=(Post("/list/blpop"),),
        json={"values": "$items"}, json_nil={"values": None},
        examples=(Example("RPUSH l a", 1), Example("BLPOP none l 1", ["l", "a"])),
        python=Method(defaults={"timeout": 0}, note=_WAITED),
    ),
    Command(
        "list.load", 0x04F0, "Load a piece of a list from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("values", Raw("value"))),
        reply=INTEGER, run="lists.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
