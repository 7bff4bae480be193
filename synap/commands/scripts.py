"""Command rows of scripts in Lua."""

from importlib import import_module

from synap.arguments import WRITE, Choice, Counted, Int, Key, Many, Optional, Raw, Text
from synap.command import DIAGNOSTICS, Command, Example
from synap.commands import keys, renames, sorting
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import ANY, BOOLEAN, DONE, INTEGER, TEXT, Array, Status
from synap.routes import Post
from synap.store.kinds.table import KINDS, NAMED
from synap.traits import MAY_REPLICATE, NOT_IN_SCRIPTS, RUNS_SCRIPT, SESSION

TIMEOUT_MS = 5000
"""The time that a script may take, in ms, if the request does not say it."""
_CALLED_ROWS = [
    *keys.ROWS, *renames.ROWS, *sorting.ROWS,
    *(row for kind in (*KINDS, *NAMED) for module in kind.rows for row in import_module(module).ROWS),
]  # fmt: skip
_FAMILIES = (DIAGNOSTICS, *dict.fromkeys(row.code >> 8 for row in _CALLED_ROWS))
"""Whose kernels a script may need: it may call any row."""
_KEYS = Counted(
    "keys", Key("key", access=WRITE), least=0, fault="NEGATIVE_KEYS", fault_form="NOT_AN_INTEGER",
    fault_more="TOO_MANY_KEYS",
)  # fmt: skip
_GIVEN = (
    Counted(
        "keys", Key("key", access=WRITE), least=0, fault="NEGATIVE_KEYS", fault_form="BAD_KEY_COUNT",
        fault_more="TOO_MANY_KEYS",
    ),
    Many("args", Raw("arg"), least=0),
)  # fmt: skip
_CALLED = (_KEYS, Many("args", Raw("arg"), least=0))
_IN_JSON = (*_CALLED, Int("timeout_ms", least=1, default=TIMEOUT_MS))
_SHA = "930269f31393d0be681588b6ab08dccee7d6bb67"  # of the text `return(1)`
_LOAD = Example("SCRIPT LOAD return(1)", _SHA)
_TOLD = {"result": "$reply", "sha1": "$title"}
_RUNS = NOT_IN_SCRIPTS | RUNS_SCRIPT

ROWS = [
    Command(
        "script.eval", 0x1501, "Run a script in Lua with keys and arguments, and return what it returns.",
        args=(Raw("script"), *_CALLED), resp="EVAL", reply=ANY, run="scripts.evaluate",
        traits=_RUNS | MAY_REPLICATE, python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
        examples=(
            Example("SET k 5", "OK"), Example("EVAL return(redis.call('GET',KEYS[1])) 1 k", "5"),
            Example("EVAL return{1,ARGV[1]} 0 x", [1, "x"]),
        ),
    ),
    Command(
        "script.eval_ro", 0x1502, "Run a script that may not write.",
        args=(Raw("script"), *_CALLED), resp="EVAL_RO", reply=ANY, run="scripts.evaluate_ro", traits=_RUNS,
        python=Method(by_hand=CLIENT | EMBEDDED),
        calls_families=_FAMILIES,
        examples=(Example("EVAL_RO return(redis.call('GET',KEYS[1])) 1 none", None),),
    ),
    Command(
        "script.evalsha", 0x1503, "Run a script of the cache, named by its SHA1 in hexadecimal digits.",
        args=(Raw("sha1"), *_CALLED), resp="EVALSHA", reply=ANY, run="scripts.evaluate_sha",
        traits=_RUNS | MAY_REPLICATE, python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
        examples=(_LOAD, Example(f"EVALSHA {_SHA} 0", 1)),
    ),
    Command(
        "script.evalsha_ro", 0x1504, "Run a script of the cache that may not write.",
        args=(Raw("sha1"), *_CALLED), resp="EVALSHA_RO", reply=ANY, run="scripts.evaluate_sha_ro", traits=_RUNS,
        python=Method(by_hand=CLIENT | EMBEDDED),
        calls_families=_FAMILIES,
        examples=(_LOAD, Example(f"EVALSHA_RO {_SHA} 0", 1)),
    ),
    Command(
        "script.run", 0x150D, "Run a script in Lua for JSON, for a time at most, and return what it returns.",
        args=(Raw("script"), *_IN_JSON), reply=ANY, run="scripts.evaluate_json", traits=_RUNS | MAY_REPLICATE,
        calls_families=_FAMILIES, http=(Post("/script/eval"),), envelope=("script.eval",), json=_TOLD,
    ),
    Command(
        "script.run_sha", 0x150E, "Run a script of the cache, named by its SHA1, for JSON and for a time at most.",
        args=(Raw("sha1"), *_IN_JSON), reply=ANY, run="scripts.evaluate_sha_json", traits=_RUNS | MAY_REPLICATE,
        calls_families=_FAMILIES, http=(Post("/script/evalsha"),), envelope=("script.evalsha",), json=_TOLD,
    ),
    Command(
        "script.call", 0x150F, "Run a function of a library for JSON, for a time at most, and return what it returns.",
        args=(Raw("function"), *_IN_JSON), reply=ANY, run="scripts.call_function_json",
        traits=_RUNS | MAY_REPLICATE, calls_families=_FAMILIES, http=(Post("/function/call"),),
        envelope=("function.call",), json={"result": "$reply"},
    ),
    Command(
        "script.load", 0x1505, "Store a script in the cache without running it, and return its SHA1.",
        args=(Raw("script"),), resp="SCRIPT|LOAD", reply=TEXT, handler="script_load", traits=NOT_IN_SCRIPTS,
        python=Method(by_hand=CLIENT | EMBEDDED),
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
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"), fault="BAD_SCRIPT_FLUSH")),), stray="BAD_SCRIPT_FLUSH",
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
        "script.fcall", 0x150A, "Run a function of a library with keys and arguments, and return what it returns.",
        args=(Raw("function"), *_GIVEN), resp="FCALL", reply=ANY, run="scripts.call_function",
        traits=_RUNS | MAY_REPLICATE, python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
    ),
    Command(
        "script.fcall_ro", 0x150B, "Run a function of a library that may not write.",
        args=(Raw("function"), *_GIVEN), resp="FCALL_RO", reply=ANY, run="scripts.call_function_ro", traits=_RUNS,
        python=Method(by_hand=CLIENT | EMBEDDED), calls_families=_FAMILIES,
    ),
    Command(
        "script.help", 0x150C, "List the subcommands of SCRIPT.", resp="SCRIPT|HELP", reply=Array(Status()),
        handler="help_script", traits=SESSION, examples=(Example("SCRIPT HELP", ...),),
    ),
    Command(
        "script.debug", 0x1509, "Set whether scripts are debugged, which is refused.",
        args=(Text("mode"),), resp="SCRIPT|DEBUG", reply=DONE, handler="script_debug", traits=NOT_IN_SCRIPTS,
        examples=(Example("SCRIPT DEBUG NO", ...),),
    ),
]  # fmt: skip
