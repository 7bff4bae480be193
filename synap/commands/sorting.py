"""Command rows that put the elements of a list, set or sorted set in order."""

from synap.arguments import WRITE, AnyOrder, Clash, Flag, Int, Key, Many, OneOf, Text, Token
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import Method
from synap.reply import INTEGER, VALUE, Array, Either, or_nil
from synap.routes import Post
from synap.traits import GROWS, WRITES

_KEY = Key("key", "list")
_OPTIONS = (
    Token("BY", Text("by")),
    Token("LIMIT", Int("offset"), Int("count")),
    Many("get", Token("GET", Text("pattern")), least=0),
    OneOf("order", Flag("ASC"), Flag("DESC"), clash=Clash.NONE),
    Flag("ALPHA"),
)
_PATTERNS = (
    "`by` and `get` are patterns such as `weight_*` (a key) or `user:*->name` (a field of a hash), where the element "
    "takes the place of the star; `#` is the element itself. They name what to sort by and what to return instead of "
    "the elements; `by` without a star leaves the elements as they are."
)
_STORE_WORDS = 200

ROWS = [
    Command(
        "key.sort", 0x0D01,
        "Return or STORE the elements of a list, set or sorted set in the order of their numbers, or of their bytes "
        "(ALPHA).",
        args=(_KEY, AnyOrder(*_OPTIONS, Token("STORE", Key("store", "list", WRITE)))), stray="SYNTAX", resp="SORT",
        reply=Either(Array(or_nil(VALUE)), INTEGER), run="sorting.sort", traits=WRITES | GROWS,
        needs_words=_STORE_WORDS, http=(Post("/key/{key}/sort"),), json={"key": "$key", "result": "$reply"},
        examples=(
            Example("RPUSH l 3 1 2", 3), Example("SORT l", ["1", "2", "3"]),
            Example("SORT l DESC LIMIT 0 2", ["3", "2"]), Example("MSET w_1 7 w_2 9 w_3 8 v_3 x", "OK"),
            Example("SORT l BY w_* GET # GET v_*", ["1", None, "3", "x", "2", None]), Example("SORT l STORE m", 3),
        ),
        python=Method(
            returns="some", note=f"Return a list, or with `store` the number of elements in it. {_PATTERNS}"
        ),
        event=Event("sortstore", How.STORED_LAST, of="list", misses=True),
    ),
    Command(
        "key.sort_ro", 0x0D02, "Return the elements of a list, set or sorted set in order, as SORT does without STORE.",
        args=(_KEY, AnyOrder(*_OPTIONS)), stray="SYNTAX", resp="SORT_RO", reply=Array(or_nil(VALUE)),
        run="sorting.sort_read_only", http=(Post("/key/{key}/sort_ro"),), json={"key": "$key", "values": "$items"},
        examples=(Example("SADD s 10 9", 2), Example("SORT_RO s ALPHA", ["10", "9"])),
        python=Method(note=_PATTERNS),
    ),
]  # fmt: skip
