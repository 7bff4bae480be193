"""What the process around an engine offers to its rows: one typed object, `Engine.host`.

An engine alone, as tests use it, has the host of this file: no clock, no disk, no connections. A node
(io/node/node.py), a server (io/server/server_commands.py) and an in-process database fill in what they have.
"""

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from synap.durability import MEMORY

if TYPE_CHECKING:
    from synap.engine.callers import Caller, Link
    from synap.engine.subscribers import Listener
    from synap.engine.tracking import Tracking
    from synap.engine.waiters import Parked


class Log(Protocol):
    """The log and snapshots of a node. INFO shows `persistence`; CONFIG SET changes `fsync_mode`."""

    fsync_mode: str

    def persistence(self) -> dict[str, Any]:
        """Return the figures of INFO's section on persistence."""

    def saved_at(self) -> int:
        """Return when the last snapshot was finished, or else when the node was started, in s since 1970."""


class Durability(Protocol):
    """What is safe, and when. `has_log`: changes are written to a log."""

    @property
    def has_log(self) -> bool:
        """True if changes are written to a log."""

    def reached(self, asked: str) -> str:
        """Return the level of durability that replies have reached when they are sent, if they ask for a level."""

    def synced(self, seq: int) -> bool:
        """Return whether all changes up to `seq` are in the log and on the disk."""

    def when_synced(self, seq: int, done: Callable[[], None]) -> None:
        """Sync the log, and call `done` once all changes up to `seq` are on the disk."""


class NoDurability:
    """The durability of an engine alone: nothing is written."""

    has_log = False

    def reached(self, asked: str) -> str:
        return MEMORY

    def synced(self, seq: int) -> bool:
        return False

    def when_synced(self, seq: int, done: Callable[[], None]) -> None:
        return


class Snapshots(Protocol):
    """The snapshots that rows may request. `save_points`: pairs of (seconds, changes), see `node.save_points`."""

    save_points: list[tuple[int, int]]

    def begin(self) -> None:
        """Begin a snapshot in the background."""

    def again(self) -> None:
        """Begin another snapshot once the one under way is finished."""

    def write(self) -> None:
        """Write a snapshot before returning. Raises OSError if it cannot be written."""


class ChangeSource(Protocol):
    """The changes of a node for those who read them, and its named feeds. `feeds`: name -> the next seq it wants."""

    feeds: dict[str, int]

    @property
    def first(self) -> int:
        """The first seq that can be read."""

    @property
    def last(self) -> int:
        """The seq of the last change that replies may report."""

    def follow(self) -> None:
        """Note that somebody reads changes."""

    def read(self, seq: int, most: int) -> list[tuple[int, int, memoryview]]:
        """Return groups (first seq, number of frames, frames) from the one with `seq` on, until they have `most` bytes;
        none if there is nothing yet, or nothing was found yet. Raise Fault CHANGES_GONE."""

    def place(self, name: str, seq: int | None) -> int:
        """Move a named feed to `seq`, or return where it is; make it if it is new. Raise Fault TOO_MANY_FEEDS."""

    def drop(self, name: str) -> bool:
        """Remove a named feed; return False if there is none."""

    def report(self) -> dict[str, Any]:
        """Return the figures of INFO's section on changes."""


class Client(Protocol):
    """A client as CLIENT LIST shows it: a Session, or an HTTP or WebSocket connection."""

    at: int
    number: int
    name: bytes
    made_with: bytes
    made_with_version: bytes
    namespace: int
    version: int
    opened: int
    watch_broken: bool
    closing: bool
    no_evict: bool
    no_touch: bool

    @property
    def caller(self) -> "Caller":
        """The caller of the client's calls."""

    @property
    def link(self) -> "Link | None":
        """The connection."""

    @property
    def tracking(self) -> "Tracking | None":
        """How a RESP session tracks keys."""

    @property
    def listener(self) -> "Listener | None":
        """The subscriptions of a RESP session."""

    @property
    def parked(self) -> "Parked | None":
        """The call that waits."""

    @property
    def watched(self) -> Sized:
        """The watched keys."""

    @property
    def in_multi(self) -> bool:
        """True between MULTI and EXEC."""

    @property
    def row_at(self) -> int:
        """The place in the heap of the row of the last command, or 0."""

    @property
    def seen(self) -> int:
        """The time of the last command (ms of engine time)."""


class ClientTransactions(Protocol):
    """The transactions of clients of the JSON surfaces, which have no connection and give their id with each call."""

    def begin(self, client: str, now: int) -> None:
        """Begin a transaction. Raise Fault if the client has one."""

    def execute(self, caller: "Caller", client: str, now: int) -> list[Any] | None:
        """Carry out what the client has queued and return the replies; None if a watched key has changed.

        Raise Fault without a transaction.
        """

    def discard(self, client: str, now: int) -> None:
        """End a transaction, and drop what is queued. Raise Fault without one."""

    def watch(self, client: str, keys: list[bytes], now: int) -> None:
        """Watch keys for the client's transaction, which may be begun later."""

    def unwatch(self, client: str, now: int) -> None:
        """Stop watching keys. Raise Fault if the client has no transaction and watches nothing."""


class Connections(Protocol):
    """The connections of a server, and their limits.

    connections_max         greatest number of open connections
    query_bytes_max         largest command of a RESP connection, in bytes
    output_bytes_max        unread output for which a connection is closed, in bytes
    feed_output_bytes_max   unread messages for which a subscriber is closed, in bytes
    """

    connections_max: int
    query_bytes_max: int
    output_bytes_max: int
    feed_output_bytes_max: int

    def possible(self) -> int:
        """Return how many connections the system lets this process open."""

    def count(self) -> int:
        """Return the number of open connections."""

    def memory(self) -> tuple[int, int]:
        """Return bytes of output that clients have not taken, and bytes of unfinished input."""

    def http_clients(self, now: int) -> Iterable[Client]:
        """Return the HTTP and WebSocket connections."""


def _refuse(level: str) -> bool:
    return False


def _none(*given: object) -> int:
    return 0


@dataclass
class Host:
    """The services of the process.

    config            settings by their Redis names; empty without settings
    uptime, wall_us   seconds since the start; wall clock in us since 1970
    sleep             blocks the process for some seconds
    memory_held       resident bytes, 0 if the system does not tell
    memory_reserved   greatest value of max_memory in bytes, 0 for the present one
    log_lines_dropped lines that standard error did not take
    set_log_level     sets which log lines are written, by a value of `logging.level`; False if there is no log to set
    call_later        calls a function after some seconds
    stop              stops the server; None without a server
    durability        tells what is safe
    members           members of consumer groups that are bound to connections, by group and name: a function that
                      tells the connection that another one is the member now
    log, changes, snapshots, connections, transactions   None without a node, a disk, a server
    """

    version: str = ""
    hello_as_redis: bool = False  # HELLO names the server "redis"
    system: str = ""
    pid: int = 0
    run_id: str = ""
    config_file: str = ""
    event_loop: str = "none"
    http_port: int = 0
    resp_port: int = 0
    memory_reserved: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    uptime: Callable[[], int] = _none
    wall_us: Callable[[], int] = _none
    sleep: Callable[[float], object] = _none
    memory_held: Callable[[], int] = _none
    log_lines_dropped: Callable[[], int] = _none
    set_log_level: Callable[[str], bool] = _refuse
    call_later: Callable[[float, Callable[[], None]], object] = _none
    stop: Callable[[], object] | None = None
    durability: Durability = field(default_factory=NoDurability)
    members: dict[tuple[bytes, bytes], Callable[[], object]] = field(default_factory=dict)
    log: Log | None = None
    changes: ChangeSource | None = None
    snapshots: Snapshots | None = None
    connections: Connections | None = None
    transactions: ClientTransactions | None = None
