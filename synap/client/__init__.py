"""The Python client: `connect` for threads, `connect_async` for asyncio and trio; see docs/client.md.

It needs a server and nothing compiled: importing it loads neither numba nor numpy, and anyio only for AsyncClient.

    machine                    RESP3, bytes to events, no sockets
    requests, keys, queues,    what each method asks for, once for both clients
    rooms, topics, batches
    plans                      what to do when, retries and iterators, no waiting
    blocking, awaiting         connections, and how plans are carried out
    sync, aio                  the clients
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synap.client.errors import (
    ClientError,
    Closed,
    Conflict,
    ConnectionLost,
    LocalProtocolError,
    NotConnected,
    OffsetGone,
    OutcomeUnknown,
    PoolExhausted,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from synap.client.machine import Limits
from synap.client.options import Options
from synap.client.rooms import Event
from synap.client.sync import Client, Message, Queue, Room, Subscription, connect
from synap.client.topics import Gap, TopicMessage

if TYPE_CHECKING:
    from synap.client.async_client import (
        AsyncClient,
        AsyncMessage,
        AsyncQueue,
        AsyncRoom,
        AsyncSubscription,
        connect_async,
    )

__all__ = [
    "AsyncClient", "AsyncMessage", "AsyncQueue", "AsyncRoom", "AsyncSubscription", "Client", "ClientError", "Closed",
    "Conflict", "ConnectionLost", "Event", "Gap", "Limits", "LocalProtocolError", "Message", "NotConnected",
    "OffsetGone", "Options", "OutcomeUnknown", "PoolExhausted", "Queue", "Refused", "RemoteProtocolError", "Room",
    "Subscription", "TimedOut", "TopicMessage", "connect", "connect_async",
]  # fmt: skip

_OF_TASKS = ("AsyncClient", "AsyncMessage", "AsyncQueue", "AsyncRoom", "AsyncSubscription", "connect_async")


def __getattr__(name: str) -> Any:
    if name in _OF_TASKS:
        return getattr(import_module("synap.client.async_client"), name)
    raise AttributeError(f"module 'synap.client' has no attribute {name!r}")
