"""The base of the in-process methods: how a method makes its call, and how it converts what the call returns."""

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypeAlias, TypedDict, cast

import msgspec

Key: TypeAlias = str | bytes
Value: TypeAlias = str | bytes | int | float | bool | list[Any] | dict[str, Any] | None
"""A value to store. Texts and bytes are returned as bytes, integers counted by `incr` as int, and everything else as
the JSON value that was stored. `get_many` returns the bytes of any value."""

NOTHING: Any = object()
"""The default of a parameter for which None is a value."""


class Failure(TypedDict):
    """A failure of a message: when (ms since 1970), the cause ("nack", "deadline", "closed", "expired", "overflow"),
    the consumer that had the message, and the reason that it gave."""

    at: int
    cause: str
    consumer_id: str | None
    reason: str | None


class Message(TypedDict):
    """A leased message, to be acked or nacked before `deadline` (ms since 1970).

    Of a message that is only shown, `deadline` is 0, or the time at which it is ready if it is delayed.
    """

    message_id: str
    payload: bytes
    priority: int
    retry_count: int
    max_retries: int
    headers: Any  # as published; bytes if they were text that is no JSON
    created_at: int
    deadline: int
    receipt: str | None  # of this delivery, for `queue_ack`, `queue_nack` and `queue_renew`; None if it is only shown
    group: str | None
    expires_at: int | None  # ms since 1970
    history: NotRequired[list[Failure]]  # of a dead letter, the oldest failure first


class Event(TypedDict):
    """An event of a room; `timestamp` is the time of its publication (ms since 1970)."""

    offset: int
    event: str
    data: Any  # texts and bytes as bytes, other JSON values as published
    timestamp: int


class Calls:
    """What a database has that the methods need."""

    def call(self, name: str, /, **fields: Any) -> Any:
        """Make the call of the row `name` and return its reply. Raises Fault if the call is refused."""
        raise NotImplementedError

    def _call_waiting(self, name: str, **fields: Any) -> Any:
        """Make the call as `call` does, and wait in this thread if the row can wait."""
        raise NotImplementedError


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are neither None nor False."""
    return {name: value for name, value in fields.items() if value is not None and value is not False}


def stored(**fields: Any) -> dict[str, Any]:
    """Return the fields with a value, which may be None."""
    return {name: value for name, value in fields.items() if value is not NOTHING}


def paired(found: Mapping[Any, Any] | Iterable[tuple[Any, ...]], turned: bool = False) -> list[tuple[Any, ...]]:
    """Return the items of a mapping, or pairs as a list; `turned`: a mapping names the second of each pair first."""
    if turned and isinstance(found, Mapping):
        return [(first, second) for second, first in found.items()]
    return list(found.items()) if isinstance(found, Mapping) else [tuple(each) for each in found]


def as_tuple(found: list[Any] | None) -> Any:
    """Return the members of a tuple, or None."""
    return None if found is None else tuple(found)


def title(name: bytes) -> str:
    """Return the name of a queue or room, or another word of the server, as str."""
    return name.decode("utf-8", "replace")


def titles(names: list[bytes]) -> list[str]:
    """Return the names of queues or rooms as str."""
    return [title(name) for name in names]


def report(found: dict[str, Any]) -> dict[str, Any]:
    """Return counters by name, with texts as str. Maps in a list are reports as well."""
    return {name: _reported(value) for name, value in found.items()}


def _reported(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        return [report(each) for each in value]
    return title(value) if isinstance(value, bytes) else value


def message(found: dict[str, Any]) -> Message:
    """Return a message of a queue, with its headers as published."""
    return cast(Message, found | {
        "message_id": found["message_id"].decode(), "headers": headers_of(found["headers"]),
        "receipt": title_or_none(found["receipt"]), "group": title_or_none(found["group"]),
        **({"history": [failure(each) for each in found["history"]]} if "history" in found else {})})  # fmt: skip


def failure(found: dict[str, Any]) -> Failure:
    """Return an entry of the history of a dead letter."""
    texts = {name: title_or_none(found[name]) for name in ("cause", "consumer_id", "reason")}
    return cast(Failure, found | texts)


def title_or_none(found: bytes | None) -> str | None:
    """Return a name as a text, or None if there is none."""
    return None if found is None else title(found)


def messages(found: list[dict[str, Any]]) -> list[Message]:
    """Return messages of a queue, each as `message` does."""
    return [message(each) for each in found]


def headers_of(octets: bytes) -> Any:
    """Return headers as published, None without any; bytes if they are no JSON."""
    try:
        return msgspec.json.decode(octets) if octets else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return octets
