"""Command rows of streams: rooms of events that are kept within limits and read from any offset."""

from synap.arguments import AnyOrder, Int, Many, Raw, Text, Timeout, Token
from synap.command import Command, Example
from synap.methods import CLIENT, EMBEDDED, Method
from synap.ranges import ROOM_LIMIT_MAX
from synap.reply import INTEGER, TEXT, TIME, VALUE_OCTETS, Array, As, Each, Record, Tuple
from synap.routes import Delete, Get, Post, Put
from synap.store.memory.kinds import ROOM
from synap.traits import EMPTIES, GROWS, INTERNAL, TRUSTED, WAITS, WRITES

_ROOM = Text("room", kind=ROOM)
_LIMITS = AnyOrder(
    Token("MAXEVENTS", Int("max_events", least=0, most=ROOM_LIMIT_MAX)),
    Token("MAXBYTES", Int("max_bytes", least=0, most=ROOM_LIMIT_MAX)),
    Token("RETENTION", Int("retention_secs", least=0, most=ROOM_LIMIT_MAX)),
)  # fmt: skip
_LIMIT_NAMES = {"max_events": "max_events", "max_bytes": "max_bytes", "retention_secs": "retention_s"}
_STATS = Record({"name": TEXT} | dict.fromkeys(
    ("message_count", "min_offset", "max_offset", "subscriber_count", "total_published", "total_consumed",
     "bytes", "max_events", "max_bytes", "retention_secs", "created_at"), INTEGER,
))  # fmt: skip
_EVENT = Tuple({"offset": INTEGER, "event": TEXT, "data": VALUE_OCTETS, "timestamp": TIME})
_EVENTS = Each({
    "id": "$room:$offset", "offset": "$offset", "room": "$room", "event": "$event", "data": "$data",
    "timestamp": "$timestamp", "metadata": {},
})  # fmt: skip
_MADE = Example("STREAM.CREATE r MAXEVENTS 100 RETENTION 60", "OK")
_SAID = Example("STREAM.PUBLISH r said hello", 0)
_OFFSET = {"offset": "$reply", "room": "$room"}
_NO_EVENTS = {"events": [], "next_offset": As("from_offset", INTEGER)}
_GOT = {"success": True, "room": "$room", "created": "$flag"}

ROWS = [
    Command(
        "stream.create", 0x1401,
        "Create a room (an event stream) with limits on events, bytes and age in seconds; 0 means no limit.",
        args=(_ROOM, _LIMITS), resp="STREAM.CREATE", run="rooms.create", traits=WRITES | GROWS, needs_words=200,
        http=(Post("/stream/{room}"),), envelope=("stream.create_room",),
        json={"success": True, "room": "$room"}, examples=(_MADE,),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "stream.publish", 0x1402, "Append events of one name to a room and return the offset of the first event.",
        args=(_ROOM, Text("event"), Many("items", Raw("data"), single=True)), resp="STREAM.PUBLISH", reply=INTEGER,
        run="rooms.publish", traits=WRITES | GROWS, needs_words=4200,
        http=(
            Post("/stream/{room}/publish"),
            Post("/stream/publish", alias=True, needs=(("room",), ("event",)), before="stream.create",
                 tolerates="ROOM_EXISTS"),
        ),
        json=_OFFSET,
        examples=(_MADE, _SAID, Example("STREAM.PUBLISH r said one two", 1)),
        python=Method(names={"items": "data"}, by_hand=CLIENT),
    ),
    Command(
        "stream.consume", 0x1403,
        "Return events of a room from an offset on, by default at most 100 from the earliest; WAIT waits for an event.",
        args=(
            _ROOM, Text("subscriber_id"),
            AnyOrder(
                Token("FROM", Int("from_offset", least=0)), Token("LIMIT", Int("limit", least=0)),
                Token("WAIT", Timeout("wait")),
            ),
        ),
        resp="STREAM.CONSUME", reply=Array(_EVENT), run="rooms.consume", traits=WAITS,
        http=(Get("/stream/{room}/consume/{subscriber_id}"),), envelope=("stream.read",),
        also={"offset": "from_offset"},
        json={"events": _EVENTS, "next_offset": "$total"},
        json_nil=_NO_EVENTS,
        examples=(
            _MADE, _SAID, Example("STREAM.CONSUME r me FROM 0 LIMIT 1", ...), Example("STREAM.CONSUME r me FROM 1", []),
        ),
        python=Method(by_hand=EMBEDDED | CLIENT),
    ),
    Command(
        "stream.stats", 0x1404,
        "Return the counters and limits of a room; readers and reads are counted since the server started.",
        args=(_ROOM,), resp="STREAM.STATS", reply=_STATS, run="rooms.stats", http=(Get("/stream/{room}/stats"),),
        json="$reply", examples=(_MADE, _SAID, Example("STREAM.STATS r", ...)),
    ),
    Command(
        "stream.delete", 0x1405, "Delete a room with all its events.", args=(_ROOM,), resp="STREAM.DELETE",
        run="rooms.delete", traits=WRITES | EMPTIES, envelope=("stream.delete_room",), http=(Delete("/stream/{room}"),),
        json={"success": True, "room": "$room"},
        command={"success": True, "deleted": "$room"}, examples=(_MADE, Example("STREAM.DELETE r", "OK")),
        python=Method(by_hand=CLIENT),
    ),
    Command(
        "stream.list", 0x1406, "List the names of all rooms.", resp="STREAM.LIST", reply=Array(TEXT),
        run="rooms.list_names", envelope=("stream.list_rooms",), http=(Get("/stream/list"),),
        json={"rooms": "$items", "count": "$count"}, examples=(_MADE, Example("STREAM.LIST", ["r"])),
        python=Method(returns="titles", by_hand=CLIENT),
    ),
    Command(
        "stream.make", 0x1407,
        "Create a room with all limits given, the age in milliseconds; the log stores this command for new rooms.",
        args=(_ROOM, Int("max_events"), Int("max_bytes"), Int("retention_ms")), run="rooms.make",
        traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "stream.expire", 0x1408, "Remove the events of a room that have grown too old, on behalf of upkeep.",
        args=(_ROOM, Int("most")), reply=INTEGER, run="rooms.expire", traits=WRITES | INTERNAL,
    ),
    Command(
        "stream.get_or_create", 0x1409, "Create a room, or leave an existing room and its limits unchanged.",
        args=(_ROOM, _LIMITS), resp="STREAM.GETORCREATE", reply=INTEGER, run="rooms.get_or_create",
        traits=WRITES | GROWS,
        needs_words=200,
        http=(Put("/stream/{room}"),), envelope=("stream.get_or_create_room",),
        json=_GOT, examples=(
            Example("STREAM.GETORCREATE r MAXEVENTS 100 RETENTION 60", 1), Example("STREAM.GETORCREATE r", 0), _SAID,
        ),
        python=Method("stream_get_or_create", names=_LIMIT_NAMES, note="Return whether it was created."),
    ),
    Command(
        "stream.load", 0x14F0, "Load a room from a snapshot.",
        args=(_ROOM, *(Int(f"word{i}") for i in range(7))), run="rooms.load_room", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "stream.load_events", 0x14F1, "Load events of a room from a snapshot.",
        args=(_ROOM, Many("events", Text("event"), Raw("data"), Int("time"))), run="rooms.load_events",
        traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
