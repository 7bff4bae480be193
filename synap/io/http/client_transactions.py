"""Transactions of clients of the JSON surfaces: HTTP has no sessions, so a client names itself with `client_id`.

A write, or a message that is published, with the id of a client with an open transaction is queued, packed as MULTI
queues calls, and answered with `{"success": true, "queued": true}`. EXEC carries all of them out as one group, without
another call in between, and replies to each what it would have replied alone; a failed one is `{"error": text}`. Keys
can be watched before or after MULTI. A transaction ends IDLE_MS after its last call.
"""

from contextlib import closing
from typing import TYPE_CHECKING, Any

from synap.derive.conversions import wrong
from synap.engine.callers import Caller
from synap.engine.outcomes import QUEUED, Outcome
from synap.faults import Fault
from synap.proto.rest import Target
from synap.store.memory import arena
from synap.store.memory.layout import WORD

if TYPE_CHECKING:
    from synap.io.http.json_calls import JsonCalls

CLIENT_ID = "client_id"
FAMILY = "transaction"
IDLE_MS = 60_000
CLIENTS_MAX = 1000
CALLS_MAX = 10_000
BYTES_MAX = 64 << 20
BYTES_OF_ALL_MAX = 256 << 20
"""Bytes that all open transactions together may have queued."""


class Client:
    """What is known of one client: the keys that it watches, and what it has queued since MULTI."""

    namespace = 0

    def __init__(self) -> None:
        self.watched: dict[int, tuple[int, bytes, int]] = {}
        self.watch_broken = False
        self.in_multi = self.broken = False
        self.calls: list[tuple[Target, dict[str, Any], bytes]] = []
        self.size = 0
        self.seen = 0

    def note_watched(self) -> None:
        """Do nothing: only RESP sessions have a count of watched keys in the heap."""


class ClientTransactions:
    """The transactions of all clients of one server; see `engine/host.py`."""

    def __init__(self, calls: "JsonCalls") -> None:
        self._calls = calls
        self.clients: dict[str, Client] = {}
        self._size = 0  # bytes that all clients have queued

    @property
    def _watching(self) -> Any:
        return self._calls.server.engine.transactions

    def queues(self) -> bool:
        """Return True if a client has a transaction, so that writes may have to be queued. Idle ones are ended."""
        if self.clients:
            self._end_idle(self._calls.server.clock.now())
        return any(client.in_multi for client in self.clients.values())

    def _end_idle(self, now: int) -> None:
        for idle in [name for name, known in self.clients.items() if known.seen + IDLE_MS <= now]:
            self._end(idle)

    def find(self, name: str, now: int) -> Client | None:
        """Return the client of this name, if it watches keys or has a transaction."""
        client = self.clients.get(name)
        if client is not None and client.seen + IDLE_MS <= now:
            self._end(name)
            return None
        if client is not None:
            client.seen = now
        return client

    def _claim(self, name: str, now: int) -> Client:
        client = self.find(name, now)
        if client is None:
            if len(self.clients) >= CLIENTS_MAX:
                self._end_idle(now)
            if len(self.clients) >= CLIENTS_MAX:
                raise Fault("TOO_MANY_TRANSACTIONS", most=CLIENTS_MAX)
            client = self.clients[name] = Client()
            client.seen = now
        return client

    def _end(self, name: str) -> None:
        client = self.clients.pop(name)
        self._size -= client.size
        self._watching.unwatch(client)

    def begin(self, client: str, now: int) -> None:
        """Begin a transaction. Raise Fault if the client has one."""
        found = self._claim(client, now)
        if found.in_multi:
            raise Fault("NESTED_MULTI")
        found.in_multi = True

    def _open(self, client: str, now: int, fault: str) -> Client:
        found = self.find(client, now)
        if found is None or not found.in_multi:
            raise Fault(fault)
        return found

    def discard(self, client: str, now: int) -> None:
        """End a transaction, and drop what is queued. Raise Fault without one."""
        self._open(client, now, "DISCARD_WITHOUT_MULTI")
        self._end(client)

    def watch(self, client: str, keys: list[bytes], now: int) -> None:
        """Watch keys for the client's transaction, which may be begun later."""
        found = self._claim(client, now)
        for key in keys:
            self._watching.watch(found, key, now)

    def unwatch(self, client: str, now: int) -> None:
        """Stop watching keys. Raise Fault if the client has no transaction and watches nothing."""
        found = self.find(client, now)
        if found is None:
            raise Fault("EXEC_WITHOUT_MULTI")
        self._watching.unwatch(found)
        if not found.in_multi:
            del self.clients[client]

    def queue(self, target: Target, fields: dict[str, Any], now: int) -> Outcome | None:
        """Queue a write, or a message to publish, of a client with an open transaction; return None for any other call.
        Raise Fault.

        A call that is refused here makes EXEC fail, as in Redis.
        """
        name = fields[CLIENT_ID]
        if not target.row.waits_for_writes or target.row.family == FAMILY:
            return None
        if not isinstance(name, str):
            raise wrong(CLIENT_ID, "a string", name)
        client = self.find(name, now)
        if client is None or not client.in_multi:
            return None
        try:
            call = target.pack(fields)
            size = client.size + len(call)
            if len(client.calls) >= CALLS_MAX or size > BYTES_MAX:
                raise Fault("TRANSACTION_TOO_LARGE", most=CALLS_MAX, bytes=BYTES_MAX)
            if self._size + len(call) > BYTES_OF_ALL_MAX:
                self._end_idle(now)
            if self._size + len(call) > BYTES_OF_ALL_MAX:
                raise Fault("OUT_OF_MEMORY")
        except Fault:
            client.broken = True
            raise
        client.calls.append((target, fields, call))
        client.size = size
        self._size += len(call)
        return Outcome(target.row, target.row_at, QUEUED)

    def execute(self, caller: Caller, client: str, now: int) -> list[Any] | None:
        """Carry out what the client has queued and return the replies; None if a watched key has changed.

        Raise Fault without a transaction.
        """
        found = self._open(client, now, "EXEC_WITHOUT_MULTI")
        holds = self._watching.watch_holds(found, now)
        self._end(client)
        if found.broken:
            raise Fault("EXEC_ABORTED")
        return self._carry_out(caller, found, now) if holds else None

    def _carry_out(self, caller: Caller, client: Client, now: int) -> list[Any]:
        engine = self._calls.server.engine
        size = -(-client.size // WORD) + 1
        block = int(arena.allocate_block(engine.words, engine.octets, size))
        if block == 0:
            raise Fault("OUT_OF_MEMORY")
        replies: list[Any] = []
        try:
            at = block * WORD
            engine.bytes[at : at + client.size] = b"".join(call for _, _, call in client.calls)
            outcomes = self._watching.outcomes(caller, block, len(client.calls), now)
            with closing(outcomes):
                for (target, fields, _), outcome in zip(client.calls, outcomes, strict=True):
                    replies.append(self._reply(outcome, target, fields))
        finally:
            arena.release_block(engine.words, engine.octets, block)
        return replies

    def _reply(self, outcome: Outcome, target: Target, fields: dict[str, Any]) -> Any:
        try:
            return self._calls.payload(outcome, target, fields, target.render)
        except Fault as fault:
            return {"error": fault.json_text()}
        except LookupError:
            return {"error": "Not found"}
