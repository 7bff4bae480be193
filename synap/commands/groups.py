"""Command rows of consumer groups: members that share the partitions of a topic, and their committed offsets."""

from synap.arguments import AnyOrder, Choice, Flag, Int, Many, OneOf, Text, Token
from synap.command import Command, Example
from synap.methods import CLIENT, Method
from synap.ranges import INT_MAX, PARTITIONS_MAX, SESSION_MS_MAX
from synap.reply import INTEGER, TEXT, TIME, Array, As, Record, Tuple, or_nil
from synap.routes import Delete, Get, Post
from synap.store.memory.kinds import GROUP
from synap.traits import EMPTIES, GROWS, INTERNAL, SESSION, TRUSTED, WRITES

_GROUP = Text("group", kind=GROUP)
_NAMED = {"group_id": "group"}
_MEMBER = Text("member_id")
_PARTITION = Int("partition_id", least=0)
_SESSION = Token("SESSION", Int("session_ms", least=1, most=SESSION_MS_MAX))
_GENERATION = Token("GENERATION", Int("generation"))
_SECONDS = {"session_timeout_secs": ("session_ms", 1000)}
_STRATEGIES = ("ROUND_ROBIN", "RANGE", "STICKY")
_ASSIGNMENT = Record({"generation": INTEGER, "partitions": Array(INTEGER)})
_MEMBERSHIP = Record({
    "member_id": TEXT, "partitions": Array(INTEGER), "heartbeat_at": TIME, "session_ms": INTEGER,
})  # fmt: skip
_STATS = Record({
    "group_id": TEXT, "topic": TEXT, "member_count": INTEGER, "generation": INTEGER, "partition_count": INTEGER,
    "committed_partitions": INTEGER, "last_rebalance_secs": INTEGER, "state": TEXT, "strategy": TEXT,
    "session_ms": INTEGER, "created_at": TIME,
})  # fmt: skip
_OFFSETS = Tuple({
    "partition_id": INTEGER, "offset": or_nil(INTEGER), "next_offset": or_nil(INTEGER), "lag": or_nil(INTEGER),
})  # fmt: skip
_MADE = Example("GROUP.CREATE g t 3 STRATEGY RANGE", "OK")
_JOINED = Example("GROUP.JOIN g MEMBER m", "m")

ROWS = [
    Command(
        "group.create", 0x1A01,
        "Create a consumer group for so many partitions of a topic; a session is in milliseconds, by default 30000.",
        args=(
            _GROUP, Text("topic"), Int("partition_count", least=1, most=PARTITIONS_MAX),
            AnyOrder(Token("STRATEGY", Choice("strategy", _STRATEGIES, fault="BAD_STRATEGY")), _SESSION),
        ),
        resp="GROUP.CREATE", also=_NAMED, run="memberships.create", traits=WRITES | GROWS, needs_words=200,
        http=(Post("/consumer-groups/{group}"),), units=_SECONDS,
        json={"success": True, "group_id": "$group", "topic": "$topic"}, examples=(_MADE,),
        python=Method(names={"partition_count": "partitions", "session_ms": "session_ms"}),
    ),
    Command(
        "group.join", 0x1A02,
        "Add a member to a consumer group, under a name that is given or a random one, and return the name.",
        args=(_GROUP, AnyOrder(Token("MEMBER", Text("instance")), _SESSION)),
        resp="GROUP.JOIN", also=_NAMED, reply=TEXT, run="memberships.join", traits=WRITES | GROWS, needs_words=200,
        http=(Post("/consumer-groups/{group}/join"),), units=_SECONDS,
        json={"member_id": "$text", "group_id": "$group"}, examples=(_MADE, _JOINED),
        python=Method(names={"instance": "member", "session_ms": "session_ms"}, returns="word"),
    ),
    Command(
        "group.enter", 0x1A03, "Add a member to a consumer group; the log stores this command for each GROUP.JOIN.",
        args=(_GROUP, _MEMBER, Int("session_ms")), run="memberships.enter", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "group.leave", 0x1A04, "Remove a member from its consumer group, whose other members share its partitions.",
        args=(_GROUP, _MEMBER), resp="GROUP.LEAVE", also=_NAMED, run="memberships.leave", traits=WRITES,
        http=(Delete("/consumer-groups/{group}/members/{member_id}/leave"),),
        json={"success": True, "member_id": "$member_id"},
        examples=(_MADE, _JOINED, Example("GROUP.LEAVE g m", "OK")),
        python=Method(names={"member_id": "member"}),
    ),
    Command(
        "group.heartbeat", 0x1A05,
        "Extend the session of a member, and return the generation of its group; another GENERATION is refused.",
        args=(_GROUP, _MEMBER, AnyOrder(_GENERATION)), resp="GROUP.HEARTBEAT", also=_NAMED, reply=INTEGER,
        run="memberships.heartbeat", traits=WRITES,
        http=(Post("/consumer-groups/{group}/members/{member_id}/heartbeat"),),
        json={"success": True, "generation": "$reply"},
        examples=(_MADE, _JOINED, Example("GROUP.HEARTBEAT g m GENERATION 1", 1)),
        python=Method(names={"member_id": "member"}),
    ),
    Command(
        "group.assignment", 0x1A06, "Return the generation of a consumer group, and the partitions of a member.",
        args=(_GROUP, _MEMBER), resp="GROUP.ASSIGNMENT", also=_NAMED, reply=_ASSIGNMENT, run="memberships.assignment",
        http=(Get("/consumer-groups/{group}/members/{member_id}/assignment"),),
        json={
            "member_id": "$member_id", "group_id": "$group", "generation": "$generation",
            "partitions": "$partitions",
        },
        examples=(_MADE, _JOINED, Example("GROUP.ASSIGNMENT g m", {"generation": 1, "partitions": [0, 1, 2]})),
        python=Method(names={"member_id": "member"}),
    ),
    Command(
        "group.commit", 0x1A07,
        "Store the offset at which a partition is read on; refuse another member than its owner, or a generation.",
        args=(
            _GROUP, _PARTITION, Int("offset", least=0, most=INT_MAX - 1),
            AnyOrder(Token("MEMBER", Text("member_id")), _GENERATION),
        ),
        resp="GROUP.COMMIT", also=_NAMED, run="group_offsets.commit", traits=WRITES,
        http=(Post("/consumer-groups/{group}/offsets/commit"),),
        json={"success": True, "partition_id": As("partition_id", INTEGER), "offset": As("offset", INTEGER)},
        examples=(_MADE, _JOINED, Example("GROUP.COMMIT g 0 5 MEMBER m GENERATION 1", "OK")),
        python=Method(names={"partition_id": "partition", "member_id": "member"}),
    ),
    Command(
        "group.offset", 0x1A08, "Return the committed offset of a partition, or nil.",
        args=(_GROUP, Int("partition_id")), resp="GROUP.OFFSET", also=_NAMED, reply=or_nil(INTEGER),
        run="group_offsets.offset",
        http=(Get("/consumer-groups/{group}/offsets/{partition_id}"),),
        json={"group_id": "$group", "partition_id": As("partition_id", INTEGER), "offset": "$reply"},
        json_nil={"group_id": "$group", "partition_id": As("partition_id", INTEGER), "offset": None},
        examples=(_MADE, Example("GROUP.OFFSET g 0", None), Example("GROUP.COMMIT g 0 5", "OK"),
                  Example("GROUP.OFFSET g 0", 5)),
        python=Method(names={"partition_id": "partition"}, returns="some"),
    ),
    Command(
        "group.offsets", 0x1A09,
        "Return for each partition the committed offset, the next offset of the topic, and the lag.",
        args=(_GROUP,), resp="GROUP.OFFSETS", also=_NAMED, reply=Array(_OFFSETS), run="group_offsets.offsets",
        http=(Get("/consumer-groups/{group}/offsets"),), json={"group_id": "$group", "partitions": "$reply"},
        examples=(_MADE, Example("GROUP.OFFSETS g", [[0, None, None, None], [1, None, None, None],
                                                     [2, None, None, None]])),
        python=Method(returns="some"),
    ),
    Command(
        "group.reset", 0x1A0A,
        "Set the offsets of a group to the earliest, the latest, one offset or one time in ms; return for how many.",
        args=(
            _GROUP,
            OneOf(
                "to", Flag("EARLIEST"), Flag("LATEST"), Token("OFFSET", Int("offset")),
                Token("TIMESTAMP", Int("timestamp_ms")), required=True,
            ),
            AnyOrder(Token("PARTITION", _PARTITION)),
        ),
        resp="GROUP.RESET", also=_NAMED, reply=INTEGER, run="group_offsets.reset", traits=WRITES,
        http=(Post("/consumer-groups/{group}/reset"),), json={"success": True, "partitions": "$reply"},
        examples=(_MADE, Example("TOPIC.CREATE t PARTITIONS 3", ...), Example("GROUP.RESET g EARLIEST", 3),
                  Example("GROUP.RESET g OFFSET 0 PARTITION 1", 1)),
        python=Method(names={"partition_id": "partition"}),
    ),
    Command(
        "group.stats", 0x1A0B, "Return the settings, members and generation of a consumer group.",
        args=(_GROUP,), resp="GROUP.STATS", also=_NAMED, reply=_STATS, run="memberships.stats",
        http=(Get("/consumer-groups/{group}/stats"),), json="$reply",
        examples=(_MADE, _JOINED, Example("GROUP.STATS g", ...)),
    ),
    Command(
        "group.delete", 0x1A0C, "Delete a consumer group with its members and offsets.", args=(_GROUP,),
        resp="GROUP.DELETE", also=_NAMED, run="memberships.delete", traits=WRITES | EMPTIES,
        http=(Delete("/consumer-groups/{group}"),), json={"success": True, "group_id": "$group"},
        examples=(_MADE, Example("GROUP.DELETE g", "OK")),
    ),
    Command(
        "group.list", 0x1A0D, "List the names of all consumer groups.", resp="GROUP.LIST", reply=Array(TEXT),
        run="memberships.list_names", http=(Get("/consumer-groups"),),
        json={"groups": "$items", "count": "$count"}, examples=(_MADE, Example("GROUP.LIST", ["g"])),
        python=Method(returns="titles", by_hand=CLIENT),
    ),
    Command(
        "group.sweep", 0x1A0E, "Remove the members of a consumer group whose session has ended, on behalf of upkeep.",
        args=(_GROUP, Int("most")), reply=INTEGER, run="memberships.sweep", traits=WRITES | INTERNAL,
    ),
    Command(
        "group.bind", 0x1A0F, "Remove a member from its consumer group when this connection closes.",
        args=(_GROUP, _MEMBER), resp="GROUP.BIND", handler="group_bind", traits=SESSION, calls_families=(0x1A,),
        examples=(_MADE, _JOINED, Example("GROUP.BIND g m", "OK")),
    ),
    Command(
        "group.members", 0x1A10, "List the members of a consumer group with their partitions, in the order of joining.",
        args=(_GROUP,), resp="GROUP.MEMBERS", also=_NAMED, reply=Array(_MEMBERSHIP), run="group_lists.members",
        http=(Get("/consumer-groups/{group}/members"),), json={"group_id": "$group", "members": "$reply"},
        examples=(_MADE, _JOINED, Example("GROUP.MEMBERS g", ...)),
        python=Method(returns="reports"),
    ),
    Command(
        "group.load", 0x1AF0, "Load a consumer group from a snapshot.",
        args=(_GROUP, Text("topic"), *(Int(f"word{i}") for i in range(6))),
        run="memberships.load_group", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "group.load_members", 0x1AF1, "Load members of a consumer group from a snapshot.",
        args=(_GROUP, Many("members", Text("name"), Int("seen"), Int("session"))),
        run="memberships.load_members", traits=WRITES | INTERNAL | TRUSTED,
    ),
    Command(
        "group.load_partitions", 0x1AF2, "Load the partitions of a consumer group from a snapshot.",
        args=(_GROUP, Many("partitions", Int("owner"), Int("offset"))),
        run="memberships.load_partitions", traits=WRITES | INTERNAL | TRUSTED,
    ),
]  # fmt: skip
