"""Command rows that rename, copy and move keys, and that find keys by walking all of them."""

from synap.arguments import WRITE, AnyOrder, Choice, Flag, Glob, Int, Key, Optional, Text, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import Method
from synap.reply import INTEGER, TEXT, Array, or_nil
from synap.routes import Get, Post
from synap.store.memory.layout import NAMESPACES
from synap.traits import ABOVE_MAX, EMPTIES, GROWS, ONTO_ITSELF, WRITES

_SOURCE = Key("source", access=WRITE)
_DB = Int("db", least=0, most=NAMESPACES - 1)
_DESTINATION = Key("destination", access=WRITE)
_MOVED = {"success": True, "source": "$source", "destination": "$destination"}
_LISTED = {"keys": "$items", "count": "$count"}
_SWITCH = "kv_store.allow_flush_commands"

ROWS = [
    Command(
        "key.rename", 0x0901, "Rename a key, replacing any key that has the new name.", args=(_SOURCE, _DESTINATION),
        resp="RENAME", run="renames.rename", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/{source}/rename"),), json=_MOVED,
        examples=(Example("SET a v", "OK"), Example("RENAME a b", "OK"), Example("GET b", "v")),
        python=Method(note="A missing `source` is refused."),
        event=Event(how=How.RENAMED),
    ),
    Command(
        "key.renamenx", 0x0902, "Rename a key if no key has the new name.", args=(_SOURCE, _DESTINATION),
        resp="RENAMENX", reply=INTEGER, run="renames.rename_new", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/{source}/renamenx"),), json=_MOVED, json_faults={0: "DESTINATION_EXISTS"},
        examples=(Example("SET a v", "OK"), Example("SET b w", "OK"),
                  Example("RENAMENX a b", 0), Example("RENAMENX a c", 1)),
        python=Method(note="Return whether it was renamed. A missing `source` is refused."),
        event=Event(how=How.RENAMED),
    ),
    Command(
        "key.copy", 0x0903, "Copy a key and its value to another key; with REPLACE, overwrite an existing destination.",
        args=(Key("source"), _DESTINATION, AnyOrder(Token("DB", _DB), Flag("REPLACE"))),
        resp="COPY", reply=INTEGER, run="renames.copy", traits=WRITES | GROWS | ONTO_ITSELF, needs_words=200,
        http=(Post("/key/{source}/copy"),), json=_MOVED, json_faults={0: "COPY_EXISTS"},
        examples=(Example("SET a v", "OK"), Example("COPY a b", 1),
                  Example("COPY a b", 0), Example("COPY a b REPLACE", 1)),
        python=Method(note="Return whether it was copied."),
        event=Event("copy_to", How.COPIED, misses=True),
    ),
    Command(
        "key.move", 0x0904, "Move a key to another namespace if the key does not exist there.",
        args=(_SOURCE, _DB),
        resp="MOVE", reply=INTEGER, run="renames.move_key", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/{source}/move"),), json={"moved": "$flag"},
        examples=(Example("SET a v", "OK"), Example("MOVE a 1", 1), Example("MOVE a 1", 0)),
        python=Method(names={"source": "key"}, note="Return whether it was moved."),
        event=Event(how=How.TAKEN_ALONG),
    ),
    Command(
        "key.swap", 0x0905, "Exchange all keys of two namespaces; the command walks the keys of both.",
        args=(
            Int("one", fault="FIRST_DB", least=0, most=NAMESPACES - 1),
            Int("two", fault="SECOND_DB", least=0, most=NAMESPACES - 1),
        ),
        resp="SWAPDB", run="renames.swap", traits=WRITES | GROWS | ABOVE_MAX, needs_words=80,
        http=(Post("/key/swap"),), json={"success": True},
        examples=(Example("SWAPDB 0 1", "OK"),),
        event=Event(how=How.NONE),
    ),
    Command(
        "key.flush_namespace", 0x0906, "Remove every key of the selected namespace.", resp="FLUSHDB",
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"))),), stray="SYNTAX",
        run="renames.clear_namespace", traits=WRITES | EMPTIES,
        http=(Post("/key/flushdb"),), envelope=("kv.flushdb",), switch=_SWITCH,
        json={"flushed": "$total"},
        examples=(Example("SET k v", "OK"), Example("FLUSHDB", "OK"), Example("DBSIZE", 0)),
        event=Event(how=How.NONE),
    ),
    Command(
        "key.random", 0x0907, "Return a random key.", resp="RANDOMKEY", reply=or_nil(TEXT), run="key_listing.draw",
        http=(Get("/key/randomkey"),), envelope=("key.randomkey",), json={"key": "$reply"},
        json_nil={"key": None},
        examples=(Example("RANDOMKEY", None), Example("SET k v", "OK"), Example("RANDOMKEY", "k")),
        python=Method(returns="key", note="Return None if there is none."),
    ),
    Command(
        "key.match", 0x0908,
        "Return all keys that match a pattern, in no particular order; KEYS walks all keys at once, SCAN in steps.",
        args=(Glob("pattern"),), resp="KEYS", reply=Array(TEXT), run="key_listing.match_all", http=(Get("/key/keys"),),
        json={"keys": "$items", "count": "$count"},
        examples=(Example("SET k1 v", "OK"), Example("KEYS k?", ["k1"]), Example("KEYS none*", [])),
        python=Method(defaults={"pattern": "*"}, returns="keys"),
    ),
    Command(
        "key.starting", 0x0909,
        "Return up to `limit` keys (default 100) that begin with `prefix`, in no particular order, by walking keys "
        "until enough are found.",
        args=(AnyOrder(Token("PREFIX", Text("prefix")), Token("LIMIT", Int("limit", least=0))),),
        reply=Array(TEXT), run="key_listing.match_prefix", http=(Get("/kv/scan"),), envelope=("kv.scan",),
        json=_LISTED,
    ),
    Command(
        "key.list", 0x090A,
        "Return all keys, or those that begin with `prefix` and match `pattern`, in no particular order, by walking "
        "all keys.",
        args=(AnyOrder(Token("PREFIX", Text("prefix")), Token("PATTERN", Glob("pattern"))),),
        reply=Array(TEXT), run="key_listing.list_all", http=(Get("/kv/keys"),), envelope=("kv.keys",), json=_LISTED,
    ),
]  # fmt: skip
