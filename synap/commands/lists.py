"""Command rows of lists: elements in order, pushed and popped at both ends."""

from synap.arguments import (
    WRITE,
    AnyOrder,
    Choice,
    Clash,
    Counted,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Timeout,
    Token,
)
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import Method
from synap.reply import INTEGER, NIL, TEXT, VALUE, Array, As, Either, Tuple, or_nil
from synap.routes import Get, Post
from synap.traits import GROWS, INTERNAL, TRUSTED, WAITS, WRITES

_LIST = Key("key", "list")
_CHANGED = Key("key", "list", WRITE)
_PUSH = {"length": "$reply", "key": "$key"}
_POPPED = "Without `count`, return one element or None; with `count`, return a list, or None if the key is missing."
_WAITED = "Return the key and the element, or None after `timeout` seconds. Waiting calls are served in their order."
_TAKEN = Either(VALUE, Array(VALUE), NIL)
_POP = {"values": "$items", "key": "$key"}
_SPELLING = OneOf("spelling")
"""The mark of an index that is no integer: Redis looks at the key first."""
_INDEX = Int("index", judge="spelling")
_SOURCE = Key("source", "list", WRITE)
_DESTINATION = Key("destination", "list", WRITE)
_INTO = Key("destination", "list", WRITE, awaited=False)
_ENDS = (Choice("wherefrom", ("LEFT", "RIGHT")), Choice("whereto", ("LEFT", "RIGHT")))
_MOVED = {"value": "$reply", "source": "$source", "destination": "$destination"}
_NOT_MOVED = {"value": None, "source": "$source", "destination": "$destination"}
_WAITED_MOVE = "Return None after `timeout` seconds. Waiting calls are served in their order."
_SEVERAL = (
    Counted("keys", Key("key", "list", WRITE)), Choice("where", ("LEFT", "RIGHT")),
    OneOf("how_many", Token("COUNT", Int("count", fault="COUNT_BELOW_ONE", least=1, strict=True)), clash=Clash.ANY),
)  # fmt: skip
_FOUND = (
    "Return a number, None if nothing equals the value, or with `count` a list (0 stands for all). Compare at most "
    "`maxlen` elements."
)
_WAITED_FOR = or_nil(Tuple({"key": TEXT, "value": VALUE}))
_TAKEN_OF = or_nil(Tuple({"key": TEXT, "values": Array(VALUE)}))
_POP_OF = {"key": "$key", "values": "$values"}

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
        run="positions.span", http=(Get("/list/{key}/range", of="key"),), envelope=("list.lrange",),
        json={"values": "$items", "key": "$key"},
        examples=(Example("RPUSH l a b c", 3), Example("LRANGE l 1 -1", ["b", "c"])),
    ),
    Command(
        "list.len", 0x0406, "Return the number of elements in a list.", args=(_LIST,), resp="LLEN", reply=INTEGER,
        run="lists.length", http=(Get("/list/{key}/len", of="key"),), envelope=("list.llen",), json=_PUSH,
        examples=(Example("LLEN none", 0),),
    ),
    Command(
        "list.blpop", 0x0407,
        "Remove and return the leftmost element of the first list that has one; wait if all lists are empty.",
        args=(Many("keys", Key("key", "list", WRITE)), Timeout("timeout")), resp="BLPOP",
        reply=_WAITED_FOR, run="lists.pop_left_wait", traits=WRITES | WAITS, gives_back=("list.lpush",),
        http=(Post("/list/blpop"),), json={"values": "$items"}, json_nil={"values": None},
        examples=(Example("RPUSH l a", 1), Example("BLPOP none l 1", ["l", "a"])),
        python=Method(defaults={"timeout": 0}, note=_WAITED),
        event=Event("lpop", How.FIRST),
    ),
    Command(
        "list.lpushx", 0x0408,
        "Prepend elements to a list if it exists, and return its length, or 0 if it is missing.",
        args=(_CHANGED, Many("values", Raw("value"))), resp="LPUSHX", reply=INTEGER, run="lists.push_left_if_there",
        traits=WRITES | GROWS, needs_words=700, http=(Post("/list/{key}/lpushx"),), json=_PUSH,
        examples=(Example("LPUSHX l a", 0), Example("RPUSH l a", 1), Example("LPUSHX l b", 2)),
        event=Event("lpush"),
    ),
    Command(
        "list.rpushx", 0x0409,
        "Append elements to a list if it exists, and return its length, or 0 if it is missing.",
        args=(_CHANGED, Many("values", Raw("value"))), resp="RPUSHX", reply=INTEGER, run="lists.push_right_if_there",
        traits=WRITES | GROWS, needs_words=700, http=(Post("/list/{key}/rpushx"),), json=_PUSH,
        examples=(Example("RPUSHX l a", 0), Example("RPUSH l a", 1), Example("RPUSHX l b c", 3)),
        event=Event("rpush"),
    ),
    Command(
        "list.index", 0x040A, "Return the element of a list at an index; a negative index counts from the end.",
        args=(_LIST, _SPELLING, _INDEX), resp="LINDEX", reply=or_nil(VALUE), run="positions.at_index",
        http=(Get("/list/{key}/index/{index}"),), envelope=("list.lindex",),
        json={"value": "$reply", "key": "$key", "index": As("index", INTEGER)}, json_nil="NOT_FOUND",
        json_faults={1: "OUT_OF_RANGE"},
        examples=(Example("RPUSH l a b c", 3), Example("LINDEX l -1", "c"), Example("LINDEX none 0", None)),
        python=Method(note="Return None if the index is out of range or the key is missing."),
    ),
    Command(
        "list.set", 0x040B, "Set the element of a list at an index; a negative index counts from the end.",
        args=(_CHANGED, _SPELLING, _INDEX, Raw("value")), resp="LSET", run="positions.set_index",
        traits=WRITES | GROWS, needs_words=1200, http=(Post("/list/{key}/set"),), envelope=("list.lset",),
        json={"success": True, "key": "$key", "index": As("index", INTEGER)},
        examples=(Example("RPUSH l a b", 2), Example("LSET l 1 c", "OK"), Example("LRANGE l 0 -1", ["a", "c"])),
    ),
    Command(
        "list.insert", 0x040C,
        "Insert an element before or after the first one that equals a pivot; return the new length, -1 without such a "
        "pivot, or 0 without the list.",
        args=(_CHANGED, Choice("position", ("BEFORE", "AFTER")), Raw("pivot"), Raw("value")), resp="LINSERT",
        reply=INTEGER, run="positions.insert", traits=WRITES | GROWS, needs_words=1200,
        http=(Post("/list/{key}/insert"),), envelope=("list.linsert",), json=_PUSH,
        json_faults={-1: "NO_PIVOT", 0: "NO_PIVOT"}, chosen={"before": ("position", "BEFORE", "AFTER")},
        examples=(Example("RPUSH l a c", 2), Example("LINSERT l BEFORE c b", 3), Example("LINSERT l AFTER x y", -1)),
        python=Method(returns="whole"),
    ),
    Command(
        "list.rem", 0x040D,
        "Remove elements equal to a value, and return how many: the first `count`, the last ones if `count` is "
        "negative, all if it is 0.",
        args=(_CHANGED, Int("count"), Raw("value")), resp="LREM", reply=INTEGER, run="positions.remove",
        traits=WRITES, http=(Post("/list/{key}/rem", of="key"),), envelope=("list.lrem",),
        json={"removed": "$reply", "key": "$key"},
        examples=(Example("RPUSH l a b a a", 4), Example("LREM l -2 a", 2), Example("LRANGE l 0 -1", ["a", "b"])),
    ),
    Command(
        "list.trim", 0x040E,
        "Remove all elements of a list but those from `start` to `stop`; negative positions count from the end.",
        args=(_CHANGED, Int("start", default=0), Int("stop", default=-1)), resp="LTRIM", run="positions.trim",
        traits=WRITES, http=(Post("/list/{key}/trim", of="key"),), envelope=("list.ltrim",),
        json={"success": True, "key": "$key"},
        examples=(Example("RPUSH l a b c", 3), Example("LTRIM l 1 -1", "OK"), Example("LRANGE l 0 -1", ["b", "c"])),
    ),
    Command(
        "list.pos", 0x040F,
        "Return the index of an element that equals a value: the match number `rank`, from the end if negative; with "
        "`count`, an array of indices.",
        args=(
            _LIST, Raw("value"),
            AnyOrder(
                Token("RANK", Int("rank")), Token("COUNT", Int("count", fault="NEGATIVE_COUNT", least=0, strict=True)),
                Token("MAXLEN", Int("maxlen", fault="NEGATIVE_MAXLEN", least=0, strict=True)),
            ),
        ),
        resp="LPOS", reply=Either(INTEGER, Array(INTEGER), NIL), run="positions.find",
        http=(Post("/list/{key}/pos"),), envelope=("list.lpos",), also={"element": "value"},
        json={"position": "$reply", "key": "$key"}, json_nil={"position": None, "key": "$key"},
        examples=(
            Example("RPUSH l a b a", 3), Example("LPOS l a", 0), Example("LPOS l a RANK -1", 2),
            Example("LPOS l a COUNT 0", [0, 2]), Example("LPOS l x", None),
        ),
        python=Method(returns="value", note=_FOUND),
    ),
    Command(
        "list.lmove", 0x0410, "Move an element from an end of one list to an end of another, and return it.",
        args=(_SOURCE, _DESTINATION, *_ENDS), resp="LMOVE", reply=or_nil(VALUE), run="moves.move",
        traits=WRITES | GROWS, needs_words=1200, http=(Post("/list/{source}/lmove/{destination}"),), json=_MOVED,
        json_nil="NOT_FOUND",
        examples=(Example("RPUSH l a b", 2), Example("LMOVE l m LEFT RIGHT", "a"), Example("LRANGE m 0 -1", ["a"])),
        python=Method(note="Return None if the source is missing."),
        event=Event(how=How.PUSHED),
    ),
    Command(
        "list.rpoplpush", 0x0411, "Move the last element of one list to the front of another, and return it.",
        args=(_SOURCE, _DESTINATION), resp="RPOPLPUSH", reply=or_nil(VALUE), run="moves.rotate",
        traits=WRITES | GROWS, needs_words=1200, http=(Post("/list/{source}/rpoplpush/{destination}"),), json=_MOVED,
        json_nil="NOT_FOUND",
        examples=(Example("RPUSH l a b", 2), Example("RPOPLPUSH l l", "b"), Example("LRANGE l 0 -1", ["b", "a"])),
        python=Method(note="Return None if the source is missing."),
        event=Event(how=How.PUSHED),
    ),
    Command(
        "list.lmpop", 0x0412, "Remove and return elements from an end of the first list that has some.",
        args=(*_SEVERAL,), resp="LMPOP", reply=_TAKEN_OF, run="lists.pop_of_many", traits=WRITES,
        http=(Post("/list/lmpop"),), json=_POP_OF, json_nil="NOT_FOUND",
        examples=(Example("RPUSH l a b c", 3), Example("LMPOP 2 none l LEFT COUNT 2", ["l", ["a", "b"]])),
        python=Method(note="Return the key and a list, or None if all lists are missing."),
        event=Event(how=How.FIRST, end="where"),
    ),
    Command(
        "list.brpop", 0x0413,
        "Remove and return the rightmost element of the first list that has one; wait if all lists are empty.",
        args=(Many("keys", Key("key", "list", WRITE)), Timeout("timeout")), resp="BRPOP", reply=_WAITED_FOR,
        run="lists.pop_right_wait", traits=WRITES | WAITS, gives_back=("list.rpush",), http=(Post("/list/brpop"),),
        json={"values": "$items"}, json_nil={"values": None},
        examples=(Example("RPUSH l a b", 2), Example("BRPOP none l 1", ["l", "b"])),
        python=Method(defaults={"timeout": 0}, note=_WAITED),
        event=Event("rpop", How.FIRST),
    ),
    Command(
        "list.blmove", 0x0414,
        "Move an element from an end of one list to an end of another, and return it; wait if the source is empty.",
        args=(_SOURCE, _INTO, *_ENDS, Timeout("timeout")), resp="BLMOVE", reply=or_nil(VALUE),
        run="moves.move_wait", traits=WRITES | GROWS | WAITS, needs_words=1200,
        http=(Post("/list/{source}/blmove/{destination}"),), json=_MOVED, json_nil=_NOT_MOVED,
        examples=(Example("RPUSH l a b", 2), Example("BLMOVE l m RIGHT LEFT 1", "b")),
        python=Method(defaults={"timeout": 0}, note=_WAITED_MOVE),
        event=Event(how=How.PUSHED),
    ),
    Command(
        "list.brpoplpush", 0x0415,
        "Move the last element of one list to the front of another, and return it; wait if the source is empty.",
        args=(_SOURCE, _INTO, Timeout("timeout")), resp="BRPOPLPUSH", reply=or_nil(VALUE),
        run="moves.rotate_wait", traits=WRITES | GROWS | WAITS, needs_words=1200,
        http=(Post("/list/{source}/brpoplpush/{destination}"),), json=_MOVED, json_nil=_NOT_MOVED,
        examples=(Example("RPUSH l a b", 2), Example("BRPOPLPUSH l m 1", "b")),
        python=Method(defaults={"timeout": 0}, note=_WAITED_MOVE),
        event=Event(how=How.PUSHED),
    ),
    Command(
        "list.blmpop", 0x0416,
        "Remove and return elements from an end of the first list that has some; wait if all lists are empty.",
        args=(Timeout("timeout", last=True), *_SEVERAL), resp="BLMPOP", reply=_TAKEN_OF, run="lists.pop_of_many_wait",
        traits=WRITES | WAITS, gives_back=("list.lpush", "list.rpush"), http=(Post("/list/blmpop"),), json=_POP_OF,
        json_nil={"key": None, "values": None},
        examples=(Example("RPUSH l a b c", 3), Example("BLMPOP 1 1 l RIGHT COUNT 5", ["l", ["c", "b", "a"]])),
        python=Method(note="Return the key and a list, or None after `timeout` seconds."),
        event=Event(how=How.FIRST, end="where"),
    ),
    Command(
        "list.load", 0x04F0, "Load a piece of a list from a snapshot.",
        args=(_CHANGED, Int("deadline"), Int("more"), Many("values", Raw("value"))),
        reply=INTEGER, run="lists.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
