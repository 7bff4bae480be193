"""Pub/sub data types: subscriptions, messages, and the two kinds of subscribers."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from synap.engine.sessions import Session
from synap.store.memory.layout import FORM_JSON


class Dialect(Enum):
    """The dialects in which a subscription names channels; the value is RESP's prefix to `message`, `subscribe`."""

    EXACT = ""
    SEGMENTS = "segments"
    GLOB = "p"
    SHARD = "s"


class Json(bytes):
    """A text whose form is JSON, not plain text."""


def with_form(text: bytes, form: int) -> bytes:
    """Return `text`, as a `Json` if its form is JSON."""
    return Json(text) if form == FORM_JSON else text


@dataclass
class Limits:
    """The settings `pubsub.*`."""

    channels: int = 100_000
    subscriptions: int = 100_000
    unread: int = 10_000
    channel_bytes: int = 4096
    messages: int = 1024
    bytes: int = 8 << 20
    overflow: str = "disconnect"
    poll_idle_ms: int = 60_000
    poll_bytes: int = 64 << 20


class Subscription:
    """A channel or pattern with its subscribers: listeners in `links`, mailboxes in `boxes`."""

    __slots__ = ("boxes", "created", "dialect", "links", "published", "text")

    def __init__(self, dialect: Dialect, text: bytes, now: int) -> None:
        self.dialect, self.text, self.created = dialect, text, now
        self.links: dict[Listener, None] = {}
        self.boxes: dict[Mailbox, None] = {}
        self.published = 0

    def __len__(self) -> int:
        return len(self.links) + len(self.boxes)

    def __bool__(self) -> bool:
        return True


def bulk(text: bytes) -> bytes:
    """Return `text` as a RESP bulk string."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


class Message:
    """A published message. Its id and its JSON are made only if a subscriber needs them.

    `retained`: it was published before the subscription, and comes from what its topic retains.
    """

    __slots__ = ("_frame", "_name", "_new_name", "channel", "metadata", "now", "payload", "retained", "size")

    def __init__(
        self, new_name: Callable[[], str], channel: bytes, payload: bytes, metadata: bytes, now: int,
        retained: bool = False,
    ) -> None:  # fmt: skip
        self.retained = retained
        self._new_name, self.channel, self.payload, self.metadata, self.now = new_name, channel, payload, metadata, now
        self.size = len(channel) + len(payload) + len(metadata)
        self._name = ""
        self._frame = b""

    @property
    def name(self) -> str:
        """The id of the message."""
        if not self._name:
            self._name = self._new_name()
        return self._name

    def resp(self, subscription: Subscription) -> bytes:
        """Return the RESP message without its first byte, which is `*` or `>`."""
        if subscription.dialect is Dialect.GLOB:
            return b"4\r\n$8\r\npmessage\r\n%b%b%b" % (bulk(subscription.text), bulk(self.channel), bulk(self.payload))
        kind = b"$8\r\nsmessage" if subscription.dialect is Dialect.SHARD else b"$7\r\nmessage"
        return b"3\r\n%b\r\n%b%b" % (kind, bulk(self.channel), bulk(self.payload))

    def frame(self) -> bytes:
        """Return the message as JSON, for a WebSocket."""
        if not self._frame:
            payload = self.payload if isinstance(self.payload, Json) else json.dumps(as_text(self.payload)).encode()
            channel = json.dumps(as_text(self.channel)).encode()
            self._frame = b'{"type":"message","message_id":"%b","topic":%b,"payload":%b,' % (
                self.name.encode(), channel, payload,
            ) + b'"metadata":%b,"timestamp":%d%b}' % (
                self.metadata or b"null", self.now // 1000, b',"retained":true' if self.retained else b"",
            )  # fmt: skip
        return self._frame


def as_text(data: bytes) -> str:
    """Return `data` as text for JSON surfaces, with a placeholder for bytes that are not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"<binary data: {len(data)} bytes>"


class Subscriber:
    """A subscriber with its subscriptions by dialect and text."""

    __slots__ = ("_asked", "name")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._asked: dict[Dialect, dict[bytes, Subscription]] = {dialect: {} for dialect in Dialect}

    def of(self, dialect: Dialect) -> dict[bytes, Subscription]:
        """Return the subscriptions of one dialect, by text."""
        return self._asked[dialect]

    def all(self) -> Iterable[tuple[Dialect, bytes]]:
        """Return (dialect, text) of all subscriptions."""
        return [(dialect, text) for dialect, found in self._asked.items() for text in found]

    def __len__(self) -> int:
        return sum(map(len, self._asked.values()))

    def __bool__(self) -> bool:
        return True

    @property
    def told(self) -> int:
        """The count that RESP confirmations give: exact channels plus globs."""
        return len(self._asked[Dialect.EXACT]) + len(self._asked[Dialect.GLOB])


class Listener(Subscriber):
    """A RESP session with subscriptions."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session


class Mailbox(Subscriber):
    """A subscriber that takes messages from a buffer.

    `wake` is called when the first message enters an empty buffer, and when the mailbox is `over` (disconnected
    for being too slow). A mailbox without `wake` is one that polls, see polling.py. One that `counts_lost` is never
    disconnected: when its buffer is full, all that waits is dropped and counted in `lost`.
    """

    __slots__ = ("asked", "bytes", "counts_lost", "ends_poll", "first", "lost", "over", "waiting", "wake")

    def __init__(self, name: str, wake: Callable[[], None] | None, counts_lost: bool = False) -> None:
        super().__init__(name)
        self.wake = wake
        self.counts_lost = counts_lost
        self.lost = 0
        self.waiting: deque[Message] = deque()
        self.bytes = 0  # total size of the messages in `waiting`
        self.over = False
        self.asked = 0  # when it has polled last
        self.first = 1  # number of the first message in `waiting`, for polls
        self.ends_poll: Callable[[], None] | None = None  # answers the poll that waits

    def put(self, message: Message) -> None:
        """Append a message to the buffer."""
        self.waiting.append(message)
        self.bytes += message.size

    def take(self) -> Message | None:
        """Remove and return the oldest message, or None if there is none."""
        if not self.waiting:
            return None
        message = self.waiting.popleft()
        self.bytes -= message.size
        return message

    def clear(self) -> None:
        """Drop all messages of the buffer."""
        self.waiting.clear()
        self.bytes = 0
