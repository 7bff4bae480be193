"""An engine in memory with RESP clients: bytes in, replies out, the time given by the test."""

from typing import Any

from synap.engine.engine import Engine
from synap.engine.handlers.table import HANDLERS
from synap.engine.resp.machine import RespMachine
from synap.store.memory import layout
from tests.support import Bench, command, decode_at


class House:
    """One engine, and the time."""

    def __init__(
        self, store: type[Bench], *, reply_bytes_max: int = 64 << 20, memory_max: int = 1 << 30, journaled: bool = True
    ) -> None:
        self.bench = store(memory_max=memory_max, journaled=journaled)
        bench = self.bench
        self.engine = Engine(bench.heap, bench.catalogue, bench.image, HANDLERS, reply_bytes_max)
        self.engine.journal_flush = self.flush
        self.flushes = 0
        self.frames: list[bytes] = []
        self.now = 1_000_000

    def flush(self) -> None:
        """Take the frames that wait."""
        taken = self.engine.frames.take()
        if taken:
            self.frames.append(bytes(taken[0]))
            self.engine.frames.written()
            self.flushes += 1

    def client(self) -> "Client":
        return Client(self)

    def upkeep(self) -> None:
        """Everything that nobody waits for, to its end."""
        for _ in range(10_000):
            if not self.engine.upkeep.step(self.now):
                return
        raise AssertionError("upkeep finds no end")


class Client:
    """A connection without a socket. What a slow peer would leave is taken at once."""

    def __init__(self, house: House) -> None:
        self.house = house
        session = house.engine.sessions.add()
        assert session is not None
        self.session = session
        self.woken = 0
        self.machine = RespMachine(house.engine, session, self._wake, 1 << 30)
        self.spills = 0

    def _wake(self) -> None:
        self.woken += 1

    def send(self, data: bytes) -> bytes:
        """The bytes that come back."""
        machine, out = self.machine, b""
        while data and not machine.closing:
            buffer = machine.buffer()
            piece, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(piece)] = piece
            out += machine.received(len(piece), self.house.now) or b""
            out += self.take()
        return out

    def take(self) -> bytes:
        """What the machine has written, and what it writes once that has left."""
        machine, out = self.machine, b""
        while machine.output or machine.more:
            pieces = list(machine.output)
            machine.output.clear()
            for piece in pieces:
                if isinstance(piece, bytes):
                    out += piece
                    continue
                self.spills += 1
                while part := piece.take(100_000):
                    out += part
            machine.resume(self.house.now)
        return out

    def ask(self, *calls: Any) -> list[Any]:
        """The replies to calls in one buffer, each a line or a list of words."""
        return self.read(self.send(b"".join(command(*words(call)) for call in calls)))

    def one(self, call: Any) -> Any:
        """The reply to one call."""
        (reply,) = self.ask(call)
        return reply

    @staticmethod
    def read(data: bytes) -> list[Any]:
        """Replies as Python."""
        at, found = 0, []
        while at < len(data):
            reply, at = decode_at(data, at)
            found.append(reply)
        return found

    @property
    def heard(self) -> list[Any]:
        """What has come without being asked for now: the end of a wait, and what ran behind it."""
        self.machine.resume(self.house.now)
        return self.read(self.take())


def words(call: Any) -> list[Any]:
    return call.split() if isinstance(call, str) else call


def pages_used(house: House) -> int:
    return house.bench[layout.PAGES_USED]
