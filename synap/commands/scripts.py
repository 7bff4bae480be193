"""Command rows of scripts in Lua."""

from importlib import import_module

from synap.arguments import WRITE, Choice, Counted, Key, Many, Optional, Raw, Text
from synap.command import DIAGNOSTICS, SCRIPTS, Command, Example
from synap.commands import keys, renames, sorting
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import ANY, BOOLEAN, DONE, INTEGER, TEXT, Array, Record
from synap.routes import Post
from synap.store.kinds.table import KINDS, NAMED
from synap.traits import NOT_IN_SCRIPTS

_CALLED_ROWS = [
    *keys.ROWS, *renames.ROWS, *sorting.ROWS,
    *(row for kind in (*KINDS, *NAMED) for module in kind.rows for row in import_module(module).ROWS),
]  # fmt: skip
_FAMILIES = (DIAGNOSTICS, SCRIPTS, *dict.fromkeys(row.code >> 8 for row in _CALLED_ROWS))
"""Whose kernels a script may need: it may call any row."""
_KEYS = Counted(
    "keys", Key("key", access=WRITE), least=0, fault="NEGATIVE_KEYS", fault_form="NOT_AN_INTEGER",
    fault_more="TOO_MANY_KEYS",
)  # fmt: skip
_CALLED = (_KEYS, Many("args", Raw("arg"), least=0))
_SHA = "930269f31393d0be681588b6ab08dccee7d6bb67"  # of the text `return(1)`
_LOAD = Example("SCRIPT LOAD return(1)", _SHA)
_TOLD = Record({"result": ANY, "sha1": TEXT})

ROWS = [
    Command(
        "script.eval", 0x1501, "Run a script in Lua with keys and arguments, and return what it returns.",
        args=(Raw("script"), *_CALLED), resp="EVAL", reply=ANY, handler="eval", traits=NOT_IN_SCRIPTS,
        python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
        http=(Post("/script/eval"),), json_reply=_TOLD, json="$reply",
        examples=(
            Example("SET k 5", "OK"), Example("EVAL return(redis.call('GET',KEYS[1])) 1 k", "5"),
            Example("EVAL return{1,ARGV[1]} 0 x", [1, "x"]),
        ),
    ),
    Command(
        "script.eval_ro", 0x1502, "Run a script that may not write.",
        args=(Raw("script"), *_CALLED), resp="EVAL_RO", reply=ANY, handler="eval_ro", traits=NOT_IN_SCRIPTS,
        calls_families=_FAMILIES,
        examples=(Example("EVAL_RO return(redis.call('GET',KEYS[1])) 1 none", None),),
    ),
    Command(
        "script.evalsha", 0x1503, "Run a script of the cache, named by its SHA1 in hexadecimal digits.",
        args=(Raw("sha1"), *_CALLED), resp="EVALSHA", reply=ANY, handler="evalsha", traits=NOT_IN_SCRIPTS,
        python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
        http=(Post("/script/evalsha"),), json_reply=_TOLD, json="$reply",
        examples=(_LOAD, Example(f"EVALSHA {_SHA} 0", 1)),
    ),
    Command(
        "script.evalsha_ro", 0x1504, "Run a script of the cache that may not write.",
        args=(Raw("sha1"), *_CALLED), resp="EVALSHA_RO", reply=ANY, handler="evalsha_ro", traits=NOT_IN_SCRIPTS,
        calls_families=_FAMILIES,
        examples=(_LOAD, Example(f"EVALSHA_RO {_SHA} 0", 1)),
    ),
    Command(
        "script.load", 0x1505, "Store a script in the cache without running it, and return its SHA1.",
        args=(Raw("script"),), resp="SCRIPT|LOAD", reply=TEXT, handler="script_load", traits=NOT_IN_SCRIPTS,
        python=Method(by_hand=CLIENT | EMBEDDED), calls_families=(SCRIPTS,),
        http=(Post("/script/load"),), json={"sha1": "$reply"},
        examples=(_LOAD,),
    ),
    Command(
        "script.exists", 0x1506, "Return for each SHA1 whether the cache has a script with it.",
        args=(Many("hashes", Raw("sha1")),), resp="SCRIPT|EXISTS", reply=Array(INTEGER), handler="script_exists",
        traits=NOT_IN_SCRIPTS, http=(Post("/script/exists"),), json={"exists": "$reply"},
        json_reply=Array(BOOLEAN),
        examples=(Example("SCRIPT EXISTS ffffffffffffffffffffffffffffffffffffffff", [0]),),
    ),
    Command(
        "script.flush", 0x1507, "Remove all scripts from the cache.",
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"), fault="BAD_SCRIPT_FLUSH"), alone=True),),
        resp="SCRIPT|FLUSH", reply=DONE, json_reply=INTEGER, handler="script_flush", traits=NOT_IN_SCRIPTS,
        http=(Post("/script/flush"),), json={"cleared": "$reply"},
        examples=(Example("SCRIPT FLUSH", ...),),
    ),
    Command(
        "script.kill", 0x1508, "End the script that runs, unless it has written something.",
        resp="SCRIPT|KILL", reply=DONE, json_reply=BOOLEAN, handler="script_kill", traits=NOT_IN_SCRIPTS,
        http=(Post("/script/kill"),), json={"terminated": "$reply"}, examples=(Example("SCRIPT KILL", ...),),
    ),
    Command(
        "script.debug", 0x1509, "Set whether scripts are debugged, which is refused.",
        args=(Text("mode"),), resp="SCRIPT|DEBUG", reply=DONE, handler="script_debug", traits=NOT_IN_SCRIPTS,
        examples=(Example("SCRIPT DEBUG NO", ...),),
    ),
]  # fmt: skip
