"""What a row says of the keyspace notifications of its calls, as data; `engine/keyspace_events.py` sends them."""

from dataclasses import dataclass
from enum import Enum


class How(Enum):
    """Which keys of a call have the event of its row, and what else they have."""

    PUT = "each key that is named"
    NONE = "none: the row changes whole namespaces"
    GONE = "`del`, for each key that was there"
    STORED = "the first key, which is replaced by what is made of the others"
    MERGED = "the first key, which is read as well and gets what is made of all"
    STORED_LAST = "the last key, if the call stores there what it makes of the first one"
    FIRST = "the one of several keys that the reply names first"
    PUSHED = "`lpush` or `rpush` for the second key, `lpop` or `rpop` for the first one"
    MOVED = "`srem` for the first key, `sadd` for the last one"
    RENAMED = "`rename_from` for the first key, `rename_to` for the last one"
    COPIED = "the last key, in the namespace that the call names"
    TAKEN_ALONG = "`move_from` for the key, `move_to` for the key in the other namespace"
    DEADLINE = "each key, `del` if its deadline has passed, `persist` if the call says so"
    EXPIRED = "`expired`, for the key that is gone"
    TRIMS = "each key that is named, and `xtrim` besides if the reply's number is not 0"
    CREATES = "each of the keys whose bit is set in the reply's number"
    UNTOLD = "none: what changes is no part of the key's value"


@dataclass(frozen=True)
class Event:
    """The event of a row.

    name      the event, if not the RESP command in small letters, or the second part of the name of a row without one
    how       which keys have it
    expires   True: a call that gives a time to live has `expire` besides
    end       the field that says from which end an element was taken; it decides the event
    of        the family whose class the event has, if not that of the row
    when      (field, event instead, if the field is given)
    misses    True: the row reads as well, so a key that it does not find is a miss
    """

    name: str = ""
    how: How = How.PUT
    expires: bool = False
    end: str = ""
    of: str = ""
    when: tuple[str, str] = ("", "")
    misses: bool = False


DEFAULT = Event()
