"""Command rows of libraries of functions in Lua, and the internal rows that store their texts."""

from synap.arguments import AnyOrder, Choice, Flag, Optional, Raw, Text, Token
from synap.command import DIAGNOSTICS, Command, Example
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import ANY, DONE, INTEGER, TEXT, Array, Map, Record, SetOf, Status, or_nil
from synap.routes import Delete, Get, Post
from synap.traits import GROWS, INTERNAL, NOT_IN_SCRIPTS, SESSION, TRUSTED, WRITES

SCRIPTS = 0x15
"""The family whose kernels load a library."""
_FAMILIES = (DIAGNOSTICS, SCRIPTS)
_NAME = Text("library")
_FUNCTION = Record({"name": TEXT, "description": or_nil(TEXT), "flags": SetOf(Status())})
_LIBRARY = Record({"library_name": TEXT, "engine": TEXT, "functions": Array(_FUNCTION), "library_code?": TEXT})
_ENGINE = Record({"libraries_count": INTEGER, "functions_count": INTEGER})
_BY_HAND = Method(by_hand=CLIENT | EMBEDDED)

ROWS = [
    Command(
        "function.store", 0x1801, "Store the text of a library.", args=(_NAME, Raw("code")), run="libraries.store",
        traits=WRITES | GROWS | INTERNAL | TRUSTED, needs_words=64,
    ),
    Command(
        "function.remove", 0x1802, "Remove the text of a library.", args=(_NAME,), run="libraries.remove",
        reply=or_nil(DONE), traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "function.texts", 0x1803, "Return the name and the text of each library.", run="libraries.texts",
        reply=Array(TEXT), traits=INTERNAL | TRUSTED,
    ),
    Command(
        "function.load", 0x1804,
        "Load a library of functions and return its name; REPLACE replaces one with the same name.",
        args=(Flag("REPLACE"), Raw("code")), stray="UNKNOWN_LOAD_OPTION",
        resp="FUNCTION|LOAD", reply=TEXT, handler="function_load", traits=WRITES | GROWS | NOT_IN_SCRIPTS,
        python=_BY_HAND, calls_families=_FAMILIES,
        http=(Post("/function/load"),), json={"library": "$reply"},
    ),
    Command(
        "function.list", 0x1805, "List the libraries, or those whose names match a pattern; WITHCODE with their texts.",
        args=(AnyOrder(Token("LIBRARYNAME", Text("pattern")), Flag("WITHCODE")),), stray="UNKNOWN_LIST_ARGUMENT",
        resp="FUNCTION|LIST", reply=Array(_LIBRARY), handler="function_list", traits=NOT_IN_SCRIPTS,
        python=_BY_HAND, calls_families=_FAMILIES, http=(Get("/function/list"),), json={"libraries": "$reply"},
        examples=(Example("FUNCTION LIST", []),),
    ),
    Command(
        "function.delete", 0x1806, "Remove a library and its functions.", args=(_NAME,), resp="FUNCTION|DELETE",
        handler="function_delete", traits=WRITES | NOT_IN_SCRIPTS, python=_BY_HAND, calls_families=_FAMILIES,
        http=(Delete("/function/{library}"),), json={"success": True},
    ),
    Command(
        "function.flush", 0x1807, "Remove all libraries.",
        args=(Optional(Choice("mode", ("ASYNC", "SYNC"), fault="BAD_FUNCTION_FLUSH"), alone=True),),
        resp="FUNCTION|FLUSH", handler="function_flush", traits=WRITES | NOT_IN_SCRIPTS, calls_families=_FAMILIES,
        python=_BY_HAND, http=(Post("/function/flush"),), json={"success": True},
        examples=(Example("FUNCTION FLUSH", "OK"),),
    ),
    Command(
        "function.dump", 0x1808, "Return all libraries as a payload for FUNCTION RESTORE.", resp="FUNCTION|DUMP",
        reply=TEXT, handler="function_dump", traits=NOT_IN_SCRIPTS, calls_families=_FAMILIES,
        examples=(Example("FUNCTION DUMP", ...),),
    ),
    Command(
        "function.restore", 0x1809,
        "Load the libraries of a payload: instead of all, of those with the same names, or only beside others.",
        args=(
            Raw("payload"),
            Optional(Choice("policy", ("FLUSH", "APPEND", "REPLACE"), fault="BAD_RESTORE_POLICY"), alone=True),
        ),
        resp="FUNCTION|RESTORE", handler="function_restore", traits=WRITES | GROWS | NOT_IN_SCRIPTS,
        calls_families=_FAMILIES,
    ),
    Command(
        "function.stats", 0x180A, "Return which function runs, and the number of libraries and functions.",
        resp="FUNCTION|STATS", reply=Record({"running_script": ANY, "engines": Map(_ENGINE)}),
        handler="function_stats", traits=NOT_IN_SCRIPTS, calls_families=_FAMILIES,
        http=(Get("/function/stats"),), json="$reply", examples=(Example("FUNCTION STATS", ...),),
    ),
    Command(
        "function.kill", 0x180B, "End the function that runs, if it has written nothing.", resp="FUNCTION|KILL",
        handler="function_kill", traits=NOT_IN_SCRIPTS, examples=(Example("FUNCTION KILL", ...),),
    ),
    Command(
        "function.help", 0x180C, "List the subcommands of FUNCTION.", resp="FUNCTION|HELP", reply=Array(Status()),
        handler="help_function", traits=SESSION, examples=(Example("FUNCTION HELP", ...),),
    ),
]  # fmt: skip
