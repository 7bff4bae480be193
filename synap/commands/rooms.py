"""Streams: rooms of events that are kept for a while and read from any offset."""

from synap.command import AnyOrder, Command, Example, Int, Many, Raw, Shape, Text, Timeout, Token
from synap.routes import Delete, Get, Post, Put
from synap.store.memory.kinds import ROOM

_ROOM = Text("room", space=ROOM)
_LIMITS = AnyOrder(
    Token("MAXEVENTS", Int("max_events")), Token("MAXBYTES", Int("max_bytes")),
    Token("RETENTION", Int("retention_secs")),
)  # fmt: skip
_STATS = (
    "name", "message_count", "min_offset", "max_offset", "subscriber_count", "total_published", "total_consumed",
    "bytes", "max_events", "max_bytes", "retention_secs", "created_at",
)  # fmt: skip
_MADE = Example("STREAM.CREATE r MAXEVENTS 100 RETENTION 60", "OK")
_SAID = Example("STREAM.PUBLISH r said hello", 0)
_OFFSET = {"offset": "$reply", "room": "$room"}
_GOT = {"success": True, "room": "$room", "created": "$flag"}

ROWS = [
    Command(
        "stream.create", 0x1401, "Make a room. It keeps so many events, bytes and seconds of them; 0: no limit.",
        args=(_ROOM, _LIMITS), resp="STREAM.CREATE", run="rooms.create", writes=True, grows=True, room=200,
        decides="stream.make",
        http=(Post("/stream/{room}"),), envelope=("stream.create_room",), rest={"success": True, "room": "$room"},
        command={"success": True, "room": "$room"}, examples=(_MADE,),
    ),
    Command(
        "stream.publish", 0x1402, "Append events of one name; answers the offset of the first.",
        args=(_ROOM, Text("event"), Many("items", Raw("data"))), resp="STREAM.PUBLISH", reply=Shape.NUMBER,
        run="rooms.publish", writes=True, grows=True, room=4200,
        http=(
            Post("/stream/{room}/publish"),
            Post("/stream/publish", alias=True, needs=(("room",), ("event",)), before="stream.create"),
        ),
        rest=_OFFSET, command=_OFFSET,
        examples=(_MADE, _SAID, Example("STREAM.PUBLISH r said one two", 1)),
    ),
    Command(
        "stream.consume", 0x1403,
        "Events from an offset on, by default from the earliest held, 100 at most; with WAIT, wait until there is one.",
        args=(
            _ROOM, Text("subscriber_id"),
            AnyOrder(
                Token("FROM", Int("from_offset")), Token("LIMIT", Int("limit")), Token("WAIT", Timeout("wait")),
            ),
        ),
        resp="STREAM.CONSUME", reply=Shape.EVENTS, run="rooms.consume", waits=True,
        http=(Get("/stream/{room}/consume/{subscriber_id}"),), envelope=("stream.read",),
        also={"offset": "from_offset"},
        rest={"events": "$events", "next_offset": "$total"}, command={"events": "$events", "next_offset": "$total"},
        rest_nil={"events": [], "next_offset": "$from"}, command_nil={"events": [], "next_offset": "$from"},
        examples=(
            _MADE, _SAID, Example("STREAM.CONSUME r me FROM 0 LIMIT 1", ...), Example("STREAM.CONSUME r me FROM 1", []),
        ),
    ),
    Command(
        "stream.stats", 0x1404, "Counters and limits of a room; readers and reads are counted since the start.",
        args=(_ROOM,), resp="STREAM.STATS", reply=Shape.REPORT, run="rooms.stats", http=(Get("/stream/{room}/stats"),),
        fields=_STATS, rest="$report", command="$report", examples=(_MADE, _SAID, Example("STREAM.STATS r", ...)),
    ),
    Command(
        "stream.delete", 0x1405, "Remove a room with its events.", args=(_ROOM,), resp="STREAM.DELETE",
        run="rooms.delete", writes=True, envelope=("stream.delete_room",), http=(Delete("/stream/{room}"),),
        rest={"success": True, "room": "$room"},
        command={"success": True, "deleted": "$room"}, examples=(_MADE, Example("STREAM.DELETE r", "OK")),
    ),
    Command(
        "stream.list", 0x1406, "The names of all rooms.", resp="STREAM.LIST", reply=Shape.VALUES,
        run="rooms.list_names", envelope=("stream.list_rooms",), http=(Get("/stream/list"),),
        rest={"rooms": "$items", "count": "$count"},
        command={"rooms": "$items", "count": "$count"}, examples=(_MADE, Example("STREAM.LIST", ["r"])),
    ),
    Command(
        "stream.make", 0x1407, "Make a room with all its limits given, in ms: what making one is journaled as.",
        args=(_ROOM, Int("max_events"), Int("max_bytes"), Int("retention_ms")), run="rooms.make", writes=True,
        internal=True,
    ),
    Command(
        "stream.expire", 0x1408, "Drop events that have grown too old: what upkeep asks for.",
        args=(_ROOM, Int("most")), reply=Shape.NUMBER, run="rooms.expire", writes=True, internal=True,
    ),
    Command(
        "stream.get_or_create", 0x1409, "Make a room, unless it is there: then it keeps its limits.",
        args=(_ROOM, _LIMITS), resp="STREAM.GETORCREATE", reply=Shape.NUMBER, run="rooms.get_or_create", writes=True,
        grows=True, room=200, decides="stream.make",
        http=(Put("/stream/{room}"),), envelope=("stream.get_or_create_room",),
        rest=_GOT, command=_GOT, examples=(
            Example("STREAM.GETORCREATE r MAXEVENTS 100 RETENTION 60", 1), Example("STREAM.GETORCREATE r", 0), _SAID,
        ),
    ),
    Command(
        "stream.load", 0x14F0, "A room out of a snapshot.",
        args=(_ROOM, *(Int(f"word{i}") for i in range(7))), run="rooms.load_room", writes=True, internal=True,
    ),
    Command(
        "stream.load_events", 0x14F1, "Events of a room out of a snapshot.",
        args=(_ROOM, Many("events", Text("event"), Raw("data"), Int("time"))), run="rooms.load_events", writes=True,
        internal=True,
    ),
]  # fmt: skip
