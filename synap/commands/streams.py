"""Command rows of streams of Redis: entries of fields and values under rising ids, and groups of consumers.

(The rows of rooms, whose commands begin with STREAM, are in `rooms.py`.)
"""

from synap.arguments import (
    WRITE,
    AnyOrder,
    Choice,
    Clash,
    Flag,
    Halves,
    Int,
    Key,
    Many,
    OneOf,
    Optional,
    Raw,
    Text,
    Timeout,
    Token,
)
from synap.command import Command, Example
from synap.events import Event, How
from synap.methods import CLIENT, EMBEDDED, Method
from synap.reply import INTEGER, NIL, NO_ARRAY, TEXT, VALUE, Array, ByName, Either, Record, Status, Tuple, or_nil
from synap.traits import GROWS, INTERNAL, SESSION, TRUSTED, WAITS, WRITES

_STREAM = Key("key", "xstream")
_CHANGED = Key("key", "xstream", WRITE)
_GROUP = Text("group")
_CONSUMER = Text("consumer")
_COUNT = Token("COUNT", Int("count"))
_BLOCK = Token("BLOCK", Timeout("block", zero="no limit", whole_ms=True))
_ENTRIES_READ = Token("ENTRIESREAD", Int("entries_read"))
_IDS = Many("ids", Text("id"), fault="WRONG_ARITY")


def _how(name: str) -> Optional:
    """Return the word before a limit: `=`, or `~` for one that may be exceeded a little."""
    return Optional(Choice(name, ("=", "~")))


def _streams(key: Key, unbalanced: str) -> OneOf:
    return OneOf("source", Token("STREAMS", Halves("streams", key, Text("id"), fault=unbalanced)), required=True)


_TRIM = OneOf(
    "trim",
    Token("MAXLEN", _how("maxlen_how"), Int("maxlen")), Token("MINID", _how("minid_how"), Text("minid")),
    clash=Clash.ANY, fault="TWO_TRIMS",
)  # fmt: skip
_LIMIT = Token("LIMIT", Int("limit"))

_FIELDS = Array(TEXT, VALUE)
_ENTRY = Tuple({"id": TEXT, "fields": Either(_FIELDS, NO_ARRAY)})
_ENTRIES = Array(_ENTRY)
_BY_STREAM = or_nil(ByName(_ENTRIES))
_CLAIMED = Either(_ENTRIES, Array(TEXT))
_FACTS = {
    "length": INTEGER, "radix-tree-keys": INTEGER, "radix-tree-nodes": INTEGER, "last-generated-id": TEXT,
    "max-deleted-entry-id": TEXT, "entries-added": INTEGER, "recorded-first-entry-id": TEXT,
}  # fmt: skip
_UNKNOWN = or_nil(INTEGER)
_FULL_CONSUMER = Record({
    "name": TEXT, "seen-time": INTEGER, "active-time": INTEGER, "pel-count": INTEGER,
    "pending": Array(Tuple({"id": TEXT, "time": INTEGER, "deliveries": INTEGER})),
})  # fmt: skip
_FULL_GROUP = Record({
    "name": TEXT, "last-delivered-id": TEXT, "entries-read": _UNKNOWN, "lag": _UNKNOWN, "pel-count": INTEGER,
    "pending": Array(Tuple({"id": TEXT, "consumer": TEXT, "time": INTEGER, "deliveries": INTEGER})),
    "consumers": Array(_FULL_CONSUMER),
})  # fmt: skip
_DESCRIBED = Either(
    Record(_FACTS | {"groups": INTEGER, "first-entry": or_nil(_ENTRY), "last-entry": or_nil(_ENTRY)}),
    Record(_FACTS | {"entries": _ENTRIES, "groups": Array(_FULL_GROUP)}),
)
_PENDING = Either(
    Tuple({"count": INTEGER, "first": or_nil(TEXT), "last": or_nil(TEXT),
           "consumers": Either(Array(Tuple({"consumer": TEXT, "count": TEXT})), NO_ARRAY)}),
    Array(Tuple({"id": TEXT, "consumer": TEXT, "idle": INTEGER, "deliveries": INTEGER})),
)  # fmt: skip

_ADDED = Example("XADD x 1-1 f v", "1-1")
_GROUPED = Example("XGROUP CREATE x g 0", "OK")
_ONE = [["1-1", ["f", "v"]]]
_READ = Example("XREADGROUP GROUP g c STREAMS x >", ...)

ROWS = [
    Command(
        "xstream.add", 0x0E01,
        "Append an entry to a stream, creating the stream if it is missing, and return the ID; `*` is a new one.",
        args=(
            _CHANGED, AnyOrder(_TRIM, _LIMIT, Flag("NOMKSTREAM")), Text("id"),
            Many("fields", Raw("field"), Raw("value"), fault="WRONG_ARITY"),
        ),
        resp="XADD", reply=or_nil(TEXT), run="streams.add", traits=WRITES | GROWS, needs_words=1400,
        examples=(_ADDED, Example("XADD x * f v", ...), Example("XADD none NOMKSTREAM * f v", None)),
        event=Event(how=How.TRIMS),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.len", 0x0E02, "Return the number of entries in a stream.", args=(_STREAM,), resp="XLEN",
        reply=INTEGER, run="streams.length", examples=(_ADDED, Example("XLEN x", 1)),
    ),
    Command(
        "xstream.range", 0x0E03, "Return the entries of a stream whose IDs are in a range; `-` and `+` are its ends.",
        args=(_STREAM, Text("start"), Text("end"), AnyOrder(_COUNT)), resp="XRANGE", reply=Either(_ENTRIES, NIL),
        run="stream_reads.span", examples=(_ADDED, Example("XRANGE x - +", _ONE), Example("XRANGE x (1-1 +", [])),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.revrange", 0x0E04, "Return the entries of a stream whose IDs are in a range, the last one first.",
        args=(_STREAM, Text("end"), Text("start"), AnyOrder(_COUNT)), resp="XREVRANGE", reply=Either(_ENTRIES, NIL),
        run="stream_reads.span_backwards", examples=(_ADDED, Example("XREVRANGE x + - COUNT 1", _ONE)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.del", 0x0E05, "Delete entries of a stream by their IDs and return how many existed.",
        args=(_CHANGED, _IDS), resp="XDEL", reply=INTEGER, run="streams.delete", traits=WRITES,
        examples=(_ADDED, Example("XDEL x 1-1 2-2", 1)),
    ),
    Command(
        "xstream.trim", 0x0E06, "Remove the first entries of a stream, by their number or their IDs; return how many.",
        args=(_CHANGED, AnyOrder(_TRIM, _LIMIT)), stray="SYNTAX", words=3, resp="XTRIM", reply=INTEGER,
        run="streams.trim", traits=WRITES,
        examples=(_ADDED, Example("XTRIM x MAXLEN 0", 1), Example("XTRIM x MINID ~ 5", 0)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.setid", 0x0E07, "Set the last ID of a stream, which new entries have to exceed.",
        args=(
            _CHANGED, Text("id"),
            AnyOrder(Token("ENTRIESADDED", Int("entries_added")), Token("MAXDELETEDID", Text("max_deleted_id"))),
        ),
        stray="SYNTAX", resp="XSETID", run="streams.set_id", traits=WRITES,
        examples=(_ADDED, Example("XSETID x 5-0", "OK")),
    ),
    Command(
        "xstream.read", 0x0E08,
        "Return the entries of streams behind the given IDs; `$` is the last one. With BLOCK, wait for some, in ms.",
        args=(AnyOrder(_COUNT, _BLOCK), _streams(_STREAM, "UNBALANCED_STREAMS")), stray="SYNTAX", resp="XREAD",
        reply=_BY_STREAM, run="stream_reads.read", traits=WAITS, parks="newest_ids",
        examples=(_ADDED, Example("XREAD COUNT 5 STREAMS x 0", {"x": _ONE}), Example("XREAD STREAMS x $", None)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.readgroup", 0x0E09,
        "Deliver entries of streams to a consumer of a group: new ones for the ID `>`, else those that it has pending.",
        args=(
            AnyOrder(Token("GROUP", _GROUP, _CONSUMER), _COUNT, _BLOCK, Flag("NOACK")),
            _streams(_CHANGED, "UNBALANCED_GROUP_STREAMS"),
        ),
        stray="SYNTAX", words=6, resp="XREADGROUP", reply=_BY_STREAM, run="group_reads.read_group",
        traits=WRITES | GROWS | WAITS, needs_words=200, parks="consumer",
        examples=(_ADDED, _GROUPED, Example("XREADGROUP GROUP g c STREAMS x >", {"x": _ONE})),
        event=Event("xgroup-createconsumer", How.CREATES),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.ack", 0x0E0A, "Acknowledge entries that a group has pending and return how many there were.",
        args=(_CHANGED, _GROUP, _IDS), resp="XACK", reply=INTEGER, run="stream_groups.ack", traits=WRITES,
        examples=(_ADDED, _GROUPED, _READ, Example("XACK x g 1-1", 1)), event=Event(how=How.UNTOLD, misses=True),
    ),
    Command(
        "xstream.pending", 0x0E0B, "Return what a group has pending: a summary, or the entries of a range of IDs.",
        args=(
            _STREAM, _GROUP,
            Optional(
                Optional(Token("IDLE", Int("idle"))), Text("start"), Text("end"), Int("count"), Optional(_CONSUMER),
            ),
        ),
        stray="SYNTAX", resp="XPENDING", reply=_PENDING, run="stream_claims.pending",
        examples=(
            _ADDED, _GROUPED, _READ, Example("XPENDING x g", [1, "1-1", "1-1", [["c", "1"]]]),
            Example("XPENDING x g - + 10 other", []),
        ),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.claim", 0x0E0C, "Give pending entries to a consumer that has not got them for so many ms.",
        args=(
            _CHANGED, _GROUP, _CONSUMER, Int("min_idle", fault="BAD_MIN_IDLE_OF_CLAIM"), _IDS,
            AnyOrder(
                Token("IDLE", Int("idle", fault="BAD_IDLE")), Token("TIME", Int("time", fault="BAD_TIME")),
                Token("RETRYCOUNT", Int("retry_count", fault="BAD_RETRY_COUNT")), Flag("FORCE"), Flag("JUSTID"),
                Token("LASTID", Text("last_id")),
            ),
        ),
        stray="UNKNOWN_CLAIM_OPTION", resp="XCLAIM", reply=_CLAIMED, run="stream_claims.claim", traits=WRITES | GROWS,
        needs_words=200,
        examples=(_ADDED, _GROUPED, _READ, Example("XCLAIM x g other 0 1-1", _ONE)),
        event=Event("xgroup-createconsumer", How.CREATES),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.autoclaim", 0x0E0D,
        "Give the pending entries from an ID on to a consumer, if they were not delivered for so many ms.",
        args=(
            _CHANGED, _GROUP, _CONSUMER, Int("min_idle", fault="BAD_MIN_IDLE_OF_AUTOCLAIM"), Text("start"),
            AnyOrder(Token("COUNT", Int("count", fault="COUNT_NOT_ABOVE_ZERO")), Flag("JUSTID")),
        ),
        stray="SYNTAX", resp="XAUTOCLAIM",
        reply=Tuple({"next": TEXT, "entries": _CLAIMED, "deleted": Array(TEXT)}), run="stream_claims.auto_claim",
        traits=WRITES | GROWS, needs_words=200,
        examples=(_ADDED, _GROUPED, _READ, Example("XAUTOCLAIM x g other 0 0", ["0-0", _ONE, []])),
        event=Event("xgroup-createconsumer", How.CREATES),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.group_create", 0x0E0E, "Create a group of a stream that begins behind an ID; `$` is the last one.",
        args=(_CHANGED, _GROUP, Text("id"), AnyOrder(Flag("MKSTREAM"), _ENTRIES_READ)), stray="BAD_SUBCOMMAND",
        resp="XGROUP|CREATE", run="stream_groups.create", traits=WRITES | GROWS, needs_words=200,
        examples=(Example("XGROUP CREATE x g $ MKSTREAM", "OK"),), event=Event("xgroup-create"),
    ),
    Command(
        "xstream.group_setid", 0x0E0F, "Move a group to another ID, behind which it goes on.",
        args=(_CHANGED, _GROUP, Text("id"), AnyOrder(_ENTRIES_READ)), stray="BAD_SUBCOMMAND", resp="XGROUP|SETID",
        run="stream_groups.set_position", traits=WRITES,
        examples=(_ADDED, _GROUPED, Example("XGROUP SETID x g $", "OK")), event=Event("xgroup-setid"),
    ),
    Command(
        "xstream.group_destroy", 0x0E10, "Remove a group with its consumers and all that is pending.",
        args=(_CHANGED, _GROUP), resp="XGROUP|DESTROY", reply=INTEGER, run="stream_groups.destroy", traits=WRITES,
        examples=(_ADDED, _GROUPED, Example("XGROUP DESTROY x g", 1)), event=Event("xgroup-destroy"),
        python=Method(returns="flag", note="Return whether it existed."),
    ),
    Command(
        "xstream.group_createconsumer", 0x0E11, "Create a consumer of a group.",
        args=(_CHANGED, _GROUP, _CONSUMER), resp="XGROUP|CREATECONSUMER", reply=INTEGER,
        run="stream_groups.create_consumer", traits=WRITES | GROWS, needs_words=100,
        examples=(_ADDED, _GROUPED, Example("XGROUP CREATECONSUMER x g c", 1)), event=Event("xgroup-createconsumer"),
        python=Method(returns="flag", note="Return whether it is new."),
    ),
    Command(
        "xstream.group_delconsumer", 0x0E12, "Remove a consumer of a group and return how many entries it had pending.",
        args=(_CHANGED, _GROUP, _CONSUMER), resp="XGROUP|DELCONSUMER", reply=INTEGER,
        run="stream_groups.delete_consumer", traits=WRITES,
        examples=(_ADDED, _GROUPED, _READ, Example("XGROUP DELCONSUMER x g c", 1)), event=Event("xgroup-delconsumer"),
    ),
    Command(
        "xstream.group_help", 0x0E13, "List the subcommands of XGROUP.", resp="XGROUP|HELP", reply=Array(Status()),
        handler="help_xgroup", traits=SESSION, examples=(Example("XGROUP HELP", ...),),
    ),
    Command(
        "xstream.info_stream", 0x0E14, "Describe a stream, with FULL also its entries and groups.",
        args=(_STREAM, Optional(Flag("FULL"), Optional(Token("COUNT", Int("count"))))), stray="BAD_SUBCOMMAND",
        resp="XINFO|STREAM", reply=_DESCRIBED, run="stream_info.stream",
        examples=(_ADDED, Example("XINFO STREAM x", ...), Example("XINFO STREAM x FULL COUNT 1", ...)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.info_groups", 0x0E15, "Describe the groups of a stream.", args=(_STREAM,), resp="XINFO|GROUPS",
        reply=Array(Record({
            "name": TEXT, "consumers": INTEGER, "pending": INTEGER, "last-delivered-id": TEXT, "entries-read": _UNKNOWN,
            "lag": _UNKNOWN,
        })),
        run="stream_info.groups_of", examples=(_ADDED, _GROUPED, Example("XINFO GROUPS x", ...)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.info_consumers", 0x0E16, "Describe the consumers of a group.", args=(_STREAM, _GROUP),
        resp="XINFO|CONSUMERS",
        reply=Array(Record({"name": TEXT, "pending": INTEGER, "idle": INTEGER, "inactive": INTEGER})),
        run="stream_info.consumers_of", examples=(_ADDED, _GROUPED, _READ, Example("XINFO CONSUMERS x g", ...)),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "xstream.info_help", 0x0E17, "List the subcommands of XINFO.", resp="XINFO|HELP", reply=Array(Status()),
        handler="help_xinfo", traits=SESSION, examples=(Example("XINFO HELP", ...),),
    ),
    Command(
        "xstream.last", 0x0E18, "Return the last ID of a stream, on behalf of a call that begins to wait.",
        args=(_STREAM,), reply=TEXT, run="streams.last", traits=INTERNAL,
    ),
    Command(
        "xstream.load", 0x0EF0, "Load a piece of a stream from a snapshot.",
        args=(
            _CHANGED, Int("deadline"), Int("more"),
            Many("parts", *(Int(name) for name in ("what", "a", "b", "c", "d", "e")), Raw("text")),
        ),
        reply=INTEGER, run="stream_parts.load", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
