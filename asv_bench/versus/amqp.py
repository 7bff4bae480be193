"""As much AMQP 0-9-1 as a comparison needs: open a channel, declare, publish, consume, acknowledge.

Everything on the wire is a frame: type (1 method, 2 header, 3 body), channel, size, payload, 0xCE. A
method is class, method, arguments. A published message is three frames (`basic.publish`, its header with
the properties, its body), and since all of ours are equal, they are made once: `publish` returns bytes.
Only what happens once per run is here, blocking; what happens once per message is compiled (`loops.py`).
"""

import socket
import struct

from client import HOST

METHOD, HEADER, BODY, END = 1, 2, 3, 0xCE
CHANNEL = 1
PERSISTENT = 2
FRAME_BYTES_MAX = 131_072
USER, PASSWORD, VHOST = b"guest", b"guest", b"/"
"""What a fresh node accepts from its own machine, and from nowhere else."""
DURABLE = 2
NOTHING = struct.pack("!I", 0)
"""An empty table."""
NO_PREFETCH = struct.pack("!IHB", 0, 0, 0)

START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPEN_OK = (10, 40), (10, 41)
CHANNEL_OPEN, CHANNEL_OPEN_OK = (20, 10), (20, 11)
DECLARE, DECLARE_OK, PURGE, PURGE_OK = (50, 10), (50, 11), (50, 30), (50, 31)
QOS, QOS_OK, CONSUME, CONSUME_OK, PUBLISH = (60, 10), (60, 11), (60, 20), (60, 21), (60, 40)
CONFIRM, CONFIRM_OK = (85, 10), (85, 11)


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack("!BHI", kind, channel, len(payload)) + payload + bytes([END])


def method(name: tuple[int, int], arguments: bytes, channel: int = CHANNEL) -> bytes:
    return frame(METHOD, channel, struct.pack("!HH", *name) + arguments)


def publish(queue: bytes, body: bytes) -> bytes:
    """One persistent message to a queue, through the default exchange."""
    head = struct.pack("!HHQHB", 60, 0, len(body), 0x1000, PERSISTENT)
    return (method(PUBLISH, b"\0\0" + short(b"") + short(queue) + b"\0")
            + frame(HEADER, CHANNEL, head) + frame(BODY, CHANNEL, body))


class Channel:
    """A connection with one open channel; calls block until they are answered."""

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=0)
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(START)
        login = struct.pack("!I", len(USER) + len(PASSWORD) + 2) + b"\0" + USER + b"\0" + PASSWORD
        self.call(START_OK, NOTHING + short(b"PLAIN") + login + short(b"en_US"), TUNE, channel=0)
        self.socket.sendall(method(TUNE_OK, struct.pack("!HIH", 16, FRAME_BYTES_MAX, 0), channel=0))
        self.call(OPEN, short(VHOST) + short(b"") + b"\0", OPEN_OK, channel=0)
        self.call(CHANNEL_OPEN, short(b""), CHANNEL_OPEN_OK)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.file.read(size - len(data))
            if not more:
                raise ConnectionError("the broker closed the connection")
            data += more
        return data

    def expect(self, answer: tuple[int, int]) -> bytes:
        """The arguments of the next method, which must be `answer`."""
        kind, _, size = struct.unpack("!BHI", self._read(7))
        payload = self._read(size + 1)[:-1]
        name = struct.unpack("!HH", payload[:4])
        if kind != METHOD or name != answer:
            raise ConnectionError(f"wanted {answer} from the broker, found {name}: {payload[4:200]!r}")
        return payload[4:]

    def call(self, name: tuple[int, int], arguments: bytes, answer: tuple[int, int],
             channel: int = CHANNEL) -> bytes:
        self.socket.sendall(method(name, arguments, channel))
        return self.expect(answer)

    def declare(self, queue: bytes) -> int:
        """A durable classic queue, the same if it is there; how many messages are ready in it."""
        said = self.call(DECLARE, b"\0\0" + short(queue) + bytes([DURABLE]) + NOTHING, DECLARE_OK)
        return int(struct.unpack("!II", said[1 + said[0]:])[0])

    def purge(self, queue: bytes) -> None:
        self.call(PURGE, b"\0\0" + short(queue) + b"\0", PURGE_OK)

    def confirms(self) -> None:
        """From now on every message that we publish is confirmed."""
        self.call(CONFIRM, b"\0", CONFIRM_OK)

    def consume(self, queue: bytes, prefetch: int) -> None:
        """The broker pushes at most `prefetch` messages that are not acknowledged."""
        self.call(QOS, struct.pack("!IHB", 0, prefetch, 0), QOS_OK)
        self.call(CONSUME, b"\0\0" + short(queue) + short(b"c") + b"\0" + NOTHING, CONSUME_OK)
