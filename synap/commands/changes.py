"""Command rows of the change feed: every change of the data in the order of the log, and named feeds."""

from synap.arguments import AnyOrder, Argument, Flag, Glob, Int, Text, Timeout, Token
from synap.command import Command, Example
from synap.ranges import CHANGES_BYTES_MAX, CHANGES_MAX
from synap.reply import ANY, BOOLEAN, INTEGER, OCTETS, TEXT, Array, Either, Map, Record, or_nil
from synap.routes import Delete, Get
from synap.traits import ADMIN, NOT_IN_SCRIPTS, WAITS

_CHANGE = Record({
    "seq": INTEGER, "time": INTEGER, "database": INTEGER, "call": TEXT, "keys": Array(ANY), "name": or_nil(ANY),
    "arguments": Map(ANY), "outcome": Either(INTEGER, TEXT), "transaction": or_nil(INTEGER), "values?": Array(ANY),
})  # fmt: skip
_PLACE = {"first": INTEGER, "next": INTEGER, "last": INTEGER}
_FEED = Record({"name": TEXT, "next": INTEGER, "lag": INTEGER, "lost": Either(BOOLEAN, INTEGER)})
_WHERE: tuple[Argument, ...] = (
    Token("FROM", Int("from", least=1, strict=True)), Token("WAIT", Timeout("wait")), Token("FEED", Text("feed")),
)  # fmt: skip
_TRAITS = WAITS | ADMIN | NOT_IN_SCRIPTS

ROWS = [
    Command(
        "changes.read", 0x1C01,
        "Return changes from a seq on, by default those to come, in the order of the log; WAIT waits for a change.",
        args=(AnyOrder(
            *_WHERE, Token("LIMIT", Int("limit", least=1, most=CHANGES_MAX, strict=True)),
            Token("FAMILY", Text("family")), Token("MATCH", Glob("match")), Flag("VALUES"),
        ),),
        resp="CHANGES", handler="changes_read", traits=_TRAITS,
        reply=Record({**_PLACE, "values_at?": INTEGER, "changes": Array(_CHANGE)}), json="$reply",
        http=(Get("/changes"),),
        examples=(Example("CHANGES", ...),),
    ),
    Command(
        "changes.frames", 0x1C02,
        "Return changes from a seq on as the frames of the log, whole transactions of them, to be replayed elsewhere.",
        args=(AnyOrder(*_WHERE, Token("BYTES", Int("bytes", least=1, most=CHANGES_BYTES_MAX, strict=True))),),
        resp="CHANGES.FRAMES", handler="changes_frames", traits=_TRAITS,
        reply=Record({**_PLACE, "count": INTEGER, "frames": OCTETS}),
        json_reply=Record({**_PLACE, "count": INTEGER, "frames": TEXT}), json="$reply",
        http=(Get("/changes/frames"),), examples=(Example("CHANGES.FRAMES", ...),),
    ),
    Command(
        "changes.feeds", 0x1C03,
        "List the named feeds: the next seq that each wants, how many changes it is behind, whether they are lost.",
        resp="CHANGES.FEEDS", handler="changes_feeds", traits=ADMIN, reply=Array(_FEED), json={"feeds": "$reply"},
        http=(Get("/changes/feeds"),), examples=(Example("CHANGES.FEEDS", []),),
    ),
    Command(
        "changes.drop", 0x1C04, "Remove a named feed, so that it holds back no part of the log; return 1, or 0.",
        args=(Text("feed"),), resp="CHANGES.DROP", handler="changes_drop", traits=ADMIN | NOT_IN_SCRIPTS, reply=INTEGER,
        json={"dropped": "$reply"}, http=(Delete("/changes/feeds/{feed}"),),
        examples=(Example("CHANGES.DROP f", 0),),
    ),
]  # fmt: skip
